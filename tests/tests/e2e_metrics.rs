//! What a gateway tells Prometheus: few names, with labels that the configuration bounds.

use serde_json::json;
use tests::client::chat;
use tests::{FakeProvider, Gateway};

#[test]
fn a_limits_name_and_mode_are_labels_and_no_user_is_one() {
    let fake = FakeProvider::start();
    let limit = json!({"name": "once", "key": "user", "requests": 1, "per": "hour"});
    let gateway = ["auth", "guardrails", "session", "budget"]
        .into_iter()
        .fold(Gateway::from("envoy/envoy.yaml"), |gateway, filter| gateway.without_filter(filter))
        .fake(&fake)
        .filter("ratelimit", &json!({"limits": [limit], "trust": "headers"}))
        .start();
    let ask = gateway.client().post("/v1/chat/completions", &chat("gpt-4o-mini", "hi"));
    let ask = ask.header("x-project-id", "p1").header("x-end-user-id", "ada-lovelace");
    assert_eq!([ask.send().status, ask.send().status], [200, 429]);
    let metrics = gateway.admin().get("/stats/prometheus").send().text();
    let ours: Vec<&str> = metrics.lines().filter(|it| it.contains("tollgate_ratelimit_refused")).collect();
    assert!(ours.contains(&r#"tollgate_ratelimit_refused{limit="once",mode="enforce"} 1"#), "{ours:?}");
    assert!(!metrics.contains("ada-lovelace"));
}
