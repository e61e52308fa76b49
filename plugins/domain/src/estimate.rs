//! How large a request is likely to be, before anybody knows: what a budget reserves and a client is told.
//!
//! Nothing here is billed; the provider's own count is. The gateway has no tokenizer, for each model has its own: four
//! ASCII characters count as one token, and so does each other character, which is a little more than what common
//! models make of English, code or Chinese. A picture or a sound counts as [`MEDIA_TOKENS`], however many bytes it has.

mod count;

use crate::chat::{Body, Endpoint};
use serde_json::value::RawValue;
use std::fmt::Write;

pub(crate) use count::{Counter, Role, Run};
pub use count::{json_tokens, text_tokens};

/// What a picture, a sound or a file that stands in the body counts: what a common model makes of a picture of 1024 by
/// 1024 points.
pub const MEDIA_TOKENS: u64 = 1_000;

/// The members of a body that become tokens, besides its messages. (A `model`'s name or `metadata` do not.)
pub(crate) const READ: [&str; 7] =
    ["prompt", "instructions", "system", "suffix", "functions", "response_format", "text"];

/// How large a request and its answer may be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Estimate {
    /// The tokens of the request.
    pub input: u64,
    /// The most tokens of the answer that the client allows, all choices together; `None` when it does not say.
    pub output: Option<u64>,
    /// How many answers it asks for, each of which may be as long as the model's longest; 0 is one.
    pub choices: u64,
    /// Whether the client asked for a stream.
    pub stream: bool,
    /// Whether the client asked for usage in the stream.
    pub usage: bool,
    /// The canonical names of the models that may serve it, the likeliest first; empty when nobody knows.
    pub models: Vec<String>,
}

/// What a request holds besides text, which not every model takes. It is found as the tokens are counted, so that nobody
/// reads a long body once more for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// A picture in a message or an input.
    pub image: bool,
    /// A sound in one.
    pub audio: bool,
    /// A tool that the client runs itself.
    pub tool: bool,
}

impl Estimate {
    /// Estimates a request; who knows the candidates adds the models.
    #[must_use]
    pub fn of(body: &Body<'_>, endpoint: Endpoint) -> Self {
        Self::read(body, endpoint).0
    }

    /// The same, and what else is in the request.
    #[must_use]
    pub fn read(body: &Body<'_>, endpoint: Endpoint) -> (Self, Seen) {
        let Counter { input, seen, .. } = body.counted().copied().unwrap_or_else(|| counted(body));
        let options = body.member("stream_options").and_then(|it| serde_json::from_str::<Options>(it).ok());
        let estimate = Self {
            input,
            output: output(body, endpoint),
            choices: choices(body, endpoint),
            stream: body.stream(),
            usage: options.is_some_and(|it| it.include_usage == Some(true)),
            models: Vec::new(),
        };
        (estimate, seen)
    }

    /// The estimate as a header's value.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = format!("input={}", self.input);
        if let Some(output) = self.output {
            // Writing to a string does not fail.
            let _ = write!(text, " output={output}");
        }
        if self.choices > 1 {
            let _ = write!(text, " choices={}", self.choices);
        }
        for (set, word) in [(self.stream, " stream"), (self.usage, " usage")] {
            if set {
                text.push_str(word);
            }
        }
        for model in &self.models {
            text.push_str(" model=");
            text.push_str(model);
        }
        text
    }

    /// Reads what [`Estimate::encode`] wrote.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let input = words.next()?.strip_prefix("input=")?.parse().ok()?;
        let mut estimate = Self { input, ..Self::default() };
        for word in words {
            match word.split_once('=') {
                None if word == "stream" => estimate.stream = true,
                None if word == "usage" => estimate.usage = true,
                Some(("output", count)) => estimate.output = Some(count.parse().ok()?),
                Some(("choices", count)) => estimate.choices = count.parse().ok()?,
                Some(("model", name)) if !name.is_empty() => estimate.models.push(name.to_owned()),
                _ => return None,
            }
        }
        Some(estimate)
    }
}

/// What a body counts that was not counted as it was read.
pub(crate) fn counted(body: &Body<'_>) -> Counter {
    let mut all = Counter::default();
    body.raw_messages().chain(body.member("input")).for_each(|it| all.json(Role::Content, it));
    READ.iter().filter_map(|name| body.member(name)).for_each(|it| all.json(Role::Text, it));
    body.member("tools").into_iter().for_each(|it| all.json(Role::Tools, it));
    all
}

#[derive(serde::Deserialize)]
struct Options {
    #[serde(default)]
    include_usage: Option<bool>,
}

