//! Properties: what Kong tells and takes, and what makes it crash.

use crate::world::{Step, World};

/// What came of a question.
pub(crate) enum Found {
    Value(Vec<u8>),
    Unknown,
    /// A root context asked for something of a request.
    NoRequest,
}

/// Reads a property; the error is a trap or a crash.
pub(crate) fn get(world: &World, path: &str, is_root: bool) -> Result<Found, String> {
    if is_root && matches!(path, "plugin_name" | "connection.id") {
        return Err(format!("property {path} in a root context: Kong's worker crashes"));
    }
    if path == "kong.response.source" {
        return Err(format!("property {path}: traps in Kong"));
    }
    let (space, rest) = path.split_once('.').unwrap_or((path, ""));
    let Some(exchange) = world.exchange.as_ref() else {
        let of_request =
            matches!(space, "kong" | "ngx" | "request" | "response" | "source" | "upstream" | "connection");
        return Ok(if of_request { Found::NoRequest } else { Found::Unknown });
    };
    if let Some(written) = exchange.properties.get(path) {
        return Ok(Found::Value(written.clone()));
    }
    let text = |it: &str| Some(it.as_bytes().to_vec());
    let value = match (space, rest) {
        ("ngx", "nginx_version") => text("1.25.3"),
        ("kong", "version") => text("3.9.3"),
        ("kong", "route_name" | "service_name") => text(&exchange.route),
        ("request", "path") => text(&exchange.path),
        ("request", "url_path") => exchange.path.split('?').next().and_then(text),
        ("request", "method") => text(&exchange.method),
        ("request", "scheme") => text("http"),
        ("request", "host") => text("kong-machine"),
        ("request", "protocol") => text("HTTP/1.1"),
        ("source", "address") => text("127.0.0.1"),
        ("source", "port") => text("40000"),
        ("response", "code") if exchange.status != 0 => text(&exchange.status.to_string()),
        ("plugin_root_id", _) => text("0"),
        ("request", field) => match field.strip_prefix("headers.") {
            Some(name) => exchange.request.get(name.as_bytes()).map(<[u8]>::to_vec),
            None => None,
        },
        _ => None,
    };
    Ok(value.map_or(Found::Unknown, Found::Value))
}

/// Writes a property; the error is a trap.
pub(crate) fn set(world: &mut World, path: &str, value: Vec<u8>) -> Result<(), String> {
    let step = world.step;
    let Some(exchange) = world.exchange.as_mut() else {
        return Err(format!("property {path} set in a root context"));
    };
    let request_phase = matches!(step, Step::RequestHeaders | Step::RequestBody | Step::CallAnswered);
    match path {
        "ngx.upstream_uri" | "ngx.upstream_host" | "ngx.upstream_scheme" if !request_phase => {
            Err(format!("property {path} set after the request left"))
        }
        "ngx.upstream_uri" | "ngx.upstream_host" | "ngx.upstream_scheme" => {
            exchange.properties.insert(path.to_owned(), value);
            Ok(())
        }
        _ if path.starts_with("kong.ctx.shared.") => {
            exchange.properties.insert(path.to_owned(), value);
            Ok(())
        }
        _ => Err(format!("property {path} set: Kong has none of that name to write")),
    }
}
