use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

/// `u…` is a user's message, `a…` or `b…` an assistant's, `t…` a tool's.
fn message(word: &str) -> String {
    let role = match word.as_bytes()[0] {
        b'u' => "user",
        b'a' | b'b' => "assistant",
        _ => "tool",
    };
    json!({"role": role, "content": word}).to_string()
}

fn recognised(history: &[String], sent: &[String]) -> Recognised {
    let history: Vec<&str> = history.iter().map(String::as_str).collect();
    recognise(&history, &sent.iter().map(String::as_str).collect::<Vec<_>>())
}

/// What goes in and what is new, in words.
fn check(history: &str, sent: &str) -> (String, String) {
    let words = |it: &str| it.split_whitespace().map(message).collect::<Vec<_>>();
    let found = recognised(&words(history), &words(sent));
    let pick =
        |it: &str, from: usize, most: usize| it.split_whitespace().skip(from).take(most).collect::<Vec<_>>().join(" ");
    (pick(history, 0, found.insert), pick(sent, found.known, usize::MAX))
}

#[test]
fn nothing_doubles_and_nothing_is_lost() {
    for (history, sent, inserted, new) in [
        // A client that sends its new message alone, or the first of all.
        ("", "u1", "", "u1"),
        ("", "u1 a1 u2", "", "u1 a1 u2"),
        ("u1 a1", "u2", "u1 a1", "u2"),
        ("u1 a1", "u1", "u1 a1", "u1"),
        ("u1 a1", "u2 u3", "u1 a1", "u2 u3"),
        ("u1 a1", "", "u1 a1", ""),
        ("u1 a1", "t1 t2 u2", "u1 a1", "t1 t2 u2"),
        // All of it again.
        ("u1 a1", "u1 a1 u2", "", "u2"),
        ("u1 a1 u2 a2", "u1 a1 u2 a2 u3", "", "u3"),
        ("u1 a1 u2 a2", "u1 a1 u2 a2 u3 u4", "", "u3 u4"),
        ("u1 a1 t1 a2", "u1 a1 t1 a2 u2", "", "u2"),
        ("u1 a1", "u1 a1 t1 t2", "", "t1 t2"),
        // The last part of it.
        ("u1 a1 u2 a2", "u2 a2 u3", "u1 a1", "u3"),
        ("u1 a1 u2 a2", "a2 u3", "u1 a1 u2", "u3"),
        // More than the gateway remembers, or an older part in the client's own words.
        ("u2 a2", "u1 a1 u2 a2 u3", "", "u3"),
        ("u1 a1 u2 a2", "u9 u2 a2 u3", "", "u3"),
        ("u1 a1 u2 a2", "u9 a2 u3", "", "u3"),
        // The same words again and again.
        ("u1 a1 u1 a1", "u1 a1 u1 a1 u1", "", "u1"),
        ("u1 a1 u1 a1", "u1 a1 u1", "u1 a1", "u1"),
        ("u1 a1", "u1 a1 u1 a1 u1", "", "u1"),
        ("u1 a1 u1 a1 u1 a1", "u1", "u1 a1 u1 a1 u1 a1", "u1"),
        // The last answer once more.
        ("u1 a1 u2 a2", "u1 a1 u2", "", "u2"),
        ("u0 a0 u1 a1 u2 a2", "u1 a1 u2", "u0 a0", "u2"),
        ("u1 a1 u2 a2 t2 a3", "u1 a1 u2 a2 t2", "", "t2"),
        // And once more at a later question, by a client that kept the second answer to an earlier one.
        ("u1 a1 u2 a2 u2 b2 u3 a3", "u1 a1 u2 b2 u3", "", "u3"),
        ("u0 a0 u1 a1 u1 b1 u2 a2 t2 a3", "u1 b1 u2", "u0 a0 u1 a1", "u2"),
        ("u1 a1 u1 b1 u2 a2 u2 b2 u3 a3", "u1 b1 u2 b2 u3", "", "u3"),
        ("u1 a1 u2 a2 u2 b2 u3 a3 u3 b3", "u1 a1 u2 b2 u3", "", "u3"),
        // An answer that was given before says less than the whole.
        ("u0 a0 u1 a1 u2 a0", "u0 a0 u1 a1 u2", "", "u2"),
        ("u0 a0 u1 a0", "u0 a0 u1", "", "u1"),
        ("u1 a1 u2 a2 u2 b2 u3 a1", "u1 a1 u2 b2 u3", "", "u3"),
        // Or that had stopped the answer before.
        ("u1 a1 u2 a2more u3 a3", "u1 a1 u2 a2 u3", "", "u3"),
        // Its own version of what came before, and then the last question: that is no other answer to it.
        ("u1 a1 u2 a2", "u1 a9 u2", "u1 a1 u2 a2", "u1 a9 u2"),
        // Nothing of it: an example in front of each request.
        ("u1 a1", "u8 a8 u2", "u1 a1", "u8 a8 u2"),
        // An answer that the client stopped, and saw less or more of than is remembered.
        ("u1 a1 u2 a2more", "u1 a1 u2 a2 u3", "", "u3"),
        ("u1 a1 u2 a2", "u1 a1 u2 a2more u3 u4", "", "u3 u4"),
        ("u1 a1 u2 a2more", "u2 a2 u3", "u1 a1", "u3"),
        ("u1 a1 u2 a2more", "u9 u2 a2 u3", "", "u3"),
        ("u1 a1 u2 a2more", "u8 a2 u3", "u1 a1 u2 a2more", "u8 a2 u3"),
        ("u1 a1 u2 a2more", "u2 a3 u3", "u1 a1 u2 a2more", "u2 a3 u3"),
        // A line that breaks off, with what is left of it.
        ("u1 a1", "a1", "u1 a1", "a1"),
    ] {
        let (expected, found) = ((inserted.to_owned(), new.to_owned()), check(history, sent));
        assert_eq!(found, expected, "{history} | {sent}");
    }
}

