//! A text as the recognisers of numbers see it: its words that hold a digit, found once.
//!
//! Everything that states, banks and networks hand out holds digits, and prose holds few of them. So one pass finds the
//! words with a digit in them, and each recogniser looks at the same few words instead of reading the text again.

use super::context::Context;
use super::few::Few;
use crate::scan::{byte, run, steps};

/// Letters and digits without anything between them, a digit among them.
#[derive(Clone, Copy)]
pub(super) struct Word {
    pub(super) start: usize,
    pub(super) end: usize,
    /// No letters.
    pub(super) number: bool,
}

impl Word {
    pub(super) fn len(self) -> usize {
        self.end.saturating_sub(self.start)
    }
}

/// The words of `text` that hold a digit.
pub(super) fn words(text: &[u8]) -> Vec<Word> {
    let mut words = Vec::new();
    let mut at = 0;
    loop {
        let digit = run(text, at, |it| !it.is_ascii_digit());
        if digit >= text.len() {
            return words;
        }
        let letters = text.get(at..digit).unwrap_or_default().iter().rev().take_while(|it| it.is_ascii_alphabetic());
        let start = digit.saturating_sub(letters.count());
        let digits = run(text, digit, |it| it.is_ascii_digit());
        let word_end = run(text, digits, |it| it.is_ascii_alphanumeric());
        let end = if is_extension(text, digits) && digits.saturating_sub(digit) >= 4 { digits } else { word_end };
        steps::take(digit.saturating_sub(start));
        words.push(Word { start, end, number: start == digit && end == digits });
        at = end;
    }
}

/// Whether `x123` stands at `at`, which belongs to the number before it and is not a part of it.
fn is_extension(text: &[u8], at: usize) -> bool {
    let start = at.saturating_add(1);
    let end = run(text, start, |it| it.is_ascii_digit());
    let short = (1..=6).contains(&end.saturating_sub(start));
    matches!(byte(text, at), Some(b'x' | b'X'))
        && short
        && !byte(text, end).is_some_and(|it| it.is_ascii_alphanumeric())
}

/// What stands between two numbers of a chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Gap {
    Space,
    Dash,
    Dot,
    Slash,
    /// A bracket opens or closes.
    Bracket,
}

fn gap(between: &[u8]) -> Option<Gap> {
    match between {
        b" " | b"  " => Some(Gap::Space),
        b"-" | b" - " | b"- " | b" -" => Some(Gap::Dash),
        b"." => Some(Gap::Dot),
        b"/" | b" / " => Some(Gap::Slash),
        b"(" | b" (" | b")" | b") " | b")-" | b") - " | b"-(" => Some(Gap::Bracket),
        _ => None,
    }
}

/// How many numbers of a chain are looked at.
const LINKS: usize = 8;

/// No number has more digits without a gap.
const LONGEST: usize = 24;

/// More digits than any number has.
pub(super) type Digits = Few<u8, 32>;

/// A word, what stands around it, and the numbers that it is the first of.
pub(super) struct Look<'a, 't> {
    pub(super) text: &'t [u8],
    pub(super) page: &'t str,
    /// This word and all behind it.
    pub(super) words: &'a [Word],
    pub(super) context: &'a mut Context<'t>,
    /// How long the numbers are that follow each other here, with nothing but a gap between; empty for a word with letters.
    pub(super) sizes: Few<usize, LINKS>,
    /// What stands behind each of them but the last.
    pub(super) gaps: Few<Gap, LINKS>,
    /// Their digits, as values.
    digits: Digits,
    /// A number stands before this one, with a gap between.
    pub(super) joined: Option<Gap>,
}

impl<'a, 't> Look<'a, 't> {
    pub(super) fn at(page: &'t str, words: &'a [Word], before: Option<Word>, context: &'a mut Context<'t>) -> Self {
        let text = page.as_bytes();
        let (sizes, gaps, digits) = (Few::new(0), Few::new(Gap::Space), Few::new(0));
        let mut look = Self { text, page, words, context, sizes, gaps, digits, joined: None };
        let mut last: Option<Word> = None;
        for word in words.iter().take(LINKS).take_while(|it| it.number && it.len() <= LONGEST) {
            if let Some(last) = last {
                let Some(gap) = look.between(last, *word) else { break };
                look.gaps.push(gap);
            }
            look.sizes.push(word.len());
            let digits = text.get(word.start..word.end).unwrap_or_default();
            digits.iter().for_each(|it| look.digits.push(it.wrapping_sub(b'0')));
            steps::take(digits.len());
            last = Some(*word);
        }
        steps::take(look.sizes.len().saturating_mul(2));
        look.joined = before.filter(|it| it.number).zip(words.first()).and_then(|(one, two)| look.between(one, *two));
        look
    }

    fn between(&self, one: Word, two: Word) -> Option<Gap> {
        gap(self.text.get(one.end..two.start)?)
    }

    /// The first word.
    pub(super) fn word(&self) -> Option<Word> {
        self.words.first().copied()
    }

