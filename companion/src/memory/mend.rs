//! A history that no provider refuses: no tool's result without the call that it answers before it, and no call without
//! all of its results behind it. Stored messages can lack either: their owner deletes one, imports half a conversation, or
//! goes on talking where a tool was called.
//!
//! What has no counterpart is left out as a whole, also an answer that says something beside its calls: no byte of a
//! message is changed. Only the calls at the end stay whatever they lack, for what answers them is in the request that the
//! history is for; the gateway, which reads that, leaves them out if it is not.

use domain::calls::{Call, Part, part};

/// Without calls and results that lack each other, but for the calls at the end.
pub(super) fn mended(messages: Vec<String>) -> Vec<String> {
    Mending::of(messages).kept
}

/// Whether these messages end in calls that are not all answered.
pub(super) fn ends_in_a_call(messages: &[String]) -> bool {
    Mending::of(messages.to_vec()).open.is_some_and(|it| !it.missing.is_empty())
}

#[derive(Default)]
struct Mending {
    kept: Vec<String>,
    /// The calls that what follows next may answer.
    open: Option<Open>,
}

struct Open {
    /// Their place among those kept; behind it are only their results.
    from: usize,
    calls: Vec<Call>,
    /// Those without a result so far.
    missing: Vec<Call>,
}

impl Mending {
    fn of(messages: Vec<String>) -> Self {
        let mut mending = Self::default();
        messages.into_iter().for_each(|it| mending.push(it));
        mending
    }

    fn push(&mut self, message: String) {
        match part(&message) {
            Part::Result(call) => {
                let Some(open) = self.open.as_mut().filter(|it| it.calls.contains(&call)) else { return };
                open.missing.retain(|it| *it != call);
            }
            Part::Calls(calls) => {
                self.close();
                self.open = Some(Open { from: self.kept.len(), missing: calls.clone(), calls });
            }
            Part::Else => self.close(),
        }
        self.kept.push(message);
    }

