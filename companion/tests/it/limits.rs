use crate::app::{Answer, BEGIN, TestApp, audit, send, tollgate};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A mint with this key, from behind a proxy that saw `address`.
async fn mint(app: &TestApp, key: &str, address: &str) -> Answer {
    let bearer = format!("Bearer {key}");
    let headers =
        [("authorization", bearer.as_str()), ("content-type", "application/json"), ("x-forwarded-for", address)];
    send(app.running.public, "POST", "/v1/auth/mint", &headers, r#"{"user_id":"ada"}"#).await
}

fn wrong(nth: usize) -> String {
    format!("behest_sk_live_{nth:032x}")
}

async fn statuses(app: &TestApp, address: &str, times: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for nth in 0..times {
        statuses.push(mint(app, &wrong(nth), address).await.status);
    }
    statuses
}

fn refused(rows: &[Value]) -> Vec<&Value> {
    rows.iter().filter(|it| it["action"] == "mint_refused").collect()
}

#[tokio::test]
async fn the_eleventh_failure_in_a_minute_is_told_to_wait_and_a_good_key_mints_all_the_same() {
    let app = TestApp::start().await;
    for nth in 0..10 {
        assert_eq!(app.public("POST", "/v1/auth/mint", &wrong(nth), "{}").await.error().1, "invalid_api_key");
    }
    let limited = app.public("POST", "/v1/auth/mint", &wrong(11), "{}").await;
    assert_eq!(limited.error(), (429, "rate_limit_exceeded".into(), None));
    let headers = ["retry-after", "retry-after-ms", "x-should-retry", "cache-control"].map(|it| limited.header(it));
    assert_eq!(headers, ["6", "6000", "false", "no-store"]);
    for other in ["", "no-key", "a.b.c"] {
        assert_eq!(app.public("POST", "/auth/v1/auth/mint", other, "").await.status, 429, "{other}");
    }
    assert_eq!(app.mint(json!({"user_id": "ada"})).await.status, 200);
    app.pass(Duration::from_secs(6));
    let again = [app.public("POST", "/v1/auth/mint", &wrong(1), "{}").await.status, app.mint(json!({})).await.status];
    assert_eq!(again, [401, 400]);
    assert_eq!(app.public("POST", "/v1/auth/mint", &wrong(1), "{}").await.status, 429);
}

#[tokio::test]
async fn keys_cannot_be_tried_out_where_usage_is_asked_for_either() {
    let app = TestApp::behind(1).await;
    let get = async |path: &str, key: &str, address: &str| {
        let bearer = format!("Bearer {key}");
        let headers = [("authorization", bearer.as_str()), ("x-forwarded-for", address)];
        send(app.running.public, "GET", path, &headers, "").await
    };
    let paths = ["/v1/usage", "/v1/billing/usage", "/v1/budget"];
    for (nth, path) in paths.into_iter().cycle().take(10).enumerate() {
        assert_eq!(get(path, &wrong(nth), "10.0.0.1").await.error(), (401, "invalid_api_key".into(), None), "{path}");
    }
    for path in paths {
        let limited = get(path, &wrong(11), "10.0.0.1").await;
        assert_eq!(limited.error(), (429, "rate_limit_exceeded".into(), None), "{path}");
        assert_eq!(limited.header("retry-after"), "6");
        assert_eq!(get(path, "behest_sk_live_x", "10.0.0.1").await.status, 429);
        assert_eq!(get(path, &wrong(11), "10.0.0.2").await.status, 401);
        // A good key is one at any time, and a token was never counted.
        assert_eq!(get(path, &app.key, "10.0.0.1").await.status, 200);
        assert_eq!(get(path, "a.b.c", "10.0.0.1").await.error().1, "invalid_token");
    }
    assert_eq!(mint(&app, &wrong(12), "10.0.0.1").await.status, 429);
}

#[tokio::test]
async fn a_refused_mint_leaves_the_connection_to_the_next_one() {
    let app = TestApp::start().await;
    let mut stream = TcpStream::connect(app.running.public).await.unwrap();
    let body = r#"{"user_id":"ada"}"#;
    for (key, status) in [(wrong(1), "401"), (app.key.clone(), "200"), (wrong(2), "401"), (app.key.clone(), "200")] {
        let head = format!(
            "POST /v1/auth/mint HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // The body comes when the companion has seen the head, as from a proxy that passes on what it gets.
        assert_eq!(app.get("/readyz", "").await.status, 200);
        stream.write_all(body.as_bytes()).await.unwrap();
        let (mut answer, mut piece) = (String::new(), [0; 4096]);
        while !answer.ends_with('}') {
            let length = stream.read(&mut piece).await.unwrap();
            assert!(length > 0, "closed after {answer:?}");
            answer.push_str(std::str::from_utf8(&piece[..length]).unwrap());
        }
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
}

#[tokio::test]
async fn what_a_good_key_asks_wrong_is_no_failure() {
    let app = TestApp::start().await;
    for _ in 0..20 {
        assert_eq!(app.mint(json!({"user_id": ""})).await.status, 400);
    }
    assert_eq!(app.public("POST", "/v1/auth/mint", &wrong(1), "{}").await.status, 401);
}

#[tokio::test]
async fn an_address_is_what_the_outermost_trusted_proxy_saw() {
    let app = TestApp::behind(1).await;
    let eleven = [vec![401; 10], vec![429]].concat();
    // What the client wrote stands to the left of what the proxy wrote.
    for nth in 0..10 {
        assert_eq!(mint(&app, &wrong(nth), &format!("10.0.0.{nth}, 192.0.2.1")).await.status, 401);
    }
    assert_eq!(mint(&app, &wrong(0), "10.0.0.77, 192.0.2.1").await.status, 429);
    assert_eq!(mint(&app, &wrong(0), "192.0.2.1, 192.0.2.2").await.status, 401);
    // Who has one IPv6 address has a network of them.
    let mut statuses = Vec::new();
    for nth in 0..11 {
        statuses.push(mint(&app, &wrong(nth), &format!("2001:db8::{nth:x}")).await.status);
    }
    assert_eq!(statuses, eleven);
    assert_eq!(mint(&app, &wrong(0), "2001:db8:0:1::1").await.status, 401);
    // What is no address stands for the peer, whatever is wrong with it.
    let mut statuses = Vec::new();
    for wrong_address in ["", "unknown", "1.1.1.256", ":::", "-", "a, ", "\"", "1.1.1.1;", "x:1", "[::1]x", "9"] {
        statuses.push(mint(&app, &wrong(0), wrong_address).await.status);
    }
    assert_eq!(statuses, eleven);
    assert_eq!(app.mint(json!({"user_id": "ada"})).await.status, 200);
}

#[tokio::test]
async fn a_header_of_the_clients_own_is_not_believed_without_a_proxy() {
    let app = TestApp::start().await;
    let mut statuses = Vec::new();
    for nth in 0..11 {
        statuses.push(mint(&app, &wrong(nth), &format!("10.0.0.{nth}")).await.status);
    }
    assert_eq!(statuses, [vec![401; 10], vec![429]].concat());
    let good = mint(&app, &app.key, "10.0.0.1").await;
    assert_eq!(good.status, 200);
    assert_eq!(audit(app.dir.path(), &["--action", "mint"])[0]["address"], "127.0.0.1");
}

#[tokio::test]
async fn refused_mints_are_a_row_by_address_and_minute_with_a_count() {
    let app = TestApp::behind(1).await;
    let revoked = tollgate(app.dir.path(), &["key", "create", "--project", &app.project]);
    let (revoked_id, revoked) = (revoked["key_id"].clone(), revoked["api_key"].as_str().unwrap());
    tollgate(app.dir.path(), &["key", "revoke", revoked_id.as_str().unwrap()]);
    assert_eq!(statuses(&app, "192.0.2.1", 30).await[9..12], [401, 429, 429]);
    app.pass(Duration::from_secs(50));
    statuses(&app, "2001:db8::1", 1).await;
    mint(&app, revoked, "192.0.2.1").await;
    let (project, dir) = (app.project.clone(), app.dir.path().to_owned());
    assert_eq!(refused(&audit(&dir, &[])), Vec::<&Value>::new());
    // A minute after the first one.
    app.pass(Duration::from_secs(10));
    let begun = Instant::now();
    while refused(&audit(&dir, &[])).is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(30), "no rows");
        tokio::task::yield_now().await;
    }
    statuses(&app, "192.0.2.1", 1).await;
    let rows = app.rows_in_the_end().await;
    let rows: Vec<Value> = refused(&rows)
        .into_iter()
        .map(|it| json!([it["subject"], it["project"], it["address"], it["at"], it["details"]]))
        .collect();
    let details = |count: u64, last: u64| json!({"count": count, "last_at": BEGIN + last});
    let want = [
        json!(["unknown", null, "192.0.2.1", BEGIN, details(30, 0)]),
        json!([revoked_id, project, "192.0.2.1", BEGIN + 50, details(1, 50)]),
        json!(["unknown", null, "2001:db8::/64", BEGIN + 50, details(1, 50)]),
        json!(["unknown", null, "192.0.2.1", BEGIN + 60, details(1, 60)]),
    ];
    assert_eq!(rows, want);
}

#[tokio::test]
async fn a_flood_from_a_thousand_addresses_hinders_no_good_key_and_fills_no_disk() {
    let app = TestApp::behind(1).await;
    for nth in 0..1000 {
        let address = format!("10.0.{}.{}", nth / 250, nth % 250);
        assert_eq!(mint(&app, &wrong(nth), &address).await.status, 401, "{address}");
        if nth % 100 == 0 {
            assert_eq!(mint(&app, &app.key, &address).await.status, 200, "{address}");
        }
    }
    let rows = app.rows_in_the_end().await;
    let rows = refused(&rows);
    let count: u64 = rows.iter().map(|it| it["details"]["count"].as_u64().unwrap()).sum();
    assert_eq!((rows.len(), count), (33, 1000));
    assert_eq!(rows[32]["address"], Value::Null);
}