/// The most tokens that the client allows for the answer. Of two members that say it the larger one holds, for some providers
/// read this one and some that one; 0 and less, which some take for "as many as you like", say nothing.
fn output(body: &Body<'_>, endpoint: Endpoint) -> Option<u64> {
    let most = |names: &[&str]| names.iter().filter_map(|name| number(body.member(name)?)).max().filter(|it| *it > 0);
    let each = match endpoint {
        Endpoint::Embeddings => return Some(0),
        Endpoint::Responses => most(&["max_output_tokens"])?,
        Endpoint::ChatCompletions => most(&["max_completion_tokens", "max_tokens"])?,
        Endpoint::Completions | Endpoint::Messages => most(&["max_tokens"])?,
    };
    Some(each.saturating_mul(choices(body, endpoint).max(1)))
}

/// How many answers are asked for; 0, which stands for one, where nothing says so.
fn choices(body: &Body<'_>, endpoint: Endpoint) -> u64 {
    let most = |names: &[&str]| names.iter().filter_map(|name| number(body.member(name)?)).max().unwrap_or_default();
    match endpoint {
        Endpoint::ChatCompletions => most(&["n"]),
        Endpoint::Completions => {
            let prompts = body.member("prompt").map_or(1, prompts);
            let each = most(&["n", "best_of"]).max(1);
            Some(each.saturating_mul(prompts)).filter(|it| *it > 1).unwrap_or_default()
        }
        Endpoint::Embeddings | Endpoint::Responses | Endpoint::Messages => 0,
    }
}

/// How many prompts stand in a legacy one, each of which gets answers of its own: a list of texts or of lists of tokens. One
/// list of tokens is one prompt.
fn prompts(raw: &str) -> u64 {
    let all: Vec<&RawValue> = serde_json::from_str(raw).unwrap_or_default();
    let many = all.iter().filter(|it| it.get().starts_with(['"', '['])).count();
    u64::try_from(many).unwrap_or(u64::MAX).max(1)
}

/// A whole number as lenient servers read it: `9.0`, `9e0` and `"9"` are 9 to them.
fn number(raw: &str) -> Option<u64> {
    let text = raw.trim_matches('"').trim();
    text.parse().ok().or_else(|| whole(text.parse().ok()?))
}

