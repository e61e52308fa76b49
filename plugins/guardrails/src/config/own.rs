//! What only this operator knows to look for.

use super::Action;
use crate::pattern::Linear;
use serde::Deserialize;

/// A pattern of the operator's own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Pattern {
    /// Its name, in reports and as a placeholder: 1 to 40 of `a-z`, `0-9` and `_`, no entity's.
    pub(crate) name: String,
    /// A regular expression, in the syntax of Rust's `regex`: without look-around and back references, so that no text takes
    /// more than linear time. It matches one character at least.
    pub(crate) regex: String,
    /// What becomes of a match.
    pub(crate) action: Action,
    /// Words one of which must stand within 64 characters before a match, in letters of any case. Default: none is needed.
    #[serde(default)]
    pub(crate) context: Vec<String>,
}

/// A list of words.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Words {
    /// Its name, in reports and as a placeholder: 1 to 40 of `a-z`, `0-9` and `_`, no entity's.
    pub(crate) name: String,
    /// Words or phrases, found as whole words; letters of ASCII in any case. 10000 at most.
    pub(crate) words: Vec<String>,
    /// What becomes of a match.
    pub(crate) action: Action,
}

/// What is never touched.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Allow {
    /// Values, whole and in letters of ASCII in any case.
    #[serde(default)]
    pub(crate) values: Vec<String>,
    /// Regular expressions that match a whole value.
    #[serde(default)]
    pub(crate) patterns: Vec<String>,
}

/// The most words of a list, and allowed values.
const MOST_WORDS: usize = 10_000;

impl Pattern {
    /// # Errors
    /// Which key is wrong, what was found and what is expected.
    pub(super) fn check(&self) -> Result<(), String> {
        check_name(&self.name)?;
        Linear::new(&self.regex).map_err(|why| format!("regex {why}"))?;
        if self.context.iter().any(|it| it.trim().is_empty()) {
            return Err("context has an empty word, which stands everywhere; expected words".into());
        }
        Ok(())
    }
}

impl Words {
    /// # Errors
    /// Which key is wrong, what was found and what is expected.
    pub(super) fn check(&self) -> Result<(), String> {
        check_name(&self.name)?;
        match self.words.len() {
            0 => return Err("words is empty, so nothing could be found; expected words".into()),
            1..=MOST_WORDS => {}
            more => return Err(format!("words are {more}; expected 1 to {MOST_WORDS}")),
        }
        match self.words.iter().find(|it| !has_ends(it)) {
            Some(it) => Err(format!("words has {it:?}; expected 1 to 256 bytes that begin and end with no space")),
            None => Ok(()),
        }
    }
}

impl Allow {
    /// # Errors
    /// Which key is wrong, what was found and what is expected.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.values.is_empty() && self.patterns.is_empty() {
            return Err(" is empty; expected `values` or `patterns`".into());
        }
        if self.values.len() > MOST_WORDS {
            return Err(format!(".values are {}; expected {MOST_WORDS} at most", self.values.len()));
        }
        if self.values.iter().any(String::is_empty) {
            return Err(".values has an empty one, which nothing is; expected values".into());
        }
        if self.patterns.len() > 64 {
            return Err(format!(".patterns are {}; expected 64 at most", self.patterns.len()));
        }
        for (nth, it) in self.patterns.iter().enumerate() {
            Linear::new(it).map_err(|why| format!(".patterns[{nth}] {why}"))?;
        }
        Ok(())
    }
}

fn check_name(name: &str) -> Result<(), String> {
    let plain = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_';
    if (1..=40).contains(&name.len()) && name.bytes().all(plain) {
        return Ok(());
    }
    Err(format!("name is {name:?}; expected 1 to 40 of a-z, 0-9 and _"))
}

fn has_ends(word: &str) -> bool {
    (1..=256).contains(&word.len()) && word.trim() == word
}
