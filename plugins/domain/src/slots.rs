//! The state of any number of callers in a fixed number of slots.
//!
//! A proxy's shared memory never forgets a key (Envoy) or forgets one silently (Kong), so callers
//! cannot be keys there: a caller's hash picks one of a fixed number of slots, and a slot holds the
//! state of up to [`ENTRIES`] callers. A caller whose allowance is whole again needs no entry and
//! loses it. Only when all entries of a slot are still needed is one evicted: the one that is whole
//! soonest. **What eviction costs**: the evicted caller starts again with a whole allowance, so each
//! eviction grants one caller at most one burst more; nobody gets less than is due. A table whose
//! slots are half full loses fewer than one caller in a thousand; one that is many times too small
//! limits hardly anybody, so it is sized by the callers who are active within one window.
//!
//! A slot is bytes that others could have written. Reading is total: what is no slot is an empty one.

use crate::quota::FullAt;
use crate::time::Micros;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroU32;

/// How many callers' allowances a slot can hold.
pub const ENTRIES: usize = FullAt::MOST;

/// What is kept of a caller in a slot.
pub trait Entry: Copy + Default {
    /// The first byte of a slot that holds these; a slot that begins otherwise is an empty one. Then come the entries:
    /// hash, little-endian, and what [`Entry::write`] makes.
    const LAYOUT: u8;
    /// How many bytes [`Entry::write`] makes.
    const SIZE: usize;
    /// How many of them a slot can hold.
    const MOST: usize;

    /// Reads what [`Entry::write`] made, out of [`Entry::SIZE`] bytes.
    fn read(bytes: &[u8]) -> Self;
    /// Appends itself in [`Entry::SIZE`] bytes.
    fn write(&self, out: &mut Vec<u8>);
    /// From when on it is the same as no entry.
    fn needed_until(&self) -> Micros;
}

impl Entry for FullAt {
    const LAYOUT: u8 = 1;
    const SIZE: usize = 12;
    const MOST: usize = 16;

    fn read(bytes: &[u8]) -> Self {
        Self { at: Micros(number(bytes, 0)), part: u32::try_from(number(bytes, 8)).unwrap_or_default() }
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.at.0.to_le_bytes());
        out.extend_from_slice(&self.part.to_le_bytes());
    }

    fn needed_until(&self) -> Micros {
        self.at
    }
}

/// The little-endian number of up to eight bytes at `at`; what is missing of it counts as zero.
#[must_use]
pub fn number(bytes: &[u8], at: usize) -> u64 {
    let there = bytes.get(at..).unwrap_or_default();
    if let Some(eight) = there.first_chunk() {
        return u64::from_le_bytes(*eight);
    }
    let mut eight = [0; 8];
    for (to, from) in eight.iter_mut().zip(there) {
        *to = *from;
    }
    u64::from_le_bytes(eight)
}

/// Keys the hash. Whoever knows it can make up names that share a victim's entry, and so spend the
/// victim's allowance; so it must be secret, and the same wherever the table is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Seed([u8; 16]);

impl Seed {
    /// A seed of these bytes, which must be random.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The seed in these bytes, if they are one.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::new)
    }

    /// A name for this proxy, of 16 hexadecimal digits, as the companion knows it. It tells nothing of the seed, for it is
    /// what the seed makes of a text that is no caller's.
    #[must_use]
    pub fn node(&self) -> String {
        let mut hasher = DefaultHasher::new();
        hasher.write(&self.0);
        "\0node".hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }

    /// The seed as bytes.
    #[must_use]
    pub fn bytes(&self) -> [u8; 16] {
        self.0
    }
}

impl std::fmt::Debug for Seed {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("***")
    }
}

/// How many bytes of an entry are its hash.
const HASH: usize = 8;

/// Where a caller's state is: in which slot, under which hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// From 0 to below the table's number of slots.
    pub slot: u32,
    hash: u64,
}

impl Place {
    /// What tells the name from others in its slot.
    #[must_use]
    pub fn key(&self) -> u64 {
        self.hash
    }

    /// The place of what `name` names, part by part, in a table of `slots`. Two names share a hash by
    /// a chance of 2⁻⁶⁴ only.
    ///
    /// The hash is the standard library's SipHash, whose inner state the secret seed sets before the
    /// name is read. A `str` hashes with an end mark that no UTF-8 holds: `["ab", "c"]` is not `["a", "bc"]`.
    #[must_use]
    pub fn of(name: &[&str], seed: &Seed, slots: NonZeroU32) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(&seed.0);
        for part in name {
            part.hash(&mut hasher);
        }
        let hash = hasher.finish();
        // The hash as a fraction of 2⁶⁴, times `slots`: below `slots`, so that it always fits.
        let slot = u128::from(hash).saturating_mul(u128::from(slots.get())) >> 64;
        Self { slot: u32::try_from(slot).unwrap_or_default(), hash }
    }

    /// Another place in the same slot, for `name`: what one request needs together is read and written together.
    #[must_use]
    pub fn beside(self, name: &[&str], seed: &Seed) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(&seed.0);
        hasher.write_u64(self.hash);
        for part in name {
            part.hash(&mut hasher);
        }
        Self { slot: self.slot, hash: hasher.finish() }
    }
}

