//! Random streams of chat completions, as odd as a provider may legally make them: content and refusals in pieces of any
//! size, parallel calls of tools whose pieces are mixed, several choices, thoughts, comments, escapes, and a wire that is cut
//! into packets anywhere. A seed makes the same stream each time.
//!
//! What both SDKs require of a provider is kept: choices and calls begin in the order of their indices, and names and ids
//! come whole.

use std::collections::VecDeque;
use std::fmt::Write;

use serde_json::{Value, json};

use crate::fake::Script;
use crate::traffic::Dice;

/// Texts that a reader of lines, of JSON or of UTF-8 can stumble over.
const TEXTS: [&str; 24] = [
    "the ",
    "tide ",
    "is\n",
    "\r\n",
    "\"quoted\" ",
    "back\\slash ",
    "\t",
    "é",
    "日本語",
    "👩‍👩‍👧‍👦",
    "🏴󠁧󠁢󠁥󠁮󠁧󠁿 ",
    "e\u{301}",
    "\u{2028}",
    "\u{feff}",
    "שלום ",
    "[DONE]",
    "data: x\n\n",
    "{\"a\":",
    "}",
    "\u{0}",
    "\u{7f}",
    "\u{1b}[0m",
    "<|end|>",
    " ",
];
const REASONS: [&str; 3] = ["stop", "length", "content_filter"];

/// How much of a stream is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// All of it.
    Done,
    /// All but `[DONE]`.
    Silent,
    /// It stops anywhere, as if that were its end.
    Early,
    /// The connection is reset anywhere.
    Reset,
}

/// One of them.
#[derive(Debug, Clone)]
pub struct RandomStream {
    /// What the provider writes.
    pub script: Script,
    /// For the request's `n`.
    pub choices: u64,
    /// How it ends.
    pub end: End,
    /// It ends within an event.
    pub torn: bool,
}

impl RandomStream {
    /// The one with this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let choices = [1, 1, 1, 1, 2, 3][pick(&mut dice, 6)];
        let end = [End::Done, End::Done, End::Done, End::Done, End::Silent, End::Early, End::Reset][pick(&mut dice, 7)];
        let mut bytes = wire(&chunks(seed, choices, &mut dice), end == End::Done, &mut dice).into_bytes();
        if matches!(end, End::Early | End::Reset) {
            bytes.truncate(pick(&mut dice, bytes.len()));
            // All of an event but the blank line behind it: to some readers it is one, and to others not.
            while half(&bytes).is_some_and(|it| serde_json::from_str::<Value>(it).is_ok()) {
                bytes.pop();
            }
        }
        let script = Script { pieces: packets(&bytes, &mut dice), ends: end != End::Reset };
        let torn = half(&bytes).is_some();
        Self { script, choices, end, torn }
    }
}

/// The data of the event in which these bytes end.
fn half(bytes: &[u8]) -> Option<&str> {
    let mut ends = bytes.windows(4).enumerate().filter_map(|(at, it)| match it {
        b"\r\n\r\n" => Some(at + 4),
        [_, _, b'\n', b'\n'] => Some(at + 4),
        _ => None,
    });
    let last = bytes.get(ends.next_back().unwrap_or(0)..)?.strip_prefix(b"data:")?;
    // Half a letter is no JSON either.
    Some(std::str::from_utf8(last).unwrap_or_default())
}

fn pick(dice: &mut Dice, end: usize) -> usize {
    dice.below(end as u64) as usize
}

fn one_in(dice: &mut Dice, many: u64) -> bool {
    dice.below(many) == 0
}

/// The stream's chunks: each choice's deltas in their order, those of different choices mixed.
fn chunks(seed: u64, choices: u64, dice: &mut Dice) -> Vec<Value> {
    let chunk = |choices: Value| {
        json!({"id": format!("chatcmpl-{seed}"), "object": "chat.completion.chunk", "created": 1_730_000_000,
            "model": "gpt-4o", "choices": choices})
    };
    let mut left: Vec<VecDeque<Value>> = (0..choices).map(|index| choice(index, dice)).collect();
    // Each begins before any goes on.
    let mut all: Vec<Value> = left.iter_mut().filter_map(VecDeque::pop_front).map(|it| chunk(json!([it]))).collect();
    while left.iter().any(|it| !it.is_empty()) {
        let index = pick(dice, left.len());
        all.extend(left[index].pop_front().map(|it| chunk(json!([it]))));
    }
    if one_in(dice, 4) {
        let mut filtered = chunk(json!([]));
        filtered["prompt_filter_results"] = json!([{"prompt_index": 0, "content_filter_results": {}}]);
        all.insert(0, filtered);
    }
    if one_in(dice, 2) {
        let mut usage = chunk(json!([]));
        usage["usage"] = json!({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3});
        all.push(usage);
    }
    all
}

/// One choice of each chunk that says something of it.
fn choice(index: u64, dice: &mut Dice) -> VecDeque<Value> {
    let calls = if one_in(dice, 3) { 1 + dice.below(4) } else { 0 };
    let mut deltas =
        vec![json!({"role": "assistant", "content": if one_in(dice, 2) { json!("") } else { Value::Null }})];
    if one_in(dice, 4) {
        deltas.extend(texts(dice, 4).into_iter().map(|it| json!({"reasoning_content": it})));
    }
    let said = if one_in(dice, 6) { "refusal" } else { "content" };
    if calls == 0 || one_in(dice, 3) {
        deltas.extend(texts(dice, 12).into_iter().map(|it| json!({said: it})));
    }
    deltas.extend(tool_calls(index, calls, dice));
    let reason = if calls > 0 { "tool_calls" } else { REASONS[pick(dice, REASONS.len())] };
    if one_in(dice, 2) {
        deltas.push(json!({}));
    }
    let last = deltas.len() - 1;
    let told = |(at, delta): (usize, Value)| json!({"index": index, "delta": delta, "logprobs": null, "finish_reason": (at == last).then_some(reason)});
    deltas.into_iter().enumerate().map(told).collect()
}

