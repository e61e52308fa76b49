//! What a proxy holds of a limit that it shares with other gateways: allowance that the companion leased to it.
//!
//! The companion sees to it that all leases together never exceed the limit, on two conditions that are kept here: a grant
//! is spent at most once, and never after its validity, which is counted from the moment at which it was *asked* for. So a
//! lost answer, a proxy that dies, an evicted entry lose allowance until it expires, and grant nothing.
//!
//! All of it is data in, data out. The entry lies in memory that the workers share, changed as one step.

use domain::{
    quota::{Left, Quota},
    slots::{Entry, number},
    time::Micros,
};
use std::time::Duration;

/// How long nobody asks after the companion did not answer.
pub const REST: Duration = Duration::from_secs(1);
/// The longest validity that is believed; the companion gives two seconds.
const LONGEST_VALID: Duration = Duration::from_secs(10);
/// Who is refused while somebody asks whether there is room again comes back after this.
const SOON: Duration = Duration::from_millis(100);
/// Demand is measured in spans of this length.
const SPAN: Duration = Duration::from_millis(250);
/// Spans in a second.
const SPANS: u64 = 4;
/// From so many requests in a span on, a key is hot: its allowance is asked for before it is needed.
const HOT: u32 = 2;
/// What is left for no longer than this counts as gone when the next question is timed: two ticks, and the way.
const LEAD: Duration = Duration::from_millis(120);

/// What is held for one key of one limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lease {
    grants: [Grant; 3],
    /// The companion said that nothing is to be had before this.
    denied_until: Micros,
    /// The companion did not answer, and is not asked before this.
    failed_until: Micros,
    /// Somebody asks since this moment; zero: nobody.
    asked_at: Micros,
    /// What the companion had left for all when it was asked last.
    remaining: u32,
    demand: Demand,
}

/// Allowance from one answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Grant {
    left: u32,
    until: Micros,
    /// By which the companion knows it.
    slice: u64,
}

/// How many requests came in this span, and in the one before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Demand {
    since: Micros,
    now: u32,
    before: u32,
}

/// A request's part of a grant, to be given back if the request comes to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    slice: u64,
}

/// What a request gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Take {
    /// One of what is held.
    Granted(Ticket),
    /// Nothing, for so long.
    Denied(Duration),
    /// Nothing: the companion did not answer.
    Failing,
    /// Nothing yet: somebody else is asking.
    Wait,
    /// Nothing yet: the companion must be asked.
    Ask,
}

/// A question for the companion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// When it is asked.
    pub at: Micros,
    /// The least that is of use; zero: only `returned` matters.
    pub need: u32,
    /// As much as demand would use up in time.
    pub want: u32,
    /// What was not spent: slice and count.
    pub returned: Vec<(u64, u32)>,
}

/// What the companion answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Granted {
    /// How many; zero: none.
    pub count: u32,
    /// How long they may be spent, from the moment of the question.
    pub valid: Duration,
    /// What they are called when they are returned.
    pub slice: u64,
    /// If there are none, when to ask again.
    pub wait: Duration,
    /// What is left for all.
    pub remaining: u32,
}

/// What is to be done for a key in the background.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refill {
    /// Nothing now.
    Nothing,
    /// This is to be asked.
    Ask(Ask),
    /// Nothing, and nothing will be until somebody asks for it.
    Forget,
}

impl Lease {
    /// Takes one request's part at `now`. A question that was not answered within `patience` is taken for lost.
    pub fn take(&mut self, now: Micros, patience: Duration) -> Take {
        let live = self.grants.iter_mut().filter(|it| it.left > 0 && now < it.until);
        if let Some(grant) = live.min_by_key(|it| it.until) {
            grant.left = grant.left.saturating_sub(1);
            self.demand.add(now);
            return Take::Granted(Ticket { slice: grant.slice });
        }
        if now < self.failed_until {
            return Take::Failing;
        }
        if now < self.denied_until {
            self.demand.add(now);
            return Take::Denied(self.denied_until.since(now));
        }
        if !self.is_asked(now, patience) {
            return Take::Ask;
        }
        // Until a moment ago there was nothing, so there is most likely nothing for those who do not ask themselves.
        if now < self.denied_until.after(SOON) {
            self.demand.add(now);
            return Take::Denied(SOON);
        }
        Take::Wait
    }

