//! What holds on SQLite and on PostgreSQL, with several companions on one database.

use super::*;
use crate::memory::tests::{beginning, caller, open, said, second, thread, turn};
use crate::memory::{Bounds, LIFETIME};
use std::collections::BTreeSet;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::task::Poll;

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(5);
/// When everything happens.
const NOW: u64 = 1_800_000_000;
/// When a turn that was opened then is not waited for any more.
const LATER: u64 = NOW + LIFETIME.as_secs();

/// A companion on the database at `url`.
async fn companion(url: &str) -> OpenTurns {
    OpenTurns::new(open(url, "").await, Clock::from_fn(|| second(NOW)))
}

/// So many companions on it; but a file is one companion's alone.
async fn companions(url: &str, many: usize) -> Vec<OpenTurns> {
    let mut companions = vec![companion(url).await];
    while companions.len() < many {
        let another = if url.starts_with("sqlite:") { companions[0].clone() } else { companion(url).await };
        companions.push(another);
    }
    companions
}

async fn close(companions: &[OpenTurns]) {
    for it in companions {
        it.store.close().await;
    }
}

impl OpenTurns {
    async fn opened(&self, user: &str, id: &str, thread: &str, session: &str) -> Place {
        self.open(beginning(user, id, thread, session, NOW)).await.unwrap()
    }

    /// Whether a turn of `user` finds nothing missing, however long it waits.
    async fn finds_all(&self, user: &str, thread: &str, session: &str) -> bool {
        self.probed(user, thread, session, LONG).await
    }

    /// Whether it waits in vain.
    async fn misses(&self, user: &str, thread: &str, session: &str) -> bool {
        !self.probed(user, thread, session, SHORT).await
    }

    async fn probed(&self, user: &str, thread: &str, session: &str, bound: Duration) -> bool {
        static PROBES: AtomicUsize = AtomicUsize::new(0);
        let probe = format!("probe{}", PROBES.fetch_add(1, SeqCst));
        self.opened(user, &probe, thread, session).await.wait(bound).await.unwrap()
    }

    async fn arrives(&self, user: &str, id: &str, thread: &str) -> u64 {
        let row = turn(id, thread, "", &[&format!("q{id}"), &format!("a{id}")]);
        self.record(Arc::new(vec![(caller(user), row)]), second(NOW)).await.unwrap()
    }

    async fn until_open(&self, count: u64) {
        while self.count().await.unwrap() != count {
            tokio::task::yield_now().await;
        }
    }
}

async fn only_the_same_memory_of_the_same_caller_is_waited_for(url: &str) {
    let turns = companion(url).await;
    turns.opened("ada", "1", "t", "s").await.keep();
    assert!(turns.finds_all("eve", "t", "s").await);
    assert!(turns.finds_all("ada", "s", "t").await);
    assert!(turns.finds_all("ada", "", "t").await && turns.finds_all("ada", "s", "").await);
    assert!(turns.misses("ada", "", "s").await);
    assert!(turns.misses("ada", "t", "").await);
    turns.until_open(1).await;
    assert_eq!(turns.arrives("eve", "1", "t").await, 1, "a turn of the same name");
    turns.until_open(1).await;
    turns.arrives("ada", "1", "t").await;
    assert!(turns.finds_all("ada", "t", "s").await);
    turns.until_open(0).await;
    assert!(turns.waiting.lock().is_empty());
    turns.store.close().await;
}

async fn turns_go_on_one_after_the_other_wherever_they_were_opened_and_arrive(url: &str) {
    let both = companions(url, 2).await;
    let (one, other) = (&both[0], &both[1]);
    one.opened("ada", "1", "t", "").await.keep();
    let second = other.opened("ada", "2", "t", "").await;
    let third = one.opened("ada", "3", "t", "").await;
    let waiting = tokio::spawn(async move { third.wait(LONG).await.unwrap() });
    other.arrives("ada", "1", "t").await;
    assert!(second.wait(LONG).await.unwrap());
    second.keep();
    assert!(!waiting.is_finished());
    one.arrives("ada", "2", "t").await;
    assert!(waiting.await.unwrap());
    close(&both).await;
}

async fn a_companion_that_was_started_anew_still_waits_and_stores_what_arrives(url: &str) {
    let before = companion(url).await;
    before.opened("ada", "1", "t", "").await.keep();
    before.opened("ada", "gone", "t", "").await.keep();
    before.arrives("ada", "gone", "t").await;
    assert!(before.misses("ada", "t", "").await);
    before.until_open(1).await;
    // As killed: nothing is told to it.
    before.store.close().await;
    drop(before);
    let after = companion(url).await;
    assert!(!after.probed("ada", "t", "", LONG).await, "it is told as missing, and nobody waits for it");
    let waits = after.opened("ada", "2", "other", "").await;
    waits.keep();
    let reader = tokio::spawn({
        let after = after.clone();
        async move { after.settle(&caller("ada"), Memory::Thread("other".into()), LONG).await }
    });
    after.arrives("ada", "2", "other").await;
    reader.await.unwrap();
    assert_eq!(after.arrives("ada", "1", "t").await, 1);
    assert!(after.finds_all("ada", "t", "").await);
    after.store.close().await;
}

