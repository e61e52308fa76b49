//! A service that answers everything with the same few bytes: what is measured beside it is the gateway.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use crate::load::{head_end, length};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{\"ok\":true}";

/// What is written for one request: the pieces of an answer, and how long to wait before each.
type Pieces = &'static [Vec<u8>];

/// Starts one that answers `{"ok":true}`; its port on 127.0.0.1. It lives as long as this program.
pub(crate) fn start() -> u16 {
    listen(vec![ANSWER.to_vec()], Duration::ZERO)
}

/// One that answers with this JSON.
pub(crate) fn plain(json: &str) -> u16 {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", json.len());
    listen(vec![(head + json).into_bytes()], Duration::ZERO)
}

/// One that streams these events, each in a packet of its own.
pub(crate) fn stream(events: &[String], pace: Duration) -> u16 {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
    let chunk = |data: &String| format!("{:x}\r\ndata: {data}\n\n\r\n", data.len() + 8);
    let pieces = [head].into_iter().chain(events.iter().map(chunk)).chain(["0\r\n\r\n".to_owned()]);
    listen(pieces.map(String::into_bytes).collect(), pace)
}

fn listen(pieces: Vec<Vec<u8>>, pace: Duration) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on 127.0.0.1");
    let port = listener.local_addr().expect("a bound socket has an address").port();
    let pieces: Pieces = pieces.leak();
    thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || serve(connection, pieces, pace));
        }
    });
    port
}

/// Until the gateway closes the connection.
fn serve(mut connection: TcpStream, pieces: Pieces, pace: Duration) -> io::Result<()> {
    connection.set_nodelay(true)?;
    let (mut bytes, mut piece) = (Vec::new(), [0_u8; 16384]);
    while let Ok(read @ 1..) = connection.read(&mut piece) {
        bytes.extend_from_slice(&piece[..read]);
        let Some(end) = head_end(&bytes) else { continue };
        if bytes.len() - end < length(&bytes[..end]).unwrap_or(0) {
            continue;
        }
        bytes.clear();
        for piece in pieces {
            if !pace.is_zero() {
                thread::sleep(pace);
            }
            connection.write_all(piece)?;
        }
    }
    Ok(())
}
