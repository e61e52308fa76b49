//! The signature algorithms of RFC 7518 and RFC 8037 that a token may be signed with.

use crate::hash::Hash;
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
    /// ECDSA on P-384 with SHA-384 (RFC 7518, 3.4).
    #[cfg_attr(feature = "schema", schemars(rename = "ES384"))]
    Es384,
    /// RSA PKCS#1 v1.5 with SHA-256, keys of 2048 to 4096 bits (RFC 7518, 3.3).
    #[cfg_attr(feature = "schema", schemars(rename = "RS256"))]
    Rs256,
    /// The same with SHA-384.
    #[cfg_attr(feature = "schema", schemars(rename = "RS384"))]
    Rs384,
    /// The same with SHA-512.
    #[cfg_attr(feature = "schema", schemars(rename = "RS512"))]
    Rs512,
    /// RSA PSS with SHA-256 and a salt as long as the hash, keys of 2048 to 4096 bits (RFC 7518, 3.5).
    #[cfg_attr(feature = "schema", schemars(rename = "PS256"))]
    Ps256,
    /// The same with SHA-384.
    #[cfg_attr(feature = "schema", schemars(rename = "PS384"))]
    Ps384,
    /// The same with SHA-512.
    #[cfg_attr(feature = "schema", schemars(rename = "PS512"))]
    Ps512,
    /// HMAC with SHA-256 and a secret of at least 32 bytes, from `local_jwks` alone (RFC 7518, 3.2).
    #[cfg_attr(feature = "schema", schemars(rename = "HS256"))]
    Hs256,
    /// HMAC with SHA-384 and a secret of at least 48 bytes.
    #[cfg_attr(feature = "schema", schemars(rename = "HS384"))]
    Hs384,
    /// HMAC with SHA-512 and a secret of at least 64 bytes.
    #[cfg_attr(feature = "schema", schemars(rename = "HS512"))]
    Hs512,
}

/// What an algorithm is made of, beside its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    EdDsa,
    Ecdsa,
    RsaPkcs1,
    RsaPss,
    Hmac,
}

impl Algorithm {
    /// All of them. There is no `none`, so nothing can choose it.
    pub const ALL: [Self; 12] = [
        Self::EdDsa,
        Self::Es256,
        Self::Es384,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Hs256,
        Self::Hs384,
        Self::Hs512,
    ];

    /// Its name in a token's header and in a key.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
        }
    }

    /// The algorithm of that name, in exactly that spelling.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    pub(crate) fn family(self) -> Family {
        match self {
            Self::EdDsa => Family::EdDsa,
            Self::Es256 | Self::Es384 => Family::Ecdsa,
            Self::Rs256 | Self::Rs384 | Self::Rs512 => Family::RsaPkcs1,
            Self::Ps256 | Self::Ps384 | Self::Ps512 => Family::RsaPss,
            Self::Hs256 | Self::Hs384 | Self::Hs512 => Family::Hmac,
        }
    }

    pub(crate) fn hash(self) -> Hash {
        match self {
            Self::Es256 | Self::Rs256 | Self::Ps256 | Self::Hs256 => Hash::Sha256,
            Self::Es384 | Self::Rs384 | Self::Ps384 | Self::Hs384 => Hash::Sha384,
            Self::EdDsa | Self::Rs512 | Self::Ps512 | Self::Hs512 => Hash::Sha512,
        }
    }
}

impl TryFrom<String> for Algorithm {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::named(&name).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("algorithms has `{name}`, which is never accepted; expected some of {names}")
        })
    }
}

/// The algorithms of a provider that names none: those that need no secret here and that providers sign with.
#[must_use]
pub fn defaults() -> Vec<Algorithm> {
    vec![Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256]
}
