//! `GET /v1/models`, which the router answers itself, in a real Envoy.

use serde_json::{Value, json};
use tests::{Answer, FakeProvider, Gateway};

/// The shipped chains, with `rules` of our own.
fn gateway(fake: &FakeProvider, rules: &Value) -> Gateway {
    let mut config = json!({
        "trust": "headers",
        "aliases": [{"name": "fast", "model": "gpt-4o-mini"}],
        "models": [
            {"name": "openai/gpt-4o", "chain": "chain-gpt-4o"}, {"name": "openai/*", "chain": "chain-openai"},
            {"name": "anthropic/*", "chain": "chain-anthropic"}
        ],
        "chains": {
            "chain-gpt-4o": [{"provider": "openai", "model": "gpt-4o"}, {"provider": "anthropic", "model": "claude-sonnet-4-5"}],
            "chain-openai": [{"provider": "openai"}], "chain-anthropic": [{"provider": "anthropic"}]
        }
    });
    config.as_object_mut().expect("an object").extend(rules.as_object().expect("an object").clone());
    Gateway::routing().filter("router", &config).fake(fake).start()
}

/// Asks as a user of the tier, or as nobody in particular.
fn get(gateway: &Gateway, path: &str, tier: &str) -> Answer {
    let call = gateway.client().get(path);
    match tier {
        "" => call.send(),
        tier => call.header("x-project-id", "p").header("x-end-user-id", "ada").header("x-tier", tier).send(),
    }
}

fn ids(answer: &Answer) -> Vec<String> {
    assert_eq!((answer.status, answer.header("content-type").as_deref()), (200, Some("application/json")));
    let list = answer.json();
    assert_eq!(list["object"], "list");
    list["data"].as_array().expect("a list").iter().map(|it| it["id"].as_str().expect("an id").to_owned()).collect()
}

#[test]
fn the_list_is_what_the_rules_lead_to_and_no_provider_is_asked() {
    let fake = FakeProvider::start();
    let gateway = gateway(&fake, &json!({"kill": {"models": ["openai/gpt-4.1"]}}));
    let answer = get(&gateway, "/v1/models", "");
    let all = ids(&answer);
    let has = |id: &str| all.iter().any(|it| it == id);
    assert!(
        ["fast", "openai/gpt-4o", "openai/text-embedding-3-small", "anthropic/claude-opus-5-5"].into_iter().all(has)
    );
    assert!(!has("openai/gpt-4.1") && !all.iter().any(|it| it.starts_with("google/") || it.starts_with("azure/")));
    assert!(all.is_sorted());
    assert_eq!(ids(&get(&gateway, "/v1/models?limit=1", "")), all);
    let element = answer.json()["data"].as_array().unwrap().iter().find(|it| it["id"] == "fast").unwrap().clone();
    assert_eq!(
        (&element["object"], &element["owned_by"], &element["alias_of"], &element["context_window"]),
        (&json!("model"), &json!("openai"), &json!("openai/gpt-4o-mini"), &json!(128_000))
    );
    assert_eq!((&element["price"]["input"], &element["capabilities"]["vision"]), (&json!(0.15), &json!(true)));
    assert!(fake.requests().is_empty());
}

#[test]
fn one_model_is_told_by_each_of_its_names() {
    let fake = FakeProvider::start();
    let gateway = gateway(&fake, &json!({}));
    for name in ["openai/gpt-4o", "gpt-4o", "openai/gpt%2D4o", "openai:gpt-4o"] {
        let answer = get(&gateway, &format!("/v1/models/{name}"), "");
        assert_eq!((answer.status, &answer.json()["id"]), (200, &json!("openai/gpt-4o")), "{name}: {}", answer.text());
    }
    for name in ["gpt-99", "google/gemini-2.5-pro", "x?y", "a/b/c"] {
        let answer = get(&gateway, &format!("/v1/models/{name}"), "");
        assert_eq!(answer.error(), "404 model_not_found", "{name}");
        assert_eq!(answer.json()["error"]["param"], "model");
    }
    assert!(fake.requests().is_empty());
}

#[test]
fn who_may_use_less_sees_less_and_nobody_sees_nothing() {
    let fake = FakeProvider::start();
    let gateway = gateway(&fake, &json!({"tiers": {"free": ["openai/gpt-4o-mini"]}}));
    assert_eq!(ids(&get(&gateway, "/v1/models", "free")), ["fast", "openai/gpt-4o-mini"]);
    assert!(ids(&get(&gateway, "/v1/models", "pro")).len() > 100);
    assert_eq!(get(&gateway, "/v1/models/gpt-4o", "free").error(), "404 model_not_found");
    assert_eq!(get(&gateway, "/v1/models/fast", "free").status, 200);
    assert_eq!(get(&gateway, "/v1/models", "").error(), "401 invalid_api_key");
}

#[test]
fn hostile_paths_get_an_error_and_the_next_request_works() {
    let fake = FakeProvider::start();
    let gateway = gateway(&fake, &json!({}));
    let long = format!("/v1/models/{}", "a/".repeat(4_000));
    for path in [
        &long,
        "/v1/models/%00",
        "/v1/models/%ff",
        "/v1/models/..%2f",
        "/v1/models/%2e%2e/models2",
        "/v1/models/?",
        "/v1/models//",
    ] {
        let status = get(&gateway, path, "").status;
        assert!([200, 400, 404].contains(&status), "{path}: {status}");
    }
    let posted = gateway.client().post("/v1/models", &json!({"model": "gpt-4o"})).send();
    assert_ne!(posted.status, 200);
    assert!(ids(&get(&gateway, "/v1/models", "")).len() > 100);
}
