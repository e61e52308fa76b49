//! Who does the arithmetic of a signature: this module, or the proxy that it runs in, whose own code is ten to
//! forty times as fast and whose answers are believed only for what it was seen to do right.
//!
//! Only RSA PKCS#1 v1.5 and ECDSA are asked of the host, for it is told a hash and a key and nothing else. What the key
//! and the signature must look like is checked here either way, before the host sees them.

use crate::{
    algorithm::{Algorithm, Family},
    known_answers,
};

/// The host's own crypto: whether `signature` is one of `text`; `None` when it has none, or failed to answer.
///
/// The arguments are the hash (`sha256`, `sha384`, `sha512`), the public key as DER (SPKI), the signature (for ECDSA as
/// ASN.1 DER) and the text.
pub type HostVerify = fn(hash: &str, public_key_der: &[u8], signature: &[u8], text: &[u8]) -> Option<bool>;

/// Where signatures are verified.
#[derive(Debug, Clone, Copy)]
pub struct Engine {
    host: Option<HostVerify>,
    does: [Option<Algorithm>; known_answers::ASKED.len()],
}

impl Engine {
    /// Everything in this module.
    pub const MODULE: Self = Self { host: None, does: [None; known_answers::ASKED.len()] };

    /// Asks `host` about signatures that are known to be good or bad, and uses it for the algorithms of which it
    /// knew every one. A host that says yes to everything, or no, or nothing, is not used at all.
    #[must_use]
    pub fn tested(host: HostVerify) -> Self {
        let right = |algorithm| known_answers::are_right(host, algorithm).then_some(algorithm);
        Self { host: Some(host), does: known_answers::ASKED.map(right) }
    }

