//! User tokens that a test signs itself, for gateways without a companion, and tokens that no honest signer would make.

use std::sync::OnceLock;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::algorithms::{
    ECDSAP256KeyPairLike, ES256KeyPair, Ed25519KeyPair, EdDSAKeyPairLike, RS256KeyPair, RSAKeyPairLike,
};
use p256::ecdsa::signature::Signer as _;
use serde_json::{Map, Value, json};
use superboring::{hash::MessageDigest, pkey::PKey, rsa::Padding};

/// How long a token of [`Signer::user`] holds, in seconds.
const HOUR: u64 = 3600;

/// What a token is signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519, what the companion signs with unless told otherwise.
    EdDsa,
    /// P-256 and SHA-256.
    Es256,
    /// RSA of 2048 bits, PKCS #1 v1.5, SHA-256.
    Rs256,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::EdDsa, Self::Es256, Self::Rs256];

    /// As the header's `alg` has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }

    /// One for each algorithm, so that the keys of several signers fit into one set.
    fn key_id(self) -> &'static str {
        match self {
            Self::EdDsa => "test",
            Self::Es256 => "test-es256",
            Self::Rs256 => "test-rs256",
        }
    }
}

#[derive(Debug)]
enum Key {
    EdDsa(Ed25519KeyPair),
    Es256(ES256KeyPair),
    Rs256(&'static RS256KeyPair),
}

/// A signing key, and what tokens signed with it say.
#[derive(Debug)]
pub struct Signer {
    key: Key,
}

impl Default for Signer {
    fn default() -> Self {
        Self::new()
    }
}

impl Signer {
    /// The issuer and the audience of every token.
    pub const ISSUER: &str = "tollgate";

    /// A new Ed25519 key.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Algorithm::EdDsa)
    }

    /// A new key, except for RS256: to make one takes seconds without optimisation, so that one process has one RSA key.
    #[must_use]
    pub fn with(algorithm: Algorithm) -> Self {
        let key = match algorithm {
            Algorithm::EdDsa => Key::EdDsa(Ed25519KeyPair::generate()),
            Algorithm::Es256 => Key::Es256(ES256KeyPair::generate()),
            Algorithm::Rs256 => Key::Rs256(rsa_key()),
        };
        Self { key }
    }

