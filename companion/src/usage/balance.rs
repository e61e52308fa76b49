//! What is left of budgets, as those are told whose budgets they are.
//!
//! The companion learns of a budget when a gateway first asks for it or charges it: one that nobody has used yet is not
//! known here, and stands in no answer.

use super::report::dollars;
use super::window;
use domain::time::Micros;
use serde::Serialize;
use serde_json::value::RawValue;
use std::time::Duration;

/// Local midnights lie up to 14 hours before UTC's and 12 after: so much later it is the local day's date in UTC too,
/// everywhere but at the date line itself (UTC-11 and UTC+14).
const TO_THE_DATE: Duration = Duration::from_secs(13 * 3600);

/// Whose budgets are asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Whose {
    /// An end user's own.
    User {
        /// The project.
        project: String,
        /// The end user.
        user: String,
    },
    /// Those of a project as a whole, and of an API key.
    ProjectAndKey {
        /// The project.
        project: String,
        /// The key's id.
        key: String,
    },
}

/// A budget's standing in its present period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Balance {
    /// Its name.
    pub(crate) budget: String,
    /// What it counts by: `user`, `project` or `key`.
    pub(crate) of: &'static str,
    /// Whether it counts nano-dollars; else tokens.
    pub(crate) is_money: bool,
    /// How much may be used.
    pub(crate) limit: i64,
    /// How much was used.
    pub(crate) used: i64,
    /// What gateways were lent and may still spend.
    pub(crate) reserved: i64,
    /// Whether it refuses, or only says so.
    pub(crate) is_hard: bool,
    /// When the period began; 0 in a rolling window.
    pub(crate) start: Micros,
    /// When it ends.
    pub(crate) end: Micros,
    /// How long the window is, if it rolls.
    pub(crate) window_seconds: Option<i64>,
}

/// The answer of `/v1/budget`. `daily`, `monthly` and `key_budget` are what other clients look for: of the dollar budgets
/// of such a period the one of which the least is left.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Budgets {
    pub(crate) project_id: String,
    pub(crate) tenant_id: Option<String>,
    /// The end user whose budgets these are; null: they are the project's and the API key's.
    pub(crate) user_id: Option<String>,
    /// The API key that asks, or that the token was minted with.
    pub(crate) key_id: Option<String>,
    /// Those that were used in their present period.
    pub(crate) budgets: Vec<Budget>,
    daily: Option<Spent>,
    monthly: Option<Spent>,
    key_budget: Option<Spent>,
}

/// One budget. Amounts are tokens, or US dollars exact to nine decimals.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Budget {
    /// Its name.
    budget: String,
    /// What it counts by: `user`, `project` or `key`.
    of: &'static str,
    /// `tokens` or `usd`.
    unit: &'static str,
    /// `hard` refuses what does not fit, `soft` only says so.
    kind: &'static str,
    /// How much may be used in a period.
    #[cfg_attr(test, schemars(with = "f64"))]
    limit: Box<RawValue>,
    /// How much was used.
    #[cfg_attr(test, schemars(with = "f64"))]
    used: Box<RawValue>,
    /// How much is left; 0 when more was used than the limit.
    #[cfg_attr(test, schemars(with = "f64"))]
    remaining: Box<RawValue>,
    /// Of what is left: lent to gateways, for requests under way and the next ones.
    #[cfg_attr(test, schemars(with = "f64"))]
    reserved: Box<RawValue>,
    /// When the period began (RFC 3339); null in a rolling window.
    period_start: Option<String>,
    /// When the period ends.
    period_end: Option<String>,
    /// When all of it is there again: at the period's end; null in a rolling window, where it comes back bit by bit.
    resets_at: Option<String>,
    /// How long a rolling window is.
    window_seconds: Option<i64>,
}

/// A dollar budget in another client's words.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Spent {
    #[cfg_attr(test, schemars(with = "f64"))]
    spent_usd: Box<RawValue>,
    #[cfg_attr(test, schemars(with = "f64"))]
    limit_usd: Box<RawValue>,
    #[cfg_attr(test, schemars(with = "f64"))]
    remaining_usd: Box<RawValue>,
    /// `2026-01-31` or `2026-01`; null in a rolling window.
    period_key: Option<String>,
}

/// How long a period is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    Day,
    Month,
    Other,
}

impl Budgets {
    /// An answer about `whose` budgets, which stand so.
    #[must_use]
    pub(crate) fn of(whose: Whose, tenant: Option<String>, key: Option<String>, balances: &[Balance]) -> Self {
        let tightest = |is: &dyn Fn(&Balance) -> bool| {
            let fitting = balances.iter().filter(|it| it.is_money && is(it));
            fitting.min_by_key(|it| it.remaining()).map(Spent::from)
        };
        let (project_id, user_id) = match whose {
            Whose::User { project, user } => (project, Some(user)),
            Whose::ProjectAndKey { project, .. } => (project, None),
        };
        Self {
            project_id,
            tenant_id: tenant,
            user_id,
            key_id: key,
            budgets: balances.iter().map(Budget::from).collect(),
            daily: tightest(&|it| it.of != "key" && it.length() == Length::Day),
            monthly: tightest(&|it| it.of != "key" && it.length() == Length::Month),
            key_budget: tightest(&|it| it.of == "key"),
        }
    }
}

impl Balance {
    fn remaining(&self) -> i64 {
        self.limit.saturating_sub(self.used).max(0)
    }

    fn length(&self) -> Length {
        let hours = self.end.since(self.start).as_secs().div_euclid(3600);
        match (self.window_seconds, hours) {
            // Days and months that change to summer time or back are an hour off.
            (None, 23..=25) => Length::Day,
            (None, 671..=745) => Length::Month,
            _ => Length::Other,
        }
    }

