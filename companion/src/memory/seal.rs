//! What users said, sealed: AES-256-GCM (NIST SP 800-38D) with a random nonce for each text, bound to its place, so that
//! who can write the database can neither read a text nor put it elsewhere than all of its turn, nor into another user's.
//!
//! A sealed text is a byte that says how, then, with a key, the key's id (4 bytes), the nonce (12) and the cipher text
//! with its tag. Without a key it is the byte 0 and the text.

use crate::random::{NoRandomness, hex};
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use domain::secret::Secret;
use sha2::{Digest, Sha256};
use std::fmt;

/// The environment variable that holds the keys. It has no flag: a command line can be read by every user of the machine.
pub(crate) const DATA_KEY_VARIABLE: &str = "TOLLGATE_DATA_KEY";

const PLAIN: u8 = 0;
const SEALED: u8 = 1;

/// How texts are sealed: with the first of the keys, or not at all. All keys open.
#[derive(Clone, Default)]
pub(crate) struct Seal(Vec<DataKey>);

#[derive(Clone)]
struct DataKey {
    id: [u8; 4],
    cipher: Aes256Gcm,
}

/// A text that cannot be read, and why; never the text.
#[derive(Debug)]
pub(crate) enum Unreadable {
    /// No key of this id is there.
    NoKey(String),
    /// It was changed, or belongs elsewhere.
    Changed,
}

impl Seal {
    /// Reads the keys: 32 bytes in base64 each, with commas between, the newest first.
    ///
    /// # Errors
    /// Which one is no key.
    pub(crate) fn parse(keys: Option<&Secret>) -> Result<Self, String> {
        let Some(keys) = keys else { return Ok(Self::default()) };
        let read = |(at, text): (usize, &str)| {
            let text = text.trim();
            let bytes = STANDARD.decode(text).or_else(|_| URL_SAFE_NO_PAD.decode(text)).unwrap_or_default();
            let key = Key::<Aes256Gcm>::try_from(bytes.as_slice()).map_err(|_| {
                let nth = at.saturating_add(1);
                format!("{DATA_KEY_VARIABLE}: key {nth} is not 32 bytes in base64 (openssl rand -base64 32 makes one)")
            })?;
            let digest = Sha256::digest(&bytes);
            let id = digest.first_chunk().copied().unwrap_or_default();
            Ok(DataKey { id, cipher: Aes256Gcm::new(&key) })
        };
        keys.reveal().split(',').enumerate().map(read).collect::<Result<Vec<_>, String>>().map(Self)
    }

    /// The id of the key that seals, if there is one.
    #[must_use]
    pub(crate) fn current(&self) -> Option<String> {
        self.0.first().map(|it| hex(&it.id))
    }

    /// Whether a key of this id is there.
    #[must_use]
    pub(crate) fn has(&self, id: &str) -> bool {
        self.0.iter().any(|it| hex(&it.id) == id)
    }

    /// How what is sealed today begins.
    #[must_use]
    pub(crate) fn prefix(&self) -> Vec<u8> {
        self.0.first().map_or_else(|| vec![PLAIN], |it| [&[SEALED][..], &it.id].concat())
    }

    /// Seals `text`, which belongs to `place`.
    ///
    /// # Errors
    /// When the operating system gave no random bytes.
    pub(crate) fn close(&self, text: &str, place: &str) -> Result<Vec<u8>, NoRandomness> {
        let Some(key) = self.0.first() else {
            return Ok([&[PLAIN], text.as_bytes()].concat());
        };
        let mut nonce = [0; 12];
        getrandom::fill(&mut nonce).map_err(|_| NoRandomness)?;
        let payload = Payload { msg: text.as_bytes(), aad: place.as_bytes() };
        // It fails only for texts of 64 GB.
        let sealed = key.cipher.encrypt(&Nonce::from(nonce), payload).map_err(|_| NoRandomness)?;
        Ok([&[SEALED], &key.id[..], &nonce, &sealed].concat())
    }

