//! Anthropic's native Messages API for clients that speak OpenAI's chat completions: the request on its way there, the
//! answer, plain or as a stream, on its way back.
//!
//! Texts, schemas and arguments are copied as the bytes that they came in; nothing of a body is ever read into a tree.
//! What Anthropic's own endpoint for OpenAI's clients ignores (WIRE.md, 5.2) is left out here too: penalties, `seed`,
//! `logprobs`, `logit_bias`, `metadata`, `store`, `service_tier`, `reasoning_effort`, audio output. What would change the
//! answer's meaning and has no counterpart is refused with its name.

mod content;
mod json;
mod request;
mod response;
mod stream;
mod tools;

pub use request::{Want, request};
pub use response::response;
pub use stream::Stream;

use crate::reply::Reply;

/// The version of the API that these translate to and from; the value of the header `anthropic-version`.
pub const VERSION: &str = "2023-06-01";

/// How many tokens an answer may have where nobody says, and nobody knows how many the model can.
pub const MAX_TOKENS: u32 = 4_096;

/// The refusal of what has no counterpart.
fn unsupported(member: impl Into<String>, why: &str) -> Reply {
    let member = member.into();
    let message = format!("`{member}` {why}, which this model's provider cannot be asked for");
    Reply::new(400, "unsupported_parameter", message).about(member)
}

/// The refusal of what is no chat completion.
fn invalid(member: impl Into<String>, why: &str) -> Reply {
    let member = member.into();
    Reply::invalid(format!("`{member}` {why}")).about(member)
}

#[cfg(test)]
mod tests;
