//! What verified claims say: until when they hold, for whom they were made, and who calls.

use crate::config::{ClaimPath, Provider};
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
    if !names_one(claims.get("aud"), &provider.audiences) {
        return Err(Fault::Audience);
    }
    let required = |(path, values): (&ClaimPath, &Vec<String>)| names_one(find(claims, path), values);
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

/// Whether `claim` is one of `allowed`, or a list of texts that has one of them.
fn names_one(claim: Option<&Value>, allowed: &[String]) -> bool {
    let is_allowed = |it: &str| allowed.iter().any(|one| one == it);
    match claim {
        Some(Value::String(it)) => is_allowed(it),
        Some(Value::Array(all)) => {
            all.iter().all(Value::is_string) && all.iter().filter_map(Value::as_str).any(is_allowed)
        }
        _ => false,
    }
}

fn find<'a>(claims: &'a Members, path: &ClaimPath) -> Option<&'a Value> {
    let nested = || {
        let mut names = path.as_str().split('.');
        let first = claims.get(names.next()?)?;
        names.try_fold(first, |value, name| value.as_object()?.get(name))
    };
    // Auth0 asks for claims that are named by an address, dots and all.
    claims.get(path.as_str()).or_else(nested)
}

fn caller(provider: &Provider, claims: &Members) -> Result<Caller, Fault> {
    let names = &provider.claims;
    let text = |path| match find(claims, path) {
        None => Ok(None),
        Some(Value::String(it)) if is_plain(it) => Ok(Some(it.clone())),
        Some(_) => Err(Fault::Identity),
    };
    let tier = match find(claims, &names.tier) {
        Some(Value::Number(it)) if it.is_i64() || it.is_u64() => Some(it.to_string()),
        _ => text(&names.tier)?,
    };
    Ok(Caller {
        tenant: text(&names.tenant)?,
        project: text(&names.project)?.ok_or(Fault::Identity)?,
        user: text(&names.user)?.ok_or(Fault::Identity)?,
        role: text(&names.role)?,
        tier,
        session: text(&names.session)?,
    })
}

/// Whether a text can be a header, a key of a counter and a line of a log without becoming another:
/// 1 to 255 characters, all of them visible or spaces, no space at the ends.
fn is_plain(text: &str) -> bool {
    let length = text.chars().count();
    (1..=255).contains(&length) && text.trim() == text && text.chars().all(is_visible)
}

fn is_visible(it: char) -> bool {
    let white = it.is_whitespace() && it != ' ';
    // What has no shape of its own: joiners, directions, tags, fillers. Two names that differ only
    // in these look the same.
    let invisible = matches!(it,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}');
    !white && !invisible && !it.is_control()
}
