//! User tokens that a test signs itself, for gateways without a companion.

use std::time::SystemTime;

use jwt_simple::algorithms::{Ed25519KeyPair, EdDSAKeyPairLike};
use jwt_simple::claims::Claims;
use jwt_simple::prelude::Duration;
use serde_json::{Value, json};

/// A signing key, and what tokens signed with it say.
#[derive(Debug)]
pub struct Signer {
    key: Ed25519KeyPair,
}

impl Default for Signer {
    fn default() -> Self {
        Self::new()
    }
}

impl Signer {
    /// The issuer and the audience of every token.
    pub const ISSUER: &str = "tollgate";

    /// A new key.
    #[must_use]
    pub fn new() -> Self {
        Self { key: Ed25519KeyPair::generate().with_key_id("test") }
    }

    /// Its public half as a JWKS document.
    #[must_use]
    pub fn jwks(&self) -> String {
        use base64::Engine;
        let x = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(self.key.public_key().to_bytes());
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "test", "x": x}]})
            .to_string()
    }

    /// What the `auth` filter needs in order to accept its tokens, and only them.
    #[must_use]
    pub fn auth_config(&self) -> Value {
        json!({
            "providers": {"test": {
                "issuer": Self::ISSUER, "audiences": [Self::ISSUER],
                "local_jwks": {"inline_string": self.jwks()},
                "claims": {"user": "uid", "tenant": "tid", "project": "pid", "session": "sid", "tier": "tier", "role": "role"},
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
        let mut all = json!({"tid": "tenant_test", "pid": "proj_test", "uid": "u1", "role": "user", "scp": []});
        for (name, value) in claims.as_object().expect("claims are an object") {
            all[name] = value.clone();
        }
        let all: serde_json::Map<String, Value> =
            all.as_object().expect("an object").clone().into_iter().filter(|(_, value)| !value.is_null()).collect();
        let claims = Claims::with_custom_claims(all, Duration::from_hours(1))
            .with_issuer(Self::ISSUER)
            .with_audience(Self::ISSUER)
            .with_jwt_id("test");
        self.key.sign(claims).expect("a signature")
    }
}

/// Seconds since 1970, for claims such as `exp`.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "a test makes tokens for the present")]
pub fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs()
}
