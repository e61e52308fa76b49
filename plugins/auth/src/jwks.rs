//! Public keys, from a JWK set (RFC 7517), ready to verify with.
//!
//! A key that cannot be used is skipped and counted, because identity providers publish keys for
//! other purposes next to those that sign tokens. A shared secret (`oct`) in a set that anyone can
//! fetch is no secret, and is skipped like any other key that is not ours to use.

pub use crate::jwk::{Binding, Key};
use crate::{
    algorithm::Algorithm,
    json,
    jwk::{self, Source},
    signature::Engine,
};
use serde_json::{Value, json};

/// The longest document that is read, in bytes.
pub const LONGEST: usize = 256 * 1024;
/// The most keys that a document may hold.
const MOST_KEYS: usize = 128;
/// How many keys are tried for one token.
const MOST_TRIES: usize = 4;

/// The usable keys of a set.
#[derive(Debug, Clone)]
pub struct KeySet {
    keys: Vec<Key>,
    /// How many keys of the set are of no use here.
    pub skipped: usize,
    /// Whether one of these was meant to be: a set with a broken key in it does not say which keys there are.
    pub torn: bool,
}

/// A text and its signature, and what they say of the key.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// What the signature is made with.
    pub algorithm: Algorithm,
    /// The `kid` of the key that made it, if it is told.
    pub key: Option<&'a str>,
    /// The text.
    pub text: &'a [u8],
    /// The signature, in the form of RFC 7518, 3.
    pub signature: &'a [u8],
}

impl KeySet {
    /// Reads a JWK set that was fetched: shared secrets in it are skipped.
    ///
    /// # Errors
    /// It is none, or there is no key in it that can verify one of our algorithms.
    pub fn parse(document: &[u8]) -> Result<Self, String> {
        Self::read(document, Source::Fetched)
    }

    /// Reads a JWK set that the operator wrote: a shared secret of at least 32 bytes is a key too.
    ///
    /// # Errors
    /// As [`KeySet::parse`].
    pub fn parse_configured(document: &[u8]) -> Result<Self, String> {
        Self::read(document, Source::Configured)
    }

    fn read(document: &[u8], source: Source) -> Result<Self, String> {
        if document.len() > LONGEST {
            return Err(format!("{} bytes are more than the {LONGEST} that a key set may have", document.len()));
        }
        let document = json::parse(document)?;
        let keys = document.get("keys").and_then(Value::as_array).ok_or("there is no list `keys` in it")?;
        if keys.len() > MOST_KEYS {
            return Err(format!("{} keys are more than the {MOST_KEYS} that a key set may have", keys.len()));
        }
        let read: Vec<Result<Key, &str>> = keys.iter().map(|key| Key::read(key, source)).collect();
        let usable: Vec<Key> = read.iter().flatten().cloned().collect();
        if usable.is_empty() {
            let reasons: Vec<&str> = read.iter().filter_map(|it| it.as_ref().err().copied()).take(3).collect();
            return Err(format!("none of its {} keys can be used: {}", keys.len(), reasons.join("; ")));
        }
        let torn = keys.iter().zip(&read).any(|(entry, read)| read.is_err() && jwk::is_broken(entry));
        Ok(Self { skipped: keys.len().saturating_sub(usable.len()), keys: usable, torn })
    }

    /// The keys of this set, and those of `older` whose `kid` it does not have.
    #[must_use]
    pub fn with_those_of(mut self, older: &Self) -> Self {
        let missing = |key: &&Key| !self.keys.iter().any(|it| it.id() == key.id());
        let kept: Vec<Key> = older.keys.iter().filter(missing).take(MOST_KEYS).cloned().collect();
        self.keys.extend(kept);
        self.keys.truncate(MOST_KEYS);
        self
    }

    /// Whether a key of the set fits `algorithm`.
    #[must_use]
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        self.keys.iter().any(|key| key.fits(algorithm))
    }

    /// Whether a token with this algorithm and `kid` has a key here to be tried.
    #[must_use]
    pub fn knows(&self, algorithm: Algorithm, id: Option<&str>) -> bool {
        self.candidates(algorithm, id).next().is_some()
    }

    /// The key that signed, if one of the set did. A `kid` selects the keys of that name, else those without a name;
    /// without one every fitting key is tried, four at most.
    #[must_use]
    pub fn verify(&self, engine: &Engine, signed: &Signed) -> Option<&Key> {
        self.verify_by(engine, signed, |_| true)
    }

    /// The same, with none but the keys that `may` speak for what was signed: so a token whose key has no name finds
    /// the key of its project, however many others are bound to theirs.
    pub fn verify_by(&self, engine: &Engine, signed: &Signed, may: impl Fn(&Key) -> bool) -> Option<&Key> {
        let mut tried = self.candidates(signed.algorithm, signed.key).filter(|key| may(key)).take(MOST_TRIES);
        tried.find(|key| key.verify(engine, signed.algorithm, signed.text, signed.signature))
    }

    /// The usable keys as a JWK set with only the members that are read here, in one spelling: what a worker hands to
    /// the others. Read again it is the same keys. Shared secrets are left out; a set that was fetched has none.
    #[must_use]
    pub fn distilled(&self) -> String {
        json!({"keys": self.keys.iter().filter_map(Key::distilled).collect::<Vec<_>>()}).to_string()
    }

    fn candidates<'k>(&'k self, algorithm: Algorithm, id: Option<&str>) -> impl Iterator<Item = &'k Key> {
        let fitting = move |key: &&Key| key.fits(algorithm);
        let named = id.is_some_and(|id| self.keys.iter().filter(fitting).any(|key| key.id() == Some(id)));
        self.keys.iter().filter(fitting).filter(move |key| match id {
            Some(id) if named => key.id() == Some(id),
            Some(_) => key.id().is_none(),
            None => true,
        })
    }
}
