//! Names in all their forms, and whose they are: `router` and `provider` in a real Envoy.

use serde_json::{Value, json};
use tests::{Answer, FakeProvider, Gateway};

/// The shipped chains, with names and rules of our own.
fn gateway(fake: &FakeProvider, rules: &Value) -> Gateway {
    let mut config = json!({
        "default_model": "openai/gpt-4o-mini",
        "trust": "headers",
        "models": [
            {"name": "openai/gpt-4o", "chain": "gpt-4o"}, {"name": "openai/*", "chain": "openai"},
            {"name": "anthropic/*", "chain": "anthropic"}, {"name": "google/*", "chain": "google"},
            {"name": "mistral/*", "chain": "mistral"}
        ],
        "chains": {
            "gpt-4o": [{"provider": "openai", "model": "gpt-4o"}, {"provider": "anthropic", "model": "claude-sonnet-4-5"}],
            "openai": [{"provider": "openai"}], "anthropic": [{"provider": "anthropic"}],
            "google": [{"provider": "google"}], "mistral": [{"provider": "mistral"}]
        }
    });
    let members = config.as_object_mut().expect("an object");
    members.extend(rules.as_object().expect("an object").clone());
    Gateway::routing().filter("router", &config).fake(fake).start()
}

/// Sends `body` as `project/tier/role`, each of which may be empty.
fn send(gateway: &Gateway, path: &str, who: &str, body: &str) -> Answer {
    let call = gateway.client().call("POST", path).header("content-type", "application/json").body(body);
    let names = ["x-project-id", "x-tier", "x-role"].into_iter().zip(who.split('/'));
    let named = names.filter(|(_, value)| !value.is_empty());
    let call = named.fold(call, |call, (name, value)| call.header(name, value));
    if who.is_empty() { call.send() } else { call.header("x-end-user-id", "ada").send() }
}

