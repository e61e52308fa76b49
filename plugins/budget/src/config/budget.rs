//! One budget, as the operator writes it.

use domain::{
    mode::{Mode, OnFailure, Scope},
    money::Usd,
    period::{Per, Zone},
};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;

/// The most that the companion counts, in tokens or nano-dollars.
const MOST: u64 = 1_000_000_000_000_000_000;

/// How much may be spent in which time, by whom.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Budget {
    /// What it is called, in headers, metrics, records and events: 1 to 64 lower-case letters, digits, `-` or `_`. What
    /// is spent is kept under this name: budgets of one name and key share it, in all gateways.
    pub(crate) name: String,
    /// Whose it is: `user` (of a project), `project`, `tenant` or `key`, the API key that minted the token. Callers
    /// whose token names no tenant, or no key, have one together.
    pub(crate) key: Key,
    /// How many tokens, input and output together. Either this or `usd`.
    #[serde(default)]
    pub(crate) tokens: Option<NonZeroU64>,
    /// How many US dollars: a number, or text as in `"0.05"`.
    #[serde(default)]
    pub(crate) usd: Option<Usd>,
    /// In which time: `day`, `month`, or a window that rolls, as in `{"rolling": "24h"}`.
    pub(crate) per: Per,
    /// Where days and months begin: `UTC` (default), or a name as in `Europe/Berlin`.
    #[serde(default = "utc")]
    pub(crate) time_zone: String,
    /// Amounts of their own for some tiers, by the tier's name in the token, in the budget's unit. A tier that is missing
    /// in a table which is not empty has the smallest of its amounts, or the budget's own if that is less.
    #[serde(default)]
    pub(crate) tiers: BTreeMap<String, Amount>,
    /// `hard` refuses what does not fit, 402, and ends a stream that passes it (default); `soft` only warns.
    #[serde(default)]
    pub(crate) kind: Kind,
    /// `enforce` (default); `shadow` only counts how many it would have refused, and changes no traffic; `off` does nothing.
    #[serde(default)]
    pub(crate) mode: Mode,
    /// Percentages at which the companion says so once a period, and from the lowest of which on responses carry
    /// `x-tollgate-budget-warning`; each 1 to 100, default 50, 80, 95 and 100.
    #[serde(default = "alerts")]
    pub(crate) alerts: BTreeSet<u8>,
    /// `local` counts in this gateway alone (default); `fleet` leases from the companion, so that all gateways together stay
    /// within it.
    #[serde(default)]
    pub(crate) scope: Scope,
    /// `fleet` only: what becomes of a request while the companion cannot be reached and what was leased is used up:
    /// `deny` answers 503 `companion_unavailable` (default), `allow` lets it pass unreserved; it is still recorded.
    #[serde(default)]
    pub(crate) on_failure: OnFailure,
}

/// Whose a budget is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Key {
    /// Of each user of each project.
    User,
    /// Of each project.
    Project,
    /// Of each tenant.
    Tenant,
    /// Of each API key that mints tokens.
    Key,
}

/// What a budget does that is used up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Kind {
    /// It refuses.
    #[default]
    Hard,
    /// It warns.
    Soft,
}

/// Tokens or US dollars, as the budget has it.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct Amount(serde_json::Value);

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Amount {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Amount".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": ["number", "string"], "description": "Tokens or US dollars, as the budget has it."})
    }
}

impl Budget {
    /// A budget of tokens for each user and day.
    pub(super) fn of_users_by_day(name: &str, tokens: u64, tiers: &[(&str, u64)]) -> Self {
        let amount = |(tier, tokens): &(&str, u64)| ((*tier).to_owned(), Amount((*tokens).into()));
        Self {
            name: name.to_owned(),
            key: Key::User,
            tokens: NonZeroU64::new(tokens),
            usd: None,
            per: Per::Day,
            time_zone: utc(),
            tiers: tiers.iter().map(amount).collect(),
            kind: Kind::Hard,
            mode: Mode::Enforce,
            alerts: alerts(),
            scope: Scope::Local,
            on_failure: OnFailure::Deny,
        }
    }

    /// What may be spent, in tokens or nano-dollars, and whether it is money.
    pub(crate) fn limit(&self) -> Result<(u64, bool), String> {
        match (self.tokens, self.usd) {
            (Some(tokens), None) => Ok((tokens.get(), false)),
            (None, Some(usd)) => match u64::try_from(usd.nanos()) {
                Ok(nanos) if nanos > 0 => Ok((nanos, true)),
                _ => Err(format!("`usd` is {usd}; expected more than nothing")),
            },
            _ => Err("has neither or both of `tokens` and `usd`; expected one of them".into()),
        }
    }

    /// The tiers' amounts, in the budget's unit.
    pub(crate) fn tiers(&self, money: bool) -> Result<BTreeMap<String, u64>, String> {
        let amount = |(tier, Amount(written)): (&String, &Amount)| {
            let found = match money {
                true => Usd::deserialize(written).ok().and_then(|it| u64::try_from(it.nanos()).ok()),
                false => written.as_u64(),
            };
            let expected = if money { "US dollars, more than nothing" } else { "a whole number of tokens from 1" };
            match found.filter(|it| (1..=MOST).contains(it) && !tier.is_empty()) {
                Some(amount) => Ok((tier.clone(), amount)),
                None if tier.is_empty() => Err("`tiers` has an empty name, which no token can carry".to_owned()),
                None => Err(format!("tiers.{tier} is {written}; expected {expected}")),
            }
        };
        self.tiers.iter().map(amount).collect()
    }

    /// Where its days and months begin.
    pub(crate) fn zone(&self) -> Result<Zone, String> {
        Zone::parse(&self.time_zone).map_err(|why| format!("time_zone: {why}"))
    }

    fn check(&self, has_companion: bool) -> Result<(), String> {
        let fits = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-' || it == b'_';
        if !(1..=64).contains(&self.name.len()) || !self.name.bytes().all(fits) {
            return Err("`name` is not 1 to 64 lower-case letters, digits, `-` or `_`".into());
        }
        let (limit, money) = self.limit()?;
        if limit > MOST {
            return Err("is more than can be counted; expected at most 10^18 tokens, or 10^9 US dollars".into());
        }
        self.tiers(money)?;
        self.zone()?;
        if let Some(wrong) = self.alerts.iter().find(|it| !(1..=100).contains(*it)) {
            return Err(format!("`alerts` has {wrong}; expected percentages from 1 to 100"));
        }
        if self.scope == Scope::Fleet && !has_companion {
            return Err("`scope` is fleet, but there is no `companion` to lease from".into());
        }
        Ok(())
    }
}

/// Checks a list of budgets that stands at `place`.
pub(super) fn check(place: &str, budgets: &[Budget], has_companion: bool) -> Result<(), String> {
    let mut names = BTreeSet::new();
    for (nth, budget) in budgets.iter().enumerate() {
        budget.check(has_companion).map_err(|why| format!("{place}[{nth}]: {why}"))?;
        if !names.insert(&budget.name) {
            return Err(format!("{place}[{nth}]: the name `{}` stands there twice", budget.name));
        }
    }
    Ok(())
}

fn utc() -> String {
    "UTC".to_owned()
}

fn alerts() -> BTreeSet<u8> {
    [50, 80, 95, 100].into()
}
