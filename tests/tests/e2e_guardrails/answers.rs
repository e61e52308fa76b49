//! What becomes of answers, plain and streamed.

use super::*;
use tests::client::content;

/// What a client reads of a chat about ada@example.com that is answered so: plain, streamed, and streamed letter by letter.
fn read(gateway: &Gateway, answer: &str) -> [String; 3] {
    let ask = |stream: bool, more: &str| {
        let mut body: Value =
            serde_json::from_str(&chat("I am ada@example.com, my card is 4111 1111 1111 1111")).unwrap();
        body["stream"] = json!(stream);
        super::ask(gateway, body.to_string()).header("x-fake", says(answer) + more)
    };
    let plain = ask(false, "").send();
    assert_eq!(plain.status, 200, "{}", plain.text());
    let streamed = |more: &str| {
        let events = ask(true, more).stream().events();
        assert_eq!(events.last().unwrap().data, "[DONE]");
        content(&events)
    };
    [plain.content(), streamed(""), streamed("+letters")]
}

#[test]
fn placeholders_become_values_again_wherever_a_stream_is_cut() {
    let fake = FakeProvider::start();
    let gateway = gateway(&fake, &pii(json!({})));
    let said = "Hello [EMAIL_1], [CREDIT_CARD_1] is your card. [EMAIL_2] and [email] are nobody's.";
    let want = "Hello ada@example.com, 4111 1111 1111 1111 is your card. [EMAIL_2] and [email] are nobody's.";
    assert_eq!(read(&gateway, said), [want; 3]);
    assert_eq!(gateway.stat("wasmcustom.tollgate_guardrails_restored"), 6);
}

#[test]
fn what_the_model_says_of_its_own_is_masked() {
    let fake = FakeProvider::start();
    let gateway = gateway(&fake, &pii(json!({})));
    let said = "Write to eve@example.org, or ada@example.com. Card 5555 5555 5555 4444.";
    let want = "Write to [EMAIL_2], or ada@example.com. Card [CREDIT_CARD_2].";
    assert_eq!(read(&gateway, said), [want; 3]);
    assert_eq!(found(&gateway, "pii", "mask", "response"), 6);
}

