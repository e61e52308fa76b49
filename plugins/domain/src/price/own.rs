//! An operator's own prices.

use super::{Model, Price};
use crate::money::Usd;
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use std::{fmt, num::NonZeroU64};

/// Who writes more than this means another unit.
const MOST: Usd = Usd::from_nanos(10_000_000_000_000);
/// Nano-dollars per million tokens that make a pico-dollar per token.
const NANOS: i64 = 1000;

/// An operator's price of a model, in US dollars per million tokens.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Override {
    /// A million input tokens.
    #[cfg_attr(feature = "schema", schemars(with = "Usd"))]
    pub(crate) input: Rate,
    /// A million output tokens. 0 for embeddings.
    #[cfg_attr(feature = "schema", schemars(with = "Usd"))]
    pub(crate) output: Rate,
    /// A million input tokens that the provider read from its cache. Default: as other input.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Usd>"))]
    pub(crate) cached_input: Option<Rate>,
    /// A million input tokens that the provider wrote to its cache. Default: as other input.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Usd>"))]
    pub(crate) cache_write: Option<Rate>,
    /// The most tokens that the model generates. Default: the built-in table's.
    #[serde(default)]
    pub(crate) max_output: Option<NonZeroU64>,
}

impl Override {
    /// The model that this makes of what is built in; `key` is the name in the configuration.
    pub(super) fn over(&self, built_in: Option<Model>, key: &str) -> Result<Model, String> {
        let rate = |field: &str, it: &Rate| it.per_token().map_err(|wrong| format!("prices.{key}.{field}: {wrong}"));
        let some = |field: &str, it: &Option<Rate>| it.as_ref().map(|it| rate(field, it)).transpose();
        let price = Price {
            input: rate("input", &self.input)?,
            output: rate("output", &self.output)?,
            cached: some("cached_input", &self.cached_input)?,
            cache_write: some("cache_write", &self.cache_write)?,
            long: None,
            priority: built_in.and_then(|it| it.price?.priority),
        };
        if price.cached.is_some_and(|it| it > price.input) {
            return Err(format!("prices.{key}.cached_input is more than `input`: expected at most that"));
        }
        Ok(Model {
            price: Some(price),
            max_input: built_in.and_then(|it| it.max_input),
            max_output: self.max_output.map(NonZeroU64::get).or(built_in.and_then(|it| it.max_output)),
            capabilities: built_in.map(|it| it.capabilities).unwrap_or_default(),
            deprecated: built_in.and_then(|it| it.deprecated),
        })
    }
}

/// An amount that is judged later, when the name of its key is at hand.
#[derive(Debug, Clone)]
pub(crate) struct Rate(Result<Usd, String>);

impl Rate {
    /// Pico-dollars per token.
    fn per_token(&self) -> Result<u64, String> {
        let amount = self.0.clone()?;
        let picos = amount.nanos().checked_div(NANOS).and_then(|it| u64::try_from(it).ok());
        if amount > MOST {
            return Err(format!("{amount} US dollars per million tokens cannot be meant: expected at most {MOST}"));
        }
        if amount.nanos().checked_rem(NANOS) != Some(0) {
            return Err(format!("{amount} is too fine a price: expected at most six decimals"));
        }
        picos.ok_or_else(|| format!("{amount} is negative"))
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Amount)
    }
}

struct Amount;

impl Visitor<'_> for Amount {
    type Value = Rate;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("US dollars per million tokens: a number, or text as in \"0.05\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Rate, E> {
        Ok(Rate(Usd::parse(text)))
    }

    fn visit_u64<E: de::Error>(self, whole: u64) -> Result<Rate, E> {
        Ok(Rate(Usd::parse(&whole.to_string())))
    }

    fn visit_i64<E: de::Error>(self, whole: i64) -> Result<Rate, E> {
        Ok(Rate(Usd::parse(&whole.to_string())))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Rate, E> {
        Ok(Rate(Usd::from_number(number)))
    }
}
