//! Which models a rule is about.

use super::name::{Canonical, ModelName, printable};

/// A model's name, or everything under a prefix.
#[derive(Debug)]
pub(super) enum Pattern {
    Exact(Canonical),
    /// Every name that begins with this.
    Under(String),
}

impl Pattern {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let Some(prefix) = text.strip_suffix('*') else {
            return ModelName::parse(text).map(|it| Self::Exact(it.canonical()));
        };
        if prefix.is_empty() {
            return Ok(Self::Under(String::new()));
        }
        let wrong = || {
            format!("`{}` is no pattern: expected a model's name, a prefix as in `openai/*`, or `*`", printable(text))
        };
        // The prefix of the canonical names that this one's synonyms have: `gemini/*` is `google/*`.
        let prefix = prefix.strip_suffix('/').ok_or_else(wrong)?;
        let probe = ModelName::parse(&format!("{prefix}/x")).map_err(|_| wrong())?;
        let probe = probe.canonical();
        let prefix = probe.as_str().strip_suffix('x').ok_or_else(wrong)?;
        Ok(Self::Under(prefix.to_owned()))
    }

    pub(super) fn matches(&self, name: &Canonical) -> bool {
        match self {
            Self::Exact(exact) => exact == name,
            Self::Under(prefix) => name.as_str().starts_with(prefix),
        }
    }

    pub(super) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::Exact(name)) => self.matches(name),
            (Self::Under(prefix), Self::Under(longer)) => longer.starts_with(prefix),
            (Self::Exact(_), Self::Under(_)) => false,
        }
    }
}
