//! What goes in and out of the gateway, as a test writes and reads it.

/// A header field.
pub(crate) type Pair = (String, Vec<u8>);

fn first<'a>(headers: &'a [Pair], name: &str) -> Option<&'a str> {
    all(headers, name).into_iter().next()
}

fn all<'a>(headers: &'a [Pair], name: &str) -> Vec<&'a str> {
    let found = headers.iter().filter(|(it, _)| it.eq_ignore_ascii_case(name));
    found.map(|(_, value)| std::str::from_utf8(value).expect("a header that is text")).collect()
}

/// A client's request.
#[derive(Debug, Clone)]
pub struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<Pair>,
    pub(crate) body: Vec<u8>,
    pub(crate) chunked: bool,
    /// Host and path that Kong's router chose, before any filter ran.
    pub(crate) upstream: Option<(String, String)>,
}

impl Request {
    /// A request with a body.
    #[must_use]
    pub fn post(path: &str, body: impl AsRef<[u8]>) -> Self {
        Self::new("POST", path, body.as_ref()).header("Content-Type", "application/json")
    }

    /// A request without a body.
    #[must_use]
    pub fn get(path: &str) -> Self {
        Self::new("GET", path, b"")
    }

    fn new(method: &str, path: &str, body: &[u8]) -> Self {
        let headers = vec![("Host".to_owned(), b"gateway.test".to_vec())];
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            headers,
            body: body.to_vec(),
            chunked: false,
            upstream: None,
        }
    }

    /// Adds a field, also when there is one of that name.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// The first value of a field.
    #[must_use]
    pub fn get_header(&self, name: &str) -> Option<&str> {
        first(&self.headers, name)
    }

    /// Sends the body in chunked encoding, so that there is no content-length.
    #[must_use]
    pub fn chunked(mut self) -> Self {
        self.chunked = true;
        self
    }
}

/// What an upstream received.
#[derive(Debug, Clone)]
pub struct UpstreamRequest {
    /// The method.
    pub method: String,
    /// The path that Kong asks for: `ngx.upstream_uri`, never a filter's `:path`.
    pub path: String,
    /// The host that Kong asks for: `ngx.upstream_host`.
    pub host: String,
    /// The other fields, as they are on the wire.
    pub headers: Vec<Pair>,
    /// The body.
    pub body: Vec<u8>,
}

impl UpstreamRequest {
    /// The first value of a field.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        first(&self.headers, name)
    }

    /// All values of a field.
    #[must_use]
    pub fn headers(&self, name: &str) -> Vec<&str> {
        all(&self.headers, name)
    }
}

/// How a response ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// As it should.
    Complete,
    /// The upstream goes away after the last piece: no further callback, only the log.
    Cut,
    /// The client goes away after the last piece: no further callback, only the log.
    ClientLeft,
}

/// What an upstream answers.
#[derive(Debug, Clone)]
pub struct UpstreamResponse {
    pub(crate) status: u16,
    pub(crate) headers: Vec<Pair>,
    pub(crate) pieces: Vec<Vec<u8>>,
    pub(crate) sized: bool,
    pub(crate) ending: Ending,
}

impl UpstreamResponse {
    /// A response with a content-length, in one piece.
    #[must_use]
    pub fn sized(status: u16, content_type: &str, body: impl AsRef<[u8]>) -> Self {
        let headers = vec![
            ("Content-Type".to_owned(), content_type.as_bytes().to_vec()),
            ("Content-Length".to_owned(), body.as_ref().len().to_string().into_bytes()),
        ];
        Self { status, headers, pieces: vec![body.as_ref().to_vec()], sized: true, ending: Ending::Complete }
    }

    /// A JSON response with a content-length, in one piece.
    #[must_use]
    pub fn json(status: u16, body: impl AsRef<[u8]>) -> Self {
        Self::sized(status, "application/json", body)
    }

    /// A stream in chunked encoding, one callback a piece, then an empty one with the end.
    #[must_use]
    pub fn stream<B: AsRef<[u8]>>(pieces: impl IntoIterator<Item = B>) -> Self {
        let headers = vec![("Content-Type".to_owned(), b"text/event-stream".to_vec())];
        let pieces = pieces.into_iter().map(|it| it.as_ref().to_vec()).collect();
        Self { status: 200, headers, pieces, sized: false, ending: Ending::Complete }
    }

    /// Cuts the body into pieces of at most `size` bytes.
    #[must_use]
    pub fn in_pieces_of(mut self, size: usize) -> Self {
        self.pieces = self.pieces.concat().chunks(size).map(<[u8]>::to_vec).collect();
        self
    }

    /// Leaves all but the first pieces away.
    #[must_use]
    pub fn first_pieces(mut self, count: usize) -> Self {
        self.pieces.truncate(count);
        self
    }

    /// Ends in another way.
    #[must_use]
    pub fn ending(mut self, ending: Ending) -> Self {
        self.ending = ending;
        self
    }

    /// Adds a field.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }
}

/// A filter's question to another service.
#[derive(Debug, Clone)]
pub struct CallOut {
    /// The filter that asks.
    pub filter: String,
    /// Where to, as the filter names it: `host:port`.
    pub upstream: String,
    /// `:method`.
    pub method: String,
    /// `:path`.
    pub path: String,
    /// `:authority`.
    pub authority: String,
    /// `:scheme`: Kong encrypts for `https`.
    pub scheme: String,
    /// The other fields.
    pub headers: Vec<Pair>,
    /// The body.
    pub body: Vec<u8>,
    /// How long the filter waits.
    pub timeout_ms: u32,
}

impl CallOut {
    /// The first value of a field.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        first(&self.headers, name)
    }
}

/// What another service answers.
#[derive(Debug, Clone)]
pub enum CallAnswer {
    /// A response.
    Http {
        /// The status.
        status: u16,
        /// The fields.
        headers: Vec<Pair>,
        /// The body.
        body: Vec<u8>,
    },
    /// None: refused, unknown, timed out. The filter sees no header and no byte.
    Failed,
}

impl CallAnswer {
    /// A JSON response.
    #[must_use]
    pub fn json(status: u16, body: impl AsRef<[u8]>) -> Self {
        let headers = vec![("Content-Type".to_owned(), b"application/json".to_vec())];
        Self::Http { status, headers, body: body.as_ref().to_vec() }
    }
}

/// What the client received.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The fields.
    pub headers: Vec<Pair>,
    /// The pieces of the body, as they were sent; those that a filter emptied are not among them.
    pub pieces: Vec<Vec<u8>>,
    /// A filter answered; no upstream was asked.
    pub local: bool,
    pub(crate) ending: Ending,
}

impl Answer {
    /// The whole body.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        self.pieces.concat()
    }

    /// The whole body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8(self.body()).expect("a body that is text")
    }

    /// The first value of a field.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        first(&self.headers, name)
    }

    /// All values of a field.
    #[must_use]
    pub fn headers(&self, name: &str) -> Vec<&str> {
        all(&self.headers, name)
    }
}
