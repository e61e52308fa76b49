//! What records take from budgets, added up, and who is to be told.

use super::record::{Charge, Kind, Period, Record};
use domain::time::Micros;
use std::collections::{BTreeMap, BTreeSet};

/// In how many pieces a rolling window is counted.
const SLICES: i64 = 48;
/// Stands among the told thresholds for "used up", which is an event of its own.
pub(crate) const EXHAUSTED: i64 = 0;

/// What is taken from one period of one budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Charged {
    /// How much may be used, by the latest record.
    pub(crate) limit: i64,
    /// When the period ends.
    pub(crate) end: i64,
    /// Whether it is a hard one, by the latest record.
    pub(crate) kind: Kind,
    /// At which percentages somebody is to be told.
    pub(crate) alerts: BTreeSet<u8>,
    /// How much was used.
    pub(crate) amount: i64,
    /// By whom: what is taken from each gateway's lease.
    pub(crate) nodes: BTreeMap<String, i64>,
    /// When, in a rolling window: by the number of its slice.
    pub(crate) slices: BTreeMap<i64, i64>,
    /// The moment of the latest record.
    at: i64,
}

/// Adds up what `records` take, each period once, in an order that all companions share: they lock rows
/// in it. A record from the future counts as of `now`, or it would count for longer than the window.
#[must_use]
pub(crate) fn gather<'a>(records: impl IntoIterator<Item = &'a Record>, now: Micros) -> BTreeMap<&'a Period, Charged> {
    let mut periods = BTreeMap::<&Period, Charged>::new();
    let now = i64::try_from(now.0).unwrap_or(i64::MAX);
    for record in records {
        for charge in &record.charges {
            let charged = periods.entry(&charge.period).or_insert_with(|| Charged::new(charge, record.at));
            charged.add(charge, record, now);
        }
    }
    periods
}

impl Charged {
    fn new(charge: &Charge, at: i64) -> Self {
        let (limit, end, kind, alerts) = (charge.limit, charge.end, charge.kind, charge.alerts.clone());
        Self { limit, end, kind, alerts, amount: 0, nodes: BTreeMap::new(), slices: BTreeMap::new(), at }
    }

    fn add(&mut self, charge: &Charge, record: &Record, now: i64) {
        if record.at > self.at {
            (self.limit, self.end, self.kind, self.at) = (charge.limit, charge.end, charge.kind, record.at);
            self.alerts.clone_from(&charge.alerts);
        }
        self.amount = self.amount.saturating_add(charge.amount);
        let node = self.nodes.entry(record.node.clone()).or_default();
        *node = node.saturating_add(charge.amount);
        if let Some(window) = charge.period.window_seconds {
            let slice = self.slices.entry(slice(record.at.min(now), window)).or_default();
            *slice = slice.saturating_add(charge.amount);
        }
    }
}

/// The number of the slice of a window of so many seconds in which `at` lies.
#[must_use]
pub(crate) fn slice(at: i64, window_seconds: i64) -> i64 {
    let length = window_seconds.saturating_mul(1_000_000) / SLICES;
    at.div_euclid(length.max(1))
}

/// The first slice that still counts at `now`: slices are left out only when all of them is older than
/// the window, so that no window of this length sees more than the limit.
#[must_use]
pub(crate) fn first_slice(now: Micros, window_seconds: i64) -> i64 {
    slice(i64::try_from(now.0).unwrap_or(i64::MAX), window_seconds).saturating_sub(SLICES)
}

/// Of the thresholds `alerts`, in percent, and [`EXHAUSTED`], those that `used` of `limit` has reached and
/// that nobody was `told` of, the lowest first. Nothing is no threshold.
#[must_use]
pub(crate) fn crossed(alerts: &BTreeSet<u8>, limit: i64, used: i64, told: &BTreeSet<i64>) -> Vec<i64> {
    let reached =
        |percent: i64| i128::from(used).saturating_mul(100) >= i128::from(limit).saturating_mul(i128::from(percent));
    let mut crossed: Vec<i64> = alerts.iter().map(|it| i64::from(*it)).filter(|it| *it > 0 && reached(*it)).collect();
    if reached(100) {
        crossed.push(EXHAUSTED);
    }
    crossed.retain(|it| !told.contains(it));
    crossed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_threshold_is_told_once_and_the_end_besides() {
        let check =
            |used: i64, told: &[i64]| crossed(&[50, 80, 100].into(), 1000, used, &told.iter().copied().collect());
        assert_eq!(check(0, &[]), [0; 0]);
        assert_eq!(check(499, &[]), [0; 0]);
        assert_eq!(check(500, &[]), [50]);
        assert_eq!(check(500, &[50]), [0; 0]);
        assert_eq!(check(999, &[]), [50, 80]);
        assert_eq!(check(1000, &[50, 80]), [100, EXHAUSTED]);
        assert_eq!(check(i64::MAX, &[50, 80, 100, EXHAUSTED]), [0; 0]);
        assert_eq!(crossed(&[0, 50].into(), 10, 4, &BTreeSet::new()), [0; 0]);
        assert_eq!(crossed(&BTreeSet::new(), 10, 10, &BTreeSet::new()), [EXHAUSTED]);
    }

    #[test]
    fn a_slice_counts_until_all_of_it_is_older_than_the_window() {
        // A window of 48 s has slices of one second.
        let counts =
            |used_at: u64, now: u64| slice(Micros(used_at).0.try_into().unwrap(), 48) >= first_slice(Micros(now), 48);
        assert!(counts(10_000_000, 10_000_000));
        assert!(counts(10_000_000, 57_999_999));
        assert!(counts(10_000_000, 58_999_999));
        assert!(!counts(10_999_999, 59_000_000));
    }
}
