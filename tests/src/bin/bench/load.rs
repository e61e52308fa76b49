//! The load generator: a few connections that each send their next request when they have the last one's answer.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Requests that differ in one header alone, handed out one after the other and, at the end, from the start again.
#[derive(Debug)]
pub(crate) struct Requests {
    before: String,
    /// The values of that header.
    values: Arc<[String]>,
    after: String,
    next: AtomicUsize,
    expected: &'static str,
}

impl Requests {
    /// A POST of a JSON body with each of these bearer tokens.
    pub(crate) fn new(path: &str, tokens: impl Into<Arc<[String]>>, body: &str) -> Self {
        Self::post(path, "authorization: Bearer ", tokens.into(), body)
    }

    /// A POST of a JSON body of each of these users, for a gateway that believes the headers; `more` are lines of its head.
    pub(crate) fn of_users(path: &str, users: &Arc<[String]>, more: &str, body: &str) -> Self {
        Self::post(path, &format!("{more}x-project-id: p1\r\nx-end-user-id: "), Arc::clone(users), body)
    }

    fn post(path: &str, header: &str, values: Arc<[String]>, body: &str) -> Self {
        let before = format!("POST {path} HTTP/1.1\r\nhost: gateway\r\n{header}");
        let after = format!("\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        Self { before, values, after, next: AtomicUsize::new(0), expected: "200" }
    }

    /// A GET with this bearer token, to be refused. Without a body, because Envoy closes the connection of a request that it
    /// refuses before it has read all of it.
    pub(crate) fn refused(path: &str, token: String) -> Self {
        let before = format!("GET {path} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer ");
        let (after, next) = ("\r\n\r\n".to_owned(), AtomicUsize::new(0));
        Self { before, values: [token].into(), after, next, expected: "401" }
    }

    /// How many different ones there are.
    pub(crate) fn kinds(&self) -> usize {
        self.values.len()
    }

    fn next(&self, request: &mut Vec<u8>) {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let value = &self.values[turn % self.values.len()];
        request.clear();
        for piece in [&self.before, value, &self.after] {
            request.extend_from_slice(piece.as_bytes());
        }
    }
}

/// Sends `count` requests over so many connections; how long each took, in the order of time.
pub(crate) fn load(port: u16, requests: &Requests, count: usize, connections: usize) -> Vec<Duration> {
    let mut waits: Vec<Duration> = thread::scope(|scope| {
        let drive = || drive(port, requests, count / connections);
        let clients: Vec<_> = (0..connections).map(|_| scope.spawn(drive)).collect();
        clients.into_iter().flat_map(|it| it.join().expect("a client")).collect()
    });
    waits.sort();
    waits
}

/// Sends `count` requests over one connection; how long each took to the first byte of its body.
fn drive(port: u16, requests: &Requests, count: usize) -> Vec<Duration> {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).expect("the gateway listens");
    connection.set_nodelay(true).expect("nodelay");
    let (mut request, mut answer) = (Vec::new(), Vec::new());
    (0..count)
        .map(|_| {
            requests.next(&mut request);
            let sent = Instant::now();
            connection.write_all(&request).expect("the gateway reads");
            answer.clear();
            let mut first = None;
            while !whole(&answer) {
                let mut piece = [0_u8; 16384];
                let read = connection.read(&mut piece).expect("the gateway answers");
                assert!(read > 0, "the gateway hung up: {}", String::from_utf8_lossy(&answer));
                answer.extend_from_slice(&piece[..read]);
                if first.is_none() && head_end(&answer).is_some_and(|end| answer.len() > end) {
                    first = Some(sent.elapsed());
                }
            }
            let status = answer.get(9..12).unwrap_or_default();
            assert_eq!(status, requests.expected.as_bytes(), "{}", String::from_utf8_lossy(&answer));
            first.expect("an answer has a body")
        })
        .collect()
}

/// Where the head of a message ends.
pub(crate) fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|it| it == b"\r\n\r\n").map(|at| at + 4)
}

/// The `content-length` of a head.
pub(crate) fn length(head: &[u8]) -> Option<usize> {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    head.split("content-length: ").nth(1)?.split("\r\n").next()?.parse().ok()
}

fn whole(bytes: &[u8]) -> bool {
    let Some(end) = head_end(bytes) else {
        return false;
    };
    match length(&bytes[..end]) {
        Some(length) => bytes.len() - end >= length,
        None => bytes.ends_with(b"0\r\n\r\n"),
    }
}
