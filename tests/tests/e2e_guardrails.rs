//! The `guardrails` filter as its example runs it, in a real Envoy with two workers.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "test code")]

use serde_json::{Value, json};
use tests::client::content;
use tests::{Answer, Call, EnvoyConfig, FakeProvider, Gateway};

const KEY: &str = "sk-proj-Zx9Qw4Rt7Zx9Qw4Rt7mK2Lp8Vb3NcT3BlbkFJaaS5d";

fn gateway(fake: &FakeProvider, change: &Value) -> Gateway {
    let example = EnvoyConfig::load("envoy/examples/guardrails.yaml").unwrap();
    let edit = |config: &mut Value| config.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    Gateway::with(example).fake(fake).edit_filter("guardrails", edit).start()
}

fn ask(gateway: &Gateway, body: impl AsRef<[u8]>) -> Call {
    gateway.client().call("POST", "/v1/chat/completions").header("content-type", "application/json").body(body)
}

/// A body with bytes that a careless rewrite would change.
fn chat(text: &str) -> String {
    let text = Value::from(text);
    format!(
        "{{ \"model\":\"gpt-4o\",\"temperature\":1.0, \"seed\":12345678901234567890,\"x\":\"\\u0041\\/\",\n\
         \"messages\":[{{\"role\":\"system\",\"content\":\"ask boss@example.com\"}},{{\"role\":\"user\",\"content\":{text}}}] }}"
    )
}

fn report(answer: &Answer) -> Option<String> {
    answer.header("x-tollgate-guardrails")
}

/// The last body that the provider got.
fn received(fake: &FakeProvider) -> String {
    String::from_utf8(fake.requests().pop().unwrap().body).unwrap()
}

#[test]
fn an_address_is_masked_and_every_other_byte_stays() {
    let fake = FakeProvider::start();
    let gateway = gateway(&fake, &json!({}));
    let answer = ask(&gateway, chat("ada@example.com, eve@example.org and ada@example.com")).send();
    assert_eq!((answer.status, report(&answer).as_deref()), (200, Some("pii=mask:3")));
    assert_eq!(received(&fake), chat("[EMAIL_1], [EMAIL_2] and [EMAIL_1]"));

    let harmless = ask(&gateway, chat("git@github.com:acme/repo.git, sk-xxxx")).send();
    assert_eq!((harmless.status, report(&harmless)), (200, None));
    assert_eq!(received(&fake), chat("git@github.com:acme/repo.git, sk-xxxx"));
    assert_eq!(gateway.stat("wasmcustom.tollgate_guardrails_emails_masked"), 3);
}

#[test]
fn a_stream_passes_and_its_head_says_what_was_masked() {
    let fake = FakeProvider::start();
    let gateway = gateway(&fake, &json!({}));
    let mut stream = gateway.client().chat_stream("t", "gpt-4o", "mail ada@example.com").stream();
    assert_eq!(stream.header("x-tollgate-guardrails").as_deref(), Some("pii=mask:1"));
    assert_eq!(content(&stream.events()), "You said: mail [EMAIL_1]");
}

#[test]
fn a_secret_blocks_the_request_and_is_not_repeated() {
    let fake = FakeProvider::start();
    let gateway = gateway(&fake, &json!({}));
    let answer = ask(&gateway, chat(&format!("my key is {KEY}, I am ada@example.com"))).send();
    assert_eq!(answer.error(), "400 content_blocked");
    assert_eq!(report(&answer).as_deref(), Some("pii=block:1"));
    let text = answer.text();
    assert!(
        text.contains("`pii`") && text.contains("OpenAI API key") && text.contains("messages[1].content"),
        "{text}"
    );
    assert!(!text.contains(&KEY[..12]) && !text.contains("ada"), "{text}");
    assert!(fake.requests().is_empty());
    assert_eq!(gateway.stat("wasmcustom.tollgate_guardrails_secrets_blocked"), 1);
}

