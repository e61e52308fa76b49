//! Who is asked, in which order, as earlier answers decide it: `router` and `provider` in a real Envoy.

use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::TcpStream,
};
use tests::{Answer, FakeProvider, Gateway};

/// A gateway whose router has these chains for `gpt-4o` and for `auto`.
fn gateway(fake: &FakeProvider, chain: &Value) -> Gateway {
    let config = json!({
        "auto": ["gpt-4o", "gemini-2.5-flash"],
        "models": [{"name": "gpt-4o", "chain": "chosen"}, {"name": "google/*", "chain": "google"}],
        "chains": {"chosen": chain, "google": [{"provider": "google"}]}
    });
    Gateway::routing().filter("router", &config).fake(fake).start()
}

fn chat(gateway: &Gateway, model: &str) -> Answer {
    gateway.client().post("/v1/chat/completions", &json!({"model": model, "messages": []})).send()
}

/// Status, and who answered after how many attempts.
fn served(gateway: &Gateway, model: &str) -> String {
    let answer = chat(gateway, model);
    let said = |name: &str| answer.header(name).unwrap_or_default();
    format!("{} {} {}", answer.status, said("x-tollgate-provider"), said("x-tollgate-attempts"))
}

fn two() -> Value {
    json!([{"provider": "openai"}, {"provider": "anthropic", "model": "claude-sonnet-4-5"}])
}

#[test]
fn a_provider_that_fails_five_times_is_left_alone() {
    let fake = FakeProvider::start();
    let gateway = gateway(&fake, &two());
    for (path, failure) in [("/openai", "503"), ("/anthropic", "reset")] {
        fake.behave(path, failure, None);
    }
    for _ in 0..5 {
        assert!(chat(&gateway, "gpt-4o").status >= 500);
    }
    fake.clear();
    let answer = chat(&gateway, "gpt-4o");
    assert_eq!(answer.error(), "503 upstream_error");
    let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=30).contains(&seconds), "{seconds}");
    assert_eq!(fake.requests().len(), 0, "neither is asked");
    assert_eq!(served(&gateway, "gemini-2.5-flash"), "200 google 1", "another provider is");
}

#[test]
fn who_is_ill_is_passed_over_by_the_first_attempt() {
    let fake = FakeProvider::start();
    let gateway = gateway(&fake, &two());
    fake.behave("/openai", "reset", None);
    for _ in 0..5 {
        assert_eq!(served(&gateway, "gpt-4o"), "200 anthropic 2");
    }
    fake.behave_well();
    assert_eq!(served(&gateway, "gpt-4o"), "200 anthropic 1");
}

#[test]
fn who_has_too_many_requests_is_left_alone_for_as_long_as_it_says() {
    let fake = FakeProvider::start();
    let gateway = gateway(&fake, &two());
    fake.behave("/openai", "429-after-7", Some(1));
    assert_eq!(served(&gateway, "gpt-4o"), "200 anthropic 2");
    assert_eq!(served(&gateway, "gpt-4o"), "200 anthropic 1");
}

#[test]
fn the_requests_own_faults_are_nobodys_failure() {
    let fake = FakeProvider::start();
    let gateway = gateway(&fake, &two());
    fake.behave("/openai", "400", Some(8));
    for _ in 0..8 {
        assert_eq!(chat(&gateway, "gpt-4o").status, 400);
    }
    assert_eq!(served(&gateway, "gpt-4o"), "200 openai 1");
}

#[test]
fn a_strategy_a_word_behind_the_name_and_the_client_each_decide_who_is_first() {
    let fake = FakeProvider::start();
    let chain = json!({"strategy": "price", "candidates": [
        {"provider": "anthropic", "model": "claude-opus-4-5"}, {"provider": "openai"},
        {"provider": "google", "model": "gemini-2.5-flash", "parameters": {"temperature": 0.5}}
    ]});
    let gateway = gateway(&fake, &chain);
    assert_eq!(served(&gateway, "gpt-4o"), "200 google 1");
    assert_eq!(fake.only_request().json()["temperature"], json!(0.5));
    assert_eq!(served(&gateway, "auto"), "200 google 1");
    fake.behave("/google", "503", None);
    assert_eq!(served(&gateway, "gpt-4o:floor"), "200 openai 2");
    for (preferences, expected) in [
        (json!({"order": ["anthropic"]}), "anthropic"),
        (json!({"only": ["openai"]}), "openai"),
        (json!({"ignore": ["google", "openai"]}), "anthropic"),
    ] {
        fake.clear();
        let body = json!({"model": "gpt-4o", "messages": [], "provider": preferences, "models": ["gpt-4o"]});
        let answer = gateway.client().post("/v1/chat/completions", &body).send();
        assert_eq!(answer.header("x-tollgate-provider").as_deref(), Some(expected), "{}", answer.text());
        let sent = fake.only_request().json();
        assert!(sent.get("provider").is_none() && sent.get("models").is_none(), "{sent}");
    }
    let body = json!({"model": "gpt-4o", "messages": [], "provider": {"only": ["mistral"]}});
    assert_eq!(gateway.client().post("/v1/chat/completions", &body).send().error(), "404 model_not_found");
}

