//! What a model costs, and what it can do: a table that was generated from a pinned public source, and the operator's own prices before it.
//!
//! Prices are whole pico-dollars per token, costs whole nano-dollars; no binary fraction is in between. Who is not
//! in the table, or stands there without a price, has none: that is for the caller to decide about, and never zero.
//! The table is `prices.tsv` beside this file, made by `make prices`. It is searched as it is: no memory, nothing to parse
//! when a worker starts.

mod capability;
mod info;
mod own;
mod table;

use crate::{
    model::{Canonical, ModelName},
    money::Usd,
    usage::Usage,
};
use serde::Serialize;
use std::{cell::RefCell, collections::BTreeMap};

pub use capability::{Capabilities, Capability};
pub use info::Info;
pub use own::Override;

/// How many models' facts are kept at hand.
const MOST_KNOWN: usize = 256;

/// How many pico-dollars a nano-dollar has.
const PICOS: u128 = 1000;

/// The price of a model, in pico-dollars (1e-12 US dollars) per token. Written out, it has the first four members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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
    #[serde(skip)]
    pub long: Option<Long>,
    /// What every rate becomes where the provider served the request with priority, in percent; `None`: it stays.
    #[serde(skip)]
    pub priority: Option<u64>,
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
    pub fn at(&self, input: u64) -> Self {
        match self.long.filter(|it| input > it.above) {
            None => Self { long: None, ..*self },
            Some(Long { input, output, cached, cache_write, .. }) => {
                Self { input, output, cached, cache_write, long: None, priority: self.priority }
            }
        }
    }

    /// The price that `usage` is billed at: what a record of it says.
    #[must_use]
    pub fn of(&self, usage: &Usage) -> Self {
        let price = Self { priority: None, ..self.at(usage.input) };
        let Some(percent) = self.priority.filter(|_| usage.priority) else { return price };
        let scaled = |each: u64| each.saturating_mul(percent).div_ceil(100);
        Self {
            input: scaled(price.input),
            output: scaled(price.output),
            cached: price.cached.map(scaled),
            cache_write: price.cache_write.map(scaled),
            ..price
        }
    }

    /// What `usage` costs, rounded half up to a nano-dollar.
    #[must_use]
    pub fn cost(&self, usage: &Usage) -> Usd {
        let price = self.of(usage);
        let cached = usage.cached.min(usage.input);
        let written = usage.cache_write.min(usage.input.saturating_sub(cached));
        let plain = usage.input.saturating_sub(cached).saturating_sub(written);
        let picos = [
            (plain, price.input),
            (cached, price.cached.unwrap_or(price.input)),
            (written, price.cache_write.unwrap_or(price.input)),
            (usage.output, price.output),
        ]
        .into_iter()
        .map(|(tokens, each)| u128::from(tokens).saturating_mul(u128::from(each)))
        .fold(PICOS / 2, u128::saturating_add);
        let nanos = picos.checked_div(PICOS).and_then(|it| i64::try_from(it).ok());
        nanos.map_or(Usd::MAX, Usd::from_nanos)
    }
}

/// What is known of a model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Model {
    /// Its price; `None`: nobody knows, which is not the same as free.
    pub price: Option<Price>,
    /// The most tokens that a prompt may have.
    pub max_input: Option<u64>,
    /// The most tokens that it generates.
    pub max_output: Option<u64>,
    /// What it can do.
    pub capabilities: Capabilities,
    /// The day after which its provider does not serve it any more, as in `2026-11-30`.
    pub deprecated: Option<&'static str>,
}

/// Every price that is known: the operator's own, then the built-in table's.
#[derive(Debug, Clone)]
pub struct Prices {
    own: BTreeMap<String, Model>,
    rows: &'static str,
    /// What was asked for lately: few models are asked for often, and finding one costs more than all else that is done with it.
    known: RefCell<BTreeMap<String, Option<Model>>>,
}

