//! Names of models and their canonical form.

use serde::Deserialize;
use std::fmt;

/// The longest name that is read, in bytes.
pub const LONGEST_NAME: usize = 256;

/// How much of a name that was not understood is repeated in an error, in characters.
const SHOWN: usize = 80;

/// A model's name as somebody wrote it: 1 to 256 visible ASCII characters, none of them `*`, with
/// something on both sides of the first `/` and at the end.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ModelName(String);

impl ModelName {
    /// Reads a name.
    ///
    /// # Errors
    /// What is wrong with it, with a bounded and printable part of it.
    pub fn parse(text: &str) -> Result<Self, String> {
        match fault(text) {
            Some(wrong) => Err(format!("`{}` is no model's name: it {wrong}", printable(text))),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// The name as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The one form that all spellings of this name share.
    #[must_use]
    pub fn canonical(&self) -> Canonical {
        Canonical::named(&self.0)
    }
}

/// Why a text is no model's name.
fn fault(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        Some("is empty")
    } else if text.len() > LONGEST_NAME {
        Some("is longer than 256 characters")
    } else if !text.bytes().all(|it| it.is_ascii_graphic() && it != b'*') {
        Some("holds a character that no model's name has")
    } else if text.starts_with('/') || text.ends_with('/') {
        Some("begins or ends with `/`")
    } else {
        None
    }
}

impl TryFrom<String> for ModelName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for ModelName {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ModelName".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^[!-)+-~]{1,256}$",
            "description": "A model's name, with or without its provider: `gpt-4o`, `openai/gpt-4o`."
        })
    }
}

/// A name in the form `provider/model`, or a bare name whose family no table knows.
///
/// Letter case is kept: providers tell their models apart by it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Canonical(String);

impl Canonical {
    fn of(provider: &str, model: &str) -> Self {
        match provider {
            "anthropic" => Self([provider, "/", &anthropic(model)].concat()),
            _ => Self([provider, "/", model].concat()),
        }
    }

    fn named(name: &str) -> Self {
        match name.split_once('/') {
            Some((provider, model)) => Self::of(home(provider), model),
            None => match family(name) {
                Some(provider) => Self::of(provider, name),
                None => Self(name.to_owned()),
            },
        }
    }

    /// That of the name in this text; `None` where [`ModelName::parse`] finds none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        fault(text).is_none().then(|| Self::named(text))
    }

    /// The whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The provider's or vendor's part, if there is one.
    #[must_use]
    pub fn provider(&self) -> Option<&str> {
        self.0.split_once('/').map(|(provider, _)| provider)
    }

    /// The name without the provider's part.
    #[must_use]
    pub fn model(&self) -> &str {
        self.0.split_once('/').map_or(&self.0, |(_, model)| model)
    }
}

impl fmt::Display for Canonical {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Other names of a provider that clients use, and the one that we use.
const SYNONYMS: [(&str, &str); 6] = [
    ("mistralai", "mistral"),
    ("gemini", "google"),
    ("google-ai-studio", "google"),
    ("x-ai", "xai"),
    ("cohere_chat", "cohere"),
    ("perplexity-ai", "perplexity"),
];

fn home(provider: &str) -> &str {
    let known = SYNONYMS.iter().find(|(other, _)| *other == provider);
    known.map_or(provider, |(_, ours)| ours)
}

/// How a bare name begins, and whose model it is. A stem ends where the name ends or before `-`.
const FAMILIES: [(&str, &str); 37] = [
    ("gpt", "openai"),
    ("chatgpt", "openai"),
    ("o1", "openai"),
    ("o3", "openai"),
    ("o4", "openai"),
    ("text-embedding", "openai"),
    ("text-moderation", "openai"),
    ("omni-moderation", "openai"),
    ("dall-e", "openai"),
    ("whisper", "openai"),
    ("tts", "openai"),
    ("davinci", "openai"),
    ("babbage", "openai"),
    ("codex", "openai"),
    ("computer-use-preview", "openai"),
    ("claude", "anthropic"),
    ("gemini", "google"),
    ("gemma", "google"),
    ("mistral", "mistral"),
    ("ministral", "mistral"),
    ("codestral", "mistral"),
    ("pixtral", "mistral"),
    ("magistral", "mistral"),
    ("devstral", "mistral"),
    ("voxtral", "mistral"),
    ("open-mistral", "mistral"),
    ("open-mixtral", "mistral"),
    ("command", "cohere"),
    ("embed-english", "cohere"),
    ("embed-multilingual", "cohere"),
    ("embed-v4.0", "cohere"),
    ("rerank", "cohere"),
    ("c4ai-aya", "cohere"),
    ("grok", "xai"),
    ("deepseek", "deepseek"),
    ("sonar", "perplexity"),
    ("r1-1776", "perplexity"),
];

fn family(name: &str) -> Option<&'static str> {
    // A fine-tuned model is named after the one that it was made from.
    let name = name.strip_prefix("ft:").unwrap_or(name);
    let belongs = |stem: &str| {
        let rest = name.strip_prefix(stem);
        // `gpt-4o:floor` and `ft:gpt-4o:org` are of the family too.
        rest.is_some_and(|it| it.is_empty() || it.starts_with(['-', ':']))
    };
    let found = FAMILIES.iter().find(|(stem, _)| belongs(stem));
    found.map(|(_, provider)| *provider)
}

