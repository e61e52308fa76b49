//! How much of a rate limit a gateway may spend: the rule, without a clock or a database.
//!
//! Gateways that share a limit lease parts of it and spend them by themselves. A grant at `now` may be
//! spent until `now + valid`, and counts in the slice of time in which it ends. It is given only while
//! the counts of all slices that a window before `now` reaches stay within the limit. So **no window
//! holds more than `requests`**, wherever it begins and however late each grant is spent: all that is
//! spent in a window ends in slices that were summed when the last of it was granted.
//!
//! What that costs is `valid` and one slice: a limit that is always wanted is given out once in a window
//! and those, which is 97.5 % from six seconds up. A `burst` smaller than the limit makes the flow even
//! (GCRA, as `domain::quota` counts). Who keeps asking when the window is full gets no burst when it
//! frees itself, else the first burst would come back with every window.
//!
//! The same rule stands in `grant.lua` for Redis; a test compares the two.

mod keep;
#[cfg(test)]
mod keep_tests;
mod state;
pub(crate) mod store;
#[cfg(test)]
mod tests;
mod wire;

pub(crate) use keep::Keeper;
pub(crate) use wire::lease;
#[cfg(test)]
pub(crate) use wire::{Leases, Question};

use domain::time::Micros;
use state::State;
use std::num::NonZeroU32;

/// Slices in a window.
const SLICES: u64 = 120;
/// The shortest slice and the shortest validity, in microseconds: a question takes milliseconds.
const MIN_SLICE: u64 = 25_000;
const MIN_VALID: u64 = 50_000;
/// The longest validity: what a gateway that died had is lost for no longer.
const MAX_VALID: u64 = 2_000_000;
/// Of what is left, one question gets no more than such a part, unless it needs more: nobody hoards.
const SHARE: u32 = 8;

/// A limit that gateways share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit {
    /// How many requests a window may hold.
    pub(crate) requests: NonZeroU32,
    /// The window.
    pub(crate) seconds: NonZeroU32,
    /// How many may come at once; from `requests` on it limits nothing.
    pub(crate) burst: NonZeroU32,
}

/// What a gateway asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ask {
    /// Of which limit.
    pub(crate) limit: Limit,
    /// The least that is of use; who needs more than can ever be there needs all. With nothing wanted it is nothing: then
    /// only what comes back matters.
    pub(crate) need: u32,
    /// The most that is of use.
    pub(crate) want: u32,
    /// What was granted before and not spent, by slice: (slice, count).
    pub(crate) returned: Vec<(u64, u32)>,
}

impl Ask {
    /// The least that is of use and can be there.
    #[must_use]
    pub(crate) fn needed(&self) -> u32 {
        if self.want == 0 { 0 } else { self.need.clamp(1, self.limit.most()) }
    }
}

/// What it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    /// How many requests it may let by, from the moment it asked until [`Limit::valid`] later.
    pub(crate) granted: u32,
    /// The slice that they count in, by which they are returned.
    pub(crate) slice: u64,
    /// When nothing is granted: before so many milliseconds asking again is in vain.
    pub(crate) wait_ms: u64,
    /// What is left to others.
    pub(crate) remaining: u32,
}

/// A limit as numbers of microseconds and slices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grid {
    /// The length of a slice.
    pub(crate) slice: u64,
    /// How long a grant may be spent.
    pub(crate) valid: u64,
    /// How many slices before the present one a window reaches.
    pub(crate) behind: u64,
    /// What one request costs, for the burst; rounded down, because the window is what must hold.
    pub(crate) unit: u64,
    /// What the whole burst costs; 0 when there is none to keep.
    pub(crate) capacity: u64,
}

impl Limit {
    /// The numbers that the rule needs.
    #[must_use]
    pub(crate) fn grid(self) -> Grid {
        let window = u64::from(self.seconds.get()).saturating_mul(1_000_000);
        let slice = window.div_ceil(SLICES).max(MIN_SLICE);
        let unit = window.checked_div(u64::from(self.requests.get())).unwrap_or_default();
        let capacity = if self.burst < self.requests { unit.saturating_mul(u64::from(self.burst.get())) } else { 0 };
        let valid = (window / 60).clamp(MIN_VALID, MAX_VALID);
        Grid { slice, valid, behind: window.div_ceil(slice), unit, capacity }
    }

