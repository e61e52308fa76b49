//! The assistant's message, taken from a chat completion as it passes.
//!
//! A plain answer gives its message's own bytes; a streamed one is assembled from its deltas. Only
//! the first choice is kept. Memory is bounded by a limit; past it the turn counts as incomplete.
//! Usage is read elsewhere.

mod deltas;

use crate::sse::{Event, Reader};
use deltas::Deltas;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The answer of one turn, as far as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The assistant's message as raw JSON; `None` when nothing of it can be kept.
    pub message: Option<String>,
    /// Whether the message is whole: the provider said why it ended, and the answer came to its end.
    pub complete: bool,
    /// Why the provider ended it, in the provider's words.
    pub finish_reason: Option<String>,
    /// The model that the answer names.
    pub model: Option<String>,
}

/// An answer that is being read.
#[derive(Debug)]
pub enum Assembly {
    /// One JSON object.
    Plain {
        /// What came so far; empty once it passed the limit.
        body: Vec<u8>,
        /// How many bytes are kept.
        limit: usize,
        /// Whether more came than may be kept.
        too_long: bool,
    },
    /// Server-Sent Events.
    Streamed {
        /// Cuts the stream into events.
        reader: Reader,
        /// What the events said.
        deltas: Box<Deltas>,
    },
}

#[derive(Deserialize)]
struct Completion<'a> {
    #[serde(borrow, default)]
    model: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    choices: Vec<Choice<'a>>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(default)]
    index: u64,
    #[serde(borrow)]
    message: &'a RawValue,
    #[serde(borrow, default)]
    finish_reason: Option<Cow<'a, str>>,
}

impl Assembly {
    /// For an answer of `application/json`, of which at most `limit` bytes are kept.
    #[must_use]
    pub fn plain(limit: usize) -> Self {
        Self::Plain { body: Vec::new(), limit, too_long: false }
    }

    /// For an answer of `text/event-stream`, of which at most `limit` bytes of text are kept.
    #[must_use]
    pub fn streamed(limit: usize) -> Self {
        Self::Streamed { reader: Reader::new(limit), deltas: Box::new(Deltas::new(limit)) }
    }

    /// Reads the next piece of the answer.
    pub fn read(&mut self, piece: &[u8]) {
        match self {
            Self::Plain { body, limit, too_long } => {
                *too_long |= body.len().saturating_add(piece.len()) > *limit;
                if *too_long {
                    *body = Vec::new();
                } else {
                    body.extend_from_slice(piece);
                }
            }
            Self::Streamed { reader, deltas } => reader.read(piece, |event| deltas.event(&event)),
        }
    }

    /// Whether a stream said that nothing follows; what a client does at once may then come before the stream's end.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Streamed { deltas, .. } if deltas.is_over())
    }

    /// The answer; `ended` says whether it came to its regular end or broke off.
    #[must_use]
    pub fn finish(self, ended: bool) -> Answer {
        match self {
            Self::Plain { body, too_long, .. } => plain(if too_long { &[] } else { &body }, ended),
            Self::Streamed { reader, mut deltas } => {
                if ended {
                    reader.finish(|event: Event<'_>| deltas.event(&event));
                }
                deltas.finish(ended)
            }
        }
    }
}

/// The message of a plain answer. A body that broke off is no JSON, so nothing of it can be kept; one that is JSON and says
/// why it ended is whole, whether or not the proxy told its end (Kong does not).
fn plain(body: &[u8], ended: bool) -> Answer {
    let Ok(completion) = serde_json::from_slice::<Completion<'_>>(body) else {
        return Answer::default();
    };
    let model = completion.model.map(Cow::into_owned);
    let first = completion.choices.into_iter().find(|it| it.index == 0);
    let Some(choice) = first.filter(|it| it.message.get().starts_with('{')) else {
        return Answer { model, ..Answer::default() };
    };
    let finish_reason = choice.finish_reason.map(Cow::into_owned).filter(|it| !it.is_empty());
    // Some providers leave the reason out of a plain answer; a whole body is a whole message.
    let complete = (ended || finish_reason.is_some()) && finish_reason.as_deref() != Some("error");
    let message = complete.then(|| choice.message.get().to_owned());
    Answer { message, complete, finish_reason, model }
}

#[cfg(test)]
mod tests;
