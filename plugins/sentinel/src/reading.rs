//! A text made out of another one, that still knows where each part came from and which parts somebody had hidden.
//!
//! Each stage (decoding, folding, unmasking words) reads one and writes the next; spans in what was read last lead back to the first.

use std::ops::Range;

/// How a part of a text was hidden from a reader who looks for words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Disguise {
    /// Base64, with either alphabet.
    Base64,
    /// Pairs of hexadecimal digits.
    Hex,
    /// `%69`.
    Url,
    /// `&#105;`.
    Entities,
    /// `\u0069`, `\x69`.
    Escapes,
    /// Letters of the tag block of Unicode, which nothing displays.
    Tags,
    /// Look-alikes from another script.
    Homoglyphs,
    /// Mathematical, full-width, circled and other letters that are shapes.
    Styled,
    /// Characters without a width, inside words.
    Invisible,
    /// `i g n o r e`.
    Spaced,
    /// `1gn0r3`.
    Leet,
    /// Back to front.
    Reversed,
    /// Each letter thirteen further.
    Rot13,
    /// `ignoreway`.
    PigLatin,
    /// `IgnoreAllRules`.
    Camel,
}

impl Disguise {
    /// All of them, in the order of their numbers.
    pub(crate) const ALL: [Self; 15] = [
        Self::Base64,
        Self::Hex,
        Self::Url,
        Self::Entities,
        Self::Escapes,
        Self::Tags,
        Self::Homoglyphs,
        Self::Styled,
        Self::Invisible,
        Self::Spaced,
        Self::Leet,
        Self::Reversed,
        Self::Rot13,
        Self::PigLatin,
        Self::Camel,
    ];

    /// Its number, from zero.
    pub(crate) fn number(self) -> usize {
        Self::ALL.iter().position(|it| *it == self).unwrap_or_default()
    }

    /// Whether it is done to words, by the letter, so that nobody does it by accident to the words of an attack.
    pub(crate) fn is_deliberate(self) -> bool {
        !matches!(self, Self::Camel | Self::Styled | Self::Url | Self::Entities)
    }
}

/// See above.
#[derive(Debug, Default, Clone)]
pub(crate) struct Reading {
    /// What is read.
    pub(crate) text: String,
    /// Where a distance to the original begins: offsets here and there, both ascending.
    anchors: Vec<(usize, usize)>,
    /// The hidden parts, ascending.
    pub(crate) hidden: Vec<(Range<usize>, Disguise)>,
}

impl Reading {
    /// An empty one with room for a text as long as `text`.
    pub(crate) fn like(text: &str) -> Self {
        Self { text: String::with_capacity(text.len().saturating_add(16)), anchors: Vec::new(), hidden: Vec::new() }
    }

    /// A text that nobody has touched.
    pub(crate) fn plain(text: &str) -> Self {
        Self { text: text.to_owned(), anchors: Vec::new(), hidden: Vec::new() }
    }

    /// Writes `letter`, which was read at `from`.
    pub(crate) fn push(&mut self, letter: char, from: usize) {
        self.anchor(from);
        self.text.push(letter);
    }

    /// Writes `part`, which was read at `from` as it is.
    pub(crate) fn copy(&mut self, part: &str, from: usize) {
        if !part.is_empty() {
            self.anchor(from);
            self.text.push_str(part);
        }
    }

    /// Everything written since `from` was hidden.
    pub(crate) fn hide(&mut self, from: usize, how: Disguise) {
        let end = self.text.len();
        if let Some((last, same)) = self.hidden.last_mut()
            && *same == how
            && last.end.saturating_add(1) >= from
        {
            last.end = end;
        } else if from < end {
            self.hidden.push((from..end, how));
        }
    }

    /// Unwrites everything since `from`.
    pub(crate) fn forget(&mut self, from: usize) {
        self.text.truncate(from);
        let kept = self.anchors.partition_point(|(here, _)| *here < from);
        self.anchors.truncate(kept);
    }

    fn anchor(&mut self, from: usize) {
        let at = self.text.len();
        let (here, there) = self.anchors.last().copied().unwrap_or_default();
        if at.abs_diff(here) != from.abs_diff(there) || from < there {
            self.anchors.push((at, from.max(there)));
        }
    }

    /// Where in the original the character at `at` stood.
    pub(crate) fn origin(&self, at: usize) -> usize {
        let after = self.anchors.partition_point(|(here, _)| *here <= at);
        let before = after.checked_sub(1).and_then(|it| self.anchors.get(it)).copied();
        let next = self.anchors.get(after).map_or(usize::MAX, |(_, there)| *there);
        let (here, there) = before.unwrap_or_default();
        there.saturating_add(at.saturating_sub(here)).min(next)
    }

    /// Where what stood at `from` in the original stands here.
    fn arrival(&self, from: usize) -> usize {
        let after = self.anchors.partition_point(|(_, there)| *there <= from);
        let (here, there) = after.checked_sub(1).and_then(|it| self.anchors.get(it)).copied().unwrap_or_default();
        let next = self.anchors.get(after).map_or(self.text.len(), |(here, _)| *here);
        here.saturating_add(from.saturating_sub(there)).min(next)
    }

    /// Makes places lead back to where `older`, which this was made of, had them from, and hides what was hidden there.
    pub(crate) fn based_on(mut self, older: &Self) -> Self {
        self.inherit(older);
        let breaks = older.anchors.iter().map(|(here, there)| (self.arrival(*here), *there));
        let moved = self.anchors.iter().map(|(here, there)| (*here, older.origin(*there)));
        let mut anchors: Vec<_> = breaks.chain(moved).collect();
        anchors.sort_unstable_by_key(|(here, there)| (*here, std::cmp::Reverse(*there)));
        anchors.dedup_by_key(|(here, _)| *here);
        self.anchors = anchors;
        self
    }

    /// What was hidden in the text that this was made of is hidden here as well.
    fn inherit(&mut self, older: &Self) {
        for (range, how) in &older.hidden {
            self.hidden.push((self.arrival(range.start)..self.arrival(range.end), *how));
        }
        self.hidden.sort_by_key(|(range, _)| range.start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_leads_back_over_what_was_left_out_and_put_in() {
        let mut reading = Reading::like("abcdef");
        reading.copy("ab", 0);
        reading.copy("ef", 4);
        reading.push('!', 6);
        assert_eq!((0..5).map(|it| reading.origin(it)).collect::<Vec<_>>(), [0, 1, 4, 5, 6]);
        assert_eq!([reading.arrival(1), reading.arrival(5)], [1, 3]);
    }

    #[test]
    fn what_was_hidden_stays_hidden_in_the_next_reading() {
        let mut older = Reading::like("");
        older.copy("abc ", 0);
        older.copy("xyz", 9);
        older.hide(4, Disguise::Base64);
        let mut newer = Reading::like("");
        newer.copy("abc xyz", 0);
        newer.inherit(&older);
        assert_eq!(newer.hidden, [(4..7, Disguise::Base64)]);
    }
}
