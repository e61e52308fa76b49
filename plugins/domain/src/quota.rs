//! Rate limits, as the generic cell rate algorithm (GCRA): one moment of state per caller.
//!
//! A caller has an allowance of `burst` requests, which comes back at an even `requests` per window.
//! So in any span of time at most `burst` plus the span's share of the rate are granted, and there
//! is no window whose edge could be used twice. Nothing is rounded: a request costs `window /
//! requests`, kept as whole microseconds and a fraction of one.

use crate::time::Micros;
use serde::{Deserialize, Deserializer, de::Error};
use std::num::{NonZeroU32, NonZeroU128};
use std::time::Duration;

/// How many requests are allowed in how long a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Quota {
    /// How many requests come back in a window; at least 1.
    #[serde(deserialize_with = "requests")]
    requests: NonZeroU32,
    /// The window: "second", "minute", "hour", "day", or a whole number of seconds from 1.
    per: Per,
    /// How many requests may come at once; at least 1. By default as many as come back in a window.
    #[serde(default, deserialize_with = "burst")]
    burst: Option<NonZeroU32>,
}

/// The length of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Per(NonZeroU32);

/// When a caller's allowance is whole again; all that is kept of a caller. The default is a caller
/// who never asked. Read under another quota than it was written under it is off by less than a
/// microsecond, and never owes more than that quota's whole burst.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct FullAt {
    /// The whole microseconds.
    pub at: Micros,
    /// What comes on top, as a count of the quota's `requests`ths of a microsecond.
    pub part: u32,
}

/// What a caller has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// How many requests would be granted at once, now.
    pub remaining: u32,
    /// In how long the allowance is whole again, rounded up to a microsecond.
    pub reset: Duration,
}

/// No request is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// What the caller has left.
    pub left: Left,
    /// In how long the next request would be granted: not a microsecond earlier, nor later.
    pub wait: Duration,
}

impl Per {
    /// A window of so many seconds.
    #[must_use]
    pub const fn new(seconds: NonZeroU32) -> Self {
        Self(seconds)
    }
}

impl Quota {
    /// `requests` in any `seconds`, all of which may come at once.
    #[must_use]
    pub fn new(requests: NonZeroU32, seconds: NonZeroU32) -> Self {
        Self::of(requests, Per(seconds), None)
    }

    /// `requests` in a window, `burst` of which may come at once; all of them, if it is not said.
    #[must_use]
    pub const fn of(requests: NonZeroU32, per: Per, burst: Option<NonZeroU32>) -> Self {
        Self { requests, per, burst }
    }

    /// How many requests come back in a window.
    #[must_use]
    pub const fn requests(self) -> u32 {
        self.requests.get()
    }

    /// The window, in seconds.
    #[must_use]
    pub const fn seconds(self) -> u32 {
        self.per.0.get()
    }

    /// Whether it grants less than `other`: in the long run, or, where they are the same in that, at once.
    #[must_use]
    pub fn below(self, other: Self) -> bool {
        let rate = |one: Self, another: Self| u64::from(one.requests()).saturating_mul(u64::from(another.seconds()));
        (rate(self, other), self.burst()) < (rate(other, self), other.burst())
    }

    /// The whole allowance: the most that can ever be left.
    #[must_use]
    pub fn burst(self) -> u32 {
        self.burst.unwrap_or(self.requests).get()
    }

    /// Spends one request at `now`. The state to keep comes back; a refusal changes nothing.
    ///
    /// # Errors
    /// [`Refused`] when the allowance is spent.
    pub fn spend(self, state: FullAt, now: Micros) -> Result<(FullAt, Left), Refused> {
        // A debt is counted in `requests`ths of a microsecond, in which one request costs a whole
        // window. The largest, u32 × u32 × 10⁶, is far below 2¹²⁸; saturation is never reached.
        let debt = self.debt(state, now);
        let (cost, most) = (self.window(), self.capacity());
        let next = debt.saturating_add(cost);
        match next.checked_sub(most) {
            None | Some(0) => Ok((self.state(next, now), self.left(next))),
            Some(over) => Err(Refused { left: self.left(debt), wait: self.span(over) }),
        }
    }

    /// What a caller has left at `now`, spending nothing.
    #[must_use]
    pub fn left_at(self, state: FullAt, now: Micros) -> Left {
        self.left(self.debt(state, now))
    }

    /// Gives back a request that was spent, at whose spending [`Quota::spend`] returned `spent`. At the same moment that is
    /// exactly what it cost. Later it is what would still be owed of it if nobody else had asked since: never more than
    /// its spending takes from others now, so that nobody gains by a request that is given back.
    #[must_use]
    pub fn refund(self, state: FullAt, spent: FullAt, now: Micros) -> FullAt {
        let owed = self.debt(spent, now).min(self.window());
        self.state(self.debt(state, now).saturating_sub(owed), now)
    }

