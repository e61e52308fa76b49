//! A streamed answer as it passes: read, counted, and ended well-formed where a budget ends.
//!
//! An unfinished event is kept back, up to [`LONGEST_EVENT`]; nothing else is. Bytes change in three places only: the usage
//! chunk that the client did not ask for is left out, a comment with the cost comes before the end, and a cut answer gets
//! the ending that its provider would have given it, had it reached its longest length.

mod ending;
mod event;

use crate::tally::Tally;
use domain::{
    chat::Endpoint,
    sse::{self, Frame, Frames},
    usage::{Reading, Usage},
};
use event::{Choices, Identity};

/// An event that is longer passes in pieces, unread.
const LONGEST_EVENT: usize = 256 << 10;

/// What is asked about an answer while it passes.
pub(crate) trait Budget {
    /// `output` tokens are out; how many may be. `None`: any number.
    fn cap(&mut self, output: u64) -> Option<u64>;
    /// What the comment before the end says.
    fn comment(&self, told: &Told) -> String;
}

/// What is known of an answer's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) usage: Usage,
    /// The provider did not say it, or did not get to say all of it.
    pub(crate) estimated: bool,
}

/// A stream.
pub(crate) struct Following {
    endpoint: Endpoint,
    /// The client asked for the usage chunk.
    wants_usage: bool,
    /// The estimate of the request, for when nobody says better.
    input: u64,
    frames: Frames,
    reading: Reading,
    tally: Tally,
    identity: Option<Identity>,
    choices: Choices,
    cap: Option<u64>,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The answer is coming.
    Open,
    /// Its end has passed.
    Ended,
    /// It was cut; the rest is swallowed.
    Cut,
}

impl Following {
    /// A stream that answers a request at `endpoint`, by the rules of `provider`; so far `cap` tokens may come.
    pub(crate) fn new(
        endpoint: Endpoint,
        provider: Option<&str>,
        input: u64,
        wants_usage: bool,
        cap: Option<u64>,
    ) -> Self {
        Self {
            endpoint,
            wants_usage,
            input,
            frames: Frames::new(LONGEST_EVENT),
            reading: Reading::new(provider),
            tally: Tally::default(),
            identity: None,
            choices: Choices::default(),
            cap,
            stage: Stage::Open,
        }
    }

    /// Reads a piece; what is to pass in its place.
    pub(crate) fn read(&mut self, chunk: &[u8], last: bool, budget: &mut impl Budget) -> Vec<u8> {
        let mut out = Vec::with_capacity(chunk.len());
        let mut frames = std::mem::replace(&mut self.frames, Frames::new(0));
        frames.read(chunk, |frame| match frame {
            Frame::Whole(event) => self.event(event, &mut out, budget),
            Frame::Torn(part) => {
                self.tally.add(part);
                if self.stage != Stage::Cut {
                    out.extend_from_slice(part);
                }
            }
        });
        self.frames = frames;
        if last {
            let rest = self.frames.rest();
            self.event(&rest, &mut out, budget);
            if self.stage == Stage::Open {
                self.stage = Stage::Ended;
                // Behind an event without its blank line a comment would be a part of it.
                if rest.is_empty() {
                    self.comment(&mut out, budget);
                }
            }
        }
        out
    }

    /// Whether a budget ended it.
    pub(crate) fn was_cut(&self) -> bool {
        self.stage == Stage::Cut
    }

    /// What was used. `whole`: the provider came to its end.
    pub(crate) fn told(&self, whole: bool) -> Told {
        let counted = Usage { input: self.input, output: self.tally.tokens(), ..Usage::default() };
        match self.reading.usage() {
            Some(usage) if whole => Told { usage, estimated: false },
            // A count of an earlier moment.
            Some(usage) => Told { usage: Usage { output: usage.output.max(counted.output), ..usage }, estimated: true },
            None => Told { usage: counted, estimated: true },
        }
    }

    fn event(&mut self, event: &[u8], out: &mut Vec<u8>, budget: &mut impl Budget) {
        let data = sse::data(event);
        let data = data.as_deref().unwrap_or_default();
        if self.stage == Stage::Cut {
            self.reading.see(data);
            return;
        }
        if data.trim_ascii() == b"[DONE]" {
            self.comment(out, budget);
            out.extend_from_slice(event);
            self.stage = Stage::Ended;
            return;
        }
        if data.is_empty() {
            out.extend_from_slice(event);
            return;
        }
        let seen = self.see(data);
        if seen.is_end && self.stage == Stage::Open {
            self.comment(out, budget);
            self.stage = Stage::Ended;
        }
        let is_usage_alone = seen.has_usage && seen.has_no_choice;
        if !is_usage_alone || self.wants_usage {
            out.extend_from_slice(event);
        }
        if self.stage == Stage::Open && self.is_over(budget) {
            self.cut(out, budget);
        }
    }

    /// Takes in what an event says.
    fn see(&mut self, data: &[u8]) -> event::Seen {
        if self.identity.is_none() {
            self.identity = Some(Identity::of(data));
        }
        let seen = event::Seen::of(data, &mut self.choices);
        if seen.has_usage {
            self.reading.see(data);
        }
        self.tally.join(seen.tally);
        seen
    }

    fn output(&self) -> u64 {
        self.tally.tokens().max(self.reading.usage().map_or(0, |it| it.output))
    }

    /// Whether the cap is reached, and nothing more is to be had, while something is still coming.
    fn is_over(&mut self, budget: &mut impl Budget) -> bool {
        let Some(cap) = self.cap else { return false };
        if self.tally.tokens() < cap || self.choices.all_finished() {
            return false;
        }
        let output = self.output();
        self.cap = budget.cap(output);
        self.cap.is_some_and(|cap| output >= cap)
    }

    fn cut(&mut self, out: &mut Vec<u8>, budget: &mut impl Budget) {
        self.stage = Stage::Cut;
        let told = self.told(false);
        let identity = self.identity.clone().unwrap_or_default();
        let ending = ending::Ending { identity: &identity, choices: &self.choices, usage: told.usage };
        out.extend_from_slice(ending.write(self.endpoint, self.wants_usage, &budget.comment(&told)).as_bytes());
    }

    fn comment(&self, out: &mut Vec<u8>, budget: &mut impl Budget) {
        out.extend_from_slice(budget.comment(&self.told(true)).as_bytes());
    }
}

#[cfg(test)]
mod tests;
