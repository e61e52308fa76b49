//! Requests on their way to the provider.

use super::super::{Want, request};
use crate::chat::Body;
use proptest::prelude::*;
use serde_json::{Value, json};

const WANT: Want<'_> = Want { model: None, max_tokens: 4_096 };

/// What a body becomes, as text; or the status, the code and the member at fault.
fn translated(body: &str) -> Result<String, String> {
    let made = Body::parse(body.as_bytes()).map_err(Into::into).and_then(|it| request(&it, &WANT));
    match made {
        Ok(bytes) => Ok(String::from_utf8(bytes).unwrap()),
        Err(reply) => Err(format!("{} {} {}", reply.status, reply.code, reply.param.unwrap_or_default())),
    }
}

/// What the members `more` of a body with one question become.
fn check(more: &str) -> Result<Value, String> {
    let body = format!(r#"{{"model":"c","messages":[{{"role":"user","content":"hi"}}]{more}}}"#);
    let mut made: Value = serde_json::from_str(&translated(&body)?).unwrap();
    let question = json!([{"role": "user", "content": [{"type": "text", "text": "hi"}]}]);
    let all = made.as_object_mut().unwrap();
    assert_eq!((all.remove("model"), all.remove("messages")), (Some(json!("c")), Some(question)));
    if all.get("max_tokens") == Some(&json!(4_096)) {
        all.remove("max_tokens");
    }
    Ok(made)
}

/// What `messages` become, and the instructions.
fn messages(messages: Value) -> Result<(Value, Value), String> {
    let mut made: Value =
        serde_json::from_str(&translated(&json!({"model": "c", "messages": messages}).to_string())?).unwrap();
    Ok((made["messages"].take(), made["system"].take()))
}

#[test]
fn a_conversation_keeps_every_byte_of_its_texts() {
    let body = r#"{ "model": "c", "messages": [
        {"role":"developer","content":"Be \u0062rief"},
        {"role":"user","content":"caf\u00e9 \ud83d\ude00 é"},
        {"content":[{"type":"text","text":"a\/b"}],"role":"assistant"} ], "max_tokens": 1e2 , "temperature": 0.50}"#;
    let expected = concat!(
        r#"{"model":"c","max_tokens":1e2,"system":[{"type":"text","text":"Be \u0062rief"}],"messages":["#,
        r#"{"role":"user","content":[{"type":"text","text":"caf\u00e9 \ud83d\ude00 é"}]},"#,
        r#"{"role":"assistant","content":[{"type":"text","text":"a\/b"}]}],"temperature":0.50}"#
    );
    assert_eq!(translated(body).as_deref(), Ok(expected));
}

