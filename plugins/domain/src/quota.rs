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

impl Quota {
    /// `requests` in any `seconds`, all of which may come at once.
    #[must_use]
    pub fn new(requests: NonZeroU32, seconds: NonZeroU32) -> Self {
        Self { requests, per: Per(seconds), burst: None }
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

fn burst<'de, D: Deserializer<'de>>(from: D) -> Result<Option<NonZeroU32>, D::Error> {
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000;

    fn quota(json: &str) -> Quota {
        serde_json::from_str(json).unwrap()
    }

    fn plain(requests: u32, seconds: u32) -> Quota {
        Quota::new(requests.try_into().unwrap(), seconds.try_into().unwrap())
    }

    /// What each of the requests at these microseconds gets: what is left, or how long to wait.
    fn check(quota: Quota, at: impl IntoIterator<Item = u64>) -> Vec<Result<u32, u128>> {
        let mut state = FullAt::default();
        let mut spend = |now| match quota.spend(state, Micros(now)) {
            Ok((next, left)) => {
                state = next;
                Ok(left.remaining)
            }
            Err(refused) => Err(refused.wait.as_micros()),
        };
        at.into_iter().map(&mut spend).collect()
    }

    fn granted(quota: Quota, at: impl IntoIterator<Item = u64>) -> usize {
        check(quota, at).iter().filter(|it| it.is_ok()).count()
    }

    #[test]
    fn a_burst_gets_the_whole_allowance_and_no_more() {
        assert_eq!(check(plain(3, 60), [0, 0, 0, 0]), [Ok(2), Ok(1), Ok(0), Err(20_000_000)]);
        let larger = quota(r#"{"requests": 1, "per": "second", "burst": 4}"#);
        assert_eq!(granted(larger, [0; 9]), 4);
        let smaller = quota(r#"{"requests": 60, "per": "minute", "burst": 2}"#);
        assert_eq!(granted(smaller, [0, 0, 0, SECOND, SECOND]), 3);
    }

    #[test]
    fn an_allowance_that_does_not_divide_the_window_is_not_rounded_down() {
        for requests in 1..500 {
            let want = usize::try_from(requests).unwrap();
            assert_eq!(granted(plain(requests, 10), [0; 501]), want);
        }
    }

    #[test]
    fn no_fraction_is_lost_over_a_million_requests() {
        // Seven a second, asked for at the first microsecond at which each can be granted.
        let (quota, mut state) = (plain(7, 1), FullAt::default());
        for nth in 0..1_000_000_u64 {
            let now = Micros(nth.saturating_sub(6) * SECOND / 7 + u64::from(nth > 6 && (nth - 6) % 7 != 0));
            let early = Micros(now.0.saturating_sub(1));
            if nth > 6 {
                assert!(quota.spend(state, early).is_err(), "{nth}");
            }
            state = quota.spend(state, now).unwrap().0;
        }
    }

    #[test]
    fn the_allowance_comes_back_evenly() {
        let at = [0, 0, 0, 19, 20, 20].map(|it| it * SECOND);
        assert_eq!(granted(plain(3, 60), at), 4);
    }

    #[test]
    fn remaining_and_reset_say_what_would_be_granted() {
        let quota = plain(3, 60);
        let (state, left) = quota.spend(FullAt::default(), Micros(SECOND)).unwrap();
        assert_eq!(left, Left { remaining: 2, reset: Duration::from_secs(20) });
        let (_, left) = quota.spend(state, Micros(2 * SECOND)).unwrap();
        assert_eq!(left, Left { remaining: 1, reset: Duration::from_secs(39) });
    }

    #[test]
    fn a_clock_set_back_or_another_quotas_state_owes_no_more_than_one_burst() {
        let later = FullAt { at: Micros(u64::MAX), part: u32::MAX };
        let refused = plain(3, 60).spend(later, Micros(0)).unwrap_err();
        assert_eq!(refused.wait, Duration::from_secs(20));
        assert_eq!(refused.left, Left { remaining: 0, reset: Duration::from_secs(60) });
    }

    #[test]
    fn the_largest_quota_counts_too() {
        let most = quota(r#"{"requests": 4294967295, "per": 4294967295, "burst": 4294967295}"#);
        assert_eq!(check(most, [1, 1]), [Ok(u32::MAX - 1), Ok(u32::MAX - 2)]);
        let slowest = quota(r#"{"requests": 1, "per": 4294967295, "burst": 4294967295}"#);
        assert_eq!(granted(slowest, [0, 1]), 2);
    }

    #[test]
    fn a_configuration_says_what_is_wrong_with_it() {
        let check = |json: &str| serde_json::from_str::<Quota>(json).unwrap_err().to_string();
        for (json, why) in [
            (r#"{"requests": 0, "per": "day"}"#, "`requests` is 0; expected a whole number from 1"),
            (r#"{"requests": -1, "per": "day"}"#, "`requests` is -1; expected"),
            (r#"{"requests": "ten", "per": "day"}"#, "`requests` is \"ten\"; expected"),
            (r#"{"requests": 1, "per": "week"}"#, "`per` is \"week\"; expected \"second\","),
            (r#"{"requests": 1, "per": 0}"#, "`per` is 0; expected"),
            (r#"{"requests": 1, "per": 1.5}"#, "`per` is 1.5; expected"),
            (r#"{"requests": 1, "per": "day", "burst": 0}"#, "`burst` is 0; expected"),
            (r#"{"requests": 1, "per": "day", "burst": null}"#, "`burst` is null; expected"),
            (r#"{"requests": 1}"#, "missing field `per`"),
            (r#"{"requests": 1, "per": "day", "brust": 1}"#, "unknown field `brust`"),
        ] {
            let said = check(json);
            assert!(said.contains(why), "{json}: {said}");
        }
    }

    #[test]
    fn a_quota_reads_as_a_sentence() {
        let check = |json: &str| quota(json).to_string();
        assert_eq!(check(r#"{"requests": 10, "per": "minute"}"#), "10 requests per minute");
        assert_eq!(check(r#"{"requests": 1, "per": 86400}"#), "1 request per day");
        assert_eq!(check(r#"{"requests": 2, "per": 90}"#), "2 requests per 90 seconds");
    }

    proptest! {
        #[test]
        fn no_span_gets_more_than_the_burst_and_its_share(
            requests in 1..200_u32, seconds in 1..100_u32, burst in 1..50_u32,
            gaps in prop::collection::vec(0..300_000_u64, 1..300),
        ) {
            let quota = Quota { burst: NonZeroU32::new(burst), ..plain(requests, seconds) };
            let at: Vec<u64> = gaps.iter().scan(0, |now, gap| { *now += gap; Some(*now) }).collect();
            let granted: Vec<u64> = check(quota, at.clone()).iter().zip(&at)
                .filter(|(it, _)| it.is_ok()).map(|(_, at)| *at).collect();
            for (nth, from) in granted.iter().enumerate() {
                for (count, to) in granted[nth..].iter().enumerate() {
                    let share = u128::from(to - from) * u128::from(requests);
                    let window = u128::from(seconds) * 1_000_000;
                    prop_assert!((count as u128 + 1 - u128::from(burst).min(count as u128 + 1)) * window <= share);
                }
            }
        }

        #[test]
        fn the_wait_is_enough_and_not_more(
            requests in 1..1_000_u32, seconds in 1..100_u32, now in 0..u64::MAX / 2, later in 0..1_000_000_u64,
        ) {
            let (quota, mut state, now) = (plain(requests, seconds), FullAt::default(), Micros(now));
            while let Ok((next, _)) = quota.spend(state, now) {
                state = next;
            }
            let now = Micros(now.0 + later);
            if let Err(refused) = quota.spend(state, now) {
                let there = now.after(refused.wait);
                prop_assert!(quota.spend(state, there).is_ok());
                prop_assert!(quota.spend(state, Micros(there.0 - 1)).is_err());
            }
        }
    }
}
