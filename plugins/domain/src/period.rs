//! Over which time a budget runs: days and months of a time zone, or a window that rolls.
//!
//! Days are the zone's: 23 or 25 hours when its clocks change, and they begin at their first moment, where a zone
//! skips midnight or has it twice. Zones other than UTC need the feature `zones`, which brings the IANA database.

#[cfg(feature = "zones")]
mod database;
mod utc;

use crate::{model::printable, time::Micros};
use serde::{Deserialize, Deserializer, de};

/// The shortest rolling window; it is counted in 48 slices.
const SHORTEST: u64 = 60;
/// The longest one, 366 days.
const LONGEST: u64 = 366 * 86_400;

/// How long a budget's period is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Per {
    /// A calendar day of the budget's time zone.
    Day,
    /// A calendar month of the budget's time zone.
    Month,
    /// The last so many seconds, whenever one looks: `{"rolling": "24h"}`, in minutes, hours or days, from a minute to 366 days.
    #[serde(deserialize_with = "window")]
    Rolling(#[cfg_attr(feature = "schema", schemars(with = "String"))] u64),
}

fn window<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    let text = String::deserialize(from)?;
    let number = text.get(..text.len().saturating_sub(1)).filter(|it| it.bytes().all(|it| it.is_ascii_digit()));
    let unit = match text.bytes().last() {
        Some(b'm') => 60,
        Some(b'h') => 3600,
        Some(b'd') => 86_400,
        _ => 0,
    };
    let seconds = number.and_then(|it| it.parse::<u64>().ok()).and_then(|it| it.checked_mul(unit));
    seconds.filter(|it| (SHORTEST..=LONGEST).contains(it)).ok_or_else(|| {
        de::Error::custom(format!(
            "`{}` is no window: expected minutes, hours or days, as in \"90m\", \"24h\" or \"30d\", at most 366 days",
            printable(&text)
        ))
    })
}

/// One period of a budget: from `start` on, until before `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its first moment.
    pub start: Micros,
    /// The first moment of the next one.
    pub end: Micros,
}

impl Span {
    /// The span of a rolling window, which never ends: from 1970 to the last moment that fits an `i64`.
    pub const ALWAYS: Self = Self { start: Micros(0), end: Micros(i64::MAX.unsigned_abs()) };
}

/// A time zone: `UTC`, or a name of the IANA database, as in `Europe/Berlin`. The default is UTC.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct Zone(Kind);

#[derive(Debug, Clone, Default, PartialEq)]
enum Kind {
    #[default]
    Utc,
    #[cfg(feature = "zones")]
    Named(database::Named),
}

impl Zone {
    /// The time zone called `name`.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn parse(name: &str) -> Result<Self, String> {
        if name == "UTC" {
            return Ok(Self(Kind::Utc));
        }
        #[cfg(feature = "zones")]
        if let Some(found) = database::Named::find(name) {
            return Ok(Self(Kind::Named(found)));
        }
        Err(format!(
            "`{}` is no time zone: expected \"UTC\", or a name of the IANA database as in \"Europe/Berlin\"",
            printable(name)
        ))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.0 {
            Kind::Utc => "UTC",
            #[cfg(feature = "zones")]
            Kind::Named(it) => it.name(),
        }
    }

    /// The period that `now` lies in; [`Span::ALWAYS`] for a rolling window. It costs some microseconds: keep it until
    /// `now` is past its end.
    #[must_use]
    pub fn span(&self, per: Per, now: Micros) -> Span {
        let utc = || match per {
            Per::Day => utc::day(now),
            Per::Month => utc::month(now),
            Per::Rolling(_) => Span::ALWAYS,
        };
        match &self.0 {
            Kind::Utc => utc(),
            #[cfg(feature = "zones")]
            // The database ends with the year 9999.
            Kind::Named(it) => it.span(per, now).unwrap_or_else(utc),
        }
    }
}

impl TryFrom<String> for Zone {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::parse(&name)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Zone {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Zone".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A time zone: \"UTC\", or a name of the IANA database as in \"Europe/Berlin\"."
        })
    }
}

#[cfg(test)]
mod tests;
