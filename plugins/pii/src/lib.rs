//! Finds personal data and secrets in a text, offline, in microseconds.
//!
//! Pure: text in, findings out, the same in the gateway (wasm) and in the companion (native). Every recogniser is a
//! scanner whose cost grows with the text's length and no faster: each byte is read a bounded number of times, whatever
//! the text is. A property test counts.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails"))]

mod entity;
mod fold;
mod network;
mod personal;
mod quiet;
mod scan;
mod secrets;
mod tail;

pub use entity::{Entities, Entity, Group};
use std::ops::Range;
pub use tail::settled;

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where it stands in the text, in bytes; on character boundaries.
    pub span: Range<usize>,
    /// What it is.
    pub entity: Entity,
    /// By which rule, for whoever wants to know why: `phone.national`, `secret.groq`.
    pub rule: &'static str,
}

/// Everything in `text` that is one of `wanted`, in order; no two findings overlap.
#[must_use]
pub fn find(text: &str, wanted: Entities) -> Vec<Finding> {
    if quiet::is_quiet(text) { Vec::new() } else { look(text, wanted) }
}

fn look(text: &str, wanted: Entities) -> Vec<Finding> {
    let folded = fold::Folded::of(text);
    let gathered = fold::Folded::gathered(folded.text());
    let mut found = Vec::new();
    personal::find(gathered.text(), wanted, &mut found);
    network::find(gathered.text(), wanted, &mut found);
    secrets::find(gathered.text(), wanted, &mut found);
    found.retain(|it| wanted.has(it.entity));
    for it in &mut found {
        it.span = folded.original(&gathered.original(&it.span));
    }
    found.sort_by_key(|it| it.span.start);
    found.dedup_by(|next, kept| {
        let overlap = next.span.start < kept.span.end;
        if overlap {
            // Together they go: leaving out one would let its other end through.
            kept.span.end = kept.span.end.max(next.span.end);
            if next.entity > kept.entity {
                (kept.entity, kept.rule) = (next.entity, next.rule);
            }
        }
        overlap
    });
    found
}

/// Up to which byte of `text` all is said about secrets and the addresses of machines and wallets, whatever may follow:
/// what [`find`] finds of them before stays as it is, and nothing more of them begins there.
pub(crate) fn settled_secrets(text: &str) -> usize {
    let folded = fold::Folded::of(text);
    let settled = secrets::open(folded.text()).min(network::open(folded.text()));
    if settled == folded.text().len() { text.len() } else { folded.original(&(settled..settled)).start }
}

#[cfg(test)]
pub(crate) mod tests;
