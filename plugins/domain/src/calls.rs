//! What messages of a conversation are to each other: a tool's result answers a call of the assistant's.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// What a message is to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Neither of these.
    Else,
    /// Calls of tools, one at least.
    Calls(Vec<Call>),
    /// What answers this call.
    Result(Call),
}

/// What a call and its result have in common: an id, or, as calls were before they had ids, a function's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// Its id.
    Id(String),
    /// Its function.
    Function(String),
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, default)]
    role: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    tool_call_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    name: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<Called<'a>>>,
    #[serde(borrow, default)]
    function_call: Option<Named<'a>>,
}

#[derive(Deserialize)]
struct Called<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow, default)]
    name: Option<&'a RawValue>,
}

/// Reads as little of a message as tells that it is of no interest. One that cannot be read is none that anybody could
/// find a counterpart of.
#[must_use]
pub fn part(message: &str) -> Part {
    if !["tool", "function", "\\u"].iter().any(|it| message.contains(it)) {
        return Part::Else;
    }
    let Ok(head) = serde_json::from_str::<Head<'_>>(message) else { return Part::Else };
    match head.role.as_deref() {
        Some("tool") => Part::Result(Call::Id(text(head.tool_call_id))),
        Some("function") => Part::Result(Call::Function(text(head.name))),
        Some("assistant") => {
            let named = head.function_call.map(|it| Call::Function(text(it.name)));
            let ids = head.tool_calls.into_iter().flatten().map(|it| Call::Id(text(it.id)));
            let calls: Vec<Call> = ids.chain(named).collect();
            if calls.is_empty() { Part::Else } else { Part::Calls(calls) }
        }
        _ => Part::Else,
    }
}

/// An id, however it was written. Some providers give none, and neither do those who answer them.
fn text(written: Option<&RawValue>) -> String {
    let raw = written.map(RawValue::get).filter(|it| *it != "null").unwrap_or("\"\"");
    serde_json::from_str(raw).unwrap_or_else(|_| raw.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_calls_answers_or_does_neither() {
        let id = |id: &str| Call::Id(id.to_owned());
        let function = || Call::Function("f".to_owned());
        for (message, expected) in [
            (r#"{"role":"assistant","tool_calls":[{"id":"1"},{"id":"2"}]}"#, Part::Calls(vec![id("1"), id("2")])),
            (r#"{"role":"assistant","function_call":{"name":"f"}}"#, Part::Calls(vec![function()])),
            (r#"{"role":"assistant","tool_calls":[{"function":{}}]}"#, Part::Calls(vec![id("")])),
            (r#"{"role":"assistant","tool_calls":[],"content":"a"}"#, Part::Else),
            (r#"{"role":"assistant","tool_calls":null}"#, Part::Else),
            (r#"{"role":"to\u006fl","tool_call_id":"\u0031"}"#, Part::Result(id("1"))),
            (r#"{"role":"tool","tool_call_id":null}"#, Part::Result(id(""))),
            (r#"{"role":"function","name":"f"}"#, Part::Result(function())),
            (r#"{"role":"user","content":"a tool","tool_call_id":"1"}"#, Part::Else),
            (r#"{"role":"tool""#, Part::Else),
        ] {
            assert_eq!(part(message), expected, "{message}");
        }
    }
}
