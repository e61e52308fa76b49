//! Threads that applications make and change, and what their operator does with the memory.

use crate::app::{BEGIN, TestApp};
use serde_json::{Value, json};
use std::time::Duration;

const KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

async fn send(app: &TestApp, method: &str, path: &str, token: &str, body: Value) -> (u16, Value) {
    let answer = app.public(method, path, token, &body.to_string()).await;
    (answer.status, if answer.body.is_empty() { Value::Null } else { answer.json() })
}

fn user(text: &str) -> Value {
    json!({"role": "user", "content": text})
}

#[tokio::test]
async fn a_thread_is_made_named_labelled_and_filled_by_its_application() {
    let app = TestApp::start().await;
    let token = app.token("ada").await;
    let made = send(&app, "POST", "/v1/threads", &token, json!({"id": "t1", "metadata": {"topic": "rome"}})).await;
    let thread = json!({"id": "t1", "object": "thread", "title": null, "metadata": {"topic": "rome"}, "message_count": 0,
        "created_at": BEGIN, "updated_at": BEGIN});
    assert_eq!(made, (201, thread));
    let again = app.public("POST", "/v1/threads", &token, r#"{"id": "t1"}"#).await;
    assert_eq!(again.error(), (409, "thread_exists".to_owned(), Some("id".to_owned())));
    let named = send(&app, "POST", "/v1/threads", &token, json!({})).await;
    assert!(named.0 == 201 && named.1["id"].as_str().unwrap().starts_with("thread_"));

    let call = json!({"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function",
        "function": {"name": "f", "arguments": "{}"}}]});
    let messages = json!([user("A trip to Rome"), call, {"role": "tool", "tool_call_id": "c1", "content": "ok"}]);
    let stored =
        send(&app, "POST", "/v1/threads/t1/messages", &token, json!({"messages": messages, "turn_id": "x"})).await;
    assert_eq!((stored.0, stored.1["data"][1]["tool_calls"].clone()), (201, call["tool_calls"].clone()));
    let again =
        send(&app, "POST", "/v1/threads/t1/messages", &token, json!({"messages": messages, "turn_id": "x"})).await;
    assert_eq!(again.0, 201);
    assert_eq!(app.get("/v1/threads/t1", &token).await.json()["message_count"], 3, "one name, stored once");
    let (_, history, _) = app.open("ada", json!({"thread": "t1"})).await;
    assert_eq!(history, messages, "the model is given them as they came");

    let changed = send(&app, "PATCH", "/v1/threads/t1", &token, json!({"title": "Rome", "metadata": null})).await;
    assert_eq!((&changed.1["title"], &changed.1["metadata"]), (&json!("Rome"), &json!({})));
    let changed = send(&app, "PATCH", "/v1/threads/t1", &token, json!({"title": null})).await;
    assert_eq!(changed.1["title"], Value::Null);
    let id = stored.1["data"][2]["id"].as_str().unwrap();
    let path = format!("/v1/threads/t1/messages/{id}");
    assert_eq!(send(&app, "DELETE", &path, &token, Value::Null).await.0, 204);
    assert_eq!(app.public("DELETE", &path, &token, "").await.error().1, "message_not_found");
    assert_eq!(app.get("/v1/threads/t1", &token).await.json()["message_count"], 2);
}

#[tokio::test]
async fn a_conversation_that_is_imported_at_once_is_as_many_turns_as_it_has() {
    let app = TestApp::start().await;
    let token = app.token("ada").await;
    send(&app, "POST", "/v1/threads", &token, json!({"id": "t1"})).await;
    let said = |text: &str| json!({"role": "assistant", "content": text});
    let messages =
        json!([said("Welcome"), user("u1"), user("u2"), said("a1"), user("u3"), said("a2"), user("u4"), said("a3")]);
    let import = async || {
        send(&app, "POST", "/v1/threads/t1/messages", &token, json!({"messages": messages, "turn_id": "x"})).await
    };
    let (first, again) = (import().await, import().await);
    assert_eq!((first.0, &first.1), (201, &again.1), "stored once, and told the same");
    assert_eq!(app.get("/v1/threads/t1", &token).await.json()["message_count"], 8);
    assert_eq!(app.get("/v1/threads/t1/messages", &token).await.json(), first.1);
    let told = async |few: Value| {
        let mut memory = json!({"thread": "t1"});
        memory.as_object_mut().unwrap().extend(few.as_object().unwrap().clone());
        let (turn, history, _) = app.open("ada", memory).await;
        app.record(&turn, "ada", json!({"thread": "t1"}), ("", "")).await;
        history
    };
    assert_eq!(told(json!({})).await, messages);
    assert_eq!(told(json!({"max_turns": 2})).await, json!([user("u3"), said("a2"), user("u4"), said("a3")]));
    assert_eq!(told(json!({"max_tokens": 20})).await, json!([user("u4"), said("a3")]));
    for id in first.1["data"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()) {
        let path = format!("/v1/threads/t1/messages/{id}");
        assert_eq!(app.public("DELETE", &path, &token, "").await.status, 204, "{id}");
    }
    // A name that a client can choose is none of those that its turns have.
    let other = first.1["data"][7]["turn_id"].as_str().unwrap();
    let body = json!({"messages": messages, "turn_id": other});
    assert_eq!(send(&app, "POST", "/v1/threads/t1/messages", &token, body).await.0, 400);
}

