use super::*;

fn ada() -> Caller {
    Caller { project: "p".into(), user: "ada\"".into(), session: Some("sid".into()), ..Caller::default() }
}

fn thread(id: &str) -> Memory {
    Memory { thread: Some(id.into()), session: None }
}

/// What a request with these headers asks for: session and thread, or the header at fault.
fn check(pairs: &[(&str, &[u8])]) -> Result<Option<[Option<String>; 2]>, String> {
    let mut headers = Headers::default();
    pairs.iter().for_each(|(name, value)| headers.append(name.as_bytes(), value));
    match asked(&headers) {
        Ok(memory) => Ok(memory.map(|it| [it.session, it.thread])),
        Err(reply) => {
            assert_eq!((reply.status, reply.code), (400, "invalid_request"));
            Err(reply.param.unwrap())
        }
    }
}

fn open(json: &str) -> Option<(Turn, Vec<Box<RawValue>>)> {
    opened(ada(), thread("t"), 200, json.as_bytes())
}

#[test]
fn memory_is_asked_for_by_header() {
    assert_eq!(check(&[]), Ok(Some([None, None])));
    assert_eq!(check(&[("x-session-id", b"")]), Ok(Some([None, None])));
    let ids = [Some("s:1".to_owned()), Some("A-z_0.9".to_owned())];
    assert_eq!(check(&[("x-session-id", b"s:1"), ("X-Thread-Id", b"A-z_0.9")]), Ok(Some(ids)));
    assert_eq!(check(&[("x-thread-id", b"\xff"), ("x-tollgate-memory", b"off")]), Ok(None));
}

#[test]
fn what_is_no_id_is_refused_by_the_name_of_its_header() {
    for id in [&b"a b"[..], b"\xff", b"\xc3\xa9", b"a/b", b"a\nb", &[b'a'; 256]] {
        assert_eq!(check(&[("x-thread-id", id)]), Err("x-thread-id".into()), "{id:?}");
        assert_eq!(check(&[("x-session-id", id)]), Err("x-session-id".into()), "{id:?}");
    }
    assert_eq!(check(&[("x-thread-id", b"a"), ("X-Thread-Id", b"a")]), Err("x-thread-id".into()));
    assert_eq!(check(&[("x-tollgate-memory", b"of")]), Err("x-tollgate-memory".into()));
    assert!(check(&[("x-thread-id", &[b'a'; 255])]).is_ok());
}

#[test]
fn the_tokens_session_stands_in_only_where_the_client_asks_for_nothing() {
    let own = Memory { session: Some("own".into()), thread: None };
    assert_eq!(own.clone().or_session(Some("sid")), own);
    assert_eq!(thread("t").or_session(Some("sid")), thread("t"));
    assert_eq!(Memory::default().or_session(Some("sid")).session.as_deref(), Some("sid"));
    assert!(Memory::default().or_session(Some("not an id")).is_empty());
}

