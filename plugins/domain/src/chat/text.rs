//! The texts of a body, for those that read or mask them.

use super::read::{self, Span};
use super::{Body, Edit, Malformed, edit};
use std::borrow::Cow;

/// A text that the model would read, and where it stands.
#[derive(Debug, Clone)]
pub struct Text<'a> {
    /// Where it stands, as in `messages[2].content[0].text` or `input[1]`.
    pub place: String,
    /// Which message it stands in; `None` outside `messages`.
    pub message: Option<usize>,
    /// The role of its message or item; `user` for plain inputs and prompts, `system` for instructions.
    pub role: Cow<'a, str>,
    /// The text itself, decoded.
    pub text: Cow<'a, str>,
    span: Span,
}

impl Text<'_> {
    /// The edit that puts `text` in its place.
    #[must_use]
    pub fn replace(&self, text: &str) -> Edit {
        Edit::new(self.span.clone(), edit::quoted(text))
    }
}

/// Collects the texts of one body; `role` and `message` are those of where it stands now.
struct Collect<'a> {
    whole: &'a str,
    message: Option<usize>,
    role: Cow<'a, str>,
    texts: Vec<Text<'a>>,
}

/// The members that hold texts outside `messages`, and the role that they speak in.
const PLAIN: [(&str, &str); 6] = [
    ("instructions", "system"),
    ("system", "system"),
    ("input", "user"),
    ("prompt", "user"),
    ("suffix", "user"),
    ("prediction", "user"),
];

/// The members of an item (Responses API) that hold its role or texts.
const ITEM: [&str; 8] = ["role", "content", "text", "output", "arguments", "input", "summary", "variables"];

pub(super) fn of<'a>(body: &Body<'a>) -> Result<Vec<Text<'a>>, Malformed> {
    let mut collect = Collect { whole: body.found.text, message: None, role: Cow::Borrowed(""), texts: Vec::new() };
    for message in body.messages()? {
        collect.message = Some(message.index);
        collect.role = message.role;
        let place = format!("messages[{}]", message.index);
        for (name, raw) in [
            ("content", message.content),
            ("refusal", message.refusal),
            ("reasoning_content", message.reasoning_content),
            ("reasoning", message.reasoning),
        ] {
            if let Some(raw) = raw {
                collect.content(&format!("{place}.{name}"), raw)?;
            }
        }
        for (index, call) in message.tool_calls.and_then(read::array).unwrap_or_default().into_iter().enumerate() {
            collect.call(&format!("{place}.tool_calls[{index}]"), call)?;
        }
        if let Some(called) = message.function_call {
            collect.strings(&format!("{place}.function_call"), called, &["arguments"])?;
        }
    }
    collect.message = None;
    for (member, role) in PLAIN {
        let Some(raw) = body.member(member) else {
            continue;
        };
        collect.role = Cow::Borrowed(role);
        match read::array(raw) {
            None if raw.starts_with('{') => collect.item(member, raw)?,
            None => collect.content(member, raw)?,
            Some(items) => {
                for (index, item) in items.into_iter().enumerate() {
                    collect.role = Cow::Borrowed(role);
                    collect.item(&format!("{member}[{index}]"), item)?;
                }
            }
        }
    }
    Ok(collect.texts)
}

impl<'a> Collect<'a> {
    /// A string is a text; an array holds parts, and an object is one, though no API says so; anything else holds no text.
    fn content(&mut self, place: &str, raw: &'a str) -> Result<(), Malformed> {
        if raw.starts_with('"') {
            return self.string(place, raw);
        }
        if raw.starts_with('{') {
            return self.part(place, raw);
        }
        for (index, part) in read::array(raw).unwrap_or_default().into_iter().enumerate() {
            let place = format!("{place}[{index}]");
            if part.starts_with('"') {
                self.string(&place, part)?;
            } else {
                self.part(&place, part)?;
            }
        }
        Ok(())
    }

