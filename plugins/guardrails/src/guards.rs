//! Which guards hold for whom.

use crate::{
    config::{Config, Pii, Sentinel},
    shield::Shield,
};
use domain::{caller::Caller, mode::Mode};
use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

/// Both guards, for one kind of caller.
#[derive(Debug, Clone)]
pub struct Guards {
    /// Personal data and secrets.
    pub shield: Rc<Shield>,
    /// Prompt injection.
    pub judge: Judge,
}

/// The guard `sentinel`, for one kind of caller.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judge {
    /// Whether it holds.
    pub mode: Mode,
    /// The score from which a text is an attack.
    pub threshold: f32,
    /// Whether requests are looked at.
    pub request: bool,
    /// Whether answers are looked at.
    pub response: bool,
    /// Whether the application's own words are looked at.
    pub system_messages: bool,
}

/// The guards of all callers.
#[derive(Debug)]
pub struct Table {
    all: Tiers,
    projects: BTreeMap<String, Tiers>,
}

#[derive(Debug)]
struct Tiers {
    default: Guards,
    tiers: BTreeMap<String, Guards>,
}

impl Guards {
    /// Whether there is anything to do in requests.
    #[must_use]
    pub fn look_at_requests(&self) -> bool {
        self.shield.looks_at_requests() || self.judge.looks_at_requests()
    }

    /// Whether there is anything to look for in answers.
    #[must_use]
    pub fn look_at_responses(&self) -> bool {
        self.shield.looks_at_responses() || self.judge.looks_at_responses()
    }
}

impl Judge {
    /// Whether it looks at requests.
    #[must_use]
    pub fn looks_at_requests(&self) -> bool {
        self.mode != Mode::Off && self.request
    }

    /// Whether it looks at answers.
    #[must_use]
    pub fn looks_at_responses(&self) -> bool {
        self.mode != Mode::Off && self.response
    }

    fn new(it: &Sentinel) -> Self {
        Self {
            mode: it.mode.unwrap_or_default(),
            threshold: it.threshold.unwrap_or_else(sentinel::threshold),
            request: it.request.unwrap_or(true),
            response: it.response.unwrap_or(true),
            system_messages: it.system_messages.unwrap_or(false),
        }
    }
}