    /// Marks that somebody asks, and says what.
    pub fn ask(&mut self, now: Micros, quota: Quota) -> Ask {
        self.asked_at = now;
        let returned = self.give_up(|it| it.until <= now);
        let want = self.demand.within(valid(quota), now).saturating_sub(u64::from(self.live(now)));
        let want = u32::try_from(want).unwrap_or(u32::MAX).clamp(1, quota.requests());
        Ask { at: now, need: 1, want, returned }
    }

    /// What is to be done before somebody needs it.
    pub fn refill(&mut self, now: Micros, patience: Duration, quota: Quota) -> Refill {
        if self.is_asked(now, patience) || now < self.failed_until {
            return Refill::Nothing;
        }
        if self.demand.is_hot(now) {
            let soon = self.live(now.after(LEAD.min(half(valid(quota)))));
            let low = self.demand.within(LEAD, now);
            let needed = now >= self.denied_until && u64::from(soon) <= low;
            return if needed { Refill::Ask(self.ask(now, quota)) } else { Refill::Nothing };
        }
        // Others may need what nobody here does.
        let idle = self.demand.is_idle(now);
        let returned = self.give_up(|it| idle || it.until <= now);
        if !returned.is_empty() {
            self.asked_at = now;
            return Refill::Ask(Ask { at: now, need: 0, want: 0, returned });
        }
        if idle { Refill::Forget } else { Refill::Nothing }
    }

    /// Takes note of the answer to the question that was asked at `asked_at`.
    pub fn settle(&mut self, asked_at: Micros, granted: Granted) {
        self.answered(asked_at);
        self.remaining = granted.remaining;
        if granted.count == 0 {
            self.denied_until = self.denied_until.max(asked_at.after(granted.wait));
            return;
        }
        self.denied_until = Micros(0);
        self.failed_until = Micros(0);
        let until = asked_at.after(granted.valid.min(LONGEST_VALID));
        let new = Grant { left: granted.count, until, slice: granted.slice };
        // All of one slice counts until that slice ends, which is after each of its grants does.
        if let Some(same) = self.grants.iter_mut().find(|it| it.left > 0 && it.slice == new.slice) {
            *same =
                Grant { left: same.left.saturating_add(new.left), until: same.until.max(new.until), slice: new.slice };
            return;
        }
        // In place of what is spent, or else of what can be spent for the shortest time, which is then lost.
        if let Some(place) = self.grants.iter_mut().min_by_key(|it| (it.left > 0, it.until)) {
            *place = new;
        }
    }

    /// The question that was asked at `asked_at` was only about what is returned.
    pub fn answered(&mut self, asked_at: Micros) {
        if self.asked_at == asked_at {
            self.asked_at = Micros(0);
        }
    }

    /// The question that was asked at `asked_at` was not answered.
    pub fn fail(&mut self, asked_at: Micros, now: Micros) {
        self.answered(asked_at);
        self.failed_until = now.after(REST);
    }

    /// Gives back what one request took.
    pub fn give_back(&mut self, ticket: Ticket) {
        if let Some(grant) = self.grants.iter_mut().find(|it| it.slice == ticket.slice) {
            grant.left = grant.left.saturating_add(1);
        }
    }

    /// What the whole fleet has left, as far as this proxy knows: what it holds, and what the companion had.
    #[must_use]
    pub fn left(&self, now: Micros, quota: Quota) -> Left {
        let denied = self.denied_until.since(now);
        let remaining = if denied.is_zero() { self.remaining.saturating_add(self.live(now)) } else { 0 };
        let remaining = remaining.min(quota.requests());
        let window = Duration::from_secs(quota.seconds().into());
        let used = quota.requests().saturating_sub(remaining);
        let reset = window.saturating_mul(used).checked_div(quota.requests()).unwrap_or_default();
        Left { remaining, reset: reset.max(denied) }
    }

