//! Placeholders of one exchange: `[EMAIL_1]` stands for a value, the same for the same value.
//!
//! Numbers are given by first appearance, per kind. A client resends its conversation with each request, the same
//! values in the same order, so a value keeps its number from turn to turn though nothing is stored in between. An
//! earlier answer that comes back has the values that were restored in it, and they are masked again in the same way.
//!
//! Of a thread that is stored behind this filter, a request shows the new messages alone: the first value of each would
//! be the first again. There a number is made of the value, the thread and the project ([`Vault::of_thread`]), so that
//! it is the same in every turn, and another value's is another. An answer restores what its own request holds; a
//! placeholder of an earlier turn stays.
//!
//! A placeholder that somebody typed stands for nothing. Its number is given to no value ([`Vault::reserve`]), so it is
//! never taken for one of ours, and comes back as it was typed. That holds for `[EMAIL_2]` too which took the place of
//! a model's own words: it comes back with the conversation, and is a reserved number from then on.

use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

/// So many values have a number; those behind them are redacted, `[EMAIL]`, and not restored.
const MOST_VALUES: usize = 4_096;
/// So many bytes of values and names are kept.
const MOST_BYTES: usize = 1 << 20;
/// No number has more digits.
const MOST_DIGITS: usize = 6;
/// No kind's name is longer.
const LONGEST_LABEL: usize = 64;
/// So many typed placeholders are remembered; beyond them no number is given any more.
const MOST_RESERVED: usize = 4_096;

/// The placeholders of one exchange, and what they stand for.
#[derive(Debug, Clone, Default)]
pub struct Vault {
    /// What the request's placeholders stand for, by their whole text.
    values: BTreeMap<String, String>,
    kinds: BTreeMap<String, Kind>,
    /// Placeholders that were typed.
    reserved: BTreeSet<String>,
    bytes: usize,
    full: bool,
    /// What numbers are made of, in a thread.
    thread: Option<String>,
}

#[derive(Debug, Clone, Default)]
struct Kind {
    /// The placeholder of each value.
    names: HashMap<String, String>,
    last: u32,
}

/// What takes the place of something that is redacted: its kind, `[EMAIL]`.
#[must_use]
pub fn redacted(label: &str) -> String {
    format!("[{}]", label.to_ascii_uppercase())
}

impl Vault {
    /// The placeholders of a request that goes on with a thread that is stored elsewhere.
    #[must_use]
    pub fn of_thread(project: &str, thread: &str) -> Self {
        Self { thread: Some(format!("{project}\n{thread}")), ..Self::default() }
    }

    /// What numbers are made of, in a thread.
    pub(crate) fn numbers(&self) -> Option<&str> {
        self.thread.as_deref()
    }

    /// No placeholders yet, with numbers that are made of the same as another vault's of this exchange.
    pub(crate) fn numbered_as(numbers: String) -> Self {
        Self { thread: Some(numbers), ..Self::default() }
    }

    /// Reserves the placeholders that stand in `text`. Every text of a request comes here before the first
    /// [`Self::mask`].
    pub fn reserve(&mut self, text: &str) {
        for (at, _) in text.match_indices('[') {
            let Some(name) = placeholder(text.get(at..).unwrap_or_default()) else { continue };
            if self.reserved.len() >= MOST_RESERVED {
                self.full = true;
                return;
            }
            if !self.reserved.contains(name) {
                self.reserved.insert(name.to_owned());
            }
        }
    }

    /// The placeholder of a value of the request; it is restored in the answer.
    pub fn mask(&mut self, label: &str, value: &str) -> String {
        let (name, is_new) = self.name(label, value);
        if is_new {
            self.bytes = self.bytes.saturating_add(name.len()).saturating_add(value.len());
            self.values.insert(name.clone(), value.to_owned());
        }
        name
    }

    /// The placeholder of a value of the answer; it stays.
    pub(super) fn mask_for_good(&mut self, label: &str, value: &str) -> String {
        self.name(label, value).0
    }

    /// Whether nothing is to be restored.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Whether this value came from the client, who may see it again.
    pub(super) fn is_the_clients(&self, label: &str, value: &str) -> bool {
        let name = self.kinds.get(label).and_then(|it| it.names.get(value));
        name.is_some_and(|it| self.values.contains_key(it))
    }

    /// The placeholder at the start of `text`, and what it stands for.
    pub(super) fn restore<'t>(&self, text: &'t str) -> Option<(&'t str, &str)> {
        let name = placeholder(text)?;
        Some((name, self.values.get(name)?))
    }

    /// Whether all of `text` may be the beginning of a placeholder that stands for something.
    pub(super) fn may_begin(&self, text: &str) -> bool {
        let next = self.values.range::<str, _>((Bound::Included(text), Bound::Unbounded)).next();
        next.is_some_and(|(name, _)| name.len() > text.len() && name.starts_with(text))
    }

    /// The length of the longest placeholder, in bytes.
    pub(super) fn longest() -> usize {
        LONGEST_LABEL.saturating_add(MOST_DIGITS).saturating_add(3)
    }

    /// The placeholder of a value, and whether it is a new one with a number.
    fn name(&mut self, label: &str, value: &str) -> (String, bool) {
        let count: usize = self.kinds.values().map(|it| it.names.len()).sum();
        let kind = self.kinds.entry(label.to_owned()).or_default();
        if let Some(name) = kind.names.get(value) {
            return (name.clone(), false);
        }
        let full = self.full || count >= MOST_VALUES || self.bytes.saturating_add(value.len()) > MOST_BYTES;
        let upper = label.to_ascii_uppercase();
        if full || label.len() > LONGEST_LABEL {
            return (redacted(label), false);
        }
        let mut last = match &self.thread {
            None => kind.last,
            Some(thread) => numbered(&[thread, label, value]),
        };
        let name = loop {
            last = last.saturating_add(1);
            let name = format!("[{upper}_{last}]");
            if !self.reserved.contains(&name) && !self.values.contains_key(&name) {
                break name;
            }
        };
        kind.last = last;
        self.bytes = self.bytes.saturating_add(name.len()).saturating_add(value.len());
        kind.names.insert(value.to_owned(), name.clone());
        (name, true)
    }
}

