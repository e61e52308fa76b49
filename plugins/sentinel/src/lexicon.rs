//! What words mean, whatever the language: a table from words, beginnings of words and phrases to classes.
//!
//! Looking a word up takes a probe per letter, at most [`LONGEST`], so the tables may grow without making texts dearer.

use crate::fold;
use crate::rules::{self, Class};
use crate::steps;
use crate::words::{self, Word};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::OnceLock;

/// Beginnings longer than this are not asked for.
const LONGEST: usize = 14;
/// Phrases longer than this are not asked for.
const PHRASE: usize = 8;

/// Letters by which a word may be longer than its beginning, and one.
const INFLECTION: usize = 4;

/// A set of classes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Classes(u128);

impl Classes {
    pub(crate) const NONE: Self = Self(0);

    /// The set of one class.
    pub(crate) const fn of(class: Class) -> Self {
        Self(1 << (class as u32))
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The numbers of the classes, ascending.
    pub(crate) fn numbers(self) -> impl Iterator<Item = u32> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let number = (rest != 0).then(|| rest.trailing_zeros())?;
            rest &= rest.wrapping_sub(1);
            Some(number)
        })
    }
}

/// What is known of the words that a hash stands for.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    /// The word or phrase means this.
    whole: Classes,
    /// So does everything that begins so.
    beginning: Classes,
    /// A phrase goes on from here.
    goes_on: bool,
    /// An English word, or the beginning of some: so that one can be known when its letters are moved.
    english: bool,
    begins_english: bool,
}

/// A hash that does not know in which order the inner letters of a word are.
fn sorted(word: &str) -> u64 {
    let mut letters: Vec<char> = word.chars().take(24).collect();
    if let [_, inner @ .., _] = letters.as_mut_slice() {
        inner.sort_unstable();
    }
    letters.into_iter().fold(words::SEED, words::step)
}

/// A bit per key, several keys to a bit: most hashes of a text are in no table, and this says so from the cache of the processor.
struct Sieve(Vec<u64>);

impl Sieve {
    /// 2^18 bits, some twenty for each key.
    const WORDS: usize = 1 << 12;

    fn new() -> Self {
        Self(vec![0; Self::WORDS])
    }

    fn place(key: u64) -> (usize, u64) {
        let mixed = (key ^ (key >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (usize::try_from(mixed >> 52).unwrap_or_default(), 1 << ((mixed >> 46) % 64))
    }

    fn add(&mut self, key: u64) {
        let (word, bit) = Self::place(key);
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }

    fn may_have(&self, key: u64) -> bool {
        let (word, bit) = Self::place(key);
        self.0.get(word).is_some_and(|it| it & bit != 0)
    }
}

/// Keys are hashes already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key ^ (key >> 31);
    }

    fn finish(&self) -> u64 {
        self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

/// See above.
pub(crate) struct Lexicon {
    sieve: Sieve,
    /// English words by their first and last letter and the others in order.
    scrambled: HashMap<u64, String, BuildHasherDefault<Hashed>>,
    entries: HashMap<u64, Entry, BuildHasherDefault<Hashed>>,
}

/// A phrase at a place: its classes and how many words it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meaning {
    /// The first word, by number.
    pub(crate) first: usize,
    /// The word after the last.
    pub(crate) end: usize,
    pub(crate) classes: Classes,
}

impl Lexicon {
    /// All tables, read when first asked for.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Lexicon> = OnceLock::new();
        SHARED.get_or_init(|| Self::new(rules::tables()).with_english().sifted())
    }

    fn sifted(mut self) -> Self {
        for key in self.entries.keys() {
            self.sieve.add(*key);
        }
        self
    }

    fn scramble(&mut self, word: &str) {
        if word.len() > 4 {
            self.scrambled.insert(sorted(word), word.to_owned());
        }
    }

    /// The word that has these letters, the first and the last where they are.
    pub(crate) fn unscrambled(&self, letters: &str) -> Option<&str> {
        self.scrambled.get(&sorted(letters)).map(String::as_str)
    }

    fn entry(&self, key: u64) -> Option<&Entry> {
        steps::take(1);
        if self.sieve.may_have(key) { self.entries.get(&key) } else { None }
    }

