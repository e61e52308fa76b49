//! A candidate's circuit breaker: who fails is left alone for a while, and then tried by one request.
//!
//! It opens at [`CONSECUTIVE`] failures in a row, or when at least half of at least [`ENOUGH`] requests of the last minute
//! failed. Then nobody is admitted for 30 s; then one request, the probe. If it succeeds the breaker closes and forgets,
//! if it fails it opens for twice as long, up to 16 times 30 s. A 429 is no failure: the candidate lives and says when it
//! wants to be asked again, and is left alone until then ([`Breaker::cooldown`]).
//!
//! Outcomes that arrive while it is open come from requests that were sent before. They change nothing: or else the twenty
//! requests that were under way when a provider died would double its time twenty times.

use super::bytes::Fields;
use crate::time::Micros;
use std::time::Duration;

/// So many failures in a row open it.
const CONSECUTIVE: u8 = 5;
/// So many requests within a minute tell enough for their share of failures to count.
const ENOUGH: u32 = 10;
/// The last minute is six buckets of ten seconds; the current one is not over, so it is the last 50 to 60 seconds.
const BUCKETS: usize = 6;
const BUCKET_SECONDS: u64 = 10;
/// How long it stays open the first time.
const RESET_SECONDS: u64 = 30;
/// How often that is doubled: up to 16 times.
const MOST_DOUBLINGS: u8 = 4;
/// After this long a probe of which nothing was heard counts as lost, and another request may be one.
const PROBE: Duration = Duration::from_secs(60);
/// How long a 429 that does not say leaves a candidate alone.
const COOLDOWN_SECONDS: u64 = 30;
/// The longest that a 429 may ask for. Some providers name the end of the day; a key's quota may be raised before that.
const LONGEST_COOLDOWN: u64 = 3_600;
/// Nothing ends later than this from now. What does was written by a clock that was set back since, or is no breaker's.
const LATEST: Duration = Duration::from_secs(2 * LONGEST_COOLDOWN);

const VERSION: u8 = 1;
const SIZE: usize = 1 + 1 + 8 + 1 + 1 + 8 + BUCKETS * (4 + 4 + 4);

/// Whether a request may go to a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admit {
    /// As any other.
    Yes,
    /// As the one request that finds out whether the candidate is well again.
    Probe,
    /// Rather not before this moment, for it said 429; it is well otherwise.
    Later {
        /// What it asked for.
        until: Micros,
    },
    /// Not before this moment.
    No {
        /// When to ask again: then it may be admitted, or still be refused for another reason.
        until: Micros,
    },
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Closed,
    Open {
        until: Micros,
    },
    /// The probe is under way; `until` it counts as lost.
    Probing {
        until: Micros,
    },
}

/// The outcomes of ten seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Bucket {
    /// Which ten seconds since 1970.
    tick: u32,
    requests: u32,
    failures: u32,
}

/// A candidate's breaker. The default one is closed and has seen nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Breaker {
    phase: Phase,
    /// Failures in a row.
    consecutive: u8,
    /// How often the time for which it is open was doubled.
    doublings: u8,
    /// Until when a 429 asked to be left alone.
    cooldown: Micros,
    recent: [Bucket; BUCKETS],
}

impl Breaker {
    /// The breaker in a slot's bytes; a new one if there is none.
    #[must_use]
    pub fn read(slot: &[u8]) -> Self {
        let Some(mut fields) = Fields::of(slot, VERSION, SIZE) else {
            return Self::default();
        };
        let (phase, until) = (fields.u8(), Micros(fields.u64()));
        let phase = match phase {
            1 => Phase::Open { until },
            2 => Phase::Probing { until },
            _ => Phase::Closed,
        };
        let (consecutive, doublings) = (fields.u8(), fields.u8().min(MOST_DOUBLINGS));
        let cooldown = Micros(fields.u64());
        let mut bucket = || Bucket { tick: fields.u32(), requests: fields.u32(), failures: fields.u32() };
        let recent = std::array::from_fn(|_| bucket());
        Self { phase, consecutive, doublings, cooldown, recent }
    }

