//! The head of a message, while it can still be changed.

use crate::{
    abi::{self, Map},
    kind::{Kind, kind},
};
use domain::{
    caller::{Caller, Identity, Trust},
    chat::Endpoint,
    headers::Headers,
};
use std::{
    cell::OnceCell,
    net::{IpAddr, SocketAddr},
};

/// The property that only filters can write: who calls. In Envoy it is filter state, in Kong a
/// field of `kong.ctx.shared`.
const CALLER: &str = "tollgate.caller";
const CALLER_IN_KONG: [&str; 4] = ["kong", "ctx", "shared", "tollgate_caller"];
/// Stands for "`auth` let this pass without a token"; no caller reads like it, for a caller has lines.
const BYPASSED: &str = "-";

/// A request's head. It exists only while the host holds the headers, so that no filter can change
/// one that has left.
#[derive(Debug, Default)]
pub struct RequestHead {
    headers: OnceCell<Headers>,
}

impl RequestHead {
    /// All headers, pseudo-headers (`:path`) among them. Read from the host once.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        self.headers.get_or_init(|| read(Map::Request))
    }

    /// Whether `name` has a value. Asks for this one header where the others were not read yet,
    /// which costs a tenth of reading them all when it is absent.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        match self.headers.get() {
            Some(headers) => headers.get(name).is_some(),
            None => abi::header(Map::Request, name).ok().flatten().is_some(),
        }
    }

    /// The endpoint that the request is for. Asks Envoy for its two headers alone where the others were not read yet.
    #[must_use]
    pub fn endpoint(&self) -> Option<Endpoint> {
        if self.headers.get().is_some() || kind() == Kind::Kong {
            return Endpoint::of(self.method(), self.path());
        }
        let [method, path] = [":method", ":path"].map(|it| abi::header(Map::Request, it).ok().flatten());
        Endpoint::of(str::from_utf8(&method?).ok()?, str::from_utf8(&path?).ok()?)
    }

    /// The path with the query, as it stands now; empty if it is not UTF-8.
    #[must_use]
    pub fn path(&self) -> &str {
        self.headers().text(":path").unwrap_or_default()
    }

    /// The method; empty if it is not UTF-8.
    #[must_use]
    pub fn method(&self) -> &str {
        self.headers().text(":method").unwrap_or_default()
    }

    /// Gives `name` this value. In Kong a second copy of the client's survives on the wire: refuse
    /// duplicates of a header before you trust or rewrite it.
    pub fn set(&mut self, name: &str, value: &str) {
        write(Map::Request, name, value, self.headers.get_mut());
    }

    /// Takes `name` away. Kong can only empty it, and only the first copy: `false` when a value
    /// of the client's may survive.
    pub fn remove(&mut self, name: &str) -> bool {
        let copies = self.headers().copies(name);
        match kind() {
            Kind::Envoy => erase(Map::Request, name, self.headers.get_mut()),
            Kind::Kong if copies > 0 => self.set(name, ""),
            Kind::Kong => {}
        }
        copies <= 1 || kind() == Kind::Envoy
    }

    /// Who calls.
    #[must_use]
    pub fn identity(&self, trust: Trust) -> Identity {
        let known = match trust {
            Trust::Headers => Caller::from_headers(self.headers()),
            Trust::Auth => {
                let property = match kind() {
                    Kind::Envoy => abi::property(&[CALLER]),
                    Kind::Kong => abi::property(&CALLER_IN_KONG),
                };
                let text = property.ok().flatten().and_then(|it| String::from_utf8(it).ok());
                match text.as_deref() {
                    Some(BYPASSED) => return Identity::Bypassed,
                    Some(text) => Caller::decode(text),
                    None => None,
                }
            }
        };
        known.map_or(Identity::Missing, Identity::Known)
    }

    /// Tells the later filters who calls.
    pub fn publish(&mut self, caller: &Caller) {
        publish(&caller.encode());
    }

    /// Tells the later filters that the request needs no caller.
    pub fn publish_bypass(&mut self) {
        publish(BYPASSED);
    }

    /// The client's address, as the proxy trusts it: in Envoy what `use_remote_address` and `xff_num_trusted_hops` make of
    /// the connection and `X-Forwarded-For`, in Kong what `trusted_ips` and `real_ip_header` do.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        let property = match kind() {
            Kind::Envoy => abi::property(&["source", "address"]),
            Kind::Kong => abi::property(&["ngx", "remote_addr"]),
        };
        parse_address(&String::from_utf8(property.ok()??).ok()?)
    }

    /// The provider of the endpoint that Envoy chose for this attempt: the endpoint's metadata
    /// `tollgate.provider`. `None` in Kong, and outside an upstream filter.
    #[must_use]
    pub fn upstream_provider(&self) -> Option<String> {
        let path = ["xds", "upstream_host_metadata", "filter_metadata", "tollgate", "provider"];
        match kind() {
            Kind::Envoy => String::from_utf8(abi::property(&path).ok()??).ok(),
            Kind::Kong => None,
        }
    }

    /// Whether a body follows, as the headers tell it. (Kong does not say at the end of the headers.)
    pub(crate) fn announces_body(&self) -> bool {
        let headers = self.headers();
        let empty = headers.text("content-length").is_none_or(|it| it.trim() == "0");
        !empty || headers.get("transfer-encoding").is_some()
    }
}

