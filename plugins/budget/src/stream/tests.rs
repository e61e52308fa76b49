use super::*;

/// A budget that gives `more` tokens beyond the cap each time it is asked, as often as `times` says.
struct Fixed {
    cap: u64,
    more: u64,
    times: u32,
}

impl Budget for Fixed {
    fn cap(&mut self, _: u64) -> Option<u64> {
        if let Some(left) = self.times.checked_sub(1) {
            self.times = left;
            self.cap += self.more;
        }
        Some(self.cap)
    }

    fn comment(&self, told: &Told) -> String {
        format!(": {} {} {}\n\n", told.usage.input, told.usage.output, told.estimated)
    }
}

const NONE: Option<u64> = None;

struct Setting {
    endpoint: Endpoint,
    wants_usage: bool,
    cap: Option<u64>,
    times: u32,
}

const CHAT: Setting = Setting { endpoint: Endpoint::ChatCompletions, wants_usage: false, cap: NONE, times: 0 };

fn pieces(setting: &Setting, pieces: &[&[u8]]) -> (String, Told, bool) {
    let Setting { endpoint, wants_usage, cap, times } = *setting;
    let mut following = Following::new(endpoint, None, 7, wants_usage, cap);
    let mut budget = Fixed { cap: cap.unwrap_or_default(), more: 2, times };
    let mut out = Vec::new();
    for piece in pieces {
        out.extend(following.read(piece, false, &mut budget));
    }
    out.extend(following.read(b"", true, &mut budget));
    (String::from_utf8(out).unwrap(), following.told(true), following.was_cut())
}

/// What the client gets, what is billed, and whether it was cut; however the stream is cut into pieces.
fn check(setting: &Setting, stream: &str) -> (String, Told, bool) {
    let whole = pieces(setting, &[stream.as_bytes()]);
    for at in 0..=stream.len() {
        let (left, right) = stream.as_bytes().split_at(at);
        assert_eq!(pieces(setting, &[left, right]), whole, "cut at {at}");
    }
    let single: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
    assert_eq!(pieces(setting, &single), whole, "byte by byte");
    whole
}

fn chunk(choices: &str, rest: &str) -> String {
    format!(
        "data: {{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":5,\"model\":\"m\",\"choices\":[{choices}]{rest}}}\n\n"
    )
}

