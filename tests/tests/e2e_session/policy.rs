//! What a project may have: how much of its history, several choices, questions without answers, how much memory.

use super::{SOON, World};
use serde_json::{Value, json};
use tests::client::Call;
use tests::{Companion, FakeProvider, Gateway, wait_until};

#[test]
fn a_project_has_as_many_turns_as_it_may_and_its_questions_are_kept_if_it_says_so() {
    let world = World::with(|config, project| {
        config["max_turns"] = json!(1);
        config["projects"] = json!({project: {"max_turns": 2, "keep_unanswered": true}});
    });
    for turn in 0..4 {
        assert_eq!(world.chat("ada", "gpt-4o", &format!("{turn}")).thread("t1").send().status, 200);
        assert_eq!(world.received().len(), 2 * turn.min(2) + 1);
    }
    let other =
        |text: &str| super::caller(world.gateway.client().chat("t", "gpt-4o", text), "other", "ada").thread("t1");
    for turn in 0..3 {
        assert_eq!(other("x").send().status, 200);
        assert_eq!(world.received().len(), 2 * turn.min(1) + 1);
    }
    // The upstream fails in every way, and each question is kept; none goes into the next request.
    for behaviour in ["fake-500", "fake-reset", "fake-malformed"] {
        let _ = world.chat("ada", behaviour, behaviour).thread("t2").try_send();
    }
    let asked = ["fake-500", "fake-reset", "fake-malformed"].map(|it| format!("user: {it} (incomplete)"));
    world.wait_for("ada", "t2", &asked.each_ref().map(String::as_str));
    assert_eq!(world.chat("ada", "gpt-4o", "y").thread("t2").send().status, 200);
    assert_eq!(world.received(), ["user: y"]);
    // What is refused here was never asked.
    let refused = world.raw(r#"{"messages":[],"Messages":[]}"#).thread("t3").send();
    assert_eq!(refused.status, 400);
    assert_eq!(world.chat("ada", "gpt-4o", "z").thread("t3").send().status, 200);
    world.wait_for("ada", "t3", &["user: z", "assistant: You said: z"]);
}

#[test]
fn what_a_later_filter_refuses_is_kept_as_a_question_if_the_project_says_so_and_not_at_all_else() {
    let (companion, fake) = (Companion::start(), FakeProvider::start());
    let project = companion.project("acme", "memory");
    let gateway = Gateway::from(super::EXAMPLE).fake(&fake).companion(&companion);
    let keeps = |config: &mut Value| config["projects"] = json!({&project.project_id: {"keep_unanswered": true}});
    let refuse = |root: &mut Value| {
        let filter = json!({"name": "refuse", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",
            "headers": [{"name": "x-refuse", "present_match": true}],
            "abort": {"http_status": 402, "percentage": {"numerator": 100, "denominator": "HUNDRED"}}}});
        let chains = &mut root["static_resources"]["listeners"][0]["filter_chains"];
        let filters = chains[0]["filters"][0]["typed_config"]["http_filters"].as_array_mut().unwrap();
        filters.insert(filters.len() - 1, filter);
    };
    let gateway = gateway.edit_filter("session", keeps).edit(refuse).start();
    let world = World { companion, project, fake, gateway };
    assert_eq!(world.chat("ada", "gpt-4o", "x").thread("t1").header("x-refuse", "1").send().status, 402);
    world.wait_for("ada", "t1", &["user: x (incomplete)"]);
    let other = || super::caller(world.gateway.client().chat("t", "gpt-4o", "y"), "other", "ada").thread("t1");
    assert_eq!(other().header("x-refuse", "1").send().status, 402);
    assert_eq!(world.fake.requests().len(), 0);
    for ask in [world.chat("ada", "gpt-4o", "y").thread("t1"), other()] {
        let answer = ask.send();
        assert_eq!((answer.status, answer.header("x-tollgate-memory")), (200, None));
        assert_eq!(world.received(), ["user: y"]);
    }
}

#[test]
fn every_choice_is_kept_and_the_first_alone_goes_on() {
    let world = World::start();
    let line = |it: &Value| json!([it["content"], it["choice_index"], it["complete"]]);
    for (thread, stream) in [("plain", false), ("streamed", true)] {
        let ask: fn(&World, &str, &str, &str) -> Call = if stream { World::chat_stream } else { World::chat };
        assert_eq!(ask(&world, "ada", "fake-choices-3", "a").thread(thread).send().status, 200);
        assert_eq!(world.chat("ada", "gpt-4o", "b").thread(thread).send().status, 200);
        assert_eq!(world.received(), ["user: a", "assistant: You said: a", "user: b"]);
        let shown: Vec<Value> = world.shown("ada", thread).iter().take(4).map(line).collect();
        assert_eq!(
            json!(shown),
            json!([
                ["a", null, true],
                ["You said: a", null, true],
                ["You said: a 1", 1, true],
                ["You said: a 2", 2, true]
            ])
        );
    }
}

#[test]
fn open_turns_have_no_more_memory_than_they_may() {
    let world = World::with(|config, _| config["max_open_bytes"] = json!(65_536));
    let long = "x".repeat(70_000);
    assert_eq!(world.chat("ada", "gpt-4o", &long).thread("t1").send().error(), "503 companion_unavailable");
    assert_eq!(world.chat("ada", "gpt-4o", &long).send().status, 200);
    // An answer that grows too long is the client's all the same.
    let answer = world.chat_stream("ada", "fake-words-20000", "go").thread("t2").send();
    assert!(answer.text().contains("w19999") && answer.text().contains("[DONE]"));
    let shown = wait_until(SOON, "the turn", || Some(world.shown("ada", "t2")).filter(|it| it.len() == 2));
    let kept = shown[1]["content"].as_str().unwrap();
    assert!(kept.starts_with("w0 w1 ") && (20_000..70_000).contains(&kept.len()), "{}", kept.len());
    assert_eq!(shown[1]["complete"], false);
    assert_eq!(world.gateway.stat("wasmcustom.tollgate_session_memory_full"), 2);
    // All of it was given back.
    assert_eq!(world.chat("ada", "gpt-4o", &"x".repeat(20_000)).thread("t3").send().status, 200);
}