/// A number of six digits, the same for the same texts.
fn numbered(texts: &[&str]) -> u32 {
    let hash = Sha256::digest(texts.join("\n").as_bytes());
    let first = hash.iter().take(4).fold(0_u32, |sum, it| sum << 8 | u32::from(*it));
    first.checked_rem(800_000).unwrap_or_default().saturating_add(100_000)
}

/// The placeholder, anybody's, that `text` begins with.
fn placeholder(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('[')?;
    let end = inner.bytes().take(Vault::longest()).position(|it| it == b']')?;
    let (label, number) = inner.get(..end)?.rsplit_once('_')?;
    let named =
        !label.is_empty() && label.bytes().all(|it| it == b'_' || it.is_ascii_uppercase() || it.is_ascii_digit());
    let numbered = (1..=MOST_DIGITS).contains(&number.len()) && number.bytes().all(|it| it.is_ascii_digit());
    (named && numbered).then(|| text.get(..end.saturating_add(2)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The placeholders of e-mail addresses, after these texts were seen.
    fn check(typed: &[&str], values: &[&str]) -> Vec<String> {
        let mut vault = Vault::default();
        typed.iter().for_each(|it| vault.reserve(it));
        values.iter().map(|it| vault.mask("email", it)).collect()
    }

    #[test]
    fn the_same_value_has_the_same_number_and_another_has_another() {
        assert_eq!(check(&[], &["a@b.io", "c@d.io", "a@b.io"]), ["[EMAIL_1]", "[EMAIL_2]", "[EMAIL_1]"]);
    }

    #[test]
    fn a_longer_conversation_gives_the_same_numbers() {
        let before = check(&[], &["a@b.io", "c@d.io"]);
        assert_eq!(check(&[], &["a@b.io", "c@d.io", "a@b.io", "e@f.io"])[..2], before);
    }

    #[test]
    fn what_somebody_typed_is_no_placeholder() {
        let values = check(&["is [EMAIL_1] or [[EMAIL_3]] free? [EMAIL_x] [EMAIL_12345678]"], &["a@b.io", "c@d.io"]);
        assert_eq!(values, ["[EMAIL_2]", "[EMAIL_4]"]);
    }

    #[test]
    fn each_kind_has_numbers_of_its_own_and_only_the_requests_values_are_restored() {
        let mut vault = Vault::default();
        let names = [vault.mask("email", "a@b.io"), vault.mask("us_ssn", "1"), vault.mask_for_good("email", "c@d.io")];
        assert_eq!(names, ["[EMAIL_1]", "[US_SSN_1]", "[EMAIL_2]"]);
        assert_eq!(vault.restore("[US_SSN_1] x"), Some(("[US_SSN_1]", "1")));
        assert_eq!(vault.restore("[EMAIL_2]"), None);
        assert!(vault.is_the_clients("email", "a@b.io") && !vault.is_the_clients("email", "c@d.io"));
        for (text, may) in [("[", true), ("[EM", true), ("[EMAIL_1", true), ("[EMAIL_1]", false), ("[EMAIL_2", false)] {
            assert_eq!(vault.may_begin(text), may, "{text}");
        }
    }

    #[test]
    fn in_a_thread_a_value_keeps_its_number_though_others_come_before_it() {
        let turn = |thread: &str, values: &[&str]| {
            let mut vault = Vault::of_thread("p", thread);
            values.iter().map(|it| vault.mask("email", it)).collect::<Vec<_>>()
        };
        let (first, second) = (turn("t", &["a@b.io"]), turn("t", &["c@d.io", "a@b.io"]));
        assert_eq!(first[0], second[1]);
        assert_ne!(first[0], second[0]);
        assert_ne!(first, turn("u", &["a@b.io"]));
        assert_eq!(placeholder(&first[0]), Some(first[0].as_str()));
    }

    #[test]
    fn a_full_vault_redacts() {
        let mut vault = Vault::default();
        for number in 0..MOST_VALUES {
            vault.mask("email", &number.to_string());
        }
        assert_eq!(vault.mask("email", "one more"), "[EMAIL]");
        assert_eq!(vault.mask("email", "7"), "[EMAIL_8]");
        assert_eq!(Vault::default().mask("email", &"x".repeat(MOST_BYTES + 1)), "[EMAIL]");
        assert_eq!(check(&[&"[A_1][B_2]".repeat(9)], &["a"]), ["[EMAIL_1]"]);
    }
}
