//! Streams that break, in a real Envoy: before their first content the next candidate answers, behind it the client is told.

use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use tests::client::{Stream, content};
use tests::gateway::Builder;
use tests::{FakeProvider, Gateway};

/// Models of two candidates, and of one. Each call asks for a model that nobody has asked for, so that no circuit breaker
/// has heard of its candidates.
const TWO: &str = "two/of";
const ONE: &str = "openai/one";

/// The gateway without those who must know the caller.
struct World {
    fake: FakeProvider,
    gateway: Gateway,
    asked: AtomicUsize,
}

impl World {
    fn start() -> Self {
        Self::with(|builder| builder)
    }

    fn with(change: impl FnOnce(Builder) -> Builder) -> Self {
        let fake = FakeProvider::start();
        let builder = Gateway::routing().fake(&fake);
        let gateway = change(builder.edit_filter("router", two)).start();
        Self { fake, gateway, asked: AtomicUsize::new(0) }
    }

    /// A streamed answer to this call, where the provider at `prefix` behaves so.
    fn ask(&self, path: &str, body: &Value, prefix: &str, behaviour: &str) -> Stream {
        self.fake.clear();
        self.fake.behave_well();
        self.fake.behave(prefix, behaviour, None);
        self.gateway.client().post(path, body).stream()
    }

    fn chat(&self, model: &str, prefix: &str, behaviour: &str) -> Stream {
        let model = format!("{model}-{}", self.asked.fetch_add(1, Ordering::Relaxed));
        let body = json!({"model": model, "stream": true, "messages": [{"role": "user", "content": "one two three"}]});
        self.ask("/v1/chat/completions", &body, prefix, behaviour)
    }
}

/// A chain whose candidates are asked for the client's model.
fn two(router: &mut Value) {
    router["chains"]["two"] = json!([{"provider": "openai"}, {"provider": "anthropic"}]);
    router["models"].as_array_mut().unwrap().insert(0, json!({"name": "two/*", "chain": "two"}));
}

#[test]
fn a_stream_that_breaks_before_its_content_is_the_next_candidates() {
    let world = World::start();
    for behaviour in ["cut-0", "cut-1", "end-0", "end-1", "end-1+crlf", "error-0", "error-1"] {
        let mut stream = world.chat(TWO, "/openai", behaviour);
        let (status, provider) = (stream.status, stream.header("x-tollgate-provider"));
        let events = stream.events();
        assert_eq!((status, provider.as_deref()), (200, Some("anthropic")), "{behaviour}: {events:?}");
        assert_eq!(content(&events), "You said: one two three", "{behaviour}");
        assert_eq!(events.last().unwrap().data, "[DONE]", "{behaviour}");
        assert_eq!(events.iter().filter(|it| it.data.contains("assistant")).count(), 1, "{behaviour}");
        assert!(!stream.broken, "{behaviour}");
        assert_eq!(world.fake.requests().len(), 2, "{behaviour}");
    }
}

#[test]
fn where_nobody_is_left_the_client_gets_a_plain_error() {
    let world = World::start();
    for (behaviour, expected, asked) in [
        ("cut-0", "502 upstream_error", 2),
        ("cut-1", "502 upstream_error", 2),
        ("end-0", "502 upstream_error", 1),
        ("end-1", "502 upstream_error", 1),
    ] {
        let answer = world.chat(ONE, "/openai", behaviour).rest();
        assert_eq!(answer.error(), expected, "{behaviour}");
        assert_eq!(world.fake.requests().len(), asked, "{behaviour}");
    }
    for model in [ONE, TWO] {
        let answer = world.chat(model, "/", "error-1").rest();
        let error = &answer.json()["error"];
        assert_eq!((answer.status, &error["type"]), (500, &json!("server_error")), "{error}");
        assert!(error["message"].as_str().unwrap().contains("told to answer 500"), "{error}");
        assert_eq!(answer.header("content-type").as_deref(), Some("application/json"));
        assert!(!answer.broken);
    }
    let answer = world.chat(TWO, "/", "end-1").rest();
    assert_eq!((answer.error().as_str(), world.fake.requests().len()), ("502 upstream_error", 2));
    // The gateway is none the worse for it.
    assert_eq!(content(&world.chat(ONE, "/nobody", "503").events()), "You said: one two three");
}

