//! What is known of a candidate from its answers.
//!
//! Two kinds of numbers. *Moving averages* of the time to the first byte, the throughput, success, validity and accuracy of
//! tool calls: the latest answer weighs [`ALPHA`], and each before it nine tenths of the next. And the *rewards* of the
//! last seven days, count, mean and squared deviations by the day (Welford), for the bandit.
//!
//! Both can be put together from parts that were counted elsewhere, [`Measures::then`]: rewards in any order, with the same
//! outcome but for rounding (Chan, Golub, LeVeque 1979), averages as if one part's answers had all come before the other's.

use super::bytes::Fields;
use super::validity::Verdict;
use crate::time::Micros;
use std::time::Duration;

/// How much the latest answer weighs in a moving average.
const ALPHA: f64 = 0.1;
/// What an average is at most; no seconds and no tokens per second are more.
const MOST: f64 = 1e9;
/// The variance of a reward before there are any: the greatest that one from 0 to 1 can have. It weighs as one reward, so
/// that a candidate which was lucky twice is not thought to be certain.
const WORST_VARIANCE: f64 = 0.25;
/// For so many days a reward counts.
pub(super) const DAYS: usize = 7;
const DAY_SECONDS: u64 = 86_400;

const VERSION: u8 = 1;
/// Five averages and seven days.
const MEASURES: usize = 5 * (8 + 4) + DAYS * (4 + 4 + 8 + 8);
const SIZE: usize = 1 + 2 * MEASURES;

/// What came of one request.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Whether it was answered at all, with a 2xx that came to its end.
    pub ok: bool,
    /// How long its first byte took; of an answer that is not `ok` it is not counted, for errors are quick.
    pub first_byte: Option<Duration>,
    /// Tokens per second, from the first byte to the last; counted as the former.
    pub throughput: Option<f64>,
    /// What the answer was worth by its form.
    pub verdict: Verdict,
    /// From 0 to 1, as [`super::reward()`] makes it; `None` where the request tells nothing about the candidate.
    pub reward: Option<f64>,
}

/// A moving average.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Average {
    /// Of all that was seen, weighted by its age, without the weight of what was never seen.
    pub(super) sum: f64,
    pub(super) count: u32,
}

impl Average {
    /// The average of what another counted; nothing where the numbers cannot be one's.
    pub(super) fn of(sum: f64, count: u32) -> Self {
        if count > 0 && (0.0..=MOST).contains(&sum) { Self { sum, count } } else { Self::default() }
    }

    fn add(&mut self, number: f64) {
        if number.is_finite() {
            *self = self.then(Self { sum: number.clamp(0.0, MOST) * ALPHA, count: 1 });
        }
    }

    /// The average as if `later` had come afterwards.
    fn then(self, later: Self) -> Self {
        let sum = self.sum * kept(later.count) + later.sum;
        Self { sum, count: self.count.saturating_add(later.count) }
    }

    /// `None` before anything was seen.
    fn get(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / (1.0 - kept(self.count)))
    }

    fn share(self) -> Option<f64> {
        self.get().map(|it| it.min(1.0))
    }
}

/// What is left of a weight after `count` answers more.
fn kept(count: u32) -> f64 {
    (1.0 - ALPHA).powf(f64::from(count))
}

/// Rewards: how many, their mean, and the sum of their squared distances from it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Rewards {
    /// How many.
    pub count: u32,
    /// From 0 to 1.
    pub mean: f64,
    pub(super) squares: f64,
}

impl Rewards {
    /// The rewards that another counted; none where the numbers cannot be theirs.
    pub(super) fn of(count: u32, mean: f64, squares: f64) -> Self {
        // No number from 0 to 1 is further than 1 from another.
        let real = (0.0..=1.0).contains(&mean) && (0.0..=f64::from(count)).contains(&squares);
        if count > 0 && real { Self { count, mean, squares } } else { Self::default() }
    }

    fn one(reward: f64) -> Self {
        Self { count: 1, mean: reward.clamp(0.0, 1.0), squares: 0.0 }
    }

