//! Letters as they are read, whatever they are written with: one case, no marks on Latin letters, no look-alikes, nothing invisible.
//!
//! Compatibility decomposition (NFKD, Unicode annex 15) with what matters composed again: accents go, vowel signs of Indic scripts, kana
//! and Hangul stay. One pass; what a word's letters have in common is known at its end, and only that word is then written again.

use crate::reading::{Disguise, Reading};
use crate::steps;
use std::sync::OnceLock;
use unicode_normalization::char::{decompose_compatible, is_combining_mark};

/// Folds `older`.
pub(crate) fn fold(older: &Reading) -> Reading {
    let mut fold = Fold { out: Reading::like(&older.text), word: Word::default(), latin: 0, other: 0 };
    for (at, letter) in older.text.char_indices() {
        if letter.is_ascii() {
            fold.ascii(letter, at);
        } else {
            fold.exotic(letter, at);
        }
    }
    fold.finish_word();
    steps::take(older.text.len());
    fold.out.based_on(older)
}

/// A word of a table, folded as texts are.
pub(crate) fn word(word: &str) -> String {
    fold(&Reading::plain(word)).text
}

/// What the letters of the word being written have in common.
#[derive(Default)]
struct Word {
    start: usize,
    latin: u32,
    alike: u32,
    foreign: u32,
    styled: u32,
    invisible: u32,
    /// Where capitals follow small letters.
    humps: Vec<usize>,
    small: bool,
}

struct Fold {
    out: Reading,
    word: Word,
    /// Words in Latin letters, and in letters that look like them, so far.
    latin: u32,
    other: u32,
}

impl Fold {
    fn ascii(&mut self, letter: char, at: usize) {
        if !letter.is_ascii_alphanumeric() {
            self.finish_word();
            let letter = if letter.is_ascii_whitespace() && letter != '\n' { ' ' } else { letter };
            self.out.push(letter, at);
            self.begin_word();
            return;
        }
        let capital = letter.is_ascii_uppercase();
        if capital && self.word.small {
            self.word.humps.push(self.out.text.len());
        }
        self.word.small = letter.is_ascii_lowercase();
        self.word.latin = self.word.latin.saturating_add(u32::from(letter.is_ascii_alphabetic()));
        self.out.push(letter.to_ascii_lowercase(), at);
    }

    fn exotic(&mut self, letter: char, at: usize) {
        if let Some(hidden) = tag(letter) {
            let from = self.out.text.len();
            self.out.push(hidden.to_ascii_lowercase(), at);
            self.out.hide(from, Disguise::Tags);
            return;
        }
        if is_invisible(letter) {
            self.word.invisible = self.word.invisible.saturating_add(1);
            return;
        }
        if is_whole(letter) {
            self.letter(letter, at);
            return;
        }
        let styled = is_styled(letter);
        let plain = shape(letter);
        let styled = styled || plain != letter;
        let letter = plain;
        let mut unfolded = [None; 4];
        let mut slots = unfolded.iter_mut();
        decompose_compatible(letter, |part| {
            if let Some(slot) = slots.next() {
                *slot = Some(part);
            }
        });
        for part in unfolded.into_iter().flatten() {
            if ('\u{300}'..='\u{36f}').contains(&part) || ('\u{64b}'..='\u{652}').contains(&part) {
                continue;
            }
            if part.is_ascii() {
                self.word.styled = self.word.styled.saturating_add(u32::from(styled && part.is_ascii_alphabetic()));
                self.word.small = false;
                self.ascii(part, at);
            } else {
                self.letter(part, at);
            }
        }
    }

    fn letter(&mut self, letter: char, at: usize) {
        if !(letter.is_alphanumeric() || is_combining_mark(letter)) {
            self.finish_word();
            self.out.push(if letter.is_whitespace() { ' ' } else { quote(letter) }, at);
            self.begin_word();
            return;
        }
        for small in letter.to_lowercase().filter(|it| *it != '\u{307}') {
            if alike(small).is_some() {
                self.word.alike = self.word.alike.saturating_add(1);
            } else if small.is_alphabetic() {
                self.word.foreign = self.word.foreign.saturating_add(1);
            }
            self.out.push(small, at);
        }
    }

    fn begin_word(&mut self) {
        self.word = Word { start: self.out.text.len(), ..Word::default() };
    }

