//! A moment in words.

use domain::time::Micros;

/// Days from 0000-03-01 to 1970-01-01, and in 400 years.
const EPOCH: u64 = 719_468;
const ERA: u64 = 146_097;

/// A moment as RFC 3339 writes it, in UTC, to the millisecond.
#[must_use]
pub(crate) fn rfc3339(at: Micros) -> String {
    let seconds = at.seconds();
    let millis = at.0.saturating_sub(Micros::from_seconds(seconds).0) / 1000;
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// Year, month and day, so many days after 1970-01-01 (the proleptic Gregorian calendar, in years that
/// begin in March, so that the leap day is a year's last).
fn date(days: u64) -> (u64, u64, u64) {
    let days = days.saturating_add(EPOCH);
    let (era, of_era) = (days / ERA, days % ERA);
    // Of the era's days, those before this year that no 365 explain.
    let leaps = (of_era / 1460).saturating_sub(of_era / 36_524).saturating_add(of_era / 146_096);
    let years = of_era.saturating_sub(leaps) / 365;
    let begin = years.saturating_mul(365).saturating_add(years / 4).saturating_sub(years / 100);
    let of_year = of_era.saturating_sub(begin);
    let from_march = of_year.saturating_mul(5).saturating_add(2) / 153;
    let month_begin = from_march.saturating_mul(153).saturating_add(2) / 5;
    let day = of_year.saturating_sub(month_begin).saturating_add(1);
    let (month, next) = if from_march < 10 { (3, 0) } else { (0, 1) };
    let month = if next == 0 { from_march.saturating_add(month) } else { from_march.saturating_sub(9) };
    (era.saturating_mul(400).saturating_add(years).saturating_add(next), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_a_date() {
        for (micros, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000Z"),
            (951_868_799_999_999, "2000-02-29T23:59:59.999Z"),
            (1_763_719_260_123_456, "2025-11-21T10:01:00.123Z"),
            (1_798_761_599_000_000, "2026-12-31T23:59:59.000Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(rfc3339(Micros(micros)), expected);
        }
    }
}