async fn a_turn_is_waited_for_in_vain_only_once_and_told_as_missing_until_it_arrives(url: &str) {
    let turns = companion(url).await;
    turns.opened("ada", "1", "t", "").await.keep();
    assert!(!turns.opened("ada", "2", "t", "").await.wait(SHORT).await.unwrap());
    for id in ["3", "4"] {
        // It would take a minute each.
        assert!(!turns.opened("ada", id, "t", "").await.wait(LONG).await.unwrap());
    }
    turns.settle(&caller("ada"), Memory::Thread("t".into()), LONG).await;
    turns.arrives("ada", "1", "t").await;
    assert!(turns.opened("ada", "5", "t", "").await.wait(LONG).await.unwrap());
    turns.store.close().await;
}

async fn a_turn_that_never_arrives_is_forgotten_and_one_that_arrives_after_that_is_stored(url: &str) {
    let turns = companion(url).await;
    turns.opened("ada", "1", "t", "").await.keep();
    drop(turns.opened("ada", "2", "t", "").await);
    turns.until_open(1).await;
    let late = beginning("ada", "3", "t", "", LATER);
    assert!(turns.open(late).await.unwrap().wait(LONG).await.unwrap());
    turns.until_open(1).await;
    assert_eq!(turns.store.purge(second(LATER.saturating_sub(1))).await.unwrap(), 0);
    assert_eq!(turns.store.purge(second(LATER)).await.unwrap(), 1);
    turns.until_open(0).await;
    assert_eq!(turns.arrives("ada", "1", "t").await, 1);
    turns.store.close().await;
}

async fn a_turn_that_its_gateway_closed_is_not_open_whichever_came_first(url: &str) {
    let both = companions(url, 2).await;
    let (one, other) = (&both[0], &both[1]);
    let end = || Arc::new(vec![(caller("ada"), turn("1", "", "", &[]))]);
    // The opening was answered to nobody.
    one.opened("ada", "1", "t", "s").await.keep();
    assert_eq!(other.record(end(), second(NOW)).await.unwrap(), 0);
    assert!(one.finds_all("ada", "t", "s").await);
    // It came later than its end, here twice; and another user's turn of that name is another one.
    for _ in 0..2 {
        other.record(end(), second(NOW)).await.unwrap();
    }
    one.opened("ada", "1", "t", "s").await.keep();
    one.opened("eve", "1", "t", "").await.keep();
    assert!(other.finds_all("ada", "t", "s").await && other.misses("eve", "t", "").await);
    one.until_open(1).await;
    // A name that is open is not open twice, and whoever opens it again takes nothing back.
    drop(one.opened("eve", "1", "t", "").await);
    tokio::task::yield_now().await;
    assert!(other.misses("eve", "t", "").await);
    one.arrives("eve", "1", "t").await;
    assert!(other.finds_all("eve", "t", "").await);
    close(&both).await;
}

/// A thread is deleted while turns begin in it: each is of the thread that was, and stored nowhere, or of the one that comes
/// after, and knows nothing of what was said before.
async fn a_turn_begins_before_its_thread_is_deleted_or_after_that(url: &str) {
    let both = companions(url, 2).await;
    for round in 0..60_usize {
        let (user, old) = (format!("u{round}"), format!("old{round}"));
        both[0].arrives(&user, &old, "t").await;
        let deleting = tokio::spawn({
            let (one, user) = (both[0].clone(), user.clone());
            async move { one.store.delete_thread(&caller(&user), "t", second(NOW)).await.unwrap() }
        });
        let mut opening = Vec::new();
        for number in 0..4 {
            let (one, user) = (both[number % 2].clone(), user.clone());
            opening.push(tokio::spawn(async move {
                let id = format!("{round}-{number}");
                one.opened(&user, &id, "t", "").await.keep();
                (said(&one.store, &user, &thread("t"), Bounds::default(), NOW).await, id)
            }));
        }
        assert!(deleting.await.unwrap());
        for it in opening {
            let (before, id) = it.await.unwrap();
            let stored = both[0].arrives(&user, &id, "t").await;
            let knows = before.contains(&format!("q{old}"));
            assert!(stored == 0 || !knows, "{id} was answered from what is deleted: {before:?}");
        }
        assert_eq!(both[0].count().await.unwrap(), 0);
    }
    close(&both).await;
}