#[test]
fn a_stream_that_ends_in_its_middle_ends_with_an_error() {
    let world = World::start();
    for (behaviour, words) in [("end-2", "You "), ("end-3", "You said: "), ("end-3+crlf", "You said: ")] {
        let mut stream = world.chat(TWO, "/openai", behaviour);
        let events = stream.events();
        assert_eq!((stream.status, stream.broken), (200, false));
        assert_eq!(content(&events), words, "{behaviour}");
        let error = events.last().unwrap().json()["error"].clone();
        assert_eq!(
            (&error["type"], &error["code"], error.get("param")),
            (&json!("server_error"), &json!("upstream_error"), Some(&Value::Null)),
            "{behaviour}"
        );
        assert_eq!(world.fake.requests().len(), 1, "{behaviour}");
    }
    // The provider's own error stands alone.
    let events = world.chat(TWO, "/openai", "error-3").events();
    assert_eq!(events.iter().filter(|it| it.data.contains("\"error\"")).count(), 1, "{events:?}");
    // The host passes a broken connection on: no clean end either.
    let mut stream = world.chat(TWO, "/openai", "cut-3");
    assert_eq!(content(&stream.events()), "You said: ");
    assert!(stream.broken);
}

#[test]
fn an_answer_that_has_said_why_it_ended_is_whole() {
    let world = World::start();
    for behaviour in ["no-done", "no-done+usage", "no-done+tools"] {
        let mut stream = world.chat(ONE, "/openai", behaviour);
        let text: String = stream.events().into_iter().map(|it| it.data).collect();
        assert!(!stream.broken && !text.contains("\"error\"") && !text.contains("[DONE]"), "{behaviour}: {text}");
    }
}

#[test]
fn every_api_hears_of_it_in_its_own_words() {
    let world = World::with(native);
    let responses = json!({"model": "gpt-4o-mini", "stream": true, "input": "one two three"});
    let events = world.ask("/v1/responses", &responses, "/openai", "end-5").events();
    let last = events.last().unwrap();
    assert_eq!((last.name.as_deref(), &last.json()["type"]), (Some("error"), &json!("error")), "{events:?}");
    assert_eq!(last.json()["error"]["code"], "upstream_error");
    assert_eq!(world.ask("/v1/responses", &responses, "/openai", "end-1").rest().error(), "502 upstream_error");
    assert_eq!(
        world.ask("/v1/responses", &responses, "/openai", "words-3").events().last().unwrap().name.as_deref(),
        Some("response.completed")
    );

    let messages = json!({"model": "claude-sonnet-4-5", "stream": true, "max_tokens": 99,
        "messages": [{"role": "user", "content": "one two three"}]});
    let events = world.ask("/v1/messages", &messages, "/anthropic", "end-5").events();
    let last = events.last().unwrap();
    assert_eq!((last.name.as_deref(), &last.json()["type"]), (Some("error"), &json!("error")), "{events:?}");
    assert_eq!(last.json()["error"]["type"], "api_error");
    for (behaviour, status) in [("end-2", 502), ("error-2", 500)] {
        let answer = world.ask("/v1/messages", &messages, "/anthropic", behaviour).rest();
        assert_eq!((answer.status, &answer.json()["type"]), (status, &json!("error")), "{}", answer.text());
    }
    assert_eq!(
        world.ask("/v1/messages", &messages, "/anthropic", "words-3").events().last().unwrap().name.as_deref(),
        Some("message_stop")
    );
}

#[test]
fn a_translated_stream_that_breaks_is_the_next_candidates_too() {
    let world = World::with(|builder| {
        native(builder).edit_filter("router", |config| config["chains"]["two"].as_array_mut().unwrap().reverse())
    });
    for behaviour in ["cut-0", "cut-3", "end-3", "error-2"] {
        let mut stream = world.chat(TWO, "/anthropic", behaviour);
        let provider = stream.header("x-tollgate-provider");
        assert_eq!(content(&stream.events()), "You said: one two three", "{behaviour}");
        assert_eq!((provider.as_deref(), stream.broken), (Some("openai"), false), "{behaviour}");
    }
    let events = world.chat(TWO, "/anthropic", "end-5").events();
    assert_eq!(events.last().unwrap().json()["error"]["code"], "upstream_error", "{events:?}");
    assert_eq!(world.chat("anthropic/claude", "/anthropic", "end-2").rest().error(), "502 upstream_error");
}