    /// What it signs with.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match self.key {
            Key::EdDsa(_) => Algorithm::EdDsa,
            Key::Es256(_) => Algorithm::Es256,
            Key::Rs256(_) => Algorithm::Rs256,
        }
    }

    /// Its public half as a JWK (RFC 7517), with `kid`, `alg` and `use`.
    #[must_use]
    pub fn jwk(&self) -> Value {
        let text = match &self.key {
            Key::EdDsa(key) => key.public_key().to_jwk(),
            Key::Es256(key) => key.public_key().to_jwk(),
            Key::Rs256(key) => key.public_key().to_jwk(),
        };
        let mut jwk: Value = serde_json::from_str(&text).expect("a JWK is JSON");
        jwk["kid"] = json!(self.algorithm().key_id());
        jwk["alg"] = json!(self.algorithm().name());
        jwk["use"] = json!("sig");
        jwk
    }

    /// A JWKS document with that one key.
    #[must_use]
    pub fn jwks(&self) -> String {
        json!({"keys": [self.jwk()]}).to_string()
    }

    /// What the `auth` filter needs in order to accept its tokens, and only them.
    #[must_use]
    pub fn auth_config(&self) -> Value {
        json!({
            "providers": {"test": {
                "issuer": Self::ISSUER, "audiences": [Self::ISSUER],
                "local_jwks": {"inline_string": self.jwks()},
                "claims": {"user": "uid", "tenant": "tid", "project": "pid", "session": "sid", "tier": "tier", "role": "role", "key": "key"},
            }},
            "api_keys": {"prefixes": ["behest_sk_live_"], "mint_path": "/v1/auth/mint"},
        })
    }

    /// A token of `user` in project `proj_test`, valid for an hour.
    #[must_use]
    pub fn user(&self, user: &str) -> String {
        self.sign(&json!({"uid": user}))
    }

    /// The same with more claims, or others in place of the usual ones; `null` leaves one out.
    ///
    /// # Panics
    /// If `claims` is no object.
    #[must_use]
    pub fn sign(&self, claims: &Value) -> String {
        self.sign_text(self.header().to_string(), Self::claims(claims).to_string())
    }

    /// The claims of such a token.
    ///
    /// # Panics
    /// If `claims` is no object.
    #[must_use]
    pub fn claims(claims: &Value) -> Value {
        let now = now();
        let mut all = json!({
            "iss": Self::ISSUER, "aud": Self::ISSUER, "jti": "test", "iat": now, "nbf": now, "exp": now + HOUR,
            "tid": "tenant_test", "pid": "proj_test", "uid": "u1", "role": "user", "scp": [],
        });
        for (name, value) in claims.as_object().expect("claims are an object") {
            all[name] = value.clone();
        }
        let kept = all.as_object().expect("an object").clone().into_iter().filter(|(_, value)| !value.is_null());
        Value::Object(kept.collect::<Map<String, Value>>())
    }

    /// The header of its tokens.
    #[must_use]
    pub fn header(&self) -> Value {
        json!({"alg": self.algorithm().name(), "typ": "JWT", "kid": self.algorithm().key_id()})
    }

    /// A token of these two texts, byte for byte, whatever they are; the signature is a good one.
    #[must_use]
    pub fn sign_text(&self, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = URL_SAFE_NO_PAD.encode(self.signature(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    /// The signature over any bytes, as the third part of a token has it before its base64url.
    #[must_use]
    pub fn signature(&self, bytes: &[u8]) -> Vec<u8> {
        match &self.key {
            Key::EdDsa(key) => key.key_pair().as_ref().sk.sign(bytes, None).to_vec(),
            Key::Es256(key) => {
                let signature: p256::ecdsa::Signature = key.key_pair().as_ref().sign(bytes);
                signature.to_bytes().to_vec()
            }
            Key::Rs256(key) => rsa_signature(key, bytes).expect("an RSA signature"),
        }
    }
}

fn rsa_key() -> &'static RS256KeyPair {
    static KEY: OnceLock<RS256KeyPair> = OnceLock::new();
    KEY.get_or_init(|| RS256KeyPair::generate(2048).expect("an RSA key"))
}

fn rsa_signature(key: &RS256KeyPair, bytes: &[u8]) -> Result<Vec<u8>, superboring::error::ErrorStack> {
    let key = PKey::from_rsa(key.key_pair().as_ref().clone())?;
    let mut signer = superboring::sign::Signer::new(MessageDigest::sha256(), &key)?;
    signer.set_rsa_padding(Padding::PKCS1)?;
    signer.update(bytes)?;
    signer.sign_to_vec()
}

/// Seconds since 1970, for claims such as `exp`.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "a test makes tokens for the present")]
pub fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jwt_simple::algorithms::{
        ECDSAP256PublicKeyLike, ES256PublicKey, Ed25519PublicKey, EdDSAPublicKeyLike, RS256PublicKey, RSAPublicKeyLike,
    };
    use jwt_simple::claims::JWTClaims;

    fn verified(signer: &Signer, token: &str) -> JWTClaims<Value> {
        let jwk = signer.jwk().to_string();
        match signer.algorithm() {
            Algorithm::EdDsa => Ed25519PublicKey::from_jwk(&jwk).unwrap().verify_token(token, None),
            Algorithm::Es256 => ES256PublicKey::from_jwk(&jwk).unwrap().verify_token(token, None),
            Algorithm::Rs256 => RS256PublicKey::from_jwk(&jwk).unwrap().verify_token(token, None),
        }
        .unwrap()
    }

    #[test]
    fn a_token_is_good_by_the_published_key() {
        for signer in Algorithm::ALL.map(Signer::with) {
            let claims = verified(&signer, &signer.user("ada"));
            assert_eq!((claims.issuer.as_deref(), &claims.custom["uid"]), (Some(Signer::ISSUER), &json!("ada")));
        }
    }

    #[test]
    fn a_claim_is_set_replaced_or_left_out() {
        let payload =
            |token: &str| String::from_utf8(URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap();
        let text = payload(&Signer::new().sign(&json!({"exp": 5, "jti": null, "x": {"y": 1}})));
        assert_eq!(text.matches("\"exp\"").count(), 1, "{text}");
        let claims: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&claims["exp"], claims.get("jti"), &claims["x"]["y"]), (&json!(5), None, &json!(1)));
    }
}
