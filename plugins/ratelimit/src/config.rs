//! What the operator writes.

use crate::limit::{Key, Limit};
use domain::{
    caller::Trust,
    companion::Companion,
    kill::Switches,
    mode::{Mode, Scope},
    project,
    quota::Quota,
};
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

/// How often who may ask.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Config {
    /// The limits. A request passes when each limit that concerns it has room, and is then counted by all of them; else it
    /// is counted by none. Without this key the built-in ones hold: `address`, 120 per minute; `project`, 60 per minute;
    /// `user`, a tenth of the project's and at least 3 per minute, and for the tiers `free`, `pro` and `max` 10, 60 and
    /// 300; `user-daily`, 100, 10,000 and 100,000 per day for these tiers.
    #[serde(default, deserialize_with = "limits")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<Limit>>"))]
    pub(crate) limits: Option<Vec<Limit>>,
    /// Of the built-in limits, how many requests per minute a project has; default 60.
    #[serde(default)]
    pub(crate) project_per_minute: Option<NonZeroU32>,
    /// Projects that have limits of their own in place of those above, by the project's id. They count apart.
    #[serde(default, deserialize_with = "project::by_id")]
    #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<String, Project>"))]
    pub(crate) projects: BTreeMap<String, Project>,
    /// Who is switched off, and asks in vain before anything is counted. `models` and `providers` are `router`'s.
    #[serde(default)]
    pub(crate) kill: Switches,
    /// Whom to believe about the caller: `auth`, the filter in front (default), or `headers`, the
    /// identity headers as they come, where something before the gateway writes them.
    #[serde(default)]
    pub(crate) trust: Trust,
    /// How many slots of shared memory hold the counts, 1 to 65536, default 8192. A slot holds 16 counts in about 350 bytes.
    /// Have twice as many places as there are counts within a window (a user of two limits has two);
    /// in a table that is too small a caller may be forgotten, and gets a whole allowance again.
    #[serde(default = "slots", deserialize_with = "slots_from")]
    pub(crate) slots: NonZeroU32,
    /// Where the companion is. Limits with `scope: fleet` need it, and refusals are reported to it.
    #[serde(default)]
    pub(crate) companion: Option<Companion>,
}

/// The limits of one project.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Project {
    /// The limits. Without this key the built-in ones hold.
    #[serde(default, deserialize_with = "limits")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<Limit>>"))]
    pub(crate) limits: Option<Vec<Limit>>,
    /// Of the built-in limits, how many requests per minute the project has; default 60.
    #[serde(default)]
    pub(crate) project_per_minute: Option<NonZeroU32>,
}

/// Slots are made one by one when the proxy starts, so there is an end to them.
const MOST_SLOTS: u32 = 65_536;

impl Config {
    /// Reads a configuration.
    ///
    /// # Errors
    /// Which key is wrong, what was found and what is expected.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let config: Self = serde_json::from_slice(json).map_err(|why| format!("ratelimit: {why}"))?;
        config.check().map_err(|why| format!("ratelimit: {why}"))?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        self.kill.check()?;
        self.companion.as_ref().map_or(Ok(()), Companion::check)?;
        either(self.limits.as_deref(), self.project_per_minute)?;
        for (id, project) in &self.projects {
            project::check_id(id)?;
            either(project.limits.as_deref(), project.project_per_minute)
                .map_err(|why| format!("projects.{id}: {why}"))?;
        }
        let fleet = |it: &&Limit| it.scope == Scope::Fleet && it.mode != Mode::Off;
        let all = self.limits.iter().chain(self.projects.values().filter_map(|it| it.limits.as_ref())).flatten();
        match all.into_iter().find(fleet) {
            Some(limit) if self.companion.is_none() => Err(format!(
                "limits.{}: `scope` is \"fleet\", and there is no `companion`; expected where it is",
                limit.name
            )),
            _ => Ok(()),
        }
    }

    /// The limits for all projects that have none of their own, and those that have, by project: in the order in which
    /// they are looked at, without those that are off.
    pub(crate) fn lists(&self) -> (Vec<Limit>, BTreeMap<String, Vec<Limit>>) {
        let own = |(id, it): (&String, &Project)| (id.clone(), list(it.limits.as_deref(), it.project_per_minute));
        (list(self.limits.as_deref(), self.project_per_minute), self.projects.iter().map(own).collect())
    }
}

