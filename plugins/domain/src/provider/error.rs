//! What a provider says when it fails, in the one shape that OpenAI's clients parse.
//!
//! `{"error":{"message","type","param","code"}}` with all four keys and `code` a string: of any other shape one client or
//! another shows no message at all (WIRE.md, 6.1). The provider's text stays, and so do further members of its error.

use crate::reply::Reply;
use serde::Serialize;
use serde_json::{Map, Value};

/// The longest answer that is read, in bytes.
pub const LIMIT: usize = 64 * 1024;

/// How much of a text that is no JSON is told, in characters.
const TEXT: usize = 2_000;

#[derive(Serialize)]
struct Envelope {
    error: Error,
}

#[derive(Serialize)]
struct Error {
    message: String,
    r#type: String,
    param: Option<String>,
    code: String,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// The answer `body` with the status `status`, as the four-key object; `None` when it is one already.
#[must_use]
pub fn normalised(status: u16, body: &[u8]) -> Option<String> {
    let error = match serde_json::from_slice::<Value>(body) {
        Ok(value) if is_right(&value) => return None,
        Ok(value) => of_json(status, value),
        Err(_) => Error::new(status, Some(printable(&String::from_utf8_lossy(body)))),
    };
    // Strings, options of them and JSON values always serialise; the default can not be reached.
    Some(serde_json::to_string(&Envelope { error }).unwrap_or_default())
}

impl Error {
    fn new(status: u16, message: Option<String>) -> Self {
        let silent = || format!("the model's provider answered with status {status} and said no more");
        let message = message.filter(|it| !it.is_empty()).unwrap_or_else(silent);
        let kind = Reply::new(status, "upstream_error", "").kind().to_owned();
        Self { message, r#type: kind, param: None, code: "upstream_error".to_owned(), rest: Map::new() }
    }
}

/// Whether all four keys are there, each of a type that every client takes.
fn is_right(value: &Value) -> bool {
    let Some(error) = value.get("error") else { return false };
    let is = |name: &str, null: bool| error.get(name).is_some_and(|it| it.is_string() || (null && it.is_null()));
    is("message", false) && is("type", false) && is("param", true) && is("code", true)
}

fn of_json(status: u16, value: Value) -> Error {
    match value {
        // Gemini's.
        Value::Array(values) => match values.into_iter().next() {
            Some(first) if !first.is_array() => of_json(status, first),
            _ => Error::new(status, None),
        },
        Value::Object(mut members) => match members.remove("error") {
            Some(Value::Object(error)) => of_object(status, error, true),
            Some(error) if !error.is_null() => {
                // `{"error":"text","code":…}`: what else it has says more about it.
                members.insert("message".to_owned(), error);
                of_object(status, members, false)
            }
            _ => of_object(status, members, false),
        },
        other => Error::new(status, text(&other)),
    }
}

/// Reads the members of an error; `whole` when nothing but the error is in them, so that those without a meaning stay.
fn of_object(status: u16, mut members: Map<String, Value>, whole: bool) -> Error {
    let said = ["message", "detail", "details"].into_iter().find_map(|name| members.get(name).and_then(text));
    let everything = || (!members.is_empty()).then(|| Value::Object(members.clone()).to_string());
    let mut error = Error::new(status, said.or_else(everything));
    let mut taken = |name: &str| members.remove(name);
    taken("message");
    let kind = taken("type").and_then(|it| word(&it)).filter(|it| it != "error");
    error.param = taken("param").and_then(|it| word(&it));
    let code = taken("code").and_then(|it| word(&it));
    // Gemini's `code` is the status again, its `status` the word that a program matches on.
    let status = members.get("status").filter(|it| it.is_string()).and_then(word);
    if let Some(kind) = kind {
        error.r#type = kind;
    }
    if let Some(code) = status.or(code) {
        error.code = code;
    }
    if whole {
        error.rest = members;
    }
    error
}

/// A string or a number, as a string that says something.
fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(it) if !it.is_empty() => Some(it.clone()),
        Value::Number(it) => Some(it.to_string()),
        _ => None,
    }
}

/// What a value says to a person: a string, or FastAPI's list of `{"loc","msg"}`, perhaps inside `detail`.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(it) => Some(it.clone()).filter(|it| !it.is_empty()),
        Value::Array(values) => {
            let all: Vec<_> = values.iter().filter_map(text).collect();
            (!all.is_empty()).then(|| all.join("; "))
        }
        Value::Object(members) => {
            let Some(said) = members.get("msg").and_then(word) else {
                let inner = ["detail", "message"].into_iter().find_map(|name| members.get(name).and_then(text));
                return inner.or_else(|| (!members.is_empty()).then(|| value.to_string()));
            };
            let place = members.get("loc").and_then(Value::as_array).into_iter().flatten();
            let place: Vec<_> = place.filter_map(word).collect();
            Some(if place.is_empty() { said } else { format!("{}: {said}", place.join(".")) })
        }
        other => Some(other.to_string()),
    }
}

