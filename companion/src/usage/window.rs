//! The time that a report is about, and the steps that it is cut into. Everything is UTC.

use domain::time::Micros;
use jiff::civil;
use jiff::tz::TimeZone;
use std::time::Duration;

/// The longest window.
const MAX_DAYS: u64 = 400;
/// The longest window in steps of a minute, which are added up from single records.
const MAX_MINUTES_DAYS: u64 = 1;
/// The window's length when the request does not say.
const DEFAULT_DAYS: u64 = 30;
/// The last second of the year 9999; a larger number is in another unit.
const LAST_SECOND: u64 = 253_402_300_799;

const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// From `from` on, until before `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    /// Its first moment.
    pub(crate) from: Micros,
    /// The first moment after it.
    pub(crate) to: Micros,
}

/// How long a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// A minute; it is added up from single records.
    Minute,
    /// An hour.
    Hour,
    /// A day in UTC.
    Day,
}

/// What is wrong with a moment or a window: which parameter, and what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong(pub(crate) &'static str, pub(crate) String);

impl Window {
    /// The window from `from` to `to`. Without `to` it ends with the hour under way, so that everything is in it;
    /// without `from` it begins at the midnight 30 days before its end, in steps of a minute a day before.
    ///
    /// # Errors
    /// When it is empty, or too long for its steps.
    pub(crate) fn of(from: Option<&str>, to: Option<&str>, step: Option<Step>, now: Micros) -> Result<Self, Wrong> {
        let longest = if step == Some(Step::Minute) { MAX_MINUTES_DAYS } else { MAX_DAYS };
        let to = match to {
            Some(text) => moment(text).map_err(|it| Wrong("to", it))?,
            None => floor(now, HOUR).after(HOUR),
        };
        let from = match (from, step) {
            (Some(text), _) => moment(text).map_err(|it| Wrong("from", it))?,
            (None, Some(Step::Minute)) => before(to, MAX_MINUTES_DAYS),
            (None, _) => floor(before(to, DEFAULT_DAYS), DAY),
        };
        if to <= from {
            return Err(Wrong("from", format!("expected a moment before `to`, which is {}", text(to))));
        }
        if to.since(from) > DAY.saturating_mul(u32::try_from(longest).unwrap_or(u32::MAX)) {
            let days = if longest == 1 { "one day".to_owned() } else { format!("{longest} days") };
            let steps = if step == Some(Step::Minute) { " with granularity minute" } else { "" };
            return Err(Wrong("from", format!("expected at most {days} before `to`{steps}")));
        }
        Ok(Self { from, to })
    }
}

impl Step {
    /// The length in seconds.
    #[must_use]
    pub(crate) const fn seconds(self) -> u64 {
        match self {
            Self::Minute => MINUTE.as_secs(),
            Self::Hour => HOUR.as_secs(),
            Self::Day => DAY.as_secs(),
        }
    }

    /// The word for it.
    #[must_use]
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }
}

/// Reads a moment: seconds since 1970, a date (its midnight), or RFC 3339; without an offset it is UTC.
///
/// # Errors
/// What is expected.
fn moment(text: &str) -> Result<Micros, String> {
    if !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit()) {
        let seconds = text.parse().ok().filter(|it| *it <= LAST_SECOND);
        return seconds.map(Micros::from_seconds).ok_or_else(|| "expected seconds since 1970, found more".to_owned());
    }
    let stamp = match spelled(text).parse::<jiff::Timestamp>() {
        Ok(stamp) => Some(stamp),
        Err(_) => {
            text.parse::<civil::DateTime>().ok().and_then(|it| it.to_zoned(TimeZone::UTC).ok()).map(|it| it.timestamp())
        }
    };
    let micros = stamp.and_then(|it| u64::try_from(it.as_microsecond()).ok());
    let expected = "expected seconds since 1970, a date as 2026-01-31, or a time as 2026-01-31T12:00:00Z";
    micros.map(Micros).ok_or_else(|| expected.to_owned())
}

/// In a query that was not percent-encoded, the `+` of an offset has become a space; a published client sends it so.
fn spelled(text: &str) -> String {
    match text.rsplit_once(' ') {
        Some((time, offset)) if time.contains(':') && offset.contains(':') => format!("{time}+{offset}"),
        _ => text.to_owned(),
    }
}

