//! What Envoy itself answers, in the same shape as everybody else.

use serde_json::json;

use crate::Stage;

#[test]
fn envoys_own_replies_have_the_one_error_shape() {
    let stage = Stage::new();
    let token = stage.token("u1");
    let client = stage.client();
    let nothing = client.get("/nothing").bearer(&token).send();
    assert_eq!(nothing.error(), "404 not_found");
    assert_eq!(nothing.header("x-trace-id"), nothing.header("x-request-id"));
    assert_eq!(client.get("/v1%2fmodels").bearer(&token).send().error(), "400 invalid_request");
    assert_eq!(client.raw(b"what is this\r\n\r\n").unwrap().error(), "400 invalid_request");
    assert_eq!(client.get("/v1/models").header("x-a", "a\0b").send().error(), "400 invalid_request");
    let large = client.get("/v1/models").header("x-large", "a".repeat(70_000)).send();
    assert_eq!(large.error(), "431 request_too_large");
    let many = (0..150).fold(client.get("/v1/models"), |call, number| call.header(format!("x-{number}"), "1"));
    assert_eq!(many.send().error(), "431 request_too_large");
    let text = "a".repeat(17 << 20);
    let body = json!({"model": "openai/gpt-4o", "messages": [{"role": "user", "content": text}]});
    let too_large = client.post("/v1/chat/completions", &body).bearer(&token).send();
    assert_eq!(too_large.error(), "413 request_too_large");
    assert!(stage.fake.requests().is_empty());
    assert_eq!(client.chat(&token, "openai/gpt-4o", "hi").send().status, 200);
}
