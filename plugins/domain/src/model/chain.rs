//! Who can serve a model, in which order.

use super::{
    name::{Canonical, ModelName, printable},
    parameters::Parameters,
};
use crate::{choice::Strategy, provider::Kind, time::Period};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{
        MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fmt,
    num::NonZeroU32,
    time::Duration,
};

/// A provider as the configuration names it, the same in the router's chains, in the provider
/// filter's table and in the metadata of Envoy's endpoints: letters, digits, `-`, `_` and `.`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ProviderName(String);

impl ProviderName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is OpenRouter, which has its own candidates.
    #[must_use]
    pub fn is_openrouter(&self) -> bool {
        Kind::named(&self.0) == Some(Kind::OpenRouter)
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
    /// Members that the body gets for this candidate where the client says nothing of them: `{"temperature": 0.2}`.
    #[serde(default)]
    pub parameters: Parameters,
    /// Only under the strategy `weighted`: how often it is tried first, next to the others' weights. Default 1.
    #[serde(default)]
    pub weight: Option<NonZeroU32>,
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

/// The most candidates of a chain.
const MOST_CANDIDATES: usize = 16;

/// The statuses of a provider's answer that may be taken for its failure where the operator says so. 429 and 5xx always are.
const MAY_BE_FAILURES: [u16; 5] = [401, 402, 403, 404, 408];

/// The candidates of some models, and how they are tried. A list alone is one with nothing else said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The candidates; never empty, and never the same model of the same provider twice.
    pub candidates: Vec<Candidate>,
    /// By what they are put in order.
    pub strategy: Strategy,
    /// Statuses besides 429 and 5xx after which the next candidate is tried.
    pub also_retry: Vec<u16>,
    /// How long a candidate may take until its answer begins.
    pub try_timeout: Option<Period>,
}

/// A chain with more to say than its candidates.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct Long {
    /// The candidates in the order in which they are tried, 16 at most; the first five that can serve a request are.
    candidates: Vec<Candidate>,
    /// By what they are put in order, for each request. Default `priority`.
    #[serde(default)]
    strategy: Strategy,
    /// Statuses besides 429 and 5xx after which the next candidate is tried: some of 401, 402, 403, 404, 408. Default none.
    #[serde(default)]
    also_retry: Vec<u16>,
    /// How long a candidate may take until its answer begins, as in `"20s"`; then the next is tried. Default: for ever.
    #[serde(default)]
    try_timeout: Option<Period>,
}

#[cfg(feature = "schema")]
#[derive(schemars::JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "the two forms, for the schema alone")]
enum Written {
    List(Vec<Candidate>),
    Long(Long),
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Chain {
    fn schema_name() -> Cow<'static, str> {
        "Chain".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Written::json_schema(generator)
    }
}

impl<'de> Deserialize<'de> for Chain {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Either;
        // Not an untagged enum: its only error is that neither form fits.
        impl<'de> Visitor<'de> for Either {
            type Value = Long;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a list of candidates, or an object with `candidates`")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Long, A::Error> {
                let candidates = Vec::deserialize(SeqAccessDeserializer::new(list))?;
                Ok(Long { candidates, strategy: Strategy::default(), also_retry: Vec::new(), try_timeout: None })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Long, A::Error> {
                Long::deserialize(MapAccessDeserializer::new(map))
            }
        }
        let Long { candidates, strategy, also_retry, try_timeout } = input.deserialize_any(Either)?;
        Ok(Self { candidates, strategy, also_retry, try_timeout })
    }
}