#[test]
fn one_message_may_be_written_in_many_ways() {
    for [one, other] in [
        [r#"{"role":"user","content":"é\n"}"#, r#"{ "content" : "\u00e9\u000a", "role":"user" }"#],
        [r#"{"role":"user","content":"x"}"#, r#"{"role":"user","content":[{"type":"text","text":"x"}],"name":null}"#],
        [r#"{"role":"user","content":"xy"}"#, r#"{"role":"user","content":[{"text":"x"},{"text":"y"}]}"#],
        [
            r#"{"role":"assistant","content":"x"}"#,
            r#"{"role":"assistant","content":"x","refusal":null,"annotations":[],"audio":null,"tool_calls":null,"function_call":null,"parsed":{"a":1},"reasoning_content":"hm"}"#,
        ],
        [
            r#"{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\":1, \"b\":[2.0]}"}}]}"#,
            r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"b\":[2],\"a\":1}","name":"f","parsed_arguments":{}},"id":"c"}],"role":"assistant"}"#,
        ],
        [
            r#"{"role":"assistant","content":[{"type":"refusal","refusal":"no"}]}"#,
            r#"{"role":"assistant","content":null,"refusal":"no"}"#,
        ],
        [r#"{"role":"assistant","content":""}"#, r#"{"role":"assistant"}"#],
        [
            r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"u","detail":null}},{"type":"text","text":"x"}]}"#,
            r#"{"role":"user","content":[{"image_url":{"url":"u"},"type":"image_url"},{"type":"text","text":"x"}]}"#,
        ],
        [
            r#"{"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"x"}]}"#,
            r#"{"role":"assistant","content":"x"}"#,
        ],
    ] {
        assert_eq!(key(one), key(other), "{one}\n{other}");
    }
}

#[test]
fn what_says_something_else_is_another_message() {
    let all = [
        r#"{"role":"user","content":"x"}"#,
        r#"{"role":"user","content":"X"}"#,
        r#"{"role":"assistant","content":"x"}"#,
        r#"{"role":"user","content":"x","name":"n"}"#,
        r#"{"role":"user","name":"x","content":"n"}"#,
        r#"{"role":"tool","content":"x","tool_call_id":"1"}"#,
        r#"{"role":"tool","content":"x","tool_call_id":"2"}"#,
        r#"{"role":"assistant","content":"","refusal":"x"}"#,
        r#"{"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{}"}}]}"#,
        r#"{"role":"assistant","tool_calls":[{"id":"d","function":{"name":"f","arguments":"{}"}}]}"#,
        r#"{"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{\"a\":1}"}}]}"#,
        r#"{"role":"assistant","tool_calls":[{"id":"c","custom":{"name":"f","input":"{ }x"}}]}"#,
        r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"u"}},{"type":"text","text":"x"}]}"#,
        r#"{"role":"user","content":[{"type":"text","text":"x"},{"type":"image_url","image_url":{"url":"u"}}]}"#,
        r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"v"}},{"type":"text","text":"x"}]}"#,
        r#"{"role":"user","content":5}"#,
        r#"{"role":5}"#,
        r#"{"role":"user","content":"\ud800"}"#,
        "{}",
    ];
    let keys: std::collections::BTreeSet<u64> = all.iter().map(|it| key(it)).collect();
    assert_eq!(keys.len(), all.len());
}