#[test]
fn the_question_names_the_caller_and_the_memory() {
    let check = |id| String::from_utf8(thread("t").question(&ada(), id)).unwrap();
    assert_eq!(check(Some("r1")), r#"{"project":"p","user":"ada\"","thread":"t","request_id":"r1"}"#);
    assert_eq!(check(Some("r 1")), r#"{"project":"p","user":"ada\"","thread":"t"}"#);
}

#[test]
fn only_a_whole_answer_opens_a_turn() {
    let (turn, history) = open(r#"{"turn":"turn_1","messages":[{"a": 1.0}],"more":1}"#).unwrap();
    assert_eq!((turn.id.as_str(), turn.stale, history[0].get()), ("turn_1", false, r#"{"a": 1.0}"#));
    for wrong in [
        "",
        "[]",
        "upstream connect error",
        r#"{"turn":"","messages":[]}"#,
        r#"{"turn":"t"}"#,
        r#"{"turn":"t","messages":["x"]}"#,
        r#"{"turn":1,"messages":[]}"#,
    ] {
        assert!(open(wrong).is_none(), "{wrong}");
    }
    assert!(opened(ada(), thread("t"), 503, br#"{"turn":"t","messages":[]}"#).is_none());
}

#[test]
fn without_the_companion_the_operator_decides() {
    assert_eq!(unopened(OnFailure::Allow), None);
    let reply = unopened(OnFailure::Deny).unwrap();
    assert_eq!((reply.status, reply.code), (503, "companion_unavailable"));
}

#[test]
fn history_goes_in_and_only_the_new_messages_are_remembered() {
    let (mut turn, history) = open(r#"{"turn":"1","messages":[{"role":"user"}, {"role":"assistant"}]}"#).unwrap();
    let body = br#"{"x":1.0,"messages":[{"role":"system"},{ "role":"user","content":"hi"}]}"#;
    let new = turn.begin(body, &history, 100).unwrap().unwrap();
    assert_eq!(
        String::from_utf8(new).unwrap(),
        r#"{"x":1.0,"messages":[{"role":"system"},{"role":"user"},{"role":"assistant"},{ "role":"user","content":"hi"}]}"#
    );
    assert_eq!(turn.input.iter().map(|it| it.get()).collect::<Vec<_>>(), [r#"{ "role":"user","content":"hi"}"#]);
    assert_eq!(turn.begin(body, &[], 100), Ok(None));
}

#[test]
fn a_body_that_cannot_be_remembered_is_refused() {
    let (mut turn, _) = open(r#"{"turn":"1","messages":[]}"#).unwrap();
    let mut check = |body: &str| turn.begin(body.as_bytes(), &[], 20).unwrap_err().status;
    assert_eq!(check("{"), 400);
    assert_eq!(check(r#"{"messages":[],"Messages":[]}"#), 400);
    assert_eq!(check(r#"{"messages":[{"role":"user","content":"123456789"}]}"#), 413);
}

#[test]
fn only_a_good_answer_is_read() {
    let check = |status, pairs: &[(&str, &str)]| {
        assembly(status, &Headers::from_iter(pairs.iter().copied()), 9).map(|it| matches!(it, Assembly::Plain { .. }))
    };
    assert_eq!(check(200, &[("content-type", "application/json")]), Some(true));
    assert_eq!(check(200, &[("content-type", "Text/Event-Stream; charset=utf-8")]), Some(false));
    assert_eq!(check(500, &[("content-type", "application/json")]), None);
    assert_eq!(check(200, &[("content-type", "text/html")]), None);
    assert_eq!(check(200, &[]), None);
    assert_eq!(check(200, &[("content-type", "application/json"), ("content-encoding", "gzip")]), None);
}

#[test]
fn the_client_is_told_which_memory_it_was() {
    let (turn, _) = open(r#"{"turn":"1","messages":[],"stale":true}"#).unwrap();
    let headers: Vec<_> = turn.response_headers().collect();
    assert_eq!(headers, [("x-thread-id", "t"), ("x-tollgate-memory", "stale")]);
}

#[test]
fn a_turn_without_an_answer_only_closes() {
    let (mut turn, _) = open(r#"{"turn":"1","messages":[]}"#).unwrap();
    turn.begin(br#"{"messages":[{"role":"user"}]}"#, &[], 100).unwrap();
    let check = |answer: Answer| String::from_utf8(turn.report(&answer)).unwrap();
    assert_eq!(
        check(Answer::default()),
        r#"{"turn":"1","project":"p","user":"ada\"","thread":"t","complete":false,"input":[],"output":[]}"#
    );
    let message = Some(r#"{"role":"assistant", "content":"x"}"#.to_owned());
    let answer = Answer { message, complete: true, finish_reason: Some("stop".into()), model: Some("m".into()) };
    assert_eq!(
        check(answer),
        r#"{"turn":"1","project":"p","user":"ada\"","thread":"t","model":"m","complete":true,"finish_reason":"stop","input":[{"role":"user"}],"output":[{"role":"assistant", "content":"x"}]}"#
    );
}
