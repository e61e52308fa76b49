use crate::app::{SECRET, TestApp, send};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

fn said(messages: &Value) -> Vec<&str> {
    messages.as_array().unwrap().iter().map(|it| it["content"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_turn_sees_what_came_before_it() {
    let app = TestApp::start().await;
    let memory = json!({"thread": "t1", "request_id": "req_1"});
    let (first, before, _) = app.open("ada", memory.clone()).await;
    assert!(first.starts_with("turn_") && first.len() == 37);
    assert_eq!(before, json!([]));
    let thread = json!({"thread": "t1"});
    assert_eq!(app.record(&first, "ada", thread.clone(), ("q1", "a1")).await, 1);
    let (second, before, stale) = app.open("ada", memory).await;
    assert_eq!((said(&before), stale), (vec!["q1", "a1"], false));
    assert_eq!(before[0], json!({"role": "user", "content": "q1"}));
    assert_eq!(app.record(&second, "ada", thread, ("q2", "a2")).await, 1);
}

#[tokio::test]
async fn the_thread_goes_before_the_rest_of_the_session() {
    let app = TestApp::start().await;
    for (turn, memory) in [
        ("turn_1", json!({"session": "s1"})),
        ("turn_2", json!({"session": "s1", "thread": "t1"})),
        ("turn_3", json!({"thread": "t1"})),
        ("turn_4", json!({"session": "s2"})),
    ] {
        app.record(turn, "ada", memory, (turn, "a")).await;
    }
    for (memory, expected) in [
        (json!({"session": "s1", "thread": "t1"}), vec!["turn_2", "a", "turn_3", "a", "turn_1", "a"]),
        (json!({"session": "s1"}), vec!["turn_1", "a", "turn_2", "a"]),
        (json!({"thread": "t1"}), vec!["turn_2", "a", "turn_3", "a"]),
        (json!({"session": "t1"}), vec![]),
    ] {
        let (turn, before, _) = app.open("ada", memory.clone()).await;
        assert_eq!(said(&before), expected, "{memory}");
        app.record(&turn, "ada", memory, ("", "")).await;
    }
}

#[tokio::test]
async fn a_session_is_forgotten_after_a_day_and_a_thread_is_not() {
    let app = TestApp::start().await;
    app.record("turn_1", "ada", json!({"session": "s1"}), ("q1", "a1")).await;
    app.record("turn_2", "ada", json!({"thread": "t1"}), ("q2", "a2")).await;
    app.pass(Duration::from_secs(24 * 60 * 60 + 1));
    let (_, before, _) = app.open("ada", json!({"session": "s1", "thread": "t1"})).await;
    assert_eq!(said(&before), ["q2", "a2"]);
}

#[tokio::test]
async fn a_turn_is_stored_once_and_a_partial_answer_is_history_too() {
    let app = TestApp::start().await;
    let thread = json!({"thread": "t1"});
    assert_eq!(app.record("turn_1", "ada", thread.clone(), ("q1", "a1")).await, 1);
    assert_eq!(app.record("turn_1", "ada", thread.clone(), ("q1", "other")).await, 0);
    assert_eq!(app.record("turn_2", "ada", thread.clone(), ("unanswered", "")).await, 1);
    assert_eq!(app.record("turn_3", "ada", thread.clone(), ("", "")).await, 0);
    let partial = json!({"turn": "turn_4", "project": app.project, "user": "ada", "thread": "t1", "complete": false,
        "model": "m", "finish_reason": "length", "input": [{"role": "user", "content": "q4"}],
        "output": [{"role": "assistant", "content": "par"}]});
    let twice = json!({"turns": [partial, partial]});
    assert_eq!(app.internal("/internal/v1/turns", &twice.to_string()).await.json(), json!({"stored": 1}));
    assert_eq!(app.internal("/internal/v1/turns", r#"{"turns":[]}"#).await.json(), json!({"stored": 0}));
    let (_, before, _) = app.open("ada", thread).await;
    assert_eq!(said(&before), ["q1", "a1", "q4", "par"]);
}

#[tokio::test]
async fn an_open_holds_until_the_earlier_turn_arrives() {
    let app = Arc::new(TestApp::start().await);
    let thread = json!({"thread": "t1"});
    let (first, _, _) = app.open("ada", thread.clone()).await;
    let holding = {
        let (app, thread) = (app.clone(), thread.clone());
        tokio::spawn(async move { app.open("ada", thread).await })
    };
    until_open(&app, 2).await;
    // Neither another user nor another thread waits.
    app.open("eve", thread.clone()).await;
    app.open("ada", json!({"thread": "t2"})).await;
    assert!(!holding.is_finished());
    app.record(&first, "ada", thread, ("q1", "a1")).await;
    let (_, before, stale) = holding.await.unwrap();
    assert_eq!((said(&before), stale), (vec!["q1", "a1"], false));
}

/// Waits until the companion holds `count` open turns.
#[tokio::test]
async fn a_read_waits_for_the_turn_that_was_just_answered() {
    let app = Arc::new(TestApp::start().await);
    let token = app.token("ada").await;
    let thread = json!({"thread": "t1"});
    let (first, _, _) = app.open("ada", thread.clone()).await;
    app.record(&first, "ada", thread.clone(), ("q1", "a1")).await;
    let (second, _, _) = app.open("ada", thread.clone()).await;
    let reader = tokio::spawn({
        let (app, token) = (Arc::clone(&app), token.clone());
        async move { app.get("/v1/threads/t1/messages", &token).await.json() }
    });
    app.record(&second, "ada", thread.clone(), ("q2", "a2")).await;
    assert_eq!(said(&reader.await.unwrap()["data"]), ["q1", "a1", "q2", "a2"]);
    // A turn that goes on and on holds nobody up for long.
    app.open("ada", thread).await;
    for path in ["/v1/threads/t1/messages", "/v1/threads/t1", "/v1/threads"] {
        assert_eq!(app.get(path, &token).await.status, 200, "{path}");
    }
}

async fn until_open(app: &TestApp, count: u64) {
    while app.get("/readyz", "").await.json()["open_turns"].as_u64() < Some(count) {}
}

#[tokio::test]
async fn turns_of_one_thread_do_not_interleave() {
    let app = Arc::new(TestApp::start().await);
    let turn = |number: usize| {
        let app = app.clone();
        tokio::spawn(async move {
            let memory = json!({"thread": "t1", "session": "s1"});
            let (turn, before, stale) = app.open("ada", memory.clone()).await;
            app.record(&turn, "ada", memory, (&format!("q{number}"), &format!("a{number}"))).await;
            assert!(!stale);
            said(&before).len()
        })
    };
    let turns: Vec<_> = (0..12).map(turn).collect();
    let mut seen = Vec::new();
    for turn in turns {
        seen.push(turn.await.unwrap());
    }
    seen.sort_unstable();
    // Every turn saw a history of its own length: no two began from the same.
    assert_eq!(seen, (0..12).map(|it| it * 2).collect::<Vec<_>>());
    let (_, before, _) = app.open("ada", json!({"thread": "t1"})).await;
    for pair in said(&before).chunks(2) {
        assert_eq!(pair[0][1..], pair[1][1..]);
    }
}

#[tokio::test]
async fn an_open_whose_turn_before_never_arrives_goes_on_and_says_so() {
    let app = TestApp::with_turn_wait(Duration::from_millis(20)).await;
    let thread = json!({"thread": "t1"});
    let (lost, _, _) = app.open("ada", thread.clone()).await;
    let (second, _, stale) = app.open("ada", thread.clone()).await;
    assert!(stale);
    app.record(&second, "ada", thread.clone(), ("q2", "a2")).await;
    // It arrives late, and counts.
    app.record(&lost, "ada", thread.clone(), ("q1", "a1")).await;
    let (third, before, stale) = app.open("ada", thread.clone()).await;
    assert_eq!((said(&before), stale), (vec!["q2", "a2", "q1", "a1"], false));
    // What nobody closes is forgotten when no answer can take that long.
    assert!(!third.is_empty());
    app.pass(Duration::from_secs(75 * 60));
    let (_, _, stale) = app.open("ada", thread).await;
    assert!(!stale);
}

#[tokio::test]
async fn a_turn_that_was_opened_before_a_restart_is_stored_after_it() {
    let app = TestApp::start().await;
    let thread = json!({"thread": "t1"});
    let (turn, _, _) = app.open("ada", thread.clone()).await;
    let app = app.restart().await;
    assert_eq!(app.record(&turn, "ada", thread.clone(), ("q1", "a1")).await, 1);
    let (_, before, _) = app.open("ada", thread).await;
    assert_eq!(said(&before), ["q1", "a1"]);
}

#[tokio::test]
async fn a_turn_that_was_opened_before_a_kill_is_waited_for_or_told_as_missing_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let open = async |served: &crate::cli::Served| {
        let headers = [("authorization", format!("Bearer {SECRET}")), ("content-type", "application/json".to_owned())];
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
        let body = r#"{"project":"p","user":"ada","thread":"t1"}"#;
        send(served.internal, "POST", "/internal/v1/turns/open", &headers, body).await.json()
    };
    let mut served = crate::cli::serve(dir.path());
    assert_eq!(open(&served).await.get("stale"), None);
    served.child.kill().unwrap();
    served.child.wait().unwrap();
    let served = crate::cli::serve(dir.path());
    assert_eq!(open(&served).await["stale"], true, "no silent gap");
}

#[tokio::test]
async fn a_request_that_went_away_holds_nobody_up() {
    let app = Arc::new(TestApp::start().await);
    let thread = json!({"thread": "t1"});
    let (first, _, _) = app.open("ada", thread.clone()).await;
    let gone = {
        let (app, thread) = (app.clone(), thread.clone());
        tokio::spawn(async move { app.open("ada", thread).await })
    };
    until_open(&app, 2).await;
    gone.abort();
    app.record(&first, "ada", thread.clone(), ("q1", "a1")).await;
    let (_, _, stale) = app.open("ada", thread).await;
    assert!(!stale);
}

#[tokio::test]
async fn a_request_in_flight_is_answered_before_the_companion_stops() {
    let app = TestApp::with_turn_wait(Duration::from_millis(200)).await;
    app.open("ada", json!({"thread": "t1"})).await;
    let internal = app.running.internal;
    let body = json!({"project": app.project, "user": "ada", "thread": "t1"}).to_string();
    let bearer = format!("Bearer {SECRET}");
    let holding = tokio::spawn(async move {
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        send(internal, "POST", "/internal/v1/turns/open", &headers, body).await
    });
    until_open(&app, 2).await;
    app.running.stop().await;
    assert_eq!(holding.await.unwrap().status, 200);
    assert!(tokio::net::TcpStream::connect(internal).await.is_err());
}

#[tokio::test]
async fn a_long_history_loses_its_oldest_turns() {
    let app = TestApp::start().await;
    let long = "x".repeat(1_500_000);
    for turn in ["turn_1", "turn_2", "turn_3"] {
        app.record(turn, "ada", json!({"thread": "t1"}), (turn, &long)).await;
    }
    let (_, before, _) = app.open("ada", json!({"thread": "t1"})).await;
    assert_eq!(said(&before), ["turn_2", &long, "turn_3", &long]);
}

#[tokio::test]
async fn without_the_secret_nothing_internal_answers() {
    let app = TestApp::start().await;
    let token = app.token("ada").await;
    let body = json!({"project": app.project, "user": "ada", "thread": "t1"}).to_string();
    for bearer in [
        "",
        "Bearer ",
        "Bearer wrong",
        &format!("Bearer {SECRET}x"),
        SECRET,
        &format!("Bearer {token}"),
        &format!("Bearer {}", app.key),
    ] {
        let headers = [("authorization", bearer), ("content-type", "application/json")];
        for path in ["/internal/v1/turns/open", "/internal/v1/turns", "/absent"] {
            let answer = send(app.running.internal, "POST", path, &headers, body.clone()).await;
            assert_eq!(answer.error(), (401, "invalid_internal_secret".into(), None), "{bearer}");
        }
    }
    let twice = format!("Bearer {SECRET}");
    let headers = [("authorization", twice.as_str()), ("authorization", twice.as_str())];
    assert_eq!(send(app.running.internal, "POST", "/internal/v1/turns", &headers, "").await.status, 401);
    // The public listener knows nothing of turns, whatever the secret.
    assert_eq!(app.public("POST", "/internal/v1/turns/open", SECRET, &body).await.status, 404);
    assert_eq!(send(app.running.internal, "GET", "/healthz", &[], "").await.status, 200);
}

#[tokio::test]
async fn a_wrong_turn_is_told_which_member_is_at_fault_and_nothing_is_stored() {
    let app = TestApp::start().await;
    let turn = |name: &str, value: Value| {
        let mut turn = json!({"turn": "turn_2", "project": app.project, "user": "ada", "thread": "t1", "complete": true,
            "input": [{"role": "user", "content": "private"}], "output": []});
        turn[name] = value;
        let good = json!({"turn": "turn_1", "project": app.project, "user": "ada", "thread": "t1", "complete": true,
            "input": [{"role": "user", "content": "private"}], "output": []});
        json!({"turns": [good, turn]}).to_string()
    };
    for (name, value, param) in [
        ("turn", json!(""), "turns[1].turn"),
        ("user", json!("a\nb"), "turns[1].user"),
        ("project", json!(7), "turns[1].project"),
        ("thread", json!(""), "turns[1].thread"),
        ("thread", Value::Null, "turns[1].thread"),
        ("complete", json!("private"), "turns[1].complete"),
        ("input", json!(["private"]), "turns[1].input[0]"),
        ("output", json!("private"), "turns[1].output"),
        ("extra", json!(1), "turns[1].extra"),
    ] {
        let answer = app.internal("/internal/v1/turns", &turn(name, value)).await;
        assert_eq!(answer.error(), (400, "invalid_request".into(), Some(param.into())));
        assert!(!answer.message().contains("private"), "{}", answer.message());
    }
    for (body, param) in [
        (json!({"project": "p", "user": "ada"}), "thread"),
        (json!({"project": "p", "thread": "t"}), "user"),
        (json!({"project": "p", "user": "", "thread": "t"}), "user"),
        (json!({"project": "p", "user": "a", "thread": "t", "limit": 1}), "limit"),
    ] {
        let answer = app.internal("/internal/v1/turns/open", &body.to_string()).await;
        assert_eq!(answer.error(), (400, "invalid_request".into(), Some(param.into())));
    }
    let (_, before, _) = app.open("ada", json!({"thread": "t1"})).await;
    assert_eq!(before, json!([]));
}

/// JSON texts of messages as no serialiser would write them: odd spaces, escapes, numbers, members
/// in any order and twice, lone surrogates.
fn raw_message() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        any::<String>().prop_map(|it| serde_json::to_string(&it).unwrap()),
        Just(r#""\u0041\u00e9\/\ud83d\ude00""#.to_owned()),
        Just(r#""\ud800""#.to_owned()),
        Just(r#""\u0000""#.to_owned()),
    ];
    let value = prop_oneof![
        text,
        Just("1.50E+2".into()),
        Just("-0".into()),
        Just("1e999".into()),
        Just("[ ]".into()),
        Just("null".into())
    ];
    let member = ("(role|content|name|id|x)", "[ \t\n\r]{0,2}", value)
        .prop_map(|(name, space, value)| format!("{space}\"{name}\"{space}:{space}{value}{space}"));
    proptest::collection::vec(member, 0..5).prop_map(|it| format!("{{{}}}", it.join(",")))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn stored_messages_come_back_byte_for_byte(turns in proptest::collection::vec(proptest::collection::vec(raw_message(), 1..4), 1..4)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let app = TestApp::start().await;
            let bodies: Vec<_> = turns.iter().enumerate().map(|(number, messages)| format!(
                r#"{{"turn":"{number}","project":"p","user":"ada","thread":"t1","complete":true,"input":[{}],"output":[]}}"#,
                messages.join(" , ")
            )).collect();
            let body = format!(r#"{{"turns":[{}]}}"#, bodies.join(","));
            assert_eq!(app.internal("/internal/v1/turns", &body).await.json(), json!({"stored": turns.len()}));
            let opened = app.internal("/internal/v1/turns/open", r#"{"project":"p","user":"ada","thread":"t1"}"#).await;
            let text = String::from_utf8(opened.body.to_vec()).unwrap();
            let (_, messages) = text.split_once(r#""messages":["#).unwrap();
            assert_eq!(messages, format!("{}]}}", turns.concat().join(",")));
        });
    }
}
