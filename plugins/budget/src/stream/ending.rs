//! How an answer ends that was cut: as one that reached its longest length does, so that every client takes it for whole.

use super::event::{Choices, Identity};
use domain::{chat::Endpoint, usage::Usage};
use serde_json::{Value, json};

/// What the last events of an answer say.
pub(super) struct Ending<'a> {
    pub(super) identity: &'a Identity,
    pub(super) choices: &'a Choices,
    pub(super) usage: Usage,
}

impl Ending<'_> {
    /// The events, with the usage if the client asked for it, and `comment` before the last.
    pub(super) fn write(&self, endpoint: Endpoint, with_usage: bool, comment: &str) -> String {
        if endpoint == Endpoint::Responses {
            return format!("{comment}event: response.incomplete\ndata: {}\n\n", self.incomplete());
        }
        if endpoint == Endpoint::Messages {
            return self.message(comment);
        }
        let mut out = String::new();
        for index in self.choices.open() {
            out += &format!("data: {}\n\n", self.chunk(endpoint, json!([choice(endpoint, index)]), None));
        }
        if with_usage {
            out += &format!("data: {}\n\n", self.chunk(endpoint, json!([]), Some(self.usage)));
        }
        out + comment + "data: [DONE]\n\n"
    }

    fn chunk(&self, endpoint: Endpoint, choices: Value, usage: Option<Usage>) -> Value {
        let object = if endpoint == Endpoint::Completions { "text_completion" } else { "chat.completion.chunk" };
        let Identity { id, model, created, .. } = self.identity;
        let mut chunk = json!({"id": id, "object": object, "created": created, "model": model, "choices": choices});
        if let (Some(it), Some(members)) = (usage, chunk.as_object_mut()) {
            let usage = json!({"prompt_tokens": it.input, "completion_tokens": it.output, "total_tokens": it.total(),
                "prompt_tokens_details": {"cached_tokens": it.cached},
                "completion_tokens_details": {"reasoning_tokens": it.reasoning}});
            members.insert("usage".to_owned(), usage);
        }
        chunk
    }

    /// The last events of Anthropic's own API; its clients are always told the usage.
    fn message(&self, comment: &str) -> String {
        // Numbers alone are put in, so it is written as it is to be read.
        let event = |kind: &str, rest: &str| format!("event: {kind}\ndata: {{\"type\":\"{kind}\"{rest}}}\n\n");
        let mut out = String::new();
        if let Some(index) = self.choices.block {
            out += &event("content_block_stop", &format!(",\"index\":{index}"));
        }
        let (delta, output) = (r#""delta":{"stop_reason":"max_tokens","stop_sequence":null}"#, self.usage.output);
        out += &event("message_delta", &format!(",{delta},\"usage\":{{\"output_tokens\":{output}}}"));
        out + comment + &event("message_stop", "")
    }

    fn incomplete(&self) -> Value {
        let of = self.identity.response.as_deref().unwrap_or(self.identity);
        let it = self.usage;
        json!({"type": "response.incomplete", "sequence_number": self.choices.sequence.saturating_add(1), "response": {
            "id": of.id, "object": "response", "created_at": of.created, "model": of.model, "status": "incomplete",
            "incomplete_details": {"reason": "max_output_tokens"}, "error": null, "instructions": null, "metadata": {},
            "output": [], "parallel_tool_calls": true, "tool_choice": "auto", "tools": [], "temperature": null, "top_p": null,
            "usage": {"input_tokens": it.input, "input_tokens_details": {"cached_tokens": it.cached},
                "output_tokens": it.output, "output_tokens_details": {"reasoning_tokens": it.reasoning},
                "total_tokens": it.total()}}})
    }
}

fn choice(endpoint: Endpoint, index: u64) -> Value {
    match endpoint {
        Endpoint::Completions => json!({"text": "", "index": index, "logprobs": null, "finish_reason": "length"}),
        _ => json!({"index": index, "delta": {}, "logprobs": null, "finish_reason": "length"}),
    }
}