    /// A window, in `requests`ths of a microsecond, over `requests`: what one request costs.
    fn window(self) -> u128 {
        u128::from(self.per.0.get()).saturating_mul(1_000_000)
    }

    fn capacity(self) -> u128 {
        self.window().saturating_mul(u128::from(self.burst()))
    }

    fn debt(self, state: FullAt, now: Micros) -> u128 {
        let parts = u128::from(self.requests.get());
        let part = u128::from(state.part.min(self.requests.get().saturating_sub(1)));
        let scaled = |it: Micros| u128::from(it.0).saturating_mul(parts);
        let owed = scaled(state.at).saturating_add(part).saturating_sub(scaled(now));
        // More than the capacity is owed only by another quota, a clock set back, or a broken state.
        owed.min(self.capacity())
    }

    fn state(self, debt: u128, now: Micros) -> FullAt {
        let parts = NonZeroU128::from(self.requests);
        let whole = u64::try_from(debt / parts).unwrap_or(u64::MAX);
        let part = u32::try_from(debt % parts).unwrap_or_default();
        FullAt { at: Micros(now.0.saturating_add(whole)), part }
    }

    fn left(self, debt: u128) -> Left {
        let free = self.capacity().saturating_sub(debt);
        let free = free.checked_div(self.window()).unwrap_or_default();
        let remaining = u32::try_from(free).unwrap_or(u32::MAX);
        Left { remaining, reset: self.span(debt) }
    }

    /// A debt as time, rounded up.
    fn span(self, debt: u128) -> Duration {
        let micros = debt.div_ceil(u128::from(self.requests.get()));
        Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }
}

impl std::fmt::Display for Quota {
    /// As in "10 requests per minute".
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let requests = self.requests.get();
        let plural = if requests == 1 { "" } else { "s" };
        write!(out, "{requests} request{plural} per ")?;
        match self.per.0.get() {
            1 => write!(out, "second"),
            60 => write!(out, "minute"),
            3_600 => write!(out, "hour"),
            86_400 => write!(out, "day"),
            seconds => write!(out, "{seconds} seconds"),
        }
    }
}

/// A number or a word, as it stands in a configuration; a message can show it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(u64),
    Word(String),
    Other(serde_json::Value),
}

impl std::fmt::Display for Written {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(it) => write!(out, "{it}"),
            Self::Word(it) => write!(out, "{it:?}"),
            Self::Other(it) => write!(out, "{it}"),
        }
    }
}

impl Written {
    fn positive(&self) -> Option<NonZeroU32> {
        match self {
            Self::Number(it) => u32::try_from(*it).ok().and_then(NonZeroU32::new),
            Self::Word(_) | Self::Other(_) => None,
        }
    }
}

fn positive<'de, D: Deserializer<'de>>(key: &str, from: D) -> Result<NonZeroU32, D::Error> {
    let written = Written::deserialize(from)?;
    written.positive().ok_or_else(|| {
        D::Error::custom(format!("`{key}` is {written}; expected a whole number from 1 to {}", u32::MAX))
    })
}

fn requests<'de, D: Deserializer<'de>>(from: D) -> Result<NonZeroU32, D::Error> {
    positive("requests", from)
}

/// Reads a `requests` that may be left out, for `deserialize_with`.
///
/// # Errors
/// What was found and what is expected.
pub fn requests_if_given<'de, D: Deserializer<'de>>(from: D) -> Result<Option<NonZeroU32>, D::Error> {
    requests(from).map(Some)
}

/// Reads a `burst` that may be left out, for `deserialize_with`.
///
/// # Errors
/// What was found and what is expected.
pub fn burst<'de, D: Deserializer<'de>>(from: D) -> Result<Option<NonZeroU32>, D::Error> {
    positive("burst", from).map(Some)
}

impl<'de> Deserialize<'de> for Per {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(from)?;
        let word = |it: &str| match it {
            "second" => NonZeroU32::new(1),
            "minute" => NonZeroU32::new(60),
            "hour" => NonZeroU32::new(3_600),
            "day" => NonZeroU32::new(86_400),
            _ => None,
        };
        let seconds = match &written {
            Written::Word(it) => word(it),
            other => other.positive(),
        };
        seconds.map(Self).ok_or_else(|| {
            D::Error::custom(format!(
                "`per` is {written}; expected \"second\", \"minute\", \"hour\", \"day\" or a whole \
                 number of seconds from 1 to {}",
                u32::MAX
            ))
        })
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Per {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Per".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "anyOf": [
                {"type": "string", "enum": ["second", "minute", "hour", "day"]},
                {"type": "integer", "minimum": 1, "maximum": u32::MAX},
            ]
        })
    }
}

#[cfg(test)]
mod tests;
