//! Money: US dollars, counted in whole nano-dollars.
//!
//! Nothing here rounds: an amount that nano-dollars cannot hold is refused where it is read. Sums
//! stop at the largest amount instead of wrapping, for a budget that wrapped would be a gift.

use crate::model::printable;
use serde::de::{self, Deserialize, Deserializer, Visitor};
use std::fmt;

/// How many nano-dollars a dollar has.
const NANOS: i64 = 1_000_000_000;
/// How many decimals an amount may have.
const DECIMALS: usize = 9;
/// A binary floating-point number names every decimal of so many digits exactly, and not of more.
const EXACT_DIGITS: usize = 15;

/// An amount of US dollars, exact to a billionth. What is read from text is never negative;
/// a difference may be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Usd(i64);

impl Usd {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest amount, some 9.2 billion dollars.
    pub const MAX: Self = Self(i64::MAX);

    /// An amount of `nanos` billionths of a dollar.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// The amount in billionths of a dollar.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// The sum, at most [`Usd::MAX`].
    #[must_use]
    pub const fn saturating_add(self, more: Self) -> Self {
        Self(self.0.saturating_add(more.0))
    }

    /// The difference, which may be negative.
    #[must_use]
    pub const fn saturating_sub(self, less: Self) -> Self {
        Self(self.0.saturating_sub(less.0))
    }

    /// Reads digits with at most nine decimals, as in `0.05`: no sign, no exponent, no currency.
    ///
    /// # Errors
    /// What was found and what is expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let found = printable(text);
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
        if text.starts_with('-') {
            return Err(format!("`{found}` is negative; expected an amount of US dollars"));
        }
        if !digits(whole) || !digits(decimals) {
            return Err(format!("`{found}` is no amount of US dollars: expected digits, as in \"0.05\""));
        }
        let decimals = decimals.trim_end_matches('0');
        if decimals.len() > DECIMALS {
            return Err(format!("`{found}` is finer than a billionth of a dollar: expected at most nine decimals"));
        }
        let nanos = format!("{decimals:0<DECIMALS$}").parse().unwrap_or_default();
        let whole = whole.parse::<i64>().ok().and_then(|it| it.checked_mul(NANOS));
        let sum = whole.and_then(|it| it.checked_add(nanos));
        sum.map(Self)
            .ok_or_else(|| format!("`{found}` is more than {} US dollars, the most that can be counted", Self::MAX))
    }

    /// Reads a JSON number that a parser turned into binary floating point: its shortest decimal form
    /// is what was written, up to 15 digits.
    pub(crate) fn from_number(number: f64) -> Result<Self, String> {
        let text = number.to_string();
        let significant = text.replace('.', "");
        if significant.trim_matches('0').len() > EXACT_DIGITS {
            return Err(format!("`{}` has too many digits for a number: write it as text", printable(&text)));
        }
        Self::parse(&text)
    }
}

impl fmt::Display for Usd {
    /// With at least two decimals and no further zeros: `0.001234`, `1.50`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.unsigned_abs();
        let per_dollar = NANOS.unsigned_abs();
        let (whole, rest) = (nanos.checked_div(per_dollar), nanos.checked_rem(per_dollar));
        let decimals = format!("{:0DECIMALS$}", rest.unwrap_or_default());
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(out, "{sign}{}.{:0<2}", whole.unwrap_or_default(), decimals.trim_end_matches('0'))
    }
}

impl<'de> Deserialize<'de> for Usd {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Amount)
    }
}

struct Amount;

