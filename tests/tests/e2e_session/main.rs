//! `session` in a real Envoy, with the real companion and with companions that misbehave.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "test code: a broken assumption should stop the test where it broke"
)]

mod end;
mod left;
mod names;
mod policy;
mod resent;
mod stub;

use std::time::Duration;

use serde_json::{Value, json};
use stub::Stub;
use tests::client::{Call, content};
use tests::{Companion, FakeProvider, Gateway, Project, wait_until};

const EXAMPLE: &str = "envoy/examples/session.yaml";
const SOON: Duration = Duration::from_secs(10);

/// A gateway with memory, and all around it.
struct World {
    companion: Companion,
    project: Project,
    fake: FakeProvider,
    gateway: Gateway,
}

impl World {
    fn start() -> Self {
        Self::with(|_, _| ())
    }

    /// With another configuration of the filter, which may depend on the project's id.
    fn with(change: impl Fn(&mut Value, &str)) -> Self {
        let (companion, fake) = (Companion::start(), FakeProvider::start());
        let project = companion.project("acme", "memory");
        let gateway = Gateway::from(EXAMPLE).fake(&fake).companion(&companion);
        let gateway = gateway.edit_filter("session", |config| change(config, &project.project_id)).start();
        Self { companion, project, fake, gateway }
    }

    /// A chat of ada's with these bytes.
    fn raw(&self, body: &str) -> Call {
        let call = self.gateway.client().call("POST", "/v1/chat/completions").body(body);
        caller(call, &self.project.project_id, "ada")
    }

    /// The last request's body, as the provider received it.
    fn received_bytes(&self) -> String {
        String::from_utf8(self.fake.requests().pop().unwrap().body).unwrap()
    }

    /// A thread's messages, as the companion shows them.
    fn shown(&self, user: &str, thread: &str) -> Vec<Value> {
        let client = self.companion.client();
        let token = client.mint(&self.project.api_key, &json!({"user_id": user}));
        let answer = client.get(&format!("/v1/threads/{thread}/messages")).bearer(&token).send();
        match answer.status {
            404 => Vec::new(),
            status => {
                assert_eq!(status, 200, "{}", answer.text());
                answer.json()["data"].as_array().unwrap().clone()
            }
        }
    }

    /// A chat of `user` with one message, on no thread yet.
    fn chat(&self, user: &str, model: &str, text: &str) -> Call {
        caller(self.gateway.client().chat("t", model, text), &self.project.project_id, user)
    }

    fn chat_stream(&self, user: &str, model: &str, text: &str) -> Call {
        caller(self.gateway.client().chat_stream("t", model, text), &self.project.project_id, user)
    }

    /// What the companion has of a thread: a line for each message, incomplete ones marked.
    fn stored(&self, user: &str, thread: &str) -> Vec<String> {
        let line = |it: &Value| {
            let mark = if it["complete"] == true { "" } else { " (incomplete)" };
            format!("{}: {}{mark}", it["role"].as_str().unwrap(), it["content"].as_str().unwrap())
        };
        self.shown(user, thread).iter().map(line).collect()
    }

    fn wait_for(&self, user: &str, thread: &str, messages: &[&str]) {
        wait_until(SOON, &format!("{messages:?} on {thread}"), || {
            (self.stored(user, thread) == messages).then_some(())
        });
    }

    /// The last request's messages, as the provider received them.
    fn received(&self) -> Vec<String> {
        let body = self.fake.requests().pop().unwrap().json();
        let line = |it: &Value| format!("{}: {}", it["role"].as_str().unwrap(), it["content"].as_str().unwrap());
        body["messages"].as_array().unwrap().iter().map(line).collect()
    }
}

fn caller(call: Call, project: &str, user: &str) -> Call {
    call.header("x-project-id", project).header("x-end-user-id", user)
}

/// A gateway whose companion is this stub, with `more` in the filter's configuration.
fn with_stub(stub: &Stub, fake: &FakeProvider, more: &Value) -> Gateway {
    let port = stub.port();
    Gateway::from(EXAMPLE)
        .fake(fake)
        .edit(|root| {
            let clusters = root["static_resources"]["clusters"].as_array_mut().unwrap();
            let companion = clusters.iter_mut().find(|it| it["name"] == "companion-internal").unwrap();
            let endpoint = &mut companion["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"];
            endpoint["address"]["socket_address"]["port_value"] = json!(port);
        })
        .edit_filter("session", |config| {
            config["companion"]["timeout"] = json!("300ms");
            for (key, value) in more.as_object().unwrap() {
                config[key] = value.clone();
            }
        })
        .start()
}

