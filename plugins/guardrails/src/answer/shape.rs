//! Where the texts of an answer stand in its JSON: of chat completions, completions, the Responses API and Anthropic's
//! own. An object tells by itself which of them it is of.

use super::json::{elements, members, span, string};
use std::borrow::Cow;
use std::ops::Range;

/// How deep what stands in an answer of the Responses API is looked for: an event, its response, its items, their parts,
/// and a few that no API has yet. Each level is read again, so without a bound the cost would be its square.
const DEEPEST: u8 = 8;

/// Which text of an answer something is a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Channel {
    /// The choice; the item of the Responses API, the block of Anthropic's.
    pub(super) of: u64,
    /// Which of its texts.
    pub(super) field: Field,
    /// The tool call, or the part.
    pub(super) nth: u64,
}

/// A text of a choice, an item or a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Field {
    Content,
    Refusal,
    /// Thoughts, by the name that they go by.
    Reasoning(Thoughts),
    /// What is said aloud, in writing.
    Transcript,
    /// What a function is called with: JSON.
    Arguments,
    /// The same, of the only call that there is.
    OnlyArguments,
    /// What a tool of another kind is called with: any text.
    Input,
    /// The text of a completion.
    Text,
}

/// What providers call a model's thoughts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Thoughts {
    ReasoningContent,
    Reasoning,
    Thinking,
    Summary,
}

/// A string, and what it is a part of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slot<'a> {
    pub(super) span: Range<usize>,
    pub(super) channel: Channel,
    pub(super) text: Cow<'a, str>,
    /// It is all of its text, and no piece.
    pub(super) whole: bool,
    /// It is JSON that stands in the body as it is, and not in a string.
    pub(super) raw: bool,
}

/// Which texts are over with an event: nothing more of them comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Over {
    Nothing,
    /// Those of these choices, items or blocks.
    Of(Vec<u64>),
    All,
}

/// What an answer, or an event of a stream, has in it.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    whole: &'a str,
    /// The members of the outermost object.
    pub(super) top: Vec<(Cow<'a, str>, &'a str)>,
    pub(super) slots: Vec<Slot<'a>>,
    /// What tells texts again: probabilities, token by token.
    pub(super) echoes: Vec<Range<usize>>,
    pub(super) over: Over,
    /// The choices that are in it, each with its own span.
    pub(super) choices: Vec<(u64, &'a str)>,
}

impl Field {
    /// Whether it is JSON.
    pub(super) fn is_json(self) -> bool {
        matches!(self, Self::Arguments | Self::OnlyArguments)
    }
}

impl Thoughts {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ReasoningContent => "reasoning_content",
            Self::Reasoning => "reasoning",
            Self::Thinking | Self::Summary => "thinking",
        }
    }
}

impl<'a> Seen<'a> {
    /// Reads an answer, or the data of an event; `None` if it is no object.
    pub(super) fn read(whole: &'a str) -> Option<Self> {
        let top = members(whole);
        if top.is_empty() {
            return None;
        }
        let mut seen =
            Self { whole, top, slots: Vec::new(), echoes: Vec::new(), over: Over::Nothing, choices: Vec::new() };
        let kind = seen.text("type").unwrap_or_default();
        if seen.member("choices").is_some() {
            for (name, choices) in seen.top.clone() {
                if name == "choices" {
                    elements(choices).into_iter().for_each(|it| seen.choice(it));
                }
            }
        } else if kind.starts_with("response.") {
            seen.response_event(&kind);
        } else if seen.text("object").is_some_and(|it| it == "response") {
            seen.item(whole, Channel { of: 0, field: Field::Content, nth: 0 }, DEEPEST);
        } else if kind.starts_with("content_block_") || kind.starts_with("message") {
            seen.message_event(&kind);
        }
        if seen.member("error").is_some_and(|it| it != "null") || kind == "error" {
            seen.over = Over::All;
        }
        Some(seen)
    }

