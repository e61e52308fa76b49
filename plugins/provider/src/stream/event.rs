//! One event of a stream, as far as its beginning and its end are concerned. An event tells by itself whose API it is of.

use domain::sse;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::BTreeMap};

/// How many choices are followed one by one; no API allows more.
const MOST_CHOICES: usize = 128;

/// What an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    /// It only leads up to an answer.
    Nothing,
    /// It is a part of one, ends it, or nobody knows what it is.
    Content,
    /// It is an error.
    Error,
}

/// What the events so far said of the answer's end.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Which choices there are, and whether each has its reason to end.
    choices: Vec<(u64, bool)>,
    /// An end sign, or an error, which the client has seen.
    over: bool,
    /// The last event may have been the end: nobody could read it.
    unread: bool,
    /// The last number of an event of the Responses API.
    pub(super) sequence: Option<u64>,
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    choices: Option<Vec<Choice<'a>>>,
    /// Of the Responses API, and of Anthropic's own.
    #[serde(borrow, default, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(default)]
    sequence_number: Option<u64>,
    #[serde(borrow, default)]
    content_block: Option<Block<'a>>,
    /// Of Anthropic's own, where it holds the reason to end; a bare text in the Responses API.
    #[serde(borrow, default)]
    delta: Option<&'a RawValue>,
    #[serde(default)]
    usage: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(default)]
    index: Option<u64>,
    #[serde(borrow, default)]
    delta: Option<BTreeMap<Cow<'a, str>, &'a RawValue>>,
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    finish_reason: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    thinking: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow, default)]
    stop_reason: Option<&'a RawValue>,
}

impl Seen {
    /// Whether the answer came to its end, or may have.
    pub(super) fn is_over(&self) -> bool {
        let finished = !self.choices.is_empty() && self.choices.iter().all(|(_, finished)| *finished);
        self.over || self.unread || finished
    }

    /// Reads on.
    pub(super) fn event(&mut self, event: &sse::Event<'_>) -> Says {
        let sse::Event::Message { kind, data } = event else {
            self.unread = true;
            return Says::Content;
        };
        let data = data.trim_ascii();
        if data.is_empty() {
            return Says::Nothing;
        }
        self.unread = false;
        if data.starts_with(b"[DONE]") {
            self.over = true;
            return Says::Content;
        }
        let says = match serde_json::from_slice::<Wire<'_>>(data) {
            _ if *kind == b"error" => Says::Error,
            Ok(wire) => self.said(wire),
            Err(_) => Says::Content,
        };
        self.over |= says == Says::Error;
        says
    }

    fn said(&mut self, wire: Wire<'_>) -> Says {
        self.sequence = wire.sequence_number.or(self.sequence);
        if is_filled(wire.error) {
            return Says::Error;
        }
        if let Some(choices) = wire.choices {
            return self.choices(choices);
        }
        match wire.kind.as_deref().unwrap_or_default() {
            "error" | "response.failed" => Says::Error,
            "response.created" | "response.queued" | "response.in_progress" => Says::Nothing,
            "response.output_item.added" | "response.content_part.added" => Says::Nothing,
            "message_start" | "ping" => Says::Nothing,
            "content_block_start" => wire.content_block.map_or(Says::Content, |it| it.says()),
            "response.completed" | "response.incomplete" | "message_stop" => {
                self.over = true;
                Says::Content
            }
            "message_delta" => {
                let delta = wire.delta.and_then(|it| serde_json::from_str::<Delta<'_>>(it.get()).ok());
                self.over |= delta.is_some_and(|it| is_filled(it.stop_reason));
                Says::Content
            }
            it if it.starts_with("response.") || it.starts_with("content_block_") => Says::Content,
            // A count alone ends nothing.
            _ => {
                self.unread = wire.usage.is_none();
                Says::Content
            }
        }
    }

    fn choices(&mut self, choices: Vec<Choice<'_>>) -> Says {
        let mut says = Says::Nothing;
        for choice in choices {
            let reason = choice.finish_reason.as_deref().filter(|it| !it.is_empty());
            self.saw(choice.index.unwrap_or_default(), reason.is_some());
            // OpenRouter's.
            if reason == Some("error") {
                return Says::Error;
            }
            let delta = choice.delta.unwrap_or_default();
            let more = delta.iter().any(|(name, value)| name != "role" && is_filled(Some(value)));
            if more || reason.is_some() || is_filled(choice.text) {
                says = Says::Content;
            }
        }
        says
    }

    fn saw(&mut self, index: u64, finished: bool) {
        if let Some((_, done)) = self.choices.iter_mut().find(|(it, _)| *it == index) {
            *done |= finished;
        } else if self.choices.len() < MOST_CHOICES {
            self.choices.push((index, finished));
        }
    }
}

impl Block<'_> {
    /// A block of text or of thoughts begins with nothing in it; any other is something.
    fn says(&self) -> Says {
        let empty = matches!(self.kind.as_deref(), Some("text" | "thinking"));
        if empty && !is_filled(self.text) && !is_filled(self.thinking) { Says::Nothing } else { Says::Content }
    }
}

/// Whether a member says anything.
fn is_filled(value: Option<&RawValue>) -> bool {
    value.is_some_and(|it| !matches!(it.get().trim(), "null" | "\"\"" | "[]" | "{}"))
}
