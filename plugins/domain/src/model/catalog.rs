//! From a requested name to a chain, by the operator's rules.

use super::{
    access::Access,
    alias::{Aliases, Named},
    chain::{Candidate, Chain, Chains, ProviderName},
    name::{Canonical, ModelName, printable},
    naming::Naming,
    parameters::{self, ModelParameters, Parameter, Parameters},
    pattern::Pattern,
};
use crate::caller::Caller;
use serde::Deserialize;
use std::fmt::{self, Arguments};

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

/// What a request leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved<'a> {
    /// The model.
    pub canonical: Canonical,
    /// The chain that serves it.
    pub chain: &'a str,
    /// What holds for that chain.
    pub policy: &'a Chain,
    /// Who of it is asked, the one to try first in front: all, or the one provider that the name is of. Never empty.
    pub candidates: Vec<Candidate>,
    /// What was asked for, when that was no name of this model: an alias, none at all (`default`), or one that the
    /// project does not get. Printable.
    pub replaced: Option<String>,
    /// Which rule decided on the model: `requested`, `alias`, `provider`, `default_provider`, `default_model`, `project`,
    /// `force_model` or `model_policy`.
    pub reason: &'static str,
    /// What stood behind the name and goes before the body's own members.
    pub parameters: Vec<Parameter>,
    /// The names of those that were left out, printable.
    pub ignored: Vec<String>,
}

/// Why a request leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotFound {
    /// No rule covers the name, or the caller may not use the model. This is a bounded, printable part of the name.
    Unknown(String),
    /// The request names no model and there is no default.
    Unnamed,
    /// What stands behind the name cannot be taken, and why.
    Parameters(String),
}

impl fmt::Display for NotFound {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(out, "The model `{name}` does not exist or you do not have access to it."),
            Self::Unnamed => out.write_str("You must provide a model parameter."),
            Self::Parameters(why) => write!(out, "The model's parameter {why}."),
        }
    }
}

