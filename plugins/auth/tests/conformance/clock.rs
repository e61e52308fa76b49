//! What time it is for the rows: always the same.

/// The time of every test.
pub(crate) const NOW: u64 = 1_700_000_000;
/// By how many seconds a row stays clear of the edge that time itself moves: here it stands still.
pub(crate) const SOON: u64 = 1;

pub(crate) fn now() -> u64 {
    NOW
}
