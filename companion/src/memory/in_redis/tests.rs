//! Sessions in a real Redis, and with one that is none.

use super::*;
use crate::memory::tests::{beginning, caller, open, said, second, session, thread, turn};
use crate::memory::{Bounds, Store};
use crate::redis_link::tests::{link, somebody};
use ::tests::Redis;
use serde_json::json;
use tempfile::TempDir;

const KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const NOW: u64 = 1_800_000_000;
/// More than a day later.
const LATER: u64 = NOW + 200_000;

async fn store(dir: &TempDir, link: Link) -> Store {
    open(&format!("sqlite://{}", dir.path().join("memory.db").display()), KEY).await.with_sessions_in(link)
}

async fn report(store: &Store, user: &str, turns: &[TurnRow], now: u64) -> Result<u64, sqlx::Error> {
    let turns = turns.iter().map(|it| (caller(user), it.clone())).collect::<Vec<_>>();
    store.add_reports(&[(turns.into(), second(now))]).await.map(|it| it[0])
}

fn all() -> Bounds {
    Bounds::default()
}

#[tokio::test]
async fn a_session_is_in_redis_once_sealed_in_order_and_beside_its_threads() {
    let (redis, dir) = (Redis::start(), tempfile::tempdir().unwrap());
    let store = store(&dir, link(&redis)).await;
    let turns = [turn("2", "", "s", &["one", "."]), turn("1", "", "s", &["two", "."])];
    assert_eq!(report(&store, "ada", &turns, NOW).await.unwrap(), 2);
    assert_eq!(report(&store, "ada", &turns, NOW).await.unwrap(), 0, "a batch that was delivered twice");
    report(&store, "ada", &[turn("3", "t", "s", &["three", "."])], NOW.saturating_add(2)).await.unwrap();
    report(&store, "ada", &[turn("4", "", "s", &["four", "."])], NOW.saturating_add(3)).await.unwrap();
    for (asked, expected) in [
        (session("s"), vec!["one", ".", "two", ".", "three", ".", "four", "."]),
        (thread("t"), vec!["three", "."]),
        (
            crate::memory::Asked { thread: Some("t".into()), ..session("s") },
            vec!["three", ".", "one", ".", "two", ".", "four", "."],
        ),
    ] {
        assert_eq!(said(&store, "ada", &asked, all(), NOW).await, expected);
    }
    assert_eq!(
        said(&store, "ada", &session("s"), Bounds { turns: 2, ..all() }, NOW).await,
        ["three", ".", "four", "."]
    );
    assert!(said(&store, "eve", &session("s"), all(), NOW).await.is_empty());
    let key = "tollgate:session:{p1:ada:s}";
    assert_eq!(redis.ask(&["ZCARD", key]), json!(3));
    assert!(!redis.ask(&["HGET", "tollgate:session:{p1:ada:s}:turns", "2"]).as_str().unwrap().contains("one"));
    let lives = redis.ask(&["PTTL", key]).as_i64().unwrap();
    assert!((80_000_000..=86_400_000).contains(&lives), "{lives}");
    // A day later it begins anew.
    assert!(said(&store, "ada", &session("s"), all(), LATER).await.is_empty());
}

#[tokio::test]
async fn names_that_hold_separators_are_not_another_session() {
    let one = caller("a:b");
    let other = caller("a");
    assert_ne!(name(&one, "c"), name(&other, "b:c"));
    assert_ne!(name(&caller("a%3Ab"), "c"), name(&one, "c"));
    assert_eq!(name(&caller("a}b"), "{"), "tollgate:session:{p1:a%7Db:%7B}");
}

#[tokio::test]
async fn a_session_holds_no_more_than_it_may() {
    let (redis, dir) = (Redis::start(), tempfile::tempdir().unwrap());
    let store = store(&dir, link(&redis)).await;
    let long = "x".repeat(1_500_000);
    for id in ["1", "2", "3"] {
        report(&store, "ada", &[turn(id, "", "s", &[id, &long])], NOW).await.unwrap();
    }
    assert_eq!(said(&store, "ada", &session("s"), all(), NOW).await, ["2", &long, "3", &long]);
    let many: Vec<_> = (0..1010).map(|it| turn(&format!("m{it:04}"), "", "many", &["q", "a"])).collect();
    assert_eq!(report(&store, "ada", &many, NOW).await.unwrap(), 1010);
    assert_eq!(redis.ask(&["ZCARD", "tollgate:session:{p1:ada:many}"]), json!(1000));
    assert_eq!(redis.ask(&["HLEN", "tollgate:session:{p1:ada:many}:turns"]), json!(1001));
}

#[tokio::test]
async fn an_erased_user_has_no_session_left_and_what_was_open_does_not_come_back() {
    let (redis, dir) = (Redis::start(), tempfile::tempdir().unwrap());
    let store = store(&dir, link(&redis)).await;
    for (user, id) in [("ada", "1"), ("eve", "2")] {
        report(&store, user, &[turn(id, "", "s", &["a", "b"])], NOW).await.unwrap();
    }
    store.begin_turns(&[beginning("ada", "3", "", "s", NOW)]).await.unwrap();
    assert_eq!(store.erase(&caller("ada"), second(NOW)).await.unwrap().sessions, 1);
    assert_eq!(report(&store, "ada", &[turn("3", "", "s", &["late", "too"])], NOW).await.unwrap(), 0);
    assert!(said(&store, "ada", &session("s"), all(), NOW).await.is_empty());
    assert_eq!(redis.ask(&["KEYS", "*ada*"]), json!([]));
    assert_eq!(said(&store, "eve", &session("s"), all(), NOW).await, ["a", "b"]);
}

#[tokio::test]
async fn a_redis_that_is_down_silent_or_something_else_is_told_and_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let turns = [turn("1", "", "s", &["a", "b"])];
    for answer in
        [&b""[..], b"HTTP/1.1 400 Bad Request\r\n\r\n", b"+OK\r\n", b":7\r\n", b"*1\r\n$3\r\nabc\r\n", b"-ERR no\r\n"]
    {
        let store = store(&dir, somebody(answer).await).await;
        let begun = store.begin_turns(&[beginning("ada", "1", "", "s", NOW)]).await;
        assert!(report(&store, "ada", &turns, NOW).await.is_err(), "{answer:?}");
        let running = crate::memory::Running { id: "s".into(), since: second(NOW), lifetime: Duration::from_secs(60) };
        let asked = crate::memory::Asked { thread: None, session: Some(running) };
        assert!(store.history(&caller("ada"), &asked, all()).await.is_err(), "{answer:?}");
        assert!(begun.is_ok() && store.count_open().await.unwrap() == 1, "the turn stays open");
        store.withdraw(&caller("ada"), "1").await.unwrap();
    }
    let mut redis = Redis::start();
    let store = store(&dir, link(&redis)).await;
    redis.stop();
    assert!(report(&store, "ada", &turns, NOW).await.is_err());
    assert_eq!(
        report(&store, "ada", &[turn("2", "t", "", &["c", "d"])], NOW).await.unwrap(),
        1,
        "threads need no Redis"
    );
    redis.start_again();
    while report(&store, "ada", &turns, NOW).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(said(&store, "ada", &session("s"), all(), NOW).await, ["a", "b"]);
    let _ = redis.ask(&["HSET", "tollgate:session:{p1:ada:s}:turns", "1", "garbage"]);
    let running = crate::memory::Running { id: "s".into(), since: second(0), lifetime: Duration::from_secs(60) };
    let asked = crate::memory::Asked { thread: None, session: Some(running) };
    assert!(store.history(&caller("ada"), &asked, all()).await.is_err());
}
