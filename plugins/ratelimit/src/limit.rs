//! One limit, as the operator writes it.

use domain::{
    mode::{Mode, OnFailure, Scope},
    quota::{self, Per, Quota},
};
use serde::{Deserialize, Deserializer, de::Error};
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

/// How often whoever shares a key may ask.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Limit {
    /// What the limit is called in answers, metrics and events: 1 to 40 of `a-z`, `0-9`, `-`, `_`, once in a list. Two filters
    /// of one proxy count together where their limits have the same name.
    #[serde(deserialize_with = "name")]
    pub(crate) name: String,
    /// Who is counted as one: one of `user`, `project`, `tenant`, `address`, `tier`, `role`, `model`, or a list of them for
    /// each combination. A user is one of a project. An IPv6 address stands for its /64. A model is the one that the client
    /// names, in whatever spelling. Who has none of what is named here (no tenant, no role) is not limited by this.
    pub(crate) key: Keys,
    /// How many requests come back in a window; at least 1. May be left out where `tiers` is given: then only callers with
    /// a tier are limited.
    #[serde(default, deserialize_with = "quota::requests_if_given")]
    pub(crate) requests: Option<NonZeroU32>,
    /// The window: "second", "minute", "hour", "day", or a whole number of seconds from 1.
    #[serde(default)]
    pub(crate) per: Option<Per>,
    /// How many requests may come at once; at least 1. By default as many as come back in a window.
    #[serde(default, deserialize_with = "quota::burst")]
    pub(crate) burst: Option<NonZeroU32>,
    /// Other numbers for the callers of some tiers, by the tier's name in the token. A tier that is not named here gets
    /// the numbers of the lowest one that is, and is counted in `tollgate_ratelimit_unknown_tier`. Each tier counts apart.
    #[serde(default, deserialize_with = "tiers")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<BTreeMap<String, Quota>>"))]
    pub(crate) tiers: Option<BTreeMap<String, Quota>>,
    /// `enforce` answers 429 beyond the limit (default); `shadow` only counts how many it would have been, and changes no
    /// traffic; `off` does nothing.
    #[serde(default)]
    pub(crate) mode: Mode,
    /// `local` counts in each proxy by itself, exactly over its workers (default); `fleet` counts over all gateways that
    /// share a companion, and needs `companion`.
    #[serde(default)]
    pub(crate) scope: Scope,
    /// What becomes of a request that cannot be counted, because the proxy's shared memory fails or, in a fleet, because
    /// the companion does: `deny` answers 503 `limiter_unavailable` (default), `allow` lets it pass uncounted.
    #[serde(default)]
    pub(crate) on_failure: OnFailure,
}

/// What a limit tells callers apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Key {
    /// The client's address, as the proxy trusts it.
    Address,
    /// The project.
    Project,
    /// The end user of a project.
    User,
    /// The tenant.
    Tenant,
    /// The tier.
    Tier,
    /// The role.
    Role,
    /// The model that the client names.
    Model,
}

/// One key or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys(Vec<Key>);

/// The most that the companion counts.
const MOST_IN_FLEET: u32 = 1_000_000_000;
/// The longest window that it keeps, 31 days, in seconds.
const LONGEST_IN_FLEET: u32 = 31 * 86_400;
/// The longest name of a limit, in bytes.
const LONGEST_NAME: usize = 40;

impl Key {
    /// Its name in a configuration.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Project => "project",
            Self::User => "user",
            Self::Tenant => "tenant",
            Self::Tier => "tier",
            Self::Role => "role",
            Self::Model => "model",
        }
    }
}

impl Keys {
    /// The keys `keys`, in one order whatever order they were written in; a user already means its project.
    pub(crate) fn new(keys: impl IntoIterator<Item = Key>) -> Self {
        let keys: BTreeSet<Key> = keys.into_iter().collect();
        let of_user = keys.contains(&Key::User);
        Self(keys.into_iter().filter(|it| !(of_user && *it == Key::Project)).collect())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Key> {
        self.0.iter().copied()
    }

    pub(crate) fn has(&self, key: Key) -> bool {
        self.0.contains(&key)
    }

    /// As in "user", or "user+model".
    pub(crate) fn kind(&self) -> String {
        self.iter().map(Key::as_str).collect::<Vec<_>>().join("+")
    }

    /// When it is looked at: first the address, then the project, then the user, then all others.
    pub(crate) fn rank(&self) -> u8 {
        match self.0.as_slice() {
            [Key::Address] => 0,
            [Key::Project] => 1,
            [Key::User] => 2,
            _ => 3,
        }
    }
}

impl Limit {
    /// A limit of so many requests per minute, as a default.
    pub(crate) fn per_minute(name: &str, key: Key, requests: NonZeroU32) -> Self {
        Self { requests: Some(requests), per: Some(MINUTE), ..Self::without_numbers(name, key) }
    }

