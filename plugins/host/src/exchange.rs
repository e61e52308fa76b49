//! One exchange: turns the host's callbacks into the few that a filter sees, in one shape on Envoy
//! and Kong.
//!
//! Envoy hands a body over in pieces while headers are paused, Kong whole after they were let go;
//! Envoy resumes a request when told, Kong by itself; Kong does not say where a response ends.

mod response;

use crate::{
    abi::{self, Buffer},
    contexts::{self, Owner},
    head::{RequestHead, RequestTrailers},
    kind::{Kind, kind},
    plugin::{Answer, Edit, Next, NoAnswer, Stream},
    refused::{refuse, send},
};
use domain::reply::Reply;
use response::Response;

/// What the host is to do with what it just showed, by its number in the ABI.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Continue = 0,
    /// Nothing goes on. A body that comes meanwhile is shown to the filter and kept, up to the host's limit.
    Pause = 1,
    /// The same, and a body is neither shown nor read any further than a little, however long it is. Envoy's alone,
    /// and only for the head of a request.
    Hold = 4,
}

/// Which message of the exchange a callback is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Request,
    Response,
}

/// An exchange without the type of its filter.
pub(crate) trait Turn {
    fn headers(&mut self, direction: Direction, count: usize, end: bool) -> Action;
    fn body(&mut self, direction: Direction, size: usize, end: bool) -> Action;
    fn trailers(&mut self, direction: Direction) -> Action;
    fn answered(&mut self, answer: Result<Answer, NoAnswer>) -> Action;
    fn released(&mut self) -> Action;
    fn log(&mut self);
}

/// Kong shows a filter the first 100 headers only, so more of them could hide one that matters.
const MAX_HEADERS: usize = 90;

/// How often one request may wait, so that a filter which keeps asking comes to an end.
const MAX_WAITS: u32 = 8;

/// Where the request is.
enum Request {
    /// Its headers are held. A call-out is under way, or the filter waits for another one's; the body, of which `seen`
    /// bytes are here, waits at the proxy, and is `whole` or not.
    Waiting { seen: usize, whole: bool },
    /// Its headers are held. The filter waits for the whole body, of which `seen` bytes are here.
    Reading { seen: usize },
    /// Its headers and its whole body, of `size` bytes, are held. A call-out about the body is under way.
    Asking { size: usize },
    /// It went on, or has not come.
    Free,
    /// The filter answered it.
    Answered,
}

/// One exchange, and the filter's state in it.
pub(crate) struct Exchange<S> {
    id: u32,
    root: u32,
    stream: S,
    request: Request,
    response: Response,
    waits: u32,
    logged: bool,
}

impl<S: Stream> Exchange<S> {
    pub(crate) fn new(id: u32, root: u32, stream: S) -> Self {
        let (request, response) = (Request::Free, Response::Free);
        Self { id, root, stream, request, response, waits: 0, logged: false }
    }

    /// Does what the filter wants after a look at the head. `whole` is the body's size, if all of it is here.
    fn follow(&mut self, mut next: Next, head: &mut RequestHead, seen: usize, whole: bool) -> Action {
        loop {
            match next {
                Next::Pass => return self.release(),
                Next::Reply(reply) => return self.answer(&reply),
                Next::Answer(json) => {
                    self.request = Request::Answered;
                    send(200, &[], &json);
                    return Action::Pause;
                }
                Next::Body if whole => return self.read_body(head, seen),
                Next::Body => {
                    self.request = Request::Reading { seen };
                    // Kong reads the body only after the headers were let go, and keeps them changeable.
                    return if kind() == Kind::Kong { Action::Continue } else { Action::Pause };
                }
                Next::Call(_) | Next::Hold(_) if self.waits == MAX_WAITS => {
                    return self.answer(&Reply::new(500, "internal_error", "too many questions for one request"));
                }
                Next::Hold(_) if kind() == Kind::Kong => next = self.stream.released(head),
                Next::Hold(number) => {
                    contexts::hold(self.root, number, self.id);
                    return self.wait(seen, whole);
                }
                Next::Call(call) => match contexts::call(Owner::Exchange(self.id), &call) {
                    Ok(_) => return self.wait(seen, whole),
                    Err(why) => next = self.stream.call_answered(head, Err(why)),
                },
            }
            self.waits = self.waits.saturating_add(1);
        }
    }

    fn wait(&mut self, seen: usize, whole: bool) -> Action {
        self.waits = self.waits.saturating_add(1);
        self.request = Request::Waiting { seen, whole };
        Action::Pause
    }

    /// Shows the filter the whole body and does what it wants with it.
    fn read_body(&mut self, head: &mut RequestHead, size: usize) -> Action {
        let body = match size {
            0 => Some(Vec::new()),
            // Kong gives none of a body that it wrote to a file.
            _ => abi::buffer(Buffer::RequestBody, size).ok().flatten().filter(|it| it.len() >= size),
        };
        let Some(body) = body else {
            let message = "the request's body is larger than this gateway's buffer";
            return self.answer(&Reply::new(413, "request_too_large", message));
        };
        let asked = match self.stream.request_body(head, body) {
            // Kong would give the body its old length back after the answer (HOSTS.md, K2, G).
            Edit::Call(_) if kind() == Kind::Kong => Err(NoAnswer::NotSent),
            Edit::Call(call) => contexts::call(Owner::Exchange(self.id), &call),
            edit => return self.edit(edit, head, size),
        };
        match asked {
            Ok(_) => {
                self.request = Request::Asking { size };
                Action::Pause
            }
            Err(why) => {
                let edit = self.stream.body_answered(head, Err(why));
                self.edit(edit, head, size)
            }
        }
    }

