//! Random conversations through the official SDKs: what is kept of each turn is what the SDK put together of the same stream, and
//! what the provider is shown of a thread is what the API says of it.
//!
//! The comparison with the SDKs is in tests/sdk (`turns.py`, `turns.mjs`), each of which is started here by its name.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use tests::process::scratch;
use tests::streams::RandomStream;
use tests::traffic::Dice;
use tests::{Companion, FakeProvider, Gateway, tools};

const CONVERSATIONS: u64 = 100;
const USER: &str = "ada";

/// Streams for conversations of one to four turns; the provider knows what to say to each.
fn conversations(fake: &FakeProvider) -> Vec<Value> {
    let mut streams = (0..).map(RandomStream::new);
    let mut turn = || {
        let stream = streams.next().expect("a stream");
        let end = format!("{:?}", stream.end);
        json!({"model": fake.says(stream.script), "n": stream.choices, "end": end, "torn": stream.torn})
    };
    let conversation = |number: u64| {
        let turns: Vec<Value> = (0..=Dice::new(number).below(4)).map(|_| turn()).collect();
        json!({"thread": format!("c{number}"), "turns": turns})
    };
    (0..CONVERSATIONS).map(conversation).collect()
}

/// The history that the provider was shown is what the API says now, up to there, without the calls that nobody answered.
fn check_histories(companion: &Companion, token: &str, fake: &FakeProvider, conversations: &[Value]) {
    let requests: Vec<Value> = fake.requests().iter().map(tests::Received::json).collect();
    for conversation in conversations {
        let path = format!("/v1/threads/{}/messages?limit=1000", conversation["thread"].as_str().unwrap());
        let stored = companion.client().get(&path).bearer(token).send().json();
        let stored: Vec<Value> = stored["data"].as_array().into_iter().flatten().filter_map(sent).collect();
        let told = answered(&stored);
        for turn in conversation["turns"].as_array().unwrap() {
            let model = turn["model"].as_str().unwrap();
            let asked = requests.iter().filter(|it| it["model"].as_str().is_some_and(|it| model.ends_with(it)));
            // More than one where the gateway asked again, and none where it had reason not to ask.
            for shown in asked.map(|it| it["messages"].as_array().unwrap()) {
                let answer = shown.iter().rposition(|it| it["role"] == "assistant");
                // A call is followed by its results, which came to nothing where the provider failed then.
                let asked = answer.filter(|it| shown[*it]["tool_calls"].is_array());
                assert!(asked.is_none_or(|it| stored.contains(&shown[it])), "{conversation}");
                let history = asked.or(answer.map(|it| it + 1)).unwrap_or_default();
                assert_eq!(shown[..history], told[..history], "{conversation}");
                assert_eq!(answered(shown).len(), shown.len(), "a provider would refuse it: {conversation}");
            }
        }
    }
}

/// Without the calls that not all results follow, for which a provider would refuse the rest.
fn answered(messages: &[Value]) -> Vec<Value> {
    let results =
        |at: usize| messages[at + 1..].iter().take_while(|it| it["role"] == "tool").map(|it| &it["tool_call_id"]);
    let is_answered = |at: usize| {
        let mut calls = messages[at]["tool_calls"].as_array().into_iter().flatten();
        calls.all(|call| results(at).any(|it| *it == call["id"]))
    };
    (0..messages.len()).filter(|at| is_answered(*at)).map(|at| messages[at].clone()).collect()
}

/// A stored message as it is sent to a provider; `None`: it never is.
fn sent(message: &Value) -> Option<Value> {
    let mut sent = message.as_object()?.clone();
    for added in ["id", "object", "created_at", "turn_id", "complete", "finish_reason"] {
        sent.remove(added);
    }
    let alternative = sent.remove("choice_index").is_some_and(|it| it != 0);
    (!alternative).then(|| Value::Object(sent))
}

/// Runs a test file against a gateway of its own, with `session` alone: the SDK reads what the provider wrote, packet by packet.
fn check(runner: &mut Command) {
    let (fake, companion) = (FakeProvider::start(), Companion::start());
    let project = companion.project("acme", "talk");
    let gateway = Gateway::from("envoy/examples/session.yaml").fake(&fake).companion(&companion).start();
    let conversations = conversations(&fake);
    let file = scratch("conversations").join("conversations.json");
    fs::write(&file, json!(conversations).to_string()).expect("a file under target/");
    let token = companion.client().mint(&project.api_key, &json!({"user_id": USER}));
    let settings = [
        ("CONVERSATIONS", file.display().to_string()),
        ("GATEWAY_URL", format!("http://127.0.0.1:{}", gateway.port())),
        ("COMPANION_URL", format!("http://127.0.0.1:{}", companion.public_port())),
        ("PROJECT", project.project_id.clone()),
        ("END_USER", USER.to_owned()),
        ("TOKEN", token.clone()),
        ("API_KEY", project.api_key.clone()),
    ];
    let status = runner.envs(settings).status();
    let program = runner.get_program();
    let status = status.unwrap_or_else(|error| panic!("{program:?}: {error}. Run: make setup"));
    assert!(status.success(), "{program:?}: {status}\n{}", gateway.log());
    check_histories(&companion, &token, &fake, &conversations);
}

fn python() -> Command {
    let mut command = Command::new(tools::root().join(".tools/python/bin/python"));
    command.args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "turns.py"]);
    command.current_dir(tools::root().join("tests/sdk/python"));
    command
}

fn node() -> Command {
    let mut command = Command::new("node");
    command.args(["--test", "--test-reporter=dot", "turns.mjs"]).current_dir(tools::root().join("tests/sdk/node"));
    command
}

#[test]
fn what_is_kept_is_what_openai_for_python_put_together() {
    check(&mut python());
}

#[test]
fn what_is_kept_is_what_openai_for_node_put_together() {
    check(&mut node());
}