    fn finish_word(&mut self) {
        let word = std::mem::take(&mut self.word);
        if word.alike > 0 && word.foreign == 0 && (word.latin > 0 || self.latin > self.other) {
            self.rewrite(word.start, |it| alike(it).unwrap_or(it));
            if word.latin > 0 {
                self.out.hide(word.start, Disguise::Homoglyphs);
            }
        } else if word.latin > 0 && word.foreign > 0 && word.alike > 0 {
            self.rewrite(word.start, |it| alike(it).unwrap_or(it));
        }
        if word.latin > 2 && word.invisible > 0 {
            self.out.hide(word.start, Disguise::Invisible);
        }
        if word.styled > 2 {
            self.out.hide(word.start, Disguise::Styled);
        }
        let pieces = word.humps.len().saturating_add(1);
        let long = self.out.text.len().saturating_sub(word.start) >= pieces.saturating_mul(3);
        if word.humps.len() > 1 && long && word.alike.saturating_add(word.foreign) == 0 {
            self.split(word.start, &word.humps);
        }
        if word.latin > 1 {
            self.latin = self.latin.saturating_add(1);
        }
        if word.alike.saturating_add(word.foreign) > 1 && word.latin == 0 {
            self.other = self.other.saturating_add(1);
        }
    }

    /// Puts spaces before the capitals of a word.
    fn split(&mut self, start: usize, humps: &[usize]) {
        let word = self.out.text.get(start..).unwrap_or_default().to_owned();
        let from = self.out.origin(start);
        self.out.forget(start);
        let mut at = start;
        for hump in humps {
            let part = word.get(at.saturating_sub(start)..hump.saturating_sub(start)).unwrap_or_default();
            self.out.copy(part, from.saturating_add(at.saturating_sub(start)));
            self.out.push(' ', from.saturating_add(hump.saturating_sub(start)));
            at = *hump;
        }
        self.out.copy(
            word.get(at.saturating_sub(start)..).unwrap_or_default(),
            from.saturating_add(at.saturating_sub(start)),
        );
        if humps.len() > 2 {
            self.out.hide(start, Disguise::Camel);
        }
    }

    /// Writes the word that began at `start` again. Letters become shorter or stay, so its places move by some bytes at most.
    fn rewrite(&mut self, start: usize, letter: impl Fn(char) -> char) {
        steps::take(self.out.text.len().saturating_sub(start));
        let word: String = self.out.text.get(start..).unwrap_or_default().chars().map(letter).collect();
        let from = self.out.origin(start);
        self.out.forget(start);
        self.out.copy(&word, from);
    }
}

/// The letter behind a character of the tag block.
fn tag(letter: char) -> Option<char> {
    let code = u32::from(letter).checked_sub(0xe0000)?;
    char::from_u32(code).filter(|it| matches!(it, ' '..='~'))
}

