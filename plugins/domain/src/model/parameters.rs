//! Parameters behind a model's name: `gpt-4o?temperature=0.2&reasoning_effort=low`.
//!
//! They stand for members of the request's body and go before those. Percent-decoding is that of
//! RFC 3986; a `+` is a plus.

use super::name::printable;
use crate::chat::{Endpoint, decoded};
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;

/// How parameters behind a model's name are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum ModelParameters {
    /// One that is unknown or has a wrong value is answered 400 `invalid_model_params`.
    #[default]
    Strict,
    /// One that is unknown or has a wrong value is left out, and the response names it in
    /// `x-tollgate-model-params-ignored`.
    Lenient,
    /// A `?` is part of the name.
    Off,
}

/// One of them, as a member of the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// The member's name.
    pub name: &'static str,
    /// Its value as JSON.
    pub json: String,
}

/// Members that a candidate sets where the client says nothing of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "BTreeMap<String, serde_json::Value>")]
pub struct Parameters(pub Vec<Parameter>);

/// What makes a request what it is, and is the client's alone.
const THE_CLIENTS: [&str; 10] = [
    "model",
    "messages",
    "input",
    "prompt",
    "stream",
    "stream_options",
    "background",
    "models",
    "provider",
    "conversation_id",
];

/// How long all of a candidate's parameters may be together, as JSON: they travel in a header.
const LONGEST: usize = 1024;

impl TryFrom<BTreeMap<String, serde_json::Value>> for Parameters {
    type Error = String;

    fn try_from(members: BTreeMap<String, serde_json::Value>) -> Result<Self, String> {
        let mut all = Vec::with_capacity(members.len());
        for (name, value) in members {
            let known = crate::chat::member_called(&name).filter(|it| !THE_CLIENTS.contains(it));
            let known = known.ok_or_else(|| {
                format!("parameters has `{}`, which is no parameter that a candidate can set", printable(&name))
            })?;
            all.push(Parameter { name: known, json: value.to_string() });
        }
        match all.iter().map(|it| it.name.len().saturating_add(it.json.len())).sum::<usize>() {
            long if long > LONGEST => Err(format!("parameters are {long} bytes long: expected {LONGEST} at most")),
            _ => Ok(Self(all)),
        }
    }
}

impl Serialize for Parameters {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        output.collect_map(
            self.0.iter().map(|it| (it.name, serde_json::value::RawValue::from_string(it.json.clone()).ok())),
        )
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Parameters {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Parameters".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "object",
            "description": "Members of a request's body, as in `{\"temperature\": 0.2}`; 1 KiB at most."
        })
    }
}

/// What stands behind a `?`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) parameters: Vec<Parameter>,
    /// What was wrong with the others.
    pub(super) refused: Vec<Refused>,
}

impl Read {
    /// These, and of `others` what these do not say.
    pub(super) fn before(mut self, others: Option<Self>) -> Self {
        let Some(others) = others else { return self };
        for it in others.parameters {
            if !self.parameters.iter().any(|own| own.name == it.name) {
                self.parameters.push(it);
            }
        }
        self.refused.extend(others.refused);
        self
    }
}

/// A parameter that is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) name: String,
    pub(super) why: String,
}

enum Kind {
    Number { most: f64 },
    Count,
    Word(&'static [&'static str]),
}

const KNOWN: [(&str, Kind); 5] = [
    ("temperature", Kind::Number { most: 2.0 }),
    ("top_p", Kind::Number { most: 1.0 }),
    ("top_k", Kind::Count),
    ("reasoning_effort", Kind::Word(&["none", "minimal", "low", "medium", "high", "xhigh"])),
    ("verbosity", Kind::Word(&["low", "medium", "high"])),
];

