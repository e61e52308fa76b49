//! All that an operator says of names, before it is checked.

use super::{
    access::Project,
    alias::Alias,
    catalog::Rule,
    chain::{Chains, ProviderName},
    name::{ModelName, printable},
    parameters::ModelParameters,
};
use std::collections::BTreeMap;

/// All that an operator says of names.
#[derive(Debug, Clone, Default)]
pub struct Naming {
    /// The model of a request that names none.
    pub default_model: Option<ModelName>,
    /// The model of every request.
    pub force_model: Option<ModelName>,
    /// Whose the bare names are that no table knows and no rule covers.
    pub default_provider: Option<ProviderName>,
    /// Further names.
    pub aliases: Vec<Alias>,
    /// Which chain serves which model.
    pub models: Vec<Rule>,
    /// The chains.
    pub chains: Chains,
    /// How parameters behind a name are read.
    pub model_parameters: ModelParameters,
    /// What holds for the requests of a project, by its id.
    pub projects: BTreeMap<String, Project>,
    /// The models of a tier, by its name.
    pub tiers: BTreeMap<String, Vec<String>>,
    /// The models of a role, by its name.
    pub roles: BTreeMap<String, Vec<String>>,
    /// What `auto` chooses from.
    pub auto: Vec<ModelName>,
}

impl Naming {
    /// Only clients and replacements put parameters behind a name.
    pub(super) fn check_plain(&self) -> Result<(), String> {
        let named = |key: String, it: &Option<ModelName>| it.as_ref().map(|it| (key, it.as_str().to_owned()));
        let mut names: Vec<Option<(String, String)>> = vec![
            named("default_model".to_owned(), &self.default_model),
            named("force_model".to_owned(), &self.force_model),
        ];
        for (at, it) in self.aliases.iter().enumerate() {
            names.extend([
                named(format!("aliases[{at}].name"), &it.name),
                named(format!("aliases[{at}].model"), &it.model),
            ]);
        }
        names.extend(
            self.models.iter().enumerate().map(|(at, it)| Some((format!("models[{at}].name"), it.name.clone()))),
        );
        for (id, it) in &self.projects {
            names.push(named(format!("projects.{id}.model"), &it.model));
            names.extend(it.models.iter().flatten().map(|it| Some((format!("projects.{id}.models"), it.clone()))));
        }
        for (key, lists) in [("tiers", &self.tiers), ("roles", &self.roles)] {
            let each = lists.iter().flat_map(|(name, list)| list.iter().map(move |it| (name, it)));
            names.extend(each.map(|(name, it)| Some((format!("{key}.{name}"), it.clone()))));
        }
        match names.into_iter().flatten().find(|(_, name)| name.contains('?')) {
            Some((key, name)) => Err(format!(
                "{key} is `{}`: expected a name without parameters (only a client's name and an alias's `replacement` have any)",
                printable(&name)
            )),
            None => Ok(()),
        }
    }
}
