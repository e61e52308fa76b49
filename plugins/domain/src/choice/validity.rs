//! Whether an answer keeps what its request asked for, judged while it passes.
//!
//! An answer is *valid* if it came to its end with the reason `stop` or `tool_calls` and is in the form that
//! `response_format` asked for: JSON for `json_object`, with required members and types for `json_schema`
//! ([`super::shape`] tells what is looked at). A tool call is *right* if its tool was declared and its arguments are JSON with the
//! members that the tool requires. Only the first choice is looked at.
//!
//! Memory is bounded by [`LONGEST`] of an answer, and [`MOST_TOOLS`] and [`MOST_TEXT`] of a request. What is longer is not
//! judged in that respect: it is neither right nor wrong.

use super::shape::Shape;
use crate::chat::{Body, Endpoint};
use crate::turn::{Answer, Assembly};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// So many bytes of an answer are kept, of a stream those of its text.
const LONGEST: usize = 256 * 1024;
/// So many of a stream in which nothing must be found but its end.
const LONGEST_UNREAD: usize = 16 * 1024;
/// A request with more tools does not have its tool calls judged, nor one whose `tools` are longer than [`LONGEST_TOOLS`].
const MOST_TOOLS: usize = 256;
const LONGEST_TOOLS: usize = 1024 * 1024;
/// So many bytes of names of tools and their members are kept.
const MOST_TEXT: usize = 64 * 1024;
/// A longer `response_format` asks for JSON, and for no members of it.
const LONGEST_FORMAT: usize = 256 * 1024;

/// What an answer was worth by its form.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Verdict {
    /// Whether it was valid; `None`: it was not judged.
    pub valid: Option<bool>,
    /// The share of its tool calls that were right; `None`: it had none, or they were not judged.
    pub tools: Option<f64>,
}

impl Verdict {
    /// Of a request that was not answered.
    pub const FAILED: Self = Self { valid: Some(false), tools: None };
}

#[derive(Debug)]
struct Tool {
    name: String,
    /// What its arguments must be; `None`: no JSON, but any text.
    arguments: Option<Shape>,
}

/// Judges one answer.
#[derive(Debug)]
pub struct Judge {
    /// `None`: they are not known, so calls are not judged.
    tools: Option<Vec<Tool>>,
    /// What the answer's text must be; `None`: anything.
    form: Option<Shape>,
    /// The client limits the answer's length, so that it is not the model's fault if it ends there.
    limited: bool,
    /// `None` before the first byte that tells an event stream from JSON.
    answer: Option<Assembly>,
    seen: usize,
}

#[derive(Deserialize)]
struct Format<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    json_schema: Option<Named<'a>>,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow, default)]
    schema: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Declared<'a> {
    #[serde(borrow, default)]
    function: Option<Function<'a>>,
    #[serde(borrow, default)]
    custom: Option<Function<'a>>,
}

#[derive(Deserialize)]
struct Function<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    parameters: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<Call<'a>>>,
}

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow, default)]
    function: Option<Called<'a>>,
    #[serde(borrow, default)]
    custom: Option<Called<'a>>,
}

#[derive(Deserialize)]
struct Called<'a> {
    #[serde(borrow, default)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
}

impl Judge {
    /// The judge of the answer to a request; `None` for an endpoint whose answers do not say how they ended in this form.
    #[must_use]
    pub fn of_request(body: &Body<'_>, endpoint: Endpoint) -> Option<Self> {
        if endpoint != Endpoint::ChatCompletions {
            return None;
        }
        let lengths = ["max_tokens", "max_completion_tokens"];
        Some(Self {
            tools: body.member("tools").filter(|it| *it != "null").map_or(Some(Vec::new()), tools),
            form: body.member("response_format").and_then(form),
            limited: lengths.iter().any(|it| body.member(it).is_some_and(|it| it != "null")),
            answer: None,
            seen: 0,
        })
    }

    /// Reads the next piece of the answer, which is JSON or an event stream.
    pub fn piece(&mut self, piece: &[u8]) {
        self.seen = self.seen.saturating_add(piece.len());
        let first = piece.iter().find(|it| !it.is_ascii_whitespace());
        if self.answer.is_none() {
            self.answer = first.map(|it| match it {
                b'{' | b'[' => Assembly::plain(LONGEST),
                _ => Assembly::streamed(self.kept()),
            });
        }
        if let Some(answer) = &mut self.answer {
            answer.read(piece);
        }
    }

