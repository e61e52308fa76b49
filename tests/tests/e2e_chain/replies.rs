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

#[test]
fn an_escaped_slash_stands_in_a_models_name_and_nowhere_else() {
    let stage = Stage::new();
    let token = stage.token("u1");
    let client = stage.client();
    let told = |method: &str, path: &str| client.call(method, path).bearer(&token).send();
    for path in ["/v1/models/openai%2Fgpt-4o", "/v1/models/openai%2fgpt-4o", "/v1/models/openai%2Fgpt-4o?a=%2Fb"] {
        assert_eq!(told("GET", path).json()["id"], "openai/gpt-4o", "{path}");
    }
    assert_eq!(client.get("/v1/models/openai%2Fgpt-4o").send().error(), "401 invalid_api_key");
    assert_eq!(told("GET", "/v1/models/openai%2Fno-such-model").error(), "404 model_not_found");
    for path in [
        "/v1%2fmodels",
        "/v1/models%2Fopenai%2Fgpt-4o",
        "/v1/models/%2Fgpt-4o",
        "/v1/models/openai%2F",
        "/v1/models/openai%2F%2Fgpt-4o",
        "/v1/models/openai%5Cgpt-4o",
        "/v1/models/openai%252F%2Fgpt-4o",
        "/v1/models/..%2fthreads",
        "/v1/models/%2e%2e%2fthreads",
        "/v1/models/openai%2F..%2F..%2Fthreads",
        "/v1/models/openai%2F%2e%2e%2F%2e%2e%2Fthreads",
        "/v1/models/openai/gpt%2F..%2F..%2F..%2Fthreads",
        "/v1/models/leaderboard%2F..%2Fgpt-4o",
        "/v1/threads/a%2Fb",
        "/v1/threads%2Fa",
        "/v1/usage%2F..%2Fthreads",
        "/v1/auth/mint%2f..%2f..%2fthreads",
        "/v1/auth%2fmint",
        "/.well-known%2fjwks.json",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            assert_eq!(told(method, path).error(), "400 invalid_request", "{method} {path}");
            assert_eq!(client.call(method, path).send().error(), "400 invalid_request", "{method} {path}");
        }
    }
    for path in ["/v1/chat%2Fcompletions", "/v1%2Fchat%2fcompletions", "/v1/models/x%2F..%2F..%2Fchat/completions"] {
        let body = json!({"model": "openai/gpt-4o", "messages": []});
        assert_eq!(client.post(path, &body).bearer(&token).send().error(), "400 invalid_request", "{path}");
    }
    // Nobody but the router answers under such a name, whatever is asked of it.
    for method in ["POST", "DELETE", "PUT"] {
        assert_eq!(told(method, "/v1/models/openai%2Fgpt-4o").error(), "404 not_found", "{method}");
    }
    assert!(stage.fake.requests().is_empty());
    assert_eq!(client.chat(&token, "openai/gpt-4o", "hi").send().status, 200);
}