/// The entries of one slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot<E> {
    entries: Vec<(u64, E)>,
}

impl<E: Entry> Slot<E> {
    /// Reads a slot's bytes; those that are no slot are an empty one.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Self {
        let size = E::SIZE.saturating_add(HASH);
        let chunks = match bytes.split_first() {
            Some((layout, rest)) if *layout == E::LAYOUT && rest.len() <= E::MOST.saturating_mul(size) => rest,
            _ => &[],
        };
        let entry = |it: &[u8]| (number(it, 0), E::read(it.get(HASH..).unwrap_or_default()));
        Self { entries: chunks.chunks_exact(size).map(entry).collect() }
    }

    /// What is kept at `place`; the default if nothing is.
    #[must_use]
    pub fn get(&self, place: Place) -> E {
        let found = self.entries.iter().find(|(hash, _)| *hash == place.hash);
        found.map(|(_, entry)| *entry).unwrap_or_default()
    }

    /// Keeps `entry` at `place`: where it was, or in place of one that is needed no more at `now`, or, where no room is
    /// left, of the one that is needed for the shortest time.
    pub fn put(&mut self, place: Place, entry: E, now: Micros) {
        let full = self.entries.len() >= E::MOST;
        let mut soonest: Option<&mut (u64, E)> = None;
        let mut until = Micros(u64::MAX);
        for there in &mut self.entries {
            if there.0 == place.hash {
                there.1 = entry;
                return;
            }
            let needed = there.1.needed_until();
            if needed < until || soonest.is_none() {
                (soonest, until) = (Some(there), needed);
            }
        }
        match soonest {
            Some(there) if full || until < now => *there = (place.hash, entry),
            _ => self.entries.push((place.hash, entry)),
        }
    }

    /// The slot as bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let size = E::SIZE.saturating_add(HASH).saturating_mul(self.entries.len()).saturating_add(1);
        let mut slot = Vec::with_capacity(size);
        slot.push(E::LAYOUT);
        for (hash, entry) in &self.entries {
            slot.extend_from_slice(&hash.to_le_bytes());
            entry.write(&mut slot);
        }
        slot
    }
}