    /// With the words of a language that disguises are known by.
    fn with_english(mut self) -> Self {
        for (class, terms) in rules::english() {
            for term in terms.split([',', '\n']).map(str::trim).filter(|it| !it.contains(' ')) {
                self.add(*class, term, true);
                self.scramble(term.trim_end_matches('*'));
            }
        }
        for word in rules::COMMON.split_ascii_whitespace() {
            self.entries.entry(words::hash(word)).or_default().english = true;
        }
        self
    }

    fn new(tables: impl Iterator<Item = (Class, &'static str)>) -> Self {
        let mut lexicon = Self { entries: HashMap::default(), scrambled: HashMap::default(), sieve: Sieve::new() };
        for (class, terms) in tables {
            for term in terms.split([',', '\n']).map(str::trim).filter(|it| !it.is_empty()) {
                lexicon.add(class, term, false);
            }
        }
        lexicon.sifted()
    }

    /// Whether somebody would write this word, in English or as part of an attack.
    pub(crate) fn knows(&self, letters: impl Iterator<Item = char>) -> bool {
        let (mut hash, mut rest) = (words::SEED, 0_usize);
        for letter in letters.take(24) {
            hash = words::step(hash, letter);
            rest = match self.entry(hash).is_some_and(|it| it.begins_english) {
                true => INFLECTION,
                false => rest.saturating_sub(1),
            };
        }
        rest > 0 || self.entry(hash).is_some_and(|it| it.english)
    }

    /// Whether this is an English word or stem of the tables.
    pub(crate) fn has(&self, word: impl Iterator<Item = char>) -> bool {
        self.entry(word.fold(words::SEED, words::step)).is_some_and(|it| it.english)
    }

    fn add(&mut self, class: Class, term: &str, english: bool) {
        let (term, open) = term.strip_suffix('*').map_or((term, false), |it| (it, true));
        let folded = fold::word(term);
        let parts = words::words(&folded);
        let mut key = 0;
        for (number, part) in parts.iter().enumerate() {
            key = if number == 0 { part.hash } else { words::chain(key, part.hash) };
            if number.saturating_add(1) < parts.len() {
                self.entries.entry(key).or_default().goes_on = true;
            }
        }
        let entry = self.entries.entry(key).or_default();
        entry.english |= english;
        entry.begins_english |= english && open;
        if open && parts.len() == 1 {
            entry.beginning = entry.beginning.and(Classes::of(class));
        } else {
            entry.whole = entry.whole.and(Classes::of(class));
        }
    }

    /// What the words mean, in the order in which they begin. Linear: a word is looked at once per letter and phrase.
    pub(crate) fn read(&self, text: &str, words: &[Word]) -> Vec<Meaning> {
        let mut meanings = Vec::new();
        for (first, word) in words.iter().enumerate() {
            let mut classes = self.beginnings(text, word);
            let mut entry = self.entry(word.hash);
            let (mut key, mut end) = (word.hash, first.saturating_add(1));
            let mut longest = end;
            while let Some(known) = entry {
                if !known.whole.is_empty() {
                    classes = classes.and(known.whole);
                    longest = end;
                }
                let next = words.get(end).filter(|_| known.goes_on && end.saturating_sub(first) < PHRASE);
                let Some(next) = next else { break };
                key = words::chain(key, next.hash);
                end = end.saturating_add(1);
                entry = self.entry(key);
            }
            if !classes.is_empty() {
                meanings.push(Meaning { first, end: longest, classes });
            }
        }
        meanings
    }

    fn beginnings(&self, text: &str, word: &Word) -> Classes {
        let letters = text.get(word.start..word.end).unwrap_or_default();
        words::beginnings(letters)
            .take(LONGEST)
            .skip(1)
            .filter_map(|it| self.entry(it))
            .fold(Classes::NONE, |all, it| all.and(it.beginning))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(term: &'static str, text: &str) -> usize {
        let lexicon = Lexicon::new([(Class::Ignore, term)].into_iter());
        let folded = fold::word(text);
        lexicon.read(&folded, &words::words(&folded)).len()
    }

    #[test]
    fn words_beginnings_and_phrases_are_found() {
        for (term, text, count) in [
            ("ignore", "ignore it", 1),
            ("ignore", "ignored", 0),
            ("ignor*", "they ignored", 1),
            ("pay no attention", "Pay no  attention to", 1),
            ("pay no attention", "pay no", 0),
            ("忽略", "请忽略它", 1),
            ("игнорируй", "Игнорируй все", 1),
            ("don't follow", "don’t follow", 1),
        ] {
            assert_eq!(check(term, text), count, "{term}: {text}");
        }
    }
}
