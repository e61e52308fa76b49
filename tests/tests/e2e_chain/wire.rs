//! What happens to bytes on their way through seven filters.

use std::time::Duration;

use serde_json::json;
use tests::client::content;

use crate::Stage;

#[test]
fn the_body_arrives_byte_for_byte_but_for_the_model() {
    let stage = Stage::new();
    let token = stage.token("u1");
    let body = "{ \"messages\" :[{\"role\":\"user\",\"content\":\"h\\u00e9 \\ud83d\\ude00 \u{1f600}\\/\"}],\r\n\t\
         \"temperature\":1.0000000000000000001,\"seed\":123456789012345678901234567890, \"unknown\":{\"b\":1,\"a\":[ ]} ,\
         \"model\" : \"openai/gpt-4o\" , \"x\":\"\" }\n";
    let call = stage.client().call("POST", "/v1/chat/completions").header("content-type", "application/json");
    let answer = call.bearer(&token).body(body).send();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let seen = stage.fake.only_request();
    assert_eq!(String::from_utf8_lossy(&seen.body), body.replace("openai/gpt-4o", "gpt-4o"));
    assert_eq!(seen.header("content-length"), Some(seen.body.len().to_string()));
}

#[test]
fn names_of_models_lead_to_their_providers_and_unknown_ones_nowhere() {
    let stage = Stage::new();
    let token = stage.token("u1");
    let ask = |model: &str| stage.client().chat(&token, model, "hi").send();
    for (model, path, sent) in [
        ("openai/gpt-4o", "/openai/v1/chat/completions", "gpt-4o"),
        ("gpt-4o-mini", "/openai/v1/chat/completions", "gpt-4o-mini"),
        ("fast", "/openai/v1/chat/completions", "gpt-4o-mini"),
        ("anthropic/claude-haiku-4-5", "/anthropic/v1/chat/completions", "claude-haiku-4-5"),
        ("google/gemini-2.5-flash", "/google/v1beta/openai/chat/completions", "gemini-2.5-flash"),
        ("mistral/mistral-small-latest", "/mistral/v1/chat/completions", "mistral-small-latest"),
    ] {
        stage.fake.clear();
        assert_eq!(ask(model).status, 200, "{model}: {}", ask(model).text());
        let seen = &stage.fake.requests()[0];
        assert_eq!((seen.path.as_str(), &seen.json()["model"]), (path, &json!(sent)), "{model}");
    }
    stage.fake.clear();
    assert_eq!(ask("acme/unheard-of").error(), "404 model_not_found");
    assert!(stage.fake.requests().is_empty());
}

#[test]
fn other_endpoints_pass_too() {
    let stage = Stage::new();
    let token = stage.token("u1");
    let post = |path: &str, body| {
        let answer = stage.client().post(path, &body).bearer(&token).send();
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    };
    let embedding = json!({"model": "openai/text-embedding-3-small", "input": "abc", "encoding_format": "base64"});
    assert!(post("/v1/embeddings", embedding)["data"][0]["embedding"].is_string());
    let response = post("/v1/responses", json!({"model": "openai/gpt-4o-mini", "input": "hi"}));
    assert_eq!(response["status"], "completed");
    let completion = post("/v1/completions", json!({"model": "openai/gpt-4o-mini", "prompt": "hi"}));
    assert_eq!(completion["choices"][0]["text"], "You said: hi");
    let models = stage.client().get("/v1/models").bearer(&token).send();
    assert_eq!((models.status, models.json()["object"].as_str()), (200, Some("list")), "{}", models.text());
}

#[test]
fn a_stream_is_passed_on_as_it_comes_and_its_end_is_not_hidden() {
    let stage = Stage::new();
    let token = stage.token("u1");
    let stream = |model: &str| {
        let mut stream = stage.client().chat_stream(&token, model, "a b c d").stream();
        assert_eq!(stream.status, 200);
        let events = stream.events();
        (events, stream.broken)
    };
    let (events, broken) = stream("openai/fake-slow-40ms");
    assert!(!broken);
    assert_eq!(content(&events), "You said: a b c d");
    let spread = events[events.len() - 1].at - events[0].at;
    assert!(spread >= Duration::from_millis(150), "the events came in one go: {spread:?}");

    let (events, broken) = stream("openai/fake-cut-3");
    let told = events.iter().any(|event| event.json().get("error").is_some());
    assert!(broken || told, "a cut stream must not look like a whole one: {events:?}");
    assert!(events.iter().all(|event| event.data != "[DONE]"));
    let (events, _) = stream("openai/fake-error-2");
    assert!(events.iter().any(|event| event.json().get("error").is_some()), "{events:?}");

    // A client that goes away in the middle leaves nothing behind that the next one could feel.
    let mut gone = stage.client().chat_stream(&token, "openai/fake-slow-40ms", "a b c d").stream();
    assert!(gone.event().is_some());
    drop(gone);
    let (events, broken) = stream("openai/fake-crlf");
    assert_eq!((content(&events).as_str(), broken), ("You said: a b c d", false));
    let huge = stage.client().chat(&token, "openai/fake-huge", "hi").send();
    assert_eq!(huge.status, 200);
    assert!(huge.body.len() > 1_000_000 && !huge.broken);
}

#[test]
fn a_request_to_change_protocols_is_refused_at_once() {
    let stage = Stage::new();
    let token = stage.token("u1");
    let ask = || stage.client().chat(&token, "gpt-4o", "hi");
    let answer = ask().header("connection", "upgrade").header("upgrade", "websocket").send();
    assert_eq!(answer.error(), "400 invalid_request");
    assert_eq!(ask().send().status, 200);
}
