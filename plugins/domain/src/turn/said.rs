//! One choice of a streamed answer, put together from its deltas.
//!
//! Texts grow, lists get longer, tool calls are told apart by their index. Kept are the members that an assistant's message
//! has when a client sends it back: `content`, `refusal`, `tool_calls`, `function_call`, `audio` without its sound (a provider
//! finds it by its id), `annotations`, and a model's thoughts by the names that providers give them, since some demand them
//! back. What else a delta holds is left out: nobody said how it is to be put together, and a provider that does not know
//! a member may refuse the thread from then on.

use super::calls::{Calls, PartDelta, WholeCall};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// What an element of a list costs besides its text, for the bound on memory.
const ELEMENT_COST: usize = 64;

/// How many bytes of text may still be kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Left(pub(super) usize);

/// What one choice said so far.
#[derive(Debug, Default)]
pub(super) struct Said {
    content: Option<String>,
    refusal: String,
    thoughts: [String; THOUGHTS.len()],
    /// `reasoning_details`, as they came.
    details: Vec<Box<RawValue>>,
    annotations: Vec<Box<RawValue>>,
    calls: Calls,
    function: Option<(String, String)>,
    audio: Option<Audio>,
    pub(super) finish_reason: Option<String>,
    /// Something is missing: a piece that could not be read, or the limit.
    pub(super) broken: bool,
}

/// How providers call a model's thoughts.
const THOUGHTS: [&str; 2] = ["reasoning_content", "reasoning"];

#[derive(Debug, Default)]
struct Audio {
    id: String,
    transcript: String,
    expires_at: Option<Box<RawValue>>,
}

/// What a piece of an answer adds to a choice. Members that not all providers send alike are read by their own readers, so
/// that one of another shape is passed over and not the whole piece.
#[derive(Deserialize)]
pub(super) struct Delta<'a> {
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    refusal: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    reasoning_content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reasoning: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reasoning_details: Option<&'a RawValue>,
    #[serde(borrow, default)]
    annotations: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<super::calls::CallDelta<'a>>>,
    #[serde(borrow, default)]
    function_call: Option<PartDelta<'a>>,
    #[serde(borrow, default)]
    audio: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct AudioDelta<'a> {
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    transcript: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    expires_at: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct TextPart<'a> {
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Serialize)]
struct Message<'a> {
    role: &'a str,
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    refusal: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    reasoning_content: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    reasoning: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    reasoning_details: &'a [Box<RawValue>],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<WholeCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_call: Option<Function<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audio: Option<Sound<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    annotations: &'a [Box<RawValue>],
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    arguments: &'a str,
}

#[derive(Serialize)]
struct Sound<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<&'a RawValue>,
    transcript: &'a str,
}

impl Left {
    /// Appends `text`, or as much of it as may still be kept; whether that was all.
    pub(super) fn append(&mut self, to: &mut String, text: &str) -> bool {
        let end = text.floor_char_boundary(self.0);
        self.0 = self.0.saturating_sub(end);
        to.push_str(text.get(..end).unwrap_or_default());
        end == text.len()
    }

    /// Takes room for something that is kept whole or not at all; whether there is enough.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        let fits = self.0 >= bytes;
        if fits {
            self.0 = self.0.saturating_sub(bytes);
        }
        fits
    }
}

