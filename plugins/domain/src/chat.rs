//! What a gateway must see of an OpenAI request body, and edits that leave every other byte alone.
//!
//! [`Body::parse`] finds where the members lie that Tollgate reads, and keeps the client's bytes.
//! An [`Edit`] replaces one span; unknown members, their order, white space and the spelling of
//! numbers reach the provider as the client wrote them. No tree of the body is ever built.
//!
//! What two parsers could read differently is refused instead of guessed: a member that stands
//! twice, or is spelled with other letters or escapes (`"Model"`, `"\u006dodel"`) than its name.

mod edit;
mod end_user;
mod endpoint;
mod plain;
mod read;
mod text;

pub use edit::Edit;
pub(crate) use edit::quoted;
pub use end_user::EndUser;
pub(crate) use endpoint::decoded;
pub use endpoint::{Endpoint, normalised};
pub(crate) use read::{array, object, string};
pub use text::Text;

use crate::{estimate::Counter, reply::Reply};
use read::{Found, Span};
use std::borrow::Cow;

/// The members of a body that Tollgate reads; no other spelling of these names is accepted.
const MEMBERS: [&str; 47] = [
    "model",
    "messages",
    "input",
    "prompt",
    "instructions",
    // Anthropic's own API.
    "system",
    "suffix",
    "prediction",
    "stream",
    "stream_options",
    "n",
    "best_of",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "tools",
    "functions",
    "response_format",
    "text",
    "background",
    // What a chain's candidate may set, or a provider's rule change.
    "temperature",
    "top_p",
    "top_k",
    "reasoning_effort",
    "verbosity",
    "seed",
    "random_seed",
    "logprobs",
    "top_logprobs",
    "logit_bias",
    "user",
    "safety_identifier",
    "store",
    "metadata",
    "service_tier",
    "modalities",
    "audio",
    "prompt_cache_key",
    "web_search_options",
    "tool_choice",
    "frequency_penalty",
    "presence_penalty",
    "stop",
    "parallel_tool_calls",
    // OpenRouter's, whose clients may ask any gateway so.
    "models",
    "provider",
    // Tollgate's own: the thread that the request belongs to.
    "conversation_id",
];

/// The member of this name, if it is one that [`Body::set_member`] can set.
#[must_use]
pub fn member_called(name: &str) -> Option<&'static str> {
    MEMBERS.into_iter().find(|it| *it == name)
}

/// A request body that cannot be read in only one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// The member at fault, as in `messages[2].content`; `None` when it is the body as a whole.
    pub member: Option<String>,
    /// What was found and what is expected; holds nothing of the body's contents.
    pub message: String,
}

impl Malformed {
    pub(crate) fn whole(message: impl Into<String>) -> Self {
        Self { member: None, message: message.into() }
    }

    pub(crate) fn at(member: impl Into<String>, message: impl AsRef<str>) -> Self {
        let member = member.into();
        let message = format!("`{member}` {}", message.as_ref());
        Self { member: Some(member), message }
    }
}

impl From<Malformed> for Reply {
    fn from(it: Malformed) -> Self {
        let reply = Reply::invalid(it.message);
        match it.member {
            Some(member) => reply.about(member),
            None => reply,
        }
    }
}

/// A view of a request body; see the module's page.
#[derive(Debug, Clone)]
pub struct Body<'a> {
    found: Found<'a>,
    model: Option<Cow<'a, str>>,
    stream: bool,
}

/// One element of `messages`.
#[derive(Debug, Clone)]
pub struct Message<'a> {
    /// Its place in `messages`.
    pub index: usize,
    /// Its `role`; empty when it has none.
    pub role: Cow<'a, str>,
    /// Its own bytes.
    pub raw: &'a str,
    pub(crate) content: Option<&'a str>,
    pub(crate) refusal: Option<&'a str>,
    /// The model's thoughts, by the two names that providers give them, as a client sends them back.
    reasoning_content: Option<&'a str>,
    reasoning: Option<&'a str>,
    pub(crate) tool_calls: Option<&'a str>,
    /// What stood in the place of `tool_calls` before there were several; providers still read it.
    function_call: Option<&'a str>,
}

