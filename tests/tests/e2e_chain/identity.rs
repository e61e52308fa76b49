//! Who gets in, and what about them reaches the provider.

use serde_json::json;
use tests::client::{chat, content};

use crate::Stage;

#[test]
fn a_minted_token_streams_a_chat_to_its_done() {
    let stage = Stage::new();
    let token = stage.token("u1");
    let mut stream = stage.client().chat_stream(&token, "openai/gpt-4o", "hi there").stream();
    assert_eq!(stream.status, 200);
    assert_eq!(stream.header("content-type").as_deref(), Some("text/event-stream; charset=utf-8"));
    let id = stream.header("x-request-id").expect("x-request-id");
    assert_eq!(stream.header("x-trace-id"), Some(id));
    let events = stream.events();
    assert_eq!(content(&events), "You said: hi there");
    assert_eq!(events.last().map(|event| event.data.as_str()), Some("[DONE]"));

    let plain = stage.client().chat(&token, "openai/gpt-4o", "and plain").send();
    assert_eq!((plain.status, plain.content().as_str()), (200, "You said: and plain"));
    let both =
        stage.client().post("/auth/v1/auth/mint", &json!({"user_id": "u2"})).bearer(&stage.project.api_key).send();
    assert_eq!(both.status, 200, "the second mint path: {}", both.text());
}

#[test]
fn whoever_has_no_token_gets_no_further_and_hurts_nobody() {
    let stage = Stage::new();
    let token = stage.token("u1");
    let client = stage.client();
    let body = chat("openai/gpt-4o", "hi");
    let nobody = client.post("/v1/chat/completions", &body).send();
    assert_eq!(nobody.status, 401, "{}", nobody.text());
    let _ = nobody.error();
    let key = client.post("/v1/chat/completions", &body).bearer(&stage.project.api_key).send();
    assert_eq!(key.error(), "401 api_key_not_allowed");
    assert!(key.text().contains("/v1/auth/mint"), "{}", key.text());
    assert_eq!(client.post("/v1/chat/completions", &body).bearer("a.b.c").send().error(), "401 invalid_token");

    assert!(stage.fake.requests().is_empty());

    let hostile: [(&[u8], &[u8]); 5] = [
        (b"authorization", b"Bearer \xff\xfe"),
        (b"x-tenant-id", b"\xff"),
        (b"x-session-id", b"\xc3\x28"),
        (b"x-tollgate-try-1", b"\xff"),
        (b"\xffname", b"v"),
    ];
    for (name, value) in hostile {
        let name_shown = String::from_utf8_lossy(name);
        for _ in 0..4 {
            let alone = client.post("/v1/chat/completions", &body).header(name, value).send();
            assert!(matches!(alone.status, 400 | 401), "{name_shown}: {} {}", alone.status, alone.text());
            let beside = client.chat(&token, "openai/gpt-4o", "hi").header(name, value).send();
            assert!(matches!(beside.status, 200 | 400 | 401), "{name_shown}: {} {}", beside.status, beside.text());
        }
        assert_eq!(client.chat(&token, "openai/gpt-4o", "hi").send().status, 200, "after {name_shown}");
    }
}

#[test]
fn the_provider_learns_neither_who_asks_nor_what_they_claim_to_be() {
    let stage = Stage::new();
    let token = stage.token("u1");
    let call = stage
        .client()
        .chat(&token, "openai/gpt-4o", "hi")
        .header("X-Tenant-Id", "spoofed")
        .header("x-project-id", "spoofed")
        .header("x-end-user-id", "spoofed")
        .header("x_end_user_id", "spoofed")
        .header("x-role", "admin")
        .header("x-tier", "pro")
        .header("x-tollgate-try-1", "anthropic")
        .header("x-tollgate-try-1", "google")
        .header("X-Tollgate-Hop", "spoofed")
        .header("x-envoy-max-retries", "9")
        .header("x-api-key", "spoofed")
        .header("cookie", "session=spoofed")
        .header("x-forwarded-for", "1.2.3.4")
        .header("openai-organization", "spoofed");
    let answer = call.send();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let seen = stage.fake.only_request();
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/openai/v1/chat/completions"));
    assert_eq!(seen.header("host").as_deref(), Some("api.openai.com"));
    let keys: Vec<_> = seen.headers.iter().filter(|(name, _)| name == "authorization").collect();
    assert_eq!(keys.len(), 1);
    assert_eq!(keys[0].1, b"Bearer fake-key-openai");
    for (name, value) in &seen.headers {
        let value = String::from_utf8_lossy(value);
        assert!(!name.starts_with("x-tollgate") && !name.starts_with("x-envoy"), "{name}: {value}");
        assert!(!value.contains("spoofed") && !value.contains("1.2.3.4"), "{name}: {value}");
        assert!(!value.contains(&token), "{name} carries the user's token");
        let of_ours = [
            "x-tenant-id",
            "x-project-id",
            "x-end-user-id",
            "x-role",
            "x-tier",
            "x-session-id",
            "x-thread-id",
            "x-conversation-id",
        ];
        assert!(!of_ours.contains(&name.as_str()), "{name}: {value}");
    }
}
