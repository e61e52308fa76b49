//! Call-outs, local replies and the going on of a request.

use super::{Host, OK, Status, decode, read, step, trap, write};
use crate::{
    exchange::LocalReply,
    message::CallOut,
    vm::State,
    world::{Pending, Step},
};
use wasmi::{Error, Linker};

pub(super) fn link(linker: &mut Linker<State>) -> Result<(), Error> {
    linker.func_wrap("env", "proxy_http_call", call)?;
    linker.func_wrap("env", "proxy_send_local_response", reply)?;
    linker.func_wrap("env", "proxy_continue_stream", |host: Host, stream: u32| -> Status {
        step(&host)?;
        if stream > 1 { trap(format!("continue_stream({stream}): WasmX cannot")) } else { Ok(OK) }
    })?;
    linker.func_wrap("env", "proxy_set_effective_context", |host: Host, _: u32| step(&host).map(|_| OK))?;
    Ok(())
}

#[allow(clippy::too_many_arguments, reason = "the ABI's signature")]
fn call(
    mut host: Host,
    upstream: u32,
    upstream_len: u32,
    headers: u32,
    headers_len: u32,
    body: u32,
    body_len: u32,
    trailers: u32,
    trailers_len: u32,
    timeout_ms: u32,
    token: u32,
) -> Status {
    match step(&host)? {
        Step::RequestHeaders | Step::RequestBody | Step::Tick | Step::CallAnswered => {}
        step => return trap(format!("a call-out in {step:?}: Kong sends none")),
    }
    let upstream = String::from_utf8_lossy(&read(&host, upstream, upstream_len)?).into_owned();
    check_upstream(&upstream)?;
    let headers = decode(&read(&host, headers, headers_len)?)?;
    let body = read(&host, body, body_len)?;
    decode(&read(&host, trailers, trailers_len)?)?;
    let pseudo = |name: &str| {
        let found = headers.iter().find(|(it, _)| it == name);
        let value = found.map(|(_, value)| String::from_utf8_lossy(value).into_owned());
        value.filter(|it| !it.is_empty()).ok_or_else(|| Error::new(format!("a call-out without {name}")))
    };
    let call = CallOut {
        filter: host.data().filter.clone(),
        upstream,
        method: pseudo(":method")?,
        path: pseudo(":path")?,
        authority: pseudo(":authority")?,
        scheme: pseudo(":scheme").unwrap_or_else(|_| "http".to_owned()),
        headers: headers.iter().filter(|(name, _)| !name.starts_with(':')).cloned().collect(),
        body,
        timeout_ms,
    };
    let id = {
        let state = host.data();
        let mut world = state.world.borrow_mut();
        let id = world.next_token;
        world.next_token += 1;
        let in_body = world.step == Step::RequestBody;
        if let Some(exchange) = world.exchange.as_mut() {
            exchange.called_in_body |= in_body;
        }
        world.pending.push(Pending { token: id, context: state.context, call });
        id
    };
    write(&mut host, token, &id.to_le_bytes())?;
    Ok(OK)
}

/// Kong takes `host:port`, `host` or `unix:/path`, and no URL.
fn check_upstream(upstream: &str) -> Result<(), Error> {
    let port = upstream.rsplit_once(':').map(|(_, port)| port);
    let bad_port = port.is_some_and(|it| it.parse::<u16>().is_err());
    if upstream.is_empty() || upstream.contains('/') || bad_port {
        return trap(format!("a call-out to {upstream:?}, which is no host:port"));
    }
    Ok(())
}

#[allow(clippy::too_many_arguments, reason = "the ABI's signature")]
fn reply(
    host: Host,
    status: u32,
    _details: u32,
    _details_len: u32,
    body: u32,
    body_len: u32,
    headers: u32,
    headers_len: u32,
    grpc_status: i32,
) -> Status {
    match step(&host)? {
        Step::RequestHeaders | Step::RequestBody | Step::CallAnswered => {}
        step => return trap(format!("a local reply in {step:?}: the client hangs, or gets the upstream's bytes")),
    }
    if grpc_status != -1 {
        return trap("a gRPC status: WasmX knows none");
    }
    let body = read(&host, body, body_len)?;
    let headers = decode(&read(&host, headers, headers_len)?)?;
    let mut world = host.data().world.borrow_mut();
    let Some(exchange) = world.exchange.as_mut() else { return trap("a local reply in a root context") };
    if exchange.local.is_some() {
        return trap("a second local reply");
    }
    exchange.local = Some(LocalReply { status: status as u16, headers, body });
    Ok(OK)
}
