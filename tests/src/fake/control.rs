//! `/_control/…`: the same as the in-process API, for tests in other languages and for a person with curl.
//!
//! `GET /_control/requests` (bodies as base64), `GET /_control/served`, `DELETE /_control/requests`, `POST /_control/behaviour`
//! `{"path_prefix": "/openai", "behaviour": "503", "times": 1}` (no `times`: until the rules are removed), and
//! `DELETE /_control/behaviour`. None of these is recorded.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Received, Served, State};

/// The status and the body of the answer.
pub(super) fn answer(state: &State, request: &Received) -> (u16, Value) {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/_control/requests") => {
            (200, json!({"requests": state.requests().iter().map(shown).collect::<Vec<_>>()}))
        }
        ("GET", "/_control/served") => {
            (200, json!({"served": state.served().iter().map(Served::shown).collect::<Vec<_>>()}))
        }
        ("DELETE", "/_control/requests") => {
            state.clear();
            (200, json!({}))
        }
        ("POST", "/_control/behaviour") => match rule(state, &request.body) {
            Ok(()) => (200, json!({})),
            Err(error) => (400, json!({"error": error})),
        },
        ("DELETE", "/_control/behaviour") => {
            state.behave_well();
            (200, json!({}))
        }
        (method, path) => (404, json!({"error": format!("no control: {method} {path}")})),
    }
}

fn rule(state: &State, body: &[u8]) -> Result<(), String> {
    let rule: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let text = |key: &str| rule[key].as_str().ok_or_else(|| format!("{key}: expected a string, found {}", rule[key]));
    let times = match &rule["times"] {
        Value::Null => None,
        times => Some(times.as_u64().ok_or_else(|| format!("times: expected a number, found {times}"))?),
    };
    state.behave(text("path_prefix")?, text("behaviour")?, times)
}

fn shown(request: &Received) -> Value {
    let headers: Vec<Value> =
        request.headers.iter().map(|(name, value)| json!([name, String::from_utf8_lossy(value)])).collect();
    json!({"method": request.method, "path": request.path, "headers": headers,
        "body_base64": STANDARD.encode(&request.body), "body": serde_json::from_slice::<Value>(&request.body).ok()})
}