/// A text's words, without what a terminal would obey, up to [`TEXT`] characters.
fn printable(text: &str) -> String {
    let plain: String = text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(status: u16, body: &str) -> Option<String> {
        let told: Value = serde_json::from_str(&normalised(status, body.as_bytes())?).unwrap();
        assert!(is_right(&told), "{told}");
        let member = |name: &str| told["error"][name].as_str().unwrap_or("-").to_owned();
        Some(["message", "type", "param", "code"].map(member).join(" | "))
    }

    #[test]
    fn an_error_of_openais_own_shape_passes_as_it_is() {
        for body in [
            r#"{"error":{"message":"m","type":"t","param":null,"code":null}}"#,
            r#"{ "error": {"message":"","type":"t","param":"p","code":"c","x":[1.0]}, "y":1 }"#,
        ] {
            assert_eq!(check(400, body), None, "{body}");
        }
    }

    #[test]
    fn every_other_shape_gets_the_four_keys_and_keeps_its_text() {
        for (status, body, expected) in [
            (
                400,
                r#"[{"error":{"code":400,"message":"no such","status":"INVALID_ARGUMENT"}}]"#,
                "no such | invalid_request_error | - | INVALID_ARGUMENT",
            ),
            (402, r#"{"error":{"code":402,"message":"pay"}}"#, "pay | insufficient_quota | - | 402"),
            (429, r#"{"error":"slow down"}"#, "slow down | rate_limit_error | - | upstream_error"),
            (401, r#"{"detail":"no key"}"#, "no key | authentication_error | - | upstream_error"),
            (
                422,
                r#"{"detail":[{"loc":["body","x",0],"msg":"extra","type":"extra_forbidden"},{"msg":"more"}]}"#,
                "body.x.0: extra; more | invalid_request_error | - | upstream_error",
            ),
            (
                422,
                r#"{"object":"error","message":{"detail":[{"loc":["body"],"msg":"extra"}]},"type":"invalid_request","code":1500}"#,
                "body: extra | invalid_request | - | 1500",
            ),
            (
                400,
                r#"{"object":"error","message":"bad","type":"BadRequestError","param":null,"code":400}"#,
                "bad | BadRequestError | - | 400",
            ),
            (503, r#"{"message":"no Route"}"#, "no Route | server_error | - | upstream_error"),
            (
                529,
                r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
                "Overloaded | overloaded_error | - | upstream_error",
            ),
            (
                502,
                "<html>\r\n <b>Bad\u{7} Gateway</b>",
                "<html> <b>Bad Gateway</b> | server_error | - | upstream_error",
            ),
            (
                500,
                "",
                "the model's provider answered with status 500 and said no more | server_error | - | upstream_error",
            ),
            (
                500,
                "{}",
                "the model's provider answered with status 500 and said no more | server_error | - | upstream_error",
            ),
            (404, r#"{"why":"so"}"#, r#"{"why":"so"} | invalid_request_error | - | upstream_error"#),
            (404, r#""not here""#, "not here | invalid_request_error | - | upstream_error"),
            (
                400,
                r#"{"error":{"message":"m","type":null,"param":"p","code":null}}"#,
                "m | invalid_request_error | p | upstream_error",
            ),
        ] {
            assert_eq!(check(status, body).as_deref(), Some(expected), "{body}");
        }
    }

    #[test]
    fn what_else_an_error_has_stays() {
        let body = br#"{"error":{"code":402,"message":"pay","metadata":{"provider_name":"x"}},"user_id":"acme"}"#;
        let expected = r#"{"error":{"message":"pay","type":"insufficient_quota","param":null,"code":"402","metadata":{"provider_name":"x"}}}"#;
        assert_eq!(normalised(402, body).as_deref(), Some(expected));
    }

    #[test]
    fn a_page_is_cut_short() {
        let told = check(502, &"é ".repeat(LIMIT)).unwrap();
        assert!(told.chars().count() < TEXT + 100);
        assert!(check(500, &"[".repeat(10_000)).is_some());
    }

    proptest! {
        #[test]
        fn any_bytes_become_an_error_that_every_client_reads(status in 400_u16..600, bytes in prop::collection::vec(any::<u8>(), 0..80), text in "[\\[\\]{}:,\"a-c0-9\\\\ ]{0,64}") {
            check(status, &String::from_utf8_lossy(&bytes));
            check(status, &text);
            if let Some(told) = normalised(status, &bytes) {
                prop_assert!(is_right(&serde_json::from_str(&told).unwrap()));
            }
        }

        #[test]
        fn a_message_is_kept_as_it_was_said(status in 400_u16..600, message in "\\PC{1,40}", shape in 0..6_usize) {
            let said = serde_json::to_string(&message).unwrap();
            let body = [
                format!(r#"[{{"error":{{"code":1,"message":{said}}}}}]"#),
                format!(r#"{{"error":{{"code":null,"message":{said}}}}}"#),
                format!(r#"{{"error":{said}}}"#),
                format!(r#"{{"detail":{said}}}"#),
                format!(r#"{{"message":{said}}}"#),
                format!(r#"{{"type":"error","error":{{"type":"x","message":{said}}}}}"#),
            ][shape].clone();
            let told: Value = serde_json::from_str(&normalised(status, body.as_bytes()).unwrap()).unwrap();
            prop_assert_eq!(told["error"]["message"].as_str(), Some(&*message));
        }
    }
}
