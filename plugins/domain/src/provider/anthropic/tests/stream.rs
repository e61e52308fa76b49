//! Streamed answers on their way back.

use super::super::Stream;
use crate::usage::Reading;
use proptest::prelude::*;
use serde_json::{Value, json};

const START: &str = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[],"usage":{"input_tokens":10,"cache_read_input_tokens":4,"output_tokens":1}}}"#;
const STOP: &str = r#"{"type":"message_stop"}"#;

fn delta(reason: &str) -> String {
    format!(r#"{{"type":"message_delta","delta":{{"stop_reason":"{reason}"}},"usage":{{"output_tokens":5}}}}"#)
}

/// The provider's stream of these events.
fn stream(events: &[&str]) -> String {
    events.iter().map(|it| format!("event: x\ndata: {it}\n\n")).collect()
}

/// What a stream that comes in these pieces becomes.
fn told<'a>(usage: bool, pieces: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut stream = Stream::new(usage, 17);
    let mut out: Vec<u8> = pieces.into_iter().flat_map(|it| stream.read(it)).collect();
    out.extend(stream.finish());
    assert!(stream.read(b"data: x\n\n").is_empty() && stream.finish().is_empty(), "nothing comes behind the end");
    String::from_utf8(out).unwrap()
}

/// The data of what the events become, each asserted to be a whole event, `[DONE]` as a string.
fn data(usage: bool, events: &[&str]) -> Vec<Value> {
    let bytes = stream(events);
    let told = told(usage, [bytes.as_bytes()]);
    let told = told.strip_suffix("\n\n").unwrap();
    let data = told.split("\n\n").map(|it| it.strip_prefix("data: ").unwrap());
    data.map(|it| if it == "[DONE]" { json!(it) } else { serde_json::from_str(it).unwrap() }).collect()
}

/// The deltas, and what stands behind them in short.
fn check(events: &[&str]) -> Vec<Value> {
    let short = |chunk: Value| {
        let Some(choice) = chunk.get("choices").and_then(|it| it.get(0)) else {
            return chunk;
        };
        let around = ("msg_1", "chat.completion.chunk", 17, "claude-x");
        assert_eq!(
            (&chunk["id"], &chunk["object"], &chunk["created"], &chunk["model"]),
            (&json!(around.0), &json!(around.1), &json!(around.2), &json!(around.3))
        );
        match &choice["finish_reason"] {
            Value::Null => choice["delta"].clone(),
            reason => reason.clone(),
        }
    };
    data(false, events).into_iter().map(short).collect()
}

fn role() -> Value {
    json!({"role": "assistant", "content": "", "refusal": null})
}

#[test]
fn a_text_streams_piece_by_piece() {
    let made = check(&[
        START,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"s"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"ping"}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"a \"\u00e9"}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":""}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"b"}}"#,
        r#"{"type":"content_block_stop","index":1}"#,
        r#"{"type":"tomorrows"}"#,
        &delta("end_turn"),
        STOP,
        r#"{"type":"ping"}"#,
    ]);
    assert_eq!(made, [role(), json!({"content": "a \"é"}), json!({"content": "b"}), json!("stop"), json!("[DONE]")]);
}

