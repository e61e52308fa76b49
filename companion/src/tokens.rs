//! End users' tokens: signed when minted, verified where the companion itself is asked.
//!
//! A token is accepted if a published key made it: the companion's own, or a tenant's for that tenant's
//! project alone. What a token says of itself decides nothing but which of them is asked.

use crate::caller::{Caller, Holder};
use crate::failure::Failure;
use crate::names::Name;
use crate::published::Published;
use crate::signing::{Algorithm, NoSignature, PrivateKey, Ring, SKEW};
use auth::claims::names_one;
use auth::jwks::Key;
use auth::token::Token;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::time::Micros;
use serde::Serialize;
use serde_json::{Map, Value};
use std::time::Duration;

/// Issuers and the audience that published clients write into what a tenant signs, whatever the gateway.
const KINDRED_ISSUERS: [&str; 2] = ["behest", "https://api.behest.ai"];
const KINDRED_AUDIENCE: &str = "behest";

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
    /// The id of the API key that it was minted with; never the key.
    pub(crate) key: String,
    /// The end user's tier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tier: Option<Tier>,
}

/// Signs and verifies tokens of one issuer.
#[derive(Debug)]
pub(crate) struct Tokens {
    /// The keys.
    pub(crate) ring: Ring,
    /// `iss`.
    pub(crate) issuer: String,
    /// `aud`.
    pub(crate) audience: String,
}

impl Tokens {
    /// A token that says `claims` (RFC 7515, compact).
    ///
    /// # Errors
    /// 503 when nothing can sign at `now`.
    pub(crate) async fn sign(&self, claims: &Claims, now: Micros) -> Result<String, Failure> {
        let signer = self.ring.signer(Micros::from_seconds(claims.exp), now).await;
        let key = signer.map_err(|error| match error {
            NoSignature::Store(error) => error.into(),
            NoSignature::NoKey => unsigned(),
        })?;
        // Strings and numbers always serialise.
        let claims = serde_json::to_string(claims).map_err(|_| unsigned())?;
        match key.algorithm() {
            // Milliseconds, in which this thread would serve nobody else.
            Algorithm::Rs256 => tokio::task::spawn_blocking(move || compact(&key, &claims)).await.ok().flatten(),
            Algorithm::EdDsa | Algorithm::Es256 => compact(&key, &claims),
        }
        .ok_or_else(unsigned)
    }

    /// Whose token this is.
    ///
    /// # Errors
    /// 401: `token_expired` for one that was good, `invalid_token` for every other reason alike; 503 when the
    /// database does not say which keys are revoked.
    pub(crate) async fn verify(&self, text: &str, now: Micros) -> Result<Holder, Failure> {
        let known = self.ring.known(now).await?;
        let (holder, window) = self.read(&known.published, text).ok_or_else(invalid)?;
        match window {
            Window { until, .. } if until <= now => {
                Err(Failure::unauthorized("token_expired", "The token has expired; mint a new one."))
            }
            Window { from, .. } if now < from => Err(invalid()),
            Window { .. } => Ok(holder),
        }
    }

    /// The keys that verify tokens, as a JWK set; those that were known last when the database does not answer.
    ///
    /// # Errors
    /// When it never did.
    pub(crate) async fn published(&self, now: Micros) -> Result<String, sqlx::Error> {
        let known = match (self.ring.known(now).await, self.ring.last()) {
            (Ok(known), _) | (Err(_), Some(known)) => known,
            (Err(error), None) => return Err(error),
        };
        Ok(known.published.document.clone())
    }

    fn read(&self, published: &Published, text: &str) -> Option<(Holder, Window)> {
        let token = auth::token::parse(text).ok()?;
        let key = published.signer(text, &token)?;
        self.is_for(key, &token).then_some(())?;
        let name = |claim: &str| Name::claim(token.claims.get(claim)?.as_str()?.to_owned()).ok();
        let caller = Caller { project: name("pid")?, user: name("uid")? };
        // Whoever signs for a tenant may say what it likes of its own users, but not that another's key minted.
        let minted_with = if key.binding.is_none() { name("key") } else { None };
        Some((
            Holder { caller, tenant: name("tid"), key: minted_with, scopes: scopes(&token.claims)? },
            window(&token.claims)?,
        ))
    }

    /// Whether who signed may speak for whom the token names, to us.
    fn is_for(&self, key: &Key, token: &Token) -> bool {
        let says = |claim: &str, value: &str| token.claims.get(claim).and_then(Value::as_str) == Some(value);
        let is_for = |audience: &str| names_one(token.claims.get("aud"), &[audience]);
        let ours = says("iss", &self.issuer) && is_for(&self.audience);
        let Some(tenant) = &key.binding else {
            return ours;
        };
        let kindred = KINDRED_ISSUERS.iter().any(|it| says("iss", it)) && is_for(KINDRED_AUDIENCE);
        (ours || kindred) && says("tid", &tenant.tenant) && says("pid", &tenant.project)
    }
}

/// What the token is good for, as a list or as one text (RFC 8693, section 4.2); none means everything.
fn scopes(claims: &Map<String, Value>) -> Option<Vec<String>> {
    match claims.get("scp") {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::String(all)) => Some(all.split_whitespace().map(str::to_owned).collect()),
        Some(Value::Array(all)) => all.iter().map(|it| it.as_str().map(str::to_owned)).collect(),
        // It could mean anything, so it is no token of ours.
        Some(_) => None,
    }
}

/// When a token holds, the clocks' difference allowed for.
struct Window {
    from: Micros,
    until: Micros,
}

fn window(claims: &Map<String, Value>) -> Option<Window> {
    let until = date(claims.get("exp")?)?;
    let starts = |claim: &str| claims.get(claim).map_or(Some(Micros(0)), date);
    let from = starts("nbf")?.max(starts("iat")?);
    let from = Micros(from.0.saturating_sub(Micros(0).after(SKEW).0));
    // Zero is no time that anybody waits for: it does not become a minute past 1970.
    Some(Window { from, until: if until == Micros(0) { until } else { until.after(SKEW) } })
}

/// A NumericDate (RFC 7519, section 2), up to what every reader of JSON reads alike.
fn date(value: &Value) -> Option<Micros> {
    let seconds = value.as_f64().filter(|it| (0.0..=9_007_199_254_740_992.0).contains(it))?;
    Some(Micros(0).after(Duration::try_from_secs_f64(seconds).ok()?))
}

fn compact(key: &PrivateKey, claims: &str) -> Option<String> {
    let header = format!(r#"{{"alg":"{}","kid":"{}","typ":"JWT"}}"#, key.algorithm().name(), key.kid);
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes())?);
    Some(format!("{signed}.{signature}"))
}

fn unsigned() -> Failure {
    tracing::error!("a token could not be signed");
    let message = "The companion cannot sign tokens at the moment; its log says why.";
    Failure(domain::reply::Reply::new(503, "companion_unavailable", message).header("retry-after", "1"))
}

fn invalid() -> Failure {
    Failure::unauthorized("invalid_token", "The token is not valid here: expected one that this gateway minted.")
}

#[cfg(test)]
mod tests;