#[tokio::test]
async fn a_page_of_long_messages_has_fewer_of_them() {
    let app = TestApp::start().await;
    let token = app.token("ada").await;
    send(&app, "POST", "/v1/threads", &token, json!({"id": "t1"})).await;
    let long = "x".repeat((1 << 20) - 100);
    let messages: Vec<Value> = (0..20).map(|_| user(&long)).collect();
    let body = json!({"messages": messages, "turn_id": "x"});
    let (status, stored) = send(&app, "POST", "/v1/threads/t1/messages", &token, body.clone()).await;
    assert_eq!((status, stored["data"].as_array().unwrap().len()), (201, 20));
    assert_eq!(send(&app, "POST", "/v1/threads/t1/messages", &token, body).await.1, stored);
    for (list, order, limit) in [
        ("threads/t1/messages", "asc", 1000),
        ("threads/t1/messages", "desc", 1000),
        ("conversations/t1/items", "asc", 100),
    ] {
        let (mut seen, mut pages, mut after) = (Vec::new(), 0, String::new());
        loop {
            let path = format!("/v1/{list}?limit={limit}&order={order}{after}");
            let answer = app.get(&path, &token).await;
            assert!(answer.body.len() < 20 << 20, "{path}: {} bytes", answer.body.len());
            let page = answer.json();
            let ids = page["data"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned());
            seen.extend(ids);
            pages += 1;
            after = format!("&after={}", seen.last().unwrap());
            if page["has_more"] == json!(false) {
                break;
            }
        }
        let mut expected: Vec<_> =
            stored["data"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect();
        if order == "desc" {
            expected.reverse();
        }
        assert_eq!(seen, expected, "{list}");
        assert!(pages > 2, "{list}");
    }
    let lines = app.get("/v1/threads/t1/export", &token).await.body;
    assert_eq!(lines.iter().filter(|it| **it == b'\n').count(), 20);
}

#[tokio::test]
async fn a_line_of_an_export_names_its_thread_once() {
    let app = TestApp::start().await;
    let token = app.token("ada").await;
    send(&app, "POST", "/v1/threads", &token, json!({"id": "t1"})).await;
    let messages = json!([{"role": "user", "content": "q", "thread_id": "another", "x": 1}]);
    send(&app, "POST", "/v1/threads/t1/messages", &token, json!({"messages": messages})).await;
    let line = String::from_utf8(app.get("/v1/threads/t1/export", &token).await.body.to_vec()).unwrap();
    assert!(line.starts_with(r#"{"thread_id":"t1","#) && line.matches("thread_id").count() == 1, "{line}");
}

#[tokio::test]
async fn what_is_wrong_is_named_and_nothing_is_written() {
    let app = TestApp::with(|settings| {
        settings.limits.threads = 2;
        settings.limits.messages = 3;
        settings.limits.message_bytes = 100;
    })
    .await;
    let token = app.token("ada").await;
    send(&app, "POST", "/v1/threads", &token, json!({"id": "t1"})).await;
    let long = "x".repeat(101);
    let many: Vec<_> = (0..4).map(|_| user("a")).collect();
    let names: serde_json::Map<String, Value> = (0..17).map(|it| (it.to_string(), json!("x"))).collect();
    for (method, path, body, status, code, param) in [
        ("POST", "/v1/threads", json!({"id": "a b"}), 400, "invalid_request", "id"),
        ("POST", "/v1/threads", json!({"id": "search"}), 400, "invalid_request", "id"),
        ("POST", "/v1/threads", json!({"title": ""}), 400, "invalid_request", "title"),
        ("POST", "/v1/threads", json!({"name": "x"}), 400, "invalid_request", "name"),
        ("POST", "/v1/threads", json!({"metadata": names}), 400, "invalid_request", "metadata"),
        ("PATCH", "/v1/threads/t1", json!({"title": "a\nb"}), 400, "invalid_request", "title"),
        ("PATCH", "/v1/threads/none", json!({"title": "x"}), 404, "thread_not_found", "thread_id"),
        ("POST", "/v1/threads/none/messages", json!({"messages": [user("a")]}), 404, "thread_not_found", "thread_id"),
        ("POST", "/v1/threads/t1/messages", json!({"messages": []}), 400, "invalid_request", "messages"),
        ("POST", "/v1/threads/t1/messages", json!({"messages": [user("a"), 5]}), 400, "invalid_request", "messages[1]"),
        (
            "POST",
            "/v1/threads/t1/messages",
            json!({"messages": [user(&long)]}),
            413,
            "request_too_large",
            "messages[0]",
        ),
        ("POST", "/v1/threads/t1/messages", json!({"messages": many}), 409, "thread_full", "thread_id"),
        (
            "POST",
            "/v1/threads/t1/messages",
            json!({"messages": [{"role": "system", "content": "x"}]}),
            400,
            "invalid_request",
            "messages[0].role",
        ),
        (
            "POST",
            "/v1/threads/t1/messages",
            json!({"messages": [{"role": "user"}]}),
            400,
            "invalid_request",
            "messages[0].content",
        ),
        // What no provider takes would stand in each history from then on.
        (
            "POST",
            "/v1/threads/t1/messages",
            json!({"messages": [{"role": "user", "tool_calls": [{"id": "c"}]}]}),
            400,
            "invalid_request",
            "messages[0].content",
        ),
        (
            "POST",
            "/v1/threads/t1/messages",
            json!({"messages": [{"role": "tool", "tool_call_id": "c", "refusal": "x"}]}),
            400,
            "invalid_request",
            "messages[0].content",
        ),
        (
            "POST",
            "/v1/threads/t1/messages",
            json!({"messages": [{"role": "assistant", "content": "x", "tool_calls": []}]}),
            400,
            "invalid_request",
            "messages[0].tool_calls",
        ),
    ] {
        let answer = app.public(method, path, &token, &body.to_string()).await;
        assert_eq!(answer.error(), (status, code.to_owned(), Some(param.to_owned())), "{method} {path} {body}");
    }
    assert_eq!(app.get("/v1/threads/t1", &token).await.json()["message_count"], 0);
    for path in ["/v1/threads/search", "/v1/threads/search?q=%20", "/v1/threads/search?q=a&limit=0"] {
        assert_eq!(app.get(path, &token).await.status, 400, "{path}");
    }

    assert_eq!(send(&app, "POST", "/v1/threads", &token, json!({"id": "t2"})).await.0, 201);
    assert_eq!(
        send(&app, "POST", "/v1/threads", &token, json!({"id": "t3"})).await.1["error"]["code"],
        "too_many_threads"
    );
    app.record("turn_1", "ada", json!({"thread": "t1"}), ("a", "b")).await;
    app.record("turn_2", "ada", json!({"thread": "t1"}), ("a", "b")).await;
    for (thread, code) in [("t1", "thread_full"), ("t3", "too_many_threads")] {
        let body = json!({"project": app.project, "user": "ada", "thread": thread});
        let refused = app.internal("/internal/v1/turns/open", &body.to_string()).await;
        assert_eq!(refused.error(), (409, code.to_owned(), Some("thread_id".to_owned())));
    }
}

#[tokio::test]
async fn calls_and_results_that_lack_each_other_are_shown_and_told_to_no_model() {
    let app = TestApp::start().await;
    let token = app.token("ada").await;
    let result = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": "ok"});
    let call = |id: &str| {
        json!({"role": "assistant", "content": "I look.", "tool_calls": [{"id": id, "type": "function",
        "function": {"name": "f", "arguments": "{}"}}]})
    };
    let said = json!({"role": "assistant", "content": "done"});
    send(&app, "POST", "/v1/threads", &token, json!({"id": "t1"})).await;
    // It begins with what nobody asked for, and goes on where a tool was called.
    let messages = [result("c0"), user("1"), call("c1"), user("2"), call("c2"), result("c2"), said.clone(), user("3")];
    let body = json!({"messages": messages, "turn_id": "x"});
    assert_eq!(send(&app, "POST", "/v1/threads/t1/messages", &token, body).await.0, 201);
    let history = async || {
        let (turn, history, _) = app.open("ada", json!({"thread": "t1"})).await;
        app.record(&turn, "ada", json!({"thread": "t1"}), ("", "")).await;
        history
    };
    assert_eq!(history().await, json!([user("1"), user("2"), call("c2"), result("c2"), said, user("3")]));
    let shown = app.get("/v1/threads/t1/messages", &token).await.json();
    assert_eq!(shown["data"].as_array().unwrap().len(), messages.len());
    let delete = async |at: usize| {
        let path = format!("/v1/threads/t1/messages/{}", shown["data"][at]["id"].as_str().unwrap());
        app.public("DELETE", &path, &token, "").await.status
    };
    assert_eq!((delete(5).await, history().await), (204, json!([user("1"), user("2"), said, user("3")])));
    let items = app.get("/v1/conversations/t1/items?order=asc", &token).await.json();
    let kinds: Vec<_> = items["data"].as_array().unwrap().iter().map(|it| it["type"].as_str().unwrap()).collect();
    assert_eq!(kinds.iter().filter(|it| **it == "function_call").count(), 2, "{kinds:?}");
}

#[tokio::test]
async fn of_imports_at_once_no_more_are_stored_than_there_is_room_for() {
    let app = std::sync::Arc::new(TestApp::with(|it| (it.limits.messages, it.limits.threads) = (5, 5)).await);
    let token = app.token("ada").await;
    send(&app, "POST", "/v1/threads", &token, json!({"id": "t1"})).await;
    let at_once = async |path: &'static str, body: &Value| {
        let mut asked = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (app, token, body) = (app.clone(), token.clone(), body.to_string());
            asked.spawn(async move { app.public("POST", path, &token, &body).await.status });
        }
        let mut statuses = asked.join_all().await;
        statuses.sort_unstable();
        statuses
    };
    let two = json!({"messages": [user("a"), user("b")]});
    assert_eq!(at_once("/v1/threads/t1/messages", &two).await, [201, 201, 409, 409, 409, 409, 409, 409]);
    let one = json!({"items": [user("c")]});
    assert_eq!(at_once("/v1/conversations/t1/items", &one).await, [200, 409, 409, 409, 409, 409, 409, 409]);
    assert_eq!(app.get("/v1/threads/t1", &token).await.json()["message_count"], 5);
    assert_eq!(at_once("/v1/threads", &json!({})).await, [201, 201, 201, 201, 409, 409, 409, 409]);
    // What was stored under a name is found again, however full the thread is.
    let named = |id: &str| json!({"messages": [user("a")], "turn_id": id});
    let threads = app.get("/v1/threads", &token).await.json();
    let thread = &threads["data"].as_array().unwrap().iter().find(|it| it["id"] != "t1").unwrap()["id"];
    let path = format!("/v1/threads/{}/messages", thread.as_str().unwrap());
    let mut statuses = Vec::new();
    for id in ["a", "b", "c", "d", "e", "f", "a"] {
        statuses.push(send(&app, "POST", &path, &token, named(id)).await.0);
    }
    assert_eq!(statuses, [201, 201, 201, 201, 201, 409, 201]);
}

#[tokio::test]
async fn threads_are_searched_exported_and_erased_by_their_owner_alone() {
    let app = TestApp::start().await;
    let (ada, eve) = (app.token("ada").await, app.token("eve").await);
    app.record("turn_1", "ada", json!({"thread": "t1"}), ("A trip to Rome", "Sure.")).await;
    app.record("turn_2", "ada", json!({"thread": "t2", "session": "s"}), ("Oslo?", "Cold.")).await;
    app.record("turn_1", "eve", json!({"thread": "t1"}), ("Rome is mine", "Yes.")).await;

    let found = app.get("/v1/threads/search?q=trip%20ROME", &ada).await.json();
    assert_eq!((found["data"].as_array().unwrap().len(), &found["complete"]), (1, &json!(true)));
    let hit = &found["data"][0];
    assert_eq!((&hit["thread"]["id"], &hit["message"]["content"]), (&json!("t1"), &json!("A trip to Rome")));

    let lines = |answer: &crate::app::Answer| {
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        text.lines().map(|it| serde_json::from_str::<Value>(it).unwrap()).collect::<Vec<_>>()
    };
    let one = app.get("/v1/threads/t1/export", &ada).await;
    assert_eq!(one.header("content-type"), "application/jsonl");
    let said: Vec<_> = lines(&one).iter().map(|it| it["content"].as_str().unwrap().to_owned()).collect();
    assert_eq!(said, ["A trip to Rome", "Sure."]);
    let all = lines(&app.get("/v1/threads/export", &ada).await);
    let of: Vec<_> = all.iter().map(|it| it["thread_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(of, ["t1", "t1", "t2", "t2"]);

    let other = app.public("PATCH", "/v1/threads/t2", &eve, r#"{"title": "x"}"#).await;
    assert_eq!(other.error().1, "thread_not_found");
    let other = app.public("DELETE", "/v1/threads/t1/messages/msg_turn_2_0", &eve, "").await;
    assert_eq!(other.error().1, "message_not_found");

    let erased = app.public("DELETE", "/v1/users/me/data", &ada, "").await.json();
    assert_eq!(erased, json!({"object": "user.data.erased", "threads": 2, "sessions": 1, "usage_records": 0}));
    assert_eq!(app.get("/v1/threads", &ada).await.json()["data"], json!([]));
    assert_eq!(app.record("turn_1", "ada", json!({"thread": "t1"}), ("late", "too")).await, 0);
    assert_eq!(app.get("/v1/threads/t1", &eve).await.json()["message_count"], 2);
}

#[tokio::test]
async fn a_project_may_forget_its_threads_and_its_key_may_be_turned_over() {
    let secret = |key: &str| Some(domain::secret::Secret::new(key.to_owned()));
    let app = TestApp::with(|settings| settings.data_keys = secret(KEY)).await;
    let token = app.token("ada").await;
    app.record("turn_1", "ada", json!({"thread": "t1"}), ("my secret plan", "ok")).await;
    app.pass(Duration::from_secs(1));
    let told = app.operator(&["memory", "retention"]).await.unwrap_err();
    assert!(told.starts_with("TOLLGATE_DATA_KEY: ") && !told.contains(KEY), "{told}");
    let without = app.another_with(|_| ()).await.unwrap_err();
    assert!(without.contains("which is not among the keys"), "{without}");
    assert_eq!(app.get("/v1/threads/t1", &token).await.json()["title"], "my secret plan");
    for wrong in ["short", "AQEB,AQEB"] {
        let refused = app.another_with(|settings| settings.data_keys = secret(wrong)).await.unwrap_err();
        assert!(refused.contains("key 1 is not 32 bytes") && !refused.contains(wrong), "{refused}");
    }
    let app = TestApp::start().await;
    let id = app.project.clone();
    let said = app.operator(&["memory", "retention", "--project", &id, "--days", "30"]).await.unwrap();
    assert_eq!(said, json!([{"project": id, "days": 30}]));
    assert_eq!(app.operator(&["memory", "retention", "--project", &id, "--keep"]).await.unwrap(), json!([]));
    assert!(app.operator(&["memory", "retention", "--days", "3"]).await.is_err());
    assert!(app.operator(&["memory", "retention", "--project", &id]).await.is_err());
    assert_eq!(app.operator(&["memory", "reseal"]).await.unwrap(), json!({"resealed": 0}));
}

#[tokio::test]
async fn other_answers_are_kept_shown_and_exported_and_are_never_in_the_history() {
    let app = TestApp::start().await;
    let token = app.token("ada").await;
    let answer = |text: &str| json!({"role": "assistant", "content": text});
    let turn = json!({
        "turn": "turn_1", "project": app.project, "user": "ada", "thread": "t1", "complete": true,
        "input": [{"role": "user", "content": "heads?"}], "output": [answer("heads")],
        "alternatives": [
            {"index": 1, "message": answer("tails"), "complete": true},
            {"index": 2, "message": answer("edg"), "complete": false},
        ],
    });
    let body = json!({"turns": [turn]}).to_string();
    assert_eq!(app.internal("/internal/v1/turns", &body).await.json(), json!({"stored": 1}));
    let (_, history, _) = app.open("ada", json!({"thread": "t1"})).await;
    assert_eq!(history, json!([{"role": "user", "content": "heads?"}, answer("heads")]));
    let line = |it: &Value| json!([it["content"], it["choice_index"], it["complete"]]);
    let all = json!([["heads?", null, true], ["heads", null, true], ["tails", 1, true], ["edg", 2, false]]);
    let shown = app.get("/v1/threads/t1/messages", &token).await.json();
    assert_eq!(shown["data"].as_array().unwrap().iter().map(line).collect::<Value>(), all);
    let lines = String::from_utf8(app.get("/v1/threads/t1/export", &token).await.body.to_vec()).unwrap();
    assert_eq!(lines.lines().map(|it| line(&serde_json::from_str(it).unwrap())).collect::<Value>(), all);
    assert_eq!(app.get("/v1/threads/t1", &token).await.json()["message_count"], 4);
    let (status, _) = send(&app, "DELETE", "/v1/threads/t1/messages/msg_turn_1_3", &token, json!(null)).await;
    assert_eq!((status, app.get("/v1/threads/t1", &token).await.json()["message_count"].clone()), (204, json!(3)));
    for (wrong, param) in [
        (json!({"index": 0, "message": {}, "complete": true}), "turns[0].alternatives[0].index"),
        (json!({"index": 128, "message": {}, "complete": true}), "turns[0].alternatives[0].index"),
        (json!({"index": 1, "message": [], "complete": true}), "turns[0].alternatives[0].message"),
    ] {
        let mut turn = turn.clone();
        turn["alternatives"] = json!([wrong]);
        let refused = app.internal("/internal/v1/turns", &json!({"turns": [turn]}).to_string()).await;
        assert_eq!(refused.error(), (400, "invalid_request".to_owned(), Some(param.to_owned())));
    }
}

#[tokio::test]
async fn a_session_is_made_for_who_asks_for_one_and_has_none() {
    let app = TestApp::start().await;
    let open = async |memory: Value| {
        let mut body = json!({"project": app.project, "user": "ada", "new_session": true});
        body.as_object_mut().unwrap().extend(memory.as_object().unwrap().clone());
        app.internal("/internal/v1/turns/open", &body.to_string()).await.json()
    };
    let made = open(json!({})).await;
    let session = made["session"].as_str().unwrap();
    assert!(session.starts_with("sess_") && domain::headers::is_id(session), "{session}");
    assert_ne!(open(json!({"thread": "t1"})).await["session"], made["session"]);
    // One that is named stands.
    assert_eq!(open(json!({"session": "s"})).await.get("session"), None);
    let turn = made["turn"].as_str().unwrap();
    app.record(turn, "ada", json!({"session": session}), ("hi", "hello")).await;
    let (_, history, _) = app.open("ada", json!({"session": session})).await;
    assert_eq!(history.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn sessions_in_redis_need_one_and_are_told_to_be_out_of_reach_when_it_is() {
    let mut redis = tests::Redis::start();
    let url = redis.url();
    let in_redis = |settings: &mut companion::Settings| {
        settings.session_store = companion::SessionStore::Redis;
        settings.redis_url = Some(domain::secret::Secret::new(url.clone()));
    };
    let app = TestApp::with(in_redis).await;
    let without = app.another_with(|it| it.session_store = companion::SessionStore::Redis).await.unwrap_err();
    assert_eq!(without, "session-store: expected --redis-url where sessions are in redis");
    app.record("turn_1", "ada", json!({"session": "s"}), ("q", "a")).await;
    let (turn, before, _) = app.open("ada", json!({"session": "s"})).await;
    assert_eq!(before.as_array().unwrap().len(), 2);
    redis.stop();
    let body = json!({"project": app.project, "user": "ada", "session": "s2"}).to_string();
    assert_eq!(app.internal("/internal/v1/turns/open", &body).await.error().0, 503);
    let said = json!({"turn": turn, "project": app.project, "user": "ada", "session": "s", "complete": true,
        "input": [user("q2")], "output": [{"role": "assistant", "content": "a2"}]});
    let report = json!({"turns": [said]}).to_string();
    assert_eq!(app.internal("/internal/v1/turns", &report).await.error().0, 503);
    app.open("ada", json!({"thread": "t"})).await;
    redis.start_again();
    while app.internal("/internal/v1/turns", &report).await.status != 200 {}
    let (_, before, stale) = app.open("ada", json!({"session": "s"})).await;
    assert_eq!((before.as_array().unwrap().len(), stale), (2, false), "what Redis forgot is forgotten");
    let token = app.token("ada").await;
    let erased = app.public("DELETE", "/v1/users/me/data", &token, "").await.json();
    assert_eq!(erased["object"], "user.data.erased");
    assert_eq!(redis.ask(&["KEYS", "tollgate:session:*"]), json!([]));
}
