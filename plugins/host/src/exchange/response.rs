//! The response's half of an exchange: what a filter sees of it, in pieces or whole, and what is kept back meanwhile.

use super::{Action, Exchange, Request};
use crate::{
    abi::{self, Buffer},
    contexts,
    head::ResponseHead,
    kind::{Kind, kind},
    plugin::{Chunk, Stream, Watch},
};

/// Where the response is.
pub(super) enum Response {
    /// The filter follows it. Of `length` bytes, where the host does not tell the end, `seen` have passed.
    Watched { edit: bool, seen: u64, length: Option<u64> },
    /// The filter waits for the whole of it, `limit` bytes at most. Envoy keeps the `seen` bytes back, and its head; in
    /// Kong they went on, and are `kept` here.
    Collected { limit: usize, seen: usize, kept: Vec<u8>, length: Option<u64> },
    /// In Envoy: all from some piece on is kept back, `size` bytes so far, until the filter's plugin releases it; `over` says
    /// that its end is here too.
    Held { size: usize, over: bool },
    /// In Envoy: the filter has not seen enough of its beginning, which is kept back with the head; so much is here.
    Begun { seen: usize },
    /// It has not come, has ended, or is none of the filter's business.
    Free,
}

impl<S: Stream> Exchange<S> {
    pub(super) fn response_headers(&mut self, end: bool) -> Action {
        if matches!(self.request, Request::Answered) {
            return Action::Continue;
        }
        let mut head = ResponseHead::default();
        let watch = self.stream.response_head(&mut head);
        if watch == Watch::Nothing {
            return Action::Continue;
        }
        let length = match (kind(), watch) {
            (Kind::Envoy, Watch::Read | Watch::Edit | Watch::Begin) => None,
            _ => head.headers().text("content-length").and_then(|it| it.parse().ok()),
        };
        let over = end || length == Some(0);
        match watch {
            Watch::Whole { .. } if over => self.stream.response_whole(Some(&mut head), b""),
            Watch::Whole { limit } if length.is_none_or(|it| usize::try_from(it).is_ok_and(|it| it <= limit)) => {
                self.response = Response::Collected { limit, seen: 0, kept: Vec::new(), length };
                // Kong cannot hold a response.
                return if kind() == Kind::Envoy { Action::Pause } else { Action::Continue };
            }
            _ => {
                let edit = matches!(watch, Watch::Edit | Watch::Begin);
                if edit {
                    head.remove("content-length");
                }
                if watch == Watch::Begin && kind() == Kind::Envoy {
                    return self.begin_response(&mut head, over);
                }
                if over {
                    self.stream.response_chunk(Vec::new(), true);
                } else {
                    let length = length.filter(|_| kind() == Kind::Kong);
                    self.response = Response::Watched { edit, seen: 0, length };
                }
            }
        }
        Action::Continue
    }

    /// In Envoy: the head of a response is here whose beginning the filter wants to see first.
    fn begin_response(&mut self, head: &mut ResponseHead, over: bool) -> Action {
        if over {
            // Where no body is there is no place for one.
            self.stream.response_begin(head, b"", true);
            return Action::Continue;
        }
        self.response = Response::Begun { seen: 0 };
        Action::Pause
    }

    /// In Envoy: `size` bytes of a response that is kept back are here.
    fn beginning_response(&mut self, size: usize, end: bool) -> Action {
        self.response = Response::Begun { seen: size };
        let begun = match size {
            0 => Vec::new(),
            _ => abi::buffer(Buffer::ResponseBody, size).ok().flatten().unwrap_or_default(),
        };
        let chunk = match self.stream.response_begin(&mut ResponseHead::default(), &begun, end) {
            None if !end => return Action::Pause,
            chunk => chunk,
        };
        self.response = if end { Response::Free } else { Response::Watched { edit: true, seen: 0, length: None } };
        if let Some(Chunk::Replace(bytes)) = chunk
            && let Err(status) = abi::replace_buffer(Buffer::ResponseBody, &bytes)
        {
            log::error!("the beginning of a response was not replaced: {status:?}");
        }
        Action::Continue
    }

    pub(super) fn response_body(&mut self, size: usize, end: bool) -> Action {
        match &self.response {
            Response::Free => Action::Continue,
            Response::Begun { .. } => self.beginning_response(size, end),
            Response::Watched { .. } => self.response_piece(size, end),
            Response::Held { .. } => self.more_is_held(size, end),
            Response::Collected { .. } if kind() == Kind::Envoy => self.collected_response(size, end),
            Response::Collected { .. } => {
                self.passing_response(size, end);
                Action::Continue
            }
        }
    }

