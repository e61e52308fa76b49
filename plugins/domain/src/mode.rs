//! Choices that several filters leave to the operator.

use serde::Deserialize;

/// Whether a rule holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Mode {
    /// It is not looked at.
    Off,
    /// What it would refuse or change is counted, and passes as it is.
    Shadow,
    /// The rule holds.
    #[default]
    Enforce,
}

/// What becomes of a request when something that the filter needs is away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum OnFailure {
    /// It is refused.
    #[default]
    Deny,
    /// It goes on without.
    Allow,
}

/// Over which gateways something is counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Scope {
    /// One, with all its workers.
    #[default]
    Local,
    /// All that share a companion.
    Fleet,
}
