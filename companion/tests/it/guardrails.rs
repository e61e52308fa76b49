//! What guards found, on its way to Redis.

use crate::app::{BEGIN, TestApp, send, tollgate};
use domain::secret::Secret;
use serde_json::{Map, Value, json};
use std::time::Duration;
use tests::Redis;

const EVENTS: &str = "/internal/v1/guardrails/events";

fn found(nth: u32, kind: &str) -> Value {
    json!({"id": format!("e_{nth:032x}"), "type": kind, "at": BEGIN * 1_000_000, "tenant_id": "acme", "project_id": "p1",
        "user_id": "ada", "request_id": format!("r{nth}"), "model": "gpt-4o", "direction": "input", "mode": "shadow",
        "action_taken": "logged", "entity_types": ["email", "iban"], "entity_count": 2, "rule": "iban.mod97", "score": 0.25})
}

async fn told(app: &TestApp, events: &[Value]) -> Value {
    let answer = app.internal(EVENTS, &json!({"events": events}).to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// The entries of a stream, as maps.
fn entries(redis: &Redis, stream: &str) -> Vec<Map<String, Value>> {
    let all = redis.ask(&["XRANGE", stream, "-", "+"]);
    let map = |it: &Value| {
        let fields = it[1].as_array().unwrap().chunks(2);
        fields.map(|it| (it[0].as_str().unwrap().to_owned(), it[1].clone())).collect()
    };
    all.as_array().unwrap().iter().map(map).collect()
}

async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn what_guards_found_has_a_stream_of_its_own_and_waits_while_redis_is_away() {
    let mut redis = Redis::start();
    let url = Secret::new(redis.url());
    let app = TestApp::with(|settings| settings.redis_url = Some(url)).await;
    let batch = [found(1, "pii_detection"), found(2, "injection_block"), json!({"id": 1})];
    assert_eq!(told(&app, &batch).await, json!({"stored": 2, "known": 0, "refused": 1}));
    assert_eq!(told(&app, &batch).await, json!({"stored": 0, "known": 2, "refused": 1}));
    until(|| entries(&redis, "guardrails:events").len() == 2).await;
    let entries_before = entries(&redis, "guardrails:events");
    let first = &entries_before[0];
    let hash = first["user_hash"].as_str().unwrap();
    assert_eq!((hash.len(), hash == "ada"), (32, false));
    assert_eq!(
        Value::Object(first.clone()),
        json!({"id": "e_00000000000000000000000000000001", "type": "pii_detection", "schema_version": "1",
            "timestamp": "2027-01-15T08:00:00.000Z", "tenant_id": "acme", "project_id": "p1", "user_hash": hash,
            "request_id": "r1", "model": "gpt-4o", "direction": "input", "mode": "shadow", "action_taken": "logged",
            "entity_types": "[\"email\",\"iban\"]", "entity_count": "2", "rule": "iban.mod97", "score": "0.250"})
    );
    assert!(entries(&redis, "tollgate:events").is_empty());
    redis.stop();
    told(&app, &[found(3, "pii_block")]).await;
    let listed = || tollgate(app.dir.path(), &["events", "list", "--type", "pii_block"])["events"].clone();
    until(|| listed()[0]["waiting"] == json!(1)).await;
    assert_eq!(listed().as_array().unwrap().len(), 1);
    redis.start_again();
    until(|| {
        app.pass(Duration::from_secs(10));
        entries(&redis, "guardrails:events").len() == 1
    })
    .await;
    assert_eq!(entries(&redis, "guardrails:events")[0]["type"], "pii_block");
}

#[tokio::test]
async fn nobody_without_the_secret_tells_of_guards() {
    let app = TestApp::start().await;
    for (to, expected) in [(app.running.internal, 401), (app.running.public, 404)] {
        let answer = send(to, "POST", EVENTS, &[("content-type", "application/json")], "{\"events\":[]}").await;
        assert_eq!(answer.status, expected);
    }
    let wrong = app.internal(EVENTS, "{\"events\":[],\"text\":\"ada\"}").await;
    assert_eq!(wrong.error(), (400, "invalid_request".to_owned(), Some("text".to_owned())));
}

const TEST: &str = "/v1/guardrails/test";

#[tokio::test]
async fn a_text_is_tried_out_by_whoever_has_a_token_or_a_key() {
    let app = TestApp::start().await;
    let body = json!({"text": "Grüße von ada@example.com", "providers": ["pii"]}).to_string();
    for bearer in [&app.key, &app.token("ada").await] {
        let answer = app.public("POST", TEST, bearer, &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let found = answer.json();
        assert_eq!(
            found["texts"],
            json!([{"place": "text", "role": "user", "sentinel": null, "becomes": "Grüße von [EMAIL_1]", "matches": [{
                "entity": "email", "rule": found["texts"][0]["matches"][0]["rule"], "action": "mask",
                "start": 12, "end": 27, "start_character": 10, "end_character": 25}]}])
        );
        assert_eq!((&found["object"], &found["outcome"]), (&json!("guardrails.test"), &json!("change")));
        assert_eq!((&found["report"], &found["refusal"]), (&json!("pii=mask:1"), &Value::Null));
    }
    let nobody = send(app.running.public, "POST", TEST, &[("content-type", "application/json")], body).await;
    assert_eq!(nobody.error(), (401, "invalid_token".to_owned(), None));
}

#[tokio::test]
async fn messages_entities_and_a_threshold_may_be_given() {
    let app = TestApp::start().await;
    let body = json!({"messages": [{"role": "system", "content": "ask boss@example.com"},
            {"role": "user", "content": [{"type": "text", "text": "I am ada@example.com"}]}],
        "entities": {"email": "block"}, "threshold": 1.0});
    let found = app.public("POST", TEST, &app.key, &body.to_string()).await.json();
    assert_eq!((&found["outcome"], &found["refusal"]["code"]), (&json!("block"), &json!("content_blocked")));
    assert_eq!((&found["texts"][0]["matches"], &found["sentinel"]["threshold"]), (&json!([]), &json!(1.0)));
    assert_eq!(found["texts"][1]["place"], "messages[1].content[0].text");
    assert_eq!(found["texts"][1]["matches"][0]["action"], "block");
}

#[tokio::test]
async fn what_cannot_be_tried_is_refused_by_name_and_never_repeated() {
    let app = TestApp::start().await;
    for (body, param) in [
        (json!({}), "text"),
        (json!({"text": "ada@example.com", "messages": []}), "text"),
        (json!({"text": 1}), "text"),
        (json!({"messages": 7}), "messages"),
        (json!({"text": "x", "providers": []}), "providers"),
        (json!({"text": "x", "providers": ["presidio"]}), "providers[0]"),
        (json!({"text": "x", "entities": {"secret-name": "mask"}}), "entities"),
        (json!({"text": "x", "entities": {}}), "entities"),
        (json!({"text": "x", "entities": {"email": "eat"}}), "entities"),
        (json!({"text": "x", "threshold": 0}), "threshold"),
        (json!({"text": "x", "config": {}}), "config"),
    ] {
        let answer = app.public("POST", TEST, &app.key, &body.to_string()).await;
        assert_eq!(answer.error(), (400, "invalid_request".to_owned(), Some(param.to_owned())), "{body}");
        let message = answer.message();
        assert!(!message.contains("ada@") && !message.contains("secret-name"), "{message}");
    }
    let long = json!({"text": "x".repeat(256 * 1024)}).to_string();
    assert_eq!(app.public("POST", TEST, &app.key, &long).await.error().0, 413);
}
