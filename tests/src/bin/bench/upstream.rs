//! A service that answers everything at once with the same few bytes: what is measured beside it is the gateway.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use crate::load::{head_end, length};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{\"ok\":true}";

/// Starts one, which lives as long as this program; its port on 127.0.0.1.
pub(crate) fn start() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on 127.0.0.1");
    let port = listener.local_addr().expect("a bound socket has an address").port();
    thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || serve(connection));
        }
    });
    port
}

/// Until the gateway closes the connection.
fn serve(mut connection: TcpStream) {
    connection.set_nodelay(true).expect("nodelay");
    let (mut bytes, mut piece) = (Vec::new(), [0_u8; 16384]);
    while let Ok(read @ 1..) = connection.read(&mut piece) {
        bytes.extend_from_slice(&piece[..read]);
        let Some(end) = head_end(&bytes) else { continue };
        if bytes.len() - end < length(&bytes[..end]).unwrap_or(0) {
            continue;
        }
        bytes.clear();
        if connection.write_all(ANSWER).is_err() {
            return;
        }
    }
}
