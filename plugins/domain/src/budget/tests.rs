//! Any interleaving keeps within the limit, in one gateway and in a fleet.

mod fleet;

use super::*;
use proptest::prelude::*;

const TTL: Duration = Duration::from_secs(80);

fn terms(limit: u64) -> Terms {
    Terms { limit, start: Micros(0), end: Micros::from_seconds(86_400), window: None, leased: false }
}

fn ask(least: u64, most: u64) -> Ask {
    Ask { least, most, anyway: false }
}

/// An account at second 1, and what `amounts` reserve of it, each at least 1.
fn account(terms: &Terms, amounts: &[u64]) -> (State, Vec<Option<u64>>) {
    let now = Micros::from_seconds(1);
    let mut state = State::default().at(terms, now);
    let got = amounts.iter().map(|it| state.reserve(terms, ask(1, *it), TTL, now).ok().map(|it| it.amount())).collect();
    (state, got)
}

#[test]
fn a_reservation_is_cut_to_what_is_left_and_refused_when_nothing_is() {
    assert_eq!(account(&terms(100), &[60, 60, 60]).1, [Some(60), Some(40), None]);
    assert_eq!(account(&terms(100), &[u64::MAX]).1, [Some(100)]);
}

#[test]
fn a_lack_says_whether_waiting_helps() {
    let (terms, now) = (terms(100), Micros::from_seconds(1));
    let (mut state, _) = account(&terms, &[30]);
    let first = state.reserve(&terms, ask(1, 50), TTL, now).unwrap();
    assert_eq!(state.reserve(&terms, ask(60, 60), TTL, now), Err(Lack { used: 0, in_flight: true }));
    state.settle(&terms, &first, 50, now);
    assert_eq!(state.reserve(&terms, ask(60, 60), TTL, now), Err(Lack { used: 50, in_flight: false }));
    assert_eq!(state.used(), 50);
}

#[test]
fn a_soft_budget_reserves_anyway() {
    let (terms, now) = (terms(10), Micros::from_seconds(1));
    let (mut state, _) = account(&terms, &[10]);
    let more = Ask { least: 5, most: 50, anyway: true };
    let reserved = state.reserve(&terms, more, TTL, now).unwrap();
    state.settle(&terms, &reserved, 50, now);
    assert_eq!((state.used(), state.free(&terms)), (50, 0));
}

#[test]
fn what_nobody_settles_expires() {
    let terms = terms(100);
    let (state, _) = account(&terms, &[100]);
    let free = |second| state.clone().at(&terms, Micros::from_seconds(second)).free(&terms);
    assert_eq!((free(81), free(81 + 80 / 8 + 1)), (0, 100));
}

#[test]
fn what_settles_after_it_expired_counts_and_gives_nothing_back_twice() {
    let (terms, late) = (terms(100), Micros::from_seconds(200));
    let mut state = State::default().at(&terms, Micros::from_seconds(1));
    let old = state.reserve(&terms, ask(1, 40), TTL, Micros::from_seconds(1)).unwrap();
    state = state.at(&terms, late);
    let new = state.reserve(&terms, ask(1, 30), TTL, late).unwrap();
    state.settle(&terms, &old, 40, late);
    assert_eq!(state.free(&terms), 30);
    state.settle(&terms, &new, 1, late);
    assert_eq!(state.free(&terms), 59);
}

#[test]
fn a_request_belongs_to_the_period_in_which_it_began() {
    let today = terms(100);
    let tomorrow = Terms { start: today.end, end: Micros(today.end.0 * 2), ..today };
    let mut state = State::default().at(&today, Micros::from_seconds(86_399));
    let reserved = state.reserve(&today, ask(1, 60), TTL, Micros::from_seconds(86_399)).unwrap();
    let after = Micros::from_seconds(86_401);
    state = state.at(&tomorrow, after);
    assert_eq!(state.free(&tomorrow), 100);
    state = state.at(&today, after);
    state.settle(&today, &reserved, 60, after);
    assert_eq!(state.at(&tomorrow, after).free(&tomorrow), 100);
}

#[test]
fn a_reservation_grows_while_something_is_left_and_comes_back_after_it_expired() {
    let (terms, now) = (terms(100), Micros::from_seconds(1));
    let mut state = State::default().at(&terms, now);
    let small = state.reserve(&terms, ask(1, 10), TTL, now).unwrap();
    let grown = state.extend(&terms, &small, 50, TTL, now).unwrap();
    assert_eq!((grown.amount(), state.free(&terms)), (60, 40));
    let late = Micros::from_seconds(500);
    state = state.at(&terms, late);
    assert_eq!(state.free(&terms), 100);
    let again = state.extend(&terms, &grown, 70, TTL, late).unwrap();
    assert_eq!((again.amount(), state.free(&terms)), (100, 0));
    assert_eq!(state.extend(&terms, &again, 1, TTL, late), None);
    state.settle(&terms, &again, 100, late);
    assert_eq!((state.used(), state.free(&terms)), (100, 0));
}

