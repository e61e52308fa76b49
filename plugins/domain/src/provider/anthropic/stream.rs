//! A streamed answer of the Messages API as the chunks of a chat completion.
//!
//! Every event of the provider's becomes the chunks that say the same at once; nothing but an unfinished event is kept.
//! A stream that breaks off, that says an error, or that cannot be read ends with an error event and without `[DONE]`:
//! clients take everything else for the answer's end.

use super::{
    json::{BLANK, Object},
    response::{Part, counts, finish_reason, inner, string},
};
use crate::{chat::quoted, provider::error, reply::Reply, sse, usage};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The longest event that is read, in bytes.
const LIMIT: usize = 1024 * 1024;

/// Translates one stream.
#[derive(Debug)]
pub struct Stream {
    events: sse::Reader,
    told: Told,
}

/// What of the answer has passed.
#[derive(Debug)]
struct Told {
    created: u64,
    /// What every chunk begins with.
    head: String,
    /// What the answer used, if the client wants to hear it.
    usage: Option<usage::Reading>,
    stage: Stage,
    /// How many tools were called.
    tools: u32,
    reason: &'static str,
}

/// What the next event goes on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing, or a text.
    Text,
    /// A call of a tool, whose arguments have begun or not.
    Tool { begun: bool },
    /// Something that chunks have no place for.
    Other,
    /// The answer is complete, or an error was told.
    Over,
}

#[derive(Deserialize)]
struct Event<'a> {
    r#type: &'a str,
    #[serde(borrow)]
    message: Option<Start<'a>>,
    #[serde(borrow)]
    content_block: Option<Part<'a>>,
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
}

#[derive(Deserialize)]
struct Start<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    model: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    partial_json: Option<&'a RawValue>,
    stop_reason: Option<&'a str>,
}

impl Stream {
    /// Nothing has come. `usage`: whether a chunk is to tell it at the end; `created` is now, in seconds since 1970.
    #[must_use]
    pub fn new(usage: bool, created: u64) -> Self {
        let usage = usage.then(|| usage::Reading::new(Some("anthropic")));
        let head = head(None, created);
        let told = Told { created, head, usage, stage: Stage::Text, tools: 0, reason: "stop" };
        Self { events: sse::Reader::new(LIMIT), told }
    }

    /// What the client gets in the place of `bytes`; nothing, perhaps, until more come.
    #[must_use]
    pub fn read(&mut self, bytes: &[u8]) -> Vec<u8> {
        let (mut out, told) = (String::new(), &mut self.told);
        self.events.read(bytes, |event| told.event(&event, &mut out));
        out.into_bytes()
    }

    /// The provider's stream has ended: what is still to be said.
    #[must_use]
    pub fn finish(&mut self) -> Vec<u8> {
        let (mut out, told) = (String::new(), &mut self.told);
        let events = std::mem::replace(&mut self.events, sse::Reader::new(0));
        events.finish(|event| told.event(&event, &mut out));
        if told.stage != Stage::Over {
            told.fail("the model's provider ended its answer in the middle", &mut out);
        }
        out.into_bytes()
    }
}

