//! A streamed answer as it passes.
//!
//! Each event goes out when it came, with what may go out of its texts: an event all of whose text is held has an empty
//! one, so that roles, names of tools and counts keep their place. What is held goes out with the event that ends its
//! text or, where that has no place for it, in an event of our own before it.
//!
//! What may not pass ends the answer as its API ends one that a content filter stopped: `finish_reason`
//! `content_filter` for each choice that is under way, then the usage if the client asked for it and the provider tells
//! it, and `[DONE]`; `response.incomplete` with the reason `content_filter`; `stop_reason` `refusal`. The rest of the
//! provider's stream is swallowed.

use super::finder::{Finder, Hits};
use super::own::Stream;
use super::scanner::{Blocked, Scanner, With};
use super::shape::{Channel, Over, Seen, Slot};
use super::{json, vault::Vault};
use domain::chat::Endpoint;
use domain::sse::{self, Frame, Frames};
use std::ops::Range;

/// So many texts may be under way at once.
pub(crate) const MOST_CHANNELS: usize = 256;

/// How a stream is guarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// So many characters of a text may be held.
    pub hold: usize,
    /// The longest event that is looked at, in bytes: the last one of the Responses API has all of the answer in it.
    pub longest_event: usize,
    /// What becomes of a longer one.
    pub on_too_long: OnTooLong,
    /// The client asked for the usage (`stream_options.include_usage`).
    pub wants_usage: bool,
    /// Nothing changes; what would have been found is counted.
    pub shadow: bool,
}

/// What becomes of a stream with an event that is too long to be looked at, or with too many texts at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnTooLong {
    /// It ends there, as if something had been found.
    Block,
    /// It passes unseen.
    Allow,
}

/// A stream.
#[derive(Debug)]
pub struct Streamed {
    endpoint: Endpoint,
    settings: Settings,
    vault: Vault,
    hits: Hits,
    frames: Frames,
    channels: Vec<Open>,
    own: Stream,
    /// Something came in pieces.
    has_pieces: bool,
    stage: Stage,
}

/// A text that is under way.
#[derive(Debug)]
struct Open {
    channel: Channel,
    scanner: Scanner,
    /// What its events say besides, in the Responses API.
    envelope: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The answer is coming.
    Open,
    /// It was ended, but for a usage that may come.
    Blocked,
    /// It is over, and what else comes is swallowed.
    Cut,
}

/// Why an event cannot pass.
enum Stop {
    /// Something was found; this much of the text before it may go.
    Blocked(Channel, String),
    TooMany,
}

impl Streamed {
    /// The stream that answers a request at `endpoint`, with the placeholders of that request.
    #[must_use]
    pub fn new(endpoint: Endpoint, vault: Vault, settings: Settings) -> Self {
        Self {
            endpoint,
            settings,
            vault,
            hits: Hits::default(),
            frames: Frames::new(settings.longest_event),
            channels: Vec::new(),
            own: Stream::default(),
            has_pieces: false,
            stage: Stage::Open,
        }
    }

    /// Reads a piece of the body; what is to pass in its place.
    pub fn read(&mut self, finder: &impl Finder, bytes: &[u8], last: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        let mut frames = std::mem::replace(&mut self.frames, Frames::new(0));
        frames.read(bytes, |frame| match frame {
            // What came in one piece is whole however long it is.
            Frame::Whole(event) if event.len() <= self.settings.longest_event => self.event(finder, event, &mut out),
            Frame::Whole(part) | Frame::Torn(part) => self.torn(finder, part, &mut out),
        });
        self.frames = frames;
        if last {
            let rest = self.frames.rest();
            self.event(finder, &rest, &mut out);
            self.end(finder, &rest, &mut out);
        }
        if self.settings.shadow { bytes.to_vec() } else { out }
    }

    /// Nothing has come for a while: what is held, as events of our own. What it might have become is not found any
    /// more.
    pub fn idle(&mut self, finder: &impl Finder) -> Vec<u8> {
        let mut out = Vec::new();
        // Behind half an event there is no place for another.
        if self.stage == Stage::Open && self.frames.is_empty() && !self.settings.shadow {
            self.flush(finder, &Over::All, false, &mut out);
        }
        out
    }

    /// Whether something may be held, so that [`Self::idle`] has something to say.
    #[must_use]
    pub fn is_holding(&self) -> bool {
        self.channels.iter().any(|it| !it.scanner.is_empty())
    }

    /// What was found so far.
    #[must_use]
    pub fn hits(&self) -> &Hits {
        &self.hits
    }

    /// Whether it was ended.
    #[must_use]
    pub fn was_blocked(&self) -> bool {
        self.stage != Stage::Open
    }

