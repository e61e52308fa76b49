//! What `router` decided, on its way to `provider`: who is asked for which model, in which order.
//!
//! JSON in visible ASCII, so that it can be a header's value: `{"tries":[{"provider":"openai","model":"gpt-4o",
//! "name":"openai/gpt-4o"}]}`.

use super::{ProviderName, name::ModelName, parameters::Parameters};
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// How often a request is sent to a provider at most. Envoy's configuration has a cluster for each.
pub const MOST_TRIES: usize = 5;

/// The candidates of one request, the first to try in front.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Never empty, [`MOST_TRIES`] at most.
    pub tries: Vec<Try>,
    /// Whether the body still has [`FOR_OPENROUTER`], because one of these is OpenRouter.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub for_openrouter: bool,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Try {
    /// The provider.
    pub provider: ProviderName,
    /// The id that it is asked for.
    pub model: String,
    /// The canonical name of what the client means by it.
    pub name: String,
    /// Members that the body gets, whatever the client says of them elsewhere.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub set: Parameters,
    /// Members that the body gets where the client says nothing of them.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub parameters: Parameters,
}

/// A member of a body that only OpenRouter knows, by which a client says whom it wants to be served by.
pub const FOR_OPENROUTER: &str = "provider";

impl Try {
    /// Whether this is OpenRouter, which has its own candidates.
    #[must_use]
    pub fn is_openrouter(&self) -> bool {
        self.provider.is_openrouter()
    }
}

fn is_empty(it: &Parameters) -> bool {
    it.0.is_empty()
}

impl Plan {
    /// As a header's value.
    #[must_use]
    pub fn encode(&self) -> String {
        let json = serde_json::to_string(self).unwrap_or_default();
        if json.is_ascii() && !json.contains('\u{7f}') {
            return json;
        }
        let mut text = String::with_capacity(json.len());
        for it in json.chars() {
            if it.is_ascii() && it != '\u{7f}' {
                text.push(it);
            } else {
                for unit in it.encode_utf16(&mut [0; 2]) {
                    // Writing to a string does not fail.
                    let _ = write!(text, "\\u{unit:04x}");
                }
            }
        }
        text
    }

    /// Reads what [`Plan::encode`] wrote; `None` for anything else.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        let plan: Self = serde_json::from_str(text).ok()?;
        let sound = |it: &Try| ModelName::parse(&it.model).is_ok() && ModelName::parse(&it.name).is_ok();
        ((1..=MOST_TRIES).contains(&plan.tries.len()) && plan.tries.iter().all(sound)).then_some(plan)
    }

    /// What `provider` is asked for at the attempt of this number, counted from 1. `None` when it is not in the plan.
    ///
    /// A provider can stand there twice, with two models; the number tells which is meant. The last one is asked again
    /// where the proxy tries once more than there are candidates, after a connection that broke.
    #[must_use]
    pub fn at(&self, attempt: Option<u64>, provider: &str) -> Option<&Try> {
        let index = attempt.and_then(|it| usize::try_from(it).ok()?.checked_sub(1)).unwrap_or_default();
        let meant = self.tries.get(index).or(self.tries.last()).filter(|it| it.provider.as_str() == provider);
        meant.or_else(|| self.tries.iter().find(|it| it.provider.as_str() == provider))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plan() -> Plan {
        let parameters = serde_json::from_str(r#"{"stop":"é😀\u007f","temperature":0.5}"#).unwrap();
        let one = |provider: &str, model: &str, parameters| Try {
            provider: ProviderName::try_from(provider.to_owned()).unwrap(),
            model: model.into(),
            name: "openai/gpt-4o".into(),
            set: Parameters::default(),
            parameters,
        };
        let tries = vec![
            one("openai", "gpt-4o", parameters),
            one("azure", "\"deployed\\", Parameters::default()),
            one("openai", "gpt-4o-mini", Parameters::default()),
        ];
        Plan { tries, for_openrouter: true }
    }

    #[test]
    fn a_plan_travels_in_a_header_and_comes_out_as_it_went_in() {
        let text = plan().encode();
        assert!(text.bytes().all(|it| (0x20..0x7f).contains(&it)), "{text}");
        assert_eq!(Plan::decode(&text), Some(plan()));
        let least = r#"{"tries":[{"provider":"a","model":"m","name":"n"}]}"#;
        assert_eq!(Plan::decode(least).unwrap().encode(), least);
    }

    #[test]
    fn what_is_no_plan_is_none() {
        let six = format!(r#"{{"tries":[{}]}}"#, [r#"{"provider":"a","model":"m","name":"n"}"#; 6].join(","));
        for wrong in [
            "",
            "[]",
            r#"{"tries":[]}"#,
            r#"{"tries":[{"provider":"a b","model":"m","name":"n"}]}"#,
            r#"{"tries":[{"provider":"a","model":"","name":"n"}]}"#,
            r#"{"tries":[{"provider":"a","model":"m","name":"n","parameters":{"model":"x"}}]}"#,
            &six,
        ] {
            assert_eq!(Plan::decode(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_attempts_number_tells_two_models_of_one_provider_apart() {
        let plan = plan();
        for (attempt, provider, expected) in [
            (Some(1), "openai", Some("gpt-4o")),
            (Some(2), "azure", Some("\"deployed\\")),
            (Some(3), "openai", Some("gpt-4o-mini")),
            (Some(4), "openai", Some("gpt-4o-mini")),
            (Some(0), "azure", Some("\"deployed\\")),
            (Some(u64::MAX), "azure", Some("\"deployed\\")),
            (None, "openai", Some("gpt-4o")),
            (Some(1), "groq", None),
        ] {
            assert_eq!(plan.at(attempt, provider).map(|it| it.model.as_str()), expected, "{attempt:?} {provider}");
        }
    }

    proptest! {
        #[test]
        fn reading_is_total(text in ".{0,200}") {
            let _ = Plan::decode(&text);
        }
    }
}
