//! What a conversation consists of, in the words of `OpenAI`'s Conversations API: one chat message is a message, the calls
//! that go with it, or what a tool answered.

use super::members::{self, Members, is_string};
use crate::memory::MessageRow;
use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Of a call's digest, what names it.
const NAME_BYTES: usize = 4;

/// One item. Its id is made of its turn, its place in it and, for a call, the call's own id: it can be found again without
/// being stored, and stays when another call of the same message is deleted.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Item {
    /// What somebody said.
    Message { id: String, status: Status, role: Role, content: Vec<Part> },
    /// A call of a function.
    FunctionCall { id: String, status: Status, call_id: Box<RawValue>, name: Box<RawValue>, arguments: Box<RawValue> },
    /// What a tool answered.
    FunctionCallOutput {
        id: String,
        status: Status,
        #[serde(skip_serializing_if = "Option::is_none")]
        call_id: Option<Box<RawValue>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<Box<RawValue>>,
        output: Output,
    },
    /// A call of a tool that takes any text.
    CustomToolCall { id: String, status: Status, call_id: Box<RawValue>, name: Box<RawValue>, input: Box<RawValue> },
}

/// Whether an answer came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Completed,
    Incomplete,
}

/// Who said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    User,
    Assistant,
    System,
    Developer,
    Unknown,
}

/// A part of what was said.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Part {
    InputText {
        text: Box<RawValue>,
    },
    OutputText {
        annotations: [(); 0],
        logprobs: [(); 0],
        text: Box<RawValue>,
    },
    Refusal {
        refusal: Box<RawValue>,
    },
    InputImage {
        detail: Box<RawValue>,
        file_id: Option<()>,
        image_url: Box<RawValue>,
    },
    InputFile(File),
    /// What has no other name there, such as `input_audio`: as it was said.
    #[serde(untagged)]
    Other(Box<RawValue>),
}

/// A file, the same in an item and in a chat message.
#[derive(Debug, Serialize)]
pub(crate) struct File {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file_data: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file_id: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) filename: Option<Box<RawValue>>,
}

/// What a tool answered.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Output {
    Text(Box<RawValue>),
    Parts(Vec<Part>),
}

impl Item {
    /// Its id.
    #[must_use]
    pub(super) fn id(&self) -> &str {
        match self {
            Self::Message { id, .. }
            | Self::FunctionCall { id, .. }
            | Self::FunctionCallOutput { id, .. }
            | Self::CustomToolCall { id, .. } => id,
        }
    }
}

/// The items of one message, at least one.
#[must_use]
pub(super) fn of(row: &MessageRow) -> Vec<Item> {
    // A message that no reader of JSON agrees about is shown without what it says.
    let said = Members::read(&row.raw).unwrap_or_default();
    match said.text("role").as_deref() {
        Some("assistant") => answer(row, &said),
        Some("tool" | "function") => vec![result(row, &said)],
        Some("user") => vec![message(row, Role::User, parts(&said, false))],
        Some("system") => vec![message(row, Role::System, parts(&said, false))],
        Some("developer") => vec![message(row, Role::Developer, parts(&said, false))],
        _ => vec![message(row, Role::Unknown, parts(&said, false))],
    }
}

/// The turn and the place of the message that an item belongs to; `None` when it is no item's id.
#[must_use]
pub(super) fn place(id: &str) -> Option<(&str, i64)> {
    let (kind, rest) = id.split_once('_')?;
    let message = match kind {
        "msg" | "fco" => rest,
        "fc" | "ctc" => rest.rsplit_once('_')?.0,
        _ => return None,
    };
    let (turn, position) = message.rsplit_once('_')?;
    // Written as we write it: an item has one id.
    let position = position.parse::<u32>().ok().filter(|it| it.to_string() == position)?;
    Some((turn, i64::from(position)))
}

/// The message's JSON without one of its items; what is left keeps its texts as they were written.
#[must_use]
pub(super) fn without(row: &MessageRow, item: &str) -> Option<String> {
    let mut said: BTreeMap<String, Box<RawValue>> = serde_json::from_str(&row.raw).ok()?;
    if item.starts_with("msg_") {
        said.insert("content".to_owned(), RawValue::NULL.to_owned());
        said.remove("refusal");
        return serde_json::to_string(&said).ok();
    }
    let calls = said.get("tool_calls").and_then(|it| serde_json::from_str(it.get()).ok());
    let mut calls: Vec<Box<RawValue>> = calls.unwrap_or_default();
    let members: Vec<Members> = calls.iter().map(|it| Members::read(it.get()).unwrap_or_default()).collect();
    match names(&members).iter().position(|name| item.ends_with(&format!("_{name}"))) {
        Some(gone) => drop(calls.remove(gone)),
        None => drop(said.remove("function_call")),
    }
    if calls.is_empty() {
        said.remove("tool_calls");
    } else {
        said.insert("tool_calls".to_owned(), serde_json::value::to_raw_value(&calls).ok()?);
    }
    serde_json::to_string(&said).ok()
}

