use super::*;
use proptest::prelude::*;

fn prices(overrides: &str) -> Result<Prices, String> {
    let overrides = serde_json::from_str(overrides).map_err(|it| it.to_string())?;
    Prices::built_in(&overrides)
}

/// Pico-dollars per token: input, output, cached, cache-written; zero where it is not known.
fn check(model: &str) -> Option<[u64; 4]> {
    let price = prices("{}").unwrap().of(model)?.price?;
    Some([price.input, price.output, price.cached.unwrap_or_default(), price.cache_write.unwrap_or_default()])
}

#[test]
fn prices_agree_with_a_sample_that_was_taken_elsewhere() {
    // WIRE.md, 5.3: hundredths of a cent per million tokens.
    for (model, input, output, cached) in [
        ("gpt-6-sol", 20_000, 100_000, 2_000),
        ("gpt-6-luna", 1_000, 5_000, 100),
        ("gpt-5.6", 40_000, 200_000, 4_000),
        ("gpt-5.5", 50_000, 300_000, 5_000),
        ("gpt-5.4-mini", 7_500, 45_000, 750),
        ("gpt-5-mini", 2_500, 20_000, 250),
        ("gpt-4.1", 20_000, 80_000, 5_000),
        ("gpt-4o", 25_000, 100_000, 12_500),
        ("gpt-4o-mini", 1_500, 6_000, 750),
        ("text-embedding-3-small", 200, 0, 0),
        ("claude-opus-5-5", 40_000, 200_000, 2_000),
        ("claude-sonnet-5-5", 20_000, 100_000, 1_000),
        ("claude-sonnet-4-5", 30_000, 150_000, 3_000),
        ("claude-haiku-4-5", 10_000, 50_000, 1_000),
        ("claude-haiku-5-5", 1_000, 5_000, 100),
        ("gemini-3.8-flash", 7_500, 37_500, 750),
        ("gemini-3.1-pro-preview", 20_000, 120_000, 2_000),
        ("gemini-2.5-flash", 3_000, 25_000, 300),
        ("mistral-large-latest", 5_000, 15_000, 500),
        ("mistral-small-latest", 1_500, 6_000, 150),
        ("grok-4.7", 20_000, 60_000, 5_000),
        ("deepseek-v4-flash", 3_000, 12_000, 60),
        ("deepseek-v4-pro", 13_200, 39_600, 440),
        ("command-a-03-2025", 25_000, 100_000, 0),
        ("groq/openai/gpt-oss-120b", 1_500, 6_000, 750),
    ] {
        let [found_in, found_out, found_cached, _] = check(model).unwrap_or_else(|| panic!("{model}"));
        assert_eq!([found_in, found_out, found_cached], [input, output, cached].map(|it| it * 100), "{model}");
    }
}

#[test]
fn a_clients_name_finds_the_row() {
    for (name, same_as) in [
        ("openai/gpt-4o", "gpt-4o"),
        ("openai/gpt-4o-2024-08-06", "gpt-4o"),
        ("openai/gpt-6-sol-2027-01-31", "gpt-6-sol"),
        ("openai.1/gpt-4o", "gpt-4o"),
        ("openai-eu/gpt-6-sol-20270131", "gpt-6-sol"),
        ("ft:gpt-4o-2024-08-06:acme::abc", "ft:gpt-4o-2024-08-06"),
        ("anthropic/claude-sonnet-4.5", "claude-sonnet-4-5"),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("claude-opus-5-5@20260801", "claude-opus-5-5"),
        ("claude-opus-5-5-latest", "claude-opus-5-5"),
        ("gemini/gemini-2.5-flash", "google/gemini-2.5-flash"),
        ("google/gemini-2.5-flash-latest", "gemini-2.5-flash"),
        ("mistralai/mistral-large", "mistral-large-latest"),
        ("x-ai/grok-4.7", "xai/grok-4.7"),
        ("openrouter/openai/gpt-4o", "gpt-4o"),
        ("openrouter/anthropic/claude-sonnet-4.5", "claude-sonnet-4-5"),
        ("openrouter/x-ai/grok-4.7", "xai/grok-4.7"),
        ("vertex/google/gemini-2.5-flash", "gemini-2.5-flash"),
        ("azure-west/gpt-4o", "azure/gpt-4o"),
    ] {
        assert!(
            check(name).is_some() && check(name) == check(same_as),
            "{name} {:?} {:?}",
            check(name),
            check(same_as)
        );
    }
    assert_ne!(check("gpt-4o-2024-05-13"), check("gpt-4o"), "a dated model with a price of its own");
    assert_eq!(check("azure/gpt-4o"), check("gpt-4o"));
}

