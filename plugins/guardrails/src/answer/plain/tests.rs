use super::*;
use crate::answer::Act;
use crate::answer::tests::{Everything, MASK, vault};
use serde_json::Value;

/// What becomes of an answer, and whether it was blocked.
fn check(finder: &Everything, body: &str) -> (String, bool) {
    let edited = edit(finder, &mut vault(), body.as_bytes());
    let body = edited.body.map_or_else(|| body.to_owned(), |it| String::from_utf8(it).unwrap());
    (body, edited.blocked)
}

const BLOCK: Everything = Everything { act: |_| Act::Block };

/// Answers of each API in which `TEXT` stands in all their places, and what is left of them when it may not pass.
const ANSWERS: [(&str, &str); 4] = [
    (
        r#"{ "id":"c1", "choices":[{"index":0,"message":{"role":"assistant","content":"TEXT","refusal":"TEXT",
            "tool_calls":[{"id":"t1","function":{"name":"f","arguments":"{\"a\":\"TEXT\"}"}}]},"logprobs":null,"finish_reason":"stop"}],"usage":{"n":1e2}}"#,
        r#"{ "id":"c1", "choices":[{"index":0,"message":{"role":"assistant","content":"","refusal":"",
            "tool_calls":[{"id":"t1","function":{"name":"f","arguments":"{}"}}]},"logprobs":null,"finish_reason":"content_filter"}],"usage":{"n":1e2}}"#,
    ),
    (
        r#"{"object":"text_completion","choices":[{"text":"TEXT","index":0,"finish_reason":"length"}]}"#,
        r#"{"object":"text_completion","choices":[{"text":"","index":0,"finish_reason":"content_filter"}]}"#,
    ),
    (
        r#"{"id":"r1","object":"response","status":"completed","incomplete_details":null,"instructions":"TEXT?","output":[
            {"type":"reasoning","summary":[{"type":"summary_text","text":"TEXT"}]},
            {"type":"message","content":[{"type":"output_text","text":"TEXT","annotations":[]}]},
            {"type":"function_call","arguments":"{\"a\":\"TEXT\"}"}]}"#,
        r#"{"id":"r1","object":"response","status":"incomplete","incomplete_details":{"reason":"content_filter"},"instructions":"TEXT?","output":[
            {"type":"reasoning","summary":[{"type":"summary_text","text":""}]},
            {"type":"message","content":[{"type":"output_text","text":"","annotations":[]}]},
            {"type":"function_call","arguments":"{}"}]}"#,
    ),
    (
        r#"{"type":"message","content":[{"type":"text","text":"TEXT"},{"type":"tool_use","input":{"a":["TEXT"]}}],"stop_reason":"end_turn"}"#,
        r#"{"type":"message","content":[{"type":"text","text":""},{"type":"tool_use","input":{}}],"stop_reason":"refusal"}"#,
    ),
];

#[test]
fn every_text_is_changed_and_nothing_else() {
    for (answer, _) in ANSWERS {
        for (text, becomes) in [
            ("Hi", "Hi"),
            ("to [EMAIL_1].", "to ada@example.com."),
            ("to bob@example.com, bob@example.com", "to [EMAIL_2], [EMAIL_2]"),
        ] {
            let answer = answer.replace("TEXT?", "bob@example.com");
            let (body, blocked) = check(&MASK, &answer.replace("TEXT", text));
            assert_eq!((body, blocked), (answer.replace("TEXT", becomes), false));
        }
    }
}

#[test]
fn of_what_may_not_pass_nothing_is_left_but_the_reason() {
    for (answer, left) in ANSWERS {
        let (body, blocked) = check(&BLOCK, &answer.replace("TEXT?", "x").replace("TEXT", "ask bob@example.com"));
        assert_eq!((body.as_str(), blocked), (left.replace("TEXT?", "x").as_str(), true));
        serde_json::from_str::<Value>(&body).unwrap();
    }
}

#[test]
fn one_choice_may_be_blocked_and_another_pass() {
    let choice =
        |of, text, reason| format!(r#"{{"index":{of},"message":{{"content":"{text}"}},"finish_reason":"{reason}"}}"#);
    let body = |first: String, second: String| format!(r#"{{"choices":[{first},{second}]}}"#);
    let said = body(choice(0, "bob@example.com", "stop"), choice(1, "[EMAIL_1]", "stop"));
    let want = body(choice(0, "", "content_filter"), choice(1, "ada@example.com", "stop"));
    assert_eq!(check(&BLOCK, &said), (want, true));
}

#[test]
fn probabilities_go_with_the_text_that_they_tell_again() {
    let body = r#"{"choices":[{"message":{"content":"bob@example.com"},"logprobs":{"content":[{"token":"bob"}]}}]}"#;
    let want = r#"{"choices":[{"message":{"content":"[EMAIL_2]"},"logprobs":null}]}"#;
    assert_eq!(check(&MASK, body).0, want);
}

#[test]
fn what_is_no_answer_passes() {
    for body in [
        "",
        "bob@example.com",
        "[\"bob@example.com\"]",
        "{\"data\":[{\"embedding\":[1]}]}",
        "{\"choices\":7}",
        "{",
        "null",
    ] {
        assert_eq!(check(&MASK, body), (body.to_owned(), false));
    }
    assert!(edit(&MASK, &mut vault(), b"\xff{}").body.is_none());
}

#[test]
fn what_stands_twice_is_changed_twice_and_half_a_letter_hides_nothing() {
    let said = r#"{"choices":[{"message":{"content":"bob@example.com","content":"\ud83d bob\u0040example.com"}}]}"#;
    let (body, _) = check(&MASK, said);
    assert_eq!(body.matches("[EMAIL_2]").count(), 2, "{body}");
    assert!(!body.contains("bob"), "{body}");
}

#[test]
fn what_stands_in_itself_is_not_followed_for_ever() {
    let deep = |levels: usize| {
        let (open, close) = (r#""response":{"output":[{"#.repeat(levels), "}]}".repeat(levels));
        format!(r#"{{"object":"response",{open}"text":"bob@example.com"{close}}}"#)
    };
    assert!(check(&MASK, &deep(2)).0.contains("[EMAIL_2]"));
    let body = deep(40_000);
    assert_eq!(check(&MASK, &body), (body, false));
}
