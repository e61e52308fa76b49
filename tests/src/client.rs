//! A client that sends exactly the bytes it is told to, and sees when each piece of an answer came.
//!
//! Every call has its own connection, so that calls spread over the gateway's workers.

use std::io::{self, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http::{self, Body, Framing, Headers};

/// How long a read may stall before the call fails.
const STALL: Duration = Duration::from_secs(20);

/// Where to call.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    address: SocketAddr,
}

impl Client {
    /// Of a port of 127.0.0.1.
    #[must_use]
    pub fn new(port: u16) -> Self {
        Self { address: SocketAddr::from(([127, 0, 0, 1], port)) }
    }

    /// A call of any method and path; both may hold any bytes.
    pub fn call(&self, method: &str, path: impl AsRef<[u8]>) -> Call {
        let path = path.as_ref().to_vec();
        Call { address: self.address, method: method.to_owned(), path, headers: Vec::new(), body: None }
    }

    /// A GET.
    pub fn get(&self, path: &str) -> Call {
        self.call("GET", path)
    }

    /// A POST of JSON.
    pub fn post(&self, path: &str, body: &Value) -> Call {
        self.call("POST", path).json(body)
    }

    /// A chat with one message of the user.
    pub fn chat(&self, token: &str, model: &str, text: &str) -> Call {
        self.post("/v1/chat/completions", &chat(model, text)).bearer(token)
    }

    /// The same, streamed; finish with [`Call::stream`].
    pub fn chat_stream(&self, token: &str, model: &str, text: &str) -> Call {
        let mut body = chat(model, text);
        body["stream"] = json!(true);
        self.post("/v1/chat/completions", &body).bearer(token)
    }

    /// A user token for the API key's project. `body` is the mint request, such as `{"user_id": "u1"}`.
    ///
    /// # Panics
    /// If the mint refuses.
    #[must_use]
    pub fn mint(&self, api_key: &str, body: &Value) -> String {
        let answer = self.post("/v1/auth/mint", body).bearer(api_key).send();
        assert_eq!(answer.status, 200, "mint: {}", answer.text());
        answer.json()["access_token"].as_str().expect("access_token").to_owned()
    }

    /// Sends these bytes and reads one answer.
    ///
    /// # Errors
    /// The connection broke before there was an answer's head.
    pub fn raw(&self, bytes: &[u8]) -> io::Result<Answer> {
        Stream::open(self.address, bytes).map(Stream::rest)
    }
}

/// The body of a chat with one message.
#[must_use]
pub fn chat(model: &str, text: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": text}]})
}

/// A call that is being put together.
#[derive(Debug, Clone)]
#[must_use = "a call is made by `send` or `stream`"]
pub struct Call {
    address: SocketAddr,
    method: String,
    path: Vec<u8>,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: Option<Vec<u8>>,
}

impl Call {
    /// Adds a header line; the bytes go out as they are, duplicates too.
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// `authorization: Bearer …`.
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// `x-thread-id: …`.
    pub fn thread(self, thread: &str) -> Self {
        self.header("x-thread-id", thread)
    }

    /// A JSON body.
    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    /// A body; its content-length is added.
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = Some(body.as_ref().to_vec());
        self
    }

    /// The bytes of the request.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = [self.method.as_bytes(), b" ", &self.path, b" HTTP/1.1\r\n"].concat();
        let named = |name: &str| self.headers.iter().any(|(key, _)| key.eq_ignore_ascii_case(name.as_bytes()));
        if !named("host") {
            bytes.extend_from_slice(b"host: gateway.test\r\n");
        }
        for (name, value) in &self.headers {
            bytes.extend_from_slice(&[name, b": ".as_slice(), value, b"\r\n"].concat());
        }
        if let Some(body) = self.body.as_ref().filter(|_| !named("content-length") && !named("transfer-encoding")) {
            bytes.extend_from_slice(format!("content-length: {}\r\n", body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(self.body.as_deref().unwrap_or_default());
        bytes
    }

    /// The whole answer.
    ///
    /// # Panics
    /// If there was none.
    #[must_use]
    pub fn send(&self) -> Answer {
        self.try_send().unwrap_or_else(|error| panic!("no answer from {}: {error}", self.address))
    }

    /// The whole answer.
    ///
    /// # Errors
    /// The connection broke before there was an answer's head.
    pub fn try_send(&self) -> io::Result<Answer> {
        self.try_stream().map(Stream::rest)
    }

    /// Sends it and hangs up after this long, whatever has come by then.
    ///
    /// # Errors
    /// It could not be sent.
    pub fn abandon(&self, wait: Duration) -> io::Result<()> {
        let mut stream = TcpStream::connect_timeout(&self.address, STALL)?;
        stream.write_all(&self.bytes())?;
        std::thread::sleep(wait);
        Ok(())
    }

    /// The answer as it comes.
    ///
    /// # Panics
    /// If there was none.
    #[must_use]
    pub fn stream(&self) -> Stream {
        self.try_stream().unwrap_or_else(|error| panic!("no answer from {}: {error}", self.address))
    }

    /// The answer as it comes.
    ///
    /// # Errors
    /// The connection broke before there was an answer's head.
    pub fn try_stream(&self) -> io::Result<Stream> {
        Stream::open(self.address, &self.bytes())
    }
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// `200`.
    pub status: u16,
    /// As on the wire.
    pub headers: Headers,
    /// As far as it came.
    pub body: Vec<u8>,
    /// The connection broke before the body's end.
    pub broken: bool,
}

impl Answer {
    /// The first value of a header, as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        http::text(&self.headers, name)
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text()))
    }

    /// The text of a plain chat answer.
    ///
    /// # Panics
    /// If it is none.
    #[must_use]
    pub fn content(&self) -> String {
        let json = self.json();
        json["choices"][0]["message"]["content"].as_str().unwrap_or_else(|| panic!("no chat answer: {json}")).to_owned()
    }

    /// `status code`, such as `429 rate_limit_exceeded`, after checking that the error has its four keys and nothing else.
    ///
    /// # Panics
    /// If it is not the one error shape.
    #[must_use]
    pub fn error(&self) -> String {
        let json = self.json();
        let error = json["error"].as_object().unwrap_or_else(|| panic!("no error object: {} {json}", self.status));
        let mut keys: Vec<&str> = error.keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["code", "message", "param", "type"], "{json}");
        assert!(error["message"].is_string() && error["type"].is_string(), "{json}");
        assert_eq!(self.header("content-type").as_deref(), Some("application/json"), "{json}");
        format!("{} {}", self.status, error["code"].as_str().unwrap_or_else(|| panic!("code is no string: {json}")))
    }
}

