//! A private key: made, read, written, and signed with.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_compact::KeyPair;
use p256::ecdsa::signature::Signer as _;
use p256::elliptic_curve::Generate as _;
use p256::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, LineEnding};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt;
use superboring::hash::MessageDigest;
use superboring::pkey::{PKey, Private};
use superboring::rsa::{Padding, Rsa};
use superboring::sign::Signer;

/// What a key signs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// Ed25519 (RFC 8037).
    EdDsa,
    /// ECDSA on P-256 with SHA-256 (RFC 7518, 3.4).
    Es256,
    /// RSA PKCS#1 v1.5 with SHA-256 (RFC 7518, 3.3).
    Rs256,
}

/// The length of a new RSA key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RsaBits(u32);

/// A private key and what is public about it.
pub(crate) struct PrivateKey {
    half: Half,
    /// The public half (RFC 7517), with `kid`, `alg` and `use`.
    pub(crate) jwk: Value,
    /// Its name in tokens and in the key set: its RFC 7638 thumbprint.
    pub(crate) kid: String,
}

enum Half {
    EdDsa(KeyPair),
    Es256(Box<p256::ecdsa::SigningKey>),
    Rs256(Box<Rsa<Private>>),
}

impl Algorithm {
    /// Its name in a token's header and in a key.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }
}

impl std::str::FromStr for Algorithm {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let all = [Self::EdDsa, Self::Es256, Self::Rs256];
        all.into_iter().find(|it| it.name() == name).ok_or_else(|| "expected EdDSA, ES256 or RS256".to_owned())
    }
}

impl Default for RsaBits {
    fn default() -> Self {
        Self(2048)
    }
}

impl std::str::FromStr for RsaBits {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bits = text.parse().ok().filter(|it| matches!(it, 2048 | 3072 | 4096));
        bits.map(Self).ok_or_else(|| "expected 2048, 3072 or 4096".to_owned())
    }
}

impl fmt::Display for RsaBits {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl PrivateKey {
    /// A new key; `bits` is heeded by RSA alone. `None` when the operating system gives no random bytes.
    #[must_use]
    pub(crate) fn generate(algorithm: Algorithm, bits: RsaBits) -> Option<Self> {
        loop {
            let key = Self::of(match algorithm {
                Algorithm::EdDsa => Half::EdDsa(KeyPair::from_seed(crate::random::bytes().ok()?.into())),
                Algorithm::Es256 => Half::Es256(Box::new(p256::ecdsa::SigningKey::try_generate().ok()?)),
                Algorithm::Rs256 => Half::Rs256(Box::new(Rsa::generate(bits.0).ok()?)),
            })?;
            // One in 32 begins with `-` or `_`, and would be an option where an operator types it.
            if key.kid.starts_with(|it: char| it.is_ascii_alphanumeric()) {
                return Some(key);
            }
        }
    }

    /// Reads a PKCS#8 PEM; `None` when it holds no key for `algorithm`.
    #[must_use]
    pub(crate) fn from_pem(algorithm: Algorithm, pem: &str) -> Option<Self> {
        let pem = pem.trim();
        Self::of(match algorithm {
            Algorithm::EdDsa => {
                let pair = KeyPair::from_pem(pem).ok()?;
                pair.validate().ok()?;
                Half::EdDsa(pair)
            }
            Algorithm::Es256 => Half::Es256(Box::new(p256::ecdsa::SigningKey::from_pkcs8_pem(pem).ok()?)),
            Algorithm::Rs256 => Half::Rs256(Box::new(Rsa::private_key_from_pem(pem.as_bytes()).ok()?)),
        })
    }

    /// Its PKCS#8 PEM. A secret.
    #[must_use]
    pub(crate) fn to_pem(&self) -> Option<String> {
        match &self.half {
            Half::EdDsa(pair) => Some(pair.to_pem()),
            Half::Es256(key) => key.to_pkcs8_pem(LineEnding::LF).ok().map(|it| it.to_string()),
            Half::Rs256(key) => String::from_utf8(key.private_key_to_pem().ok()?).ok(),
        }
    }

    /// What it signs with.
    #[must_use]
    pub(crate) fn algorithm(&self) -> Algorithm {
        match self.half {
            Half::EdDsa(_) => Algorithm::EdDsa,
            Half::Es256(_) => Algorithm::Es256,
            Half::Rs256(_) => Algorithm::Rs256,
        }
    }

    /// The signature of `message` as a token carries it; `None` when RSA fails, which it does for no sound key.
    #[must_use]
    pub(crate) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        match &self.half {
            Half::EdDsa(pair) => Some(pair.sk.sign(message, None).to_vec()),
            Half::Es256(key) => {
                let signature: p256::ecdsa::Signature = key.try_sign(message).ok()?;
                Some(signature.to_bytes().to_vec())
            }
            Half::Rs256(key) => sign_rs256(key, message),
        }
    }