    /// How far off the mean may be: its standard deviation. Infinite where there are none.
    #[must_use]
    pub fn uncertainty(&self) -> f64 {
        (self.squares + WORST_VARIANCE).sqrt() / f64::from(self.count)
    }

    /// These and the others.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        if self.count == 0 || other.count == 0 {
            return if self.count == 0 { other } else { self };
        }
        let (ours, theirs) = (f64::from(self.count), f64::from(other.count));
        let (all, apart) = (ours + theirs, other.mean - self.mean);
        Self {
            count: self.count.saturating_add(other.count),
            mean: (self.mean + apart * theirs / all).clamp(0.0, 1.0),
            squares: self.squares + other.squares + apart * apart * ours * theirs / all,
        }
    }
}

/// The rewards of one day.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Day {
    /// Which one since 1970.
    pub(super) day: u32,
    pub(super) rewards: Rewards,
}

/// What is known of a candidate.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measures {
    pub(super) first_byte: Average,
    pub(super) throughput: Average,
    pub(super) success: Average,
    pub(super) validity: Average,
    pub(super) tools: Average,
    /// Each in the place that its number has in a week.
    pub(super) days: [Day; DAYS],
}

impl Measures {
    /// How many requests it was tried with, ever.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.success.count
    }

    /// The time to the first byte, in seconds.
    #[must_use]
    pub fn first_byte(&self) -> Option<f64> {
        self.first_byte.get()
    }

    /// Tokens per second.
    #[must_use]
    pub fn throughput(&self) -> Option<f64> {
        self.throughput.get()
    }

    /// The share of requests that were answered.
    #[must_use]
    pub fn success(&self) -> Option<f64> {
        self.success.share()
    }

    /// The share of requests whose answers were valid.
    #[must_use]
    pub fn validity(&self) -> Option<f64> {
        self.validity.share()
    }

    /// The share of tool calls that were right.
    #[must_use]
    pub fn tools(&self) -> Option<f64> {
        self.tools.share()
    }

    /// How many answers with tool calls were judged.
    pub(super) fn tool_count(&self) -> u32 {
        self.tools.count
    }

    /// The rewards of the seven days that end with today.
    #[must_use]
    pub fn window(&self, now: Micros) -> Rewards {
        let today = day(now);
        let counts = |it: &&Day| today.checked_sub(it.day).is_some_and(|age| age < 7);
        self.days.iter().filter(counts).fold(Rewards::default(), |sum, it| sum.with(it.rewards))
    }

    /// Whether it knows nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Takes in what came of a request.
    pub fn add(&mut self, sample: &Sample, now: Micros) {
        let share = |it: bool| if it { 1.0 } else { 0.0 };
        self.success.add(share(sample.ok));
        if sample.ok {
            sample.first_byte.into_iter().for_each(|it| self.first_byte.add(it.as_secs_f64()));
            sample.throughput.into_iter().for_each(|it| self.throughput.add(it));
            sample.verdict.tools.into_iter().for_each(|it| self.tools.add(it.clamp(0.0, 1.0)));
            sample.verdict.valid.into_iter().for_each(|it| self.validity.add(share(it)));
        } else {
            self.validity.add(0.0);
        }
        if let Some(reward) = sample.reward.filter(|it| it.is_finite()) {
            self.put(Day { day: day(now), rewards: Rewards::one(reward) });
        }
    }

    /// These with those of another gateway, or of a later time.
    #[must_use]
    pub fn then(mut self, later: &Self) -> Self {
        self.first_byte = self.first_byte.then(later.first_byte);
        self.throughput = self.throughput.then(later.throughput);
        self.success = self.success.then(later.success);
        self.validity = self.validity.then(later.validity);
        self.tools = self.tools.then(later.tools);
        later.days.iter().for_each(|it| self.put(*it));
        self
    }

    /// Without the days that are still to come at `now`: they are of a clock that runs ahead, and would keep their place
    /// from the days that are to stand there.
    #[must_use]
    pub fn until(mut self, now: Micros) -> Self {
        // One day ahead may just have begun there.
        let latest = day(now).saturating_add(1);
        for it in &mut self.days {
            if it.day > latest {
                *it = Day::default();
            }
        }
        self
    }

    /// Adds the rewards of a day, in the place of one that is a week older or more; an older one is left out.
    pub(super) fn put(&mut self, day: Day) {
        let place = usize::try_from(day.day).unwrap_or_default().checked_rem(DAYS).unwrap_or_default();
        let Some(there) = self.days.get_mut(place).filter(|_| day.rewards.count > 0) else { return };
        if there.day == day.day {
            there.rewards = there.rewards.with(day.rewards);
        } else if there.day < day.day {
            *there = day;
        }
    }

    fn read(fields: &mut Fields<'_>) -> Self {
        let mut average = || Average::of(fields.f64(), fields.u32());
        let mut measures = Self {
            first_byte: average(),
            throughput: average(),
            success: average(),
            validity: average(),
            tools: average(),
            ..Self::default()
        };
        for _ in 0..DAYS {
            let (day, count) = (fields.u32(), fields.u32());
            measures.put(Day { day, rewards: Rewards::of(count, fields.f64(), fields.f64()) });
        }
        measures
    }

    fn write(&self, slot: &mut Vec<u8>) {
        for Average { sum, count } in [self.first_byte, self.throughput, self.success, self.validity, self.tools] {
            slot.extend(sum.to_le_bytes());
            slot.extend(count.to_le_bytes());
        }
        for Day { day, rewards: Rewards { count, mean, squares } } in self.days {
            slot.extend([day, count].into_iter().flat_map(u32::to_le_bytes));
            slot.extend([mean, squares].into_iter().flat_map(f64::to_le_bytes));
        }
    }
}

