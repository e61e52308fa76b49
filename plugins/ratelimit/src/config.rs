//! What the operator writes.

use domain::{caller::Trust, quota::Quota};
use serde::{Deserialize, Deserializer, de::Error};
use std::collections::BTreeMap;
use std::num::NonZeroU32;

/// How often a caller may ask, by tier.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Config {
    /// For callers without a tier, and those whose tier has no quota of its own.
    #[serde(deserialize_with = "default")]
    pub(crate) default: Quota,
    /// Quotas of their own for some tiers, by the tier's name in the token.
    #[serde(default, deserialize_with = "tiers")]
    pub(crate) tiers: BTreeMap<String, Quota>,
    /// `enforce` answers 429 to a caller without an allowance (default); `shadow` only counts how
    /// many it would have been, and changes no traffic; `off` does nothing.
    #[serde(default)]
    pub(crate) mode: Mode,
    /// Whom to believe about the caller: `auth`, the filter in front (default), or `headers`, the
    /// identity headers as they come, where something before the gateway writes them.
    #[serde(default)]
    pub(crate) trust: Trust,
    /// What becomes of a request when the proxy's shared memory fails, so that nobody knows the
    /// count: `deny` answers 503 `limiter_unavailable` (default), `allow` lets it pass uncounted.
    #[serde(default)]
    pub(crate) on_failure: OnFailure,
    /// What the limit is called. Two of this filter in one proxy count together when they have the
    /// same name. Default `requests`.
    #[serde(default = "name")]
    pub(crate) name: String,
    /// How many slots of shared memory hold the counts, 1 to 65536, default 8192. A slot holds 16
    /// callers in about 400 bytes. Have twice as many places as callers are active within a window;
    /// in a table that is too small a caller may be forgotten, and gets a whole allowance again.
    #[serde(default = "slots", deserialize_with = "slots_from")]
    pub(crate) slots: NonZeroU32,
}

/// Whether the limit holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Mode {
    /// Nothing is counted.
    Off,
    /// Requests are counted and none is refused.
    Shadow,
    /// The limit holds.
    #[default]
    Enforce,
}

/// What to do when the filter cannot count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum OnFailure {
    /// Refuse the request.
    #[default]
    Deny,
    /// Let it pass uncounted.
    Allow,
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
        if config.tiers.contains_key("") {
            return Err("ratelimit: `tiers` has an empty name, which no token can carry; expected a tier's name".into());
        }
        if config.name.is_empty() {
            return Err("ratelimit: `name` is empty; expected what the limit is called".into());
        }
        Ok(config)
    }

    /// The quota of a tier.
    pub(crate) fn quota(&self, tier: Option<&str>) -> Quota {
        *tier.and_then(|tier| self.tiers.get(tier)).unwrap_or(&self.default)
    }
}

fn default<'de, D: Deserializer<'de>>(from: D) -> Result<Quota, D::Error> {
    Quota::deserialize(from).map_err(|why| D::Error::custom(format!("default: {why}")))
}

fn tiers<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, Quota>, D::Error> {
    // By hand, because serde's own messages do not say in which tier the mistake is.
    let tiers = BTreeMap::<String, serde_json::Value>::deserialize(from)?;
    let quota = |(tier, written)| match Quota::deserialize(written) {
        Ok(quota) => Ok((tier, quota)),
        Err(why) => Err(D::Error::custom(format!("tiers.{tier}: {why}"))),
    };
    tiers.into_iter().map(quota).collect()
}

fn name() -> String {
    "requests".to_owned()
}

fn slots() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(8_191)
}

fn slots_from<'de, D: Deserializer<'de>>(from: D) -> Result<NonZeroU32, D::Error> {
    let written = serde_json::Value::deserialize(from)?;
    let slots = written.as_u64().and_then(|it| u32::try_from(it).ok()).and_then(NonZeroU32::new);
    slots.filter(|it| it.get() <= MOST_SLOTS).ok_or_else(|| {
        D::Error::custom(format!("`slots` is {written}; expected a whole number from 1 to {MOST_SLOTS}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: &str = r#""default": {"requests": 10, "per": "minute"}"#;

    #[test]
    fn a_default_quota_is_enough() {
        let config = Config::parse(format!("{{{DEFAULT}}}").as_bytes()).unwrap();
        assert_eq!(config.quota(Some("pro")).to_string(), "10 requests per minute");
        assert_eq!((config.mode, config.trust, config.on_failure), (Mode::Enforce, Trust::Auth, OnFailure::Deny));
        assert_eq!((config.slots.get(), config.name.as_str()), (8192, "requests"));
    }

    #[test]
    fn a_mistake_is_named_by_its_key() {
        for (rest, why) in [
            (r#""tiers": {}"#, "missing field `default`"),
            (r#""default": {"requests": 0, "per": "day"}"#, "default: `requests` is 0; expected"),
            (r#""default": {"requests": 1}"#, "default: missing field `per`"),
            (&format!(r#"{DEFAULT}, "tiers": {{"pro": {{"requests": 1, "per": "week"}}}}"#), "tiers.pro: `per` is"),
            (&format!(r#"{DEFAULT}, "tiers": {{"": {{"requests": 1, "per": "day"}}}}"#), "`tiers` has an empty name"),
            (&format!(r#"{DEFAULT}, "slots": 0"#), "`slots` is 0; expected a whole number from 1 to 65536"),
            (&format!(r#"{DEFAULT}, "slots": 65537"#), "`slots` is 65537; expected"),
            (&format!(r#"{DEFAULT}, "name": """#), "`name` is empty"),
            (&format!(r#"{DEFAULT}, "mode": "on""#), "unknown variant `on`, expected one of `off`"),
            (&format!(r#"{DEFAULT}, "on_failure": "open""#), "unknown variant `open`, expected `deny` or `allow`"),
            (&format!(r#"{DEFAULT}, "teirs": {{}}"#), "unknown field `teirs`"),
        ] {
            let said = Config::parse(format!("{{{rest}}}").as_bytes()).unwrap_err();
            assert!(said.starts_with("ratelimit: ") && said.contains(why), "{rest}: {said}");
        }
        assert!(Config::parse(b"").is_err());
    }
}