impl Said {
    /// Adds what a piece brought.
    pub(super) fn add(&mut self, delta: Delta<'_>, left: &mut Left) {
        if let Some(content) = delta.content {
            self.content(content.get(), left);
        }
        if let Some(refusal) = delta.refusal {
            self.broken |= !left.append(&mut self.refusal, &refusal);
        }
        for (thought, raw) in self.thoughts.iter_mut().zip([delta.reasoning_content, delta.reasoning]) {
            if let Some(Text(text)) = raw.and_then(|it| serde_json::from_str(it.get()).ok()) {
                self.broken |= !left.append(thought, &text);
            }
        }
        for (list, raw) in [(&mut self.details, delta.reasoning_details), (&mut self.annotations, delta.annotations)] {
            self.broken |= !extend(list, raw, left);
        }
        for call in delta.tool_calls.unwrap_or_default() {
            self.broken |= !self.calls.add(call, left);
        }
        if let Some(part) = delta.function_call {
            let (name, arguments) = self.function.get_or_insert_default();
            let (more_name, more) = (part.name.unwrap_or_default(), part.arguments.unwrap_or_default());
            let same = *name == more_name;
            self.broken |= !same && !left.append(name, &more_name);
            self.broken |= !left.append(arguments, &more);
        }
        if let Some(audio) = delta.audio.and_then(|it| serde_json::from_str::<AudioDelta<'_>>(it.get()).ok()) {
            self.sound(audio, left);
        }
    }

    /// A string, or (Mistral's thinking models) an array of parts, of which the texts count.
    fn content(&mut self, raw: &str, left: &mut Left) {
        if let Ok(Text(text)) = serde_json::from_str(raw) {
            self.broken |= !left.append(self.content.get_or_insert_default(), &text);
        } else if let Ok(parts) = serde_json::from_str::<Vec<TextPart<'_>>>(raw) {
            for text in parts.into_iter().filter_map(|it| it.text) {
                self.broken |= !left.append(self.content.get_or_insert_default(), &text);
            }
        } else {
            self.broken = true;
        }
    }

    fn sound(&mut self, delta: AudioDelta<'_>, left: &mut Left) {
        let audio = self.audio.get_or_insert_default();
        if audio.id.is_empty() {
            self.broken |= !left.append(&mut audio.id, &delta.id.unwrap_or_default());
        }
        self.broken |= !left.append(&mut audio.transcript, &delta.transcript.unwrap_or_default());
        if let Some(moment) = delta.expires_at.filter(|it| left.take(it.get().len())) {
            audio.expires_at = Some(moment.to_owned());
        }
    }

    /// The message, as far as it came. Half a tool call would make every provider refuse the thread from then on, so the
    /// calls of an incomplete answer are left out, and so is half a sound.
    pub(super) fn message(&self, complete: bool) -> Option<String> {
        let content = self.content.as_deref();
        let tool_calls = if complete { self.calls.whole() } else { Vec::new() };
        let function = self.function.as_ref().filter(|_| complete);
        let function_call = function.map(|(name, arguments)| Function { name, arguments });
        let audio = self.audio.as_ref().filter(|it| complete && !it.id.is_empty());
        let calls = !tool_calls.is_empty() || function_call.is_some();
        let nothing = content.is_none_or(str::is_empty) && self.refusal.is_empty() && !calls && audio.is_none();
        if nothing && !complete {
            return None;
        }
        let content = if nothing { Some("") } else { content.filter(|it| !it.is_empty()) };
        let [reasoning_content, reasoning] = &self.thoughts;
        let message = Message {
            role: "assistant",
            content,
            refusal: &self.refusal,
            reasoning_content,
            reasoning,
            reasoning_details: &self.details,
            tool_calls,
            function_call,
            audio: audio.map(|it| Sound {
                id: &it.id,
                expires_at: it.expires_at.as_deref(),
                transcript: &it.transcript,
            }),
            annotations: &self.annotations,
        };
        serde_json::to_string(&message).ok()
    }
}

/// Appends the elements of the array `raw`, each whole or not at all; whether all of them fitted. Anything else than an
/// array is passed over.
fn extend(list: &mut Vec<Box<RawValue>>, raw: Option<&RawValue>, left: &mut Left) -> bool {
    let elements: Vec<&RawValue> = raw.and_then(|it| serde_json::from_str(it.get()).ok()).unwrap_or_default();
    let mut all = true;
    for element in elements {
        let fits = left.take(element.get().len().saturating_add(ELEMENT_COST));
        all &= fits;
        if fits {
            list.push(element.to_owned());
        }
    }
    all
}
