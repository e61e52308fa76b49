//! The proxy-wasm ABI 0.2.1, as far as Tollgate uses it: imports, and safe calls around them.
//!
//! A status is a number here, so that one which nobody listed is data and not undefined
//! behaviour; memory that the host hands over was allocated by `proxy_on_memory_allocate`.
#![allow(unsafe_code, reason = "the ABI is made of pointers")]

use domain::{headers::Headers, time::Micros};
use std::ptr::null_mut;

/// What a host call came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    NotFound,
    CasMismatch,
    InternalFailure,
    /// Any other status, by its number in the ABI.
    Other(u32),
}

fn check(status: u32) -> Result<(), Status> {
    match status {
        0 => Ok(()),
        1 => Err(Status::NotFound),
        8 => Err(Status::CasMismatch),
        10 => Err(Status::InternalFailure),
        other => Err(Status::Other(other)),
    }
}

/// A buffer of the exchange, by its number in the ABI.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Buffer {
    RequestBody = 0,
    ResponseBody = 1,
    CallBody = 4,
    PluginConfiguration = 7,
}

/// A header map of the exchange, by its number in the ABI.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Map {
    Request = 0,
    RequestTrailers = 1,
    Response = 2,
    CallResponse = 6,
}

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, text: *const u8, size: usize) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_get_buffer_bytes(buffer: u32, start: usize, size: usize, data: *mut *mut u8, len: *mut usize) -> u32;
    fn proxy_set_buffer_bytes(buffer: u32, start: usize, size: usize, data: *const u8, len: usize) -> u32;
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, len: *mut usize) -> u32;
    fn proxy_get_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        data: *mut *mut u8,
        len: *mut usize,
    ) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: u32, name: *const u8, name_size: usize) -> u32;
    fn proxy_get_property(path: *const u8, path_size: usize, data: *mut *mut u8, len: *mut usize) -> u32;
    fn proxy_set_property(path: *const u8, path_size: usize, value: *const u8, value_size: usize) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        len: *mut usize,
        cas: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(key: *const u8, key_size: usize, value: *const u8, value_size: usize, cas: u32) -> u32;
    fn proxy_http_call(
        upstream: *const u8,
        upstream_size: usize,
        headers: *const u8,
        headers_size: usize,
        body: *const u8,
        body_size: usize,
        trailers: *const u8,
        trailers_size: usize,
        timeout_ms: u32,
        token: *mut u32,
    ) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_continue_stream(stream: u32) -> u32;
    fn proxy_call_foreign_function(
        name: *const u8,
        name_size: usize,
        arguments: *const u8,
        arguments_size: usize,
        data: *mut *mut u8,
        len: *mut usize,
    ) -> u32;
    fn proxy_set_effective_context(context: u32) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, offset: i64) -> u32;
}

/// Takes over what the host wrote into memory that it had us allocate.
fn take(data: *mut u8, len: usize) -> Vec<u8> {
    if data.is_null() || len == 0 {
        return Vec::new();
    }
    // SAFETY: `proxy_on_memory_allocate` made `data` from a `Vec<u8>` of exactly `len` bytes.
    unsafe { Vec::from_raw_parts(data, len, len) }
}

