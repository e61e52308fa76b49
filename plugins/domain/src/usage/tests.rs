use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

/// The usage of a plain answer: input, cached, cache-written, output, reasoning.
fn check(provider: &str, usage: &Value) -> Option<[u64; 5]> {
    let answer = json!({"id": "c", "choices": [{"message": {"content": "\"usage\""}}], "usage": usage});
    let found = find(Some(provider), answer.to_string().as_bytes())?;
    Some(numbers(&found))
}

fn numbers(it: &Usage) -> [u64; 5] {
    [it.input, it.cached, it.cache_write, it.output, it.reasoning]
}

/// The usage that a stream of these events leaves.
fn stream(provider: &str, events: &[Value]) -> Option<[u64; 5]> {
    let mut reading = Reading::new(Some(provider));
    for event in events {
        reading.see(event.to_string().as_bytes());
    }
    reading.usage().as_ref().map(numbers)
}

#[test]
fn each_providers_counts_are_read_by_its_rules() {
    for (provider, usage, expected) in [
        ("openai", json!({"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21}), [9, 0, 0, 12, 0]),
        (
            "openai",
            json!({"prompt_tokens": 2006, "completion_tokens": 300, "total_tokens": 2306,
                "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 64, "accepted_prediction_tokens": 0}}),
            [2006, 1920, 0, 300, 64],
        ),
        // GPT-5.6 and later: what is written to the cache is part of the prompt.
        (
            "openai",
            json!({"prompt_tokens": 18014, "completion_tokens": 5, "total_tokens": 18019,
                "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 18011}}),
            [18014, 0, 18011, 5, 0],
        ),
        // The Responses API.
        (
            "openai",
            json!({"input_tokens": 75, "input_tokens_details": {"cached_tokens": 32}, "output_tokens": 1186,
                "output_tokens_details": {"reasoning_tokens": 1024}, "total_tokens": 1261}),
            [75, 32, 0, 1186, 1024],
        ),
        // Embeddings.
        ("openai", json!({"prompt_tokens": 8, "total_tokens": 8}), [8, 0, 0, 0, 0]),
        // xAI: the reasoning is in the total only.
        (
            "xai",
            json!({"prompt_tokens": 10120, "completion_tokens": 1499, "total_tokens": 14428,
                "prompt_tokens_details": {"cached_tokens": 128}, "completion_tokens_details": {"reasoning_tokens": 2809}}),
            [10120, 128, 0, 4308, 2809],
        ),
        (
            "xai",
            json!({"prompt_tokens": 12, "completion_tokens": 20, "completion_tokens_details": {"reasoning_tokens": 5}}),
            [12, 0, 0, 25, 5],
        ),
        (
            "xai",
            json!({"input_tokens": 12, "output_tokens": 20, "output_tokens_details": {"reasoning_tokens": 5}}),
            [12, 0, 0, 20, 5],
        ),
        // Gemini: thoughts are in the total only, and not always named.
        ("google", json!({"prompt_tokens": 20, "completion_tokens": 151, "total_tokens": 553}), [20, 0, 0, 533, 0]),
        (
            "google",
            json!({"prompt_tokens": 21, "completion_tokens": 0, "total_tokens": 81,
                "completion_tokens_details": {"reasoning_tokens": 60}}),
            [21, 0, 0, 60, 60],
        ),
        (
            "deepseek",
            json!({"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110,
                "prompt_cache_hit_tokens": 64, "prompt_cache_miss_tokens": 36}),
            [100, 64, 0, 10, 0],
        ),
        // Anthropic's own API, and a server that follows it.
        (
            "anthropic",
            json!({"input_tokens": 100, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 10, "output_tokens": 5}),
            [130, 10, 20, 5, 0],
        ),
        (
            "anthropic",
            json!({"input_tokens": 100, "cache_creation_input_tokens": null, "output_tokens": 5}),
            [100, 0, 0, 5, 0],
        ),
        (
            "openrouter",
            json!({"prompt_tokens": 194, "completion_tokens": 2, "total_tokens": 196, "cost": 0.95,
                "cost_details": {"upstream_inference_cost": null},
                "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 100}}),
            [194, 0, 100, 2, 0],
        ),
        (
            "mistral",
            json!({"prompt_tokens": 4, "completion_tokens": 3, "total_tokens": 7, "prompt_audio_seconds": {}}),
            [4, 0, 0, 3, 0],
        ),
        (
            "perplexity",
            json!({"prompt_tokens": 4, "completion_tokens": 3, "total_tokens": 7, "reasoning_tokens": 9}),
            [4, 0, 0, 12, 9],
        ),
        (
            "litellm",
            json!({"prompt_tokens": 98805, "completion_tokens": 5120, "total_tokens": 103925,
                "prompt_tokens_details": {"cached_tokens": 66360, "cache_creation_tokens": 32435, "text_tokens": null},
                "cache_read_input_tokens": 66360, "cache_creation_input_tokens": 32435}),
            [98805, 66360, 32435, 5120, 0],
        ),
        (
            "mistral",
            json!({"prompt_tokens": 801, "completion_tokens": 2, "total_tokens": 803, "num_cached_tokens": 768}),
            [801, 768, 0, 2, 0],
        ),
        (
            "moonshot",
            json!({"prompt_tokens": 4, "completion_tokens": 3, "total_tokens": 7, "cached_tokens": 2}),
            [4, 2, 0, 3, 0],
        ),
        // A relay that counts cached tokens beside the prompt.
        (
            "relay",
            json!({"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8, "prompt_tokens_details": {"cached_tokens": 900}}),
            [903, 900, 0, 5, 0],
        ),
        // Null and `[]` say nothing; 12.0 is a whole number.
        (
            "relay",
            json!({"prompt_tokens": 12.0, "completion_tokens": 5, "total_tokens": null, "prompt_tokens_details": [],
                "completion_tokens_details": null}),
            [12, 0, 0, 5, 0],
        ),
        ("relay", json!({"prompt_tokens": 0, "input_tokens": 7, "completion_tokens": 5}), [7, 0, 0, 5, 0]),
    ] {
        assert_eq!(check(provider, &usage), Some(expected), "{provider} {usage}");
    }
}

#[test]
fn a_usage_that_cannot_be_trusted_is_none() {
    for usage in [
        json!(null),
        json!({}),
        json!([]),
        json!("12"),
        json!(12),
        json!({"prompt_tokens": 1}),
        json!({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}),
        json!({"prompt_tokens": 0, "completion_tokens": 5, "total_tokens": 5}),
        json!({"completion_tokens": 1}),
        json!({"total_tokens": 1}),
        json!({"completion_tokens": 1, "total_tokens": 2}),
        json!({"prompt_tokens": -1, "completion_tokens": 1}),
        json!({"prompt_tokens": 1, "completion_tokens": -1}),
        json!({"prompt_tokens": 1.5, "completion_tokens": 1}),
        json!({"prompt_tokens": "1", "completion_tokens": 1}),
        json!({"prompt_tokens": 1, "completion_tokens": true}),
        json!({"prompt_tokens": 1, "completion_tokens": [2]}),
        json!({"prompt_tokens": 1, "completion_tokens": {"a": 2}}),
        json!({"prompt_tokens": u64::MAX, "completion_tokens": 1}),
        json!({"prompt_tokens": 1_000_000_001, "completion_tokens": 1}),
        json!({"prompt_tokens": 1e30, "completion_tokens": 1}),
        json!({"prompt_tokens": 1, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": -5}}),
        json!({"prompt_tokens": 1, "completion_tokens": 1, "completion_tokens_details": {"reasoning_tokens": "many"}}),
    ] {
        assert_eq!(check("openai", &usage), None, "{usage}");
    }
    for raw in [
        r#""usage""#,
        r#"{"usage":{"prompt_tokens":1,"completion_tokens":1}"#,
        r#"{"usage":{"prompt_tokens":1,"prompt_tokens":0,"completion_tokens":1}}"#,
        r#"{"usage":{"prompt_tokens":1,"completion_tokens":1e999}}"#,
        r#"{"choices":[{"message":{"content":"{\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}"}}]}"#,
        r#"{"choices":[{"usage":{"prompt_tokens":1,"completion_tokens":1}}]}"#,
        r#"{"error":{"message":"no \"usage\""}}"#,
        r#"[{"error":{"code":400},"usage":{"prompt_tokens":1,"completion_tokens":1}}]"#,
    ] {
        assert_eq!(find(None, raw.as_bytes()), None, "{raw}");
    }
}

#[test]
fn a_streams_usage_is_found_wherever_it_stands() {
    let chunk = |usage: Value| json!({"object": "chat.completion.chunk", "choices": [], "usage": usage});
    let said = |prompt: u64, output: u64| chunk(json!({"prompt_tokens": prompt, "completion_tokens": output}));
    for (provider, events, expected) in [
        ("openai", vec![chunk(json!(null)), said(9, 12)], Some([9, 0, 0, 12, 0])),
        // Gemini, vLLM when told so: a usage in every chunk, of all that came so far.
        ("google", vec![said(9, 1), said(9, 7), said(9, 12)], Some([9, 0, 0, 12, 0])),
        // xAI: the usage, then a last chunk without.
        ("xai", vec![said(9, 12), json!({"choices": [], "usage": null})], Some([9, 0, 0, 12, 0])),
        ("relay", vec![said(9, 12), said(0, 0)], Some([9, 0, 0, 12, 0])),
        (
            "groq",
            vec![
                json!({"choices": [], "x_groq": {"id": "r", "usage": {"prompt_tokens": 23, "completion_tokens": 19}}}),
            ],
            Some([23, 0, 0, 19, 0]),
        ),
        (
            "openai",
            vec![
                json!({"type": "response.created", "response": {"id": "r", "usage": null}}),
                json!({"type": "response.output_text.delta", "delta": "hi"}),
                json!({"type": "response.incomplete", "response": {"output": [{"usage": 1}], "usage":
                {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12}}}),
            ],
            Some([5, 0, 0, 7, 0]),
        ),
        (
            "anthropic",
            vec![
                json!({"type": "message_start", "message": {"id": "m", "usage":
                {"input_tokens": 100, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 10, "output_tokens": 1}}}),
                json!({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "hi"}}),
                json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 8}}),
            ],
            Some([130, 10, 20, 8, 0]),
        ),
        (
            "anthropic",
            vec![
                json!({"type": "message_start", "message": {"usage": {"input_tokens": 100, "output_tokens": 1}}}),
                json!({"type": "message_delta", "usage": {"input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 15}}),
            ],
            Some([100, 0, 0, 15, 0]),
        ),
        // Half of Anthropic's, and a last word that cannot be read: an estimate must stand in.
        ("anthropic", vec![json!({"type": "message_delta", "usage": {"output_tokens": 15}})], None),
        ("google", vec![said(9, 1), chunk(json!({"prompt_tokens": 9, "completion_tokens": -3}))], None),
        ("google", vec![chunk(json!({"prompt_tokens": -9})), said(9, 1)], Some([9, 0, 0, 1, 0])),
    ] {
        assert_eq!(stream(provider, &events), expected, "{provider} {events:?}");
    }
}

#[test]
fn what_was_served_with_priority_is_known() {
    let usage = json!({"prompt_tokens": 2, "completion_tokens": 3});
    for (event, expected) in [
        (json!({"service_tier": "priority", "usage": usage}), true),
        (json!({"service_tier": "default", "usage": usage}), false),
        (json!({"service_tier": null, "usage": usage}), false),
        (json!({"service_tier": ["priority"], "usage": usage}), false),
        (json!({"usage": usage}), false),
        (json!({"response": {"service_tier": "priority", "usage": {"input_tokens": 1, "output_tokens": 2}}}), true),
        (json!({"service_tier": "priority", "response": {"usage": {"input_tokens": 1, "output_tokens": 2}}}), false),
    ] {
        assert_eq!(find(None, event.to_string().as_bytes()).map(|it| it.priority), Some(expected), "{event}");
    }
}

#[test]
fn a_usage_behind_a_null_one_is_seen() {
    for (raw, expected) in [
        (
            r#"{"usage" : null, "x_groq": {"usage" :
            {"prompt_tokens": 2, "completion_tokens": 3}}}"#,
            true,
        ),
        (r#"{"response":{"usage":null},"usage":{"prompt_tokens":2,"completion_tokens":3}}"#, true),
        (r#"{"usage":null,"choices":[]}"#, false),
        (r#"{"usage":nul"#, false),
    ] {
        assert_eq!(find(None, raw.as_bytes()).is_some(), expected, "{raw}");
    }
}

#[test]
fn only_who_is_known_to_take_it_is_asked_for_the_usage() {
    for name in ["openai", "azure", "groq", "xai", "deepseek", "together", "openrouter", "vllm", "ollama", "bedrock"] {
        assert!(takes_include_usage(name), "{name}");
    }
    for name in
        ["google", "gemini", "anthropic", "openai.1", "openai-eu", "azure_west", "Together", "x-ai", "together-ai"]
    {
        assert!(takes_include_usage(name), "{name}");
    }
    for name in ["mistral", "mistral-eu", "fireworks", "perplexity", "cohere", "", "openaix", "my-openai", "é"] {
        assert!(!takes_include_usage(name), "{name}");
    }
}

fn count() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => (0_u64..50).prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<u64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => prop_oneof![Just(json!(null)), Just(json!("7")), Just(json!([1])), Just(json!({"a": 1})), Just(json!(true))],
    ]
}

fn any_usage() -> impl Strategy<Value = Value> {
    let name = prop::sample::select(vec![
        "prompt_tokens",
        "input_tokens",
        "completion_tokens",
        "output_tokens",
        "total_tokens",
        "cached_tokens",
        "prompt_cache_hit_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
        "reasoning_tokens",
        "prompt_tokens_details",
        "input_tokens_details",
        "completion_tokens_details",
        "output_tokens_details",
    ]);
    let details = prop::collection::btree_map(
        prop::sample::select(vec!["cached_tokens", "cache_write_tokens", "reasoning_tokens"]),
        count(),
        0..3,
    );
    let value = prop_oneof![4 => count(), 1 => details.prop_map(|it| json!(it))];
    prop::collection::btree_map(name, value, 0..8).prop_map(|it| json!(it))
}

proptest! {
    #[test]
    fn whatever_is_said_nothing_stated_is_left_out(provider in "(xai|openai|anthropic|google|x)", usage in any_usage()) {
        let found = find(Some(&provider), json!({"usage": usage}).to_string().as_bytes());
        if let Some(it) = found {
            prop_assert!(it.cached + it.cache_write <= it.input && it.reasoning <= it.output, "{it:?}");
            let said = |name: &str| usage.get(name).and_then(Value::as_u64).unwrap_or_default();
            prop_assert!(it.input >= said("prompt_tokens").max(said("input_tokens")));
            prop_assert!(it.output >= said("completion_tokens").max(said("output_tokens")));
            prop_assert!(it.total() >= said("total_tokens"));
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in any::<Vec<u8>>(), text in "[{}\\[\\]:,\"a-z0-9.-]{0,40}") {
        let mut reading = Reading::new(None);
        reading.see(&bytes);
        reading.see(format!("{{\"usage\":{text}}}").as_bytes());
        reading.see(format!("{{\"response\":{text},\"usage\":1}}").as_bytes());
        let _ = reading.usage();
    }

    #[test]
    fn a_usage_cut_short_is_none_or_the_whole(cut in 0_usize..120) {
        let whole = br#"{"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":34,"total_tokens":46}}"#;
        let part = find(None, &whole[..cut.min(whole.len())]);
        prop_assert_eq!(part.is_some(), cut >= whole.len());
    }

    #[test]
    fn a_growing_stream_ends_with_its_last_count(steps in prop::collection::vec(0_u64..20, 1..20)) {
        let mut output = 0;
        let mut events = Vec::new();
        for step in steps {
            output += step;
            events.push(json!({"usage": {"prompt_tokens": 5, "completion_tokens": output, "total_tokens": 5 + output}}));
        }
        prop_assert_eq!(stream("vllm", &events), Some([5, 0, 0, output, 0]));
    }
}
