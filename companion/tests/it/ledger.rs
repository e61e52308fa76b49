//! What gateways send: usage records, and questions about budgets. With both kinds of database.

use crate::app::{BEGIN, SECRET, TestApp, send};
use crate::cli::serve_with;
use serde_json::{Value, json};
use sqlx::{AnyPool, Row};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tests::Postgres;
use tokio::task::JoinSet;

const USAGE: &str = "/internal/v1/usage";
const LEASE: &str = "/internal/v1/budgets/lease";

fn record(id: &str, changes: Value) -> Value {
    let mut record = json!({
        "id": id, "at": BEGIN * 1_000_000, "node": "0123456789abcdef", "tenant": null, "project": "p1", "user": "ada", "key": null,
        "request_id": null, "endpoint": "chat.completions", "model": "openai/gpt-4o", "provider_model": null,
        "provider": null, "source": "platform", "status": 200, "stream": false, "outcome": "complete",
        "estimated": false, "cut_by_budget": false, "input_tokens": 3, "cached_tokens": 0, "cache_write_tokens": 0,
        "output_tokens": 4, "reasoning_tokens": 0, "cost_nanos": null, "price": null, "duration_ms": 1,
        "charges": [charge(json!({}))],
    });
    record.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    record
}

fn charge(changes: Value) -> Value {
    let mut charge = json!({
        "budget": "b", "subject": {"tenant": null, "project": "p1", "user": "ada", "key": null}, "unit": "tokens",
        "limit": 1_000_000, "start": 0, "end": 0, "window_seconds": null, "kind": "soft", "alerts": [], "amount": 7,
    });
    charge.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    charge
}

fn question(changes: Value) -> Value {
    let mut question = json!({
        "budget": "b", "subject": {"tenant": null, "project": "p1", "user": "ada", "key": null}, "unit": "tokens",
        "limit": 1000, "start": 0, "end": 0, "window_seconds": null, "turn": 1, "granted": 0, "need": 1, "want": 100,
    });
    question.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    question
}