#[test]
fn calls_are_numbered_and_their_arguments_stream() {
    let begin = |id: &str, input: &str| {
        format!(
            r#"{{"type":"content_block_start","index":9,"content_block":{{"type":"tool_use","id":"{id}","name":"f","input":{input}}}}}"#
        )
    };
    let piece = |json: &str| {
        json!({"type": "content_block_delta", "index": 9, "delta": {"type": "input_json_delta", "partial_json": json}})
            .to_string()
    };
    let end = r#"{"type":"content_block_stop","index":9}"#;
    let made = check(&[
        START,
        &begin("t0", "{}"),
        &piece(""),
        &piece(r#"{"x":"#),
        &piece("1.50}"),
        end,
        // One without arguments, one that says them at once, one that nobody ends.
        &begin("t1", "{ }"),
        &piece(""),
        end,
        &begin("t2", r#"{"y":2}"#),
        end,
        &begin("t3", "{}"),
        &delta("tool_use"),
        STOP,
    ]);
    let call = |index: u32| {
        json!({"tool_calls": [{"index": index, "id": format!("t{index}"), "type": "function",
            "function": {"name": "f", "arguments": ""}}]})
    };
    let more = |index: u32, json: &str| json!({"tool_calls": [{"index": index, "function": {"arguments": json}}]});
    let expected = [
        role(),
        call(0),
        more(0, "{\"x\":"),
        more(0, "1.50}"),
        call(1),
        more(1, "{}"),
        call(2),
        more(2, "{\"y\":2}"),
        call(3),
        more(3, "{}"),
        json!("tool_calls"),
        json!("[DONE]"),
    ];
    assert_eq!(made, expected);
}

#[test]
fn the_usage_comes_last_and_only_when_asked_for() {
    let events = [START, &delta("max_tokens"), STOP];
    let made = data(true, &events);
    let usage = json!({"prompt_tokens": 14, "completion_tokens": 5, "total_tokens": 19,
        "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0}});
    assert_eq!(made.len(), 4);
    assert!(made[..2].iter().all(|it| it.get("usage") == Some(&Value::Null)));
    assert_eq!(
        (&made[1]["choices"][0]["finish_reason"], &made[1]["choices"][0]["delta"]),
        (&json!("length"), &json!({}))
    );
    assert_eq!((&made[2]["choices"], &made[2]["usage"]), (&json!([]), &usage));
    assert_eq!(made[3], "[DONE]");
    let mut before = Reading::new(Some("anthropic"));
    events.iter().for_each(|it| before.see(it.as_bytes()));
    assert_eq!(crate::usage::find(Some("anthropic"), made[2].to_string().as_bytes()), before.usage());
    assert!(data(false, &events).iter().all(|it| it.get("usage").is_none()));
}

#[test]
fn an_error_ends_the_stream_and_nothing_makes_it_look_complete() {
    let overloaded = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    for (events, code, message) in [
        (&[START, overloaded, STOP][..], "upstream_error", "Overloaded"),
        (&[START, "{", STOP], "upstream_error", "an event of the model's provider cannot be read"),
        (&[START, "[DONE]"], "upstream_error", "an event of the model's provider cannot be read"),
        (&[START, &delta("end_turn")], "upstream_error", "the model's provider ended its answer in the middle"),
        (&[], "upstream_error", "the model's provider ended its answer in the middle"),
    ] {
        let made = data(false, events);
        let error = &made.last().unwrap()["error"];
        assert_eq!((&error["code"], &error["message"]), (&json!(code), &json!(message)), "{events:?}");
        assert!(error["type"].is_string() && error.get("param").is_some(), "{error}");
        assert_eq!(made.len(), events.len().clamp(1, 2), "{events:?}");
    }
    let long = format!("data: {{\"type\":\"ping\",\"x\":\"{}\"}}\n\n", "x".repeat(1_100_000));
    assert!(told(false, [long.as_bytes()]).contains("too long"));
}

#[test]
fn a_last_event_without_its_blank_line_ends_the_stream_too() {
    let bytes = stream(&[START, &delta("end_turn"), STOP]);
    assert!(told(false, [bytes.trim_end().as_bytes()]).ends_with("data: [DONE]\n\n"));
}

proptest! {
    #[test]
    fn whatever_comes_there_is_one_end_and_every_chunk_is_json(
        pieces in prop::collection::vec("(data: |event: |\\{|\"type\":\"(message_start|content_block_start|content_block_delta|message_stop|error)\"|\"delta\":|\"text\":|\"content_block\":|\"message\":|null|\\{\\}|,|\\}|\n|\n\n|é|\\PC){0,12}", 0..6),
    ) {
        let out = told(false, pieces.iter().map(|it| it.as_bytes()));
        let data: Vec<_> = out.split_terminator("\n\n").map(|it| it.strip_prefix("data: ").unwrap()).collect();
        let (end, chunks) = data.split_last().unwrap();
        prop_assert!(*end == "[DONE]" || end.starts_with(r#"{"error""#), "{end}");
        for chunk in chunks {
            prop_assert!(serde_json::from_str::<Value>(chunk).unwrap().get("choices").is_some(), "{chunk}");
        }
    }

    #[test]
    fn the_cut_makes_no_difference(
        events in prop::collection::vec(prop::sample::select(vec![
            START, STOP, "{", "[DONE]", r#"{"type":"ping"}"#, r#"{"type":"content_block_stop","index":0}"#,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"é"}}"#,
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{}"}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"ab\u00e9"}}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":5}}"#,
            r#"{"type":"error","error":{"type":"t","message":"m"}}"#,
        ]), 0..12),
        cuts in prop::collection::vec(0_usize..1_500, 0..8), usage: bool, crlf: bool,
    ) {
        let bytes = stream(&events);
        let bytes = if crlf { bytes.replace('\n', "\r\n") } else { bytes };
        let mut cuts: Vec<usize> = cuts.into_iter().map(|it| it.min(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let whole = told(usage, [bytes.as_bytes()]);
        prop_assert_eq!(&told(usage, cuts.windows(2).map(|it| &bytes.as_bytes()[it[0]..it[1]])), &whole);
        prop_assert_eq!(&told(usage, bytes.as_bytes().chunks(1)), &whole);
        prop_assert_eq!(whole.matches("[DONE]").count() + whole.matches(r#"data: {"error""#).count(), 1);
    }
}