    /// A part: a text, or in Anthropic's own API a call, or a tool's result or a document with texts inside, one level deep.
    fn part(&mut self, place: &str, raw: &'a str) -> Result<(), Malformed> {
        for (name, value) in members(place, raw, &["text", "refusal", "thinking", "content", "source", "input"])? {
            let place = format!("{place}.{name}");
            match name {
                "source" => {
                    let source = members(&place, value, &["type", "data"])?;
                    if source.contains(&("type", r#""text""#)) {
                        self.strings(&place, value, &["data"])?;
                    }
                }
                // Anthropic's own are signed, and may not be changed; Mistral's are parts.
                "thinking" if value.starts_with('"') => {}
                _ if value.starts_with('"') => self.string(&place, value)?,
                "input" => strings_in(value).try_for_each(|it| self.string(&place, it))?,
                "content" | "thinking" => {
                    for (index, part) in read::array(value).unwrap_or_default().into_iter().enumerate() {
                        self.strings(&format!("{place}[{index}]"), part, &["text"])?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A tool call: what it hands to a function or to a custom tool.
    fn call(&mut self, place: &str, raw: &'a str) -> Result<(), Malformed> {
        for (name, called) in members(place, raw, &["function", "custom"])? {
            self.strings(&format!("{place}.{name}"), called, &["arguments", "input"])?;
        }
        Ok(())
    }

    /// Those members of the object `raw` that are strings; nothing, if it is no object.
    fn strings(&mut self, place: &str, raw: &'a str, names: &[&'static str]) -> Result<(), Malformed> {
        for (name, value) in members(place, raw, names)? {
            if value.starts_with('"') {
                self.string(&format!("{place}.{name}"), value)?;
            }
        }
        Ok(())
    }

    /// An element of `input` or `prompt`: a string, or (Responses API) an item with a content.
    fn item(&mut self, place: &str, raw: &'a str) -> Result<(), Malformed> {
        if raw.starts_with('"') {
            return self.string(place, raw);
        }
        if !raw.starts_with('{') {
            return Ok(());
        }
        let mut contents = Vec::new();
        for (name, value) in members(place, raw, &ITEM)? {
            match name {
                "role" => {
                    let role = read::string(value).map_err(|wrong| Malformed::at(name, wrong).inside(place))?;
                    self.role = role;
                }
                // What is put into a prompt that is stored at the provider.
                "variables" => strings_in(value).try_for_each(|it| self.string(&format!("{place}.{name}"), it))?,
                _ => contents.push((name, value)),
            }
        }
        for (name, value) in contents {
            self.content(&format!("{place}.{name}"), value)?;
        }
        Ok(())
    }

    fn string(&mut self, place: &str, raw: &'a str) -> Result<(), Malformed> {
        let text = read::string(raw).map_err(|wrong| Malformed::at(place, wrong))?;
        self.texts.push(Text {
            place: place.to_owned(),
            message: self.message,
            role: self.role.clone(),
            text,
            span: read::span_of(self.whole, raw),
        });
        Ok(())
    }
}

/// Every string in valid JSON, however deep it stands, but for the members' names.
fn strings_in(json: &str) -> impl Iterator<Item = &str> {
    let mut rest = json;
    std::iter::from_fn(move || {
        loop {
            let from = rest.get(rest.find('"')?..)?;
            let mut escaped = false;
            let end = from.bytes().skip(1).position(|it| {
                let ends = it == b'"' && !escaped;
                escaped = it == b'\\' && !escaped;
                ends
            })?;
            let (string, behind) = from.split_at_checked(end.saturating_add(2))?;
            rest = behind;
            if !behind.trim_start_matches(read::blank).starts_with(':') {
                return Some(string);
            }
        }
    })
}

/// Those of `names` that the object `raw` has, in order; nothing, if it is no object.
fn members<'a>(place: &str, raw: &'a str, names: &[&'static str]) -> Result<Vec<(&'static str, &'a str)>, Malformed> {
    let mut found = Vec::new();
    if raw.starts_with('{') {
        read::object(raw, names, |name, value| {
            found.push((name, value));
            Ok(())
        })
        .map_err(|wrong| wrong.inside(place))?;
    }
    Ok(found)
}
