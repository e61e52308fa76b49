//! Refused mints, added up before they go to the audit table: an address and a key have one row a
//! minute, however often they try, and a minute has a bounded number of rows. Else whoever can reach
//! the companion could fill its disk.

use crate::address::Network;
use domain::time::Micros;
use std::collections::BTreeMap;
use std::mem;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long refusals are added up.
const WINDOW: Duration = Duration::from_secs(60);
/// Rows of a window for revoked keys, and as many for unknown ones, so that a flood of nonsense does
/// not hide that a leaked key is tried. What further addresses do is one row together. With it a flood
/// that never ends adds some 15 MB a day.
const MOST: usize = 32;

/// Refusals of the window under way.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<Window>);

#[derive(Debug, Default)]
struct Window {
    sums: BTreeMap<Who, Sum>,
    /// Of those for whom there was no room.
    rest: Option<Sum>,
}

/// Whose mints were refused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Who {
    /// From where they came.
    pub(crate) network: Network,
    /// The key, if it is one that was revoked.
    pub(crate) key: Option<RevokedKey>,
}

/// A key that mints no more.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RevokedKey {
    /// Its id.
    pub(crate) id: String,
    /// For which project it minted.
    pub(crate) project: String,
}

/// How many mints were refused, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sum {
    /// How many.
    pub(crate) count: u64,
    /// When the first was.
    pub(crate) first: Micros,
    /// When the last was.
    pub(crate) last: Micros,
}

/// A row of the audit table to be; `None` stands for many addresses.
pub(crate) type Row = (Option<Who>, Sum);

impl Refusals {
    /// Adds a refusal at `now`.
    pub(crate) fn add(&self, who: Who, now: Micros) {
        let new = Sum { count: 0, first: now, last: now };
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let alike = window.sums.keys().filter(|it| it.key.is_some() == who.key.is_some()).count();
        let room = alike < MOST || window.sums.contains_key(&who);
        let sum = if room { window.sums.entry(who).or_insert(new) } else { window.rest.get_or_insert(new) };
        sum.count = sum.count.saturating_add(1);
        sum.last = sum.last.max(now);
    }

    /// Takes the sums once a window has passed since the first of them; before, there is nothing.
    pub(crate) fn take_due(&self, now: Micros) -> Vec<Row> {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let firsts = window.sums.values().map(|it| it.first).min();
        if firsts.is_none_or(|first| now.since(first) < WINDOW) {
            return Vec::new();
        }
        mem::take(&mut *window).rows()
    }

    /// Takes the sums, whatever the time.
    pub(crate) fn take(&self) -> Vec<Row> {
        mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).rows()
    }
}

impl Window {
    fn rows(self) -> Vec<Row> {
        let sums = self.sums.into_iter().map(|(who, sum)| (Some(who), sum));
        sums.chain(self.rest.map(|sum| (None, sum))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn who(nth: usize) -> Who {
        Who { network: Network::of(Ipv4Addr::from_bits(u32::try_from(nth).unwrap()).into()), key: None }
    }

    fn second(it: u64) -> Micros {
        Micros::from_seconds(it)
    }

    #[test]
    fn an_address_has_one_row_a_minute_with_a_count() {
        let refusals = Refusals::default();
        for at in [100, 101, 130] {
            refusals.add(who(1), second(at));
        }
        refusals.add(who(2), second(159));
        assert_eq!(refusals.take_due(second(159)), []);
        let sum = |count, first, last| Sum { count, first: second(first), last: second(last) };
        let want = [(Some(who(1)), sum(3, 100, 130)), (Some(who(2)), sum(1, 159, 159))];
        assert_eq!(refusals.take_due(second(160)), want);
        assert_eq!((refusals.take_due(second(300)), refusals.take()), (vec![], vec![]));
    }

    #[test]
    fn a_revoked_key_has_a_row_of_its_own() {
        let refusals = Refusals::default();
        let key = RevokedKey { id: "key_1".into(), project: "p1".into() };
        refusals.add(Who { key: Some(key), ..who(1) }, second(1));
        refusals.add(who(1), second(1));
        assert_eq!(refusals.take().len(), 2);
    }

    #[test]
    fn a_flood_from_everywhere_is_as_many_rows_as_there_is_room_for() {
        let refusals = Refusals::default();
        for nth in 0..1000 {
            refusals.add(who(nth), second(1));
        }
        refusals.add(who(0), second(2));
        let key = RevokedKey { id: "key_1".into(), project: "p1".into() };
        refusals.add(Who { key: Some(key), ..who(2000) }, second(2));
        let rows = refusals.take();
        assert_eq!((rows.len(), rows[0].1.count), (MOST + 2, 2));
        let rest = rows.last().unwrap();
        assert_eq!((&rest.0, rest.1.count), (&None, 1000 - MOST as u64));
        assert_eq!(rows.iter().map(|it| it.1.count).sum::<u64>(), 1002);
    }
}
