//! Replacements of spans, made in one pass.

use super::read::{Found, Span, blank};

/// One change of a body. It fits only the body that it was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    /// This text stands where the span was.
    Replace(Span, String),
    /// A member that the body has not; it becomes the first.
    Insert(&'static str, String),
    /// The member of this span, from its name's first quote to its value's end, goes with one comma.
    Remove(Span),
}

impl Edit {
    pub(super) fn new(span: Span, text: String) -> Self {
        Self { what: What::Replace(span, text) }
    }

    pub(super) fn insert(at: usize, text: String) -> Self {
        Self { what: What::Replace(at..at, text) }
    }

    pub(super) fn member(name: &'static str, value: String) -> Self {
        Self { what: What::Insert(name, value) }
    }

    pub(super) fn remove(member: Span) -> Self {
        Self { what: What::Remove(member) }
    }
}

/// `text` as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    // A string always serialises; the default can not be reached.
    serde_json::to_string(text).unwrap_or_default()
}

pub(super) fn apply(found: &Found<'_>, edits: impl IntoIterator<Item = Edit>) -> Vec<u8> {
    let text = found.text;
    let (mut replaced, mut inserted, mut removed) = (Vec::new(), Vec::<(&str, String)>::new(), Vec::new());
    for edit in edits {
        match edit.what {
            What::Replace(span, text) => replaced.push((span, text)),
            What::Insert(name, value) => {
                inserted.retain(|(it, _)| *it != name);
                inserted.push((name, value));
            }
            What::Remove(span) => removed.push(span),
        }
    }
    let mut emptied = found.empty;
    for run in runs(text, removed) {
        let (span, all) = with_comma(text, run);
        emptied |= all;
        replaced.push((span, String::new()));
    }
    if !inserted.is_empty() {
        let members: Vec<_> = inserted.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        let comma = if emptied { "" } else { "," };
        replaced.push((found.open..found.open, members.join(",") + comma));
    }
    replace(text, replaced)
}

fn replace(text: &str, mut edits: Vec<(Span, String)>) -> Vec<u8> {
    edits.sort_by_key(|(span, _)| (span.start, span.end));
    let grown: usize = edits.iter().map(|(_, new)| new.len()).sum();
    let mut out = String::with_capacity(text.len().saturating_add(grown));
    let mut done = 0_usize;
    let mut edits = edits.into_iter().peekable();
    while let Some((span, new)) = edits.next() {
        let replaced_again = edits.peek().is_some_and(|(next, _)| *next == span && !span.is_empty());
        if replaced_again || span.start < done {
            continue;
        }
        if let Some(kept) = text.get(done..span.start) {
            out.push_str(kept);
            out.push_str(&new);
            done = span.end;
        }
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out.into_bytes()
}

/// Members that stand side by side, as one: together they lose one comma more than lies between them.
fn runs(text: &str, mut members: Vec<Span>) -> Vec<Span> {
    members.sort_by_key(|it| it.start);
    members.dedup();
    let mut runs: Vec<Span> = Vec::new();
    for member in members {
        match runs.last_mut() {
            Some(run) if behind_comma(text, run.end) == Some(member.start) => run.end = member.end,
            _ => runs.push(member),
        }
    }
    runs
}

/// A run of members with the comma that goes with it, and whether nothing is left in the object then.
fn with_comma(text: &str, run: Span) -> (Span, bool) {
    if let Some(next) = behind_comma(text, run.end) {
        return (run.start..next, false);
    }
    let before = text.get(..run.start).unwrap_or_default().trim_end_matches(blank);
    match before.strip_suffix(',') {
        Some(before) => (before.len()..run.end, false),
        None => (run, true),
    }
}

/// Where the next member begins, if a comma follows at `end`.
fn behind_comma(text: &str, end: usize) -> Option<usize> {
    let rest = text.get(end..)?.trim_start_matches(blank).strip_prefix(',')?;
    text.len().checked_sub(rest.trim_start_matches(blank).len())
}
