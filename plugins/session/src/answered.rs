//! Does a history's last call get its results? Where it ends in a call of a tool, they are the beginning of the request's own
//! messages, or the user went on talking and nobody answers it any more. Providers refuse a call without results, so that it
//! is left out then. What the companion hands out lacks nothing before.
//!
//! The rule reads the history's last messages alone: from its end back to the first that is no result.

use domain::calls::{Call, Part, part};

/// How many of the history's messages can stand before `messages`, the client's own without instructions: all of them, or
/// those before a call that lacks results which `messages` do not begin with.
///
/// If they begin with some of the results, the call stays: the client answers it, and the provider says best what is
/// missing.
#[must_use]
pub fn kept(history: &[&str], messages: &[&str]) -> usize {
    let Some(at) = history.iter().rposition(|it| !is_result(it)) else { return history.len() };
    let calls = history.get(at).map(|it| calls(it)).unwrap_or_default();
    let behind = history.get(at.saturating_add(1)..).unwrap_or_default();
    let answers = |messages: &[&str]| -> Vec<Call> { messages.iter().map_while(|it| result(it)).collect() };
    let (before, now) = (answers(behind), answers(messages));
    let lacks = |call: &&Call| !before.contains(call);
    let missing: Vec<&Call> = calls.iter().filter(lacks).collect();
    if missing.is_empty() || missing.iter().any(|it| now.contains(it)) { history.len() } else { at }
}

fn calls(message: &str) -> Vec<Call> {
    match part(message) {
        Part::Calls(calls) => calls,
        Part::Result(_) | Part::Else => Vec::new(),
    }
}

fn result(message: &str) -> Option<Call> {
    match part(message) {
        Part::Result(call) => Some(call),
        Part::Calls(_) | Part::Else => None,
    }
}

fn is_result(message: &str) -> bool {
    result(message).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: &str = r#"{"role":"user","content":"q"}"#;
    const SAID: &str = r#"{"role":"assistant","content":"a"}"#;
    const ONE: &str = r#"{"role":"assistant","content":"I look.","tool_calls":[{"id":"c1"}]}"#;
    const TWO: &str = r#"{"tool_calls":[{"id":"c1"},{"id":"c\/2"}],"role":"assistant","content":null}"#;
    const OLD: &str = r#"{"role":"assistant","content":null,"function_call":{"name":"f"}}"#;
    const C1: &str = r#"{"role":"tool","tool_call_id":"c1","content":"r"}"#;
    const C2: &str = r#"{"content":"r","tool_call_id":"c/2","role":"tool"}"#;
    const F: &str = r#"{"role":"function","name":"f","content":"r"}"#;

    #[test]
    fn a_call_stays_if_the_request_begins_with_its_results() {
        for (history, messages, expected) in [
            (&[][..], &[USER][..], 0),
            (&[USER, SAID], &[USER], 2),
            (&[USER, ONE], &[C1], 2),
            (&[USER, ONE], &[C1, USER], 2),
            (&[USER, TWO], &[C2, C1], 2),
            (&[USER, TWO, C1], &[C2], 3),
            (&[USER, TWO, C1, C2], &[USER], 4),
            (&[USER, OLD], &[F], 2),
            // The user goes on talking.
            (&[USER, ONE], &[USER], 1),
            (&[USER, ONE], &[], 1),
            (&[USER, ONE], &[USER, C1], 1),
            (&[USER, TWO, C1], &[USER], 1),
            (&[USER, OLD], &[USER], 1),
            (&[USER, OLD], &[C1], 1),
            (&[ONE], &[USER], 0),
            (&[USER, ONE], &[C2], 1),
            // The provider says what is missing.
            (&[USER, TWO], &[C1, USER], 2),
            // Ids that are none.
            (&[r#"{"role":"assistant","tool_calls":[{}]}"#], &[r#"{"role":"tool","tool_call_id":null}"#], 1),
            // What nobody can read is no call, and results alone answer none.
            (&["[]", "7"], &[USER], 2),
            (&[r#"{"role":"assistant","tool_calls":7}"#], &[USER], 1),
            (&[r#"{"role":"user","tool_calls":[{"id":"c1"}]}"#], &[USER], 1),
            (&[C1], &[USER], 1),
        ] {
            assert_eq!(kept(history, messages), expected, "{history:?} {messages:?}");
        }
    }
}