impl Visitor<'_> for Amount {
    type Value = Usd;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an amount of US dollars: a number, or text as in \"0.05\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Usd, E> {
        Usd::parse(text).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, whole: u64) -> Result<Usd, E> {
        Usd::parse(&whole.to_string()).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, whole: i64) -> Result<Usd, E> {
        Usd::parse(&whole.to_string()).map_err(E::custom)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Usd, E> {
        Usd::from_number(number).map_err(E::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Usd {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Usd".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": ["number", "string"],
            "minimum": 0,
            "pattern": "^[0-9]+(\\.[0-9]+)?$",
            "description": "An amount of US dollars with at most nine decimals: a number, or text as in \"0.05\"."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(json: &str) -> Result<i64, String> {
        serde_json::from_str::<Usd>(json).map(Usd::nanos).map_err(|it| it.to_string())
    }

    #[test]
    fn an_amount_is_a_number_or_text_and_exact() {
        for (json, nanos) in [
            ("0", 0),
            ("1", NANOS),
            ("0.05", 50_000_000),
            (r#""0.05""#, 50_000_000),
            (r#""0.050000000000""#, 50_000_000),
            ("0.000000001", 1),
            ("1e-9", 1),
            ("1e-3", 1_000_000),
            ("2.50", 2_500_000_000),
            ("123456.789012345", 123_456_789_012_345),
            (r#""9223372036.854775807""#, i64::MAX),
        ] {
            assert_eq!(check(json), Ok(nanos), "{json}");
        }
    }

    #[test]
    fn what_is_no_exact_amount_is_refused_by_name() {
        for (json, expected) in [
            ("-1", "`-1` is negative"),
            ("-0.5", "`-0.5` is negative"),
            (r#""-0""#, "`-0` is negative"),
            (r#""""#, "`` is no amount"),
            (r#""1e-3""#, "`1e-3` is no amount"),
            (r#""$1""#, "`$1` is no amount"),
            (r#""1,5""#, "`1,5` is no amount"),
            (r#"".5""#, "`.5` is no amount"),
            (r#""5.""#, "`5.` is no amount"),
            (r#"" 5""#, "` 5` is no amount"),
            (r#""٣""#, "`?` is no amount"),
            ("0.0000000001", "is finer than a billionth"),
            ("0.30000000000000004", "too many digits"),
            ("9223372036.854775808", "too many digits"),
            ("1e300", "is more than"),
            ("18446744073709551615", "is more than 9223372036.854775807"),
            (r#""9223372036.854775808""#, "is more than"),
            ("null", "expected an amount of US dollars"),
            ("true", "expected an amount of US dollars"),
            ("[]", "expected an amount of US dollars"),
        ] {
            let refused = check(json).unwrap_err();
            assert!(refused.contains(expected), "{json}: {refused}");
        }
    }

    #[test]
    fn an_amount_is_shown_without_needless_zeros() {
        for (nanos, shown) in [
            (0, "0.00"),
            (1_234_000, "0.001234"),
            (1_500_000_000, "1.50"),
            (1, "0.000000001"),
            (-50_000_000, "-0.05"),
            (i64::MAX, "9223372036.854775807"),
            (i64::MIN, "-9223372036.854775808"),
        ] {
            assert_eq!(Usd(nanos).to_string(), shown);
        }
    }

    #[test]
    fn a_sum_stops_at_the_largest_amount() {
        assert_eq!(Usd::MAX.saturating_add(Usd(1)), Usd::MAX);
        assert_eq!(Usd(1).saturating_sub(Usd(3)), Usd(-2));
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_again(nanos in 0..i64::MAX) {
            prop_assert_eq!(Usd::parse(&Usd(nanos).to_string()), Ok(Usd(nanos)));
        }

        #[test]
        fn a_number_of_fifteen_digits_is_what_was_written(whole in 0..1_000_000_i64, nanos in 0..NANOS) {
            prop_assert_eq!(check(&format!("{whole}.{nanos:09}")), Ok(whole * NANOS + nanos));
        }

        #[test]
        fn any_text_is_an_amount_or_refused(text in any::<String>()) {
            if let Ok(amount) = Usd::parse(&text) {
                prop_assert!(amount >= Usd::ZERO);
            }
        }
    }
}
