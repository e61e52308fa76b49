//! What the tests of all of this have in common.

use super::{Act, Finder, Found, Vault};
use pii::Entities;
use std::borrow::Cow;

/// Finds what `pii` finds; `act` says what becomes of it.
pub(super) struct Everything {
    pub(super) act: fn(&str) -> Act,
}

impl Finder for Everything {
    fn find<'a>(&'a self, text: &str) -> Vec<Found<'a>> {
        let found = pii::find(text, Entities::ALL).into_iter();
        found
            .map(|it| Found {
                span: it.span,
                label: Cow::Borrowed(it.entity.key()),
                rule: Cow::Borrowed(it.rule),
                act: (self.act)(it.entity.key()),
            })
            .collect()
    }

    fn settled(&self, text: &str, from: usize) -> usize {
        super::settled(text, from)
    }

    fn begun<'a>(&'a self, text: &str) -> Option<Found<'a>> {
        let (span, entity) = super::begun(text)?;
        let label = entity.key();
        Some(Found { span, label: Cow::Borrowed(label), rule: Cow::Borrowed("begun"), act: (self.act)(label) })
    }

    fn hash(&self, label: &str, value: &str) -> String {
        format!("[{}#{}]", label.to_ascii_uppercase(), value.len())
    }
}

pub(super) const MASK: Everything = Everything { act: |_| Act::Mask };

/// A request's: `[EMAIL_1]` is `ada@example.com`, `[PHONE_1]` has a quote in it.
pub(super) fn vault() -> Vault {
    let mut vault = Vault::default();
    vault.mask("email", "ada@example.com");
    vault.mask("phone", "+44 \"7\"");
    vault
}
