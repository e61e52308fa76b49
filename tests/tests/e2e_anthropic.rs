//! A provider that speaks Anthropic's native Messages API, in the whole gateway: chat completions translated both ways, and
//! messages of the client's own.

use serde_json::{Value, json};
use std::time::Duration;
use tests::client::content;
use tests::gateway::Builder;
use tests::process::wait_until;
use tests::{Answer, Call, Companion, FakeProvider, Gateway, Received, ledger};

const OWN: &str = "/anthropic/v1/messages";

/// The gateway without those who must know the caller.
struct World {
    fake: FakeProvider,
    gateway: Gateway,
}

/// The gateway as it is shipped, with a native Anthropic.
fn native(fake: &FakeProvider) -> Builder {
    Gateway::from("envoy/envoy.yaml").fake(fake).edit_filter("provider", |config| {
        let provider = config["providers"]["anthropic"].as_object_mut().unwrap();
        provider.remove("auth");
        provider.insert("api".to_owned(), json!("anthropic"));
        // How the fake is told what to do.
        config["forward_headers"] = json!(["x-fake"]);
    })
}

impl World {
    fn start() -> Self {
        Self::with(|builder| builder)
    }

    /// With Anthropic in front of OpenAI.
    fn turned() -> Self {
        Self::with(|builder| {
            builder.edit_filter("router", |config| config["chains"]["gpt-4o"].as_array_mut().unwrap().reverse())
        })
    }

    fn with(change: impl FnOnce(Builder) -> Builder) -> Self {
        let fake = FakeProvider::start();
        let builder = ["auth", "ratelimit", "session", "budget"]
            .into_iter()
            .fold(native(&fake), |gateway, filter| gateway.without_filter(filter));
        let gateway = change(builder).start();
        Self { fake, gateway }
    }

