//! Finds e-mail addresses and secrets in a text.
//!
//! Every recogniser is a hand-written scanner whose cost grows with the text's length and no faster:
//! each byte is read a bounded number of times, whatever the text is. A property test counts.

mod email;
mod pem;
mod scan;
mod token;
mod url;

use serde::Deserialize;
use std::ops::Range;

/// What the guard looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Entity {
    /// An e-mail address.
    Email,
    /// A credential: API keys and tokens, JWTs, private keys, passwords in URLs.
    Secret,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where it stands in the text, in bytes; on character boundaries.
    pub span: Range<usize>,
    /// What it is.
    pub entity: Entity,
    /// What it is in words, as in "a GitHub token".
    pub what: &'static str,
}

/// Everything in `text` that is one of `wanted`, in order; no two findings overlap.
#[must_use]
pub fn find(text: &str, wanted: impl Fn(Entity) -> bool) -> Vec<Finding> {
    let mut found = Vec::new();
    if wanted(Entity::Email) {
        email::find(text, &mut found);
    }
    if wanted(Entity::Secret) {
        token::find(text, &mut found);
        url::find(text, &mut found);
    }
    found.sort_by_key(|it| it.span.start);
    found.dedup_by(|next, kept| {
        let overlap = next.span.start < kept.span.end;
        if overlap {
            // Together they go: leaving out one would let its other end through.
            kept.span.end = kept.span.end.max(next.span.end);
            if next.entity > kept.entity {
                (kept.entity, kept.what) = (next.entity, next.what);
            }
        }
        overlap
    });
    found
}

#[cfg(test)]
pub(crate) mod tests;
