//! Lists of words, found in one pass over the text.

use aho_corasick::{AhoCorasick, MatchKind};
use std::{ops::Range, rc::Rc};

/// Words and phrases that count where they stand as whole words.
#[derive(Debug, Clone)]
pub(crate) struct List(AhoCorasick, Rc<[String]>);

impl List {
    /// # Errors
    /// When they are too many to hold.
    pub(crate) fn new(words: &[String]) -> Result<Self, String> {
        let built = AhoCorasick::builder().ascii_case_insensitive(true).match_kind(MatchKind::Standard).build(words);
        let mut sorted: Vec<String> = words.iter().map(|it| it.to_ascii_lowercase()).collect();
        sorted.sort();
        built.map(|it| Self(it, sorted.into())).map_err(|_| "too many words".to_owned())
    }

    /// The first place at `from` or behind it where one of them may have begun that what follows `text` makes whole.
    /// One that is whole counts: a letter behind it would make it another word.
    pub(crate) fn begun(&self, text: &str, from: usize) -> Option<usize> {
        let tail = text.get(from..)?.to_ascii_lowercase();
        let begins = |at: &usize| {
            let begun = tail.get(*at..).unwrap_or_default();
            let next = self.1.partition_point(|it| it.as_str() < begun);
            self.1.get(next).is_some_and(|it| it.starts_with(begun))
        };
        tail.char_indices().map(|(at, _)| at).find(begins).map(|at| from.saturating_add(at))
    }

    /// Where they stand. Of words that overlap all are told: a longer one may be no whole word where a shorter one is.
    pub(crate) fn find_all<'a>(&'a self, text: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
        self.0.find_overlapping_iter(text).map(|it| it.range()).filter(move |it| is_whole(text, it))
    }
}

/// Whether no word goes on at either end of `span`.
fn is_whole(text: &str, span: &Range<usize>) -> bool {
    let before = text.get(..span.start).and_then(|it| it.chars().next_back());
    let after = text.get(span.end..).and_then(|it| it.chars().next());
    let first = text.get(span.clone()).and_then(|it| it.chars().next());
    let last = text.get(span.clone()).and_then(|it| it.chars().next_back());
    !(joins(before) && joins(first) || joins(last) && joins(after))
}

fn joins(it: Option<char>) -> bool {
    it.is_some_and(|it| it.is_alphanumeric() || it == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: &[&str], text: &str) -> Vec<String> {
        let words: Vec<String> = words.iter().map(|it| (*it).to_owned()).collect();
        List::new(&words).unwrap().find_all(text).map(|it| text[it].to_owned()).collect()
    }

    #[test]
    fn a_phrase_that_is_not_whole_is_seen_to_have_begun() {
        let list = List::new(&["Blue Falcon".to_owned(), "c++".to_owned()]).unwrap();
        for (text, want) in [
            ("the bl", Some(4)),
            ("the BLUE ", Some(4)),
            ("the blue falcon", Some(4)),
            ("the blue falcon ", None),
            ("the blue bird", None),
            ("xc", Some(1)),
        ] {
            assert_eq!(list.begun(text, 0), want, "{text}");
        }
    }

    #[test]
    fn words_are_whole_and_of_any_case() {
        let found = check(&["Blue Falcon", "falcon", "c++"], "blue falcons, BLUE FALCON; c++, falconry, éfalcon, xc++");
        assert_eq!(found, ["BLUE FALCON", "FALCON", "c++"]);
        assert_eq!(check(&["foo bar", "foo"], "foo barn"), ["foo"]);
    }
}