    /// In a few words for the log: where RSA (PKCS#1 v1.5) and ECDSA are verified.
    #[must_use]
    pub fn name(&self) -> &'static str {
        let all = |family| {
            let mut asked = known_answers::ASKED.iter().filter(|it| it.family() == family);
            asked.all(|it| self.does.contains(&Some(*it)))
        };
        match (all(Family::RsaPkcs1), all(Family::Ecdsa)) {
            (true, true) => "the host's",
            (true, false) => "the host's for RSA, the module's for ECDSA",
            (false, true) => "the host's for ECDSA, the module's for RSA",
            (false, false) => "the module's",
        }
    }

    /// The host's answer; `None` when it is not to be asked, or did not say.
    pub(crate) fn ask(&self, algorithm: Algorithm, key: &[u8], signature: &[u8], text: &[u8]) -> Option<bool> {
        let host = self.host.filter(|_| self.does.contains(&Some(algorithm)))?;
        host(algorithm.hash().name(), key, signature, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::public_key::PublicKey;
    use base64::Engine as _;
    use p256::pkcs8::DecodePublicKey;
    use serde_json::json;
    use std::cell::Cell;

    /// A host that verifies as it should, with this module's own arithmetic.
    fn right(hash: &str, der: &[u8], signature: &[u8], text: &[u8]) -> Option<bool> {
        let b64 = |bytes: &[u8]| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
        let (name, key, raw) = if let Ok(key) = p256::PublicKey::from_public_key_der(der) {
            let point = key.to_sec1_bytes();
            let raw = p256::ecdsa::Signature::from_der(signature).map_or(vec![], |it| it.to_bytes().to_vec());
            ("ES256", json!({"kty": "EC", "crv": "P-256", "x": b64(&point[1..33]), "y": b64(&point[33..])}), raw)
        } else if let Ok(key) = p384::PublicKey::from_public_key_der(der) {
            let point = key.to_sec1_bytes();
            let raw = p384::ecdsa::Signature::from_der(signature).map_or(vec![], |it| it.to_bytes().to_vec());
            ("ES384", json!({"kty": "EC", "crv": "P-384", "x": b64(&point[1..49]), "y": b64(&point[49..])}), raw)
        } else {
            let key = jwt_simple::algorithms::RS256PublicKey::from_der(der).unwrap();
            let name = hash.replace("sha", "RS");
            let n = key.to_components().n;
            return check(&name, &json!({"kty": "RSA", "n": b64(&n), "e": "AQAB"}), text, signature);
        };
        let of_the_curve = if name == "ES256" { "sha256" } else { "sha384" };
        if hash == of_the_curve { check(name, &key, text, &raw) } else { Some(false) }
    }

    fn check(algorithm: &str, key: &serde_json::Value, text: &[u8], signature: &[u8]) -> Option<bool> {
        let key = PublicKey::read(key.as_object().unwrap()).unwrap();
        Some(key.verify(&Engine::MODULE, Algorithm::named(algorithm).unwrap(), text, signature))
    }

    fn only_rsa(hash: &str, key: &[u8], signature: &[u8], text: &[u8]) -> Option<bool> {
        if key.len() > 200 { right(hash, key, signature, text) } else { None }
    }

    fn only_ecdsa(hash: &str, key: &[u8], signature: &[u8], text: &[u8]) -> Option<bool> {
        if key.len() > 200 { Some(false) } else { right(hash, key, signature, text) }
    }

    fn no_sha512(hash: &str, key: &[u8], signature: &[u8], text: &[u8]) -> Option<bool> {
        right(hash, key, signature, text).filter(|_| hash != "sha512" || signature.is_empty())
    }

    #[test]
    fn a_host_is_used_for_what_it_does_right() {
        let hosts: [(HostVerify, &str); 9] = [
            (right, "the host's"),
            (only_rsa, "the host's for RSA, the module's for ECDSA"),
            (only_ecdsa, "the host's for ECDSA, the module's for RSA"),
            (no_sha512, "the host's for ECDSA, the module's for RSA"),
            (|_, _, _, _| Some(true), "the module's"),
            (|_, _, _, _| Some(false), "the module's"),
            (|_, _, _, _| None, "the module's"),
            (|_, _, signature, _| Some(!signature.is_empty()), "the module's"),
            (|hash, key, signature, _| right(hash, key, signature, b"tollgate knows the answer"), "the module's"),
        ];
        for (place, (host, expected)) in hosts.into_iter().enumerate() {
            assert_eq!(Engine::tested(host).name(), expected, "host {place}");
        }
        assert_eq!(Engine::MODULE.name(), "the module's");
    }

    thread_local! {
        /// What the moody host says from now on, and how often it was asked.
        static MOOD: Cell<Mood> = const { Cell::new(Mood::Right) };
        static ASKED: Cell<u32> = const { Cell::new(0) };
    }

    #[derive(Clone, Copy)]
    enum Mood {
        Right,
        Always(Option<bool>),
    }

    fn moody(hash: &str, key: &[u8], signature: &[u8], text: &[u8]) -> Option<bool> {
        ASKED.set(ASKED.get() + 1);
        match MOOD.get() {
            Mood::Right => right(hash, key, signature, text),
            Mood::Always(answer) => answer,
        }
    }

    /// An RSA and a P-256 key, each with a good signature in the form of a token's, over "text".
    fn signed() -> [(PublicKey, Algorithm, Vec<u8>); 2] {
        use jwt_simple::algorithms::{ECDSAP256KeyPairLike, ECDSAP256PublicKeyLike, ES256KeyPair};
        let pair = ES256KeyPair::generate();
        let point = pair.public_key().public_key().to_bytes_uncompressed();
        let signature: p256::ecdsa::Signature = p256::ecdsa::signature::Signer::sign(pair.key_pair().as_ref(), b"text");
        let b64 = |bytes: &[u8]| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
        let ec = json!({"kty": "EC", "crv": "P-256", "x": b64(&point[1..33]), "y": b64(&point[33..])});
        let (n, rs256) = crate::rsa::tests::signed();
        let rsa = json!({"kty": "RSA", "n": n, "e": "AQAB"});
        let read = |key: &serde_json::Value| PublicKey::read(key.as_object().unwrap()).unwrap();
        let of_ec = (read(&ec), Algorithm::Es256, signature.to_bytes().to_vec());
        [of_ec, (read(&rsa), Algorithm::Rs256, crate::token::decode(rs256).unwrap())]
    }

    #[test]
    fn a_host_that_does_not_answer_is_not_needed_and_one_that_does_is_believed() {
        let engine = Engine::tested(moody);
        for (key, algorithm, good) in signed() {
            let verify = |text: &[u8]| key.verify(&engine, algorithm, text, &good);
            for (mood, of_a_good_one, of_a_bad_one) in [
                (Mood::Right, true, false),
                (Mood::Always(None), true, false),
                (Mood::Always(Some(false)), false, false),
                (Mood::Always(Some(true)), true, true),
            ] {
                MOOD.set(mood);
                assert_eq!((verify(b"text"), verify(b"other")), (of_a_good_one, of_a_bad_one));
            }
        }
    }

    #[test]
    fn the_host_never_sees_what_has_not_the_form_of_a_signature() {
        let engine = Engine::tested(moody);
        MOOD.set(Mood::Always(Some(true)));
        for (key, algorithm, good) in signed() {
            ASKED.set(0);
            let (longer, shorter) = ([&good[..], &[0]].concat(), &good[1..]);
            for bad in [&longer[..], shorter, &vec![255; good.len()], &[]] {
                assert!(!key.verify(&engine, algorithm, b"text", bad));
            }
            let others = Algorithm::ALL.into_iter().filter(|it| !key.fits(*it));
            assert!(others.into_iter().all(|it| !key.verify(&engine, it, b"text", &good)));
            assert_eq!(ASKED.get(), 0, "{}", algorithm.name());
            assert!(key.verify(&engine, algorithm, b"text", &good) && ASKED.get() == 1);
        }
    }

    #[test]
    fn the_host_is_asked_about_nothing_else() {
        let engine = Engine::tested(right);
        for algorithm in Algorithm::ALL {
            let asked = Engine { host: Some(|_, _, _, _| Some(true)), ..engine }.ask(algorithm, &[], &[], &[]);
            assert_eq!(asked.is_some(), known_answers::ASKED.contains(&algorithm), "{}", algorithm.name());
        }
        assert_eq!(Engine::MODULE.ask(Algorithm::Rs256, &[], &[], &[]), None);
    }
}