/// The letters of what it can do, those of what it cannot in lower case.
fn can(model: &str) -> String {
    let said = |(it, can): (Capability, bool)| {
        let word = serde_json::to_value(it).unwrap().as_str().unwrap().to_owned();
        if can { word } else { format!("no {word}") }
    };
    let known = prices("{}").unwrap().of(model).unwrap().capabilities;
    known.iter().map(said).collect::<Vec<_>>().join(", ")
}

#[test]
fn what_models_can_do_is_what_their_vendors_say() {
    for (model, said) in [
        (
            "gpt-4o",
            "tools, parallel_tools, tool_choice, json_schema, vision, no audio_input, prompt_cache, system_role",
        ),
        ("gpt-4", "tools, tool_choice, no json_schema, no vision, no audio_input, prompt_cache, system_role"),
        ("claude-opus-5-5", "tools, no tool_choice, json_schema, vision, no audio_input, reasoning, prompt_cache"),
        (
            "gemini-2.5-flash",
            "tools, parallel_tools, tool_choice, json_schema, vision, audio_input, reasoning, prompt_cache, system_role",
        ),
        ("mistral-large-latest", "tools, tool_choice, json_schema, vision, no audio_input"),
    ] {
        assert_eq!(can(model), format!("chat, no embeddings, {said}"), "{model}");
    }
    assert_eq!(can("text-embedding-3-small"), "no chat, no responses, embeddings");
    assert!(can("o3-pro").starts_with("no chat, responses, no embeddings"));
    assert!(!can("openrouter/openai/o3-pro").contains("chat"), "who resells a model may serve it in other ways");
    assert!(can("ft:gpt-4.1-2025-04-14").contains("tools") && !can("ft:gpt-4.1-2025-04-14").contains("vision"));
    let ends = |model: &str| prices("{}").unwrap().of(model).unwrap().deprecated;
    assert_eq!((ends("claude-sonnet-4-5"), ends("gpt-4o")), (Some("2026-11-30"), None));
}

#[test]
fn who_is_not_known_has_no_price() {
    for name in [
        "",
        "gpt-99",
        "my-proxy/gpt-4o",
        "openrouter/auto",
        "openrouter/meta-llama/llama-3.1-70b-instruct:free",
        "openrouter/openrouter",
        "ft:gpt-99:acme",
        "ft:",
        "openai/ft:x:",
        "ollama/llama3:8b",
        "embed-multilingual-light-v3.0",
        "azure/jais-30b-chat",
        "google/gemma-4-31b-it",
    ] {
        assert_eq!(check(name), None, "{name}");
    }
    let free = prices("{}").unwrap().of("google/gemma-4-31b-it").unwrap();
    assert_eq!((free.price, free.max_output), (None, Some(32_768)), "its limits are known all the same");
}

#[test]
fn an_operators_price_replaces_or_adds() {
    let prices = prices(
        r#"{"gpt-4o": {"input": 2.4, "output": "9.99", "cached_input": 1.2, "max_output": 1000},
            "my-proxy/gpt-4o": {"input": 0, "output": 0}, "claude-sonnet-4.5": {"input": 1, "output": 2, "cache_write": 3}}"#,
    )
    .unwrap();
    let found = prices.of("openai/gpt-4o").unwrap();
    let price = Price {
        input: 2_400_000,
        output: 9_990_000,
        cached: Some(1_200_000),
        cache_write: None,
        long: None,
        priority: Some(170),
    };
    let built_in = self::prices("{}").unwrap().of("openai/gpt-4o").unwrap();
    assert_eq!(found, Model { price: Some(price), max_output: Some(1000), ..built_in });
    assert_eq!(found.max_input, Some(128_000));
    assert_eq!(prices.of("openai/gpt-4o-2030-01-01").unwrap(), found);
    assert_eq!(prices.of("my-proxy/gpt-4o").unwrap().price.unwrap().input, 0);
    let own = prices.of("anthropic/claude-sonnet-4-5").unwrap();
    assert_eq!((own.price.unwrap().cache_write, own.max_output), (Some(3_000_000), Some(64_000)));
}

