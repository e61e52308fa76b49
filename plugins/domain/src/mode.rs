//! Two choices that several filters leave to the operator.

use serde::Deserialize;

/// Whether a rule holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Mode {
    /// Nothing is counted.
    Off,
    /// What the rule would refuse is counted, and passes.
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
