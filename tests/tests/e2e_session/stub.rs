//! A companion that answers `turns/open` as a test wants it, right or wrong, and remembers what it was asked.

use std::io::{self, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use tests::http::{self, Body, Framing};

/// What it heard: path and body.
type Heard = Arc<Mutex<Vec<(String, String)>>>;

/// Answers until the test's process ends.
pub(crate) struct Stub {
    port: u16,
    heard: Heard,
}

impl Stub {
    /// Answers every `turns/open` with `answer`, status and body; `None` gives no answer at all. Reports are taken.
    pub(crate) fn start(answer: Option<(u16, &str)>) -> Self {
        Self::with(answer, Some((200, r#"{"stored":1}"#)))
    }

    /// The same, and answers every report so.
    pub(crate) fn with(answer: Option<(u16, &str)>, reports: Option<(u16, &str)>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Heard::default();
        let [answer, reports] = [answer, reports].map(|it| it.map(|(status, body)| (status, body.to_owned())));
        let ears = Arc::clone(&heard);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (answer, reports, ears) = (answer.clone(), reports.clone(), Arc::clone(&ears));
                thread::spawn(move || serve(stream, answer.as_ref(), reports.as_ref(), &ears));
            }
        });
        Self { port, heard }
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The bodies that came to this path.
    pub(crate) fn heard(&self, path: &str) -> Vec<String> {
        let heard = self.heard.lock().unwrap();
        heard.iter().filter(|(it, _)| it == path).map(|(_, body)| body.clone()).collect()
    }
}

type Answer = (u16, String);

fn serve(stream: TcpStream, answer: Option<&Answer>, reports: Option<&Answer>, heard: &Heard) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some(head) = http::read_head(&mut reader)? {
        let (body, _) = Body::new(Framing::of_request(&head.headers)).rest(&mut reader);
        let path = head.first_line.split(' ').nth(1).unwrap_or_default().to_owned();
        let answer = if path == "/internal/v1/turns" { reports } else { answer };
        heard.lock().unwrap().push((path, String::from_utf8_lossy(&body).into_owned()));
        let Some((status, body)) = answer else {
            continue;
        };
        let length = body.len();
        write!(reader.get_mut(), "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n{body}")?;
    }
    Ok(())
}