#[test]
fn every_model_endpoint_is_guarded_and_no_other_path() {
    let fake = FakeProvider::start();
    let gateway = gateway(&fake, &json!({}));
    for (path, body) in [
        ("/v1/embeddings", json!({"model": "e", "input": ["a", KEY]})),
        ("/v1/completions", json!({"model": "c", "prompt": KEY})),
        (
            "/v1/responses",
            json!({"model": "r", "input": [{"role": "user", "content": [{"type": "input_text", "text": KEY}]}]}),
        ),
        ("/v1/chat/completions?x=y", json!({"messages": [{"role": "tool", "content": KEY}]})),
        ("/v1//chat/./completions", json!({"messages": [{"role": "user", "content": KEY}]})),
        ("/v1/ch%61t/completions", json!({"messages": [{"role": "user", "content": KEY}]})),
    ] {
        assert_eq!(gateway.client().post(path, &body).send().error(), "400 content_blocked", "{path}");
    }
    assert!(fake.requests().is_empty());
    let models = gateway.client().get("/v1/models").send();
    assert_eq!((models.status, report(&models)), (200, None));
}

#[test]
fn shadow_changes_nothing_and_says_what_it_saw() {
    let fake = FakeProvider::start();
    let gateway = gateway(&fake, &json!({"mode": "shadow"}));
    let body = chat(&format!("ada@example.com {KEY}"));
    let answer = ask(&gateway, &body).send();
    assert_eq!((answer.status, report(&answer).as_deref()), (200, Some("pii=shadow:2")));
    assert_eq!(received(&fake), body);
    let broken = ask(&gateway, "{\"model\":").send();
    assert_eq!(report(&broken).as_deref(), Some("pii=unreadable"));
    assert_eq!(received(&fake), "{\"model\":");
}

#[test]
fn off_does_not_look() {
    let fake = FakeProvider::start();
    let gateway = gateway(&fake, &json!({"mode": "off"}));
    let body = chat(KEY);
    let answer = ask(&gateway, &body).send();
    assert_eq!((answer.status, report(&answer)), (200, None));
    assert_eq!(received(&fake), body);
}

#[test]
fn too_much_text_is_refused_or_passes_as_the_operator_says() {
    let fake = FakeProvider::start();
    let long = chat(&"word ".repeat(30_000));
    let blocks = gateway(&fake, &json!({"max_bytes": 100_000}));
    let answer = ask(&blocks, &long).send();
    assert_eq!(answer.error(), "413 request_too_large");
    assert_eq!(report(&answer).as_deref(), Some("pii=oversize"));
    let allows = gateway(&fake, &json!({"max_bytes": 100_000, "on_oversize": "allow"}));
    let answer = ask(&allows, &long).send();
    assert_eq!((answer.status, report(&answer).as_deref()), (200, Some("pii=oversize")));
    assert_eq!(received(&fake), long);
}

#[test]
fn hostile_bodies_are_refused_and_the_next_request_works() {
    let fake = FakeProvider::start();
    let gateway = gateway(&fake, &json!({}));
    let deep = format!("{{\"messages\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let twice = format!("{{\"messages\":[{{\"role\":\"user\",\"content\":\"hi\",\"content\":\"{KEY}\"}}]}}");
    let bodies: [&[u8]; 9] = [
        b"",
        b"{",
        b"null",
        b"[]",
        b"{\"messages\":[{\"content\":\"\xff\"}]}",
        b"{\"messages\":[{\"content\":\"\\ud800\"}]}",
        b"\x1f\x8b\x08\x00\x00\x00",
        deep.as_bytes(),
        twice.as_bytes(),
    ];
    for body in bodies {
        let answer = ask(&gateway, body).send();
        assert_eq!(answer.error(), "400 invalid_request", "{}", String::from_utf8_lossy(&body[..body.len().min(40)]));
        assert_eq!(ask(&gateway, chat("hi")).send().status, 200);
    }
    let worst = chat(&"-----BEGIN PRIVATE KEY-----eyJ.eyJ.sk-@".repeat(10_000));
    assert_eq!(ask(&gateway, worst).send().status, 200);
}

#[test]
fn a_mistake_in_the_configuration_keeps_envoy_from_starting() {
    let example = EnvoyConfig::load("envoy/examples/guardrails.yaml").unwrap();
    let wrong = json!({"entities": {}});
    let error = Gateway::with(example).filter("guardrails", &wrong).try_start().unwrap_err();
    assert!(error.contains("`entities` is empty"), "{error}");
}
