use crate::app::{BEGIN, TestApp, files};
use serde_json::{Value, json};
use std::time::Duration;

fn in_thread(id: &str) -> Value {
    json!({"thread": id})
}

fn ids(list: &Value) -> Vec<String> {
    list["data"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_thread_is_listed_read_and_deleted_by_its_owner() {
    let app = TestApp::start().await;
    let token = app.token("ada").await;
    assert_eq!(
        app.get("/v1/threads", &token).await.json(),
        json!({"object": "list", "data": [], "threads": [], "has_more": false})
    );
    app.record("turn_1", "ada", in_thread("t/1"), ("What is a gateway?", "A door.")).await;
    app.pass(Duration::from_secs(5));
    app.record("turn_2", "ada", in_thread("t/1"), ("Thanks", "")).await;

    let thread = json!({"id": "t/1", "object": "thread", "title": "What is a gateway?", "metadata": {}, "message_count": 3,
        "created_at": BEGIN, "updated_at": BEGIN + 5});
    let list = app.get("/v1/threads", &token).await.json();
    assert_eq!(list, json!({"object": "list", "data": [thread], "threads": [thread], "has_more": false}));
    assert_eq!(app.get("/v1/threads/t%2F1", &token).await.json(), thread);

    let messages = app.get("/v1/threads/t%2F1/messages", &token).await.json();
    let message = |id: &str, turn: &str, role: &str, text: &str, at: u64, complete: bool| {
        json!({"id": id, "object": "thread.message", "role": role, "content": text, "created_at": at,
            "turn_id": turn, "complete": complete})
    };
    let expected = json!([
        message("msg_turn_1_0", "turn_1", "user", "What is a gateway?", BEGIN, true),
        message("msg_turn_1_1", "turn_1", "assistant", "A door.", BEGIN, true),
        message("msg_turn_2_0", "turn_2", "user", "Thanks", BEGIN + 5, false),
    ]);
    assert_eq!(messages, json!({"object": "list", "data": expected, "messages": expected, "has_more": false}));

    let deleted = app.public("DELETE", "/v1/threads/t%2F1", &token, "").await;
    assert_eq!((deleted.status, deleted.body.len()), (204, 0));
    for path in ["/v1/threads/t%2F1", "/v1/threads/t%2F1/messages"] {
        assert_eq!(app.get(path, &token).await.error().1, "thread_not_found");
    }
    assert_eq!(app.public("DELETE", "/v1/threads/t%2F1", &token, "").await.status, 404);
}

#[tokio::test]
async fn nobody_else_sees_a_thread_or_learns_that_it_is_there() {
    let app = TestApp::start().await;
    app.record("turn_1", "ada", in_thread("t1"), ("secret", "plan")).await;
    let eve = app.token("eve").await;
    for (method, path) in [
        ("GET", "/v1/threads/t1"),
        ("GET", "/v1/threads/t1/messages"),
        ("GET", "/v1/threads/t1/messages?after=msg_turn_1_0"),
        ("DELETE", "/v1/threads/t1"),
    ] {
        let others = app.public(method, path, &eve, "").await;
        let nobodys = app.public(method, &path.replace("t1", "absent"), &eve, "").await;
        assert_eq!(others.error(), (404, "thread_not_found".into(), Some("thread_id".into())));
        assert_eq!(others.body, nobodys.body);
    }
    assert_eq!(app.get("/v1/threads", &eve).await.json()["data"], json!([]));
    assert_eq!(app.get("/v1/threads?after=t1", &eve).await.status, 400);
    let (_, history, _) = app.open("eve", in_thread("t1")).await;
    assert_eq!(history, json!([]));
    // A turn of the same id in a thread of the same name is eve's own.
    assert_eq!(app.record("turn_1", "eve", in_thread("t1"), ("mine", "yes")).await, 1);
    let ada = app.token("ada").await;
    assert_eq!(app.get("/v1/threads/t1", &ada).await.json()["title"], "secret");
}

#[tokio::test]
async fn identity_headers_are_not_believed() {
    let app = TestApp::start().await;
    app.record("turn_1", "ada", in_thread("t1"), ("secret", "plan")).await;
    let bearer = format!("Bearer {}", app.token("eve").await);
    let project = app.project.clone();
    let headers = [("authorization", bearer.as_str()), ("x-end-user-id", "ada"), ("x-project-id", project.as_str())];
    let answer = crate::app::send(app.running.public, "GET", "/v1/threads/t1", &headers, "").await;
    assert_eq!(answer.status, 404);
    let answer = crate::app::send(app.running.public, "GET", "/v1/threads", &headers[1..], "").await;
    assert_eq!(answer.error().1, "invalid_token");
}

#[tokio::test]
async fn an_api_key_reads_no_thread_and_is_told_where_it_belongs() {
    let app = TestApp::start().await;
    for key in [app.key.as_str(), "bh_live_123"] {
        let answer = app.get("/v1/threads", key).await;
        assert_eq!(answer.error(), (401, "api_key_not_allowed".into(), None));
        assert!(answer.message().contains("/v1/auth/mint"));
    }
}

#[tokio::test]
async fn lists_come_in_pages() {
    let app = TestApp::start().await;
    let token = app.token("ada").await;
    for number in 1..=5 {
        app.record(&format!("turn_{number}"), "ada", in_thread(&format!("t{number}")), ("q", "a")).await;
        app.pass(Duration::from_secs(1));
    }
    let page = async |path: &str| {
        let list = app.get(path, &token).await.json();
        (ids(&list), list["has_more"] == json!(true))
    };
    let check = |it: (Vec<String>, bool), expected: &[&str], more: bool| {
        assert_eq!(it, (expected.iter().map(|it| (*it).to_owned()).collect(), more))
    };
    check(page("/v1/threads?limit=2").await, &["t5", "t4"], true);
    check(page("/v1/threads?limit=2&after=t4").await, &["t3", "t2"], true);
    check(page("/v1/threads?limit=2&after=t2").await, &["t1"], false);
    check(page("/v1/threads?order=asc&limit=3&after=t1").await, &["t2", "t3", "t4"], true);
    app.record("turn_6", "ada", in_thread("t1"), ("q2", "a2")).await;
    check(page("/v1/threads?limit=1").await, &["t1"], true);
    check(page("/v1/threads/t1/messages?limit=3").await, &["msg_turn_1_0", "msg_turn_1_1", "msg_turn_6_0"], true);
    check(page("/v1/threads/t1/messages?after=msg_turn_6_0").await, &["msg_turn_6_1"], false);
    check(page("/v1/threads/t1/messages?order=desc&limit=1").await, &["msg_turn_6_1"], true);
    for (path, param) in [
        ("/v1/threads?limit=0", "limit"),
        ("/v1/threads?page=2", "page"),
        ("/v1/threads?after=absent", "after"),
        ("/v1/threads/t1?limit=1", "limit"),
        ("/v1/threads/t1/messages?order=up", "order"),
        ("/v1/threads/t1/messages?after=msg_turn_2_0", "after"),
        ("/v1/threads/t1/messages?after=nonsense", "after"),
    ] {
        assert_eq!(app.get(path, &token).await.error(), (400, "invalid_request".into(), Some(param.into())), "{path}");
    }
}

#[tokio::test]
async fn a_message_keeps_its_members_and_cannot_overwrite_ours() {
    let app = TestApp::start().await;
    let token = app.token("ada").await;
    let call = json!([{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]);
    let message = json!({"id": "forged", "complete": false, "role": "assistant", "content": null, "tool_calls": call});
    let turn = json!({"turn": "turn_1", "project": app.project, "user": "ada", "thread": "t1", "complete": true,
        "input": [], "output": [message]});
    app.internal("/internal/v1/turns", &json!({"turns": [turn]}).to_string()).await;
    assert_eq!(
        app.get("/v1/threads/t1/messages", &token).await.json()["data"],
        json!([{"id": "msg_turn_1_0", "object": "thread.message", "role": "assistant", "content": null,
            "created_at": BEGIN, "turn_id": "turn_1", "complete": true, "tool_calls": call}])
    );
}

#[tokio::test]
async fn an_answer_says_why_it_ended_and_nothing_else_does() {
    let app = TestApp::start().await;
    let token = app.token("ada").await;
    let said = |role: &str| json!({"role": role, "content": "x", "finish_reason": "forged"});
    let turn = |id: &str, complete: bool, reason: Value| {
        json!({"turn": id, "project": app.project, "user": "ada", "thread": "t1", "complete": complete,
            "finish_reason": reason, "input": [said("assistant"), said("user")], "output": [said("assistant")],
            "alternatives": [{"index": 1, "message": said("assistant"), "complete": true}]})
    };
    let turns = json!({"turns": [turn("1", true, json!("stop")), turn("2", false, json!("length")), turn("3", false, Value::Null)]});
    assert_eq!(app.internal("/internal/v1/turns", &turns.to_string()).await.json(), json!({"stored": 3}));
    let line = |it: &Value| json!([it["turn_id"], it["complete"], it["finish_reason"]]);
    let shown = |list: &Value| list.as_array().unwrap().iter().map(line).collect::<Value>();
    let [none, stop, length] = [Value::Null, json!("stop"), json!("length")];
    let turn = |id: &str, complete: bool, reason: &Value| {
        [(complete, &none), (complete, &none), (complete, reason), (true, &none)].map(|it| json!([id, it.0, it.1]))
    };
    let expected: Value = [turn("1", true, &stop), turn("2", false, &length), turn("3", false, &none)].concat().into();
    assert_eq!(shown(&app.get("/v1/threads/t1/messages", &token).await.json()["data"]), expected);
    let lines = String::from_utf8(app.get("/v1/threads/t1/export", &token).await.body.to_vec()).unwrap();
    assert_eq!(shown(&lines.lines().map(|it| serde_json::from_str::<Value>(it).unwrap()).collect()), expected);
    // Without its answer, a turn has no reason to tell.
    assert_eq!(app.public("DELETE", "/v1/threads/t1/messages/msg_2_2", &token, "").await.status, 204);
    assert!(!app.get("/v1/threads/t1/messages", &token).await.json().to_string().contains("length"));
    let items = app.get("/v1/conversations/t1/items?order=asc", &token).await.json();
    let status: Vec<_> = items["data"].as_array().unwrap().iter().map(|it| it["status"].as_str().unwrap()).collect();
    assert_eq!(status[status.len() - 1], "incomplete");
}

#[tokio::test]
async fn a_deleted_thread_does_not_come_back_with_a_late_turn() {
    let app = TestApp::start().await;
    let token = app.token("ada").await;
    let both = json!({"thread": "t1", "session": "s1"});
    app.record("turn_1", "ada", both.clone(), ("q", "a")).await;
    let (in_flight, _, _) = app.open("ada", both.clone()).await;
    assert_eq!(app.public("DELETE", "/v1/threads/t1", &token, "").await.status, 204);
    // A gateway that did not hear the answer tries again, and the turn in flight arrives.
    assert_eq!(app.record("turn_1", "ada", both.clone(), ("q", "a")).await, 0);
    assert_eq!(app.record(&in_flight, "ada", both.clone(), ("q2", "a2")).await, 0);
    assert_eq!(app.get("/v1/threads", &token).await.json()["data"], json!([]));
    let (turn, history, _) = app.open("ada", both.clone()).await;
    assert_eq!(history, json!([]));
    assert_eq!(app.record(&turn, "ada", both, ("new", "a")).await, 1);
}

#[tokio::test]
async fn a_thread_that_is_deleted_during_its_first_answer_does_not_begin() {
    let app = TestApp::start().await;
    let token = app.token("ada").await;
    for (path, status) in [("/v1/threads/t1", 204), ("/v1/conversations/t1", 200)] {
        let (in_flight, _, _) = app.open("ada", in_thread("t1")).await;
        assert_eq!(app.public("DELETE", path, &token, "").await.status, status, "{path}");
        assert_eq!(app.record(&in_flight, "ada", in_thread("t1"), ("q", "a")).await, 0);
        assert_eq!(app.get("/v1/threads", &token).await.json()["data"], json!([]));
        assert_eq!(app.public("DELETE", path, &token, "").await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_thread_is_named_right_after_its_first_answer() {
    let app = TestApp::start().await;
    let token = app.token("ada").await;
    for (nth, method, path, body) in [
        (1, "PATCH", "/v1/threads/t1", r#"{"title":"Rome"}"#),
        (2, "POST", "/v1/conversations/t2", r#"{"metadata":{"topic":"Rome"}}"#),
    ] {
        let thread = in_thread(&format!("t{nth}"));
        let (turn, _, _) = app.open("ada", thread.clone()).await;
        let (named, _) =
            tokio::join!(app.public(method, path, &token, body), app.record(&turn, "ada", thread, ("q", "a")));
        assert_eq!(named.status, 200, "{path}");
    }
}

#[tokio::test]
async fn what_was_deleted_is_not_in_the_file_either() {
    let app = TestApp::start().await;
    let token = app.token("ada").await;
    app.record("turn_1", "ada", in_thread("t1"), ("the needle in question", "a")).await;
    app.public("DELETE", "/v1/threads/t1", &token, "").await;
    let TestApp { running, dir, .. } = app;
    running.stop().await;
    for file in files(dir.path()) {
        let bytes = std::fs::read(file).unwrap();
        assert!(!bytes.windows(10).any(|it| it == b"the needle"));
    }
}
