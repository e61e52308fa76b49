//! What gateways measured of models, and the leaderboard made of it.

use crate::app::{BEGIN, SECRET, TestApp, send};
use serde_json::{Value, json};
use tests::Postgres;

const MEASURES: &str = "/internal/v1/models/measures";
const BOARD: &str = "/v1/models/leaderboard";

/// What a gateway measured of a candidate today: `count` answers, each worth `mean`.
fn measured(candidate: &str, count: u64, mean: f64) -> Value {
    let all = |it: f64| json!({"sum": it * (1.0 - 0.9_f64.powf(count as f64)), "count": count});
    json!({"candidate": candidate, "measures": {
        "first_byte": all(0.25), "success": all(1.0), "validity": all(1.0),
        "days": [{"day": BEGIN / 86_400, "count": count, "mean": mean, "squares": 0.0}],
    }})
}

async fn told(app: &TestApp, measures: Value) -> Value {
    let answer = app.internal(MEASURES, &json!({"measures": measures}).to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// Candidates and what is said of each, the best in front.
async fn board(app: &TestApp, bearer: &str) -> Vec<(String, Value, Value)> {
    let answer = app.get(BOARD, bearer).await;
    assert_eq!((answer.status, answer.json()["object"].as_str()), (200, Some("list")), "{answer:?}");
    let board = answer.json();
    let line = |it: &Value| (it["id"].as_str().unwrap().to_owned(), it["samples"].clone(), it["mean_reward"].clone());
    board["data"].as_array().unwrap().iter().map(line).collect()
}

async fn check(app: &TestApp) {
    assert_eq!(board(app, &app.key).await, []);
    told(app, json!([measured("openai/gpt-4o", 10, 0.6), measured("anthropic/claude", 10, 0.9)])).await;
    let known = told(app, json!([measured("openai/gpt-4o", 30, 0.8)])).await;
    assert_eq!(known["measures"][0]["measures"]["success"]["count"], 40);
    let expected =
        [("anthropic/claude".to_owned(), json!(10), json!(0.9)), ("openai/gpt-4o".to_owned(), json!(40), json!(0.75))];
    for bearer in [&app.key, &app.token("ada").await] {
        assert_eq!(board(app, bearer).await, expected);
    }
    let bearer = format!("Bearer {SECRET}");
    let all = send(app.running.internal, "GET", MEASURES, &[("authorization", &bearer)], "").await.json();
    assert_eq!(all["measures"].as_array().unwrap().len(), 2);
    assert_eq!(all["measures"][1], known["measures"][0]);
}

#[tokio::test]
async fn what_gateways_measure_makes_the_leaderboard() {
    let app = TestApp::start().await;
    check(&app).await;
    let app = app.restart_with(|_| ()).await;
    assert_eq!(board(&app, &app.key).await.len(), 2, "it is kept");
}

#[tokio::test]
async fn two_companions_on_one_postgres_have_one_leaderboard() {
    let server = Postgres::start();
    let app = TestApp::with_usage_in(&server.url()).await;
    check(&app).await;
    let other = app.another_with_usage_in(&server.url()).await.unwrap();
    let bearer = format!("Bearer {}", app.key);
    let answer = send(other.public, "GET", BOARD, &[("authorization", &bearer)], "").await;
    assert_eq!(answer.json()["data"][0]["id"], "anthropic/claude");
    other.stop().await;
}

#[tokio::test]
async fn who_may_not_ask_or_tell_is_refused_and_what_is_wrong_is_named() {
    let app = TestApp::start().await;
    assert_eq!(app.get(BOARD, "eyJ.x.y").await.status, 401);
    assert_eq!(app.get(BOARD, "behest_sk_live_unknown").await.error().1, "invalid_api_key");
    assert_eq!(
        app.get(&format!("{BOARD}?sort=x"), &app.key).await.error(),
        (400, "invalid_request".into(), Some("sort".into()))
    );
    assert_eq!(send(app.running.internal, "GET", MEASURES, &[], "").await.status, 401);
    assert_eq!(send(app.running.public, "GET", MEASURES, &[], "").await.status, 404);
    for (body, param) in [
        (json!({}), "measures"),
        (json!({"measures": [measured("", 1, 0.5)]}), "measures[0].candidate"),
        (json!({"measures": [measured("a/b", 1, 1.5)]}), "measures[0].measures"),
        (json!({"measures": [{"candidate": "a/b", "measures": {"days": "x"}}]}), "measures[0].measures.days"),
        (
            json!({"measures": [{"candidate": "a/b", "measures": {"tools": {"sum": 1e300, "count": 1}}}]}),
            "measures[0].measures",
        ),
    ] {
        let (status, _, named) = app.internal(MEASURES, &body.to_string()).await.error();
        assert_eq!((status, named.as_deref()), (400, Some(param)), "{body}");
    }
    assert_eq!(board(&app, &app.key).await, []);
}
