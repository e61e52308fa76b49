//! A client that sends its history again has it once, and what is remembered comes back byte for byte.

use super::World;
use serde_json::{Value, json};

#[test]
fn what_was_said_comes_back_byte_for_byte_and_once() {
    let world = World::start();
    let body = |messages: &str| format!(r#"{{"model":"gpt-4o","messages":[{messages}]}}"#);
    let send = |thread: &str, messages: &str| {
        let answer = world.raw(&body(messages)).thread(thread).send();
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["choices"][0]["message"].to_string()
    };
    let system = r#"{"role":"system","content":"s"}, {"role":"developer", "content":"d"}"#;
    // An image by its address, a name, tool calls at once with their results, a refusal, odd spelling of numbers and letters.
    let all = [
        r#"{ "role":"user", "name":"Ada", "content":[{"type":"text","text":"h\u0069"},{"type":"image_url","image_url":{"url":"https://x/y.png","detail":"low"}}]}"#,
        r#"{"role":"assistant","content":null,"refusal":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\": 1}"}},{"id":"c2","type":"function","function":{"name":"g","arguments":"{}"}}]}"#,
        r#"{"role":"tool","tool_call_id":"c1","content":"é\u00e9"}"#,
        r#"{"role":"tool","tool_call_id":"c2","content":[{"type":"text","text":"r"}], "x":1.0e0}"#,
        r#"{"role":"assistant","refusal":"I cannot","content":null}"#,
        r#"{"role":"user","content":"why?"}"#,
    ]
    .join(" , ");
    let first = send("t1", &format!("{system},{all}"));
    assert_eq!(world.received_bytes(), body(&format!("{system},{all}")));
    // The answer is the provider's own bytes: what it sent is not written anew.
    let history = format!("{},{first}", all.replace(" , ", ","));
    let next = r#"{"role":"user","content":"next"}"#;
    let second = send("t1", &format!("{system},{next}"));
    assert_eq!(world.received_bytes(), body(&format!("{system},{history},{next}")));

    // All of it again, written as an SDK does; the last part again; the last question again.
    let dumped = |text: &str| {
        let mut all: Vec<Value> = serde_json::from_str(&format!("[{text}]")).unwrap();
        for it in &mut all {
            let it = it.as_object_mut().unwrap();
            it.entry("refusal").or_insert(Value::Null);
            it.insert("annotations".to_owned(), json!([]));
        }
        all.iter().map(Value::to_string).collect::<Vec<_>>().join(", ")
    };
    let again = dumped(&format!("{history},{next},{second}"));
    let more = r#"{"role":"user","content":"more"}"#;
    let third = send("t1", &format!("{system},{again},{more}"));
    assert_eq!(world.received_bytes(), body(&format!("{system},{again},{more}")));
    let last = r#"{"role":"user","content":"last"}"#;
    let fourth = send("t1", &format!("{system},{},{last}", dumped(&format!("{more},{third}"))));
    let expected = format!("{system},{history},{next},{second},{},{last}", dumped(&format!("{more},{third}")));
    assert_eq!(world.received_bytes(), body(&expected));
    let whole = format!("{history},{next},{second},{more},{third},{last}");
    let fifth = send("t1", &dumped(&whole));
    assert_eq!(world.received_bytes(), body(&dumped(&whole)), "the last answer once more");
    // Nothing was stored twice: each question once, and the last one as often as it was asked.
    let shown = world.shown("ada", "t1");
    assert_eq!(shown.len(), 7 + 2 + 2 + 2 + 2, "{shown:?}");
    assert_eq!((fourth, shown[14]["content"].as_str()), (fifth.clone(), Some("You said: last")));
    send("t1", next);
    let asked_again = format!("{whole},{fifth},{},{fifth},{next}", dumped(last));
    assert_eq!(world.received_bytes(), body(&asked_again));
}

#[test]
fn a_call_is_told_as_long_as_somebody_may_answer_it() {
    let world = World::start();
    let tools = json!([{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}]);
    let user = |text: &str| json!({"role": "user", "content": text});
    let send = |thread: &str, model: &str, messages: Value| {
        let body = json!({"model": model, "tools": tools, "messages": messages}).to_string();
        let answer = world.raw(&body).thread(thread).send();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let received = world.fake.requests().pop().unwrap().json();
        (received["messages"].clone(), answer.json()["choices"][0]["message"].clone())
    };
    let (_, call) = send("answered", "fake-tools", json!([user("weather?")]));
    let result = json!({"role": "tool", "tool_call_id": call["tool_calls"][0]["id"], "content": "rain"});
    let (received, said) = send("answered", "gpt-4o", json!([result]));
    assert_eq!(received, json!([user("weather?"), call, result]));
    let (received, _) = send("answered", "gpt-4o", json!([user("thanks")]));
    assert_eq!(received, json!([user("weather?"), call, result, said, user("thanks")]));

    send("left", "fake-tools", json!([user("weather?")]));
    let (received, said) = send("left", "gpt-4o", json!([user("never mind")]));
    assert_eq!(received, json!([user("weather?"), user("never mind")]), "no provider takes a call without its result");
    let (received, _) = send("left", "gpt-4o", json!([user("bye")]));
    assert_eq!(received, json!([user("weather?"), user("never mind"), said, user("bye")]));
    let shown = world.shown("ada", "left");
    assert!(shown[1]["tool_calls"].is_array() && shown.len() == 6, "{shown:?}");
}
