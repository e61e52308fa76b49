//! What guards would say of a text: `/v1/guardrails/test`. The filter's own code answers; nothing is kept, nothing is logged.

use crate::failure::Failure;
use domain::caller::Caller;
use domain::reply::Reply;
use guardrails::config::Config;
use guardrails::explain::{Explained, explain};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

/// The key of hashes, which the companion does not know: it stands in for a gateway's.
const NO_KEY: &str = "0000000000000000";

/// What is to be tried.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "GuardrailsTest"))]
pub(crate) struct Trial {
    /// A text, as if an end user had said it. Either this or `messages`.
    #[serde(default)]
    text: Option<String>,
    /// Messages, as in a chat completion.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<Vec<Map<String, Value>>>"))]
    messages: Option<Box<RawValue>>,
    /// Which guards: `pii`, `sentinel`. Both when absent.
    #[serde(default)]
    providers: Option<Vec<Guard>>,
    /// What `pii` looks for, and what becomes of it, as in the filter's configuration; by default everything is masked.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<Map<String, Value>>"))]
    entities: Option<Map<String, Value>>,
    /// The score from which `sentinel` takes a text for an attack, more than 0 and at most 1.
    #[serde(default)]
    threshold: Option<f64>,
}

/// A guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "GuardrailsGuard"))]
pub(crate) enum Guard {
    /// Personal data and secrets.
    #[serde(alias = "pii_shield")]
    Pii,
    /// Prompt injection.
    Sentinel,
}

/// What came of it.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "GuardrailsTested"))]
pub(crate) struct Tried {
    /// `guardrails.test`.
    object: &'static str,
    #[serde(flatten)]
    explained: Explained,
}

/// Tries a text out for a caller of this project.
///
/// # Errors
/// 400 when it is no trial.
pub(crate) fn run(trial: Trial, project: String) -> Result<Tried, Failure> {
    let config = trial.config()?;
    let plain = trial.text.is_some();
    let body = trial.body()?;
    let caller = Caller { project, ..Caller::default() };
    let explained = explain(&config, Some(&caller), body.as_bytes(), &|_| Some(NO_KEY.to_owned()));
    // What is wrong now is in the messages.
    let mut explained = explained.map_err(|why| Failure(Reply::invalid(why).about("messages")))?;
    if plain {
        explained.texts.iter_mut().for_each(|it| it.place = "text".to_owned());
    }
    Ok(Tried { object: "guardrails.test", explained })
}

impl Trial {
    /// The filter's configuration that is meant.
    fn config(&self) -> Result<Config, Failure> {
        let wants = |guard| self.providers.as_ref().is_none_or(|all| all.contains(&guard));
        if self.providers.as_ref().is_some_and(Vec::is_empty) {
            return Err(Failure::invalid("providers", "expected `pii`, `sentinel` or both, found none"));
        }
        if self.threshold.is_some_and(|it| !(it > 0.0 && it <= 1.0)) {
            return Err(Failure::invalid("threshold", "expected more than 0 and at most 1"));
        }
        let mode = |guard| if wants(guard) { "enforce" } else { "off" };
        let with = |guard, more: Vec<(&str, Value)>| {
            let members = more.into_iter().chain([("mode", json!(mode(guard)))]);
            members.map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>()
        };
        let entities =
            self.entities.clone().map(|it| [("entities", it.into()), ("hash_key", json!({"value": NO_KEY}))]);
        let pii = with(Guard::Pii, entities.into_iter().flatten().collect());
        let sentinel = with(Guard::Sentinel, self.threshold.map(|it| ("threshold", json!(it))).into_iter().collect());
        let config = json!({"pii": pii, "sentinel": sentinel});
        let expected = "expected entities or groups (`personal`, `secrets`), each with `mask`, `redact`, `hash`, `block` or `report`";
        Config::parse(config.to_string().as_bytes()).map_err(|_| Failure::invalid("entities", expected))
    }

    /// The request that is meant.
    fn body(&self) -> Result<String, Failure> {
        match (&self.text, &self.messages) {
            (Some(text), None) => Ok(json!({"messages": [{"role": "user", "content": text}]}).to_string()),
            (None, Some(messages)) => Ok(format!("{{\"messages\":{}}}", messages.get())),
            (None, None) => Err(Failure::invalid("text", "is missing, and so is `messages`")),
            (Some(_), Some(_)) => Err(Failure::invalid("text", "expected either this or `messages`, found both")),
        }
    }
}
