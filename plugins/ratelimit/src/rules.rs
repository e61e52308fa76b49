//! Which limits concern a request, and where their counts are.

use crate::{
    config::Config,
    limit::{Key, Limit},
};
use domain::{
    caller::Caller,
    mode::Scope,
    quota::Quota,
    slots::{Place, Seed},
};
use std::{
    borrow::Cow,
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    rc::Rc,
};

/// All limits, by project.
#[derive(Debug)]
pub struct Rules {
    all: Vec<Rc<Rule>>,
    own: BTreeMap<String, Vec<Rc<Rule>>>,
}

/// A limit, ready to be looked at.
#[derive(Debug)]
pub struct Rule {
    /// What the operator wrote.
    pub(crate) limit: Limit,
    /// The project whose own limit this is; empty if it is everybody's.
    pub(crate) list: String,
    /// What it is keyed by, in words.
    pub(crate) kind: String,
    /// How many limits are looked at before it.
    pub(crate) order: usize,
    /// The tier that callers of an unknown one count as.
    lowest: Option<(String, Quota)>,
}

/// Who asks for what.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The caller; `None` where nobody is asked who calls.
    pub caller: Option<&'a Caller>,
    /// The client's address.
    pub address: Option<IpAddr>,
    /// The canonical name of the model that the client asks for.
    pub model: Option<&'a str>,
}

/// One request, counted by one limit.
#[derive(Debug, Clone)]
pub struct Charge {
    /// The limit.
    pub rule: Rc<Rule>,
    /// Its numbers for this caller.
    pub quota: Quota,
    /// Where the count is.
    pub place: Place,
    /// Who is counted, as the companion knows it: the list, the tier whose numbers hold, and the keys' values. Only of a
    /// limit that reaches over a fleet.
    pub key: Vec<String>,
    /// The caller's tier is none that the limit names.
    pub unknown_tier: bool,
}

/// Keys the counts: the proxy's secret, and how many slots there are.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// See [`Seed`].
    pub seed: Seed,
    /// How many slots hold the counts.
    pub slots: NonZeroU32,
}

impl Rules {
    /// The limits of a configuration.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let rules = |list: &str, limits: Vec<Limit>| {
            limits.into_iter().enumerate().map(|(nth, it)| Rc::new(Rule::of(list, nth, it))).collect()
        };
        let (all, own) = config.lists();
        let own = own.into_iter().map(|(id, limits)| (id.clone(), rules(&id, limits))).collect();
        Self { all: rules("", all), own }
    }

    /// The limits that hold for a caller, in the order in which they are looked at.
    #[must_use]
    pub fn of(&self, caller: Option<&Caller>) -> &[Rc<Rule>] {
        caller.and_then(|it| self.own.get(&it.project)).unwrap_or(&self.all)
    }

    /// All limits of all projects.
    pub fn iter(&self) -> impl Iterator<Item = &Rc<Rule>> {
        self.all.iter().chain(self.own.values().flatten())
    }

    /// Whether who calls must be known: not, where all limits are by what every request has.
    #[must_use]
    pub fn need_a_caller(&self) -> bool {
        let callers = |it: Key| !matches!(it, Key::Address | Key::Model);
        !self.own.is_empty() || self.all.iter().any(|it| it.limit.key.iter().any(callers))
    }

    /// Whether any limit reaches over a fleet.
    #[must_use]
    pub fn any_fleet(&self) -> bool {
        self.iter().any(|it| it.is_fleet())
    }
}

impl Rule {
    fn of(list: &str, order: usize, limit: Limit) -> Self {
        let tiers = limit.tiers.iter().flatten();
        let lowest = tiers.reduce(|low, it| if it.1.below(*low.1) { it } else { low });
        let lowest = lowest.map(|(tier, quota)| (tier.clone(), *quota));
        Self { kind: limit.key.kind(), list: list.to_owned(), order, lowest, limit }
    }

    /// Whether it counts over all gateways.
    #[must_use]
    pub fn is_fleet(&self) -> bool {
        self.limit.scope == Scope::Fleet
    }

    /// Whether it can be told only from the request's body.
    #[must_use]
    pub fn is_by_model(&self) -> bool {
        self.limit.key.has(Key::Model)
    }

    /// Whether it needs the client's address.
    #[must_use]
    pub fn is_by_address(&self) -> bool {
        self.limit.key.has(Key::Address)
    }

