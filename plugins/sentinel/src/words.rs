//! A folded text in words.
//!
//! Scripts that write no spaces (Chinese, Japanese, Thai, …) give a word per letter; tables join them again.

use crate::steps;

/// A word and what stands around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word {
    /// Where it begins and ends in the folded text, in bytes.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// [`hash`] of its letters.
    pub(crate) hash: u64,
    /// Follows the word before it without anything between.
    pub(crate) glued: bool,
    /// How far into the text it is, in words, where the end of a sentence or line counts like words do.
    pub(crate) place: u32,
    /// First of its line.
    pub(crate) opens_line: bool,
    /// First of its sentence.
    pub(crate) opens_sentence: bool,
    /// The characters next to it, 0 at the ends.
    pub(crate) before: u8,
    pub(crate) after: u8,
}

/// How far a sentence's and a line's end push words apart.
const SENTENCE: u32 = 2;
const LINE: u32 = 2;

/// The words of a folded text.
pub(crate) fn words(text: &str) -> Vec<Word> {
    steps::take(text.len());
    let mut words: Vec<Word> = Vec::with_capacity(text.len() / 5);
    let mut place = 0_u32;
    let mut halves = 0_u32;
    let mut gap = Gap::start();
    let mut letters = text.char_indices().peekable();
    while let Some((start, letter)) = letters.next() {
        if !is_letter(letter) {
            gap.see(letter);
            continue;
        }
        let mut hash = step(SEED, letter);
        let mut end = start.saturating_add(letter.len_utf8());
        let alone = is_ideograph(letter);
        while let Some((at, next)) =
            letters.peek().copied().filter(|(_, it)| !alone && is_letter(*it) && !is_ideograph(*it))
        {
            hash = step(hash, next);
            end = at.saturating_add(next.len_utf8());
            letters.next();
        }
        if let Some(last) = words.last_mut() {
            last.after = gap.first;
        }
        halves = halves.saturating_add(if alone { 1 } else { 2 });
        place = place.saturating_add(halves / 2).saturating_add(gap.distance());
        halves %= 2;
        let before = gap.last;
        let glued = gap.none && alone && !words.is_empty();
        words.push(Word {
            start,
            end,
            hash,
            glued,
            place,
            opens_line: gap.line,
            opens_sentence: gap.sentence || gap.line,
            before,
            after: 0,
        });
        gap = Gap::default();
        gap.none = true;
    }
    if let Some(last) = words.last_mut() {
        last.after = gap.first;
    }
    words
}

/// What is between two words.
#[derive(Default)]
struct Gap {
    none: bool,
    sentence: bool,
    line: bool,
    first: u8,
    last: u8,
}

impl Gap {
    fn start() -> Self {
        Self { sentence: true, line: true, ..Self::default() }
    }

    fn see(&mut self, letter: char) {
        let byte = u8::try_from(letter).unwrap_or(b'?');
        if self.none || self.first == 0 {
            self.first = byte;
        }
        self.none = false;
        self.last = byte;
        self.line |= letter == '\n';
        self.sentence |= matches!(letter, '.' | '!' | '?' | ';');
    }

    fn distance(&self) -> u32 {
        if self.line {
            LINE
        } else if self.sentence {
            SENTENCE
        } else {
            0
        }
    }
}

/// The hash of no letters.
pub(crate) const SEED: u64 = 0xcbf2_9ce4_8422_2325;

/// The hash of a word one letter longer (FNV-1a, by characters).
pub(crate) fn step(hash: u64, letter: char) -> u64 {
    (hash ^ u64::from(u32::from(letter))).wrapping_mul(0x0100_0000_01b3)
}

/// The hash of a word.
pub(crate) fn hash(word: &str) -> u64 {
    word.chars().fold(SEED, step)
}

/// The hashes of the beginnings of a word, shortest first.
pub(crate) fn beginnings(word: &str) -> impl Iterator<Item = u64> {
    word.chars().scan(SEED, |hash, letter| {
        *hash = step(*hash, letter);
        Some(*hash)
    })
}

/// The hash of words one after the other.
pub(crate) fn chain(so_far: u64, word: u64) -> u64 {
    (so_far.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Makes part of a word: letters, digits and the marks that scripts need.
pub(crate) fn is_letter(letter: char) -> bool {
    if letter.is_ascii() {
        return letter.is_ascii_alphanumeric();
    }
    letter.is_alphanumeric() || unicode_normalization::char::is_combining_mark(letter)
}

/// A letter of a script without spaces.
pub(crate) fn is_ideograph(letter: char) -> bool {
    matches!(letter, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3041}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Vec<(&str, u32)> {
        words(text).into_iter().map(|it| (&text[it.start..it.end], it.place)).collect()
    }

    #[test]
    fn sentences_and_lines_push_words_apart() {
        assert_eq!(check("it is. so\nbe"), [("it", 3), ("is", 4), ("so", 7), ("be", 10)]);
    }

    #[test]
    fn scripts_without_spaces_give_a_word_per_letter() {
        assert_eq!(check("忽略 it"), [("忽", 2), ("略", 3), ("it", 4)]);
        assert!(words("忽略")[1].glued);
    }
}
