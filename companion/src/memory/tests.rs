//! What holds on SQLite and on PostgreSQL.

mod changed;

use super::mend::tests::{calls, conversation, refusal, result, user};
use super::*;
use crate::names::Name;
use ::tests::Postgres;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;

const KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const NEXT_KEY: &str = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// An address of each kind, gone with the value.
pub(crate) struct Places {
    pub(crate) urls: [String; 2],
    _dir: TempDir,
    _server: Postgres,
}

pub(crate) fn places() -> Places {
    let (dir, server) = (tempfile::tempdir().unwrap(), Postgres::start());
    let file = format!("sqlite://{}", dir.path().join("memory.db").display());
    Places { urls: [file, server.url()], _dir: dir, _server: server }
}

pub(crate) async fn open(url: &str, keys: &str) -> Store {
    let keys = (!keys.is_empty()).then(|| domain::secret::Secret::new(keys.to_owned()));
    Store::open(url, Seal::parse(keys.as_ref()).unwrap()).await.unwrap()
}

pub(crate) fn caller(user: &str) -> Caller {
    Caller { project: Name::try_from("p1".to_owned()).unwrap(), user: Name::try_from(user.to_owned()).unwrap() }
}

pub(crate) fn second(it: u64) -> Micros {
    Micros::from_seconds(it)
}