    /// In Envoy: `size` bytes of a response that is kept back are here.
    fn collected_response(&mut self, size: usize, end: bool) -> Action {
        let Response::Collected { limit, seen, .. } = &mut self.response else {
            return Action::Continue;
        };
        *seen = size;
        let fits = size <= *limit;
        if fits && !end {
            return Action::Pause;
        }
        self.response = Response::Free;
        let body = match size {
            0 => Vec::new(),
            _ => abi::buffer(Buffer::ResponseBody, size).ok().flatten().unwrap_or_default(),
        };
        if fits {
            self.stream.response_whole(Some(&mut ResponseHead::default()), &body);
        } else {
            if !end {
                self.response = Response::Watched { edit: false, seen: 0, length: None };
            }
            self.stream.response_chunk(body, end);
        }
        Action::Continue
    }

    /// In Kong: a piece of `size` bytes passes, of a response that the filter wants to see whole.
    fn passing_response(&mut self, size: usize, end: bool) {
        let Response::Collected { limit, seen, kept, length } = &mut self.response else {
            return;
        };
        let (limit, length) = (*limit, *length);
        if size > 0 {
            kept.extend(abi::buffer(Buffer::ResponseBody, size).ok().flatten().unwrap_or_default());
        }
        *seen = seen.saturating_add(size);
        let seen = u64::try_from(*seen).unwrap_or(u64::MAX);
        let last = end || length.is_some_and(|length| seen >= length);
        if kept.len() <= limit && !last {
            return;
        }
        let kept = std::mem::take(kept);
        self.response = if last { Response::Free } else { Response::Watched { edit: false, seen, length } };
        if kept.len() <= limit {
            self.stream.response_whole(None, &kept);
        } else {
            self.stream.response_chunk(kept, last);
        }
    }

    fn response_piece(&mut self, size: usize, end: bool) -> Action {
        let Response::Watched { edit, seen, length } = &mut self.response else {
            return Action::Continue;
        };
        let edit = *edit;
        *seen = seen.saturating_add(u64::try_from(size).unwrap_or(u64::MAX));
        let last = end || length.is_some_and(|length| *seen >= length);
        if last {
            self.response = Response::Free;
        }
        let chunk = match size {
            0 => Vec::new(),
            _ => abi::buffer(Buffer::ResponseBody, size).ok().flatten().unwrap_or_default(),
        };
        let mut bytes = match self.stream.response_chunk(chunk, last) {
            Chunk::Keep => return Action::Continue,
            Chunk::Hold(number) => return self.hold(number, size, last),
            Chunk::Replace(bytes) => bytes,
        };
        if !edit {
            log::error!("a filter that only reads a response wanted to change it");
            return Action::Continue;
        }
        if last && bytes.is_empty() && kind() == Kind::Kong {
            // Kong loses the end of a response whose last piece became empty.
            bytes.push(b'\n');
        }
        if let Err(status) = abi::replace_buffer(Buffer::ResponseBody, &bytes) {
            log::error!("a piece of a response was not replaced: {status:?}");
        }
        Action::Continue
    }

    /// Keeps back the piece that just came, and what follows.
    fn hold(&mut self, number: u32, size: usize, over: bool) -> Action {
        if kind() == Kind::Kong {
            return Action::Continue;
        }
        contexts::hold(self.root, number, self.id);
        self.response = Response::Held { size, over };
        Action::Pause
    }

    /// Of a response that is held, `size` bytes are here now. The filter sees those that are new.
    fn more_is_held(&mut self, size: usize, end: bool) -> Action {
        if let Response::Held { size: known, over } = &mut self.response {
            let known = std::mem::replace(known, size);
            let ends = end && !std::mem::replace(over, *over || end);
            let new = size.saturating_sub(known);
            let more = if new == 0 { None } else { abi::buffer(Buffer::ResponseBody, size).ok().flatten() };
            let more = more.and_then(|it| it.get(known..).map(<[u8]>::to_vec)).unwrap_or_default();
            if ends || !more.is_empty() {
                self.stream.response_chunk(more, ends);
            }
        }
        Action::Pause
    }

    /// A response that was held goes on.
    pub(super) fn let_go(&mut self) -> Action {
        if let Response::Held { over, .. } = self.response {
            let watched = Response::Watched { edit: false, seen: 0, length: None };
            self.response = if over { Response::Free } else { watched };
            abi::resume_response();
        }
        Action::Continue
    }

    /// Trailers end a response that said no end itself. What the filter would still add has no place.
    pub(super) fn response_trailers(&mut self) -> Action {
        match &self.response {
            Response::Watched { .. } => {
                self.response = Response::Free;
                if let Chunk::Hold(number) = self.stream.response_chunk(Vec::new(), true) {
                    return self.hold(number, 0, true);
                }
            }
            Response::Held { size, .. } => return self.more_is_held(*size, true),
            Response::Collected { seen, .. } if kind() == Kind::Envoy => {
                self.collected_response(*seen, true);
            }
            Response::Collected { .. } => self.passing_response(0, true),
            Response::Begun { seen } => {
                self.beginning_response(*seen, true);
            }
            Response::Free => {}
        }
        Action::Continue
    }
}
