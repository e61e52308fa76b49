//! The functions that the host calls by name (proxy-wasm ABI 0.2.1).
#![allow(unsafe_code, reason = "an export is a name that nothing else may have")]
#![allow(unreachable_pub, reason = "the host is who reaches them")]

use crate::{
    contexts,
    exchange::{Action, Direction},
};
use std::{
    alloc::{Layout, alloc},
    ptr::null_mut,
};

#[unsafe(no_mangle)]
pub extern "C" fn proxy_abi_version_0_2_1() {}

/// Memory for what the host hands over; `abi::take` makes a `Vec` of it again. Not zeroed: the host writes all of it before it
/// returns, and a long body would be written twice.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    match Layout::array::<u8>(size) {
        // SAFETY: the layout is not of zero size.
        Ok(layout) if size > 0 => unsafe { alloc(layout) },
        _ => null_mut(),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_context_create(id: u32, parent: u32) {
    contexts::create(id, parent);
}

#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_vm_start(_: u32, _: usize) -> u32 {
    1
}

#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_configure(id: u32, _: usize) -> u32 {
    u32::from(contexts::configure(id))
}

#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_tick(id: u32) {
    contexts::tick(id);
}

#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_request_headers(id: u32, count: usize, end: u32) -> Action {
    contexts::exchange(id, |it| it.headers(Direction::Request, count, end != 0))
}

#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_request_body(id: u32, size: usize, end: u32) -> Action {
    contexts::exchange(id, |it| it.body(Direction::Request, size, end != 0))
}

#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_request_trailers(id: u32, _: usize) -> Action {
    contexts::exchange(id, |it| it.trailers(Direction::Request))
}

#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_response_headers(id: u32, count: usize, end: u32) -> Action {
    contexts::exchange(id, |it| it.headers(Direction::Response, count, end != 0))
}

#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_response_body(id: u32, size: usize, end: u32) -> Action {
    contexts::exchange(id, |it| it.body(Direction::Response, size, end != 0))
}

#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_response_trailers(id: u32, _: usize) -> Action {
    contexts::exchange(id, |it| it.trailers(Direction::Response))
}

#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_http_call_response(_: u32, token: u32, headers: usize, size: usize, _: usize) {
    contexts::answered(token, headers, size);
}

#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_done(_: u32) -> u32 {
    1
}

#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_log(id: u32) {
    contexts::exchange(id, |it| {
        it.log();
        Action::Continue
    });
}

#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_delete(id: u32) {
    contexts::delete(id);
}
