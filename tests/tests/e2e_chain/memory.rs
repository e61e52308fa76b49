//! Threads: remembered, private, and what happens while the companion is away.

use std::time::Duration;

use tests::client::content;
use tests::wait_until;

use crate::Stage;

#[test]
fn a_thread_remembers_also_what_was_streamed_and_is_nobody_elses() {
    let stage = Stage::new();
    let (ada, eve) = (stage.token("ada"), stage.token("eve"));
    let client = stage.client();
    let mut first = client.chat_stream(&ada, "openai/gpt-4o", "one").thread("t1").stream();
    assert_eq!(first.status, 200);
    assert_eq!(content(&first.events()), "You said: one");
    stage.fake.clear();
    let second = client.chat(&ada, "openai/gpt-4o", "two").thread("t1").send();
    assert_eq!(second.content(), "You said: two");
    let messages = stage.fake.only_request().json()["messages"].clone();
    let said: Vec<_> = messages.as_array().unwrap().iter().map(|message| message["content"].clone()).collect();
    assert_eq!(said, ["one", "You said: one", "two"]);

    let path = "/v1/threads/t1/messages";
    let stored = wait_until(Duration::from_secs(10), "four messages in the thread", || {
        let answer = client.get(path).bearer(&ada).send();
        let messages = answer.json()["data"].as_array().cloned().unwrap_or_default();
        (messages.len() == 4).then_some(messages)
    });
    assert_eq!(stored[3]["content"], "You said: two");
    assert_eq!(client.get(path).bearer(&eve).send().error(), "404 thread_not_found");
    assert_eq!(client.get("/v1/threads").bearer(&ada).send().json()["data"][0]["id"], "t1");
    assert_eq!(client.get("/v1/threads").send().status, 401);
    let items = "/v1/conversations/t1/items?order=asc";
    assert_eq!(client.get(items).bearer(&ada).send().json()["data"][3]["content"][0]["text"], "You said: two");
    assert_eq!(client.get(items).bearer(&eve).send().error(), "404 conversation_not_found");
    assert_eq!(client.get("/v1/conversations").bearer(&ada).send().json()["data"][0]["id"], "t1");
    assert_eq!(client.get("/v1/conversations").send().status, 401);

    stage.fake.clear();
    let other = client.chat(&eve, "openai/gpt-4o", "mine").thread("t1").send();
    assert_eq!(other.status, 200);
    assert_eq!(stage.fake.only_request().json()["messages"].as_array().unwrap().len(), 1, "eve's t1 is not ada's");
    assert_eq!(client.call("DELETE", "/v1/threads/t1").bearer(&ada).send().status, 204);
    assert_eq!(client.get(path).bearer(&ada).send().error(), "404 thread_not_found");
}

#[test]
fn without_the_companion_known_tokens_work_and_threads_wait_for_its_return() {
    let mut stage = Stage::new();
    let token = stage.token("ada");
    let client = stage.client();
    assert_eq!(client.chat(&token, "openai/gpt-4o", "one").thread("t").send().status, 200);
    // Until the turn is stored, or it would be lost to the kill; a gateway keeps it then, and the count below is not sure.
    wait_until(Duration::from_secs(10), "the first turn to be stored", || {
        (client.get("/v1/threads/t/messages").bearer(&token).send().status == 200).then_some(())
    });
    stage.companion.kill();
    for _ in 0..4 {
        assert_eq!(
            client.chat(&token, "openai/gpt-4o", "two").send().status,
            200,
            "one worker has fetched the keys for all"
        );
    }
    let threaded = client.chat(&token, "openai/gpt-4o", "two").thread("t").send();
    assert_eq!(threaded.error(), "503 companion_unavailable");
    assert_eq!(client.get("/v1/threads").bearer(&token).send().error(), "503 companion_unavailable");

    stage.companion.restart();
    stage.fake.clear();
    assert_eq!(client.chat(&token, "openai/gpt-4o", "three").thread("t").send().status, 200);
    assert_eq!(stage.fake.only_request().json()["messages"].as_array().unwrap().len(), 3);
    assert_eq!(client.chat(&stage.token("new"), "openai/gpt-4o", "hi").send().status, 200);
}
