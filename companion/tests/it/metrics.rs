use crate::app::{TestApp, send};
use serde_json::json;

async fn scraped(app: &TestApp) -> String {
    let answer = send(app.running.internal, "GET", "/metrics", &[], "").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    String::from_utf8(answer.body.to_vec()).unwrap()
}

#[tokio::test]
async fn what_happens_is_counted_without_a_name_in_it() {
    let app = TestApp::start().await;
    let token = app.token("ada-the-user").await;
    assert_eq!(app.get("/v1/threads/ada-the-thread", &token).await.status, 404);
    assert_eq!(app.public("POST", "/v1/auth/mint", "behest_sk_live_x", "{}").await.status, 401);
    app.mint(json!({"user_id": ""})).await;
    app.public("BREW", "/v1/ada-the-path", &token, "").await;
    app.open("ada-the-user", json!({"session": "s"})).await;
    let text = scraped(&app).await;
    for line in [
        "mints_total{outcome=\"minted\"} 1",
        "mints_total{outcome=\"refused\"} 1",
        "mints_total{outcome=\"limited\"} 0",
        "http_requests_total{listener=\"public\",route=\"/v1/auth/mint\",method=\"POST\",status=\"4xx\"} 2",
        "http_requests_total{listener=\"public\",route=\"/v1/threads/{thread}\",method=\"GET\",status=\"4xx\"} 1",
        "http_requests_total{listener=\"public\",route=\"-\",method=\"other\",status=\"4xx\"} 1",
        "http_requests_total{listener=\"internal\",route=\"/internal/v1/turns/open\",method=\"POST\",status=\"2xx\"} 1",
        "storage_errors_total{storage=\"database\"} 0",
        "open_turns 1",
    ] {
        assert!(text.lines().any(|it| it == format!("tollgate_companion_{line}")), "{line} is not in:\n{text}");
    }
    assert!(!text.contains("ada") && text.ends_with("# EOF\n"), "{text}");
}

#[tokio::test]
async fn what_gateways_report_and_ask_is_counted() {
    let app = TestApp::start().await;
    let charge = json!({"budget": "b", "subject": {"project": "p"}, "unit": "tokens", "limit": 100, "start": 0,
        "end": u64::MAX / 4, "kind": "hard", "alerts": [50, 80], "amount": 60});
    let record = json!({"id": "u_1", "at": 1, "node": "n", "project": "p", "endpoint": "e", "model": "m", "source": "byok",
        "status": 200, "stream": false, "outcome": "complete", "estimated": false, "input_tokens": 1, "output_tokens": 1,
        "charges": [charge]});
    let batch = json!({"records": [record, record, {"id": "nonsense"}]}).to_string();
    assert_eq!(app.internal("/internal/v1/usage", &batch).await.json(), json!({"stored": 1, "known": 1, "refused": 1}));
    let ask = |turn: u64, need: u64| {
        json!({"budget": "b", "subject": {"project": "p"}, "unit": "tokens", "limit": 100, "start": 0, "end": u64::MAX / 4,
            "turn": turn, "granted": 0, "need": need, "want": need})
    };
    let leases = json!({"node": "0123456789abcdef", "leases": [ask(1, 1), ask(1, 1000)]}).to_string();
    let answer = app.internal("/internal/v1/budgets/lease", &leases).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let text = scraped(&app).await;
    for line in [
        "usage_records_total{outcome=\"stored\"} 1",
        "usage_records_total{outcome=\"known\"} 1",
        "usage_records_total{outcome=\"refused\"} 1",
        "events_total{outcome=\"queued\"} 1",
        "budget_leases_total{outcome=\"granted\"} 1",
        "budget_leases_total{outcome=\"refused\"} 1",
    ] {
        assert!(text.lines().any(|it| it == format!("tollgate_companion_{line}")), "{line} is not in:\n{text}");
    }
}

#[tokio::test]
async fn metrics_are_on_the_internal_listener_alone() {
    let app = TestApp::start().await;
    assert_eq!(app.get("/metrics", "").await.error(), (404, "not_found".into(), None));
    let answer = send(app.running.internal, "POST", "/metrics", &[], "").await;
    assert_eq!(answer.error(), (405, "method_not_allowed".into(), None));
}
