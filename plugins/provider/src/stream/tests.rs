use super::*;
use proptest::prelude::*;

const ROLE: &str =
    r#"data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"finish_reason":null}]}"#;
const TEXT: &str = r#"data: {"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]}"#;
const STOP: &str = r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
const USAGE: &str = r#"data: {"choices":[],"usage":{"prompt_tokens":1}}"#;
const ERROR: &str = r#"data: {"error":{"message":"busy","type":"server_error","param":null,"code":null}}"#;
const CREATED: &str = r#"data: {"type":"response.created","sequence_number":0,"response":{"id":"r","error":null}}"#;
const ADDED: &str = r#"data: {"type":"response.output_item.added","sequence_number":1,"item":{"type":"message"}}"#;
const WORD: &str = r#"data: {"type":"response.output_text.delta","sequence_number":2,"delta":"hi"}"#;
const COMPLETED: &str = r#"data: {"type":"response.completed","sequence_number":3,"response":{"id":"r","error":null}}"#;
const START: &str = r#"data: {"type":"message_start","message":{"id":"m","content":[]}}"#;
const BLOCK: &str = r#"data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#;
const PING: &str = "event: ping\ndata: {\"type\":\"ping\"}";
const DELTA: &str = r#"data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}}"#;
const REASON: &str = r#"data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1}}"#;
const OVER: &str = r#"data: {"type":"message_stop"}"#;

/// What a client gets of a stream that comes in these pieces: the status and the bytes. `holds`: whether the proxy can hold
/// back a response.
fn passed(words: Words, pieces: &[&[u8]], holds: bool) -> (u16, String) {
    let (mut watched, mut status) = (Watched::new(words, 0), 200);
    let (mut held, mut out): (Option<Vec<u8>>, Vec<u8>) = (holds.then(Vec::new), Vec::new());
    for (number, piece) in pieces.iter().enumerate() {
        let last = number + 1 == pieces.len();
        let Some(begun) = &mut held else {
            out.extend(watched.piece(piece, last).unwrap_or_else(|| piece.to_vec()));
            continue;
        };
        begun.extend_from_slice(piece);
        match watched.begin(begun, last, 0) {
            Begin::Wait => continue,
            Begin::Pass(ending) => out.extend([begun.as_slice(), &ending.unwrap_or_default()].concat()),
            Begin::Fail(told, body) => {
                status = told;
                out.extend(body);
            }
        }
        held = None;
    }
    (status, String::from_utf8(out).unwrap())
}

fn stream(events: &[&str]) -> String {
    events.iter().map(|it| format!("{it}\n\n")).collect()
}

/// The same, whole and cut at every byte.
fn check(words: Words, stream: &str) -> (u16, String) {
    let whole = passed(words, &[stream.as_bytes()], true);
    for at in 0..=stream.len() {
        let (left, right) = stream.as_bytes().split_at(at);
        assert_eq!(passed(words, &[left, right, b""], true), whole, "cut at {at}: {stream:?}");
    }
    let bytes: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
    if !bytes.is_empty() {
        assert_eq!(passed(words, &bytes, true), whole, "byte by byte: {stream:?}");
    }
    whole
}

