//! What verified claims say: until when they hold, for whom they were made, and who calls.

use crate::config::Provider;
use crate::mapping::{ClaimPath, Fixed, Name, Source, is_plain};
use domain::{caller::Caller, time::Micros};
use serde_json::{Map, Value};
use std::time::Duration;

/// The members of a token's payload.
pub type Members = Map<String, Value>;

/// Why claims are not accepted although their signature is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A date is missing, is no number, or lies beyond what a number can tell exactly.
    Date,
    /// `aud` does not name us.
    Audience,
    /// A claim that the operator requires is not as required.
    Required,
    /// A claim that says who calls is missing or no plain text.
    Identity,
    /// `nbf` or `iat` lie in the future.
    Early,
    /// `exp` is past.
    Expired,
}

/// When a token holds; the default is always.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Window {
    /// The later of `nbf` and `iat`, the clocks' difference already taken off.
    from: Micros,
    /// `exp`, the clocks' difference already added.
    until: Option<Micros>,
}

impl Window {
    /// Whether the token holds at `now`.
    ///
    /// # Errors
    /// [`Fault::Early`] or [`Fault::Expired`].
    pub fn check(self, now: Micros) -> Result<(), Fault> {
        if now < self.from {
            return Err(Fault::Early);
        }
        // RFC 7519, 4.1.4: not accepted "on or after".
        if self.until.is_some_and(|until| now >= until) { Err(Fault::Expired) } else { Ok(()) }
    }
}

/// Reads claims whose signature is good and whose `iss` is the provider's.
///
/// # Errors
/// What is wrong with them, whatever the time.
pub fn read(provider: &Provider, claims: &Members) -> Result<(Caller, Window), Fault> {
    let window = window(provider, claims)?;
    let ours = match &provider.audiences {
        Some(audiences) => names_one(claims.get("aud"), audiences),
        // RFC 7519, 4.1.3: whoever is not named by an `aud` that is there must refuse the token.
        None => !claims.contains_key("aud"),
    };
    if !ours {
        return Err(Fault::Audience);
    }
    let required = |(path, values): (&ClaimPath, &Vec<String>)| {
        find(claims, path.as_str()).is_ok_and(|claim| names_one(claim, values))
    };
    if !provider.required_claims.iter().all(required) {
        return Err(Fault::Required);
    }
    Ok((caller(provider, claims)?, window))
}

fn window(provider: &Provider, claims: &Members) -> Result<Window, Fault> {
    let skew = Duration::from_secs(provider.clock_skew_seconds.into());
    let date = |name: &str| claims.get(name).map(date).transpose();
    let (expires, starts, issued) = (date("exp")?, date("nbf")?, date("iat")?);
    if expires.is_none() && provider.require_expiration {
        return Err(Fault::Date);
    }
    let from = starts.unwrap_or_default().max(issued.unwrap_or_default());
    // Saturates at zero.
    let from = Micros(u64::try_from(from.saturating_sub(skew).as_micros()).unwrap_or(u64::MAX));
    // Zero is no time that anybody waits for: it does not become a minute past 1970.
    let until = expires.map(|it| if it.is_zero() { Micros(0) } else { Micros(0).after(it.saturating_add(skew)) });
    Ok(Window { from, until })
}

/// The largest number of seconds that every JSON reader reads alike: 2^53.
const LARGEST: f64 = 9_007_199_254_740_992.0;

/// A NumericDate (RFC 7519, 2) as the time since 1970; before that is zero.
fn date(value: &Value) -> Result<Duration, Fault> {
    let seconds = value.as_f64().filter(|it| *it <= LARGEST).ok_or(Fault::Date)?;
    Duration::try_from_secs_f64(seconds.max(0.0)).map_err(|_| Fault::Date)
}

/// Whether `claim` is one of `allowed`, or a list of texts that has one of them; so `aud` is read (RFC 7519, 4.1.3).
#[must_use]
pub fn names_one(claim: Option<&Value>, allowed: &[impl AsRef<str>]) -> bool {
    let is_allowed = |it: &str| allowed.iter().any(|one| one.as_ref() == it);
    match claim {
        Some(Value::String(it)) => is_allowed(it),
        Some(Value::Array(all)) => {
            all.iter().all(Value::is_string) && all.iter().filter_map(Value::as_str).any(is_allowed)
        }
        _ => false,
    }
}

/// The claim at `path`, if there is one. Something else than an object on the way to it is a fault, not an absence: the
/// token says something in that place, and not what the operator expects there.
fn find<'a>(claims: &'a Members, path: &str) -> Result<Option<&'a Value>, Fault> {
    // Auth0 asks for claims that are named by an address, dots and all.
    if let Some(claim) = claims.get(path) {
        return Ok(Some(claim));
    }
    let mut names = path.split('.');
    let mut found = names.next().and_then(|first| claims.get(first));
    for name in names {
        let Some(value) = found else { return Ok(None) };
        found = value.as_object().ok_or(Fault::Identity)?.get(name);
    }
    Ok(found)
}

fn caller(provider: &Provider, claims: &Members) -> Result<Caller, Fault> {
    let (named, none) = (&provider.claims, Fixed::default());
    let fixed = provider.fixed.as_ref().unwrap_or(&none);
    let text = |fixed: &Option<Name>, claim: &Option<ClaimPath>, usual| match Source::of(fixed, claim, usual) {
        Source::Fixed(name) => Ok(Some(name.as_str().to_owned())),
        Source::Claim(path) => find(claims, path)?.map(plain).transpose(),
    };
    let tier = match Source::of(&fixed.tier, &named.tier, "tier") {
        Source::Fixed(name) => Some(name.as_str().to_owned()),
        Source::Claim(path) => find(claims, path)?.map(|it| tier(provider, it)).transpose()?,
    };
    // These two say nothing about who calls, so a token that uses the names for something else is no worse for it.
    let label = |path| find(claims, path).ok().flatten().and_then(|it| plain(it).ok());
    Ok(Caller {
        tenant: text(&fixed.tenant, &named.tenant, "tid")?,
        project: text(&fixed.project, &named.project, "pid")?.ok_or(Fault::Identity)?,
        user: text(&None, &named.user, "uid")?.ok_or(Fault::Identity)?,
        role: text(&fixed.role, &named.role, "role")?,
        tier,
        session: text(&None, &named.session, "sid")?,
        key: named.key.as_ref().and_then(|path| label(path.as_str())),
        token: label("jti"),
    })
}

fn plain(claim: &Value) -> Result<String, Fault> {
    let text = claim.as_str().ok_or(Fault::Identity)?;
    if is_plain(text) { Ok(text.to_owned()) } else { Err(Fault::Identity) }
}

/// The tier that a claim names, in the gateway's own word if there is one for it.
fn tier(provider: &Provider, claim: &Value) -> Result<String, Fault> {
    let said = match claim {
        Value::Number(it) if it.is_i64() || it.is_u64() => it.to_string(),
        other => plain(other)?,
    };
    let ours = provider.tiers.as_ref().and_then(|tiers| tiers.get(said.as_str()));
    Ok(ours.map_or(said, |it| it.as_str().to_owned()))
}
