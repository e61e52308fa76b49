//! Plain answers on their way back.

use super::super::response;
use crate::usage::{self, Usage};
use proptest::prelude::*;
use serde_json::{Value, json};

/// The choice that a message with this content and reason becomes.
fn check(content: &str, reason: &str) -> (Value, Value) {
    let message = format!(
        r#"{{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":{content},"stop_reason":{reason},"stop_sequence":null,"usage":{{"input_tokens":10,"output_tokens":5}}}}"#
    );
    let made = response(message.as_bytes(), 17).unwrap();
    let mut made: Value = serde_json::from_slice(&made).unwrap();
    let mut choice = made["choices"][0].take();
    let usage = json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15,
        "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0}});
    let around = json!({"id": "msg_1", "object": "chat.completion", "created": 17, "model": "claude-x",
        "choices": [null], "usage": usage});
    assert_eq!(made, around);
    assert_eq!((&choice["index"], &choice["logprobs"]), (&json!(0), &Value::Null));
    (choice["message"].take(), choice["finish_reason"].take())
}

#[test]
fn texts_become_one_and_calls_become_calls() {
    for (content, expected) in [
        (r#"[{"type":"text","text":"a"}]"#, json!({"content": "a"})),
        (
            r#"[{"type":"thinking","thinking":"t","signature":"s"},{"type":"text","text":"a \""},{"type":"text","text":"\u00e9"}]"#,
            json!({"content": "a \"é"}),
        ),
        ("[]", json!({"content": null})),
        (
            r#"[{"type":"text","text":"a"},{"type":"tool_use","id":"toolu_1","name":"f","input":{"x": 1.50}},{"type":"tool_use","id":"toolu_2","name":"g","input":{}}]"#,
            json!({"content": "a", "tool_calls": [
                {"id": "toolu_1", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 1.50}"}},
                {"id": "toolu_2", "type": "function", "function": {"name": "g", "arguments": "{}"}}]}),
        ),
    ] {
        let mut expected = expected;
        expected["role"] = json!("assistant");
        expected["refusal"] = Value::Null;
        assert_eq!(check(content, "null").0, expected, "{content}");
    }
}

#[test]
fn each_reason_to_stop_has_its_word() {
    for (reason, expected) in [
        (r#""end_turn""#, "stop"),
        (r#""stop_sequence""#, "stop"),
        (r#""pause_turn""#, "stop"),
        (r#""max_tokens""#, "length"),
        (r#""model_context_window_exceeded""#, "length"),
        (r#""tool_use""#, "tool_calls"),
        (r#""refusal""#, "content_filter"),
        (r#""tomorrows""#, "stop"),
        ("null", "stop"),
    ] {
        assert_eq!(check("[]", reason).1, expected, "{reason}");
    }
}

#[test]
fn the_usage_counts_the_same_before_and_after() {
    for (usage, expected) in [
        (r#"{"input_tokens":10,"output_tokens":5}"#, Usage { input: 10, output: 5, ..Usage::default() }),
        (
            r#"{"input_tokens":10,"cache_read_input_tokens":100,"cache_creation_input_tokens":7,"output_tokens":5}"#,
            Usage { input: 117, cached: 100, cache_write: 7, output: 5, ..Usage::default() },
        ),
        (
            r#"{"input_tokens":0,"cache_read_input_tokens":100,"cache_creation_input_tokens":0,"output_tokens":1}"#,
            Usage { input: 100, cached: 100, output: 1, ..Usage::default() },
        ),
    ] {
        let message = format!(r#"{{"type":"message","content":[],"usage":{usage}}}"#);
        let made = response(message.as_bytes(), 0).unwrap();
        assert_eq!(usage::find(Some("anthropic"), message.as_bytes()), Some(expected));
        assert_eq!(usage::find(Some("anthropic"), &made), Some(expected), "{usage}");
    }
}

#[test]
fn what_is_no_message_becomes_nothing() {
    for bytes in
        ["", "{}", "[]", "null", r#"{"type":"error","error":{"type":"x","message":"y"}}"#, r#"{"content":"#, "\u{0}"]
    {
        assert_eq!(response(bytes.as_bytes(), 0), None, "{bytes}");
    }
    let odd =
        br#"{"id":1,"model":{},"content":[{"type":"tool_use"},{"type":"text","text":3}],"usage":{"input_tokens":-1}}"#;
    let made: Value = serde_json::from_slice(&response(odd, 0).unwrap()).unwrap();
    assert_eq!(made["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"], "{}");
    assert_eq!((&made["id"], made.get("usage")), (&json!(""), None));
}

proptest! {
    #[test]
    fn whatever_comes_it_is_json_or_nothing(text in "\\PC{0,8}", kind in "text|tool_use|\\PC{0,3}", input in "null|\\{\"a\":1\\}|\"x\"|[0-9]", cut in 0_usize..200) {
        let text = json!(text);
        let message = format!(r#"{{"id":{text},"content":[{{"type":{},"text":{text},"name":{text},"input":{input}}}],"stop_reason":null}}"#, json!(kind));
        if let Some(made) = response(message.as_bytes(), 0) {
            prop_assert!(serde_json::from_slice::<Value>(&made).is_ok(), "{message}");
        }
        prop_assert_eq!(response(message.as_bytes().get(..cut.min(message.len() - 1)).unwrap(), 0), None);
    }
}
