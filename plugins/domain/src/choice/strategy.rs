//! By what candidates are put in order.

use super::{bandit, measure::Measures, rng::Rng};
use crate::time::Micros;
use serde::Deserialize;
use std::cmp::Ordering;
use std::num::NonZeroU32;

/// One of so many requests, on average, goes first to a candidate that is not the best by its measures: those of the
/// others would be as old as their last failover otherwise.
const EXPLORED: u64 = 20;
/// Who was tried so often and still has no measure (it never answered, or not in a way that is measured) is tried last.
const TRIED: u32 = 5;

/// By what candidates are put in order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Strategy {
    /// As they stand in the configuration.
    #[default]
    Priority,
    /// The cheapest first, input and output token together; who has no known price last.
    Price,
    /// The shortest time to the first byte first.
    Latency,
    /// The most tokens per second first.
    Throughput,
    /// The most often valid answers with right tool calls first.
    Quality,
    /// By chance, each as often first as its weight says.
    Weighted,
    /// By what they are likely to be worth: validity, tool calls, price and speed, tried out as much as that is uncertain.
    Bandit,
}

impl Strategy {
    /// Its name in a configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Priority => "priority",
            Self::Price => "price",
            Self::Latency => "latency",
            Self::Throughput => "throughput",
            Self::Quality => "quality",
            Self::Weighted => "weighted",
            Self::Bandit => "bandit",
        }
    }

    /// Whether it needs what is measured of answers.
    #[must_use]
    pub fn measures(self) -> bool {
        matches!(self, Self::Latency | Self::Throughput | Self::Quality | Self::Bandit)
    }
}

/// What is known of a candidate.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Of an input and an output token together, in pico-dollars.
    pub price: Option<u64>,
    /// How often it is to be first under [`Strategy::Weighted`], next to the others.
    pub weight: NonZeroU32,
    /// From its answers.
    pub measures: &'a Measures,
}

