//! Both keepers against the rule itself, with a real Redis and a real database.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "helpers of tests: an overflow is a failure"
)]

use super::keep::Rule;
use super::*;
use crate::clock::Clock;
use crate::redis_link::Link;
use crate::redis_link::tests::link;
use crate::usage::testing::{both, sqlite};
use ::tests::Redis;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const BEGIN: u64 = 1_800_000_000_000_000;

fn limit((requests, seconds, burst): (u32, u32, u32)) -> Limit {
    let some = |it: u32| NonZeroU32::new(it).unwrap();
    Limit { requests: some(requests), seconds: some(seconds), burst: some(burst) }
}

/// How much later (or earlier), of which limit and key, need, more, and whether something comes back.
type Move = (i64, usize, u32, u32, Option<(u64, u32)>);

fn runs() -> impl Strategy<Value = (Vec<Limit>, Vec<Move>)> {
    let window = prop_oneof![Just(1_u32), Just(10), Just(60), Just(3600), Just(366 * 86_400)];
    let requests = prop_oneof![1..20_u32, 20..500_u32, Just(u32::MAX)];
    let limits = prop::collection::vec((requests, window, prop_oneof![1..9_u32, 1..600_u32]).prop_map(limit), 2..4);
    let gap = prop_oneof![0..2000_i64, 0..200_000_i64, 0..40_000_000_i64, -5_000_000..0_i64, Just(100_000_000)];
    let back = prop::option::of((0..4_u64, 1..20_u32));
    (limits, prop::collection::vec((gap, 0..4_usize, 0..10_u32, 0..100_u32, back), 1..60))
}

