//! `router` and `provider` in a real Envoy: what the provider receives, and what a retry makes of it.

use serde_json::{Value, json};
use tests::client::content;
use tests::{Answer, Call, EnvoyConfig, FakeProvider, Gateway, Received};

/// A gateway with both filters and the shipped chains, in front of a provider that remembers.
struct World {
    fake: FakeProvider,
    gateway: Gateway,
}

impl World {
    fn start() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Value)) -> Self {
        let fake = FakeProvider::start();
        let gateway = Gateway::routing().fake(&fake).edit(change).start();
        Self { fake, gateway }
    }

    fn chat(&self, body: impl AsRef<[u8]>) -> Call {
        self.gateway.client().call("POST", "/v1/chat/completions").header("content-type", "application/json").body(body)
    }

    /// The one request that the provider got for this call.
    fn received(&self, call: &Call) -> (Answer, Received) {
        self.fake.clear();
        let answer = call.send();
        assert_eq!(answer.status, 200, "{}", answer.text());
        (answer, self.fake.only_request())
    }
}

/// Every header but those that any two requests have.
fn named(request: &Received) -> Vec<String> {
    let mut names: Vec<_> = request.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    names.sort();
    names
}

#[test]
fn every_form_of_a_name_arrives_as_the_providers_own_id() {
    let world = World::start();
    for (asked, path, id, canonical, replaced) in [
        ("gpt-4o", "/openai", "gpt-4o", "openai/gpt-4o", None),
        ("openai/gpt-4o", "/openai", "gpt-4o", "openai/gpt-4o", None),
        ("openai/gpt-4o-mini", "/openai", "gpt-4o-mini", "openai/gpt-4o-mini", None),
        ("fast", "/openai", "gpt-4o-mini", "openai/gpt-4o-mini", Some("fast -> openai/gpt-4o-mini")),
        ("default", "/openai", "gpt-4o-mini", "openai/gpt-4o-mini", Some("default -> openai/gpt-4o-mini")),
        ("", "/openai", "gpt-4o-mini", "openai/gpt-4o-mini", Some("default -> openai/gpt-4o-mini")),
        (
            "anthropic/claude-3.5-sonnet",
            "/anthropic",
            "claude-3-5-sonnet-latest",
            "anthropic/claude-3-5-sonnet-latest",
            None,
        ),
        ("claude-sonnet-4-5", "/anthropic", "claude-sonnet-4-5", "anthropic/claude-sonnet-4-5", None),
        ("gemini/gemini-2.5-flash", "/google", "gemini-2.5-flash", "google/gemini-2.5-flash", None),
        ("mistralai/mistral-large", "/mistral", "mistral-large", "mistral/mistral-large", None),
    ] {
        let body =
            |model: &str| format!("{{ \"n\":1.0 ,\n\"model\" :\"{model}\", \"messages\":[],\"x\":\"\\u00e9é\" }}");
        let (answer, received) = world.received(&world.chat(body(asked)));
        assert_eq!(received.body, body(id).as_bytes(), "{asked}");
        assert!(received.path.starts_with(path) && received.path.ends_with("/chat/completions"), "{}", received.path);
        assert_eq!(answer.header("x-tollgate-model").as_deref(), Some(canonical), "{asked}");
        assert_eq!(answer.header("x-tollgate-model-override").as_deref(), replaced, "{asked}");
        assert_eq!(answer.header("x-tollgate-provider").as_deref(), path.strip_prefix('/'), "{asked}");
    }
}

#[test]
fn every_operation_finds_its_path_at_the_provider() {
    let world = World::start();
    for (path, body) in [
        ("completions", json!({"model": "gemini-2.5-flash", "prompt": "hi"})),
        ("embeddings", json!({"model": "gemini-embedding-001", "input": "hi"})),
        ("responses", json!({"model": "gemini-9-nobody-knows", "input": "hi"})),
    ] {
        let (_, received) = world.received(&world.gateway.client().post(&format!("/v1/{path}?key=secret"), &body));
        assert_eq!(received.path, format!("/google/v1beta/openai/{path}"));
        assert_eq!(received.body, body.to_string().as_bytes());
    }
}

