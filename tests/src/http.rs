//! HTTP/1.1 on a blocking socket, for the fake provider and the client alike.
//!
//! A library would lower-case the names, merge or reorder headers and hide the framing; here every byte that was on the
//! wire stays visible, and bytes that no library would send can be sent.

use std::io::{self, BufRead, BufReader, Read};
use std::net::TcpStream;

/// Header lines in the order and spelling of the wire, duplicates included.
pub type Headers = Vec<(String, Vec<u8>)>;

/// The first line and the headers of a message.
#[derive(Debug, Clone)]
pub struct Head {
    /// `POST /v1/x HTTP/1.1` or `HTTP/1.1 200 OK`.
    pub first_line: String,
    /// See [`Headers`].
    pub headers: Headers,
}

/// The first value of a header, whatever its case.
#[must_use]
pub fn first<'a>(headers: &'a [(String, Vec<u8>)], name: &str) -> Option<&'a [u8]> {
    headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice())
}

/// The first value of a header as text; bytes that are no UTF-8 are replaced.
#[must_use]
pub fn text(headers: &[(String, Vec<u8>)], name: &str) -> Option<String> {
    first(headers, name).map(|value| String::from_utf8_lossy(value).into_owned())
}

/// Reads a head. `None`: the peer closed before it sent anything.
///
/// # Errors
/// The connection broke, or what came is no HTTP/1.1 head.
pub fn read_head(reader: &mut BufReader<TcpStream>) -> io::Result<Option<Head>> {
    let mut raw = Vec::new();
    loop {
        if reader.read_until(b'\n', &mut raw)? == 0 {
            return if raw.is_empty() { Ok(None) } else { Err(broken("the connection ended inside a head")) };
        }
        if raw.ends_with(b"\r\n\r\n") || raw == b"\r\n" {
            return parse_head(&raw).map(Some);
        }
    }
}

fn parse_head(raw: &[u8]) -> io::Result<Head> {
    let line_end = raw.iter().position(|byte| *byte == b'\r').unwrap_or(raw.len());
    let mut slots = vec![httparse::EMPTY_HEADER; 512];
    let (_, found) = match httparse::parse_headers(&raw[line_end + 2..], &mut slots) {
        Ok(httparse::Status::Complete(found)) => found,
        other => return Err(broken(&format!("no HTTP head: {other:?}"))),
    };
    let headers = found.iter().map(|header| (header.name.to_owned(), header.value.to_vec())).collect();
    Ok(Head { first_line: String::from_utf8_lossy(&raw[..line_end]).into_owned(), headers })
}

/// How the end of a body is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// `content-length`, and how much of it is still to come.
    Length(u64),
    /// `transfer-encoding: chunked`.
    Chunked,
    /// The end of the connection; for an answer only.
    UntilClose,
    /// All of it was read.
    Ended,
}

impl Framing {
    /// Of a request: without a length there is no body.
    #[must_use]
    pub fn of_request(headers: &[(String, Vec<u8>)]) -> Self {
        Self::declared(headers).unwrap_or(Self::Ended)
    }

    /// Of an answer: without a length the body lasts until the connection closes.
    #[must_use]
    pub fn of_answer(status: u16, headers: &[(String, Vec<u8>)]) -> Self {
        if status < 200 || matches!(status, 204 | 304) {
            return Self::Ended;
        }
        Self::declared(headers).unwrap_or(Self::UntilClose)
    }

    fn declared(headers: &[(String, Vec<u8>)]) -> Option<Self> {
        if text(headers, "transfer-encoding").is_some_and(|value| value.to_ascii_lowercase().contains("chunked")) {
            return Some(Self::Chunked);
        }
        text(headers, "content-length")?.trim().parse().ok().map(Self::Length)
    }
}

/// A body as it arrives.
#[derive(Debug)]
pub struct Body {
    framing: Framing,
}

impl Body {
    /// A body framed so.
    #[must_use]
    pub fn new(framing: Framing) -> Self {
        Self { framing }
    }

    /// The next piece, as soon as there is one; `None` at the proper end.
    ///
    /// # Errors
    /// The connection broke or timed out before the end.
    pub fn next(&mut self, reader: &mut BufReader<TcpStream>) -> io::Result<Option<Vec<u8>>> {
        match self.framing {
            Framing::Ended | Framing::Length(0) => Ok(None),
            Framing::Length(left) => {
                let piece = some_bytes(reader, left)?;
                if piece.is_empty() {
                    return Err(broken("the connection ended inside a body"));
                }
                self.framing = Framing::Length(left - piece.len() as u64);
                Ok(Some(piece))
            }
            Framing::UntilClose => {
                let piece = some_bytes(reader, u64::MAX)?;
                Ok((!piece.is_empty()).then_some(piece))
            }
            Framing::Chunked => {
                let piece = chunk(reader)?;
                if piece.is_none() {
                    self.framing = Framing::Ended;
                }
                Ok(piece)
            }
        }
    }

    /// All that is left, and whether the end was a proper one.
    pub fn rest(&mut self, reader: &mut BufReader<TcpStream>) -> (Vec<u8>, io::Result<()>) {
        let mut all = Vec::new();
        loop {
            match self.next(reader) {
                Ok(Some(piece)) => all.extend_from_slice(&piece),
                Ok(None) => return (all, Ok(())),
                Err(error) => return (all, Err(error)),
            }
        }
    }
}

fn some_bytes(reader: &mut BufReader<TcpStream>, at_most: u64) -> io::Result<Vec<u8>> {
    let buffered = reader.fill_buf()?;
    let taken = buffered.len().min(usize::try_from(at_most).unwrap_or(usize::MAX));
    let piece = buffered[..taken].to_vec();
    reader.consume(taken);
    Ok(piece)
}

fn chunk(reader: &mut BufReader<TcpStream>) -> io::Result<Option<Vec<u8>>> {
    let line = chunk_line(reader)?;
    let digits = line.split(';').next().unwrap_or_default().trim();
    let size = usize::from_str_radix(digits, 16).map_err(|_| broken(&format!("no chunk size: {line:?}")))?;
    if size == 0 {
        while !chunk_line(reader)?.is_empty() {}
        return Ok(None);
    }
    let mut piece = vec![0; size];
    reader.read_exact(&mut piece)?;
    chunk_line(reader)?;
    Ok(Some(piece))
}

fn chunk_line(reader: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Err(broken("the connection ended inside a chunked body"));
    }
    Ok(line.trim_end().to_owned())
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}
