use super::*;
use proptest::prelude::*;

const SECOND: u64 = 1_000_000;

fn quota(json: &str) -> Quota {
    serde_json::from_str(json).unwrap()
}

fn plain(requests: u32, seconds: u32) -> Quota {
    Quota::new(requests.try_into().unwrap(), seconds.try_into().unwrap())
}

/// What each of the requests at these microseconds gets: what is left, or how long to wait.
fn check(quota: Quota, at: impl IntoIterator<Item = u64>) -> Vec<Result<u32, u128>> {
    let mut state = FullAt::default();
    let mut spend = |now| match quota.spend(state, Micros(now)) {
        Ok((next, left)) => {
            state = next;
            Ok(left.remaining)
        }
        Err(refused) => Err(refused.wait.as_micros()),
    };
    at.into_iter().map(&mut spend).collect()
}

fn granted(quota: Quota, at: impl IntoIterator<Item = u64>) -> usize {
    check(quota, at).iter().filter(|it| it.is_ok()).count()
}

#[test]
fn a_burst_gets_the_whole_allowance_and_no_more() {
    assert_eq!(check(plain(3, 60), [0, 0, 0, 0]), [Ok(2), Ok(1), Ok(0), Err(20_000_000)]);
    let larger = quota(r#"{"requests": 1, "per": "second", "burst": 4}"#);
    assert_eq!(granted(larger, [0; 9]), 4);
    let smaller = quota(r#"{"requests": 60, "per": "minute", "burst": 2}"#);
    assert_eq!(granted(smaller, [0, 0, 0, SECOND, SECOND]), 3);
}

#[test]
fn an_allowance_that_does_not_divide_the_window_is_not_rounded_down() {
    for requests in 1..500 {
        let want = usize::try_from(requests).unwrap();
        assert_eq!(granted(plain(requests, 10), [0; 501]), want);
    }
}

#[test]
fn no_fraction_is_lost_over_a_million_requests() {
    // Seven a second, asked for at the first microsecond at which each can be granted.
    let (quota, mut state) = (plain(7, 1), FullAt::default());
    for nth in 0..1_000_000_u64 {
        let now = Micros(nth.saturating_sub(6) * SECOND / 7 + u64::from(nth > 6 && (nth - 6) % 7 != 0));
        let early = Micros(now.0.saturating_sub(1));
        if nth > 6 {
            assert!(quota.spend(state, early).is_err(), "{nth}");
        }
        state = quota.spend(state, now).unwrap().0;
    }
}

#[test]
fn the_allowance_comes_back_evenly() {
    let at = [0, 0, 0, 19, 20, 20].map(|it| it * SECOND);
    assert_eq!(granted(plain(3, 60), at), 4);
}

#[test]
fn remaining_and_reset_say_what_would_be_granted() {
    let quota = plain(3, 60);
    let (state, left) = quota.spend(FullAt::default(), Micros(SECOND)).unwrap();
    assert_eq!(left, Left { remaining: 2, reset: Duration::from_secs(20) });
    let (_, left) = quota.spend(state, Micros(2 * SECOND)).unwrap();
    assert_eq!(left, Left { remaining: 1, reset: Duration::from_secs(39) });
}

#[test]
fn a_clock_set_back_or_another_quotas_state_owes_no_more_than_one_burst() {
    let later = FullAt { at: Micros(u64::MAX), part: u32::MAX };
    let refused = plain(3, 60).spend(later, Micros(0)).unwrap_err();
    assert_eq!(refused.wait, Duration::from_secs(20));
    assert_eq!(refused.left, Left { remaining: 0, reset: Duration::from_secs(60) });
}

#[test]
fn the_largest_quota_counts_too() {
    let most = quota(r#"{"requests": 4294967295, "per": 4294967295, "burst": 4294967295}"#);
    assert_eq!(check(most, [1, 1]), [Ok(u32::MAX - 1), Ok(u32::MAX - 2)]);
    let slowest = quota(r#"{"requests": 1, "per": 4294967295, "burst": 4294967295}"#);
    assert_eq!(granted(slowest, [0, 1]), 2);
}

#[test]
fn of_two_quotas_the_slower_is_below_and_then_the_one_with_the_smaller_burst() {
    let json = [
        r#"{"requests": 100, "per": "day"}"#,
        r#"{"requests": 59, "per": "minute"}"#,
        r#"{"requests": 60, "per": "minute", "burst": 5}"#,
        r#"{"requests": 1, "per": "second", "burst": 6}"#,
    ];
    let quotas = json.map(quota);
    for (nth, one) in quotas.iter().enumerate() {
        let below: Vec<bool> = quotas.iter().map(|other| one.below(*other)).collect();
        let want: Vec<bool> = (0..quotas.len()).map(|other| nth < other).collect();
        assert_eq!(below, want, "{one}");
    }
}

#[test]
fn what_is_given_back_at_once_was_never_spent() {
    let quota = plain(7, 60);
    let before = quota.spend(FullAt::default(), Micros(SECOND)).unwrap().0;
    let (spent, _) = quota.spend(before, Micros(2 * SECOND)).unwrap();
    assert_eq!(quota.refund(spent, spent, Micros(2 * SECOND)), before);
    // Evicted meanwhile, or whole again: there is nothing to give.
    let nothing = quota.refund(FullAt::default(), spent, Micros(2 * SECOND));
    assert_eq!(quota.left_at(nothing, Micros(2 * SECOND)).remaining, 7);
    assert_eq!(quota.refund(spent, spent, Micros(900 * SECOND)).at, Micros(900 * SECOND));
}

#[test]
fn a_configuration_says_what_is_wrong_with_it() {
    let check = |json: &str| serde_json::from_str::<Quota>(json).unwrap_err().to_string();
    for (json, why) in [
        (r#"{"requests": 0, "per": "day"}"#, "`requests` is 0; expected a whole number from 1"),
        (r#"{"requests": -1, "per": "day"}"#, "`requests` is -1; expected"),
        (r#"{"requests": "ten", "per": "day"}"#, "`requests` is \"ten\"; expected"),
        (r#"{"requests": 1, "per": "week"}"#, "`per` is \"week\"; expected \"second\","),
        (r#"{"requests": 1, "per": 0}"#, "`per` is 0; expected"),
        (r#"{"requests": 1, "per": 1.5}"#, "`per` is 1.5; expected"),
        (r#"{"requests": 1, "per": "day", "burst": 0}"#, "`burst` is 0; expected"),
        (r#"{"requests": 1, "per": "day", "burst": null}"#, "`burst` is null; expected"),
        (r#"{"requests": 1}"#, "missing field `per`"),
        (r#"{"requests": 1, "per": "day", "brust": 1}"#, "unknown field `brust`"),
    ] {
        let said = check(json);
        assert!(said.contains(why), "{json}: {said}");
    }
}

#[test]
fn a_quota_reads_as_a_sentence() {
    let check = |json: &str| quota(json).to_string();
    assert_eq!(check(r#"{"requests": 10, "per": "minute"}"#), "10 requests per minute");
    assert_eq!(check(r#"{"requests": 1, "per": 86400}"#), "1 request per day");
    assert_eq!(check(r#"{"requests": 2, "per": 90}"#), "2 requests per 90 seconds");
}

proptest! {
    #[test]
    fn no_span_gets_more_than_the_burst_and_its_share(
        requests in 1..200_u32, seconds in 1..100_u32, burst in 1..50_u32,
        gaps in prop::collection::vec(0..300_000_u64, 1..300),
    ) {
        let quota = Quota { burst: NonZeroU32::new(burst), ..plain(requests, seconds) };
        let at: Vec<u64> = gaps.iter().scan(0, |now, gap| { *now += gap; Some(*now) }).collect();
        let granted: Vec<u64> = check(quota, at.clone()).iter().zip(&at)
            .filter(|(it, _)| it.is_ok()).map(|(_, at)| *at).collect();
        for (nth, from) in granted.iter().enumerate() {
            for (count, to) in granted[nth..].iter().enumerate() {
                let share = u128::from(to - from) * u128::from(requests);
                let window = u128::from(seconds) * 1_000_000;
                prop_assert!((count as u128 + 1 - u128::from(burst).min(count as u128 + 1)) * window <= share);
            }
        }
    }

    #[test]
    fn nobody_gains_by_a_request_that_is_given_back(
        requests in 1..40_u32, burst in 1..40_u32, given_back in 0..60_usize, later in 0..20_000_000_u64,
        gaps in prop::collection::vec(0..3_000_000_u64, 1..60),
    ) {
        // Two histories: one in which the request is given back later, and one in which it never came.
        let quota = Quota { burst: NonZeroU32::new(burst), ..plain(requests, 10) };
        let (mut with, mut without, mut spent, mut now) = (FullAt::default(), FullAt::default(), None, 0);
        for (nth, gap) in gaps.iter().enumerate() {
            now += gap;
            if nth == given_back {
                spent = quota.spend(with, Micros(now)).ok().map(|it| it.0);
                with = spent.unwrap_or(with);
            } else if let Ok((next, _)) = quota.spend(with, Micros(now)) {
                with = next;
                without = quota.spend(without, Micros(now)).unwrap().0;
            }
        }
        if let Some(spent) = spent {
            let now = Micros(now + later);
            let (after, whole) = (quota.refund(with, spent, now), FullAt { at: now, part: 0 });
            prop_assert!(after.max(whole) >= without);
            prop_assert!(after <= with.max(whole));
        }
    }

    #[test]
    fn the_wait_is_enough_and_not_more(
        requests in 1..1_000_u32, seconds in 1..100_u32, now in 0..u64::MAX / 2, later in 0..1_000_000_u64,
    ) {
        let (quota, mut state, now) = (plain(requests, seconds), FullAt::default(), Micros(now));
        while let Ok((next, _)) = quota.spend(state, now) {
            state = next;
        }
        let now = Micros(now.0 + later);
        if let Err(refused) = quota.spend(state, now) {
            let there = now.after(refused.wait);
            prop_assert!(quota.spend(state, there).is_ok());
            prop_assert!(quota.spend(state, Micros(there.0 - 1)).is_err());
        }
    }
}
