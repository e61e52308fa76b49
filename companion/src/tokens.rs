//! End users' tokens: signed when minted, verified where the companion itself is asked.
//!
//! Only `EdDSA` by the companion's own key is accepted, whatever a token says of itself.

use crate::caller::Caller;
use crate::failure::Failure;
use crate::names::Name;
use crate::signing_key::SigningKey;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::time::Micros;
use serde::{Deserialize, Serialize};

/// A tier as it stands in a request and in a token: published clients send a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) enum Tier {
    /// A number, from 0.
    Number(u64),
    /// A name.
    Name(String),
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Claims {
    /// The tenant.
    pub(crate) tid: String,
    /// The project.
    pub(crate) pid: String,
    /// The end user.
    pub(crate) uid: String,
    /// The end user's role.
    pub(crate) role: String,
    /// Scopes; none means all that an end user has.
    pub(crate) scp: Vec<String>,
    /// The session that the token was minted for.
    pub(crate) sid: String,
    /// Who issued it.
    pub(crate) iss: String,
    /// For whom.
    pub(crate) aud: String,
    /// When it was issued, in seconds since 1970.
    pub(crate) iat: u64,
    /// Not valid before this second.
    pub(crate) nbf: u64,
    /// Not valid from this second on.
    pub(crate) exp: u64,
    /// The token's own id.
    pub(crate) jti: String,
    /// The end user's tier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tier: Option<Tier>,
}

/// Signs and verifies tokens of one issuer.
#[derive(Debug, Clone)]
pub(crate) struct Tokens {
    /// The key.
    pub(crate) key: SigningKey,
    /// `iss`.
    pub(crate) issuer: String,
    /// `aud`.
    pub(crate) audience: String,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: String,
    #[serde(default)]
    crit: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Required {
    pid: String,
    uid: String,
    iss: String,
    aud: String,
    nbf: u64,
    exp: u64,
}

impl Tokens {
    /// A token that says `claims` (RFC 7515, compact).
    ///
    /// # Errors
    /// 503 when nothing can sign at `now`.
    #[expect(clippy::unused_async, reason = "it will write down how long the token lives")]
    pub(crate) async fn sign(&self, claims: &Claims, _now: Micros) -> Result<String, Failure> {
        let header = format!(r#"{{"alg":"EdDSA","kid":"{}","typ":"JWT"}}"#, self.key.kid());
        // Strings and numbers always serialise; the default can not be reached.
        let claims = serde_json::to_string(claims).unwrap_or_default();
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(signed.as_bytes()));
        Ok(format!("{signed}.{signature}"))
    }

    /// Whose token this is.
    ///
    /// # Errors
    /// 401: `token_expired` for one that was good, `invalid_token` for every other reason alike.
    #[expect(clippy::unused_async, reason = "it will look for changes of the keys")]
    pub(crate) async fn verify(&self, token: &str, now: Micros) -> Result<Caller, Failure> {
        let claims = self.claims(token).ok_or_else(invalid)?;
        if claims.exp <= now.seconds() {
            return Err(Failure::unauthorized("token_expired", "The token has expired; mint a new one."));
        }
        let valid = claims.iss == self.issuer && claims.aud == self.audience && claims.nbf <= now.seconds();
        let name = |text| Name::try_from(text).ok();
        match (name(claims.pid), name(claims.uid)) {
            (Some(project), Some(user)) if valid => Ok(Caller { project, user }),
            _ => Err(invalid()),
        }
    }

    /// What the token says, if it is signed by the key.
    fn claims(&self, token: &str) -> Option<Required> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header: Header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        let ours = header.alg == "EdDSA" && header.kid == self.key.kid() && header.crit.is_none();
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        if !ours || !self.key.verifies(signed.as_bytes(), &signature) {
            return None;
        }
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
    }
}

fn invalid() -> Failure {
    Failure::unauthorized("invalid_token", "The token is not valid here: expected one that this gateway minted.")
}

#[cfg(test)]
mod tests;
