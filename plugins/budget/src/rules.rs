//! The budgets that hold, and for whom.

use crate::config::{Budget, Config, Key, Kind};
use domain::{
    budget::{Ask, Terms},
    caller::Caller,
    mode::{Mode, OnFailure, Scope},
    money::Usd,
    period::{Per, Span, Zone},
    slots::{Place, Seed},
    time::Micros,
};
use serde::Serialize;
use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
    rc::Rc,
    time::Duration,
};

use crate::tariff::{Need, nanos};

/// Which budgets hold in which project.
pub(crate) struct Rules {
    all: Vec<Rc<Rule>>,
    projects: BTreeMap<String, Vec<Rc<Rule>>>,
}

/// One budget.
pub(crate) struct Rule {
    pub(crate) name: String,
    key: Key,
    /// It is counted in nano-dollars, not in tokens.
    pub(crate) money: bool,
    limit: u64,
    tiers: BTreeMap<String, u64>,
    per: Per,
    zone: Zone,
    /// The period that was last looked up.
    span: Cell<Option<Span>>,
    pub(crate) kind: Kind,
    mode: Mode,
    pub(crate) alerts: BTreeSet<u8>,
    pub(crate) fleet: bool,
    pub(crate) on_failure: OnFailure,
}

/// Whom an account belongs to, as the companion knows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Subject {
    tenant: Option<String>,
    project: Option<String>,
    user: Option<String>,
    key: Option<String>,
}

impl Rules {
    pub(crate) fn of(config: &Config) -> Result<Self, String> {
        let rules = |budgets: &[Budget]| {
            let counted = budgets.iter().filter(|it| it.mode != Mode::Off);
            counted.map(|it| Rule::of(it).map(Rc::new)).collect::<Result<Vec<_>, String>>()
        };
        let projects = config.projects.iter().map(|(project, budgets)| Ok((project.clone(), rules(budgets)?)));
        Ok(Self { all: rules(&config.budgets)?, projects: projects.collect::<Result<_, String>>()? })
    }

    /// Those of a project.
    pub(crate) fn of_project(&self, project: &str) -> &[Rc<Rule>] {
        self.projects.get(project).unwrap_or(&self.all)
    }

    /// The names of all, each once.
    pub(crate) fn names(&self) -> BTreeSet<&str> {
        self.all.iter().chain(self.projects.values().flatten()).map(|it| it.name.as_str()).collect()
    }
}

impl Rule {
    fn of(budget: &Budget) -> Result<Self, String> {
        let (limit, money) = budget.limit()?;
        Ok(Self {
            name: budget.name.clone(),
            key: budget.key,
            money,
            limit,
            tiers: budget.tiers(money)?,
            per: budget.per,
            zone: budget.zone()?,
            span: Cell::new(None),
            kind: budget.kind,
            mode: budget.mode,
            alerts: budget.alerts.clone(),
            fleet: budget.scope == Scope::Fleet,
            on_failure: budget.on_failure,
        })
    }

    /// Whether it may refuse a request, or only say so.
    pub(crate) fn refuses(&self) -> bool {
        self.kind == Kind::Hard && self.mode == Mode::Enforce
    }

    /// Whether it says when it is nearly used up: one in `shadow` changes no traffic.
    pub(crate) fn warns(&self) -> bool {
        self.mode == Mode::Enforce
    }

    /// What a tier may spend. A name that the table lacks was not thought of, so it gets the least.
    pub(crate) fn limit(&self, tier: Option<&str>) -> u64 {
        let of_tier = tier.and_then(|it| self.tiers.get(it));
        let unknown = || self.tiers.values().copied().min().filter(|_| tier.is_some());
        of_tier.copied().unwrap_or_else(|| unknown().map_or(self.limit, |it| it.min(self.limit)))
    }

    /// What holds at `now` for a caller of `tier`.
    pub(crate) fn terms(&self, tier: Option<&str>, now: Micros) -> Terms {
        let current = self.span.get().filter(|it| (it.start..it.end).contains(&now));
        let span = current.unwrap_or_else(|| self.zone.span(self.per, now));
        self.span.set(Some(span));
        Terms {
            limit: self.limit(tier),
            start: span.start,
            end: span.end,
            window: self.window().map(Duration::from_secs),
            leased: self.fleet && self.refuses(),
        }
    }

    /// The length of a rolling window in seconds.
    pub(crate) fn window(&self) -> Option<u64> {
        match self.per {
            Per::Rolling(seconds) => Some(seconds),
            _ => None,
        }
    }

    /// Whose account it is.
    pub(crate) fn subject(&self, caller: &Caller) -> Subject {
        let nobody = Subject { tenant: None, project: None, user: None, key: None };
        let project = Some(caller.project.clone());
        match self.key {
            Key::User => Subject { project, user: Some(caller.user.clone()), ..nobody },
            Key::Project => Subject { project, ..nobody },
            Key::Tenant => Subject { tenant: caller.tenant.clone(), ..nobody },
            Key::Key => Subject { key: caller.key.clone(), ..nobody },
        }
    }

