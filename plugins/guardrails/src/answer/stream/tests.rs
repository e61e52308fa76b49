mod client;

use super::*;
use crate::answer::Act;
use crate::answer::tests::{Everything, MASK, vault};
use client::{SHAPES, Shape, chat};
use proptest::prelude::*;

const SETTINGS: Settings =
    Settings { hold: 64, longest_event: 4_096, on_too_long: OnTooLong::Block, wants_usage: false, shadow: false };

/// What passes of a stream that comes in pieces of `size` bytes.
fn pass(finder: &Everything, shape: Shape, settings: Settings, stream: &[u8], size: usize) -> String {
    let mut streamed = Streamed::new(shape.endpoint, vault(), settings);
    let mut out = Vec::new();
    for piece in stream.chunks(size) {
        out.extend(streamed.read(finder, piece, false));
        for it in &streamed.channels {
            assert!(it.scanner.held() <= settings.hold, "{it:?}");
        }
    }
    out.extend(streamed.read(finder, b"", true));
    String::from_utf8_lossy(&out).into_owned()
}

/// The same, however it is cut.
fn check(finder: &Everything, shape: Shape, settings: Settings, stream: &str) -> String {
    let whole = pass(finder, shape, settings, stream.as_bytes(), stream.len());
    for size in [1, 2, 3, 7, 64] {
        assert_eq!(pass(finder, shape, settings, stream.as_bytes(), size), whole, "in pieces of {size}");
    }
    whole
}

/// Text of `count` pieces, in the midst of which `what` is cut at `at`.
fn pieces(count: usize, what: &str, at: usize) -> Vec<&str> {
    let (left, right) = what.split_at(at);
    let filler = || std::iter::repeat_n([" so", " it", " goes", "."], count / 8 - 1).flatten();
    filler().chain([" is ", left, right, " "].into_iter().filter(|it| !it.is_empty())).chain(filler()).collect()
}

#[test]
fn of_two_hundred_pieces_a_value_and_a_placeholder_are_changed_wherever_they_are_cut() {
    for (nth, shape) in SHAPES.into_iter().enumerate() {
        // What differs between the shapes is where their texts stand.
        let count = if nth == 0 { 208 } else { 40 };
        let filler = " so it goes.".repeat(count / 8 - 1);
        for (what, becomes) in [
            ("4111 1111 1111 1111", "[CREDIT_CARD_1]"),
            ("bob@example.com", "[EMAIL_2]"),
            ("[EMAIL_1]", "ada@example.com"),
            ("[EMAIL_9]", "[EMAIL_9]"),
        ] {
            for at in 0..what.len() {
                let stream = shape.stream(&pieces(count, what, at));
                let out = pass(&MASK, shape, SETTINGS, stream.as_bytes(), stream.len());
                for heard in shape.heard(&out) {
                    assert_eq!(heard, format!("{filler} is {becomes} {filler}"), "{shape:?} cut at {at}");
                }
            }
        }
    }
}

#[test]
fn a_stream_in_which_nothing_is_found_says_the_same() {
    for shape in SHAPES {
        let stream = shape.stream(&["Hello", " wörld", "!"]).replace('\n', "\r\n");
        let stream =
            format!(": hi\r\n\r\n{stream}: bye\r\n\r\nevent: new\r\ndata: {{\"type\":\"new\"}}\r\n\r\nid: 7\r\n\r\n");
        let out = check(&MASK, shape, SETTINGS, &stream);
        assert!(shape.heard(&out).iter().all(|it| it == "Hello wörld!"), "{out}");
        let open = Everything { act: |_| Act::Report };
        let shadow = Settings { shadow: true, ..SETTINGS };
        assert_eq!(check(&open, shape, shadow, &stream), stream);
    }
}

#[test]
fn events_keep_their_place_and_what_is_held_goes_out_before_the_end() {
    let stream = chat(&["Hi", " [EM", "AIL_", "1],", " bye"]) + client::FINISH;
    let want = chat(&["", "", "", "Hi ada@example.com", ""])
        + "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\", bye\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n"
        + client::FINISH;
    assert_eq!(check(&MASK, SHAPES[0], SETTINGS, &stream), want);
}

#[test]
fn a_block_ends_the_answer_and_swallows_the_rest() {
    let block = Everything { act: |_| Act::Block };
    for shape in SHAPES {
        let stream = shape.stream(&["It", " is", " bob@example.com", " and", " more"]);
        let out = check(&block, shape, SETTINGS, &stream);
        assert!(shape.deltas(&out) == "It is ", "{shape:?}: {out}");
        assert!(out.ends_with(shape.refused), "{shape:?}: {out}");
    }
}