    /// Does what the filter wants with the body, of `size` bytes.
    fn edit(&mut self, edit: Edit, head: &mut RequestHead, size: usize) -> Action {
        match edit {
            Edit::Keep => self.release(),
            Edit::Reply(reply) => self.answer(&reply),
            Edit::Call(_) => self.answer(&Reply::new(500, "internal_error", "too many questions for one request")),
            Edit::Replace(_) if size == 0 => self.release(),
            Edit::Replace(body) => {
                if let Err(status) = abi::replace_buffer(Buffer::RequestBody, &body) {
                    log::error!("a body was not replaced: {status:?}");
                    return self.answer(&Reply::new(500, "internal_error", "the request could not be changed"));
                }
                if kind() == Kind::Envoy {
                    head.set("content-length", &body.len().to_string());
                }
                self.release()
            }
        }
    }

    fn release(&mut self) -> Action {
        self.request = Request::Free;
        Action::Continue
    }

    fn answer(&mut self, reply: &Reply) -> Action {
        self.request = Request::Answered;
        refuse(reply);
        Action::Pause
    }

    fn request_headers(&mut self, count: usize, end: bool) -> Action {
        if kind() == Kind::Kong && count > MAX_HEADERS {
            let message = format!("the request has {count} headers; this gateway takes {MAX_HEADERS}");
            return self.answer(&Reply::new(431, "invalid_request", message));
        }
        let mut head = RequestHead::default();
        let next = self.stream.request_head(&mut head);
        let whole = match &next {
            Next::Pass | Next::Answer(_) | Next::Reply(_) => true,
            Next::Body | Next::Call(_) | Next::Hold(_) => end || (kind() == Kind::Kong && !head.announces_body()),
        };
        let action = self.follow(next, &mut head, 0, whole);
        let waits = matches!(self.request, Request::Waiting { .. });
        if waits && !S::READS_BODIES && kind() == Kind::Envoy { Action::Hold } else { action }
    }

    fn request_body(&mut self, size: usize, end: bool) -> Action {
        match &mut self.request {
            Request::Waiting { seen, whole } => {
                (*seen, *whole) = (size, end);
                Action::Pause
            }
            Request::Reading { seen } if !end => {
                *seen = size;
                Action::Pause
            }
            Request::Reading { .. } => self.read_body(&mut RequestHead::default(), size),
            Request::Free => Action::Continue,
            Request::Asking { .. } | Request::Answered => Action::Pause,
        }
    }

    /// A request that waited may go on, if `ask` says so.
    fn go_on(&mut self, ask: impl FnOnce(&mut S, &mut RequestHead) -> Next) -> Action {
        let Request::Waiting { seen, whole } = self.request else {
            return Action::Continue;
        };
        let mut head = RequestHead::default();
        let next = ask(&mut self.stream, &mut head);
        let action = self.follow(next, &mut head, seen, whole);
        Self::resume(action)
    }

    /// A request whose body was asked about may go on.
    fn body_answered(&mut self, answer: Result<Answer, NoAnswer>, size: usize) -> Action {
        let mut head = RequestHead::default();
        let edit = self.stream.body_answered(&mut head, answer);
        let action = self.edit(edit, &mut head, size);
        Self::resume(action)
    }

    fn resume(action: Action) -> Action {
        // Kong resumes by itself once the last call-out was answered.
        if action == Action::Continue && kind() == Kind::Envoy {
            abi::resume_request();
        }
        action
    }

    /// Trailers end a body that said no end itself.
    fn request_trailers(&mut self) -> Action {
        if !matches!(self.request, Request::Answered) {
            self.stream.request_trailers(&mut RequestTrailers::default());
        }
        match self.request {
            Request::Waiting { seen, .. } | Request::Reading { seen } => self.request_body(seen, true),
            Request::Free => Action::Continue,
            Request::Asking { .. } | Request::Answered => Action::Pause,
        }
    }
}

impl<S: Stream> Turn for Exchange<S> {
    fn headers(&mut self, direction: Direction, count: usize, end: bool) -> Action {
        match direction {
            Direction::Request => self.request_headers(count, end),
            Direction::Response => self.response_headers(end),
        }
    }

    fn body(&mut self, direction: Direction, size: usize, end: bool) -> Action {
        match direction {
            Direction::Request => self.request_body(size, end),
            Direction::Response => self.response_body(size, end),
        }
    }

    fn trailers(&mut self, direction: Direction) -> Action {
        match direction {
            Direction::Request => self.request_trailers(),
            Direction::Response => self.response_trailers(),
        }
    }

    fn answered(&mut self, answer: Result<Answer, NoAnswer>) -> Action {
        match self.request {
            Request::Asking { size } => self.body_answered(answer, size),
            _ => self.go_on(|stream, head| stream.call_answered(head, answer)),
        }
    }

    fn released(&mut self) -> Action {
        match self.response {
            Response::Held { .. } => self.let_go(),
            _ => self.go_on(Stream::released),
        }
    }

    fn log(&mut self) {
        if !self.logged {
            self.logged = true;
            self.stream.log();
        }
    }
}