/// Reads `query`; of a parameter that stands there twice the second is refused.
pub(super) fn read(query: &str) -> Read {
    let mut read = Read::default();
    for pair in query.split('&').filter(|it| !it.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        // Escapes that are not ASCII stay, for no parameter has one.
        let (name, value) = (decoded(name), decoded(value));
        match parameter(&name, &value) {
            Ok(it) if read.parameters.iter().any(|known| known.name == it.name) => {
                let why = format!("`{}` stands there twice", it.name);
                read.refused.push(Refused { name: it.name.to_owned(), why });
            }
            Ok(it) => read.parameters.push(it),
            Err(why) => read.refused.push(Refused { name: printable(&name), why }),
        }
    }
    read
}

fn parameter(name: &str, value: &str) -> Result<Parameter, String> {
    let Some((name, kind)) = KNOWN.iter().find(|(known, _)| *known == name) else {
        let known = KNOWN.map(|(name, _)| name).join(", ");
        return Err(format!("`{}` is not known: expected one of {known}", printable(name)));
    };
    let shown = printable(value);
    let json = match kind {
        Kind::Number { most } => match value.parse::<f64>() {
            // What Rust reads and JSON does not (`1.`, `+1`, `.5`) is written anew.
            Ok(number) if (0.0..=*most).contains(&number) => format!("{number}"),
            _ => return Err(format!("`{name}` is `{shown}`: expected a number from 0 to {most}")),
        },
        Kind::Count => match value.parse::<u32>() {
            Ok(number) if number > 0 => format!("{number}"),
            _ => return Err(format!("`{name}` is `{shown}`: expected a whole number of at least 1")),
        },
        Kind::Word(words) => match words.iter().find(|it| **it == value) {
            Some(word) => format!("\"{word}\""),
            None => return Err(format!("`{name}` is `{shown}`: expected one of {}", words.join(", "))),
        },
    };
    Ok(Parameter { name, json })
}

impl Parameter {
    /// Whether requests to `endpoint` have such a member. The Responses API keeps two of them inside others, and an
    /// embedding is not sampled.
    #[must_use]
    pub fn fits(&self, endpoint: Endpoint) -> bool {
        match endpoint {
            Endpoint::ChatCompletions => true,
            Endpoint::Completions | Endpoint::Responses => matches!(self.name, "temperature" | "top_p" | "top_k"),
            Endpoint::Messages => matches!(self.name, "temperature" | "top_p" | "top_k" | "max_tokens"),
            Endpoint::Embeddings => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `name=json …`, then `! name` for each that is refused.
    fn check(query: &str) -> String {
        let read = read(query);
        let taken = read.parameters.iter().map(|it| format!("{}={}", it.name, it.json));
        taken.chain(read.refused.iter().map(|it| format!("!{}", it.name))).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn each_is_read_within_its_bounds() {
        for (query, expected) in [
            ("temperature=0.7&top_p=0.9", "temperature=0.7 top_p=0.9"),
            ("temperature=0&top_k=40", "temperature=0 top_k=40"),
            ("temperature=%30%2E5", "temperature=0.5"),
            ("%74emperature=1.", "temperature=1"),
            ("reasoning_effort=low&verbosity=high", r#"reasoning_effort="low" verbosity="high""#),
            ("", ""),
            ("&&", ""),
            ("temperature=2.1", "!temperature"),
            ("temperature=-1", "!temperature"),
            ("temperature=NaN", "!temperature"),
            ("temperature=inf", "!temperature"),
            ("temperature", "!temperature"),
            ("top_p=1.5", "!top_p"),
            ("top_k=0", "!top_k"),
            ("top_k=1.5", "!top_k"),
            ("verbosity=LOUD", "!verbosity"),
            ("seed=1&temperature=1", "temperature=1 !seed"),
            ("top_k=1&top_k=2", "top_k=1 !top_k"),
            ("%zz=1", "!%zz"),
            ("\"x\":1=", "!\"x\":1"),
        ] {
            assert_eq!(check(query), expected, "{query}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_taken_is_json(query in any::<String>(), number in any::<f64>()) {
            for query in [query, format!("temperature={number}&top_p={number:e}")] {
                for it in read(&query).parameters {
                    prop_assert!(serde_json::from_str::<serde_json::Value>(&it.json).is_ok(), "{}", it.json);
                }
            }
        }
    }
}
