//! What is kept of an allowance.

use domain::time::Micros;
use std::fmt::Write;

/// What was granted of a limit, and how much of the burst is owed. The default is a limit that nobody
/// asked for. It has no more slices than a window and a validity together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// When the burst is whole again.
    pub(crate) full_at: Micros,
    /// How many were granted, by the slice in which they end; oldest first, none empty.
    pub(crate) slices: Vec<(u64, u32)>,
}

impl State {
    /// What counts when windows reach back to the slice `oldest` and no grant ends after `newest`. One
    /// that does was granted before the clock was set back, so it ends earlier than it says.
    pub(super) fn at(self, oldest: u64, newest: u64) -> Self {
        let mut state = Self { full_at: self.full_at, slices: Vec::with_capacity(self.slices.len()) };
        for (slice, count) in self.slices {
            let slice = slice.min(newest);
            if slice >= oldest {
                state.add(slice, count);
            }
        }
        state
    }

    /// All that counts.
    pub(super) fn sum(&self) -> u32 {
        self.slices.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// Adds `count` to `slice`, which is not before any other.
    pub(super) fn add(&mut self, slice: u64, count: u32) {
        match self.slices.last_mut() {
            Some((last, sum)) if *last == slice => *sum = sum.saturating_add(count),
            _ => self.slices.push((slice, count)),
        }
    }

    /// Takes up to `count` out of `slice`, and says how many.
    pub(super) fn take(&mut self, slice: u64, count: u32) -> u32 {
        let Some((_, sum)) = self.slices.iter_mut().find(|(it, _)| *it == slice) else {
            return 0;
        };
        let taken = count.min(*sum);
        *sum = sum.saturating_sub(taken);
        self.slices.retain(|(_, sum)| *sum > 0);
        taken
    }

    /// As it is stored: `<full_at> <first slice> <slices after the first>:<count> …`.
    #[must_use]
    pub(crate) fn encode(&self) -> String {
        let first = self.slices.first().map_or(0, |(slice, _)| *slice);
        self.slices.iter().fold(format!("{} {first}", self.full_at.0), |mut text, (slice, count)| {
            // Writing to a String cannot fail.
            let _ = write!(text, " {}:{count}", slice.saturating_sub(first));
            text
        })
    }

    /// Reads what [`State::encode`] wrote; `None` when it is something else.
    #[must_use]
    pub(crate) fn decode(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let full_at = Micros(words.next()?.parse().ok()?);
        let first: u64 = words.next()?.parse().ok()?;
        let slice = |word: &str| {
            let (after, count) = word.split_once(':')?;
            Some((first.checked_add(after.parse().ok()?)?, count.parse().ok()?))
        };
        Some(Self { full_at, slices: words.map(slice).collect::<Option<_>>()? })
    }
}
