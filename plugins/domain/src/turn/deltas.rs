//! Puts the answer together from the events of a stream.

use super::said::{Delta, Left, Said};
use super::{Alternative, Answer, MAX_CHOICES};
use crate::sse::Event;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::borrow::Cow;

/// A reason or a model's name that is longer, in bytes, is none.
const LONGEST_NAME: usize = 256;

/// What the events of one stream said so far.
#[derive(Debug)]
pub struct Deltas {
    limit: usize,
    left: Left,
    /// By their index.
    choices: Vec<Said>,
    model: Option<String>,
    /// The stream said that it is over (`[DONE]`).
    done: bool,
    /// Something of the answer is missing: an error, or an event that could not be read.
    broken: bool,
}

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow, default)]
    model: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    choices: Option<Vec<Choice<'a>>>,
    #[serde(default)]
    error: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(default)]
    index: u64,
    #[serde(borrow, default)]
    delta: Option<Delta<'a>>,
    #[serde(borrow, default)]
    finish_reason: Option<Cow<'a, str>>,
}

impl Deltas {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, left: Left(limit), choices: Vec::new(), model: None, done: false, broken: false }
    }

    /// How many bytes of text are kept.
    pub(super) fn kept(&self) -> usize {
        self.limit.saturating_sub(self.left.0)
    }

    pub(super) fn event(&mut self, event: &Event<'_>) {
        if self.done {
            return;
        }
        match event {
            Event::TooLong => self.broken = true,
            Event::Message { data, .. } if data.trim_ascii_start().starts_with(b"[DONE]") => self.done = true,
            Event::Message { kind, data } => match serde_json::from_slice::<Chunk<'_>>(data) {
                Ok(chunk) => {
                    self.broken |= *kind == b"error";
                    self.chunk(chunk);
                }
                Err(_) => self.broken = true,
            },
        }
    }

    /// Whether the stream said that nothing follows.
    pub(super) fn is_over(&self) -> bool {
        self.done
    }

    fn chunk(&mut self, chunk: Chunk<'_>) {
        self.broken |= chunk.error.is_some();
        if let (None, Some(model)) = (&self.model, chunk.model.filter(|it| it.len() <= LONGEST_NAME)) {
            self.model = Some(model.into_owned());
        }
        for choice in chunk.choices.unwrap_or_default() {
            let Some(index) = usize::try_from(choice.index).ok().filter(|it| *it < MAX_CHOICES) else {
                continue;
            };
            if self.choices.len() <= index {
                self.choices.resize_with(index.saturating_add(1), Said::default);
            }
            let Some(said) = self.choices.get_mut(index) else { continue };
            if let Some(reason) = choice.finish_reason.filter(|it| !it.is_empty() && it.len() <= LONGEST_NAME) {
                said.finish_reason = Some(reason.into_owned());
            }
            if let Some(delta) = choice.delta {
                said.add(delta, &mut self.left);
            }
        }
    }

    /// The answer as far as it came.
    pub(super) fn finish(self, ended: bool) -> Answer {
        let whole = (self.done || ended) && !self.broken;
        let is_complete = |it: &Said| {
            let reason = it.finish_reason.as_deref();
            whole && !it.broken && reason.is_some() && reason != Some("error")
        };
        let mut choices = self.choices.into_iter();
        let first = choices.next().unwrap_or_default();
        let complete = is_complete(&first);
        let alternatives = choices.zip(1_u8..).filter_map(|(said, index)| {
            let complete = is_complete(&said);
            Some(Alternative { index, message: said.message(complete)?, complete })
        });
        let alternatives = alternatives.collect();
        let message = first.message(complete);
        Answer { message, complete, finish_reason: first.finish_reason, model: self.model, alternatives }
    }
}
