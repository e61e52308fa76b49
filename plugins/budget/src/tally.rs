//! Counts what an answer says, for when nobody else does.

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use std::{borrow::Cow, fmt};

/// Text, counted as `domain::estimate::text_tokens` counts it, however it is cut into pieces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    ascii: u64,
    other: u64,
}

impl Tally {
    /// Adds a piece of text.
    pub(crate) fn add(&mut self, text: &[u8]) {
        for byte in text {
            self.ascii = self.ascii.wrapping_add(u64::from(*byte < 0x80));
            self.other = self.other.wrapping_add(u64::from(*byte >= 0xc0));
        }
    }

    /// Adds what another one counted.
    pub(crate) fn join(&mut self, more: Self) {
        self.ascii = self.ascii.saturating_add(more.ascii);
        self.other = self.other.saturating_add(more.other);
    }

    /// About how many tokens that is.
    pub(crate) fn tokens(self) -> u64 {
        self.ascii.div_ceil(4).saturating_add(self.other)
    }
}

/// What is text in no answer, whoever says it.
const SILENT: [&str; 14] = [
    "role",
    "id",
    "type",
    "status",
    "index",
    "call_id",
    "finish_reason",
    "stop_reason",
    "stop_sequence",
    "object",
    "data",
    "signature",
    "encrypted_content",
    "logprobs",
];

/// Every text in some JSON but that of members which are none of the answer's, such as `role`.
impl<'de> Deserialize<'de> for Tally {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Texts)
    }
}

struct Texts;

impl<'de> Visitor<'de> for Texts {
    type Value = Tally;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("anything")
    }

    fn visit_str<E>(self, text: &str) -> Result<Tally, E> {
        let mut tally = Tally::default();
        tally.add(text.as_bytes());
        Ok(tally)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Tally, E> {
        Ok(Tally::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Tally, E> {
        Ok(Tally::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Tally, E> {
        Ok(Tally::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Tally, E> {
        Ok(Tally::default())
    }

    fn visit_unit<E>(self) -> Result<Tally, E> {
        Ok(Tally::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Tally, A::Error> {
        let mut tally = Tally::default();
        while let Some(one) = all.next_element::<Tally>()? {
            tally.join(one);
        }
        Ok(tally)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut all: A) -> Result<Tally, A::Error> {
        let mut tally = Tally::default();
        while let Some(Name(counts)) = all.next_key::<Name>()? {
            if counts {
                tally.join(all.next_value::<Tally>()?);
            } else {
                all.next_value::<IgnoredAny>()?;
            }
        }
        Ok(tally)
    }
}

/// Whether the text under this name counts.
struct Name(bool);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Known;
        impl Visitor<'_> for Known {
            type Value = Name;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a name")
            }

            fn visit_str<E>(self, name: &str) -> Result<Name, E> {
                Ok(Name(!SILENT.contains(&name)))
            }
        }
        from.deserialize_str(Known)
    }
}

/// A plain answer, as far as its text goes.
#[derive(Deserialize)]
struct Plain<'a> {
    #[serde(default)]
    choices: Option<Tally>,
    #[serde(default)]
    output: Option<Tally>,
    /// Of Anthropic's own API.
    #[serde(default)]
    content: Option<Tally>,
    #[serde(default)]
    error: Option<IgnoredAny>,
    /// Of the Responses API.
    #[serde(default, borrow)]
    status: Option<Cow<'a, str>>,
}

/// What a plain answer says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// An error, or nothing.
    Nothing,
    /// This much text.
    Text(Tally),
    /// The answer is made later, and nobody will say here how long it became.
    Later,
}

/// Reads a plain answer. What cannot be read counts as text, whole: it was an answer all the same.
pub(crate) fn said(json: &[u8]) -> Said {
    let Ok(plain) = serde_json::from_slice::<Plain<'_>>(json) else {
        let mut all = Tally::default();
        all.add(json);
        return if all == Tally::default() { Said::Nothing } else { Said::Text(all) };
    };
    if plain.error.is_some() && plain.choices.is_none() && plain.output.is_none() && plain.content.is_none() {
        return Said::Nothing;
    }
    if matches!(plain.status.as_deref(), Some("queued" | "in_progress")) {
        return Said::Later;
    }
    let mut tally = plain.choices.unwrap_or_default();
    tally.join(plain.output.unwrap_or_default());
    tally.join(plain.content.unwrap_or_default());
    Said::Text(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_as_the_estimate_does() {
        for text in ["", "a", "abcd", "abcde", "日本語é", "mixed ünïcode text"] {
            let mut tally = Tally::default();
            let (left, right) = text.as_bytes().split_at(text.len() / 2);
            tally.add(left);
            tally.add(right);
            assert_eq!(tally.tokens(), domain::estimate::text_tokens(text), "{text}");
        }
    }

    #[test]
    fn an_answers_text_counts_and_its_names_do_not() {
        let check = |json: &str| match said(json.as_bytes()) {
            Said::Text(tally) => Some(tally.tokens()),
            Said::Nothing | Said::Later => None,
        };
        let message = r#"{"id":"chatcmpl-123456789","model":"gpt-4o","choices":[{"index":0,"finish_reason":"stop","message":
            {"role":"assistant","content":"12345678","refusal":null,"reasoning_content":"1234","tool_calls":[{"id":"call_1","type":"function",
            "function":{"name":"look","arguments":"{\"a\":1}\n"}}]}}]}"#;
        assert_eq!(check(message), Some(2 + 1 + 1 + 2));
        let response = r#"{"output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"12345678"}]}]}"#;
        assert_eq!(check(response), Some(2));
        let own = r#"{"id":"msg_1","type":"message","content":[{"type":"text","text":"12345678"},{"type":"tool_use","id":"t","input":{"a":"1234"}}],"stop_reason":"end_turn"}"#;
        assert_eq!(check(own), Some(3));
        assert_eq!(check(r#"{"error":{"message":"a long text"}}"#), None);
        assert_eq!(check(r#"{"error":null,"choices":[{"text":"1234"}]}"#), Some(1));
        assert_eq!(check(r#"{"choices":[{"message":{"content":"1234"#), Some(10), "unreadable, and text all the same");
        assert_eq!(check(&format!(r#"{{"choices":{}{}}}"#, "[".repeat(300), "]".repeat(300))), Some(153));
        assert_eq!(check(""), None);
        assert_eq!(said(br#"{"status":"queued","error":null,"output":[],"usage":null}"#), Said::Later);
    }
}
