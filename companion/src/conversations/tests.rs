use super::*;
use crate::memory::MessageRow;
use domain::time::Micros;
use serde_json::{Value, json};

fn row(raw: &str, complete: bool) -> MessageRow {
    MessageRow {
        turn: "turn_a".into(),
        position: 3,
        choice: 0,
        raw: raw.into(),
        complete,
        finish_reason: None,
        created_at: Micros::default(),
    }
}

/// The items of one message, without their ids.
fn items(message: &Value) -> Value {
    let mut items = serde_json::to_value(item::of(&row(&message.to_string(), true))).unwrap();
    for item in items.as_array_mut().unwrap() {
        assert!(item["id"].as_str().unwrap().contains("_turn_a_3"), "{item}");
        item.as_object_mut().unwrap().remove("id");
    }
    items
}

/// The chat messages of items, or what is wrong with them.
fn chats(items: &Value) -> Result<Value, String> {
    let items: Vec<Box<RawValue>> = serde_json::from_str(&items.to_string()).unwrap();
    let chats =
        incoming::messages(&items).map_err(|it| format!("{}: {}", it.0.param.unwrap_or_default(), it.0.message))?;
    Ok(chats.iter().map(|it| serde_json::from_str::<Value>(&it.raw).unwrap()).collect())
}

fn text(kind: &str, text: &str) -> Value {
    match kind {
        "output_text" => json!({"type": kind, "annotations": [], "logprobs": [], "text": text}),
        _ => json!({"type": kind, "text": text}),
    }
}

fn message(role: &str, content: &Value) -> Value {
    json!({"type": "message", "status": "completed", "role": role, "content": content})
}

#[test]
fn a_chat_message_is_one_item_or_several_and_they_make_it_again() {
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{\"a\": 1}"}});
    let called = |id: &str| json!({"type": "function_call", "status": "completed", "call_id": id, "name": "f", "arguments": "{\"a\": 1}"});
    let image = json!({"type": "image_url", "image_url": {"url": "https://x/a.png", "detail": "low"}});
    let shown = json!({"type": "input_image", "detail": "low", "file_id": null, "image_url": "https://x/a.png"});
    let file = json!({"type": "file", "file": {"file_id": "file_1"}});
    let custom = json!({"id": "c3", "type": "custom", "custom": {"name": "sh", "input": "ls"}});
    let sound = json!({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}});
    for (said, expected) in [
        (json!({"role": "user", "content": "hi"}), json!([message("user", &json!([text("input_text", "hi")]))])),
        (
            json!({"role": "user", "content": [{"type": "text", "text": "a"}, image, file, sound]}),
            json!([message(
                "user",
                &json!([text("input_text", "a"), shown, {"type": "input_file", "file_id": "file_1"}, sound])
            )]),
        ),
        (
            json!({"role": "assistant", "content": "ho"}),
            json!([message("assistant", &json!([text("output_text", "ho")]))]),
        ),
        (
            json!({"role": "assistant", "content": null, "refusal": "no"}),
            json!([message("assistant", &json!([{"type": "refusal", "refusal": "no"}]))]),
        ),
        (
            json!({"role": "assistant", "content": "both", "tool_calls": [call("c1"), call("c2")]}),
            json!([message("assistant", &json!([text("output_text", "both")])), called("c1"), called("c2")]),
        ),
        (
            json!({"role": "assistant", "content": null, "tool_calls": [custom]}),
            json!([{"type": "custom_tool_call", "status": "completed", "call_id": "c3", "name": "sh", "input": "ls"}]),
        ),
        (
            json!({"role": "tool", "tool_call_id": "c1", "content": "rain"}),
            json!([{"type": "function_call_output", "status": "completed", "call_id": "c1", "output": "rain"}]),
        ),
    ] {
        assert_eq!(items(&said), expected, "{said}");
        assert_eq!(chats(&expected).unwrap(), json!([said]), "{expected}");
    }
}