fn list(written: Option<&[Limit]>, project_per_minute: Option<NonZeroU32>) -> Vec<Limit> {
    let mut limits = written.map_or_else(|| built_in(project_per_minute.unwrap_or(count(60))), <[Limit]>::to_vec);
    limits.retain(|it| it.mode != Mode::Off);
    limits.sort_by_key(|it| it.key.rank());
    limits
}

/// The limits that hold where none are written.
fn built_in(project: NonZeroU32) -> Vec<Limit> {
    let tenth = project.get().checked_div(10).and_then(NonZeroU32::new);
    let tiers = |numbers: [u32; 3], seconds: u32| {
        let quotas = numbers.map(|it| Quota::new(count(it), count(seconds)));
        ["free", "pro", "max"].into_iter().zip(quotas)
    };
    let minutely = Limit::by_tier("user", Key::User, tiers([10, 60, 300], 60));
    let user = Limit::per_minute("user", Key::User, tenth.map_or(count(3), |it| it.max(count(3))));
    vec![
        Limit::per_minute("address", Key::Address, count(120)),
        Limit::per_minute("project", Key::Project, project),
        Limit { tiers: minutely.tiers, ..user },
        Limit::by_tier("user-daily", Key::User, tiers([100, 10_000, 100_000], 86_400)),
    ]
}

/// A number of our own that is not zero.
fn count(it: u32) -> NonZeroU32 {
    NonZeroU32::new(it).unwrap_or(NonZeroU32::MIN)
}

/// The built-in limits have no effect beside others.
fn either(limits: Option<&[Limit]>, project_per_minute: Option<NonZeroU32>) -> Result<(), String> {
    match (limits, project_per_minute) {
        (Some(_), Some(_)) => Err("`project_per_minute` is of the built-in limits, and `limits` replaces them; \
                                   expected one of the two"
            .into()),
        _ => Ok(()),
    }
}

fn limits<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<Limit>>, D::Error> {
    // By hand, because serde's own messages do not say in which limit the mistake is.
    let written = Vec::<Value>::deserialize(from)?;
    if written.is_empty() {
        let message = "`limits` is empty; expected at least one limit (to limit nobody, give one the mode \"off\"), or \
                       leave the key out for the built-in ones";
        return Err(D::Error::custom(message));
    }
    let mut names = BTreeSet::new();
    let limit = |(nth, written): (usize, Value)| {
        let place = written
            .get("name")
            .and_then(Value::as_str)
            .map_or_else(|| format!("limits[{nth}]"), |it| format!("limits.{it}"));
        let limit = Limit::deserialize(written).map_err(|why| D::Error::custom(format!("{place}: {why}")))?;
        limit.check().map_err(|why| D::Error::custom(format!("{place} {why}")))?;
        if !names.insert(limit.name.clone()) {
            return Err(D::Error::custom(format!("{place}: two limits have this name; expected one of each")));
        }
        Ok(limit)
    };
    written.into_iter().enumerate().map(limit).collect::<Result<_, _>>().map(Some)
}

fn slots() -> NonZeroU32 {
    count(8_192)
}

