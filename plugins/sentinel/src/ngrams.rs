//! The letters and words of a text as numbers: character 3- to 5-grams within words, words and pairs of words, hashed.

use crate::words::{self, Word};

/// Buckets that n-grams are hashed into.
pub(crate) const BUCKETS: u32 = 122_880;

/// Words longer than this are cut: nobody writes them, and a text without a space must not cost more than others.
const LONGEST: usize = 40;

/// The set of a text's n-grams. Kept from window to window, since clearing it costs as much as it holds.
pub(crate) struct Grams {
    seen: Vec<u64>,
    found: Vec<u32>,
}

impl Grams {
    pub(crate) fn new() -> Self {
        Self { seen: vec![0; usize::try_from(BUCKETS / 64).unwrap_or_default()], found: Vec::new() }
    }

    /// The buckets of the n-grams of `words`, each once.
    pub(crate) fn of(&mut self, text: &str, words: &[Word]) -> &[u32] {
        for bucket in self.found.drain(..) {
            if let Some(slot) = usize::try_from(bucket / 64).ok().and_then(|it| self.seen.get_mut(it)) {
                *slot = 0;
            }
        }
        let mut last = 0x5eed;
        for word in words {
            self.add(words::chain(1, word.hash));
            self.add(words::chain(words::chain(2, last), word.hash));
            last = word.hash;
            self.letters(text.get(word.start..word.end).unwrap_or_default());
        }
        &self.found
    }

    fn letters(&mut self, word: &str) {
        let mut window = [' '; 5];
        for letter in std::iter::once(' ').chain(word.chars().take(LONGEST)).chain([' ']) {
            window.rotate_left(1);
            let [first, second, third, fourth, last] = &mut window;
            *last = letter;
            let three = words::step(words::step(words::step(3, letter), *fourth), *third);
            self.add(three);
            let four = words::step(three, *second);
            self.add(four);
            self.add(words::step(four, *first));
        }
    }

    fn add(&mut self, hash: u64) {
        let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let bucket = u32::try_from(mixed.wrapping_mul(u64::from(BUCKETS)) >> 32).unwrap_or_default();
        let Some(slot) = usize::try_from(bucket / 64).ok().and_then(|it| self.seen.get_mut(it)) else { return };
        let bit = 1_u64 << (bucket % 64);
        if *slot & bit == 0 {
            *slot |= bit;
            self.found.push(bucket);
        }
    }
}
