//! What verifies a signature: the key itself, of one of five kinds, and what each refuses to be made of.

use crate::{
    algorithm::{Algorithm, Family},
    hash::Hash,
    rsa::RsaKey,
    signature::Engine,
    token::decode,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::VerifyingKey;
use jwt_simple::algorithms::{ECDSAP256PublicKeyLike, ECDSAP384PublicKeyLike, ES256PublicKey, ES384PublicKey};
use p256::ecdsa::signature::Verifier as _;
use serde_json::{Map, Value};
use std::fmt;

/// A key, of its kind.
#[derive(Debug, Clone)]
pub(crate) enum PublicKey {
    Ed25519(VerifyingKey),
    P256 { key: ES256PublicKey, der: Vec<u8> },
    P384 { key: ES384PublicKey, der: Vec<u8> },
    Rsa(Box<RsaKey>),
    Shared(SharedSecret),
}

/// The one "public" key that is none: whoever can verify with it can sign.
#[derive(Clone)]
pub(crate) struct SharedSecret(Vec<u8>);

impl PublicKey {
    /// Reads the members that make the key; `Err` says what is wrong with them.
    pub(crate) fn read(key: &Map<String, Value>) -> Result<Self, &'static str> {
        let text = |name: &str| key.get(name).and_then(Value::as_str);
        let bytes = |name: &str| text(name).and_then(decode);
        let point = |length: usize| {
            let coordinate = |name: &str| bytes(name).filter(|it| it.len() == length);
            Some([vec![4], coordinate("x")?, coordinate("y")?].concat())
        };
        match (text("kty"), text("crv")) {
            (Some("OKP"), Some("Ed25519")) => {
                bytes("x").and_then(|it| ed25519(&it)).ok_or("its `x` is no point of Ed25519 to verify with")
            }
            (Some("EC"), Some("P-256")) => point(32).and_then(|it| p256(&it)).ok_or("it is no point of P-256"),
            (Some("EC"), Some("P-384")) => point(48).and_then(|it| p384(&it)).ok_or("it is no point of P-384"),
            (Some("RSA"), _) => bytes("n")
                .zip(bytes("e"))
                .and_then(|(n, e)| RsaKey::new(&n, &e))
                .map(|it| Self::Rsa(Box::new(it)))
                .ok_or("it is no RSA key of 2048 to 4096 bits with a usual exponent"),
            (Some("oct"), _) => bytes("k")
                .filter(|it| it.len() >= Hash::Sha256.length())
                .map(|it| Self::Shared(SharedSecret(it)))
                .ok_or("its `k` is no base64url of at least 32 bytes"),
            _ => Err("its `kty` and `crv` are none of OKP with Ed25519, EC with P-256 or P-384, RSA, oct"),
        }
    }

    /// Whether it is of the kind, and has the size, that `algorithm` wants.
    pub(crate) fn fits(&self, algorithm: Algorithm) -> bool {
        match (self, algorithm.family()) {
            (Self::Ed25519(_), Family::EdDsa) | (Self::Rsa(_), Family::RsaPkcs1 | Family::RsaPss) => true,
            (Self::P256 { .. }, Family::Ecdsa) => algorithm == Algorithm::Es256,
            (Self::P384 { .. }, Family::Ecdsa) => algorithm == Algorithm::Es384,
            // RFC 7518, 3.2: a key of at least the hash's length.
            (Self::Shared(SharedSecret(secret)), Family::Hmac) => secret.len() >= algorithm.hash().length(),
            _ => false,
        }
    }

    /// Whether `signature`, of the one length and form that `algorithm` gives it, is one of `signed`.
    pub(crate) fn verify(&self, engine: &Engine, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        if !self.fits(algorithm) {
            return false;
        }
        match self {
            // Strict: no S of another spelling, no points of small order, no R that is not what was computed.
            Self::Ed25519(key) => match ed25519_dalek::Signature::from_slice(signature) {
                Ok(signature) => key.verify_strict(signed, &signature).is_ok(),
                Err(_) => false,
            },
            // Both `from_slice` want r and s of exactly the curve's length, from 1 to n - 1.
            Self::P256 { key, der } => match p256::ecdsa::Signature::from_slice(signature) {
                Ok(signature) => engine
                    .ask(algorithm, der, signature.to_der().as_bytes(), signed)
                    .unwrap_or_else(|| key.public_key().as_ref().verify(signed, &signature).is_ok()),
                Err(_) => false,
            },
            Self::P384 { key, der } => match p384::ecdsa::Signature::from_slice(signature) {
                Ok(signature) => engine
                    .ask(algorithm, der, signature.to_der().as_bytes(), signed)
                    .unwrap_or_else(|| key.public_key().as_ref().verify(signed, &signature).is_ok()),
                Err(_) => false,
            },
            Self::Rsa(key) => key.verify(engine, algorithm, signed, signature),
            Self::Shared(SharedSecret(secret)) => algorithm.hash().authenticates(secret, signed, signature),
        }
    }

    /// The members that make it, as [`PublicKey::read`] reads them; `None` for a shared secret, which is shown to nobody.
    pub(crate) fn members(&self) -> Option<Vec<(&'static str, String)>> {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let of_point = |curve: &str, point: &[u8]| {
            let (x, y) = point.get(1..)?.split_at_checked(point.len() / 2)?;
            Some(vec![("kty", "EC".to_owned()), ("crv", curve.to_owned()), ("x", text(x)), ("y", text(y))])
        };
        match self {
            Self::Ed25519(key) => {
                Some(vec![("kty", "OKP".to_owned()), ("crv", "Ed25519".to_owned()), ("x", text(key.as_bytes()))])
            }
            Self::P256 { key, .. } => of_point("P-256", &key.public_key().to_bytes_uncompressed()),
            Self::P384 { key, .. } => of_point("P-384", &key.public_key().to_bytes_uncompressed()),
            Self::Rsa(key) => {
                Some(vec![("kty", "RSA".to_owned()), ("n", text(key.modulus())), ("e", text(key.exponent()))])
            }
            Self::Shared(_) => None,
        }
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("***")
    }
}

/// Refuses a point in another spelling than its own, and one of small order, under which one signature fits many texts.
fn ed25519(bytes: &[u8]) -> Option<PublicKey> {
    let key = VerifyingKey::from_bytes(bytes.try_into().ok()?).ok()?;
    let canonical = key.to_edwards().compress().as_bytes().as_slice() == bytes;
    (canonical && !key.is_weak()).then_some(PublicKey::Ed25519(key))
}

/// Refuses what does not lie on the curve, as does [`p384`].
fn p256(point: &[u8]) -> Option<PublicKey> {
    let key = ES256PublicKey::from_bytes(point).ok()?;
    let der = key.public_key().to_der().ok()?;
    Some(PublicKey::P256 { key, der })
}

fn p384(point: &[u8]) -> Option<PublicKey> {
    let key = ES384PublicKey::from_bytes(point).ok()?;
    let der = key.public_key().to_der().ok()?;
    Some(PublicKey::P384 { key, der })
}
