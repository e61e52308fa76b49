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
