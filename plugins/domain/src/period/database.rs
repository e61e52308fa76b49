//! The IANA time zone database, by way of `jiff`; see docs/decisions/0004-time-zones.md.

use super::{Per, Span};
use crate::time::Micros;
use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan};

/// A zone of the database.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Named(TimeZone);

impl Named {
    /// The zone of that name, in whatever case it is written; nothing of the machine's own is asked.
    pub(super) fn find(name: &str) -> Option<Self> {
        let zone = TimeZoneDatabase::bundled().get(name).ok()?;
        Some(Self(zone)).filter(|it| !it.0.is_unknown())
    }

    pub(super) fn name(&self) -> &str {
        self.0.iana_name().unwrap_or_default()
    }

    /// The period that `now` lies in; `None` where the calendar of the database ends.
    pub(super) fn span(&self, per: Per, now: Micros) -> Option<Span> {
        let moment = Timestamp::from_microsecond(i64::try_from(now.0).ok()?).ok()?;
        let today = self.0.to_datetime(moment).date();
        let (first, next) = match per {
            Per::Rolling(_) => return Some(Span::ALWAYS),
            Per::Day => (today, today.tomorrow().ok()?),
            Per::Month => (today.first_of_month(), today.first_of_month().checked_add(1.month()).ok()?),
        };
        Some(Span { start: self.first_moment(first)?, end: self.first_moment(next)? })
    }

    /// When the day begins: midnight, or the moment to which a change of the clocks in its place leads.
    fn first_moment(&self, day: Date) -> Option<Micros> {
        let start = day.to_zoned(self.0.clone()).ok()?.timestamp().as_microsecond();
        // West of Greenwich the first day began before 1970.
        Some(Micros(u64::try_from(start.max(0)).ok()?))
    }
}
