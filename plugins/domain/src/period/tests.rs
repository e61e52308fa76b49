use super::*;
use proptest::prelude::*;

const HOUR: u64 = 3_600_000_000;

/// Seconds since 1970 at which the period of `seconds` starts and ends.
fn check(zone: &str, per: Per, seconds: u64) -> (u64, u64) {
    let span = Zone::parse(zone).unwrap().span(per, Micros::from_seconds(seconds));
    (span.start.seconds(), span.end.seconds())
}

#[test]
fn days_and_months_of_utc_are_the_calendars() {
    for (per, now, start, end) in [
        (Per::Day, 0, 0, 86_400),
        (Per::Day, 86_399, 0, 86_400),
        (Per::Day, 86_400, 86_400, 172_800),
        // 2026-11-21T10:00Z: the day, and November.
        (Per::Day, 1_795_255_200, 1_795_219_200, 1_795_305_600),
        (Per::Month, 1_795_255_200, 1_793_491_200, 1_796_083_200),
        // February of a leap year, of 2000, and of 2100, which is none.
        (Per::Month, 1_709_164_800, 1_706_745_600, 1_709_251_200),
        (Per::Month, 951_782_400, 949_363_200, 951_868_800),
        (Per::Month, 4_107_456_000, 4_105_123_200, 4_107_542_400),
        // December.
        (Per::Month, 1_798_761_599, 1_796_083_200, 1_798_761_600),
    ] {
        assert_eq!(check("UTC", per, now), (start, end), "{per:?} {now}");
    }
    assert_eq!(Zone::default().span(Per::Rolling(60), Micros(5)), Span::ALWAYS);
}

