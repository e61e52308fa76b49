//! Puts the assistant's message together from the events of a stream.

use super::Answer;
use crate::sse::Event;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// So many tool calls of one message are kept; more make the turn incomplete.
const MAX_CALLS: usize = 256;
/// What a tool call costs besides its texts, for the bound on memory.
const CALL_COST: usize = 256;

/// What the events of one stream said so far.
#[derive(Debug)]
pub struct Deltas {
    /// How many bytes of text may still be kept.
    left: usize,
    content: Option<String>,
    refusal: Option<String>,
    calls: Vec<ToolCall>,
    finish_reason: Option<String>,
    model: Option<String>,
    /// The stream said that it is over (`[DONE]`).
    done: bool,
    /// Something of the answer is missing: an error, an event that could not be read, or the limit.
    broken: bool,
}

#[derive(Debug, Default)]
struct ToolCall {
    index: u64,
    id: String,
    kind: Kind,
    name: String,
    /// The arguments of a function, the input of a custom tool.
    input: String,
    /// What Gemini wants back with the call: its thought's signature.
    extra: Option<Box<RawValue>>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Kind {
    #[default]
    Function,
    Custom,
}

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow, default)]
    model: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    choices: Option<Vec<Choice<'a>>>,
    #[serde(default)]
    error: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(default)]
    index: u64,
    #[serde(borrow, default)]
    delta: Option<Delta<'a>>,
    #[serde(borrow, default)]
    finish_reason: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    refusal: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<CallDelta<'a>>>,
}

#[derive(Deserialize)]
struct CallDelta<'a> {
    #[serde(default)]
    index: Option<u64>,
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    function: Option<PartDelta<'a>>,
    #[serde(borrow, default)]
    custom: Option<PartDelta<'a>>,
    #[serde(borrow, default)]
    extra_content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct PartDelta<'a> {
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default, alias = "input")]
    arguments: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct TextPart<'a> {
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<WholeCall<'a>>,
}

#[derive(Serialize)]
struct WholeCall<'a> {
    id: &'a str,
    r#type: &'static str,
    #[serde(flatten)]
    called: Called<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<&'a RawValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Called<'a> {
    Function { name: &'a str, arguments: &'a str },
    Custom { name: &'a str, input: &'a str },
}

