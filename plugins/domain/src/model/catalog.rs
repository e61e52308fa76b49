//! From a requested name to a chain, by the operator's rules.

use super::{
    chain::{Candidate, Chains},
    name::{Canonical, ModelName, printable},
};
use serde::Deserialize;
use std::fmt;

/// Another name for a model.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Alias {
    /// What clients ask for; matched whole, in either form (`gpt-4` also takes `openai/gpt-4`).
    pub name: ModelName,
    /// The model that they get. It is no alias itself.
    pub model: ModelName,
}

/// Which chain serves a model.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Rule {
    /// A model's name, or everything under a prefix: `openai/*`; `*` alone is every model.
    pub name: String,
    /// The chain, by its name in `chains`.
    pub chain: String,
}

#[derive(Debug)]
enum Pattern {
    Exact(Canonical),
    /// Every name that begins with this.
    Under(String),
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, String> {
        let Some(prefix) = text.strip_suffix('*') else {
            return ModelName::parse(text).map(|it| Self::Exact(it.canonical()));
        };
        if prefix.is_empty() {
            return Ok(Self::Under(String::new()));
        }
        let wrong = || {
            format!("`{}` is no pattern: expected a model's name, a prefix as in `openai/*`, or `*`", printable(text))
        };
        // The prefix of the canonical names that this one's synonyms have: `gemini/*` is `google/*`.
        let prefix = prefix.strip_suffix('/').ok_or_else(wrong)?;
        let probe = ModelName::parse(&format!("{prefix}/x")).map_err(|_| wrong())?;
        let probe = probe.canonical();
        let prefix = probe.as_str().strip_suffix('x').ok_or_else(wrong)?;
        Ok(Self::Under(prefix.to_owned()))
    }

    fn matches(&self, name: &Canonical) -> bool {
        match self {
            Self::Exact(exact) => exact == name,
            Self::Under(prefix) => name.as_str().starts_with(prefix),
        }
    }

    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::Exact(name)) => self.matches(name),
            (Self::Under(prefix), Self::Under(longer)) => longer.starts_with(prefix),
            (Self::Exact(_), Self::Under(_)) => false,
        }
    }
}

/// What a request leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved<'a> {
    /// The model.
    pub canonical: Canonical,
    /// The chain that serves it.
    pub chain: &'a str,
    /// The id by which the chain's first candidate knows the model.
    pub model_id: String,
    /// What was asked for, when that was an alias or no name at all (`default`).
    pub replaced: Option<String>,
}

/// Why a request leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotFound {
    /// No rule covers the name, of which this is a bounded, printable part.
    Unknown(String),
    /// The request names no model and there is no default.
    Unnamed,
}

impl fmt::Display for NotFound {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(out, "The model `{name}` does not exist or you do not have access to it."),
            Self::Unnamed => out.write_str("You must provide a model parameter."),
        }
    }
}

/// The name that stands for the default model, as does none.
const DEFAULT: &str = "default";

/// Every rule, checked: whatever it resolves to exists.
#[derive(Debug)]
pub struct Catalog {
    default: Option<ModelName>,
    aliases: Vec<(Canonical, Canonical)>,
    rules: Vec<(Pattern, String)>,
    chains: Chains,
}

impl Catalog {
    /// Checks and takes the operator's rules.
    ///
    /// # Errors
    /// The first rule that can never match, leads nowhere, or hides another, by its place.
    pub fn build(
        default_model: Option<ModelName>,
        aliases: &[Alias],
        models: &[Rule],
        chains: Chains,
    ) -> Result<Self, String> {
        let rules = rules(models, &chains)?;
        let aliases = aliases_of(aliases, models, &rules)?;
        let catalog = Self { default: default_model, aliases, rules, chains };
        if let Some(name) = &catalog.default {
            let text = name.as_str();
            let lost = || format!("default_model `{text}` is covered by no rule of `models`");
            if text == DEFAULT {
                return Err("default_model is `default` itself: expected a model".into());
            }
            catalog.follow(&name.canonical(), None).ok_or_else(lost)?;
        }
        Ok(catalog)
    }