/// As an SDK writes a message that it was given.
fn dumped(message: &Value, how: u8) -> String {
    let mut members: Vec<(String, Value)> =
        message.as_object().unwrap().iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    if how & 1 == 1 {
        members.reverse();
    }
    if how & 2 == 2 {
        for absent in ["refusal", "name", "audio", "function_call", "tool_calls"] {
            if message.get(absent).is_none() {
                members.push((absent.to_owned(), Value::Null));
            }
        }
        members.push(("annotations".to_owned(), json!([])));
    }
    for (name, value) in &mut members {
        if how & 4 == 4 && name == "content" && value.is_string() {
            *value = json!([{"text": value.take(), "type": "text"}]);
        }
    }
    let members: Vec<String> = members.iter().map(|(name, value)| format!("{}: {value}", json!(name))).collect();
    format!("{{{}}}", members.join(" , "))
}

/// One turn: what was asked, and what was answered last.
fn turn() -> impl Strategy<Value = Vec<Value>> {
    let text = prop_oneof![Just("a"), Just("b"), Just(""), Just("é\n")];
    let asked = prop_oneof![
        text.clone().prop_map(|it| json!({"role": "user", "content": it})),
        text.clone().prop_map(|it| json!({"role": "user", "name": "n", "content":
            [{"type": "text", "text": it}, {"type": "image_url", "image_url": {"url": "https://x/y.png"}}]})),
    ];
    let call =
        |id: u8| json!({"id": format!("c{id}"), "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let result = |id: u8| json!({"role": "tool", "tool_call_id": format!("c{id}"), "content": "r"});
    let tools = (0_u8..3, 1_u8..3).prop_map(move |(first, many)| {
        let ids = first..first + many;
        let calls: Vec<Value> = ids.clone().map(call).collect();
        let mut said = vec![json!({"role": "assistant", "content": null, "tool_calls": calls})];
        said.extend(ids.map(result));
        said
    });
    let answered = prop_oneof![
        text.prop_map(|it| json!({"role": "assistant", "content": it})),
        Just(json!({"role": "assistant", "content": null, "refusal": "no"})),
    ];
    (prop::collection::vec(asked, 1..3), prop::option::of(tools), answered).prop_map(|(mut turn, tools, answer)| {
        turn.extend(tools.into_iter().flatten());
        turn.push(answer);
        turn
    })
}

fn texts(messages: &[Value]) -> Vec<String> {
    messages.iter().map(Value::to_string).collect()
}

fn keys(messages: &[String]) -> Vec<u64> {
    messages.iter().map(|it| key(it)).collect()
}

proptest! {
    #[test]
    fn however_a_client_sends_its_conversation_the_provider_gets_it_once(
        turns in prop::collection::vec(turn(), 0..6),
        new in prop::collection::vec(prop_oneof![Just("a"), Just("b"), Just("new")], 1..3),
        cut in any::<prop::sample::Index>(), forgotten in any::<prop::sample::Index>(), how in 0_u8..8, resent in 0..4,
    ) {
        let whole: Vec<Value> = turns.concat();
        let new: Vec<Value> = new.into_iter().map(|it| json!({"role": "user", "content": it})).collect();
        let cut = if whole.is_empty() { 0 } else { cut.index(whole.len()) };
        // What the client sends again, and what the gateway remembers.
        let (again, remembered) = match resent {
            0 => (&whole[whole.len()..], &whole[..]),
            1 => (&whole[..], &whole[..]),
            2 => (&whole[cut..], &whole[..]),
            _ => (&whole[..], &turns[forgotten.index(turns.len() + 1)..].concat()[..]),
        };
        let sent: Vec<String> = again.iter().map(|it| dumped(it, how)).chain(texts(&new)).collect();
        let past = texts(remembered);
        let found = recognised(&past, &sent);
        let provider = [keys(&past[..found.insert]), keys(&sent)].concat();
        prop_assert_eq!(provider, keys(&[texts(&whole), texts(&new)].concat()));
        // Nothing is remembered of it when everything was forgotten: then all of it is new.
        let stored = if past.is_empty() { keys(&sent) } else { keys(&texts(&new)) };
        prop_assert_eq!(keys(&sent[found.known..]), stored);
    }

    #[test]
    fn no_message_is_too_odd_to_be_compared(raw in "\\{(\"role\"|\"content\"|\"tool_calls\"|\"text\"|:|,|\\[|\\]|\\{|\\}|null|1e999|\"\\\\ud800\"){0,12}\\}") {
        let _ = key(&raw);
        let _ = recognise(&[&raw, "{}"], &[&raw, "{}", &raw]);
    }

    #[test]
    fn lengths_are_those_of_the_naive_search(text in prop::collection::vec(0_u64..3, 0..40)) {
        let naive = |at: usize| text[at..].iter().zip(&text).take_while(|(a, b)| a == b).count();
        let found = prefix_lengths(&text);
        prop_assert_eq!(&found[1.min(found.len())..], (1..text.len()).map(naive).collect::<Vec<_>>());
    }
}

#[test]
fn a_message_of_very_many_parts_is_compared_by_its_bytes_in_little_time() {
    for (member, element) in [("content", "0"), ("content", "{}"), ("tool_calls", "{}")] {
        let long = |count: usize| format!(r#"{{"role":"assistant","{member}":[{}]}}"#, vec![element; count].join(","));
        let (few, many, other) = (long(FEW), long(FEW + 1), long(FEW + 1).replace(',', ", "));
        assert_ne!(key(&few), key(&many), "{member} {element}");
        assert_eq!(key(&many), key(&many.clone()));
        assert_ne!(key(&many), key(&other), "its bytes");
        assert_eq!(key(&few), key(&few.replace(',', ", ")), "its sense");
    }
    let deep = format!(r#"{{"role":"user","content":[{}1{}]}}"#, "[".repeat(5_000), "]".repeat(5_000));
    assert_eq!(recognise(&[&deep], &[&deep, r#"{"role":"user"}"#]), Recognised { insert: 0, known: 1 });
    // A history and messages that are alike everywhere.
    let same = vec!["{}"; 20_000];
    assert_eq!(recognise(&same, &same).known, 19_999);
}

/// What a user does in a chat.
#[derive(Debug, Clone, Copy)]
enum Act {
    Ask,
    /// Another answer to the last question.
    Again,
    /// Stops the answer: what the client saw of it and what is remembered end at different places.
    Stop(bool),
}

proptest! {
    #[test]
    fn whatever_a_user_does_in_a_chat_the_provider_gets_what_the_user_sees(
        acts in prop::collection::vec(prop_oneof![3 => Just(Act::Ask), 2 => Just(Act::Again), 1 => any::<bool>().prop_map(Act::Stop)], 1..14),
        // So many answers there are at most.
        answers in prop_oneof![Just(2), Just(100)],
    ) {
        let (mut seen, mut kept): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
        for (nth, act) in acts.into_iter().enumerate() {
            // The first question alone is a question that is asked once more.
            let again = matches!(act, Act::Again) && seen.len() > 2;
            if again {
                seen.pop();
            } else {
                seen.push(message(&format!("u{nth}.")));
            }
            let found = recognised(&kept, &seen);
            prop_assert_eq!(found.insert, 0, "{:?} | {:?}", kept, seen);
            prop_assert_eq!(&seen[found.known..], &seen[seen.len() - 1..], "{:?} | {:?}", kept, seen);
            kept.extend_from_slice(&seen[found.known..]);
            let (short, long) = (message(&format!("a{}.", nth % answers)), message(&format!("a{}. and more", nth % answers)));
            let (here, there) = match act {
                Act::Stop(true) => (short, long),
                Act::Stop(false) => (long, short),
                Act::Ask | Act::Again => (short.clone(), short),
            };
            seen.push(here);
            kept.push(there);
        }
    }
}