/// Undated names that Anthropic only knows with `-latest`.
const LATEST: [&str; 4] = ["claude-3-5-sonnet", "claude-3-5-haiku", "claude-3-7-sonnet", "claude-3-opus"];

/// Anthropic's own spelling: `claude-3.5-sonnet` is `claude-3-5-sonnet-latest`.
fn anthropic(model: &str) -> String {
    let mut name = String::with_capacity(model.len().saturating_add(7));
    let mut rest = model.chars().peekable();
    let mut before = ' ';
    while let Some(it) = rest.next() {
        let within_number = it == '.' && before.is_ascii_digit();
        let within_number = within_number && rest.peek().is_some_and(char::is_ascii_digit);
        name.push(if within_number { '-' } else { it });
        before = it;
    }
    if LATEST.contains(&name.as_str()) {
        name.push_str("-latest");
    }
    name
}

/// A bounded part of `text` in which every character can be seen, for an error's message.
#[must_use]
pub fn printable(text: &str) -> String {
    let visible = |it: char| {
        if it.is_ascii_graphic() || it == ' ' { it } else { '?' }
    };
    let mut shown: String = text.chars().take(SHOWN).map(visible).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push_str("...");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(name: &str) -> String {
        ModelName::parse(name).unwrap().canonical().to_string()
    }

    #[test]
    fn every_form_of_a_name_has_one_canonical_form() {
        for (name, expected) in [
            ("gpt-4o", "openai/gpt-4o"),
            ("openai/gpt-4o", "openai/gpt-4o"),
            ("o1", "openai/o1"),
            ("o3-mini", "openai/o3-mini"),
            ("chatgpt-4o-latest", "openai/chatgpt-4o-latest"),
            ("text-embedding-3-small", "openai/text-embedding-3-small"),
            ("dall-e-3", "openai/dall-e-3"),
            ("ft:gpt-4o-mini:acme::1", "openai/ft:gpt-4o-mini:acme::1"),
            ("claude-3.5-sonnet", "anthropic/claude-3-5-sonnet-latest"),
            ("anthropic/claude-3.5-sonnet", "anthropic/claude-3-5-sonnet-latest"),
            ("claude-3-5-sonnet-latest", "anthropic/claude-3-5-sonnet-latest"),
            ("claude-3-5-sonnet-20241022", "anthropic/claude-3-5-sonnet-20241022"),
            ("claude-sonnet-4.5", "anthropic/claude-sonnet-4-5"),
            ("gemini-2.5-flash", "google/gemini-2.5-flash"),
            ("gemini/gemini-2.5-flash", "google/gemini-2.5-flash"),
            ("google/gemini-2.5-flash", "google/gemini-2.5-flash"),
            ("mistral-large-latest", "mistral/mistral-large-latest"),
            ("mistralai/mistral-large", "mistral/mistral-large"),
            ("ministral-8b", "mistral/ministral-8b"),
            ("codestral-latest", "mistral/codestral-latest"),
            ("pixtral-12b", "mistral/pixtral-12b"),
            ("command-r-plus", "cohere/command-r-plus"),
            ("grok-4", "xai/grok-4"),
            ("x-ai/grok-4", "xai/grok-4"),
            ("deepseek-chat", "deepseek/deepseek-chat"),
        ] {
            assert_eq!(check(name), expected, "{name}");
        }
    }

    #[test]
    fn a_name_that_no_table_knows_keeps_its_string() {
        for name in [
            "meta-llama/llama-3.1-70b-instruct",
            "openrouter/anthropic/claude-3.5-sonnet",
            "openrouter/auto",
            "llama3:8b",
            "ollama/llama3:8b",
            "o11",
            "gptx",
            "commander",
            "accounts/fireworks/models/x",
        ] {
            assert_eq!(check(name), name, "{name}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused_and_shown_in_part_only() {
        let long = "x".repeat(257);
        for name in ["", " ", "a b", "gpt-4o\n", "é", "a\0", "openai/*", "*", "/gpt", "openai/", "/", &long] {
            let refused = ModelName::parse(name).unwrap_err();
            assert!(refused.len() < 200 && refused.bytes().all(|it| (32..127).contains(&it)));
        }
        assert!(ModelName::parse(&long[1..]).is_ok());
    }

    proptest! {
        #[test]
        fn the_canonical_form_is_its_own_canonical_form(name in "[!-~]{1,40}") {
            if let Ok(name) = ModelName::parse(&name) {
                let once = name.canonical();
                if let Ok(again) = ModelName::parse(once.as_str()) {
                    prop_assert_eq!(again.canonical(), once);
                }
            }
        }

        #[test]
        fn a_claude_without_its_provider_is_the_same_model(rest in "[a-z0-9.-]{1,20}") {
            let bare = format!("claude-{rest}");
            prop_assert_eq!(check(&bare), check(&format!("anthropic/{bare}")));
        }

        #[test]
        fn any_text_is_a_name_or_refused(text in any::<String>()) {
            if let Ok(name) = ModelName::parse(&text) {
                prop_assert_eq!(name.as_str(), text);
            }
        }
    }
}
