//! The fake provider does what its table says.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tests::client::{Client, Event, chat, content};
use tests::{Answer, FakeProvider};

const CHAT: &str = "/v1/chat/completions";

fn client(fake: &FakeProvider) -> Client {
    Client::new(fake.port())
}

fn ask(fake: &FakeProvider, model: &str) -> Answer {
    client(fake).post(CHAT, &chat(model, "hi there")).send()
}

/// The events of a streamed chat, and whether the connection broke.
fn streamed(fake: &FakeProvider, model: &str, more: &Value) -> (Vec<Event>, bool) {
    let mut body = chat(model, "hi there");
    body["stream"] = json!(true);
    for (key, value) in more.as_object().into_iter().flatten() {
        body[key] = value.clone();
    }
    let mut stream = client(fake).post(CHAT, &body).stream();
    assert_eq!(stream.status, 200);
    assert_eq!(stream.header("content-type").as_deref(), Some("text/event-stream; charset=utf-8"));
    let events = stream.events();
    (events, stream.broken)
}

#[test]
fn a_plain_chat_echoes_the_last_user_message_with_usage() {
    let fake = FakeProvider::start();
    let answer = ask(&fake, "gpt-4o");
    assert_eq!((answer.status, answer.content().as_str()), (200, "You said: hi there"));
    assert_eq!(answer.json()["usage"]["total_tokens"], 6);
    assert_eq!(answer.json()["model"], "gpt-4o");
}

