//! Titles by a model, which is the fake provider of the end-to-end tests.

use crate::app::{TestApp, files};
use companion::{Settings, TitleModel};
use domain::secret::Secret;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tests::{FakeProvider, Postgres};

const KEY: &str = "the-key-of-the-model";

/// A companion whose titles are asked of a fake that behaves so.
async fn asking(url: &str, behaviour: &str) -> TestApp {
    asking_with(url, behaviour, |_| ()).await
}

async fn asking_with(url: &str, behaviour: &str, change: impl FnOnce(&mut Settings)) -> TestApp {
    let (url, model) = (url.to_owned(), format!("fake-{behaviour}"));
    TestApp::with(move |it| {
        change(it);
        let api_key = Some(Secret::new(KEY.to_owned()));
        it.titles = Some(TitleModel { url, model, api_key, within: Duration::from_millis(400) });
    })
    .await
}

fn says(text: &str) -> String {
    let digits: String = text.bytes().map(|it| format!("{it:02x}")).collect();
    format!("says-{digits}")
}

fn v1(fake: &FakeProvider) -> String {
    format!("http://127.0.0.1:{}/v1", fake.port())
}

/// Waits until so many titles came to this end.
async fn until(app: &TestApp, outcome: &str, count: u64) {
    let line = format!("tollgate_companion_titles_total{{outcome=\"{outcome}\"}} {count}");
    let begun = Instant::now();
    loop {
        let metrics = crate::app::send(app.running.internal, "GET", "/metrics", &[], "").await;
        if String::from_utf8_lossy(&metrics.body).contains(&line) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "no {line}");
        tokio::task::yield_now().await;
    }
}

async fn title(app: &TestApp, thread: &str) -> Value {
    let token = app.token("ada").await;
    app.get(&format!("/v1/threads/{thread}"), &token).await.json()["title"].clone()
}

#[tokio::test]
async fn a_thread_is_named_by_the_model_once_its_first_turn_is_stored() {
    let fake = FakeProvider::start();
    let app = asking(&v1(&fake), &says("\"Tides of the North Sea\"")).await;
    let in_t1 = json!({"thread": "t1"});
    app.record("turn_1", "ada", in_t1.clone(), ("When is it high?", "At noon.")).await;
    until(&app, "made", 1).await;
    assert_eq!(title(&app, "t1").await, "Tides of the North Sea");
    let asked = fake.requests();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].path, "/v1/chat/completions");
    assert_eq!(asked[0].header("authorization"), Some(format!("Bearer {KEY}")));
    assert_eq!(asked[0].header("x-tollgate-memory").as_deref(), Some("off"));
    assert_eq!(asked[0].json()["messages"][1]["content"], "User: When is it high?\n\nAssistant: At noon.");
    // Later turns, sessions, and answers that broke off are not asked about.
    app.record("turn_2", "ada", in_t1, ("And low?", "At six.")).await;
    app.record("turn_3", "ada", json!({"session": "s1"}), ("q", "a")).await;
    app.record("turn_4", "ada", json!({"thread": "t2"}), ("broken off", "")).await;
    app.record("turn_5", "ada", json!({"thread": "t3"}), ("another", "a")).await;
    until(&app, "made", 2).await;
    assert_eq!((fake.requests().len(), title(&app, "t2").await), (2, json!("broken off")));
}

#[tokio::test]
async fn the_title_that_its_owner_chose_stays() {
    let fake = FakeProvider::start();
    let app = asking(&v1(&fake), &format!("start-200ms+{}", says("The model's"))).await;
    let token = app.token("ada").await;
    app.record("turn_1", "ada", json!({"thread": "t1"}), ("cut", "a")).await;
    while fake.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    let patched = app.public("PATCH", "/v1/threads/t1", &token, r#"{"title":"mine"}"#).await;
    assert_eq!(patched.status, 200);
    app.record("turn_2", "ada", json!({"thread": "t2"}), ("cut too", "a")).await;
    until(&app, "made", 1).await;
    assert_eq!((title(&app, "t1").await, title(&app, "t2").await), (json!("mine"), json!("The model's")));
    // Nor is the model asked about a thread that was named before.
    app.public("POST", "/v1/threads", &token, r#"{"id":"t3","title":"named"}"#).await;
    app.record("turn_3", "ada", json!({"thread": "t3"}), ("q", "a")).await;
    app.record("turn_4", "ada", json!({"thread": "t4"}), ("q", "a")).await;
    until(&app, "made", 2).await;
    assert_eq!((title(&app, "t3").await, fake.requests().len()), (json!("named"), 3));
}

#[tokio::test]
async fn a_model_that_is_down_slow_or_says_garbage_changes_nothing() {
    let fake = FakeProvider::start();
    let essay = says("An essay.\n\nIt has two lines.");
    for (behaviour, attempts) in [
        ("503", 3),
        ("429", 3),
        ("hang", 3),
        ("reset", 3),
        ("401", 1),
        ("malformed", 1),
        ("error-body", 1),
        ("huge", 1),
        (&essay, 1),
        ("tools", 1),
    ] {
        fake.clear();
        let app = asking(&v1(&fake), behaviour).await;
        let stored = app.record("turn_1", "ada", json!({"thread": "t1"}), ("the beginning", "a")).await;
        assert_eq!(stored, 1, "{behaviour}");
        until(&app, "failed", 1).await;
        assert_eq!(title(&app, "t1").await, "the beginning", "{behaviour}");
        let asked = fake.requests().len();
        assert!(asked == attempts || (behaviour == "huge" && asked == 3), "{behaviour}: {asked}");
        app.running.stop().await;
    }
    let nowhere = asking("http://127.0.0.1:9/v1", "x").await;
    nowhere.record("turn_1", "ada", json!({"thread": "t1"}), ("the beginning", "a")).await;
    until(&nowhere, "failed", 1).await;
    assert_eq!(title(&nowhere, "t1").await, "the beginning");
}

#[tokio::test]
async fn a_title_by_the_model_is_sealed_like_any_other() {
    let fake = FakeProvider::start();
    let app = asking_with(&v1(&fake), &says("Tides of the North Sea"), |it| {
        it.data_keys = Some(Secret::new("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=".to_owned()));
    })
    .await;
    app.record("turn_1", "ada", json!({"thread": "t1"}), ("q", "a")).await;
    until(&app, "made", 1).await;
    assert_eq!(title(&app, "t1").await, "Tides of the North Sea");
    for file in files(app.dir.path()) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(9).any(|it| it == b"North Sea"), "{}", file.display());
    }
}

#[tokio::test]
async fn a_thread_is_named_on_postgresql_too() {
    let (fake, server) = (FakeProvider::start(), Postgres::start());
    let app = asking_with(&v1(&fake), &says("Tides"), |it| it.memory_database_url = Some(server.url())).await;
    app.record("turn_1", "ada", json!({"thread": "t1"}), ("q", "a")).await;
    until(&app, "made", 1).await;
    assert_eq!(title(&app, "t1").await, "Tides");
    app.running.stop().await;
}

#[tokio::test]
async fn a_model_told_wrong_keeps_the_companion_from_starting_and_its_key_is_not_shown() {
    let app = TestApp::start().await;
    let api_key = Some(Secret::new("hunter2 ".to_owned()));
    let model = TitleModel { url: "http://h/v1".into(), model: "m".into(), api_key, within: Duration::from_secs(1) };
    let said = app.another_with(|it| it.titles = Some(model)).await.unwrap_err();
    assert!(said.starts_with("TOLLGATE_TITLE_API_KEY: expected visible ASCII") && !said.contains("hunter2"), "{said}");
}
