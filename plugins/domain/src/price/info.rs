//! What an operator knows of a model besides its price.

use super::{Capability, Model, Prices};
use crate::model::ModelName;
use serde::Deserialize;
use std::{collections::BTreeMap, num::NonZeroU64};

/// What is known of a model; what is not said here stays as the built-in table has it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Info {
    /// The model that this one is, under a name that says nothing: an Azure deployment, say.
    #[serde(default)]
    pub(crate) base_model: Option<ModelName>,
    /// The most tokens that a prompt may have.
    #[serde(default)]
    pub(crate) max_input: Option<NonZeroU64>,
    /// The most tokens that the model generates.
    #[serde(default)]
    pub(crate) max_output: Option<NonZeroU64>,
    /// What it can do and what it cannot, as in `{"vision": true, "tools": false}`: `chat`, `responses`, `embeddings`, `tools`,
    /// `parallel_tools`, `tool_choice`, `json_schema`, `vision`, `audio_input`, `reasoning`, `prompt_cache`, `system_role`.
    #[serde(default)]
    pub(crate) capabilities: BTreeMap<Capability, bool>,
}

impl Info {
    fn of(&self, known: &Prices, name: &str) -> Result<Model, String> {
        let Self { base_model, max_input, max_output, capabilities } = self;
        if base_model.is_none() && max_input.is_none() && max_output.is_none() && capabilities.is_empty() {
            return Err(" says nothing: expected `base_model`, `max_input`, `max_output` or `capabilities`".into());
        }
        let base = match base_model {
            None => known.of(name).unwrap_or_default(),
            Some(it) => known.of(it.as_str()).ok_or_else(|| {
                format!(
                    ".base_model is `{}`, of which nothing is known: expected a model of the built-in table",
                    it.as_str()
                )
            })?,
        };
        Ok(Model {
            max_input: max_input.map(NonZeroU64::get).or(base.max_input),
            max_output: max_output.map(NonZeroU64::get).or(base.max_output),
            capabilities: capabilities.iter().fold(base.capabilities, |all, (it, can)| all.with(*it, *can)),
            ..base
        })
    }
}

impl Prices {
    /// The same, with what the operator says of some models, by their names.
    ///
    /// # Errors
    /// The first entry that cannot be meant, by its key.
    pub fn informed(mut self, infos: &BTreeMap<String, Info>) -> Result<Self, String> {
        let mut own = BTreeMap::new();
        for (key, info) in infos {
            let name = ModelName::parse(key).map_err(|wrong| format!("model_info: {wrong}"))?.canonical().to_string();
            let model = info.of(&self, &name).map_err(|wrong| format!("model_info.{key}{wrong}"))?;
            if own.insert(name.clone(), model).is_some() {
                return Err(format!("model_info.{key}: `{name}` is there already, by another of its names"));
            }
        }
        self.own.extend(own);
        self.known.get_mut().clear();
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str) -> Result<Prices, String> {
        let infos: BTreeMap<String, Info> = serde_json::from_str(json).map_err(|wrong| wrong.to_string())?;
        Prices::built_in(&BTreeMap::new())?.informed(&infos)
    }

    #[test]
    fn what_an_operator_says_goes_before_the_table() {
        let known = check(
            r#"{"ollama/llava": {"max_input": 4096, "capabilities": {"vision": true, "tools": false}},
                "azure/blue": {"base_model": "gpt-4o", "capabilities": {"vision": false}}, "gpt-4": {"max_output": 7}}"#,
        )
        .unwrap();
        let llava = known.of("ollama/llava").unwrap();
        let can = |model: Model, it: Capability| model.capabilities.get(it);
        assert_eq!((llava.max_input, llava.price), (Some(4096), None));
        assert_eq!((can(llava, Capability::Vision), can(llava, Capability::Tools)), (Some(true), Some(false)));
        let (blue, gpt) = (known.of("azure/blue").unwrap(), known.of("openai/gpt-4o").unwrap());
        assert_eq!((blue.price, blue.max_input, gpt.max_input), (gpt.price, gpt.max_input, Some(128_000)));
        assert_eq!((can(blue, Capability::Vision), can(gpt, Capability::Vision)), (Some(false), Some(true)));
        let old = known.of("openai/gpt-4").unwrap();
        assert_eq!((old.max_input, old.max_output), (Some(8192), Some(7)));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_its_key() {
        for (json, expected) in [
            (r#"{"x": {}}"#, "model_info.x says nothing"),
            (r#"{"x": {"base_model": "gpt-99"}}"#, "model_info.x.base_model is `gpt-99`, of which nothing is known"),
            (r#"{"x": {"max_input": 0}}"#, "nonzero"),
            (r#"{"x": {"capabilities": {"sight": true}}}"#, "unknown variant `sight`"),
            (r#"{"x": {"max_inputs": 1}}"#, "unknown field `max_inputs`"),
            (r#"{"a b": {"max_input": 1}}"#, "model_info: `a b` is no model's name"),
            (r#"{"gpt-4o": {"max_input": 1}, "openai/gpt-4o": {"max_input": 2}}"#, "`openai/gpt-4o` is there already"),
        ] {
            let refused = check(json).unwrap_err();
            assert!(refused.contains(expected), "{json}: {refused}");
        }
    }
}
