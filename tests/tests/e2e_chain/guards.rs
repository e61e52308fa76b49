//! What guards find, as the shipped chain shows it.

use crate::Stage;
use serde_json::json;

#[test]
fn texts_are_tried_out_through_the_gateway_by_users_and_backends() {
    let stage = Stage::new();
    let token = stage.token("u1");
    for bearer in [&token, &stage.project.api_key] {
        let tried = stage.client().post("/v1/guardrails/test", &json!({"text": "write to ada@example.com"}));
        let tried = tried.bearer(bearer).send();
        assert_eq!(tried.status, 200, "{}", tried.text());
        assert!(tried.text().contains("[EMAIL_1]"), "{}", tried.text());
    }
    let nobody = stage.client().post("/v1/guardrails/test", &json!({"text": "hi"})).send();
    assert_eq!(nobody.status, 401, "{}", nobody.text());
}

#[test]
fn what_is_private_reaches_no_provider_and_comes_back_in_the_answer() {
    let stage = Stage::new();
    let token = stage.token("u1");
    let said = stage.client().chat(&token, "openai/gpt-4o", "I am ada@example.com").send();
    assert_eq!((said.status, said.content().as_str()), (200, "You said: I am ada@example.com"), "{}", said.text());
    let seen = stage.fake.requests().pop().expect("a request").body;
    let seen = String::from_utf8_lossy(&seen).into_owned();
    assert!(seen.contains("[EMAIL_1]") && !seen.contains("ada@"), "{seen}");
}