#[test]
fn what_no_reader_of_json_agrees_about_is_an_item_that_says_nothing() {
    for (said, expected) in [
        (json!([]), json!([message("unknown", &json!([]))])),
        (json!({"role": 7, "content": {}}), json!([message("unknown", &json!([]))])),
        (json!({"role": "assistant"}), json!([message("assistant", &json!([]))])),
        (json!({"role": "assistant", "content": ""}), json!([message("assistant", &json!([text("output_text", "")]))])),
        (
            json!({"role": "assistant", "content": "", "tool_calls": [7, {"id": 1}], "function_call": {"name": "old"}}),
            json!([
                {"type": "function_call", "status": "completed", "call_id": "", "name": "", "arguments": ""},
                {"type": "function_call", "status": "completed", "call_id": "", "name": "", "arguments": ""},
                {"type": "function_call", "status": "completed", "call_id": "fc_turn_a_3_0", "name": "old", "arguments": ""},
            ]),
        ),
        (
            json!({"role": "function", "name": "old", "content": [{"type": "text", "text": "x"}, 7]}),
            json!([{"type": "function_call_output", "status": "completed", "name": "old", "output": [text("input_text", "x"), 7]}]),
        ),
    ] {
        assert_eq!(items(&said), expected, "{said}");
    }
    let odd = item::of(&row(r#"{"role":"user","content":"\ud800\u0000"}"#, true));
    assert!(serde_json::to_string(&odd).unwrap().contains(r#""text":"\ud800\u0000""#), "byte for byte");
}

#[test]
fn an_answer_that_broke_off_is_incomplete_and_its_question_is_not() {
    let status = |raw: &str| serde_json::to_value(item::of(&row(raw, false))).unwrap()[0]["status"].clone();
    assert_eq!(status(r#"{"role":"assistant","content":"par"}"#), "incomplete");
    assert_eq!(status(r#"{"role":"user","content":"q"}"#), "completed");
}

#[test]
fn an_id_leads_to_its_message_and_to_no_other() {
    for (id, expected) in [
        ("msg_turn_a_3", Some(("turn_a", 3))),
        ("fco_t_0", Some(("t", 0))),
        ("fc_turn_a_3_0a1b2c3d", Some(("turn_a", 3))),
        ("ctc_t_12_0a1b2c3d", Some(("t", 12))),
        ("msg_turn_a_03", None),
        ("msg_turn_a_-1", None),
        ("msg_turn_a_99999999999", None),
        ("fc_t_3", None),
        ("msg_3", None),
        ("rs_t_3", None),
        ("", None),
    ] {
        assert_eq!(item::place(id), expected, "{id}");
    }
    let twins = r#"{"role":"assistant","tool_calls":[{"id":"c"},{"id":"c"},{},{}]}"#;
    let mut ids: Vec<String> = item::of(&row(twins, true)).iter().map(|it| it.id().to_owned()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4);
}

#[test]
fn one_item_is_taken_out_of_its_message_and_the_others_keep_their_ids() {
    let raw = r#"{"role":"assistant","content":"both","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\" : 1}"}},{"id":"c2"}]}"#;
    let ids = |raw: &str| -> Vec<String> { item::of(&row(raw, true)).iter().map(|it| it.id().to_owned()).collect() };
    let all = ids(raw);
    for gone in &all {
        let left = item::without(&row(raw, true), gone).unwrap();
        let expected: Vec<String> = all.iter().filter(|it| *it != gone).cloned().collect();
        assert_eq!(ids(&left), expected, "{left}");
    }
    let left = item::without(&row(raw, true), &all[2]).unwrap();
    assert!(left.contains(r#""arguments":"{\"a\" : 1}""#), "{left}");
    let one_call = item::without(&row(&left, true), &all[1]).unwrap();
    assert_eq!(one_call, r#"{"content":"both","role":"assistant"}"#);
}

#[test]
fn calls_go_with_what_was_said_before_them() {
    let call = |id: &str| json!({"type": "function_call", "call_id": id, "name": "f", "arguments": "{}", "id": "fc_1", "status": "completed"});
    let result = |id: &str| json!({"type": "function_call_output", "call_id": id, "output": [{"type": "input_text", "text": "r"}]});
    let ids = |message: &Value| message["tool_calls"].as_array().map_or(0, Vec::len);
    let made = chats(&json!([
        {"role": "user", "content": "q"},
        call("c1"), call("c2"), result("c1"), result("c2"),
        {"role": "assistant", "content": "a"},
        {"role": "assistant", "content": "b"}, call("c3"),
        result("c3"), call("c4"),
    ]));
    let made = made.unwrap();
    let shape: Vec<_> = made.as_array().unwrap().iter().map(|it| (it["role"].as_str().unwrap(), ids(it))).collect();
    let expected = [
        ("user", 0),
        ("assistant", 2),
        ("tool", 0),
        ("tool", 0),
        ("assistant", 0),
        ("assistant", 1),
        ("tool", 0),
        ("assistant", 1),
    ];
    assert_eq!(shape, expected);
}

#[test]
fn what_cannot_be_kept_is_refused_by_its_place_and_type() {
    let user = |content: Value| json!({"role": "user", "content": content});
    for (items, expected) in [
        (json!([]), "items: `items`: expected 1 to 20 items, found 0"),
        (json!(vec![user(json!("a")); 21]), "items: `items`: expected 1 to 20 items, found 21"),
        (json!([7]), "items[0]: "),
        (json!([{}]), "items[0].role: `items[0].role`: is missing"),
        (json!([{"role": "user"}]), "items[0].content: `items[0].content`: is missing"),
        (json!([user(json!([]))]), "items[0].content: `items[0].content`: expected at least one part"),
        (json!([user(json!({}))]), "items[0].content: `items[0].content`: expected a string or an array"),
        (
            json!([{"role": "system", "content": "x"}]),
            "items[0].role: `items[0].role`: expected user or assistant; instructions",
        ),
        (json!([{"role": "critic", "content": "x"}]), "items[0].role: "),
        (
            json!([user(json!("a")), {"type": "computer_call", "id": "x"}]),
            "items[1].type: `items[1].type`: `computer_call` cannot be kept",
        ),
        (json!([{"type": "file_search_call"}]), "items[0].type: `items[0].type`: `file_search_call` cannot be kept"),
        (
            json!([{"type": "item_reference", "id": "x"}]),
            "items[0].type: `items[0].type`: `item_reference` cannot be kept",
        ),
        (json!([{"type": "<script>"}]), "items[0].type: `items[0].type`: `…` cannot be kept"),
        (
            json!([user(json!([{"type": "input_video"}]))]),
            "items[0].content[0].type: `items[0].content[0].type`: `input_video` cannot",
        ),
        (json!([user(json!([{"type": "refusal", "refusal": "x"}]))]), "items[0].content[0].type: "),
        (
            json!([user(json!([{"type": "input_text", "text": 7}]))]),
            "items[0].content[0].text: `items[0].content[0].text`: expected a string",
        ),
        (
            json!([user(json!([{"type": "input_image", "file_id": "f"}]))]),
            "items[0].content[0].file_id: `items[0].content[0].file_id`: cannot be kept",
        ),
        (json!([user(json!([{"type": "input_image"}]))]), "items[0].content[0].image_url: "),
        (
            json!([{"role": "assistant", "content": [{"type": "output_text", "text": "x", "annotations": [{}]}]}]),
            "items[0].content[0].annotations: ",
        ),
        (json!([{"role": "assistant", "content": "x", "phase": "commentary"}]), "items[0].phase: "),
        (
            json!([{"type": "function_call", "name": "f", "arguments": "{}"}]),
            "items[0].call_id: `items[0].call_id`: is missing",
        ),
        (json!([{"type": "function_call", "call_id": "c", "name": "f", "arguments": {}}]), "items[0].arguments: "),
        (
            json!([{"type": "function_call", "call_id": "c", "name": "f", "arguments": "", "namespace": "n"}]),
            "items[0].namespace: ",
        ),
        (json!([{"type": "function_call_output", "call_id": "c"}]), "items[0].output: `items[0].output`: is missing"),
        (
            json!([{"type": "function_call_output", "call_id": "c", "output": [{"type": "input_image", "image_url": "x"}]}]),
            "items[0].output[0].type: ",
        ),
    ] {
        let said = chats(&items).unwrap_err();
        assert!(said.starts_with(expected), "{items}: {said}");
    }
    let null = json!([{"type": "message", "role": "assistant", "phase": null, "content": [{"type": "output_text", "text": "x", "annotations": [], "logprobs": []}]}]);
    assert_eq!(chats(&null), Ok(json!([{"role": "assistant", "content": "x"}])));
}
