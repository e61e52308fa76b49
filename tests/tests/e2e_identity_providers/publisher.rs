//! The hosts of identity providers, told apart by what a request says in `host`.

use crate::shapes::Shape;
use std::collections::BTreeMap;
use std::io::{BufReader, Write};
use std::net::TcpListener;
use std::thread;
use tests::http;

/// Answers with the keys of the provider whose host and path are asked for.
pub(crate) struct Publisher {
    pub(crate) port: u16,
}

impl Publisher {
    pub(crate) fn start(shapes: &[Shape]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let keys: BTreeMap<_, _> = shapes.iter().map(|it| (it.keys_at.to_owned(), it.keys().to_string())).collect();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let Ok(Some(head)) = http::read_head(&mut reader) else { continue };
                let host = http::text(&head.headers, "host").unwrap_or_default();
                let at = host + head.first_line.split(' ').nth(1).unwrap_or_default();
                let (status, body) = keys.get(&at).map_or(("404 Not Found", ""), |body| ("200 OK", body.as_str()));
                let answer =
                    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                let _ = (&stream).write_all(answer.as_bytes());
            }
        });
        Self { port }
    }
}
