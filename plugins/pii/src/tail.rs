//! The end of a text that goes on: what stands there may still become something, or more of it.
//!
//! Nothing is guessed: a word that is not whole, numbers that others may join, a month's name with a year to come, a name
//! with `at` and `dot` around. The rest is said, and stays so whatever follows.

use crate::quiet::is_quiet;
use crate::scan::steps;
use crate::{Entities, find, settled_secrets};

/// Up to which byte of `text` [`find`] has said all that it will say, whatever is put behind `text`.
///
/// On a character boundary. Looks back over a bounded number of words, but over all of a text without spaces, which is
/// one word.
#[must_use]
pub fn settled(text: &str, wanted: Entities) -> usize {
    if is_quiet(text) {
        return open(text);
    }
    let start = armour(text).unwrap_or(text.len()).min(open(text)).min(settled_secrets(text));
    let across = find(text, wanted).into_iter().find(|it| it.span.end > start);
    across.map_or(start, |it| it.span.start.min(start))
}

/// Where a private key begins whose end has not come.
fn armour(text: &str) -> Option<usize> {
    let at = text.rfind("-----BEGIN ")?;
    let ends = text.get(at..)?.split_once("-----END ").is_some_and(|(_, end)| end.contains("-----"));
    (!ends).then_some(at)
}

/// How many words may belong together: an account's groups, the parts of a spelled address.
const WORDS: usize = 24;

/// What a word is to its neighbours.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Digits, signs, a few capitals: a part of a number.
    Number,
    /// What stands between the numbers of a date.
    Month,
    /// What stands within a spelled address.
    Joint,
    /// Anything else.
    Word,
}

/// Where the words begin that are still open.
fn open(text: &str) -> usize {
    let mut start = start_of_word(text);
    // The last word is not whole, and may be anything.
    let mut next = if may_begin_joint(text.get(start..).unwrap_or_default()) { Kind::Joint } else { Kind::Word };
    let mut last = true;
    let day = text.get(start..).unwrap_or_default().chars().next().is_none_or(char::is_numeric);
    for _ in 0..WORDS {
        let (word, from) = word_before(text, start);
        let joined = match kind(word) {
            Kind::Number | Kind::Joint => true,
            Kind::Month => {
                matches!(next, Kind::Number | Kind::Month)
                    || last && (day || kind(word_before(text, from).0) == Kind::Number)
            }
            Kind::Word => next == Kind::Joint,
        };
        if word.is_empty() || !joined {
            return start;
        }
        (start, next, last) = (from, kind(word), false);
    }
    start
}

/// The word before `at`, and where it begins.
fn word_before(text: &str, at: usize) -> (&str, usize) {
    let before = text.get(..at).unwrap_or_default().trim_end();
    let from = start_of_word(before);
    (before.get(from..).unwrap_or_default(), from)
}

fn start_of_word(text: &str) -> usize {
    let place = text.rfind(char::is_whitespace).unwrap_or(0);
    let width =
        text.get(place..).and_then(|it| it.chars().next()).filter(|it| it.is_whitespace()).map_or(0, char::len_utf8);
    steps::take(text.len().saturating_sub(place));
    place.saturating_add(width)
}

fn kind(word: &str) -> Kind {
    let capitals = (1..=4).contains(&word.len()) && word.bytes().all(|it| it.is_ascii_uppercase());
    let signs = !word.is_empty() && word.chars().all(|it| !it.is_alphanumeric());
    if word.chars().any(char::is_numeric) || capitals || signs {
        return Kind::Number;
    }
    // A connection string has spaces in its names.
    let listed = word.contains(';') && word.contains('=');
    if listed || JOINTS.contains(&bare(word).as_str()) || word.starts_with(['[', '(', '{', '<']) {
        return Kind::Joint;
    }
    if crate::personal::is_in_dates(word) { Kind::Month } else { Kind::Word }
}

/// Whether `word` may become what joins the parts of a spelled address.
fn may_begin_joint(word: &str) -> bool {
    JOINTS.iter().any(|it| it.starts_with(bare(word).as_str())) || word.starts_with(['[', '(', '{', '<'])
}

fn bare(word: &str) -> String {
    word.trim_matches(|it: char| "[](){}<>.,".contains(it)).to_lowercase()
}

/// What joins the parts of a spelled address.
const JOINTS: [&str; 10] = ["at", "@", "dot", "arroba", "chiocciola", "arobase", "punto", "ponto", "punkt", "point"];

#[cfg(test)]
mod tests {
    use super::settled;
    use crate::{Entities, find};

    fn check(text: &str, want: &str) {
        assert_eq!(text.get(..settled(text, Entities::ALL)), Some(want), "{text}");
    }

    #[test]
    fn what_may_still_grow_is_not_settled() {
        check("", "");
        check("Hello the", "Hello ");
        check("card 4111 1111 ", "card ");
        check("card 4111 1111 of", "card ");
        check("born 12 March ", "born ");
        check("mail ada at example ", "mail ");
        check("is GB29 NWBK 6016 13", "is ");
        check("one, two, three, ", "one, two, ");
    }

    /// Whatever is settled of a part stays so in the whole, at every place where a text may be split.
    #[test]
    fn a_text_in_parts_has_the_same_findings() {
        let lines = include_str!("../tests/sets/found.tsv").lines().filter_map(|it| it.split_once('\t'));
        let found = lines.map(|(_, it)| it.replace(['⟦', '⟧'], "").replace("\\n", "\n"));
        let stays = include_str!("../tests/sets/stays.txt").lines().map(str::to_owned);
        let more = [
            "x -----BEGIN PRIVATE KEY-----\nKw8/UMqJRh3VyUcXMrYFoNVxqBbAfdbNa/vgmytdluFCkISO\n-----END PRIVATE KEY----- y",
            "Server=tcp:db.example.net,1433;Database=crm;User ID=sa;Password=qLBgE9DVPIG6WJ6k;Encrypt=True; ok",
            "the password is hunter2-Zx9 now, AKIAIOSFODNN7EXAMPLF and redis://:Zx9Qw4Rt7@cache.example.net:6379/0",
        ];
        for text in found.chain(stays).chain(more.map(str::to_owned)).map(|it| format!("{it} And so on, 12 times.")) {
            let whole = find(&text, Entities::ALL);
            for (at, _) in text.char_indices() {
                let part = &text[..at];
                let settled = settled(part, Entities::ALL);
                let early = find(part, Entities::ALL).into_iter().filter(|it| it.span.start < settled);
                let late = whole.iter().filter(|it| it.span.start < settled).cloned();
                assert_eq!(early.collect::<Vec<_>>(), late.collect::<Vec<_>>(), "{part:?} of {text:?}, {settled}");
            }
        }
    }
}
