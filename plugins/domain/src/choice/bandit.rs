//! The order of candidates by what they are likely to be worth, with as much trying out as that is uncertain.
//!
//! Who has not been tried comes first. While all together have fewer than [`COLD`] rewards, the order is by UCB1, mean
//! plus `C·sqrt(ln N / n)` (Auer, Cesa-Bianchi, Fischer 2002). After that each draws a number from the normal distribution
//! around its mean with the variance of that mean (Thompson sampling), and the order is by these numbers.
//!
//! Who fails a gate comes last. But one request of [`UNGATED`] passes the gates by: an average of the latest ten answers is bad
//! by chance now and then, and who is never asked again could not show it. Who is really bad has poor rewards, too, and so is
//! hardly ever first even then.

use super::{measure::Measures, rng::Rng};
use crate::time::Micros;

/// From so many rewards of all candidates together on, chance decides instead of the bound.
const COLD: u32 = 500;
/// The `C` of UCB1 for rewards from 0 to 1, whose variance is at most a quarter. (The textbook's sqrt 2 is for the worst case and
/// tries all candidates alike until [`COLD`].)
const C: f64 = 0.5;
/// So many answers are needed to shut a gate.
const JUDGED: u32 = 10;
/// Whose answers are valid less often is tried last.
const VALIDITY: f64 = 0.5;
/// Whose tool calls are right less often is tried last.
const QUALITY: f64 = 0.3;
/// One of so many requests does not look at the gates.
const UNGATED: u64 = 10;

/// The order in which to try the candidates that `measures` are of: their places, the first to try in front.
pub(super) fn order(measures: &[&Measures], now: Micros, rng: &mut Rng) -> Vec<usize> {
    let known: Vec<_> = measures.iter().map(|it| it.window(now)).collect();
    let all = known.iter().fold(0_u32, |sum, it| sum.saturating_add(it.count));
    let gates = !rng.number().is_multiple_of(UNGATED);
    let mut ranked: Vec<(bool, f64, usize)> = Vec::with_capacity(known.len());
    for (place, (rewards, measures)) in known.iter().zip(measures).enumerate() {
        let count = f64::from(rewards.count);
        let score = if rewards.count == 0 {
            f64::INFINITY
        } else if all < COLD {
            rewards.mean + C * (f64::from(all).ln() / count).sqrt()
        } else {
            rewards.mean + rng.normal() * rewards.uncertainty()
        };
        ranked.push((gates && is_gated(measures, rewards.count), score, place));
    }
    ranked.sort_by(|one, other| one.0.cmp(&other.0).then(other.1.total_cmp(&one.1)));
    ranked.into_iter().map(|(_, _, place)| place).collect()
}

fn is_gated(measures: &Measures, count: u32) -> bool {
    let under = |share: Option<f64>, least: f64| share.is_some_and(|it| it < least);
    count >= JUDGED
        && (under(measures.validity(), VALIDITY)
            || (measures.tool_count() >= JUDGED && under(measures.tools(), QUALITY)))
}

#[cfg(test)]
mod tests {
    use super::super::{measure::Sample, validity::Verdict};
    use super::*;

    const NOW: Micros = Micros(1_700_000_000_000_000);

    /// `count` answers, one after the other worth each of `rewards`, of which `valid` of ten are valid.
    fn arm(count: usize, rewards: &[f64], valid: usize, tools: Option<f64>) -> Measures {
        let mut measures = Measures::default();
        for (nth, reward) in (0..count).zip(rewards.iter().cycle()) {
            let verdict = Verdict { valid: Some(nth * 7 % 10 < valid), tools };
            let sample = Sample { ok: true, first_byte: None, throughput: None, verdict, reward: Some(*reward) };
            measures.add(&sample, NOW);
        }
        measures
    }

    /// How often of a thousand each candidate is first.
    fn check(arms: &[Measures]) -> Vec<usize> {
        let (mut rng, mut first) = (Rng::seeded(1), vec![0; arms.len()]);
        for _ in 0..1000 {
            let mut order = order(&arms.iter().collect::<Vec<_>>(), NOW, &mut rng);
            order.first().into_iter().for_each(|it| first[*it] += 1);
            order.sort_unstable();
            assert!(order.into_iter().eq(0..arms.len()), "it is a permutation");
        }
        first
    }

    #[test]
    fn who_was_never_tried_is_first() {
        let good = arm(300, &[1.0], 10, None);
        assert_eq!(check(&[good.clone(), Measures::default(), good]), [0, 1000, 0]);
        assert_eq!(check(&[]), [0; 0]);
    }

    #[test]
    fn while_little_is_known_the_bound_decides() {
        assert_eq!(check(&[arm(20, &[0.9], 10, None), arm(20, &[0.5], 10, None)]), [1000, 0]);
        // Tried so seldom that it may be better than it looks.
        assert_eq!(check(&[arm(200, &[0.8], 10, None), arm(3, &[0.6], 10, None)]), [0, 1000]);
    }

    #[test]
    fn later_chance_decides_the_less_the_surer_it_is() {
        let [close, far] =
            [0.58, 0.2].map(|mean| check(&[arm(400, &[0.2, 1.0], 10, None), arm(100, &[mean], 10, None)])[1]);
        assert!((20..400).contains(&close), "{close}");
        assert_eq!(far, 0);
        assert!(check(&[arm(400, &[0.6], 10, None), arm(100, &[0.61], 10, None)])[0] > 0, "nobody is certain");
    }

    #[test]
    fn who_fails_a_gate_is_last_nine_times_of_ten() {
        let poor = arm(100, &[0.2], 10, None);
        for (gated, last) in [
            (arm(400, &[1.0], 4, None), true),
            (arm(400, &[1.0], 6, None), false),
            (arm(9, &[1.0], 0, None), false),
            (arm(400, &[1.0], 10, Some(0.2)), true),
            (arm(400, &[1.0], 10, Some(0.4)), false),
        ] {
            let first = check(&[gated, poor.clone()])[0];
            assert!(if last { (60..140).contains(&first) } else { first == 1000 }, "{first}");
        }
    }

    #[test]
    fn who_failed_a_gate_is_tried_again_after_a_week() {
        let arms = [arm(400, &[0.0], 0, None), arm(100, &[0.9], 10, None)];
        let arms: Vec<&Measures> = arms.iter().collect();
        let order = |now| order(&arms, now, &mut Rng::seeded(1));
        assert_eq!(order(NOW), [1, 0]);
        assert_eq!(order(Micros(NOW.0 + 7 * 86_400 * 1_000_000)), [0, 1]);
    }
}
