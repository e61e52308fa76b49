//! What is remembered, for whom, and what goes into the request and out of the exchange.

use domain::{
    caller::Caller,
    chat::{Body, Message},
    headers::{self, Headers, is_id},
    mode::OnFailure,
    reply::Reply,
    turn::{Answer, Assembly},
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Which memory a request asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    /// Lasts as long as the session.
    pub session: Option<String>,
    /// Lasts until it is deleted.
    pub thread: Option<String>,
}

/// A turn that the companion opened.
#[derive(Debug)]
pub struct Turn {
    id: String,
    caller: Caller,
    memory: Memory,
    /// The companion did not wait long enough for an earlier turn: the history may lack it.
    stale: bool,
    /// The client's new messages, as they came, without instructions.
    input: Vec<Box<RawValue>>,
}

/// What the companion says of a turn that it opened.
#[derive(Debug, Deserialize)]
struct Opened {
    turn: String,
    messages: Vec<Box<RawValue>>,
    #[serde(default)]
    stale: bool,
}

#[derive(Serialize)]
struct Open<'a> {
    project: &'a str,
    user: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

#[derive(Serialize)]
struct Report<'a> {
    turn: &'a str,
    #[serde(flatten)]
    of: Open<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    complete: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish_reason: Option<&'a str>,
    input: &'a [Box<RawValue>],
    output: Vec<Box<RawValue>>,
}

/// The ids that the client sent.
///
/// # Errors
/// A 400 that names the header, when one stands twice or is no id.
pub fn asked(headers: &Headers) -> Result<Option<Memory>, Reply> {
    let memory = single(headers, headers::MEMORY)?;
    match memory {
        None => {}
        Some(b"off") => return Ok(None),
        Some(_) => {
            return Err(wrong(headers::MEMORY, "is not `off`, the only value that it may have"));
        }
    }
    let session = id(headers, headers::SESSION)?;
    let thread = id(headers, headers::THREAD)?;
    Ok(Some(Memory { session, thread }))
}

fn single<'a>(headers: &'a Headers, name: &'static str) -> Result<Option<&'a [u8]>, Reply> {
    let mut values = headers.all(name);
    let first = values.next();
    match values.next() {
        None => Ok(first),
        Some(_) => Err(wrong(name, "stands there twice")),
    }
}

fn id(headers: &Headers, name: &'static str) -> Result<Option<String>, Reply> {
    let Some(value) = single(headers, name)? else {
        return Ok(None);
    };
    let text = std::str::from_utf8(value).ok().filter(|it| is_id(it));
    match text {
        Some(text) => Ok(Some(text.to_owned())),
        None => Err(wrong(name, "is no id: 1 to 255 letters, digits, `.`, `_`, `:` or `-`")),
    }
}

fn wrong(header: &'static str, what: &str) -> Reply {
    Reply::invalid(format!("the header `{header}` {what}")).about(header)
}

impl Memory {
    /// Nothing was asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.session.is_none() && self.thread.is_none()
    }

    /// With the token's session, if it is a usable id, where the client asked for nothing.
    #[must_use]
    pub fn or_session(mut self, of_token: Option<&str>) -> Self {
        if self.is_empty() {
            self.session = of_token.filter(|it| is_id(it)).map(str::to_owned);
        }
        self
    }

    fn open<'a>(&'a self, caller: &'a Caller, request_id: Option<&'a str>) -> Open<'a> {
        Open {
            project: &caller.project,
            user: &caller.user,
            session: self.session.as_deref(),
            thread: self.thread.as_deref(),
            request_id,
        }
    }

    /// The question that opens a turn, as JSON.
    #[must_use]
    pub fn question(&self, caller: &Caller, request_id: Option<&str>) -> Vec<u8> {
        let request_id = request_id.filter(|it| is_id(it));
        // Strings always serialise; an empty body, which can not be, would be refused.
        serde_json::to_vec(&self.open(caller, request_id)).unwrap_or_default()
    }
}

