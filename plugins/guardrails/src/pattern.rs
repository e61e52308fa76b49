//! An operator's regular expression, run in time linear in the text.
//!
//! An automaton takes one step per byte, but finding *all* matches may still read the rest of the text for each of them
//! (`a[^b]*c|a` in a text of `a`). So each search looks at a window first, and at one twice as long while it finds
//! nothing: what it then finds ends behind the first half, so that a text of n bytes costs a few times n steps and
//! [`WINDOW`] for each match.

mod begun;

use begun::Begun;
use regex_automata::{Input, meta::Regex};
use regex_syntax::hir::Hir;
use std::ops::Range;

/// How far a search looks at first, in bytes.
const WINDOW: usize = 512;

/// How far in front of a window's end a match must end to count; one that ends later may go on, and is looked at again.
const MARGIN: usize = 128;

/// The most memory that one pattern takes when compiled, and as much again while it runs.
const MOST_MEMORY: usize = 1 << 20;

/// A pattern that needs linear time.
#[derive(Debug, Clone)]
pub(crate) struct Linear(Regex, Box<Begun>);

impl Linear {
    /// # Errors
    /// What is wrong with it, after the key's name.
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        let hir =
            regex_syntax::parse(text).map_err(|why| format!("{text:?} is no regular expression: {}", short(&why)))?;
        Self::of(text, &hir)
    }

    /// The pattern, when it matches a whole text.
    ///
    /// # Errors
    /// As [`Linear::new`].
    pub(crate) fn whole(text: &str) -> Result<Self, String> {
        Self::new(text)?;
        Self::new(&format!(r"\A(?:{text})\z"))
    }

    fn of(text: &str, hir: &Hir) -> Result<Self, String> {
        match hir.properties().minimum_len() {
            None => return Err(format!("{text:?} matches nothing; expected a pattern that can match")),
            Some(0) => return Err(format!("{text:?} matches the empty text; expected one character at least")),
            Some(_) => {}
        }
        let config = Regex::config().nfa_size_limit(Some(MOST_MEMORY)).hybrid_cache_capacity(MOST_MEMORY);
        let built = Regex::builder().configure(config).build_from_hir(hir).ok();
        let both = built.zip(Begun::new(hir, MOST_MEMORY)).map(|(regex, begun)| Self(regex, Box::new(begun)));
        both.ok_or_else(|| format!("{text:?} is too large; expected a shorter one, or smaller repetitions"))
    }

    /// Whether the whole pattern matches anywhere.
    pub(crate) fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// All matches in order, none of which overlap.
    pub(crate) fn find_all<'a>(&'a self, text: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
        let mut from = 0;
        std::iter::from_fn(move || {
            let found = self.next(text, from)?;
            from = found.end;
            Some(found)
        })
    }

    /// The first place at `from` or behind it where a match may have begun that what follows `text` makes whole or
    /// longer. Costs the square of what is behind `from`.
    pub(crate) fn begun(&self, text: &str, from: usize) -> Option<usize> {
        self.1.at(text, from)
    }

    fn next(&self, text: &str, from: usize) -> Option<Range<usize>> {
        let mut size = WINDOW;
        loop {
            let end = from.saturating_add(size).min(text.len());
            let found = self.0.find(Input::new(text).span(from..end)).map(|it| it.range());
            match found {
                found if end == text.len() => return found,
                Some(it) if it.end.saturating_add(MARGIN) <= end => return Some(it),
                _ => size = size.saturating_mul(2),
            }
        }
    }
}

/// What the parser says, without the picture that it draws.
fn short(why: &regex_syntax::Error) -> String {
    match why {
        regex_syntax::Error::Parse(it) => it.kind().to_string(),
        regex_syntax::Error::Translate(it) => it.kind().to_string(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(pattern: &str, text: &str) -> Vec<String> {
        let pattern = Linear::new(pattern).unwrap();
        pattern.find_all(text).map(|it| text[it].to_owned()).collect()
    }

    #[test]
    fn matches_are_found_in_order() {
        assert_eq!(check(r"ACME-\d{4,6}", "ACME-1234, acme-1234, ACME-123456789"), ["ACME-1234", "ACME-123456"]);
        assert_eq!(check(r"(?i)acme-\d+", "ACME-1 aCmE-22"), ["ACME-1", "aCmE-22"]);
        assert_eq!(check(r"straße \d", "in der STRASSE, straße 7"), ["straße 7"]);
    }

    #[test]
    fn a_match_is_found_wherever_a_window_ends_and_however_long_it_is() {
        for before in (600..1100).chain(1700..1900) {
            let text = format!("{}<{}> é<b>", "é ".repeat(before / 3), "x".repeat(before));
            assert_eq!(check("<[^<>]+>", &text).len(), 2, "{before}");
        }
        let long = format!("k={} end", "x".repeat(100_000));
        assert_eq!(check(r"k=\S+", &long), [long.split(' ').next().unwrap()]);
    }

    #[test]
    fn a_match_that_is_not_whole_is_seen_to_have_begun() {
        for (pattern, text, want) in [
            (r"ACME-\d{4}", "see ACME-12", Some(4)),
            // The automaton says two bytes later that it has matched.
            (r"ACME-\d{4}", "see ACME-1234", Some(4)),
            (r"ACME-\d{4}", "see ACME-1234, ", None),
            (r"ACME-\d{4}", "see ACME-12 A", Some(12)),
            (r"ACME-\d{4}", "see ACMF", None),
            (r"\bcode \w+", "the code xy", Some(4)),
            (r"\bcode \w+", "the decode xy", None),
            (r"é\d\d", "éé1", Some(2)),
        ] {
            let found = Linear::new(pattern).unwrap().begun(text, 0);
            let end = text.len();
            assert_eq!(found.filter(|it| *it < end), want, "{pattern}: {text}");
        }
    }

    #[test]
    fn what_cannot_work_is_refused() {
        for (pattern, why) in [
            ("a(", "is no regular expression: unclosed group"),
            (r"(a)\1", "backreferences are not supported"),
            ("(?=a)b", "look-around"),
            ("a*", "matches the empty text"),
            (r"[^\s\S]", "matches nothing"),
            (r"(?:\w{1000}){1000}", "is too large"),
        ] {
            let said = Linear::new(pattern).unwrap_err();
            assert!(said.contains(why), "{pattern}: {said}");
        }
    }

    #[test]
    fn a_whole_value_is_matched_whole() {
        let whole = Linear::whole("a+|b").unwrap();
        assert!(whole.is_match("aaa") && whole.is_match("b") && !whole.is_match("ab") && !whole.is_match("b\n"));
    }

    proptest! {
        #[test]
        fn windows_find_what_one_search_finds(text in "[ab<>é]{0,40}", times in 1_usize..100) {
            let text = text.repeat(times);
            let linear = Linear::new("<[ab]{1,9}>|éa").unwrap();
            let all: Vec<_> = linear.0.find_iter(&text).map(|it| it.range()).collect();
            prop_assert_eq!(linear.find_all(&text).collect::<Vec<_>>(), all);
        }
    }
}
