//! Who may use which model, and what becomes of a request for another one.

use super::{
    name::{Canonical, ModelName},
    pattern::Pattern,
};
use crate::caller::Caller;
use serde::Deserialize;
use std::{collections::BTreeMap, fmt::Arguments};

/// What a project's requests get.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Project {
    /// The project's own model, in place of `default_model`; an alias will do, if it is written out.
    pub model: Option<ModelName>,
    /// What becomes of a request for another model. Default: `same_provider` where the project has a `model`, else `pin`.
    pub model_policy: Option<ModelPolicy>,
    /// The models that the project may use: names or prefixes, as in `models`. Default: all.
    pub models: Option<Vec<String>>,
}

/// What becomes of a request for another model than the project's own. An override is told in the response's
/// `x-tollgate-model-override`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum ModelPolicy {
    /// It gets the model that it asks for.
    Pin,
    /// It gets it if it is of the same provider, else the project's.
    SameProvider,
    /// It gets it if it is in the project's `models`, else the project's.
    Allowlist,
    /// It gets the project's.
    Fixed,
}

#[derive(Debug)]
struct Checked {
    model: Option<Canonical>,
    policy: ModelPolicy,
    models: Option<Vec<Pattern>>,
}

/// Every project, tier and role with rules of its own, checked.
#[derive(Debug, Default)]
pub(super) struct Access {
    projects: BTreeMap<String, Checked>,
    tiers: BTreeMap<String, Vec<Pattern>>,
    roles: BTreeMap<String, Vec<Pattern>>,
}

impl Access {
    /// `named` finds the model that a written name leads to, `served` says whether a pattern has a model that is served.
    pub(super) fn build(
        projects: &BTreeMap<String, Project>,
        [tiers, roles]: [&BTreeMap<String, Vec<String>>; 2],
        named: impl Fn(&ModelName) -> Option<Canonical>,
        served: impl Fn(&Pattern) -> bool,
    ) -> Result<Self, String> {
        let project = |(name, it): (&String, &Project)| {
            let checked = it.check(&named, &served).map_err(|wrong| format!("projects.{name}.{wrong}"))?;
            Ok((name.clone(), checked))
        };
        let list = |key: &'static str| {
            let served = &served;
            move |(name, models): (&String, &Vec<String>)| -> Result<_, String> {
                Ok((name.clone(), patterns(models, served).map_err(|wrong| format!("{key}.{name}{wrong}"))?))
            }
        };
        if projects.contains_key("") || tiers.contains_key("") || roles.contains_key("") {
            return Err("projects, tiers or roles has an empty name: expected one that a token has".into());
        }
        Ok(Self {
            projects: projects.iter().map(project).collect::<Result<_, String>>()?,
            tiers: tiers.iter().map(list("tiers")).collect::<Result<_, _>>()?,
            roles: roles.iter().map(list("roles")).collect::<Result<_, _>>()?,
        })
    }

    /// Whether nobody has rules, so that nobody need be known.
    pub(super) fn is_empty(&self) -> bool {
        self.projects.is_empty() && self.tiers.is_empty() && self.roles.is_empty()
    }

    /// The model of the caller's project, if it has one of its own.
    pub(super) fn model(&self, caller: Option<&Caller>) -> Option<&Canonical> {
        self.project(caller)?.model.as_ref()
    }

    /// The project's model, where its policy does not let the caller have `asked`.
    pub(super) fn instead(
        &self,
        caller: Option<&Caller>,
        asked: &Canonical,
        told: &mut dyn FnMut(Arguments<'_>),
    ) -> Option<&Canonical> {
        let project = self.project(caller)?;
        let own = project.model.as_ref()?;
        let (keeps, policy) = match project.policy {
            ModelPolicy::Pin => (true, "pin"),
            // Bare names that no table knows may be anybody's.
            ModelPolicy::SameProvider => {
                (own.provider().is_some() && own.provider() == asked.provider(), "same_provider")
            }
            ModelPolicy::Allowlist => (has(project.models.as_deref(), asked), "allowlist"),
            ModelPolicy::Fixed => (false, "fixed"),
        };
        if keeps || own == asked {
            return None;
        }
        told(format_args!("model_policy `{policy}` of the project makes `{asked}` `{own}`"));
        Some(own)
    }

    /// Whether the caller has no say at all, not even about who serves it.
    pub(super) fn fixes(&self, caller: Option<&Caller>) -> bool {
        self.project(caller).is_some_and(|it| it.policy == ModelPolicy::Fixed)
    }

    /// Whether the caller may use `model`.
    pub(super) fn allows(
        &self,
        caller: Option<&Caller>,
        model: &Canonical,
        told: &mut dyn FnMut(Arguments<'_>),
    ) -> bool {
        let of = |lists: &'_ BTreeMap<String, Vec<Pattern>>, name: Option<&String>| {
            name.and_then(|it| lists.get(it)).is_none_or(|it| has(Some(it), model))
        };
        let project = self.project(caller).is_none_or(|it| has(it.models.as_deref(), model));
        let tier = of(&self.tiers, caller.and_then(|it| it.tier.as_ref()));
        let role = of(&self.roles, caller.and_then(|it| it.role.as_ref()));
        for (allows, whose) in [(project, "project"), (tier, "tier"), (role, "role")] {
            if !allows {
                told(format_args!("`{model}` is not among the models of the caller's {whose}"));
            }
        }
        project && tier && role
    }

    fn project(&self, caller: Option<&Caller>) -> Option<&Checked> {
        self.projects.get(&caller?.project)
    }
}

