//! The text as a recogniser reads it: digits of every script as `0` to `9`, every space as a space, nothing invisible.
//!
//! People write numbers in full-width or Arabic-Indic digits, word processors put no-break spaces and typographic dashes
//! into them, and whoever wants to get past a guard hides zero-width characters in them. All recognisers read one folded
//! text instead of knowing about it each; where its bytes stand in the original is kept beside it. Letters of other
//! scripts that only look Latin stay: folding them would take the words of those languages apart.

mod gather;

use crate::scan::steps;
use std::borrow::Cow;
use std::ops::Range;

/// A folded text, and the way back.
pub(crate) struct Folded<'a> {
    text: Cow<'a, str>,
    /// Where the distance between folded and original changes: at `folded` begins what stands at `original`. In order.
    turns: Vec<Turn>,
}

#[derive(Clone, Copy)]
struct Turn {
    folded: usize,
    original: usize,
}

impl<'a> Folded<'a> {
    /// Folds `text`; ASCII, and whatever needs no folding, is borrowed.
    pub(crate) fn of(text: &'a str) -> Self {
        steps::take(text.len());
        let mut edit = Edit::of(text);
        if !text.is_ascii() {
            let letters = text.char_indices().filter_map(|(at, it)| Some((at, it, letter_as(it)?)));
            letters.for_each(|(at, it, into)| edit.replace(at, it.len_utf8(), into));
        }
        edit.done()
    }

    /// `text` without what stands between digits that stand alone: `4 1 1 1 - 1 1 1 1 ...` is `4111-1111...`.
    pub(crate) fn gathered(text: &'a str) -> Self {
        let mut edit = Edit::of(text);
        gather::gaps(text.as_bytes(), |at, length, into| edit.replace(at, length, into));
        edit.done()
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Where `span` of the folded text stands in the original, without what is invisible around it.
    pub(crate) fn original(&self, span: &Range<usize>) -> Range<usize> {
        let before_end = self.turns.partition_point(|it| it.folded < span.end);
        let end = match self.turns.get(before_end) {
            Some(turn) if turn.folded == span.end => turn.original,
            _ => self.from(before_end, span.end),
        };
        self.from(self.turns.partition_point(|it| it.folded <= span.start), span.start)..end
    }

    /// Where `at` stands in the original, `turns` of the turns behind it.
    fn from(&self, turns: usize, at: usize) -> usize {
        let last = turns.checked_sub(1).and_then(|it| self.turns.get(it));
        last.map_or(at, |it| it.original.saturating_add(at.saturating_sub(it.folded)))
    }
}

/// A text that is being folded.
struct Edit<'a> {
    text: &'a str,
    folded: String,
    kept: usize,
    turns: Vec<Turn>,
}

impl<'a> Edit<'a> {
    fn of(text: &'a str) -> Self {
        Self { text, folded: String::new(), kept: 0, turns: Vec::new() }
    }

    fn replace(&mut self, at: usize, length: usize, into: Option<char>) {
        self.folded.push_str(self.text.get(self.kept..at).unwrap_or_default());
        self.kept = at.saturating_add(length);
        self.turns.push(Turn { folded: self.folded.len(), original: at });
        self.folded.extend(into);
        self.turns.push(Turn { folded: self.folded.len(), original: self.kept });
    }

    fn done(mut self) -> Folded<'a> {
        if self.turns.is_empty() {
            return Folded { text: Cow::Borrowed(self.text), turns: self.turns };
        }
        self.folded.push_str(self.text.get(self.kept..).unwrap_or_default());
        Folded { text: Cow::Owned(self.folded), turns: self.turns }
    }
}

/// What `letter` is read as, if not as itself: as one ASCII character, or as nothing.
fn letter_as(letter: char) -> Option<Option<char>> {
    let point = u32::from(letter);
    match point {
        // Almost every letter of every living language, decided first.
        0..=0x9f | 0xc0..=0x34e | 0x350..=0x61b | 0x3001..=0xd7ff => None,
        0xa0 | 0x1680 | 0x2000..=0x200a | 0x202f | 0x205f | 0x3000 => Some(Some(' ')),
        0x2028 | 0x2029 => Some(Some('\n')),
        // The soft hyphen, zero-width characters, marks of direction, variation selectors.
        0xad | 0x34f | 0x61c | 0x180e | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x206f => Some(None),
        0xfe00..=0xfe0f | 0xfeff => Some(None),
        // Hyphens, the en dash and the minus; not the em dash, which stands between words.
        0x2010..=0x2013 | 0x2212 | 0xfe58 | 0xfe63 => Some(Some('-')),
        0xb7 | 0x2024 | 0x2219 | 0xfe52 => Some(Some('.')),
        0xfe55 | 0x2236 => Some(Some(':')),
        0xfe6b => Some(Some('@')),
        0x2044 | 0x2215 => Some(Some('/')),
        0x2018 | 0x2019 => Some(Some('\'')),
        0x201c | 0x201d | 0xab | 0xbb => Some(Some('"')),
        // Full-width forms repeat ASCII in its order.
        0xff01..=0xff5e => Some(char::from_u32(point.saturating_sub(0xfee0))),
        _ => digit(point).map(Some),
    }
}

