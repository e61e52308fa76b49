//! Time as a number that somebody passes in.

use serde::Deserialize;
use std::time::Duration;

/// A moment, in microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub u64);

impl Micros {
    /// The moment `seconds` after 1970.
    #[must_use]
    pub fn from_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Whole seconds since 1970, rounded down.
    #[must_use]
    pub fn seconds(self) -> u64 {
        self.0.checked_div(1_000_000).unwrap_or_default()
    }

    /// `wait` later.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(micros(wait)))
    }

    /// How long after `earlier` this is; zero when it is not.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// A length of time in a configuration: a number with a unit, `"250ms"`, `"2s"`, `"0.5s"`; never zero.
///
/// The `s` form is what Envoy's configuration accepts (the protobuf JSON mapping of `Duration`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Period(Duration);

impl Period {
    /// A period of `millis` milliseconds, for defaults; zero becomes one.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(if millis == 0 { 1 } else { millis }))
    }

    /// The length.
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }

    /// Whether it lies in a range, ends included.
    ///
    /// # Errors
    /// What `key` is and what is expected.
    pub fn between(self, key: &str, least: Duration, most: Duration) -> Result<(), String> {
        if (least..=most).contains(&self.0) {
            return Ok(());
        }
        Err(format!("{key} is {:?}; expected {least:?} to {most:?}", self.0))
    }
}

impl TryFrom<String> for Period {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no period: expected a number with a unit, as in \"250ms\" or \"2s\"");
        let (number, unit) = match text.strip_suffix("ms") {
            Some(number) => (number, 0.001),
            None => (text.strip_suffix('s').ok_or_else(wrong)?, 1.0),
        };
        let plain = !number.is_empty() && number.bytes().all(|it| it.is_ascii_digit() || it == b'.');
        let number: f64 = number.parse().ok().filter(|_| plain).ok_or_else(wrong)?;
        match Duration::try_from_secs_f64(number * unit) {
            Ok(it) if it.is_zero() => Err(format!("`{text}` is zero; expected a longer period")),
            Ok(it) => Ok(Self(it)),
            Err(_) => Err(wrong()),
        }
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Period {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Period".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^[0-9]+(\\.[0-9]+)?(ms|s)$",
            "description": "A length of time: a number with a unit, as in \"250ms\" or \"2s\"; never zero."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_a_number_with_a_unit() {
        let check = |text: &str| Period::try_from(text.to_owned()).map(|it| it.get().as_millis());
        assert_eq!(check("250ms"), Ok(250));
        assert_eq!(check("2s"), Ok(2000));
        assert_eq!(check("0.5s"), Ok(500));
        for wrong in ["", "s", "2", "2m", "-1s", "0s", "0ms", "1e3s", "infs", "nans", "1 s", "99999999999999999999999s"]
        {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }
}
