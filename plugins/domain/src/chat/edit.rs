//! Replacements of spans, made in one pass.

use super::read::Span;

/// One replacement in a body. It fits only the body that it was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    span: Span,
    text: String,
}

impl Edit {
    pub(super) fn new(span: Span, text: String) -> Self {
        Self { span, text }
    }

    pub(super) fn insert(at: usize, text: String) -> Self {
        Self { span: at..at, text }
    }
}

/// `text` as a JSON string.
pub(super) fn quoted(text: &str) -> String {
    // A string always serialises; the default can not be reached.
    serde_json::to_string(text).unwrap_or_default()
}

pub(super) fn apply(text: &str, edits: impl IntoIterator<Item = Edit>) -> Vec<u8> {
    let mut edits: Vec<Edit> = edits.into_iter().collect();
    edits.sort_by_key(|it| (it.span.start, it.span.end));
    let grown: usize = edits.iter().map(|it| it.text.len()).sum();
    let mut out = String::with_capacity(text.len().saturating_add(grown));
    let mut done = 0_usize;
    let mut edits = edits.into_iter().peekable();
    while let Some(edit) = edits.next() {
        let replaced_again = edits.peek().is_some_and(|it| it.span == edit.span && !edit.span.is_empty());
        if replaced_again || edit.span.start < done {
            continue;
        }
        if let Some(kept) = text.get(done..edit.span.start) {
            out.push_str(kept);
            out.push_str(&edit.text);
            done = edit.span.end;
        }
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out.into_bytes()
}
