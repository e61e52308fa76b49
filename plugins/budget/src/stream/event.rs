//! One event of a stream, as far as a budget is concerned.

use crate::tally::Tally;
use serde::{Deserialize, de::IgnoredAny};
use std::borrow::Cow;

/// How many choices are followed one by one; no API allows more.
const MOST_CHOICES: usize = 128;

/// What an event said.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) tally: Tally,
    /// A usage may be in it.
    pub(super) has_usage: bool,
    /// It has a list of choices, and none in it: with a usage, it has nothing else.
    pub(super) has_no_choice: bool,
    /// It ends a stream that no `[DONE]` ends: of the Responses API, and of Anthropic's own.
    pub(super) is_end: bool,
}

/// Which choices an answer has, and which of them are finished.
#[derive(Debug, Default)]
pub(super) struct Choices {
    known: Vec<(u64, bool)>,
    /// The last number of an event of the Responses API.
    pub(super) sequence: u64,
    /// Which block of Anthropic's own API has begun and not ended.
    pub(super) block: Option<u64>,
}

impl Choices {
    fn saw(&mut self, index: u64, finished: bool) {
        if let Some((_, done)) = self.known.iter_mut().find(|(it, _)| *it == index) {
            *done |= finished;
        } else if self.known.len() < MOST_CHOICES {
            self.known.push((index, finished));
        }
    }

    /// Nothing more is to come of any that began.
    pub(super) fn all_finished(&self) -> bool {
        !self.known.is_empty() && self.known.iter().all(|(_, finished)| *finished)
    }

    /// Those of which more would come; the first one, where none has begun.
    pub(super) fn open(&self) -> Vec<u64> {
        match self.known.is_empty() {
            true => vec![0],
            false => self.known.iter().filter(|(_, finished)| !finished).map(|(it, _)| *it).collect(),
        }
    }
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(default)]
    choices: Option<Vec<Choice>>,
    /// Of the Responses API, and of Anthropic's own.
    #[serde(default)]
    delta: Option<Tally>,
    #[serde(default, borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(default)]
    sequence_number: Option<u64>,
    /// The number of a block of Anthropic's own API.
    #[serde(default)]
    index: Option<u64>,
    // Where a usage may be: of chat completions, the Responses API, Anthropic's own, and Groq.
    #[serde(default)]
    usage: Option<IgnoredAny>,
    #[serde(default)]
    response: Option<IgnoredAny>,
    #[serde(default)]
    message: Option<IgnoredAny>,
    #[serde(default)]
    x_groq: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    index: Option<u64>,
    #[serde(default)]
    delta: Option<Tally>,
    #[serde(default)]
    text: Option<Tally>,
    /// The length of it: an empty one, which some send all along, finishes nothing.
    #[serde(default)]
    finish_reason: Option<Tally>,
}

impl Seen {
    /// Reads an event's data. What cannot be read counts as text, whole.
    pub(super) fn of(data: &[u8], choices: &mut Choices) -> Self {
        let mut seen = Self::default();
        let Ok(wire) = serde_json::from_slice::<Wire<'_>>(data) else {
            seen.tally.add(data);
            seen.has_usage = true;
            return seen;
        };
        let kind = wire.kind.as_deref().unwrap_or_default();
        seen.is_end = matches!(kind, "response.completed" | "response.incomplete" | "response.failed" | "message_stop");
        match kind {
            "content_block_start" => choices.block = wire.index,
            "content_block_stop" => choices.block = None,
            // It says why the answer ended.
            "message_delta" => choices.saw(0, true),
            _ => {}
        }
        choices.sequence = wire.sequence_number.unwrap_or(choices.sequence);
        seen.tally.join(wire.delta.unwrap_or_default());
        seen.has_usage =
            wire.usage.is_some() || wire.response.is_some() || wire.message.is_some() || wire.x_groq.is_some();
        seen.has_no_choice = wire.choices.as_ref().is_some_and(Vec::is_empty);
        for choice in wire.choices.unwrap_or_default() {
            seen.tally.join(choice.delta.unwrap_or_default());
            seen.tally.join(choice.text.unwrap_or_default());
            let finished = choice.finish_reason.unwrap_or_default() != Tally::default();
            choices.saw(choice.index.unwrap_or_default(), finished);
        }
        seen
    }
}

/// Who an answer says that it is.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Identity {
    #[serde(default)]
    pub(super) id: Option<String>,
    #[serde(default)]
    pub(super) model: Option<String>,
    #[serde(default, alias = "created_at")]
    pub(super) created: Option<serde_json::Number>,
    /// In the Responses API, what all of the above is of.
    #[serde(default)]
    pub(super) response: Option<Box<Self>>,
}

impl Identity {
    /// Reads the first event's data.
    pub(super) fn of(data: &[u8]) -> Self {
        serde_json::from_slice(data).unwrap_or_default()
    }
}
