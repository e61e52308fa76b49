//! Each row, by the smallest body that shows its rules.

use super::*;
use proptest::prelude::*;

fn check(provider: &str, model: &str, body: &str) -> Result<String, (u16, Option<String>)> {
    let kind = Kind::named(provider).unwrap();
    let body = Body::parse(body.as_bytes()).unwrap();
    let edits = edits(kind.rules(Some(model), None), &body).map_err(|it| (it.status, it.param))?;
    Ok(String::from_utf8(body.apply(edits)).unwrap())
}

#[test]
fn each_provider_gets_the_members_that_it_takes() {
    for (provider, model, body, expected) in [
        ("openai", "gpt-4o", r#"{"max_tokens":1,"n":2}"#, r#"{"max_tokens":1,"n":2}"#),
        ("openai", "gpt-5-mini", r#"{"max_tokens" : 1,"n":2}"#, r#"{"max_completion_tokens" : 1,"n":2}"#),
        ("openai-eu", "o3-mini", r#"{"max_tokens":1}"#, r#"{"max_completion_tokens":1}"#),
        ("openai", "o1", r#"{"max_tokens":1,"max_completion_tokens":2}"#, r#"{"max_completion_tokens":2}"#),
        ("azure.1", "gpt-5", r#"{"max_tokens":1}"#, r#"{"max_completion_tokens":1}"#),
        ("anthropic", "c", r#"{"temperature":1.5,"user":"a"}"#, r#"{"temperature":1,"user":"a"}"#),
        ("anthropic", "c", r#"{"temperature":0.50,"n":1.0}"#, r#"{"temperature":0.50,"n":1.0}"#),
        ("anthropic", "c", r#"{"temperature":null,"n":null}"#, r#"{"temperature":null,"n":null}"#),
        (
            "mistralai",
            "m",
            r#"{"user":"a","max_completion_tokens":5,"seed":7,"x":1,"stream_options":{},"tool_choice":"required","store":true}"#,
            r#"{"max_tokens":5,"random_seed":7,"x":1,"tool_choice":"any"}"#,
        ),
        ("mistral", "m", r#"{"tool_choice":"auto","n":2}"#, r#"{"tool_choice":"auto","n":2}"#),
        ("groq", "m", r#"{"logprobs":true,"temperature":0.0,"top_logprobs":1}"#, r#"{"temperature":1e-8}"#),
        ("groq", "m", r#"{"temperature":"0","n":1}"#, r#"{"temperature":"0","n":1}"#),
        ("cohere", "m", r#"{"max_completion_tokens":5}"#, r#"{"max_tokens":5}"#),
        ("deepseek", "m", r#"{"max_completion_tokens":5}"#, r#"{"max_tokens":5}"#),
        ("together", "m", r#"{"max_completion_tokens":5,"max_tokens":6}"#, r#"{"max_tokens":6}"#),
        ("fireworks", "m", r#"{"seed":5}"#, "{}"),
        ("ollama", "m", r#"{"n":2,"user":"a","logit_bias":{},"stream_options":{}}"#, r#"{"stream_options":{}}"#),
        ("custom", "m", r#"{"max_completion_tokens":5}"#, r#"{"max_tokens":5}"#),
    ] {
        assert_eq!(check(provider, model, body).as_deref(), Ok(expected), "{provider} {body}");
    }
}

#[test]
fn several_choices_of_a_provider_that_gives_one_are_refused() {
    for (provider, body) in [("anthropic", r#"{"n":2}"#), ("groq", r#"{"n":0}"#), ("groq", r#"{"n":"1"}"#)] {
        assert_eq!(check(provider, "m", body), Err((400, Some("n".to_owned()))), "{provider} {body}");
    }
}

#[test]
fn a_provider_is_known_by_its_name_and_what_the_operator_adds() {
    for (name, expected) in [
        ("openai", Some("openai")),
        ("OpenAI.1", Some("openai")),
        ("openai-eu", Some("openai")),
        ("openaix", None),
        ("x-ai", Some("xai")),
        ("gemini_2", Some("google")),
        ("mistralai", Some("mistral")),
        ("acme", None),
        ("", None),
    ] {
        assert_eq!(Kind::named(name).map(Kind::name), expected, "{name}");
    }
    for row in &ROWS {
        assert_eq!(serde_json::from_str::<Kind>(&format!("{:?}", row.kind.name())).unwrap(), row.kind);
    }
}

#[test]
fn a_body_is_looked_at_only_where_a_rule_can_apply() {
    for provider in ["openai", "azure", "google", "openrouter", "xai", "vllm"] {
        for model in ["gpt-4o", "gpt-4.1", "gpt-oss-120b", "omni", "chatgpt-5", "llama3:8b"] {
            assert_eq!(Kind::named(provider).unwrap().rules(Some(model), None), [], "{provider} {model}");
        }
    }
    for model in
        ["o1", "o3-mini", "o4-mini-2025-04-16", "gpt-5", "gpt-5.5", "gpt-6-sol", "gpt-10", "ft:gpt-5:acme", "openai/o1"]
    {
        assert_eq!(Kind::OpenAi.rules(Some(model), None).len(), 1, "{model}");
        assert_eq!(Kind::Vllm.rules(Some(model), None), [], "{model}");
    }
    assert_eq!(Kind::Azure.rules(Some("deployed"), Some("gpt-5")).len(), 1);
}

/// The members that a rule is about.
fn members(rule: &Rule) -> Vec<&'static str> {
    match *rule {
        Rule::Rename { from, to } => vec![from, to],
        Rule::Drop(names) => names.to_vec(),
        Rule::Say { member, .. } | Rule::AtMost { member, .. } | Rule::NotZero { member, .. } | Rule::One(member) => {
            vec![member]
        }
    }
}

#[test]
fn every_member_of_a_rule_is_one_that_a_body_looks_for() {
    for rule in ROWS.iter().flat_map(|row| row.rules.iter().chain(row.reasoning)) {
        for name in members(rule) {
            let body = format!(r#"{{"{name}":1}}"#);
            assert!(Body::parse(body.as_bytes()).unwrap().member(name).is_some(), "{name}");
        }
    }
}

proptest! {
    #[test]
    fn whatever_the_rules_do_it_is_json_and_the_rest_stays(
        row in 0..ROWS.len(),
        names in prop::sample::subsequence(
            vec!["x", "max_tokens", "y", "max_completion_tokens", "seed", "random_seed", "user", "temperature", "n", "z", "tool_choice", "store"], 0..=12,
        ).prop_shuffle(),
        values in prop::collection::vec(prop::sample::select(vec!["1", "0", "1.50", "\"required\"", "{\"n\": [2,3]}", "null", "\"},\""]), 12),
    ) {
        let members: Vec<_> = names.iter().zip(&values).map(|(name, it)| format!("\"{name}\" : {it}")).collect();
        let body = format!("{{ {} }}", members.join(" ,"));
        let parsed = Body::parse(body.as_bytes()).unwrap();
        if let Ok(edits) = edits(ROWS[row].reasoning, &parsed) {
            let new = String::from_utf8(parsed.apply(edits)).unwrap();
            prop_assert!(Body::parse(new.as_bytes()).is_ok(), "{} -> {}", body, new);
            let untouched = names.iter().zip(&values).filter(|(name, _)| name.len() == 1 && **name != "n");
            for (name, value) in untouched {
                let member = format!("\"{}\" : {}", name, value);
                prop_assert!(new.contains(&member), "{} -> {}", body, new);
            }
        }
    }
}