fn delta(index: u64, text: &str) -> String {
    chunk(&format!(r#"{{"index":{index},"delta":{{"content":"{text}"}},"finish_reason":null}}"#), "")
}

fn finish(index: u64) -> String {
    chunk(&format!(r#"{{"index":{index},"delta":{{}},"finish_reason":"stop"}}"#), "")
}

fn usage() -> String {
    chunk("", r#","usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}"#)
}

const DONE: &str = "data: [DONE]\n\n";

#[test]
fn the_usage_is_read_left_out_if_nobody_asked_and_told_before_the_end() {
    let said = [delta(0, "1234"), finish(0)].concat();
    let stream = [said.as_str(), &usage(), DONE].concat();
    let (out, told, cut) = check(&CHAT, &stream);
    assert_eq!(out, [said.as_str(), ": 3 2 false\n\n", DONE].concat());
    assert_eq!((told.usage.total(), told.estimated, cut), (5, false, false));
    let (out, ..) = check(&Setting { wants_usage: true, ..CHAT }, &stream);
    assert_eq!(out, [said.as_str(), &usage(), ": 3 2 false\n\n", DONE].concat());
}

#[test]
fn without_usage_the_text_counts() {
    let calls = chunk(
        r#"{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_1","function":{"name":"abcd","arguments":"12345678"}}]}}"#,
        "",
    );
    let thoughts = chunk(r#"{"index":0,"delta":{"reasoning_content":"1234","refusal":"日本"}}"#, r#","usage":null"#);
    let (out, told, _) = check(&CHAT, &[delta(0, "12345678").as_str(), &calls, &thoughts, ": keep\n\n", DONE].concat());
    assert_eq!(told, Told { usage: Usage { input: 7, output: 2 + 3 + 1 + 2, ..Usage::default() }, estimated: true });
    assert!(out.contains(": keep\n\n: 7 8 true\n\ndata: [DONE]"), "{out}");
}

#[test]
fn a_stream_without_its_last_event_is_told_at_its_end() {
    assert!(check(&CHAT, &delta(0, "1234")).0.ends_with("}\n\n: 7 1 true\n\n"));
    let open = delta(0, "1234");
    let open = open.trim_end();
    assert_eq!(check(&CHAT, open).0, open, "an event without its blank line is left alone");
}

#[test]
fn at_the_cap_every_open_choice_ends_and_the_rest_is_swallowed() {
    let stream =
        [delta(0, "12345678"), delta(1, "1234"), finish(1), delta(0, "1234"), delta(0, "5678"), finish(0), usage()];
    let stream = stream.concat() + DONE;
    let capped = Setting { cap: Some(4), ..CHAT };
    let (out, told, cut) = check(&capped, &stream);
    let length = r#""choices":[{"delta":{},"finish_reason":"length","index":0,"logprobs":null}],"created":5,"id":"c1","model":"m","object":"chat.completion.chunk""#;
    let sorted = |event: &str| serde_json::from_str::<serde_json::Value>(event.trim_start_matches("data: ")).unwrap();
    let events: Vec<&str> = out.split_terminator("\n\n").collect();
    assert_eq!(events.len(), 7, "{out}");
    assert_eq!(sorted(events[4]), sorted(&format!("{{{length}}}")));
    assert_eq!(events[5..], [": 7 4 true", "data: [DONE]"]);
    assert_eq!(
        (told.usage.total(), told.estimated, cut),
        (5, false, true),
        "what the provider says later is what is billed"
    );

    let (out, ..) = check(&Setting { wants_usage: true, ..capped }, &stream);
    let events: Vec<&str> = out.split_terminator("\n\n").collect();
    assert_eq!(sorted(events[5])["usage"]["total_tokens"], 11);
    assert_eq!(sorted(events[5])["choices"], serde_json::json!([]));
}

#[test]
fn a_budget_that_has_more_is_asked_first_and_an_answer_that_has_ended_is_not_cut() {
    let stream = [delta(0, "12345678"), delta(0, "12345678"), finish(0), usage()].concat() + DONE;
    let cut = |cap, times| check(&Setting { cap: Some(cap), times, ..CHAT }, &stream).2;
    assert_eq!([cut(2, 0), cut(2, 1), cut(2, 2), cut(5, 0)], [true, true, false, false]);
    let at_the_end = [delta(0, "1234"), chunk(r#"{"index":0,"delta":{"content":"5678"},"finish_reason":"stop"}"#, "")]
        .concat()
        + DONE;
    assert!(!check(&Setting { cap: Some(2), ..CHAT }, &at_the_end).2);
}

#[test]
fn the_responses_api_and_legacy_completions_end_in_their_own_words() {
    let created = "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"r1\",\"created_at\":5,\"model\":\"m\"}}\n\n";
    let piece = "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":1,\"delta\":\"12345678\"}\n\n";
    let completed = "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":3,\"output_tokens\":2,\"total_tokens\":5}}}\n\n";
    let stream = [created, piece, piece, completed].concat();
    let responses = Setting { endpoint: Endpoint::Responses, ..CHAT };
    let (out, told, _) = check(&responses, &stream);
    assert_eq!(out, [created, piece, piece, ": 3 2 false\n\n", completed].concat());
    assert_eq!(told.usage.total(), 5);
    let (out, told, cut) = check(&Setting { cap: Some(2), ..responses }, &stream);
    assert!(cut && told.usage.total() == 5);
    let last: serde_json::Value =
        serde_json::from_str(out.lines().rev().find_map(|it| it.strip_prefix("data: ")).unwrap()).unwrap();
    assert_eq!((&last["type"], &last["sequence_number"]), (&"response.incomplete".into(), &2.into()));
    assert_eq!(last["response"]["id"], "r1");
    assert_eq!(last["response"]["incomplete_details"]["reason"], "max_output_tokens");

    let text = "data: {\"id\":\"c\",\"object\":\"text_completion\",\"choices\":[{\"text\":\"12345678\",\"index\":0,\"finish_reason\":null}]}\n\n";
    let legacy = Setting { endpoint: Endpoint::Completions, cap: Some(2), ..CHAT };
    let (out, ..) = check(&legacy, &[text, text, DONE].concat());
    assert!(out.contains(r#""text":"""#) && out.ends_with(DONE), "{out}");
}

#[test]
fn anthropics_own_stream_is_counted_and_ends_in_its_own_words() {
    let event = |json: &str| format!("event: x\ndata: {json}\n\n");
    let start = event(
        r#"{"type":"message_start","message":{"id":"m1","usage":{"input_tokens":3,"cache_read_input_tokens":4,"output_tokens":1}}}"#,
    );
    let open = event(r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"#);
    let piece = event(r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"12345678"}}"#);
    let close = event(r#"{"type":"content_block_stop","index":1}"#);
    let delta = event(r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}}"#);
    let stop = event(r#"{"type":"message_stop"}"#);
    let stream = [&*start, &open, &piece, &piece, &close, &delta, &stop].concat();
    let messages = Setting { endpoint: Endpoint::Messages, ..CHAT };
    let (out, told, _) = check(&messages, &stream);
    assert_eq!(out, [&*start, &open, &piece, &piece, &close, &delta, ": 7 9 false\n\n", &stop].concat());
    assert_eq!((told.usage.input, told.usage.cached, told.usage.output), (7, 4, 9));
    let (out, _, cut) = check(&Setting { cap: Some(2), ..messages }, &stream);
    assert!(cut);
    let ended = concat!(
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":1}\n\n",
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"max_tokens\",",
        "\"stop_sequence\":null},\"usage\":{\"output_tokens\":2}}\n\n",
        ": 7 2 true\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
    );
    assert_eq!(out, [&*start, &open, &piece, ended].concat());
}

#[test]
fn what_is_no_event_passes_and_counts_as_text() {
    for junk in
        ["data: {\"choices\":\n\n", "data: 12\n\n", "data: \n\n", "nonsense\n\n", "\r\r\r", "data: {\"choices\":7}\n\n"]
    {
        let (out, ..) = check(&CHAT, &[junk, &delta(0, "1234"), DONE].concat());
        assert!(out.starts_with(junk) && out.ends_with(DONE), "{junk:?}: {out:?}");
    }
    assert_eq!(check(&CHAT, "data: {\"choices\":\n\n").1.usage.output, 3);
}

#[test]
fn an_event_that_is_too_long_passes_unread() {
    let long = delta(0, &"1234".repeat(100_000));
    let mut following = Following::new(Endpoint::ChatCompletions, None, 7, false, None);
    let mut budget = Fixed { cap: 0, more: 0, times: 0 };
    let mut out = Vec::new();
    for piece in long.as_bytes().chunks(9_000) {
        out.extend(following.read(piece, false, &mut budget));
    }
    assert_eq!(out, long.as_bytes());
    assert!(following.told(true).usage.output >= 100_000);
}