/// The digit that `point` is in its script.
fn digit(point: u32) -> Option<char> {
    // Where the zeros stand of Arabic, Persian, N'Ko, Devanagari, Bengali, Gurmukhi, Gujarati, Odia, Tamil, Telugu, Kannada,
    // Malayalam, Thai, Lao, Tibetan, Burmese, Khmer and Mongolian.
    const ZEROS: [u32; 18] = [
        0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xe50, 0xed0, 0xf20,
        0x1040, 0x17e0, 0x1810,
    ];
    let value = match point {
        0x2460..=0x2468 => point.saturating_sub(0x245f),
        0x24ea => 0,
        // Mathematical digits: five styles of ten.
        0x1d7ce..=0x1d7ff => point.saturating_sub(0x1d7ce).checked_rem(10)?,
        // Mathematical letters: thirteen styles of A to Z and a to z.
        0x1d400..=0x1d6a3 => {
            let place = u8::try_from(point.saturating_sub(0x1d400).checked_rem(52)?).ok()?;
            return Some(char::from(if place < 26 { b'A'.wrapping_add(place) } else { b'G'.wrapping_add(place) }));
        }
        _ => {
            let after = ZEROS.partition_point(|zero| *zero <= point);
            let zero = ZEROS.get(after.checked_sub(1)?)?;
            point.checked_sub(*zero).filter(|value| *value < 10)?
        }
    };
    char::from_digit(value, 10)
}

#[cfg(test)]
mod tests {
    use super::Folded;
    use proptest::prelude::*;

    /// `text` is read as `want`, and the part `of` of that stands in the original as `original`.
    fn check(text: &str, want: &str, of: &str, original: &str) {
        let folded = Folded::of(text);
        assert_eq!(folded.text(), want);
        let start = want.find(of).unwrap();
        assert_eq!(&text[folded.original(&(start..start + of.len()))], original, "{of} in {text}");
    }

    #[test]
    fn digits_of_every_script_are_digits() {
        check("a ４２、", "a 42、", "42", "４２");
        check("هاتف ٠١٢٣٤٥٦٧٨٩", "هاتف 0123456789", "123", "١٢٣");
        check("۰۹ ०९ ০৯ ๐๙", "09 09 09 09", "9 0", "۹ ०");
        check("𝟘𝟙𝟵 ①⑨", "019 19", "1", "𝟙");
    }

    #[test]
    fn spaces_and_dashes_are_of_one_kind() {
        check("4111\u{a0}1111\u{202f}11", "4111 1111 11", "1 1", "1\u{a0}1");
        check("1‑2–3−4—5", "1-2-3-4—5", "2-3", "2–3");
    }

    #[test]
    fn what_is_invisible_is_part_of_what_it_stands_in_and_of_nothing_else() {
        check("x\u{200b}a\u{200b}\u{ad}b\u{200b} y", "xab y", "ab", "a\u{200b}\u{ad}b");
        check("ａｄａ＠x．com", "ada@x.com", "ada@x.com", "ａｄａ＠x．com");
        check("𝐀𝐳𝗔", "AzA", "z", "𝐳");
    }

    #[test]
    fn letters_of_all_languages_stay() {
        for text in ["plain", "Zoë ß Łódź", "почта", "電話は", "ईमेल", "이메일", "👩‍🚀".split('\u{200d}').next().unwrap()]
        {
            check(text, text, text, text);
        }
    }

    #[test]
    fn digits_that_stand_alone_are_gathered() {
        for (text, want) in [
            ("4 1 1 1 1 1 1 1 1", "411111111"),
            ("x 1 2 3 - 4 5 - 6 7 8 9 y", "x 123-45-6789 y"),
            ("+4.9.1.5.1.2.3.4.5", "+491512345"),
            ("D E 8 9 3 7 0 4 0 0", "DE89370400"),
            ("1 2 3 4 5", "1 2 3 4 5"),
            ("a 1 b 2 c", "a 1 b 2 c"),
            ("12 34 56 78 90 12", "12 34 56 78 90 12"),
        ] {
            assert_eq!(Folded::gathered(text).text(), want);
        }
        let folded = Folded::gathered("at 4 1 1 1 1 1 1 1 1.");
        assert_eq!(folded.original(&(3..12)), 3..20);
    }

    proptest! {
        #[test]
        fn every_part_maps_to_whole_characters(text in "[a٣\u{200b}\u{a0}ß４-]{0,12}", start in 0..12_usize, end in 0..12_usize) {
            let folded = Folded::of(&text);
            let bounds: Vec<usize> = folded.text().char_indices().map(|(at, _)| at).chain([folded.text().len()]).collect();
            let (Some(start), Some(end)) = (bounds.get(start), bounds.get(end)) else { return Ok(()) };
            if start < end {
                let original = folded.original(&(*start..*end));
                let part = Folded::of(&text[original]);
                prop_assert_eq!(part.text(), &folded.text()[*start..*end]);
            }
        }
    }
}