impl Table {
    /// The guards that a configuration describes.
    ///
    /// # Errors
    /// Which key is wrong, what was found and what is expected.
    pub(crate) fn new(config: &Config, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, String> {
        let base = (&config.pii, &config.sentinel);
        let mut all = Tiers { default: guards("", base.0, base.1, env)?, tiers: BTreeMap::new() };
        for (name, tier) in &config.tiers {
            let (pii, sentinel) = (tier.pii.over(base.0), tier.sentinel.over(base.1));
            all.tiers.insert(name.clone(), guards(&format!("tiers.{name}."), &pii, &sentinel, env)?);
        }
        let mut projects = BTreeMap::new();
        for (id, project) in &config.projects {
            let own = |tier: Option<&str>| {
                let above = tier.and_then(|it| config.tiers.get(it));
                let (mut pii, mut sentinel) = (base.0.clone(), base.1.clone());
                for (more, also) in above
                    .map(|it| (&it.pii, &it.sentinel))
                    .into_iter()
                    .chain([(&project.pii, &project.sentinel)])
                    .chain(tier.and_then(|it| project.tiers.get(it)).map(|it| (&it.pii, &it.sentinel)))
                {
                    (pii, sentinel) = (more.over(&pii), also.over(&sentinel));
                }
                let place = tier.map_or_else(|| format!("projects.{id}."), |it| format!("projects.{id}.tiers.{it}."));
                guards(&place, &pii, &sentinel, env)
            };
            let names: BTreeSet<&String> = config.tiers.keys().chain(project.tiers.keys()).collect();
            let tiers = names.into_iter().map(|it| Ok((it.clone(), own(Some(it))?))).collect::<Result<_, String>>()?;
            projects.insert(id.clone(), Tiers { default: own(None)?, tiers });
        }
        Ok(Self { all, projects })
    }

    /// The guards of a caller; of one that nobody knows, the default.
    #[must_use]
    pub fn of(&self, caller: Option<&Caller>) -> &Guards {
        let tiers = caller.and_then(|it| self.projects.get(&it.project)).unwrap_or(&self.all);
        let tier = caller.and_then(|it| it.tier.as_deref()).and_then(|it| tiers.tiers.get(it));
        tier.unwrap_or(&tiers.default)
    }

    /// Whether it makes a difference who calls.
    #[must_use]
    pub fn need_a_caller(&self) -> bool {
        let hashes = self.each().any(|it| it.shield.hash_key.is_some());
        hashes || !self.projects.is_empty() || !self.all.tiers.is_empty()
    }

    /// The guards of every kind of caller.
    pub fn each(&self) -> impl Iterator<Item = &Guards> {
        let all = std::iter::once(&self.all).chain(self.projects.values());
        all.flat_map(|it| std::iter::once(&it.default).chain(it.tiers.values()))
    }
}

fn guards(place: &str, pii: &Pii, sentinel: &Sentinel, env: &dyn Fn(&str) -> Option<String>) -> Result<Guards, String> {
    let shield = Shield::new(pii, env).map_err(|why| format!("{place}pii.{why}"))?;
    let judge = Judge::new(sentinel);
    for (key, mode, sides) in [
        ("pii", shield.mode, shield.request || shield.response),
        ("sentinel", judge.mode, judge.request || judge.response),
    ] {
        if mode != Mode::Off && !sides {
            return Err(format!(
                "{place}{key} has `request` and `response` false, so it looks at nothing; expected one of them true, or \
                 `mode` \"off\""
            ));
        }
    }
    Ok(Guards { shield: Rc::new(shield), judge })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(json: &str) -> Result<Table, String> {
        Table::new(&Config::parse(json.as_bytes())?, &|_| None)
    }

    /// The modes of both guards for a caller.
    fn check(json: &str, project: &str, tier: Option<&str>) -> [Mode; 2] {
        let caller = Caller { project: project.into(), tier: tier.map(Into::into), ..Caller::default() };
        let table = table(json).unwrap();
        let it = table.of(Some(&caller));
        [it.shield.mode, it.judge.mode]
    }

    #[test]
    fn what_is_nearest_to_the_caller_holds_and_the_rest_is_as_above() {
        use Mode::{Enforce, Off, Shadow};
        let json = r#"{"pii": {"mode": "shadow"}, "sentinel": {"mode": "shadow"},
            "tiers": {"free": {"pii": {"mode": "enforce"}}},
            "projects": {"p1": {"sentinel": {"mode": "off"}, "tiers": {"pro": {"pii": {"mode": "off"}}}}}}"#;
        for (project, tier, modes) in [
            ("p2", None, [Shadow, Shadow]),
            ("p2", Some("free"), [Enforce, Shadow]),
            ("p2", Some("gold"), [Shadow, Shadow]),
            ("p1", None, [Shadow, Off]),
            ("p1", Some("free"), [Enforce, Off]),
            ("p1", Some("pro"), [Off, Off]),
        ] {
            assert_eq!(check(json, project, tier), modes, "{project} {tier:?}");
        }
        let all = table(json).unwrap();
        assert_eq!(all.of(None).shield.mode, Shadow);
        assert!(all.need_a_caller() && !table("{}").unwrap().need_a_caller());
    }

    #[test]
    fn a_guard_that_would_look_at_nothing_is_refused() {
        for (json, why) in [
            (r#"{"pii": {"request": false, "response": false}}"#, "pii has `request` and `response` false"),
            (
                r#"{"sentinel": {"response": true}, "tiers": {"t": {"sentinel": {"request": false, "response": false}}}}"#,
                "tiers.t.sentinel has `request` and `response` false",
            ),
            (r#"{"projects": {"p": {"pii": {"entities": {"email": "hash"}}}}}"#, "projects.p.pii.hash_key is not set"),
        ] {
            let said = table(json).unwrap_err();
            assert!(said.contains(why), "{json}: {said}");
        }
    }
}