impl Deltas {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            left: limit,
            content: None,
            refusal: None,
            calls: Vec::new(),
            finish_reason: None,
            model: None,
            done: false,
            broken: false,
        }
    }

    pub(super) fn event(&mut self, event: &Event<'_>) {
        if self.done {
            return;
        }
        match event {
            Event::TooLong => self.broken = true,
            Event::Message { data, .. } if data.trim_ascii_start().starts_with(b"[DONE]") => self.done = true,
            Event::Message { kind, data } => match serde_json::from_slice::<Chunk<'_>>(data) {
                Ok(chunk) => {
                    self.broken |= *kind == b"error";
                    self.chunk(chunk);
                }
                Err(_) => self.broken = true,
            },
        }
    }

    /// Whether the stream said that nothing follows.
    pub(super) fn is_over(&self) -> bool {
        self.done
    }

    /// The message as far as it came.
    pub(super) fn finish(self, ended: bool) -> Answer {
        let over = self.done || ended;
        let refused = self.finish_reason.as_deref() == Some("error");
        let complete = over && !self.broken && !refused && self.finish_reason.is_some();
        Answer { message: self.message(complete), complete, finish_reason: self.finish_reason, model: self.model }
    }

    /// Half a tool call would make every provider refuse the thread from then on, so the calls of an
    /// incomplete answer are left out.
    fn message(&self, complete: bool) -> Option<String> {
        let mut tool_calls = Vec::new();
        if complete {
            let mut calls: Vec<&ToolCall> = self.calls.iter().collect();
            calls.sort_by_key(|it| it.index);
            tool_calls.extend(calls.into_iter().map(ToolCall::whole));
        }
        let content = self.content.as_deref();
        let refusal = self.refusal.as_deref().filter(|it| !it.is_empty());
        let nothing = content.is_none_or(str::is_empty) && refusal.is_none() && tool_calls.is_empty();
        if nothing && !complete {
            return None;
        }
        let content = if nothing { Some("") } else { content.filter(|it| !it.is_empty()) };
        serde_json::to_string(&Message { role: "assistant", content, refusal, tool_calls }).ok()
    }

    fn chunk(&mut self, chunk: Chunk<'_>) {
        self.broken |= chunk.error.is_some();
        if let (None, Some(model)) = (&self.model, chunk.model) {
            self.model = Some(model.into_owned());
        }
        for choice in chunk.choices.unwrap_or_default().into_iter().filter(|it| it.index == 0) {
            if let Some(reason) = choice.finish_reason.filter(|it| !it.is_empty()) {
                self.finish_reason = Some(reason.into_owned());
            }
            let Some(delta) = choice.delta else { continue };
            if let Some(content) = delta.content {
                self.content(content.get());
            }
            if let Some(refusal) = delta.refusal {
                let refusal = self.spend(&refusal).to_owned();
                self.refusal.get_or_insert_default().push_str(&refusal);
            }
            for call in delta.tool_calls.unwrap_or_default() {
                self.call(call);
            }
        }
    }

    /// A string, or (Mistral's thinking models) an array of parts, of which the texts count.
    fn content(&mut self, raw: &str) {
        if let Ok(Text(text)) = serde_json::from_str(raw) {
            let text = self.spend(&text).to_owned();
            self.content.get_or_insert_default().push_str(&text);
        } else if let Ok(parts) = serde_json::from_str::<Vec<TextPart<'_>>>(raw) {
            for text in parts.into_iter().filter_map(|it| it.text) {
                let text = self.spend(&text).to_owned();
                self.content.get_or_insert_default().push_str(&text);
            }
        } else {
            self.broken = true;
        }
    }

    fn call(&mut self, delta: CallDelta<'_>) {
        let id = delta.id.unwrap_or_default();
        let Some(at) = self.place(delta.index, &id) else {
            return;
        };
        let kind = if delta.custom.is_some() { Kind::Custom } else { Kind::Function };
        let part = delta.function.or(delta.custom);
        let (name, input) = part.map(|it| (it.name, it.arguments)).unwrap_or_default();
        let id = self.spend(&id).to_owned();
        let name = self.spend(&name.unwrap_or_default()).to_owned();
        let input = self.spend(&input.unwrap_or_default()).to_owned();
        let extra = delta.extra_content.filter(|it| self.spend(it.get()).len() == it.get().len());
        let Some(call) = self.calls.get_mut(at) else {
            return;
        };
        if kind == Kind::Custom {
            call.kind = kind;
        }
        // An id comes once, but some providers repeat it in every piece; names come whole or in pieces.
        if call.id.is_empty() {
            call.id = id;
        }
        if call.name != name {
            call.name.push_str(&name);
        }
        call.input.push_str(&input);
        if let Some(extra) = extra {
            call.extra = Some(extra.to_owned());
        }
    }

    /// Where the call stands that a piece belongs to: the one with its index or, from a provider
    /// that numbers none, the last one, unless the id is a new one.
    fn place(&mut self, index: Option<u64>, id: &str) -> Option<usize> {
        let found = match index {
            Some(index) => self.calls.iter().position(|it| it.index == index),
            None if id.is_empty() => self.calls.len().checked_sub(1),
            None => self.calls.iter().position(|it| it.id == id),
        };
        if found.is_some() {
            return found;
        }
        if self.calls.len() >= MAX_CALLS || self.left < CALL_COST {
            self.broken = true;
            return None;
        }
        self.left = self.left.saturating_sub(CALL_COST);
        let place = self.calls.len();
        let index = index.unwrap_or_else(|| u64::try_from(place).unwrap_or(u64::MAX));
        self.calls.push(ToolCall { index, ..ToolCall::default() });
        Some(place)
    }

    /// `text`, or as much of it as may still be kept.
    fn spend<'t>(&mut self, text: &'t str) -> &'t str {
        let end = text.floor_char_boundary(self.left);
        self.left = self.left.saturating_sub(end);
        self.broken |= end < text.len();
        text.get(..end).unwrap_or_default()
    }
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl ToolCall {
    fn whole(&self) -> WholeCall<'_> {
        let Self { id, name, input, .. } = self;
        let (r#type, called) = match self.kind {
            Kind::Function => ("function", Called::Function { name, arguments: input }),
            Kind::Custom => ("custom", Called::Custom { name, input }),
        };
        WholeCall { id, r#type, called, extra_content: self.extra.as_deref() }
    }
}