fn slots_from<'de, D: Deserializer<'de>>(from: D) -> Result<NonZeroU32, D::Error> {
    let written = Value::deserialize(from)?;
    let slots = written.as_u64().and_then(|it| u32::try_from(it).ok()).and_then(NonZeroU32::new);
    slots.filter(|it| it.get() <= MOST_SLOTS).ok_or_else(|| {
        D::Error::custom(format!("`slots` is {written}; expected a whole number from 1 to {MOST_SLOTS}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::mode::OnFailure;

    /// The limits that a configuration has for a project, each in a word or two.
    fn check(json: &str, project: &str) -> Vec<String> {
        let config = Config::parse(json.as_bytes()).unwrap();
        let (all, mut own) = config.lists();
        let limits = own.remove(project).unwrap_or(all);
        let text = |it: &Limit| {
            let base = it.base().map(|it| it.to_string()).unwrap_or_default();
            let tiers = it.tiers.iter().flatten().map(|(tier, quota)| format!(" {tier}: {quota}"));
            format!("{} by {}: {base};{}", it.name, it.key.kind(), tiers.collect::<String>())
        };
        limits.iter().map(text).collect()
    }

    #[test]
    fn without_a_word_the_built_in_limits_hold() {
        let minutely = "free: 10 requests per minute max: 300 requests per minute pro: 60 requests per minute";
        let daily = "free: 100 requests per day max: 100000 requests per day pro: 10000 requests per day";
        let want = |project: u32, user: u32| {
            [
                "address by address: 120 requests per minute;".to_owned(),
                format!("project by project: {project} requests per minute;"),
                format!("user by user: {user} requests per minute; {minutely}"),
                format!("user-daily by user: ; {daily}"),
            ]
        };
        assert_eq!(check("{}", "p1"), want(60, 6));
        assert_eq!(check(r#"{"project_per_minute": 25}"#, "p1"), want(25, 3), "at least 3");
        let one = r#"{"projects": {"p1": {"project_per_minute": 600}}}"#;
        assert_eq!((check(one, "p1"), check(one, "p2")), (want(600, 60).to_vec(), want(60, 6).to_vec()));
        let config = Config::parse(b"{}").unwrap();
        assert_eq!((config.trust, config.slots.get()), (Trust::Auth, 8192));
    }

    #[test]
    fn limits_are_looked_at_address_first_then_project_then_user_then_as_they_are_written() {
        let limit = |name: &str, more: &str| format!(r#"{{"name": "{name}", "requests": 1, "per": "day", {more}}}"#);
        let written = [
            limit("d", r#""key": ["model", "user", "project"]"#),
            limit("off", r#""key": "user", "mode": "off""#),
            limit("c", r#""key": ["project", "user"]"#),
            limit("e", r#""key": "tenant""#),
            limit("b", r#""key": "project""#),
            limit("a", r#""key": ["address"]"#),
        ];
        let list = format!(r#"{{"limits": [{}]}}"#, written.join(","));
        let found: Vec<String> = check(&list, "p1").iter().map(|it| it.split(':').next().unwrap().to_owned()).collect();
        assert_eq!(found, ["a by address", "b by project", "c by user", "d by user+model", "e by tenant"]);
    }

    #[test]
    fn a_project_has_limits_of_its_own() {
        let json = r#"{"projects": {"p1": {"limits": [{"name": "x", "key": "user", "requests": 1, "per": "day",
            "burst": 2, "mode": "shadow", "on_failure": "allow"}]}}}"#;
        assert_eq!(check(json, "p1"), ["x by user: 1 request per day;"]);
        assert_eq!(check(json, "p2").len(), 4);
        let limits = Config::parse(json.as_bytes()).unwrap().projects.remove("p1").unwrap().limits.unwrap();
        assert_eq!((limits[0].mode, limits[0].on_failure), (Mode::Shadow, OnFailure::Allow));
    }

    #[test]
    fn a_mistake_is_named_by_its_key() {
        let limit = |rest: &str| format!(r#""limits": [{{"name": "x", "key": "user", {rest}}}]"#);
        let daily = r#""requests": 5, "per": "day""#;
        for (rest, why) in [
            (limit(""), "trailing comma"),
            (limit(r#""requests": 0, "per": "day""#), "limits.x: `requests` is 0; expected"),
            (limit(r#""requests": 1"#), "limits.x has `requests` without `per`"),
            (limit(r#""per": "day""#), "limits.x has `per` without `requests`"),
            (limit(r#""burst": 3, "tiers": {"a": {"requests": 1, "per": 1}}"#), "limits.x has `burst` without"),
            (limit(r#""mode": "shadow""#), "limits.x has no numbers; expected"),
            (limit(r#""tiers": {}"#), "limits.x has no tier in `tiers`"),
            (limit(r#""tiers": {"": {"requests": 1, "per": "day"}}"#), "limits.x has an empty name in `tiers`"),
            (limit(r#""tiers": {"pro": {"requests": 1, "per": "week"}}"#), "limits.x: tiers.pro: `per` is \"week\""),
            (limit(&format!(r#"{daily}, "mode": "on""#)), "limits.x: unknown variant `on`, expected one of `off`"),
            (limit(&format!(r#"{daily}, "on_failure": "open""#)), "limits.x: unknown variant `open`"),
            (limit(&format!(r#"{daily}, "teirs": {{}}"#)), "limits.x: unknown field `teirs`"),
            (
                limit(&format!(r#"{daily}, "scope": "fleet""#)),
                "limits.x: `scope` is \"fleet\", and there is no `companion`",
            ),
            (limit(&format!(r#"{daily}, "burst": 6, "scope": "fleet""#)), "limits.x has `burst` 6 with `requests` 5"),
            (
                limit(r#""requests": 5, "per": 2678401, "scope": "fleet""#),
                "limits.x has 5 requests per 2678401 seconds; expected at most 1000000000 requests and 2678400 seconds",
            ),
            (r#""limits": []"#.into(), "`limits` is empty; expected"),
            (r#""limits": [{"key": "user"}]"#.into(), "limits[0]: missing field `name`"),
            (r#""limits": [{"name": "A b", "key": "user"}]"#.into(), "`name` is \"A b\"; expected 1 to 40 of a-z"),
            (r#""limits": [{"name": "x", "key": "ip"}]"#.into(), "limits.x: `key` is \"ip\"; expected `user`"),
            (r#""limits": [{"name": "x", "key": []}]"#.into(), "`key` is []; expected each key once"),
            (r#""limits": [{"name": "x", "key": ["user", "user"]}]"#.into(), "expected each key once"),
            (
                r#""limits": [{"name": "x", "key": "address", "tiers": {"a": {"requests": 1, "per": 1}}}]"#.into(),
                "limits.x has `tiers`, but callers of several tiers share its count",
            ),
            (
                format!(r#""limits": [{{"name": "x", "key": ["model"], {daily}, "scope": "fleet"}}]"#),
                "limits.x has `model` in `key` and `scope` \"fleet\"",
            ),
            (
                format!(
                    r#""limits": [{{"name": "x", "key": "user", {daily}}}, {{"name": "x", "key": "role", {daily}}}]"#
                ),
                "limits.x: two limits have this name",
            ),
            (format!(r#""project_per_minute": 5, {}"#, limit(daily)), "`project_per_minute` is of the built-in limits"),
            (r#""project_per_minute": 0"#.into(), "nonzero"),
            (r#""projects": {"": {}}"#.into(), "`projects` has an empty name"),
            (format!(r#""projects": {{"p": {{{}}}}}"#, limit("\"per\": 1")), "projects.p: limits.x has `per` without"),
            (r#""kill": {"tenants": [""]}"#.into(), "kill.tenants has an empty name"),
            (r#""slots": 0"#.into(), "`slots` is 0; expected a whole number from 1 to 65536"),
            (r#""slots": 65537"#.into(), "`slots` is 65537; expected"),
            (r#""default": {"requests": 1, "per": "day"}"#.into(), "unknown field `default`"),
        ] {
            let said = Config::parse(format!("{{{rest}}}").as_bytes()).unwrap_err();
            assert!(said.starts_with("ratelimit: ") && said.contains(why), "{rest}: {said}");
        }
        assert!(Config::parse(b"").is_err());
    }
}
