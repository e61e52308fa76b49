//! The names by which a client asks for memory: headers, and a member of the body.

use super::{World, caller};
use serde_json::json;

#[test]
fn a_thread_has_three_names_and_the_provider_sees_none_of_them() {
    let world = World::with(|config, _| config["conversation_id_member"] = json!(true));
    let body = |member: &str, text: &str| {
        format!(r#"{{ "model":"gpt-4o",{member} "messages" : [{{"role":"user","content":"{text}"}}] }}"#)
    };
    // In the body, in the alias, in the header, in two of them.
    for (turn, header, member) in [
        (1, None, r#" "conversation_id": "t1","#),
        (2, Some("x-conversation-id"), ""),
        (3, Some("x-thread-id"), ""),
        (4, Some("x-thread-id"), r#""conversation_id":"t1" ,"#),
        (5, None, r#""x":"\"conversation_id\"","conversation_id":"t1","#),
    ] {
        let text = turn.to_string();
        let mut call = world.raw(&body(member, &text)).header("accept-encoding", "gzip");
        if let Some(name) = header {
            call = call.header(name, "t1");
        }
        let answer = call.send();
        assert_eq!((answer.status, answer.header("x-thread-id").as_deref()), (200, Some("t1")), "{}", answer.text());
        assert_eq!(world.received().len(), 2 * turn - 1, "turn {turn}");
        let seen = world.fake.requests().pop().unwrap();
        assert_eq!(seen.header("accept-encoding").as_deref(), Some("identity"));
        let seen = String::from_utf8(seen.body).unwrap();
        assert!(!seen.contains(r#""conversation_id":"#), "{seen}");
        let begins = body(if turn == 5 { r#""x":"\"conversation_id\"","# } else { "" }, "");
        let until = |it: &str| it.split('[').next().unwrap().replace(' ', "");
        assert_eq!(until(&seen), until(&begins), "turn {turn}");
    }
    // Who asks for nothing has every byte pass.
    for plain in [body("", "x"), body(r#""user":"conversation_id","#, "x"), "{}".to_owned(), "no JSON".to_owned()] {
        let answer = world.raw(&plain).send();
        assert_eq!(answer.header("x-thread-id"), None);
        assert_eq!(world.received_bytes(), plain);
    }
    let off = world.raw(&body(r#""conversation_id":"t1","#, "x")).header("x-tollgate-memory", "off").send();
    assert_eq!((off.status, off.header("x-thread-id")), (200, None));
    assert_eq!(world.received_bytes().replace(' ', ""), body("", "x").replace(' ', ""));
    // What is no name of one thread.
    let wrong = [r#""conversation_id":null,"#, r#""conversation_id":"a b","#, r#""conversation_id":["t1"],"#];
    for member in wrong {
        let refused = world.raw(&body(member, "x")).send();
        assert_eq!(
            (refused.error().as_str(), &refused.json()["error"]["param"]),
            ("400 invalid_request", &json!("conversation_id"))
        );
    }
    // What some parser would take for the name, or for two of them, is no way around it.
    let spelled = [
        r#""conversation\u005fid":"t1","#,
        r#""Conversation_Id":"t1","#,
        r#""conversation_id":"t1","conversation\u005fid":"t1","#,
        r#""conversation_id":"t1","conversation_id":"t1","#,
    ];
    let before = world.fake.requests().len();
    for member in spelled {
        for call in [world.raw(&body(member, "x")), world.raw(&body(member, "x")).header("x-tollgate-memory", "off")] {
            let refused = call.send();
            assert_eq!(
                (refused.status, &refused.json()["error"]["param"]),
                (400, &json!("conversation_id")),
                "{member}"
            );
        }
    }
    assert_eq!(world.fake.requests().len(), before);
    let other = r#""conversation_id":"t2","#;
    for (headers, param) in [
        (vec![("x-thread-id", "t1")], "conversation_id"),
        (vec![("x-conversation-id", "t1")], "conversation_id"),
        (vec![("x-thread-id", "t1"), ("x-conversation-id", "t2")], "x-conversation-id"),
    ] {
        let call = headers.iter().fold(world.raw(&body(other, "x")), |call, (name, value)| call.header(name, value));
        let refused = call.send();
        assert_eq!((refused.status, &refused.json()["error"]["param"]), (400, &json!(param)), "{headers:?}");
    }
    let client = world.gateway.client();
    let nobody = client.call("POST", "/v1/chat/completions").body(body(other, "x")).send();
    assert_eq!(nobody.error(), "401 invalid_token");
    assert_eq!(world.stored("ada", "t2"), [""; 0]);
    assert_eq!(world.raw(&body(r#""conversation_id":"t1","#, "6")).send().status, 200);
    assert_eq!(world.received().len(), 11);
}

#[test]
fn a_session_is_made_for_who_asks_for_one() {
    let world = World::start();
    let first = world.chat("ada", "gpt-4o", "one").header("x-tollgate-memory", "session").send();
    let session = first.header("x-session-id").unwrap();
    assert!(session.starts_with("sess_"), "{session}");
    let second = world.chat("ada", "gpt-4o", "two").header("x-session-id", &session).send();
    assert_eq!(second.header("x-session-id"), Some(session.clone()));
    assert_eq!(world.received(), ["user: one", "assistant: You said: one", "user: two"]);
    // Asked for again, it is another one; named and asked for, it is this one.
    let other = world.chat("ada", "gpt-4o", "three").header("x-tollgate-memory", "session").send();
    assert_ne!(other.header("x-session-id"), Some(session.clone()));
    assert_eq!(world.received().len(), 1);
    let both = world.chat("ada", "gpt-4o", "four").header("x-session-id", &session);
    let both = both.header("x-tollgate-memory", "session").thread("t1").send();
    assert_eq!((both.header("x-session-id"), both.header("x-thread-id").as_deref()), (Some(session), Some("t1")));
    assert_eq!(world.received().len(), 5);
    let nobody = caller(world.gateway.client().chat("t", "gpt-4o", "x"), "", "");
    assert_eq!(nobody.header("x-tollgate-memory", "session").send().error(), "401 invalid_token");
}
