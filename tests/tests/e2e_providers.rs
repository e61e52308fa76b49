//! What providers take otherwise than OpenAI's, and what they answer otherwise, in a real Envoy.

use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use tests::{Answer, FakeProvider, Gateway, Received};

/// The provider filter alone, before providers that remember what they got.
struct World {
    fake: FakeProvider,
    gateway: Gateway,
}

impl World {
    /// Of OpenAI and Anthropic, `first` in front of the other, each of this kind.
    fn start(first: &str, kinds: [&str; 2]) -> Self {
        let fake = FakeProvider::start();
        let gateway = Gateway::from("envoy/examples/provider.yaml")
            .fake(&fake)
            .edit_filter("provider", |config| {
                config["providers"]["openai"]["kind"] = json!(kinds[0]);
                config["providers"]["anthropic"]["kind"] = json!(kinds[1]);
            })
            .edit(|config| {
                let clusters = config["static_resources"]["clusters"].as_array_mut().unwrap();
                let both = clusters.iter_mut().find(|it| it["name"] == "providers").unwrap();
                let second = if first == "openai" { "anthropic" } else { "openai" };
                both["cluster_type"]["typed_config"]["clusters"] = json!([{"name": first}, {"name": second}]);
            })
            .start();
        Self { fake, gateway }
    }

    fn chat(&self, body: &str) -> Answer {
        let call = self.gateway.client().call("POST", "/v1/chat/completions");
        call.header("content-type", "application/json").body(body).send()
    }

    /// The one request that the provider got for this body.
    fn received(&self, body: &str) -> Received {
        self.fake.clear();
        let answer = self.chat(body);
        assert_eq!(answer.status, 200, "{}", answer.text());
        self.fake.only_request()
    }
}

#[test]
fn each_kind_of_provider_gets_the_parameters_that_it_takes() {
    for (kind, sent, expected) in [
        (
            "mistral",
            r#"{ "model":"m", "user":"ada", "messages":[],"seed" : 7,"x":"\u00e9é", "max_completion_tokens":1.0 }"#,
            r#"{ "model":"m", "messages":[],"random_seed" : 7,"x":"\u00e9é", "max_tokens":1.0 }"#,
        ),
        (
            "groq",
            r#"{"model":"m","temperature":0,"messages":[],"logprobs":true}"#,
            r#"{"model":"m","temperature":1e-8,"messages":[]}"#,
        ),
        (
            "anthropic",
            r#"{"model":"m","temperature":1.5,"messages":[]}"#,
            r#"{"model":"m","temperature":1,"messages":[]}"#,
        ),
        (
            "custom",
            r#"{"model":"m","max_completion_tokens":5,"messages":[]}"#,
            r#"{"model":"m","max_tokens":5,"messages":[]}"#,
        ),
        (
            "vllm",
            r#"{ "model":"m","seed":1,"logprobs":true,"n":1 }"#,
            r#"{ "model":"m","seed":1,"logprobs":true,"n":1 }"#,
        ),
    ] {
        let world = World::start("openai", [kind, kind]);
        let received = world.received(sent);
        assert_eq!(String::from_utf8_lossy(&received.body), expected, "{kind}");
        assert_eq!(received.header("content-length"), Some(expected.len().to_string()), "{kind}");
    }
}

