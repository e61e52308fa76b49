//! Public keys, from a JWK set (RFC 7517), ready to verify with.
//!
//! A key that cannot be used is skipped and counted, because identity providers publish keys for
//! other purposes next to those that sign tokens. A shared secret (`oct`) in a set that anyone can
//! fetch is no secret, and is skipped like any other key that is not ours to use.

use crate::{algorithm::Algorithm, json, token::decode};
use jwt_simple::algorithms::{
    ECDSAP256PublicKeyLike, ES256PublicKey, Ed25519PublicKey, EdDSAPublicKeyLike, RS256PublicKey, RSAPublicKeyLike,
};
use p256::ecdsa::signature::Verifier as _;
use serde_json::{Map, Value};
use superboring::{hash::MessageDigest, pkey::PKey, pkey::Public, rsa::Padding, sign::Verifier};

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
}

#[derive(Debug, Clone)]
struct Key {
    id: Option<String>,
    verifier: Verify,
}

#[derive(Debug, Clone)]
enum Verify {
    EdDsa(Ed25519PublicKey),
    Es256(ES256PublicKey),
    Rs256(Box<PKey<Public>>),
}

impl KeySet {
    /// Reads a JWK set.
    ///
    /// # Errors
    /// It is none, or there is no key in it that can verify one of our algorithms.
    pub fn parse(document: &[u8]) -> Result<Self, String> {
        if document.len() > LONGEST {
            return Err(format!("{} bytes are more than the {LONGEST} that a key set may have", document.len()));
        }
        let document = json::parse(document)?;
        let keys = document.get("keys").and_then(Value::as_array).ok_or("there is no list `keys` in it")?;
        if keys.len() > MOST_KEYS {
            return Err(format!("{} keys are more than the {MOST_KEYS} that a key set may have", keys.len()));
        }
        let usable: Vec<Key> = keys.iter().filter_map(|key| Key::read(key.as_object()?)).collect();
        if usable.is_empty() {
            return Err(format!(
                "none of its {} keys can be used (Ed25519, P-256, RSA of 2048 to 4096 bits)",
                keys.len()
            ));
        }
        Ok(Self { skipped: keys.len().saturating_sub(usable.len()), keys: usable })
    }

    /// Whether a key of the set fits `algorithm`.
    #[must_use]
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        self.keys.iter().any(|key| key.verifier.algorithm() == algorithm)
    }

    /// Whether a token with this algorithm and `kid` has a key here to be tried.
    #[must_use]
    pub fn knows(&self, algorithm: Algorithm, id: Option<&str>) -> bool {
        self.candidates(algorithm, id).next().is_some()
    }

    /// Whether one of the keys made `signature` over `signed`. A `kid` selects the keys of that
    /// name, else those without a name; without one every fitting key is tried, four at most.
    #[must_use]
    pub fn verify(&self, algorithm: Algorithm, id: Option<&str>, signed: &[u8], signature: &[u8]) -> bool {
        self.candidates(algorithm, id).take(MOST_TRIES).any(|key| key.verifier.verify(signed, signature))
    }

    fn candidates<'a>(&'a self, algorithm: Algorithm, id: Option<&'a str>) -> impl Iterator<Item = &'a Key> {
        let fitting = move |key: &&Key| key.verifier.algorithm() == algorithm;
        let named = id.is_some_and(|id| self.keys.iter().filter(fitting).any(|key| key.id.as_deref() == Some(id)));
        self.keys.iter().filter(fitting).filter(move |key| match id {
            Some(id) if named => key.id.as_deref() == Some(id),
            Some(_) => key.id.is_none(),
            None => true,
        })
    }
}

impl Key {
    /// Reads one key; `None` when it is malformed, of another kind, or meant for something else.
    fn read(key: &Map<String, Value>) -> Option<Self> {
        let id = match key.get("kid") {
            None => None,
            Some(Value::String(id)) => Some(id.clone()),
            Some(_) => return None,
        };
        let verifier = Verify::read(key)?;
        let algorithm = key.get("alg").is_none_or(|it| it.as_str() == Some(verifier.algorithm().name()));
        let purpose = key.get("use").is_none_or(|it| it.as_str() == Some("sig"));
        let operation =
            |it: &Value| it.as_array().is_some_and(|all| all.iter().any(|one| one.as_str() == Some("verify")));
        (algorithm && purpose && key.get("key_ops").is_none_or(operation)).then_some(Self { id, verifier })
    }
}

impl Verify {
    fn read(key: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| key.get(name).and_then(Value::as_str);
        let bytes = |name: &str| decode(text(name)?);
        let coordinate = |name: &str| bytes(name).filter(|it| it.len() == 32);
        match (text("kty")?, text("crv")) {
            // `from_bytes` refuses points of small order.
            ("OKP", Some("Ed25519")) => Ed25519PublicKey::from_bytes(&coordinate("x")?).ok().map(Self::EdDsa),
            ("EC", Some("P-256")) => {
                let point = [vec![4], coordinate("x")?, coordinate("y")?].concat();
                // Refuses what does not lie on the curve.
                ES256PublicKey::from_bytes(&point).ok().map(Self::Es256)
            }
            ("RSA", _) => {
                // Refuses other than 2048 to 4096 bits and exponents other than 65537.
                let key = RS256PublicKey::from_components(&bytes("n")?, &bytes("e")?).ok()?;
                PKey::from_rsa(key.public_key().as_ref().clone()).ok().map(Box::new).map(Self::Rs256)
            }
            _ => None,
        }
    }

    fn algorithm(&self) -> Algorithm {
        match self {
            Self::EdDsa(_) => Algorithm::EdDsa,
            Self::Es256(_) => Algorithm::Es256,
            Self::Rs256(_) => Algorithm::Rs256,
        }
    }

    /// Signatures have the one length that their algorithm gives them (RFC 7518, 3.3 and 3.4; RFC 8037, 3.1).
    fn verify(&self, signed: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::EdDsa(key) => match signature.try_into() {
                Ok(signature) => key.public_key().as_ref().verify(signed, &signature).is_ok(),
                Err(_) => false,
            },
            Self::Es256(key) => match p256::ecdsa::Signature::from_slice(signature) {
                Ok(signature) => key.public_key().as_ref().verify(signed, &signature).is_ok(),
                Err(_) => false,
            },
            Self::Rs256(key) => verify_rs256(key, signed, signature).unwrap_or(false),
        }
    }
}

fn verify_rs256(key: &PKey<Public>, signed: &[u8], signature: &[u8]) -> Option<bool> {
    let mut verifier = Verifier::new(MessageDigest::sha256(), key).ok()?;
    verifier.set_rsa_padding(Padding::PKCS1).ok()?;
    verifier.update(signed).ok()?;
    verifier.verify(signature).ok()
}
