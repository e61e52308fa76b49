//! What is stored of an answer in Kong, which shows it to `guardrails` before `session`: what the client got.

mod common;

use common::{World, kong_yml, plain, says, streamed};
use kong_host::UpstreamResponse;
use serde_json::{Value, json};

/// Looks like a token of npm's, and is none.
const TOKEN: &str = "npm_CahJZw681SCmMW2T9CzrOmUBe7TmnGJWYpV4";

/// The turn that is stored of an answer to ada@example.com, and what the client got; a card number blocks.
fn check(response: &UpstreamResponse) -> (Value, String) {
    let shipped = "{personal: mask, secrets: mask}";
    let yml = kong_yml();
    assert!(yml.contains(shipped));
    let mut world = World::with(&yml.replace(shipped, "{personal: mask, secrets: mask, credit_card: block}"));
    let request = world.chat("u1", &says("fast", "I am ada@example.com")).header("X-Thread-Id", "t1");
    let answer = world.send(request, response).unwrap();
    world.gateway.advance(50);
    world.tick("session");
    let report = world.asked("/internal/v1/turns")[0].body.clone();
    let text = String::from_utf8(report).unwrap();
    for value in ["ada@", "eve@", TOKEN, "4111"] {
        assert!(!text.contains(value) && !answer.text().contains(value), "{value}: {text} {}", answer.text());
    }
    let report: Value = serde_json::from_str(&text).unwrap();
    (report["turns"][0].clone(), answer.text())
}

#[test]
fn what_the_model_says_of_its_own_is_stored_as_it_was_masked() {
    let said = format!("Ask eve@example.org for {TOKEN}, now.");
    let letters: Vec<String> = said.chars().map(String::from).collect();
    let letters: Vec<&str> = letters.iter().map(String::as_str).collect();
    for response in [plain(&said), plain(&said).in_pieces_of(9), streamed(&letters), streamed(&[&said])] {
        let (turn, _) = check(&response);
        assert_eq!((&turn["complete"], &turn["finish_reason"]), (&json!(true), &json!("stop")), "{turn}");
        let stored = turn["output"][0]["content"].as_str().unwrap();
        assert!(stored.starts_with("Ask [EMAIL_") && stored.contains("] for [NPM_TOKEN_"), "{stored}");
        assert!(turn["input"][0]["content"].as_str().unwrap().starts_with("I am [EMAIL_"), "{turn}");
    }
}

#[test]
fn what_was_ended_is_stored_as_far_as_the_client_got_it() {
    let said = "It is 4111 1111 1111 1111, as ever.";
    let words: Vec<&str> = said.split_inclusive(' ').collect();
    for (response, stored) in [(plain(said), ""), (streamed(&[said]), "It is "), (streamed(&words), "It is ")] {
        let (turn, got) = check(&response);
        assert!(got.contains(r#""finish_reason":"content_filter""#), "{got}");
        assert_eq!(turn["finish_reason"], "content_filter", "{turn}");
        assert_eq!(turn["output"][0]["content"], stored, "{turn}");
    }
}