    fn amount(&self, amount: i64) -> Box<RawValue> {
        if self.is_money {
            return dollars(amount);
        }
        // An integer is a JSON number.
        RawValue::from_string(amount.to_string()).unwrap_or_else(|_| RawValue::NULL.to_owned())
    }
}

impl From<&Balance> for Budget {
    fn from(it: &Balance) -> Self {
        let calendar = it.window_seconds.is_none();
        Self {
            budget: it.budget.clone(),
            of: it.of,
            unit: if it.is_money { "usd" } else { "tokens" },
            kind: if it.is_hard { "hard" } else { "soft" },
            limit: it.amount(it.limit),
            used: it.amount(it.used),
            remaining: it.amount(it.remaining()),
            reserved: it.amount(it.reserved.min(it.remaining())),
            period_start: calendar.then(|| window::text(it.start)),
            period_end: calendar.then(|| window::text(it.end)),
            resets_at: calendar.then(|| window::text(it.end)),
            window_seconds: it.window_seconds,
        }
    }
}

impl From<&Balance> for Spent {
    fn from(it: &Balance) -> Self {
        let date = window::text(it.start.after(TO_THE_DATE));
        let letters = match it.length() {
            Length::Day => Some("2026-01-31".len()),
            Length::Month => Some("2026-01".len()),
            Length::Other => None,
        };
        Self {
            spent_usd: dollars(it.used),
            limit_usd: dollars(it.limit),
            remaining_usd: dollars(it.remaining()),
            period_key: letters.and_then(|it| date.get(..it)).map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const DAY: u64 = 86_400;
    /// 2026-01-31T00:00:00Z.
    const MIDNIGHT: u64 = 1_769_817_600;

    fn balance(name: &str, of: &'static str, limit: i64, used: i64) -> Balance {
        let (start, end) = (Micros::from_seconds(MIDNIGHT), Micros::from_seconds(MIDNIGHT.saturating_add(DAY)));
        let budget = name.to_owned();
        Balance {
            budget,
            of,
            is_money: true,
            limit,
            used,
            reserved: 0,
            is_hard: true,
            start,
            end,
            window_seconds: None,
        }
    }

    fn json(balances: &[Balance]) -> Value {
        let whose = Whose::User { project: "p1".into(), user: "ada".into() };
        let answer = Budgets::of(whose, Some("acme".into()), None, balances);
        serde_json::from_str(&serde_json::to_string(&answer).unwrap()).unwrap()
    }

    #[test]
    fn what_is_left_is_never_less_than_nothing_and_a_part_of_it_is_lent() {
        let check = |used, reserved| {
            let tokens = Balance { is_money: false, reserved, ..balance("t", "user", 1000, used) };
            let answer = json(&[tokens]);
            ["limit", "used", "remaining", "reserved"].map(|it| answer["budgets"][0][it].as_i64().unwrap())
        };
        assert_eq!(check(312, 100), [1000, 312, 688, 100]);
        assert_eq!(check(1000, 50), [1000, 1000, 0, 0]);
        assert_eq!(check(1200, 0), [1000, 1200, 0, 0]);
    }

    #[test]
    fn a_period_of_the_calendar_ends_and_a_rolling_window_does_not() {
        let rolling = Balance { window_seconds: Some(3600), end: Micros(u64::MAX), ..balance("r", "user", 5, 1) };
        let answer = json(&[balance("d", "user", 1_500_000_000, 1), rolling]);
        let (day, rolling) = (&answer["budgets"][0], &answer["budgets"][1]);
        assert_eq!([&day["period_start"], &day["resets_at"]], ["2026-01-31T00:00:00Z", "2026-02-01T00:00:00Z"]);
        assert_eq!(
            [&day["unit"], &day["limit"], &day["remaining"]],
            [&json!("usd"), &json!(1.5), &json!(1.499_999_999)]
        );
        assert_eq!([&rolling["resets_at"], &rolling["window_seconds"]], [&Value::Null, &json!(3600)]);
    }

    #[test]
    fn other_clients_find_the_tightest_dollar_budget_of_a_day_a_month_and_a_key() {
        let start = Micros::from_seconds(MIDNIGHT.saturating_sub(30 * DAY));
        let month = Balance { start, end: start.after(Duration::from_secs(31 * DAY)), ..balance("m", "user", 90, 1) };
        let tokens = Balance { is_money: false, ..balance("t", "user", 1, 1) };
        let key = balance("k", "key", 70, 1);
        let answer = json(&[balance("a", "user", 100, 10), balance("b", "user", 50, 20), tokens, month, key]);
        let daily = json!({"spent_usd": 2e-8, "limit_usd": 5e-8, "remaining_usd": 3e-8, "period_key": "2026-01-31"});
        assert_eq!(answer["daily"], daily);
        assert_eq!(answer["monthly"]["period_key"], "2026-01");
        assert_eq!(
            [&answer["key_budget"]["limit_usd"], &answer["key_budget"]["period_key"]],
            [&json!(7e-8), &json!("2026-01-31")]
        );
        assert_eq!(json(&[])["daily"], Value::Null);
    }

    #[test]
    fn a_day_has_the_date_of_its_own_time_zone() {
        // Local midnights of 2026-01-31, by their distance from UTC's.
        for (zone, hours) in [("Honolulu", 10), ("New York", 5), ("Berlin", -1), ("Kolkata", -5), ("Auckland", -13)] {
            let start = Micros::from_seconds(MIDNIGHT.saturating_add_signed(hours * 3600));
            let day = Balance { start, end: start.after(Duration::from_secs(DAY)), ..balance("d", "user", 1, 0) };
            assert_eq!(json(&[day])["daily"]["period_key"], "2026-01-31", "{zone}");
        }
    }
}