/// A moment as RFC 3339 writes it, in UTC.
#[must_use]
pub(crate) fn text(at: Micros) -> String {
    let stamp = i64::try_from(at.0).ok().and_then(|it| jiff::Timestamp::from_microsecond(it).ok());
    stamp.unwrap_or(jiff::Timestamp::MAX).to_string()
}

/// The last multiple of `step` that is not after `at`.
#[must_use]
pub(crate) fn floor(at: Micros, step: Duration) -> Micros {
    let step = u64::try_from(step.as_micros()).unwrap_or(u64::MAX);
    Micros(at.0.saturating_sub(at.0.checked_rem(step).unwrap_or_default()))
}

/// The first multiple of `step` that is not before `at`.
#[must_use]
pub(crate) fn ceil(at: Micros, step: Duration) -> Micros {
    let low = floor(at, step);
    if low == at { at } else { low.after(step) }
}

fn before(at: Micros, days: u64) -> Micros {
    Micros(at.0.saturating_sub(Micros::from_seconds(days.saturating_mul(DAY.as_secs())).0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_many_spellings() {
        let check = |it: &str| moment(it).map(text).unwrap_or_else(|wrong| wrong);
        for (written, expected) in [
            ("1769817600", "2026-01-31T00:00:00Z"),
            ("2026-01-31", "2026-01-31T00:00:00Z"),
            ("2026-01-31T12:30:00Z", "2026-01-31T12:30:00Z"),
            ("2026-01-31t12:30:00z", "2026-01-31T12:30:00Z"),
            ("2026-01-31T12:30:00.123456789Z", "2026-01-31T12:30:00.123456Z"),
            ("2026-01-31T12:30:00+02:00", "2026-01-31T10:30:00Z"),
            // What Python's isoformat writes, and what a query makes of its plus.
            ("2026-01-31T12:30:00", "2026-01-31T12:30:00Z"),
            ("2026-01-31T12:30:00.500000", "2026-01-31T12:30:00.5Z"),
            ("2026-01-31T12:30:00 00:00", "2026-01-31T12:30:00Z"),
            ("2026-01-31 12:30:00 02:00", "2026-01-31T10:30:00Z"),
            ("2026-01-31 12:30:00", "2026-01-31T12:30:00Z"),
            ("1769817600000", "expected seconds since 1970, found more"),
        ] {
            assert_eq!(check(written), expected, "{written}");
        }
        for wrong in ["", " ", "yesterday", "2026-02-30", "1969-12-31", "-1", "1.5", "2026-01-31T25:00:00Z", "2026-01"]
        {
            assert!(check(wrong).starts_with("expected seconds since 1970, a date as"), "{wrong}: {}", check(wrong));
        }
    }

    #[test]
    fn a_window_has_defaults_and_bounds() {
        let now = moment("2026-03-31T12:34:56Z").unwrap();
        let check = |from, to, step| match Window::of(from, to, step, now) {
            Ok(it) => Ok(format!("{} {}", text(it.from), text(it.to))),
            Err(Wrong(name, what)) => Err(format!("{name}: {what}")),
        };
        assert_eq!(check(None, None, None), Ok("2026-03-01T00:00:00Z 2026-03-31T13:00:00Z".into()));
        assert_eq!(check(None, None, Some(Step::Minute)), Ok("2026-03-30T13:00:00Z 2026-03-31T13:00:00Z".into()));
        assert_eq!(check(Some("2026-03-31"), None, None), Ok("2026-03-31T00:00:00Z 2026-03-31T13:00:00Z".into()));
        assert_eq!(check(Some("2026-01-01"), Some("2027-02-05"), None).map(|_| ()), Ok(()));
        for (from, to, step, wrong) in [
            ("2026-01-01", "2027-02-06", None, "from: expected at most 400 days before `to`"),
            ("2026-01-01", "2026-01-01", None, "from: expected a moment before `to`, which is 2026-01-01T00:00:00Z"),
            ("2026-01-02", "2026-01-01", None, "from: expected a moment before `to`, which is 2026-01-01T00:00:00Z"),
            (
                "2026-01-01",
                "2026-01-02T00:00:01Z",
                Some(Step::Minute),
                "from: expected at most one day before `to` with granularity minute",
            ),
            ("99999999999999999999", "2026-01-02", None, "from: expected seconds since 1970, found more"),
        ] {
            assert_eq!(check(Some(from), Some(to), step), Err(wrong.into()));
        }
    }
}
