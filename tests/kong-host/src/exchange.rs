//! One request of a client's and its response, as all filters of the chain see it.

use crate::{fields::Fields, message::Request};
use std::collections::BTreeMap;

/// The answer of a filter in place of the upstream's.
#[derive(Debug, Clone)]
pub(crate) struct LocalReply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

/// The piece of the response that is passing.
#[derive(Debug, Default)]
pub(crate) struct Piece {
    pub(crate) bytes: Vec<u8>,
    pub(crate) end: bool,
    /// A filter replaced it.
    pub(crate) replaced: bool,
}

/// A request and its response.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    pub(crate) method: String,
    /// What `:path` reads as. Setting it changes nothing upstream.
    pub(crate) path: String,
    pub(crate) request: Fields,
    pub(crate) body: Vec<u8>,
    /// The body's length when the client sent it.
    pub(crate) client_length: usize,
    pub(crate) chunked: bool,
    /// A call-out was made while the body was at hand.
    pub(crate) called_in_body: bool,
    /// What filters can write: `kong.ctx.shared.*`, and where Kong will go, `ngx.upstream_uri` and `ngx.upstream_host`.
    pub(crate) properties: BTreeMap<String, Vec<u8>>,
    pub(crate) status: u16,
    pub(crate) response: Fields,
    pub(crate) piece: Piece,
    pub(crate) local: Option<LocalReply>,
    /// The names of route and service, and the port, for the properties.
    pub(crate) route: String,
}

impl Exchange {
    pub(crate) fn new(request: Request, route: &str) -> Self {
        let Request { method, path, mut headers, body, chunked, upstream } = request;
        let (host, uri) = upstream.unwrap_or_else(|| ("127.0.0.1:9".to_owned(), path.clone()));
        let properties = [("ngx.upstream_host", host), ("ngx.upstream_uri", uri)];
        let properties = properties.map(|(name, value)| (name.to_owned(), value.into_bytes())).into();
        if chunked {
            headers.push(("Transfer-Encoding".to_owned(), b"chunked".to_vec()));
        } else if !body.is_empty() && !headers.iter().any(|(it, _)| it.eq_ignore_ascii_case("content-length")) {
            headers.push(("Content-Length".to_owned(), body.len().to_string().into_bytes()));
        }
        let client_length = body.len();
        let request = Fields::new(headers);
        let route = route.to_owned();
        Self { method, path, request, body, client_length, chunked, properties, route, ..Self::default() }
    }

    /// A pseudo-header of the request. `:authority` is Kong's own name, of no use to anybody.
    pub(crate) fn pseudo(&self, name: &str) -> Option<Vec<u8>> {
        match name {
            ":path" => Some(self.path.clone().into_bytes()),
            ":method" => Some(self.method.clone().into_bytes()),
            ":scheme" => Some(b"http".to_vec()),
            ":authority" => Some(b"kong:28000".to_vec()),
            _ => None,
        }
    }
}