#[test]
fn what_may_not_pass_ends_the_answer_and_its_usage_still_comes() {
    let fake = FakeProvider::start();
    let gateway = gateway(&fake, &pii(json!({"entities": {"secrets": "block"}, "request": false})));
    let said = format!("The key is {KEY} and more.");
    let plain = ask(&gateway, chat("hi")).header("x-fake", says(&said)).send().json();
    let choice = &plain["choices"][0];
    assert_eq!((&choice["message"]["content"], &choice["finish_reason"]), (&json!(""), &json!("content_filter")));
    for more in ["", "+letters"] {
        let mut body: Value = serde_json::from_str(&chat("hi")).unwrap();
        body["stream"] = json!(true);
        body["stream_options"] = json!({"include_usage": true});
        let events = ask(&gateway, body.to_string()).header("x-fake", says(&said) + more).stream().events();
        assert_eq!(content(&events), "The key is ");
        let all: Vec<&str> = events.iter().map(|it| it.data.as_str()).collect();
        let [.., last, usage, done] = all.as_slice() else { panic!("{all:?}") };
        assert!(last.contains(r#""finish_reason":"content_filter""#), "{last}");
        assert!(usage.contains(r#""usage":{"#) && *done == "[DONE]", "{usage} {done}");
    }
    assert_eq!(found(&gateway, "pii", "block", "response"), 3);
}

#[test]
fn the_arguments_of_tool_calls_are_restored_as_json() {
    let fake = FakeProvider::start();
    let gateway = gateway(&fake, &pii(json!({})));
    let tools = json!([{"type": "function", "function": {"name": "mail", "parameters": {"type": "object"}}}]);
    let body = json!({"model": "fake-tools", "tools": tools, "messages": [{"role": "user", "content": "say \"hi\" to ada@example.com"}]});
    let want = json!({"heard": "say \"hi\" to ada@example.com"});
    let answer = gateway.client().post("/v1/chat/completions", &body).send().json();
    let arguments = answer["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(arguments).unwrap(), want);
    let mut body = body;
    body["stream"] = json!(true);
    let events = gateway.client().post("/v1/chat/completions", &body).stream().events();
    let piece = |data: &str| {
        let event: Value = serde_json::from_str(data).unwrap_or_default();
        event["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"].as_str().unwrap_or_default().to_owned()
    };
    let arguments: String = events.iter().map(|it| piece(&it.data)).collect();
    assert_eq!(serde_json::from_str::<Value>(&arguments).unwrap(), want, "{arguments}");
}

#[test]
fn completions_and_responses_are_restored_too() {
    let fake = FakeProvider::start();
    let gateway = gateway(&fake, &pii(json!({})));
    let said = says("[EMAIL_1], eve@example.org");
    for (path, body, place) in [
        ("/v1/completions", json!({"model": "c", "prompt": "ada@example.com"}), "/choices/0/text"),
        ("/v1/responses", json!({"model": "r", "input": "ada@example.com"}), "/output/0/content/0/text"),
    ] {
        let answer = gateway.client().post(path, &body).header("x-fake", &said).send().json();
        assert_eq!(answer.pointer(place).unwrap(), "ada@example.com, [EMAIL_2]", "{path}");
        let mut body = body;
        body["stream"] = json!(true);
        let events = gateway.client().post(path, &body).header("x-fake", format!("{said}+letters")).stream().events();
        let text = |data: &str| {
            let event: Value = serde_json::from_str(data).unwrap_or_default();
            let text = event["choices"][0]["text"].as_str().or(event["delta"].as_str());
            text.unwrap_or_default().to_owned()
        };
        let all: String = events.iter().map(|it| text(&it.data)).collect();
        assert_eq!(all, "ada@example.com, [EMAIL_2]", "{path}");
    }
}

#[test]
fn in_shadow_answers_pass_as_they_are() {
    let fake = FakeProvider::start();
    let gateway = gateway(&fake, &pii(json!({"mode": "shadow"})));
    let said = "Write to eve@example.org, [EMAIL_1].";
    assert_eq!(read(&gateway, said), [said; 3]);
    assert_eq!(found(&gateway, "pii", "shadow", "response"), 3);
}

#[test]
fn an_answer_that_cannot_be_read_does_not_pass() {
    let fake = FakeProvider::start();
    let strict = gateway(&fake, &pii(json!({})));
    for behaviour in ["packed", "packed+words-10"] {
        let answer = ask(&strict, chat("hi")).header("accept-encoding", "gzip").header("x-fake", behaviour).send();
        assert_eq!(answer.error(), "502 unreadable_answer");
        assert_eq!(answer.header("content-encoding"), None);
        assert_eq!(fake.requests().pop().unwrap().header("accept-encoding").as_deref(), Some("identity"));
    }
    assert_eq!(ask(&strict, chat("hi")).send().status, 200);
    assert_eq!(strict.stat("wasmcustom.tollgate_guardrails_unseen.direction.response"), 2);
    let long = gateway(&fake, &json!({"sentinel": {"mode": "off"}, "max_answer_bytes": 1000}));
    assert_eq!(ask(&long, chat("hi")).header("x-fake", "words-1000").send().error(), "502 unreadable_answer");
}

#[test]
fn answers_that_break_off_or_make_no_sense_pass_and_the_next_one_works() {
    let fake = FakeProvider::start();
    let gateway = gateway(&fake, &pii(json!({})));
    for behaviour in ["cut-2", "end-3", "no-done", "malformed", "error-2", "crlf", "503", "error-body"] {
        let mut body: Value = serde_json::from_str(&chat("ada@example.com")).unwrap();
        for stream in [true, false] {
            body["stream"] = json!(stream);
            // A reset is one for the client too, or an error of Envoy's.
            let _ = ask(&gateway, body.to_string()).header("x-fake", behaviour).try_send();
            assert_eq!(read(&gateway, "to [EMAIL_1]"), ["to ada@example.com"; 3], "after {behaviour}");
        }
    }
}
