//! What a client hears of a stream that broke.

use super::Words;
use domain::{provider::error, reply::Reply};
use serde_json::{Value, json};

/// What is said of a stream that ended with nothing in it.
const NOTHING: &str = "the model's provider ended its answer before it began";

/// What is said of a stream that ended in its middle.
const BROKEN: &str = "the model's provider ended its answer in the middle";

/// The answer in place of a stream that ended before its first content.
pub(super) fn nothing(words: Words) -> (u16, Vec<u8>) {
    let error = match words {
        Words::Messages => own(NOTHING).to_string(),
        Words::Chat | Words::Responses => Reply::new(502, "upstream_error", NOTHING).body(),
    };
    (502, error.into_bytes())
}

/// The answer in place of a stream whose first event of any weight is an error with this data: its status, as far as the
/// provider lets it be known, and its text.
pub(super) fn failure(words: Words, data: &[u8]) -> (u16, Vec<u8>) {
    let value: Value = serde_json::from_slice(data).unwrap_or_default();
    // Of `response.failed`, and of everybody else.
    let error = ["/response/error", "/error"].iter().find_map(|at| value.pointer(at).filter(|it| !it.is_null()));
    let error = error.unwrap_or(&value);
    let status = status(error).or_else(|| status(&value)).unwrap_or(502);
    let body = match words {
        Words::Messages if value.pointer("/error/type").is_some() => data.to_vec(),
        Words::Messages => own(error.get("message").and_then(Value::as_str).unwrap_or(BROKEN)).to_string().into_bytes(),
        Words::Chat | Words::Responses => shaped(status, data, &value, error),
    };
    (status, body)
}

/// The events that say that an answer broke off. `sequence` is the last event's number, where events have one.
pub(super) fn broken(words: Words, sequence: Option<u64>) -> Vec<u8> {
    let told = match words {
        Words::Chat => format!("data: {}\n\n", Reply::new(502, "upstream_error", BROKEN).body()),
        Words::Messages => format!("event: error\ndata: {}\n\n", own(BROKEN)),
        Words::Responses => {
            let error = json!({"message": BROKEN, "type": "server_error", "param": null, "code": "upstream_error"});
            // The API's own event, and the member without which one client or another takes it for an answer's part.
            let event = json!({"type": "error", "code": "upstream_error", "message": BROKEN, "param": null,
                "sequence_number": sequence.map_or(0, |it| it.saturating_add(1)), "error": error});
            format!("event: error\ndata: {event}\n\n")
        }
    };
    told.into_bytes()
}

/// An error in Anthropic's words.
fn own(message: &str) -> Value {
    json!({"type": "error", "error": {"type": "api_error", "message": message}})
}

/// An error with all four keys.
fn shaped(status: u16, data: &[u8], value: &Value, error: &Value) -> Vec<u8> {
    if value.pointer("/response/error").is_some_and(Value::is_object) {
        let alone = json!({"error": error}).to_string();
        return error::normalised(status, alone.as_bytes()).unwrap_or(alone).into_bytes();
    }
    error::normalised(status, data).map_or_else(|| data.to_vec(), String::into_bytes)
}

/// The status that an error would have had, had it come in time: a number that it names, or what its words mean.
fn status(error: &Value) -> Option<u16> {
    let of = |name: &str| error.get(name).filter(|it| it.is_string() || it.is_number());
    let numbers = ["code", "status", "status_code"].into_iter().filter_map(of);
    let number = |it: &Value| it.as_u64().or_else(|| it.as_str()?.parse().ok());
    let number = numbers.filter_map(number).find(|it| (400..600).contains(it)).and_then(|it| u16::try_from(it).ok());
    let words = ["code", "status", "type"].into_iter().filter_map(of).filter_map(Value::as_str);
    number.or_else(|| words.filter_map(meaning).next())
}

fn meaning(word: &str) -> Option<u16> {
    Some(match word {
        "invalid_request_error" | "invalid_request" | "INVALID_ARGUMENT" | "invalid_prompt" => 400,
        "context_length_exceeded" | "BadRequestError" => 400,
        "authentication_error" | "invalid_api_key" => 401,
        "billing_error" => 402,
        "permission_error" => 403,
        "not_found_error" | "model_not_found" => 404,
        "request_too_large" => 413,
        "rate_limit_error" | "rate_limit_exceeded" | "insufficient_quota" | "RESOURCE_EXHAUSTED" => 429,
        "server_error" | "api_error" | "internal_error" | "INTERNAL" => 500,
        "UNAVAILABLE" => 503,
        "timeout_error" => 504,
        "overloaded_error" => 529,
        _ => return None,
    })
}