#[test]
fn nothing_of_the_client_and_nothing_of_ours_leaves() {
    let world = World::start();
    let call = world.chat(r#"{"model":"gpt-4o-mini"}"#);
    let call = [
        ("authorization", "Bearer token"),
        ("x-api-key", "mine"),
        ("X-Api-Key", "mine too"),
        ("api-key", "mine"),
        ("cookie", "a=b"),
        ("x-tenant-id", "t"),
        ("X-End-User-Id", "ada"),
        ("x-session-id", "s"),
        ("x-thread-id", "t"),
        ("x-tollgate-route", "{}"),
        ("x-tollgate-try-1", "google"),
        ("x-tollgate-model", "google/gemini"),
        ("x-tollgate-hop", "guess"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-envoy-retry-on", "5xx"),
        ("openai-organization", "org"),
        ("accept-encoding", "gzip"),
        ("accept", "*/*"),
        ("user-agent", "OpenAI/Python"),
        ("x-stainless-lang", "python"),
        ("openai-beta", "assistants=v2"),
    ]
    .into_iter()
    .fold(call, |call, (name, value)| call.header(name, value));
    let (answer, received) = world.received(&call);
    let expected = [
        "accept",
        "accept-encoding",
        "authorization",
        "content-length",
        "content-type",
        "host",
        "openai-beta",
        "user-agent",
        "x-request-id",
        "x-stainless-lang",
    ];
    assert_eq!(named(&received), expected);
    assert_eq!(received.path, "/openai/v1/chat/completions");
    assert_eq!(received.header("authorization").as_deref(), Some("Bearer fake-key-openai"));
    assert_eq!(received.header("accept-encoding").as_deref(), Some("identity"));
    assert_eq!(received.header("host").as_deref(), Some("api.openai.com"));
    assert_eq!(answer.header("x-request-id"), received.header("x-request-id"));
}

#[test]
fn an_unknown_model_and_an_unreadable_body_reach_nobody() {
    let world = World::start();
    for (body, expected) in [
        (r#"{"model":"llama3:8b"}"#, "404 model_not_found"),
        (r#"{"model":"\u0000\n"}"#, "404 model_not_found"),
        (r#"{"model":"gpt-4o","model":"gpt-4o-mini"}"#, "400 invalid_request"),
        (r#"{"model":"gpt-4o""#, "400 invalid_request"),
        ("", "400 invalid_request"),
    ] {
        let answer = world.chat(body).header("x-tollgate-try-1", "openai").send();
        assert_eq!(answer.error(), expected, "{body}");
    }
    let answer = world.chat(r#"{"model":"llama3:8b"}"#).send().json();
    assert_eq!(answer["error"]["param"], "model");
    assert!(answer["error"]["message"].as_str().unwrap().contains("`llama3:8b`"), "{answer}");
    assert!(world.chat(format!(r#"{{"model":"{}"}}"#, "x".repeat(100_000))).send().body.len() < 500);
    assert_eq!(world.fake.requests().len(), 0);
}

#[test]
fn hostile_bytes_are_answered_and_the_next_request_works() {
    let world = World::start();
    let good = r#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}"#;
    let bodies: [&[u8]; 5] = [
        b"\xff\xfe{\"model\":\"gpt-4o\"}",
        b"{\"model\":\"gpt-4o\xff\"}",
        b"{\"model\":\"\\ud800\"}",
        b"\0",
        &[b'['; 200_000],
    ];
    for body in bodies {
        let status = world.chat(body).send().status;
        assert!(status == 400 || status == 404, "{status}");
        assert_eq!(world.chat(good).send().content(), "You said: hi");
    }
    let headers: [(&[u8], &[u8]); 3] =
        [(b"x-tollgate-try-1", b"\xff"), (b"user-agent", b"\xff\xfe"), (b"x-\xc3", b"1")];
    for (name, value) in headers {
        let answer = world.chat(good).header(name, value).try_send();
        assert!(answer.is_err() || matches!(answer.unwrap().status, 200 | 400), "{name:?}");
        assert_eq!(world.chat(good).send().content(), "You said: hi");
    }
}

/// The second request is Anthropic's alone, whatever the first one was.
fn assert_second(first: Option<&Received>, second: &Received, sent: &str) {
    assert_eq!(second.path, "/anthropic/v1/chat/completions");
    assert_eq!(second.header("host").as_deref(), Some("api.anthropic.com"));
    let keys: Vec<_> = second.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("x-api-key")).collect();
    assert_eq!(keys.len(), 1, "{second:?}");
    assert_eq!(second.header("x-api-key").as_deref(), Some("fake-key-anthropic"));
    assert!(
        !second.has("authorization")
            && !second.has("x-tollgate-route")
            && !second.has("x-tollgate-try-1")
            && !second.has("x-tollgate-model")
    );
    assert_eq!(second.body, sent.replace("openai/gpt-4o", "claude-sonnet-4-5").as_bytes());
    if let Some(first) = first {
        assert_eq!(first.path, "/openai/v1/chat/completions");
        assert_eq!(first.header("authorization").as_deref(), Some("Bearer fake-key-openai"));
        assert!(!first.has("x-api-key"), "{first:?}");
        assert_eq!(first.body, sent.replace("openai/gpt-4o", "gpt-4o").as_bytes());
    }
}

/// Anthropic wants its key in another header than OpenAI, so that a leak would show.
fn different_keys(config: &mut Value) {
    walk(config, &mut |value| {
        if value["name"] == "provider" && value["configuration"].is_object() {
            let text = value["configuration"]["value"].as_str().unwrap();
            let mut config: Value = serde_json::from_str(text).unwrap();
            config["providers"]["anthropic"]["auth"] = json!({"header": "x-api-key"});
            value["configuration"]["value"] = json!(config.to_string());
        }
    });
}

fn walk(value: &mut Value, visit: &mut impl FnMut(&mut Value)) {
    visit(value);
    match value {
        Value::Array(values) => values.iter_mut().for_each(|it| walk(it, visit)),
        Value::Object(values) => values.values_mut().for_each(|it| walk(it, visit)),
        _ => {}
    }
}

#[test]
fn a_failing_provider_is_followed_by_the_next_with_everything_its_own() {
    let world = World::with(different_keys);
    let sent = r#"{ "model":"openai/gpt-4o", "n":1.0,"messages":[{"role":"user","content":"hi"}]}"#;
    // A fault of the request's own is told to the client, not retried.
    world.fake.clear();
    world.fake.behave("/openai", "400", None);
    assert_eq!(world.chat(sent).send().status, 400);
    assert_eq!(world.fake.requests().len(), 1);
    world.fake.behave_well();
    // Who says 429 is left alone afterwards.
    for failure in ["503", "500", "reset", "429-after-7"] {
        world.fake.clear();
        world.fake.behave("/openai", failure, None);
        let answer = world.chat(sent).header("authorization", "Bearer token").send();
        world.fake.behave_well();
        assert_eq!(answer.content(), "You said: hi", "{failure}");
        assert_eq!(answer.header("x-tollgate-provider").as_deref(), Some("anthropic"), "{failure}");
        assert_eq!(answer.header("x-tollgate-provider-model").as_deref(), Some("claude-sonnet-4-5"), "{failure}");
        let requests = world.fake.requests();
        assert_eq!(requests.len(), 2, "{failure}");
        assert_second(Some(&requests[0]), &requests[1], sent);
    }
}

#[test]
fn a_stream_and_a_body_of_megabytes_are_sent_again_whole() {
    let world = World::with(different_keys);
    world.fake.behave("/openai", "503", None);
    let mut stream = world.gateway.client().chat_stream("t", "openai/gpt-4o", "a b c").stream();
    assert_eq!((stream.status, content(&stream.events()).as_str()), (200, "You said: a b c"));
    world.fake.clear();
    let picture =
        format!(r#"{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{}"}}}}"#, "QUJD".repeat(1_250_000));
    let sent = format!(r#"{{"messages":[{{"role":"user","content":["é",{picture}]}}],"model":"openai/gpt-4o"}}"#);
    assert_eq!(world.chat(&sent).send().status, 200);
    assert_second(None, &world.fake.requests()[1], &sent);
}

#[test]
fn a_provider_that_nobody_listens_for_is_passed_over() {
    let world = World::with(|config| {
        different_keys(config);
        let mut whole = EnvoyConfig::parse(&config.to_string()).unwrap();
        whole.provider_at("openai", 1);
        *config = whole.root().clone();
    });
    let sent = r#"{"model":"openai/gpt-4o","messages":[{"role":"user","content":"hi"}]}"#;
    for _ in 0..3 {
        world.fake.clear();
        assert_eq!(world.chat(sent).send().content(), "You said: hi");
        assert_second(None, &world.fake.only_request(), sent);
    }
}

#[test]
fn a_missing_credential_is_told_in_the_products_words() {
    let world = World::with(|config| {
        walk(config, &mut |value| {
            if value["name"] == "provider" && value["configuration"].is_object() {
                let text = value["configuration"]["value"].as_str().unwrap();
                let mut config: Value = serde_json::from_str(text).unwrap();
                config["providers"]["google"]["credential"] = json!({"env": "TOLLGATE_TEST_UNSET"});
                value["configuration"]["value"] = json!(config.to_string());
            }
        });
    });
    let answer = world.chat(r#"{"model":"gemini-2.5-flash"}"#).send();
    assert_eq!(answer.error(), "400 provider_not_configured");
    let message = "Configure your google API key in Provider Settings to use gemini-2.5-flash";
    assert_eq!(answer.json()["error"]["message"], message);
    assert_eq!(world.fake.requests().len(), 0);
}

#[test]
fn the_router_alone_names_the_provider() {
    let fake = FakeProvider::start();
    let gateway = Gateway::from("envoy/examples/router.yaml").fake(&fake).start();
    let client = gateway.client();
    assert_eq!(client.chat("t", "fast", "hi").send().content(), "You said: hi");
    assert_eq!(client.chat("t", "meta-llama/Llama-3.1-8B", "hi").send().content(), "You said: hi");
    let models: Vec<_> = fake.requests().iter().map(|it| it.json()["model"].clone()).collect();
    assert_eq!(models, ["llama3.2:3b", "meta-llama/Llama-3.1-8B"]);
    assert_eq!(client.chat("t", "gpt-4o", "hi").header("x-tollgate-try-1", "vllm").send().status, 404);
    // Not a model call: the router names no provider, and the client may not.
    assert_ne!(client.get("/v1/files").header("x-tollgate-try-1", "vllm").send().status, 200);
    assert_eq!(fake.requests().len(), 2);
}

#[test]
fn the_provider_alone_keeps_the_model_and_retries() {
    let fake = FakeProvider::start();
    let gateway = Gateway::from("envoy/examples/provider.yaml").fake(&fake).start();
    fake.behave("/openai", "503", None);
    let answer = gateway.client().chat("mine", "gpt-4o", "hi").send();
    assert_eq!(answer.content(), "You said: hi");
    let requests = fake.requests();
    assert_eq!(
        requests.iter().map(|it| it.path.as_str()).collect::<Vec<_>>(),
        ["/openai/v1/chat/completions", "/anthropic/v1/chat/completions"]
    );
    assert_eq!(requests[1].header("authorization").as_deref(), Some("Bearer fake-key-anthropic"));
    assert_eq!(requests[1].json()["model"], "gpt-4o");
    assert_eq!(gateway.client().call("DELETE", "/v1/files/1").send().error(), "404 not_found");
}