    /// Where the first word begins.
    pub(super) fn start(&self) -> usize {
        self.words.first().map_or(self.text.len(), |it| it.start)
    }

    /// Where the word numbered `last` ends.
    pub(super) fn end(&self, last: usize) -> usize {
        self.words.get(last).map_or(self.text.len(), |it| it.end)
    }

    /// The digits of the first `count` numbers.
    pub(super) fn digits(&self, count: usize) -> Digits {
        self.digits.cut(self.total(count))
    }

    /// The digits of the first `count` words, whatever stands between them.
    pub(super) fn digits_of_words(&self, count: usize) -> Digits {
        let mut digits = Digits::new(0);
        let words = self.words.iter().take(count).take_while(|it| it.number && it.len() <= LONGEST);
        let all = words.flat_map(|it| self.text.get(it.start..it.end).unwrap_or_default());
        all.for_each(|it| digits.push(it.wrapping_sub(b'0')));
        steps::take(digits.len());
        digits
    }

    /// How many digits the first `count` numbers have.
    pub(super) fn total(&self, count: usize) -> usize {
        self.sizes.iter().take(count).sum()
    }

    /// Whether the numbers are as long as `sizes`, the gaps between them one of `gaps` and all the same, and it ends there.
    pub(super) fn shaped(&self, sizes: &[usize], gaps: &[Gap]) -> bool {
        let inner = self.gaps.get(..sizes.len().saturating_sub(1)).unwrap_or_default();
        let first = inner.first();
        self.sizes.starts_with(sizes)
            && inner.iter().all(|it| Some(it) == first && gaps.contains(it))
            && self.free(sizes.len(), first.copied())
    }

    /// Whether the first `count` numbers stand alone: nothing that would make them a part of something else touches them.
    /// `inside` is what stands between them: the same outside would make them part of a longer chain.
    pub(super) fn free(&self, count: usize, inside: Option<Gap>) -> bool {
        let last = count.saturating_sub(1);
        let chained = |gap: Option<Gap>| gap.is_some_and(|it| it != Gap::Space || Some(it) == inside);
        !chained(self.joined) && !chained(self.gaps.get(last).copied()) && self.alone(self.start(), self.end(last))
    }

    /// Whether `start..end` begins and ends where a word does.
    pub(super) fn alone(&self, start: usize, end: usize) -> bool {
        let before = start.checked_sub(1);
        let prior = before.and_then(|it| byte(self.text, it));
        let earlier = before.and_then(|it| it.checked_sub(1)).and_then(|it| byte(self.text, it));
        let (next, later) = (byte(self.text, end), byte(self.text, end.saturating_add(1)));
        let letter = |it: Option<u8>| it.is_some_and(|it| it.is_ascii_alphanumeric());
        // The letter of an escape in the source of a string is no part of a word.
        let escaped = earlier == Some(b'\\') && matches!(prior, Some(b'n' | b't' | b'r'));
        let open = match prior {
            Some(b'_') => false,
            Some(b',') => !digit(earlier) || self.digits_from(start) != 3,
            Some(b'/') => !letter(earlier) || self.digits_from(start) >= 8,
            Some(b'-' | b'.' | b'+' | b'@' | b'&') => !letter(earlier),
            Some(it) => !it.is_ascii_alphanumeric() || escaped,
            None => true,
        };
        let closed = match next {
            Some(b'_' | b'%') => false,
            Some(b',') => !digit(later) || !self.goes_on(start, end),
            // A time, a port.
            Some(b':') => !digit(later) || self.digits_to(end) > 3,
            Some(b'/') => !letter(later) || self.digits_to(end) >= 8,
            Some(b'.') => !digit(later),
            Some(b'-' | b'+' | b'@') => !letter(later),
            Some(b'x' | b'X') => is_extension(self.text, end),
            Some(it) => !it.is_ascii_alphanumeric(),
            None => true,
        };
        open && closed
    }
}

impl Look<'_, '_> {
    /// Whether the comma at `end` stands within a sum: `1,234`, `1.234,56`.
    fn goes_on(&self, start: usize, end: usize) -> bool {
        let after = self.digits_from(end.saturating_add(1));
        let dotted = self.text.get(start..end).unwrap_or_default().contains(&b'.');
        (after == 3 && self.digits_to(end) <= 3) || (after <= 2 && dotted)
    }

    /// How many digits begin at `at`, up to eight.
    fn digits_from(&self, at: usize) -> usize {
        self.text.get(at..).unwrap_or_default().iter().take(8).take_while(|it| it.is_ascii_digit()).count()
    }

    /// How many digits end at `at`, up to eight.
    fn digits_to(&self, at: usize) -> usize {
        let before = self.text.get(at.saturating_sub(8)..at).unwrap_or_default();
        before.iter().rev().take_while(|it| it.is_ascii_digit()).count()
    }
}

fn digit(byte: Option<u8>) -> bool {
    byte.is_some_and(|it| it.is_ascii_digit())
}