/// The order in which to try the candidates: their places, the first to try in front.
///
/// Where a measure decides, who has none yet comes first, so that it gets one; and now and then one of the others is put in
/// front, for the same reason. Who is equal stays as it stood.
#[must_use]
pub fn order(strategy: Strategy, candidates: &[Known<'_>], now: Micros, rng: &mut Rng) -> Vec<usize> {
    match strategy {
        Strategy::Priority => (0..candidates.len()).collect(),
        Strategy::Price => sorted(candidates, |it| it.price.map_or((true, 0), |it| (false, it)), Ord::cmp),
        Strategy::Latency => measured(candidates, rng, |it| it.first_byte()),
        Strategy::Throughput => measured(candidates, rng, |it| it.throughput().map(|it| -it)),
        Strategy::Quality => measured(candidates, rng, |it| Some(-it.validity()? * it.tools().unwrap_or(1.0))),
        // Who is first among such numbers is so with the chance that its weight is of all (Efraimidis, Spirakis 2006).
        Strategy::Weighted => {
            sorted(candidates, |it| -(1.0 - rng.unit()).ln() / f64::from(it.weight.get()), f64::total_cmp)
        }
        Strategy::Bandit => bandit::order(&candidates.iter().map(|it| it.measures).collect::<Vec<_>>(), now, rng),
    }
}

/// The least `measure` first, who has none yet before that.
fn measured(candidates: &[Known<'_>], rng: &mut Rng, measure: impl Fn(&Measures) -> Option<f64>) -> Vec<usize> {
    let unknown = |it: &Measures| if it.count() < TRIED { f64::NEG_INFINITY } else { f64::INFINITY };
    let rank = |it: &Known<'_>| measure(it.measures).unwrap_or_else(|| unknown(it.measures));
    let mut order = sorted(candidates, rank, f64::total_cmp);
    let draw = rng.number();
    if draw.is_multiple_of(EXPLORED) {
        let others = u64::try_from(order.len()).unwrap_or_default().saturating_sub(1);
        let nth = draw.checked_div(EXPLORED).and_then(|it| it.checked_rem(others)).map(|it| it.saturating_add(1));
        if let Some(front) = nth.and_then(|it| order.get_mut(..=usize::try_from(it).ok()?)) {
            front.rotate_right(1);
        }
    }
    order
}

fn sorted<R>(
    candidates: &[Known<'_>],
    rank: impl FnMut(&Known<'_>) -> R,
    compare: impl Fn(&R, &R) -> Ordering,
) -> Vec<usize> {
    let mut ranked: Vec<(R, usize)> = candidates.iter().map(rank).zip(0..).collect();
    ranked.sort_by(|one, other| compare(&one.0, &other.0));
    ranked.into_iter().map(|(_, place)| place).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{measure::Sample, validity::Verdict};
    use super::*;
    use std::time::Duration;

    const NOW: Micros = Micros(1_700_000_000_000_000);

    /// A candidate that was measured once, or never.
    fn measures(millis: u64, throughput: f64, valid: bool, tools: f64) -> Measures {
        let mut it = Measures::default();
        let first_byte = (millis > 0).then(|| Duration::from_millis(millis));
        let verdict = Verdict { valid: Some(valid), tools: Some(tools) };
        if first_byte.is_some() {
            it.add(&Sample { ok: true, first_byte, throughput: Some(throughput), verdict, reward: Some(1.0) }, NOW);
        }
        it
    }

    /// How often of a thousand each candidate is first.
    fn firsts(strategy: Strategy, candidates: &[Known<'_>]) -> Vec<usize> {
        let (mut rng, mut first) = (Rng::seeded(3), vec![0; candidates.len()]);
        for _ in 0..1000 {
            let mut order = order(strategy, candidates, NOW, &mut rng);
            first[order[0]] += 1;
            order.sort_unstable();
            assert!(order.into_iter().eq(0..candidates.len()), "it is a permutation");
        }
        first
    }

    fn known(price: Option<u64>, weight: u32, measures: &Measures) -> Known<'_> {
        Known { price, weight: NonZeroU32::new(weight).unwrap(), measures }
    }

    #[test]
    fn each_strategy_has_its_order() {
        let (slow, quick) = (measures(900, 80.0, true, 0.5), measures(100, 20.0, true, 1.0));
        let wrong = measures(500, 50.0, false, 1.0);
        let all =
            [known(Some(9), 1, &slow), known(None, 1, &wrong), known(Some(3), 1, &quick), known(Some(3), 1, &wrong)];
        for (strategy, expected) in [
            (Strategy::Priority, [0, 1, 2, 3]),
            (Strategy::Price, [2, 3, 0, 1]),
            (Strategy::Latency, [2, 1, 3, 0]),
            (Strategy::Throughput, [0, 1, 3, 2]),
            (Strategy::Quality, [2, 0, 1, 3]),
        ] {
            // The first number of this seed is no multiple of twenty: nobody else is put in front.
            assert_eq!(order(strategy, &all, NOW, &mut Rng::seeded(1)), expected, "{strategy:?}");
            assert_eq!(order(strategy, &[], NOW, &mut Rng::seeded(1)), [0; 0]);
        }
    }

    #[test]
    fn who_was_not_measured_is_and_the_others_now_and_then() {
        let (slow, quick, never) = (measures(900, 1.0, true, 1.0), measures(100, 1.0, true, 1.0), Measures::default());
        let all = [known(None, 1, &slow), known(None, 1, &quick)];
        let explored = firsts(Strategy::Latency, &all)[0];
        assert!((30..75).contains(&explored), "{explored}");
        let with_new = [known(None, 1, &slow), known(None, 1, &quick), known(None, 1, &never)];
        assert!(firsts(Strategy::Latency, &with_new)[2] > 900);
        assert_eq!(firsts(Strategy::Latency, &all[..1]), [1000]);
    }

    #[test]
    fn who_never_answers_is_not_first_for_ever() {
        let (quick, mut dead) = (measures(100, 1.0, true, 1.0), Measures::default());
        for tried in 0..8 {
            let all = [known(None, 1, &quick), known(None, 1, &dead)];
            let first = firsts(Strategy::Latency, &all)[1];
            assert!(if tried < TRIED { first > 900 } else { first < 100 }, "{first} after {tried}");
            let verdict = Verdict::FAILED;
            dead.add(&Sample { ok: false, first_byte: None, throughput: None, verdict, reward: Some(0.0) }, NOW);
        }
    }

    #[test]
    fn weights_are_shares() {
        let never = Measures::default();
        let all = [1, 3, 6].map(|weight| known(None, weight, &never));
        for (first, expected) in firsts(Strategy::Weighted, &all).into_iter().zip([100_usize, 300, 600]) {
            assert!(first.abs_diff(expected) < 50, "{first} instead of {expected}");
        }
    }

    #[test]
    fn a_strategy_has_a_name() {
        let check = |name: &str| serde_json::from_str::<Strategy>(name).ok();
        assert_eq!(check(r#""throughput""#), Some(Strategy::Throughput));
        assert_eq!(check(r#""Price""#), None);
    }
}