/// Everything at once: turns of two users in two threads each, opened and reported at any of three companions, some twice,
/// some not at all.
async fn no_turn_is_lost_doubled_or_begun_from_an_older_history_than_it_must_be(url: &str) {
    let companions = companions(url, 3).await;
    let mut tasks = Vec::new();
    for number in 0..96_usize {
        let (one, other) = (companions[number % 3].clone(), companions[number / 3 % 3].clone());
        let (user, on) = (["ada", "eve"][number % 2], ["t1", "t2"][number / 2 % 2]);
        tasks.push(tokio::spawn(async move {
            let id = format!("{number:03}");
            let place = one.opened(user, &id, on, "").await;
            assert!(place.wait(LONG).await.unwrap());
            let before = said(&one.store, user, &thread(on), Bounds::default(), NOW).await;
            if number % 8 == 7 {
                return (user, on, None, before);
            }
            place.keep();
            let (once, again) = tokio::join!(other.arrives(user, &id, on), one.arrives(user, &id, on));
            assert_eq!((once.min(again), once.max(again)), (0, 1));
            (user, on, Some(id), before)
        }));
    }
    let mut done = Vec::new();
    for task in tasks {
        done.push(task.await.unwrap());
    }
    for (user, on) in [("ada", "t1"), ("ada", "t2"), ("eve", "t1"), ("eve", "t2")] {
        let stored = said(&companions[0].store, user, &thread(on), Bounds::default(), NOW).await;
        let own = done.iter().filter(|it| (it.0, it.1) == (user, on));
        let expected: BTreeSet<_> = own.clone().filter_map(|it| it.2.as_ref().map(|id| format!("q{id}"))).collect();
        assert_eq!(stored.len() / 2, expected.len());
        assert_eq!(stored.iter().filter(|it| it.starts_with('q')).cloned().collect::<BTreeSet<_>>(), expected);
        for (.., id, before) in own {
            assert_eq!(stored[..before.len()], before[..], "a history is how the thread began");
            if let Some(id) = id {
                assert_eq!(stored[before.len()], format!("q{id}"), "and the turn comes next");
            }
        }
    }
    close(&companions).await;
}

/// The report of a session's first turns came a moment before the next one's opening, and is stored a moment after it; and of
/// two that were reported at once the later one is stored first.
async fn what_a_session_begins_with_is_in_it_whichever_clock_is_ahead(url: &str) {
    let turns = companion(url).await;
    let opened = async |id: &str, at| turns.open(beginning("ada", id, "", "s", at)).await.unwrap();
    opened("1", NOW).await.keep();
    opened("2", NOW).await.keep();
    let next = opened("3", NOW + 5).await;
    for (id, at) in [("1", NOW + 4), ("2", NOW + 3)] {
        let row = turn(id, "", "s", &[id, "."]);
        assert_eq!(turns.record(Arc::new(vec![(caller("ada"), row)]), second(at)).await.unwrap(), 1);
    }
    assert!(next.wait(LONG).await.unwrap());
    for place in [next, opened("4", NOW + 6).await] {
        let session = crate::memory::Running { id: "s".into(), since: place.since(), lifetime: LONG };
        let asked = crate::memory::Asked { thread: None, session: Some(session) };
        let (raw, _) = turns.store.history(&caller("ada"), &asked, Bounds::default()).await.unwrap();
        assert_eq!(raw.len(), 4, "{raw:?}");
    }
    turns.store.close().await;
}