/// Calls `get` with room for a pointer and a length, and takes over what it left there.
fn fetch(get: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Option<Vec<u8>>, Status> {
    let (mut data, mut len) = (null_mut(), 0);
    match check(get(&raw mut data, &raw mut len)) {
        Ok(()) if data.is_null() => Ok(None),
        Ok(()) => Ok(Some(take(data, len))),
        Err(Status::NotFound) => Ok(None),
        Err(status) => Err(status),
    }
}

pub(crate) fn log(level: u32, text: &str) {
    // SAFETY: the host reads `text` during the call.
    unsafe { proxy_log(level, text.as_ptr(), text.len()) };
}

pub(crate) fn now() -> Micros {
    let mut nanos = 0_u64;
    // SAFETY: the host writes one `u64`.
    unsafe { proxy_get_current_time_nanoseconds(&raw mut nanos) };
    Micros(nanos.checked_div(1_000).unwrap_or_default())
}

pub(crate) fn tick_every(millis: u32) -> Result<(), Status> {
    // SAFETY: no memory passes.
    check(unsafe { proxy_set_tick_period_milliseconds(millis) })
}

/// The first `size` bytes of a buffer; Kong knows no other start than 0. `None`: not at hand.
pub(crate) fn buffer(which: Buffer, size: usize) -> Result<Option<Vec<u8>>, Status> {
    // SAFETY: `fetch` makes room for the results.
    fetch(|data, len| unsafe { proxy_get_buffer_bytes(which as u32, 0, size, data, len) })
}

/// Replaces the whole of a buffer. (Kong cuts the bytes to the size that is given, hence the maximum.)
pub(crate) fn replace_buffer(which: Buffer, bytes: &[u8]) -> Result<(), Status> {
    // SAFETY: the host reads `bytes` during the call.
    check(unsafe { proxy_set_buffer_bytes(which as u32, 0, usize::MAX, bytes.as_ptr(), bytes.len()) })
}

pub(crate) fn headers(map: Map) -> Result<Headers, Status> {
    // SAFETY: `fetch` makes room for the results.
    let bytes = fetch(|data, len| unsafe { proxy_get_header_map_pairs(map as u32, data, len) })?;
    Ok(decode_map(bytes.unwrap_or_default()))
}

pub(crate) fn header(map: Map, name: &str) -> Result<Option<Vec<u8>>, Status> {
    // SAFETY: the host reads `name` during the call; `fetch` makes room for the results.
    fetch(|data, len| unsafe { proxy_get_header_map_value(map as u32, name.as_ptr(), name.len(), data, len) })
}

pub(crate) fn set_header(map: Map, name: &str, value: &[u8]) -> Result<(), Status> {
    // SAFETY: the host reads `name` and `value` during the call.
    check(unsafe { proxy_replace_header_map_value(map as u32, name.as_ptr(), name.len(), value.as_ptr(), value.len()) })
}

pub(crate) fn remove_header(map: Map, name: &str) -> Result<(), Status> {
    // SAFETY: the host reads `name` during the call.
    check(unsafe { proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len()) })
}

pub(crate) fn property(path: &[&str]) -> Result<Option<Vec<u8>>, Status> {
    let path = path.join("\0");
    // SAFETY: the host reads `path` during the call; `fetch` makes room for the results.
    fetch(|data, len| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, len) })
}

pub(crate) fn set_property(path: &[&str], value: &[u8]) -> Result<(), Status> {
    let path = path.join("\0");
    // SAFETY: the host reads `path` and `value` during the call.
    check(unsafe { proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()) })
}

/// A shared value and the token that a write must show to prove it saw this value.
pub(crate) fn shared(key: &str) -> Result<(Option<Vec<u8>>, u32), Status> {
    let mut cas = 0;
    // SAFETY: the host reads `key` during the call; `fetch` makes room for the results.
    let value = fetch(|data, len| unsafe { proxy_get_shared_data(key.as_ptr(), key.len(), data, len, &raw mut cas) })?;
    Ok((value, cas))
}

pub(crate) fn set_shared(key: &str, value: &[u8], cas: u32) -> Result<(), Status> {
    // SAFETY: the host reads `key` and `value` during the call.
    check(unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas) })
}

/// Starts a call-out; the answer comes under the token that is returned.
pub(crate) fn http_call(upstream: &str, headers: &[(&str, &str)], body: &[u8], timeout_ms: u32) -> Result<u32, Status> {
    let (headers, trailers) = (encode_map(headers), encode_map(&[]));
    let mut token = 0;
    // SAFETY: the host reads the slices during the call and writes one `u32`.
    check(unsafe {
        proxy_http_call(
            upstream.as_ptr(),
            upstream.len(),
            headers.as_ptr(),
            headers.len(),
            body.as_ptr(),
            body.len(),
            trailers.as_ptr(),
            trailers.len(),
            timeout_ms,
            &raw mut token,
        )
    })?;
    Ok(token)
}

pub(crate) fn reply(status: u32, headers: &[(&str, &str)], body: &[u8]) -> Result<(), Status> {
    let headers = encode_map(headers);
    // SAFETY: the host reads the slices during the call.
    check(unsafe {
        proxy_send_local_response(status, null_mut(), 0, body.as_ptr(), body.len(), headers.as_ptr(), headers.len(), -1)
    })
}

