//! Anthropic's own shape of an answer, which no request is translated to here: what a gateway passes through must be
//! counted all the same.

use serde_json::{Value, json};

use super::answers::{Asked, pieces};

/// A whole message.
pub(super) fn message(asked: &Asked) -> Value {
    let mut message = started(asked);
    message["content"] = json!([{"type": "text", "text": asked.text()}]);
    message["stop_reason"] = json!("end_turn");
    message["usage"] = asked.count().of_message(asked.count().completion);
    message
}

/// The events of a streamed message; each names its type.
pub(super) fn message_events(asked: &Asked) -> Vec<Value> {
    let text = asked.text();
    let mut events = vec![
        json!({"type": "message_start", "message": started(asked)}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "ping"}),
    ];
    events.extend(pieces(&text).map(
        |piece| json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}),
    ));
    events.push(json!({"type": "content_block_stop", "index": 0}));
    events.push(json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null},
        "usage": {"output_tokens": asked.count().completion}}));
    events.push(json!({"type": "message_stop"}));
    events
}

fn started(asked: &Asked) -> Value {
    json!({"id": format!("msg_{}", asked.id), "type": "message", "role": "assistant", "model": asked.model,
        "content": [], "stop_reason": null, "stop_sequence": null, "usage": asked.count().of_message(1)})
}
