//! Who answered, and who ended an exchange that broke off.

use crate::{
    abi,
    kind::{Kind, kind},
};

/// Beginnings of what Envoy writes into `%RESPONSE_CODE_DETAILS%` where it was the client: its connection, its stream
/// (`http2.remote_reset`), or an answer that stood still, for a client need not read.
const CLIENTS: [&str; 5] = ["downstream", "http1.", "http2.", "http3.", "stream_idle_timeout"];

/// Whether the client went away, as far as the proxy knows; of a stream that stood still nobody knows who it was. To be
/// asked in [`crate::Stream::log`], of an answer that did not come to its end.
#[must_use]
pub fn by_client() -> bool {
    let text = |path: &[&str]| abi::property(path).ok().flatten().and_then(|it| String::from_utf8(it).ok());
    match kind() {
        Kind::Envoy => {
            text(&["response", "code_details"]).is_some_and(|it| CLIENTS.iter().any(|whose| it.starts_with(whose)))
        }
        // nginx's own status for it.
        Kind::Kong => text(&["ngx", "status"]).is_some_and(|it| it == "499"),
    }
}

/// Whether an answer comes from the upstream, and not from a filter: what it says of the gateway is then only a claim. To be
/// asked in [`crate::Stream::response_head`]. Kong does not tell; there it is `false`.
#[must_use]
pub fn is_upstreams() -> bool {
    let details = || abi::property(&["response", "code_details"]).ok().flatten();
    kind() == Kind::Envoy && details().is_some_and(|it| it == b"via_upstream")
}

/// Whether the request may have got as far as an upstream, as far as the proxy knows. To be asked in [`crate::Stream::log`].
/// Kong does not tell; there it is `true`.
#[must_use]
pub fn reached_upstream() -> bool {
    kind() != Kind::Envoy
        || abi::property(&["upstream", "local_address"]).ok().flatten().is_some_and(|it| !it.is_empty())
}

/// How often the proxy has sent the request to an upstream so far. Kong does not tell.
#[must_use]
pub fn attempts() -> Option<u64> {
    match kind() {
        Kind::Envoy => {
            let count = abi::property(&["upstream", "request_attempt_count"]).ok().flatten()?;
            count.try_into().ok().map(u64::from_le_bytes)
        }
        Kind::Kong => None,
    }
}
