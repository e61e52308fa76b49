//! The secret that keys the tables of callers: the same in all workers and filters, without a setting.
//!
//! The first worker that looks makes one up and puts it into shared memory; the others take it from
//! there. Looking again from time to time heals what hosts do not promise: two first writers in Envoy
//! both win, and Kong may evict the value. In Kong random numbers can be guessed by whoever knows
//! when the worker started; such a one could spend a victim's allowance, and do nothing else.

use crate::{Root, slots};
use domain::{slots::Seed, time::Micros};
use std::hash::{BuildHasher, RandomState};

/// The table of shared memory that holds the seed, in slot 0.
const TABLE: &str = "seed";

/// Makes room for the seed. To be called from [`crate::Plugin::configure`].
pub fn prepare(root: &Root) {
    root.create_slots(TABLE, 1);
}

/// The seed that all use, which is `own` if there was none. `None` when the proxy shares no memory: then there is nothing
/// to key either.
#[must_use]
pub fn agreed(own: Seed) -> Option<Seed> {
    slots::update(TABLE, 0, |found| agree(found, own)).ok()
}

/// A seed of this worker's own, from the host's random numbers (they key every `RandomState`).
#[must_use]
pub fn own(now: Micros) -> Seed {
    let random = RandomState::new();
    let bytes = [random.hash_one((now.0, 0_u8)).to_le_bytes(), random.hash_one((now.0, 1_u8)).to_le_bytes()];
    Seed::new(bytes.concat().try_into().unwrap_or_default())
}

/// The seed to use, given what is in shared memory; what to put there comes first.
fn agree(found: &[u8], own: Seed) -> (Vec<u8>, Seed) {
    match Seed::read(found) {
        Some(seed) => (found.to_vec(), seed),
        None => (own.bytes().to_vec(), own),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_worker_decides_and_the_others_follow() {
        let (ada, eve) = (own(Micros(1)), own(Micros(1)));
        assert_ne!(ada, eve);
        for nothing in [&b""[..], b"\0", b"a value of other bytes"] {
            assert_eq!(agree(nothing, ada), (ada.bytes().to_vec(), ada));
        }
        assert_eq!(agree(&ada.bytes(), eve), (ada.bytes().to_vec(), ada));
        assert_ne!(ada.node(), eve.node());
    }
}
