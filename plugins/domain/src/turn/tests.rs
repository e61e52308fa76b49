mod random;

use super::*;

const LIMIT: usize = 4096;

fn stream(events: &[&str]) -> String {
    events.iter().map(|it| format!("data: {it}\n\n")).collect()
}

/// A chunk whose first choice has this `delta` and this reason.
fn chunk(delta: &str, reason: &str) -> String {
    format!(r#"{{"model":"m","choices":[{{"index":0,"delta":{delta},"finish_reason":{reason}}}]}}"#)
}

fn content(text: &str) -> String {
    chunk(&format!(r#"{{"content":"{text}"}}"#), "null")
}

/// The answer of a stream, which is the same wherever it is cut.
fn check(bytes: &str, ended: bool) -> Answer {
    let read = |pieces: &[&[u8]]| {
        let mut assembly = Assembly::streamed(LIMIT);
        pieces.iter().for_each(|it| assembly.read(it));
        assembly.finish(ended)
    };
    let whole = read(&[bytes.as_bytes()]);
    for at in 0..bytes.len() {
        let (left, right) = bytes.as_bytes().split_at(at);
        assert_eq!(read(&[left, right]), whole, "cut at {at}");
    }
    whole
}

fn plain(body: &str, ended: bool) -> Answer {
    let mut assembly = Assembly::plain(LIMIT);
    body.as_bytes().chunks(7).for_each(|it| assembly.read(it));
    assembly.finish(ended)
}

#[test]
fn a_plain_answer_keeps_its_messages_own_bytes() {
    let message = r#"{ "role":"assistant","content":"h\u0069", "x": 1.0e0 }"#;
    let body = format!(
        r#"{{"model":"m","choices":[{{"index":1,"message":{{}}}},{{"index":0,"message":{message},"finish_reason":"stop"}}]}}"#
    );
    let answer = plain(&body, true);
    assert_eq!(answer.message.as_deref(), Some(message));
    assert_eq!((answer.complete, answer.finish_reason.as_deref()), (true, Some("stop")));
    assert_eq!(answer.model.as_deref(), Some("m"));
}

#[test]
fn a_plain_answer_that_broke_off_or_is_no_completion_has_no_message() {
    let cut = r#"{"choices":[{"message":{"content":"hi"#;
    let long = format!(r#"{{"choices":[{{"message":{{"content":"{}"}}}}]}}"#, "x".repeat(LIMIT));
    for body in [cut, &long, "", "[]", r#"{"error":{"message":"no"}}"#, r#"{"choices":[{"message":1}]}"#] {
        let answer = plain(body, body != cut);
        assert_eq!((answer.message, answer.complete), (None, false), "{body:.40}");
    }
}

#[test]
fn an_answer_is_over_when_all_of_it_is_here() {
    let body = br#"{"choices":[]}"#;
    for (length, over) in [(None, false), (Some(body.len()), true), (Some(body.len() + 1), false), (Some(0), false)] {
        let mut assembly = Assembly::plain(LIMIT).of_length(length);
        assert!(!assembly.is_over());
        assembly.read(body);
        assert_eq!(assembly.is_over(), over, "{length:?}");
    }
    let mut stream = Assembly::streamed(LIMIT).of_length(Some(1));
    stream.read(b"data: {}\n\n");
    assert!(!stream.is_over());
    stream.read(b"data: [DONE]\n\n");
    assert!(stream.is_over());
}

#[test]
fn a_stream_becomes_one_message() {
    let role = chunk(r#"{"role":"assistant","content":""}"#, "null");
    let (hi, you) = (content("h\\u0069 "), content("you é"));
    let end = chunk("{}", r#""stop""#);
    let usage = r#"{"choices":[],"usage":{"total_tokens":1}}"#;
    let answer = check(&stream(&[&role, &hi, &you, &end, usage, "[DONE]"]), true);
    assert_eq!(answer.message.as_deref(), Some(r#"{"role":"assistant","content":"hi you é"}"#));
    assert_eq!((answer.complete, answer.finish_reason.as_deref()), (true, Some("stop")));
    assert_eq!(answer.model.as_deref(), Some("m"));
}

#[test]
fn a_stream_is_complete_when_it_said_why_it_ended_and_came_to_its_end() {
    let (hi, end) = (content("hi"), chunk("{}", r#""length""#));
    let error = r#"{"error":{"message":"overloaded"}}"#;
    for (events, ended, complete) in [
        (vec![&*hi, &end, "[DONE]"], true, true),
        (vec![&hi, &end, "[DONE]"], false, true),
        (vec![&hi, &end, "[DONE] {\"x\":1}"], true, true),
        (vec![&hi, &end], true, true),
        (vec![&hi, &end], false, false),
        (vec![&hi, "[DONE]"], true, false),
        (vec![&hi], false, false),
        (vec![&hi, error], true, false),
        (vec![&hi, error, &end, "[DONE]"], true, false),
        (vec![&hi, "garbage", &end, "[DONE]"], true, false),
        (vec![&hi, &chunk("{}", r#""error""#), "[DONE]"], true, false),
    ] {
        let answer = check(&stream(&events), ended);
        assert_eq!(answer.complete, complete, "{events:?}");
        assert_eq!(answer.message.as_deref(), Some(r#"{"role":"assistant","content":"hi"}"#), "{events:?}");
    }
}

#[test]
fn tool_calls_are_put_together_by_index_and_left_out_when_the_answer_is_cut_short() {
    let first = chunk(
        r#"{"tool_calls":[{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":""}},{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x"}}]}"#,
        "null",
    );
    let second = chunk(r#"{"tool_calls":[{"index":0,"function":{"arguments":"\":1}"}}]}"#, "null");
    let end = chunk("{}", r#""tool_calls""#);
    let answer = check(&stream(&[&first, &second, &end, "[DONE]"]), true);
    assert_eq!(
        answer.message.as_deref(),
        Some(
            r#"{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},{"id":"b","type":"function","function":{"name":"g","arguments":""}}]}"#
        )
    );
    assert_eq!(check(&stream(&[&first]), false).message, None);
    let said = check(&stream(&[&content("wait"), &first]), false);
    assert_eq!(said.message.as_deref(), Some(r#"{"role":"assistant","content":"wait"}"#));
}

#[test]
fn what_providers_do_differently_is_understood() {
    let check = |deltas: &[&str]| {
        let mut events: Vec<String> = deltas.iter().map(|it| chunk(it, "null")).collect();
        events.push(chunk("{}", r#""stop""#));
        let events: Vec<&str> = events.iter().map(String::as_str).collect();
        check(&stream(&events), true).message.unwrap()
    };
    // No index (Gemini), an id in every piece, and what must be sent back.
    assert_eq!(
        check(&[
            r#"{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{"},"extra_content":{"s":1.0}}]}"#,
            r#"{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"}"}}]}"#,
            r#"{"tool_calls":[{"id":"b","custom":{"name":"g","input":"x"}}]}"#,
        ]),
        r#"{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"},"extra_content":{"s":1.0}},{"id":"b","type":"custom","custom":{"name":"g","input":"x"}}]}"#
    );
    assert_eq!(
        check(&[r#"{"content":[{"type":"thinking"},{"type":"text","text":"a"}]}"#, r#"{"content":null}"#]),
        r#"{"role":"assistant","content":"a"}"#
    );
    assert_eq!(
        check(&[r#"{"refusal":"I "}"#, r#"{"refusal":"can't"}"#]),
        r#"{"role":"assistant","content":null,"refusal":"I can't"}"#
    );
    assert_eq!(check(&[]), r#"{"role":"assistant","content":""}"#);
}

#[test]
fn an_answer_past_the_limit_is_kept_as_far_as_it_fits() {
    let (part, end) = (content(&"é".repeat(1000)), chunk("{}", r#""stop""#));
    let mut assembly = Assembly::streamed(LIMIT);
    for _ in 0..5 {
        assembly.read(stream(&[&part]).as_bytes());
    }
    assembly.read(stream(&[&end, "[DONE]"]).as_bytes());
    let answer = assembly.finish(true);
    assert!(!answer.complete);
    assert_eq!(answer.message.unwrap().matches('é').count(), LIMIT / 2);
}

#[test]
fn only_so_many_tool_calls_are_kept() {
    let mut assembly = Assembly::streamed(1 << 20);
    for index in 0..1000 {
        let delta = format!(r#"{{"tool_calls":[{{"index":{index},"id":"a"}}]}}"#);
        assembly.read(stream(&[&chunk(&delta, "null")]).as_bytes());
    }
    assembly.read(stream(&[&chunk("{}", r#""tool_calls""#)]).as_bytes());
    assert!(!assembly.finish(true).complete);
}

proptest::proptest! {
    #[test]
    fn no_bytes_panic(bytes in "(data: |\n|\\{|\\}|\\[|\\]|:|,|\"choices\"|\"delta\"|\"content\"|\"x\"|0|null|\"index\"|\\PC){0,60}") {
        for ended in [true, false] {
            for mut assembly in [Assembly::plain(20), Assembly::streamed(20)] {
                assembly.read(bytes.as_bytes());
                let answer = assembly.finish(ended);
                proptest::prop_assert!(answer.message.is_none_or(|it| serde_json::from_str::<serde::de::IgnoredAny>(&it).is_ok()));
            }
        }
    }
}

#[test]
fn every_choice_is_put_together_and_the_first_is_the_answer() {
    let chunk = |index: u64, delta: &str, reason: &str| {
        format!(r#"{{"choices":[{{"index":{index},"delta":{delta},"finish_reason":{reason}}}]}}"#)
    };
    let said = |index, text: &str, reason: &str| chunk(index, &format!(r#"{{"content":"{text}"}}"#), reason);
    let events = [
        said(1, "o", "null"),
        said(0, "f", "null"),
        said(2, "cut", "null"),
        said(1, "ther", r#""length""#),
        said(16, "too many", r#""stop""#),
        said(0, "irst", r#""stop""#),
    ];
    let mut events: Vec<&str> = events.iter().map(String::as_str).collect();
    events.push("[DONE]");
    let answer = check(&stream(&events), true);
    assert_eq!((answer.message.as_deref(), answer.complete), (Some(r#"{"role":"assistant","content":"first"}"#), true));
    let others: Vec<_> = answer.alternatives.iter().map(|it| (it.index, it.message.as_str(), it.complete)).collect();
    let message = |text: &str| format!(r#"{{"role":"assistant","content":"{text}"}}"#);
    assert_eq!(others, [(1, message("other").as_str(), true), (2, message("cut").as_str(), false)]);

    let plain = plain(
        r#"{"choices":[{"index":2,"message":{"c":1.0}},{"index":0,"message":{"a":1}},{"index":1,"message":{"b":1}},{"index":16,"message":{}},{"index":3,"message":7},{"index":2,"message":{}}]}"#,
        true,
    );
    let others: Vec<_> = plain.alternatives.iter().map(|it| (it.index, it.message.as_str())).collect();
    assert_eq!((plain.message.as_deref(), others), (Some(r#"{"a":1}"#), vec![(1, r#"{"b":1}"#), (2, r#"{"c":1.0}"#)]));
}

#[test]
fn what_must_be_sent_back_is_kept_and_what_nobody_knows_is_not() {
    let check = |deltas: &[&str], reason: &str| {
        let mut events: Vec<String> = deltas.iter().map(|it| chunk(it, "null")).collect();
        events.push(chunk("{}", reason));
        let events: Vec<&str> = events.iter().map(String::as_str).collect();
        check(&stream(&events), true).message.unwrap_or_default()
    };
    for (deltas, expected) in [
        (
            &[r#"{"reasoning_content":"h"}"#, r#"{"reasoning_content":"m","content":null}"#, r#"{"content":"x"}"#][..],
            r#"{"role":"assistant","content":"x","reasoning_content":"hm"}"#,
        ),
        (
            &[
                r#"{"reasoning":"h","reasoning_details":[{"i":1.0}]}"#,
                r#"{"reasoning_details":[{"j":2}],"content":"x"}"#,
            ],
            r#"{"role":"assistant","content":"x","reasoning":"h","reasoning_details":[{"i":1.0},{"j":2}]}"#,
        ),
        (
            &[r#"{"function_call":{"name":"f","arguments":""}}"#, r#"{"function_call":{"arguments":"{}"}}"#],
            r#"{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}}"#,
        ),
        (
            &[
                r#"{"audio":{"id":"a","transcript":"he"}}"#,
                r#"{"audio":{"data":"AAAA","transcript":"y"}}"#,
                r#"{"audio":{"expires_at":7}}"#,
            ],
            r#"{"role":"assistant","content":null,"audio":{"id":"a","expires_at":7,"transcript":"hey"}}"#,
        ),
        (
            &[r#"{"content":"x"}"#, r#"{"annotations":[{"type":"url_citation","url_citation":{"url":"u"}}]}"#],
            r#"{"role":"assistant","content":"x","annotations":[{"type":"url_citation","url_citation":{"url":"u"}}]}"#,
        ),
        (
            &[
                r#"{"content":"x","mood":"good","reasoning":{"a":1},"annotations":"none","audio":5,"reasoning_details":{}}"#,
            ],
            r#"{"role":"assistant","content":"x"}"#,
        ),
    ] {
        assert_eq!(check(deltas, r#""stop""#), expected);
    }
    // Half a call, or half a sound, is none.
    for half in [r#"{"function_call":{"name":"f"}}"#, r#"{"audio":{"id":"a"}}"#, r#"{"reasoning_content":"hm"}"#] {
        assert_eq!(check(&[half], r#""error""#), "", "{half}");
    }
}

#[test]
fn an_answer_that_is_cut_holds_no_more_than_what_came() {
    let part = stream(&[&content(&"x".repeat(100))]);
    let mut assembly = Assembly::streamed(LIMIT);
    assembly.read(part.as_bytes());
    assembly.read(b"data: {");
    assert!((100..200).contains(&assembly.held()), "{}", assembly.held());
    assembly.cut();
    let held = assembly.held();
    assembly.read(part.repeat(10).as_bytes());
    assert_eq!((assembly.held(), assembly.is_cut()), (held, true));
    let answer = assembly.finish(true);
    assert_eq!((answer.complete, answer.message.unwrap().matches('x').count()), (false, 100));
    let mut plain = Assembly::plain(LIMIT);
    plain.read(br#"{"choices":[{"#);
    assert_eq!(plain.held(), 13);
    plain.cut();
    assert_eq!((plain.held(), plain.finish(true)), (0, Answer::default()));
}
