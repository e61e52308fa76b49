//! Anthropic's own API: any path that ends in `/messages`, and the shape of its answers in place of OpenAI's, which a
//! gateway that passes them through must count all the same.

use serde_json::{Value, json};

use super::answers::{Asked, Said, halves};

/// What is wrong with a request, as the provider itself would say: without these it answers nobody.
pub(super) fn refusal(version: Option<&str>, body: &Value) -> Option<String> {
    if version != Some("2023-06-01") {
        return Some("anthropic-version: header is required".to_owned());
    }
    if !body["max_tokens"].is_u64() {
        return Some("max_tokens: Field required".to_owned());
    }
    let messages = body["messages"].as_array().filter(|it| !it.is_empty());
    let Some(messages) = messages else {
        return Some("messages: at least one message is required".to_owned());
    };
    let role = messages.iter().find(|it| !matches!(it["role"].as_str(), Some("user" | "assistant")));
    let known = [
        "model",
        "messages",
        "max_tokens",
        "system",
        "tools",
        "tool_choice",
        "temperature",
        "top_p",
        "top_k",
        "stream",
        "stop_sequences",
        "metadata",
        "output_config",
        "thinking",
        "service_tier",
    ];
    let unknown = body.as_object().into_iter().flat_map(|it| it.keys()).find(|it| !known.contains(&it.as_str()));
    match (role, unknown) {
        (Some(message), _) => Some(format!("messages: Unexpected role {}", message["role"])),
        (None, Some(name)) => Some(format!("{name}: Extra inputs are not permitted")),
        (None, None) => None,
    }
}

/// The error object for a status.
pub(super) fn error(status: u16, message: &str) -> Value {
    let kind = match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    };
    json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_fake"})
}

/// A whole message.
pub(super) fn message(asked: &Asked) -> Value {
    let mut message = started(asked);
    let (content, reason) = match asked.answer() {
        Said::Text(text) => (json!([{"type": "text", "text": text}]), "end_turn"),
        Said::Tools(calls) => {
            let calls = calls.iter().enumerate().map(|(index, (name, arguments))| {
                let input: Value = serde_json::from_str(arguments).unwrap_or_default();
                json!({"type": "tool_use", "id": format!("toolu_{index}"), "name": name, "input": input})
            });
            (calls.collect(), "tool_use")
        }
    };
    message["content"] = content;
    message["stop_reason"] = json!(reason);
    message["usage"] = asked.count().of_message(asked.count().completion);
    message
}

/// The events of a streamed message; each names its type.
pub(super) fn message_events(asked: &Asked) -> Vec<Value> {
    let mut events = vec![json!({"type": "message_start", "message": started(asked)})];
    let reason = match asked.answer() {
        Said::Text(text) => {
            let deltas =
                asked.pieces(text).into_iter().map(|piece| json!({"type": "text_delta", "text": piece})).collect();
            block(&mut events, 0, &json!({"type": "text", "text": ""}), deltas);
            "end_turn"
        }
        Said::Tools(calls) => {
            for (index, (name, arguments)) in calls.iter().enumerate() {
                let call = json!({"type": "tool_use", "id": format!("toolu_{index}"), "name": name, "input": {}});
                let (left, right) = halves(arguments);
                let piece = |json: &str| json!({"type": "input_json_delta", "partial_json": json});
                block(&mut events, index, &call, vec![piece(""), piece(left), piece(right)]);
            }
            "tool_use"
        }
    };
    events.insert(2, json!({"type": "ping"}));
    events.push(json!({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": null},
        "usage": {"output_tokens": asked.count().completion}}));
    events.push(json!({"type": "message_stop"}));
    events
}

fn block(events: &mut Vec<Value>, index: usize, content: &Value, deltas: Vec<Value>) {
    events.push(json!({"type": "content_block_start", "index": index, "content_block": content}));
    let delta = |delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
    events.extend(deltas.into_iter().map(delta));
    events.push(json!({"type": "content_block_stop", "index": index}));
}

fn started(asked: &Asked) -> Value {
    json!({"id": format!("msg_{}", asked.id), "type": "message", "role": "assistant", "model": asked.model,
        "content": [], "stop_reason": null, "stop_sequence": null, "usage": asked.count().of_message(1)})
}