    /// Where the account is.
    pub(crate) fn place(&self, caller: &Caller, seed: &Seed, slots: NonZeroU32) -> Place {
        let (kind, one, other) = match self.key {
            Key::User => ("user", caller.project.as_str(), caller.user.as_str()),
            Key::Project => ("project", caller.project.as_str(), ""),
            Key::Tenant => ("tenant", caller.tenant.as_deref().unwrap_or_default(), ""),
            Key::Key => ("key", caller.key.as_deref().unwrap_or_default(), ""),
        };
        Place::of(&["budget", &self.name, self.unit(), kind, one, other], seed, slots)
    }

    /// As the companion calls it.
    pub(crate) fn unit(&self) -> &'static str {
        if self.money { "nanos" } else { "tokens" }
    }

    /// What a request asks of this budget; `None` when it has no known price and this counts money.
    pub(crate) fn ask(&self, need: &Need) -> Option<Ask> {
        let anyway = !self.refuses();
        if self.money {
            let (least, most) = need.cost?;
            return Some(Ask { least: nanos(least), most: nanos(most), anyway });
        }
        let (least, most) = (need.input.saturating_add(need.output.min(1)), need.input.saturating_add(need.output));
        Some(Ask { least, most, anyway })
    }

    /// An amount in words, and in which time: as in `tokens_per_day` and `tokens_today`.
    pub(crate) fn words(&self) -> (String, String) {
        let unit = if self.money { "usd" } else { "tokens" };
        let (per, so_far) = match self.per {
            Per::Day => ("day", "today"),
            Per::Month => ("month", "this_month"),
            Per::Rolling(_) => ("window", "in_window"),
        };
        (format!("{unit}_per_{per}"), format!("{unit}_{so_far}"))
    }

    /// An amount as JSON.
    pub(crate) fn amount(&self, amount: u64) -> serde_json::Value {
        match self.money {
            false => amount.into(),
            true => Usd::from_nanos(i64::try_from(amount).unwrap_or(i64::MAX)).to_string().into(),
        }
    }

    /// The percentage of the limit that is used, if it is one to warn of.
    pub(crate) fn warning(&self, used: u64, limit: u64) -> Option<u64> {
        let percent = used.saturating_mul(100).checked_div(limit).unwrap_or(100).min(999);
        self.alerts.first().filter(|it| percent >= u64::from(**it)).map(|_| percent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(budgets: &str) -> Rules {
        Rules::of(&Config::parse(format!(r#"{{"budgets":[{budgets}]}}"#).as_bytes()).unwrap()).unwrap()
    }

    fn rule(rest: &str) -> Rc<Rule> {
        Rc::clone(&rules(&format!(r#"{{"name":"b","per":"day"{rest}}}"#)).all[0])
    }

    fn caller(project: &str, user: &str) -> Caller {
        Caller { project: project.into(), user: user.into(), ..Caller::default() }
    }

    #[test]
    fn a_tier_has_its_own_amount_and_an_unknown_one_the_least() {
        let rule = rule(r#","key":"user","tokens":100,"tiers":{"free":10,"pro":500}"#);
        let check = |tier| rule.limit(tier);
        assert_eq!([check(None), check(Some("free")), check(Some("pro")), check(Some("gold"))], [100, 10, 500, 10]);
        let plain = super::tests::rule(r#","key":"user","tokens":100"#);
        assert_eq!(plain.limit(Some("gold")), 100);
    }

    #[test]
    fn an_account_belongs_to_what_the_key_says() {
        let place = |key: &str, project: &str, user: &str| {
            let rule = rule(&format!(r#","key":"{key}","tokens":1"#));
            rule.place(&caller(project, user), &Seed::new([1; 16]), NonZeroU32::MIN).key()
        };
        assert_ne!(place("user", "p", "ada"), place("user", "p", "eve"));
        assert_ne!(place("user", "p", "ada"), place("user", "q", "ada"));
        assert_eq!(place("project", "p", "ada"), place("project", "p", "eve"));
        assert_ne!(place("project", "p", "ada"), place("user", "p", ""));
        assert_eq!(place("tenant", "p", "ada"), place("tenant", "q", "eve"), "neither names a tenant");
        let subject = rule(r#","key":"user","tokens":1"#).subject(&caller("p", "ada"));
        let json = serde_json::to_string(&subject).unwrap();
        assert_eq!(json, r#"{"tenant":null,"project":"p","user":"ada","key":null}"#);
    }

    #[test]
    fn a_project_may_have_budgets_of_its_own_and_one_that_is_off_is_none() {
        let json = br#"{"budgets":[{"name":"a","key":"user","per":"day","tokens":1},
            {"name":"b","key":"user","per":"day","tokens":1,"mode":"off"}],"projects":{"p":[]}}"#;
        let rules = Rules::of(&Config::parse(json).unwrap()).unwrap();
        assert_eq!((rules.of_project("p").len(), rules.of_project("q").len()), (0, 1));
        assert_eq!(rules.names().into_iter().collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn a_warning_comes_from_the_lowest_alert_on() {
        let rule = rule(r#","key":"user","tokens":200,"alerts":[80,100]"#);
        let check = |used| rule.warning(used, 200);
        assert_eq!([check(159), check(160), check(200), check(u64::MAX)], [None, Some(80), Some(100), Some(999)]);
    }
}
