//! Values that must not be seen, and how a configuration refers to them.

use serde::Deserialize;
use std::fmt;

/// A value that prints as `***`, so that no log, error or debug output can hold it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides `value`.
    #[must_use]
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The value itself, for the one place that sends it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("***")
    }
}

/// Where a secret comes from: `{"env": "NAME"}` or `{"value": "…"}`.
///
/// An environment variable reaches a filter in Envoy when the plugin's `vm_config` lists it under
/// `environment_variables.host_env_keys`. Kong hands no environment to a filter, so there the
/// value stands in the filter's configuration, filled in from the operator's secret store.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum SecretRef {
    /// The name of an environment variable that holds it.
    Env(String),
    /// The value itself.
    Value(#[cfg_attr(feature = "schema", schemars(with = "String"))] Hidden),
}

/// A secret as a configuration holds it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct Hidden(Secret);

impl From<String> for Hidden {
    fn from(value: String) -> Self {
        Self(Secret::new(value))
    }
}

impl SecretRef {
    /// The secret, given a way to look an environment variable up; `None` when it is not set or empty.
    #[must_use]
    pub fn resolve(&self, env: impl FnOnce(&str) -> Option<String>) -> Option<Secret> {
        match self {
            Self::Env(name) => env(name).map(Secret::new),
            Self::Value(Hidden(secret)) => Some(secret.clone()),
        }
        .filter(|secret| !secret.reveal().is_empty())
    }
}

/// The secret that proves to Kong's second hop that the first hop's chain ran to its end, if there is to be one.
///
/// # Errors
/// When it is not set, or cannot stand in a header and a route's expression.
pub fn hop(reference: Option<&SecretRef>, env: impl FnOnce(&str) -> Option<String>) -> Result<Option<Secret>, String> {
    let Some(reference) = reference else {
        return Ok(None);
    };
    let secret = reference.resolve(env).ok_or("hop_secret is not set: expected a secret")?;
    let text = secret.reveal();
    if !(16..=256).contains(&text.len()) || !text.bytes().all(|it| it.is_ascii_graphic()) {
        return Err("hop_secret must be 16 to 256 visible ASCII characters".into());
    }
    Ok(Some(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print() {
        let parsed: SecretRef = serde_json::from_str(r#"{"value": "hunter2"}"#).unwrap();
        assert!(!format!("{parsed:?} {}", Secret::new("hunter2".into())).contains("hunter2"));
        assert_eq!(parsed.resolve(|_| None).unwrap().reveal(), "hunter2");
    }

    #[test]
    fn an_empty_variable_is_not_set() {
        let parsed: SecretRef = serde_json::from_str(r#"{"env": "KEY"}"#).unwrap();
        assert_eq!(parsed.resolve(|_| Some(String::new())), None);
        assert_eq!(parsed.resolve(|name| Some(name.to_lowercase())).unwrap().reveal(), "key");
    }
}
