//! The end of an answer, which the client sees once the companion has the turn.

use super::{EXAMPLE, World, caller, with_stub};
use crate::stub::Stub;
use serde_json::json;
use tests::client::content;
use tests::{FakeProvider, Gateway};

const OPENED: Option<(u16, &str)> = Some((200, r#"{"turn":"turn_1","messages":[]}"#));
const REPORTS: &str = "/internal/v1/turns";

#[test]
fn an_end_that_the_client_saw_is_a_turn_that_outlives_the_gateway() {
    let World { companion, project, fake, gateway } = World::start();
    drop(gateway);
    for (thread, streamed) in [("plain", false), ("streamed", true)] {
        // A queue that waits for its tick would still have the turn when the gateway is gone.
        let edit = |config: &mut serde_json::Value| config["report_every"] = json!("1s");
        let gateway = Gateway::from(EXAMPLE).fake(&fake).companion(&companion).edit_filter("session", edit).start();
        let client = gateway.client();
        if streamed {
            let chat = client.chat_stream("t", "gpt-4o", "x").thread(thread);
            let mut stream = caller(chat, &project.project_id, "ada").stream();
            while stream.event().unwrap().data != "[DONE]" {}
            tests::process::kill(gateway.process_id());
        } else {
            let chat = client.chat("t", "gpt-4o", "x").thread(thread);
            assert_eq!(caller(chat, &project.project_id, "ada").send().status, 200);
            tests::process::kill(gateway.process_id());
        }
        let client = companion.client();
        let token = client.mint(&project.api_key, &json!({"user_id": "ada"}));
        let stored = client.get(&format!("/v1/threads/{thread}/messages")).bearer(&token).send().json();
        assert_eq!(stored["data"][1]["content"], "You said: x", "{thread}: {stored}");
    }
}

#[test]
fn a_companion_that_restarts_while_an_answer_is_under_way_is_waited_for() {
    let World { mut companion, project, fake, gateway } = World::with(|config, _| config["hold_end"] = json!("30s"));
    let chat = gateway.client().chat_stream("t", "fake-slow-50ms", "x").thread("t1");
    let mut stream = caller(chat, &project.project_id, "ada").stream();
    assert!(stream.event().is_some());
    companion.kill();
    std::thread::scope(|scope| {
        scope.spawn(|| companion.restart());
        while stream.event().unwrap().data != "[DONE]" {}
        tests::process::kill(gateway.process_id());
    });
    let world = World { companion, project, fake, gateway };
    assert_eq!(world.stored("ada", "t1"), ["user: x", "assistant: You said: x"]);
}

#[test]
fn a_companion_that_is_slow_or_refuses_holds_no_end_for_long() {
    let fake = FakeProvider::start();
    for reports in [None, Some((503, "")), Some((400, "")), Some((200, "garbage"))] {
        let stub = Stub::with(OPENED, reports);
        let gateway = with_stub(&stub, &fake, &json!({"hold_end": "200ms"}));
        for turn in 0..3 {
            let stream = caller(gateway.client().chat_stream("t", "gpt-4o", "x"), "p", "ada").thread("t1");
            assert_eq!(content(&stream.stream().events()), "You said: x", "{reports:?} {turn}");
            let plain = caller(gateway.client().chat("t", "gpt-4o", "x"), "p", "ada").thread("t1").send();
            assert_eq!((plain.status, plain.content().as_str()), (200, "You said: x"), "{reports:?} {turn}");
        }
        assert!(!stub.heard(REPORTS).is_empty(), "{reports:?}");
    }
}

#[test]
fn what_follows_the_end_and_a_client_that_leaves_while_it_is_held_harm_nobody() {
    let (fake, stub) = (FakeProvider::start(), Stub::with(OPENED, None));
    let gateway = with_stub(&stub, &fake, &json!({"hold_end": "10s"}));
    let mut stream = caller(gateway.client().chat_stream("t", "gpt-4o", "x"), "p", "ada").thread("t1").stream();
    assert!(stream.event().is_some());
    tests::wait_until(super::SOON, "the report", || stub.heard(REPORTS).pop());
    drop(stream);
    let other = caller(gateway.client().chat("t", "gpt-4o", "y"), "p", "ada").send();
    assert_eq!((other.status, other.content().as_str()), (200, "You said: y"));
}