    /// The JSON itself.
    pub(super) fn whole(&self) -> &'a str {
        self.whole
    }

    /// The member of the outermost object; where it stands twice, the last.
    pub(super) fn member(&self, name: &str) -> Option<&'a str> {
        member(&self.top, name)
    }

    /// The same, where it is a string.
    pub(super) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        string(self.member(name)?)
    }

    fn number(&self, name: &str) -> u64 {
        self.member(name).and_then(|it| it.parse().ok()).unwrap_or_default()
    }

    /// A choice of (chat) completions, in one piece or of a stream.
    fn choice(&mut self, raw: &'a str) {
        let all = members(raw);
        let of = number(&all, "index").unwrap_or_default();
        self.choices.push((of, raw));
        for (name, value) in &all {
            match name.as_ref() {
                "delta" => self.message(value, of, false),
                "message" => self.message(value, of, true),
                "text" => self.add(value, Channel { of, field: Field::Text, nth: 0 }, false),
                "logprobs" => self.echo(value),
                "finish_reason" if !matches!(*value, "null" | "\"\"") => self.ends(of),
                _ => {}
            }
        }
    }

    fn ends(&mut self, of: u64) {
        match &mut self.over {
            Over::All => {}
            Over::Of(all) => all.push(of),
            Over::Nothing => self.over = Over::Of(vec![of]),
        }
    }

    /// The message of a choice, or a piece of it.
    fn message(&mut self, raw: &'a str, of: u64, whole: bool) {
        for (name, value) in members(raw) {
            let channel = |field| Channel { of, field, nth: 0 };
            match name.as_ref() {
                "content" => self.content(value, of, whole),
                "refusal" => self.add(value, channel(Field::Refusal), whole),
                "reasoning_content" => self.add(value, channel(Field::Reasoning(Thoughts::ReasoningContent)), whole),
                "reasoning" => self.add(value, channel(Field::Reasoning(Thoughts::Reasoning)), whole),
                "thinking" => self.add(value, channel(Field::Reasoning(Thoughts::Thinking)), whole),
                "tool_calls" => self.calls(value, of, whole),
                "function_call" => self.called(value, of, None, whole),
                "audio" => {
                    for (_, it) in members(value).into_iter().filter(|(name, _)| name == "transcript") {
                        self.add(it, channel(Field::Transcript), whole);
                    }
                }
                _ => {}
            }
        }
    }

    /// A string, or an array of parts, one of which may hold thoughts (Mistral).
    fn content(&mut self, raw: &'a str, of: u64, whole: bool) {
        let content = Channel { of, field: Field::Content, nth: 0 };
        self.add(raw, content, whole);
        for part in elements(raw) {
            for (name, value) in members(part) {
                match name.as_ref() {
                    "text" => self.add(value, content, whole),
                    "thinking" => {
                        let thoughts = Channel { field: Field::Reasoning(Thoughts::Summary), ..content };
                        for text in elements(value).into_iter().flat_map(members).filter(|(it, _)| it == "text") {
                            self.add(text.1, thoughts, whole);
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    fn calls(&mut self, raw: &'a str, of: u64, whole: bool) {
        for (place, call) in (0_u64..).zip(elements(raw)) {
            let all = members(call);
            let nth = number(&all, "index").unwrap_or(place);
            for (name, called) in &all {
                if matches!(name.as_ref(), "function" | "custom") {
                    self.called(called, of, Some(nth), whole);
                }
            }
        }
    }

    fn called(&mut self, raw: &'a str, of: u64, nth: Option<u64>, whole: bool) {
        for (name, value) in members(raw) {
            let field = match (name.as_ref(), nth) {
                ("arguments", Some(_)) => Field::Arguments,
                ("arguments", None) => Field::OnlyArguments,
                ("input", _) => Field::Input,
                _ => continue,
            };
            self.add(value, Channel { of, field, nth: nth.unwrap_or_default() }, whole);
        }
    }

    /// An event of the Responses API. What is done repeats what came in pieces.
    fn response_event(&mut self, kind: &str) {
        let of = self.number("output_index");
        let nth = self.number("content_index").max(self.number("summary_index"));
        let field = field_of(kind);
        if kind.ends_with(".delta") {
            for (name, value) in self.top.clone() {
                match name.as_ref() {
                    "delta" => self.add(value, Channel { of, field, nth }, false),
                    "logprobs" => self.echo(value),
                    _ => {}
                }
            }
        } else if kind.ends_with(".done") {
            self.item(self.whole, Channel { of, field, nth }, DEEPEST);
            self.ends(of);
        } else if matches!(kind, "response.completed" | "response.incomplete" | "response.failed") {
            self.item(self.whole, Channel { of: 0, field, nth }, DEEPEST);
            self.over = Over::All;
        }
    }

    /// An item, a part of one, or what has them in it, so `deep` at most: all the texts in it are whole.
    fn item(&mut self, raw: &'a str, channel: Channel, deep: u8) {
        let Some(deep) = deep.checked_sub(1) else { return };
        for (name, value) in members(raw) {
            let field = match name.as_ref() {
                "text" => channel.field,
                "refusal" => Field::Refusal,
                "arguments" => Field::Arguments,
                "input" | "code" => Field::Input,
                "transcript" => Field::Transcript,
                "part" | "item" | "response" => {
                    self.item(value, channel, deep);
                    continue;
                }
                "output" if value.starts_with('"') => Field::Input,
                "content" | "summary" | "output" => {
                    elements(value).into_iter().for_each(|it| self.item(it, channel, deep));
                    continue;
                }
                "logprobs" => {
                    self.echo(value);
                    continue;
                }
                _ => continue,
            };
            self.add(value, Channel { field, ..channel }, true);
        }
    }

    /// An event of Anthropic's own API, or a message of it in one piece.
    fn message_event(&mut self, kind: &str) {
        let of = self.number("index");
        let content = Channel { of, field: Field::Content, nth: 0 };
        match kind {
            "content_block_start" | "content_block_delta" => {
                let name = if kind.ends_with("start") { "content_block" } else { "delta" };
                for (name, value) in self.member(name).map(members).unwrap_or_default() {
                    match name.as_ref() {
                        "text" => self.add(value, content, false),
                        "partial_json" => self.add(value, Channel { field: Field::Arguments, ..content }, false),
                        _ => {}
                    }
                }
            }
            "content_block_stop" => self.ends(of),
            "message_delta" | "message_stop" => self.over = Over::All,
            "message" => {
                for block in self.member("content").map(elements).unwrap_or_default() {
                    for (name, value) in members(block) {
                        match name.as_ref() {
                            "text" => self.add(value, content, true),
                            "input" => self.raw(value, Channel { field: Field::Arguments, ..content }),
                            _ => {}
                        }
                    }
                }
            }
            _ => {}
        }
    }

    fn add(&mut self, raw: &'a str, channel: Channel, whole: bool) {
        if let (Some(span), Some(text)) = (span(self.whole, raw), string(raw)) {
            self.slots.push(Slot { span, channel, text, whole, raw: false });
        }
    }

    fn raw(&mut self, raw: &'a str, channel: Channel) {
        if let Some(span) = span(self.whole, raw) {
            self.slots.push(Slot { span, channel, text: Cow::Borrowed(raw), whole: true, raw: true });
        }
    }

    fn echo(&mut self, raw: &'a str) {
        if !matches!(raw, "null" | "[]") {
            self.echoes.extend(span(self.whole, raw));
        }
    }
}

/// The member of an object that [`members`] took apart.
pub(super) fn member<'a>(all: &[(Cow<'a, str>, &'a str)], name: &str) -> Option<&'a str> {
    all.iter().rev().find(|(it, _)| it == name).map(|(_, value)| *value)
}

fn number(all: &[(Cow<'_, str>, &str)], name: &str) -> Option<u64> {
    member(all, name)?.parse().ok()
}

/// What the pieces of an event of the Responses API are of.
fn field_of(kind: &str) -> Field {
    let stem = kind.strip_prefix("response.").unwrap_or_default();
    match stem {
        _ if stem.starts_with("refusal") => Field::Refusal,
        _ if stem.starts_with("reasoning_summary") => Field::Reasoning(Thoughts::Summary),
        _ if stem.starts_with("reasoning") => Field::Reasoning(Thoughts::Reasoning),
        _ if stem.contains("transcript") => Field::Transcript,
        _ if stem.contains("arguments") => Field::Arguments,
        _ if stem.contains("input") || stem.contains("code.") => Field::Input,
        _ => Field::Content,
    }
}
