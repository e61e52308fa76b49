//! What the guard of an answer asks the configuration, and what it says about what it did.

use crate::config::Action as Act;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<'a> {
    /// Where it stands, in bytes, on character boundaries.
    pub span: Range<usize>,
    /// Its kind, as a configuration names it: `credit_card`.
    pub label: Cow<'a, str>,
    /// By which rule.
    pub rule: Cow<'a, str>,
    /// What becomes of it.
    pub act: Act,
}

/// What to look for. All that is asked about an answer while it passes.
pub trait Finder {
    /// Everything in `text`, in order; no two overlap.
    fn find<'a>(&'a self, text: &str) -> Vec<Found<'a>>;

    /// Up to which byte of `text` [`Self::find`] has said all, whatever may follow: what was found before stays as it
    /// is, and nothing more will begin there. What stands before `from` is out already. On a character boundary.
    fn settled(&self, text: &str, from: usize) -> usize;

    /// Whether anything that is found may change the text. Where nothing may, nothing is held.
    fn changes(&self) -> bool {
        true
    }

    /// Something that is certain to have begun in `text`, and goes on behind it, though it is not whole: a key of
    /// many lines. Asked only where [`super::Settings::hold`] is used up.
    fn begun<'a>(&'a self, text: &str) -> Option<Found<'a>> {
        let _ = text;
        None
    }

    /// What is to be thought of the words that went out last, 400 characters of them at most: what becomes of the
    /// answer, and by which rule. Asked behind each sixteenth word, or 200 letters, and at the end. Only [`Act::Block`]
    /// changes anything, from there on.
    fn judge(&self, words: &str) -> Option<(Act, &'static str)> {
        let _ = words;
        None
    }

    /// What takes a value's place under [`Act::Hash`].
    fn hash(&self, label: &str, value: &str) -> String;
}

/// What was found in an answer, by kind, act and rule. Holds no value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hits {
    counts: BTreeMap<(String, Act, String), u64>,
    /// How many placeholders became values again.
    pub restored: u64,
    /// What was thought first of its words, and by which rule.
    pub judged: Option<(Act, &'static str)>,
    /// It had an event, or more texts at once, than may be kept.
    pub too_long: bool,
}

impl Hits {
    pub(super) fn count(&mut self, found: &Found<'_>) {
        let key = (found.label.clone().into_owned(), found.act, found.rule.clone().into_owned());
        let count = self.counts.entry(key).or_default();
        *count = count.saturating_add(1);
    }

    /// Each kind with what became of it, by which rule, and how often.
    pub fn each(&self) -> impl Iterator<Item = (&str, Act, &str, u64)> {
        self.counts.iter().map(|((label, act, rule), count)| (label.as_str(), *act, rule.as_str(), *count))
    }

    /// Whether nothing was found, restored, thought or too long.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.restored == 0 && self.judged.is_none() && !self.too_long
    }
}