/// Changes the state at `place` in a slot's bytes. `change` gets the state (the default for a caller
/// who is not there) and says what to keep; with `None` the slot stays byte for byte what it was, so
/// that it need not be written.
pub fn update<E: Entry, T>(
    slot: &[u8],
    place: Place,
    now: Micros,
    change: impl FnOnce(E) -> (Option<E>, T),
) -> (Vec<u8>, T) {
    let mut entries = Slot::read(slot);
    match change(entries.get(place)) {
        (None, out) => (slot.to_vec(), out),
        (Some(entry), out) => {
            entries.put(place, entry, now);
            (entries.bytes(), out)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::Quota;
    use proptest::prelude::*;
    use std::collections::HashMap;

    const SEED: Seed = Seed([7; 16]);
    const ENTRY: usize = FullAt::SIZE + HASH;

    fn slots(count: u32) -> NonZeroU32 {
        count.try_into().unwrap()
    }

    fn place(user: &str) -> Place {
        Place::of(&["requests", "p1", user], &SEED, slots(1))
    }

    fn full_at(at: u64) -> FullAt {
        FullAt { at: Micros(at), part: 3 }
    }

    fn read(slot: &[u8], user: &str) -> FullAt {
        update(slot, place(user), Micros(0), |state: FullAt| (None, state)).1
    }

    fn write(slot: &[u8], user: &str, now: u64, state: FullAt) -> Vec<u8> {
        update(slot, place(user), Micros(now), |_| (Some(state), ())).0
    }

    #[test]
    fn what_is_written_is_read_again() {
        let slot = write(&write(&[], "ada", 0, full_at(5)), "eve", 0, full_at(6));
        assert_eq!((read(&slot, "ada"), read(&slot, "eve")), (full_at(5), full_at(6)));
        assert_eq!(read(&slot, "bob"), FullAt::default());
        assert_eq!(slot.len(), 1 + 2 * ENTRY);
    }

    #[test]
    fn who_is_whole_again_needs_no_entry() {
        let slot = write(&write(&[], "ada", 0, full_at(5)), "eve", 6, full_at(9));
        assert_eq!(read(&slot, "ada"), FullAt::default());
        assert_eq!(slot.len(), 1 + ENTRY);
    }

    #[test]
    fn a_full_slot_evicts_whoever_is_whole_soonest_and_no_one_else() {
        let users: Vec<String> = (0..=ENTRIES).map(|nth| format!("user{nth}")).collect();
        let mut slot = Vec::new();
        for (nth, user) in (100..).zip(&users) {
            // `user3` is whole soonest.
            slot = write(&slot, user, 0, full_at(if nth == 103 { 50 } else { nth }));
        }
        assert_eq!(slot.len(), 1 + ENTRIES * ENTRY);
        for (nth, user) in (100..).zip(&users) {
            let want = if nth == 103 { FullAt::default() } else { full_at(nth) };
            assert_eq!(read(&slot, user), want, "{user}");
        }
    }

    #[test]
    fn a_refusal_leaves_the_slot_byte_for_byte() {
        for slot in [&b""[..], b"\0", b"garbage", &write(&[], "ada", 0, full_at(5))] {
            assert_eq!(update::<FullAt, _>(slot, place("eve"), Micros(9), |_| (None, ())).0, slot);
        }
    }

    #[test]
    fn an_eviction_grants_at_most_one_burst_more_and_nobody_gets_less() {
        // One slot, twice as many callers as it holds, each asking at every turn: the worst case.
        let (quota, turns) = (Quota::new(slots(5), slots(60)), 40);
        let users: Vec<String> = (0..2 * ENTRIES).map(|nth| format!("user{nth}")).collect();
        let (mut slot, mut counts) = (Vec::new(), HashMap::<&str, (u32, u32)>::new());
        for turn in 0..turns {
            for user in &users {
                let spend = |state| match quota.spend(state, Micros(turn)) {
                    Ok((next, _)) => (Some(next), (1, u32::from(turn > 0 && state == FullAt::default()))),
                    Err(_) => (None, (0, 0)),
                };
                let (next, (granted, evicted)) = update(&slot, place(user), Micros(turn), spend);
                slot = next;
                let count = counts.entry(user.as_str()).or_default();
                *count = (count.0 + granted, count.1 + evicted);
            }
        }
        for (user, (granted, evicted)) in counts {
            assert!(granted >= 5, "{user}: {granted}");
            assert!(granted <= 5 * (1 + evicted), "{user}: {granted} with {evicted} evictions");
        }
    }

    #[test]
    fn ten_million_users_take_no_more_room_than_the_table_has() {
        let count = slots(256);
        let mut table = vec![Slot::<FullAt>::read(&[]); 256];
        for user in 0..10_000_000_u32 {
            let place = Place::of(&[user.to_string().as_str()], &SEED, count);
            let slot = &mut table[place.slot as usize];
            slot.put(place, full_at(user.into()), Micros(0));
        }
        let bytes: usize = table.iter().map(|it| it.bytes().len()).sum();
        assert_eq!(bytes, 256 * (1 + ENTRIES * ENTRY));
    }

    #[test]
    fn half_full_slots_lose_next_to_nobody() {
        let count = slots(1024);
        let mut table = vec![Vec::new(); 1024];
        let users: Vec<String> = (0..1024 * ENTRIES / 2).map(|nth| format!("user{nth}")).collect();
        let at = |user: &str| Place::of(&["requests", "p1", user], &SEED, count);
        for user in &users {
            let slot = &mut table[at(user).slot as usize];
            *slot = update(slot, at(user), Micros(0), |_| (Some(full_at(9)), ())).0;
        }
        let there = |user: &&String| {
            let slot = &table[at(user).slot as usize];
            update(slot, at(user), Micros(0), |state: FullAt| (None, state)).1 == full_at(9)
        };
        let lost = users.len() - users.iter().filter(there).count();
        assert!(lost * 1000 < users.len(), "{lost} of {} lost", users.len());
    }

    #[test]
    fn names_are_joined_without_ambiguity_and_keyed() {
        let hash = |name: &[&str], seed: u8| Place::of(name, &Seed([seed; 16]), slots(8)).hash;
        let names: [&[&str]; 6] =
            [&["a", "b", "c"], &["ab", "c"], &["a", "bc"], &["abc"], &["a", "b", "c", ""], &["a\u{ff}b", "c"]];
        let mut hashes: Vec<u64> = names.iter().flat_map(|it| [hash(it, 1), hash(it, 2)]).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), 12);
    }

    #[test]
    fn a_seed_does_not_print() {
        assert_eq!(format!("{SEED:?}"), "***");
        assert_eq!(Seed::read(&SEED.bytes()), Some(SEED));
        assert_eq!(Seed::read(b"\0"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_slot(
            slot in prop::collection::vec(any::<u8>(), 0..400), layout in any::<bool>(), now in any::<u64>(),
        ) {
            let slot = if layout { [&[FullAt::LAYOUT], slot.as_slice()].concat() } else { slot };
            let next = write(&slot, "ada", now, full_at(7));
            prop_assert_eq!(read(&next, "ada"), full_at(7));
            prop_assert!(next.len() <= 1 + ENTRIES * ENTRY && next.len() % ENTRY == 1);
        }
    }
}