    /// A chat completion with these further members.
    fn chat(&self, model: &str, more: Value) -> Call {
        self.fake.clear();
        let mut body = json!({"model": model, "messages": [{"role": "user", "content": "hi there"}]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.gateway.client().post("/v1/chat/completions", &body)
    }

    fn messages(&self, model: &str, more: Value) -> Call {
        self.fake.clear();
        let mut body = json!({"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "hi there"}]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.gateway.client().post("/v1/messages", &body)
    }
}

fn told(answer: &Answer) -> (u16, Value) {
    (answer.status, answer.json()["error"].clone())
}

fn check_head(request: &Received) {
    assert_eq!(request.path, OWN);
    assert_eq!(request.header("x-api-key").as_deref(), Some("fake-key-anthropic"));
    assert_eq!(request.header("anthropic-version").as_deref(), Some("2023-06-01"));
    assert!(!request.has("authorization"));
    assert_eq!(request.header("content-length"), Some(request.body.len().to_string()));
}

#[test]
fn a_chat_completion_is_asked_and_answered_in_the_clients_words() {
    let world = World::start();
    let more = json!({"temperature": 1.5, "stop": "x", "user": "u", "seed": 1,
        "messages": [{"role": "system", "content": "be nice"}, {"role": "user", "content": "hi there"}]});
    let answer = world.chat("anthropic/claude-3.5-sonnet", more).send();
    let request = world.fake.only_request();
    check_head(&request);
    let expected = concat!(
        r#"{"model":"claude-3-5-sonnet-latest","max_tokens":4096,"system":[{"type":"text","text":"be nice"}],"#,
        r#""messages":[{"role":"user","content":[{"type":"text","text":"hi there"}]}],"temperature":1,"#,
        r#""stop_sequences":["x"]}"#
    );
    assert_eq!(String::from_utf8_lossy(&request.body), expected);
    let (said, served) = (answer.json(), &world.fake.served()[0]);
    assert_eq!((answer.status, answer.content().as_str()), (200, "You said: hi there"));
    assert_eq!((&said["object"], &said["model"]), (&json!("chat.completion"), &json!("claude-3-5-sonnet-latest")));
    assert_eq!(said["choices"][0]["finish_reason"], "stop");
    assert_eq!(said["usage"]["prompt_tokens"], served.count.prompt);
    assert_eq!(said["usage"]["prompt_tokens_details"]["cached_tokens"], served.count.cached);
    assert_eq!(said["usage"]["completion_tokens"], served.count.completion);
    assert_eq!(answer.header("content-type").as_deref(), Some("application/json"));
    assert_eq!(answer.header("x-tollgate-provider").as_deref(), Some("anthropic"));
}

#[test]
fn a_stream_comes_in_chunks_however_the_provider_frames_it() {
    let world = World::start();
    for behaviour in ["words-200", "words-200+crlf"] {
        let more = json!({"stream": true, "stream_options": {"include_usage": true}});
        let mut stream = world.chat("anthropic/claude-sonnet-4-5", more).header("x-fake", behaviour).stream();
        assert_eq!(stream.header("content-type").as_deref(), Some("text/event-stream; charset=utf-8"));
        let events = stream.events();
        let _: Value = world.fake.only_request().json();
        assert!(content(&events).starts_with("w0 w1 ") && content(&events).ends_with(" w199"), "{behaviour}");
        let data: Vec<_> = events.iter().map(|it| it.data.as_str()).collect();
        let [.., finish, usage, done] = data.as_slice() else { panic!("{data:?}") };
        assert!(finish.contains(r#""finish_reason":"stop""#) && finish.ends_with(r#""usage":null}"#), "{finish}");
        let usage: Value = serde_json::from_str(usage).unwrap();
        assert_eq!((&usage["choices"], &usage["usage"]["completion_tokens"]), (&json!([]), &json!(200)));
        assert_eq!(*done, "[DONE]");
    }
}

#[test]
fn tools_are_called_and_their_results_told() {
    let world = World::start();
    let tools = json!([{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]);
    let call = |more: Value| {
        let mut more = more;
        more["tools"] = tools.clone();
        world.chat("anthropic/claude-sonnet-4-5", more)
    };
    let answer = call(json!({})).header("x-fake", "tools").send().json();
    let told = json!([{"name": "look", "input_schema": {"type": "object"}}]);
    assert_eq!(world.fake.only_request().json()["tools"], told);
    let message = &answer["choices"][0]["message"];
    assert_eq!(answer["choices"][0]["finish_reason"], "tool_calls");
    let function = json!({"name": "look", "arguments": r#"{"heard":"hi there"}"#});
    assert_eq!(message["tool_calls"], json!([{"id": "toolu_0", "type": "function", "function": function}]));

    let result = json!({"role": "tool", "tool_call_id": "toolu_0", "content": "blue"});
    let next = call(json!({"messages": [{"role": "user", "content": "hi"}, message, result]})).send();
    assert_eq!(next.content(), "The tool said: blue");

    let events = call(json!({"stream": true})).header("x-fake", "tools").stream().events();
    let deltas = events.iter().filter_map(|it| {
        let chunk: Value = serde_json::from_str(&it.data).ok()?;
        chunk["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"].as_str().map(str::to_owned)
    });
    assert_eq!(deltas.collect::<String>(), r#"{"heard":"hi there"}"#);
    assert!(events[events.len() - 2].data.contains(r#""finish_reason":"tool_calls""#));
}

#[test]
fn images_go_along_and_what_has_no_counterpart_is_refused() {
    let world = World::start();
    let part = |url: &str| json!({"type": "image_url", "image_url": {"url": url}});
    let ask = |part: Value| {
        let content = json!([{"type": "text", "text": "hi there"}, part]);
        world.chat("anthropic/claude-sonnet-4-5", json!({"messages": [{"role": "user", "content": content}]})).send()
    };
    assert_eq!(ask(part("data:image/png;base64,iVBORw0KGgo=")).status, 200);
    let source = json!({"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="});
    let sent = json!({"type": "image", "source": source});
    assert_eq!(world.fake.only_request().json()["messages"][0]["content"][1], sent);

    let file = json!({"type": "file", "file": {"file_id": "file-1"}});
    assert_eq!(ask(file).error(), "400 unsupported_parameter");
    let several = world.chat("anthropic/claude-sonnet-4-5", json!({"n": 2})).send();
    assert_eq!(told(&several).1["param"], "n");
    let embeddings = json!({"model": "anthropic/claude-sonnet-4-5", "input": "hi"});
    let refused = world.gateway.client().post("/v1/embeddings", &embeddings).send();
    assert_eq!(refused.status, 400);
    assert_eq!(world.fake.requests().len(), 0);
    assert_eq!(world.chat("anthropic/claude-sonnet-4-5", json!({})).send().status, 200);
}

#[test]
fn errors_have_the_four_keys_and_a_broken_stream_never_ends_well() {
    let world = World::start();
    let failed = world.chat("anthropic/claude-sonnet-4-5", json!({})).header("x-fake", "400").send();
    let (status, error) = told(&failed);
    let message = "The fake provider was told to answer 400.";
    assert_eq!((status, &error["message"]), (400, &json!(message)));
    assert_eq!((&error["type"], &error["param"]), (&json!("invalid_request_error"), &Value::Null));

    for (behaviour, ended) in
        [("error-4", "told to answer 500"), ("end-4", "in the middle"), ("malformed", "cannot be read")]
    {
        let call = world.chat("anthropic/claude-sonnet-4-5", json!({"stream": true})).header("x-fake", behaviour);
        let events = call.stream().events();
        let last = &events.last().unwrap().data;
        let error: Value = serde_json::from_str(last).unwrap_or_default();
        assert!(error["error"]["message"].as_str().is_some_and(|it| it.contains(ended)), "{behaviour}: {last}");
    }
    for (behaviour, said) in [("error-body", "told to answer 503"), ("malformed", "cannot be read")] {
        let answer = world.chat("anthropic/claude-sonnet-4-5", json!({})).header("x-fake", behaviour).send();
        assert!(told(&answer).1["message"].as_str().is_some_and(|it| it.contains(said)), "{}", answer.text());
    }
    assert_eq!(world.chat("anthropic/claude-sonnet-4-5", json!({})).send().content(), "You said: hi there");
    let mut cut = world.chat("anthropic/claude-sonnet-4-5", json!({"stream": true})).header("x-fake", "cut-4").stream();
    assert!(cut.events().iter().all(|it| it.data != "[DONE]") && cut.broken);
}

#[test]
fn a_chain_of_both_apis_leaves_nothing_of_one_attempt_to_the_next() {
    for (first, path) in [("openai", OWN), ("anthropic", "/openai/v1/chat/completions")] {
        let world = if first == "openai" { World::start() } else { World::turned() };
        world.fake.behave(&format!("/{first}"), "503", None);
        let answer = world.chat("gpt-4o", json!({"stream": false, "user": "a-name"})).send();
        assert_eq!((answer.status, answer.content().as_str()), (200, "You said: hi there"), "{first}");
        let requests = world.fake.requests();
        let [_, second] = requests.as_slice() else { panic!("{requests:?}") };
        assert_eq!(second.path, path);
        assert_eq!(second.header("content-length"), Some(second.body.len().to_string()));
        if first == "openai" {
            check_head(second);
            assert_eq!(second.json()["model"], "claude-sonnet-4-5");
        } else {
            assert_eq!(second.header("authorization").as_deref(), Some("Bearer fake-key-openai"));
            assert!(!second.has("x-api-key") && !second.has("anthropic-version"));
            assert_eq!(second.json()["messages"], json!([{"role": "user", "content": "hi there"}]));
        }
    }
}

#[test]
fn a_message_of_the_clients_own_passes_in_its_own_words() {
    let world = World::start();
    let answer = world.messages("anthropic/claude-3.5-sonnet", json!({"system": "be nice", "top_k": 1.0})).send();
    let request = world.fake.only_request();
    check_head(&request);
    let sent = r#"{"model":"claude-3-5-sonnet-latest","max_tokens":9,"messages":[{"role":"user","content":"hi there"}],"system":"be nice","top_k":1.0}"#;
    let sent: Value = serde_json::from_str(sent).unwrap();
    assert_eq!(request.json(), sent);
    assert_eq!((answer.status, &answer.json()["content"][0]["text"]), (200, &json!("You said: hi there")));

    let events = world.messages("anthropic/claude-sonnet-4-5", json!({"stream": true})).stream().events();
    assert_eq!(events.last().unwrap().data, r#"{"type":"message_stop"}"#);
    let failed = world.messages("anthropic/claude-sonnet-4-5", json!({})).header("x-fake", "400").send();
    assert_eq!(
        (&failed.json()["type"], &failed.json()["error"]["type"]),
        (&json!("error"), &json!("invalid_request_error"))
    );

    let foreign = world.messages("openai/gpt-4o-mini", json!({})).send();
    assert_eq!(foreign.error(), "400 unsupported_endpoint");
    assert!(told(&foreign).1["message"].as_str().unwrap().contains("openai, does not serve /messages"));
    let masked = json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "I am ada@example.com"}]}]});
    assert_eq!(world.messages("anthropic/claude-sonnet-4-5", masked).send().status, 200);
    assert!(!String::from_utf8_lossy(&world.fake.only_request().body).contains("ada@example.com"));
}

#[test]
fn what_is_used_is_billed_whichever_api_it_was_asked_in() {
    let (fake, companion) = (FakeProvider::start(), Companion::start());
    let project = companion.project("acme", "shop");
    let gateway = native(&fake).companion(&companion).start();
    let token = gateway.client().mint(&project.api_key, &json!({"user_id": "ada"}));
    let model = "anthropic/claude-sonnet-4-5";
    let message = json!([{"role": "user", "content": "one two three four"}]);
    for path in ["/v1/chat/completions", "/v1/messages"] {
        for stream in [false, true] {
            let body = json!({"model": model, "max_tokens": 50, "messages": message, "stream": stream});
            let answer = gateway.client().post(path, &body).bearer(&token).send();
            assert_eq!(answer.status, 200, "{}", answer.text());
            // Nobody asked for it, so the client of a chat is not shown it.
            let usage_chunk = answer.text().contains(r#""choices":[]"#);
            assert!(!usage_chunk, "{}", answer.text());
        }
    }
    let url = companion.usage_database();
    wait_until(Duration::from_secs(20), "four records", || (ledger::count(&url) == 4).then_some(()));
    for record in ledger::records(&url) {
        let counts = (record.input, record.cached, record.output, record.estimated, record.outcome.as_str());
        assert_eq!(counts, (4, 2, 6, false, "complete"), "{record:?}");
        assert_eq!(record.model, model);
    }
}