fn has(list: Option<&[Pattern]>, model: &Canonical) -> bool {
    list.is_none_or(|it| it.iter().any(|pattern| pattern.matches(model)))
}

fn patterns(models: &[String], served: &impl Fn(&Pattern) -> bool) -> Result<Vec<Pattern>, String> {
    if models.is_empty() {
        return Err(" is empty: expected a model, for nobody could use any".into());
    }
    let mut all: Vec<Pattern> = Vec::with_capacity(models.len());
    for (at, text) in models.iter().enumerate() {
        let pattern = Pattern::parse(text).map_err(|wrong| format!("[{at}]: {wrong}"))?;
        if !served(&pattern) {
            return Err(format!("[{at}] `{text}` can never match: no rule of `models` covers it"));
        }
        if let Some(earlier) = all.iter().position(|it| it.covers(&pattern)) {
            return Err(format!("[{at}] `{text}` can never match: [{earlier}] matches first"));
        }
        all.push(pattern);
    }
    Ok(all)
}

impl Project {
    fn check(
        &self,
        named: &impl Fn(&ModelName) -> Option<Canonical>,
        served: &impl Fn(&Pattern) -> bool,
    ) -> Result<Checked, String> {
        let model = match &self.model {
            Some(it) => {
                Some(named(it).ok_or_else(|| format!("model is `{}`, which no rule of `models` covers", it.as_str()))?)
            }
            None => None,
        };
        let default = if model.is_some() { ModelPolicy::SameProvider } else { ModelPolicy::Pin };
        let policy = self.model_policy.unwrap_or(default);
        let models = self.models.as_ref().map(|it| patterns(it, served).map_err(|wrong| format!("models{wrong}")));
        let models = models.transpose()?;
        match policy {
            ModelPolicy::SameProvider | ModelPolicy::Allowlist | ModelPolicy::Fixed if model.is_none() => {
                Err("model_policy needs the project's `model`: only `pin` does without".into())
            }
            ModelPolicy::Allowlist if models.is_none() => {
                Err("model_policy is `allowlist`: expected the list in `models`".into())
            }
            ModelPolicy::Fixed if models.is_some() => Err("models is never read: model_policy is `fixed`".into()),
            _ if model.as_ref().is_some_and(|it| !has(models.as_deref(), it)) => {
                Err("model is not among the project's `models`".into())
            }
            _ => Ok(Checked { model, policy, models }),
        }
    }
}
