use super::*;
use proptest::prelude::*;

const TOOLS: &str = r#""tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","required":["x"]}}},{"type":"custom","custom":{"name":"c"}},{"type":"web_search"}]"#;
const SCHEMA: &str = r#""response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","required":["a"],"properties":{"a":{"type":"string"}}}}}"#;

fn judge(members: &str) -> Judge {
    let comma = if members.is_empty() { "" } else { "," };
    let body = format!(r#"{{"model":"m","messages":[]{comma}{members}}}"#);
    Judge::of_request(&Body::parse(body.as_bytes()).unwrap(), Endpoint::ChatCompletions).unwrap()
}

/// The verdict, the same however the answer is cut.
fn verdict(members: &str, answer: &str, ended: bool) -> Verdict {
    let cut = |size: usize| {
        let mut judge = judge(members);
        answer.as_bytes().chunks(size).for_each(|it| judge.piece(it));
        judge.finish(ended)
    };
    let whole = cut(answer.len().max(1));
    for size in [1, 7] {
        assert_eq!(cut(size), whole, "in pieces of {size}: {answer}");
    }
    whole
}

fn plain(message: &str, reason: &str) -> String {
    format!(r#" {{"choices":[{{"index":0,"message":{message},"finish_reason":{reason}}}]}}"#)
}

fn stream(deltas: &[&str], reason: &str) -> String {
    let chunk = |delta: &str, reason: &str| {
        format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{reason}}}]}}\n\n")
    };
    let deltas: String = deltas.iter().map(|it| chunk(it, "null")).collect();
    format!(": hello\n\n{deltas}{}data: [DONE]\n\n", chunk("{}", reason))
}