/// Calls one of Envoy's own functions; a trap in Kong. `None`: Envoy has none of this name.
pub(crate) fn foreign(name: &str, arguments: &[u8]) -> Result<Option<Vec<u8>>, Status> {
    // SAFETY: the host reads the slices during the call; `fetch` makes room for the results.
    fetch(|data, len| unsafe {
        proxy_call_foreign_function(name.as_ptr(), name.len(), arguments.as_ptr(), arguments.len(), data, len)
    })
}

/// Lets a paused request go on.
pub(crate) fn resume_request() {
    // SAFETY: no memory passes.
    if let Err(status) = check(unsafe { proxy_continue_stream(0) }) {
        log::warn!("the host did not resume a request: {status:?}");
    }
}

/// Lets a held response go on.
pub(crate) fn resume_response() {
    // SAFETY: no memory passes.
    if let Err(status) = check(unsafe { proxy_continue_stream(1) }) {
        log::warn!("the host did not resume a response: {status:?}");
    }
}

pub(crate) fn act_for(context: u32) {
    // SAFETY: no memory passes.
    if let Err(status) = check(unsafe { proxy_set_effective_context(context) }) {
        log::warn!("the host did not switch to context {context}: {status:?}");
    }
}

pub(crate) fn define_counter(name: &str) -> Result<u32, Status> {
    let mut id = 0;
    // SAFETY: the host reads `name` during the call and writes one `u32`.
    check(unsafe { proxy_define_metric(0, name.as_ptr(), name.len(), &raw mut id) })?;
    Ok(id)
}

pub(crate) fn increment(metric: u32, by: i64) {
    // SAFETY: no memory passes. A counter that cannot count is no reason to fail a request.
    unsafe { proxy_increment_metric(metric, by) };
}

/// Reads the ABI's form of a map: a count, then the sizes of each name and value, then each name
/// and value with a zero byte behind it. Stops at the first thing that does not fit.
fn decode_map(bytes: Vec<u8>) -> Headers {
    let number = |at: usize| -> Option<usize> {
        let four = bytes.get(at..at.checked_add(4)?)?;
        usize::try_from(u32::from_le_bytes(four.try_into().ok()?)).ok()
    };
    let mut entries = Vec::new();
    let mut read = || -> Option<()> {
        let count = number(0)?;
        let mut sizes = 4_usize;
        let mut text = count.checked_mul(8)?.checked_add(4)?;
        for _ in 0..count {
            let (name, value) = (number(sizes)?, number(sizes.checked_add(4)?)?);
            let middle = text.checked_add(name)?;
            let start = middle.checked_add(1)?;
            let end = start.checked_add(value)?;
            if end > bytes.len() {
                return None;
            }
            entries.push((text..middle, start..end));
            (sizes, text) = (sizes.checked_add(8)?, end.checked_add(1)?);
        }
        Some(())
    };
    read();
    Headers::over(bytes, entries)
}

/// Writes the ABI's form of a map.
fn encode_map(pairs: &[(&str, &str)]) -> Vec<u8> {
    let number = |it: usize| u32::try_from(it).unwrap_or(u32::MAX).to_le_bytes();
    let mut bytes = number(pairs.len()).to_vec();
    for (name, value) in pairs {
        bytes.extend(number(name.len()));
        bytes.extend(number(value.len()));
    }
    for (name, value) in pairs {
        for text in [name, value] {
            bytes.extend(text.as_bytes());
            bytes.push(0);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_map_survives_the_trip() {
        let pairs = [(":path", "/v1"), ("x-empty", ""), ("x-Twice", "a"), ("x-twice", "b")];
        let headers = decode_map(encode_map(&pairs));
        assert_eq!(headers.text(":path"), Some("/v1"));
        assert_eq!(headers.all("x-twice").count(), 2);
        assert_eq!(headers.get("x-empty"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_map_that_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode_map(bytes).iter().count();
        }

        #[test]
        fn a_torn_map_gives_a_prefix_of_it(cut in 0_usize..64) {
            let mut bytes = encode_map(&[("a", "1"), ("b", "2"), ("c", "3")]);
            bytes.truncate(cut);
            prop_assert!(decode_map(bytes).iter().count() <= 3);
        }
    }
}
