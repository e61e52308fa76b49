//! Answers that are not made but given: a test writes the bytes of a stream, and the fake says them as they are.

use std::io::{self, Write};
use std::net::TcpStream;

/// The body of a streamed answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Each is an HTTP chunk of its own, and is sent before the next one is looked at.
    pub pieces: Vec<Vec<u8>>,
    /// What comes after the last piece: the body's proper end, or else a reset of the connection.
    pub ends: bool,
}

impl Script {
    /// Writes it behind a head that says `transfer-encoding: chunked`.
    pub(super) fn write(&self, stream: &mut TcpStream) -> io::Result<()> {
        // An empty chunk would be the end.
        for piece in self.pieces.iter().filter(|it| !it.is_empty()) {
            stream.write_all(&[format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat())?;
        }
        if self.ends { stream.write_all(b"0\r\n\r\n") } else { Ok(()) }
    }
}
