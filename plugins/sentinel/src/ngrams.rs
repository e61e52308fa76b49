//! The letters and words of a text as numbers: character 3- to 5-grams within words, words and pairs of words, hashed.

use crate::steps;
use crate::words::{self, Word};
use std::ops::Range;

/// Buckets that n-grams are hashed into.
pub(crate) const BUCKETS: u32 = 122_880;

/// Words longer than this are cut: nobody writes them, and a text without a space must not cost more than others.
const LONGEST: usize = 40;

/// The buckets of a text's n-grams, word by word: hashed once, though windows overlap.
pub(crate) struct Grams {
    buckets: Vec<u32>,
    /// For each word, where its buckets end.
    ends: Vec<usize>,
}

impl Grams {
    /// Of all words of a text.
    pub(crate) fn of(text: &str, words: &[Word]) -> Self {
        let mut grams =
            Self { buckets: Vec::with_capacity(text.len().saturating_mul(3)), ends: Vec::with_capacity(words.len()) };
        let (mut last, mut before) = (0x5eed, 0x5eed);
        for word in words {
            grams.add(words::chain(1, word.hash));
            let pair = words::chain(words::chain(2, last), word.hash);
            grams.add(pair);
            if word.glued {
                grams.add(words::chain(pair, before));
            }
            before = last;
            last = word.hash;
            grams.letters(text.get(word.start..word.end).unwrap_or_default());
            grams.ends.push(grams.buckets.len());
        }
        grams
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
        steps::take(1);
        self.buckets.push(u32::try_from(mixed.wrapping_mul(u64::from(BUCKETS)) >> 32).unwrap_or_default());
    }

    /// The buckets of some words, some of them several times.
    fn within(&self, part: &Range<usize>) -> &[u32] {
        let end = |word: usize| word.checked_sub(1).and_then(|it| self.ends.get(it)).copied().unwrap_or_default();
        self.buckets.get(end(part.start)..end(part.end)).unwrap_or_default()
    }
}

/// Takes each bucket once. Kept from window to window: clearing it costs as much as was found, and making it 15 kB.
pub(crate) struct Once {
    seen: Vec<u64>,
    found: Vec<u32>,
}

impl Once {
    pub(crate) fn new() -> Self {
        Self { seen: vec![0; usize::try_from(BUCKETS / 64).unwrap_or_default()], found: Vec::new() }
    }

    /// The buckets of some words, each once.
    pub(crate) fn of(&mut self, grams: &Grams, part: &Range<usize>) -> &[u32] {
        for bucket in self.found.drain(..) {
            if let Some(slot) = usize::try_from(bucket / 64).ok().and_then(|it| self.seen.get_mut(it)) {
                *slot = 0;
            }
        }
        for bucket in grams.within(part) {
            steps::take(1);
            let Some(slot) = usize::try_from(bucket / 64).ok().and_then(|it| self.seen.get_mut(it)) else { continue };
            let bit = 1_u64 << (bucket % 64);
            if *slot & bit == 0 {
                *slot |= bit;
                self.found.push(*bucket);
            }
        }
        &self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_found_once_and_windows_do_not_remember_each_other() {
        let text = "same same other";
        let grams = Grams::of(text, &words::words(text));
        let mut once = Once::new();
        let first = once.of(&grams, &(0..1)).to_vec();
        assert_eq!(once.of(&grams, &(0..3)).len(), 41);
        assert_eq!(once.of(&grams, &(0..1)), first);
    }
}