/// A provider that sends an answer's beginning, and the rest when it is told to.
fn slow(beginning: String, rest: &'static str) -> (u16, Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = channel();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut got = Vec::new();
        // The request's body is the last that comes.
        while !got.ends_with(b"}") {
            let mut piece = [0; 4096];
            let Ok(count @ 1..) = stream.read(&mut piece) else { return };
            got.extend_from_slice(&piece[..count]);
        }
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
        stream.write_all(format!("{head}{beginning}").as_bytes()).unwrap();
        told.recv().unwrap();
        stream.write_all(rest.as_bytes()).unwrap();
    });
    (port, tell)
}

#[test]
fn content_is_never_kept_back() {
    let chunk = |delta: Value| format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": delta}]}));
    let beginning = chunk(json!({"role": "assistant"})) + &chunk(json!({"content": "hi"}));
    // A body that the end of the connection ends.
    for (rest, last) in [("data: [DONE]\n\n", "[DONE]"), ("", "upstream_error")] {
        let (port, tell) = slow(beginning.clone(), rest);
        let world = World::with(|builder| builder.edit(|root| openai_at(root, port)));
        let mut stream = world.chat(ONE, "/nobody", "503");
        let first: Vec<_> = [stream.event(), stream.event()].into_iter().flatten().collect();
        assert_eq!(content(&first), "hi");
        tell.send(()).unwrap();
        let events = stream.events();
        assert!(events.last().unwrap().data.contains(last), "{events:?}");
    }
}

#[test]
fn a_candidate_that_says_no_word_in_its_time_is_passed_over() {
    let role = "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"}}]}\n\n".to_owned();
    let (port, _tell) = slow(role, "");
    let world = World::with(|builder| {
        builder.edit(|root| openai_at(root, port)).edit_filter("router", |config| {
            let candidates = config["chains"]["two"].take();
            config["chains"]["two"] = json!({"candidates": candidates, "try_timeout": "300ms"});
        })
    });
    let mut stream = world.chat(TWO, "/nobody", "503");
    let provider = stream.header("x-tollgate-provider");
    assert_eq!(
        (content(&stream.events()).as_str(), provider.as_deref()),
        ("You said: one two three", Some("anthropic"))
    );
}

fn openai_at(root: &mut Value, port: u16) {
    for cluster in root["static_resources"]["clusters"].as_array_mut().unwrap() {
        let endpoints = cluster.pointer_mut("/load_assignment/endpoints/0/lb_endpoints").and_then(Value::as_array_mut);
        for it in endpoints.into_iter().flatten() {
            if it["metadata"]["filter_metadata"]["tollgate"]["provider"] == "openai" {
                it["endpoint"]["address"]["socket_address"]["port_value"] = json!(port);
            }
        }
    }
}

#[test]
fn a_good_stream_arrives_byte_for_byte() {
    let world = World::start();
    for behaviour in ["words-30", "words-30+crlf", "tools", "usage-every", "huge"] {
        let through = world.chat(ONE, "/openai", behaviour).rest();
        let direct = tests::Client::new(world.fake.port())
            .post(&world.fake.only_request().path, &world.fake.only_request().json());
        // Each answer has a number.
        let numbered = |text: String| {
            text.split("\"id\":\"").map(|it| it.split_once('"').map_or(it, |it| it.1).to_owned()).collect::<String>()
        };
        assert!(numbered(through.text()) == numbered(direct.stream().rest().text()), "{behaviour}");
    }
}

fn native(builder: Builder) -> Builder {
    builder.edit_filter("provider", |config| {
        let provider = config["providers"]["anthropic"].as_object_mut().unwrap();
        provider.remove("auth");
        provider.insert("api".to_owned(), json!("anthropic"));
    })
}
