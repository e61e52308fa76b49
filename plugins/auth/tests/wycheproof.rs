//! Project Wycheproof's test vectors over [`KeySet::verify`]: each key becomes a JWK, each signature must be taken for
//! what it is.
//!
//! The vectors that are called acceptable, nine of RSA whose padding leaves out a NULL (`MissingNull`), are refused:
//! RFC 8017, 9.2 allows to accept them, and one text per signature is worth more.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "test code: a broken assumption should stop the test where it broke"
)]

use auth::{
    algorithm::Algorithm,
    jwks::{KeySet, Signed},
    signature::Engine,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::fmt::Debug;
use wycheproof::{TestResult, ecdsa, eddsa, mac, rsa_pkcs1_verify, rsa_pss_verify};

fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn set(key: &Value) -> KeySet {
    KeySet::parse_configured(json!({"keys": [key]}).to_string().as_bytes()).unwrap()
}

/// One vector: its number and comment, the text and the signature, what must become of it.
struct Vector<'a, F> {
    what: (usize, &'a str),
    signed: &'a [u8],
    signature: &'a [u8],
    result: TestResult,
    flags: &'a [F],
}

impl<F> Vector<'_, F> {
    /// The same, which must not pass whatever it is.
    fn refused(self) -> Self {
        Self { result: TestResult::Invalid, ..self }
    }
}

/// Verifies every vector with one key; says how many there were.
fn check<'a, F: Debug + 'a>(
    keys: &KeySet,
    algorithm: Algorithm,
    vectors: impl Iterator<Item = Vector<'a, F>>,
) -> usize {
    let mut count = 0;
    for vector in vectors {
        let good = keys
            .verify(&Engine::MODULE, &Signed { algorithm, key: None, text: vector.signed, signature: vector.signature })
            .is_some();
        let expected = vector.result == TestResult::Valid;
        let (what, flags) = (vector.what, vector.flags);
        assert_eq!(good, expected, "{} {what:?} {:?} {flags:?}", algorithm.name(), vector.result);
        count += 1;
    }
    count
}

macro_rules! vectors {
    ($group:expr, $signature:ident) => {
        $group.tests.iter().map(|it| Vector {
            what: (it.tc_id, &it.comment),
            signed: it.msg.as_ref(),
            signature: it.$signature.as_ref(),
            result: it.result,
            flags: &it.flags,
        })
    };
}

#[test]
fn rsa_pkcs1() {
    use Algorithm::{Rs256, Rs384, Rs512};
    use rsa_pkcs1_verify::TestName::{
        Rsa2048Sha256, Rsa2048Sha384, Rsa2048Sha512, Rsa3072Sha256, Rsa3072Sha384, Rsa3072Sha512, Rsa4096Sha256,
        Rsa4096Sha384, Rsa4096Sha512,
    };
    let mut count = 0;
    for (name, algorithm) in [
        (Rsa2048Sha256, Rs256),
        (Rsa2048Sha384, Rs384),
        (Rsa2048Sha512, Rs512),
        (Rsa3072Sha256, Rs256),
        (Rsa3072Sha384, Rs384),
        (Rsa3072Sha512, Rs512),
        (Rsa4096Sha256, Rs256),
        (Rsa4096Sha384, Rs384),
        (Rsa4096Sha512, Rs512),
    ] {
        for group in rsa_pkcs1_verify::TestSet::load(name).unwrap().test_groups {
            let key = json!({"kty": "RSA", "n": b64(&group.key.n), "e": b64(&group.key.e)});
            count += check(&set(&key), algorithm, vectors!(group, sig));
        }
    }
    assert_eq!(count, 2330);
}

#[test]
fn rsa_pss() {
    use Algorithm::{Ps256, Ps384, Ps512};
    use wycheproof::HashFunction::{Sha2_256, Sha2_384, Sha2_512};
    let (mut count, mut others) = (0, 0);
    for name in rsa_pss_verify::TestName::all() {
        for group in rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
            let (algorithm, length) = match group.hash {
                Sha2_256 => (Ps256, 32),
                Sha2_384 => (Ps384, 48),
                Sha2_512 => (Ps512, 64),
                _ => continue,
            };
            let same = matches!(
                (group.hash, group.mgf_hash),
                (Sha2_256, Some(Sha2_256)) | (Sha2_384, Some(Sha2_384)) | (Sha2_512, Some(Sha2_512))
            );
            let keys = set(&json!({"kty": "RSA", "n": b64(&group.key.n), "e": b64(&group.key.e)}));
            if same && group.salt_size == length {
                count += check(&keys, algorithm, vectors!(group, sig));
            } else {
                // RFC 7518, 3.5: one hash for all, and a salt of its length. What is good otherwise is not here.
                let good = vectors!(group, sig).filter(|it| it.result == TestResult::Valid);
                others += check(&keys, algorithm, good.map(Vector::refused));
            }
        }
    }
    assert_eq!((count, others), (1186, 755));
}

#[test]
fn ecdsa() {
    let mut count = 0;
    for (name, algorithm, curve, half) in [
        (ecdsa::TestName::EcdsaSecp256r1Sha256P1363, Algorithm::Es256, "P-256", 32),
        (ecdsa::TestName::EcdsaSecp384r1Sha384P1363, Algorithm::Es384, "P-384", 48),
    ] {
        for group in ecdsa::TestSet::load(name).unwrap().test_groups {
            let (x, y) = group.key.key[1..].split_at(half);
            let key = json!({"kty": "EC", "crv": curve, "x": b64(x), "y": b64(y)});
            count += check(&set(&key), algorithm, vectors!(group, sig));
        }
    }
    assert_eq!(count, 542);
}

#[test]
fn ed25519() {
    let mut count = 0;
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
        let key = json!({"kty": "OKP", "crv": "Ed25519", "x": b64(&group.key.pk)});
        count += check(&set(&key), Algorithm::EdDsa, vectors!(group, sig));
    }
    assert_eq!(count, 151);
}

#[test]
fn hmac() {
    let (mut count, mut weak) = (0, 0);
    for (name, algorithm, length) in [
        (mac::TestName::HmacSha256, Algorithm::Hs256, 32),
        (mac::TestName::HmacSha384, Algorithm::Hs384, 48),
        (mac::TestName::HmacSha512, Algorithm::Hs512, 64),
    ] {
        for group in mac::TestSet::load(name).unwrap().test_groups {
            for test in &group.tests {
                let key = json!({"keys": [{"kty": "oct", "k": b64(&test.key)}]});
                let keys = KeySet::parse_configured(key.to_string().as_bytes()).ok().filter(|it| it.fits(algorithm));
                // RFC 7518, 3.2: a key of the hash's length at least, and the whole code.
                assert_eq!(keys.is_some(), test.key.len() >= length, "{} {}", algorithm.name(), test.tc_id);
                let Some(keys) = keys else {
                    weak += 1;
                    continue;
                };
                let vector = vectors!(group, tag).find(|it| it.what.0 == test.tc_id).unwrap();
                let whole = test.tag.len() == length;
                count += check(&keys, algorithm, [if whole { vector } else { vector.refused() }].into_iter());
            }
        }
    }
    assert_eq!((count, weak), (504, 18));
}
