//! Days and months of UTC.

use super::Span;
use crate::time::Micros;

const DAY: u64 = 86_400_000_000;
/// Four hundred years repeat to the day.
const CYCLE_YEARS: u64 = 400;
const CYCLE_DAYS: u64 = 146_097;

/// The day that `now` lies in.
pub(super) fn day(now: Micros) -> Span {
    let days = now.0.checked_div(DAY).unwrap_or_default();
    Span { start: midnight(days), end: midnight(days.saturating_add(1)) }
}

/// The month that `now` lies in.
pub(super) fn month(now: Micros) -> Span {
    let days = now.0.checked_div(DAY).unwrap_or_default();
    // Cycles of 400 years from 1970 on.
    let cycle = days.checked_div(CYCLE_DAYS).unwrap_or_default();
    let (mut year, mut first) = (1970_u64, cycle.saturating_mul(CYCLE_DAYS));
    for _ in 0..CYCLE_YEARS {
        for month in 1..=12 {
            let next = first.saturating_add(length(year, month));
            if days < next {
                return Span { start: midnight(first), end: midnight(next) };
            }
            first = next;
        }
        year = year.saturating_add(1);
    }
    day(now)
}

/// How many days a month of the Gregorian calendar has.
fn length(year: u64, month: u8) -> u64 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn midnight(days: u64) -> Micros {
    Micros(days.saturating_mul(DAY))
}
