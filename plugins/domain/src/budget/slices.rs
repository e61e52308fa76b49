//! Amounts by the moment at which they fall away, in whole seconds, so that few of them stand for many.

/// Sums by second, the earliest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Slices(Vec<(u64, u64)>);

impl Slices {
    /// Reads back what [`Slices::iter`] gave.
    pub(super) fn push(&mut self, second: u64, amount: u64) {
        self.0.push((second, amount));
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (u64, u64)> + '_ {
        self.0.iter().copied()
    }

    pub(super) fn sum(&self) -> u64 {
        self.0.iter().fold(0, |sum, (_, amount)| sum.saturating_add(*amount))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn has(&self, second: u64) -> bool {
        self.0.iter().any(|(it, _)| *it == second)
    }

    pub(super) fn add(&mut self, second: u64, amount: u64) {
        match self.0.iter_mut().find(|(it, _)| *it == second) {
            Some((_, sum)) => *sum = sum.saturating_add(amount),
            None if amount > 0 => {
                self.0.push((second, amount));
                self.0.sort_unstable();
            }
            None => {}
        }
    }

    /// Takes `amount` away, as far as it is there.
    pub(super) fn take(&mut self, second: u64, amount: u64) {
        if let Some((_, sum)) = self.0.iter_mut().find(|(it, _)| *it == second) {
            *sum = sum.saturating_sub(amount);
        }
        self.0.retain(|(_, sum)| *sum > 0);
    }

    /// Forgets what falls away by `now`, and what nobody can have written: later than `latest`.
    pub(super) fn keep(&mut self, now: u64, latest: u64) {
        self.0.retain(|(second, _)| *second > now && *second <= latest);
    }
}
