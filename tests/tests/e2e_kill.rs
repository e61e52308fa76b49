//! What `router` stops because it is switched off, and what `provider` adds because `budget` asks, in a real Envoy.

use serde_json::{Value, json};
use tests::{Answer, FakeProvider, Gateway};

/// The shipped chains with these of router's settings, in front of a provider that remembers.
fn gateway(fake: &FakeProvider, kill: &Value) -> Gateway {
    Gateway::routing().fake(fake).edit_filter("router", |config| config["kill"] = kill.clone()).start()
}

fn ask(gateway: &Gateway, model: &str) -> Answer {
    gateway.client().post("/v1/chat/completions", &json!({"model": model, "messages": []})).send()
}

#[test]
fn a_model_or_provider_that_is_switched_off_is_not_called_by_any_of_its_names() {
    let fake = FakeProvider::start();
    for (kill, model, scope) in [
        (json!({"models": ["openai/gpt-4o-mini"]}), "fast", "model"),
        (json!({"models": ["gpt-4o-mini"]}), "openai/gpt-4o-mini", "model"),
        (json!({"providers": ["openai", "anthropic"]}), "gpt-4o", "provider"),
        (json!({"providers": ["mistral"]}), "mistral-large", "provider"),
    ] {
        let gateway = gateway(&fake, &kill);
        let answer = ask(&gateway, model);
        assert_eq!(answer.error(), "503 killed", "{kill} {model}");
        assert_eq!(answer.header("x-tollgate-killed").as_deref(), Some(scope), "{kill} {model}");
        assert_eq!(answer.header("x-should-retry").as_deref(), Some("false"));
        assert_eq!(fake.requests().len(), 0, "{kill} {model}");
        assert_eq!(ask(&gateway, "gemini-2.5-flash").status, 200, "another model is served");
        assert_eq!(gateway.stat("wasmcustom.tollgate_router_killed"), 1);
        fake.clear();
    }
}

#[test]
fn where_one_candidate_is_switched_off_the_other_serves() {
    let fake = FakeProvider::start();
    let gateway = gateway(&fake, &json!({"providers": ["openai"]}));
    let answer = ask(&gateway, "gpt-4o");
    assert_eq!((answer.status, answer.header("x-tollgate-provider").as_deref()), (200, Some("anthropic")));
    assert_eq!(fake.only_request().json()["model"], "claude-sonnet-4-5");
}

#[test]
fn usage_is_asked_of_who_takes_it_and_of_nobody_else() {
    let fake = FakeProvider::start();
    let gateway = gateway(&fake, &json!({}));
    for (model, asked) in [("gpt-4o-mini", true), ("mistral-large", false)] {
        fake.clear();
        let body = json!({"model": model, "messages": [], "stream": true});
        let answer = gateway.client().post("/v1/chat/completions", &body).header("x-tollgate-usage", "ask").send();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let received = fake.only_request();
        assert_eq!(received.json()["stream_options"]["include_usage"] == true, asked, "{model}");
        assert!(!received.has("x-tollgate-usage") && !received.has("x-tollgate-estimate"), "{model}");
    }
}