    /// What this limit counts for a request; `None` when the request has none of what it is keyed by, or its caller no
    /// tier and only tiers have numbers.
    #[must_use]
    pub fn charge(self: &Rc<Self>, subject: Subject<'_>, table: &Table) -> Option<Charge> {
        let (tier, quota, unknown_tier) = self.numbers(subject.caller)?;
        let mut values = Vec::new();
        for key in self.limit.key.iter() {
            add_values(key, subject, &mut values)?;
        }
        // Limits with the same key share a slot, so that they cost one read and one write together.
        let mut name = vec![self.list.as_str(), self.kind.as_str()];
        name.extend(values.iter().map(|it| &**it));
        let of_key = Place::of(&name, &table.seed, table.slots);
        let place = of_key.beside(&[&self.limit.name, tier], &table.seed);
        let key = if self.is_fleet() {
            let key = [Cow::Borrowed(self.list.as_str()), Cow::Borrowed(tier)].into_iter().chain(values);
            key.map(Cow::into_owned).collect()
        } else {
            Vec::new()
        };
        Some(Charge { rule: Rc::clone(self), quota, place, key, unknown_tier })
    }

    /// The tier whose numbers hold (empty: none), the numbers, and whether the caller's own tier is unknown.
    fn numbers(&self, caller: Option<&Caller>) -> Option<(&str, Quota, bool)> {
        let Some((lowest, tiers)) = self.lowest.as_ref().zip(self.limit.tiers.as_ref()) else {
            return Some(("", self.limit.base()?, false));
        };
        let Some(tier) = caller.and_then(|it| it.tier.as_deref()) else {
            return Some(("", self.limit.base()?, false));
        };
        match tiers.get_key_value(tier) {
            Some((tier, quota)) => Some((tier, *quota, false)),
            None => Some((&lowest.0, lowest.1, true)),
        }
    }
}

/// Adds what a request has for a key: a user is told by its project too. `None` when it has nothing.
fn add_values<'a>(key: Key, subject: Subject<'a>, values: &mut Vec<Cow<'a, str>>) -> Option<()> {
    let caller = || subject.caller;
    let value = match key {
        Key::Address => Cow::Owned(network(subject.address?)),
        Key::Project => Cow::Borrowed(caller()?.project.as_str()),
        Key::User => {
            values.push(Cow::Borrowed(&caller()?.project));
            Cow::Borrowed(caller()?.user.as_str())
        }
        Key::Tenant => Cow::Borrowed(caller()?.tenant.as_deref()?),
        Key::Tier => Cow::Borrowed(caller()?.tier.as_deref()?),
        Key::Role => Cow::Borrowed(caller()?.role.as_deref()?),
        Key::Model => Cow::Borrowed(subject.model?),
    };
    values.push(value);
    Some(())
}

