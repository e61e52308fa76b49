//! The tool calls of a streamed answer, put together by their index.

use super::said::Left;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// So many tool calls of one message are kept; more make the turn incomplete.
const MAX_CALLS: usize = 256;
/// What a tool call costs besides its texts, for the bound on memory.
const CALL_COST: usize = 256;

/// The calls so far, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Calls(Vec<ToolCall>);

#[derive(Debug, Default)]
struct ToolCall {
    index: u64,
    id: String,
    kind: Kind,
    name: String,
    /// The arguments of a function, the input of a custom tool.
    input: String,
    /// What Gemini wants back with the call: its thought's signature.
    extra: Option<Box<RawValue>>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Kind {
    #[default]
    Function,
    Custom,
}

/// A piece of a call.
#[derive(Deserialize)]
pub(super) struct CallDelta<'a> {
    #[serde(default)]
    index: Option<u64>,
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    function: Option<PartDelta<'a>>,
    #[serde(borrow, default)]
    custom: Option<PartDelta<'a>>,
    #[serde(borrow, default)]
    extra_content: Option<&'a RawValue>,
}

/// A piece of what is called, and with what.
#[derive(Default, Deserialize)]
pub(super) struct PartDelta<'a> {
    #[serde(borrow, default)]
    pub(super) name: Option<Cow<'a, str>>,
    #[serde(borrow, default, alias = "input")]
    pub(super) arguments: Option<Cow<'a, str>>,
}

/// A call as it stands in a message.
#[derive(Serialize)]
pub(super) struct WholeCall<'a> {
    id: &'a str,
    r#type: &'a str,
    #[serde(flatten)]
    called: Called<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<&'a RawValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Called<'a> {
    Function { name: &'a str, arguments: &'a str },
    Custom { name: &'a str, input: &'a str },
}

impl Calls {
    /// Adds a piece; whether all of it could be kept.
    pub(super) fn add(&mut self, delta: CallDelta<'_>, left: &mut Left) -> bool {
        let id = delta.id.unwrap_or_default();
        let Some(call) = self.place(delta.index, &id, left) else {
            return false;
        };
        if delta.custom.is_some() {
            call.kind = Kind::Custom;
        }
        let part = delta.function.or(delta.custom).unwrap_or_default();
        let mut whole = true;
        // An id comes once, but some providers repeat it in every piece; names come whole or in pieces.
        if call.id.is_empty() {
            whole &= left.append(&mut call.id, &id);
        }
        let name = part.name.unwrap_or_default();
        if call.name != name {
            whole &= left.append(&mut call.name, &name);
        }
        whole &= left.append(&mut call.input, &part.arguments.unwrap_or_default());
        if let Some(extra) = delta.extra_content {
            let fits = left.take(extra.get().len());
            whole &= fits;
            call.extra = fits.then(|| extra.to_owned());
        }
        whole
    }

    /// All of them, by their index.
    pub(super) fn whole(&self) -> Vec<WholeCall<'_>> {
        let mut calls: Vec<&ToolCall> = self.0.iter().collect();
        calls.sort_by_key(|it| it.index);
        calls.into_iter().map(ToolCall::whole).collect()
    }

    /// The call that a piece belongs to: the one with its index or, from a provider that numbers none, the last one, unless
    /// the id is a new one.
    fn place(&mut self, index: Option<u64>, id: &str, left: &mut Left) -> Option<&mut ToolCall> {
        let found = match index {
            Some(index) => self.0.iter().position(|it| it.index == index),
            None if id.is_empty() => self.0.len().checked_sub(1),
            None => self.0.iter().position(|it| it.id == id),
        };
        let place = found.unwrap_or(self.0.len());
        if found.is_none() {
            if self.0.len() >= MAX_CALLS || !left.take(CALL_COST) {
                return None;
            }
            let index = index.unwrap_or_else(|| u64::try_from(place).unwrap_or(u64::MAX));
            self.0.push(ToolCall { index, ..ToolCall::default() });
        }
        self.0.get_mut(place)
    }
}

impl ToolCall {
    fn whole(&self) -> WholeCall<'_> {
        let Self { id, name, input, .. } = self;
        let (r#type, called) = match self.kind {
            Kind::Function => ("function", Called::Function { name, arguments: input }),
            Kind::Custom => ("custom", Called::Custom { name, input }),
        };
        WholeCall { id, r#type, called, extra_content: self.extra.as_deref() }
    }
}
