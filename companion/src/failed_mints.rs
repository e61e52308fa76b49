//! How often an address may fail to mint. Nobody can guess a key; the limit keeps a broken backend or
//! a scanner from filling logs and from looking like one.
//!
//! It refuses to come between a good key and its token: gateways and NAT put many callers behind one
//! address, so a key is looked up first and only a failure is counted. The memory is fixed: addresses
//! share a table of slots (see `domain::slots`), keyed by a secret so that nobody can aim at a slot.

use crate::address::Network;
use crate::random::{self, NoRandomness};
use domain::quota::Quota;
use domain::slots::{self, Place, Seed};
use domain::time::Micros;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How many mints may fail in [`SECONDS`]; all of them may fail at once.
const FAILURES: NonZeroU32 = number(10);
const SECONDS: NonZeroU32 = number(60);
/// Addresses that fail at a time before some are forgotten: 16 times as many, in 330 KB.
const SLOTS: NonZeroU32 = number(1024);

/// The failures of every address.
pub(crate) struct FailedMints {
    seed: Seed,
    slots: Mutex<Vec<Vec<u8>>>,
}

impl FailedMints {
    /// A table in which nobody has failed.
    ///
    /// # Errors
    /// When the operating system has no random bytes to give.
    pub(crate) fn new() -> Result<Self, NoRandomness> {
        let slots = (0..SLOTS.get()).map(|_| Vec::new()).collect();
        Ok(Self { seed: Seed::new(random::bytes()?), slots: Mutex::new(slots) })
    }

    /// Counts a failure of `network` at `now`.
    ///
    /// # Errors
    /// It failed too often; in how long the next failure would be counted.
    pub(crate) fn count(&self, network: Network, now: Micros) -> Result<(), Duration> {
        let place = Place::of(&[&network.to_string()], &self.seed, SLOTS);
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(slot) = usize::try_from(place.slot).ok().and_then(|it| slots.get_mut(it)) else {
            return Ok(());
        };
        let spend = |state| match Quota::new(FAILURES, SECONDS).spend(state, now) {
            Ok((state, _)) => (Some(state), Ok(())),
            Err(refused) => (None, Err(refused.wait)),
        };
        let (changed, verdict) = slots::update(slot, place, now, spend);
        *slot = changed;
        verdict
    }
}

impl fmt::Debug for FailedMints {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("FailedMints")
    }
}

/// A literal that is not zero.
const fn number(it: u32) -> NonZeroU32 {
    match NonZeroU32::new(it) {
        Some(it) => it,
        None => NonZeroU32::MIN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::slots::ENTRIES;
    use std::net::Ipv4Addr;

    fn network(nth: u32) -> Network {
        Network::of(Ipv4Addr::from_bits(nth).into())
    }

    fn check(failed: &FailedMints, nth: u32, second: u64) -> Option<u64> {
        failed.count(network(nth), Micros::from_seconds(second)).err().map(|it| it.as_secs())
    }

    #[test]
    fn ten_failures_a_minute_are_an_addresss_own() {
        let failed = FailedMints::new().unwrap();
        for _ in 0..10 {
            assert_eq!(check(&failed, 1, 100), None);
        }
        assert_eq!([check(&failed, 1, 100), check(&failed, 1, 104), check(&failed, 2, 104)], [Some(6), Some(2), None]);
        // A refused failure is not held against anybody: the wait gets no longer.
        assert_eq!([check(&failed, 1, 106), check(&failed, 1, 106), check(&failed, 1, 160)], [None, Some(6), None]);
    }

    #[test]
    fn a_hundred_thousand_addresses_take_no_more_memory_than_the_table_has() {
        let failed = FailedMints::new().unwrap();
        let slots = SLOTS.get() as usize;
        for nth in 0..100_000 {
            let _ = failed.count(network(nth), Micros::from_seconds(1));
        }
        let table = failed.slots.lock().unwrap();
        assert_eq!(table.len(), slots);
        assert!(table.iter().all(|it| it.len() <= 1 + 20 * ENTRIES && it.capacity() <= 2 * 20 * ENTRIES));
    }

    #[test]
    fn a_thousand_addresses_at_a_time_are_all_limited() {
        let failed = FailedMints::new().unwrap();
        let passed = |round| (0..1000).filter(|nth| check(&failed, *nth, round).is_none()).count();
        assert!((0..10).all(|_| passed(5) == 1000));
        assert_eq!(passed(5), 0);
    }
}