fn answer(row: &MessageRow, said: &Members) -> Vec<Item> {
    let calls = calls(row, said);
    let mut content = parts(said, true);
    if let Some(refusal) = said.string("refusal") {
        content.push(Part::Refusal { refusal: refusal.to_owned() });
    }
    // Providers say "" beside a call; it says nothing.
    let is_empty = |it: &Part| matches!(it, Part::OutputText { text, .. } if text.get() == "\"\"");
    let message = message(row, Role::Assistant, content);
    let silent = matches!(&message, Item::Message { content, .. } if content.iter().all(is_empty));
    let message = (calls.is_empty() || !silent).then_some(message);
    message.into_iter().chain(calls).collect()
}

/// The calls that go with a message.
fn calls(row: &MessageRow, said: &Members) -> Vec<Item> {
    let calls = said.list("tool_calls").unwrap_or_default();
    let calls: Vec<Members> = calls.iter().map(|it| Members::read(it.get()).unwrap_or_default()).collect();
    let named = names(&calls).into_iter().zip(&calls).map(|(name, it)| call(row, &name, it));
    // As calls were before they had ids.
    let old = said.object("function_call").map(|it| {
        let id = format!("fc_{}_{}_0", row.turn, row.position);
        let call_id = members::string(&id);
        function_call(row, id, call_id, &it)
    });
    named.chain(old).collect()
}

/// What names each of a message's calls in its id. Calls of one id are told apart by their order.
fn names(calls: &[Members]) -> Vec<String> {
    let ids: Vec<String> =
        calls.iter().map(|it| it.get("id").map(RawValue::get).unwrap_or_default().to_owned()).collect();
    let name = |(at, id): (usize, &String)| {
        let nth = ids.iter().take(at).filter(|it| *it == id).count();
        let digest = Sha256::digest(format!("{id}\0{nth}"));
        crate::random::hex(digest.get(..NAME_BYTES).unwrap_or_default())
    };
    ids.iter().enumerate().map(name).collect()
}

fn call(row: &MessageRow, name: &str, call: &Members) -> Item {
    let call_id = call.string("id").map_or_else(members::empty, RawValue::to_owned);
    if let Some(custom) = call.object("custom") {
        let text = |name: &str| custom.string(name).map_or_else(members::empty, RawValue::to_owned);
        let id = format!("ctc_{}_{}_{name}", row.turn, row.position);
        return Item::CustomToolCall { id, status: status(row), call_id, name: text("name"), input: text("input") };
    }
    let id = format!("fc_{}_{}_{name}", row.turn, row.position);
    function_call(row, id, call_id, &call.object("function").unwrap_or_default())
}

fn function_call(row: &MessageRow, id: String, call_id: Box<RawValue>, function: &Members) -> Item {
    let text = |name: &str| function.string(name).map_or_else(members::empty, RawValue::to_owned);
    Item::FunctionCall { id, status: status(row), call_id, name: text("name"), arguments: text("arguments") }
}

fn result(row: &MessageRow, said: &Members) -> Item {
    let output = match said.get("content") {
        Some(text) if is_string(text) => Output::Text(text.to_owned()),
        Some(_) => Output::Parts(parts(said, false)),
        None => Output::Text(members::empty()),
    };
    Item::FunctionCallOutput {
        id: format!("fco_{}_{}", row.turn, row.position),
        status: Status::Completed,
        call_id: said.string("tool_call_id").map(RawValue::to_owned),
        name: said.string("name").map(RawValue::to_owned),
        output,
    }
}

fn message(row: &MessageRow, role: Role, content: Vec<Part>) -> Item {
    let status = if role == Role::Assistant { status(row) } else { Status::Completed };
    Item::Message { id: format!("msg_{}_{}", row.turn, row.position), status, role, content }
}

fn status(row: &MessageRow) -> Status {
    if row.complete { Status::Completed } else { Status::Incomplete }
}

/// What a message says, in parts.
fn parts(said: &Members, answers: bool) -> Vec<Part> {
    let text = |text: Box<RawValue>| match answers {
        true => Part::OutputText { annotations: [], logprobs: [], text },
        false => Part::InputText { text },
    };
    if let Some(whole) = said.string("content") {
        return vec![text(whole.to_owned())];
    }
    let parts = said.list("content").unwrap_or_default();
    let part = |raw: Box<RawValue>| part(&raw, text).unwrap_or(Part::Other(raw));
    parts.into_iter().map(part).collect()
}

/// A part that has another name there.
fn part(raw: &RawValue, text: impl Fn(Box<RawValue>) -> Part) -> Option<Part> {
    let part = Members::read(raw.get())?;
    let own = |members: &Members, name: &str| members.string(name).map(RawValue::to_owned);
    match part.text("type")?.as_str() {
        "text" => own(&part, "text").map(text),
        "refusal" => own(&part, "refusal").map(|refusal| Part::Refusal { refusal }),
        "image_url" => {
            let image = part.object("image_url")?;
            let detail = own(&image, "detail").unwrap_or_else(|| members::string("auto"));
            Some(Part::InputImage { detail, file_id: None, image_url: own(&image, "url")? })
        }
        "file" => {
            let file = part.object("file")?;
            let [file_data, file_id, filename] = ["file_data", "file_id", "filename"].map(|it| own(&file, it));
            Some(Part::InputFile(File { file_data, file_id, filename }))
        }
        _ => None,
    }
}
