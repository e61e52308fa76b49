//! What is learned of the candidates of one exchange: who was asked, what came of it and, where a strategy measures, how
//! good and how quick the answer was.

use crate::{candidates::Found, health::Outcome, order, policy::Moment};
use domain::{
    choice::{Compared, Judge, Sample, Verdict, reward},
    price::Prices,
    time::Micros,
};
use std::time::Duration;

/// What there is to learn of a plan's tries.
#[derive(Debug, Default)]
pub struct Lessons {
    /// Who is asked, in order.
    pub tries: Vec<Lesson>,
    /// Measures, where a strategy wants any.
    pub measured: Option<Measured>,
}

/// One of the candidates.
#[derive(Debug)]
pub struct Lesson {
    /// By what it is remembered.
    pub key: String,
    /// Whether this request finds out if it is well again.
    pub probe: bool,
    /// Of an input and an output token together, in pico-dollars.
    price: Option<u64>,
}

/// What is measured of an answer, while it passes.
#[derive(Debug)]
pub struct Measured {
    judge: Option<Judge>,
    /// When the request left.
    sent: Micros,
    /// When the answer began, and whose it is.
    begun: Option<(Micros, usize)>,
    /// So many events of a stream have passed: about as many tokens.
    events: u32,
    /// The last byte was a line feed: the next one ends an event.
    line: bool,
    /// The cheapest candidate's price, and the fastest one's time to its first byte.
    least: (Option<u64>, Option<f64>),
}

impl Lessons {
    pub(crate) fn of(
        found: &Found<'_>,
        probes: Vec<bool>,
        prices: &Prices,
        moment: &Moment<'_>,
        judge: impl FnOnce() -> Option<Judge>,
    ) -> Self {
        let measures = (0..found.named.len()).any(|it| found.strategy(it).measures());
        let tries: Vec<Lesson> = found
            .choices
            .iter()
            .zip(probes)
            .map(|(it, probe)| {
                let price = if measures { order::price(prices, it) } else { None };
                Lesson { key: it.key.clone(), probe, price }
            })
            .collect();
        let measured = measures.then(|| {
            let times = tries.iter().filter_map(|it| moment.health.measures(&it.key).first_byte());
            let least = (tries.iter().filter_map(|it| it.price).min(), times.min_by(f64::total_cmp));
            Measured { judge: judge(), sent: moment.now, begun: None, events: 0, line: false, least }
        });
        Self { tries, measured }
    }

    /// What came of asking a candidate that gave no answer.
    #[must_use]
    pub fn failed(&self, outcome: Outcome) -> Option<Sample> {
        self.measured.as_ref()?;
        (outcome == Outcome::Failure).then_some(FAILED)
    }
}

const FAILED: Sample =
    Sample { ok: false, first_byte: None, throughput: None, verdict: Verdict::FAILED, reward: Some(0.0) };

impl Measured {
    /// The answer of the candidate at `place` begins.
    pub fn begin(&mut self, now: Micros, place: usize) {
        self.begun = Some((now, place));
    }

    /// The next piece of it.
    pub fn piece(&mut self, piece: &[u8]) {
        if let Some(judge) = &mut self.judge {
            judge.piece(piece);
        }
        for byte in piece.iter().filter(|it| **it != b'\r') {
            let feed = *byte == b'\n';
            self.events = self.events.saturating_add(u32::from(feed && self.line));
            self.line = feed;
        }
    }

    /// It is over, at its end or before. Whose it was, and what it was worth. `attempts` is how often a provider was asked: of
    /// an answer after failures nobody knows how long it took.
    #[must_use]
    pub fn end(self, tries: &[Lesson], now: Micros, attempts: u64, ended: bool) -> Option<(usize, Sample)> {
        let (begun, place) = self.begun?;
        let verdict = self.judge.map_or(Verdict::default(), |it| it.finish(ended));
        if !ended {
            return Some((place, FAILED));
        }
        let between = |from: Micros, to: Micros| Duration::from_micros(to.0.saturating_sub(from.0));
        let first_byte = (attempts <= 1).then(|| between(self.sent, begun));
        let took = between(begun, now).as_secs_f64();
        let throughput = (self.events > 1 && took > 0.0).then(|| f64::from(self.events) / took);
        let (cheapest, fastest) = self.least;
        let fastest = fastest.and_then(|it| Duration::try_from_secs_f64(it).ok());
        let compared = Compared {
            price: tries.get(place).and_then(|it| it.price).zip(cheapest),
            first_byte: first_byte.map(|own| (own, fastest.unwrap_or(own).min(own))),
        };
        let reward = Some(reward(verdict, compared));
        Some((place, Sample { ok: true, first_byte, throughput, verdict, reward }))
    }
}
