//! Lists of words, found in one pass over the text.

use aho_corasick::{AhoCorasick, MatchKind};
use std::ops::Range;

/// Words and phrases that count where they stand as whole words.
#[derive(Debug, Clone)]
pub(crate) struct List(AhoCorasick);

impl List {
    /// # Errors
    /// When they are too many to hold.
    pub(crate) fn new(words: &[String]) -> Result<Self, String> {
        let built = AhoCorasick::builder().ascii_case_insensitive(true).match_kind(MatchKind::Standard).build(words);
        built.map(Self).map_err(|_| "too many words".to_owned())
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
    fn words_are_whole_and_of_any_case() {
        let found = check(&["Blue Falcon", "falcon", "c++"], "blue falcons, BLUE FALCON; c++, falconry, éfalcon, xc++");
        assert_eq!(found, ["BLUE FALCON", "FALCON", "c++"]);
        assert_eq!(check(&["foo bar", "foo"], "foo barn"), ["foo"]);
    }
}