    /// How long a grant may be spent, in milliseconds, rounded down.
    #[must_use]
    pub(crate) fn valid_ms(self) -> u64 {
        self.grid().valid / 1000
    }

    /// How long a state means something after it was written, in milliseconds, rounded up.
    #[must_use]
    pub(crate) fn lifetime_ms(self) -> u64 {
        let grid = self.grid();
        grid.window().saturating_add(grid.capacity).div_ceil(1000).saturating_add(1)
    }

    /// The most that can be granted at once.
    fn most(self) -> u32 {
        self.requests.get().min(self.burst.get())
    }
}

impl Grid {
    fn slice_of(&self, at: u64) -> u64 {
        at.checked_div(self.slice).unwrap_or_default()
    }

    /// How many the burst allows, of those that are owed for until `full_at`.
    fn in_burst(&self, full_at: Micros, now: Micros) -> u32 {
        let free = self.capacity.saturating_sub(full_at.0.saturating_sub(now.0));
        match free.checked_div(self.unit) {
            Some(free) if self.capacity > 0 => u32::try_from(free).unwrap_or(u32::MAX),
            _ => u32::MAX,
        }
    }

    /// In how long the burst allows so many.
    fn burst_wait(&self, full_at: Micros, now: Micros, need: u32) -> u64 {
        let owed = full_at.0.saturating_sub(now.0).saturating_add(self.cost(need));
        if self.capacity > 0 { owed.saturating_sub(self.capacity) } else { 0 }
    }

    /// How long a grant counts at most.
    fn window(&self) -> u64 {
        self.slice.saturating_mul(self.behind.saturating_add(1)).saturating_add(self.valid)
    }

    fn cost(&self, count: u32) -> u64 {
        self.unit.saturating_mul(u64::from(count))
    }
}

/// Answers `ask` at `now`; the state to keep comes back with the answer.
#[must_use]
pub(crate) fn grant(state: State, now: Micros, ask: &Ask) -> (State, Answer) {
    let grid = ask.limit.grid();
    let newest = grid.slice_of(now.0.saturating_add(grid.valid));
    let mut state = state.at(grid.slice_of(now.0).saturating_sub(grid.behind), newest);
    // More is owed only by another limit or a clock that was set back.
    let most_owed = grid.window().saturating_add(grid.capacity);
    state.full_at = state.full_at.min(Micros(now.0.saturating_add(most_owed)));
    for (slice, count) in &ask.returned {
        let taken = state.take(*slice, *count);
        if taken > 0 {
            // The window is not full any more, so nobody waits for it to be.
            let owed = state.full_at.0.min(now.0.saturating_add(grid.capacity));
            state.full_at = Micros(owed.saturating_sub(grid.cost(taken)));
        }
    }
    let need = ask.needed();
    let in_window = ask.limit.requests.get().saturating_sub(state.sum());
    if in_window == 0 {
        // One at a time, when it frees itself.
        let free_at = now.0.saturating_add(window_wait(&state, &grid, now, 1));
        let all_but_one = free_at.saturating_add(grid.capacity).saturating_sub(grid.cost(1));
        state.full_at = state.full_at.max(Micros(all_but_one));
    }
    let left = in_window.min(grid.in_burst(state.full_at, now));
    if need <= left {
        let granted = ask.want.min(need.max(left / SHARE)).max(need);
        if granted > 0 {
            state.add(newest, granted);
        }
        state.full_at = Micros(state.full_at.max(now).0.saturating_add(grid.cost(granted)));
        return (state, Answer { granted, slice: newest, wait_ms: 0, remaining: left.saturating_sub(granted) });
    }
    let window_wait = window_wait(&state, &grid, now, need.saturating_sub(in_window));
    let wait_ms = window_wait.max(grid.burst_wait(state.full_at, now, need)).div_ceil(1000).max(1);
    (state, Answer { granted: 0, slice: newest, wait_ms, remaining: left })
}

/// In how long so many have left the window.
fn window_wait(state: &State, grid: &Grid, now: Micros, missing: u32) -> u64 {
    if missing == 0 {
        return 0;
    }
    let mut gone = 0_u32;
    let last = state.slices.iter().find(|(_, count)| {
        gone = gone.saturating_add(*count);
        gone >= missing
    });
    let first_without = last.map_or(0, |(slice, _)| slice.saturating_add(grid.behind).saturating_add(1));
    first_without.saturating_mul(grid.slice).saturating_sub(now.0)
}
