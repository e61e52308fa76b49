//! What a worker saw of the breakers a moment ago, so that a request to whoever is well reads and writes no shared memory.
//!
//! Only this much may be late: that another worker saw a failure or a 429 less than [`FRESH`] ago, and that this one's
//! successes count. Whoever is not well is looked up at every request, so a breaker that is open or half open is as exact as
//! shared memory is, and one request is the probe. A failure, a 429 and what comes of a probe are written at once, behind the
//! successes before them.

use crate::health::TAG;
use domain::time::Micros;
use std::{cell::RefCell, time::Duration};

/// How long what was seen holds.
const FRESH: Duration = Duration::from_millis(50);

/// Where a candidate's breaker is: its slot, and the hash that tells it from others there.
pub(crate) type Place = (u32, [u8; TAG]);

/// What was seen of a candidate.
#[derive(Debug, Clone, Copy)]
struct Glimpse {
    tag: [u8; TAG],
    at: Micros,
    well: bool,
    /// So many answers since are not in shared memory yet.
    successes: u32,
}

/// What was seen of all, by slot.
#[derive(Debug, Default)]
pub(crate) struct Glimpses(RefCell<Vec<Option<Glimpse>>>);

impl Glimpses {
    /// Whether the candidate was well a moment ago.
    pub(crate) fn is_well(&self, place: Place, now: Micros) -> bool {
        self.with(place, |it| it.is_fresh(now)).unwrap_or_default()
    }

    /// Counts a success of a candidate that was well a moment ago; `false` says that it is not counted but to be written now.
    pub(crate) fn succeeded(&self, place: Place, now: Micros) -> bool {
        let count = |it: &mut Glimpse| {
            let fresh = it.is_fresh(now);
            it.successes = it.successes.saturating_add(u32::from(fresh));
            fresh
        };
        self.with(place, count).unwrap_or_default()
    }

    /// The successes that were counted: whoever writes next has to write them, once.
    pub(crate) fn take(&self, place: Place) -> u32 {
        self.with(place, |it| std::mem::take(&mut it.successes)).unwrap_or_default()
    }

    /// Shared memory was looked at.
    pub(crate) fn saw(&self, (slot, tag): Place, now: Micros, well: bool) {
        let Ok(at) = usize::try_from(slot) else { return };
        let mut all = self.0.borrow_mut();
        if all.len() <= at {
            all.resize(at.saturating_add(1), None);
        }
        if let Some(it) = all.get_mut(at) {
            let successes = it.filter(|it| it.tag == tag).map_or(0, |it| it.successes);
            *it = Some(Glimpse { tag, at: now, well, successes });
        }
    }

    fn with<T>(&self, (slot, tag): Place, read: impl FnOnce(&mut Glimpse) -> T) -> Option<T> {
        let mut all = self.0.borrow_mut();
        let glimpse = all.get_mut(usize::try_from(slot).ok()?)?.as_mut();
        glimpse.filter(|it| it.tag == tag).map(read)
    }
}

impl Glimpse {
    fn is_fresh(self, now: Micros) -> bool {
        // A clock that was set back makes nothing fresh.
        self.well && self.at <= now && now.since(self.at) < FRESH
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: Place = (3, [1; TAG]);
    const EVE: Place = (3, [2; TAG]);

    fn at(millis: u64) -> Micros {
        Micros(1_000_000_000 + millis * 1000)
    }

    #[test]
    fn who_was_well_a_moment_ago_is_so_still_and_nobody_else() {
        let seen = Glimpses::default();
        let check = |place, now| seen.is_well(place, at(now));
        assert!(!check(ADA, 0));
        seen.saw(ADA, at(0), true);
        assert!(check(ADA, 0) && check(ADA, 49));
        assert!(!check(ADA, 50), "it may be another by now");
        assert!(!seen.is_well(ADA, Micros(1)), "the clock was set back");
        assert!(!check(EVE, 0) && !check((4, [1; TAG]), 0));
        seen.saw(ADA, at(60), false);
        assert!(!check(ADA, 60));
        seen.saw(EVE, at(60), true);
        assert!(check(EVE, 60) && !check(ADA, 60));
    }

    #[test]
    fn successes_are_written_once_with_the_next_that_is_written() {
        let seen = Glimpses::default();
        assert!(!seen.succeeded(ADA, at(0)), "nothing is known of it");
        assert_eq!(seen.take(ADA), 0);
        seen.saw(ADA, at(0), true);
        assert!(seen.succeeded(ADA, at(1)) && seen.succeeded(ADA, at(49)));
        assert!(!seen.succeeded(ADA, at(50)));
        assert_eq!(seen.take(EVE), 0);
        seen.saw(ADA, at(60), false);
        assert!(!seen.succeeded(ADA, at(60)));
        assert_eq!((seen.take(ADA), seen.take(ADA)), (2, 0));
    }
}