/// The whole number that is not below this one.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::as_conversions,
    reason = "it saturates, and is not negative"
)]
fn whole(number: f64) -> Option<u64> {
    (number.is_finite() && number > 0.0).then(|| number.ceil() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(endpoint: Endpoint, body: &str) -> String {
        Estimate::of(&Body::parse(body.as_bytes()).unwrap(), endpoint).encode()
    }

    #[test]
    fn what_the_client_allows_is_read_from_each_endpoints_own_members() {
        use Endpoint::{ChatCompletions, Completions, Embeddings, Responses};
        for (endpoint, body, expected) in [
            (ChatCompletions, r#"{"max_tokens":9}"#, "input=0 output=9"),
            (ChatCompletions, r#"{"max_tokens":9,"max_completion_tokens":5,"n":3}"#, "input=0 output=27 choices=3"),
            (ChatCompletions, r#"{"max_tokens":-1,"n":0}"#, "input=0"),
            (ChatCompletions, r#"{"max_tokens":0,"max_completion_tokens":null}"#, "input=0"),
            (ChatCompletions, r#"{"n":128}"#, "input=0 choices=128"),
            (ChatCompletions, r#"{"max_tokens":9,"n":1e3}"#, "input=0 output=9000 choices=1000"),
            (ChatCompletions, r#"{"max_tokens":"9","n":"2"}"#, "input=0 output=18 choices=2"),
            (ChatCompletions, r#"{"max_tokens":8.5,"n":2.0}"#, "input=0 output=18 choices=2"),
            (ChatCompletions, r#"{"max_tokens":1e99,"n":"two"}"#, "input=0 output=18446744073709551615"),
            (
                ChatCompletions,
                r#"{"max_tokens":18446744073709551615,"n":2}"#,
                "input=0 output=18446744073709551615 choices=2",
            ),
            (Completions, r#"{"max_tokens":9,"n":2,"best_of":4,"prompt":"four"}"#, "input=1 output=36 choices=4"),
            (Completions, r#"{"max_tokens":9,"prompt":["four",[1,2],"four"]}"#, "input=4 output=27 choices=3"),
            (Completions, r#"{"max_tokens":9,"prompt":[1,2,3]}"#, "input=3 output=9"),
            (Responses, r#"{"max_output_tokens":9,"max_tokens":1,"instructions":"12345"}"#, "input=2 output=9"),
            (Embeddings, r#"{"input":[[1, 22,333],"four"]}"#, "input=4 output=0"),
            (ChatCompletions, r#"{"stream":true}"#, "input=0 stream"),
            (
                ChatCompletions,
                r#"{"stream":true,"stream_options":{"include_usage":true,"x":1}}"#,
                "input=0 stream usage",
            ),
            (ChatCompletions, r#"{"stream":true,"stream_options":{"include_usage":null}}"#, "input=0 stream"),
            (ChatCompletions, r#"{"stream":true,"stream_options":7}"#, "input=0 stream"),
        ] {
            assert_eq!(check(endpoint, body), expected, "{body}");
        }
    }

    #[test]
    fn texts_count_and_pictures_do_not_count_by_their_bytes() {
        let of = |content: &str| json_tokens(&format!(r#"[{{"role":"user","content":{content}}}]"#)) - 4;
        assert_eq!(of(r#""""#), 0);
        assert_eq!(of(r#""12345678""#), 2);
        assert_eq!(of(r#""日本語é""#), 4);
        assert_eq!(of(r#""a \"quoted\" word\\""#), 5);
        let picture = format!(r#"{{"url":"data:image/png;base64,{}"}}"#, "QUJD".repeat(50_000));
        assert_eq!(of(&picture), 1 + MEDIA_TOKENS);
        let sound = format!(r#"{{"data":"{}"}}"#, "QUJD".repeat(50_000));
        assert_eq!(of(&sound), 1 + MEDIA_TOKENS);
        let long = format!("\"{}\"", "four ".repeat(1_000));
        assert_eq!(of(&long), 1_250);
        let disguised = format!("\"data:text/plain;base64,{}\"", "word".repeat(5_000));
        assert!(of(&disguised) > 5_000, "what stands where text does is read as text");
        assert_eq!(of(&format!(r#"[{{"type":"text","text":"{}"}}]"#, "word".repeat(5_000))), 3 + 5_000);
    }

    #[test]
    fn what_is_no_text_is_seen_where_it_counts() {
        let check = |body: &str| {
            let Seen { image, audio, tool } =
                Estimate::read(&Body::parse(body.as_bytes()).unwrap(), Endpoint::Responses).1;
            [(image, "image"), (audio, "audio"), (tool, "tool")]
                .into_iter()
                .filter(|(is, _)| *is)
                .map(|(_, it)| it)
                .collect::<Vec<_>>()
        };
        let said = |content: &str| format!(r#"{{"messages":[{{"role":"user","content":{content}}}]}}"#);
        let none: [&str; 0] = [];
        assert_eq!(check(&said(r#"[{"type" : "image_url","image_url":{"url":"http://x"}}]"#)), ["image"]);
        assert_eq!(check(&said(r#"[{"input_audio":{"data":""},"type":"input_audio"}]"#)), ["audio"]);
        assert_eq!(check(&said(r#""image_url""#)), none);
        assert_eq!(check(&said(r#""{\"type\":\"image_url\"}""#)), none, "a text about pictures is a text");
        assert_eq!(check(&said(r#"[{"type":"text","text":"input_audio"}]"#)), none);
        assert_eq!(check(r#"{"input":[{"role":"user","content":[{"type":"input_image"}]}]}"#), ["image"]);
        assert_eq!(check(r#"{"tools":[{"type":"function","function":{"parameters":{"type":"object"}}}]}"#), ["tool"]);
        assert_eq!(check(r#"{"tools":[{"type":"web_search"}],"input":"function"}"#), none);
        assert_eq!(check(r#"{"tools":[{"type":"image_url"}],"metadata":{"type":"input_audio"}}"#), none);
        assert_eq!(check(r#"{"tools":[],"messages":[{"tool_calls":[{"type":"function"}]}]}"#), none);
    }

    #[test]
    fn an_estimate_travels_in_a_header() {
        let whole = Estimate {
            input: 12,
            output: Some(7),
            choices: 2,
            stream: true,
            usage: true,
            models: vec!["openai/gpt-4o".into(), "anthropic/claude-sonnet-4-5".into()],
        };
        assert_eq!(
            whole.encode(),
            "input=12 output=7 choices=2 stream usage model=openai/gpt-4o model=anthropic/claude-sonnet-4-5"
        );
        assert_eq!(Estimate::decode(&whole.encode()), Some(whole));
        for wrong in
            ["", "12", "input=", "input=-1", "input=1 model=", "input=1  stream", "input=1 streams", "input=1 output=x"]
        {
            assert_eq!(Estimate::decode(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_counted(text in ".*", extra in any::<u64>()) {
            let json = serde_json::to_string(&text).unwrap();
            let body = format!(r#"{{"messages":[{{"content":{json}}}],"max_tokens":{extra}}}"#);
            let estimate = Estimate::of(&Body::parse(body.as_bytes()).unwrap(), Endpoint::ChatCompletions);
            prop_assert!(estimate.input >= text.chars().count() as u64 / 4);
            prop_assert_eq!(Estimate::decode(&estimate.encode()), Some(estimate));
            let _ = json_tokens(&text);
        }
    }
}
