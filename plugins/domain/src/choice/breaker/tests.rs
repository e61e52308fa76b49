use super::*;
use proptest::prelude::*;

fn at(second: u64) -> Micros {
    Micros::from_seconds(1_700_000_000 + second)
}

/// What is admitted after `steps`, each `second what`: `+` success, `-` failure, `l` 429, `L` 429 that says 100, `?` asks,
/// `u` untried. An answer is `yes`, `probe` or the second until which it is refused.
fn check(steps: &str) -> Vec<String> {
    let (mut slot, mut said) = (Vec::new(), Vec::new());
    let mut words = steps.split_whitespace();
    while let (Some(second), Some(what)) = (words.next(), words.next()) {
        let now = at(second.parse().unwrap());
        for what in what.chars() {
            slot = Breaker::update(&slot, |it| match what {
                '+' => it.success(now),
                '-' => it.failure(now),
                'l' => it.cooldown(now, None),
                'L' => it.cooldown(now, Some(100)),
                'u' => it.untried(now),
                _ => said.push(match it.admit(now) {
                    Admit::Yes => "yes".to_owned(),
                    Admit::Probe => "probe".to_owned(),
                    Admit::No { until } | Admit::Later { until } => (until.seconds() - at(0).seconds()).to_string(),
                }),
            })
            .0;
        }
    }
    said
}

#[test]
fn five_failures_in_a_row_open_it() {
    assert_eq!(check("0 ----? 0 -?"), ["yes", "30"]);
    assert_eq!(check("0 ----+----? 0 -?"), ["yes", "30"]);
}

#[test]
fn half_of_ten_requests_within_a_minute_open_it() {
    assert_eq!(check("0 -+-+-+-+? 0 +-?"), ["yes", "30"]);
    assert_eq!(check("0 ++-++-++-++-++-?"), ["yes"], "a third");
    assert_eq!(check("0 -+-+-+-+ 59 +-?"), ["89"]);
    assert_eq!(check("0 -+-+-+-+ 60 +-?"), ["yes"], "the first eight are over");
}

#[test]
fn successes_that_are_told_later_count_as_at_once() {
    let told = |steps: &str, successes: u32| {
        let mut breaker = Breaker::read(&[]);
        steps.chars().for_each(|it| if it == '-' { breaker.failure(at(0)) } else { breaker.success(at(0)) });
        breaker.successes(at(0), successes);
        breaker
    };
    for steps in ["", "-", "----", "-----", "+-+-"] {
        for count in [0, 1, 7] {
            let at_once = told(&format!("{steps}{}", "+".repeat(usize::try_from(count).unwrap())), 0);
            assert_eq!(told(steps, count), at_once, "{steps} {count}");
        }
    }
    let well = |steps, successes| told(steps, successes).is_well(at(1));
    assert!(well("", 0) && well("+", 0) && well("-", 1) && !well("-", 0) && !well("-----", 9));
    let mut busy = told("+", 0);
    busy.cooldown(at(0), Some(2));
    assert!(!busy.is_well(at(1)) && busy.is_well(at(2)));
}

#[test]
fn one_probe_finds_out_whether_the_candidate_is_well_again() {
    assert_eq!(check("0 ----- 29 ? 30 ??? 31 +??"), ["30", "probe", "90", "90", "yes", "yes"]);
    assert_eq!(check("0 ----- 30 ? 89 ? 90 ??"), ["probe", "90", "probe", "150"], "a lost probe");
    assert_eq!(check("0 ----- 30 ?u??"), ["probe", "probe", "90"], "a probe that was given back");
}

#[test]
fn each_failed_probe_doubles_the_time_up_to_sixteen_fold() {
    let steps = "0 ----- 30 ?-? 90 ?-? 210 ?-? 450 ?-? 930 ?-? 1410 ?+? 1410 -----?";
    let said = check(steps);
    let expected =
        ["probe", "90", "probe", "210", "probe", "450", "probe", "930", "probe", "1410", "probe", "yes", "1440"];
    assert_eq!(said, expected);
}

#[test]
fn what_was_under_way_when_it_opened_changes_nothing() {
    assert_eq!(check("0 ----- 1 -------+? 30 ?"), ["30", "probe"]);
}

