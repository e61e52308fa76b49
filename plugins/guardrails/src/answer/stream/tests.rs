use super::*;
use crate::answer::finder::Act;
use crate::answer::tests::{Everything, MASK, vault};

const SETTINGS: Settings =
    Settings { hold: 64, longest_event: 4_096, on_too_long: OnTooLong::Block, wants_usage: false, shadow: false };

/// What passes of a stream that comes in pieces of `size` bytes.
fn pass(finder: &Everything, endpoint: Endpoint, settings: Settings, stream: &str, size: usize) -> String {
    let mut streamed = Streamed::new(endpoint, vault(), settings);
    let mut out = Vec::new();
    let pieces: Vec<&[u8]> = stream.as_bytes().chunks(size).collect();
    for (nth, piece) in pieces.iter().enumerate() {
        out.extend(streamed.read(finder, piece, nth + 1 == pieces.len()));
    }
    String::from_utf8(out).unwrap()
}

fn check(finder: &Everything, endpoint: Endpoint, settings: Settings, stream: &str) -> String {
    let whole = pass(finder, endpoint, settings, stream, stream.len());
    for size in [1, 2, 3, 7, 64] {
        assert_eq!(pass(finder, endpoint, settings, stream, size), whole, "in pieces of {size}");
    }
    whole
}

fn chat(contents: &[&str]) -> String {
    let event = |it: &&str| {
        format!("data: {{\"id\":\"c1\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":{it:?}}}}}]}}\n\n")
    };
    contents.iter().map(event).collect()
}

const FINISH: &str =
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

#[test]
fn a_placeholder_in_three_events_is_restored_in_the_last() {
    let stream = chat(&["Hi ", "[EM", "AIL_", "1], ", "bye"]) + FINISH;
    let want = chat(&["Hi ", "", "", "ada@example.com, ", ""])
        + "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"bye\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n"
        + FINISH;
    assert_eq!(check(&MASK, Endpoint::ChatCompletions, SETTINGS, &stream), want);
}

#[test]
fn a_block_ends_the_answer_and_swallows_the_rest() {
    let block = Everything { act: |_| Act::Block };
    let usage = "data: {\"id\":\"c1\",\"choices\":[],\"usage\":{\"total_tokens\":7}}\n\n";
    let stream = chat(&["It is ", "bob@example.com ", "and more"])
        + &FINISH.replace("data: [DONE]", &(usage.to_owned() + "data: [DONE]"));
    let end = "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"content_filter\"}]}\n\n";
    let want = chat(&["It is "]) + end;
    assert_eq!(check(&block, Endpoint::ChatCompletions, SETTINGS, &stream), want.clone() + "data: [DONE]\n\n");
    let asked = Settings { wants_usage: true, ..SETTINGS };
    assert_eq!(check(&block, Endpoint::ChatCompletions, asked, &stream), want + usage + "data: [DONE]\n\n");
}
