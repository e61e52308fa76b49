//! Keys made for one run of the tests, and tokens signed with them: any header, any payload, byte for byte.

use auth::algorithm::Algorithm;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use jwt_simple::algorithms::{
    ECDSAP256KeyPairLike, ECDSAP256PublicKeyLike, ECDSAP384KeyPairLike, ECDSAP384PublicKeyLike, ES256KeyPair,
    ES384KeyPair, Ed25519KeyPair, EdDSAKeyPairLike, RS256KeyPair,
};
use p256::ecdsa::signature::Signer as _;
use serde_json::{Value, json};
use std::sync::OnceLock;
use superboring::{hash::MessageDigest, pkey::PKey, rsa::Padding, rsa::Rsa, sign::Signer};

/// One key of each kind.
pub(crate) struct Keys {
    pub(crate) ed: Ed25519KeyPair,
    pub(crate) ec: ES256KeyPair,
    pub(crate) ec384: ES384KeyPair,
    pub(crate) rsa: RS256KeyPair,
    pub(crate) secret: [u8; 64],
}

/// The keys that the gate knows: RSA ones take long to make, so they are made once.
pub(crate) fn keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| Keys::generate(RS256KeyPair::generate(2048).unwrap(), [7; 64]))
}

/// Keys that the gate does not know, but for the RSA one: no test needs a strange one, and it takes long to make.
pub(crate) fn strangers() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| Keys::generate(keys().rsa.clone(), [8; 64]))
}

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Keys {
    fn generate(rsa: RS256KeyPair, secret: [u8; 64]) -> Self {
        let (ec, ec384) = (ES256KeyPair::generate(), ES384KeyPair::generate());
        Self { ed: Ed25519KeyPair::generate(), ec, ec384, rsa, secret }
    }

    pub(crate) fn ed_jwk(&self, id: &str) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": b64(self.ed.public_key().to_bytes())})
    }

    pub(crate) fn ec_jwk(&self, id: &str) -> Value {
        let point = self.ec.public_key().public_key().to_bytes_uncompressed();
        json!({"kty": "EC", "crv": "P-256", "kid": id, "x": b64(&point[1..33]), "y": b64(&point[33..])})
    }

    pub(crate) fn rsa_jwk(&self, id: &str) -> Value {
        let key = self.rsa.public_key().to_components();
        json!({"kty": "RSA", "kid": id, "n": b64(key.n), "e": b64(key.e)})
    }

    pub(crate) fn ec384_jwk(&self, id: &str) -> Value {
        let point = self.ec384.public_key().public_key().to_bytes_uncompressed();
        json!({"kty": "EC", "crv": "P-384", "kid": id, "x": b64(&point[1..49]), "y": b64(&point[49..])})
    }

    pub(crate) fn oct_jwk(&self, id: &str) -> Value {
        json!({"kty": "oct", "kid": id, "k": b64(self.secret)})
    }

    /// The raw signature over any bytes.
    pub(crate) fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        use Algorithm::{EdDsa, Es256, Es384, Hs256, Hs384, Hs512, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        match algorithm {
            EdDsa => self.ed.key_pair().as_ref().sk.sign(message, None).to_vec(),
            Es256 => {
                let signature: p256::ecdsa::Signature = self.ec.key_pair().as_ref().sign(message);
                signature.to_bytes().to_vec()
            }
            Es384 => {
                let signature: p384::ecdsa::Signature = self.ec384.key_pair().as_ref().sign(message);
                signature.to_bytes().to_vec()
            }
            Rs256 => self.sign_rsa(MessageDigest::sha256(), Padding::PKCS1, message),
            Rs384 => self.sign_rsa(MessageDigest::sha384(), Padding::PKCS1, message),
            Rs512 => self.sign_rsa(MessageDigest::sha512(), Padding::PKCS1, message),
            Ps256 => self.sign_rsa(MessageDigest::sha256(), Padding::PKCS1_PSS, message),
            Ps384 => self.sign_rsa(MessageDigest::sha384(), Padding::PKCS1_PSS, message),
            Ps512 => self.sign_rsa(MessageDigest::sha512(), Padding::PKCS1_PSS, message),
            Hs256 | Hs384 | Hs512 => hmac(algorithm, &self.secret, message),
        }
    }

    fn sign_rsa(&self, hash: MessageDigest, padding: Padding, message: &[u8]) -> Vec<u8> {
        let key = Rsa::private_key_from_pem(self.rsa.to_pem().unwrap().as_bytes()).unwrap();
        let key = PKey::from_rsa(key).unwrap();
        let mut signer = Signer::new(hash, &key).unwrap();
        signer.set_rsa_padding(padding).unwrap();
        signer.update(message).unwrap();
        signer.sign_to_vec().unwrap()
    }

    /// A token of these texts.
    pub(crate) fn token(&self, algorithm: Algorithm, header: &str, payload: &[u8]) -> String {
        let signed = format!("{}.{}", b64(header), b64(payload));
        format!("{signed}.{}", b64(self.sign(algorithm, signed.as_bytes())))
    }
}

/// A code made with any secret, as whoever knows some bytes that are no secret could make it.
pub(crate) fn hmac(algorithm: Algorithm, secret: &[u8], message: &[u8]) -> Vec<u8> {
    fn of<M: Mac + KeyInit>(secret: &[u8], message: &[u8]) -> Vec<u8> {
        <M as KeyInit>::new_from_slice(secret).unwrap().chain_update(message).finalize().into_bytes().to_vec()
    }
    match algorithm {
        Algorithm::Hs384 => of::<Hmac<sha2::Sha384>>(secret, message),
        Algorithm::Hs512 => of::<Hmac<sha2::Sha512>>(secret, message),
        _ => of::<Hmac<sha2::Sha256>>(secret, message),
    }
}