/// Runs the moves in batches of three through `keeper` and compares each answer with the rule's.
async fn check(
    keeper: impl AsyncFn(Vec<(String, Ask)>, Micros) -> Vec<Answer>,
    run: &str,
    limits: &[Limit],
    moves: &[Move],
) {
    let (mut states, mut slices) = (BTreeMap::<String, State>::new(), BTreeMap::<String, u64>::new());
    let mut now = BEGIN;
    for batch in moves.chunks(3) {
        let mut asks = Vec::new();
        let mut expected = Vec::new();
        now = now.saturating_add_signed(batch[0].0);
        for (_, which, need, more, back) in batch {
            let limit = limits[which % limits.len()];
            let id = format!("limit:{run}:{which}");
            let returned = back.map(|(before, count)| {
                (slices.get(&id).copied().unwrap_or_default().saturating_sub(before.min(1)), count)
            });
            let want = if *need == 0 { 0 } else { need + more };
            let ask = Ask { limit, need: *need, want, returned: returned.into_iter().collect() };
            let (state, answer) = grant(states.remove(&id).unwrap_or_default(), Micros(now), &ask);
            slices.insert(id.clone(), answer.slice);
            states.insert(id.clone(), state);
            asks.push((id, ask));
            expected.push(answer);
        }
        assert_eq!(keeper(asks.clone(), Micros(now)).await, expected, "{asks:?} at {now}");
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn run_all(cases: u32, check: impl Fn(&str, &[Limit], &[Move])) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let number = AtomicU64::new(0);
    let run = |(limits, moves): (Vec<Limit>, Vec<Move>)| {
        check(&number.fetch_add(1, Ordering::SeqCst).to_string(), &limits, &moves);
        Ok(())
    };
    TestRunner::new(config).run(&runs(), run).unwrap();
}

#[test]
fn redis_answers_as_the_rule_does() {
    let (server, runtime, rule) = (Redis::start(), runtime(), Rule::new());
    let link = link(&server);
    let keeper = async |asks: Vec<(String, Ask)>, now| rule.grant(&link, &asks, Some(now)).await.unwrap();
    run_all(100, |run, limits, moves| runtime.block_on(check(&keeper, run, limits, moves)));
}

#[test]
fn a_database_answers_as_the_rule_does() {
    let runtime = runtime();
    let scratch = runtime.block_on(sqlite());
    let db = &scratch.db;
    let keeper =
        async |asks: Vec<(String, Ask)>, now| store::grant(db, &asks, &Clock::from_fn(move || now)).await.unwrap();
    run_all(16, |run, limits, moves| runtime.block_on(check(&keeper, run, limits, moves)));
}

/// Twenty gateways ask at once, three times each: what they get together of a limit of fifty.
async fn raced(keeper: Keeper) -> u32 {
    let keeper = Arc::new(keeper);
    let node = || {
        let keeper = keeper.clone();
        tokio::spawn(async move {
            let ask = Ask { limit: limit((50, 3600, 50)), need: 1, want: 4, returned: Vec::new() };
            let mut granted = 0;
            for _ in 0..3 {
                let asks = [("other:1".to_owned(), ask.clone()), ("limit:1".to_owned(), ask.clone())];
                granted += keeper.grant(&asks, &Clock::system()).await.unwrap()[1].granted;
            }
            granted
        })
    };
    let nodes: Vec<_> = (0..20).map(|_| node()).collect();
    let mut granted = 0;
    for node in nodes {
        granted += node.await.unwrap();
    }
    granted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_that_race_get_the_limit_together() {
    let server = Redis::start();
    let [sqlite, postgres] = both().await;
    assert_eq!(raced(Keeper::new(Some(link(&server)), sqlite.db.clone())).await, 50);
    assert_eq!(raced(Keeper::new(None, sqlite.db.clone())).await, 50);
    assert_eq!(raced(Keeper::new(None, postgres.db.clone())).await, 50);
}

#[tokio::test]
async fn redis_goes_by_its_own_clock_forgets_in_time_and_may_forget_the_script() {
    let (server, rule) = (Redis::start(), Rule::new());
    let link = link(&server);
    let ask = [("limit:1".to_owned(), Ask { limit: limit((8, 60, 8)), need: 2, want: 2, returned: Vec::new() })];
    let granted = async |link: &Link| rule.grant(link, &ask, None).await.unwrap()[0];
    assert_eq!((granted(&link).await.granted, granted(&link).await.remaining), (2, 4));
    let mut commands = ::redis::pipe();
    commands.cmd("PTTL").arg("tollgate:allowance:limit:1").cmd("TIME").cmd("SCRIPT").arg("FLUSH");
    let answers = link.ask::<::redis::Value>(&mut commands).await.unwrap();
    let left: u64 = ::redis::from_redis_value(answers[0].clone().unwrap()).unwrap();
    let lifetime = ask[0].1.limit.lifetime_ms();
    assert!((lifetime - 10_000..=lifetime).contains(&left), "{left} of {lifetime} ms");
    let (seconds, _): (u64, u64) = ::redis::from_redis_value(answers[1].clone().unwrap()).unwrap();
    let third = granted(&link).await;
    assert_eq!((third.granted, third.remaining), (2, 2));
    // The slice ends within a second and a half of Redis' own time.
    assert!((seconds * 2..seconds * 2 + 40).contains(&third.slice), "{} at {seconds}", third.slice);
}

#[tokio::test]
async fn what_means_nothing_any_more_is_deleted_from_the_database() {
    let scratch = sqlite().await;
    let db = &scratch.db;
    let now = Arc::new(AtomicU64::new(BEGIN));
    let clock = {
        let now = now.clone();
        Clock::from_fn(move || Micros(now.load(Ordering::SeqCst)))
    };
    let ask = |seconds| Ask { limit: limit((8, seconds, 8)), need: 1, want: 1, returned: Vec::new() };
    store::grant(db, &[("a".to_owned(), ask(60)), ("b".to_owned(), ask(3600))], &clock).await.unwrap();
    let left =
        async || -> i64 { sqlx::query_scalar("SELECT COUNT(*) FROM allowances").fetch_one(db.pool()).await.unwrap() };
    assert_eq!((store::purge(db, &clock).await.unwrap(), left().await), (false, 2));
    now.fetch_add(70_000_000, Ordering::SeqCst);
    assert_eq!((store::purge(db, &clock).await.unwrap(), left().await), (false, 1));
}
