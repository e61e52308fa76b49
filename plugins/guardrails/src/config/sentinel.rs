//! Prompt injection: when a text is one.

use domain::mode::Mode;
use serde::Deserialize;

/// The guard `sentinel`. What is left out is as the default says, in a tier or project as it is without them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Sentinel {
    /// `enforce` blocks what is taken for an attack (default); `shadow` only says the score, in a header of the response, in
    /// metrics and events; `off` does not look.
    #[serde(default)]
    pub(crate) mode: Option<Mode>,
    /// The score from which a text is an attack, more than 0 and at most 1; default is the one that the model was shipped
    /// with.
    #[serde(default)]
    pub(crate) threshold: Option<f32>,
    /// Whether requests are looked at, default true.
    #[serde(default)]
    pub(crate) request: Option<bool>,
    /// Whether answers are looked at, default true: for words of a model that obeyed an attack, which tells its system prompt,
    /// takes another persona or puts data into a link. They have no score, and end the answer.
    #[serde(default)]
    pub(crate) response: Option<bool>,
    /// Whether the application's own words (`system` and `developer` messages, `instructions`) are looked at too, default
    /// false.
    #[serde(default)]
    pub(crate) system_messages: Option<bool>,
}

impl Sentinel {
    /// This, and where it says nothing what `below` says.
    pub(crate) fn over(&self, below: &Self) -> Self {
        Self {
            mode: self.mode.or(below.mode),
            threshold: self.threshold.or(below.threshold),
            request: self.request.or(below.request),
            response: self.response.or(below.response),
            system_messages: self.system_messages.or(below.system_messages),
        }
    }

    /// Whether nothing is said.
    pub(super) fn is_empty(&self) -> bool {
        let Self { mode, threshold, request, response, system_messages } = self;
        let sides = mode.is_none() && request.is_none() && response.is_none() && system_messages.is_none();
        sides && threshold.is_none()
    }

    /// Checks what its types do not.
    ///
    /// # Errors
    /// Which key is wrong, what was found and what is expected.
    pub(super) fn check(&self, place: &str) -> Result<(), String> {
        match self.threshold {
            Some(it) if !(it > 0.0 && it <= 1.0) => {
                Err(format!("{place}.threshold is {it}; expected more than 0 and at most 1"))
            }
            _ => Ok(()),
        }
    }
}
