use crate::app::{Answer, BEGIN, TestApp};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tests::Postgres;
use tokio::task::JoinSet;

fn ids(list: &Value) -> Vec<String> {
    list["data"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
}

fn kinds(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|it| it["type"].as_str().unwrap()).collect()
}

/// A thread that was made by chatting: a question with a picture, two parallel calls, their results, an answer.
async fn chatted(app: &TestApp, thread: &str) {
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Oslo\"}"}});
    let picture =
        json!([{"type": "text", "text": "here?"}, {"type": "image_url", "image_url": {"url": "https://x/a.png"}}]);
    let turns = json!({"turns": [
        {"turn": "turn_1", "project": app.project, "user": "ada", "thread": thread, "complete": true,
            "input": [{"role": "user", "content": picture}],
            "output": [{"role": "assistant", "content": "I look.", "tool_calls": [call("c1"), call("c2")]}]},
        {"turn": "turn_2", "project": app.project, "user": "ada", "thread": thread, "complete": false,
            "input": [{"role": "tool", "tool_call_id": "c1", "content": "rain"}, {"role": "tool", "tool_call_id": "c2", "content": "sun"}],
            "output": [{"role": "assistant", "content": "Rain an"}]},
    ]});
    let answer = app.internal("/internal/v1/turns", &turns.to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

async fn post(app: &TestApp, path: &str, token: &str, body: &Value) -> Answer {
    app.public("POST", path, token, &body.to_string()).await
}

#[tokio::test]
async fn a_thread_that_was_made_by_chatting_is_a_conversation() {
    let app = TestApp::start().await;
    let token = app.token("ada").await;
    chatted(&app, "t1").await;
    let conversation = json!({"id": "t1", "object": "conversation", "created_at": BEGIN, "metadata": {}});
    assert_eq!(app.get("/v1/conversations/t1", &token).await.json(), conversation);
    let listed = app.get("/v1/conversations", &token).await.json();
    assert_eq!(
        listed,
        json!({"object": "list", "data": [conversation], "first_id": "t1", "last_id": "t1", "has_more": false})
    );
    let items =
        app.get("/v1/conversations/t1/items?order=asc&include[]=message.output_text.logprobs", &token).await.json();
    let expected = [
        "message",
        "message",
        "function_call",
        "function_call",
        "function_call_output",
        "function_call_output",
        "message",
    ];
    assert_eq!(kinds(&items), expected);
    assert_eq!(items["data"][0]["content"][1]["image_url"], "https://x/a.png");
    assert_eq!(items["data"][3]["call_id"], "c2");
    assert_eq!((&items["data"][1]["status"], &items["data"][6]["status"]), (&json!("completed"), &json!("incomplete")));
    let all = ids(&items);
    assert_eq!((items["first_id"].as_str(), items["last_id"].as_str()), (Some(all[0].as_str()), Some(all[6].as_str())));
    for (id, item) in all.iter().zip(items["data"].as_array().unwrap()) {
        assert_eq!(app.get(&format!("/v1/conversations/t1/items/{id}"), &token).await.json(), *item);
    }
}

#[tokio::test]
async fn pages_of_any_size_and_order_give_every_item_once() {
    let app = TestApp::start().await;
    let token = app.token("ada").await;
    chatted(&app, "t1").await;
    let whole = ids(&app.get("/v1/conversations/t1/items?order=asc", &token).await.json());
    for order in ["asc", "desc"] {
        for limit in 1..=8 {
            let (mut seen, mut after) = (Vec::new(), String::new());
            loop {
                let path = format!("/v1/conversations/t1/items?order={order}&limit={limit}{after}");
                let page = app.get(&path, &token).await.json();
                seen.extend(ids(&page));
                if page["has_more"] == json!(false) {
                    break;
                }
                after = format!("&after={}", page["last_id"].as_str().unwrap());
            }
            if order == "desc" {
                seen.reverse();
            }
            assert_eq!(seen, whole, "{order} {limit}");
        }
    }
    let newest = app.get("/v1/conversations/t1/items?limit=1", &token).await.json();
    assert_eq!(ids(&newest), whole[6..], "newest first unless told");
    let empty = app.get(&format!("/v1/conversations/t1/items?order=asc&after={}", whole[6]), &token).await.json();
    assert_eq!(empty, json!({"object": "list", "data": [], "first_id": "", "last_id": "", "has_more": false}));
    for after in ["nonsense", "msg_turn_9_0", "fc_turn_1_1_00000000", "msg_turn_1_01", "%00"] {
        let answer = app.get(&format!("/v1/conversations/t1/items?after={after}"), &token).await;
        assert_eq!(answer.error(), (400, "invalid_request".into(), Some("after".into())), "{after}");
    }
}

#[tokio::test]
async fn of_several_choices_the_first_alone_is_an_item() {
    let app = TestApp::start().await;
    let token = app.token("ada").await;
    let choice = |text: &str| json!({"role": "assistant", "content": text});
    let others: Vec<Value> =
        (1..=60).map(|it| json!({"index": it, "message": choice("other"), "complete": true})).collect();
    for turn in ["turn_1", "turn_2"] {
        let turn = json!({"turn": turn, "project": app.project, "user": "ada", "thread": "t1", "complete": true,
            "input": [{"role": "user", "content": "q"}], "output": [choice("first")], "alternatives": others});
        let answer = app.internal("/internal/v1/turns", &json!({"turns": [turn]}).to_string()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let all = ["msg_turn_1_0", "msg_turn_1_1", "msg_turn_2_0", "msg_turn_2_1"];
    assert_eq!(ids(&app.get("/v1/conversations/t1/items?order=asc", &token).await.json()), all);
    let page = app.get("/v1/conversations/t1/items?limit=3&after=msg_turn_2_1", &token).await.json();
    assert_eq!(
        (ids(&page), &page["has_more"]),
        (all[..3].iter().rev().map(|it| (*it).to_owned()).collect(), &json!(false))
    );
    let other = "/v1/conversations/t1/items/msg_turn_1_2";
    for method in ["GET", "DELETE"] {
        assert_eq!(app.public(method, other, &token, "").await.error().1, "item_not_found");
    }
}

#[tokio::test]
async fn a_conversation_is_made_changed_and_deleted() {
    let app = TestApp::start().await;
    let token = app.token("ada").await;
    let made = post(&app, "/v1/conversations", &token, &json!({})).await.json();
    let id = made["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("conv_") && id.len() == 37);
    assert_eq!(made, json!({"id": id, "object": "conversation", "created_at": BEGIN, "metadata": {}}));
    let items =
        json!([{"role": "user", "content": "hi there"}, {"type": "message", "role": "assistant", "content": "ho"}]);
    let other = post(&app, "/v1/conversations", &token, &json!({"metadata": {"a": "b"}, "items": items})).await.json();
    assert_eq!(other["metadata"], json!({"a": "b"}));
    let thread = app.get(&format!("/v1/threads/{}", other["id"].as_str().unwrap()), &token).await.json();
    assert_eq!((&thread["title"], &thread["message_count"]), (&json!("hi there"), &json!(2)));
    let path = format!("/v1/conversations/{id}");
    let changed = post(&app, &path, &token, &json!({"metadata": {"c": "d"}})).await.json();
    assert_eq!(changed["metadata"], json!({"c": "d"}));
    assert_eq!(post(&app, &path, &token, &json!({"metadata": null})).await.json()["metadata"], json!({}));
    assert_eq!(post(&app, &path, &token, &json!({})).await.error().2.as_deref(), Some("metadata"));
    let gone = app.public("DELETE", &path, &token, "").await;
    assert_eq!((gone.status, gone.json()), (200, json!({"id": id, "object": "conversation.deleted", "deleted": true})));
    let absent = (404, "conversation_not_found".to_owned(), Some("conversation_id".to_owned()));
    assert_eq!(app.get(&path, &token).await.error(), absent);
    assert_eq!(app.public("DELETE", &path, &token, "").await.error(), absent);
    // The next chat may name it, and one may name it as one likes.
    let named = post(&app, "/v1/conversations", &token, &json!({"id": "mine"})).await;
    assert_eq!(named.json()["id"], "mine");
    assert_eq!(post(&app, "/v1/conversations", &token, &json!({"id": "mine"})).await.error().1, "thread_exists");
    assert_eq!(post(&app, "/v1/conversations", &token, &json!({"id": "a/b"})).await.status, 400);
}

#[tokio::test]
async fn items_are_added_become_history_and_are_deleted_one_by_one() {
    fill_and_empty(&TestApp::start().await).await;
}

#[tokio::test]
async fn items_are_added_and_deleted_on_postgresql_too() {
    let server = Postgres::start();
    let app = TestApp::with(|it| it.memory_database_url = Some(server.url())).await;
    fill_and_empty(&app).await;
    app.running.stop().await;
}

async fn fill_and_empty(app: &TestApp) {
    let token = app.token("ada").await;
    post(app, "/v1/conversations", &token, &json!({"id": "t1"})).await;
    app.pass(Duration::from_secs(5));
    let items = json!({"items": [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "weather?"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look.", "annotations": []}], "id": "msg_x", "status": "completed"},
        {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{ }"},
        {"type": "function_call", "call_id": "c2", "name": "weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "rain"},
    ]});
    let added = post(app, "/v1/conversations/t1/items", &token, &items).await;
    assert_eq!(added.status, 200, "{added:?}");
    let added = added.json();
    assert_eq!(kinds(&added), ["message", "message", "function_call", "function_call", "function_call_output"]);
    assert_eq!(added["data"], app.get("/v1/conversations/t1/items?order=asc", &token).await.json()["data"]);
    let (_, history, _) = app.open("ada", json!({"thread": "t1"})).await;
    let call = |id: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": "weather", "arguments": arguments}});
    assert_eq!(
        history,
        json!([
            {"role": "user", "content": "weather?"},
            {"role": "assistant", "content": "I look.", "tool_calls": [call("c1", "{ }"), call("c2", "{}")]},
            {"role": "tool", "tool_call_id": "c1", "content": "rain"},
        ])
    );
    let all = ids(&added);
    let remove = async |id: &str| app.public("DELETE", &format!("/v1/conversations/t1/items/{id}"), &token, "").await;
    for (nth, id) in [3, 1, 4, 2, 0].into_iter().zip([&all[3], &all[1], &all[4], &all[2], &all[0]]) {
        let answer = remove(id).await;
        assert_eq!((answer.status, &answer.json()["id"]), (200, &json!("t1")), "{nth}");
        let left = ids(&app.get("/v1/conversations/t1/items?order=asc", &token).await.json());
        assert!(!left.contains(id) && left.iter().all(|it| all.contains(it)), "{left:?}");
        assert_eq!(remove(id).await.error(), (404, "item_not_found".into(), Some("item_id".into())));
    }
    assert_eq!(app.get("/v1/threads/t1", &token).await.json()["message_count"], 0);
}

#[tokio::test]
async fn calls_of_one_message_that_are_deleted_at_once_are_all_gone() {
    let app = Arc::new(TestApp::start().await);
    let token = app.token("ada").await;
    let calls: Vec<Value> = (0..20)
        .map(|it| json!({"type": "function_call", "call_id": format!("c{it}"), "name": "f", "arguments": "{}"}))
        .collect();
    let made = post(&app, "/v1/conversations", &token, &json!({"id": "t1", "items": calls})).await;
    assert_eq!(made.status, 200, "{made:?}");
    let all = ids(&app.get("/v1/conversations/t1/items", &token).await.json());
    assert_eq!(all.len(), 20);
    let mut deletes = JoinSet::new();
    for item in all.iter().skip(1) {
        let (app, token, path) = (app.clone(), token.clone(), format!("/v1/conversations/t1/items/{item}"));
        deletes.spawn(async move { app.public("DELETE", &path, &token, "").await.status });
    }
    assert_eq!(deletes.join_all().await, [200; 19]);
    assert_eq!(ids(&app.get("/v1/conversations/t1/items", &token).await.json()), all[..1]);
}

#[tokio::test]
async fn nobody_else_sees_a_conversation_or_learns_that_it_is_there() {
    let app = TestApp::start().await;
    chatted(&app, "t1").await;
    let (eve, ada) = (app.token("eve").await, app.token("ada").await);
    let item = "/v1/conversations/t1/items/msg_turn_1_0";
    for (method, path, body) in [
        ("GET", "/v1/conversations/t1", ""),
        ("POST", "/v1/conversations/t1", r#"{"metadata":{}}"#),
        ("DELETE", "/v1/conversations/t1", ""),
        ("GET", "/v1/conversations/t1/items", ""),
        ("GET", "/v1/conversations/t1/items?after=msg_turn_1_0", ""),
        ("POST", "/v1/conversations/t1/items", r#"{"items":[{"role":"user","content":"x"}]}"#),
        ("GET", item, ""),
        ("DELETE", item, ""),
    ] {
        let others = app.public(method, path, &eve, body).await;
        let nobodys = app.public(method, &path.replace("t1", "absent"), &eve, body).await;
        let absent = (404, "conversation_not_found".to_owned(), Some("conversation_id".to_owned()));
        assert_eq!(others.error(), absent, "{method} {path}");
        assert_eq!(others.body, nobodys.body, "{method} {path}");
    }
    assert_eq!(app.get("/v1/conversations", &eve).await.json()["data"], json!([]));
    // An id of another thread of one's own is none of this one's.
    post(&app, "/v1/conversations", &ada, &json!({"id": "t2"})).await;
    for (path, status) in
        [("t2/items/msg_turn_1_0", 404), ("t1/items/msg_turn_1_0", 200), ("t1/items/fc_turn_1_1_0", 404)]
    {
        assert_eq!(app.get(&format!("/v1/conversations/{path}"), &ada).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn what_is_refused_leaves_nothing_behind() {
    let app = TestApp::with(|it| {
        it.limits.threads = 2;
        it.limits.messages = 3;
        it.limits.message_bytes = 200;
    })
    .await;
    let token = app.token("ada").await;
    let user = |text: &str| json!({"role": "user", "content": text});
    let made = async |body: Value| post(&app, "/v1/conversations", &token, &body).await;
    let four = vec![user("a"); 4];
    for (items, expected) in [
        (json!([user("ok"), {"type": "computer_call", "id": "x"}]), (400, "invalid_request", Some("items[1].type"))),
        (json!([user("ok"), user(&"x".repeat(200))]), (413, "request_too_large", Some("items[1]"))),
        (json!(four), (409, "thread_full", Some("thread_id"))),
        (json!({}), (400, "invalid_request", Some("items"))),
    ] {
        let refused = made(json!({"id": "t1", "items": items})).await.error();
        assert_eq!((refused.0, refused.1.as_str(), refused.2.as_deref()), expected);
        assert_eq!(app.get("/v1/conversations", &token).await.json()["data"], json!([]));
    }
    assert_eq!(made(json!({"id": "t1", "items": [user("a"), user("b")]})).await.status, 200);
    let more = json!({"items": [user("c"), user("d")]});
    assert_eq!(post(&app, "/v1/conversations/t1/items", &token, &more).await.error().1, "thread_full");
    assert_eq!(ids(&app.get("/v1/conversations/t1/items", &token).await.json()).len(), 2);
    assert_eq!(made(json!({"id": "t2", "items": null, "metadata": null})).await.status, 200);
    assert_eq!(made(json!({"id": "t3"})).await.error().1, "too_many_threads");
    for (path, param) in [
        ("/v1/conversations?limit=101", "limit"),
        ("/v1/conversations?include=x", "include"),
        ("/v1/conversations?after=absent", "after"),
        ("/v1/conversations/t1/items?limit=0", "limit"),
        ("/v1/conversations/t1/items?include[]=secrets", "include"),
        ("/v1/conversations/t1/items?order=asc&order=desc", "order"),
    ] {
        assert_eq!(app.get(path, &token).await.error(), (400, "invalid_request".into(), Some(param.into())), "{path}");
    }
}