/// Up to so many pieces, of which some are empty.
fn texts(dice: &mut Dice, most: u64) -> Vec<String> {
    let piece = |dice: &mut Dice| (0..dice.below(4)).map(|_| TEXTS[pick(dice, TEXTS.len())]).collect();
    (0..dice.below(most + 1)).map(|_| piece(dice)).collect()
}

/// The pieces of parallel calls: a call begins after the one before it has, and whose piece comes next is chance.
fn tool_calls(choice: u64, calls: u64, dice: &mut Dice) -> Vec<Value> {
    let mut waiting: VecDeque<VecDeque<Value>> = (0..calls).map(|index| call(choice, index, dice)).collect();
    let (mut begun, mut deltas): (Vec<VecDeque<Value>>, Vec<Value>) = (Vec::new(), Vec::new());
    while !waiting.is_empty() || begun.iter().any(|it| !it.is_empty()) {
        let idle = begun.iter().all(VecDeque::is_empty);
        let next = if !waiting.is_empty() && (idle || one_in(dice, 3)) {
            begun.extend(waiting.pop_front());
            begun.last_mut()
        } else {
            let at = pick(dice, begun.len());
            begun.get_mut(at)
        };
        let Some(piece) = next.and_then(VecDeque::pop_front) else { continue };
        let together = deltas.last_mut().filter(|_| one_in(dice, 4));
        match together.and_then(|it: &mut Value| it["tool_calls"].as_array_mut()) {
            Some(pieces) => pieces.push(piece),
            None => deltas.push(json!({"tool_calls": [piece]})),
        }
    }
    deltas
}

fn call(choice: u64, index: u64, dice: &mut Dice) -> VecDeque<Value> {
    let (kind, input) = if one_in(dice, 5) { ("custom", "input") } else { ("function", "arguments") };
    let name = ["get_weather", "search", "run-it"][pick(dice, 3)];
    let first = json!({"index": index, "id": format!("call_{choice}_{index}_{}", dice.below(1000)), "type": kind,
        kind: {"name": name, input: ""}});
    let whole = json!({"city": texts(dice, 3).concat(), "number": index}).to_string();
    let pieces = split(&whole, dice).into_iter().map(|it| json!({"index": index, kind: {input: it}}));
    std::iter::once(first).chain(pieces).collect()
}

/// A text in pieces, at borders of characters.
fn split(text: &str, dice: &mut Dice) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for letter in text.chars() {
        if one_in(dice, 6) {
            pieces.push(String::new());
        }
        pieces.last_mut().into_iter().for_each(|it| it.push(letter));
    }
    pieces
}

/// The stream as text: events in one of the framings that the standard allows.
fn wire(chunks: &[Value], done: bool, dice: &mut Dice) -> String {
    let newline = if one_in(dice, 4) { "\r\n" } else { "\n" };
    let space = if one_in(dice, 4) { "" } else { " " };
    let mut text = String::new();
    for chunk in chunks {
        if one_in(dice, 12) {
            let _ = write!(text, ": still here{newline}{newline}");
        }
        let data = if one_in(dice, 2) { escaped(&chunk.to_string()) } else { chunk.to_string() };
        let _ = write!(text, "data:{space}{data}{newline}{newline}");
    }
    if done {
        let _ = write!(text, "data:{space}[DONE]{newline}{newline}");
    }
    text
}

/// JSON in ASCII alone.
fn escaped(json: &str) -> String {
    let mut text = String::new();
    for letter in json.chars() {
        if letter.is_ascii() {
            text.push(letter);
        } else {
            letter.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                let _ = write!(text, "\\u{unit:04x}");
            });
        }
    }
    text
}

/// At any byte, some streams in many and some in few.
fn packets(bytes: &[u8], dice: &mut Dice) -> Vec<Vec<u8>> {
    let longest = [40, 400, 4000][pick(dice, 3)];
    let (mut pieces, mut rest) = (Vec::new(), bytes);
    while !rest.is_empty() {
        let (piece, after) = rest.split_at((1 + pick(dice, longest)).min(rest.len()));
        pieces.push(piece.to_vec());
        rest = after;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_one_stream_and_streams_differ_in_all_that_they_may() {
        let all: Vec<RandomStream> = (0..200).map(RandomStream::new).collect();
        assert_eq!(all[7].script, RandomStream::new(7).script);
        let told = |it: &RandomStream| String::from_utf8_lossy(&it.script.pieces.concat()).into_owned();
        for what in ["refusal", "reasoning_content", "\"custom\"", "\"index\":3", "\\u", "\r\n\r\n", ": still here"] {
            assert!(all.iter().any(|it| told(it).contains(what)), "{what}");
        }
        for end in [End::Done, End::Silent, End::Early, End::Reset] {
            assert!(all.iter().any(|it| it.end == end), "{end:?}");
        }
    }
}
