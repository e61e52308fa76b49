//! What stands in the place of what was found.

use crate::{
    answer::redacted,
    config::Action,
    shield::{Kind, Shield},
};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt::Write;

/// How many bytes of a hash are told: enough that no two values of a project share one.
const HASH_BYTES: usize = 8;

/// What takes the place of `value`; `mask` names placeholders. `None`: it stays.
pub(crate) fn stand_in(
    action: Action,
    (kind, value): (&Kind, &str),
    (shield, project): (&Shield, &str),
    mask: impl FnOnce() -> String,
) -> Option<String> {
    match action {
        Action::Report | Action::Block => None,
        Action::Mask => Some(mask()),
        Action::Redact => Some(redacted(kind.key())),
        Action::Hash => Some(hashed(shield, project, kind.key(), value)),
    }
}

/// What takes the place of `value` under [`Action::Hash`].
pub(crate) fn hashed(shield: &Shield, project: &str, label: &str, value: &str) -> String {
    let key = shield.hash_key.as_ref().map(|it| it.reveal()).unwrap_or_default();
    let named = |hash| format!("[{}_{hash}]", label.to_ascii_uppercase());
    hash(key, [project, label, value]).map_or_else(|| redacted(label), named)
}

/// The beginning of an HMAC-SHA-256 in hexadecimal digits; `None` without a key.
fn hash(key: &str, texts: [&str; 3]) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).ok().filter(|_| !key.is_empty())?;
    mac.update(texts.join("\n").as_bytes());
    let digits = mac.finalize().into_bytes().iter().take(HASH_BYTES).fold(String::new(), |mut all, it| {
        // Writing to a string does not fail.
        let _ = write!(all, "{it:02x}");
        all
    });
    Some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pii::Entity;

    fn check(action: &str, project: &str, value: &str) -> Option<String> {
        let json = format!(r#"{{"entities": {{"email": "{action}"}}, "hash_key": {{"value": "a key of sixteen"}}}}"#);
        let shield = Shield::new(&serde_json::from_str(&json).unwrap(), |_| None).unwrap();
        let action = shield.find("ada@example.com").pop().unwrap().action;
        stand_in(action, (&Kind::Entity(Entity::Email), value), (&shield, project), || "[EMAIL_1]".to_owned())
    }

    #[test]
    fn each_action_has_its_word() {
        assert_eq!(check("mask", "p", "a@b.io").as_deref(), Some("[EMAIL_1]"));
        assert_eq!(check("redact", "p", "a@b.io").as_deref(), Some("[EMAIL]"));
        assert_eq!(check("report", "p", "a@b.io"), None);
        assert_eq!(check("block", "p", "a@b.io"), None);
    }

    #[test]
    fn a_hash_is_the_same_for_a_value_of_a_project_and_no_other() {
        let hash = check("hash", "p", "a@b.io").unwrap();
        // printf 'p\nemail\na@b.io' | openssl dgst -sha256 -hmac 'a key of sixteen'
        assert_eq!(hash, "[EMAIL_0e021af8b858fd32]");
        assert_ne!(hash, check("hash", "q", "a@b.io").unwrap());
        assert_ne!(hash, check("hash", "p", "b@b.io").unwrap());
    }
}