#[test]
fn the_second_turn_sends_one_message_and_the_provider_receives_three() {
    let world = World::start();
    let first = world.chat("ada", "gpt-4o", "one").thread("t1").send();
    assert_eq!((first.status, first.content().as_str()), (200, "You said: one"));
    assert_eq!(first.header("x-thread-id").as_deref(), Some("t1"));
    // At once, and on whichever worker: the companion holds the request until the first turn has arrived.
    let mut second = world.chat_stream("ada", "gpt-4o", "two").thread("t1").stream();
    assert_eq!(second.header("x-tollgate-memory"), None);
    assert_eq!(content(&second.events()), "You said: two");
    assert_eq!(world.received(), ["user: one", "assistant: You said: one", "user: two"]);
    let third = world.chat("ada", "gpt-4o", "three").thread("t1").send();
    assert_eq!(third.status, 200);
    assert_eq!(world.received().len(), 5);
    let six = [
        "user: one",
        "assistant: You said: one",
        "user: two",
        "assistant: You said: two",
        "user: three",
        "assistant: You said: three",
    ];
    world.wait_for("ada", "t1", &six);
}

#[test]
fn a_client_that_answers_at_once_always_sees_its_last_turn() {
    let world = World::start();
    for turn in 0..20 {
        let call = match turn % 2 {
            0 => world.chat("ada", "gpt-4o", "x").thread("t1").send(),
            _ => world.chat_stream("ada", "gpt-4o", "x").thread("t1").send(),
        };
        assert_eq!(call.header("x-tollgate-memory"), None);
        assert_eq!(world.received().len(), 2 * turn + 1);
    }
}

