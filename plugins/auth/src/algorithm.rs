//! The signature algorithms of RFC 7518 and RFC 8037 that a token may be signed with.

use serde::Deserialize;

/// A signature algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Algorithm {
    /// Ed25519 (RFC 8037).
    #[cfg_attr(feature = "schema", schemars(rename = "EdDSA"))]
    EdDsa,
    /// ECDSA on P-256 with SHA-256 (RFC 7518, 3.4).
    #[cfg_attr(feature = "schema", schemars(rename = "ES256"))]
    Es256,
    /// RSA PKCS#1 v1.5 with SHA-256, keys of 2048 to 4096 bits (RFC 7518, 3.3).
    #[cfg_attr(feature = "schema", schemars(rename = "RS256"))]
    Rs256,
}

impl Algorithm {
    /// Its name in a token's header and in a key.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }
}

const LATER: [&str; 10] = ["HS256", "HS384", "HS512", "RS384", "RS512", "PS256", "PS384", "PS512", "ES384", "Ed25519"];

impl TryFrom<String> for Algorithm {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        match defaults().into_iter().find(|it| it.name() == name) {
            Some(it) => Ok(it),
            None if LATER.contains(&name.as_str()) => {
                Err(format!("algorithms has `{name}`, which is not supported yet; expected EdDSA, ES256 or RS256"))
            }
            None => Err(format!("algorithms has `{name}`, which is never accepted; expected EdDSA, ES256 or RS256")),
        }
    }
}

/// The algorithms of a provider that names none.
#[must_use]
pub fn defaults() -> Vec<Algorithm> {
    vec![Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256]
}
