//! What earlier requests tell of a candidate, in memory that all workers share.
//!
//! A candidate is `provider/id`; its hash picks one of a fixed number of slots, for a client may write the id under a rule
//! for many models. Two that share a slot take turns in forgetting each other, but for one
//! that is left alone: it stays.

use crate::glimpse::{Glimpses, Place};
use domain::{
    choice::{Admit, Breaker, Kept, Measures, Sample},
    time::Micros,
};
use host::{Root, slots};
use std::hash::{DefaultHasher, Hash, Hasher};

/// How many candidates are remembered at most, some fewer where hashes meet.
pub(crate) const SLOTS: u32 = 512;
/// Circuit breakers.
const BREAKERS: &str = "breaker";
/// What was measured.
pub(crate) const MEASURES: &str = "measures";
/// A slot begins with its candidate's hash.
pub(crate) const TAG: usize = 8;

/// What a decision asks about candidates, by their keys.
pub trait Health {
    /// Whether it may be asked; changes nothing.
    fn peek(&self, key: &str) -> Admit;
    /// Whether this request may ask it, which then may be the one that finds out whether it is well again.
    fn admit(&self, key: &str) -> Admit;
    /// What was measured of it.
    fn measures(&self, key: &str) -> Measures;
}

/// What came of asking a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It answered.
    Success,
    /// It did not answer, or said that it cannot.
    Failure,
    /// It wants to be left alone, for so many seconds if it says so.
    Cooldown(Option<u64>),
    /// It was not asked after all.
    Untried,
}

/// The memory, as it is now.
#[derive(Debug, Clone, Copy)]
pub struct Shared<'a> {
    pub(crate) now: Micros,
    /// What this worker saw of it.
    pub(crate) seen: &'a Glimpses,
}

impl Shared<'_> {
    /// Makes room. To be called from [`host::Plugin::configure`].
    pub fn prepare(root: &Root) {
        root.create_slots(BREAKERS, SLOTS);
        root.create_slots(MEASURES, SLOTS);
    }

    /// Takes in what came of asking a candidate. `probe` says that the request was to find out whether it is well again.
    pub fn tell(self, key: &str, outcome: Outcome, probe: bool) {
        let place = place(key);
        match outcome {
            Outcome::Untried if !probe => return,
            Outcome::Success if !probe && self.seen.succeeded(place, self.now) => return,
            _ => {}
        }
        self.change(place, |breaker, now| match outcome {
            Outcome::Success => breaker.success(now),
            Outcome::Failure => breaker.failure(now),
            Outcome::Cooldown(seconds) => breaker.cooldown(now, seconds),
            Outcome::Untried => breaker.untried(now),
        });
    }

    /// Takes in what was measured. `named` says that the companion is to hear of it.
    pub fn measured(self, key: &str, named: bool, sample: &Sample) {
        let (slot, tag) = place(key);
        // Where nobody can write, this answer is not learned from.
        let _ = slots::update(MEASURES, slot, |old| {
            // What a client makes up takes no slot from what is known: it finds an id that shares it.
            if !named && own(old, tag).is_empty() && Entry::named(old).is_some() {
                return (old.to_vec(), ());
            }
            let (bytes, ()) = Kept::update(Entry::of(old, tag).kept, |kept| kept.add(sample, self.now));
            (Entry { name: if named { key } else { "" }, kept: &bytes }.bytes(tag), ())
        });
    }

    /// Changes a breaker, behind the successes that this worker has not written yet.
    fn change<T: Default>(self, place: Place, change: impl Fn(&mut Breaker, Micros) -> T) -> T {
        let (slot, tag) = place;
        let earlier = self.seen.take(place);
        let changed = slots::update(BREAKERS, slot, |old| {
            let (bytes, out) = Breaker::update(own(old, tag), |it| {
                it.successes(self.now, earlier);
                (change(it, self.now), it.is_well(self.now))
            });
            (kept(old, tag, &bytes, self.now), out)
        });
        // Without memory nothing is known of anybody, and everybody is asked.
        let (out, well) = changed.unwrap_or_default();
        self.seen.saw(place, self.now, well);
        out
    }
}

impl Health for Shared<'_> {
    fn peek(&self, key: &str) -> Admit {
        let place = place(key);
        if self.seen.is_well(place, self.now) {
            return Admit::Yes;
        }
        let (slot, tag) = place;
        let found = slots::read(BREAKERS, slot);
        let breaker = Breaker::read(own(found.as_deref().unwrap_or_default(), tag));
        self.seen.saw(place, self.now, found.is_ok() && breaker.is_well(self.now));
        breaker.peek(self.now)
    }

    fn admit(&self, key: &str) -> Admit {
        self.change(place(key), |it, now| Some(it.admit(now))).unwrap_or(Admit::Yes)
    }

    fn measures(&self, key: &str) -> Measures {
        let (slot, tag) = place(key);
        let found = slots::read(MEASURES, slot).unwrap_or_default();
        Kept::read(Entry::of(&found, tag).kept).measures()
    }
}