#[test]
fn what_is_measured_decides_who_is_first() {
    let fake = FakeProvider::start();
    let chain = json!({"strategy": "quality", "candidates": [
        {"provider": "openai"}, {"provider": "anthropic", "model": "claude-sonnet-4-5"}
    ]});
    let gateway = gateway(&fake, &chain);
    // Each is tried while nothing is known of it; an answer that is cut short is no valid one.
    fake.behave("/openai", "words-9+end-4", None);
    let body = json!({"model": "gpt-4o", "stream": true, "messages": [{"role": "user", "content": "hi"}]});
    let mut counts = [0; 2];
    for _ in 0..30 {
        let answer = gateway.client().post("/v1/chat/completions", &body).send();
        match answer.header("x-tollgate-provider").as_deref() {
            Some("openai") => counts[0] += 1,
            Some("anthropic") => counts[1] += 1,
            other => panic!("{other:?}: {}", answer.text()),
        }
    }
    assert!(counts[1] > 3 * counts[0], "{counts:?}");
}

/// Asks over HTTP/2, reads until the answer's body has begun, and resets the stream as a client does that has changed its mind.
fn reset(gateway: &Gateway, body: &str) {
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
    };
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    // `:method: POST`, `:scheme: http`, then `:path`, `:authority` and `content-type` as literals (RFC 7541, appendix A).
    let mut head = vec![0x83, 0x86, 0x04];
    head.extend(text("/v1/chat/completions"));
    head.extend([&[0x01][..], &text("gateway"), &[0x0f, 0x10], &text("application/json")].concat());
    let mut connection = TcpStream::connect(("127.0.0.1", gateway.port())).unwrap();
    let hello = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(4, 0, 0, &[])].concat();
    let asked = [frame(1, 4, 1, &head), frame(0, 1, 1, body.as_bytes())].concat();
    connection.write_all(&[hello, asked].concat()).unwrap();
    loop {
        let mut head = [0; 9];
        connection.read_exact(&mut head).unwrap();
        let mut payload = vec![0; usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2])];
        connection.read_exact(&mut payload).unwrap();
        match head[3] {
            0 => break,
            1 => assert_eq!(payload.first(), Some(&0x88), "`:status: 200`"),
            _ => {}
        }
    }
    let cancel = [0, 0, 0, 8];
    // The answer to a ping comes when the gateway has read what stands before it.
    connection.write_all(&[frame(3, 0, 1, &cancel), frame(6, 0, 0, &[0; 8])].concat()).unwrap();
    let mut rest: Vec<u8> = Vec::new();
    while !rest.windows(5).any(|it| it == [8, 6, 1, 0, 0]) {
        let mut piece = [0; 4096];
        let read = connection.read(&mut piece).unwrap();
        assert_ne!(read, 0, "the gateway closed the connection");
        rest.extend(&piece[..read]);
    }
}

#[test]
fn a_client_that_resets_its_stream_is_no_failure_of_the_provider() {
    let fake = FakeProvider::start();
    let gateway = gateway(&fake, &json!({"strategy": "latency", "candidates": two()}));
    fake.behave("", "slow-50ms+words-200", None);
    for _ in 0..12 {
        reset(&gateway, r#"{"model":"gpt-4o","stream":true,"messages":[]}"#);
    }
    fake.behave_well();
    for provider in ["openai", "anthropic"] {
        let body = json!({"model": "gpt-4o", "messages": [], "provider": {"order": [provider]}});
        let answer = gateway.client().post("/v1/chat/completions", &body).send();
        assert_eq!(answer.header("x-tollgate-provider").as_deref(), Some(provider));
    }
}