#[test]
fn what_a_provider_does_not_do_is_refused_and_the_next_request_works() {
    let world = World::start("openai", ["groq", "groq"]);
    let answer = world.chat(r#"{"model":"m","messages":[],"n":2}"#);
    assert_eq!((answer.error().as_str(), &answer.json()["error"]["param"]), ("400 invalid_request", &json!("n")));
    assert_eq!(world.chat(r#"{"model":"m","seed":1,"seed":2}"#).error(), "400 invalid_request");
    assert_eq!(world.fake.requests().len(), 0);
    world.received(r#"{"model":"m","messages":[],"n":1}"#);
}

#[test]
fn an_edited_attempt_leaves_no_length_to_the_next() {
    let sent = r#"{"model":"m","user":"somebody with a long name","messages":[{"role":"user","content":"hi"}]}"#;
    let edited = sent.replace(r#""user":"somebody with a long name","#, "");
    for (first, second, expected) in
        [("openai", "anthropic", [&*edited, sent]), ("anthropic", "openai", [sent, &*edited])]
    {
        let world = World::start(first, ["mistral", "vllm"]);
        world.fake.behave(&format!("/{first}"), "503", None);
        let answer = world.chat(sent);
        assert_eq!(answer.content(), "You said: hi");
        assert_eq!(answer.header("x-tollgate-provider").as_deref(), Some(second));
        let bodies: Vec<_> =
            world.fake.requests().iter().map(|it| String::from_utf8_lossy(&it.body).into_owned()).collect();
        assert_eq!(bodies, expected, "{first}");
    }
}

#[test]
fn a_model_that_thinks_first_gets_the_new_name_of_its_limit() {
    let fake = FakeProvider::start();
    let gateway = Gateway::routing().fake(&fake).start();
    for (model, member) in [("gpt-5-mini", "max_completion_tokens"), ("gpt-4o-mini", "max_tokens")] {
        fake.clear();
        let body: Value = json!({"model": model, "messages": [], "max_tokens": 5});
        assert_eq!(gateway.client().post("/v1/chat/completions", &body).send().status, 200);
        assert_eq!(fake.only_request().json()[member], 5, "{model}");
    }
}

/// A provider that answers each request with the next of these, whatever it is asked.
fn answering(answers: Vec<String>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for answer in answers {
            let Ok((mut stream, _)) = listener.accept() else { return };
            let mut got = Vec::new();
            // The body of these requests is the last that comes.
            while !got.ends_with(b"}") {
                let mut piece = [0; 4096];
                let Ok(count @ 1..) = stream.read(&mut piece) else { return };
                got.extend_from_slice(&piece[..count]);
            }
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    port
}

#[test]
fn every_error_has_the_four_keys_and_the_providers_text() {
    let plain = |kind: &str, body: &str| {
        format!(
            "HTTP/1.1 400 Bad\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    let chunked = |pieces: &[&str]| {
        let pieces: String = pieces.iter().map(|it| format!("{:x}\r\n{it}\r\n", it.len())).collect();
        format!("HTTP/1.1 400 Bad\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n{pieces}0\r\n\r\n")
    };
    let own = r#"{ "error": {"message":"m", "type":"t", "param":null, "code":null} }"#;
    let long = "x".repeat(70_000);
    let cases = [
        (plain("application/json", r#"[{"error":{"code":400,"message":"hm","status":"INVALID"}}]"#), "hm", "INVALID"),
        (plain("application/json", r#"{"detail":"no such model"}"#), "no such model", "upstream_error"),
        (plain("text/html", "<h1>Bad</h1>"), "<h1>Bad</h1>", "upstream_error"),
        (chunked(&["{\"error\":", "\"slow ", "down\"}"]), "slow down", "upstream_error"),
        (chunked(&[&long, &long]), &long[..2_000], "upstream_error"),
        (plain("application/json", own), "m", ""),
    ];
    let port = answering(cases.iter().map(|it| it.0.clone()).collect());
    let fake = FakeProvider::start();
    let gateway = Gateway::from("envoy/examples/provider.yaml")
        .fake(&fake)
        .edit(move |config| {
            let clusters = config["static_resources"]["clusters"].as_array_mut().unwrap();
            let openai = clusters.iter_mut().find(|it| it["name"] == "openai").unwrap();
            let endpoint = &mut openai["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"];
            endpoint["address"]["socket_address"]["port_value"] = json!(port);
        })
        .start();
    for (sent, message, code) in &cases {
        let answer = gateway.client().chat("t", "m", "hi").send();
        assert_eq!(answer.status, 400);
        assert_eq!(answer.header("content-type").as_deref(), Some("application/json"));
        if code.is_empty() {
            assert_eq!(answer.text(), own);
        }
        let error = &answer.json()["error"];
        assert_eq!(error["message"].as_str(), Some(*message), "{sent}");
        assert_eq!(error["code"].as_str().unwrap_or_default(), *code, "{sent}");
        assert!(error["type"].is_string() && error.get("param").is_some(), "{error}");
    }
}