/// The slot of a candidate, and the hash that its content begins with.
pub(crate) fn place(key: &str) -> Place {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    let hash = hasher.finish();
    let slot = hash.checked_rem(u64::from(SLOTS)).and_then(|it| u32::try_from(it).ok()).unwrap_or_default();
    (slot, hash.to_le_bytes())
}

/// What a slot holds of the candidate with this hash; nothing, if it is another's.
pub(crate) fn own(slot: &[u8], tag: [u8; TAG]) -> &[u8] {
    slot.strip_prefix(&tag).unwrap_or_default()
}

/// What a slot of measures holds behind its hash.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    /// The candidate's key; empty where nobody is to be told of it.
    pub(crate) name: &'a str,
    /// What is [`Kept`].
    pub(crate) kept: &'a [u8],
}

impl<'a> Entry<'a> {
    /// That of the candidate with this hash; an empty one, if the slot is another's.
    pub(crate) fn of(slot: &'a [u8], tag: [u8; TAG]) -> Self {
        Self::read(own(slot, tag)).unwrap_or_default()
    }

    /// That of whichever candidate the slot belongs to, if the companion is to hear of it.
    pub(crate) fn named(slot: &'a [u8]) -> Option<Self> {
        Self::read(slot.get(TAG..)?).filter(|it| !it.name.is_empty())
    }

    fn read(bytes: &'a [u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first()?;
        let (name, kept) = rest.split_at_checked(usize::from(*length))?;
        Some(Self { name: std::str::from_utf8(name).ok()?, kept })
    }

    /// The slot's bytes; a name that is too long is none.
    pub(crate) fn bytes(self, tag: [u8; TAG]) -> Vec<u8> {
        let (length, name) = u8::try_from(self.name.len()).map_or((0, ""), |it| (it, self.name));
        [&tag, [length].as_slice(), name.as_bytes(), self.kept].concat()
    }
}

pub(crate) fn tagged(tag: [u8; TAG], bytes: &[u8]) -> Vec<u8> {
    [&tag, bytes].concat()
}

/// A slot's next content. Who is well does not take the slot of who is left alone: a client finds an id that shares its slot.
fn kept(old: &[u8], tag: [u8; TAG], breaker: &[u8], now: Micros) -> Vec<u8> {
    let ill = |it: &[u8]| matches!(Breaker::read(it).peek(now), Admit::No { .. });
    let others = old.split_at_checked(TAG).filter(|(theirs, _)| *theirs != tag).map(|(_, it)| it);
    if others.is_some_and(ill) && !ill(breaker) { old.to_vec() } else { tagged(tag, breaker) }
}

/// Nothing is known of anybody.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unknown;

impl Health for Unknown {
    fn peek(&self, _: &str) -> Admit {
        Admit::Yes
    }

    fn admit(&self, _: &str) -> Admit {
        Admit::Yes
    }

    fn measures(&self, _: &str) -> Measures {
        Measures::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_left_alone_stays_so_whoever_else_has_its_slot() {
        let (now, own, other) = (Micros(1_000_000_000), [1; TAG], [2; TAG]);
        let (mut ill, mut well) = (Breaker::default(), Breaker::default());
        (0..5).for_each(|_| ill.failure(now));
        well.success(now);
        let (ill, well) = (ill.bytes(), well.bytes());
        let check = |old: &[u8], new: &[u8], now| kept(old, other, new, now) == tagged(other, new);
        assert!(!check(&tagged(own, &ill), &well, now));
        assert!(check(&tagged(own, &ill), &well, now.after(std::time::Duration::from_secs(31))));
        assert!(check(&tagged(own, &ill), &ill, now));
        assert!(check(&tagged(own, &well), &well, now));
        assert!(check(&tagged(other, &ill), &well, now));
        assert!(check(b"", &well, now) && check(b"short", &well, now));
    }

    #[test]
    fn a_slot_of_measures_has_its_candidates_name_or_none() {
        let check = |name: &str| {
            let (_, tag) = place(name);
            let bytes = Entry { name, kept: b"kept" }.bytes(tag);
            assert_eq!(Entry::of(&bytes, tag).kept, b"kept");
            assert_eq!(Entry::of(&bytes, [0; TAG]), Entry::default());
            Entry::named(&bytes).map(|it| it.name.len())
        };
        for (length, expected) in [(0, None), (1, Some(1)), (255, Some(255)), (256, None)] {
            assert_eq!(check(&"x".repeat(length)), expected);
        }
        for hostile in [&b""[..], b"\0", b"12345678", b"12345678\x05name", b"12345678\x01\xff", &[255; 600]] {
            assert_eq!(Entry::named(hostile), None);
        }
    }

    #[test]
    fn a_slot_is_read_by_whom_it_belongs_to() {
        let (slot, tag) = place("openai/gpt-4o");
        let other = (0..).map(|it| format!("openai/{it}")).find(|it| place(it).0 == slot).unwrap();
        let kept = tagged(tag, b"kept");
        assert_eq!(own(&kept, tag), b"kept");
        assert_eq!(own(&kept, place(&other).1), b"");
        assert_eq!(own(b"", tag), b"");
        assert!(slot < SLOTS && place("openai/gpt-4o") == (slot, tag));
    }
}
