//! What an answer was worth, from 0 to 1.

use super::validity::Verdict;
use std::time::Duration;

/// An answer that is not valid is worth nothing, however cheap and quick it was. One that is valid has these parts; what
/// is not known of it is left out, and the others weigh so much more.
const VALID: f64 = 0.4;
const TOOLS: f64 = 0.3;
const COST: f64 = 0.15;
const LATENCY: f64 = 0.15;

/// How a candidate compares with the others that could have answered.
#[derive(Debug, Clone, Copy, Default)]
pub struct Compared {
    /// Its price, and that of the cheapest, in the same unit.
    pub price: Option<(u64, u64)>,
    /// The time to its first byte, and the fastest candidate's.
    pub first_byte: Option<(Duration, Duration)>,
}

/// What an answer was worth: 0 where it was invalid; otherwise 0.4 for that, 0.3 times the share of its tool calls that were
/// right, 0.15 times the cheapest price over its own and 0.15 times the fastest time over its own, over the sum of those
/// weights that there are.
///
/// One that was not judged is held to be valid: it was answered, and a candidate without rewards would be taken for untried
/// for ever.
#[must_use]
pub fn reward(verdict: Verdict, compared: Compared) -> f64 {
    if verdict.valid == Some(false) {
        return 0.0;
    }
    let cost = compared.price.map(|(own, least)| share(seconds(least), seconds(own)));
    let latency = compared.first_byte.map(|(own, least)| share(least.as_secs_f64(), own.as_secs_f64()));
    let parts = [(VALID, Some(1.0)), (TOOLS, verdict.tools), (COST, cost), (LATENCY, latency)];
    let known = parts.into_iter().filter_map(|(weight, part)| Some((weight, part?)));
    let (sum, weights) = known.fold((0.0, 0.0), |(sum, all), (weight, part)| (sum + weight * part, all + weight));
    (sum / weights).clamp(0.0, 1.0)
}

/// How much the least is of one's own; who is free, or took no time, has all of it.
fn share(least: f64, own: f64) -> f64 {
    if own > 0.0 { (least / own).min(1.0) } else { 1.0 }
}

/// Any number as a fraction; the standard library converts those of 64 bits by way of a time only.
fn seconds(number: u64) -> f64 {
    Duration::from_secs(number).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(valid: Option<bool>, tools: Option<f64>, price: Option<(u64, u64)>, millis: Option<(u64, u64)>) -> String {
        let time = |(own, least)| (Duration::from_millis(own), Duration::from_millis(least));
        let reward = reward(Verdict { valid, tools }, Compared { price, first_byte: millis.map(time) });
        format!("{reward:.3}")
    }

    #[test]
    fn a_reward_is_made_of_what_is_known() {
        let ok = Some(true);
        for (reward, expected) in [
            (check(None, Some(1.0), Some((10, 5)), None), "0.912"),
            (check(Some(false), Some(1.0), Some((1, 1)), Some((1, 1))), "0.000"),
            (check(ok, None, None, None), "1.000"),
            (check(ok, Some(1.0), Some((5, 5)), Some((300, 300))), "1.000"),
            (check(ok, Some(0.0), Some((5, 5)), Some((300, 300))), "0.700"),
            (check(ok, Some(1.0), Some((10, 5)), Some((600, 300))), "0.850"),
            (check(ok, None, Some((10, 5)), None), "0.864"),
            (check(ok, None, Some((5, 0)), None), "0.727"),
            (check(ok, None, Some((0, 0)), Some((0, 0))), "1.000"),
            (check(ok, None, Some((1, u64::MAX)), None), "1.000"),
        ] {
            assert_eq!(reward, expected);
        }
    }
}
