//! What a hostile user may send to threads and conversations: each is refused as what it is, on both databases, and the
//! next request works.

use crate::app::{SECRET, TestApp, send};
use serde_json::{Value, json};
use tests::Postgres;

/// Method, path with `{}` for each kind, body; and the status.
type Case = (&'static str, &'static str, String, u16);

fn deep(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

fn cases() -> Vec<Case> {
    let reads = [
        ("/v1/{}?limit=99999999999999999999", 400),
        ("/v1/{}?limit=-1", 400),
        ("/v1/{}?limit=1e3", 400),
        ("/v1/{}?limit=%EF%BC%91", 400),
        ("/v1/{}?limit=1&limit=1", 400),
        ("/v1/{}?limit[]=1", 400),
        ("/v1/{}?order=ASC", 400),
        ("/v1/{}?after=%00", 400),
        ("/v1/{}?after=%ff", 400),
        ("/v1/{}?after=t1%00", 400),
        ("/v1/{}?%00=1", 400),
        ("/v1/{}?q=%27%3B--", 400),
        ("/v1/{}/%00", 404),
        ("/v1/{}/t1%00", 404),
        ("/v1/{}/%ff", 404),
        ("/v1/{}/%F0%9F%98%80", 404),
        ("/v1/{}/%2e%2e", 404),
        ("/v1/{}/t1%2F..%2Ft1", 404),
        ("/v1/{}/T1", 404),
        ("/v1/{}/t1%20", 404),
        ("/v1/{}/%27%20OR%201=1--", 404),
        ("/v1/threads/%00/messages", 404),
        ("/v1/threads/%00/export", 404),
        ("/v1/threads/t1/messages?after=msg_%00_0", 400),
        ("/v1/threads/t1/messages?after=msg_turn_1_-1", 400),
        ("/v1/threads/t1/messages?after=msg_turn_1_99999999999999999999", 400),
        ("/v1/threads/search?q=%00", 200),
        ("/v1/threads/search?q=%ff%fe", 200),
        ("/v1/threads/search?q=%25_%5C", 200),
        ("/v1/threads/search?q=a&q=b", 400),
        ("/v1/threads/search?q=a&limit=100000", 400),
        ("/v1/conversations/%00/items", 404),
        ("/v1/conversations/t1/items?after=msg_%00_0", 400),
        ("/v1/conversations/t1/items/msg_%00_0", 404),
        ("/v1/conversations/t1/items/msg_turn_1_%2B0", 404),
        ("/v1/conversations/t1/items/%ff", 404),
    ];
    let long = format!(r#"{{"title":"{}"}}"#, "x".repeat(256));
    let bodies = [
        ("POST", "/v1/{}", String::new(), 400),
        ("POST", "/v1/{}", "null".into(), 400),
        ("POST", "/v1/{}", "[]".into(), 400),
        ("POST", "/v1/{}", deep(20_000), 400),
        ("POST", "/v1/{}", format!(r#"{{"metadata":{{"a":{}}}}}"#, deep(20_000)), 400),
        ("POST", "/v1/{}", r#"{"id":"a","id":"b"}"#.into(), 400),
        ("POST", "/v1/{}", r#"{"id":".."}"#.into(), 400),
        ("POST", "/v1/{}", r#"{"id":"ü"}"#.into(), 400),
        ("POST", "/v1/{}", r#"{"id":"a\u0000"}"#.into(), 400),
        ("POST", "/v1/{}", r#"{"metadata":{"":"x"}}"#.into(), 400),
        ("POST", "/v1/{}", r#"{"metadata":{"a":1}}"#.into(), 400),
        ("POST", "/v1/{}", "{}{}".into(), 400),
        ("PATCH", "/v1/threads/t1", long, 400),
        ("PATCH", "/v1/threads/t1", r#"{"title":"a\u0000b"}"#.into(), 400),
        ("PATCH", "/v1/threads/t1%00", "{}".into(), 404),
        ("POST", "/v1/threads/t1/messages", r#"{"messages":[{"role":"user","content":7}]}"#.into(), 400),
        ("POST", "/v1/threads/t1/messages", r#"{"messages":[{"role":"user","content":{}}]}"#.into(), 400),
        ("POST", "/v1/threads/t1/messages", r#"{"messages":[{"role":"assistant","tool_calls":{}}]}"#.into(), 400),
        (
            "POST",
            "/v1/threads/t1/messages",
            r#"{"messages":[{"role":"user","content":"a","role":"user"}]}"#.into(),
            400,
        ),
        (
            "POST",
            "/v1/threads/t1/messages",
            r#"{"messages":[{"role":"user","content":"a"}],"turn_id":"a/b"}"#.into(),
            400,
        ),
        (
            "POST",
            "/v1/threads/t1/messages",
            r#"{"messages":[{"role":"user","content":"a"}],"turn_id":"a\u0000"}"#.into(),
            400,
        ),
        ("POST", "/v1/conversations/t1", r#"{"title":"x"}"#.into(), 400),
        ("POST", "/v1/conversations/t1/items", format!(r#"{{"items":[{}]}}"#, deep(20_000)), 400),
        ("POST", "/v1/conversations/t1/items", r#"{"items":[{"role":"user","content":"a","\ud800":1}]}"#.into(), 400),
        ("DELETE", "/v1/{}/%00", String::new(), 404),
        ("DELETE", "/v1/threads/t1/messages/msg_%00_0", String::new(), 404),
        ("DELETE", "/v1/threads/t1/messages/msg_turn_1_%2B0", String::new(), 404),
        ("DELETE", "/v1/conversations/t1/items/msg_%00_0", String::new(), 404),
        ("DELETE", "/v1/users/me/data?user=eve", String::new(), 400),
    ];
    reads.into_iter().map(|(path, status)| ("GET", path, String::new(), status)).chain(bodies).collect()
}

async fn check(app: &TestApp) {
    let token = app.token("ada").await;
    app.record("turn_1", "ada", json!({"thread": "t1"}), ("q", "a")).await;
    let thread = app.get("/v1/threads/t1", &token).await.json();
    for (method, path, body, status) in cases() {
        for kind in ["threads", "conversations"] {
            let path = path.replace("{}", kind);
            let answer = app.public(method, &path, &token, &body).await;
            assert_eq!(answer.status, status, "{method} {path} {body:.80}: {answer:?}");
            if status >= 400 {
                answer.error();
            }
        }
    }
    assert_eq!(app.get("/v1/threads/t1", &token).await.json(), thread, "nothing was written");
    let bearer = format!("Bearer {token}");
    for kind in ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        let headers = [("authorization", bearer.as_str()), ("content-type", kind)];
        for (method, path) in
            [("POST", "/v1/threads"), ("PATCH", "/v1/threads/t1"), ("POST", "/v1/conversations/t1/items")]
        {
            let answer = send(app.running.public, method, path, &headers, "{}").await;
            assert_eq!(answer.error().0, 415, "{kind} {path}");
        }
    }
}

/// What may be odd and is kept all the same.
async fn odd_but_good(app: &TestApp) {
    let token = app.token("ada").await;
    let metadata = json!({"id": "odd", "metadata": {"a\u{0}": "b\u{0}\u{1f600}"}});
    let made = app.public("POST", "/v1/threads", &token, &metadata.to_string()).await;
    assert_eq!((made.status, &made.json()["metadata"]), (201, &metadata["metadata"]));
    let deep = format!(r#"{{"messages":[{{"role":"user","content":{}}}]}}"#, deep(50_000));
    assert_eq!(app.public("POST", "/v1/threads/odd/messages", &token, &deep).await.status, 201);
    let surrogate = r#"{"messages":[{"role":"user","content":"\ud800\u0000"}]}"#;
    assert_eq!(app.public("POST", "/v1/threads/odd/messages", &token, surrogate).await.status, 201);
    for path in ["messages", "export"] {
        assert_eq!(app.get(&format!("/v1/threads/odd/{path}"), &token).await.status, 200, "{path}");
    }
    assert_eq!(app.get("/v1/conversations/odd/items", &token).await.status, 200);
    assert_eq!(app.get("/v1/threads/search?q=x", &token).await.status, 200);
    let turn = json!({"turn": "turn_2", "project": app.project, "user": "ada", "thread": "odd", "complete": true,
        "model": "m\u{0}", "finish_reason": "\u{0}", "input": [{"role": "user", "content": "\u{0}"}], "output": []});
    let headers = [("authorization", &*format!("Bearer {SECRET}")), ("content-type", "application/json")];
    let stored = json!({"turns": [turn]}).to_string();
    let answer = send(app.running.internal, "POST", "/internal/v1/turns", &headers, stored).await;
    assert_eq!((answer.status, answer.json()), (200, json!({"stored": 1})));
    // A name that was used already says what it stood for.
    let named = |text: &str| json!({"messages": [{"role": "user", "content": text}], "turn_id": "n"}).to_string();
    let first = app.public("POST", "/v1/threads/odd/messages", &token, &named("one")).await;
    let again = app.public("POST", "/v1/threads/odd/messages", &token, &named("two")).await;
    let said = |it: &Value| it["data"][0]["content"].clone();
    assert_eq!((again.status, said(&again.json())), (201, said(&first.json())));
    let elsewhere = app.public("POST", "/v1/threads/t1/messages", &token, &named("three")).await;
    assert_eq!(elsewhere.error(), (409, "turn_exists".into(), Some("turn_id".into())));
}

#[tokio::test]
async fn what_is_hostile_is_refused_as_what_it_is() {
    let app = TestApp::start().await;
    check(&app).await;
    odd_but_good(&app).await;
}

#[tokio::test]
async fn what_is_hostile_is_refused_as_what_it_is_on_postgresql() {
    let server = Postgres::start();
    let app = TestApp::with(|it| it.memory_database_url = Some(server.url())).await;
    check(&app).await;
    odd_but_good(&app).await;
    app.running.stop().await;
}