#[test]
fn a_stream_starts_with_the_role_and_ends_with_done_and_has_no_usage_unasked() {
    let fake = FakeProvider::start();
    let (events, broken) = streamed(&fake, "gpt-4o", &json!({}));
    assert!(!broken);
    assert_eq!(content(&events), "You said: hi there");
    assert_eq!(events[0].json()["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(events[events.len() - 2].json()["choices"][0]["finish_reason"], "stop");
    assert_eq!(events[events.len() - 1].data, "[DONE]");
    assert!(events.iter().all(|event| event.json().get("usage").is_none()));
}

#[test]
fn usage_comes_last_when_asked_for_and_is_null_before() {
    let fake = FakeProvider::start();
    for (model, more) in [("gpt-4o", json!({"stream_options": {"include_usage": true}})), ("fake-usage", json!({}))] {
        let (events, _) = streamed(&fake, model, &more);
        let usage = events[events.len() - 2].json();
        assert_eq!((&usage["choices"], &usage["usage"]["completion_tokens"]), (&json!([]), &json!(4)));
        assert!(events[..events.len() - 2].iter().all(|event| event.json()["usage"].is_null()));
        assert!(events[0].json().as_object().unwrap().contains_key("usage"));
    }
}

#[test]
fn tools_are_called_plain_and_in_pieces_told_apart_by_index() {
    let fake = FakeProvider::start();
    let tools = json!({"tools": [{"type": "function", "function": {"name": "a"}}, {"type": "function", "function": {"name": "b"}}]});
    let mut body = chat("fake-tools", "hi");
    body["tools"] = tools["tools"].clone();
    let choice = client(&fake).post(CHAT, &body).send().json()["choices"][0].clone();
    assert_eq!(choice["finish_reason"], "tool_calls");
    assert_eq!(choice["message"]["tool_calls"][1]["function"], json!({"name": "b", "arguments": "{\"heard\":\"hi\"}"}));

    let (events, _) = streamed(&fake, "fake-tools", &tools);
    let mut arguments = [String::new(), String::new()];
    for event in &events {
        let call = event.json()["choices"][0]["delta"]["tool_calls"][0].clone();
        if let Some(index) = call["index"].as_u64() {
            arguments[usize::try_from(index).unwrap()] += call["function"]["arguments"].as_str().unwrap();
        }
    }
    assert_eq!(arguments, ["{\"heard\":\"hi there\"}"; 2]);
}

#[test]
fn embeddings_are_base64_or_floats_as_asked_and_models_are_listed() {
    let fake = FakeProvider::start();
    let embed = |format: &str| {
        let body = json!({"model": "e", "input": ["abc", "d"], "encoding_format": format});
        client(&fake).post("/mistral/v1/embeddings", &body).send().json()["data"][0]["embedding"].clone()
    };
    assert_eq!(embed("float"), json!([3.0, 0.0, 0.5, -0.25]));
    assert_eq!(STANDARD.decode(embed("base64").as_str().unwrap()).unwrap()[..4], 3f32.to_le_bytes());
    assert_eq!(client(&fake).get("/v1/models").send().json()["data"][0]["object"], "model");
    assert_eq!(client(&fake).get("/v1/nothing").send().error(), "404 fake_refusal");
}

#[test]
fn completions_and_responses_answer_plain_and_streamed() {
    let fake = FakeProvider::start();
    let post = |path: &str, body: Value| client(&fake).post(path, &body).send().json();
    assert_eq!(post("/v1/completions", json!({"model": "m", "prompt": "hi"}))["choices"][0]["text"], "You said: hi");
    let whole = post("/v1/responses", json!({"model": "m", "input": "hi"}));
    assert_eq!(whole["output"][0]["content"][0]["text"], "You said: hi");
    let body = json!({"model": "m", "input": "hi", "stream": true});
    let events = client(&fake).post("/v1/responses", &body).stream().events();
    let last = events.last().unwrap();
    assert_eq!(last.name.as_deref(), Some("response.completed"));
    assert_eq!(last.json()["response"]["usage"]["output_tokens"], 3);
}

#[test]
fn errors_come_by_model_by_header_and_by_rule_and_the_rule_wears_off() {
    let fake = FakeProvider::start();
    assert_eq!(ask(&fake, "openai/fake-503").error(), "503 fake_failure");
    let limited = ask(&fake, "fake-429-after-7");
    assert_eq!((limited.status, limited.header("retry-after").as_deref()), (429, Some("7")));
    let by_header = client(&fake).post(CHAT, &chat("gpt-4o", "hi")).header("x-fake", "500").send();
    assert_eq!(by_header.status, 500);

    let rule = json!({"path_prefix": "/openai", "behaviour": "503", "times": 1});
    assert_eq!(client(&fake).post("/_control/behaviour", &rule).send().status, 200);
    let openai = |path: &str| client(&fake).post(path, &chat("gpt-4o", "hi")).send().status;
    assert_eq!(openai("/anthropic/v1/chat/completions"), 200);
    assert_eq!([openai("/openai/v1/chat/completions"), openai("/openai/v1/chat/completions")], [503, 200]);
    assert_eq!(ask(&fake, "fake-what").status, 400);
}

#[test]
fn a_stream_can_be_cut_ended_early_or_failed_in_the_middle() {
    let fake = FakeProvider::start();
    let (events, broken) = streamed(&fake, "fake-cut-3", &json!({}));
    assert_eq!((events.len(), broken), (3, true));
    let (events, broken) = streamed(&fake, "fake-end-2", &json!({}));
    assert_eq!((events.len(), broken), (2, false));
    let (events, broken) = streamed(&fake, "fake-error-1", &json!({}));
    assert_eq!((events.len(), broken), (2, false));
    assert_eq!(events[1].json()["error"]["type"], "server_error");
    assert!(ask(&fake, "fake-cut-1").broken);
}

#[test]
fn it_can_be_slow_huge_malformed_silent_or_gone() {
    let fake = FakeProvider::start();
    let (events, _) = streamed(&fake, "fake-start-50ms+slow-20ms", &json!({}));
    assert!(events[0].at >= Duration::from_millis(70), "{events:?}");
    assert!(events.windows(2).all(|pair| pair[1].at - pair[0].at >= Duration::from_millis(10)), "{events:?}");
    assert!(ask(&fake, "fake-huge").body.len() > 1_000_000);
    assert!(serde_json::from_slice::<Value>(&ask(&fake, "fake-malformed").body).is_err());
    assert_eq!(ask(&fake, "fake-error-body").error(), "200 fake_failure");
    assert!(client(&fake).post(CHAT, &chat("fake-reset", "hi")).try_send().is_err());
    let (events, _) = streamed(&fake, "fake-crlf+words-3", &json!({}));
    assert_eq!(content(&events), "w0 w1 w2");
    let port = fake.port();
    let waiting = std::thread::spawn(move || Client::new(port).post(CHAT, &chat("fake-hang", "hi")).try_send());
    let _ = fake.wait_for(1);
    drop(fake);
    assert!(waiting.join().unwrap().is_err(), "a hanging answer ends with the provider");
}

#[test]
fn it_remembers_every_byte_in_order_with_duplicates() {
    let fake = FakeProvider::start();
    let request = b"POST /v1/chat/completions?a=1 HTTP/1.1\r\nHost: x\r\nX-B: 1\r\nx-a: \xff2\r\nX-b: 3\r\n\
        Transfer-Encoding: chunked\r\n\r\n3\r\n{\"m\r\n5;x=y\r\nodel\"\r\n5\r\n: 1 }\r\n0\r\n\r\n";
    assert_eq!(client(&fake).raw(request).unwrap().status, 200);
    let seen = fake.only_request();
    assert_eq!((seen.path.as_str(), seen.body.as_slice()), ("/v1/chat/completions?a=1", b"{\"model\": 1 }".as_slice()));
    let names: Vec<&str> = seen.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["Host", "X-B", "x-a", "X-b", "Transfer-Encoding"]);
    assert_eq!(seen.headers[2].1, b"\xff2");

    let shown = client(&fake).get("/_control/requests").send().json();
    assert_eq!(shown["requests"][0]["body_base64"], STANDARD.encode(&seen.body));
    assert_eq!(client(&fake).call("DELETE", "/_control/requests").send().status, 200);
    assert!(fake.requests().is_empty());
}

/// What was served to one request: prompt and completion tokens, whether it was complete, whether usage was sent.
fn served(model: &str, stream: bool, more: &Value) -> (u64, u64, bool, bool) {
    let fake = FakeProvider::start();
    if stream {
        streamed(&fake, model, more);
    } else {
        drop(client(&fake).post(CHAT, &chat(model, "hi there")).try_send());
    }
    let all = fake.served();
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!((all[0].heard.as_str(), all[0].stream), ("hi there", stream));
    (all[0].count.prompt, all[0].count.completion, all[0].complete, all[0].usage_sent)
}

#[test]
fn what_was_served_is_counted_as_far_as_it_came() {
    let asked = json!({"stream_options": {"include_usage": true}});
    assert_eq!(served("gpt-4o", false, &Value::Null), (2, 4, true, true));
    assert_eq!(served("gpt-4o", true, &Value::Null), (2, 4, true, false));
    assert_eq!(served("gpt-4o", true, &asked), (2, 4, true, true));
    assert_eq!(served("fake-usage-none", true, &asked), (2, 4, true, false));
    assert_eq!(served("fake-usage-last", true, &Value::Null), (2, 4, true, true));
    assert_eq!(served("fake-usage-reasoning", false, &Value::Null), (2, 11, true, true));
    assert_eq!(served("fake-words-9+cut-4", true, &asked), (2, 3, false, false), "the first event has no text");
    assert_eq!(served("fake-words-9+end-4", true, &asked), (2, 3, false, false));
    assert_eq!(served("fake-words-9+error-4", true, &asked), (2, 3, false, false));
    assert_eq!(served("fake-cut-1", false, &Value::Null), (2, 4, false, false), "made as a whole, and cut on the way");
    let fake = FakeProvider::start();
    assert_eq!(ask(&fake, "fake-503").status, 503);
    assert_eq!(fake.served(), [], "errors are not billed");
}

#[test]
fn what_came_after_the_client_left_is_not_served() {
    let fake = FakeProvider::start();
    let mut body = chat("fake-words-50+slow-20ms", "hi");
    body["stream"] = json!(true);
    let mut stream = client(&fake).post(CHAT, &body).stream();
    let seen = (0..4).map(|_| stream.event().unwrap().content()).collect::<String>();
    drop(stream);
    let served = fake.served();
    let seen = seen.split_whitespace().count() as u64;
    assert!((seen..seen + 3).contains(&served[0].count.completion), "{served:?}, seen {seen}");
    assert!(!served[0].complete);
}

#[test]
fn usage_is_said_in_each_provider_s_way() {
    let fake = FakeProvider::start();
    let usage = |model: &str| ask(&fake, model).json()["usage"].clone();
    let xai = usage("fake-usage-xai");
    assert_eq!([&xai["completion_tokens"], &xai["total_tokens"]], [4, 2 + 4 + 7]);
    assert_eq!(usage("fake-usage-cached")["prompt_tokens_details"]["cached_tokens"], 1);
    assert_eq!(usage("fake-usage-none"), Value::Null);
    assert_eq!(usage("fake-usage-anthropic")["cache_read_input_tokens"], 1);

    let (events, _) = streamed(&fake, "fake-usage-every", &json!({}));
    let so_far: Vec<_> =
        events.iter().filter_map(|event| event.json()["usage"]["completion_tokens"].as_u64()).collect();
    assert_eq!(so_far, [0, 1, 2, 3, 4, 4]);
    let (events, _) = streamed(&fake, "fake-usage-anthropic", &json!({}));
    let named: Vec<_> = events.iter().filter_map(|event| event.name.as_deref()).collect();
    assert_eq!((named.first(), named.last()), (Some(&"message_start"), Some(&"message_stop")));
    assert_eq!(events[events.len() - 2].json()["usage"]["output_tokens"], 4);
    let shown = client(&fake).get("/_control/served").send().json();
    assert_eq!(shown["served"].as_array().unwrap().len(), 6);
}

#[test]
fn anthropics_own_api_has_its_own_words() {
    let fake = FakeProvider::start();
    let own = |model: &str, more: &Value| {
        let mut body = json!({"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "hi there"}]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        client(&fake).post("/anthropic/v1/messages", &body).header("anthropic-version", "2023-06-01")
    };
    let answer = own("claude", &json!({})).send().json();
    assert_eq!(
        (&answer["content"][0]["text"], &answer["stop_reason"]),
        (&json!("You said: hi there"), &json!("end_turn"))
    );
    let tools = json!({"tools": [{"name": "f", "input_schema": {"type": "object"}}]});
    let answer = own("fake-tools", &tools).send().json();
    assert_eq!(
        (&answer["content"][0]["name"], &answer["content"][0]["input"]["heard"]),
        (&json!("f"), &json!("hi there"))
    );
    let events = own("claude", &json!({"stream": true})).stream().events();
    assert_eq!(events[0].json()["type"], "message_start");
    assert_eq!(events.last().unwrap().data, r#"{"type":"message_stop"}"#);
    assert_eq!(own("fake-529", &json!({})).send().json()["error"]["type"], "overloaded_error");
    for (more, missing) in [
        (json!({"max_tokens": null}), "max_tokens"),
        (json!({"messages": []}), "messages"),
        (json!({"n": 1}), "n: Extra"),
    ] {
        let answer = own("claude", &more).send();
        assert!(answer.status == 400 && answer.text().contains(missing), "{}", answer.text());
    }
}