/// An address as it is counted: an IPv6 network of 64 bits is what one customer gets, and often less than that.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: Table = Table { seed: Seed::new([7; 16]), slots: NonZeroU32::MIN.saturating_add(1023) };

    fn ada() -> Caller {
        Caller { project: "p1".into(), user: "ada".into(), ..Caller::default() }
    }

    fn rules(json: &str) -> Rules {
        Rules::new(&Config::parse(json.as_bytes()).unwrap())
    }

    fn charges(rules: &Rules, caller: &Caller, address: &str, model: Option<&str>) -> Vec<Charge> {
        let subject = Subject { caller: Some(caller), address: address.parse().ok(), model };
        let rules = rules.of(Some(caller));
        rules.iter().filter_map(|it| it.charge(subject, &TABLE)).collect()
    }

    /// What the built-in limits count for a caller of this tier: the limit's name and its numbers.
    fn check(tier: Option<&str>) -> Vec<String> {
        let ada = Caller { tier: tier.map(Into::into), ..ada() };
        let text = |it: Charge| {
            let unknown = if it.unknown_tier { " (unknown tier)" } else { "" };
            format!("{} {}{unknown}", it.rule.limit.name, it.quota)
        };
        charges(&rules("{}"), &ada, "10.0.0.1", None).into_iter().map(text).collect()
    }

    #[test]
    fn a_callers_limits_come_from_its_tier_and_else_from_the_projects_own_numbers() {
        let [address, project] = ["address 120 requests per minute", "project 60 requests per minute"];
        assert_eq!(check(None), [address, project, "user 6 requests per minute"]);
        let pro = [address, project, "user 60 requests per minute", "user-daily 10000 requests per day"];
        assert_eq!(check(Some("pro")), pro);
        let lowest = "user 10 requests per minute (unknown tier)";
        let daily = "user-daily 100 requests per day (unknown tier)";
        assert_eq!(check(Some("gold")), [address, project, lowest, daily]);
    }

    #[test]
    fn who_shares_a_key_shares_a_count_and_nobody_else() {
        let one = |key: &str| {
            rules(&format!(r#"{{"limits": [{{"name": "x", "key": {key}, "requests": 1, "per": "day"}}]}}"#))
        };
        let place = |key: &str, caller: &Caller, address: &str, model: Option<&str>| {
            charges(&one(key), caller, address, model).first().map(|it| it.place)
        };
        let with = |change: fn(&mut Caller)| {
            let mut caller = ada();
            change(&mut caller);
            caller
        };
        let text = |it: &str| Some(it.to_owned());
        let (ada, eve) = (ada(), with(|it| it.user = "eve".into()));
        let elsewhere = with(|it| it.project = "p2".into());
        let of = |key: &str, caller: &Caller| place(key, caller, "10.0.0.1", None);
        assert_ne!(of("\"user\"", &ada), of("\"user\"", &eve));
        assert_ne!(of("\"user\"", &ada), of("\"user\"", &elsewhere), "a user is one of a project");
        assert_eq!(of("\"project\"", &ada), of("\"project\"", &eve));
        assert_eq!(of("[\"user\", \"project\"]", &ada), of("\"user\"", &ada));
        for (key, other) in [
            ("\"tenant\"", Caller { tenant: text("t"), ..ada.clone() }),
            ("\"tier\"", Caller { tier: text("t"), ..ada.clone() }),
            ("[\"project\", \"role\"]", Caller { role: text("t"), ..ada.clone() }),
        ] {
            assert_eq!(of(key, &ada), None, "{key}: she has none");
            assert!(of(key, &other).is_some(), "{key}");
        }
        let model = |model| place("[\"user\", \"model\"]", &ada, "", model);
        assert!(model(None).is_none() && model(Some("a/b")).is_some() && model(Some("a/b")) != model(Some("a/c")));
    }

    #[test]
    fn an_ipv6_address_counts_for_its_network() {
        for (one, other, same) in [
            ("2001:db8:1:2:3::4", "2001:db8:1:2:ffff::", true),
            ("2001:db8:1:2::", "2001:db8:1:3::", false),
            ("::ffff:10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
        ] {
            let [one, other] = [one, other].map(|it| network(it.parse().unwrap()));
            assert_eq!(one == other, same, "{one} {other}");
        }
    }

    #[test]
    fn limits_of_one_key_share_a_slot_and_no_count() {
        let ada = Caller { tier: Some("pro".into()), ..ada() };
        let places: Vec<Place> = charges(&rules("{}"), &ada, "10.0.0.1", None).iter().map(|it| it.place).collect();
        assert_eq!(places[2].slot, places[3].slot);
        let distinct: std::collections::BTreeSet<Place> = places.iter().copied().collect();
        assert_eq!(distinct.len(), 4);
        let max = Caller { tier: Some("max".into()), ..ada };
        assert_ne!(charges(&rules("{}"), &max, "", None)[1].place, places[2], "each tier counts apart");
    }

    #[test]
    fn a_projects_own_limit_counts_apart_from_everybodys() {
        let limits = r#"[{"name": "x", "key": "address", "requests": 1, "per": "day"}]"#;
        let rules = rules(&format!(r#"{{"limits": {limits}, "projects": {{"p1": {{"limits": {limits}}}}}}}"#));
        let place = |caller| charges(&rules, caller, "10.0.0.1", None)[0].place;
        assert_ne!(place(&ada()), place(&Caller { project: "p2".into(), ..ada() }));
        assert!(rules.need_a_caller());
    }

    #[test]
    fn where_only_addresses_are_limited_nobody_asks_who_calls() {
        let limits = r#"{"limits": [{"name": "x", "key": ["address", "model"], "requests": 1, "per": "day"}]}"#;
        assert!(!rules(limits).need_a_caller());
        assert!(rules("{}").need_a_caller());
    }
}