impl Chain {
    fn check(&self) -> Result<(), String> {
        let count = self.candidates.len();
        if count == 0 {
            return Err(" is empty: expected a candidate".into());
        }
        if count > MOST_CANDIDATES {
            return Err(format!(" has {count} candidates: expected {MOST_CANDIDATES} at most"));
        }
        let mut seen = BTreeSet::new();
        let mut each = self.candidates.iter();
        let twice = each.find(|it| !seen.insert((&it.provider, it.model.as_ref().map(ModelName::as_str))));
        if let Some(it) = twice {
            let (provider, model) = (it.provider.as_str(), it.model.as_ref().map_or("its own id", ModelName::as_str));
            return Err(format!(
                " names the provider `{provider}` with {model} twice: the second would be asked the same"
            ));
        }
        if self.strategy != Strategy::Weighted
            && let Some(it) = self.candidates.iter().find(|it| it.weight.is_some())
        {
            let provider = it.provider.as_str();
            return Err(format!(" gives `{provider}` a weight, which only the strategy `weighted` reads"));
        }
        if self.strategy != Strategy::Priority && count == 1 {
            return Err(".strategy has one candidate to put in order: expected two or more".into());
        }
        if let Some(it) = self.also_retry.iter().find(|it| !MAY_BE_FAILURES.contains(it)) {
            return Err(format!(
                ".also_retry has {it}: expected some of 401, 402, 403, 404 and 408; 429 and 5xx always are"
            ));
        }
        match &self.try_timeout {
            Some(it) => it.between(".try_timeout", Duration::from_millis(10), Duration::from_secs(3600)),
            None => Ok(()),
        }
    }
}

/// The chains by name, checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "BTreeMap<String, Chain>")]
pub struct Chains(BTreeMap<String, Chain>);

impl Chains {
    /// The chain `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Chain> {
        self.0.get(name)
    }

    /// Every chain with its name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Chain)> {
        self.0.iter().map(|(name, chain)| (name.as_str(), chain))
    }

    /// Every candidate of every chain.
    pub fn candidates(&self) -> impl Iterator<Item = &Candidate> {
        self.0.values().flat_map(|it| &it.candidates)
    }
}

impl TryFrom<BTreeMap<String, Chain>> for Chains {
    type Error = String;

    fn try_from(chains: BTreeMap<String, Chain>) -> Result<Self, String> {
        for (name, chain) in &chains {
            if !is_name(name) {
                return Err(format!(
                    "chains: `{}` is no chain's name: expected 1 to 64 letters, digits, `-`, `_` or `.`",
                    printable(name)
                ));
            }
            chain.check().map_err(|wrong| format!("chains.{name}{wrong}"))?;
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
        <BTreeMap<String, Chain>>::json_schema(generator)
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
            (r#"{"c":[{"provider":"a"},{"provider":"a"}]}"#, "chains.c names the provider `a` with its own id twice"),
            (
                r#"{"c":[{"provider":"a","model":"m"},{"provider":"a","model":"m"}]}"#,
                "chains.c names the provider `a` with m twice",
            ),
            (r#"{"c":{"candidates":[]}}"#, "chains.c is empty"),
            (r#"{"c":{}}"#, "missing field `candidates`"),
            (r#"{"c":[{"provider":"a","weight":3}]}"#, "chains.c gives `a` a weight"),
            (r#"{"c":{"candidates":[{"provider":"a","weight":0}],"strategy":"weighted"}}"#, "nonzero"),
            (r#"{"c":{"candidates":[{"provider":"a"}],"strategy":"price"}}"#, "chains.c.strategy has one candidate"),
            (r#"{"c":{"candidates":[{"provider":"a"}],"strategy":"random"}}"#, "unknown variant `random`"),
            (r#"{"c":7}"#, "expected a list of candidates, or an object with `candidates`"),
            (r#"{"c":{"candidates":[{"provider":"a"}],"retry":[]}}"#, "unknown field `retry`"),
            (r#"{"c":{"candidates":[{"provider":"a"}],"also_retry":[400]}}"#, "chains.c.also_retry has 400"),
            (r#"{"c":{"candidates":[{"provider":"a"}],"try_timeout":"0s"}}"#, "is zero"),
            (r#"{"c":{"candidates":[{"provider":"a"}],"try_timeout":"5000s"}}"#, "chains.c.try_timeout is 5000s"),
            (r#"{"c":[{"provider":"a","parameters":{"model":"x"}}]}"#, "`model`"),
            (r#"{"c":[{"provider":"a","parameters":{"nobody_knows":1}}]}"#, "`nobody_knows`"),
            (r#"{"c":[{"provider":""}]}"#, "no provider's name"),
            (r#"{"c":[{"provider":"a","model":""}]}"#, "no model's name"),
            (r#"{"c":[{"provider":"a","modle":"m"}]}"#, "unknown field `modle`"),
        ] {
            let refused = check(json);
            assert!(refused.contains(expected), "{json}: {refused}");
        }
    }
}
