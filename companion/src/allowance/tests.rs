//! What the rule promises, over random questions.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "helpers of tests: an overflow is a failure"
)]

use super::*;
use proptest::prelude::*;

const BEGIN: u64 = 1_800_000_000_000_000;

fn limit(requests: u32, seconds: u32, burst: u32) -> Limit {
    let some = |it: u32| NonZeroU32::new(it).unwrap();
    Limit { requests: some(requests), seconds: some(seconds), burst: some(burst) }
}

fn ask(limit: Limit, need: u32, want: u32) -> Ask {
    Ask { limit, need, want, returned: Vec::new() }
}

/// The most and the least of `spent` (moments, sorted) that windows hold which begin where one is spent, or just
/// after; the least only over windows that end before the last one.
fn windows(spent: &[u64], window: u64) -> (usize, usize) {
    let (mut most, mut least) = (0, usize::MAX);
    for (nth, begin) in spent.iter().enumerate() {
        let held = spent[nth..].iter().take_while(|it| **it <= begin + window).count();
        most = most.max(held);
        if begin + window < *spent.last().unwrap() {
            least = least.min(held - 1);
        }
    }
    (most, least)
}

/// Three gateways that ask whenever they were told to, for so long: when each request was let by.
fn saturated(limit: Limit, windows: u64, delay: u64, want: u32) -> Vec<u64> {
    let window = u64::from(limit.seconds.get()) * 1_000_000;
    let (mut state, mut spent) = (State::default(), Vec::new());
    let mut nodes = [BEGIN, BEGIN + 3_000, BEGIN + 7_000];
    loop {
        let node = nodes.iter_mut().min().unwrap();
        let now = *node;
        if now > BEGIN + windows * window {
            return spent;
        }
        let (next, answer) = grant(state, Micros(now), &ask(limit, 1, want));
        state = next;
        assert!(state.slices.len() <= 124);
        spent.extend(std::iter::repeat_n(now, answer.granted as usize));
        *node = now + delay + answer.wait_ms * 1000;
    }
}

#[test]
fn a_limit_that_is_always_wanted_is_given_out() {
    let least_of_limit = |limit: Limit, delay, want| {
        let spent = saturated(limit, 20, delay, want);
        let share = spent.len() as f64 / (20.0 * f64::from(limit.requests.get()));
        assert!(share >= 0.95, "{limit:?}: {share}");
        // An even flow, once the burst of the beginning is over.
        let window = u64::from(limit.seconds.get()) * 1_000_000;
        let later: Vec<u64> = spent.into_iter().filter(|it| *it > BEGIN + 2 * window).collect();
        let (most, least) = windows(&later, window);
        assert!(most <= limit.requests.get() as usize);
        least * 100 / limit.requests.get() as usize
    };
    for (requests, seconds) in
        [(10, 10), (100, 10), (100, 60), (1000, 60), (60, 60), (7, 61), (3000, 3600), (50, 86_400)]
    {
        least_of_limit(limit(requests, seconds, requests), 1000, 64);
    }
    for (requests, seconds, burst) in [(100, 60, 5), (1000, 60, 50), (100, 10, 5), (1000, 3600, 50), (600, 60, 1)] {
        let least = least_of_limit(limit(requests, seconds, burst), 5000, 64);
        assert!(least >= 95, "{requests} in {seconds} s, burst {burst}: {least} %");
    }
}

/// What a gateway does: how long after the last one, how much it needs and wants on top, and of an earlier
/// grant, how much it brings back.
type Move = (u64, u32, u32, Option<(prop::sample::Index, u32)>);

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let gap = prop_oneof![0..1000_u64, 0..100_000_u64, 0..3_000_000_u64];
    let back = prop::option::of((any::<prop::sample::Index>(), 1..20_u32));
    prop::collection::vec((gap, 1..10_u32, 0..100_u32, back), 1..300)
}

fn limits() -> impl Strategy<Value = Limit> {
    (1..200_u32, prop_oneof![1..4_u32, 5..70_u32, Just(3600)], 1..250_u32)
        .prop_map(|(requests, seconds, burst)| limit(requests, seconds, burst))
}