/// Polled so often, then dropped, as when a client goes away.
async fn polled(often: usize, work: impl Future) {
    let (mut work, mut left) = (std::pin::pin!(work), often);
    std::future::poll_fn(|context| {
        left = left.saturating_sub(1);
        if work.as_mut().poll(context).is_ready() || left == 0 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Whoever asked for it goes away at any moment: it is deleted, and nobody waits for its turns, or it is not.
async fn a_thread_is_deleted_whole_or_not_at_all(url: &str) {
    let turns = companion(url).await;
    for often in 1..24 {
        let user = format!("u{often}");
        turns.arrives(&user, "0", "t").await;
        turns.opened(&user, "1", "t", "").await.keep();
        polled(often, turns.store.delete_thread(&caller(&user), "t", second(NOW))).await;
        // What was begun is over when others may write again.
        let settled = turns.store.settled(&caller(&user)).await;
        let there = turns.store.thread(&caller(&user), "t").await.unwrap().is_some();
        let open = turns.store.still_open(&caller(&user), &Memory::Any, second(NOW)).await.unwrap();
        assert_eq!(open.awaited, u64::from(there), "dropped when it was polled {often} times");
        drop(settled);
    }
    turns.store.close().await;
}

#[tokio::test]
async fn another_companion_on_a_file_takes_no_turns_until_the_first_ends_and_knows_its_turns_then() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", dir.path().join("memory.db").display());
    let (one, other) = (companion(&url).await, companion(&url).await);
    one.opened("ada", "1", "t", "").await.keep();
    let ended = || Arc::new(vec![(caller("ada"), turn("1", "t", "", &["q", "a"]))]);
    for _ in 0..2 {
        assert!(other.open(beginning("ada", "2", "t", "", NOW)).await.is_err());
        assert!(other.record(ended(), second(NOW)).await.is_err());
        assert!(other.store.delete_thread(&caller("ada"), "t", second(NOW)).await.is_err());
        assert!(!other.store.take_open_turns().await.unwrap());
        assert_eq!((other.count().await.unwrap(), other.store.purge(second(NOW)).await.unwrap()), (0, 0));
    }
    assert!(said(&one.store, "ada", &thread("t"), Bounds::default(), NOW).await.is_empty());
    one.store.close().await;
    assert!(!other.probed("ada", "t", "", SHORT).await);
    assert_eq!(other.record(ended(), second(NOW)).await.unwrap(), 1);
    assert!(other.finds_all("ada", "t", "").await);
    other.store.close().await;
}

#[tokio::test]
async fn a_turn_that_was_stored_when_its_companion_was_killed_is_not_open() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("memory.db");
    let url = format!("sqlite://{}", path.display());
    let before = companion(&url).await;
    before.opened("ada", "1", "t", "").await.keep();
    let journal = dir.path().join("memory.db-open-turns");
    let opened = std::fs::read(&journal).unwrap();
    before.arrives("ada", "1", "t").await;
    before.store.close().await;
    // As if the journal did not say yet what the database says.
    std::fs::write(&journal, opened).unwrap();
    let after = companion(&url).await;
    assert_eq!(after.count().await.unwrap(), 0);
    assert!(after.finds_all("ada", "t", "").await);
    after.store.close().await;
}

#[tokio::test]
async fn what_is_refused_together_is_tried_alone() {
    struct Odd(AtomicUsize);
    impl Work for Odd {
        type In = u32;
        type Out = u32;
        async fn carry_out(&self, batch: &[u32]) -> Result<Vec<u32>, sqlx::Error> {
            self.0.fetch_add(1, SeqCst);
            tokio::task::yield_now().await;
            if batch.contains(&3) {
                let db = crate::usage::testing::sqlite().await;
                return sqlx::query("nonsense").execute(db.db.pool()).await.map(|_| Vec::new());
            }
            Ok(batch.to_vec())
        }
    }
    let queue = Queue::start(Odd(Default::default()), 1);
    let asked: Vec<_> = (0..6)
        .map(|it| {
            tokio::spawn({
                let queue = queue.clone();
                async move { queue.ask(it).await }
            })
        })
        .collect();
    for (number, answer) in (0..).zip(asked) {
        assert_eq!(answer.await.unwrap().ok(), (number != 3).then_some(number));
    }
}

/// Each with a database of its own, on one server.
macro_rules! on_both {
    ($($check:ident,)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $check() {
                let dir = tempfile::tempdir().unwrap();
                super::$check(&format!("sqlite://{}", dir.path().join("memory.db").display())).await;
            })*
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn the_same_holds_on_postgres() {
            let server = ::tests::Postgres::start();
            sqlx::any::install_default_drivers();
            let pool = sqlx::AnyPool::connect(&server.url()).await.unwrap();
            $({
                let name = &stringify!($check)[..40.min(stringify!($check).len())];
                sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&pool).await.unwrap();
                let url = server.url();
                let (place, _) = url.rsplit_once('/').unwrap();
                super::tests::$check(&format!("{place}/{name}")).await;
            })*
        }
    };
}

on_both! {
    only_the_same_memory_of_the_same_caller_is_waited_for,
    turns_go_on_one_after_the_other_wherever_they_were_opened_and_arrive,
    a_companion_that_was_started_anew_still_waits_and_stores_what_arrives,
    a_turn_is_waited_for_in_vain_only_once_and_told_as_missing_until_it_arrives,
    a_turn_that_never_arrives_is_forgotten_and_one_that_arrives_after_that_is_stored,
    a_turn_that_its_gateway_closed_is_not_open_whichever_came_first,
    a_turn_begins_before_its_thread_is_deleted_or_after_that,
    no_turn_is_lost_doubled_or_begun_from_an_older_history_than_it_must_be,
    what_a_session_begins_with_is_in_it_whichever_clock_is_ahead,
    a_thread_is_deleted_whole_or_not_at_all,
}