/// Takes no room on a screen.
fn is_invisible(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Stays as it is: what decomposition would take apart without any use.
fn is_whole(letter: char) -> bool {
    matches!(letter, '\u{3041}'..='\u{30ff}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}')
}

/// Letters that are shapes: mathematical, full-width, circled, squared.
fn is_styled(letter: char) -> bool {
    matches!(letter, '\u{1d400}'..='\u{1d7ff}' | '\u{ff21}'..='\u{ff5a}' | '\u{2460}'..='\u{24ff}' | '\u{1f110}'..='\u{1f18a}'
        | '\u{2100}'..='\u{214f}' | '\u{2090}'..='\u{209c}' | '\u{1d2c}'..='\u{1d6a}' | 'A'..='Z')
}

/// Shapes that Unicode does not decompose: squared and regional letters.
fn shape(letter: char) -> char {
    let code = u32::from(letter);
    let of = |first: u32| char::from_u32(code.saturating_sub(first).saturating_add(0x41)).unwrap_or(letter);
    match code {
        0x1f150..=0x1f169 => of(0x1f150),
        0x1f170..=0x1f189 => of(0x1f170),
        0x1f1e6..=0x1f1ff => of(0x1f1e6),
        0x250..=0x2af | 0x1d00..=0x1d7f | 0xa720..=0xa7ff => alike(letter).unwrap_or(letter),
        0x2800..=0x28ff => ('a'..='z').zip(BRAILLE.chars()).find(|(_, it)| *it == letter).map_or(letter, |(it, _)| it),
        _ => letter,
    }
}

/// The letters a to z for those who read with their fingers.
const BRAILLE: &str = "⠁⠃⠉⠙⠑⠋⠛⠓⠊⠚⠅⠇⠍⠝⠕⠏⠟⠗⠎⠞⠥⠧⠺⠭⠽⠵";

/// Quotation marks and dashes in their plain form.
fn quote(letter: char) -> char {
    match letter {
        '\u{2018}' | '\u{2019}' | '\u{201b}' | '\u{2bc}' | '\u{2032}' => '\'',
        '\u{201c}'..='\u{201f}' | '\u{ab}' | '\u{bb}' | '\u{300c}'..='\u{300f}' => '"',
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        '\u{3002}' => '.',
        '\u{3001}' => ',',
        '\u{964}' | '\u{6d4}' => '.',
        '\u{61f}' => '?',
        '\u{60c}' => ',',
        other => other,
    }
}

/// The Latin letter that a small letter of another script looks like.
fn alike(letter: char) -> Option<char> {
    const CYRILLIC: &str = "аaеeоoрpсcуyхxіiѕsјjԁdһhԛqԝwвbнhкkмmтtгrпnӏlѵvґrєe";
    const GREEK: &str = "αaβbεeηnιiκkνvοoρpτtυuχxωwγyμuζzςc";
    const OTHERS: &str =
        "ıiɑaɡgɩiʏyᴀaʙbᴄcᴅdᴇeғfɢgʜhɪiᴊjᴋkʟlᴍmɴnᴏoꜰfꜱsᴘpʀrѕsᴛtᴜuᴠvᴡwᴢzøoðdłlđdħhŧtæaœoɐaɔoəeɛeցgհhոnսuօoքp";
    static TABLE: OnceLock<Vec<(char, char)>> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        let letters: Vec<char> = [CYRILLIC, GREEK, OTHERS].iter().flat_map(|it| it.chars()).collect();
        let mut table: Vec<_> =
            letters.chunks_exact(2).filter_map(|it| it.first().copied().zip(it.last().copied())).collect();
        table.sort_unstable();
        table
    });
    if letter > '\u{5ff}' && !('\u{1d00}'..'\u{1d80}').contains(&letter) && !('\u{a700}'..'\u{a800}').contains(&letter)
    {
        return None;
    }
    table.binary_search_by_key(&letter, |(it, _)| *it).ok().and_then(|it| table.get(it)).map(|(_, latin)| *latin)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> (String, Vec<Disguise>) {
        let out = fold(&Reading::plain(text));
        (out.text, out.hidden.into_iter().map(|(_, how)| how).collect())
    }

    #[test]
    fn letters_are_read_as_they_look() {
        for (text, read) in [
            ("Ignore ALL", "ignore all"),
            ("ｉｇｎｏｒｅ　ａｌｌ", "ignore all"),
            ("𝐢𝐠𝐧𝐨𝐫𝐞 𝓪𝓵𝓵", "ignore all"),
            ("іgnоrе аll", "ignore all"),
            ("ig\u{200b}nore a\u{ad}ll", "ignore all"),
            ("i\u{336}g\u{336}nore", "ignore"),
            ("Ⓘⓖⓝⓞⓡⓔ", "ignore"),
            ("Größe, naïve", "große, naive"),
            ("Игнорируй все", "игнорируи все"),
            ("ガイド", "ガイド"),
            ("निर्देशों", "निर्देशों"),
            ("ɪɢɴᴏʀᴇ ᴀʟʟ", "ignore all"),
            ("⠊⠛⠝⠕⠗⠑", "ignore"),
            ("iGnOrE aLl", "ignore all"),
            ("don’t", "don't"),
            ("ForgetAllRules JavaScript", "forget all rules javascript"),
        ] {
            assert_eq!(check(text).0, read);
        }
    }

    #[test]
    fn what_nobody_does_by_accident_is_told() {
        for (text, how) in [
            ("іgnоrе", vec![Disguise::Homoglyphs]),
            ("ig\u{200b}nore", vec![Disguise::Invisible]),
            ("\u{e0069}\u{e0067}", vec![Disguise::Tags]),
            ("𝐢𝐠𝐧𝐨𝐫𝐞", vec![Disguise::Styled]),
            ("Все хорошо", vec![]),
            ("naïve café", vec![]),
            ("τον λόγο", vec![]),
        ] {
            assert_eq!(check(text).1, how, "{text}");
        }
    }
}
