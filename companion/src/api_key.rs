//! API keys: what a project's backend mints tokens with, and nothing else.
//!
//! A key is 128 random bits, so nobody can guess one and a stolen database gives none away: one
//! SHA-256 of it is stored. A slow hash (Argon2) protects secrets that people choose; here it would
//! only make every mint slow.

use crate::constant_time;
use crate::random::{self, NoRandomness};
use domain::secret::Secret;
use sha2::{Digest, Sha256};

/// How a key begins. Published clients look for it.
pub(crate) const PREFIX: &str = "behest_sk_live_";

/// Other texts that begin a long-lived key, to tell their holder what to do.
const KINDRED: [&str; 3] = ["behest_sk_", "behest_pk_", "bh_live_"];

/// An API key in full.
#[derive(Debug, Clone)]
pub(crate) struct ApiKey(Secret);

/// What is stored of a key, and what it is found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyHash(pub(crate) [u8; 32]);

impl KeyHash {
    /// Whether `stored` is this hash; in constant time.
    #[must_use]
    pub(crate) fn is(self, stored: &[u8]) -> bool {
        stored.try_into().is_ok_and(|it| constant_time::is_same(&self.0, it))
    }
}

impl ApiKey {
    /// A new key.
    ///
    /// # Errors
    /// When the operating system has no random bytes to give.
    pub(crate) fn generate() -> Result<Self, NoRandomness> {
        random::id(PREFIX).map(|text| Self(Secret::new(text)))
    }

    /// Reads a key; `None` when `text` cannot be one.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(PREFIX)?;
        let right = digits.len() == 32 && digits.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
        right.then(|| Self(Secret::new(text.to_owned())))
    }

    /// The key itself, for the one place that shows it.
    #[must_use]
    pub(crate) fn reveal(&self) -> &str {
        self.0.reveal()
    }

    /// What to store.
    #[must_use]
    pub(crate) fn hash(&self) -> KeyHash {
        KeyHash(Sha256::digest(self.reveal()).into())
    }

    /// The first digits, by which an operator recognises a key in a list.
    #[must_use]
    pub(crate) fn hint(&self) -> String {
        let digits = self.reveal().get(PREFIX.len()..PREFIX.len().saturating_add(4));
        format!("{PREFIX}{}…", digits.unwrap_or_default())
    }
}

/// Whether `text` is meant as a long-lived key, valid or not.
#[must_use]
pub(crate) fn looks_like_a_key(text: &str) -> bool {
    KINDRED.iter().any(|prefix| text.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_prefix_and_32_hex_digits() {
        let key = ApiKey::generate().unwrap();
        assert_eq!(ApiKey::parse(key.reveal()).unwrap().hash(), key.hash());
        assert!(!format!("{key:?}").contains(key.reveal()));
        let digits = "0123456789abcdef0123456789abcdef";
        for wrong in [
            String::new(),
            digits.to_owned(),
            format!("{PREFIX}{}", digits.to_uppercase()),
            format!("{PREFIX}{digits}0"),
            format!("{PREFIX}{}", &digits[1..]),
            format!("{PREFIX}{digits} "),
        ] {
            assert!(ApiKey::parse(&wrong).is_none(), "{wrong}");
        }
    }
}
