//! Server-Sent Events (WHATWG HTML, 9.2.6), read as they pass, however the bytes are cut.
//!
//! Lines may end in LF, CRLF or CR. Memory is bounded: an event that is longer than the limit, or has
//! a line that is, is reported as [`Event::TooLong`], without its data.

mod frames;

pub use frames::{Frame, Frames, data};

use std::borrow::Cow;

/// What a stream said.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// An event that has data.
    Message {
        /// The `event` field; empty when there was none.
        kind: &'a [u8],
        /// The `data` lines, joined by line feeds.
        data: &'a [u8],
    },
    /// An event that was longer than the limit, or had a line that was.
    TooLong,
}

/// Reads one stream.
#[derive(Debug)]
pub struct Reader {
    /// How many bytes of one line, and of one event's fields together, are kept.
    limit: usize,
    /// The unfinished line at the end of what came so far.
    line: Vec<u8>,
    kind: Vec<u8>,
    /// The data of the unfinished event, a line feed behind each line.
    data: Vec<u8>,
    line_too_long: bool,
    too_long: bool,
    /// The last byte was a carriage return, so a line feed right behind it ends nothing.
    after_return: bool,
    /// Nothing came yet, so a byte order mark may.
    at_start: bool,
}

impl Reader {
    /// A reader that keeps at most `limit` bytes of a line, and as many of an event.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            line: Vec::new(),
            kind: Vec::new(),
            data: Vec::new(),
            line_too_long: false,
            too_long: false,
            after_return: false,
            at_start: true,
        }
    }

    /// How many bytes it keeps of what is unfinished.
    #[must_use]
    pub fn held(&self) -> usize {
        self.line.len().saturating_add(self.kind.len()).saturating_add(self.data.len())
    }

    /// Reads on; `each` is called with every event that `bytes` finish.
    pub fn read(&mut self, mut bytes: &[u8], mut each: impl FnMut(Event<'_>)) {
        if self.after_return && !bytes.is_empty() {
            self.after_return = false;
            bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        while let Some(end) = bytes.iter().position(|it| matches!(it, b'\n' | b'\r')) {
            let (line, ending) = bytes.split_at_checked(end).unwrap_or_default();
            bytes = match ending {
                [b'\r'] => {
                    self.after_return = true;
                    &[]
                }
                [b'\r', b'\n', rest @ ..] | [_, rest @ ..] => rest,
                [] => &[],
            };
            self.line(line, &mut each);
        }
        self.keep(bytes);
    }

    /// The stream ended: an event that lacks its blank line, which some clients accept, is shown too.
    pub fn finish(mut self, mut each: impl FnMut(Event<'_>)) {
        self.line(b"", &mut each);
        self.line(b"", &mut each);
    }

    /// Keeps the beginning of a line whose end has not come yet.
    fn keep(&mut self, part: &[u8]) {
        if self.line.len().saturating_add(part.len()) > self.limit {
            self.line_too_long = true;
            self.line = Vec::new();
        } else if !self.line_too_long {
            self.line.extend_from_slice(part);
        }
    }

    /// A line ended; `tail` is what came of it behind `self.line`.
    fn line(&mut self, tail: &[u8], each: &mut impl FnMut(Event<'_>)) {
        let begun = std::mem::take(&mut self.line);
        let length = begun.len().saturating_add(tail.len());
        let first = std::mem::replace(&mut self.at_start, false);
        if std::mem::replace(&mut self.line_too_long, false) || length > self.limit {
            self.too_long = true;
            return;
        }
        let line = if begun.is_empty() { Cow::Borrowed(tail) } else { Cow::Owned([&begun, tail].concat()) };
        match line.strip_prefix(b"\xef\xbb\xbf").filter(|_| first).unwrap_or(&line) {
            b"" => self.dispatch(each),
            line => self.field(line),
        }
    }

    fn dispatch(&mut self, each: &mut impl FnMut(Event<'_>)) {
        let (kind, data) = (std::mem::take(&mut self.kind), std::mem::take(&mut self.data));
        if std::mem::replace(&mut self.too_long, false) {
            each(Event::TooLong);
        } else if let Some(data) = data.strip_suffix(b"\n") {
            each(Event::Message { kind: &kind, data });
        }
    }

    fn field(&mut self, line: &[u8]) {
        let (name, value) = match line.iter().position(|it| *it == b':') {
            Some(colon) => line.split_at_checked(colon).unwrap_or_default(),
            None => (line, &b""[..]),
        };
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        if !matches!(name, b"data" | b"event") {
            return;
        }
        let held = self.data.len().saturating_add(self.kind.len()).saturating_add(value.len());
        if held > self.limit {
            self.too_long = true;
            self.data = Vec::new();
        }
        if self.too_long {
            // Nothing more of this event is kept.
        } else if name == b"data" {
            self.data.extend_from_slice(value);
            self.data.push(b'\n');
        } else {
            self.kind = value.to_vec();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The events of a stream whose pieces are `cuts`, as text.
    fn events(limit: usize, pieces: &[&[u8]]) -> Vec<String> {
        let (mut reader, mut seen) = (Reader::new(limit), Vec::new());
        let mut each = |event: Event<'_>| {
            seen.push(match event {
                Event::Message { kind, data } => {
                    format!("{}|{}", String::from_utf8_lossy(kind), String::from_utf8_lossy(data))
                }
                Event::TooLong => "too long".to_owned(),
            });
        };
        for piece in pieces {
            reader.read(piece, &mut each);
        }
        reader.finish(&mut each);
        seen
    }

    fn check(stream: &str) -> Vec<String> {
        let whole = events(64, &[stream.as_bytes()]);
        for at in 0..=stream.len() {
            let (left, right) = stream.as_bytes().split_at(at);
            assert_eq!(events(64, &[left, right]), whole, "cut at {at}: {stream:?}");
        }
        let bytes: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
        assert_eq!(events(64, &bytes), whole, "byte by byte: {stream:?}");
        whole
    }

    #[test]
    fn every_line_ending_is_read() {
        for end in ["\n", "\r\n", "\r"] {
            let stream = ["data: a", "", "event: error", "data:b", "data: c", "", ""].join(end);
            assert_eq!(check(&stream), ["|a", "error|b\nc"], "{end:?}");
        }
        assert_eq!(check("data: a\r\r\ndata: b\n\r\n"), ["|a", "|b"]);
    }

    #[test]
    fn what_is_no_data_is_passed_over() {
        assert_eq!(check(": comment\n\nid: 1\nretry: 2\n\nnonsense\ndata\n\n"), ["|"]);
        assert_eq!(check("\u{feff}data:  x\n\n\n\n"), ["| x"]);
        assert_eq!(check("event: a\n\ndata: b\n\n"), ["|b"]);
    }

    #[test]
    fn a_last_event_without_its_blank_line_is_shown() {
        assert_eq!(check("data: [DONE]"), ["|[DONE]"]);
        assert_eq!(check("data: [DONE]\n"), ["|[DONE]"]);
    }

    #[test]
    fn an_event_that_is_too_long_is_named_and_the_next_one_is_read() {
        let long = "x".repeat(100);
        assert_eq!(check(&format!("data: {long}\ndata: y\n\ndata: b\n\n")), ["too long", "|b"]);
        let lines = "data: 123456789\n".repeat(10);
        assert_eq!(check(&format!("{lines}\ndata: b\n\n")), ["too long", "|b"]);
    }

    proptest! {
        #[test]
        fn the_cut_makes_no_difference(stream in "(data|event|:|: |\r|\n|\r\n|a|é){0,30}", cuts in prop::collection::vec(0_usize..60, 0..5)) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|it| it.min(stream.len())).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|it| &stream.as_bytes()[it[0]..it[1]]).collect();
            prop_assert_eq!(events(24, &pieces), events(24, &[stream.as_bytes()]));
        }
    }
}
