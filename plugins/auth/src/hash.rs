//! The hashes that signature algorithms are made with, and their keyed form (RFC 2104).

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256, Sha384, Sha512};

/// A hash of the SHA-2 family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    /// Its name where the host is asked.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    /// How long it is, in bytes.
    pub(crate) fn length(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// The hash of these bytes one after the other.
    pub(crate) fn digest(self, parts: &[&[u8]]) -> Vec<u8> {
        fn of<D: Digest>(parts: &[&[u8]]) -> Vec<u8> {
            parts.iter().fold(D::new(), |so_far, part| so_far.chain_update(part)).finalize().to_vec()
        }
        match self {
            Self::Sha256 => of::<Sha256>(parts),
            Self::Sha384 => of::<Sha384>(parts),
            Self::Sha512 => of::<Sha512>(parts),
        }
    }

    /// Whether `code` is the whole HMAC of `text`. Takes the same time wherever they differ.
    pub(crate) fn authenticates(self, secret: &[u8], text: &[u8], code: &[u8]) -> bool {
        fn of<M: Mac + KeyInit>(secret: &[u8], text: &[u8], code: &[u8]) -> bool {
            <M as KeyInit>::new_from_slice(secret).is_ok_and(|mac| mac.chain_update(text).verify_slice(code).is_ok())
        }
        match self {
            Self::Sha256 => of::<Hmac<Sha256>>(secret, text, code),
            Self::Sha384 => of::<Hmac<Sha384>>(secret, text, code),
            Self::Sha512 => of::<Hmac<Sha512>>(secret, text, code),
        }
    }
}
