//! A plain answer of the Messages API as a chat completion.

use super::json::Object;
use crate::{
    chat::quoted,
    usage::{self, Usage},
};
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    #[serde(borrow)]
    content: Vec<Part<'a>>,
    stop_reason: Option<&'a str>,
}

/// A part of an answer, or of what begins one in a stream.
#[derive(Deserialize)]
pub(super) struct Part<'a> {
    pub(super) r#type: &'a str,
    #[serde(borrow)]
    pub(super) text: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) name: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) input: Option<&'a RawValue>,
}

/// The chat completion that says the same as the message `bytes`; `None` when they are no message. `created` is now, in
/// seconds since 1970, which the provider does not say.
#[must_use]
pub fn response(bytes: &[u8], created: u64) -> Option<Vec<u8>> {
    let message: Message<'_> = serde_json::from_slice(bytes).ok()?;
    let mut choice = Object::new(bytes.len());
    choice.member("index", "0");
    choice.member("message", &said(&message.content));
    choice.member("logprobs", "null");
    choice.member("finish_reason", &quoted(finish_reason(message.stop_reason)));
    let mut out = Object::new(bytes.len().saturating_add(512));
    out.member("id", string(message.id));
    out.member("object", r#""chat.completion""#);
    out.member("created", &created.to_string());
    out.member("model", string(message.model));
    out.member("choices", &format!("[{}]", choice.finish()));
    if let Some(usage) = usage::find(Some("anthropic"), bytes) {
        out.member("usage", &counts(&usage));
    }
    Some(out.finish().into_bytes())
}

/// The message of the choice: its texts as one, its calls as calls. Thoughts and what the provider's own tools did have
/// no place in it.
fn said(content: &[Part<'_>]) -> String {
    let (mut text, mut calls) = (String::new(), Vec::new());
    for part in content {
        match part.r#type {
            "text" => text.push_str(inner(string(part.text))),
            "tool_use" => {
                let mut call = Object::new(0);
                call.member("id", string(part.id));
                call.member("type", r#""function""#);
                call.member("function", &function(part));
                calls.push(call.finish());
            }
            _ => {}
        }
    }
    let mut message = Object::new(text.len().saturating_add(512));
    message.member("role", r#""assistant""#);
    match text.is_empty() {
        true => message.member("content", "null"),
        false => message.member("content", &format!("\"{text}\"")),
    }
    message.member("refusal", "null");
    if !calls.is_empty() {
        message.member("tool_calls", &format!("[{}]", calls.join(",")));
    }
    message.finish()
}

fn function(part: &Part<'_>) -> String {
    let mut function = Object::new(0);
    function.member("name", string(part.name));
    function.member("arguments", &quoted(part.input.map_or("{}", RawValue::get)));
    function.finish()
}

/// The JSON string `raw`; an empty one for anything else.
pub(super) fn string(raw: Option<&RawValue>) -> &str {
    raw.map(RawValue::get).filter(|it| it.starts_with('"')).unwrap_or(r#""""#)
}

/// What stands between the quotes of a JSON string.
pub(super) fn inner(raw: &str) -> &str {
    raw.strip_prefix('"').and_then(|it| it.strip_suffix('"')).unwrap_or_default()
}

/// Why the answer ended, in OpenAI's words.
pub(super) fn finish_reason(reason: Option<&str>) -> &'static str {
    match reason {
        Some("max_tokens" | "model_context_window_exceeded") => "length",
        Some("tool_use") => "tool_calls",
        Some("refusal") => "content_filter",
        // `end_turn`, `stop_sequence`, `pause_turn`, and whatever comes to be.
        _ => "stop",
    }
}

/// A usage in OpenAI's words: there the cached tokens are among the prompt's, as they are in [`Usage`].
pub(super) fn counts(usage: &Usage) -> String {
    format!(
        r#"{{"prompt_tokens":{},"completion_tokens":{},"total_tokens":{},"prompt_tokens_details":{{"cached_tokens":{},"cache_write_tokens":{}}}}}"#,
        usage.input,
        usage.output,
        usage.total(),
        usage.cached,
        usage.cache_write
    )
}