/// Who is told each step, with the rule that decided.
pub type Told<'a> = &'a mut dyn FnMut(Arguments<'_>);

/// The longest name with parameters that is read, in bytes.
const LONGEST_ASKED: usize = 1024;

/// The name that stands for the default model, as does none.
const DEFAULT: &str = "default";

/// The name by which a client leaves the choice to the gateway.
pub const AUTO: &str = "auto";

/// How many models `auto` chooses from at most.
const MOST_AUTO: usize = 16;

/// What a request means, before anybody's rules about callers.
struct Meant<'a> {
    model: Canonical,
    reason: &'static str,
    /// The one provider that is to serve it, and the id that it is asked for.
    backend: Option<(&'a ProviderName, String)>,
    /// Whether the client named something else.
    replaced: bool,
    /// What an alias adds.
    read: Option<parameters::Read>,
}

/// Every rule, checked: whatever it resolves to exists.
#[derive(Debug)]
pub struct Catalog {
    default: Option<Canonical>,
    forced: Option<Canonical>,
    default_provider: Option<ProviderName>,
    aliases: Aliases,
    rules: Vec<(Pattern, String)>,
    chains: Chains,
    parameters: ModelParameters,
    access: Access,
    auto: Vec<String>,
}

impl Catalog {
    /// Checks and takes the operator's rules.
    ///
    /// # Errors
    /// The first rule that can never match, leads nowhere, or hides another, by its place.
    pub fn build(naming: Naming) -> Result<Self, String> {
        if naming.model_parameters != ModelParameters::Off {
            naming.check_plain()?;
        }
        let rules = rules(&naming.models, &naming.chains)?;
        let aliases = Aliases::build(&naming.aliases)?;
        check_aliases(&aliases, &naming.models, &rules)?;
        let mut catalog = Self {
            default: None,
            forced: None,
            default_provider: naming.default_provider,
            aliases,
            rules,
            chains: naming.chains,
            parameters: naming.model_parameters,
            access: Access::default(),
            auto: Vec::new(),
        };
        catalog.auto = catalog.check_auto(&naming.auto)?;
        if let Some(name) = catalog.default_provider.as_ref().filter(|it| catalog.provider(it.as_str()).is_none()) {
            return Err(format!("default_provider is `{}`, which is in no chain", name.as_str()));
        }
        let own = |key: &str, name: Option<&ModelName>| match name {
            Some(it) if it.as_str() == DEFAULT => Err(format!("{key} is `default` itself: expected a model")),
            Some(it) => match catalog.written(it) {
                Some(model) => Ok(Some(model)),
                None => Err(format!("{key} `{}` is covered by no rule of `models`", it.as_str())),
            },
            None => Ok(None),
        };
        let default = own("default_model", naming.default_model.as_ref())?;
        let forced = own("force_model", naming.force_model.as_ref())?;
        let served = |pattern: &Pattern| catalog.rules.iter().any(|(it, _)| it.covers(pattern) || pattern.covers(it));
        let lists = [&naming.tiers, &naming.roles];
        let access = Access::build(&naming.projects, lists, |name| catalog.written(name), served)?;
        if forced.is_some() && (default.is_some() || !access.is_empty()) {
            return Err(
                "force_model stands for every request: default_model, projects, tiers and roles are never read".into(),
            );
        }
        (catalog.default, catalog.forced, catalog.access) = (default, forced, access);
        Ok(catalog)
    }

    /// What a request of nobody in particular gets; see [`Catalog::resolve_for`].
    ///
    /// # Errors
    /// As there.
    pub fn resolve(&self, requested: Option<&str>) -> Result<Resolved<'_>, NotFound> {
        self.resolve_for(None, requested, &mut |_| {})
    }

    /// What a request of `caller` gets that asks for `requested`. `None`, an empty name and `default` mean the
    /// project's model or else the default one. `told` hears each step.
    ///
    /// # Errors
    /// When no rule covers the name, the caller may not use its model, none was given and there is no default, or what
    /// stands behind it is wrong.
    pub fn resolve_for(
        &self,
        caller: Option<&Caller>,
        requested: Option<&str>,
        told: Told<'_>,
    ) -> Result<Resolved<'_>, NotFound> {
        let asked = requested.filter(|it| !it.is_empty()).unwrap_or(DEFAULT);
        let unknown = || NotFound::Unknown(printable(asked));
        if asked.len() > LONGEST_ASKED {
            return Err(unknown());
        }
        let (name, written) = self.split(asked);
        let mut meant = match name {
            "" | DEFAULT => self.unnamed(caller, told).ok_or(NotFound::Unnamed)?,
            _ => self.forced(name, told).or_else(|| self.named(name, told)).ok_or_else(unknown)?,
        };
        let read = written.before(meant.read.take());
        if let Some(refused) = read.refused.first().filter(|_| self.parameters == ModelParameters::Strict) {
            return Err(NotFound::Parameters(refused.why.clone()));
        }
        if let Some(model) = self.access.instead(caller, &meant.model, told) {
            meant = Meant { model: model.clone(), reason: "model_policy", backend: None, replaced: true, read: None };
        }
        if self.access.fixes(caller) {
            meant.backend = None;
        }
        if !self.access.allows(caller, &meant.model, told) {
            return Err(unknown());
        }
        let (chain, candidates) = self.served(&meant, told).ok_or_else(unknown)?;
        let policy = self.chains.get(chain).ok_or_else(unknown)?;
        let shown = || if name.is_empty() { DEFAULT.to_owned() } else { printable(asked).trim().to_owned() };
        Ok(Resolved {
            canonical: meant.model,
            chain,
            policy,
            candidates,
            replaced: meant.replaced.then(shown),
            reason: meant.reason,
            parameters: read.parameters,
            ignored: read.refused.into_iter().map(|it| it.name).collect(),
        })
    }

    /// What a request means that names no model; `None` when there is no default.
    fn unnamed(&self, caller: Option<&Caller>, told: Told<'_>) -> Option<Meant<'_>> {
        let (model, reason) = match (self.forced.as_ref(), self.access.model(caller)) {
            (Some(it), _) => (it, "force_model"),
            (None, Some(it)) => (it, "project"),
            (None, None) => (self.default.as_ref()?, "default_model"),
        };
        told(format_args!("no model is named: {reason} says `{model}`"));
        Some(Meant { model: model.clone(), reason, backend: None, replaced: true, read: None })
    }

    /// What a name means; `None` when it is none.
    fn named(&self, name: &str, told: Told<'_>) -> Option<Meant<'_>> {
        let aliased = self.aliases.follow(name, told);
        let replaced = aliased.is_some();
        let (name, read) = self.split(aliased.as_deref().unwrap_or(name));
        let reason = |it: &'static str| if replaced { "alias" } else { it };
        if let Some((provider, id)) = self.backend(name) {
            told(format_args!("`{}` is asked for `{}`", provider.as_str(), printable(id)));
            let backend = Some((provider, id.to_owned()));
            return Some(Meant {
                model: at(provider, id)?,
                reason: reason("provider"),
                backend,
                replaced,
                read: Some(read),
            });
        }
        let model = Canonical::parse(name)?;
        let (model, rule) = match self.at_home(&model, told) {
            Some(it) => (it, "default_provider"),
            None => (model, "requested"),
        };
        told(format_args!("`{}` is `{model}`", printable(name)));
        Some(Meant { model, reason: reason(rule), backend: None, replaced, read: Some(read) })
    }

    /// What any name means where one model is forced on all requests.
    fn forced(&self, name: &str, told: Told<'_>) -> Option<Meant<'_>> {
        let model = self.forced.clone()?;
        told(format_args!("force_model makes `{}` `{model}`", printable(name)));
        let replaced = Canonical::parse(name).is_none_or(|it| it != model);
        Some(Meant { model, reason: "force_model", backend: None, replaced, read: None })
    }

    fn check_auto(&self, names: &[ModelName]) -> Result<Vec<String>, String> {
        if let Some(it) = names.iter().find(|it| it.as_str() == AUTO || self.written(it).is_none()) {
            return Err(format!("auto names `{}`, which no rule of `models` covers", it.as_str()));
        }
        if !names.is_empty() && self.names().any(|it| it == AUTO) {
            return Err("auto can never match: `auto` is the name of a model or an alias of its own".into());
        }
        if names.len() > MOST_AUTO {
            return Err(format!("auto names {} models: expected {MOST_AUTO} at most", names.len()));
        }
        Ok(names.iter().map(|it| it.as_str().to_owned()).collect())
    }

    /// What the name [`AUTO`] chooses from; nothing, where it is a name like any other.
    #[must_use]
    pub fn auto(&self) -> &[String] {
        &self.auto
    }

    /// Whether this is the name of a provider in the chains.
    #[must_use]
    pub fn is_provider(&self, name: &str) -> bool {
        self.provider(name).is_some()
    }

    /// All chains.
    #[must_use]
    pub fn chains(&self) -> &Chains {
        &self.chains
    }

    /// Whether what a request gets depends on who asks.
    #[must_use]
    pub fn asks_who(&self) -> bool {
        !self.access.is_empty()
    }

    /// Whether a parameter that cannot be taken is left out and does not refuse the request.
    #[must_use]
    pub fn is_lenient(&self) -> bool {
        self.parameters == ModelParameters::Lenient
    }

    /// Whether `caller` gets `model` by asking for it, as far as it depends on who asks.
    #[must_use]
    pub fn gives(&self, caller: Option<&Caller>, model: &Canonical) -> bool {
        let access = &self.access;
        access.instead(caller, model, &mut |_| {}).is_none() && access.allows(caller, model, &mut |_| {})
    }

    /// Every name that an operator wrote out: exact models, then aliases.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let exact = self.rules.iter().filter_map(|(pattern, _)| match pattern {
            Pattern::Exact(name) => Some(name.as_str()),
            Pattern::Under(_) => None,
        });
        exact.chain(self.aliases.names().map(|(_, it)| it.name.as_str()))
    }

    /// A name and what stands behind it.
    fn split<'t>(&self, text: &'t str) -> (&'t str, parameters::Read) {
        match text.split_once('?') {
            Some((name, query)) if self.parameters != ModelParameters::Off => (name, parameters::read(query)),
            _ => (text, parameters::Read::default()),
        }
    }

    /// The model that a name of the operator's own stands for, if it is served.
    fn written(&self, name: &ModelName) -> Option<Canonical> {
        let asked = name.canonical();
        let aliased = self.aliases.names().find(|(_, it)| it.name == asked).map(|(_, it)| it.model.canonical());
        Some(aliased.unwrap_or(asked)).filter(|it| self.chain_for(it).is_some())
    }

    fn provider(&self, name: &str) -> Option<&ProviderName> {
        self.chains.candidates().map(|it| &it.provider).find(|it| it.as_str() == name)
    }

    /// `provider:model`, if the provider is one of ours: `llama3:8b` is a name.
    fn backend<'t>(&self, text: &'t str) -> Option<(&ProviderName, &'t str)> {
        let (provider, rest) = text.split_once(':')?;
        Some((self.provider(provider)?, rest))
    }

    /// A bare name that no table knows and no rule covers belongs to the default provider.
    fn at_home(&self, model: &Canonical, told: Told<'_>) -> Option<Canonical> {
        let provider = self.default_provider.as_ref()?;
        if model.provider().is_some() || self.chain_for(model).is_some() {
            return None;
        }
        told(format_args!("default_provider is `{}`", provider.as_str()));
        at(provider, model.as_str())
    }

    /// The first rule that covers the model, and its chain.
    fn chain_for(&self, model: &Canonical) -> Option<(usize, &str)> {
        let mut rules = self.rules.iter().enumerate();
        rules.find(|(_, (it, _))| it.matches(model)).map(|(at, (_, chain))| (at, chain.as_str()))
    }

    /// The chain that serves what is meant, and who of it is asked.
    fn served(&self, meant: &Meant<'_>, told: Told<'_>) -> Option<(&str, Vec<Candidate>)> {
        let Some((provider, id)) = &meant.backend else {
            let (rule, chain) = self.chain_for(&meant.model)?;
            told(format_args!("models[{rule}] leads to the chain `{chain}`"));
            return Some((chain, self.chains.get(chain)?.candidates.clone()));
        };
        let (rule, chain, candidate) = self.at_backend(provider, id, &meant.model)?;
        // What leaves is what was checked: `anthropic:openai/claude-x` must not be asked for as `claude-x`.
        if at(provider, &candidate.model_id(&meant.model)).as_ref() != Some(&meant.model) {
            return None;
        }
        told(format_args!("models[{rule}] lets `{}` serve it: the chain `{chain}`", provider.as_str()));
        Some((chain, vec![candidate]))
    }

    /// The first rule that lets `provider` serve this model, and what it is asked for.
    fn at_backend(&self, provider: &ProviderName, id: &str, model: &Canonical) -> Option<(usize, &str, Candidate)> {
        let beside = at_its_own(provider, id);
        let covers = |it: &Pattern| it.matches(model) || beside.as_ref().is_some_and(|name| it.matches(name));
        let of = |chain: &str| self.chains.get(chain)?.candidates.iter().find(|it| it.provider == *provider).cloned();
        let mut rules = self.rules.iter().enumerate().filter(|(_, (it, _))| covers(it));
        let (rule, chain, mut candidate) = rules.find_map(|(at, (_, chain))| Some((at, chain.as_str(), of(chain)?)))?;
        // Another model's id and parameters are not this one's.
        if candidate.model.as_ref().is_some_and(|it| it.as_str() != id) {
            (candidate.model, candidate.parameters) = (None, Parameters::default());
        }
        Some((rule, chain, candidate))
    }
}

