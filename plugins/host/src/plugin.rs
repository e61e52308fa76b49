//! What a filter is, and the words in which it answers.

use crate::{
    Root,
    head::{RequestHead, RequestTrailers, ResponseHead},
};
use domain::reply::Reply;
use std::{rc::Rc, time::Duration};

/// A filter, configured. There is one for each plugin in the configuration and each worker.
pub trait Plugin: Sized + 'static {
    /// The state of one exchange.
    type Stream: Stream;

    /// Reads the operator's configuration. On `Err` Envoy refuses to start; Kong, which would go on
    /// without the filter, answers every request with 503 instead.
    ///
    /// # Errors
    /// What is wrong, in the words of the person who can fix it.
    fn configure(config: &[u8], root: &Root) -> Result<Self, String>;

    /// Starts an exchange.
    fn stream(self: &Rc<Self>) -> Self::Stream;

    /// Background work, at the period given to [`Root::tick_every`]. It may call out. Ticks may
    /// come more often than asked for, and come in every worker.
    fn tick(&self, _root: &Root) {}

    /// The answer to a call-out of [`Plugin::tick`].
    fn answered(&self, _root: &Root, _call: CallId, _answer: Result<Answer, NoAnswer>) {}
}

/// One exchange of a request and a response, as a filter sees it.
pub trait Stream: 'static {
    /// Whether it may ask for [`Next::Body`]. While a filter waits that never does, a body of any length waits at the
    /// client; else the proxy collects it, and refuses the request when it is more than its buffer takes.
    const READS_BODIES: bool = true;

    /// The request's head is here and may be changed.
    fn request_head(&mut self, _head: &mut RequestHead) -> Next {
        Next::Pass
    }

    /// The call-out that [`Next::Call`] asked for was answered, or failed. The head may still be changed.
    fn call_answered(&mut self, _head: &mut RequestHead, _answer: Result<Answer, NoAnswer>) -> Next {
        Next::Pass
    }

    /// The wait that [`Next::Hold`] asked for is over. The head may still be changed.
    fn released(&mut self, _head: &mut RequestHead) -> Next {
        Next::Pass
    }

    /// The whole body that [`Next::Body`] asked for; empty if the request has none. The head may
    /// still be changed.
    fn request_body(&mut self, _head: &mut RequestHead, _body: Vec<u8>) -> Edit {
        Edit::Keep
    }

    /// The call-out that [`Edit::Call`] asked for was answered, or failed. The head and the body may still be changed; there
    /// is no further call-out.
    fn body_answered(&mut self, _head: &mut RequestHead, _answer: Result<Answer, NoAnswer>) -> Edit {
        Edit::Keep
    }

    /// The request has trailers, which may be changed; they end it. A request that was answered has none.
    fn request_trailers(&mut self, _trailers: &mut RequestTrailers) {}

    /// The response's head is here and may be changed. Not called for this filter's own reply.
    fn response_head(&mut self, _head: &mut ResponseHead) -> Watch {
        Watch::Nothing
    }

    /// A piece of the response's body as it passes. `last` comes exactly once, perhaps with an
    /// empty piece, when the response ends as it should; it never comes when the response breaks off.
    fn response_chunk(&mut self, _chunk: Vec<u8>, _last: bool) -> Chunk {
        Chunk::Keep
    }

    /// The whole body of the response that [`Watch::Whole`] asked for; not called when it is longer than the limit, or
    /// breaks off. In Envoy `head` is still held and may be changed; in Kong it has left.
    fn response_whole(&mut self, _head: Option<&mut ResponseHead>, _body: &[u8]) {}

    /// The beginning of the response that [`Watch::Begin`] asked for, each time that more of it is here; `last` when it is
    /// all there is. Nothing has left: the head may be changed, and `None` keeps everything back. The rest comes in pieces.
    /// Not called when the response breaks off meanwhile, which the proxy takes for an answer that never came.
    fn response_begin(&mut self, _head: &mut ResponseHead, _begun: &[u8], _last: bool) -> Option<Chunk> {
        Some(Chunk::Keep)
    }

    /// The exchange is over, however it ended. Called exactly once.
    fn log(&mut self) {}
}

/// What is to happen after a look at the request's head.
#[derive(Debug)]
pub enum Next {
    /// The request goes on, and the filter is done with it.
    Pass,
    /// The filter wants the whole body before the request goes on.
    Body,
    /// The filter must ask another service before the request goes on.
    Call(Call),
    /// The filter waits for something that is under way elsewhere, until [`Root::release`] of the
    /// same number. Kong cannot hold a request without a call-out of its own: there [`Stream::released`] follows at once.
    Hold(u32),
    /// The filter answers the request itself: 200 with this JSON.
    Answer(String),
    /// The filter refuses the request.
    Reply(Reply),
}

/// What is to happen after a look at the request's body.
#[derive(Debug)]
pub enum Edit {
    /// The request goes on as it is.
    Keep,
    /// The request goes on with this body; its length is put right.
    Replace(Vec<u8>),
    /// The filter must ask another service about the body before the request goes on. In Envoy alone: Kong corrupts a body
    /// that is changed after a call-out in its phase, so there [`Stream::body_answered`] follows at once, without an answer.
    Call(Call),
    /// The filter answers the request itself.
    Reply(Reply),
}

/// How closely a filter wants to follow a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// Not at all.
    Nothing,
    /// It wants to see each piece and change none.
    Read,
    /// It may replace pieces; the response loses its `content-length`.
    Edit,
    /// The same, and the response goes on once [`Stream::response_begin`] has seen enough of it. Kong cannot hold one: there
    /// it is [`Watch::Edit`].
    Begin,
    /// It wants the whole body, of `limit` bytes at most, before the response goes on: never for a stream. A longer one
    /// comes in pieces, as with [`Watch::Read`], the first of them all that was kept back.
    Whole {
        /// How many bytes are kept back.
        limit: usize,
    },
}

/// What becomes of a piece of a response.
#[derive(Debug, PartialEq, Eq)]
pub enum Chunk {
    /// It passes as it is.
    Keep,
    /// These bytes pass in its place. Only under [`Watch::Edit`] and [`Watch::Begin`].
    Replace(Vec<u8>),
    /// It stays here, and all that follows, until [`Root::release`] of this number. Only under [`Watch::Read`], and only
    /// for a moment, as no client likes to wait. Kong cannot hold a response: there it passes.
    Hold(u32),
}

/// A question to another service. Made from the headers phase, in Envoy from the request's body phase, or from a tick, and
/// nowhere else.
#[derive(Debug, Clone)]
pub struct Call {
    /// The Envoy cluster; in Kong its name must be the service's `host:port`.
    pub cluster: String,
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The `host` header.
    pub authority: String,
    /// The path, with the query.
    pub path: String,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
    /// How long to wait for the whole answer. Never for ever.
    pub timeout: Duration,
}

/// Names a call-out of a tick until it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallId(pub(crate) u32);

/// What came back. The proxy itself answers 503 when the service refused and 504 when time ran
/// out, so the status decides whether this is an answer at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The whole body.
    pub body: Vec<u8>,
}

/// Why nothing came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    /// The proxy does not know the service, or would not send the question.
    NotSent,
    /// The question was sent, and no answer came.
    Failed,
}
