//! JSON in and out. A body that is refused is told which member is at fault, what was found and
//! what is expected; never the value that was found, for it may be private.

use crate::failure::Failure;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use domain::reply::Reply;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// How long a client may take to send a body.
const BODY_WITHIN: Duration = Duration::from_secs(30);
/// How much of a text of the client's an error repeats.
const SHOWN_CHARS: usize = 64;

/// Answers 200 with `value`; not to be cached.
pub(super) fn answer<T: Serialize>(value: &T) -> Result<Response, Failure> {
    let body = serde_json::to_vec(value).map_err(|error| {
        tracing::error!(%error, "an answer could not be written");
        Reply::new(500, "internal_error", "The companion could not write its answer; its log says why.")
    })?;
    let mut response = text(body);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Answers 200 with a JSON text.
pub(super) fn text(body: impl Into<Body>) -> Response {
    let mut response = body.into().into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Reads the body of `request`, at most `limit` bytes.
pub(super) async fn read<T: DeserializeOwned>(request: Request, limit: usize) -> Result<T, Failure> {
    let kind = request.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let kind = kind.split(|it| *it == b';').next().unwrap_or_default().trim_ascii();
    if !kind.eq_ignore_ascii_case(b"application/json") {
        let found = match kind {
            [] => "none".to_owned(),
            other => format!("`{}`", shortened(&String::from_utf8_lossy(other))),
        };
        let message = format!("`content-type`: expected application/json, found {found}");
        return Err(Reply::new(415, "unsupported_media_type", message).about("content-type").into());
    }
    let too_large = || {
        let message = format!("The body is too large: expected at most {limit} bytes.");
        Failure(Reply::new(413, "request_too_large", message))
    };
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|it| it > limit) {
        return Err(too_large());
    }
    let body = tokio::time::timeout(BODY_WITHIN, axum::body::to_bytes(request.into_body(), limit)).await;
    let slow =
        || Reply::new(408, "request_timeout", format!("The body did not arrive within {} s.", BODY_WITHIN.as_secs()));
    let body = body.map_err(|_| slow())?.map_err(|_| too_large())?;
    parse(&body)
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    // To serde, an array is as good as an object: it would take the members by their order.
    if body.trim_ascii_start().first() == Some(&b'[') {
        return Err(Reply::invalid("The body: expected an object, found an array.").into());
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        explain(&path, error.inner())
    })?;
    json.end().map_err(|error| explain(".", &error))?;
    Ok(value)
}

/// Turns serde's words into ours.
fn explain(path: &str, error: &serde_json::Error) -> Failure {
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    if !error.is_data() {
        let place = format!("line {}, column {}", error.line(), error.column());
        return Reply::invalid(format!("The body is no JSON: {text} ({place}).")).into();
    }
    let quoted = |begin: &str| text.strip_prefix(begin)?.split_once('`').map(|(name, _)| name);
    if let Some(name) = quoted("missing field `") {
        return Failure::invalid(&member(path, name), "is missing");
    }
    if let Some(name) = quoted("duplicate field `") {
        return Failure::invalid(&member(path, name), "is there twice");
    }
    if let Some(name) = quoted("unknown field `") {
        let expected = text.rsplit_once(", expected ").map_or("no such member", |(_, it)| it);
        let outer = path.rsplit_once('.').map_or(".", |(outer, _)| outer);
        let what = format!("is not known here, expected {}", expected.replace('`', ""));
        return Failure::invalid(&member(outer, &shortened(name)), what);
    }
    let (found, expected) = text.rsplit_once(", expected ").unwrap_or((text, "something else"));
    // What stands in quotes is the client's value.
    let found = found.split(['"', '`']).next().unwrap_or_default();
    let found = found.trim_start_matches("invalid type: ").trim_start_matches("invalid value: ").trim();
    let expected = match expected {
        "i64" | "u64" => "an integer",
        "sequence" | "a sequence" => "an array",
        it if it.starts_with("struct ") => "an object",
        it => it,
    };
    let found = match found {
        "map" => "an object",
        "sequence" => "an array",
        "integer" => "an integer",
        "floating point" => "a number with a fraction",
        "string" => "a string",
        "boolean" => "true or false",
        it => it,
    };
    match path {
        "." => Reply::invalid(format!("The body: expected {expected}, found {found}.")).into(),
        path => Failure::invalid(&shortened(path), format!("expected {expected}, found {found}")),
    }
}

/// The path of a member in the object at `outer`, where `.` is the body itself.
fn member(outer: &str, name: &str) -> String {
    match outer {
        "." => name.to_owned(),
        outer => format!("{}.{name}", shortened(outer)),
    }
}

/// A text of the client's, fit for an error message.
pub(super) fn shortened(text: &str) -> String {
    let mut chars = text.chars().map(|it| if it.is_control() { '\u{fffd}' } else { it });
    let mut short: String = chars.by_ref().take(SHOWN_CHARS).collect();
    if chars.next().is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only parsed")]
    struct Outer {
        name: String,
        #[serde(default)]
        inner: Vec<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only parsed")]
    struct Inner {
        count: i64,
    }

    #[test]
    fn a_refusal_names_the_member_what_was_found_and_what_is_expected() {
        let check = |body: &str| {
            let reply = parse::<Outer>(body.as_bytes()).unwrap_err().0;
            assert!(!reply.message.contains("secret"), "{}", reply.message);
            (reply.param, reply.message)
        };
        for (body, param, message) in [
            ("{}", "name", "`name`: is missing"),
            (r#"{"name":1}"#, "name", "`name`: expected a string, found an integer"),
            (r#"{"name":"","inner":"secret, expected x"}"#, "inner", "`inner`: expected an array, found a string"),
            (
                r#"{"name":"","inner":[{"count":"secret"}]}"#,
                "inner[0].count",
                "`inner[0].count`: expected an integer, found a string",
            ),
            (
                r#"{"name":"","inner":[{"count":1.5}]}"#,
                "inner[0].count",
                "`inner[0].count`: expected an integer, found a number with a fraction",
            ),
            (r#"{"name":"","inner":[{}]}"#, "inner[0].count", "`inner[0].count`: is missing"),
            (
                r#"{"name":"","inner":[{"count":1,"counts":2}]}"#,
                "inner[0].counts",
                "`inner[0].counts`: is not known here, expected count",
            ),
            (r#"{"name":"","nam":2}"#, "nam", "`nam`: is not known here, expected name or inner"),
            (r#"{"name":"","name":""}"#, "name", "`name`: is there twice"),
        ] {
            assert_eq!(check(body), (Some(param.into()), message.into()), "{body}");
        }
        for (body, message) in [
            ("", "The body is no JSON: EOF while parsing a value (line 1, column 0)."),
            ("[]", "The body: expected an object, found an array."),
            ("nonsense", "The body is no JSON: expected ident (line 1, column 2)."),
            (r#"{"name":"a"} x"#, "The body is no JSON: trailing characters (line 1, column 14)."),
        ] {
            assert_eq!(check(body), (None, message.into()), "{body}");
        }
        assert!(parse::<Outer>(b"{\"name\":\"\xff\"}").is_err());
    }
}
