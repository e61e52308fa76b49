//! Answers in the place of the upstream, and exchanges that get nothing else.

use crate::{
    abi::{self, Map},
    exchange::{Action, Direction, Turn},
    plugin::{Answer, NoAnswer},
};
use domain::reply::Reply;

/// Where proxies keep the name of a request.
const REQUEST_ID: &str = "x-request-id";

/// An exchange that no plugin stands behind: its requests are refused.
pub(crate) struct Refused;

impl Turn for Refused {
    fn headers(&mut self, direction: Direction, _: usize, _: bool) -> Action {
        if direction == Direction::Request {
            refuse(&Reply::new(503, "misconfigured", "this gateway's configuration was refused; its log says why"));
            return Action::Pause;
        }
        Action::Continue
    }

    fn body(&mut self, direction: Direction, _: usize, _: bool) -> Action {
        self.trailers(direction)
    }

    fn trailers(&mut self, direction: Direction) -> Action {
        match direction {
            Direction::Request => Action::Pause,
            Direction::Response => Action::Continue,
        }
    }

    fn answered(&mut self, _: Result<Answer, NoAnswer>) -> Action {
        Action::Continue
    }

    fn released(&mut self) -> Action {
        Action::Continue
    }

    fn log(&mut self) {}
}

/// Refuses the request.
pub(crate) fn refuse(reply: &Reply) {
    send(reply.status, &reply.headers, &reply.body());
}

/// Answers the request in place of the upstream.
pub(crate) fn send(status: u16, more: &[(&'static str, String)], json: &str) {
    let mut headers = vec![("content-type", "application/json")];
    // The proxy's own name for the request, so that who was refused can say which of its log lines is meant.
    let id = abi::header(Map::Request, REQUEST_ID).ok().flatten().and_then(|it| String::from_utf8(it).ok());
    if let Some(id) = id.as_deref().filter(|it| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_graphic())) {
        headers.push((REQUEST_ID, id));
    }
    headers.extend(more.iter().map(|(name, value)| (*name, value.as_str())));
    if let Err(failed) = abi::reply(status.into(), &headers, json.as_bytes()) {
        log::error!("an answer {status} was not sent: {failed:?}");
    }
}
