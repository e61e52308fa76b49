//! A stream as a row of raw events, so that a filter can leave one out or put one before another, and every other byte
//! passes as it came.
//!
//! An unfinished event is kept back until it is whole, up to a limit. One that is longer passes in pieces,
//! [`Frame::Torn`], as they come: a stream is never collected.

use std::borrow::Cow;

/// A piece of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A whole event, its blank line included; a comment, and a blank line alone, is one too.
    Whole(&'a [u8]),
    /// A part of an event that is longer than the limit.
    Torn(&'a [u8]),
}

/// Splits one stream.
#[derive(Debug)]
pub struct Frames {
    limit: usize,
    /// The unfinished event.
    held: Vec<u8>,
    /// The event that passes now is longer than the limit.
    torn: bool,
    line: Line,
}

/// Where in a line the last byte left off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// Something stands in it.
    Begun,
    /// Nothing stands in it yet.
    Empty,
    /// It ended with a carriage return, behind which a line feed may still belong to it.
    Return {
        /// The line that ended was blank.
        blank: bool,
    },
}

impl Frames {
    /// Keeps back an unfinished event of at most `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, held: Vec::new(), torn: false, line: Line::Empty }
    }

    /// Reads on; `each` gets every piece that is to pass now, in order.
    pub fn read(&mut self, bytes: &[u8], mut each: impl FnMut(Frame<'_>)) {
        let mut rest = bytes;
        while let Some(end) = self.event_end(rest) {
            let (event, behind) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            self.pass(event, &mut each);
            self.torn = false;
            rest = behind;
        }
        if rest.is_empty() {
            return;
        }
        if self.torn || self.held.len().saturating_add(rest.len()) > self.limit {
            let held = std::mem::take(&mut self.held);
            if !held.is_empty() {
                each(Frame::Torn(&held));
            }
            self.torn = true;
            each(Frame::Torn(rest));
        } else {
            self.held.extend_from_slice(rest);
        }
    }

    /// Whether nothing is kept back.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// What is still kept back when the stream ends: an event without its blank line.
    #[must_use]
    pub fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    /// An event ended with `tail`; what came of it before is in `self.held`, or has passed.
    fn pass(&mut self, tail: &[u8], each: &mut impl FnMut(Frame<'_>)) {
        if self.torn {
            each(Frame::Torn(tail));
        } else if self.held.is_empty() {
            each(Frame::Whole(tail));
        } else {
            self.held.extend_from_slice(tail);
            each(Frame::Whole(&std::mem::take(&mut self.held)));
        }
    }

    /// How many of `bytes` belong to the event that they end, if they end one.
    fn event_end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0_usize;
        while let Some(rest) = bytes.get(at..).filter(|it| !it.is_empty()) {
            let Some(step) = rest.iter().position(|it| matches!(it, b'\n' | b'\r')) else {
                self.line = Line::Begun;
                return None;
            };
            let before = if step > 0 { Line::Begun } else { self.line };
            at = at.saturating_add(step).saturating_add(1);
            let feed = rest.get(step) == Some(&b'\n');
            let (line, ends) = match before {
                // The second half of a line's end. The first half ended an event already if the line was blank.
                Line::Return { blank: false } if feed => (Line::Empty, false),
                Line::Return { blank: true } if feed => (Line::Empty, true),
                Line::Begun if feed => (Line::Empty, false),
                Line::Begun => (Line::Return { blank: false }, false),
                Line::Empty | Line::Return { .. } if feed => (Line::Empty, true),
                Line::Empty | Line::Return { .. } => (Line::Return { blank: true }, true),
            };
            self.line = line;
            if ends {
                // The line feed of this blank line's carriage return belongs to the event, where it is here already.
                let pair = !feed && bytes.get(at) == Some(&b'\n');
                if pair {
                    self.line = Line::Empty;
                }
                return Some(if pair { at.saturating_add(1) } else { at });
            }
        }
        None
    }
}

