//! What a provider's chat completions take otherwise than OpenAI's, one row for each provider.
//!
//! A rule changes one member of the client's body and leaves every other byte alone. There is one only where the
//! provider is known to refuse the member, or to take it under another name (WIRE.md, 5.2); what a provider ignores
//! stays, and so does what nobody knows of. The one thing refused here is what would change the answer's shape: several
//! choices of a provider that gives one.

pub mod anthropic;
pub mod error;
mod table;

use crate::{
    chat::{Body, Edit},
    reply::Reply,
};
use serde::Deserialize;
use table::{ROWS, Row};

/// A provider whose API is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Kind {
    /// OpenAI.
    OpenAi,
    /// Azure OpenAI, whose models are deployments.
    Azure,
    /// Anthropic's endpoint for OpenAI's clients.
    Anthropic,
    /// Google Gemini's endpoint for OpenAI's clients.
    Google,
    /// Mistral.
    Mistral,
    /// Cohere's endpoint for OpenAI's clients.
    Cohere,
    /// OpenRouter, which has rules of its own for whom it asks.
    OpenRouter,
    /// Groq.
    Groq,
    /// xAI.
    Xai,
    /// DeepSeek.
    DeepSeek,
    /// Together.
    Together,
    /// Fireworks.
    Fireworks,
    /// Ollama.
    Ollama,
    /// vLLM.
    Vllm,
    /// A small server that speaks the older form of OpenAI's API.
    Custom,
}

/// Where a provider's API is, and how it wants its credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Home {
    /// Its host; empty where each customer has another.
    pub host: &'static str,
    /// What stands before `/chat/completions`; empty where nobody can know.
    pub base_path: &'static str,
    /// Whether the credential is the header `api-key`; else it is `authorization: Bearer`.
    pub api_key: bool,
}

/// One thing that a provider wants otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// It knows the member `from` as `to`; where both stand, the one in its own words counts.
    Rename {
        /// The client's name.
        from: &'static str,
        /// The provider's.
        to: &'static str,
    },
    /// It refuses a request that has one of these, and its answer would be the same without.
    Drop(&'static [&'static str]),
    /// It has another word for this value.
    Say {
        /// Of this member.
        member: &'static str,
        /// The client's, as JSON.
        instead_of: &'static str,
        /// The provider's, as JSON.
        value: &'static str,
    },
    /// It takes no more than this.
    AtMost {
        /// For this member.
        member: &'static str,
        /// A number.
        most: &'static str,
    },
    /// It takes everything but zero; this is as near as it goes.
    NotZero {
        /// For this member.
        member: &'static str,
        /// A number.
        least: &'static str,
    },
    /// It takes 1 alone; a request for another number is refused.
    One(&'static str),
}

impl Kind {
    /// The provider that an operator calls `name`: the row's own name or another usual one, whole or before a `.`, `-`
    /// or `_` (`openai.1`, `openai-eu`). `None` for a name that nobody knows.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        ROWS.iter().find(|row| row.names.iter().any(|it| is_called(name, it))).map(|row| row.kind)
    }

    /// Its own name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().and_then(|it| it.names.first()).copied().unwrap_or("custom")
    }

    /// The rules for a chat completion of this model; none where the body needs no look. `model` is the id that the
    /// provider is sent, `asked` the name that the client means: an Azure deployment's id tells nothing.
    #[must_use]
    pub fn rules(self, model: Option<&str>, asked: Option<&str>) -> &'static [Rule] {
        let Some(row) = self.row() else { return &[] };
        match [model, asked].into_iter().flatten().any(reasons) {
            true => row.reasoning,
            false => row.rules,
        }
    }

    /// Where its API is.
    #[must_use]
    pub fn home(self) -> Home {
        self.row().map_or(Home { host: "", base_path: "", api_key: false }, |it| it.home)
    }

    fn row(self) -> Option<&'static Row> {
        ROWS.iter().find(|it| it.kind == self)
    }
}

/// Whether `name` is `known`, or `known` with an operator's addition.
pub(crate) fn is_called(name: &str, known: &str) -> bool {
    let head = name.get(..known.len()).filter(|it| it.eq_ignore_ascii_case(known));
    let rest = head.and_then(|_| name.get(known.len()..));
    rest.is_some_and(|it| it.is_empty() || it.starts_with(['.', '-', '_']))
}

/// Whether it is one of OpenAI's models that think first: `o1` and later, `gpt-5` and later.
fn reasons(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    let name = name.strip_prefix("ft:").unwrap_or(name);
    let number = |it: &str| -> Option<u32> {
        let digits = it.find(|it: char| !it.is_ascii_digit()).map_or(Some(it), |end| it.get(..end));
        digits?.parse().ok()
    };
    let series = name.strip_prefix("gpt-").and_then(number);
    series.is_some_and(|it| it >= 5) || name.strip_prefix('o').and_then(number).is_some()
}

/// The edits that make `body` one that the provider takes.
///
/// # Errors
/// 400 that names the member which has no counterpart at this provider.
pub fn edits(rules: &[Rule], body: &Body<'_>) -> Result<Vec<Edit>, Reply> {
    let said = |name: &str| body.member(name);
    let mut edits = Vec::new();
    for rule in rules {
        match *rule {
            Rule::Rename { from, to } if said(to).is_some() => edits.extend(body.remove_member(from)),
            Rule::Rename { from, to } => edits.extend(body.rename_member(from, to)),
            Rule::Drop(names) => edits.extend(names.iter().filter_map(|name| body.remove_member(name))),
            Rule::Say { member, instead_of, value } => {
                if said(member) == Some(instead_of) {
                    edits.push(body.set_member(member, value));
                }
            }
            Rule::AtMost { member, most } => {
                if number(said(member)).zip(number(Some(most))).is_some_and(|(it, most)| it > most) {
                    edits.push(body.set_member(member, most));
                }
            }
            Rule::NotZero { member, least } => {
                if number(said(member)).is_some_and(|it| it.abs() <= 0.0) {
                    edits.push(body.set_member(member, least));
                }
            }
            Rule::One(member) => {
                let one = |it: &str| it == "null" || number(Some(it)).is_some_and(|it| (it - 1.0).abs() <= 0.0);
                if said(member).is_some_and(|it| !one(it)) {
                    return Err(
                        Reply::invalid(format!("this model's provider takes no `{member}` but 1")).about(member)
                    );
                }
            }
        }
    }
    Ok(edits)
}

/// Whether a provider with these rules heeds every member of the body: none would be left out, and none refused.
#[must_use]
pub fn takes_all(rules: &[Rule], body: &Body<'_>) -> bool {
    let dropped = |it: &Rule| matches!(it, Rule::Drop(names) if names.iter().any(|it| body.member(it).is_some()));
    !rules.iter().any(dropped) && edits(rules, body).is_ok()
}

/// The value of a JSON number; `None` for anything else.
fn number(json: Option<&str>) -> Option<f64> {
    json?.parse().ok()
}

#[cfg(test)]
mod tests;
