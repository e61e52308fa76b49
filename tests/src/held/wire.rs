//! As much HTTP/1.1 as thousands of streams need.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::client::chat;

const EVENT: &str = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\
                     \"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\"},\"finish_reason\":null}]}\n\n";
const LAST: &str = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\
                    \"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

/// What a server says.
pub(super) enum Reply {
    /// This JSON.
    Whole(Arc<str>),
    /// One event at once, and the end when something is sent.
    Held(watch::Receiver<()>),
}

/// Answers every request by its path; the port.
pub(super) async fn serve(reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> io::Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let (port, reply) = (listener.local_addr()?.port(), Arc::new(reply));
    tokio::spawn(async move {
        loop {
            // Without a file for it nobody would ever be answered again, and the test would not know why.
            let (stream, _) = listener.accept().await.expect("a connection");
            let reply = Arc::clone(&reply);
            // A gateway that goes away is the test's affair.
            tokio::spawn(async move { answer(BufReader::new(stream), &*reply).await.ok() });
        }
    });
    Ok(port)
}

async fn answer(mut stream: BufReader<TcpStream>, reply: &(impl Fn(&str) -> Reply + Sync)) -> io::Result<()> {
    stream.get_ref().set_nodelay(true)?;
    while let Some(path) = request(&mut stream).await? {
        match reply(&path) {
            Reply::Whole(json) => {
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ";
                stream.write_all(format!("{head}{}\r\n\r\n{json}", json.len()).as_bytes()).await?;
            }
            Reply::Held(mut held) => {
                held.mark_unchanged();
                let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
                stream.write_all(format!("{head}{}", chunk(EVENT)).as_bytes()).await?;
                drop(held.changed().await);
                stream.write_all(format!("{}0\r\n\r\n", chunk(LAST)).as_bytes()).await?;
            }
        }
    }
    Ok(())
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

/// Reads one, forgets its body, and says its path; `None` at the connection's end.
async fn request(stream: &mut BufReader<TcpStream>) -> io::Result<Option<String>> {
    let (mut path, mut length, mut line) = (None, 0, String::new());
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        if path.is_none() {
            path = Some(line.split(' ').nth(1).unwrap_or_default().to_owned());
        }
        match line.trim_end().to_ascii_lowercase().split_once(':') {
            Some(("content-length", value)) => length = value.trim().parse().unwrap_or(0),
            Some(("transfer-encoding", _)) => length = u64::MAX,
            Some(_) => {}
            None if line.trim_end().is_empty() => break,
            None => {}
        }
    }
    if length == u64::MAX {
        chunks(stream).await?;
    } else {
        tokio::io::copy(&mut stream.take(length), &mut tokio::io::sink()).await?;
    }
    Ok(path)
}

async fn chunks(stream: &mut BufReader<TcpStream>) -> io::Result<()> {
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let size = u64::from_str_radix(line.trim_end(), 16).map_err(io::Error::other)?;
        // With the line's end behind it.
        tokio::io::copy(&mut stream.take(size + 2), &mut tokio::io::sink()).await?;
        if size == 0 {
            return Ok(());
        }
    }
}

/// One that waits for the rest of its stream.
pub(super) struct Client(TcpStream);

impl Client {
    /// Asks, on this thread, and waits for the first event.
    pub(super) async fn begin(port: u16, thread: Option<usize>) -> io::Result<Self> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        let mut body = chat("gpt-4o", "go on");
        body["stream"] = true.into();
        let (body, thread) = (body.to_string(), thread.map(|it| format!("x-thread-id: t{it}\r\n")).unwrap_or_default());
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway.test\r\nconnection: close\r\ncontent-type: application/json\r\n\
             x-project-id: p1\r\nx-end-user-id: ada\r\n{thread}content-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).await?;
        let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
        while !seen.windows(5).any(|it| it == b"hello") {
            match stream.read(&mut buffer).await? {
                0 => return Err(io::Error::other(String::from_utf8_lossy(&seen))),
                read => seen.extend_from_slice(&buffer[..read]),
            }
        }
        Ok(Self(stream))
    }

    /// What comes after the first event.
    pub(super) async fn rest(mut self) -> io::Result<String> {
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).await?;
        Ok(rest)
    }
}