/// The `data` of a raw event, lines joined by line feeds; `None` when it has none.
#[must_use]
pub fn data(event: &[u8]) -> Option<Cow<'_, [u8]>> {
    let mut found: Option<Cow<'_, [u8]>> = None;
    for line in event.split(|it| matches!(it, b'\n' | b'\r')) {
        let Some(value) = line.strip_prefix(b"data").and_then(|it| it.strip_prefix(b":")) else {
            continue;
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        found = Some(match found {
            None => Cow::Borrowed(value),
            Some(before) => Cow::Owned([before.as_ref(), b"\n", value].concat()),
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frames(limit: usize, pieces: &[&[u8]]) -> (Vec<String>, Vec<u8>) {
        let (mut frames, mut seen, mut bytes) = (Frames::new(limit), Vec::new(), Vec::new());
        for piece in pieces {
            frames.read(piece, |frame| match frame {
                Frame::Whole(event) => {
                    bytes.extend_from_slice(event);
                    if let Some(data) = data(event) {
                        seen.push(String::from_utf8_lossy(&data).into_owned());
                    }
                }
                Frame::Torn(part) => {
                    bytes.extend_from_slice(part);
                    if seen.last().is_none_or(|it| it != "torn") {
                        seen.push("torn".to_owned());
                    }
                }
            });
            assert!(frames.held.len() <= limit);
        }
        bytes.extend(frames.rest());
        (seen, bytes)
    }

    fn check(stream: &str) -> Vec<String> {
        let whole = frames(64, &[stream.as_bytes()]).0;
        for at in 0..=stream.len() {
            let (left, right) = stream.as_bytes().split_at(at);
            let (seen, bytes) = frames(64, &[left, right]);
            assert_eq!((seen, bytes.as_slice()), (whole.clone(), stream.as_bytes()), "cut at {at}: {stream:?}");
        }
        let single: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
        assert_eq!(frames(64, &single).0, whole, "byte by byte: {stream:?}");
        whole
    }

    #[test]
    fn events_are_whole_however_they_end_and_are_cut() {
        for end in ["\n", "\r\n", "\r"] {
            let stream = ["data: a", "", ": c", "", "event: x", "data:b", "data: c", "", "data: [DONE]", "", ""];
            assert_eq!(check(&stream.join(end)), ["a", "b\nc", "[DONE]"], "{end:?}");
        }
        assert_eq!(check("data: a\r\r\ndata: b\n\r\ndata: c\r\n\n"), ["a", "b", "c"]);
    }

    #[test]
    fn what_is_not_finished_is_given_back_at_the_end() {
        let (seen, bytes) = frames(64, &[b"data: a\n\ndata: b\n"]);
        assert_eq!((seen, bytes.as_slice()), (vec!["a".to_owned()], &b"data: a\n\ndata: b\n"[..]));
    }

    #[test]
    fn an_event_over_the_limit_passes_in_pieces_and_the_next_is_whole() {
        let long = format!("data: {}\n\ndata: b\n\n", "x".repeat(200));
        let pieces: Vec<&[u8]> = long.as_bytes().chunks(7).collect();
        let (seen, bytes) = frames(64, &pieces);
        assert_eq!((seen, bytes), (vec!["torn".to_owned(), "b".to_owned()], long.into_bytes()));
    }

    proptest! {
        #[test]
        fn every_byte_passes_once_and_the_cut_makes_no_difference(
            stream in "(data|event|:|: |\r|\n|\r\n|\n\n|a|é){0,40}", cuts in prop::collection::vec(0_usize..80, 0..6), limit in 1_usize..40,
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|it| it.min(stream.len())).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|it| &stream.as_bytes()[it[0]..it[1]]).collect();
            prop_assert_eq!(frames(limit, &pieces).1, stream.as_bytes());
            prop_assert_eq!(frames(1_000, &pieces).0, frames(1_000, &[stream.as_bytes()]).0);
        }
    }
}