    /// A limit that has its numbers from `tiers` alone.
    pub(crate) fn by_tier(name: &str, key: Key, tiers: impl IntoIterator<Item = (&'static str, Quota)>) -> Self {
        let tiers = tiers.into_iter().map(|(tier, quota)| (tier.to_owned(), quota)).collect();
        Self { tiers: Some(tiers), ..Self::without_numbers(name, key) }
    }

    fn without_numbers(name: &str, key: Key) -> Self {
        Self {
            name: name.to_owned(),
            key: Keys::new([key]),
            requests: None,
            per: None,
            burst: None,
            tiers: None,
            mode: Mode::default(),
            scope: Scope::default(),
            on_failure: OnFailure::default(),
        }
    }

    /// The numbers for callers without a tier of their own; none where only tiers have some.
    pub(crate) fn base(&self) -> Option<Quota> {
        Some(Quota::of(self.requests?, self.per?, self.burst))
    }

    /// Checks what the types do not: that the limit can ever hold for somebody.
    pub(crate) fn check(&self) -> Result<(), String> {
        let tiers = self.tiers.as_ref();
        match (self.requests, self.per) {
            (Some(_), Some(_)) => {}
            (Some(_), None) => return Err("has `requests` without `per`; expected both or neither".into()),
            (None, Some(_)) => return Err("has `per` without `requests`; expected both or neither".into()),
            (None, None) if self.burst.is_some() => return Err("has `burst` without `requests` and `per`".into()),
            (None, None) if tiers.is_none() => {
                return Err("has no numbers; expected `requests` and `per`, or `tiers`".into());
            }
            (None, None) => {}
        }
        if let Some(tiers) = tiers {
            if tiers.is_empty() {
                return Err("has no tier in `tiers`; expected at least one, or leave the key out".into());
            }
            if tiers.contains_key("") {
                return Err("has an empty name in `tiers`, which no token can carry; expected a tier's name".into());
            }
            if !self.key.has(Key::User) && !self.key.has(Key::Tier) {
                return Err(
                    "has `tiers`, but callers of several tiers share its count; expected `user` or `tier` in `key`"
                        .into(),
                );
            }
        }
        if self.scope == Scope::Fleet { self.check_fleet() } else { Ok(()) }
    }

    fn check_fleet(&self) -> Result<(), String> {
        if self.key.has(Key::Model) {
            let why = "the model stands in the body, and a gateway can ask the companion only before it";
            return Err(format!("has `model` in `key` and `scope` \"fleet\": {why}; expected `scope` \"local\""));
        }
        let quotas: Vec<Quota> = self.base().into_iter().chain(self.tiers.iter().flatten().map(|it| *it.1)).collect();
        if let Some(it) = quotas.iter().find(|it| it.requests() > MOST_IN_FLEET || it.seconds() > LONGEST_IN_FLEET) {
            return Err(format!(
                "has {it}; expected at most {MOST_IN_FLEET} requests and {LONGEST_IN_FLEET} seconds over a fleet"
            ));
        }
        match quotas.into_iter().find(|it| it.burst() > it.requests()) {
            Some(it) => {
                let (burst, requests) = (it.burst(), it.requests());
                let why = "over a fleet never more than `requests` pass in a window";
                Err(format!("has `burst` {burst} with `requests` {requests}, but {why}; expected at most {requests}"))
            }
            None => Ok(()),
        }
    }
}

/// The window of most limits.
const MINUTE: Per = Per::new(NonZeroU32::MIN.saturating_add(59));

fn name<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let name = String::deserialize(from)?;
    let good = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-' || it == b'_';
    if (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(good) {
        return Ok(name);
    }
    Err(D::Error::custom(format!("`name` is {name:?}; expected 1 to {LONGEST_NAME} of a-z, 0-9, - and _")))
}

fn tiers<'de, D: Deserializer<'de>>(from: D) -> Result<Option<BTreeMap<String, Quota>>, D::Error> {
    // By hand, because serde's own messages do not say in which tier the mistake is.
    let tiers = BTreeMap::<String, serde_json::Value>::deserialize(from)?;
    let quota = |(tier, written)| match Quota::deserialize(written) {
        Ok(quota) => Ok((tier, quota)),
        Err(why) => Err(D::Error::custom(format!("tiers.{tier}: {why}"))),
    };
    tiers.into_iter().map(quota).collect::<Result<_, _>>().map(Some)
}

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let written = serde_json::Value::deserialize(from)?;
        let list = match &written {
            serde_json::Value::Array(list) => list.clone(),
            one => vec![one.clone()],
        };
        let key = |it: serde_json::Value| {
            Key::deserialize(&it).map_err(|_| {
                let known = "`user`, `project`, `tenant`, `address`, `tier`, `role`, `model`";
                D::Error::custom(format!("`key` is {written}; expected {known} or a list of them"))
            })
        };
        let keys = list.into_iter().map(key).collect::<Result<Vec<_>, _>>()?;
        let distinct: BTreeSet<Key> = keys.iter().copied().collect();
        if keys.is_empty() || distinct.len() < keys.len() {
            return Err(D::Error::custom(format!("`key` is {written}; expected each key once, and at least one")));
        }
        Ok(Self::new(keys))
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Keys {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Keys".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let one = schemars::json_schema!({
            "type": "string", "enum": ["user", "project", "tenant", "address", "tier", "role", "model"],
        });
        schemars::json_schema!({"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]})
    }
}
