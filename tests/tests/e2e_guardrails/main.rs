//! The `guardrails` filter as its example runs it, in a real Envoy with two workers.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "test code")]

mod answers;
mod callers;
mod requests;

use serde_json::{Value, json};
use tests::{Answer, Call, EnvoyConfig, FakeProvider, Gateway};

/// Looks like a key of OpenAI, and is none.
const KEY: &str = concat!("sk-proj-Zx9Qw4Rt7Zx9Qw4Rt7mK2Lp8Vb3N", "cT3BlbkFJaaS5d");

/// The example with other values; guards are replaced key by key.
fn gateway(fake: &FakeProvider, change: &Value) -> Gateway {
    let example = EnvoyConfig::load("envoy/examples/guardrails.yaml").unwrap();
    let edit = |config: &mut Value| {
        for (key, value) in change.as_object().unwrap() {
            match (config[key].as_object_mut(), value.as_object()) {
                (Some(guard), Some(value)) => guard.extend(value.clone()),
                _ => config[key] = value.clone(),
            }
        }
    };
    Gateway::with(example).fake(fake).edit_filter("guardrails", edit).start()
}

/// The guard `pii` alone.
fn pii(change: Value) -> Value {
    json!({"pii": change, "sentinel": {"mode": "off"}})
}

fn ask(gateway: &Gateway, body: impl AsRef<[u8]>) -> Call {
    gateway.client().call("POST", "/v1/chat/completions").header("content-type", "application/json").body(body)
}

/// A body with bytes that a careless rewrite would change.
fn chat(text: &str) -> String {
    let text = Value::from(text);
    format!(
        "{{ \"model\":\"gpt-4o\",\"temperature\":1.0, \"seed\":12345678901234567890,\"x\":\"\\u0041\\/\",\n\
         \"messages\":[{{\"role\":\"system\",\"content\":\"ask boss@example.com\"}},{{\"role\":\"user\",\"content\":{text}}}] }}"
    )
}

fn report(answer: &Answer) -> Option<String> {
    answer.header("x-tollgate-guardrails")
}

/// The last body that the provider got.
fn received(fake: &FakeProvider) -> String {
    String::from_utf8(fake.requests().pop().unwrap().body).unwrap()
}

/// How often something was found, and what was done.
fn found(gateway: &Gateway, guard: &str, action: &str, direction: &str) -> u64 {
    gateway.stat(&format!("wasmcustom.tollgate_guardrails_found.guard.{guard}.action.{action}.direction.{direction}"))
}

/// A behaviour of the fake provider that says this.
fn says(text: &str) -> String {
    let digits: String = text.bytes().map(|it| format!("{it:02x}")).collect();
    format!("says-{digits}")
}
