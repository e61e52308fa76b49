//! The bandit against simpler ways, on candidates whose worth is made up: seeded, so the same numbers each time.

use super::*;
use crate::time::Micros;
use std::ops::Range;
use std::time::Duration;

const ROUNDS: usize = 3000;
/// Three thousand rounds are some seven days: the window slides, too.
const BETWEEN: u64 = 200;

/// A candidate as it really is.
#[derive(Clone, Copy)]
struct Arm {
    valid: f64,
    /// `None`: it is asked for no tool calls.
    tools: Option<f64>,
    price: u64,
    millis: u64,
}

const ARMS: [Arm; 5] = [
    Arm { valid: 0.97, tools: Some(0.95), price: 12_500, millis: 700 },
    Arm { valid: 0.93, tools: Some(0.90), price: 750, millis: 350 },
    Arm { valid: 0.80, tools: Some(0.60), price: 500, millis: 250 },
    Arm { valid: 0.40, tools: Some(0.50), price: 100, millis: 200 },
    Arm { valid: 0.98, tools: Some(0.97), price: 90_000, millis: 2_000 },
];

impl Arm {
    /// What one of its answers is worth on average.
    fn worth(&self, arms: &[Self]) -> f64 {
        let one = |tools| reward(Verdict { valid: Some(true), tools }, self.compared(arms, self.millis));
        self.valid * self.tools.map_or(one(None), |it| it * one(Some(1.0)) + (1.0 - it) * one(Some(0.0)))
    }

    fn compared(&self, arms: &[Self], millis: u64) -> Compared {
        let least = |of: fn(&Self) -> u64| arms.iter().map(of).min().unwrap();
        let fastest = Duration::from_millis(least(|it| it.millis).min(millis));
        Compared {
            price: Some((self.price, least(|it| it.price))),
            first_byte: Some((Duration::from_millis(millis), fastest)),
        }
    }

    fn answer(&self, arms: &[Self], rng: &mut Rng) -> Sample {
        let verdict = Verdict {
            valid: Some(rng.unit() < self.valid),
            tools: self.tools.map(|it| if rng.unit() < it { 1.0 } else { 0.0 }),
        };
        let millis = self.millis * 4 / 5 + rng.number() % (self.millis * 2 / 5);
        let reward = Some(reward(verdict, self.compared(arms, millis)));
        Sample { ok: true, first_byte: Some(Duration::from_millis(millis)), throughput: None, verdict, reward }
    }
}

/// The regret of each round: how much more the best candidate was worth than the one that the bandit took, knowing what was
/// measured so far.
fn regrets(seed: u64, arms_at: impl Fn(usize) -> [Arm; 5]) -> Vec<f64> {
    let (mut world, mut rng, mut known) = (Rng::seeded(seed), Rng::seeded(seed + 1000), vec![Measures::default(); 5]);
    let mut regrets = Vec::with_capacity(ROUNDS);
    for round in 0..ROUNDS {
        let now = Micros::from_seconds(1_700_000_000 + u64::try_from(round).unwrap() * BETWEEN);
        let arms = arms_at(round);
        let chosen = bandit(&known, now, &mut rng);
        let best = arms.iter().map(|it| it.worth(&arms)).fold(0.0, f64::max);
        regrets.push(best - arms[chosen].worth(&arms));
        let sample = arms[chosen].answer(&arms, &mut world);
        known[chosen].add(&sample, now);
    }
    regrets
}

fn bandit(known: &[Measures], now: Micros, rng: &mut Rng) -> usize {
    let weight = std::num::NonZeroU32::MIN;
    let candidates: Vec<Known<'_>> = known.iter().map(|measures| Known { price: None, weight, measures }).collect();
    order(Strategy::Bandit, &candidates, now, rng)[0]
}

/// What bandits of ten seeds regret together in these rounds, a tenth of it.
fn sum(regrets: &[Vec<f64>], rounds: Range<usize>) -> f64 {
    regrets.iter().flat_map(|it| &it[rounds.clone()]).sum::<f64>() / 10.0
}

#[test]
fn the_bandits_regret_is_far_below_round_robins_and_falls() {
    let bandits: Vec<_> = (0..10).map(|seed| regrets(seed, |_| ARMS)).collect();
    let worths = ARMS.map(|it| it.worth(&ARMS));
    let always = worths.map(|it| (worths.into_iter().fold(0.0, f64::max) - it) * 3000.0);
    let robin = always.iter().sum::<f64>() / 5.0;
    // Who writes an order down takes the best by luck only; this is the best of the wrong ones.
    let wrong = always.into_iter().filter(|it| *it > 0.0).fold(f64::INFINITY, f64::min);
    let (all, first, later) =
        (sum(&bandits, 0..ROUNDS), sum(&bandits, 0..ROUNDS / 2), sum(&bandits, ROUNDS / 2..ROUNDS));
    println!("worth of each candidate: {worths:.3?}");
    println!("regret of {ROUNDS} rounds: bandit {all:.1}, round robin {robin:.1}, always one {always:.1?}");
    println!("the bandit's first half {first:.1}, second half {later:.1}");
    assert!(all * 5.0 < robin);
    assert!(all < wrong);
    assert!(later < first);
}

#[test]
fn a_candidate_that_gets_worse_is_left_within_the_window() {
    // The best one breaks after a third of the time, some two days: its answers are hardly ever valid any more.
    let drift = |round| {
        let mut arms = ARMS;
        arms[1].valid = if round < ROUNDS / 3 { 0.93 } else { 0.3 };
        arms
    };
    let bandits: Vec<_> = (0..10).map(|seed| regrets(seed, drift)).collect();
    let always = |chosen: fn(usize) -> usize| {
        let worth = |round: usize| drift(round).map(|it| it.worth(&ARMS));
        let lost = |round| worth(round).into_iter().fold(0.0, f64::max) - worth(round)[chosen(round)];
        (0..ROUNDS).map(lost).sum::<f64>()
    };
    let (all, stays, robin) = (sum(&bandits, 0..ROUNDS), always(|_| 1), always(|round| round % 5));
    let (second, last) = (sum(&bandits, 1000..2000), sum(&bandits, 2000..ROUNDS));
    println!(
        "drift: bandit {all:.1}, stays {stays:.1}, round robin {robin:.1}; second third {second:.1}, last {last:.1}"
    );
    assert!(all * 3.0 < robin.min(stays));
    assert!(last < second);
}
