//! One connection of the fake provider: reads requests, answers them as told.

use std::io::{self, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use serde_json::Value;
use socket2::SockRef;

use super::answers::{self, Asked};
use super::behaviour::{Behaviour, Ending};
use super::manner::Manner;
use super::usage::{Count, Flavour};
use super::{Received, Script, Served, State, anthropic, control, lock};
use crate::http::{self, Body, Framing};

/// Whether the connection can carry another request.
enum Next {
    Request,
    Close,
    Reset,
}

/// An answer of content, ready to be sent.
enum Answer {
    Whole(Value, Count),
    /// Whether `[DONE]` comes after them.
    Events(Vec<Value>, bool),
}

/// A stream, and what else may be said in it.
struct Told {
    events: Vec<Value>,
    done: bool,
    /// Where it is told to fail.
    broken: Value,
    /// Before the first event.
    comments: &'static str,
}

impl Answer {
    /// `None`: the path is none of an API.
    fn of(path: &str, asked: &Asked, body: &Value) -> Option<Self> {
        let whole = |whole| Some(Self::Whole(whole, asked.count()));
        let events = |events, done| Some(Self::Events(events, done));
        match (path, asked.stream) {
            (path, false) if path.ends_with("/chat/completions") => whole(asked.chat()),
            (path, true) if path.ends_with("/chat/completions") => events(asked.chat_events(), asked.ends_with_done()),
            (path, false) if path.ends_with("/completions") => whole(asked.completion()),
            (path, true) if path.ends_with("/completions") => events(asked.completion_events(), true),
            (path, false) if path.ends_with("/responses") => whole(asked.response("completed")),
            (path, false) if path.ends_with("/messages") => whole(anthropic::message(asked)),
            (path, true) if path.ends_with("/messages") => events(anthropic::message_events(asked), false),
            (path, true) if path.ends_with("/responses") => events(asked.response_events(), false),
            (path, _) if path.ends_with("/embeddings") => {
                let answer = answers::embeddings(body);
                let count = Count { prompt: answer["usage"]["prompt_tokens"].as_u64()?, ..Count::default() };
                Some(Self::Whole(answer, count))
            }
            _ => None,
        }
    }
}

/// Whether it is Anthropic's own API that is called.
fn is_own(path: &str) -> bool {
    path.split('?').next().is_some_and(|it| it.ends_with("/messages"))
}

/// The error object for a status, in the words of the API that is called.
fn error(path: &str, status: u16) -> Value {
    match is_own(path) {
        true => anthropic::error(status, &format!("The fake provider was told to answer {status}.")),
        false => Manner::of(path).error(status),
    }
}

/// Serves requests until the client or the test has had enough.
pub(super) fn serve(stream: TcpStream, number: u64, state: &State) -> io::Result<()> {
    stream.set_nodelay(true)?;
    lock(&state.open).insert(number, stream.try_clone()?);
    let mut connection = Connection { reader: BufReader::new(stream), state };
    loop {
        let Some(request) = connection.read()? else {
            return Ok(());
        };
        match connection.answer(&request)? {
            Next::Request => {}
            Next::Close => return Ok(()),
            Next::Reset => break,
        }
    }
    // The kernel resets when the last copy of the socket is closed, so ours in `open` goes first.
    lock(&state.open).remove(&number);
    SockRef::from(connection.reader.get_ref()).set_linger(Some(Duration::ZERO))
}

struct Connection<'a> {
    reader: BufReader<TcpStream>,
    state: &'a State,
}