impl Message<'_> {
    /// Whether it instructs the model on the application's behalf (`system`, `developer`).
    #[must_use]
    pub fn instructs(&self) -> bool {
        self.role == "system" || self.role == "developer"
    }
}

impl<'a> Body<'a> {
    /// Reads a body in one pass.
    ///
    /// # Errors
    /// When it is not one JSON object in UTF-8, when a member that Tollgate reads stands there twice
    /// or in another spelling, or when `model` is no string, `messages` no array of objects,
    /// `stream` no boolean.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let found = read::top_level(bytes)?;
        let model = match found.member("model") {
            Some(raw) => Some(read::string(raw).map_err(|wrong| Malformed::at("model", wrong))?),
            None => None,
        };
        let stream = match found.member("stream") {
            None | Some("null" | "false") => false,
            Some("true") => true,
            Some(_) => return Err(Malformed::at("stream", "is no boolean")),
        };
        Ok(Self { found, model, stream })
    }

    /// The model's name, if the body has one.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// Whether the client asked for a stream.
    #[must_use]
    pub fn stream(&self) -> bool {
        self.stream
    }

    /// Whether there is a `messages` member.
    #[must_use]
    pub fn has_messages(&self) -> bool {
        self.found.messages.is_some()
    }

    /// The raw JSON of a member that Tollgate reads; `None` for every other name.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&'a str> {
        self.found.member(name)
    }

    /// What it counts, where that was counted as it was read.
    pub(crate) fn counted(&self) -> Option<&Counter> {
        self.found.counted.as_ref()
    }

    /// The messages as they stand there.
    pub fn raw_messages(&self) -> impl Iterator<Item = &'a str> {
        let spans = self.found.messages.as_ref().map(|it| it.elements.as_slice()).unwrap_or_default();
        spans.iter().map(|span| self.found.slice(span))
    }

    /// The messages, each read as far as its role and content.
    ///
    /// # Errors
    /// When a member that Tollgate reads stands twice in a message or in another spelling, or a `role`
    /// is no string.
    pub fn messages(&self) -> Result<Vec<Message<'a>>, Malformed> {
        let spans = self.found.messages.as_ref().map(|it| it.elements.as_slice()).unwrap_or_default();
        spans.iter().enumerate().map(|(index, span)| self.message(index, span)).collect()
    }

    fn message(&self, index: usize, span: &Span) -> Result<Message<'a>, Malformed> {
        let raw = self.found.slice(span);
        let mut message = Message {
            index,
            role: Cow::Borrowed(""),
            raw,
            content: None,
            refusal: None,
            reasoning_content: None,
            reasoning: None,
            tool_calls: None,
            function_call: None,
        };
        let names = ["role", "content", "refusal", "reasoning_content", "reasoning", "tool_calls", "function_call"];
        read::object(raw, &names, |name, value| {
            match name {
                "role" => message.role = read::string(value).map_err(|wrong| Malformed::at("role", wrong))?,
                "content" => message.content = Some(value),
                "refusal" => message.refusal = Some(value),
                "reasoning_content" => message.reasoning_content = Some(value),
                "reasoning" => message.reasoning = Some(value),
                "tool_calls" => message.tool_calls = Some(value),
                _ => message.function_call = Some(value),
            }
            Ok(())
        })
        .map_err(|wrong| wrong.inside(&format!("messages[{index}]")))?;
        Ok(message)
    }

    /// Every text that the model would read, with its place.
    ///
    /// That is: string contents, text and refusal parts of `messages`, thoughts that are sent back, the
    /// arguments of tool calls; `instructions`, `input`, `prompt` and its variables, `suffix`, `prediction`, also as arrays of strings or of items with
    /// contents of their own. Not read: tool definitions, names, addresses of images.
    ///
    /// # Errors
    /// When a text cannot be read in only one way, for example a `content` that stands twice.
    pub fn texts(&self) -> Result<Vec<Text<'a>>, Malformed> {
        text::of(self)
    }

    /// The edit that makes `name` the body's model; a body without one gets it as its first member.
    #[must_use]
    pub fn set_model(&self, name: &str) -> Edit {
        self.set_member("model", &edit::quoted(name))
    }

    /// The edit that gives a member the value `json`; a body without that member gets it as its first one.
    ///
    /// `name` is one of those that [`Body::member`] knows, so that no member stands there twice afterwards, and `json` is
    /// valid JSON.
    #[must_use]
    pub fn set_member(&self, name: &'static str, json: &str) -> Edit {
        debug_assert!(MEMBERS.contains(&name), "{name} is no member that is looked for");
        match self.found.span(name) {
            Some(span) => Edit::new(span, json.to_owned()),
            None => Edit::member(name, json.to_owned()),
        }
    }

    /// The edit that takes a member away, with one comma; `None` when it is not there, or none that [`Body::member`]
    /// knows. It wins over a change of the member's value.
    #[must_use]
    pub fn remove_member(&self, name: &str) -> Option<Edit> {
        self.found.whole(name).map(Edit::remove)
    }

    /// The edit that gives a member another name; `None` when it is not there. Whoever asks has seen that nothing else
    /// bears the new name, which needs no escapes.
    #[must_use]
    pub fn rename_member(&self, name: &str, to: &'static str) -> Option<Edit> {
        debug_assert!(MEMBERS.contains(&to), "{to} is no member that is looked for");
        self.found.key(name).map(|key| Edit::new(key, to.to_owned()))
    }

    /// The edit that has the provider tell its usage at the end of a stream; `None` when the body asks for it already.
    ///
    /// # Errors
    /// When `stream_options` is no object, or names `include_usage` twice.
    pub fn ask_usage(&self) -> Result<Option<Edit>, Malformed> {
        const WHOLE: &str = r#"{"include_usage":true}"#;
        const MEMBER: &str = r#""include_usage":true"#;
        let Some(span) = self.found.span("stream_options") else {
            return Ok(Some(Edit::member("stream_options", WHOLE.to_owned())));
        };
        let raw = self.found.slice(&span);
        if raw == "null" {
            return Ok(Some(Edit::new(span, WHOLE.to_owned())));
        }
        if !raw.starts_with('{') {
            return Err(Malformed::at("stream_options", "is no object"));
        }
        let mut said = None;
        let inside = |wrong: Malformed| wrong.inside("stream_options");
        read::object(raw, &["include_usage"], |_, value| {
            said = Some(value);
            Ok(())
        })
        .map_err(inside)?;
        Ok(match said {
            Some("true") => None,
            Some(other) => Some(Edit::new(read::span_of(self.found.text, other), "true".to_owned())),
            None => {
                let empty = raw.get(1..).is_some_and(|it| it.trim_start().starts_with('}'));
                let comma = if empty { "" } else { "," };
                Some(Edit::insert(span.start.saturating_add(1), format!("{MEMBER}{comma}")))
            }
        })
    }

    /// The edit that puts `history` behind the leading system and developer messages and before all
    /// others; `None` when there is nothing to insert or nowhere to insert it.
    ///
    /// # Errors
    /// As [`Body::messages`].
    pub fn insert_after_system(&self, history: &[&serde_json::value::RawValue]) -> Result<Option<Edit>, Malformed> {
        let Some(list) = self.found.messages.as_ref().filter(|_| !history.is_empty()) else {
            return Ok(None);
        };
        let joined = history.iter().map(|it| it.get()).collect::<Vec<_>>().join(",");
        let (mut last, mut next) = (None, None);
        for (index, span) in list.elements.iter().enumerate() {
            if !self.message(index, span)?.instructs() {
                next = Some(span);
                break;
            }
            last = Some(span);
        }
        Ok(Some(match (last, next) {
            (_, Some(span)) => Edit::insert(span.start, joined + ","),
            (Some(span), None) => Edit::insert(span.end, format!(",{joined}")),
            (None, None) => Edit::insert(list.open, joined),
        }))
    }

    /// The body's bytes with the edits made. Of two edits of one span, and of two new members of one name, the later one
    /// stands; of two that overlap otherwise the one that begins first.
    #[must_use]
    pub fn apply(&self, edits: impl IntoIterator<Item = Edit>) -> Vec<u8> {
        edit::apply(&self.found, edits)
    }
}

#[cfg(test)]
mod tests;
