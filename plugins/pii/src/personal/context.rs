//! The words that say what a number is: `phone`, `passport`, `geboren`, `订单号`.
//!
//! They are looked for only before a number that may be something, and each byte of the text is looked at once however
//! many numbers follow. Words of other things (`order`, `version`) count too: the nearest word names the number.

use super::signs::{Sign, beginning};
use crate::scan::steps;

/// How far before a number its name may stand, in bytes.
pub(super) const REACH: usize = 64;

/// The words so far.
pub(super) struct Context<'t> {
    text: &'t str,
    /// Up to here the text was looked at.
    read: usize,
    hits: Vec<Hit>,
}

struct Hit {
    sign: Sign,
    end: usize,
}

impl<'t> Context<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        Self { text, read: 0, hits: Vec::new() }
    }

    /// Whether what stands at `at` is called a `sign`: no other name stands nearer.
    pub(super) fn names(&mut self, at: usize, sign: Sign) -> bool {
        self.named(at, sign, REACH)
    }

    /// The same for a number that a state gives and that proves itself: a name for all such numbers is enough.
    pub(super) fn identifies(&mut self, at: usize, sign: Sign) -> bool {
        self.names(at, sign) || self.names(at, Sign::Identity)
    }

    /// The same for a name that ends no more than `reach` bytes before `at`.
    pub(super) fn named(&mut self, at: usize, sign: Sign, reach: usize) -> bool {
        self.read_to(at);
        let near = self.hits.iter().rev().take(8).take_while(|it| it.end.saturating_add(reach) >= at);
        let mut names = near.map(|it| it.sign).filter(|it| it.is_of_dates() == sign.is_of_dates());
        // Whatever else the number is, somebody may be called at it.
        names.find(|it| *it == sign || *it != Sign::Call) == Some(sign)
    }

    /// Whether a word of something else stands right before `at`.
    pub(super) fn is_other(&mut self, at: usize) -> bool {
        self.named(at, Sign::Other, 16)
    }

    /// Whether right before `at` stands the name of something else than a phone: `SSN: `.
    pub(super) fn is_called_otherwise(&mut self, at: usize) -> bool {
        self.read_to(at);
        let last = self.hits.last().filter(|it| it.end.saturating_add(4) >= at);
        last.is_some_and(|it| !it.sign.is_of_dates() && !matches!(it.sign, Sign::Phone | Sign::Call))
    }

    /// Forgets the names before `at`: what they named was found.
    pub(super) fn forget(&mut self, sign: Sign) {
        self.hits.retain(|it| it.sign != sign);
    }

    fn read_to(&mut self, at: usize) {
        let far = at.saturating_sub(REACH.saturating_mul(2));
        self.hits.retain(|it| it.end >= far);
        let mut from = self.read.max(at.saturating_sub(REACH));
        while !self.text.is_char_boundary(from) {
            from = from.saturating_add(1);
        }
        let mut last = self.text.get(..from).and_then(|it| it.chars().next_back());
        let mut skip = 0;
        for (place, letter) in self.text.get(from..at).unwrap_or_default().char_indices() {
            let start = from.saturating_add(place);
            let name =
                (start >= skip && begins(last, letter)).then(|| sign(self.text.get(start..at).unwrap_or_default()));
            if let Some((sign, length)) = name.flatten() {
                skip = start.saturating_add(length);
                self.hits.push(Hit { sign, end: skip });
            }
            last = Some(letter);
        }
        self.read = self.read.max(at);
    }
}

/// Whether a word begins with `letter`; in scripts without spaces each letter may begin one.
fn begins(last: Option<char>, letter: char) -> bool {
    let after = last.filter(|it| is_letter(*it));
    is_letter(letter)
        && match after {
            None => true,
            Some(last) => spaceless(letter) || spaceless(last) || last.is_lowercase() && letter.is_uppercase(),
        }
}