/// A response's head, while the host holds it.
#[derive(Debug, Default)]
pub struct ResponseHead {
    headers: OnceCell<Headers>,
}

impl ResponseHead {
    /// All headers, `:status` among them. Read from the host once.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        self.headers.get_or_init(|| read(Map::Response))
    }

    /// Whether `name` has a value. Asks for this one header where the others were not read yet.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        match self.headers.get() {
            Some(headers) => headers.get(name).is_some(),
            None => abi::header(Map::Response, name).ok().flatten().is_some_and(|it| !it.is_empty()),
        }
    }

    /// The status; 0 when the host gives none. One header is read, not all.
    #[must_use]
    pub fn status(&self) -> u16 {
        status(Map::Response)
    }

    /// Gives `name` this value, in place of any that it has.
    pub fn set(&mut self, name: &str, value: &str) {
        write(Map::Response, name, value, self.headers.get_mut());
    }

    /// Takes `name` away.
    pub fn remove(&mut self, name: &str) {
        erase(Map::Response, name, self.headers.get_mut());
    }
}

/// What comes behind a request's body and looks like headers. Kong passes none on.
#[derive(Debug, Default)]
pub struct RequestTrailers {
    fields: OnceCell<Headers>,
}

impl RequestTrailers {
    /// All of them. Read from the host once.
    #[must_use]
    pub fn fields(&self) -> &Headers {
        self.fields.get_or_init(|| read(Map::RequestTrailers))
    }

    /// Takes `name` away.
    pub fn remove(&mut self, name: &str) {
        erase(Map::RequestTrailers, name, self.fields.get_mut());
    }
}

/// The `:status` of a response or of a call-out's answer; 0 when there is none.
pub(crate) fn status(map: Map) -> u16 {
    let value = abi::header(map, ":status").ok().flatten();
    let text = value.and_then(|it| String::from_utf8(it).ok());
    text.and_then(|it| it.parse().ok()).unwrap_or(0)
}

/// An address with or without a port.
fn parse_address(text: &str) -> Option<IpAddr> {
    let with_port = text.parse::<SocketAddr>().map(|it| it.ip());
    with_port.or_else(|_| text.parse()).ok().map(|it| it.to_canonical())
}

fn read(map: Map) -> Headers {
    abi::headers(map).unwrap_or_else(|status| {
        log::error!("the host gave no headers: {status:?}");
        Headers::default()
    })
}

fn write(map: Map, name: &str, value: &str, known: Option<&mut Headers>) {
    match abi::set_header(map, name, value.as_bytes()) {
        Ok(()) => {
            if let Some(headers) = known {
                headers.set(name, value.as_bytes());
            }
        }
        Err(status) => log::error!("header {name} not set: {status:?}"),
    }
}

fn erase(map: Map, name: &str, known: Option<&mut Headers>) {
    match abi::remove_header(map, name) {
        Ok(()) => {
            if let Some(headers) = known {
                headers.remove(name);
            }
        }
        Err(status) => log::error!("header {name} not removed: {status:?}"),
    }
}

fn publish(text: &str) {
    let done = match kind() {
        Kind::Envoy => abi::set_property(&[CALLER], text.as_bytes()),
        Kind::Kong => abi::set_property(&CALLER_IN_KONG, text.as_bytes()),
    };
    if let Err(status) = done {
        log::error!("the caller is not known to later filters: {status:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_with_and_without_a_port() {
        let check = |text: &str| parse_address(text).map(|it| it.to_string());
        for (text, address) in [
            ("192.0.2.1:443", "192.0.2.1"),
            ("192.0.2.1", "192.0.2.1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[::ffff:192.0.2.1]:443", "192.0.2.1"),
        ] {
            assert_eq!(check(text).as_deref(), Some(address), "{text}");
        }
        for text in ["", "/run/envoy.sock", "example.com:443"] {
            assert_eq!(check(text), None, "{text}");
        }
    }
}