    fn is_asked(&self, now: Micros, patience: Duration) -> bool {
        self.asked_at != Micros(0) && now < self.asked_at.after(patience)
    }

    fn live(&self, now: Micros) -> u32 {
        self.grants.iter().filter(|it| now < it.until).fold(0, |sum, it| sum.saturating_add(it.left))
    }

    /// Empties the grants that `which` says, and says what was in them.
    fn give_up(&mut self, which: impl Fn(&Grant) -> bool) -> Vec<(u64, u32)> {
        let gone = self.grants.iter_mut().filter(|it| it.left > 0 && which(it));
        gone.map(|it| (it.slice, std::mem::take(&mut it.left))).collect()
    }
}

impl Demand {
    fn add(&mut self, now: Micros) {
        *self = self.at(now);
        self.now = self.now.saturating_add(1);
    }

    fn at(self, now: Micros) -> Self {
        let passed = now.since(self.since);
        if passed < SPAN {
            return self;
        }
        let before = if passed < SPAN.saturating_mul(2) { self.now } else { 0 };
        Self { since: now, now: 0, before }
    }

    /// How many requests come within `span`, as they came lately.
    fn within(self, span: Duration, now: Micros) -> u64 {
        let it = self.at(now);
        let in_span = u64::from(it.now.max(it.before));
        let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        in_span.saturating_mul(SPANS).saturating_mul(millis) / 1_000
    }

    fn is_hot(self, now: Micros) -> bool {
        let it = self.at(now);
        it.now.max(it.before) >= HOT
    }

    fn is_idle(self, now: Micros) -> bool {
        now.since(self.since) >= SPAN.saturating_mul(2)
    }
}

fn half(span: Duration) -> Duration {
    span.checked_div(2).unwrap_or_default()
}

/// How long the companion lets a grant be spent.
fn valid(quota: Quota) -> Duration {
    let sixtieth = Duration::from_secs(quota.seconds().into()).checked_div(60).unwrap_or_default();
    sixtieth.clamp(Duration::from_millis(50), Duration::from_secs(2))
}

impl Entry for Lease {
    const LAYOUT: u8 = 2;
    const SIZE: usize = 104;
    const MOST: usize = 8;

    fn read(bytes: &[u8]) -> Self {
        let at = |nth: usize| Micros(number(bytes, nth));
        let count = |nth: usize| {
            let four = bytes.get(nth..).unwrap_or_default();
            u32::try_from(number(four.get(..4).unwrap_or_default(), 0)).unwrap_or_default()
        };
        let grant = |nth: usize| Grant {
            until: at(nth),
            slice: number(bytes, nth.saturating_add(8)),
            left: count(nth.saturating_add(16)),
        };
        Self {
            grants: [grant(0), grant(20), grant(40)],
            denied_until: at(60),
            failed_until: at(68),
            asked_at: at(76),
            demand: Demand { since: at(84), now: count(92), before: count(96) },
            remaining: count(100),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        for grant in &self.grants {
            out.extend_from_slice(&grant.until.0.to_le_bytes());
            out.extend_from_slice(&grant.slice.to_le_bytes());
            out.extend_from_slice(&grant.left.to_le_bytes());
        }
        for moment in [self.denied_until, self.failed_until, self.asked_at, self.demand.since] {
            out.extend_from_slice(&moment.0.to_le_bytes());
        }
        for count in [self.demand.now, self.demand.before, self.remaining] {
            out.extend_from_slice(&count.to_le_bytes());
        }
    }

    fn needed_until(&self) -> Micros {
        let held = self.grants.iter().filter(|it| it.left > 0).map(|it| it.until.after(REST));
        let known = [self.denied_until, self.failed_until, self.asked_at.after(REST), self.demand.since.after(REST)];
        held.chain(known).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