    /// Nothing more answers the open calls.
    fn close(&mut self) {
        if let Some(open) = self.open.take().filter(|it| !it.missing.is_empty()) {
            self.kept.truncate(open.from);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    pub(crate) fn user() -> Value {
        json!({"role": "user", "content": "a tool, a function"})
    }

    pub(crate) fn calls(ids: &[&str]) -> Value {
        let call = |id: &&str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
        json!({"role": "assistant", "content": "I look.", "tool_calls": ids.iter().map(call).collect::<Vec<_>>()})
    }

    pub(crate) fn result(id: &str) -> Value {
        json!({"role": "tool", "tool_call_id": id, "content": "r"})
    }

    /// What a provider says of a request with these messages.
    pub(crate) fn refusal(messages: &[Value]) -> Option<String> {
        let mut wanted: Vec<&Value> = Vec::new();
        let mut known: Vec<&Value> = Vec::new();
        for (at, message) in messages.iter().enumerate() {
            if message["role"] == "tool" {
                let id = &message["tool_call_id"];
                if !known.contains(&id) {
                    return Some(format!("messages[{at}] answers no call before it"));
                }
                wanted.retain(|it| *it != id);
            } else {
                if !wanted.is_empty() {
                    return Some(format!("messages[{at}] stands where {wanted:?} should be answered"));
                }
                known = message["tool_calls"].as_array().into_iter().flatten().map(|it| &it["id"]).collect();
                wanted.clone_from(&known);
            }
        }
        (!wanted.is_empty()).then(|| format!("{wanted:?} are not answered"))
    }

    /// The places of those that stay.
    fn check(messages: &[Value]) -> Vec<usize> {
        let texts: Vec<String> = messages.iter().map(Value::to_string).collect();
        let mut rest = texts.iter().enumerate();
        let kept = mended(texts.clone());
        kept.iter().map(|kept| rest.find(|it| it.1 == kept).unwrap().0).collect()
    }

    #[test]
    fn calls_and_results_that_lack_each_other_are_left_out() {
        let spoken = || json!({"role": "assistant", "content": "a"});
        let old = || json!({"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{}"}});
        let oldest = |name: &str| json!({"role": "function", "name": name, "content": "r"});
        for (messages, expected) in [
            (vec![], &[][..]),
            (vec![user(), calls(&["1", "2"]), result("2"), result("1"), spoken()], &[0, 1, 2, 3, 4]),
            (vec![user(), calls(&["1"]), user(), spoken()], &[0, 2, 3]),
            (vec![user(), calls(&["1", "2"]), result("1"), user()], &[0, 3]),
            (vec![user(), result("1"), spoken(), result("2"), user()], &[0, 2, 4]),
            (vec![calls(&["1"]), user(), result("1"), user()], &[1, 3]),
            (vec![calls(&["1"]), result("0"), result("1"), user()], &[0, 2, 3]),
            (vec![calls(&["1"]), calls(&["2"]), result("2"), result("1"), user()], &[1, 2, 4]),
            (vec![old(), oldest("f"), user(), old(), oldest("g"), user(), oldest("f")], &[0, 1, 2, 5]),
            // Those at the end stay, with the results that they have.
            (vec![user(), calls(&["1", "2"])], &[0, 1]),
            (vec![user(), calls(&["1", "2"]), result("1"), result("3")], &[0, 1, 2]),
            // Without ids, and what nobody can read.
            (vec![json!({"role": "assistant", "tool_calls": [{}]}), json!({"role": "tool"}), user()], &[0, 1, 2]),
            (
                vec![json!({"role": "assistant", "tool_calls": []}), json!({"role": "assistant", "tool_calls": 7})],
                &[0, 1],
            ),
            (vec![json!([]), json!("tool"), json!({"role": 7, "x": "tool"}), json!({"role": "tool"})], &[0, 1, 2]),
        ] {
            assert_eq!(check(&messages), expected, "{messages:?}");
        }
        let written = [
            r#"{"role":"assistant","tool_calls":[{"id":"a\/1"}]}"#,
            r#"{"\u0072ole":"too\u006c","tool_call_id":"a/1"}"#,
        ];
        assert_eq!(
            mended([written.as_slice(), &[r#"{"role":"user"}"#]].concat().iter().map(|it| (*it).to_owned()).collect())
                .len(),
            3
        );
    }

    #[test]
    fn a_call_waits_until_its_last_result() {
        let waits = |it: &[Value]| ends_in_a_call(&it.iter().map(Value::to_string).collect::<Vec<_>>());
        assert!(waits(&[user(), calls(&["1", "2"]), result("1")]));
        for it in [&[user(), calls(&["1"]), result("1")][..], &[calls(&["1"]), user()], &[]] {
            assert!(!waits(it), "{it:?}");
        }
    }

    /// Conversations of everything that can happen to one.
    pub(crate) fn conversation() -> impl Strategy<Value = Vec<Value>> {
        let id = || prop_oneof![Just("1"), Just("2"), Just("3")];
        let message = prop_oneof![
            2 => Just(user()),
            1 => Just(json!({"role": "assistant", "content": "a"})),
            3 => prop::collection::vec(id(), 1..3).prop_map(|it| calls(&it)),
            5 => id().prop_map(result),
        ];
        prop::collection::vec(message, 0..16)
    }

    proptest! {
        #[test]
        fn no_provider_refuses_it_once_the_last_calls_are_answered(messages in conversation()) {
            let texts: Vec<String> = messages.iter().map(Value::to_string).collect();
            let kept = mended(texts);
            let mut kept: Vec<Value> = kept.iter().map(|it| serde_json::from_str(it).unwrap()).collect();
            let last = kept.iter().rev().find(|it| it["role"] != "tool").cloned();
            let open = last.as_ref().and_then(|it| it["tool_calls"].as_array()).into_iter().flatten();
            kept.extend(open.map(|it| result(it["id"].as_str().unwrap())));
            prop_assert_eq!(refusal(&kept), None);
            // And nothing that is whole is lost.
            if refusal(&messages).is_none() {
                prop_assert_eq!(kept.iter().filter(|it| it["role"] != "tool").count(), messages.iter().filter(|it| it["role"] != "tool").count());
            }
        }
    }
}