/// Letters of all scripts, and the marks that belong to them.
fn is_letter(it: char) -> bool {
    it.is_ascii_alphabetic()
        || (it >= '\u{c0}'
            && !matches!(it, '\u{2000}'..='\u{2bff}' | '\u{3000}'..='\u{3004}' | '\u{3008}'..='\u{3020}' | '\u{ff00}'..))
}

/// Of the scripts that put no spaces between words: Thai, Chinese, Japanese, and Korean with its compounds.
fn spaceless(it: char) -> bool {
    matches!(it, '\u{e00}'..='\u{eff}' | '\u{1100}'..='\u{11ff}' | '\u{2e80}'..='\u{d7ff}')
}

/// What the start of `text` is a name of, and how long the name is.
fn sign(text: &str) -> Option<(Sign, usize)> {
    let mut letters = text.chars().map(lower);
    let (first, second) = (letters.next()?, letters.next().unwrap_or_default());
    steps::take(2);
    let second = if is_letter(second) { second } else { separator(second) };
    let names = beginning((first, second)).chain(beginning((first, '\0')));
    // The longest: `card number` before `card`.
    let all = names.filter_map(|it| matches(text, it.name).map(|length| (it.sign, length)));
    all.max_by_key(|(_, length)| *length)
}

/// What stands between the words of a name stands for a space.
fn separator(it: char) -> char {
    if matches!(it, '_' | '-' | '\n' | '.') { ' ' } else { it }
}

/// In lower case, and quickly where it is ASCII.
fn lower(it: char) -> char {
    if it.is_ascii() { it.to_ascii_lowercase() } else { it.to_lowercase().next().unwrap_or(it) }
}

/// How much of `text` is `name`: whole words, but with `*` at its end the rest of a word may follow.
fn matches(text: &str, name: &str) -> Option<usize> {
    let (name, open) = name.strip_suffix('*').map_or((name, false), |name| (name, true));
    let mut letters = text.char_indices();
    for want in name.chars() {
        steps::take(1);
        let (_, is) = letters.next()?;
        if lower(is) != want && separator(is) != want {
            return None;
        }
    }
    let length = letters.clone().next().map_or(text.len(), |(at, _)| at);
    let last = text.get(..length)?.chars().next_back()?;
    let next = letters.next().map(|(_, it)| it).filter(|it| is_letter(*it));
    let ends = next.is_none_or(|it| spaceless(it) || spaceless(last) || last.is_lowercase() && it.is_uppercase());
    (open || ends).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::super::signs::all;
    use super::{Context, Sign};

    fn check(text: &str, sign: Sign, want: bool) {
        assert_eq!(Context::of(text).names(text.len(), sign), want, "{text}");
    }

    #[test]
    fn the_nearest_word_names_the_number() {
        for (text, sign) in [
            ("Phone: ", Sign::Phone),
            ("\"phoneNumber\": \"", Sign::Phone),
            ("customer_phone=", Sign::Phone),
            ("Meine Handynummer ist ", Sign::Phone),
            ("電話番号は", Sign::Phone),
            ("제 전화번호는 ", Sign::Phone),
            ("ТЕЛЕФОН ", Sign::Phone),
            ("order 12, phone ", Sign::Phone),
            ("phone order ", Sign::Other),
            ("date of birth ", Sign::Birth),
            ("passport, born ", Sign::Passport),
        ] {
            check(text, sign, true);
        }
        check("please tell ", Sign::Phone, false);
        check("phone, and then nothing for a very long time that one would still think of ", Sign::Phone, false);
    }

    #[test]
    fn all_names_are_in_lower_case_and_none_is_there_twice() {
        let mut names: Vec<&str> = all().iter().map(|it| it.name).collect();
        for name in &names {
            assert!(
                name.chars().all(|it| it.to_lowercase().next() == Some(it)) && !name.trim_matches('*').is_empty(),
                "{name}"
            );
        }
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
