use super::*;
use proptest::prelude::*;

fn at(days: u64) -> Micros {
    Micros::from_seconds(days * DAY_SECONDS + 100)
}

fn sample(ok: bool, millis: u64, valid: Option<bool>, reward: Option<f64>) -> Sample {
    let verdict = Verdict { valid, tools: None };
    Sample { ok, first_byte: Some(Duration::from_millis(millis)), throughput: Some(50.0), verdict, reward }
}

/// The measures of answers on a day each, with these rewards.
fn check(answers: &[(u64, f64)]) -> Measures {
    let mut measures = Measures::default();
    for (day, reward) in answers {
        measures.add(&sample(true, 100, Some(true), Some(*reward)), at(*day));
    }
    measures
}

fn is_close(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * one.abs().max(1.0)
}

fn is_same(one: &Measures, other: &Measures, now: Micros) -> bool {
    let average = |one: Option<f64>, other: Option<f64>| match (one, other) {
        (Some(one), Some(other)) => is_close(one, other),
        (one, other) => one == other,
    };
    let (ours, theirs) = (one.window(now), other.window(now));
    one.count() == other.count()
        && average(one.first_byte(), other.first_byte())
        && average(one.validity(), other.validity())
        && ours.count == theirs.count
        && is_close(ours.mean, theirs.mean)
        && is_close(ours.squares, theirs.squares)
}

#[test]
fn an_average_begins_with_the_first_number_and_moves_by_a_tenth() {
    let mut measures = Measures::default();
    assert_eq!((measures.first_byte(), measures.validity(), measures.tools()), (None, None, None));
    measures.add(&sample(true, 500, Some(true), None), at(0));
    assert!(is_close(measures.first_byte().unwrap(), 0.5) && is_close(measures.validity().unwrap(), 1.0));
    for _ in 0..200 {
        measures.add(&sample(true, 500, Some(true), None), at(0));
    }
    measures.add(&sample(true, 1500, Some(false), None), at(0));
    assert!(is_close(measures.first_byte().unwrap(), 0.6) && is_close(measures.validity().unwrap(), 0.9));
    assert_eq!((measures.count(), measures.window(at(0)).count), (202, 0));
}

#[test]
fn a_failure_is_not_quick() {
    let mut measures = Measures::default();
    measures.add(&sample(false, 1, None, Some(0.0)), at(0));
    assert_eq!(
        (measures.first_byte(), measures.throughput(), measures.success(), measures.validity()),
        (None, None, Some(0.0), Some(0.0))
    );
    assert_eq!(measures.window(at(0)).count, 1);
}

#[test]
fn an_answer_that_was_not_judged_counts_for_its_speed_only() {
    let mut measures = Measures::default();
    measures.add(&sample(true, 500, None, None), at(0));
    assert_eq!((measures.count(), measures.validity(), measures.window(at(0)).count), (1, None, 0));
}

#[test]
fn rewards_have_the_mean_and_the_variance_that_they_have() {
    let window = check(&[(0, 0.2), (0, 0.4), (1, 0.9)]).window(at(1));
    assert_eq!(window.count, 3);
    assert!(is_close(window.mean, 0.5) && is_close(window.squares, 0.09 + 0.01 + 0.16));
}

#[test]
fn a_reward_counts_for_seven_days() {
    let days: Vec<(u64, f64)> = (0..20).map(|day| (day, 0.5)).collect();
    let measures = check(&days);
    let count = |now| measures.window(at(now)).count;
    assert_eq!([19, 20, 25, 26, 100].map(count), [7, 6, 1, 0, 0]);
    assert_eq!(check(&[(9, 0.5), (2, 0.5)]).window(at(9)).count, 1, "one that comes a week late is left out");
}

#[test]
fn days_to_come_are_not_taken_over() {
    let ahead = check(&[(1, 0.5), (2, 0.5), (5, 0.5), (8, 0.5)]).until(at(1));
    assert_eq!(ahead.window(at(8)).count, 1);
    assert_eq!(ahead.window(at(2)).count, 1, "of day 1 nothing is left, for day 8 had taken its place");
}

#[test]
fn what_is_taken_is_told_once_and_stays_known() {
    let (slot, taken) = Kept::update(&[], |it| {
        it.add(&sample(true, 100, Some(true), Some(0.5)), at(0));
        it.take()
    });
    let kept = Kept::read(&slot);
    assert_eq!((taken.count(), kept.measures().count(), kept.fresh.is_empty()), (1, 1, true));
    let (slot, ()) = Kept::update(&slot, |it| {
        it.add(&sample(true, 100, Some(true), Some(0.5)), at(0));
        it.learn(check(&[(0, 0.1), (0, 0.2), (0, 0.3)]));
    });
    assert_eq!(Kept::read(&slot).measures().count(), 4);
    let (slot, ()) = Kept::update(&slot, |it| it.untold(taken));
    assert_eq!(Kept::read(&slot).fresh.count(), 2);
    assert_eq!(Kept::update(&slot, |_| ()).0, slot);
}

#[test]
fn no_bytes_are_nothing() {
    for slot in [&b""[..], b"\x01", b"garbage", &[7; SIZE], &[1; SIZE + 1]] {
        assert_eq!(Kept::read(slot), Kept::default());
    }
    assert_eq!(Kept::default().bytes().len(), SIZE);
}

fn answers() -> impl proptest::strategy::Strategy<Value = Vec<(u64, f64)>> {
    prop::collection::vec((0_u64..20, 0.0..=1.0), 0..30)
}

proptest! {
    #[test]
    fn any_bytes_are_measures_that_can_be(mut slot in prop::collection::vec(any::<u8>(), SIZE), now in any::<u64>()) {
        slot[0] = VERSION;
        let kept = Kept::read(&slot);
        prop_assert_eq!(&Kept::read(&kept.bytes()), &kept);
        let measures = kept.measures();
        let window = measures.window(Micros(now));
        prop_assert!((0.0..=1.0).contains(&window.mean) && window.squares >= 0.0);
        prop_assert!([measures.validity(), measures.success(), measures.tools()].into_iter().flatten().all(|it| (0.0..=1.0).contains(&it)));
        prop_assert!([measures.first_byte(), measures.throughput()].into_iter().flatten().all(f64::is_finite));
    }

    /// However the answers are cut among gateways and later put together, the same is known.
    #[test]
    fn parts_are_put_together_to_the_same_whole(mut all in answers(), one in 0_usize..30, other in 0_usize..30) {
        all.sort_by_key(|it| it.0);
        let (one, other) = (one.min(all.len()), other.min(all.len()));
        let [a, b, c] = [&all[..one.min(other)], &all[one.min(other)..one.max(other)], &all[one.max(other)..]].map(check);
        let now = at(all.last().map_or(0, |it| it.0));
        let (left, right) = (a.clone().then(&b).then(&c), a.clone().then(&b.clone().then(&c)));
        prop_assert!(is_same(&left, &right, now), "{left:?} {right:?}");
        prop_assert!(is_same(&left, &check(&all), now), "{left:?} {all:?}");
        // Rewards, in any order.
        let (ours, theirs) = (left.window(now), c.then(&a).then(&b).window(now));
        prop_assert!(ours.count == theirs.count && is_close(ours.mean, theirs.mean) && is_close(ours.squares, theirs.squares));
    }
}
