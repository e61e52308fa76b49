//! The members of a JSON object as the texts that they were written with: what is only passed on is never decoded, so
//! that a text which is no Unicode (a lone surrogate) comes out as it went in.

use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// An object's members by name; one that is `null` counts as absent.
#[derive(Debug, Default)]
pub(super) struct Members(BTreeMap<String, Box<RawValue>>);

impl Members {
    /// Reads an object; `None` when it is something else.
    #[must_use]
    pub(super) fn read(text: &str) -> Option<Self> {
        // To serde, an array is no map either.
        let mut members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text).ok()?;
        members.retain(|_, value| value.get() != "null");
        Some(Self(members))
    }

    /// A member as it was written.
    #[must_use]
    pub(super) fn get(&self, name: &str) -> Option<&RawValue> {
        self.0.get(name).map(Box::as_ref)
    }

    /// A member that is a string, as it was written.
    #[must_use]
    pub(super) fn string(&self, name: &str) -> Option<&RawValue> {
        self.get(name).filter(|it| is_string(it))
    }

    /// A member that is a string, read.
    #[must_use]
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.get(name).and_then(|it| serde_json::from_str(it.get()).ok())
    }

    /// The parts of a member that is an array.
    #[must_use]
    pub(super) fn list(&self, name: &str) -> Option<Vec<Box<RawValue>>> {
        self.get(name).and_then(|it| serde_json::from_str(it.get()).ok())
    }

    /// A member that is an object.
    #[must_use]
    pub(super) fn object(&self, name: &str) -> Option<Self> {
        self.get(name).and_then(|it| Self::read(it.get()))
    }

    /// The first member that is none of `known` and says something; an empty list says nothing.
    #[must_use]
    pub(super) fn other_than(&self, known: &[&str]) -> Option<&str> {
        let says = |value: &RawValue| value.get().trim_start_matches('[').trim() != "]";
        let mut others = self.0.iter().filter(|(name, value)| !known.contains(&name.as_str()) && says(value));
        others.next().map(|(name, _)| name.as_str())
    }
}

/// Whether it was written as a string.
#[must_use]
pub(super) fn is_string(value: &RawValue) -> bool {
    value.get().starts_with('"')
}

/// The text of an empty string.
#[must_use]
pub(super) fn empty() -> Box<RawValue> {
    RawValue::from_string("\"\"".to_owned()).unwrap_or_default()
}

/// A string.
#[must_use]
pub(super) fn string(text: &str) -> Box<RawValue> {
    serde_json::value::to_raw_value(text).unwrap_or_default()
}
