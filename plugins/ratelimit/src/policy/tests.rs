use super::*;
use crate::{
    config::Config,
    rules::{Rules, Subject, Table},
};
use domain::{caller::Caller, slots::Seed};
use proptest::prelude::*;
use std::num::NonZeroU32;

/// One slot, so that all counts are in it.
const TABLE: Table = Table { seed: Seed::new([7; 16]), slots: NonZeroU32::MIN };

const TWO: &str = r#"{"name": "user", "key": "user", "requests": 3, "per": 30},
    {"name": "project", "key": "project", "requests": 4, "per": 10}"#;

/// What the limits `json` count for a user of project `p`.
fn charges(json: &str, user: &str) -> Vec<Charge> {
    let config = Config::parse(format!(r#"{{"limits": [{json}]}}"#).as_bytes()).unwrap();
    let caller = Caller { project: "p".into(), user: user.into(), ..Caller::default() };
    let subject = Subject { caller: Some(&caller), address: None, model: None };
    let rules = Rules::new(&config);
    rules.of(None).iter().filter_map(|it| it.charge(subject, &TABLE)).collect()
}

/// What each of the requests, all at once, is told: what is left, or which limits refuse it.
fn check(json: &str, users: &[&str]) -> Vec<String> {
    let mut slot = Vec::new();
    let mut one = |user: &&str| {
        let tally = spend(&slot, &charges(json, user), Micros(0));
        if let Some(bytes) = tally.bytes {
            slot = bytes;
        }
        let names: Vec<&str> = tally.full.iter().map(|it| it.rule.limit.name.as_str()).collect();
        match tightest(tally.standings.iter().copied()) {
            Some(standing) if names.is_empty() => format!("{} of {}", standing.left.remaining, standing.limit),
            _ => names.join(" "),
        }
    };
    users.iter().map(&mut one).collect()
}

#[test]
fn a_request_passes_where_every_limit_has_room_and_hears_of_the_tightest() {
    assert_eq!(check(TWO, &["ada", "ada", "eve", "eve"]), ["2 of 3", "1 of 3", "1 of 4", "0 of 4"]);
}

#[test]
fn a_request_that_one_limit_refuses_is_counted_by_none() {
    let told = check(TWO, &["ada", "ada", "ada", "ada", "ada", "eve", "eve", "ada"]);
    assert_eq!(told, ["2 of 3", "1 of 3", "0 of 3", "user", "user", "0 of 4", "project", "project user"]);
}

#[test]
fn a_limit_in_shadow_refuses_nothing_and_counts_what_it_would_have() {
    let shadow = r#"{"name": "s", "key": "user", "requests": 1, "per": "day", "mode": "shadow"},
        {"name": "user", "key": "user", "requests": 3, "per": "day"}"#;
    assert_eq!(check(shadow, &["ada"; 4]), ["2 of 3", "1 of 3", "0 of 3", "user"]);
    let once = spend(b"", &charges(shadow, "ada"), Micros(0)).bytes.unwrap();
    let twice = spend(&once, &charges(shadow, "ada"), Micros(0));
    assert_eq!(twice.shadowed[0].rule.limit.name, "s");
    assert!(matches!(twice.spent.as_slice(), [None, Some(_)]) && twice.bytes.is_some());
    let only = &charges(shadow, "ada")[..1];
    assert_eq!(spend(&once, only, Micros(0)).bytes, None, "there is nothing to write");
}

#[test]
fn what_is_given_back_was_never_spent() {
    let (two, now) = (charges(TWO, "ada"), Micros(2_000_000));
    let before = spend(b"", &charges(TWO, "ada"), Micros(0)).bytes.unwrap();
    let tally = spend(&before, &two, now);
    let spent: Vec<_> = two.into_iter().zip(tally.spent).filter_map(|(it, state)| Some((it, state?))).collect();
    let after = give_back(&tally.bytes.unwrap(), &spent, now);
    assert_eq!(Slot::<FullAt>::read(&after), Slot::read(&before));
    assert_eq!(Slot::<FullAt>::read(&give_back(b"garbage", &spent, now)), Slot::read(b""));
}

fn refused(limits: &str) -> Reply {
    let charges = charges(limits, "ada");
    let mut slot = Vec::new();
    loop {
        let tally = spend(&slot, &charges, Micros(0));
        match tally.bytes {
            Some(bytes) => slot = bytes,
            None => return too_many(&tally.full),
        }
    }
}

#[test]
fn a_refusal_names_the_limit_and_says_when_to_come_again() {
    let reply = refused(r#"{"name": "few", "key": "user", "requests": 1, "per": 10}"#);
    assert_eq!((reply.status, reply.code), (429, "rate_limit_exceeded"));
    assert_eq!(reply.message, "Rate limit reached: few, 1 request per 10 seconds. Try again in 10s.");
    let want = [("retry-after", "10"), ("retry-after-ms", "10000"), (LIMIT, "1"), (REMAINING, "0"), (RESET, "10s")];
    assert_eq!(reply.headers, want.map(|(name, value)| (name, value.to_owned())));
}

#[test]
fn the_wait_is_until_every_limit_has_room_and_a_long_one_is_not_to_be_retried() {
    let reply = refused(
        r#"{"name": "daily", "key": "user", "requests": 1, "per": "day"},
        {"name": "project", "key": "project", "requests": 1, "per": 10}"#,
    );
    let want = "Rate limit reached: project, 1 request per 10 seconds; daily, 1 request per day. Try again in 24h0m0s.";
    assert_eq!(reply.message, want);
    assert!(reply.headers.contains(&("x-should-retry", "false".to_owned())));
    assert!(reply.headers.contains(&(RESET, "24h0m0s".to_owned())));
}

#[test]
fn without_a_count_the_operator_chose() {
    let check = |rest: &str| {
        let json = format!(r#"{{"name": "x", "key": "user", "requests": 1, "per": 1, {rest}}}"#);
        denies_uncounted(&charges(&json, "ada")[0].rule)
    };
    assert!(check(r#""on_failure": "deny""#));
    assert!(!check(r#""on_failure": "allow""#));
    assert!(!check(r#""mode": "shadow""#));
    assert_eq!((nobody().status, unavailable().status), (401, 503));
}

#[test]
fn durations_are_written_as_go_writes_them() {
    for (micros, want) in [
        (0, "0s"),
        (1, "1ms"),
        (12_000, "12ms"),
        (999_001, "1s"),
        (1_000_000, "1s"),
        (1_500_000, "1.5s"),
        (8_640_000, "8.64s"),
        (60_000_000, "1m0s"),
        (72_345_000, "1m12.345s"),
        (360_000_000, "6m0s"),
        (3_600_000_000, "1h0m0s"),
        (86_400_000_000, "24h0m0s"),
    ] {
        assert_eq!(go_duration(Duration::from_micros(micros)), want);
    }
}

proptest! {
    /// All or nothing, against the plainest model there is: a list of the requests that passed.
    #[test]
    fn no_limit_counts_what_another_refused(
        asks in prop::collection::vec((0..3_usize, 0..4_000_000_u64), 1..80),
    ) {
        let (users, mut slot, mut now) = (["ada", "eve", "bob"], Vec::new(), 0);
        let mut passed: Vec<(usize, u64)> = Vec::new();
        for (user, gap) in asks {
            now += gap;
            let tally = spend(&slot, &charges(TWO, users[user]), Micros(now));
            let refused = !tally.full.is_empty();
            prop_assert_eq!(tally.bytes.is_none(), refused);
            if let Some(bytes) = tally.bytes {
                slot = bytes;
                passed.push((user, now));
            }
            // The allowance at `now`, told from those that passed alone.
            let left = |of: &dyn Fn(usize) -> bool, quota: Quota| {
                let spent = |state, at: &(usize, u64)| quota.spend(state, Micros(at.1)).unwrap().0;
                let state = passed.iter().filter(|it| of(it.0)).fold(FullAt::default(), spent);
                quota.left_at(state, Micros(now)).remaining
            };
            let two = charges(TWO, users[user]);
            let mine = left(&|it| it == user, two[1].quota);
            let all = left(&|_| true, two[0].quota);
            if refused {
                prop_assert!(mine == 0 || all == 0);
            } else {
                let told = tightest(tally.standings).unwrap().left.remaining;
                prop_assert_eq!(told, mine.min(all));
            }
        }
    }
}