#[test]
fn a_name_is_rewritten_and_what_stands_behind_it_goes_into_the_body() {
    let fake = FakeProvider::start();
    let gateway = gateway(
        &fake,
        &json!({"aliases": [
            {"name": "quick", "model": "gpt-4o-mini"},
            {"pattern": "^(?:anthropic/)?claude-old-(.*)$", "replacement": "anthropic:claude-\\1?temperature=0.5"}
        ]}),
    );
    for (body, at, sent, told) in [
        (
            r#"{"temperature":1.0, "model":"gpt-4o-mini?temperature=%30%2E2&top_p=0.9", "x":1e2,"messages":[]}"#,
            "/openai",
            r#"{"top_p":0.9,"temperature":0.2, "model":"gpt-4o-mini", "x":1e2,"messages":[]}"#,
            None,
        ),
        (
            r#"{"model":"google:gemini-2.5-pro","messages":[]}"#,
            "/google",
            r#"{"model":"gemini-2.5-pro","messages":[]}"#,
            None,
        ),
        (r#"{"model":"openai:gpt-4o","messages":[]}"#, "/openai", r#"{"model":"gpt-4o","messages":[]}"#, None),
        (
            r#"{"model":"claude-old-opus-4","messages":[]}"#,
            "/anthropic",
            r#"{"temperature":0.5,"model":"claude-opus-4","messages":[]}"#,
            Some("claude-old-opus-4 -> anthropic/claude-opus-4"),
        ),
        (
            r#"{"model":"quick?verbosity=low","messages":[]}"#,
            "/openai",
            r#"{"verbosity":"low","model":"gpt-4o-mini","messages":[]}"#,
            Some("quick?verbosity=low -> openai/gpt-4o-mini"),
        ),
    ] {
        fake.clear();
        let answer = send(&gateway, "/v1/chat/completions", "", body);
        assert_eq!(answer.status, 200, "{body}: {}", answer.text());
        let received = fake.only_request();
        assert!(received.path.starts_with(at), "{body}: {}", received.path);
        assert_eq!(String::from_utf8(received.body).unwrap(), sent);
        assert_eq!(answer.header("x-tollgate-model-override").as_deref(), told, "{body}");
        assert_eq!(answer.header("x-tollgate-attempts").as_deref(), Some("1"), "{body}");
    }
}

#[test]
fn the_response_tells_how_many_providers_were_tried_and_why_it_was_this_model() {
    let fake = FakeProvider::start();
    let gateway = gateway(&fake, &json!({}));
    let ask = |model: &str| {
        let answer = send(&gateway, "/v1/chat/completions", "", &json!({"model": model, "messages": []}).to_string());
        ["x-tollgate-provider", "x-tollgate-attempts", "x-tollgate-route-reason"]
            .map(|it| answer.header(it).unwrap_or_default())
    };
    assert_eq!(ask("gpt-4o"), ["openai", "1", "requested"]);
    fake.behave("/openai", "503", Some(1));
    assert_eq!(ask("gpt-4o"), ["anthropic", "2", "requested"]);
    assert_eq!(ask("anthropic:claude-sonnet-4-5"), ["anthropic", "1", "provider"]);
    assert_eq!(ask(""), ["openai", "1", "default_model"]);
    fake.behave("/", "reset", None);
    assert_eq!(ask("gpt-4o")[1], "2", "told also when nobody answered");
}

#[test]
fn a_parameter_that_cannot_be_taken_is_refused_or_told() {
    let fake = FakeProvider::start();
    let strict = gateway(&fake, &json!({}));
    for (path, model, named) in [
        ("/v1/chat/completions", "gpt-4o?temperature=9", "`temperature` is `9`: expected a number from 0 to 2"),
        ("/v1/chat/completions", "gpt-4o?seed=1", "`seed` is not known"),
        ("/v1/embeddings", "text-embedding-3-small?temperature=1", "`temperature` is none of /v1/embeddings"),
        ("/v1/responses", "gpt-4o?verbosity=low", "`verbosity` is none of /v1/responses"),
    ] {
        let body = json!({"model": model, "messages": [], "input": "hi"}).to_string();
        let error = send(&strict, path, "", &body);
        assert_eq!((error.status, &error.json()["error"]["code"]), (400, &json!("invalid_model_params")), "{model}");
        assert!(error.text().contains(named), "{}", error.text());
    }
    assert!(fake.requests().is_empty(), "nothing of this reached a provider");

    let lenient = gateway(&fake, &json!({"model_parameters": "lenient"}));
    let body = r#"{"model":"gpt-4o?seed=1&temperature=9&top_p=1","messages":[]}"#;
    let answer = send(&lenient, "/v1/chat/completions", "", body);
    assert_eq!(answer.header("x-tollgate-model-params-ignored").as_deref(), Some("seed, temperature"));
    assert_eq!(fake.only_request().body, br#"{"top_p":1,"model":"gpt-4o","messages":[]}"#);
}

#[test]
fn a_project_a_tier_and_a_role_get_their_models_and_no_others() {
    let fake = FakeProvider::start();
    let gateway = gateway(
        &fake,
        &json!({
            "projects": {
                "acme": {"model": "gpt-4o"},
                "still": {"model": "gpt-4o-mini", "model_policy": "fixed"}
            },
            "tiers": {"free": ["openai/gpt-4o-mini"]}, "roles": {"guest": ["openai/*", "google/*"]}
        }),
    );
    for (who, model, expected) in [
        ("acme", "gpt-4o-mini", "openai/gpt-4o-mini"),
        ("acme", "claude-sonnet-4-5", "claude-sonnet-4-5 -> openai/gpt-4o"),
        ("acme", "anthropic:claude-sonnet-4-5", "anthropic:claude-sonnet-4-5 -> openai/gpt-4o"),
        ("acme", "", "default -> openai/gpt-4o"),
        ("still", "claude-sonnet-4-5", "claude-sonnet-4-5 -> openai/gpt-4o-mini"),
        ("other", "claude-sonnet-4-5", "anthropic/claude-sonnet-4-5"),
        ("other/free", "gpt-4o-mini", "openai/gpt-4o-mini"),
        ("other/free", "gpt-4o", "404 model_not_found"),
        ("other/free", "openai:gpt-4o", "404 model_not_found"),
        ("acme/free", "claude-sonnet-4-5", "404 model_not_found"),
        ("other//guest", "gemini-2.5-flash", "google/gemini-2.5-flash"),
        ("other//guest", "mistral-large", "404 model_not_found"),
        ("", "gpt-4o", "401 invalid_api_key"),
    ] {
        let body = json!({"model": model, "messages": []}).to_string();
        let answer = send(&gateway, "/v1/chat/completions", who, &body);
        let found = match answer.status {
            200 => answer.header("x-tollgate-model-override").or_else(|| answer.header("x-tollgate-model")).unwrap(),
            status => format!("{status} {}", answer.json()["error"]["code"].as_str().unwrap()),
        };
        assert_eq!(found, expected, "{who} {model}");
    }
}

#[test]
fn what_no_candidate_can_take_is_refused_with_the_numbers() {
    let fake = FakeProvider::start();
    let prompt = "four".repeat(200_000);
    let body = json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": prompt}]}).to_string();
    let answer = send(&gateway(&fake, &json!({})), "/v1/chat/completions", "", &body);
    let error = &answer.json()["error"];
    assert_eq!(
        (answer.status, &error["code"], &error["param"]),
        (400, &json!("context_length_exceeded"), &json!("messages"))
    );
    assert_eq!(
        (&error["details"]["limit"], &error["details"]["model"]),
        (&json!(128_000), &json!("openai/gpt-4o-mini"))
    );
    assert!(error["details"]["measured"].as_u64().unwrap() >= 200_000);
    assert!(fake.requests().is_empty());

    for mode in ["shadow", "off"] {
        let lenient = gateway(&fake, &json!({"context_length": mode}));
        assert_eq!(send(&lenient, "/v1/chat/completions", "", &body).status, 200, "{mode}");
    }
}