    /// Opens what was sealed for `place`.
    ///
    /// # Errors
    /// When its key is not there, or it is not what was sealed.
    pub(crate) fn open(&self, sealed: &[u8], place: &str) -> Result<String, Unreadable> {
        let text = match sealed.split_first() {
            Some((&PLAIN, text)) => text.to_vec(),
            Some((&SEALED, rest)) => {
                let (id, rest) = rest.split_first_chunk::<4>().ok_or(Unreadable::Changed)?;
                let (nonce, sealed) = rest.split_first_chunk::<12>().ok_or(Unreadable::Changed)?;
                let key = self.0.iter().find(|it| it.id == *id).ok_or_else(|| Unreadable::NoKey(hex(id)))?;
                let payload = Payload { msg: sealed, aad: place.as_bytes() };
                key.cipher.decrypt(&Nonce::from(*nonce), payload).map_err(|_| Unreadable::Changed)?
            }
            _ => return Err(Unreadable::Changed),
        };
        String::from_utf8(text).map_err(|_| Unreadable::Changed)
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Seal({} keys)", self.0.len())
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKey(id) => write!(out, "it is sealed with the key {id}, which {DATA_KEY_VARIABLE} lacks"),
            Self::Changed => out.write_str("it is not what was sealed there"),
        }
    }
}

impl std::error::Error for Unreadable {}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(keys: &str) -> Seal {
        Seal::parse(Some(&Secret::new(keys.to_owned()))).unwrap()
    }

    fn key(byte: u8) -> String {
        STANDARD.encode([byte; 32])
    }

    #[test]
    fn what_is_sealed_opens_at_its_place_and_nowhere_else() {
        let one = seal(&key(1));
        let sealed = one.close("a secret", "p\0u\0t").unwrap();
        assert!(!sealed.windows(6).any(|it| it == b"secret"));
        assert_eq!(one.open(&sealed, "p\0u\0t").unwrap(), "a secret");
        assert!(matches!(one.open(&sealed, "p\0eve\0t"), Err(Unreadable::Changed)));
        assert_ne!(sealed, one.close("a secret", "p\0u\0t").unwrap(), "each has a nonce of its own");
        for cut in 0..sealed.len() {
            assert!(one.open(&sealed[..cut], "p\0u\0t").is_err());
        }
    }

    #[test]
    fn older_keys_and_texts_without_one_still_open() {
        let (plain, old) = (Seal::default(), seal(&key(1)));
        let both = seal(&format!("{}, {}", key(2), key(1)));
        for sealed in [plain.close("x", "").unwrap(), old.close("x", "").unwrap(), both.close("x", "").unwrap()] {
            assert_eq!(both.open(&sealed, "").unwrap(), "x");
        }
        let new = both.close("x", "").unwrap();
        assert!(new.starts_with(&both.prefix()) && !old.close("x", "").unwrap().starts_with(&both.prefix()));
        assert!(matches!(old.open(&new, ""), Err(Unreadable::NoKey(id)) if Some(&id) == both.current().as_ref()));
        assert!(both.has(&old.current().unwrap()) && !old.has(&both.current().unwrap()));
    }

    #[test]
    fn a_wrong_key_is_named_by_its_place_and_never_shown() {
        let check = |keys: &str| Seal::parse(Some(&Secret::new(keys.to_owned()))).unwrap_err();
        for wrong in ["", "short", &format!("{},", key(1)), &STANDARD.encode([1; 31])] {
            let said = check(wrong);
            assert!(said.starts_with("TOLLGATE_DATA_KEY: key ") && said.contains("32 bytes"), "{said}");
            assert!(wrong.is_empty() || !said.contains(wrong));
        }
        assert!(check(&format!("{},x", key(1))).contains("key 2"));
        assert_eq!(format!("{:?}", seal(&key(1))), "Seal(1 keys)");
    }
}