    fn event(&mut self, finder: &impl Finder, event: &[u8], out: &mut Vec<u8>) {
        if self.stage == Stage::Cut {
            return;
        }
        let data = sse::data(event.strip_prefix(b"\xef\xbb\xbf").unwrap_or(event));
        let data = data.as_deref().unwrap_or_default();
        let done = data.trim_ascii_start().starts_with(b"[DONE]");
        if done && self.stage == Stage::Open {
            self.flush(finder, &Over::All, true, out);
        }
        if self.stage == Stage::Blocked {
            return self.blocked(data, done, out);
        }
        let seen = std::str::from_utf8(data).ok().and_then(Seen::read);
        if is_sign_of_life(event, seen.as_ref()) {
            self.flush(finder, &Over::All, false, out);
        }
        match seen {
            _ if self.stage != Stage::Open => {}
            Some(seen) => self.seen(finder, event, &seen, out),
            None => out.extend_from_slice(event),
        }
    }

    fn seen(&mut self, finder: &impl Finder, event: &[u8], seen: &Seen<'_>, out: &mut Vec<u8>) {
        self.own.see(seen);
        let mut edits = Vec::new();
        for (nth, slot) in seen.slots.iter().enumerate() {
            // A text that ends here, and has no more in this event.
            let behind = seen.slots.get(nth.saturating_add(1)..).unwrap_or_default();
            let last = is_over(&seen.over, slot.channel) && behind.iter().all(|it| it.channel != slot.channel);
            match self.slot(finder, seen, slot, last) {
                Ok(None) => {}
                Ok(Some(edit)) => edits.push(edit),
                Err(stop) => return self.stop(stop, out),
            }
        }
        self.flush(finder, &seen.over, true, out);
        if self.stage != Stage::Open {
            return;
        }
        self.own.passed(seen);
        if !edits.is_empty() {
            edits.extend(seen.echoes.iter().map(|it| (it.clone(), "null".to_owned())));
        }
        if let (Some(number), Some(old)) = (self.own.renumbered(seen), seen.member("sequence_number")) {
            edits.extend(json::span(seen.whole(), old).map(|it| (it, number.to_string())));
        }
        if edits.is_empty() {
            out.extend_from_slice(event);
        } else {
            rewrite(event, &json::splice(seen.whole(), edits), out);
        }
    }

    /// What becomes of a string, if anything.
    fn slot(
        &mut self,
        finder: &impl Finder,
        seen: &Seen<'_>,
        slot: &Slot<'_>,
        last: bool,
    ) -> Result<Option<(Range<usize>, String)>, Stop> {
        let mut new = String::with_capacity(slot.text.len());
        if slot.whole {
            let went = self.again(finder, seen, slot, &mut new);
            went.map_err(|_| Stop::Blocked(slot.channel, String::new()))?;
        } else {
            self.has_pieces = true;
            let place = self.channels.iter().position(|it| it.channel == slot.channel);
            let place = place.unwrap_or_else(|| self.open(seen, slot.channel));
            let mut with = With { finder, vault: &mut self.vault, hits: &mut self.hits, hold: self.settings.hold };
            let Some(open) = self.channels.get_mut(place) else {
                with.hits.too_long = true;
                return if self.settings.on_too_long == OnTooLong::Allow { Ok(None) } else { Err(Stop::TooMany) };
            };
            let mut went = open.scanner.push(&slot.text, &mut with, &mut new);
            if last && went.is_ok() {
                went = open.scanner.flush(&mut with, &mut new);
            }
            if went.is_err() {
                return Err(Stop::Blocked(slot.channel, new));
            }
        }
        let changed = new != slot.text;
        Ok(changed.then(|| (slot.span.clone(), if slot.raw { new } else { json::quoted(&new) })))
    }

    /// A text that is here in one piece. It came in smaller ones before, and goes the same way, so that it says the
    /// same.
    fn again(
        &mut self,
        finder: &impl Finder,
        seen: &Seen<'_>,
        slot: &Slot<'_>,
        new: &mut String,
    ) -> Result<(), Blocked> {
        let mut with = With { finder, vault: &mut self.vault, hits: &mut self.hits, hold: self.settings.hold };
        // It was counted then; and the last event says again what those before it said.
        let mut again = Hits::default();
        if self.has_pieces || seen.over != Over::All {
            with.hits = &mut again;
        }
        let mut scanner = Scanner::new(slot.channel.field.is_json());
        scanner.push(&slot.text, &mut with, new)?;
        scanner.flush(&mut with, new)
    }

    /// A text begins; its place, which is nowhere when there are too many.
    fn open(&mut self, seen: &Seen<'_>, channel: Channel) -> usize {
        let place = self.channels.len();
        if place < MOST_CHANNELS {
            let envelope = if self.endpoint == Endpoint::Responses { Stream::envelope(seen) } else { String::new() };
            self.channels.push(Open { channel, scanner: Scanner::new(channel.field.is_json()), envelope });
        }
        place
    }