impl Prices {
    /// The built-in table, with the operator's `overrides` by model in front of it. A limit that an override does not
    /// name stays the table's.
    ///
    /// # Errors
    /// The first override that cannot be meant, by its key.
    pub fn built_in(overrides: &BTreeMap<String, Override>) -> Result<Self, String> {
        let mut prices = Self { own: BTreeMap::new(), rows: table::rows(), known: RefCell::default() };
        for (key, own) in overrides {
            let name = ModelName::parse(key).map_err(|wrong| format!("prices: {wrong}"))?.canonical().to_string();
            let model = own.over(table::find(prices.rows, &name), key)?;
            if prices.own.insert(name.clone(), model).is_some() {
                return Err(format!("prices.{key}: `{name}` has a price already, by another of its names"));
            }
        }
        Ok(prices)
    }

    /// What is known of `model`, a canonical name as in `openai/gpt-4o`, or a provider's name and the id by which that
    /// provider knows it, as in `groq/openai/gpt-oss-120b`.
    ///
    /// A name that is not known is looked for without the date at its end, with and without `-latest`, as the
    /// model that a fine-tuned one was made from (`ft:…`), at the provider that another name of it begins with
    /// (`openai-eu` is `openai`), and, for who sells at the vendors' prices (OpenRouter, Vertex), at the vendor.
    #[must_use]
    pub fn of(&self, model: &str) -> Option<Model> {
        if let Some(known) = self.known.borrow().get(model) {
            return *known;
        }
        let name = ModelName::parse(model).ok()?;
        let found = self.find(&name.canonical());
        let mut known = self.known.borrow_mut();
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        known.insert(model.to_owned(), found);
        found
    }

    fn find(&self, name: &Canonical) -> Option<Model> {
        let found = self.spelled(name.as_str());
        if found.is_some() {
            return found;
        }
        let (provider, id) = (name.provider()?, name.model());
        let base = provider.split(['.', '-', '_']).next().unwrap_or(provider);
        let resold = matches!(base, "openrouter" | "vertex") && id.contains('/');
        if resold {
            // It sells the vendor's model, and offers it over the operations of its own API.
            let own = |it: Model| Model { capabilities: it.capabilities.without(Capability::OPERATIONS), ..it };
            return self.find(&ModelName::parse(id).ok()?.canonical()).map(own);
        }
        if base == provider { None } else { self.spelled(&format!("{base}/{id}")) }
    }

    /// The names of all models that something is known of; the operator's own first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let built_in = self.rows.lines().filter_map(|it| it.split('\t').next());
        self.own.keys().map(String::as_str).chain(built_in.filter(|it| !self.own.contains_key(*it)))
    }

    fn spelled(&self, name: &str) -> Option<Model> {
        let exact = |name: &str| self.own.get(name).copied().or_else(|| table::find(self.rows, name));
        let bare = undated(name);
        exact(name)
            .or_else(|| bare.and_then(exact))
            .or_else(|| exact(name.strip_suffix("-latest")?))
            .or_else(|| exact(&format!("{}-latest", bare.unwrap_or(name))))
            .or_else(|| {
                let (provider, tuned) = name.split_once("ft:")?;
                let (base, _) = tuned.split_once(':')?;
                exact(&format!("{provider}ft:{base}"))
            })
    }
}

/// The name without a date at its end, `-2024-08-06` or `-20240806` (Vertex: `@20240806`).
fn undated(name: &str) -> Option<&str> {
    let ends_in = |form: &str| {
        let (head, tail) = name.split_at_checked(name.len().checked_sub(form.len())?)?;
        let is = tail.chars().zip(form.chars()).all(|(it, of)| if of == '0' { it.is_ascii_digit() } else { it == of });
        is.then_some(head)
    };
    ["-0000-00-00", "-00000000", "@00000000"].into_iter().find_map(ends_in)
}

#[cfg(test)]
mod tests;
