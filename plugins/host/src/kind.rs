//! Which proxy this is. Everything that depends on it is decided in this crate.

use crate::abi::{self, Status};
use std::cell::Cell;

/// The two proxies that Tollgate runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Envoy,
    Kong,
}

thread_local! {
    static KIND: Cell<Option<Kind>> = const { Cell::new(None) };
}

/// Asks the host once for a property that only nginx has. Kong answers a root context, which has
/// no request to read it from, with an internal failure; Envoy does not know the name.
pub(crate) fn kind() -> Kind {
    if let Some(known) = KIND.get() {
        return known;
    }
    let kind = match abi::property(&["ngx", "nginx_version"]) {
        Ok(Some(_)) | Err(Status::InternalFailure) => Kind::Kong,
        Ok(None) | Err(_) => Kind::Envoy,
    };
    KIND.set(Some(kind));
    kind
}