/// Reads the companion's answer: the turn and its history. `None` when it is none.
#[must_use]
pub fn opened(caller: Caller, memory: Memory, status: u16, body: &[u8]) -> Option<(Turn, Vec<Box<RawValue>>)> {
    let answer: Opened = serde_json::from_slice(body).ok().filter(|_| status == 200)?;
    let objects = answer.messages.iter().all(|it| it.get().starts_with('{'));
    if answer.turn.is_empty() || !objects {
        return None;
    }
    let turn = Turn { id: answer.turn, caller, memory, stale: answer.stale, input: Vec::new() };
    Some((turn, answer.messages))
}

/// What becomes of a request whose turn could not be opened: `None` lets it go on without memory.
#[must_use]
pub fn unopened(on_failure: OnFailure) -> Option<Reply> {
    match on_failure {
        OnFailure::Allow => None,
        OnFailure::Deny => Some(Reply::new(
            503,
            "companion_unavailable",
            "the conversation's history cannot be read now; try again, or send `x-tollgate-memory: off` to go on without it",
        )),
    }
}

/// Why a request asks for memory in vain: memory belongs to a caller, and nobody vouches for one.
#[must_use]
pub fn nobody() -> Reply {
    Reply::new(401, "invalid_token", "memory belongs to a user, and this request has no verified user")
}

/// How the response is read, by its head; `None` when there is nothing in it to remember.
#[must_use]
pub fn assembly(status: u16, headers: &Headers, limit: usize) -> Option<Assembly> {
    let encoding = headers.get("content-encoding").unwrap_or(b"identity");
    if !(200..300).contains(&status) || !encoding.eq_ignore_ascii_case(b"identity") {
        return None;
    }
    let media = headers.get("content-type")?.split(|it| *it == b';').next()?.trim_ascii();
    if media.eq_ignore_ascii_case(b"text/event-stream") {
        Some(Assembly::streamed(limit))
    } else if media.eq_ignore_ascii_case(b"application/json") {
        Some(Assembly::plain(limit))
    } else {
        None
    }
}

impl Turn {
    /// Keeps the new messages of `body` and puts `history` before them; the new body, unless there
    /// is no history.
    ///
    /// # Errors
    /// A 400 when the body cannot be read in only one way, a 413 when it brings more than `limit` bytes
    /// of new messages.
    pub fn begin(&mut self, body: &[u8], history: &[Box<RawValue>], limit: usize) -> Result<Option<Vec<u8>>, Reply> {
        let body = Body::parse(body)?;
        let messages = body.messages()?;
        let new = messages.iter().filter(|it| !it.instructs());
        let bytes = new.clone().fold(0_usize, |sum, it| sum.saturating_add(it.raw.len()));
        if bytes > limit {
            return Err(Reply::new(
                413,
                "request_too_large",
                format!("the new messages have {bytes} bytes; a thread takes {limit} at once"),
            )
            .about("messages"));
        }
        self.input = new.filter_map(owned).collect();
        let history: Vec<&RawValue> = history.iter().map(AsRef::as_ref).collect();
        Ok(body.insert_after_system(&history)?.map(|edit| body.apply([edit])))
    }

    /// The headers that tell the client which memory this was.
    pub fn response_headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let stale = self.stale.then_some("stale");
        [
            (headers::SESSION, self.memory.session.as_deref()),
            (headers::THREAD, self.memory.thread.as_deref()),
            (headers::MEMORY, stale),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
    }

    /// The report of this turn, as JSON. Without a message it stores nothing and only closes the
    /// turn, so that the next request on the thread does not wait for it.
    #[must_use]
    pub fn report(&self, answer: &Answer) -> Vec<u8> {
        let output: Vec<Box<RawValue>> =
            answer.message.clone().and_then(|it| RawValue::from_string(it).ok()).into_iter().collect();
        let report = Report {
            turn: &self.id,
            of: self.memory.open(&self.caller, None),
            model: answer.model.as_deref(),
            complete: answer.complete,
            finish_reason: answer.finish_reason.as_deref(),
            input: if output.is_empty() { &[] } else { &self.input },
            output,
        };
        // Strings and raw JSON always serialise.
        serde_json::to_vec(&report).unwrap_or_default()
    }
}

fn owned(message: &Message<'_>) -> Option<Box<RawValue>> {
    // What `Body` found is valid JSON.
    RawValue::from_string(message.raw.to_owned()).ok()
}

#[cfg(test)]
mod tests;