#[test]
fn a_429_is_no_failure_and_says_how_long_to_wait() {
    assert_eq!(check("0 llllll? 30 ?"), ["30", "yes"]);
    assert_eq!(check("0 L 1 l? 99 ? 100 ?"), ["100", "100", "yes"]);
    assert_eq!(check("0 ----l 30 ?-?"), ["yes", "60"], "it ends no row of failures either");
    assert_eq!(check("0 ----- 30 ?L? 130 ?+?"), ["probe", "130", "probe", "yes"], "nor a failed probe");
}

#[test]
fn no_429_asks_for_longer_than_an_hour() {
    let mut breaker = Breaker::default();
    breaker.cooldown(at(0), Some(u64::MAX));
    assert_eq!(breaker.peek(at(0)), Admit::Later { until: at(3_600) });
    breaker.cooldown(at(9_999), Some(0));
    assert_eq!(breaker.peek(at(9_999)), Admit::Later { until: at(10_000) });
}

#[test]
fn a_clock_that_is_set_back_closes_nobody_out() {
    let mut breaker = Breaker::default();
    (0..5).for_each(|_| breaker.failure(at(1_000_000)));
    breaker.cooldown(at(1_000_000), None);
    assert_eq!(breaker.peek(at(0)), Admit::Probe);
    breaker.cooldown(at(0), None);
    assert_eq!(breaker.peek(at(0)), Admit::No { until: at(30) });
}

proptest! {
    #[test]
    fn any_bytes_are_a_breaker_that_never_shuts_anybody_out(mut slot in prop::collection::vec(any::<u8>(), SIZE), version in any::<bool>(), second in 0_u64..1 << 40) {
        if version {
            slot[0] = VERSION;
        }
        let now = Micros::from_seconds(second);
        let mut breaker = Breaker::read(&slot);
        prop_assert_eq!(&Breaker::read(&breaker.bytes()), &breaker);
        // It names each of its two times at most once, and never one that is far away.
        let mut asked = now;
        for _ in 0..2 {
            if let Admit::No { until } | Admit::Later { until } = breaker.peek(asked) {
                prop_assert!(until > asked && until <= asked.after(LATEST));
                asked = until;
            }
        }
        let admit = breaker.admit(asked);
        prop_assert!(admit == Admit::Yes || admit == Admit::Probe);
        breaker.cooldown(asked, Some(u64::MAX));
        let refused = matches!(breaker.peek(asked), Admit::No { .. } | Admit::Later { .. });
        prop_assert!(refused);
    }

    /// Any story: nobody is admitted before the moment that was told, and of those who are told to probe only one at a
    /// time.
    #[test]
    fn nobody_is_admitted_before_the_time_and_one_alone_probes(steps in prop::collection::vec((0_u8..7, 0_u64..40), 0..200)) {
        let (mut slot, mut second) = (Vec::new(), 0_u64);
        let (mut closed_until, mut probe): (Micros, Option<Micros>) = (Micros(0), None);
        for (step, wait) in steps {
            let now = at(second);
            let (next, admit) = Breaker::update(&slot, |it| {
                match step {
                    0 | 1 => it.failure(now),
                    2 => it.success(now),
                    3 if wait % 4 == 0 => it.cooldown(now, Some(wait)),
                    4 | 5 => return Some(it.admit(now)),
                    _ => {}
                }
                None
            });
            prop_assert!(next.is_empty() || next.len() == SIZE);
            slot = next;
            match (step, admit) {
                (_, Some(Admit::Yes)) => prop_assert!(now >= closed_until && probe.is_none_or(|it| it <= now)),
                (_, Some(Admit::Probe)) => {
                    prop_assert!(now >= closed_until);
                    prop_assert!(probe.is_none_or(|it| it <= now), "two probes");
                    probe = Some(now.after(PROBE));
                }
                (_, Some(Admit::No { until })) => {
                    prop_assert!(until > now);
                    // A probe's outcome may let others in sooner than its time; nothing else does.
                    if probe.is_none_or(|it| it <= now) {
                        closed_until = until;
                    }
                }
                (0..=2, None) => probe = None,
                (3, None) if wait % 4 == 0 => probe = None,
                _ => second += wait,
            }
        }
    }
}