/// What a gateway keeps of a candidate in a slot: what all gateways knew when the companion last told, and what this one
/// has seen since.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Kept {
    known: Measures,
    /// Not told to the companion yet.
    fresh: Measures,
}

impl Kept {
    /// What is kept in a slot's bytes; nothing if they are none.
    #[must_use]
    pub fn read(slot: &[u8]) -> Self {
        let read = |mut fields| Self { known: Measures::read(&mut fields), fresh: Measures::read(&mut fields) };
        Fields::of(slot, VERSION, SIZE).map(read).unwrap_or_default()
    }

    /// The slot's bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut slot = Vec::with_capacity(SIZE);
        slot.push(VERSION);
        self.known.write(&mut slot);
        self.fresh.write(&mut slot);
        slot
    }

    /// Changes what is kept in a slot's bytes. Bytes equal to those given need not be written.
    pub fn update<T>(slot: &[u8], change: impl FnOnce(&mut Self) -> T) -> (Vec<u8>, T) {
        let before = Self::read(slot);
        let mut kept = before.clone();
        let out = change(&mut kept);
        let bytes = if kept == before { slot.to_vec() } else { kept.bytes() };
        (bytes, out)
    }

    /// All that is known.
    #[must_use]
    pub fn measures(&self) -> Measures {
        self.known.clone().then(&self.fresh)
    }

    /// Takes in what came of a request.
    pub fn add(&mut self, sample: &Sample, now: Micros) {
        self.fresh.add(sample, now);
    }

    /// Whether there is nothing to tell the companion.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.fresh.is_empty()
    }

    /// What to tell the companion. It stays known, and is told once.
    pub fn take(&mut self) -> Measures {
        let fresh = std::mem::take(&mut self.fresh);
        self.known = std::mem::take(&mut self.known).then(&fresh);
        fresh
    }

    /// The companion did not get what was taken: it is told next time. Until the companion tells what it knows, it is known
    /// twice here.
    pub fn untold(&mut self, taken: Measures) {
        self.fresh = taken.then(&self.fresh);
    }

    /// What all gateways know, with what this one told.
    pub fn learn(&mut self, known: Measures) {
        self.known = known;
    }
}

fn day(now: Micros) -> u32 {
    u32::try_from(now.seconds().checked_div(DAY_SECONDS).unwrap_or_default()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