/// The canonical name of what `provider` is asked for as `id`.
fn at(provider: &ProviderName, id: &str) -> Option<Canonical> {
    let model = Canonical::parse(id)?;
    if model.provider().is_some() { Some(model) } else { at_its_own(provider, id) }
}

/// `provider/id`, without the instance in the provider's name: `openai.1` is an `openai`.
fn at_its_own(provider: &ProviderName, id: &str) -> Option<Canonical> {
    let kind = provider.as_str().split('.').next().unwrap_or_default();
    Canonical::parse(&[kind, "/", id].concat())
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
    match chains.iter().find(|(name, _)| !used(name)) {
        Some((name, _)) => Err(format!("chains.{name} is used by no rule of `models`")),
        None => Ok(rules),
    }
}

fn check_aliases(aliases: &Aliases, models: &[Rule], rules: &[(Pattern, String)]) -> Result<(), String> {
    for (at, Named { name, written, model }) in aliases.names() {
        let target = model.canonical();
        let place = format!("aliases[{at}] `{}`", written.as_str());
        if written.as_str() == DEFAULT {
            return Err(format!("{place} can never match: that name stands for default_model"));
        }
        if let Some((next, ..)) = aliases.names().find(|(_, it)| it.name == target) {
            return Err(format!("{place} leads to aliases[{next}], an alias itself: name the model"));
        }
        let hides = |(pattern, _): &(Pattern, String)| matches!(pattern, Pattern::Exact(it) if it == name);
        if let Some(hidden) = rules.iter().position(hides) {
            let rule = models.get(hidden).map_or("", |it| it.name.as_str());
            return Err(format!("models[{hidden}] `{rule}` can never match: {place} takes that name"));
        }
        if !rules.iter().any(|(it, _)| it.matches(&target)) {
            return Err(format!("{place} leads to `{}`, which no rule of `models` covers", model.as_str()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod asked;
#[cfg(test)]
mod tests;
