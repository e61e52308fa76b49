//! Who can serve a model, in which order.

use super::name::{Canonical, ModelName, printable};
use serde::Deserialize;
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

/// A provider as the configuration names it, the same in the router's chains, in the provider
/// filter's table and in the metadata of Envoy's endpoints: letters, digits, `-`, `_` and `.`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct ProviderName(String);

impl ProviderName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ProviderName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if is_name(&text) {
            return Ok(Self(text));
        }
        Err(format!("`{}` is no provider's name: expected 1 to 64 letters, digits, `-`, `_` or `.`", printable(&text)))
    }
}

fn is_name(text: &str) -> bool {
    let of_name = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'.');
    (1..=64).contains(&text.len()) && text.bytes().all(of_name)
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for ProviderName {
    fn schema_name() -> Cow<'static, str> {
        "ProviderName".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^[A-Za-z0-9._-]{1,64}$",
            "description": "A provider's name, as in the provider filter's `providers`."
        })
    }
}

/// One provider that can serve a chain's models.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Candidate {
    /// The provider.
    pub provider: ProviderName,
    /// The model's id at this provider, sent as it stands here. Default: the name that was asked
    /// for, without its provider's part.
    #[serde(default)]
    pub model: Option<ModelName>,
}

/// Vendors that are no provider of their own: the host of their models knows them by the whole name.
const KEEP_THEIR_STRING: [&str; 9] =
    ["openrouter", "meta-llama", "qwen", "nvidia", "microsoft", "nousresearch", "moonshotai", "z-ai", "accounts"];

/// Vendors that OpenRouter spells otherwise than our canonical names.
const AT_OPENROUTER: [(&str, &str); 2] = [("mistral", "mistralai"), ("xai", "x-ai")];

impl Candidate {
    /// The id by which this provider knows the model.
    #[must_use]
    pub fn model_id<'a>(&'a self, asked: &'a Canonical) -> Cow<'a, str> {
        if let Some(own) = &self.model {
            return own.as_str().into();
        }
        let vendor = asked.provider().unwrap_or_default();
        // `openrouter.1` is one too.
        if self.provider.as_str().split('.').next() == Some("openrouter") {
            let other = AT_OPENROUTER.iter().find(|(ours, _)| *ours == vendor);
            return other.map_or(asked.as_str().into(), |(_, theirs)| format!("{theirs}/{}", asked.model()).into());
        }
        if KEEP_THEIR_STRING.contains(&vendor) {
            return asked.as_str().into();
        }
        asked.model().into()
    }
}

/// The chains by name, checked: each has a candidate, and none names a provider twice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "BTreeMap<String, Vec<Candidate>>")]
pub struct Chains(BTreeMap<String, Vec<Candidate>>);

impl Chains {
    /// The candidates of the chain `name`, the one to try first in front; never empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[Candidate]> {
        self.0.get(name).map(Vec::as_slice)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every chain's name and candidates.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[Candidate])> {
        self.0.iter().map(|(name, chain)| (name.as_str(), chain.as_slice()))
    }
}

impl TryFrom<BTreeMap<String, Vec<Candidate>>> for Chains {
    type Error = String;

    fn try_from(chains: BTreeMap<String, Vec<Candidate>>) -> Result<Self, String> {
        for (name, chain) in &chains {
            if !is_name(name) {
                return Err(format!(
                    "chains: `{}` is no chain's name: expected 1 to 64 letters, digits, `-`, `_` or `.`, \
                     for it is a cluster's name and a header's value",
                    printable(name)
                ));
            }
            if chain.is_empty() {
                return Err(format!("chains.{name} is empty: expected a candidate"));
            }
            let mut seen = BTreeSet::new();
            if let Some(twice) = chain.iter().find(|it| !seen.insert(&it.provider)) {
                return Err(format!(
                    "chains.{name} names the provider `{}` twice: an endpoint tells which provider it is, \
                     so give the second candidate a provider (and a cluster) of its own name",
                    twice.provider.as_str()
                ));
            }
        }
        Ok(Self(chains))
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Chains {
    fn schema_name() -> Cow<'static, str> {
        "Chains".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        <BTreeMap<String, Vec<Candidate>>>::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(candidate: &str, asked: &str) -> String {
        let candidate: Candidate = serde_json::from_str(candidate).unwrap();
        let asked = ModelName::parse(asked).unwrap().canonical();
        candidate.model_id(&asked).into_owned()
    }

    #[test]
    fn a_candidate_gets_the_id_that_it_knows_the_model_by() {
        let own = r#"{"provider":"anthropic","model":"claude-sonnet-4-5"}"#;
        let (openai, router, together) =
            (r#"{"provider":"openai"}"#, r#"{"provider":"openrouter"}"#, r#"{"provider":"together"}"#);
        for (candidate, asked, expected) in [
            (openai, "openai/gpt-4o", "gpt-4o"),
            (openai, "gpt-4o", "gpt-4o"),
            (openai, "llama3:8b", "llama3:8b"),
            (own, "gpt-4o", "claude-sonnet-4-5"),
            (router, "openrouter/auto", "openrouter/auto"),
            (router, "gpt-4o", "openai/gpt-4o"),
            (router, "mistral-large", "mistralai/mistral-large"),
            (router, "meta-llama/llama-3.1", "meta-llama/llama-3.1"),
            (together, "meta-llama/llama-3.1", "meta-llama/llama-3.1"),
            (together, "together/meta-llama/x", "meta-llama/x"),
        ] {
            assert_eq!(check(candidate, asked), expected, "{candidate} {asked}");
        }
    }

    #[test]
    fn a_chain_that_cannot_work_is_refused_by_name() {
        let check = |json: &str| serde_json::from_str::<Chains>(json).unwrap_err().to_string();
        for (json, expected) in [
            (r#"{"c":[]}"#, "chains.c is empty"),
            (r#"{"":[{"provider":"a"}]}"#, "no chain's name"),
            (r#"{"a\nb":[{"provider":"a"}]}"#, "no chain's name"),
            (r#"{"c":[{"provider":"a"},{"provider":"a","model":"m"}]}"#, "chains.c names the provider `a` twice"),
            (r#"{"c":[{"provider":""}]}"#, "no provider's name"),
            (r#"{"c":[{"provider":"a","model":""}]}"#, "no model's name"),
            (r#"{"c":[{"provider":"a","modle":"m"}]}"#, "unknown field `modle`"),
        ] {
            let refused = check(json);
            assert!(refused.contains(expected), "{json}: {refused}");
        }
    }
}