    fn of(half: Half) -> Option<Self> {
        let members = match &half {
            Half::EdDsa(pair) => json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(&pair.pk[..])}),
            Half::Es256(key) => {
                let point = key.verifying_key().to_sec1_point(false);
                json!({"kty": "EC", "crv": "P-256", "x": base64url(point.x()?), "y": base64url(point.y()?)})
            }
            Half::Rs256(key) => {
                json!({"kty": "RSA", "n": base64url(&key.n().to_vec()), "e": base64url(&key.e().to_vec())})
            }
        };
        let mut key = Self { kid: thumbprint(&members), jwk: members, half };
        let named = json!({"kid": key.kid, "alg": key.algorithm().name(), "use": "sig"});
        key.jwk.as_object_mut()?.extend(named.as_object()?.clone());
        Some(key)
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "PrivateKey({}, ***)", self.kid)
    }
}

/// RSA with blinding, so that the time it takes says nothing about the key.
fn sign_rs256(key: &Rsa<Private>, message: &[u8]) -> Option<Vec<u8>> {
    let key = PKey::from_rsa(key.clone()).ok()?;
    let mut signer = Signer::new(MessageDigest::sha256(), &key).ok()?;
    signer.set_rsa_padding(Padding::PKCS1).ok()?;
    signer.update(message).ok()?;
    signer.sign_to_vec().ok()
}

fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// RFC 7638, section 3: the hash of the members that make the key, ordered by their names.
pub(crate) fn thumbprint(jwk: &Value) -> String {
    let members: Vec<String> = ["crv", "e", "kty", "n", "x", "y"]
        .into_iter()
        // Base64url and names of curves need no escapes.
        .filter_map(|name| Some(format!(r#""{name}":"{}""#, jwk.get(name)?.as_str()?)))
        .collect();
    base64url(&Sha256::digest(format!("{{{}}}", members.join(","))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use auth::jwks::{KeySet, Signed};
    use auth::signature::Engine;
    use std::sync::OnceLock;

    fn rsa() -> &'static PrivateKey {
        // It takes a while to find one.
        static KEY: OnceLock<PrivateKey> = OnceLock::new();
        KEY.get_or_init(|| PrivateKey::generate(Algorithm::Rs256, RsaBits::default()).unwrap())
    }

    fn check(key: &PrivateKey) {
        let again = PrivateKey::from_pem(key.algorithm(), &key.to_pem().unwrap()).unwrap();
        assert_eq!((&again.jwk, &again.kid), (&key.jwk, &key.kid));
        let set = KeySet::parse(json!({"keys": [key.jwk]}).to_string().as_bytes()).unwrap();
        let algorithm = auth::algorithm::Algorithm::try_from(key.algorithm().name().to_owned()).unwrap();
        let verifies = |message: &[u8]| {
            let signature = again.sign(b"text").unwrap();
            set.verify(
                &Engine::MODULE,
                &Signed { algorithm, key: Some(&key.kid), text: message, signature: &signature },
            )
            .is_some()
        };
        assert!(verifies(b"text") && !verifies(b"other"), "{key:?}");
        assert!(format!("{key:?}").ends_with("***)"));
    }

    #[test]
    fn a_gateway_verifies_what_a_key_signs_also_after_a_way_through_its_file() {
        for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
            check(&PrivateKey::generate(algorithm, RsaBits::default()).unwrap());
        }
        check(rsa());
    }

    #[test]
    fn a_name_is_never_taken_for_an_option() {
        for _ in 0..200 {
            let key = PrivateKey::generate(Algorithm::EdDsa, RsaBits::default()).unwrap();
            assert!(key.kid.starts_with(|it: char| it.is_ascii_alphanumeric()));
        }
    }

    #[test]
    fn a_pem_of_another_kind_is_no_key() {
        let ed = PrivateKey::generate(Algorithm::EdDsa, RsaBits::default()).unwrap().to_pem().unwrap();
        let rsa = rsa().to_pem().unwrap();
        for (algorithm, pem) in [
            (Algorithm::EdDsa, rsa.as_str()),
            (Algorithm::Es256, rsa.as_str()),
            (Algorithm::Es256, ed.as_str()),
            (Algorithm::Rs256, ed.as_str()),
            (Algorithm::EdDsa, ""),
            (Algorithm::EdDsa, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
        ] {
            assert!(PrivateKey::from_pem(algorithm, pem).is_none(), "{algorithm:?} {pem:.40}");
        }
    }

    #[test]
    fn a_key_that_openssl_made_is_read() {
        let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";
        // The key of RFC 8037, appendix A.1, and its thumbprint, A.3.
        let key = PrivateKey::from_pem(Algorithm::EdDsa, pem).unwrap();
        assert_eq!(key.kid, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn the_thumbprint_is_that_of_rfc_7638() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let key = json!({"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"});
        assert_eq!(thumbprint(&key), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }
}
