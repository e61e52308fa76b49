//! What becomes of requests.

use super::*;
use crate::guards::Table;

const KEY: &str = "sk-proj-Zx9Qw4Rt7Zx9Qw4Rt7mK2Lp8Vb3NcT3BlbkFJaaS5d";
const CARD: &str = "4111111111111111";

/// What the guards say of a body, under a configuration.
fn said(json: &str, body: &[u8]) -> Outcome {
    let config = Config::parse(json.as_bytes()).unwrap();
    let table = Table::new(&config, &|_| None).unwrap();
    inspect(Rules { guards: table.of(None), config: &config, project: "p", thread: None }, body)
}

/// A configuration of the guard `pii` alone, with more that concerns both.
fn pii(of: &str, more: &str) -> String {
    format!(r#"{{"pii": {of}, "sentinel": {{"mode": "off"}}{more}}}"#)
}

/// What goes on, or the status and message of the refusal; and the report.
fn check(json: &str, body: &str) -> (String, Option<String>) {
    let outcome = said(json, body.as_bytes());
    let goes_on = match outcome.deed {
        Deed::Pass => body.to_owned(),
        Deed::Mask(masked) => String::from_utf8(masked).unwrap(),
        Deed::Block(reply) => format!("{} {} {} {:?}", reply.status, reply.code, reply.message, reply.param),
    };
    (goes_on, outcome.report)
}

fn chat(text: &str) -> String {
    let text = serde_json::json!(text);
    format!(r#"{{"n" : 1.0,"messages":[ {{"role":"user","content":{text}}}],"x":"ada@example.com"}}"#)
}

fn with(report: &str, body: String) -> (String, Option<String>) {
    (body, Some(report.to_owned()))
}

#[test]
fn the_same_value_gets_the_same_placeholder_and_all_other_bytes_stay() {
    let text = format!("from ada@example.com to eve@example.com, with {KEY}; ada@example.com");
    let (after, report) = check(&pii("{}", ""), &chat(&text));
    assert_eq!(report.as_deref(), Some("pii=mask:4"));
    assert!(
        after.starts_with(r#"{"n" : 1.0,"messages":[ {"role":"user","content":"from [EMAIL_1] to [EMAIL_2], with ["#)
    );
    assert!(after.ends_with(r#"_1]; [EMAIL_1]"}],"x":"ada@example.com"}"#), "{after}");
    assert_eq!(check(&pii("{}", ""), &chat("hello")), (chat("hello"), None));
}

#[test]
fn every_text_is_looked_at_and_the_applications_own_where_asked() {
    let call = r#"{"messages":[{"role":"assistant","tool_calls":[{"function":{"arguments":"{\"to\":\"a@b.io\"}"}}]}]}"#;
    for (body, count) in [
        (r#"{"messages":[{"role":"user","content":[{"type":"text","text":"a@b.io"}]}]}"#, 1),
        (r#"{"messages":[{"role":"tool","content":"a@b.io"}]}"#, 1),
        (r#"{"messages":[{"role":"assistant","content":"a@b.io"}]}"#, 1),
        (r#"{"messages":[{"role":"function","content":"a@b.io"}]}"#, 1),
        (r#"{"messages":[{"role":"assistant","reasoning_content":"a@b.io","reasoning":"a@b.io"}]}"#, 2),
        (r#"{"messages":[{"content":[{"type":"thinking","thinking":[{"text":"a@b.io"}]}]}]}"#, 1),
        (r#"{"messages":[{"role":"assistant","function_call":{"arguments":"a@b.io"}}]}"#, 1),
        (call, 1),
        (r#"{"messages":[{"role":"no such role","content":"a@b.io"}]}"#, 1),
        (r#"{"messages":[{"content":"a@b.io"}]}"#, 1),
        (r#"{"messages":[{"content":{"type":"text","text":"a@b.io"}}]}"#, 1),
        (r#"{"messages":[],"prediction":{"type":"content","content":"a@b.io"}}"#, 1),
        (r#"{"prompt":{"id":"p","variables":{"to":"a@b.io","note":{"text":"c@d.io"}}}}"#, 2),
        (r#"{"input":{"content":[{"text":"a@b.io"}]}}"#, 1),
        (r#"{"input":"a@b.io"}"#, 1),
        (r#"{"input":["a@b.io","a@b.io"]}"#, 2),
        (r#"{"input":[{"role":"user","content":[{"type":"input_text","text":"a@b.io"}]}]}"#, 1),
        (r#"{"input":[{"type":"function_call_output","output":"a@b.io"}]}"#, 1),
        (r#"{"prompt":["a\u0040b.io"]}"#, 1),
        (r#"{"messages":[{"role":"system","content":"a@b.io"}]}"#, 0),
        (r#"{"messages":[{"role":"developer","content":"a@b.io"}]}"#, 0),
        (r#"{"instructions":"a@b.io"}"#, 0),
    ] {
        let report = |count| Some(format!("pii=mask:{count}")).filter(|_| count > 0);
        assert_eq!(check(&pii("{}", ""), body).1, report(count), "{body}");
        let all = pii(r#"{"system_messages": true}"#, "");
        assert_eq!(check(&all, body).1, report(count.max(1)), "{body}");
    }
}

#[test]
fn the_arguments_of_a_tool_call_stay_valid_json() {
    let call = |arguments: &str| {
        let arguments = serde_json::json!(arguments);
        format!(
            r#"{{"messages":[{{"role":"assistant","tool_calls":[{{"id":"c","function":{{"arguments":{arguments}}}}}]}}]}}"#
        )
    };
    let json = format!(r#"{{"card": {CARD}, "to": "\nada@example.com", "also": "\u0065ve@example.com"}}"#);
    let want = r#"{"card": "[CARD_1]", "to": "\n[EMAIL_1]", "also": "[EMAIL_2]"}"#;
    let card = r#""patterns": [{"name": "card", "regex": "[0-9]{16}", "action": "mask"}]"#;
    let only = pii(&format!(r#"{{"entities": {{"email": "mask"}}, {card}}}"#), "");
    assert_eq!(check(&only, &call(&json)), with("pii=mask:3", call(want)));
}

#[test]
fn each_action_does_what_it_says() {
    let json = pii(
        r#"{"entities": {"email": "redact", "secrets": "hash"}, "hash_key": {"value": "a key of sixteen"},
            "patterns": [{"name": "badge", "regex": "B-[0-9]{3}", "action": "report"}],
            "words": [{"name": "project", "words": ["Blue Falcon"], "action": "mask"}]}"#,
        "",
    );
    let (after, report) = check(&json, &chat(&format!("ada@example.com {KEY} blue falcon {KEY} B-123")));
    assert_eq!(report.as_deref(), Some("pii=redact:1,hash:2,mask:1,report:1"));
    let text = after.split("content\":\"").nth(1).unwrap().split('"').next().unwrap();
    let words: Vec<&str> = text.split(' ').collect();
    assert_eq!((words[0], words[2], words[4]), ("[EMAIL]", "[PROJECT_1]", "B-123"));
    let digits = words[1].trim_end_matches(']').rsplit('_').next().unwrap();
    assert!(digits.len() == 16 && words[1] == words[3], "{text}");
}

#[test]
fn a_block_names_the_guard_and_the_kind_and_not_the_value() {
    let json = r#"{"entities": {"personal": "mask", "secrets": "block"}}"#;
    let text = format!("ada@example.com {KEY} {KEY}");
    for status in [400, 451] {
        let (said, report) = check(&pii(json, &format!(r#", "status": {status}"#)), &chat(&text));
        let want = format!("{status} content_blocked Blocked by the guard `pii`: the request contains a");
        assert!(said.starts_with(&want) && said.ends_with(r#"Some("messages[0].content")"#), "{said}");
        assert!(!said.contains("ada") && !said.contains(&KEY[..12]));
        assert_eq!(report.as_deref(), Some("pii=block:2"));
    }
    assert_eq!(check(&pii(json, ""), &chat("ada@example.com")), with("pii=mask:1", chat("[EMAIL_1]")));
}

#[test]
fn only_what_the_configuration_names_is_looked_for() {
    let text = format!("ada@example.com {KEY}");
    let want = with("pii=mask:1", chat(&format!("[EMAIL_1] {KEY}")));
    assert_eq!(check(&pii(r#"{"entities": {"email": "mask"}}"#, ""), &chat(&text)), want);
}

#[test]
fn shadow_reports_and_changes_nothing() {
    let json =
        pii(r#"{"mode": "shadow", "entities": {"personal": "mask", "secrets": "block"}}"#, r#", "max_bytes": 80"#);
    for (body, report) in [
        (chat(&format!("ada@example.com {KEY}")), Some("pii=shadow:2")),
        (chat("hello"), None),
        (chat(&"a".repeat(81)), Some("pii=oversize")),
        (r#"{"messages":[{"content":"a","content":"b"}]}"#.to_owned(), Some("pii=unreadable")),
        ("{".to_owned(), Some("pii=unreadable")),
    ] {
        assert_eq!(check(&json, &body), (body.clone(), report.map(str::to_owned)));
    }
}

#[test]
fn a_side_that_is_off_is_not_looked_at() {
    let body = chat("ada@example.com");
    assert_eq!(check(&pii(r#"{"request": false}"#, ""), &body), (body.clone(), None));
    let (_, report) = check(r#"{"pii": {"mode": "off"}}"#, &body);
    assert!(report.unwrap().starts_with("sentinel=0."));
}

#[test]
fn what_others_masked_is_no_name_for_what_the_model_says_though_the_request_is_not_looked_at() {
    let body = r#"{"messages":[{"role":"system","content":"[EMAIL_1]"},{"role":"user","content":"[EMAIL_2]"}]}"#;
    let off = r#"{"request": false}"#;
    for json in [format!(r#"{{"pii": {off}, "sentinel": {off}}}"#), format!(r#"{{"pii": {off}}}"#)] {
        assert_eq!(said(&json, body.as_bytes()).vault.mask("email", "eve@example.com"), "[EMAIL_3]", "{json}");
    }
}

#[test]
fn in_a_thread_an_answers_numbers_are_those_of_its_request() {
    let body = r#"{"conversation_id":"t","messages":[{"role":"user","content":"ada@example.com"}]}"#;
    let (masked, _) = check(r#"{"sentinel": {"mode": "off"}}"#, body);
    let mut asked = said("{}", body.as_bytes()).vault;
    let mut answered = said(r#"{"pii": {"request": false}, "sentinel": {"request": false}}"#, masked.as_bytes()).vault;
    // A filter between them may take the thread's name out of the body.
    let mut unnamed = Vault::numbered_as(asked.numbers().unwrap().to_owned());
    let name = asked.mask("email", "ada@example.com");
    assert!(name.len() == "[EMAIL_482913]".len() && masked.contains(&name), "{name} {masked}");
    for vault in [&mut answered, &mut unnamed] {
        assert_eq!(vault.mask("email", "ada@example.com"), name);
    }
}

#[test]
fn what_cannot_be_read_is_refused() {
    let twice = r#"{"messages":[{"content":"a","content":"b"}]}"#;
    for body in ["", "{", "[]", "\"a@b.io\"", twice, r#"{"Messages":[]}"#] {
        let (said, report) = check("{}", body);
        assert!(said.starts_with("400 invalid_request "), "{body}: {said}");
        assert_eq!(report.as_deref(), Some("pii=unreadable;sentinel=unreadable"));
    }
    assert!(matches!(said("{}", b"{\"a\":\"\xff\"}").deed, Deed::Block(_)));
}

#[test]
fn more_text_than_allowed_is_refused_or_passes_unseen() {
    let body = chat("ada@example.com");
    let (said, report) = check(&pii("{}", r#", "max_bytes": 14"#), &body);
    assert!(said.starts_with("413 request_too_large "), "{said}");
    assert_eq!(report.as_deref(), Some("pii=oversize"));
    assert_eq!(check(&pii("{}", r#", "max_bytes": 14, "on_oversize": "allow""#), &body).0, body);
    assert_eq!(check(&pii("{}", r#", "max_bytes": 15"#), &body).0, chat("[EMAIL_1]"));
}

#[test]
fn of_a_request_with_too_much_text_both_ends_may_be_looked_at() {
    let json = pii("{}", r#", "max_bytes": 40, "on_oversize": "scan_ends""#);
    let text = |a: &str, b: &str, c: &str| format!("{a} {} {b} {} {c}", "é".repeat(30), "é".repeat(30));
    let body = chat(&text("a@b.io", "c@d.io", "e@f.io"));
    assert_eq!(check(&json, &body), with("scan=ends;pii=mask:2", chat(&text("[EMAIL_1]", "c@d.io", "[EMAIL_2]"))));
    let two = format!(r#"{{"input":["a@b.io","{}","e@f.io"]}}"#, "é".repeat(50));
    assert_eq!(check(&json, &two).0, format!(r#"{{"input":["[EMAIL_1]","{}","[EMAIL_2]"]}}"#, "é".repeat(50)));
    assert_eq!(check(&json, &chat("a@b.io")), with("pii=mask:1", chat("[EMAIL_1]")));
}