#[test]
fn a_period_is_a_day_a_month_or_a_window() {
    let check = |json: &str| serde_json::from_str::<Per>(json).map_err(|it| it.to_string());
    for (json, expected) in [
        (r#""day""#, Per::Day),
        (r#""month""#, Per::Month),
        (r#"{"rolling":"1m"}"#, Per::Rolling(60)),
        (r#"{"rolling":"24h"}"#, Per::Rolling(86_400)),
        (r#"{"rolling":"366d"}"#, Per::Rolling(31_622_400)),
    ] {
        assert_eq!(check(json), Ok(expected));
    }
    for (json, expected) in [
        (r#""week""#, "unknown variant `week`"),
        (r#"{"rolling":"0h"}"#, "`0h` is no window: expected minutes"),
        (r#"{"rolling":"367d"}"#, "`367d` is no window"),
        (r#"{"rolling":"59s"}"#, "`59s` is no window"),
        (r#"{"rolling":"h"}"#, "`h` is no window"),
        (r#"{"rolling":""}"#, "`` is no window"),
        (r#"{"rolling":"-1h"}"#, "`-1h` is no window"),
        (r#"{"rolling":"1é"}"#, "`1?` is no window"),
        (r#"{"rolling":"99999999999999999999d"}"#, "is no window"),
        (r#"{"rolling":3600}"#, "expected a string"),
        (r#""rolling""#, "expected newtype variant"),
    ] {
        let refused = check(json).unwrap_err();
        assert!(refused.contains(expected), "{json}: {refused}");
    }
}

#[test]
fn a_zone_that_does_not_exist_is_refused_by_name() {
    for name in ["", "Mars/Olympus", "Europe/Berlin\n", "CEST", "+02:00", "UTC+2", "Etc/Unknown", "../Europe/Berlin"] {
        let refused = serde_json::from_value::<Zone>(name.into()).unwrap_err().to_string();
        assert!(refused.contains("is no time zone") && refused.bytes().all(|it| it >= 32), "{name}: {refused}");
    }
    assert_eq!(serde_json::from_str::<Zone>(r#""UTC""#).unwrap(), Zone::default());
    assert_eq!(Zone::default().name(), "UTC");
}

proptest! {
    #[test]
    fn utcs_months_are_those_of_any_calendar(now in 0_u64..1 << 55) {
        let span = Zone::default().span(Per::Month, Micros(now));
        let day = Zone::default().span(Per::Day, Micros(now));
        prop_assert!(span.start <= day.start && day.end <= span.end);
        prop_assert!((28..=31).contains(&((span.end.0 - span.start.0) / (24 * HOUR))));
    }

    #[test]
    fn any_moment_has_a_period(now in any::<u64>()) {
        for per in [Per::Day, Per::Month, Per::Rolling(60)] {
            prop_assert!(Zone::default().span(per, Micros(now)).start <= Micros(now));
        }
    }
}

#[cfg(feature = "zones")]
mod zones {
    use super::*;

    /// Start (seconds since 1970) and length in hours of the day that `now` lies in.
    fn day(zone: &str, now: u64) -> (u64, u64) {
        let (start, end) = check(zone, Per::Day, now);
        (start, (end - start) / 3600)
    }

    #[test]
    fn a_day_is_as_long_as_the_zone_makes_it() {
        for (zone, now, start, hours) in [
            // 2026-03-29, clocks go from 2 to 3; the day before; the day after.
            ("Europe/Berlin", 1_774_779_000, 1_774_738_800, 23),
            ("Europe/Berlin", 1_774_738_799, 1_774_652_400, 24),
            ("Europe/Berlin", 1_774_821_600, 1_774_821_600, 24),
            // 2026-10-25, from 3 to 2.
            ("Europe/Berlin", 1_792_900_000, 1_792_879_200, 25),
            // 2026-09-06 begins at 1: there is no midnight. The day before ends there.
            ("America/Santiago", 1_788_700_000, 1_788_667_200, 23),
            ("America/Santiago", 1_788_660_000, 1_788_580_800, 24),
            // 2026-04-24 in Cairo begins at 1 as well.
            ("Africa/Cairo", 1_777_000_000, 1_776_981_600, 23),
            // 2026-11-01 in Havana has midnight twice, and begins with the first.
            ("America/Havana", 1_793_530_000, 1_793_505_600, 25),
            // Half an hour: 2026-04-05 on Lord Howe Island has 24.5.
            ("Australia/Lord_Howe", 1_775_350_000, 1_775_307_600, 24),
            ("Asia/Kathmandu", 1_795_255_200, 1_795_198_500, 24),
        ] {
            assert_eq!(day(zone, now), (start, hours), "{zone} {now}");
        }
    }

    #[test]
    fn a_month_begins_and_ends_at_the_zones_midnight() {
        // March 2026 in Berlin: from 1 March, +01:00, to 1 April, +02:00.
        assert_eq!(check("Europe/Berlin", Per::Month, 1_774_779_000), (1_772_319_600, 1_774_994_400));
        // 2026-12-31T23:30 in New York is January in UTC.
        assert_eq!(check("America/New_York", Per::Month, 1_798_777_800), (1_796_101_200, 1_798_779_600));
        assert_eq!(check("America/New_York", Per::Day, 0), (0, 18_000), "nothing begins before 1970");
    }

    #[test]
    fn a_zone_is_known_by_its_name_and_its_links() {
        assert_eq!(Zone::parse("europe/berlin").unwrap().name(), "Europe/Berlin");
        for name in ["America/Argentina/Buenos_Aires", "Asia/Calcutta", "Etc/GMT+5", "Pacific/Apia", "EST5EDT"] {
            assert!(Zone::parse(name).is_ok(), "{name}");
        }
    }

    proptest! {
        #[test]
        fn periods_follow_each_other_without_a_gap(
            zone in prop::sample::select(vec![
                "Europe/Berlin", "America/Santiago", "Africa/Cairo", "Africa/Casablanca", "America/Havana", "Asia/Tehran",
                "Australia/Lord_Howe", "Pacific/Apia", "America/Scoresbysund", "Asia/Gaza", "America/St_Johns", "UTC",
            ]),
            now in 40_000_000_u64..4_000_000_000, month in any::<bool>(),
        ) {
            let (zone, now) = (Zone::parse(zone).unwrap(), Micros::from_seconds(now));
            let per = if month { Per::Month } else { Per::Day };
            let span = zone.span(per, now);
            prop_assert!(span.start <= now && now < span.end, "{span:?}");
            prop_assert_eq!(zone.span(per, span.start), span);
            prop_assert_eq!(zone.span(per, Micros(span.end.0 - 1)), span);
            prop_assert_eq!(zone.span(per, span.end).start, span.end);
        }

        #[test]
        fn any_moment_and_any_name_are_read(now in any::<u64>(), name in any::<String>()) {
            let _ = Zone::parse(&name);
            let _ = Zone::parse("Europe/Berlin").unwrap().span(Per::Month, Micros(now));
        }
    }
}
