use super::*;
use crate::room::Room;
use domain::turn;

const SYSTEM: &str = r#"{"role":"system"}"#;

fn wanted(memory: Memory, limits: Limits) -> Wanted {
    let caller = Caller { project: "p".into(), user: "ada\"".into(), ..Caller::default() };
    Wanted { id: "asked".into(), caller, memory, limits, held: Room::new(1 << 20).hold(COST).unwrap() }
}

fn open_with(limits: Limits, json: &str) -> Option<(Turn, Vec<Box<RawValue>>)> {
    let memory = Memory { thread: Some("t".into()), ..Memory::default() };
    opened(wanted(memory, limits), 200, json.as_bytes()).ok()
}

fn open(json: &str) -> Option<(Turn, Vec<Box<RawValue>>)> {
    open_with(Limits::default(), json)
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
    let good = br#"{"turn":"t","messages":[]}"#;
    let unopened = opened(wanted(Memory::default(), Limits::default()), 503, good).unwrap_err();
    assert_eq!(unopened.id, "asked");
}

#[test]
fn what_was_asked_for_can_be_taken_back_without_an_answer() {
    let memory = Memory { new_session: true, thread: Some("t".into()), session: None };
    let wanted = wanted(memory, Limits { keep_unanswered: true, ..Limits::default() });
    let asked = String::from_utf8(wanted.question(Some("r"))).unwrap();
    assert!(asked.starts_with(r#"{"turn":"asked","project":"p","user":"ada\"","new_session":true"#), "{asked}");
    let withdrawn = r#"{"turn":"asked","project":"p","user":"ada\"","complete":false,"input":[],"output":[]}"#;
    assert_eq!(String::from_utf8(wanted.withdrawal()).unwrap(), withdrawn);
}

#[test]
fn what_a_thread_or_a_user_may_not_have_is_refused_in_the_companions_words() {
    let check = |status, body: &str| refused(status, body.as_bytes()).map(|it| (it.status, it.code, it.message));
    let full = r#"{"error":{"message":"The thread is full.","type":"x","param":null,"code":"thread_full"}}"#;
    assert_eq!(check(409, full), Some((409, "thread_full", "The thread is full.".to_owned())));
    assert_eq!(check(409, &full.replace("thread_full", "too_many_threads")).unwrap().1, "too_many_threads");
    for (status, body) in [(503, full), (409, "{}"), (409, "garbage"), (409, &full.replace("thread_full", "x"))] {
        assert_eq!(check(status, body), None, "{status} {body}");
    }
}

#[test]
fn a_session_that_was_asked_for_is_the_companions() {
    let check = |json: &str| {
        let memory = Memory { new_session: true, ..Memory::default() };
        let (turn, _) = opened(wanted(memory, Limits::default()), 200, json.as_bytes()).ok()?;
        Some(turn.response_headers().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>())
    };
    let made = r#"{"turn":"1","messages":[],"session":"sess_1"}"#;
    assert_eq!(check(made), Some(vec!["x-session-id: sess_1".to_owned()]));
    for none in [r#"{"turn":"1","messages":[]}"#, r#"{"turn":"1","messages":[],"session":"a\nb"}"#] {
        assert_eq!(check(none), None, "{none}");
    }
}

/// The body that goes on, and what is remembered of it.
fn check(history: &str, body: &str) -> Result<(String, Vec<String>), (u16, Option<String>)> {
    let (mut turn, history) = open(&format!(r#"{{"turn":"1","messages":[{history}]}}"#)).unwrap();
    let new = turn.begin(body.as_bytes(), &history, 100, true).map_err(|it| (it.status, it.param))?;
    let new = new.map_or_else(|| body.to_owned(), |it| String::from_utf8(it).unwrap());
    Ok((new, turn.input.iter().map(|it| it.get().to_owned()).collect()))
}

#[test]
fn history_goes_in_and_only_the_new_messages_are_remembered() {
    let (past, hi) = (r#"{"role":"user"},{"role":"assistant","content":"x"}"#, r#"{ "role":"user","content":"hi"}"#);
    let again = r#"{"role":"user"},{"content":[{"type":"text","text":"x"}],"role":"assistant"}"#;
    for (history, body, expected) in [
        (past, format!("[{SYSTEM},{hi}]"), format!("[{SYSTEM},{past},{hi}]")),
        ("", format!("[{SYSTEM},{hi}]"), format!("[{SYSTEM},{hi}]")),
        (past, format!("[{SYSTEM},{again}, {hi}]"), format!("[{SYSTEM},{again}, {hi}]")),
    ] {
        let whole = |it: &str| format!(r#"{{"x":1.0,"messages":{it}}}"#);
        assert_eq!(check(history, &whole(&body)), Ok((whole(&expected), vec![hi.to_owned()])), "{body}");
    }
}

#[test]
fn a_call_that_nobody_answers_any_more_is_left_out() {
    let (hi, call) = (r#"{"role":"user","content":"hi"}"#, r#"{"role":"assistant","tool_calls":[{"id":"c"}]}"#);
    let (ok, new) = (r#"{"role":"tool","tool_call_id":"c"}"#, r#"{"role":"user","content":"new"}"#);
    for (sent, expected, remembered) in [
        (ok.to_owned(), format!("{hi},{call},{ok}"), vec![ok]),
        (new.to_owned(), format!("{hi},{new}"), vec![new]),
        // A client that sends all of it again has done the same already, or brings the call along.
        (format!("{hi},{new}"), format!("{hi},{new}"), vec![new]),
        (format!("{call},{ok}"), format!("{hi},{call},{ok}"), vec![ok]),
        (format!("{hi},{call},{ok}"), format!("{hi},{call},{ok}"), vec![ok]),
    ] {
        let whole = |it: &str| format!(r#"{{"messages":[{it}]}}"#);
        let remembered = remembered.into_iter().map(str::to_owned).collect();
        assert_eq!(check(&format!("{hi},{call}"), &whole(&sent)), Ok((whole(&expected), remembered)), "{sent}");
    }
}

#[test]
fn the_member_that_names_the_thread_is_the_gateways_alone() {
    let (without, input) = check("", r#"{"conversation_id":"t", "messages":[{"role":"user"}]}"#).unwrap();
    assert_eq!((without.as_str(), input.len()), (r#"{"messages":[{"role":"user"}]}"#, 1));
    for wrong in [r#""u""#, "null", "7"] {
        let body = format!(r#"{{"messages":[],"conversation_id":{wrong}}}"#);
        assert_eq!(check("", &body), Err((400, Some("conversation_id".into()))));
    }
    let named = br#"{"n":1,"conversation_id":"t"}"#;
    assert_eq!(unnamed(named).unwrap().unwrap(), br#"{"n":1}"#);
    assert_eq!(unnamed(br#"{"n":1}"#), Ok(None));
    let (mut turn, _) = open(r#"{"turn":"1","messages":[]}"#).unwrap();
    assert_eq!(turn.begin(named, &[], 9, false), Ok(None), "where it is no member of ours it stays");
}

#[test]
fn a_body_that_cannot_be_remembered_is_refused() {
    for (body, status) in [
        ("{", 400),
        (r#"{"messages":[],"Messages":[]}"#, 400),
        (&format!(r#"{{"messages":[{{"role":"user","content":"{}"}}]}}"#, "x".repeat(100)), 413),
    ] {
        assert_eq!(check("", body).unwrap_err().0, status, "{body}");
    }
    let many = |count: usize| format!(r#"{{"messages":[{}]}}"#, vec!["{}"; count].join(","));
    assert_eq!(check("", &many(MOST_MESSAGES + 1)).unwrap_err(), (413, Some("messages".into())));
    // What is sent again counts for nothing.
    let long = format!(r#"{{"role":"assistant","content":"{}"}}"#, "x".repeat(200));
    assert!(check(&long, &format!(r#"{{"messages":[{long},{{"role":"user"}}]}}"#)).is_ok());
}

#[test]
fn the_client_is_told_which_memory_it_was() {
    let (turn, _) = open(r#"{"turn":"1","messages":[],"stale":true}"#).unwrap();
    let headers: Vec<_> = turn.response_headers().collect();
    assert_eq!(headers, [("x-thread-id", "t"), ("x-tollgate-memory", "stale")]);
}

#[test]
fn a_turn_without_an_answer_only_closes_unless_the_project_keeps_it() {
    let report = |keep_unanswered, answer: turn::Answer| {
        let limits = Limits { keep_unanswered, ..Limits::default() };
        let (mut turn, _) = open_with(limits, r#"{"turn":"1","messages":[]}"#).unwrap();
        turn.begin(br#"{"messages":[{"role":"user"}]}"#, &[], 100, false).unwrap();
        String::from_utf8(turn.report(&answer)).unwrap()
    };
    let whose = r#"{"turn":"1","project":"p","user":"ada\"","thread":"t","#;
    for (keep, input) in [(false, "[]"), (true, r#"[{"role":"user"}]"#)] {
        let expected = format!(r#"{whose}"complete":false,"input":{input},"output":[]}}"#);
        assert_eq!(report(keep, turn::Answer::default()), expected);
    }
    let message = r#"{"role":"assistant", "content":"x"}"#;
    let other = turn::Alternative { index: 2, message: r#"{"y":1.0}"#.into(), complete: false };
    let answer = turn::Answer {
        message: Some(message.into()),
        complete: true,
        finish_reason: Some("stop".into()),
        model: Some("m".into()),
        alternatives: vec![other],
    };
    let expected = format!(
        r#"{whose}"model":"m","complete":true,"finish_reason":"stop","input":[{{"role":"user"}}],"output":[{message}],"alternatives":[{{"index":2,"message":{{"y":1.0}},"complete":false}}]}}"#
    );
    assert_eq!(report(false, answer.clone()), expected);
    // Others alone are no answer.
    let alone = turn::Answer { message: None, ..answer };
    assert!(!report(true, alone).contains("alternatives"));
}

#[test]
fn a_turn_takes_room_for_what_it_keeps() {
    let room = Room::new(COST + 20);
    let held = room.hold(COST).unwrap();
    let (mut turn, _) =
        opened(Wanted { held, ..wanted(Memory::default(), Limits::default()) }, 200, br#"{"turn":"1","messages":[]}"#)
            .unwrap();
    turn.begin(br#"{"messages":[{"role":"user"}]}"#, &[], 100, false).unwrap();
    assert!(turn.fits(5) && !turn.fits(6));
    assert!(room.hold(1).is_none());
    drop(turn);
    assert!(room.hold(COST + 20).is_some());
}
