//! An answer in one piece.
//!
//! What may not pass takes its choice's words: the text is empty and `finish_reason` says `content_filter`, as OpenAI's
//! and Azure's own filters do; in the Responses API `status` is `incomplete` with the reason `content_filter`, in
//! Anthropic's own API `stop_reason` is `refusal`. The status stays 200: the provider has answered and its tokens are
//! to be paid, and an error would make clients try again. Where a filter wants to refuse instead, [`Edited::blocked`]
//! says that it may.

use super::finder::{Finder, Hits};
use super::scanner::{Scanner, With};
use super::shape::{Seen, Slot};
use super::{json, vault::Vault};
use std::collections::BTreeSet;

/// What became of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edited {
    /// The body that takes its place; `None`: it stays as it is.
    pub body: Option<Vec<u8>>,
    /// What was found.
    pub hits: Hits,
    /// Something may not pass.
    pub blocked: bool,
}

/// Guards the body of an answer that is no stream. What is no JSON object passes as it is.
pub fn edit(finder: &impl Finder, vault: &mut Vault, body: &[u8]) -> Edited {
    let mut edited = Edited::default();
    let Some(seen) = std::str::from_utf8(body).ok().and_then(Seen::read) else { return edited };
    let (mut edits, mut blocked) = (Vec::new(), BTreeSet::new());
    for slot in &seen.slots {
        let mut with = With { finder, vault, hits: &mut edited.hits, hold: usize::MAX };
        let mut new = String::with_capacity(slot.text.len());
        let mut scanner = Scanner::new(slot.channel.field.is_json());
        let went = scanner.whole(&slot.text, &mut with, &mut new);
        if went.is_err() {
            blocked.insert(slot.channel.of);
        } else if new != slot.text {
            edits.push((slot.span.clone(), written(slot, new)));
        }
    }
    edited.blocked = !blocked.is_empty();
    if edited.blocked {
        let gone = seen.slots.iter().filter(|it| blocked.contains(&it.channel.of));
        let gone: Vec<_> = gone.map(|it| (it.span.clone(), nothing(it).to_owned())).collect();
        edits.retain(|(span, _)| gone.iter().all(|(it, _)| it != span));
        edits.extend(gone);
        edits.extend(reasons(&seen, &blocked));
    }
    if !edits.is_empty() {
        edits.extend(seen.echoes.iter().map(|it| (it.clone(), "null".to_owned())));
        edited.body = Some(json::splice(seen.whole(), edits).into_bytes());
    }
    edited
}

fn written(slot: &Slot<'_>, new: String) -> String {
    if slot.raw { new } else { json::quoted(&new) }
}

/// What stands in the place of a text of which nothing may pass.
fn nothing(slot: &Slot<'_>) -> &'static str {
    match (slot.raw, slot.channel.field.is_json()) {
        (true, _) => "{}",
        (false, true) => "\"{}\"",
        (false, false) => "\"\"",
    }
}

/// The members that say why the answer ended.
fn reasons(seen: &Seen<'_>, blocked: &BTreeSet<u64>) -> Vec<(std::ops::Range<usize>, String)> {
    let mut edits = Vec::new();
    let mut set = |old: Option<&str>, new: &str| {
        edits.extend(old.and_then(|it| json::span(seen.whole(), it)).map(|it| (it, new.to_owned())));
    };
    for (_, choice) in seen.choices.iter().filter(|(of, _)| blocked.contains(of)) {
        let all = json::members(choice);
        set(super::shape::member(&all, "finish_reason"), "\"content_filter\"");
    }
    if seen.choices.is_empty() {
        set(seen.member("status"), "\"incomplete\"");
        set(seen.member("incomplete_details"), r#"{"reason":"content_filter"}"#);
        set(seen.member("stop_reason"), "\"refusal\"");
    }
    edits
}

#[cfg(test)]
mod tests;