#[test]
fn many_users_at_once_keep_their_own_threads() {
    let world = World::start();
    std::thread::scope(|scope| {
        for user in 0..8 {
            let world = &world;
            scope.spawn(move || {
                let user = format!("user-{user}");
                for turn in 0..10 {
                    let text = format!("{user} {turn}");
                    let answer = world.chat(&user, "gpt-4o", &text).thread("same").send();
                    assert_eq!((answer.status, answer.header("x-tollgate-memory")), (200, None), "{text}");
                }
            });
        }
    });
    for user in 0..8 {
        let said = |turn| [format!("user: user-{user} {turn}"), format!("assistant: You said: user-{user} {turn}")];
        let all: Vec<String> = (0..10).flat_map(said).collect();
        world.wait_for(&format!("user-{user}"), "same", &all.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

#[test]
fn every_other_byte_of_the_body_stays() {
    let world = World::start();
    let send = |body: &str| {
        let call = world.gateway.client().call("POST", "/v1/chat/completions").body(body).thread("t1");
        assert_eq!(caller(call, &world.project.project_id, "ada").send().status, 200);
        String::from_utf8(world.fake.requests().pop().unwrap().body).unwrap()
    };
    let first = r#" { "temperature":1.0e0, "messages" : [ {"role":"system","content":"s"}, {"role":"user", "content":"h\u0069","x":1} ],"model":"gpt-4o" }"#;
    assert_eq!(send(first), first);
    let second = r#"{"model":"gpt-4o","messages":[{"role":"developer","content":"d"},{"role":"user","content":"b"}],"seed":1e2}"#;
    let received = send(second);
    let answer = serde_json::from_str::<Value>(&received).unwrap()["messages"][2].to_string();
    let history = r#"{"role":"user", "content":"h\u0069","x":1},"#.to_owned() + &answer + ",";
    let new = r#"{"role":"user","content":"b"}"#;
    assert_eq!(received, second.replace(new, &(history + new)));
}

#[test]
fn two_users_share_no_thread_and_a_session_is_no_thread() {
    let world = World::start();
    for (user, text) in [("ada", "a"), ("eve", "e")] {
        assert_eq!(world.chat(user, "gpt-4o", text).thread("t1").send().status, 200);
        assert_eq!(world.received().len(), 1, "{user} sees another's thread");
    }
    world.wait_for("ada", "t1", &["user: a", "assistant: You said: a"]);
    world.wait_for("eve", "t1", &["user: e", "assistant: You said: e"]);
    let call = world.chat("ada", "gpt-4o", "s").header("x-session-id", "t1").send();
    assert_eq!(call.header("x-session-id").as_deref(), Some("t1"));
    assert_eq!(world.received().len(), 1);
    assert_eq!(world.chat("ada", "gpt-4o", "s").header("x-session-id", "t1").send().status, 200);
    assert_eq!(world.received().len(), 3);
}

#[test]
fn a_stream_that_breaks_off_is_stored_as_far_as_it_came() {
    let world = World::start();
    for (thread, behaviour) in [("cut", "fake-cut-3"), ("end", "fake-end-3"), ("error", "fake-error-3")] {
        let mut stream = world.chat_stream("ada", behaviour, "a b c d e f").thread(thread).stream();
        let seen = content(&stream.events());
        assert!(!seen.is_empty(), "{behaviour}");
        let stored = ["user: a b c d e f (incomplete)".to_owned(), format!("assistant: {seen} (incomplete)")];
        world.wait_for("ada", thread, &stored.each_ref().map(String::as_str));
    }
}

#[test]
fn a_client_that_goes_away_leaves_what_it_saw() {
    let world = World::start();
    let mut stream = world.chat_stream("ada", "fake-slow-50ms+words-200", "x").thread("t1").stream();
    let seen: String = (0..4).map(|_| stream.event().unwrap().content()).collect();
    drop(stream);
    let stored = wait_until(SOON, "the turn", || Some(world.stored("ada", "t1")).filter(|it| !it.is_empty()));
    assert!(stored[1].starts_with(&format!("assistant: {seen}")) && stored[1].ends_with("(incomplete)"), "{stored:?}");
    // The thread goes on.
    assert_eq!(world.chat("ada", "gpt-4o", "y").thread("t1").send().status, 200);
    assert_eq!(world.received().len(), 3);
}

#[test]
fn nothing_is_stored_of_a_request_that_failed_and_the_thread_is_free_at_once() {
    let world = World::start();
    for behaviour in ["fake-500", "fake-429", "fake-reset", "fake-malformed", "fake-error-body"] {
        let _ = world.chat("ada", behaviour, "x").thread("t1").try_send();
    }
    let began = std::time::Instant::now();
    assert_eq!(world.chat("ada", "gpt-4o", "y").thread("t1").send().status, 200);
    assert!(began.elapsed() < Duration::from_secs(1), "it waited for a turn that nobody closed");
    assert_eq!(world.received(), ["user: y"]);
}

#[test]
fn without_the_companion_a_thread_is_refused_and_all_else_works() {
    let mut world = World::start();
    assert_eq!(world.chat("ada", "gpt-4o", "one").thread("t1").send().status, 200);
    world.wait_for("ada", "t1", &["user: one", "assistant: You said: one"]);
    world.companion.kill();
    let refused = world.chat("ada", "gpt-4o", "two").thread("t1").send();
    assert_eq!(refused.error(), "503 companion_unavailable");
    assert_eq!(world.chat("ada", "gpt-4o", "two").send().status, 200);
    let off = world.chat("ada", "gpt-4o", "two").thread("t1").header("x-tollgate-memory", "off").send();
    assert_eq!(off.status, 200);
    world.companion.restart();
    assert_eq!(world.chat("ada", "gpt-4o", "two").thread("t1").send().status, 200);
    assert_eq!(world.received(), ["user: one", "assistant: You said: one", "user: two"]);
}

#[test]
fn a_turn_survives_a_companion_that_is_away_for_a_moment() {
    let mut world = World::start();
    let mut stream = world.chat_stream("ada", "fake-slow-20ms+words-5", "x").thread("t1").stream();
    assert!(stream.event().is_some());
    world.companion.kill();
    assert_eq!(content(&stream.events()), "w0 w1 w2 w3 w4");
    world.companion.restart();
    world.wait_for("ada", "t1", &["user: x", "assistant: w0 w1 w2 w3 w4"]);
}

#[test]
fn whatever_the_companion_says_instead_is_a_failure() {
    let fake = FakeProvider::start();
    let answers = [
        Some((500, "{}")),
        Some((404, "{}")),
        Some((200, "")),
        Some((200, "garbage")),
        Some((200, r#"{"turn":"t"}"#)),
        Some((200, r#"{"turn":"t","messages":["x"]}"#)),
        None,
    ];
    for answer in answers {
        let stub = Stub::start(answer);
        let gateway = with_stub(&stub, &fake, &json!({}));
        let chat = |text: &str| caller(gateway.client().chat("t", "gpt-4o", text), "p", "ada");
        assert_eq!(chat("x").thread("t1").send().error(), "503 companion_unavailable", "{answer:?}");
        assert_eq!(chat("x").send().status, 200, "{answer:?}");
        assert_eq!(gateway.stat("wasmcustom.tollgate_session_companion_unavailable"), 1);
    }
}

#[test]
fn a_thread_that_is_full_is_no_failure_of_the_companion() {
    let full = r#"{"error":{"message":"It is full.","type":"invalid_request_error","param":"thread_id","code":"thread_full"}}"#;
    let (fake, stub) = (FakeProvider::start(), Stub::start(Some((409, full))));
    let gateway = with_stub(&stub, &fake, &json!({"on_failure": "allow", "conversation_id_member": true}));
    let chat = || caller(gateway.client().chat("t", "gpt-4o", "x"), "p", "ada");
    let body = r#"{"model":"gpt-4o","conversation_id":"t1","messages":[]}"#;
    let member = caller(gateway.client().call("POST", "/v1/chat/completions").body(body), "p", "ada");
    for answer in [chat().thread("t1").send(), member.send()] {
        assert_eq!(
            (answer.error().as_str(), answer.json()["error"]["message"].as_str()),
            ("409 thread_full", Some("It is full."))
        );
    }
    assert!(fake.requests().is_empty() && stub.heard("/internal/v1/turns").is_empty());
    assert_eq!(gateway.stat("wasmcustom.tollgate_session_companion_unavailable"), 0);
}

#[test]
fn when_allowed_a_request_goes_on_without_memory_and_says_so() {
    let (fake, stub) = (FakeProvider::start(), Stub::start(Some((503, ""))));
    let gateway = with_stub(&stub, &fake, &json!({"on_failure": "allow"}));
    let answer = caller(gateway.client().chat("t", "gpt-4o", "x"), "p", "ada").thread("t1").send();
    assert_eq!((answer.status, answer.header("x-tollgate-memory").as_deref()), (200, Some("skipped")));
    // Nothing but that no turn is open.
    assert!(stub.heard("/internal/v1/turns").iter().all(|it| it.contains(r#""input":[],"output":[]"#)));
}

#[test]
fn a_stale_history_is_named_and_the_report_is_exact() {
    let opened = r#"{"turn":"turn_1","messages":[{"role":"user", "content":"old"}],"stale":true}"#;
    let (fake, stub) = (FakeProvider::start(), Stub::start(Some((200, opened))));
    let gateway = with_stub(&stub, &fake, &json!({}));
    let call =
        caller(gateway.client().chat("t", "gpt-4o", "x"), "p", "ada").thread("t1").header("accept-encoding", "gzip");
    assert_eq!(call.send().header("x-tollgate-memory").as_deref(), Some("stale"));
    assert_eq!(fake.only_request().header("accept-encoding").as_deref(), Some("identity"));
    let report = wait_until(SOON, "the report", || stub.heard("/internal/v1/turns").pop());
    let mut turn = serde_json::from_str::<Value>(&report).unwrap()["turns"][0].take();
    assert_eq!(turn["output"][0]["content"].take(), "You said: x");
    turn["output"].take();
    assert_eq!(
        turn,
        json!({"turn": "turn_1", "project": "p", "user": "ada", "thread": "t1", "model": "gpt-4o", "complete": true,
            "finish_reason": "stop", "input": [{"role": "user", "content": "x"}], "output": null})
    );
    let open = stub.heard("/internal/v1/turns/open").pop().unwrap();
    assert!(open.starts_with(r#"{"turn":"turn_"#), "{open}");
    assert!(open.contains(r#""project":"p","user":"ada","thread":"t1","request_id":""#), "{open}");
}

#[test]
fn hostile_bytes_are_refused_and_the_next_request_works() {
    let world = World::start();
    let good = || assert_eq!(world.chat("ada", "gpt-4o", "x").thread("good").send().status, 200);
    let long = "a".repeat(256);
    let ids: [&[u8]; 6] = [b"\xff", b"a b", b"../x", "é".as_bytes(), long.as_bytes(), b"%00"];
    for id in ids {
        for name in ["x-thread-id", "x-session-id"] {
            let answer = world.chat("ada", "gpt-4o", "x").header(name, id).send();
            assert_eq!(answer.error(), "400 invalid_request", "{name} {id:?}");
            assert_eq!(answer.json()["error"]["param"], name);
        }
    }
    let twice = world.chat("ada", "gpt-4o", "x").thread("a").thread("b").send();
    assert_eq!(twice.error(), "400 invalid_request");
    good();
    let bodies: [&[u8]; 9] = [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        br#"{"messages":"x"}"#,
        br#"{"messages":[1]}"#,
        br#"{"messages":[],"Messages":[]}"#,
        br#"{"messages":[{"role":"user","content":"a","content":"b"}]}"#,
        b"{\"messages\":[]}x",
    ];
    for body in bodies {
        let call = world.gateway.client().call("POST", "/v1/chat/completions").body(body).thread("bad");
        let answer = caller(call, &world.project.project_id, "ada").send();
        assert_eq!(answer.error(), "400 invalid_request", "{}", String::from_utf8_lossy(body));
    }
    let nobody = world.gateway.client().chat("t", "gpt-4o", "x").thread("t1").send();
    assert_eq!(nobody.error(), "401 invalid_token");
    good();
    assert_eq!(world.stored("ada", "bad"), [""; 0]);
}