    /// The breaker as a slot's bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let (phase, until) = match self.phase {
            Phase::Closed => (0, Micros(0)),
            Phase::Open { until } => (1, until),
            Phase::Probing { until } => (2, until),
        };
        let mut slot = Vec::with_capacity(SIZE);
        slot.extend([VERSION, phase]);
        slot.extend(until.0.to_le_bytes());
        slot.extend([self.consecutive, self.doublings]);
        slot.extend(self.cooldown.0.to_le_bytes());
        for Bucket { tick, requests, failures } in self.recent {
            slot.extend([tick, requests, failures].into_iter().flat_map(u32::to_le_bytes));
        }
        slot
    }

    /// Changes the breaker in a slot's bytes. Bytes equal to those given need not be written.
    pub fn update<T>(slot: &[u8], change: impl FnOnce(&mut Self) -> T) -> (Vec<u8>, T) {
        let before = Self::read(slot);
        let mut breaker = before.clone();
        let out = change(&mut breaker);
        let bytes = if breaker == before { slot.to_vec() } else { breaker.bytes() };
        (bytes, out)
    }

    /// What [`Breaker::admit`] would say.
    #[must_use]
    pub fn peek(&self, now: Micros) -> Admit {
        let ahead = |it: Micros| it > now && it <= now.after(LATEST);
        if self.phase == Phase::Closed && ahead(self.cooldown) {
            return Admit::Later { until: self.cooldown };
        }
        let (after, free) = match self.phase {
            Phase::Closed => (Micros(0), Admit::Yes),
            Phase::Open { until } | Phase::Probing { until } => (until, Admit::Probe),
        };
        let ends = [after, self.cooldown].into_iter().filter(|it| ahead(*it)).max();
        ends.map_or(free, |until| Admit::No { until })
    }

    /// Whether a request may go to the candidate at `now`. Who is told [`Admit::Probe`] is the only one until it tells its
    /// outcome with [`Breaker::success`], [`Breaker::failure`] or [`Breaker::cooldown`], gives the probe back with
    /// [`Breaker::untried`], or a minute is over.
    pub fn admit(&mut self, now: Micros) -> Admit {
        let admit = self.peek(now);
        if admit == Admit::Probe {
            self.phase = Phase::Probing { until: now.after(PROBE) };
        }
        admit
    }

    /// The probe was not sent after all, for another candidate answered first: the next request may be it.
    pub fn untried(&mut self, now: Micros) {
        if let Phase::Probing { .. } = self.phase {
            self.phase = Phase::Open { until: now };
        }
    }

    /// The candidate answered.
    pub fn success(&mut self, now: Micros) {
        match self.phase {
            Phase::Open { .. } => {}
            Phase::Probing { .. } => *self = Self { cooldown: self.cooldown, ..Self::default() },
            Phase::Closed => {
                self.consecutive = 0;
                self.count(now, 0);
            }
        }
    }

    /// The candidate answered so many requests that nobody was told of, before whatever is told next. Where it is not closed
    /// any more they were sent before that, and change nothing.
    pub fn successes(&mut self, now: Micros, count: u32) {
        if count > 0 && self.phase == Phase::Closed {
            self.success(now);
            if let Some(bucket) = self.bucket(now) {
                bucket.requests = bucket.requests.saturating_add(count.saturating_sub(1));
            }
        }
    }

    /// Whether nothing speaks against the candidate: it is closed, its last request succeeded, and it asks for no rest.
    #[must_use]
    pub fn is_well(&self, now: Micros) -> bool {
        self.phase == Phase::Closed && self.consecutive == 0 && self.peek(now) == Admit::Yes
    }

    /// The candidate failed: refused, reset, too slow, 5xx. A 4xx but 429 is the client's and neither one nor the other.
    pub fn failure(&mut self, now: Micros) {
        match self.phase {
            Phase::Open { .. } => {}
            Phase::Probing { .. } => {
                self.doublings = self.doublings.saturating_add(1).min(MOST_DOUBLINGS);
                self.open(now);
            }
            Phase::Closed => {
                self.consecutive = self.consecutive.saturating_add(1);
                self.count(now, 1);
                if self.consecutive >= CONSECUTIVE || self.half_failed(now) {
                    self.open(now);
                }
            }
        }
    }

    /// The candidate said 429, and to come back after so many seconds (30 if it did not say, at most an hour).
    pub fn cooldown(&mut self, now: Micros, retry_after: Option<u64>) {
        let seconds = retry_after.unwrap_or(COOLDOWN_SECONDS).clamp(1, LONGEST_COOLDOWN);
        let until = now.after(Duration::from_secs(seconds));
        // One that was written by a clock that ran ahead must not outlast all others.
        let known = Some(self.cooldown).filter(|it| *it <= now.after(LATEST)).unwrap_or_default();
        self.cooldown = known.max(until);
        self.untried(now);
    }

    fn open(&mut self, now: Micros) {
        let seconds = RESET_SECONDS.checked_shl(self.doublings.into()).unwrap_or(RESET_SECONDS);
        let until = now.after(Duration::from_secs(seconds));
        self.phase = Phase::Open { until };
        self.consecutive = 0;
        self.recent = Default::default();
    }

    fn count(&mut self, now: Micros, failures: u32) {
        if let Some(bucket) = self.bucket(now) {
            bucket.requests = bucket.requests.saturating_add(1);
            bucket.failures = bucket.failures.saturating_add(failures);
        }
    }

    /// The current ten seconds'.
    fn bucket(&mut self, now: Micros) -> Option<&mut Bucket> {
        let tick = tick(now);
        let place = usize::try_from(tick).unwrap_or_default().checked_rem(BUCKETS)?;
        let bucket = self.recent.get_mut(place)?;
        if bucket.tick != tick {
            *bucket = Bucket { tick, ..Bucket::default() };
        }
        Some(bucket)
    }

    fn half_failed(&self, now: Micros) -> bool {
        let last = tick(now);
        let recent = |it: &&Bucket| last.checked_sub(it.tick).is_some_and(|age| age < 6);
        let sum = |of: fn(&Bucket) -> u32| self.recent.iter().filter(recent).map(of).fold(0, u32::saturating_add);
        let (requests, failures) = (sum(|it| it.requests), sum(|it| it.failures));
        requests >= ENOUGH && failures >= requests.div_ceil(2)
    }
}

fn tick(now: Micros) -> u32 {
    let ticks = now.seconds().checked_div(BUCKET_SECONDS).unwrap_or_default();
    u32::try_from(ticks).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
