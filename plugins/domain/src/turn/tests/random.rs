//! Random streams: what is put together is what was said, and where the wire cuts it does not matter.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

/// One thing said by one delta.
#[derive(Debug, Clone)]
enum Said {
    Content(String),
    Refusal(String),
    /// Of the call at this index.
    Input(usize, String),
    Thought(String),
    Comment,
}

fn text() -> impl Strategy<Value = String> {
    const PIECES: [&str; 13] =
        ["a", "é", "👩‍👧", "\n\n", "\r", "data: ", "[DONE]", "\"", "\\", "\u{0}", "\u{2028}", "{", " "];
    vec(select(&PIECES[..]), 0..4).prop_map(|it| it.concat())
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        4 => text().prop_map(Said::Content),
        1 => text().prop_map(Said::Refusal),
        4 => (0..4_usize, text()).prop_map(|(index, text)| Said::Input(index, text)),
        1 => text().prop_map(Said::Thought),
        1 => Just(Said::Comment),
    ]
}

/// The whole message that these make.
#[derive(Debug, Default)]
struct Whole {
    content: String,
    refusal: String,
    thought: String,
    /// By index, each with what it was called with; `None` where no call has this index.
    calls: [Option<String>; 4],
}

/// The stream of these, and what it says. Calls of an odd index are of custom tools.
fn told(all: &[Said], newline: &str) -> (String, Whole) {
    let (mut stream, mut whole) = (String::new(), Whole::default());
    let mut event = |delta: Value, reason: Value| {
        let data = json!({"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]});
        stream.push_str(&format!("data: {data}{newline}{newline}"));
    };
    for said in all {
        match said {
            Said::Content(text) => {
                whole.content.push_str(text);
                event(json!({"content": text}), Value::Null);
            }
            Said::Refusal(text) => {
                whole.refusal.push_str(text);
                event(json!({"refusal": text}), Value::Null);
            }
            Said::Input(index, text) => {
                let (kind, input) = kind(*index);
                let mut call = json!({"index": index, kind: {input: text}});
                if whole.calls[*index].is_none() {
                    (call["id"], call["type"], call[kind]["name"]) =
                        (json!(format!("c{index}")), json!(kind), json!("f"));
                }
                whole.calls[*index].get_or_insert_default().push_str(text);
                event(json!({"tool_calls": [call]}), Value::Null);
            }
            Said::Thought(text) => {
                whole.thought.push_str(text);
                event(json!({"reasoning_content": text}), Value::Null);
            }
            Said::Comment => event(json!({}), Value::Null),
        }
    }
    event(json!({}), json!("stop"));
    (stream + "data: [DONE]" + newline + newline, whole)
}

fn kind(index: usize) -> (&'static str, &'static str) {
    if index.is_multiple_of(2) { ("function", "arguments") } else { ("custom", "input") }
}

impl Whole {
    fn message(&self) -> Value {
        let call = |(index, input): (usize, &Option<String>)| {
            let (kind, called) = kind(index);
            let input = input.as_ref()?;
            Some(json!({"id": format!("c{index}"), "type": kind, kind: {"name": "f", called: input}}))
        };
        let calls: Vec<Value> = self.calls.iter().enumerate().filter_map(call).collect();
        let nothing = self.content.is_empty() && self.refusal.is_empty() && calls.is_empty();
        let content = if self.content.is_empty() && !nothing { Value::Null } else { json!(self.content) };
        let mut message = json!({"role": "assistant", "content": content});
        if !self.refusal.is_empty() {
            message["refusal"] = json!(self.refusal);
        }
        if !self.thought.is_empty() {
            message["reasoning_content"] = json!(self.thought);
        }
        if !calls.is_empty() {
            message["tool_calls"] = json!(calls);
        }
        message
    }
}

fn read<'p>(pieces: impl Iterator<Item = &'p [u8]>, ended: bool) -> Answer {
    let mut assembly = Assembly::streamed(1 << 20);
    pieces.for_each(|it| assembly.read(it));
    assembly.finish(ended)
}

/// These bytes, cut at these places.
fn cut<'b>(bytes: &'b [u8], places: &[Index]) -> Vec<&'b [u8]> {
    let mut ends: Vec<usize> = places.iter().map(|it| it.index(bytes.len() + 1)).chain([bytes.len()]).collect();
    ends.sort_unstable();
    let starts = [0].into_iter().chain(ends.clone());
    starts.zip(ends.iter()).map(|(start, end)| &bytes[start..*end]).collect()
}

proptest! {
    #[test]
    fn what_is_put_together_is_what_was_said_wherever_the_wire_cuts_it(
        all in vec(said(), 0..24),
        newline in select(&["\n", "\r\n"][..]),
        places in vec(any::<Index>(), 0..40),
        broken_off in any::<Index>(),
    ) {
        let (stream, whole) = told(&all, newline);
        let answer = read(cut(stream.as_bytes(), &places).into_iter(), true);
        let message = serde_json::from_str::<Value>(answer.message.as_deref().unwrap()).unwrap();
        prop_assert_eq!(message, whole.message());
        prop_assert_eq!((answer.complete, answer.finish_reason.as_deref()), (true, Some("stop")));
        prop_assert_eq!(read(stream.as_bytes().chunks(1), true), answer);

        // Broken off anywhere it is the beginning of that, without calls that nobody could send back.
        let half = &stream.as_bytes()[..broken_off.index(stream.len())];
        let answer = read(cut(half, &places).into_iter(), false);
        prop_assert_eq!(&read(half.chunks(1), false), &answer);
        prop_assert_eq!(&read([half].into_iter(), false), &answer);
        let message: Value = answer.message.as_deref().map_or(Value::Null, |it| serde_json::from_str(it).unwrap());
        prop_assert!(whole.content.starts_with(message["content"].as_str().unwrap_or_default()));
        prop_assert!(whole.refusal.starts_with(message["refusal"].as_str().unwrap_or_default()));
        prop_assert!(answer.complete || message["tool_calls"].is_null());
    }
}