impl Connection<'_> {
    fn read(&mut self) -> io::Result<Option<Received>> {
        let Some(head) = http::read_head(&mut self.reader)? else {
            return Ok(None);
        };
        if http::text(&head.headers, "expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
            self.reader.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let (body, end) = Body::new(Framing::of_request(&head.headers)).rest(&mut self.reader);
        end?;
        let mut words = head.first_line.split(' ').map(str::to_owned);
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        Ok(Some(Received { method, path, headers: head.headers, body }))
    }

    fn answer(&mut self, request: &Received) -> io::Result<Next> {
        if request.path.starts_with("/_control/") {
            let (status, body) = control::answer(self.state, request);
            return self.plain(status, &[], &body.to_string(), None);
        }
        self.state.remember(&self.state.requests, request.clone());
        let number = self.state.answered.fetch_add(1, Ordering::SeqCst);
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        match self.behaviour(request, &body) {
            Ok(behaviour) if is_own(&request.path) => {
                self.behave(request, &body, &Behaviour { flavour: Flavour::Anthropic, ..behaviour }, number)
            }
            Ok(behaviour) => self.behave(request, &body, &behaviour, number),
            Err(error) => self.plain(
                400,
                &[],
                &serde_json::json!({"error": {"message": error, "code": "fake"}}).to_string(),
                None,
            ),
        }
    }

    fn behaviour(&self, request: &Received, body: &Value) -> Result<Behaviour, String> {
        if let Some(ruled) = self.state.ruled(&request.path) {
            return Ok(ruled);
        }
        request.header("x-fake").map_or_else(
            || Behaviour::of_model(body["model"].as_str().unwrap_or_default()),
            |words| Behaviour::parse(&words),
        )
    }

    fn behave(&mut self, request: &Received, body: &Value, behaviour: &Behaviour, number: u64) -> io::Result<Next> {
        thread::sleep(behaviour.start);
        if behaviour.hang {
            // Until the client, or the test's end, closes the connection.
            self.reader.get_mut().read_to_end(&mut Vec::new())?;
            return Ok(Next::Close);
        }
        if behaviour.reset {
            return Ok(Next::Reset);
        }
        let path = request.path.split('?').next().unwrap_or_default();
        let manner = Manner::of(path);
        if let Some(status) = behaviour.status {
            let retry_after = behaviour.retry_after.map(|seconds| format!("retry-after: {seconds}"));
            return self.plain(status, retry_after.as_slice(), &error(path, status).to_string(), None);
        }
        if behaviour.error_body {
            return self.plain(200, &[], &error(&request.path, 503).to_string(), None);
        }
        let version = request.header("anthropic-version");
        if let Some(why) = is_own(path).then(|| anthropic::refusal(version.as_deref(), body)).flatten() {
            return self.plain(400, &[], &anthropic::error(400, &why).to_string(), None);
        }
        if path.ends_with("/models") && request.method == "GET" {
            return self.plain(200, &[], &answers::models().to_string(), None);
        }
        if let Some((status, error)) = manner.refusal(path, body) {
            return self.plain(status, &[], &error.to_string(), None);
        }
        if let Some(number) = behaviour.script {
            let script = self.state.script(number).ok_or_else(|| io::Error::other(format!("no script {number}")))?;
            return self.play(&script);
        }
        let behaviour = &manner.over(behaviour.clone());
        let asked = Asked::new(body, behaviour, manner.schema(body), number);
        let Some(answer) = Answer::of(path, &asked, body) else {
            return self.plain(404, &[], &answers::error(404).to_string(), None);
        };
        if !matches!(body, Value::Object(_)) {
            return self.plain(400, &[], &answers::error(400).to_string(), None);
        }
        let mut served = asked.served(&request.path);
        self.state.serving.fetch_add(1, Ordering::SeqCst);
        let next = match answer {
            Answer::Whole(whole, count) => self.whole(&manner.whole(whole), behaviour, &mut served, count),
            Answer::Events(events, done) => {
                let done = done && !behaviour.no_done;
                let broken = if is_own(path) { error(path, 500) } else { manner.error_event() };
                let told = Told { events: manner.events(events), done, broken, comments: manner.comments() };
                self.stream(&told, behaviour, &mut served)
            }
        };
        self.state.remember(&self.state.served, served);
        self.state.serving.fetch_sub(1, Ordering::SeqCst);
        next
    }

    fn play(&mut self, script: &Script) -> io::Result<Next> {
        let head = self.head(200, "text/event-stream; charset=utf-8", &["transfer-encoding: chunked".to_owned()]);
        self.reader.get_mut().write_all(&head)?;
        script.write(self.reader.get_mut())?;
        Ok(if script.ends { Next::Request } else { Next::Reset })
    }

    fn whole(&mut self, whole: &Value, behaviour: &Behaviour, served: &mut Served, count: Count) -> io::Result<Next> {
        if self.is_left() {
            return Ok(Next::Close);
        }
        let mut text = whole.to_string();
        if behaviour.malformed {
            let mut half = text.len() / 2;
            while !text.is_char_boundary(half) {
                half += 1;
            }
            text.truncate(half);
        }
        let cut = matches!(behaviour.after, Some((_, Ending::Cut))).then_some(text.len() / 2);
        // It was made as a whole, whatever becomes of it on the way.
        served.count = count;
        let packed = behaviour.packed.then(|| "content-encoding: gzip".to_owned());
        let next = self.plain(200, packed.as_slice(), &text, cut)?;
        served.complete = cut.is_none() && !behaviour.malformed;
        served.usage_sent = served.complete && whole["usage"].is_object();
        Ok(next)
    }

    /// Whether the client has closed the connection.
    fn is_left(&self) -> bool {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        match recv(self.reader.get_ref(), &mut [0; 1], flags) {
            Ok((read, _)) => read == 0,
            Err(error) => error != Errno::AGAIN,
        }
    }

    /// Writes an answer with a content-length, or only its first bytes and then a reset.
    fn plain(&mut self, status: u16, headers: &[String], body: &str, cut: Option<usize>) -> io::Result<Next> {
        let length = format!("content-length: {}", body.len());
        let mut bytes = self.head(status, "application/json", &[&[length], headers].concat());
        bytes.extend_from_slice(cut.map_or(body.as_bytes(), |cut| &body.as_bytes()[..cut]));
        self.reader.get_mut().write_all(&bytes)?;
        Ok(if cut.is_some() { Next::Reset } else { Next::Request })
    }

    fn stream(&mut self, told: &Told, behaviour: &Behaviour, served: &mut Served) -> io::Result<Next> {
        let head = self.head(200, "text/event-stream; charset=utf-8", &["transfer-encoding: chunked".to_owned()]);
        self.reader.get_mut().write_all(&head)?;
        if !told.comments.is_empty() {
            self.chunk(told.comments)?;
        }
        for (number, event) in told.events.iter().enumerate() {
            match behaviour.after {
                Some((after, Ending::Cut)) if after == number => return Ok(Next::Reset),
                Some((after, Ending::End)) if after == number => return self.end(),
                Some((after, Ending::Error)) if after == number => {
                    let name = told.broken["type"].as_str();
                    self.event(&told.broken.to_string(), name, behaviour)?;
                    return self.end();
                }
                _ => {}
            }
            let mut text = event.to_string();
            if behaviour.malformed && number == 1 {
                text.truncate(20);
            }
            self.event(&text, event["type"].as_str(), behaviour)?;
            served.add(event);
        }
        if told.done {
            self.event("[DONE]", None, behaviour)?;
        }
        let next = self.end()?;
        served.complete = true;
        Ok(next)
    }

    fn event(&mut self, data: &str, name: Option<&str>, behaviour: &Behaviour) -> io::Result<()> {
        thread::sleep(behaviour.pace);
        // What is written to a closed connection would count as served.
        if self.is_left() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let newline = if behaviour.crlf { "\r\n" } else { "\n" };
        let name = name.map(|name| format!("event: {name}{newline}")).unwrap_or_default();
        self.chunk(&format!("{name}data: {data}{newline}{newline}"))
    }

    fn chunk(&mut self, text: &str) -> io::Result<()> {
        self.reader.get_mut().write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes())
    }

    fn end(&mut self) -> io::Result<Next> {
        self.reader.get_mut().write_all(b"0\r\n\r\n")?;
        Ok(Next::Request)
    }

    /// A head with what real providers add, among them limits of the shared key that no client should see.
    fn head(&self, status: u16, content_type: &str, headers: &[String]) -> Vec<u8> {
        let number = self.state.answered.load(Ordering::SeqCst);
        let mut head = format!(
            "HTTP/1.1 {status} Told\r\ncontent-type: {content_type}\r\nx-request-id: req_fake_{number}\r\n\
             openai-organization: fake-org\r\nopenai-processing-ms: 1\r\nx-ratelimit-limit-requests: 5000\r\n\
             x-ratelimit-remaining-requests: 4999\r\nx-ratelimit-reset-requests: 12ms\r\n"
        );
        for line in headers {
            head.push_str(line);
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}
