//! What can be told of a text besides rules: how it was disguised, how long it is, what scripts and marks it has, who it quotes.

use crate::features::Read;
use crate::reading::{Disguise, Reading};
use crate::rules::NAMES;
use crate::steps;
use crate::words::Word;
use std::ops::Range;

/// Names of signals, by number.
const SIGNALS: &[&str] = &[
    "disguise.base64",
    "disguise.hex",
    "disguise.url",
    "disguise.entities",
    "disguise.escapes",
    "disguise.tags",
    "disguise.homoglyphs",
    "disguise.styled",
    "disguise.invisible",
    "disguise.spaced",
    "disguise.leet",
    "disguise.reversed",
    "disguise.rot13",
    "disguise.pig-latin",
    "disguise.camel",
    "words",
    "rules",
    "families",
    "rules-per-word",
    "hidden-words",
    "quoted-words",
    "questions",
    "exclamations",
    "lines",
    "scripts",
    "letters",
];

/// The name of a signal.
pub(crate) fn name(number: u32) -> Option<&'static str> {
    usize::try_from(number).ok().and_then(|it| SIGNALS.get(it)).copied()
}

/// Tells the signals of some words: a signal's number and its bin.
pub(crate) fn add(read: &Read, part: &Range<usize>, tell: &mut impl FnMut(u32, u32)) {
    let words = read.words.get(part.clone()).unwrap_or_default();
    let (start, end) = (words.first().map_or(0, |it| it.start), words.last().map_or(0, |it| it.end));
    let mut disguised = [0_usize; Disguise::ALL.len()];
    for how in read.hidden.get(part.clone()).unwrap_or_default().iter().flatten() {
        if let Some(count) = disguised.get_mut(how.number()) {
            *count = count.saturating_add(1);
        }
    }
    for (number, count) in (0..).zip(disguised).filter(|(_, count)| *count > 0) {
        tell(number, bin(count));
    }
    let matches: Vec<usize> = read.within(part).map(|it| it.name).collect();
    let mut names = matches.clone();
    names.sort_unstable();
    names.dedup();
    let mut families: Vec<&str> = names.iter().filter_map(|it| NAMES.get(*it)?.split('.').next()).collect();
    families.sort_unstable();
    families.dedup();
    let hidden =
        read.hidden.get(part.clone()).unwrap_or_default().iter().flatten().filter(|it| it.is_deliberate()).count();
    let quoted = read.quoted.get(part.clone()).unwrap_or_default().iter().filter(|it| **it).count();
    let text = read
        .reading
        .text
        .get(start..end.saturating_add(1))
        .or_else(|| read.reading.text.get(start..end))
        .unwrap_or_default();
    let marks = Marks::of(text);
    let share = |part: usize| part.saturating_mul(8).checked_div(words.len()).unwrap_or_default();
    let numbers = [
        bin(words.len()),
        bin(names.len()),
        bin(families.len()),
        bin(share(matches.len().saturating_mul(2))),
        bin(hidden),
        bin(share(quoted)),
        bin(marks.questions),
        bin(marks.exclamations),
        bin(marks.lines),
        marks.script(),
        bin(text.len().checked_div(words.len()).unwrap_or_default()),
    ];
    for (number, bin) in (15_u32..).zip(numbers) {
        tell(number, bin);
    }
}

/// 0, 1, 2, 3, 4-7, 8-15, 16-63, more.
fn bin(count: usize) -> u32 {
    match count {
        0 => 0,
        1 => 1,
        2 => 2,
        3 => 3,
        4..=7 => 4,
        8..=15 => 5,
        16..=63 => 6,
        _ => 7,
    }
}

/// Signs and scripts of a text, counted in one go.
#[derive(Default)]
struct Marks {
    questions: usize,
    exclamations: usize,
    lines: usize,
    /// Letters by the first byte of their UTF-8: Latin, Greek, Cyrillic, Semitic, Indic to Khmer, Chinese and Japanese, Korean, others.
    scripts: [usize; 8],
}

impl Marks {
    fn of(text: &str) -> Self {
        steps::take(text.len());
        let mut marks = Self::default();
        for byte in text.bytes() {
            let kind = match byte {
                b'?' => {
                    marks.questions = marks.questions.saturating_add(1);
                    continue;
                }
                b'!' => {
                    marks.exclamations = marks.exclamations.saturating_add(1);
                    continue;
                }
                b'\n' => {
                    marks.lines = marks.lines.saturating_add(1);
                    continue;
                }
                b'a'..=b'z' | 0xc2..=0xc9 => 0,
                0xcd..=0xcf => 1,
                0xd0..=0xd4 => 2,
                0xd6..=0xdd => 3,
                0xe0 | 0xe1 => 4,
                0xe3..=0xe9 => 5,
                0xea..=0xed => 6,
                0xf0.. => 7,
                _ => continue,
            };
            if let Some(count) = marks.scripts.get_mut(kind) {
                *count = count.saturating_add(if kind == 0 { 1 } else { 3 });
            }
        }
        marks
    }

    /// Which letters most of the text has; one of another script says as much as three Latin ones.
    fn script(&self) -> u32 {
        (0_u32..).zip(self.scripts).max_by_key(|(_, count)| *count).map_or(0, |(kind, _)| kind)
    }
}

/// How each word was hidden.
pub(crate) fn hidden(reading: &Reading, words: &[Word]) -> Vec<Option<Disguise>> {
    let mut ranges = reading.hidden.iter().peekable();
    let of = |word: &Word| {
        while ranges.next_if(|(range, _)| range.end <= word.start).is_some() {}
        ranges.peek().filter(|(range, _)| range.start < word.end).map(|(_, how)| *how)
    };
    words.iter().map(of).collect()
}

/// Which words stand between quotation marks or backticks on one line.
pub(crate) fn quoted(text: &str, words: &[Word]) -> Vec<bool> {
    let mut quoted = vec![false; words.len()];
    let mut open: Option<(u8, usize)> = None;
    for (number, word) in words.iter().enumerate() {
        if word.opens_line {
            open = None;
        }
        if open.is_none() && matches!(word.before, b'"' | b'\'' | b'`') && !follows_letter(text, word.start) {
            open = Some((word.before, number));
        }
        if let Some((mark, from)) = open
            && word.after == mark
        {
            if let Some(range) = quoted.get_mut(from..=number) {
                range.fill(true);
            }
            open = None;
        }
    }
    quoted
}

/// Whether the mark before `at` follows a letter, as an apostrophe does.
fn follows_letter(text: &str, at: usize) -> bool {
    at.checked_sub(2).and_then(|it| text.as_bytes().get(it)).is_some_and(u8::is_ascii_alphanumeric)
}