proptest! {
    #[test]
    fn no_window_holds_more_than_the_limit_however_late_each_grant_is_spent(
        limit in limits(), moves in moves(), early in any::<bool>(),
    ) {
        let valid = limit.grid().valid;
        let (mut state, mut now) = (State::default(), BEGIN);
        // The moment, the slice, and what was not brought back.
        let mut grants: Vec<(u64, u64, u32)> = Vec::new();
        for (nth, (gap, need, more, back)) in moves.into_iter().enumerate() {
            now += gap;
            let mut ask = ask(limit, need, need + more);
            if let Some((which, count)) = back.filter(|_| !grants.is_empty()) {
                let (_, slice, left) = which.get_mut(&mut grants);
                let count = count.min(*left);
                *left -= count;
                ask.returned.push((*slice, count));
            }
            let (next, answer) = grant(state, Micros(now), &ask);
            state = next;
            prop_assert!(state.slices.len() as u64 <= limit.grid().behind + valid / limit.grid().slice + 2);
            prop_assert!(answer.granted <= ask.want.max(1));
            prop_assert_eq!(answer.granted == 0, answer.wait_ms > 0);
            prop_assert_eq!(State::decode(&state.encode()), Some(state.clone()));
            let spent = if early && nth % 2 == 0 { now } else { now + valid };
            grants.push((spent, answer.slice, answer.granted));
        }
        let mut spent: Vec<u64> = grants.iter().flat_map(|(at, _, count)| std::iter::repeat_n(*at, *count as usize)).collect();
        spent.sort_unstable();
        let (most, _) = windows(&spent, u64::from(limit.seconds.get()) * 1_000_000);
        prop_assert!(most <= limit.requests.get() as usize, "{most}");
    }

    #[test]
    fn who_waits_as_told_gets_it_and_who_comes_earlier_does_not(limit in limits(), moves in moves()) {
        let (mut state, mut now) = (State::default(), BEGIN);
        for (gap, need, more, _) in moves {
            now += gap;
            let ask = ask(limit, need, need + more);
            let (next, answer) = grant(state, Micros(now), &ask);
            state = next;
            if answer.granted == 0 {
                let at = |millis: u64| grant(state.clone(), Micros(now + millis * 1000), &ask).1.granted;
                prop_assert!(at(answer.wait_ms) > 0);
                prop_assert!(answer.wait_ms < 2 || at(answer.wait_ms - 2) == 0);
            }
        }
    }

    #[test]
    fn a_clock_that_is_set_back_holds_nobody_up_for_longer_than_a_window(limit in limits(), back in 0..10_000_000_000_u64) {
        let mut state = State::default();
        for nth in 0..500 {
            state = grant(state, Micros(BEGIN + nth), &ask(limit, 1, u32::MAX)).0;
        }
        let now = BEGIN - back;
        let (state, answer) = grant(state, Micros(now), &ask(limit, 1, 1));
        prop_assert!(answer.wait_ms <= limit.lifetime_ms(), "{}", answer.wait_ms);
        prop_assert!(state.slices.len() <= 124);
    }
}

#[test]
fn one_question_gets_an_eighth_of_what_is_left_and_at_least_what_it_needs() {
    let check = |need, want| {
        let (_, answer) = grant(State::default(), Micros(BEGIN), &ask(limit(80, 60, 80), need, want));
        (answer.granted, answer.remaining)
    };
    assert_eq!(check(1, 1), (1, 79));
    assert_eq!(check(1, 100), (10, 70));
    assert_eq!(check(30, 100), (30, 50));
    assert_eq!(check(30, 30), (30, 50));
    // More than there can be is all there is.
    assert_eq!(check(500, 500), (80, 0));
}

#[test]
fn who_only_brings_something_back_is_granted_nothing() {
    let limit = limit(8, 60, 8);
    let (state, first) = grant(State::default(), Micros(BEGIN), &ask(limit, 3, 3));
    let back = Ask { returned: vec![(first.slice, 2)], ..ask(limit, 0, 0) };
    let (state, second) = grant(state, Micros(BEGIN + 1), &back);
    assert_eq!((second.granted, second.wait_ms, second.remaining), (0, 0, 7));
    assert_eq!(state.slices, [(first.slice, 1)]);
}

#[test]
fn what_is_brought_back_is_there_for_others_once() {
    let limit = limit(8, 60, 2);
    let (state, first) = grant(State::default(), Micros(BEGIN), &ask(limit, 2, 2));
    let back =
        Ask { returned: vec![(first.slice, 2), (first.slice, 2), (first.slice + 1, 9), (0, 9)], ..ask(limit, 2, 2) };
    let (state, second) = grant(state, Micros(BEGIN + 1), &back);
    assert_eq!((second.granted, second.remaining, state.sum()), (2, 0, 2));
}

#[test]
fn a_text_that_is_no_state_is_none() {
    let read = |text: &str| State::decode(text);
    assert_eq!(read("17 5 0:2 3:1"), Some(State { full_at: Micros(17), slices: vec![(5, 2), (8, 1)] }));
    assert_eq!(read("0 0"), Some(State::default()));
    for wrong in ["", "17", "x 5", "17 5 0", "17 5 0:", "17 5 0:-1", "17 5  0:1", "17 18446744073709551615 1:1"] {
        assert_eq!(read(wrong), None, "{wrong}");
    }
}
