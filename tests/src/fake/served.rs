//! What was served, and would be billed.

use serde_json::{Value, json};

use super::usage::{Count, tokens};

/// One answer with content; errors are not billed and not counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// The answers are numbered as their requests came; `fake-<number>` is in the answer's id.
    pub number: u64,
    /// With the query.
    pub path: String,
    /// As the provider was asked for it.
    pub model: String,
    /// The last thing that the user, or a tool, said: tells requests apart.
    pub heard: String,
    /// As an SSE stream.
    pub stream: bool,
    /// All of the prompt, and of the answer what was on the wire before somebody left; of a plain answer all.
    pub count: Count,
    /// To its proper end.
    pub complete: bool,
    /// The provider said how many tokens it took.
    pub usage_sent: bool,
}

impl Served {
    /// Counts an event that is on the wire.
    pub(super) fn add(&mut self, event: &Value) {
        self.count.completion += tokens(said(event));
        self.usage_sent |= event["usage"].is_object() || event["response"]["usage"].is_object();
    }

    /// As the control endpoint shows it.
    pub(super) fn shown(&self) -> Value {
        let count = &self.count;
        json!({"number": self.number, "path": self.path, "model": self.model, "heard": self.heard,
            "stream": self.stream, "complete": self.complete, "usage_sent": self.usage_sent,
            "prompt_tokens": count.prompt, "cached_tokens": count.cached, "cache_write_tokens": count.cache_write,
            "completion_tokens": count.completion, "reasoning_tokens": count.reasoning})
    }
}

/// The text in one event, whichever API's it is.
fn said(event: &Value) -> &str {
    let choice = &event["choices"][0];
    let places = [
        &choice["delta"]["content"],
        &choice["text"],
        &choice["delta"]["tool_calls"][0]["function"]["arguments"],
        &event["delta"]["text"],
        &event["delta"],
    ];
    places.into_iter().find_map(Value::as_str).unwrap_or_default()
}
