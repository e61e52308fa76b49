//! Bodies and configurations.

use super::{BAD_ARGUMENT, Host, NOT_FOUND, OK, Out, Status, give, read, step, trap};
use crate::{message::CallAnswer, vm::State, world::Step};
use wasmi::{Error, Linker};

const REQUEST_BODY: u32 = 0;
const RESPONSE_BODY: u32 = 1;
const CALL_BODY: u32 = 4;
const VM_CONFIGURATION: u32 = 6;
const PLUGIN_CONFIGURATION: u32 = 7;

pub(super) fn link(linker: &mut Linker<State>) -> Result<(), Error> {
    linker.func_wrap("env", "proxy_get_buffer_bytes", get)?;
    linker.func_wrap("env", "proxy_set_buffer_bytes", set)?;
    Ok(())
}

/// Gives the first `max` bytes: WasmX ignores `start`, so a filter that asks from elsewhere errs.
fn get(mut host: Host, buffer: u32, start: u32, max: u32, data: u32, len: u32) -> Status {
    let step = step(&host)?;
    if start != 0 {
        return trap(format!("get_buffer from {start}: Kong gives the bytes from 0 all the same"));
    }
    let bytes = {
        let state = host.data();
        let world = state.world.borrow();
        let exchange = world.exchange.as_ref();
        match (buffer, step) {
            (PLUGIN_CONFIGURATION, _) => Some(state.config.clone()),
            (VM_CONFIGURATION, _) => Some(Vec::new()),
            (REQUEST_BODY, Step::RequestHeaders | Step::RequestBody | Step::Log) => {
                exchange.map(|it| it.body.clone()).filter(|it| !it.is_empty() && it.len() <= world.client_body_buffer)
            }
            (REQUEST_BODY, _) => return trap("the request's body read outside of the request's callbacks"),
            (RESPONSE_BODY, Step::ResponseBody) => exchange.map(|it| it.piece.bytes.clone()),
            (RESPONSE_BODY, _) => return trap("the response's body read outside of its callback"),
            (CALL_BODY, Step::CallAnswered) => match &world.answer {
                Some(CallAnswer::Http { body, .. }) if !body.is_empty() => Some(body.clone()),
                _ => None,
            },
            (CALL_BODY, _) => return trap("a call-out's answer read outside of its callback"),
            _ => return Ok(BAD_ARGUMENT),
        }
    };
    let Some(mut bytes) = bytes else { return Ok(NOT_FOUND) };
    bytes.truncate(max as usize);
    if bytes.is_empty() {
        return Ok(OK);
    }
    give(&mut host, &bytes, Out { data, len })
}

/// Replaces a body. (0, 0) puts the bytes before it; else they are cut to `max`.
fn set(host: Host, buffer: u32, start: u32, max: u32, data: u32, len: u32) -> Status {
    let step = step(&host)?;
    let mut new = read(&host, data, len)?;
    let mut world = host.data().world.borrow_mut();
    let Some(exchange) = world.exchange.as_mut() else { return trap("a body set in a root context") };
    let body = match (buffer, step) {
        (REQUEST_BODY, Step::RequestHeaders | Step::RequestBody) => &mut exchange.body,
        (REQUEST_BODY, _) => return trap("the request's body set outside of the request's callbacks"),
        (RESPONSE_BODY, Step::ResponseBody) => {
            exchange.piece.replaced = true;
            &mut exchange.piece.bytes
        }
        (RESPONSE_BODY, _) => return trap("the response's body set outside of its callback"),
        _ => return Ok(BAD_ARGUMENT),
    };
    match (start, max) {
        (0, 0) => drop(body.splice(..0, new)),
        (0, _) => {
            new.truncate(max as usize);
            *body = new;
        }
        _ => return trap(format!("set_buffer from {start}: not measured in Kong")),
    }
    Ok(OK)
}
