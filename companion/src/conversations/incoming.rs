//! Items that come in, made into the chat messages that a thread is stored as. Texts stay as they were written. What a
//! chat message has no place for is refused, so that nothing is lost without a word.

use super::item::File;
use super::members::Members;
use crate::failure::Failure;
use serde::Serialize;
use serde_json::value::RawValue;

/// How many items come at once, as in `OpenAI`'s API.
const MOST: usize = 20;
/// The longest type that an error repeats.
const SHOWN: usize = 64;

/// A chat message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chat {
    /// The first of the items that it was made of.
    pub(super) at: usize,
    /// `user`, `assistant` or `tool`.
    pub(super) role: &'static str,
    /// Its JSON.
    pub(super) raw: String,
}

/// A message of a user or a tool.
#[derive(Serialize)]
struct Said<'a> {
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a RawValue>,
    content: Content,
}

/// A message of an assistant, with the calls that follow it.
#[derive(Serialize)]
struct Answer {
    #[serde(skip)]
    at: usize,
    role: &'static str,
    content: Option<Content>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content {
    Text(Box<RawValue>),
    Parts(Vec<Part>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part {
    Text {
        text: Box<RawValue>,
    },
    Refusal {
        refusal: Box<RawValue>,
    },
    ImageUrl {
        image_url: Image,
    },
    File {
        file: File,
    },
    #[serde(untagged)]
    Same(Box<RawValue>),
}

#[derive(Serialize)]
struct Image {
    url: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<Box<RawValue>>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Call {
    Function { id: Box<RawValue>, function: Function },
    Custom { id: Box<RawValue>, custom: Custom },
}

#[derive(Serialize)]
struct Function {
    name: Box<RawValue>,
    arguments: Box<RawValue>,
}

#[derive(Serialize)]
struct Custom {
    name: Box<RawValue>,
    input: Box<RawValue>,
}

/// An item, or a part of one, and what it is called in an error.
struct Given {
    at: String,
    members: Members,
}

/// The chat messages that `items` say, in order: an assistant's calls go with what it said before them.
///
/// # Errors
/// 400 which item cannot be kept, and why.
pub(super) fn messages(items: &[Box<RawValue>]) -> Result<Vec<Chat>, Failure> {
    let count = items.len();
    if !(1..=MOST).contains(&count) {
        return Err(Failure::invalid("items", format!("expected 1 to {MOST} items, found {count}")));
    }
    let (mut chats, mut open) = (Vec::new(), None);
    for (at, item) in items.iter().enumerate() {
        let item = Given::read(format!("items[{at}]"), item)?;
        let kind = item.members.text("type");
        match kind.as_deref() {
            None | Some("message") => match item.role()? {
                "assistant" => close(&mut open, item.answer(at)?, &mut chats)?,
                role => {
                    let said = Said { role, tool_call_id: None, content: item.content("content", Speaker::User)?.0 };
                    close(&mut open, None, &mut chats)?;
                    chats.push(Chat { at, role, raw: written(&said)? });
                }
            },
            Some(kind @ ("function_call" | "custom_tool_call")) => {
                let call = item.call(kind)?;
                open.get_or_insert_with(|| Answer::silent(at)).tool_calls.push(call);
            }
            Some("function_call_output" | "custom_tool_call_output") => {
                item.only(&["call_id", "output"])?;
                let (call_id, output) = (item.string("call_id")?, item.content("output", Speaker::Tool)?.0);
                let said = Said { role: "tool", tool_call_id: Some(&call_id), content: output };
                close(&mut open, None, &mut chats)?;
                chats.push(Chat { at, role: "tool", raw: written(&said)? });
            }
            Some(other) => return Err(item.unkept(other)),
        }
    }
    close(&mut open, None, &mut chats)?;
    Ok(chats)
}

/// Who may say what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Speaker {
    User,
    Assistant,
    Tool,
}

/// Ends the answer that calls were added to, and begins `next`.
fn close(open: &mut Option<Answer>, next: Option<Answer>, chats: &mut Vec<Chat>) -> Result<(), Failure> {
    if let Some(answer) = std::mem::replace(open, next) {
        chats.push(Chat { at: answer.at, role: answer.role, raw: written(&answer)? });
    }
    Ok(())
}

fn written<T: Serialize>(message: &T) -> Result<String, Failure> {
    // What was read as JSON can be written as JSON.
    serde_json::to_string(message).map_err(|_| Failure::invalid("items", "expected items that can be written as JSON"))
}

impl Answer {
    fn silent(at: usize) -> Self {
        Self { at, role: "assistant", content: None, refusal: None, tool_calls: Vec::new() }
    }
}

impl Given {
    fn read(at: String, raw: &RawValue) -> Result<Self, Failure> {
        match Members::read(raw.get()) {
            Some(members) => Ok(Self { at, members }),
            None => Err(Failure::invalid(&at, "expected an object whose members' names are text")),
        }
    }

    fn param(&self, name: &str) -> String {
        format!("{}.{name}", self.at)
    }

    /// Whose message it is.
    fn role(&self) -> Result<&'static str, Failure> {
        match self.members.text("role").as_deref() {
            Some("user") => Ok("user"),
            Some("assistant") => Ok("assistant"),
            Some("system" | "developer") => {
                let what = "expected user or assistant; instructions belong to the request, not to the conversation";
                Err(Failure::invalid(&self.param("role"), what))
            }
            Some(_) => Err(Failure::invalid(&self.param("role"), "expected user or assistant, found another role")),
            None => Err(Failure::invalid(&self.param("role"), "is missing")),
        }
    }

    fn answer(&self, at: usize) -> Result<Option<Answer>, Failure> {
        let (content, refusal) = self.content("content", Speaker::Assistant)?;
        let content = if refusal.is_some() { None } else { Some(content) };
        Ok(Some(Answer { content, refusal, ..Answer::silent(at) }))
    }

    fn call(&self, kind: &str) -> Result<Call, Failure> {
        let (id, name) = (self.string("call_id")?, self.string("name")?);
        if kind == "function_call" {
            self.only(&["call_id", "name", "arguments"])?;
            return Ok(Call::Function { id, function: Function { name, arguments: self.string("arguments")? } });
        }
        self.only(&["call_id", "name", "input"])?;
        Ok(Call::Custom { id, custom: Custom { name, input: self.string("input")? } })
    }

    /// What stands in `member`, and the refusal if it is nothing else.
    fn content(&self, member: &str, speaker: Speaker) -> Result<(Content, Option<Box<RawValue>>), Failure> {
        if speaker != Speaker::Tool {
            self.only(&["role", member])?;
        }
        if let Some(text) = self.members.string(member) {
            return Ok((Content::Text(text.to_owned()), None));
        }
        let param = self.param(member);
        let Some(parts) = self.members.list(member) else {
            let what = if self.members.get(member).is_some() { "expected a string or an array" } else { "is missing" };
            return Err(Failure::invalid(&param, what));
        };
        if parts.is_empty() {
            return Err(Failure::invalid(&param, "expected at least one part, found none"));
        }
        let read = |(at, raw): (usize, &RawValue)| Self::read(format!("{param}[{at}]"), raw)?.part(speaker, raw);
        let parts = parts.iter().map(Box::as_ref).enumerate().map(read).collect::<Result<Vec<_>, _>>()?;
        Ok(match <[Part; 1]>::try_from(parts) {
            // One text is the text; one refusal stands where an answer's stands.
            Ok([Part::Text { text }]) => (Content::Text(text), None),
            Ok([Part::Refusal { refusal }]) => (Content::Parts(Vec::new()), Some(refusal)),
            Ok(one) => (Content::Parts(one.into()), None),
            Err(many) => (Content::Parts(many), None),
        })
    }

    fn part(&self, speaker: Speaker, raw: &RawValue) -> Result<Part, Failure> {
        let kind = self.members.text("type").ok_or_else(|| Failure::invalid(&self.param("type"), "is missing"))?;
        match (kind.as_str(), speaker) {
            ("input_text" | "output_text" | "text", _) => {
                self.only(&["text"])?;
                Ok(Part::Text { text: self.string("text")? })
            }
            ("refusal", Speaker::Assistant) => {
                self.only(&["refusal"])?;
                Ok(Part::Refusal { refusal: self.string("refusal")? })
            }
            ("input_image", Speaker::User) => {
                self.only(&["image_url", "detail"])?;
                let detail = self.optional("detail")?;
                Ok(Part::ImageUrl { image_url: Image { url: self.string("image_url")?, detail } })
            }
            ("input_file", Speaker::User) => {
                self.only(&["file_data", "file_id", "filename"])?;
                let optional = |name| self.optional(name);
                let (file_data, file_id) = (optional("file_data")?, optional("file_id")?);
                Ok(Part::File { file: File { file_data, file_id, filename: optional("filename")? } })
            }
            ("input_audio", Speaker::User) => Ok(Part::Same(raw.to_owned())),
            (other, _) => Err(self.unkept(other)),
        }
    }

    /// A member that must be a string.
    fn string(&self, name: &str) -> Result<Box<RawValue>, Failure> {
        self.optional(name)?.ok_or_else(|| Failure::invalid(&self.param(name), "is missing"))
    }

    fn optional(&self, name: &str) -> Result<Option<Box<RawValue>>, Failure> {
        match (self.members.get(name), self.members.string(name)) {
            (Some(_), None) => Err(Failure::invalid(&self.param(name), "expected a string, found something else")),
            (_, text) => Ok(text.map(RawValue::to_owned)),
        }
    }

    /// Refuses what else is said. An item's own id and its status are given anew.
    fn only(&self, known: &[&str]) -> Result<(), Failure> {
        let known = [&["type", "id", "status", "created_by"], known].concat();
        match self.members.other_than(&known) {
            Some(name) => Err(Failure::invalid(&self.param(&shown(name)), "cannot be kept; take it out")),
            None => Ok(()),
        }
    }

    fn unkept(&self, kind: &str) -> Failure {
        let what = format!("`{}` cannot be kept: a thread has messages, calls of tools and their results", shown(kind));
        Failure::invalid(&self.param("type"), what)
    }
}

/// A name that a client wrote, fit for an error.
fn shown(name: &str) -> String {
    let fits = name.len() <= SHOWN && name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_' || it == b'.');
    if fits { name.to_owned() } else { "…".to_owned() }
}
