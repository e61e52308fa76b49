//! The assistant's message, taken from a chat completion as it passes.
//!
//! A plain answer gives its message's own bytes; a streamed one is assembled from its deltas. Of several
//! choices the first is the answer, and the others are its alternatives. Memory is bounded by a limit;
//! past it the turn counts as incomplete. Usage is read elsewhere.

mod calls;
mod deltas;
mod said;

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
    /// The other choices, by their index.
    pub alternatives: Vec<Alternative>,
}

/// A choice that is not the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alternative {
    /// Its index, from 1.
    pub index: u8,
    /// The message as raw JSON.
    pub message: String,
    /// Whether it is whole.
    pub complete: bool,
}

/// So many choices of an answer are kept: those with an index below.
const MAX_CHOICES: usize = 16;

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
        /// How many bytes it has, where its head tells that.
        length: Option<usize>,
    },
    /// Server-Sent Events.
    Streamed {
        /// Cuts the stream into events.
        reader: Reader,
        /// What the events said.
        deltas: Box<Deltas>,
    },
    /// Nothing more of it is kept.
    Cut(Box<Answer>),
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
        Self::Plain { body: Vec::new(), limit, too_long: false, length: None }
    }

    /// The same, for a plain answer whose head tells its length.
    #[must_use]
    pub fn of_length(mut self, bytes: Option<usize>) -> Self {
        if let Self::Plain { length, .. } = &mut self {
            *length = bytes;
        }
        self
    }

    /// For an answer of `text/event-stream`, of which at most `limit` bytes of text are kept.
    #[must_use]
    pub fn streamed(limit: usize) -> Self {
        Self::Streamed { reader: Reader::new(limit), deltas: Box::new(Deltas::new(limit)) }
    }

    /// Reads the next piece of the answer.
    pub fn read(&mut self, piece: &[u8]) {
        match self {
            Self::Plain { body, limit, too_long, .. } => {
                *too_long |= body.len().saturating_add(piece.len()) > *limit;
                if *too_long {
                    *body = Vec::new();
                } else {
                    body.extend_from_slice(piece);
                }
            }
            Self::Streamed { reader, deltas } => reader.read(piece, |event| deltas.event(&event)),
            Self::Cut(_) => {}
        }
    }

    /// Whether nothing follows: a stream said so, or all bytes of a plain answer are here. The proxy may tell the end later
    /// than that, and what the client does then may come before.
    #[must_use]
    pub fn is_over(&self) -> bool {
        match self {
            Self::Streamed { deltas, .. } => deltas.is_over(),
            Self::Plain { body, length, .. } => length.is_some_and(|it| it > 0 && body.len() >= it),
            Self::Cut(_) => false,
        }
    }

    /// How many bytes of memory it holds, about.
    #[must_use]
    pub fn held(&self) -> usize {
        match self {
            Self::Plain { body, .. } => body.len(),
            Self::Streamed { reader, deltas } => reader.held().saturating_add(deltas.kept()),
            Self::Cut(answer) => {
                let others = answer.alternatives.iter().map(|it| &it.message);
                answer.message.iter().chain(others).map(String::len).fold(0, usize::saturating_add)
            }
        }
    }

    /// Keeps nothing more of the answer: it counts as broken off here.
    pub fn cut(&mut self) {
        let cut = std::mem::replace(self, Self::plain(0)).finish(false);
        *self = Self::Cut(Box::new(cut));
    }

    /// Whether it was.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        matches!(self, Self::Cut(_))
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
            Self::Cut(answer) => *answer,
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
    let choices: Vec<Choice<'_>> =
        completion.choices.into_iter().filter(|it| it.message.get().starts_with('{')).collect();
    let Some(first) = choices.iter().find(|it| it.index == 0) else {
        return Answer { model, ..Answer::default() };
    };
    let complete = first.is_whole(ended);
    let message = complete.then(|| first.message.get().to_owned());
    let mut alternatives: Vec<Alternative> = choices.iter().filter_map(|it| it.alternative(ended)).collect();
    alternatives.sort_by_key(|it| it.index);
    alternatives.dedup_by_key(|it| it.index);
    let finish_reason = first.reason().map(str::to_owned);
    Answer { message, complete, finish_reason, model, alternatives }
}

impl Choice<'_> {
    fn reason(&self) -> Option<&str> {
        self.finish_reason.as_deref().filter(|it| !it.is_empty())
    }

    /// Some providers leave the reason out of a plain answer; a whole body is a whole message.
    fn is_whole(&self, ended: bool) -> bool {
        (ended || self.reason().is_some()) && self.reason() != Some("error")
    }

    fn alternative(&self, ended: bool) -> Option<Alternative> {
        let index = u8::try_from(self.index).ok().filter(|it| (1..MAX_CHOICES).contains(&usize::from(*it)))?;
        self.is_whole(ended).then(|| Alternative { index, message: self.message.get().to_owned(), complete: true })
    }
}

#[cfg(test)]
mod tests;