    /// What a request that asks for `requested` gets. `None`, an empty name and `default` mean the
    /// default model.
    ///
    /// # Errors
    /// When no rule covers the name, or none was given and there is no default.
    pub fn resolve(&self, requested: Option<&str>) -> Result<Resolved<'_>, NotFound> {
        let unknown = |text: &str| NotFound::Unknown(printable(text));
        match requested.filter(|it| !it.is_empty() && *it != DEFAULT) {
            Some(text) => {
                let name = ModelName::parse(text).map_err(|_| unknown(text))?;
                self.follow(&name.canonical(), Some(text)).ok_or_else(|| unknown(text))
            }
            None => {
                let name = self.default.as_ref().ok_or(NotFound::Unnamed)?;
                let mut found = self.follow(&name.canonical(), None).ok_or(NotFound::Unnamed)?;
                found.replaced = Some(DEFAULT.to_owned());
                Ok(found)
            }
        }
    }

    /// All chains.
    #[must_use]
    pub fn chains(&self) -> &Chains {
        &self.chains
    }

    /// Every name that an operator wrote out: exact models, then aliases.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let exact = self.rules.iter().filter_map(|(pattern, _)| match pattern {
            Pattern::Exact(name) => Some(name.as_str()),
            Pattern::Under(_) => None,
        });
        exact.chain(self.aliases.iter().map(|(name, _)| name.as_str()))
    }

    fn follow(&self, name: &Canonical, asked: Option<&str>) -> Option<Resolved<'_>> {
        let alias = self.aliases.iter().find(|(alias, _)| alias == name);
        let canonical = alias.map_or(name, |(_, target)| target);
        let (_, chain) = self.rules.iter().find(|(it, _)| it.matches(canonical))?;
        let first: &Candidate = self.chains.get(chain)?.first()?;
        Some(Resolved {
            canonical: canonical.clone(),
            chain,
            model_id: first.model_id(canonical).into_owned(),
            replaced: alias.and(asked).map(str::to_owned),
        })
    }
}

fn rules(models: &[Rule], chains: &Chains) -> Result<Vec<(Pattern, String)>, String> {
    let mut rules: Vec<(Pattern, String)> = Vec::with_capacity(models.len());
    for (at, Rule { name, chain }) in models.iter().enumerate() {
        let pattern = Pattern::parse(name).map_err(|wrong| format!("models[{at}].name: {wrong}"))?;
        if name == DEFAULT {
            return Err(format!("models[{at}] `default` can never match: that name stands for default_model"));
        }
        if let Some(earlier) = rules.iter().position(|(it, _)| it.covers(&pattern)) {
            let by = models.get(earlier).map_or("", |it| it.name.as_str());
            return Err(format!("models[{at}] `{name}` can never match: models[{earlier}] `{by}` matches first"));
        }
        if chains.get(chain).is_none() {
            return Err(format!(
                "models[{at}] `{name}` names the chain `{}`, which is not in `chains`",
                printable(chain)
            ));
        }
        rules.push((pattern, chain.clone()));
    }
    let used = |name: &str| models.iter().any(|it| it.chain == name);
    match chains
        .iter()
        .find(|(name, chain)| !used(name) && !chains.iter().any(|(other, it)| used(other) && is_rest(chain, it)))
    {
        Some((name, _)) => {
            Err(format!("chains.{name} is used by no rule of `models`, and is no rest of a chain that is"))
        }
        None => Ok(rules),
    }
}

/// Whether `chain` is what is left of `whole` when some of its providers are switched off.
fn is_rest(chain: &[Candidate], whole: &[Candidate]) -> bool {
    chain.len() < whole.len() && chain.iter().all(|one| whole.iter().any(|it| it.provider == one.provider))
}

fn aliases_of(
    aliases: &[Alias],
    models: &[Rule],
    rules: &[(Pattern, String)],
) -> Result<Vec<(Canonical, Canonical)>, String> {
    let names: Vec<Canonical> = aliases.iter().map(|it| it.name.canonical()).collect();
    let mut pairs: Vec<(Canonical, Canonical)> = Vec::with_capacity(aliases.len());
    for (at, (Alias { name, model }, own)) in aliases.iter().zip(&names).enumerate() {
        let (name, target) = (name.as_str(), model.canonical());
        let place = format!("aliases[{at}] `{name}`");
        if name == DEFAULT {
            return Err(format!("{place} can never match: that name stands for default_model"));
        }
        if let Some(earlier) = pairs.iter().position(|(it, _)| it == own) {
            return Err(format!("{place} can never match: aliases[{earlier}] has that name"));
        }
        if target == *own {
            return Err(format!("{place} leads to itself"));
        }
        if let Some(next) = names.iter().position(|it| *it == target) {
            return Err(format!("{place} leads to aliases[{next}], an alias itself: name the model"));
        }
        let hides = |(pattern, _): &(Pattern, String)| matches!(pattern, Pattern::Exact(it) if it == own);
        if let Some(hidden) = rules.iter().position(hides) {
            let rule = models.get(hidden).map_or("", |it| it.name.as_str());
            return Err(format!("models[{hidden}] `{rule}` can never match: {place} takes that name"));
        }
        if !rules.iter().any(|(it, _)| it.matches(&target)) {
            return Err(format!("{place} leads to `{}`, which no rule of `models` covers", model.as_str()));
        }
        pairs.push((own.clone(), target));
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests;