async fn post(to: SocketAddr, records: &[Value]) -> Value {
    let bearer = format!("Bearer {SECRET}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let answer = send(to, "POST", USAGE, &headers, json!({"records": records}).to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// Stored, known, refused.
async fn taken(app: &TestApp, records: &[Value]) -> [u64; 3] {
    let taken = post(app.running.internal, records).await;
    ["stored", "known", "refused"].map(|it| taken[it].as_u64().unwrap())
}

#[tokio::test]
async fn a_record_that_is_wrong_is_the_only_one_left_out() {
    let app = TestApp::start().await;
    let wrong = [
        json!(null),
        json!([]),
        json!({}),
        record("", json!({})),
        record("with space", json!({})),
        record(&"x".repeat(65), json!({})),
        record("u_1", json!({"node": ""})),
        record("u_1", json!({"at": -1})),
        record("u_1", json!({"at": 0.5})),
        record("u_1", json!({"user": "a\0b"})),
        record("u_1", json!({"user": "a".repeat(1801)})),
        record("u_1", json!({"user": 7})),
        record("u_1", json!({"model": null})),
        record("u_1", json!({"source": "mine"})),
        record("u_1", json!({"outcome": "lost"})),
        record("u_1", json!({"stream": 1})),
        record("u_1", json!({"input_tokens": -1})),
        record("u_1", json!({"input_tokens": "3"})),
        record("u_1", json!({"input_tokens": 3.5})),
        record("u_1", json!({"output_tokens": 18_446_744_073_709_551_615_u64})),
        record("u_1", json!({"cost_nanos": 100_000_000_000_001_i64})),
        record("u_1", json!({"price": {"input": 1}})),
        record("u_1", json!({"charges": {}})),
        record("u_1", json!({"charges": [charge(json!({"amount": -1}))]})),
        record("u_1", json!({"charges": [charge(json!({"budget": ""}))]})),
        record("u_1", json!({"charges": [charge(json!({"unit": "euros"}))]})),
        record("u_1", json!({"charges": [charge(json!({"window_seconds": 0}))]})),
        record("u_1", json!({"charges": [charge(json!({"start": 2, "end": 1}))]})),
        record("u_1", json!({"charges": [charge(json!({"limit": -1}))]})),
    ];
    for wrong in &wrong {
        let all = [record("u_0", json!({})), wrong.clone()];
        let [stored, known, refused] = taken(&app, &all).await;
        assert_eq!((stored + known, refused), (1, 1), "{wrong}");
    }
    // What somebody chose freely is made to fit.
    let long = "x".repeat(100_000);
    let odd = json!({"model": "a\0b", "request_id": long, "provider": "é".repeat(400), "a_later_member": {}});
    assert_eq!(taken(&app, &[record("u_1", odd)]).await, [1, 0, 0]);
    let again = record("u_2", json!({}));
    assert_eq!(taken(&app, &[again.clone(), again.clone(), again]).await, [1, 2, 0]);
    assert_eq!(taken(&app, &[]).await, [0, 0, 0]);
}

#[tokio::test]
async fn a_record_that_would_hold_up_all_others_is_left_out() {
    let app = TestApp::start().await;
    let charges = |count: usize| (0..count).map(|nth| charge(json!({"budget": format!("b{nth}")}))).collect::<Vec<_>>();
    let records = [
        record("u_1", json!({"charges": charges(10_000)})),
        record("u_2", json!({"charges": charges(257)})),
        record("u_3", json!({"charges": charges(256)})),
    ];
    assert_eq!(taken(&app, &records).await, [1, 0, 2]);
}

#[tokio::test]
async fn what_is_no_batch_or_no_question_is_told_why() {
    let app = TestApp::start().await;
    for (path, body, expected) in [
        (USAGE, json!({}), (400, "records")),
        (USAGE, json!({"records": {}}), (400, "records")),
        (LEASE, json!({"leases": []}), (400, "node")),
        (LEASE, json!({"node": "", "leases": []}), (400, "node")),
        (LEASE, json!({"node": "n", "leases": [question(json!({"need": -1}))]}), (400, "leases[0]")),
        (LEASE, json!({"node": "n", "leases": [question(json!({"turn": "1"}))]}), (400, "leases[0].turn")),
        (LEASE, json!({"node": "n", "leases": vec![question(json!({})); 257]}), (400, "leases")),
    ] {
        let (status, code, param) = app.internal(path, &body.to_string()).await.error();
        assert_eq!((status, code.as_str()), (expected.0, "invalid_request"), "{path} {body}");
        assert_eq!(param.as_deref(), Some(expected.1), "{path} {body}");
    }
    for path in [USAGE, LEASE] {
        let bearer = [("authorization", "Bearer no-such-secret-at-all"), ("content-type", "application/json")];
        assert_eq!(send(app.running.internal, "POST", path, &bearer, "{}").await.status, 401);
        assert_eq!(send(app.running.public, "POST", path, &bearer, "{}").await.status, 404);
    }
    let large = format!(r#"{{"records":[],"more":"{}"}}"#, "x".repeat(8 * 1024 * 1024));
    assert_eq!(app.internal(USAGE, &large).await.error().0, 413);
    assert_eq!(taken(&app, &[record("u_1", json!({}))]).await, [1, 0, 0]);
}

#[tokio::test]
async fn a_budget_is_leased_and_charged_and_a_lease_outlives_the_companion() {
    let server = Postgres::start();
    for usage in [None, Some(server.url())] {
        let mut app = match &usage {
            None => TestApp::start().await,
            Some(url) => TestApp::with_usage_in(url).await,
        };
        let answer = async |app: &TestApp, node: &str, changes: Value| {
            let body = json!({"node": node, "leases": [question(changes), question(json!({"budget": "other"}))]});
            let answer = app.internal(LEASE, &body.to_string()).await.json();
            let lease = &answer["leases"][0];
            assert_eq!(
                (lease["expires_in_ms"].as_u64(), answer["leases"].as_array().unwrap().len()),
                (Some(60_000), 2)
            );
            ["granted", "charged", "used", "left"].map(|it| lease[it].as_i64().unwrap())
        };
        assert_eq!(answer(&app, "a", json!({})).await, [100, 0, 0, 900]);
        let charges = json!({"charges": [charge(json!({"amount": 40}))], "node": "a"});
        assert_eq!(taken(&app, &[record("u_1", charges)]).await, [1, 0, 0]);
        assert_eq!(answer(&app, "b", json!({"want": 1000})).await, [225, 0, 40, 675]);
        if usage.is_none() {
            // It is down for longer than a lease is good; nobody could ask, so nobody has lost one.
            app.pass(Duration::from_secs(90));
            app = app.restart().await;
            assert_eq!(answer(&app, "c", json!({"need": 0, "want": 1000})).await, [168, 0, 40, 507]);
            app.pass(Duration::from_secs(60));
            assert_eq!(answer(&app, "d", json!({"need": 960})).await, [960, 0, 40, 0]);
        }
        let waiting = json!({"turn": 9, "granted": i64::MAX, "want": 0});
        assert_eq!(answer(&app, "e", waiting).await[0], if usage.is_none() { 0 } else { 1 });
    }
}

/// Sends batches until the companion is gone, and gives back the ids that were answered for.
async fn send_until_gone(to: SocketAddr, sender: String) -> Vec<String> {
    let mut answered = Vec::new();
    for batch in 0.. {
        let ids: Vec<_> = (0..16).map(|it| format!("{sender}_{batch}_{it}")).collect();
        let records: Vec<_> = ids.iter().map(|it| record(it, json!({}))).collect();
        // A request that the kill cuts off panics in `send`, in a task of its own.
        let Ok(taken) = tokio::spawn(async move { post(to, &records).await }).await else { break };
        assert_eq!(taken["stored"], 16);
        answered.extend(ids);
    }
    answered
}

async fn numbers(pool: &AnyPool, sql: &'static str) -> Vec<i64> {
    let row = sqlx::query(sql).fetch_one(pool).await.unwrap();
    (0..row.len()).map(|it| row.get(it)).collect()
}

/// Kills a companion in the middle of batches, several times, and looks at what is there then.
async fn killed_at_any_moment(dir: &Path, flags: &[&str], url: &str) {
    let mut answered = BTreeSet::new();
    for round in 0..3 {
        let mut served = serve_with(dir, flags);
        let mut senders = JoinSet::new();
        for sender in 0..6 {
            senders.spawn(send_until_gone(served.internal, format!("u_{round}_{sender}")));
        }
        // Some batches are through, and others under way.
        let first = format!("u_{round}_x");
        post(served.internal, &[record(&first, json!({}))]).await;
        answered.insert(first);
        for nth in 0..10 {
            post(served.internal, &[record(&format!("u_{round}_y{nth}"), json!({}))]).await;
        }
        served.child.kill().unwrap();
        served.child.wait().unwrap();
        answered.extend(senders.join_all().await.into_iter().flatten());
    }
    sqlx::any::install_default_drivers();
    let pool = AnyPool::connect(url).await.unwrap();
    let ids = sqlx::query_scalar::<_, String>("SELECT id FROM usage_records").fetch_all(&pool).await.unwrap();
    let ids: BTreeSet<_> = ids.into_iter().collect();
    assert!(answered.is_subset(&ids), "{} answered, {} there", answered.len(), ids.len());
    let count = i64::try_from(ids.len()).unwrap();
    let hours = "SELECT CAST(SUM(requests) AS BIGINT), CAST(SUM(input_tokens) AS BIGINT) FROM usage_hours";
    assert_eq!(numbers(&pool, hours).await, [count, count.saturating_mul(3)]);
    assert_eq!(numbers(&pool, "SELECT used FROM budget_periods").await, [count.saturating_mul(7)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_companion_loses_no_record_that_it_answered_for_and_counts_none_by_halves() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Postgres::start());
    let file = format!("sqlite://{}", dir.path().join("tollgate-usage.db").display());
    killed_at_any_moment(dir.path(), &[], &file).await;
    let url = server.url();
    killed_at_any_moment(dir.path(), &["--usage-database-url", &url], &url).await;
}

#[tokio::test]
async fn a_database_that_was_away_takes_the_batch_when_it_is_back_and_counts_it_once() {
    let mut server = Postgres::start();
    let app = TestApp::with_usage_in(&server.url()).await;
    let batch = json!({"records": [record("u_1", json!({}))]}).to_string();
    assert_eq!(app.internal(USAGE, &batch).await.json()["stored"], 1);
    let next = json!({"records": [record("u_1", json!({})), record("u_2", json!({}))]}).to_string();
    server.stop();
    assert_eq!(app.internal(USAGE, &next).await.error(), (503, "companion_unavailable".to_owned(), None));
    server.start_again();
    let taken = app.internal(USAGE, &next).await.json();
    assert_eq!(taken, json!({"stored": 1, "known": 1, "refused": 0}));
    sqlx::any::install_default_drivers();
    let pool = AnyPool::connect(&server.url()).await.unwrap();
    assert_eq!(numbers(&pool, "SELECT used FROM budget_periods").await, [14]);
    assert_eq!(numbers(&pool, "SELECT COUNT(*), COUNT(DISTINCT id) FROM usage_records").await, [2, 2]);
}

#[tokio::test]
async fn several_companions_that_start_at_once_on_one_new_database_all_start() {
    let server = Postgres::start();
    let url = server.url();
    let mut starts = JoinSet::new();
    for _ in 0..4 {
        let url = url.clone();
        starts.spawn(async move { TestApp::with_usage_in(&url).await });
    }
    let apps = starts.join_all().await;
    for (nth, app) in apps.iter().enumerate() {
        assert_eq!(taken(app, &[record(&format!("u_{nth}"), json!({}))]).await, [1, 0, 0]);
    }
    assert_eq!(taken(&apps[0], &[record("u_3", json!({}))]).await, [0, 1, 0]);
}

#[tokio::test]
async fn a_usage_database_that_is_none_is_named_without_its_password() {
    let app = TestApp::start().await;
    for (url, expected) in [
        ("mysql://ada:pass-word@localhost/x", "expected sqlite://<path> or postgres://<user>@<host>/<name>"),
        ("postgres://ada:pass-word@127.0.0.1:1/x", "usage database postgres://127.0.0.1:1/x: "),
    ] {
        let why = app.another_with_usage_in(url).await.unwrap_err();
        assert!(why.contains(expected) && !why.contains("pass-word"), "{why}");
    }
}
