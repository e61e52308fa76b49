//! What the operator writes.

mod own;
mod pii;
mod sentinel;

pub use own::{Allow, Pattern, Words};
pub use pii::{Action, Pii, What};
pub use sentinel::Sentinel;

use crate::analyzer::Analyzer;
use domain::{caller::Trust, companion::Companion};
use serde::Deserialize;
use std::{collections::BTreeMap, num::NonZeroU32};

/// What may not go to a model, and what may not come out of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Config {
    /// Personal data and secrets.
    #[serde(default)]
    pub(crate) pii: Pii,
    /// Prompt injection.
    #[serde(default)]
    pub(crate) sentinel: Sentinel,
    /// What is otherwise for callers of some tiers, by the tier's name. What they leave out is as above.
    #[serde(default)]
    pub(crate) tiers: BTreeMap<String, Guards>,
    /// What is otherwise in some projects, by the project's id. What they leave out is as above, for the caller's tier.
    #[serde(default)]
    pub(crate) projects: BTreeMap<String, Project>,
    /// Whom to believe about the caller, where there are `tiers`, `projects` or hashes: `auth`, the filter in front
    /// (default), or `headers`, the identity headers as they come, where something before the gateway writes them.
    #[serde(default)]
    pub(crate) trust: Trust,
    /// How many bytes of text one request may have, 1 to 16777216, default 1048576. Images and other content that is no
    /// text does not count.
    #[serde(default = "one_mebibyte")]
    pub(crate) max_bytes: NonZeroU32,
    /// How many bytes one answer may have that is not streamed, or one event of a stream, 1 to 16777216, which is the
    /// default. Here all of them count, as a picture in an answer is kept until the answer is whole.
    #[serde(default = "most_bytes")]
    pub(crate) max_answer_bytes: NonZeroU32,
    /// What becomes of a request with more text: `block` answers 413 `request_too_large` (default), `scan_ends` looks at the
    /// first and the last half of `max_bytes`, `allow` lets it pass without a look.
    #[serde(default)]
    pub(crate) on_oversize: OnOversize,
    /// The status of what is blocked, 400 (default) or 451.
    #[serde(default, deserialize_with = "status")]
    #[cfg_attr(feature = "schema", schemars(with = "u16"))]
    pub(crate) status: Status,
    /// Where the companion is, which takes the events. Without it there are none.
    #[serde(default)]
    pub(crate) companion: Option<Companion>,
    /// A service that finds names of people and places in requests, where the guard `pii` looks at them. Without it they are not
    /// found. In Envoy alone.
    #[serde(default)]
    pub(crate) analyzer: Option<Analyzer>,
}

/// What is otherwise for some callers.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Guards {
    /// Personal data and secrets; each key replaces the same key of the default.
    #[serde(default)]
    pub(crate) pii: Pii,
    /// Prompt injection; each key replaces the same key of the default.
    #[serde(default)]
    pub(crate) sentinel: Sentinel,
}

/// What is otherwise in a project.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Project {
    /// Personal data and secrets; each key replaces the same key of the default.
    #[serde(default)]
    pub(crate) pii: Pii,
    /// Prompt injection; each key replaces the same key of the default.
    #[serde(default)]
    pub(crate) sentinel: Sentinel,
    /// What is otherwise again for callers of some tiers in this project.
    #[serde(default)]
    pub(crate) tiers: BTreeMap<String, Guards>,
}

/// What becomes of a request that is too large to look through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum OnOversize {
    /// It is refused.
    #[default]
    Block,
    /// Its beginning and its end are looked at.
    ScanEnds,
    /// It passes unseen.
    Allow,
}

/// The status of what is blocked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Status {
    /// 400, which every client knows.
    #[default]
    BadRequest,
    /// 451, which tells it from a mistake of the client's.
    Unavailable,
}

impl Status {
    /// The number.
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unavailable => 451,
        }
    }
}

/// The upper bound of `max_bytes` and `max_answer_bytes`.
const MOST_BYTES: u32 = 16 << 20;

impl Config {
    /// Reads a configuration.
    ///
    /// # Errors
    /// Which key is wrong, what was found and what is expected.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let config: Self = serde_json::from_slice(json).map_err(|why| format!("guardrails: {why}"))?;
        config.check().map_err(|why| format!("guardrails: {why}"))?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        for (key, bytes) in [("max_bytes", self.max_bytes), ("max_answer_bytes", self.max_answer_bytes)] {
            if bytes.get() > MOST_BYTES {
                return Err(format!("`{key}` is {bytes}; expected 1 to {MOST_BYTES}"));
            }
        }
        self.companion.as_ref().map_or(Ok(()), Companion::check)?;
        self.analyzer.as_ref().map_or(Ok(()), |it| it.check("analyzer", self.pii.hash_key.is_some()))?;
        both("", &self.pii, &self.sentinel)?;
        tiers("", &self.tiers)?;
        for (id, project) in &self.projects {
            named("projects", id)?;
            let place = format!("projects.{id}.");
            both(&place, &project.pii, &project.sentinel)?;
            tiers(&place, &project.tiers)?;
            if project.pii.is_empty() && project.sentinel.is_empty() && project.tiers.is_empty() {
                return Err(format!(
                    "`projects.{id}` is empty, so it changes nothing; expected `pii`, `sentinel` or `tiers`"
                ));
            }
        }
        Ok(())
    }
}

fn tiers(place: &str, tiers: &BTreeMap<String, Guards>) -> Result<(), String> {
    for (name, tier) in tiers {
        named(&format!("{place}tiers"), name)?;
        both(&format!("{place}tiers.{name}."), &tier.pii, &tier.sentinel)?;
        if tier.pii.is_empty() && tier.sentinel.is_empty() {
            return Err(format!("`{place}tiers.{name}` is empty, so it changes nothing; expected `pii` or `sentinel`"));
        }
    }
    Ok(())
}

fn both(place: &str, pii: &Pii, sentinel: &Sentinel) -> Result<(), String> {
    pii.check(&format!("{place}pii"))?;
    sentinel.check(&format!("{place}sentinel"))
}

fn named(key: &str, name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err(format!("`{key}` has an empty name, which no token can carry; expected one that tokens have"));
    }
    Ok(())
}

fn most_bytes() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(MOST_BYTES - 1)
}

fn one_mebibyte() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add((1 << 20) - 1)
}

fn status<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Status, D::Error> {
    match serde_json::Value::deserialize(from)? {
        it if it == 400 => Ok(Status::BadRequest),
        it if it == 451 => Ok(Status::Unavailable),
        other => Err(serde::de::Error::custom(format!("`status` is {other}; expected 400 or 451"))),
    }
}

#[cfg(test)]
mod tests;