/// Whether an answer with this text is valid, plain and streamed.
fn check(members: &str, text: &str, reason: &str) -> Option<bool> {
    let content = format!(r#"{{"role":"assistant","content":{}}}"#, serde_json::to_string(text).unwrap());
    let streamed = verdict(members, &stream(&[&content], reason), true);
    assert_eq!(verdict(members, &plain(&content, reason), true), streamed, "{text}");
    assert_eq!(streamed.tools, None);
    streamed.valid
}

/// The share of right calls in an answer with these.
fn calls(members: &str, calls: &[(&str, &str)]) -> Option<f64> {
    let call = |(nth, (name, arguments)): (usize, &(&str, &str))| {
        let arguments = serde_json::to_string(arguments).unwrap();
        format!(
            r#"{{"index":{nth},"id":"{nth}","type":"function","function":{{"name":"{name}","arguments":{arguments}}}}}"#
        )
    };
    let calls: Vec<String> = calls.iter().enumerate().map(call).collect();
    let message = format!(r#"{{"role":"assistant","content":null,"tool_calls":[{}]}}"#, calls.join(","));
    let streamed = verdict(members, &stream(&[&message], r#""tool_calls""#), true);
    assert_eq!(verdict(members, &plain(&message, r#""tool_calls""#), true), streamed);
    assert_eq!(streamed.valid, Some(true));
    streamed.tools
}

#[test]
fn an_answer_is_valid_by_how_it_ended() {
    for (reason, expected) in [
        (r#""stop""#, Some(true)),
        (r#""tool_calls""#, Some(true)),
        (r#""length""#, Some(false)),
        (r#""content_filter""#, Some(false)),
        (r#""error""#, Some(false)),
    ] {
        assert_eq!(check("", "hi", reason), expected, "{reason}");
    }
    assert_eq!(check(r#""max_tokens":5"#, "hi", r#""length""#), None);
    assert_eq!(check(r#""max_tokens":null"#, "hi", r#""length""#), Some(false));
}

#[test]
fn text_is_in_the_form_that_was_asked_for() {
    let json = r#""response_format":{"type":"json_object"}"#;
    for (members, text, expected) in [
        (r#""response_format":{"type":"text"}"#, "hi", true),
        (json, "{}", true),
        (json, "hi", false),
        (json, "", false),
        (json, "{", false),
        (SCHEMA, r#"{"a":"b"}"#, true),
        (SCHEMA, r#"{"a":1}"#, false),
        (SCHEMA, "{}", false),
        (r#""response_format":{"type":"json_schema"}"#, "7", true),
        (r#""response_format":{"type":"json_schema"}"#, "seven", false),
        (r#""response_format":"what""#, "hi", true),
    ] {
        assert_eq!(check(members, text, r#""stop""#), Some(expected), "{members} {text}");
    }
}

#[test]
fn a_call_is_right_when_its_tool_was_declared_and_gets_what_it_requires() {
    let (good, bad) = (("f", r#"{"x":1}"#), ("f", r#"{"y":1}"#));
    for (members, all, expected) in [
        (TOOLS, vec![good], Some(1.0)),
        (TOOLS, vec![bad], Some(0.0)),
        (TOOLS, vec![good, bad, good, good], Some(0.75)),
        (TOOLS, vec![("g", r#"{"x":1}"#)], Some(0.0)),
        (TOOLS, vec![("f", r#"{"x":1"#)], Some(0.0)),
        (TOOLS, vec![("f", "[]")], Some(0.0)),
        (TOOLS, vec![("f", "")], Some(0.0)),
        (TOOLS, vec![("c", "{}")], Some(0.0)),
        (r#""tools":[{"type":"function","function":{"name":"n"}}]"#, vec![("n", "")], Some(1.0)),
        ("", vec![good], Some(0.0)),
        (r#""tools":null"#, vec![good], Some(0.0)),
        (r#""tools":"what""#, vec![good], None),
        (SCHEMA, vec![good], Some(0.0)),
    ] {
        assert_eq!(calls(members, &all), expected, "{members} {all:?}");
    }
    let custom = r#"{"tool_calls":[{"id":"1","type":"custom","custom":{"name":"c","input":"any text"}}]}"#;
    assert_eq!(verdict(TOOLS, &plain(custom, r#""tool_calls""#), true).tools, Some(1.0));
    assert_eq!(verdict(TOOLS, &stream(&[custom], r#""tool_calls""#), true).tools, Some(1.0));
}

#[test]
fn what_does_not_come_to_its_end_is_invalid() {
    let hi = r#"{"role":"assistant","content":"hi"}"#;
    let whole = stream(&[hi], r#""stop""#);
    let broken = whole.replace("data: [DONE]\n\n", "");
    for (answer, ended, expected) in [
        (whole.as_str(), true, true),
        (&whole, false, true),
        (&broken, true, true),
        (&broken, false, false),
        (&plain(hi, "null"), true, true),
        (&plain(hi, "null"), false, false),
        (&plain(hi, r#""stop""#)[..40], false, false),
        (r#"{"error":{"message":"no"}}"#, true, false),
        ("data: {\"error\":{\"message\":\"no\"}}\n\n", true, false),
        ("<html>", true, false),
        ("", true, false),
        ("  \n", true, false),
    ] {
        assert_eq!(verdict("", answer, ended).valid, Some(expected), "{answer} {ended}");
    }
}

#[test]
fn a_long_answer_is_judged_as_far_as_it_is_kept() {
    let long = format!(r#"{{"content":"{}"}}"#, "x".repeat(LONGEST));
    let pieces = |part: &str| stream(&vec![part; 300], r#""stop""#);
    let streamed = pieces(&format!(r#"{{"content":"{}"}}"#, "x".repeat(1024)));
    for (members, answer, expected) in [
        ("", &plain(&long, r#""stop""#), None),
        ("", &streamed, Some(true)),
        (TOOLS, &streamed, Some(true)),
        (SCHEMA, &streamed, None),
    ] {
        let mut judge = judge(members);
        judge.piece(answer.as_bytes());
        assert_eq!(judge.finish(true), Verdict { valid: expected, tools: None }, "{members}");
    }
}

#[test]
fn too_many_tools_are_not_judged() {
    let tool = |name: &str| format!(r#"{{"type":"function","function":{{"name":"{name}"}}}}"#);
    let many = format!(r#""tools":[{}]"#, vec![tool("f"); MOST_TOOLS + 1].join(","));
    let long = format!(r#""tools":[{}]"#, tool(&"f".repeat(MOST_TEXT + 1)));
    for members in [many, long] {
        assert_eq!(calls(&members, &[("f", "{}")]), None);
    }
}

#[test]
fn only_chat_completions_are_judged() {
    let body = Body::parse(br#"{"model":"m","input":"hi"}"#).unwrap();
    for endpoint in [Endpoint::Completions, Endpoint::Embeddings, Endpoint::Responses] {
        assert!(Judge::of_request(&body, endpoint).is_none());
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(answer in "(data: |\n|\\{|\\}|\\[|\\]|:|,|\"choices\"|\"delta\"|\"message\"|\"content\"|\"tool_calls\"|\"x\"|0|null|\\PC){0,60}", ended in any::<bool>(), which in 0_usize..3) {
        let mut judge = judge(["", TOOLS, SCHEMA][which]);
        judge.piece(answer.as_bytes());
        let verdict = judge.finish(ended);
        prop_assert!(verdict.tools.is_none_or(|it| (0.0..=1.0).contains(&it)));
    }
}