proptest! {
    /// A rolling window never lets more than its limit through in any span of its length.
    #[test]
    fn a_rolling_window_holds_in_every_span(steps in prop::collection::vec((0_u64..40, 1_u64..60), 1..80)) {
        let window = 100;
        let terms = Terms { window: Some(Duration::from_secs(window)), end: Micros(u64::MAX), ..terms(100) };
        let (mut state, mut second, mut spent) = (State::default(), 1, Vec::<(u64, u64)>::new());
        for (wait, amount) in steps {
            second += wait;
            let now = Micros::from_seconds(second);
            state = state.at(&terms, now);
            if let Ok(it) = state.reserve(&terms, ask(1, amount), TTL, now) {
                state.settle(&terms, &it, it.amount(), now);
                spent.push((second, it.amount()));
            }
            let sum: u64 = spent.iter().filter(|(at, _)| at + window > second).map(|(_, it)| it).sum();
            prop_assert!(sum <= 100, "{spent:?}");
        }
        let later = Micros::from_seconds(second + window + window / 48 * 2 + 2);
        prop_assert_eq!(state.at(&terms, later).free(&terms), 100);
    }

    /// One gateway, any order of reserving, growing, settling, dying and waiting: never over the limit, nothing leaks.
    #[test]
    fn used_and_reserved_stay_within_the_limit(steps in prop::collection::vec((0_u8..5, 0_u64..50, 0_usize..8), 0..120)) {
        let (terms, mut second) = (terms(200), 1_u64);
        let (mut state, mut open, mut spent) = (State::default(), Vec::new(), 0);
        for (step, amount, nth) in steps {
            let now = Micros::from_seconds(second);
            state = state.at(&terms, now);
            let nth = nth % open.len().max(1);
            match step {
                0 | 1 => open.extend(state.reserve(&terms, ask(amount / 2, amount), TTL, now).ok().map(|it| (it, second))),
                2 if !open.is_empty() => {
                    let (it, at) = open.swap_remove(nth);
                    open.push((state.extend(&terms, &it, amount, TTL, now).unwrap_or(it), at));
                }
                3 if !open.is_empty() => {
                    let (it, _) = open.swap_remove(nth);
                    let used = amount.min(it.amount());
                    state.settle(&terms, &it, used, now);
                    spent += used;
                }
                // Time passes. Who has not settled for so long died: nobody settles for them.
                _ => {
                    second += amount;
                    open.retain(|(_, at)| at + TTL.as_secs() > second);
                }
            }
            prop_assert_eq!(state.used(), spent);
            prop_assert!(state.bound() <= 200);
            let held: u64 = open.iter().map(|(it, _)| it.amount()).sum();
            prop_assert!(step > 3 || held <= state.reserved.sum());
        }
        let later = state.at(&terms, Micros::from_seconds(second + 2 * TTL.as_secs()));
        prop_assert_eq!(later.free(&terms), 200 - spent, "nothing leaks");
    }

    #[test]
    fn any_bytes_are_a_slot(slot in prop::collection::vec(any::<u8>(), 0..300), layout in any::<bool>(), seconds in 0_u64..1_000_000) {
        let slot = if layout { [&[2_u8], slot.as_slice()].concat() } else { slot };
        let (terms, now) = (terms(100), Micros::from_seconds(seconds));
        let (next, reserved) = table::update(&slot, 7, &terms, now, |state| state.reserve(&terms, ask(0, 5), TTL, now));
        let kept = table::read(&next, 7).unwrap_or_default();
        prop_assert!(reserved.is_err() || kept.bound() >= reserved.unwrap().amount());
    }
}

fn write(slot: &[u8], key: u64, used: u64, at: u64) -> Vec<u8> {
    let (terms, now) = (terms(1_000), Micros::from_seconds(at));
    let spend = |state: &mut State| {
        let it = state.reserve(&terms, ask(1, used), TTL, now).unwrap();
        state.settle(&terms, &it, used, now);
    };
    table::update(slot, key, &terms, now, spend).0
}

#[test]
fn what_is_written_is_read_again() {
    let (terms, now) = (terms(1_000), Micros::from_seconds(9));
    let slot = write(&write(&[], 1, 5, 2), 2, 6, 3);
    let all = |state: &mut State| {
        let question = state.ask(TTL, now);
        state.answered(&question, &Answer { granted: 500, used: 40, left: 0, charged: 2 }, now);
        drop(state.reserve(&Terms { leased: true, ..terms }, ask(1, 9), TTL, now));
        state.clone()
    };
    let (slot, state) = table::update(&slot, 1, &terms, now, all);
    assert_eq!(table::read(&slot, 1), Some(state));
    assert_eq!(table::read(&slot, 2).map(|it| it.used()), Some(6));
    assert_eq!(table::read(&slot, 3), None);
}

#[test]
fn a_full_slot_evicts_whoever_used_the_least_share_and_no_one_else() {
    let mut slot = Vec::new();
    for key in 0..=16 {
        slot = write(&slot, key, if key == 3 { 1 } else { 100 + key }, 1);
    }
    let there = |key: &u64| table::read(&slot, *key).is_some();
    assert_eq!((0..=16).filter(there).collect::<Vec<_>>(), [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
}

#[test]
fn a_refusal_of_a_stranger_leaves_the_slot_byte_for_byte() {
    let (terms, now) = (terms(1), Micros::from_seconds(1));
    for slot in [&b""[..], b"\0", b"garbage", &write(&[], 1, 5, 2)] {
        assert_eq!(table::update(slot, 9, &terms, now, |it| it.reserve(&terms, ask(2, 2), TTL, now)).0, slot);
    }
}

#[test]
fn a_lease_of_more_than_all_there_is_lends_no_more_than_that() {
    let now = Micros::from_seconds(1);
    let check = |window| {
        let terms = Terms { leased: true, window, ..terms(100) };
        let (mut state, _) = account(&terms, &[]);
        let question = state.ask(TTL, now);
        state.answered(&question, &Answer { granted: u64::MAX, used: 0, left: u64::MAX, charged: 0 }, now);
        state.free(&terms)
    };
    assert_eq!(check(None), 100);
    // In a rolling window what was lent adds up, as what was used does.
    assert_eq!(check(Some(Duration::from_secs(60))), u64::MAX);
}
