//! Logs, time, ticks, properties, shared data and metrics.

use super::{CAS_MISMATCH, Host, INTERNAL_FAILURE, NOT_FOUND, OK, Out, Status, give, read, step, trap, write};
use crate::{properties, shared::Written, vm::State};
use wasmi::{Error, Linker};

const LEVELS: [&str; 6] = ["trace", "debug", "info", "warn", "error", "crit"];

pub(super) fn link(linker: &mut Linker<State>) -> Result<(), Error> {
    linker.func_wrap("env", "proxy_log", log)?;
    linker.func_wrap("env", "proxy_get_current_time_nanoseconds", now)?;
    linker.func_wrap("env", "proxy_set_tick_period_milliseconds", tick)?;
    linker.func_wrap("env", "proxy_get_property", get_property)?;
    linker.func_wrap("env", "proxy_set_property", set_property)?;
    linker.func_wrap("env", "proxy_get_shared_data", get_shared)?;
    linker.func_wrap("env", "proxy_set_shared_data", set_shared)?;
    linker.func_wrap("env", "proxy_define_metric", define)?;
    linker.func_wrap("env", "proxy_get_metric", |mut host: Host, id: u32, value: u32| -> Status {
        let known = host.data().world.borrow().node.borrow_mut().metric_mut(id).copied();
        let Some(known) = known else { return Ok(NOT_FOUND) };
        write(&mut host, value, &known.to_le_bytes())?;
        Ok(OK)
    })?;
    linker.func_wrap("env", "proxy_increment_metric", |host: Host, id: u32, by: i64| {
        metric(&host, id, |value| value.saturating_add_signed(by))
    })?;
    linker.func_wrap("env", "proxy_record_metric", |host: Host, id: u32, new: u64| metric(&host, id, |_| new))?;
    not_in_kong(linker)
}

/// What WasmX has by name only: the modules load, the calls trap.
fn not_in_kong(linker: &mut Linker<State>) -> Result<(), Error> {
    let no = |what: &str| trap::<u32>(format!("{what}: not in Kong"));
    linker.func_wrap("env", "proxy_done", move || no("proxy_done"))?;
    linker.func_wrap("env", "proxy_close_stream", move |_: u32| no("proxy_close_stream"))?;
    linker.func_wrap("env", "proxy_call_foreign_function", move |_: u32, _: u32, _: u32, _: u32, _: u32, _: u32| {
        no("a foreign function")
    })?;
    linker.func_wrap("env", "proxy_get_status", move |_: u32, _: u32, _: u32| no("proxy_get_status"))?;
    linker.func_wrap("env", "proxy_register_shared_queue", move |_: u32, _: u32, _: u32| no("an undeclared queue"))?;
    linker.func_wrap("env", "proxy_enqueue_shared_queue", move |_: u32, _: u32, _: u32| no("an undeclared queue"))?;
    linker.func_wrap("env", "proxy_dequeue_shared_queue", move |_: u32, _: u32, _: u32| no("an undeclared queue"))?;
    linker.func_wrap("env", "proxy_resolve_shared_queue", move |_: u32, _: u32, _: u32, _: u32, _: u32| {
        no("resolve_shared_queue")
    })?;
    Ok(())
}

fn log(host: Host, level: u32, text: u32, len: u32) -> Status {
    step(&host)?;
    let text = read(&host, text, len)?;
    let state = host.data();
    let level = LEVELS.get(level as usize).ok_or_else(|| Error::new(format!("log level {level}")))?;
    let line = format!("[{level}] {}: {}", state.filter, String::from_utf8_lossy(&text));
    state.world.borrow_mut().logs.push(line);
    Ok(OK)
}

fn now(mut host: Host, time: u32) -> Status {
    step(&host)?;
    let now = host.data().world.borrow().now_nanos;
    write(&mut host, time, &now.to_le_bytes())?;
    Ok(OK)
}

fn tick(host: Host, period: u32) -> Status {
    step(&host)?;
    let state = host.data();
    if !state.is_root {
        return trap("set_tick_period outside of a root context");
    }
    let key = (state.filter.clone(), state.context);
    if state.world.borrow_mut().ticks.insert(key, period).is_some() {
        return trap("set_tick_period a second time: a storm of timers");
    }
    Ok(OK)
}

fn get_property(mut host: Host, path: u32, path_len: u32, data: u32, len: u32) -> Status {
    step(&host)?;
    let path = String::from_utf8_lossy(&read(&host, path, path_len)?).replace('\0', ".");
    let found = properties::get(&host.data().world.borrow(), &path, host.data().is_root);
    match found.map_err(Error::new)? {
        properties::Found::Value(value) => give(&mut host, &value, Out { data, len }),
        properties::Found::Unknown => Ok(NOT_FOUND),
        properties::Found::NoRequest => Ok(INTERNAL_FAILURE),
    }
}

fn set_property(host: Host, path: u32, path_len: u32, value: u32, value_len: u32) -> Status {
    step(&host)?;
    let path = String::from_utf8_lossy(&read(&host, path, path_len)?).replace('\0', ".");
    let value = read(&host, value, value_len)?;
    properties::set(&mut host.data().world.borrow_mut(), &path, value).map_err(Error::new)?;
    Ok(OK)
}

fn get_shared(mut host: Host, key: u32, key_len: u32, data: u32, len: u32, cas: u32) -> Status {
    step(&host)?;
    let key = read(&host, key, key_len)?;
    let found = host.data().world.borrow().node.borrow().get(&key);
    let Some((value, version)) = found else { return Ok(NOT_FOUND) };
    write(&mut host, cas, &version.to_le_bytes())?;
    give(&mut host, &value, Out { data, len })
}

fn set_shared(host: Host, key: u32, key_len: u32, value: u32, value_len: u32, cas: u32) -> Status {
    step(&host)?;
    let key = read(&host, key, key_len)?;
    // A null pointer deletes; an empty value has a pointer.
    let new = if value == 0 { None } else { Some(read(&host, value, value_len)?) };
    let written = host.data().world.borrow().node.borrow_mut().set(&key, new.as_deref(), cas);
    match written {
        Written::Done => Ok(OK),
        Written::Mismatch => Ok(CAS_MISMATCH),
        Written::TooLarge => trap("a shared value larger than its zone"),
    }
}

fn define(mut host: Host, _kind: u32, name: u32, name_len: u32, id: u32) -> Status {
    step(&host)?;
    let name = String::from_utf8_lossy(&read(&host, name, name_len)?).into_owned();
    if name.is_empty() || !name.bytes().all(|it| matches!(it, b'a'..=b'z' | b'0'..=b'9' | b'_')) {
        return trap(format!("metric {name:?}: Kong's exporter takes [a-z0-9_] only"));
    }
    let number = host.data().world.borrow().node.borrow_mut().define(&name);
    write(&mut host, id, &number.to_le_bytes())?;
    Ok(OK)
}

fn metric(host: &Host, id: u32, new: impl FnOnce(u64) -> u64) -> Status {
    step(host)?;
    match host.data().world.borrow().node.borrow_mut().metric_mut(id) {
        Some(value) => {
            *value = new(*value);
            Ok(OK)
        }
        None => Ok(NOT_FOUND),
    }
}