/// One event of a stream.
#[derive(Debug, Clone)]
pub struct Event {
    /// Since the request was sent.
    pub at: Duration,
    /// `event:`, if it has one.
    pub name: Option<String>,
    /// `data:`, lines joined.
    pub data: String,
}

impl Event {
    /// The data as JSON; `Null` for `[DONE]`.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_default()
    }

    /// The piece of text in a chat chunk.
    #[must_use]
    pub fn content(&self) -> String {
        self.json()["choices"][0]["delta"]["content"].as_str().unwrap_or_default().to_owned()
    }
}

/// An answer as it comes. Dropping it is what a client does that goes away.
#[derive(Debug)]
pub struct Stream {
    /// `200`.
    pub status: u16,
    /// As on the wire.
    pub headers: Headers,
    /// When the head came, since the request was sent.
    pub head_at: Duration,
    /// The connection broke before the body's end.
    pub broken: bool,
    reader: BufReader<TcpStream>,
    body: Body,
    sent: Instant,
    pending: Vec<u8>,
}

impl Stream {
    fn open(address: SocketAddr, request: &[u8]) -> io::Result<Self> {
        let mut stream = TcpStream::connect_timeout(&address, STALL)?;
        stream.set_read_timeout(Some(STALL))?;
        stream.set_write_timeout(Some(STALL))?;
        stream.set_nodelay(true)?;
        let sent = Instant::now();
        // A gateway may refuse and close before it has read all of a large request; its answer counts, not our write.
        let written = stream.write_all(request);
        let mut reader = BufReader::new(stream);
        let head = loop {
            let head = match http::read_head(&mut reader) {
                Ok(Some(head)) => head,
                Ok(None) => {
                    return Err(written.err().unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into()));
                }
                Err(error) => return Err(error),
            };
            if !head.first_line.contains(" 100 ") {
                break head;
            }
        };
        let status = head.first_line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let body = Body::new(Framing::of_answer(status, &head.headers));
        let (headers, head_at) = (head.headers, sent.elapsed());
        Ok(Self { status, headers, head_at, broken: false, reader, body, sent, pending: Vec::new() })
    }

    /// The first value of a header, as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        http::text(&self.headers, name)
    }

    /// The next event; `None` when the body has ended or broken off (then [`Stream::broken`]).
    pub fn event(&mut self) -> Option<Event> {
        loop {
            if let Some((end, after)) = blank_line(&self.pending) {
                let event: Vec<u8> = self.pending.drain(..after).take(end).collect();
                if let Some(event) = parse(&event, self.sent.elapsed()) {
                    return Some(event);
                }
                continue;
            }
            match self.body.next(&mut self.reader) {
                Ok(Some(piece)) => self.pending.extend_from_slice(&piece),
                Ok(None) => return None,
                Err(_) => {
                    self.broken = true;
                    return None;
                }
            }
        }
    }

    /// All events to the end.
    pub fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.event()).collect()
    }

    /// The whole answer, when the pieces don't matter.
    #[must_use]
    pub fn rest(mut self) -> Answer {
        let (rest, end) = self.body.rest(&mut self.reader);
        self.pending.extend_from_slice(&rest);
        let broken = self.broken || end.is_err();
        Answer { status: self.status, headers: self.headers, body: self.pending, broken }
    }
}

/// The text of a streamed chat.
#[must_use]
pub fn content(events: &[Event]) -> String {
    events.iter().map(Event::content).collect()
}

/// The length of an event, and of the event with its blank line.
fn blank_line(bytes: &[u8]) -> Option<(usize, usize)> {
    let find = |end: &[u8]| bytes.windows(end.len()).position(|window| window == end).map(|at| (at, at + end.len()));
    [find(b"\n\n"), find(b"\r\n\r\n")].into_iter().flatten().min()
}

/// `None`: only comments.
fn parse(event: &[u8], at: Duration) -> Option<Event> {
    let text = String::from_utf8_lossy(event);
    let field = |name: &str| {
        let values = text
            .lines()
            .filter_map(|line| line.strip_prefix(name))
            .map(|value| value.strip_prefix(' ').unwrap_or(value));
        let values: Vec<&str> = values.collect();
        (!values.is_empty()).then(|| values.join("\n"))
    };
    Some(Event { at, name: field("event:"), data: field("data:")? })
}