#[test]
fn a_usage_comes_before_the_end_if_it_was_asked_for() {
    let block = Everything { act: |_| Act::Block };
    let usage = "data: {\"id\":\"c1\",\"choices\":[],\"usage\":{\"total_tokens\":7}}\n\n";
    let told = chat(&["It is", " bob@example.com ", "x"]) + &client::FINISH.replace("data: [DONE]\n\n", usage);
    let asked = Settings { wants_usage: true, ..SETTINGS };
    let end = SHAPES[0].refused;
    for (stream, settings, want) in [
        (told.clone() + "data: [DONE]\n\n", SETTINGS, end.to_owned()),
        (told.clone() + "data: [DONE]\n\n", asked, end.replace("data: [DONE]", &format!("{usage}data: [DONE]"))),
        (told, asked, end.replace("data: [DONE]", &format!("{usage}data: [DONE]"))),
        (chat(&["bob@example.com ", "x"]), asked, end.to_owned()),
    ] {
        let out = check(&block, SHAPES[0], settings, &stream);
        assert!(out.ends_with(&want), "{out}");
    }
}

#[test]
fn an_event_that_is_too_long_ends_the_answer_or_passes_unseen() {
    let long = "x".repeat(5_000);
    let stream = chat(&["Hi,", &long]) + client::FINISH;
    let out = check(&MASK, SHAPES[0], SETTINGS, &stream);
    assert_eq!(SHAPES[0].deltas(&out), "Hi,");
    assert!(out.ends_with(SHAPES[0].refused), "{out}");
    let allow = Settings { on_too_long: OnTooLong::Allow, ..SETTINGS };
    let out = check(&MASK, SHAPES[0], allow, &stream);
    assert_eq!(SHAPES[0].deltas(&out), format!("Hi,{long}"));
    assert!(out.ends_with(client::FINISH), "{out}");
}

#[test]
fn too_many_texts_at_once_end_the_answer() {
    let event = |of| format!("data: {{\"choices\":[{{\"index\":{of},\"delta\":{{\"content\":\"a\"}}}}]}}\n\n");
    let stream: String = (0..=MOST_CHANNELS).map(event).collect();
    let mut streamed = Streamed::new(Endpoint::ChatCompletions, vault(), SETTINGS);
    let out = streamed.read(&MASK, stream.as_bytes(), true);
    assert!(streamed.was_blocked() && streamed.hits().too_long);
    assert!(out.ends_with(b"data: [DONE]\n\n"));
}

#[test]
fn a_pause_gives_out_what_is_held() {
    let mut streamed = Streamed::new(Endpoint::ChatCompletions, vault(), SETTINGS);
    let out = streamed.read(&MASK, chat(&["Hello"]).as_bytes(), false);
    assert!(streamed.is_holding() && !String::from_utf8(out).unwrap().contains("Hello"));
    assert!(String::from_utf8(streamed.idle(&MASK)).unwrap().contains("Hello"));
    assert!(!streamed.is_holding() && streamed.idle(&MASK).is_empty());
    streamed.read(&MASK, b"data: {", false);
    assert!(streamed.idle(&MASK).is_empty());
    let mut streamed = Streamed::new(Endpoint::Messages, vault(), SETTINGS);
    let delta = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}"#;
    let out = streamed.read(&MASK, format!("data: {delta}\n\n: still here\n\n").as_bytes(), false);
    let want = format!(
        "{}event: content_block_delta\ndata: {delta}\n\n: still here\n\n",
        format!("data: {delta}\n\n").replace("Hello", "")
    );
    assert_eq!(String::from_utf8(out).unwrap(), want);
}

#[test]
fn probabilities_do_not_tell_what_is_masked() {
    let event = |text: &str, logs: &str| {
        format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":{text:?}}},\"logprobs\":{logs}}}]}}\n\n")
    };
    let out = check(&MASK, SHAPES[0], SETTINGS, &event("bob@example.com", "{\"content\":[{\"token\":\"bob\"}]}"));
    assert!(!out.contains("bob") && out.contains("[EMAIL_2]"), "{out}");
    let plain = event("善哉", "{\"content\":[{\"token\":\"Hi\"}]}");
    assert_eq!(check(&MASK, SHAPES[0], SETTINGS, &plain), plain);
}

proptest! {
    #[test]
    fn hostile_bytes_do_no_harm(
        stream in "(data: |\\{\"choices\":\\[\\{\"index\":1,\"delta\":\\{\"content\":\"|\"type\":\"response\\.output_text\\.(delta|done)\",|bob@example\\.com |\\[EMAIL_1\\]|\"|\\}|\\]|\\\\|\\[DONE\\]|\r\n|\n\n|\n|\r|\u{feff}|event: |a|é|\\\\ud83d){0,40}",
        bytes in prop::collection::vec(any::<u8>(), 0..40), size in 1_usize..50,
    ) {
        for shape in SHAPES {
            let stream = [stream.as_bytes(), &bytes, stream.as_bytes()].concat();
            let out = pass(&MASK, shape, SETTINGS, &stream, size);
            prop_assert!(out.len() <= stream.len() * 8 + 2_000);
            prop_assert_eq!(pass(&MASK, shape, SETTINGS, &stream, stream.len().max(1)), out);
        }
    }
}