#[test]
fn the_gateways_model_and_limit_count_where_they_should() {
    let body = Body::parse(br#"{"model":"c","messages":[],"max_tokens":null}"#).unwrap();
    let made = request(&body, &Want { model: Some("claude-x"), max_tokens: 7 }).unwrap();
    assert_eq!(String::from_utf8(made).unwrap(), r#"{"model":"claude-x","max_tokens":7,"messages":[]}"#);
}

#[test]
fn each_parameter_has_its_counterpart_or_none() {
    for (more, expected) in [
        ("", json!({})),
        (r#","max_tokens":5"#, json!({"max_tokens": 5})),
        (r#","max_tokens":5,"max_completion_tokens":6"#, json!({"max_tokens": 6})),
        (r#","temperature":1.7,"top_p":0.5,"top_k":3"#, json!({"temperature": 1, "top_p": 0.5, "top_k": 3})),
        (r#","temperature":1.0"#, json!({"temperature": 1.0})),
        (r#","stop":"x""#, json!({"stop_sequences": ["x"]})),
        (r#","stop":["x","y"]"#, json!({"stop_sequences": ["x", "y"]})),
        (r#","stop":null,"n":1,"tools":[],"tool_choice":"auto""#, json!({})),
        (r#","stream":true,"stream_options":{"include_usage":true}"#, json!({"stream": true})),
        (r#","user":"u1","metadata":{"a":"b"}"#, json!({"metadata": {"user_id": "u1"}})),
        (r#","user":"u1","safety_identifier":"s""#, json!({"metadata": {"user_id": "s"}})),
        (r#","response_format":{"type":"json_object"}"#, json!({})),
        (r#","response_format":{"type":"text"}"#, json!({})),
        (
            r#","response_format":{"type":"json_schema","json_schema":{"name":"a","strict":true,"schema":{"type":"object"}}}"#,
            json!({"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}}),
        ),
        // What Anthropic's own endpoint for OpenAI's clients ignores.
        (
            r#","seed":1,"logprobs":true,"top_logprobs":2,"logit_bias":{},"presence_penalty":1,"frequency_penalty":1,"store":true,"service_tier":"flex","reasoning_effort":"high","modalities":["text"],"audio":{},"prediction":{}"#,
            json!({}),
        ),
    ] {
        assert_eq!(check(more), Ok(expected), "{more}");
    }
}

#[test]
fn tools_and_the_choice_among_them_are_told_in_the_providers_words() {
    let tools = r#","tools":[{"type":"function","function":{"name":"f","description":"d","strict":true,"parameters":{"type":"object","x":1.0}}}]"#;
    let told = json!([{"name": "f", "description": "d", "input_schema": {"type": "object", "x": 1.0}}]);
    for (more, choice) in [
        ("", Value::Null),
        (r#","tool_choice":"auto""#, json!({"type": "auto"})),
        (r#","tool_choice":"none","parallel_tool_calls":false"#, json!({"type": "none"})),
        (r#","tool_choice":"required""#, json!({"type": "any"})),
        (r#","tool_choice":{"type":"function","function":{"name":"f"}}"#, json!({"type": "tool", "name": "f"})),
        (r#","parallel_tool_calls":false"#, json!({"type": "auto", "disable_parallel_tool_use": true})),
        (r#","parallel_tool_calls":true"#, Value::Null),
    ] {
        let mut made = check(&format!("{tools}{more}")).unwrap();
        assert_eq!((made["tools"].take(), made["tool_choice"].take()), (told.clone(), choice), "{more}");
    }
    for (parameters, expected) in [
        ("", r#"{"type":"object","properties":{}}"#),
        (r#","parameters":{ }"#, r#"{"type":"object","properties":{}}"#),
        (
            r#","parameters":{"properties":{"a":{"const":1.50}}}"#,
            r#"{"type":"object","properties":{"a":{"const":1.50}}}"#,
        ),
        (r#","parameters":{ "type":"object" }"#, r#"{ "type":"object" }"#),
    ] {
        let body = format!(
            r#"{{"model":"c","messages":[],"tools":[{{"type":"function","function":{{"name":"f"{parameters}}}}}]}}"#
        );
        let made = translated(&body).unwrap();
        assert!(made.contains(&format!(r#""input_schema":{expected}}}"#)), "{made}");
    }
}

#[test]
fn calls_and_their_results_are_blocks_of_the_two_sides() {
    let (made, _) = messages(json!([
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": "call 1", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 1.50}"}},
            {"id": "call_2", "type": "function", "function": {"name": "g", "arguments": ""}}]},
        {"role": "tool", "tool_call_id": "call 1", "content": "r1"},
        {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "r2"}]},
        {"role": "user", "content": "b"},
        {"role": "assistant", "content": "c", "refusal": "no"},
    ]))
    .unwrap();
    let text = |it: &str| json!({"type": "text", "text": it});
    let expected = json!([
        {"role": "user", "content": [text("a")]},
        {"role": "assistant", "content": [
            {"type": "tool_use", "id": "call_1", "name": "f", "input": {"x": 1.50}},
            {"type": "tool_use", "id": "call_2", "name": "g", "input": {}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "call_1", "content": [text("r1")]},
            {"type": "tool_result", "tool_use_id": "call_2", "content": [text("r2")]},
            text("b")]},
        {"role": "assistant", "content": [text("c"), text("no")]},
    ]);
    assert_eq!(made, expected);
    let body = r#"{"model":"c","messages":[{"role":"assistant","tool_calls":[{"id":"1","function":{"name":"f","arguments":"{ \"x\":1.50 }"}}]}]}"#;
    assert!(translated(body).unwrap().contains(r#""input":{ "x":1.50 }"#), "a number keeps its bytes");
}

#[test]
fn turns_alternate_whatever_the_client_wrote() {
    let text = |it: &str| json!({"type": "text", "text": it});
    let (made, system) = messages(json!([
        {"role": "system", "content": "s1"},
        {"role": "user", "content": "a"},
        {"role": "system", "content": [{"type": "text", "text": "s2", "cache_control": {"type": "ephemeral"}}]},
        {"role": "user", "name": "x", "content": ["b", {"type": "text", "text": " \n"}]},
        {"role": "assistant", "content": ""},
        {"role": "user", "content": "c"},
    ]))
    .unwrap();
    assert_eq!(made, json!([{"role": "user", "content": [text("a"), text("b"), text("c")]}]));
    let cached = json!({"type": "text", "text": "s2", "cache_control": {"type": "ephemeral"}});
    assert_eq!(system, json!([text("s1"), cached]));
}

#[test]
fn images_and_documents_go_along() {
    let image = |url: &str| json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url, "detail": "low"}}]}]);
    for (url, source) in [
        ("https://x/a.png?b=\"", json!({"type": "url", "url": "https://x/a.png?b=\""})),
        ("data:image/png;base64,iVBO+/=", json!({"type": "base64", "media_type": "image/png", "data": "iVBO+/="})),
        ("data:image/gif;x=y;base64,R0lG", json!({"type": "base64", "media_type": "image/gif", "data": "R0lG"})),
    ] {
        let (mut made, _) = messages(image(url)).unwrap();
        assert_eq!(made[0]["content"][0].take(), json!({"type": "image", "source": source}), "{url}");
    }
    for url in ["data:image/png,raw", "file:///etc/passwd", "", "data:"] {
        let at = "messages[0].content[0].image_url.url";
        assert_eq!(messages(image(url)), Err(format!("400 invalid_request {at}")), "{url}");
    }
    let escaped = r#"{"model":"c","messages":[{"role":"user","content":[{"type":"image_url","image_url":"data:image\/png;base64,iV\/O"}]}]}"#;
    assert!(translated(escaped).unwrap().contains(r#""media_type":"image/png","data":"iV/O""#));
    let file = json!({"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"}});
    let (mut made, _) = messages(json!([{"role": "user", "content": [file]}])).unwrap();
    let source = json!({"type": "base64", "media_type": "application/pdf", "data": "JVBE"});
    assert_eq!(made[0]["content"][0].take(), json!({"type": "document", "source": source, "title": "a.pdf"}));
}

#[test]
fn what_has_no_counterpart_is_refused_by_its_name() {
    let tools = r#","tools":[{"type":"function","function":{"name":"f"}}]"#;
    for (more, expected) in [
        (r#","n":2"#, "unsupported_parameter n"),
        (r#","web_search_options":{}"#, "unsupported_parameter web_search_options"),
        (r#","functions":[]"#, "unsupported_parameter functions"),
        (r#","tools":[{"type":"custom","custom":{"name":"f"}}]"#, "unsupported_parameter tools[0].type"),
        (r#","tools":[{"type":"function"}]"#, "invalid_request tools[0].function"),
        (r#","tools":{}"#, "invalid_request tools"),
        (r#","tools":[1]"#, "invalid_request tools[0]"),
        (r#","response_format":{"type":"grammar"}"#, "unsupported_parameter response_format.type"),
        (r#","response_format":{"type":"json_schema"}"#, "invalid_request response_format.json_schema"),
        (&format!(r#"{tools},"tool_choice":{{"type":"allowed_tools"}}"#), "unsupported_parameter tool_choice"),
        (&format!(r#"{tools},"tool_choice":"any""#), "invalid_request tool_choice"),
    ] {
        assert_eq!(check(more), Err(format!("400 {expected}")), "{more}");
    }
    for (message, expected) in [
        (json!({"role": "function", "name": "f", "content": ""}), "unsupported_parameter messages[0].role"),
        (json!({"role": "robot", "content": ""}), "invalid_request messages[0].role"),
        (json!({"role": "tool", "content": "x"}), "invalid_request messages[0].tool_call_id"),
        (json!({"role": "user", "content": 1}), "invalid_request messages[0].content"),
        (json!({"role": "user", "content": [{"type": "input_audio"}]}), "unsupported_parameter messages[0].content[0]"),
        (
            json!({"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}),
            "unsupported_parameter messages[0].content[0].file",
        ),
        (
            json!({"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "[1]"}}]}),
            "invalid_request messages[0].tool_calls[0].function.arguments",
        ),
        (
            json!({"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{"}}]}),
            "invalid_request messages[0].tool_calls[0].function.arguments",
        ),
    ] {
        assert_eq!(messages(json!([message])), Err(format!("400 {expected}")), "{message}");
    }
    assert_eq!(translated(r#"{"messages":[]}"#), Err("400 invalid_request model".into()));
}

/// Anything that a client may write where a member is expected.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "(|text|image_url|function|data:a;base64,b|https://x|\\{\\}|auto|[\"\\\\\u{0}é ]{0,4})".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        let name = prop::sample::select(vec![
            "type",
            "text",
            "image_url",
            "url",
            "file",
            "file_data",
            "function",
            "name",
            "arguments",
            "id",
            "parameters",
            "json_schema",
            "schema",
            "role",
            "content",
            "tool_calls",
            "tool_call_id",
            "refusal",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name.prop_map(str::to_owned), inner, 0..5)
                .prop_map(|it| Value::Object(it.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_asked_the_outcome_is_json_or_a_refusal(
        role in "user|assistant|tool|system|x", content in anything(), calls in anything(), tools in anything(),
        choice in anything(), format in anything(), stop in anything(),
    ) {
        let body = json!({"model": "m", "messages": [{"role": role, "tool_call_id": "a", "content": content, "tool_calls": calls}],
            "tools": tools, "tool_choice": choice, "response_format": format, "stop": stop});
        if let Ok(made) = translated(&body.to_string()) {
            prop_assert!(serde_json::from_str::<Value>(&made).is_ok(), "{made}");
        }
    }
}