    /// The verdict; `ended` says whether the answer came to its regular end or broke off.
    #[must_use]
    pub fn finish(mut self, ended: bool) -> Verdict {
        let plain = matches!(self.answer, Some(Assembly::Plain { .. }));
        let too_long = self.seen > if plain { LONGEST } else { self.kept() };
        let Some(answer) = self.answer.take().map(|it| it.finish(ended)) else {
            return Verdict::FAILED;
        };
        let judged = |valid| Verdict { valid, tools: None };
        match answer.finish_reason.as_deref() {
            Some("stop" | "tool_calls" | "function_call") => {}
            // Some providers leave it out of a plain answer.
            None if plain && answer.complete => {}
            None if plain && ended && too_long => return Verdict::default(),
            Some("length") if self.limited => return Verdict::default(),
            _ => return Verdict::FAILED,
        }
        if !answer.complete && !too_long {
            return Verdict::FAILED;
        }
        if !answer.complete {
            return judged(if self.form.is_none() { Some(true) } else { None });
        }
        self.message(&answer)
    }

    /// How much of a stream's text is kept.
    fn kept(&self) -> usize {
        let read = self.form.is_some() || self.tools.as_ref().is_some_and(|it| !it.is_empty());
        if read { LONGEST } else { LONGEST_UNREAD }
    }

    fn message(&self, answer: &Answer) -> Verdict {
        let read = answer.message.as_deref().and_then(|it| serde_json::from_str::<Message<'_>>(it).ok());
        let Some(Message { content, tool_calls }) = read else {
            return Verdict::FAILED;
        };
        let calls = tool_calls.unwrap_or_default();
        if !calls.is_empty() {
            return Verdict { valid: Some(true), tools: self.tools.as_ref().map(|it| share(it, &calls)) };
        }
        let fits = |form: &Shape| content.and_then(text).is_some_and(|it| form.fits(&it));
        let valid = answer.finish_reason.as_deref() == Some("function_call") || self.form.as_ref().is_none_or(fits);
        Verdict { valid: Some(valid), tools: None }
    }
}

/// The tools of a request; `None` if they are too many, or cannot be read.
fn tools(json: &str) -> Option<Vec<Tool>> {
    let declared: Vec<Declared<'_>> = serde_json::from_str(Some(json).filter(|it| it.len() <= LONGEST_TOOLS)?).ok()?;
    if declared.len() > MOST_TOOLS {
        return None;
    }
    let mut room = MOST_TEXT;
    let mut tools = Vec::with_capacity(declared.len());
    for Declared { function, custom } in declared {
        let (found, arguments) = match (function, custom) {
            (Some(it), _) => {
                let shape = it.parameters.map_or_else(Shape::object, |it| Shape::members_of(it.get()));
                (it, Some(shape))
            }
            (None, Some(it)) => (it, None),
            // The provider's own, which is never called in the answer.
            (None, None) => continue,
        };
        let size = found.name.len().saturating_add(arguments.as_ref().map_or(0, Shape::size));
        room = room.checked_sub(size)?;
        tools.push(Tool { name: found.name.into_owned(), arguments });
    }
    Some(tools)
}

/// What a `response_format` demands of the text.
fn form(json: &str) -> Option<Shape> {
    if json.len() > LONGEST_FORMAT {
        return Some(Shape::default());
    }
    let Format { kind, json_schema } = serde_json::from_str(json).ok()?;
    match kind.as_ref() {
        "json_object" => Some(Shape::object()),
        "json_schema" => Some(json_schema.and_then(|it| it.schema).map(|it| Shape::of(it.get())).unwrap_or_default()),
        _ => None,
    }
}

/// The share of calls that are right.
fn share(tools: &[Tool], calls: &[Call<'_>]) -> f64 {
    let count = |it: usize| f64::from(u32::try_from(it).unwrap_or(u32::MAX));
    count(calls.iter().filter(|it| is_right(tools, it)).count()) / count(calls.len())
}

fn is_right(tools: &[Tool], call: &Call<'_>) -> bool {
    let Some(called) = call.function.as_ref().or(call.custom.as_ref()) else {
        return false;
    };
    let Some(tool) = tools.iter().find(|it| it.name == called.name) else {
        return false;
    };
    let Some(shape) = &tool.arguments else {
        return call.function.is_none();
    };
    // Some write nothing where there are no arguments, and clients take it.
    let arguments = called.arguments.and_then(text).unwrap_or_default();
    call.function.is_some() && shape.fits(if arguments.is_empty() { "{}" } else { &arguments })
}

/// The text of a JSON string, or of the text parts in an array (Mistral's thinking models).
fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    #[derive(Deserialize)]
    struct Part<'a> {
        #[serde(borrow, default)]
        text: Cow<'a, str>,
    }
    if let Ok(Text(text)) = serde_json::from_str(raw.get()) {
        return Some(text);
    }
    let parts: Vec<Part<'_>> = serde_json::from_str(raw.get()).ok()?;
    Some(parts.iter().map(|it| it.text.as_ref()).collect())
}

#[cfg(test)]
mod tests;
