//! Header maps.

use super::{BAD_ARGUMENT, Host, NOT_FOUND, OK, Out, Status, encode, give, read, step, trap};
use crate::{
    message::{CallAnswer, Pair},
    vm::State,
    world::{Step, World},
};
use wasmi::{Error, Linker};

const REQUEST: u32 = 0;
const RESPONSE: u32 = 2;
const CALL_RESPONSE: u32 = 6;

/// The most entries that a map has, pseudo-headers among them. WasmX cuts the rest off.
const MAX_PAIRS: usize = 100;

/// What is done to a field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Set,
    Add,
    Remove,
}

pub(super) fn link(linker: &mut Linker<State>) -> Result<(), Error> {
    linker.func_wrap("env", "proxy_get_header_map_pairs", pairs)?;
    linker.func_wrap("env", "proxy_get_header_map_value", value)?;
    linker.func_wrap("env", "proxy_set_header_map_pairs", |_: u32, _: u32, _: u32| -> Status {
        trap("set_map: in Kong it loses Host and Content-Length and doubles the rest")
    })?;
    linker.func_wrap(
        "env",
        "proxy_add_header_map_value",
        |host: Host, map: u32, n: u32, nl: u32, v: u32, vl: u32| change(host, Change::Add, map, (n, nl), Some((v, vl))),
    )?;
    linker.func_wrap(
        "env",
        "proxy_replace_header_map_value",
        |host: Host, map: u32, n: u32, nl: u32, v: u32, vl: u32| change(host, Change::Set, map, (n, nl), Some((v, vl))),
    )?;
    linker.func_wrap("env", "proxy_remove_header_map_value", |host: Host, map: u32, n: u32, nl: u32| {
        change(host, Change::Remove, map, (n, nl), None)
    })?;
    Ok(())
}

/// All that a filter can see of a map. `None`: not at hand in this step.
fn list(world: &World, map: u32) -> Option<Vec<Pair>> {
    let own = |(name, value): (&str, &[u8])| (name.to_owned(), value.to_vec());
    let exchange = world.exchange.as_ref();
    match map {
        REQUEST => {
            let exchange = exchange?;
            let pseudo = [":path", ":method", ":scheme", ":authority"];
            let pseudo = pseudo.iter().filter_map(|it| Some(((*it).to_owned(), exchange.pseudo(it)?)));
            Some(pseudo.chain(exchange.request.visible().map(own)).collect())
        }
        RESPONSE => {
            let exchange = exchange.filter(|it| it.status != 0)?;
            let status = (":status".to_owned(), exchange.status.to_string().into_bytes());
            Some(std::iter::once(status).chain(exchange.response.visible().map(own)).collect())
        }
        CALL_RESPONSE if world.step == Step::CallAnswered => match world.answer.as_ref()? {
            CallAnswer::Http { status, headers, .. } => {
                let status = (":status".to_owned(), status.to_string().into_bytes());
                Some(std::iter::once(status).chain(headers.iter().cloned()).collect())
            }
            CallAnswer::Failed => Some(Vec::new()),
        },
        _ => None,
    }
}

fn pairs(mut host: Host, map: u32, data: u32, len: u32) -> Status {
    step(&host)?;
    let Some(mut pairs) = list(&host.data().world.borrow(), map) else {
        return trap(format!("header map {map} read where there is none"));
    };
    pairs.truncate(MAX_PAIRS);
    give(&mut host, &encode(&pairs), Out { data, len })
}

fn value(mut host: Host, map: u32, name: u32, name_len: u32, data: u32, len: u32) -> Status {
    step(&host)?;
    let name = read(&host, name, name_len)?;
    let Some(pairs) = list(&host.data().world.borrow(), map) else {
        return trap(format!("header map {map} read where there is none"));
    };
    let found = pairs.into_iter().find(|(it, _)| it.as_bytes().eq_ignore_ascii_case(&name));
    match found {
        Some((_, value)) => give(&mut host, &value, Out { data, len }),
        None => Ok(NOT_FOUND),
    }
}

fn change(host: Host, change: Change, map: u32, name: (u32, u32), value: Option<(u32, u32)>) -> Status {
    let step = step(&host)?;
    let name = read(&host, name.0, name.1)?;
    let value = value.map(|(at, len)| read(&host, at, len)).transpose()?.unwrap_or_default();
    if name.is_empty() || [&name, &value].iter().any(|it| it.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0))) {
        return trap("a header with an empty name or a line break in it");
    }
    let mut world = host.data().world.borrow_mut();
    if !world.in_exchange() {
        return trap("a header changed in a root context");
    }
    match (map, step) {
        (REQUEST, Step::RequestHeaders | Step::RequestBody | Step::CallAnswered) => {
            change_request(&mut world, change, &name, &value)
        }
        (REQUEST, _) => trap("a request header changed after the request left"),
        (RESPONSE, Step::ResponseHeaders) => change_response(&mut world, change, &name, &value),
        (RESPONSE, _) => {
            trap("a response header changed outside of the response's headers: the response passes as it is")
        }
        _ => Ok(BAD_ARGUMENT),
    }
}

fn change_request(world: &mut World, change: Change, name: &[u8], value: &[u8]) -> Status {
    let exchange = world.exchange.as_mut().expect("an exchange");
    match (name, change) {
        (b":method", Change::Set) => exchange.method = String::from_utf8_lossy(value).into_owned(),
        (b":path", Change::Set) if value.contains(&b'?') => return trap("`:path` set with a query: WasmX cannot"),
        (b":path", Change::Set) => exchange.path = String::from_utf8_lossy(value).into_owned(),
        (b":scheme" | b":authority", _) => world.logs.push("[error] cannot set read-only header".to_owned()),
        (_, Change::Set) => exchange.request.set(name, value),
        (_, Change::Add) => exchange.request.add(name, value),
        (_, Change::Remove) => exchange.request.hide(name),
    }
    Ok(OK)
}

fn change_response(world: &mut World, change: Change, name: &[u8], value: &[u8]) -> Status {
    let exchange = world.exchange.as_mut().expect("an exchange");
    match (name, change) {
        (b":status", Change::Set) => {
            let status = std::str::from_utf8(value).ok().and_then(|it| it.parse().ok());
            exchange.status = status.ok_or_else(|| Error::new("a :status that is no number".to_owned()))?;
        }
        (_, Change::Set) => {
            exchange.response.remove(name);
            exchange.response.add(name, value);
        }
        (_, Change::Add) => exchange.response.add(name, value),
        (_, Change::Remove) => exchange.response.remove(name),
    }
    Ok(OK)
}