#[test]
fn a_good_stream_passes_as_it_came() {
    for (words, events) in [
        (Words::Chat, &[ROLE, TEXT, STOP, USAGE, "data: [DONE]"][..]),
        (Words::Chat, &[": hello", ROLE, TEXT, STOP, "data: [DONE]"]),
        (Words::Chat, &["data: [DONE]"]),
        // Nobody's `[DONE]`, but a reason.
        (Words::Chat, &[ROLE, TEXT, STOP]),
        (Words::Chat, &[ROLE, TEXT, STOP, USAGE]),
        (Words::Chat, &[r#"data: {"choices":[{"text":"a","index":0,"finish_reason":"length"}]}"#]),
        // The provider has said itself that it failed.
        (Words::Chat, &[ROLE, TEXT, ERROR]),
        // Of an API that nobody knows.
        (Words::Chat, &[r#"data: {"token":"hi"}"#]),
        (Words::Responses, &[CREATED, ADDED, WORD, COMPLETED]),
        (Words::Responses, &[CREATED, WORD, r#"data: {"type":"response.incomplete","sequence_number":3}"#]),
        (Words::Responses, &[CREATED, WORD, r#"data: {"type":"response.failed","response":{}}"#]),
        (Words::Messages, &[START, BLOCK, PING, DELTA, REASON, OVER]),
        (Words::Messages, &[START, BLOCK, DELTA, REASON]),
        (Words::Messages, &[START, DELTA, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"x\"}}"]),
        // A native provider's, which is translated behind this.
        (Words::Chat, &[START, BLOCK, DELTA, REASON, OVER]),
    ] {
        let stream = stream(events);
        assert_eq!(check(words, &stream), (200, stream.clone()));
        let other = stream.replace('\n', "\r\n");
        assert_eq!(check(words, &other), (200, other.clone()));
        assert_eq!(passed(words, &[stream.as_bytes()], false), (200, stream.clone()));
    }
}

#[test]
fn an_event_passes_at_once_when_it_is_a_part_of_an_answer() {
    let wait = |event: &str| Watched::new(Words::Chat, 0).begin(stream(&[event]).as_bytes(), false, 0) == Begin::Wait;
    let delta = |delta: &str| format!(r#"data: {{"choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}"#);
    for empty in [r#"{"role":"assistant"}"#, r#"{"content":""}"#, r#"{"content":null,"tool_calls":[]}"#, "{}", "null"] {
        assert!(wait(&delta(empty)), "{empty}");
    }
    for part in [
        r#"{"content":" "}"#,
        r#"{"content":[{"type":"thinking"}]}"#,
        r#"{"refusal":"no"}"#,
        r#"{"reasoning_content":"hm"}"#,
        r#"{"role":"assistant","tool_calls":[{"index":0}]}"#,
    ] {
        assert!(!wait(&delta(part)), "{part}");
    }
    for (event, expected) in [
        (": OPENROUTER PROCESSING", true),
        ("data:", true),
        (r#"data: {"choices":[],"prompt_filter_results":[]}"#, true),
        (r#"data: {"choices":[{"text":"","index":0}]}"#, true),
        (r#"data: {"choices":[{"text":"a","index":0}]}"#, false),
        (STOP, false),
        ("data: nonsense", false),
        ("data: 1", false),
        (CREATED, true),
        (ADDED, true),
        (WORD, false),
        (START, true),
        (BLOCK, true),
        (PING, true),
        (DELTA, false),
        (r#"data: {"type":"content_block_start","content_block":{"type":"tool_use","name":"f"}}"#, false),
        (r#"data: {"type":"content_block_start","content_block":{"type":"text","text":"hi"}}"#, false),
    ] {
        assert_eq!(wait(event), expected, "{event}");
    }
}

#[test]
fn a_stream_that_ends_before_its_content_is_a_failure() {
    for (words, events) in [
        (Words::Chat, &[][..]),
        (Words::Chat, &[": hello"]),
        (Words::Chat, &[ROLE]),
        (Words::Responses, &[CREATED, ADDED]),
        (Words::Messages, &[START, BLOCK, PING]),
    ] {
        let (status, body) = check(words, &stream(events));
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(status, 502);
        assert_eq!(body["error"]["message"], "the model's provider ended its answer before it began");
        assert_eq!(body["type"].as_str(), (words == Words::Messages).then_some("error"));
    }
}

#[test]
fn an_error_before_the_content_is_an_answer_with_its_status_and_its_text() {
    let failed = |error: &str| format!(r#"data: {{"type":"response.failed","response":{{"error":{error}}}}}"#);
    let of_openai = failed(r#"{"code":"rate_limit_exceeded","message":"slow"}"#);
    for (words, events, status, message) in [
        (Words::Chat, &[ROLE, ERROR][..], 500, "busy"),
        (Words::Chat, &[r#"data: {"error":{"message":"m","code":429},"choices":[]}"#], 429, "m"),
        (Words::Chat, &[r#"data: {"error":{"object":"error","message":"m","code":400}}"#], 400, "m"),
        (Words::Chat, &[r#"data: {"error":"out of memory"}"#], 502, "out of memory"),
        (Words::Chat, &["event: error\ndata: dead"], 502, "dead"),
        (
            Words::Chat,
            &[START, r#"data: {"type":"error","error":{"type":"overloaded_error","message":"m"}}"#],
            529,
            "m",
        ),
        (Words::Responses, &[CREATED, &of_openai], 429, "slow"),
        (Words::Responses, &[r#"data: {"type":"error","code":"server_error","message":"m"}"#], 500, "m"),
        (Words::Messages, &[r#"data: {"type":"error","error":{"type":"api_error","message":"m"}}"#], 500, "m"),
        (Words::Messages, &[r#"data: {"error":{"message":"m"}}"#], 502, "m"),
    ] {
        let (told, body) = check(words, &stream(events));
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!((told, body["error"]["message"].as_str()), (status, Some(message)), "{events:?}");
        assert!(body["error"]["type"].is_string(), "{body}");
        assert_eq!(body["type"].as_str(), (words == Words::Messages).then_some("error"), "{body}");
    }
}

#[test]
fn nothing_behind_a_failure_counts() {
    let whole = stream(&[ERROR, TEXT, STOP]);
    let (left, right) = whole.as_bytes().split_at(stream(&[ERROR]).len());
    let pieces = [left, right, b""];
    assert_eq!(passed(Words::Chat, &pieces, true), passed(Words::Chat, &[left], true));
}

#[test]
fn a_stream_that_ends_in_its_middle_says_so() {
    let broken = |words, sequence| String::from_utf8(told::broken(words, sequence)).unwrap();
    for (words, events, sequence) in [
        (Words::Chat, &[ROLE, TEXT][..], None),
        (Words::Chat, &[ROLE, TEXT, USAGE], None),
        (Words::Chat, &[ROLE, TEXT, ": hello"], None),
        // One of two choices has no reason.
        (Words::Chat, &[STOP, r#"data: {"choices":[{"index":1,"delta":{"content":"a"}}]}"#], None),
        // An empty reason is none.
        (Words::Chat, &[r#"data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":""}]}"#], None),
        // A text is no end sign.
        (Words::Chat, &[r#"data: {"choices":[{"index":0,"delta":{"content":"\"finish_reason\":\"stop\""}}]}"#], None),
        (Words::Responses, &[CREATED, WORD], Some(2)),
        (Words::Messages, &[START, DELTA], None),
    ] {
        let whole = stream(events);
        let expected = format!("{whole}{}", broken(words, sequence));
        assert_eq!(check(words, &whole), (200, expected.clone()));
        assert_eq!(passed(words, &[whole.as_bytes()], false), (200, expected));
    }
    // An unfinished event stays apart from ours.
    let torn = format!("{}data: {{\"choi", stream(&[TEXT]));
    assert_eq!(check(Words::Chat, &torn).1, format!("{torn}\n\n{}", broken(Words::Chat, None)));
    assert_eq!(passed(Words::Chat, &[b""], false).1, broken(Words::Chat, None));
    assert!(broken(Words::Chat, None).contains(r#""type":"server_error","param":null,"code":"upstream_error""#));
    assert!(broken(Words::Responses, Some(2)).contains(r#""sequence_number":3"#));
}

#[test]
fn what_is_held_back_is_bounded_in_size_and_time() {
    let comment = format!(": {}\n\n", "x".repeat(LONGEST));
    assert_eq!(Watched::new(Words::Chat, 0).begin(comment.as_bytes(), false, 0), Begin::Pass(None));
    let check = |now| Watched::new(Words::Chat, 7).begin(b": still here\n\n", false, now);
    assert_eq!((check(16), check(17), check(0)), (Begin::Wait, Begin::Pass(None), Begin::Wait));
}

#[test]
fn an_end_that_is_too_long_to_be_read_is_one() {
    let long =
        format!(r#"data: {{"type":"response.completed","response":{{"text":"{}"}}}}"#, "x".repeat(LONGEST_EVENT));
    let whole = stream(&[CREATED, WORD, &long]);
    assert_eq!(passed(Words::Responses, &[whole.as_bytes()], true), (200, whole.clone()));
    let more = stream(&[CREATED, &long, WORD]);
    assert_ne!(passed(Words::Responses, &[more.as_bytes()], true), (200, more.clone()));
}

#[test]
fn only_a_stream_that_can_be_read_is_watched() {
    let check = |operation: &str, status: u16, kind: &str, encoding: Option<&str>| {
        let headers = [("content-type", kind)].into_iter().chain(encoding.map(|it| ("content-encoding", it)));
        Watched::of(operation, status, &headers.collect(), 0).map(|it| it.words)
    };
    let kind = "Text/Event-Stream; charset=utf-8";
    for (operation, words) in [
        ("/chat/completions", Some(Words::Chat)),
        ("/completions", Some(Words::Chat)),
        ("/responses", Some(Words::Responses)),
        ("/messages", Some(Words::Messages)),
        ("/embeddings", None),
        ("", None),
    ] {
        assert_eq!(check(operation, 200, kind, None), words, "{operation}");
    }
    assert_eq!(check("/responses", 200, kind, Some("identity")), Some(Words::Responses));
    assert_eq!(check("/responses", 200, kind, Some("gzip")), None);
    assert_eq!(check("/responses", 503, kind, None), None);
    assert_eq!(check("/responses", 200, "application/json", None), None);
}

proptest! {
    #[test]
    fn the_cut_makes_no_difference(
        events in prop::collection::vec(prop::sample::select(
            &[ROLE, TEXT, STOP, USAGE, ERROR, PING, START, DELTA, OVER, ": c", "data: x", "data: [DONE]", "data: {\"a"][..]
        ), 0..6),
        end in prop::sample::select(&["\n", "\r\n", "\r"][..]),
        cuts in prop::collection::vec(0_usize..600, 0..5),
        words in prop::sample::select(&[Words::Chat, Words::Messages][..]),
    ) {
        let stream: String = events.iter().map(|it| it.replace('\n', end) + end + end).collect();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|it| it.min(stream.len())).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|it| &stream.as_bytes()[it[0]..it[1]]).collect();
        for holds in [true, false] {
            prop_assert_eq!(passed(words, &pieces, holds), passed(words, &[stream.as_bytes()], holds));
        }
    }
}
