//! Streams that break: before their first content they are failures, which the proxy retries; behind it the client is told.
//!
//! Until an event carries a part of the answer, the head and what came so far are kept back, where the proxy can do so. What
//! passes, passes as it came; a stream that ends without its end sign gets one event more, an error.

mod event;
mod told;

use domain::{headers::Headers, sse};
use event::{Says, Seen};

/// So much is kept back at most, in bytes: an event that is longer is an answer's part, whatever it says.
const LONGEST: usize = 64 << 10;

/// How long a head is kept back while the provider only says that it is still there, in seconds: a client, or a proxy before
/// it, waits a minute or so for a sign of life.
const PATIENCE: u64 = 10;

/// The longest event whose meaning is read, in bytes. One that is longer may be the end, for the last of a response has all
/// of the response in it.
const LONGEST_EVENT: usize = 256 << 10;

/// How many bytes tell that an event is finished: two line ends.
const TAIL: usize = 4;

/// The words in which a client hears of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    /// Of chat completions, and of completions.
    Chat,
    /// Of the Responses API.
    Responses,
    /// Of Anthropic's own.
    Messages,
}

/// What becomes of the beginning of a stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Begin {
    /// It is kept back.
    Wait,
    /// It passes, and so does everything behind it; these bytes follow it where it is all there is, and no whole answer.
    Pass(Option<Vec<u8>>),
    /// It is an error with this status and this JSON, and nothing behind it counts.
    Fail(u16, Vec<u8>),
}

/// One stream.
#[derive(Debug)]
pub struct Watched {
    words: Words,
    stage: Stage,
    events: sse::Reader,
    seen: Seen,
    /// The last bytes that came, which say whether an event is unfinished.
    tail: Vec<u8>,
}

/// What came first of what counts.
#[derive(Debug, PartialEq, Eq)]
enum First {
    /// A part of an answer.
    Content,
    /// An error, with this data.
    Error(Vec<u8>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing has passed, since `since` seconds; so many bytes of it are read.
    Held { since: u64, read: usize },
    /// It passes.
    Passing,
    /// It was an error.
    Failed,
}

impl Watched {
    /// The answer to `operation` that begins with this head at `now`, in seconds, if it is a stream that can be read.
    /// `operation` is the client's, so that it hears of errors in its own words.
    #[must_use]
    pub fn of(operation: &str, status: u16, headers: &Headers, now: u64) -> Option<Self> {
        let words = match operation {
            "/chat/completions" | "/completions" => Words::Chat,
            "/responses" => Words::Responses,
            "/messages" => Words::Messages,
            _ => return None,
        };
        let kind = headers.text("content-type").unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let plain = headers.get("content-encoding").is_none_or(|it| it.is_empty() || it == b"identity");
        let streams = (200..300).contains(&status) && kind.eq_ignore_ascii_case("text/event-stream") && plain;
        streams.then(|| Self::new(words, now))
    }

    fn new(words: Words, now: u64) -> Self {
        Self {
            words,
            stage: Stage::Held { since: now, read: 0 },
            events: sse::Reader::new(LONGEST_EVENT),
            seen: Seen::default(),
            tail: Vec::new(),
        }
    }

    /// Looks at all that has `begun` so far, and is all there is when it is the `last`.
    pub fn begin(&mut self, begun: &[u8], last: bool, now: u64) -> Begin {
        let Stage::Held { since, read } = self.stage else {
            return Begin::Pass(None);
        };
        let first = self.read(begun.get(read..).unwrap_or_default(), last);
        let enough = begun.len() > LONGEST || now.saturating_sub(since) >= PATIENCE;
        let (status, body) = match first {
            Some(First::Error(data)) => told::failure(self.words, &data),
            None if last => told::nothing(self.words),
            None if !enough => {
                self.stage = Stage::Held { since, read: begun.len() };
                return Begin::Wait;
            }
            Some(First::Content) | None => {
                self.stage = Stage::Passing;
                return Begin::Pass(if last { self.ending() } else { None });
            }
        };
        self.stage = Stage::Failed;
        Begin::Fail(status, body)
    }

    /// What passes in the place of a piece behind the beginning; `None`: the piece itself. Without a beginning, where the
    /// proxy cannot hold one, every piece comes here.
    pub fn piece(&mut self, piece: &[u8], last: bool) -> Option<Vec<u8>> {
        if self.stage == Stage::Failed {
            return Some(Vec::new());
        }
        self.stage = Stage::Passing;
        self.read(piece, last);
        let ending = if last { self.ending() } else { None };
        ending.map(|it| [piece, &it].concat())
    }

    /// Whether it was an error, of which nothing more is to pass.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.stage == Stage::Failed
    }

    fn read(&mut self, bytes: &[u8], last: bool) -> Option<First> {
        let Self { events, seen, tail, .. } = self;
        let mut first = None;
        let mut each = |event: sse::Event<'_>| {
            let says = seen.event(&event);
            first = first.take().or(match (says, event) {
                (Says::Nothing, _) => None,
                (Says::Error, sse::Event::Message { data, .. }) => Some(First::Error(data.to_vec())),
                (Says::Content | Says::Error, _) => Some(First::Content),
            });
        };
        events.read(bytes, &mut each);
        if last {
            std::mem::replace(events, sse::Reader::new(0)).finish(each);
        }
        tail.extend_from_slice(bytes.get(bytes.len().saturating_sub(TAIL)..).unwrap_or_default());
        tail.drain(..tail.len().saturating_sub(TAIL));
        first
    }

    /// What is to be said behind the last byte, if the answer has not come to its end.
    fn ending(&self) -> Option<Vec<u8>> {
        if self.seen.is_over() {
            return None;
        }
        let between =
            self.tail.is_empty() || [&b"\n\n"[..], b"\r\r", b"\r\n\r\n"].iter().any(|it| self.tail.ends_with(it));
        let broken = told::broken(self.words, self.seen.sequence);
        Some(if between { broken } else { [b"\n\n", broken.as_slice()].concat() })
    }
}

#[cfg(test)]
mod tests;
