//! What the operator writes.

use domain::mode::Mode;
use pii::Entity;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::num::NonZeroU32;

/// What may not go to a model.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Config {
    /// `enforce` masks and blocks (default); `shadow` only says what it would have found, in a
    /// header of the response and in metrics; `off` does nothing.
    #[serde(default)]
    pub(crate) mode: Mode,
    /// What to look for, and what becomes of it: `email` and `secret`, each `mask` or `block`.
    /// Default: both are masked. When given, only what it names is looked for.
    #[serde(default = "all_masked")]
    pub(crate) entities: BTreeMap<Entity, Action>,
    /// How many bytes of text one request may have, 1 to 16777216, default 1048576. Images and
    /// other content that is no text does not count.
    #[serde(default = "one_mebibyte")]
    pub(crate) max_bytes: NonZeroU32,
    /// What becomes of a request with more text: `block` answers 413 `request_too_large` (default),
    /// `allow` lets it pass without a look.
    #[serde(default)]
    pub(crate) on_oversize: OnOversize,
}

/// What becomes of something that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Action {
    /// A placeholder takes its place, the same for the same value within the request.
    Mask,
    /// The request is answered 400 `content_blocked`.
    Block,
}

/// What becomes of a request that is too large to look through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum OnOversize {
    /// It is refused.
    #[default]
    Block,
    /// It passes unseen.
    Allow,
}

/// The upper bound of `max_bytes`.
const MOST_BYTES: u32 = 16 << 20;

impl Config {
    /// Reads a configuration.
    ///
    /// # Errors
    /// Which key is wrong, what was found and what is expected.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let config: Self = serde_json::from_slice(json).map_err(|why| format!("guardrails: {why}"))?;
        if config.entities.is_empty() {
            return Err(
                "guardrails: `entities` is empty, so nothing could be found; expected an entity, or `mode` \"off\""
                    .into(),
            );
        }
        if config.max_bytes.get() > MOST_BYTES {
            return Err(format!("guardrails: `max_bytes` is {}; expected 1 to {MOST_BYTES}", config.max_bytes));
        }
        Ok(config)
    }
}

fn all_masked() -> BTreeMap<Entity, Action> {
    Entity::ALL.iter().map(|it| (*it, Action::Mask)).collect()
}

fn one_mebibyte() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add((1 << 20) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_configuration_masks_all() {
        let config = Config::parse(b"{}").unwrap();
        assert_eq!((config.mode, config.entities, config.max_bytes.get()), (Mode::Enforce, all_masked(), 1_048_576));
        assert_eq!(config.on_oversize, OnOversize::Block);
    }

    #[test]
    fn a_mistake_is_named_by_its_key() {
        for (json, why) in [
            (r#"{"entities": {}}"#, "`entities` is empty"),
            (r#"{"entities": {"fone": "mask"}}"#, "unknown variant `fone`, expected one of `email`"),
            (r#"{"entities": {"email": "hash"}}"#, "unknown variant `hash`, expected `mask` or `block`"),
            (r#"{"mode": "on"}"#, "unknown variant `on`, expected one of `off`"),
            (r#"{"max_bytes": 0}"#, "invalid value: integer `0`, expected a nonzero u32"),
            (r#"{"max_bytes": 16777217}"#, "`max_bytes` is 16777217; expected 1 to 16777216"),
            (r#"{"on_oversize": "scan"}"#, "unknown variant `scan`, expected `block` or `allow`"),
            (r#"{"modes": "off"}"#, "unknown field `modes`"),
        ] {
            let said = Config::parse(json.as_bytes()).unwrap_err();
            assert!(said.starts_with("guardrails: ") && said.contains(why), "{json}: {said}");
        }
        assert!(Config::parse(b"").is_err());
    }
}