impl Told {
    fn event(&mut self, event: &sse::Event<'_>, out: &mut String) {
        if self.stage == Stage::Over {
            return;
        }
        match event {
            sse::Event::TooLong => self.fail("an event of the model's provider is too long", out),
            sse::Event::Message { data, .. } => match serde_json::from_slice::<Event<'_>>(data) {
                Ok(event) => self.said(&event, data, out),
                Err(_) => self.fail("an event of the model's provider cannot be read", out),
            },
        }
    }

    fn said(&mut self, event: &Event<'_>, data: &[u8], out: &mut String) {
        match event.r#type {
            "message_start" => {
                self.head = head(event.message.as_ref(), self.created);
                self.count(data);
                self.chunk(r#"{"role":"assistant","content":"","refusal":null}"#, None, out);
            }
            "content_block_start" => self.open(event.content_block.as_ref(), out),
            "content_block_delta" => self.delta(event.delta.as_ref(), out),
            "content_block_stop" => self.close(out),
            "message_delta" => {
                self.count(data);
                if let Some(reason) = event.delta.as_ref().and_then(|it| it.stop_reason) {
                    self.reason = finish_reason(Some(reason));
                }
            }
            "message_stop" => self.stop(out),
            "error" => {
                let error = error::normalised(500, data);
                let error = error.unwrap_or_else(|| String::from_utf8_lossy(data).replace('\n', " "));
                self.stage = Stage::Over;
                write(&error, out);
            }
            // `ping`, and whatever comes to be.
            _ => {}
        }
    }

    fn count(&mut self, data: &[u8]) {
        if let Some(usage) = &mut self.usage {
            usage.see(data);
        }
    }

    fn open(&mut self, block: Option<&Part<'_>>, out: &mut String) {
        self.close(out);
        match block {
            Some(part) if part.r#type == "text" => self.text(part.text, out),
            Some(part) if part.r#type == "tool_use" => {
                let mut function = Object::new(0);
                function.member("name", string(part.name));
                function.member("arguments", r#""""#);
                let mut call = Object::new(0);
                call.member("index", &self.tools.to_string());
                call.member("id", string(part.id));
                call.member("type", r#""function""#);
                call.member("function", &function.finish());
                self.chunk(&format!(r#"{{"tool_calls":[{}]}}"#, call.finish()), None, out);
                self.tools = self.tools.saturating_add(1);
                self.stage = Stage::Tool { begun: false };
                // Nobody has been seen to send whole arguments here; who does is understood.
                if let Some(input) = part.input.map(RawValue::get).filter(|it| is_filled(it)) {
                    self.arguments(&quoted(input), out);
                }
            }
            _ => self.stage = Stage::Other,
        }
    }

    fn delta(&mut self, delta: Option<&Delta<'_>>, out: &mut String) {
        let Some(delta) = delta else { return };
        match self.stage {
            Stage::Text => self.text(delta.text, out),
            Stage::Tool { .. } => self.arguments(string(delta.partial_json), out),
            Stage::Other | Stage::Over => {}
        }
    }

    fn text(&mut self, raw: Option<&RawValue>, out: &mut String) {
        let raw = string(raw);
        if !inner(raw).is_empty() {
            self.chunk(&format!(r#"{{"content":{raw}}}"#), None, out);
        }
    }

    /// More of the last call's arguments, as a JSON string.
    fn arguments(&mut self, raw: &str, out: &mut String) {
        if inner(raw).is_empty() {
            return;
        }
        let index = self.tools.saturating_sub(1);
        self.stage = Stage::Tool { begun: true };
        self.chunk(&format!(r#"{{"tool_calls":[{{"index":{index},"function":{{"arguments":{raw}}}}}]}}"#), None, out);
    }

    /// A block ends. Of a call without arguments no word came, and clients parse what they got as JSON.
    fn close(&mut self, out: &mut String) {
        if self.stage == (Stage::Tool { begun: false }) {
            self.arguments(r#""{}""#, out);
        }
        self.stage = Stage::Text;
    }

    fn stop(&mut self, out: &mut String) {
        self.close(out);
        self.chunk("{}", Some(self.reason), out);
        if let Some(usage) = self.usage.as_ref().and_then(usage::Reading::usage) {
            write(&format!(r#"{},"choices":[],"usage":{}}}"#, self.head, counts(&usage)), out);
        }
        self.stage = Stage::Over;
        write("[DONE]", out);
    }

    fn fail(&mut self, message: &str, out: &mut String) {
        self.stage = Stage::Over;
        write(&Reply::new(502, "upstream_error", message).body(), out);
    }

    fn chunk(&self, delta: &str, reason: Option<&str>, out: &mut String) {
        let reason = reason.map_or_else(|| "null".to_owned(), quoted);
        let usage = if self.usage.is_some() { r#","usage":null"# } else { "" };
        let choice = format!(r#"{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{reason}}}"#);
        write(&format!(r#"{},"choices":[{choice}]{usage}}}"#, self.head), out);
    }
}

/// What every chunk begins with; the object stays open.
fn head(start: Option<&Start<'_>>, created: u64) -> String {
    let (id, model) = (string(start.and_then(|it| it.id)), string(start.and_then(|it| it.model)));
    format!(r#"{{"id":{id},"object":"chat.completion.chunk","created":{created},"model":{model}"#)
}

/// Whether an object has a member.
fn is_filled(object: &str) -> bool {
    object.strip_prefix('{').is_some_and(|it| !it.trim_start_matches(BLANK).starts_with('}'))
}

fn write(data: &str, out: &mut String) {
    out.push_str("data: ");
    out.push_str(data);
    out.push_str("\n\n");
}