pub(crate) fn turn(id: &str, thread: &str, session: &str, said: &[&str]) -> TurnRow {
    let message = |(at, text): (usize, &&str)| match at % 2 {
        0 => format!(r#"{{"role":"user","content":"{text}"}}"#),
        _ => format!(r#"{{"role":"assistant","content":"{text}"}}"#),
    };
    TurnRow {
        id: id.to_owned(),
        thread: (!thread.is_empty()).then(|| thread.to_owned()),
        session: (!session.is_empty()).then(|| (session.to_owned(), DAY)),
        model: None,
        complete: true,
        finish_reason: None,
        title: Some(format!("about {id}")),
        messages: said.iter().enumerate().map(message).collect(),
        alternatives: Vec::new(),
        answer_at: (said.len() > 1).then_some(1),
        results_first: said.first().is_some_and(|it| it.starts_with("result")),
    }
}

pub(crate) fn thread(id: &str) -> Asked {
    Asked { thread: Some(id.to_owned()), session: None }
}

pub(crate) fn session(id: &str) -> Asked {
    Asked { thread: None, session: Some(Running { id: id.to_owned(), since: Micros::default(), lifetime: DAY }) }
}

/// A turn that begins.
pub(crate) fn beginning(user: &str, id: &str, thread: &str, session: &str, now: u64) -> Beginning {
    let TurnRow { thread, session, .. } = turn(id, thread, session, &[]);
    Beginning { caller: caller(user), id: id.to_owned(), thread, session, at: second(now) }
}

/// What was said, without its JSON, as a turn is told that begins now.
pub(crate) async fn said(store: &Store, user: &str, asked: &Asked, bounds: Bounds, now: u64) -> Vec<String> {
    let mut asked = asked.clone();
    if let Some(Running { id, since, .. }) = &mut asked.session {
        let begun = store.begin_turns(&[beginning(user, "looks", "", id, now)]).await.unwrap();
        store.withdraw(&caller(user), "looks").await.unwrap();
        *since = begun[0].since;
    }
    let (raw, _) = store.history(&caller(user), &asked, bounds).await.unwrap();
    let text =
        |it: &String| serde_json::from_str::<serde_json::Value>(it).unwrap()["content"].as_str().unwrap().to_owned();
    raw.iter().map(text).collect()
}

async fn add(store: &Store, user: &str, turns: &[TurnRow], now: u64) -> u64 {
    let turns: Vec<_> = turns.iter().map(|it| (caller(user), it.clone())).collect();
    store.add_reports(&[(Arc::new(turns), second(now))]).await.unwrap()[0]
}

#[tokio::test]
async fn a_turn_is_stored_once_sealed_and_read_by_its_owner_alone() {
    let places = places();
    for url in &places.urls {
        let store = open(url, KEY).await;
        let turns = [turn("1", "t", "", &["hi", "hello"]), turn("2", "t", "s", &["more", "of it"])];
        assert_eq!((add(&store, "ada", &turns, 5).await, add(&store, "ada", &turns, 6).await), (2, 0));
        assert_eq!(said(&store, "ada", &thread("t"), Bounds::default(), 7).await, ["hi", "hello", "more", "of it"]);
        assert!(said(&store, "eve", &thread("t"), Bounds::default(), 7).await.is_empty());
        let row = store.thread(&caller("ada"), "t").await.unwrap().unwrap();
        assert_eq!((row.title.as_deref(), row.message_count, row.updated_at), (Some("about 1"), 4, second(5)));
        let raw: Vec<u8> = sqlx::query_scalar("SELECT raw FROM messages ORDER BY turn, position LIMIT 1")
            .fetch_one(store.db.pool())
            .await
            .unwrap();
        assert!(!raw.windows(4).any(|it| it == b"user"), "what is stored is sealed");
        store.close().await;
    }
}

#[tokio::test]
async fn history_is_whole_turns_and_no_result_comes_without_its_call() {
    let places = places();
    for url in &places.urls {
        let store = open(url, "").await;
        let turns = [
            turn("1", "t", "", &["one", "call"]),
            turn("2", "t", "", &["result", "two"]),
            turn("3", "t", "", &["three", "."]),
        ];
        add(&store, "ada", &turns, 1).await;
        let check =
            async |turns: i64| said(&store, "ada", &thread("t"), Bounds { turns, ..Bounds::default() }, 2).await;
        assert_eq!(check(1).await, ["three", "."]);
        assert_eq!(check(2).await, ["three", "."], "the second turn begins with a result whose call is in the first");
        assert_eq!(check(3).await, ["one", "call", "result", "two", "three", "."]);
        let few = Bounds { tokens: 1, ..Bounds::default() };
        assert!(said(&store, "ada", &thread("t"), few, 2).await.is_empty());
        store.close().await;
    }
}

/// A turn of these messages.
fn of_messages(id: &str, thread: &str, session: &str, messages: &[Value]) -> TurnRow {
    let results_first = messages.first().is_some_and(|it| it["role"] == "tool");
    let messages = messages.iter().map(Value::to_string).collect();
    TurnRow { messages, results_first, ..turn(id, thread, session, &[]) }
}

async fn told(store: &Store, asked: &Asked, bounds: Bounds) -> Vec<Value> {
    let (raw, _) = store.history(&caller("ada"), asked, bounds).await.unwrap();
    raw.iter().map(|it| serde_json::from_str(it).unwrap()).collect()
}

#[test]
fn no_provider_refuses_what_is_left_of_a_thread() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", dir.path().join("memory.db").display());
    let store = runtime.block_on(open(&url, ""));
    let cases = Config { cases: 48, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(cases);
    let turns = prop::collection::vec(conversation(), 1..5);
    let deleted = prop::collection::vec((0..4_usize, 0..8_i64), 0..4);
    let name = std::cell::Cell::new(0);
    let done = runner.run(&(turns, deleted, 1..6_i64), |(turns, deleted, most)| {
        name.set(name.get() + 1);
        let thread_name = format!("t{}", name.get());
        let id = |nth: usize| format!("{thread_name}_{nth}");
        let rows: Vec<TurnRow> =
            turns.iter().enumerate().map(|(nth, it)| of_messages(&id(nth), &thread_name, "", it)).collect();
        let told = runtime.block_on(async {
            add(&store, "ada", &rows, 1).await;
            for (nth, position) in deleted {
                store.delete_message(&caller("ada"), &thread_name, &id(nth), position).await.unwrap();
            }
            told(&store, &thread(&thread_name), Bounds { turns: most, ..Bounds::default() }).await
        });
        let open = told.iter().rev().find(|it| it["role"] != "tool");
        let open = open.and_then(|it| it["tool_calls"].as_array()).into_iter().flatten();
        let answered: Vec<Value> =
            told.iter().cloned().chain(open.map(|it| result(it["id"].as_str().unwrap()))).collect();
        prop_assert_eq!(refusal(&answered), None);
        Ok(())
    });
    done.unwrap();
}

#[tokio::test]
async fn a_threads_last_call_comes_right_before_its_results() {
    let places = places();
    let said = |text: &str| serde_json::json!({"role": "assistant", "content": text});
    for url in &places.urls {
        let store = open(url, "").await;
        let (one, two) = (calls(&["1"]), calls(&["2"]));
        let in_thread = [user(), one.clone()];
        let then = [result("1"), two.clone()];
        let aside = [user(), said("aside")];
        add(&store, "ada", &[of_messages("1", "t", "", &[user(), said("first")])], 1).await;
        add(&store, "ada", &[of_messages("2", "", "s", &aside)], 2).await;
        add(&store, "ada", &[of_messages("3", "t", "s", &in_thread)], 3).await;
        add(&store, "ada", &[of_messages("4", "t", "s", &then)], 4).await;
        let both = Asked { thread: Some("t".into()), ..session("s") };
        let expected = [&[user(), said("first")][..], &aside, &in_thread, &then].concat();
        assert_eq!(told(&store, &both, Bounds::default()).await, expected);
        // The session goes on without it: that exchange is over, and the other waits.
        add(&store, "ada", &[of_messages("5", "", "s", &[user(), calls(&["3"])])], 5).await;
        let over =
            [&[user(), said("first")][..], &[user(), one.clone(), result("1")], &aside, &[user(), calls(&["3"])]];
        assert_eq!(told(&store, &both, Bounds::default()).await, over.concat());
        store.close().await;
    }
}

#[tokio::test]
async fn a_session_lives_on_while_it_is_used_and_begins_anew_after_its_end() {
    let places = places();
    let day = DAY.as_secs();
    for url in &places.urls {
        let store = open(url, "").await;
        add(&store, "ada", &[turn("1", "", "s", &["one", "."])], 1).await;
        assert_eq!(said(&store, "ada", &session("s"), Bounds::default(), day).await, ["one", "."]);
        // It was used a day after it began, so it is alive a day later.
        assert_eq!(said(&store, "ada", &session("s"), Bounds::default(), 2 * day - 1).await, ["one", "."]);
        assert!(said(&store, "ada", &session("s"), Bounds::default(), 3 * day).await.is_empty());
        add(&store, "ada", &[turn("2", "", "s", &["two", "."])], 3 * day + 1).await;
        assert_eq!(said(&store, "ada", &session("s"), Bounds::default(), 3 * day + 2).await, ["two", "."]);
        assert_eq!(store.purge(second(3 * day + 3)).await.unwrap(), 1, "what was said before it began anew");
        assert_eq!(said(&store, "ada", &session("s"), Bounds::default(), 3 * day + 4).await, ["two", "."]);
        add(&store, "ada", &[turn("3", "t", "s", &["three", "."])], 3 * day + 5).await;
        assert_eq!(store.purge(second(5 * day)).await.unwrap(), 2, "the session, and its turn that is in no thread");
        assert_eq!(store.purge(second(5 * day)).await.unwrap(), 0);
        assert_eq!(said(&store, "ada", &thread("t"), Bounds::default(), 5 * day).await, ["three", "."]);
        store.close().await;
    }
}

#[tokio::test]
async fn what_is_deleted_does_not_come_back_and_is_nobody_elses() {
    let places = places();
    for url in &places.urls {
        let store = open(url, "").await;
        add(&store, "ada", &[turn("1", "t", "s", &["hi", "."]), turn("2", "", "s", &["a", "b"])], 1).await;
        add(&store, "eve", &[turn("1", "t", "s", &["eve's", "."])], 1).await;
        assert!(!store.delete_message(&caller("ada"), "t", "1", 7).await.unwrap());
        assert!(store.delete_message(&caller("ada"), "t", "1", 1).await.unwrap());
        assert_eq!(said(&store, "ada", &thread("t"), Bounds::default(), 2).await, ["hi"]);
        let open = [("3", "t"), ("4", "other")].map(|(id, thread)| beginning("ada", id, thread, "", 2));
        store.begin_turns(&open).await.unwrap();
        assert!(store.delete_thread(&caller("ada"), "t", second(2)).await.unwrap());
        assert!(!store.delete_thread(&caller("ada"), "t", second(2)).await.unwrap());
        assert_eq!(add(&store, "ada", &[turn("1", "t", "", &["hi"]), turn("3", "t", "", &["late"])], 3).await, 0);
        assert!(store.thread(&caller("ada"), "t").await.unwrap().is_none(), "nor does its thread");
        let erased = store.erase(&caller("ada"), second(4)).await.unwrap();
        assert_eq!((erased.threads, erased.sessions, erased.turns), (0, 1, 1));
        assert_eq!(add(&store, "ada", &[turn("2", "", "s", &["a"]), turn("4", "other", "", &["b"])], 5).await, 0);
        assert_eq!(store.count_open().await.unwrap(), 0, "nobody waits for what is not wanted any more");
        assert_eq!(said(&store, "eve", &thread("t"), Bounds::default(), 6).await, ["eve's", "."]);
        store.close().await;
    }
}

#[tokio::test]
async fn a_retention_ends_the_threads_of_its_project() {
    let places = places();
    for url in &places.urls {
        let store = open(url, "").await;
        add(&store, "ada", &[turn("1", "old", "", &["a", "b"])], 1).await;
        add(&store, "ada", &[turn("2", "new", "", &["a", "b"])], 2 * DAY.as_secs()).await;
        assert_eq!(store.purge(second(3 * DAY.as_secs())).await.unwrap(), 0, "without one, nothing goes");
        store.retain("p1", Some(2)).await.unwrap();
        assert_eq!(store.retentions().await.unwrap(), [("p1".to_owned(), 2)]);
        assert_eq!(store.purge(second(3 * DAY.as_secs())).await.unwrap(), 1);
        let page = Page { limit: 10, after: None, ascending: true };
        let left = store.threads(&caller("ada"), &page).await.unwrap().unwrap();
        assert_eq!(left.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(), ["new"]);
        store.retain("p1", None).await.unwrap();
        assert!(store.retentions().await.unwrap().is_empty());
        store.close().await;
    }
}

#[tokio::test]
async fn a_key_is_turned_over_and_the_old_one_is_not_needed_any_more() {
    let places = places();
    for url in &places.urls {
        let store = open(url, "").await;
        add(&store, "ada", &[turn("1", "t", "", &["plain", "text"])], 1).await;
        store.close().await;
        let store = open(url, KEY).await;
        add(&store, "ada", &[turn("2", "t", "", &["with", "a key"])], 2).await;
        store.close().await;
        let without = Store::open(url, Seal::default()).await;
        assert!(matches!(without, Err(NotOpened::NoKey(_))), "a companion without the key does not start");
        let store = open(url, &format!("{NEXT_KEY},{KEY}")).await;
        let mut resealed = 0;
        loop {
            match store.reseal().await.unwrap() {
                0 => break,
                more => resealed += more,
            }
        }
        assert_eq!(resealed, 5, "four messages and a title");
        store.close().await;
        let store = open(url, NEXT_KEY).await;
        assert_eq!(said(&store, "ada", &thread("t"), Bounds::default(), 3).await, ["plain", "text", "with", "a key"]);
        assert_eq!(store.thread(&caller("ada"), "t").await.unwrap().unwrap().title.as_deref(), Some("about 1"));
        store.close().await;
    }
}

#[tokio::test]
async fn words_are_found_in_what_is_sealed() {
    let places = places();
    for url in &places.urls {
        let store = open(url, KEY).await;
        add(
            &store,
            "ada",
            &[turn("1", "rome", "", &["a trip to Rome", "sure"]), turn("2", "", "s", &["Rome", "x"])],
            1,
        )
        .await;
        add(&store, "ada", &[turn("3", "oslo", "", &["a trip to Oslo", "Oslo it is"])], 2).await;
        add(&store, "eve", &[turn("4", "eve", "", &["Rome", "Rome"])], 3).await;
        let check = async |word: &str, limit: usize| {
            let (hits, all) = store.search(&caller("ada"), |it| it.contains(word), limit).await.unwrap();
            (hits.iter().map(|it| it.thread.id.clone()).collect::<Vec<_>>(), all)
        };
        assert_eq!(check("Rome", 10).await, (vec!["rome".to_owned()], true));
        assert_eq!(check("trip", 2).await, (vec!["oslo".to_owned(), "rome".to_owned()], true));
        assert_eq!(check("trip", 1).await, (vec!["oslo".to_owned()], false));
        assert_eq!(check("about 1", 10).await.0, ["rome"], "a title");
        assert_eq!(check("nowhere", 10).await.0, [""; 0]);
        store.close().await;
    }
}

/// A database in which a turn is stored, and a copy of it.
async fn copied() -> (TempDir, Store, String, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let (path, copy) = (dir.path().join("memory.db"), dir.path().join("copy.db"));
    let url = format!("sqlite://{}", path.display());
    let store = open(&url, "").await;
    add(&store, "ada", &[turn("1", "t", "", &["one", "."])], 1).await;
    backup(&url, &copy).await.unwrap();
    (dir, store, url, copy)
}

#[tokio::test]
async fn a_copy_holds_what_was_there_and_takes_the_place_of_what_came_after() {
    let (dir, store, url, copy) = copied().await;
    assert!(backup(&url, &copy).await.unwrap_err().contains("expected a new file"));
    add(&store, "ada", &[turn("2", "t", "", &["two", "."])], 2).await;
    assert!(restore(&url, &copy).await.unwrap_err().contains("somebody has it open"));
    store.close().await;
    let kept = restore(&url, &copy).await.unwrap().unwrap();
    let store = open(&url, "").await;
    assert_eq!(said(&store, "ada", &thread("t"), Bounds::default(), 3).await, ["one", "."]);
    store.close().await;
    let before = open(&format!("sqlite://{}", kept.display()), "").await;
    assert_eq!(said(&before, "ada", &thread("t"), Bounds::default(), 3).await.len(), 4);
    before.close().await;
    std::fs::write(dir.path().join("no.db"), "no database at all, but a text").unwrap();
    assert!(restore(&url, &dir.path().join("no.db")).await.unwrap_err().contains("is no copy"));
    assert!(backup("postgres://x/y", &copy).await.unwrap_err().contains("pg_dump"));
    let store = open(&url, "").await;
    assert_eq!(said(&store, "ada", &thread("t"), Bounds::default(), 3).await, ["one", "."]);
    store.close().await;
}
