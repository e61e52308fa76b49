//! What a request tells the model: its texts, what is in them, and what they become.

use crate::{
    analyzer::Named,
    answer::Vault,
    config::Action,
    guards::{Guards, Judge},
    json_text::Meant,
    replace::stand_in,
    shield::{Hit, Shield},
};
use domain::chat::{Edit, Text};
use std::ops::Range;

/// One text of the request, and what is in it.
pub(crate) struct Looked<'a> {
    pub(crate) text: Text<'a>,
    /// The text as it is meant, where it is JSON.
    meant: Option<Meant>,
    pub(crate) hits: Vec<Hit>,
}

impl Looked<'_> {
    /// Whether anything is put in the place of what was found.
    pub(crate) fn changes(&self) -> bool {
        self.hits.iter().any(|it| !matches!(it.action, Action::Report | Action::Block))
    }

    /// Where a hit stands in the text as it is written.
    pub(crate) fn written(&self, hit: &Hit) -> Range<usize> {
        let Some(meant) = &self.meant else { return hit.span.clone() };
        let places = meant.replace(&hit.span, "");
        let (first, last) = (places.first(), places.last());
        first.map_or(0, |it| it.0.start)..last.map_or(0, |it| it.0.end)
    }
}

/// Whether the application says this, and not who uses it.
pub(crate) fn is_system(text: &Text) -> bool {
    text.role == "system" || text.role == "developer"
}

/// The guard `pii` looks through texts: all of each, or the `parts` of them.
pub(crate) fn look<'a>(shield: &Shield, texts: Vec<Text<'a>>, parts: &[Vec<Range<usize>>]) -> Vec<Looked<'a>> {
    let look = |(nth, text): (usize, Text<'a>)| {
        if is_system(&text) && !shield.system_messages {
            return Looked { text, meant: None, hits: Vec::new() };
        }
        let meant = Meant::read(&text.text);
        let whole = meant.as_ref().map_or(&*text.text, |it| &it.text);
        let hits = match parts.get(nth) {
            None => shield.find(whole),
            Some(parts) => parts.iter().flat_map(|part| find_in(shield, whole, part)).collect(),
        };
        Looked { text, meant, hits }
    };
    texts.into_iter().enumerate().map(look).collect()
}

/// The texts as they are meant; empty where the guard `pii` does not look.
pub(crate) fn meant(shield: &Shield, texts: &[Text]) -> Vec<String> {
    let meant = |it: &Text| match Meant::read(&it.text) {
        _ if is_system(it) && !shield.system_messages => String::new(),
        Some(meant) => meant.text,
        None => it.text.clone().into_owned(),
    };
    texts.iter().map(meant).collect()
}

/// Adds the names that somebody else found in the texts as they are meant, in the order of the texts.
pub(crate) fn add(shield: &Shield, looked: &mut [Looked], named: &[Named]) {
    for of_one in named.chunk_by(|one, other| one.text == other.text) {
        let Some(it) = of_one.first().and_then(|it| looked.get_mut(it.text)) else { continue };
        let meant = it.meant.as_ref().map_or(&*it.text.text, |it| &it.text);
        it.hits = shield.with(meant, std::mem::take(&mut it.hits), of_one.iter().map(Named::hit));
    }
}

fn find_in(shield: &Shield, text: &str, part: &Range<usize>) -> Vec<Hit> {
    let (start, end) = (boundary(text, part.start), boundary(text, part.end));
    let mut hits = shield.find(text.get(start..end).unwrap_or_default());
    for hit in &mut hits {
        hit.span = hit.span.start.saturating_add(start)..hit.span.end.saturating_add(start);
    }
    hits
}

/// The last character boundary at or before `at`.
fn boundary(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|it| text.is_char_boundary(*it)).unwrap_or_default()
}

/// The first and the last half of `most` bytes of all texts, as parts of each.
pub(crate) fn ends(texts: &[Text], most: usize) -> Vec<Vec<Range<usize>>> {
    let total = texts.iter().fold(0_usize, |sum, it| sum.saturating_add(it.text.len()));
    let half = most / 2;
    let (first, last) = (half, total.saturating_sub(most.saturating_sub(half)));
    let mut at = 0_usize;
    let part = |it: &Text| {
        let (from, to) = (at, at.saturating_add(it.text.len()));
        at = to;
        let within = |a: usize, b: usize| {
            let (start, end) = (a.clamp(from, to), b.clamp(from, to));
            start.saturating_sub(from)..end.saturating_sub(from)
        };
        let both = [within(0, first), within(last.max(first), total)];
        both.into_iter().filter(|it| !it.is_empty()).collect()
    };
    texts.iter().map(part).collect()
}

/// The worst opinion of the texts; `None` when there are none to judge.
pub(crate) fn judge(judge: &Judge, texts: &[Text], parts: &[Vec<Range<usize>>]) -> Option<sentinel::Verdict> {
    let mut said: Vec<&str> = Vec::new();
    for (nth, text) in texts.iter().enumerate().filter(|it| judge.system_messages || !is_system(it.1)) {
        let whole = 0..text.text.len();
        for part in parts.get(nth).map_or(std::slice::from_ref(&whole), Vec::as_slice) {
            let (start, end) = (boundary(&text.text, part.start), boundary(&text.text, part.end));
            said.push(text.text.get(start..end).unwrap_or_default());
        }
    }
    sentinel::judge_all(&said).map(|it| it.1)
}

/// The edits that put something else in the place of what was found.
pub(crate) fn replace(guards: &Guards, project: &str, looked: &[Looked], vault: &mut Vault) -> Vec<Edit> {
    looked.iter().for_each(|it| vault.reserve(&it.text.text));
    let whose = (&*guards.shield, project);
    looked.iter().filter(|it| it.changes()).map(|it| it.text.replace(&replaced(it, whose, vault))).collect()
}

/// The text with something else in the place of what was found.
pub(crate) fn replaced(looked: &Looked, whose: (&Shield, &str), vault: &mut Vault) -> String {
    let written = &*looked.text.text;
    let meant = looked.meant.as_ref().map_or(written, |it| &it.text);
    let (mut out, mut done) = (String::with_capacity(written.len()), 0);
    for hit in &looked.hits {
        let value = meant.get(hit.span.clone()).unwrap_or_default();
        let Some(word) = stand_in(hit.action, (&hit.kind, value), whose, || vault.mask(hit.kind.key(), value)) else {
            continue;
        };
        let edits = match &looked.meant {
            Some(meant) => meant.replace(&hit.span, &word),
            None => vec![(hit.span.clone(), word)],
        };
        // Two that stand in one number have one place.
        for (span, word) in edits {
            if span.start < done {
                continue;
            }
            out.push_str(written.get(done..span.start).unwrap_or_default());
            out.push_str(&word);
            done = span.end;
        }
    }
    out.push_str(written.get(done..).unwrap_or_default());
    out
}
