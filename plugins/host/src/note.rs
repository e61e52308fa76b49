//! Notes that a filter of the listener leaves for an upstream filter of the same request.
//!
//! In Envoy every change of a head that an upstream filter makes is still there when a retry runs
//! it again, a removal too. So what `provider` removes before the request leaves, it must be able
//! to find elsewhere. A note is Envoy's filter state: no client can write it, and it never leaves.

use crate::{
    abi,
    kind::{Kind, kind},
};

/// Leaves `text` under `name`, a word without dots. Kong has no retries that run filters again, so there
/// this does nothing.
pub fn write(name: &str, text: &str) {
    if kind() == Kind::Kong {
        return;
    }
    if let Err(status) = abi::set_property(&[&key(name)], text.as_bytes()) {
        log::error!("the note {name} was not left: {status:?}");
    }
}

/// What was left under `name`.
#[must_use]
pub fn read(name: &str) -> Option<String> {
    if kind() == Kind::Kong {
        return None;
    }
    String::from_utf8(abi::property(&[&key(name)]).ok()??).ok()
}

fn key(name: &str) -> String {
    format!("tollgate.{name}")
}