#[test]
fn an_override_that_cannot_be_meant_is_refused_by_its_key() {
    for (json, expected) in [
        (r#"{"gpt-4o": {"input": -1, "output": 1}}"#, "prices.gpt-4o.input: `-1` is negative"),
        (r#"{"gpt-4o": {"input": 1, "output": "1 $"}}"#, "prices.gpt-4o.output: `1 $` is no amount"),
        (r#"{"gpt-4o": {"input": 1, "output": 10001}}"#, "prices.gpt-4o.output: 10001.00 US dollars per million"),
        (r#"{"gpt-4o": {"input": 0.0000025, "output": 1}}"#, "prices.gpt-4o.input: 0.0000025 is too fine a price"),
        (
            r#"{"gpt-4o": {"input": 1, "output": 1, "cached_input": 2}}"#,
            "prices.gpt-4o.cached_input is more than `input`",
        ),
        (r#"{"gpt-4o": {"input": 1, "output": 1, "cache_write": 1e300}}"#, "prices.gpt-4o.cache_write: `1000"),
        (r#"{"gpt-4o": {"input": 1, "output": 1, "max_output": 0}}"#, "nonzero"),
        (r#"{"gpt-4o": {"input": 1}}"#, "missing field `output`"),
        (r#"{"gpt-4o": {"input": null, "output": 1}}"#, "expected US dollars per million tokens"),
        (r#"{"gpt-4o": {"input": 1, "output": 1, "cached": 1}}"#, "unknown field `cached`"),
        (
            r#"{"gpt-4o": {"input": 1, "output": 1}, "openai/gpt-4o": {"input": 1, "output": 1}}"#,
            "prices.openai/gpt-4o: `openai/gpt-4o` has a price already",
        ),
        (r#"{"": {"input": 1, "output": 1}}"#, "prices: `` is no model's name: it is empty"),
        (r#"{"gpt *": {"input": 1, "output": 1}}"#, "prices: `gpt *` is no model's name"),
    ] {
        let refused = prices(json).unwrap_err();
        assert!(refused.contains(expected), "{json}: {refused}");
    }
}

#[test]
fn each_token_costs_what_its_kind_costs() {
    let price = Price {
        input: 2_500_000,
        output: 10_000_000,
        cached: Some(1_250_000),
        cache_write: Some(3_125_000),
        long: None,
        priority: None,
    };
    let plain = Price { cached: None, cache_write: None, ..price };
    let usage = Usage { input: 100, cached: 40, cache_write: 10, output: 7, reasoning: 7, priority: false };
    let nanos = |price: &Price, usage: &Usage| price.cost(usage).nanos();
    assert_eq!(nanos(&price, &usage), 50 * 2500 + 40 * 1250 + 10 * 3125 + 7 * 10_000);
    assert_eq!(nanos(&plain, &usage), 100 * 2500 + 7 * 10_000);
    assert_eq!(nanos(&price, &Usage::default()), 0);
    let cents = Price { input: 37_500, output: 499, cached: Some(1), ..plain };
    for (usage, expected) in [
        (Usage { input: 1, ..Usage::default() }, 38),
        (Usage { input: 1, cached: 1, ..Usage::default() }, 0),
        (Usage { output: 1, ..Usage::default() }, 0),
        (Usage { output: 2, ..Usage::default() }, 1),
    ] {
        assert_eq!(nanos(&cents, &usage), expected, "{usage:?} rounds half up");
    }
}

#[test]
fn a_long_prompt_costs_its_own_price_for_every_token() {
    let prices = prices("{}").unwrap();
    let haiku = prices.of("claude-haiku-5-5").unwrap().price.unwrap();
    let cost = |input: u64, cached: u64| haiku.cost(&Usage { input, cached, output: 10, ..Usage::default() }).nanos();
    assert_eq!(cost(100_000, 0), 100_000 * 100 + 10 * 500);
    assert_eq!(cost(100_001, 0), 100_001 * 500 + 10 * 2500);
    assert_eq!(cost(100_001, 1), 100_000 * 500 + 50 + 10 * 2500);
    let at = |input: u64| serde_json::to_string(&haiku.at(input)).unwrap();
    assert_eq!(at(1), r#"{"input":100000,"output":500000,"cached":10000,"cache_write":125000}"#);
    assert_eq!(at(200_000), r#"{"input":500000,"output":2500000,"cached":50000,"cache_write":625000}"#);
}

#[test]
fn what_is_served_with_priority_costs_more() {
    let prices = prices(r#"{"gpt-4o-mini": {"input": 1, "output": 2}}"#).unwrap();
    let cost = |model: &str, input: u64, priority: bool| {
        let usage = Usage { input, cached: 10, output: 10, priority, ..Usage::default() };
        prices.of(model).unwrap().price.unwrap().cost(&usage).nanos()
    };
    assert_eq!(cost("gpt-6-sol", 110, false), 100 * 2000 + 10 * 200 + 10 * 10_000);
    assert_eq!(cost("gpt-6-sol", 110, true), 2 * cost("gpt-6-sol", 110, false));
    assert_eq!(cost("gpt-6-sol", 300_010, true), 2 * (300_000 * 4000 + 10 * 400 + 10 * 15_000), "and a long prompt");
    assert_eq!(cost("gpt-4o", 110, true) * 10, 17 * cost("gpt-4o", 110, false));
    assert!(cost("gpt-4o-mini", 110, true) > cost("gpt-4o-mini", 110, false), "an operator's own price too");
    assert_eq!(cost("claude-opus-5-5", 110, true), cost("claude-opus-5-5", 110, false), "where nobody sells it");
    let usage = Usage { priority: true, ..Usage::default() };
    let billed = prices.of("gpt-4o").unwrap().price.unwrap().of(&usage);
    let said = serde_json::to_string(&billed).unwrap();
    assert_eq!(said, r#"{"input":4250000,"output":17000000,"cached":2125000,"cache_write":null}"#);
    assert_eq!(billed.of(&usage), billed);
}

#[test]
fn bills_that_providers_sent_come_out_to_the_nano_dollar() {
    // From public reports of people who compared: what the answer said, and what was charged.
    for (provider, model, usage, charged) in [
        (
            "xai",
            "grok-4.20",
            r#"{"prompt_tokens":10120,"completion_tokens":1499,"total_tokens":14428,"prompt_tokens_details":{"cached_tokens":128},
                "completion_tokens_details":{"reasoning_tokens":2809}}"#,
            "0.0232856",
        ),
        (
            "anthropic",
            "claude-opus-4-7",
            r#"{"input_tokens":6,"cache_creation_input_tokens":159217,"cache_read_input_tokens":0,"output_tokens":2745}"#,
            "1.06376125",
        ),
        (
            "openai",
            "gpt-5.6-luna",
            r#"{"input_tokens":18014,"input_tokens_details":{"cache_write_tokens":18011,"cached_tokens":0},"output_tokens":100,
                "output_tokens_details":{"reasoning_tokens":0},"total_tokens":18114}"#,
            // 3 at 0.2, 18,011 at 0.25, 100 at 1.2 dollars a million.
            "0.00462335",
        ),
    ] {
        let usage = crate::usage::find(Some(provider), format!("{{\"usage\":{usage}}}").as_bytes()).unwrap();
        let price = prices("{}").unwrap().of(&format!("{provider}/{model}")).unwrap().price.unwrap();
        assert_eq!(price.cost(&usage).to_string(), charged, "{provider}/{model}");
    }
}

fn some_usage() -> impl Strategy<Value = Usage> {
    let tokens = || 0_u64..300_000;
    (tokens(), tokens(), tokens(), tokens(), any::<bool>()).prop_map(
        |(plain, cached, cache_write, output, priority)| Usage {
            input: plain + cached + cache_write,
            cached,
            cache_write,
            output,
            reasoning: 0,
            priority,
        },
    )
}

#[test]
fn what_was_found_once_is_found_again_however_many_are_asked_for() {
    let prices = prices("{}").unwrap();
    let first: Vec<_> = prices.names().map(|it| prices.of(it)).collect();
    assert!(first.iter().all(Option::is_some));
    assert_eq!(prices.names().map(|it| prices.of(it)).collect::<Vec<_>>(), first);
    assert!(prices.known.borrow().len() <= MOST_KNOWN);
    assert_eq!((prices.of("gpt-99"), prices.of("gpt-99")), (None, None));
}

proptest! {
    #[test]
    fn more_tokens_never_cost_less(row in 0_usize..1200, usage in some_usage(), more in some_usage()) {
        let (name, _) = table::tests::all()[row];
        if let Some(price) = prices("{}").unwrap().of(name).unwrap().price {
            let both = Usage {
                input: usage.input + more.input, cached: usage.cached + more.cached,
                cache_write: usage.cache_write + more.cache_write, output: usage.output + more.output, ..usage
            };
            prop_assert!(price.cost(&usage) <= price.cost(&both), "{name}");
            let uncached = Usage { cached: 0, ..usage };
            prop_assert!(price.cost(&usage) <= price.cost(&uncached), "{name}: a cache saves");
        }
    }

    #[test]
    fn what_a_provider_says_is_billed_whole(
        (prompt, completion, more, cached) in (1_u64..1 << 20, 0_u64..1 << 20, 0_u64..1 << 20, 0_u64..1 << 20), provider in "(xai|openai|google|x)",
    ) {
        let price = prices("{}").unwrap().of("gpt-4.1").unwrap().price.unwrap();
        let total = prompt + completion + more;
        let json = format!(r#"{{"usage":{{"prompt_tokens":{prompt},"completion_tokens":{completion},"total_tokens":{total},
            "prompt_tokens_details":{{"cached_tokens":{cached}}}}}}}"#);
        let usage = crate::usage::find(Some(&provider), json.as_bytes()).unwrap();
        let cached = cached.min(prompt);
        let least = (prompt - cached) * 2000 + cached * 500 + (completion + more.saturating_sub(usage.input - prompt)) * 8000;
        prop_assert!(u64::try_from(price.cost(&usage).nanos()).unwrap() >= least, "{usage:?}");
    }

    #[test]
    fn a_cost_is_the_exact_sum_rounded_once(
        (input, output, cached, write) in (0_u64..1 << 40, 0_u64..1 << 40, 0_u64..1 << 40, 0_u64..1 << 40),
        (each_in, each_out, each_cached, each_write) in (0_u64..1 << 20, 0_u64..1 << 20, any::<Option<u16>>(), any::<Option<u16>>()),
    ) {
        let price = Price {
            input: each_in, output: each_out, cached: each_cached.map(u64::from), cache_write: each_write.map(u64::from), long: None, priority: None,
        };
        let usage = Usage { input: input + cached + write, cached, cache_write: write, output, reasoning: 0, priority: false };
        let each = |it: Option<u64>| u128::from(it.unwrap_or(each_in));
        let exact = u128::from(input) * u128::from(each_in) + u128::from(output) * u128::from(each_out)
            + u128::from(cached) * each(price.cached) + u128::from(write) * each(price.cache_write);
        let cost = u128::try_from(price.cost(&usage).nanos()).unwrap() * 1000;
        prop_assert!(cost.abs_diff(exact) <= 500 && (cost.abs_diff(exact) < 500 || cost > exact));
    }

    #[test]
    fn no_usage_and_no_price_is_too_large(usage in any::<[u64; 5]>(), rates in any::<[u64; 4]>(), above in any::<u64>(), percent in any::<u64>()) {
        let [input, cached, cache_write, output, reasoning] = usage;
        let [each, long, read, write] = rates;
        let long = Long { above, input: long, output: long, cached: Some(read), cache_write: None };
        let price = Price { input: each, output: each, cached: Some(read), cache_write: Some(write), long: Some(long), priority: Some(percent) };
        let cost = price.cost(&Usage { input, cached, cache_write, output, reasoning, priority: true });
        prop_assert!(cost >= Usd::ZERO);
    }

    #[test]
    fn any_name_is_looked_for(name in "[ -~]{0,60}", more in "(openrouter/|vertex/|ft:|openai/|-latest|-2024-01-01|:|/){0,6}") {
        let prices = prices("{}").unwrap();
        let _ = prices.of(&name);
        let _ = prices.of(&format!("{more}{name}"));
        let _ = prices.of(&format!("{name}{more}"));
    }
}
