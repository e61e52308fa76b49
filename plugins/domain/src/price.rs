//! What a model costs.

use crate::money::Usd;
use crate::usage::Usage;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The price of a model, in pico-dollars (1e-12 US dollars) per token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// An input token.
    pub input: u64,
    /// An output token.
    pub output: u64,
    /// An input token that the provider read from its cache; `None`: as any other.
    pub cached: Option<u64>,
    /// An input token that the provider wrote to its cache; `None`: as any other.
    pub cache_write: Option<u64>,
    /// What holds instead for a long prompt.
    pub long: Option<Long>,
}

/// The price of a request with a long prompt, for all of its tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Long {
    /// It holds for prompts of more tokens than this.
    pub above: u64,
    /// See [`Price::input`].
    pub input: u64,
    /// See [`Price::output`].
    pub output: u64,
    /// See [`Price::cached`].
    pub cached: Option<u64>,
    /// See [`Price::cache_write`].
    pub cache_write: Option<u64>,
}

impl Price {
    /// The price that holds for a prompt of `input` tokens; it has no [`Price::long`].
    #[must_use]
    pub fn at(&self, _input: u64) -> Self {
        Self { long: None, ..*self }
    }

    /// What `usage` costs, rounded half up to a nano-dollar.
    #[must_use]
    pub fn cost(&self, _usage: &Usage) -> Usd {
        Usd::ZERO
    }
}

/// What is known of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Model {
    /// Its price; `None`: nobody knows, which is not the same as free.
    pub price: Option<Price>,
    /// The most tokens that a prompt may have.
    pub max_input: Option<u64>,
    /// The most tokens that it generates.
    pub max_output: Option<u64>,
}

/// An operator's price of a model, in US dollars per million tokens.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Override {
    /// A million input tokens.
    pub(crate) input: Usd,
    /// A million output tokens.
    pub(crate) output: Usd,
    /// A million input tokens that the provider read from its cache; as other input where absent.
    #[serde(default)]
    pub(crate) cached_input: Option<Usd>,
    /// A million input tokens that the provider wrote to its cache; as other input where absent.
    #[serde(default)]
    pub(crate) cache_write: Option<Usd>,
    /// The most tokens that the model generates.
    #[serde(default)]
    pub(crate) max_output: Option<u64>,
}

impl Override {
    fn model(&self) -> Result<Model, String> {
        let price = Price {
            input: per_token(self.input)?,
            output: per_token(self.output)?,
            cached: self.cached_input.map(per_token).transpose()?,
            cache_write: self.cache_write.map(per_token).transpose()?,
            long: None,
        };
        Ok(Model { price: Some(price), max_input: None, max_output: self.max_output })
    }
}

fn per_token(million: Usd) -> Result<u64, String> {
    u64::try_from(million.nanos() / 1000).map_err(|it| it.to_string())
}

/// Every price that is known: the operator's own, then the built-in table's.
#[derive(Debug, Clone, Default)]
pub struct Prices {
    own: BTreeMap<String, Model>,
}

impl Prices {
    /// The built-in table, with the operator's `overrides` by model in front of it.
    ///
    /// # Errors
    /// The first override that cannot be meant, by its key.
    pub fn built_in(overrides: &BTreeMap<String, Override>) -> Result<Self, String> {
        let own = overrides.iter().map(|(model, it)| Ok((model.clone(), it.model()?)));
        Ok(Self { own: own.collect::<Result<_, String>>()? })
    }

    /// What is known of `model`, a canonical name as in `openai/gpt-4o`.
    #[must_use]
    pub fn of(&self, model: &str) -> Option<Model> {
        self.own.get(model).copied()
    }
}