    /// What is held of texts that are over goes out in events of our own; they are forgotten. `before`: ahead of an
    /// event that has come, and not behind the last.
    fn flush(&mut self, finder: &impl Finder, over: &Over, before: bool, out: &mut Vec<u8>) {
        if *over == Over::Nothing {
            return;
        }
        let mut stopped = None;
        for open in self.channels.iter_mut().filter(|it| is_over(over, it.channel)) {
            let mut with = With { finder, vault: &mut self.vault, hits: &mut self.hits, hold: self.settings.hold };
            let mut text = String::new();
            let went = open.scanner.flush(&mut with, &mut text);
            if !text.is_empty() {
                let piece = self.own.piece(self.endpoint, open.channel, &open.envelope, &text, before);
                out.extend_from_slice(piece.as_bytes());
            }
            if went.is_err() {
                stopped = Some(Stop::Blocked(open.channel, String::new()));
                break;
            }
        }
        match stopped {
            Some(stop) => self.stop(stop, out),
            None if before => self.channels.retain(|it| !is_over(over, it.channel)),
            None => {}
        }
    }

    /// The answer ends here.
    fn stop(&mut self, stop: Stop, out: &mut Vec<u8>) {
        match stop {
            Stop::TooMany => self.hits.too_long = true,
            Stop::Blocked(channel, text) if !text.is_empty() => {
                let open = self.channels.iter().find(|it| it.channel == channel);
                let envelope = open.map(|it| it.envelope.clone()).unwrap_or_default();
                out.extend_from_slice(self.own.piece(self.endpoint, channel, &envelope, &text, true).as_bytes());
            }
            Stop::Blocked(..) => {}
        }
        out.extend_from_slice(self.own.end(self.endpoint).as_bytes());
        self.channels.clear();
        let chat = matches!(self.endpoint, Endpoint::ChatCompletions | Endpoint::Completions);
        self.stage = if chat && self.settings.wants_usage { Stage::Blocked } else { Stage::Cut };
        if chat && self.stage == Stage::Cut {
            out.extend_from_slice(b"data: [DONE]\n\n");
        }
    }

    /// An event behind the end: of all that it says, the usage counts.
    fn blocked(&mut self, data: &[u8], done: bool, out: &mut Vec<u8>) {
        let text = std::str::from_utf8(data).unwrap_or_default();
        let usage = json::members(text).into_iter().find(|(name, value)| name == "usage" && *value != "null");
        if let Some((_, usage)) = &usage {
            out.extend_from_slice(self.own.usage(usage).as_bytes());
        }
        if done || usage.is_some() {
            out.extend_from_slice(b"data: [DONE]\n\n");
            self.stage = Stage::Cut;
        }
    }

    /// A part of an event that is too long.
    fn torn(&mut self, finder: &impl Finder, part: &[u8], out: &mut Vec<u8>) {
        if self.stage == Stage::Open {
            // What came before it comes before it.
            self.flush(finder, &Over::All, true, out);
        }
        match (self.stage, self.settings.on_too_long) {
            (Stage::Open, OnTooLong::Block) => self.stop(Stop::TooMany, out),
            (Stage::Open, OnTooLong::Allow) => {
                self.hits.too_long = true;
                out.extend_from_slice(part);
            }
            _ => {}
        }
    }

    /// The body ended, behind `rest`.
    fn end(&mut self, finder: &impl Finder, rest: &[u8], out: &mut Vec<u8>) {
        match self.stage {
            Stage::Open if self.is_holding() => {
                if !rest.is_empty() {
                    out.extend_from_slice(b"\n\n");
                }
                self.flush(finder, &Over::All, false, out);
            }
            Stage::Blocked => self.blocked(b"", true, out),
            _ => {}
        }
        self.channels.clear();
    }
}

/// Whether it only says that the provider is still there, which nobody says while something comes.
fn is_sign_of_life(event: &[u8], seen: Option<&Seen<'_>>) -> bool {
    match seen {
        Some(seen) => seen.text("type").is_some_and(|it| it == "ping"),
        None => event.starts_with(b":"),
    }
}

fn is_over(over: &Over, channel: Channel) -> bool {
    match over {
        Over::Nothing => false,
        Over::Of(all) => all.contains(&channel.of),
        Over::All => true,
    }
}

/// `event` with other data; its other lines stay as they are.
fn rewrite(event: &[u8], data: &str, out: &mut Vec<u8>) {
    let mut rest = event;
    let mut written = false;
    while !rest.is_empty() {
        let end = rest.iter().position(|it| matches!(it, b'\n' | b'\r')).unwrap_or(rest.len());
        let pair = rest.get(end..).is_some_and(|it| it.starts_with(b"\r\n"));
        let ending = end.saturating_add(if pair { 2 } else { 1 }).min(rest.len());
        let (line, ending) = (rest.get(..end).unwrap_or_default(), rest.get(end..ending).unwrap_or_default());
        rest = rest.get(end.saturating_add(ending.len())..).unwrap_or_default();
        let bare = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        if !bare.starts_with(b"data:") {
            out.extend_from_slice(line);
            out.extend_from_slice(ending);
        } else if !std::mem::replace(&mut written, true) {
            for line in data.split('\n') {
                out.extend_from_slice(b"data: ");
                out.extend_from_slice(line.as_bytes());
                out.extend_from_slice(ending);
            }
        }
    }
}

#[cfg(test)]
mod tests;
