//! Who can do what is asked: candidates that cannot are passed over, in a real Envoy.

use serde_json::{Value, json};
use tests::{Answer, FakeProvider, Gateway};

/// A small model that reads no pictures before a large one that does, with `rules` of our own.
fn gateway(fake: &FakeProvider, rules: &Value) -> Gateway {
    let mut config = json!({
        "models": [{"name": "house", "chain": "both"}, {"name": "anthropic/*", "chain": "anthropic"}, {"name": "openai/*", "chain": "openai"}],
        "chains": {
            "both": [{"provider": "openai", "model": "gpt-4"}, {"provider": "anthropic", "model": "claude-sonnet-4-5"}],
            "anthropic": [{"provider": "anthropic"}], "openai": [{"provider": "openai"}]
        }
    });
    config.as_object_mut().expect("an object").extend(rules.as_object().expect("an object").clone());
    Gateway::routing().filter("router", &config).fake(fake).start()
}

fn ask(gateway: &Gateway, body: &Value) -> Answer {
    gateway.client().post("/v1/chat/completions", body).send()
}

/// Status and code of a refusal that has details.
fn refusal(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned())
}

fn picture(model: &str) -> Value {
    let url = format!("data:image/png;base64,{}", "QUJD".repeat(20_000));
    json!({"model": model, "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]})
}

#[test]
fn who_cannot_is_passed_over_for_who_may() {
    let fake = FakeProvider::start();
    let gateway = gateway(&fake, &json!({}));
    let schema = json!({"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}});
    let text = [json!({"role": "user", "content": "hi"})];
    let long = [json!({"role": "user", "content": "four".repeat(30_000)})];
    for (body, provider) in [
        (json!({"model": "house", "messages": text}), "openai"),
        (picture("house"), "anthropic"),
        (json!({"model": "house", "messages": text, "response_format": schema}), "anthropic"),
        (
            json!({"model": "house", "messages": text, "tools": [{"type": "function", "function": {"name": "f"}}]}),
            "openai",
        ),
        (json!({"model": "house", "messages": long}), "anthropic"),
        (picture("openai/gpt-4|anthropic/claude-sonnet-4-5"), "anthropic"),
    ] {
        fake.clear();
        let answer = ask(&gateway, &body);
        let found = (answer.status, answer.header("x-tollgate-provider"), answer.header("x-tollgate-attempts"));
        assert_eq!(found, (200, Some(provider.into()), Some("1".into())), "{}", answer.text());
        assert_eq!(fake.requests().len(), 1, "nobody was asked in vain");
    }
}

#[test]
fn what_no_candidate_can_do_is_refused_with_the_member_that_asks_for_it() {
    let fake = FakeProvider::start();
    let gateway = gateway(&fake, &json!({}));
    let forced =
        json!({"model": "claude-opus-5-5", "messages": [], "tool_choice": "required", "tools": [{"type": "function"}]});
    for (body, param, details) in [
        (picture("gpt-4"), "messages", json!({"model": "openai/gpt-4", "capability": "vision"})),
        (forced, "tool_choice", json!({"model": "anthropic/claude-opus-5-5", "capability": "tool_choice"})),
        (json!({"model": "o3-pro", "messages": []}), "model", json!({"model": "openai/o3-pro", "capability": "chat"})),
    ] {
        let answer = ask(&gateway, &body);
        assert_eq!(refusal(&answer), (400, "unsupported_parameter".into()), "{}", answer.text());
        let error = &answer.json()["error"];
        assert_eq!((&error["param"], &error["details"]), (&json!(param), &details));
    }
    assert!(fake.requests().is_empty());
    let count = gateway.stat("wasmcustom.tollgate_router_unsupported_parameter");
    assert_eq!(count, 3);
}

#[test]
fn an_operator_knows_better_or_does_not_look() {
    let fake = FakeProvider::start();
    for rules in [
        json!({"capabilities": "off"}),
        json!({"capabilities": "shadow"}),
        json!({"model_info": {"gpt-4": {"capabilities": {"vision": true}}}}),
    ] {
        let gateway = gateway(&fake, &rules);
        let answer = ask(&gateway, &picture("house"));
        assert_eq!((answer.status, answer.header("x-tollgate-provider").as_deref()), (200, Some("openai")), "{rules}");
        assert_eq!(ask(&gateway, &picture("gpt-4")).status, 200, "{rules}");
    }
    let own = json!({"model_info": {"openai/home-made": {"capabilities": {"tools": false}, "max_input": 100}}});
    let gateway = gateway(&fake, &own);
    let tools = json!({"model": "openai/home-made", "messages": [], "tools": [{"type": "function"}]});
    assert_eq!(refusal(&ask(&gateway, &tools)), (400, "unsupported_parameter".into()));
    let long = json!({"model": "openai/home-made", "messages": [{"role": "user", "content": "four".repeat(200)}]});
    assert_eq!(refusal(&ask(&gateway, &long)), (400, "context_length_exceeded".into()));
}
