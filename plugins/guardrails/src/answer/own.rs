//! Events of our own, in the words of the stream that they stand in: what was held and has no event to go out with, and
//! the end of an answer that was ended.

use super::json::quoted;
use super::shape::{Channel, Field, Seen, Thoughts};
use domain::chat::Endpoint;

/// How many choices are followed one by one; no API allows more.
const MOST_CHOICES: usize = 128;
/// The longest member of an event that is said again, in bytes.
const LONGEST_MEMBER: usize = 512;
/// What the events of one stream have in common.
const SHARED: [&str; 6] = ["id", "object", "created", "created_at", "model", "system_fingerprint"];

/// What is known of a stream, as far as its own words are concerned.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// The members that all events share, each with a comma behind it.
    shared: String,
    choices: Vec<(u64, bool)>,
    /// The block of Anthropic's own API that is open.
    block: Option<u64>,
    /// The last number of an event of the Responses API, and how many events are ours.
    sequence: u64,
    added: u64,
    /// The last count of tokens that Anthropic's own API told.
    tokens: u64,
}

impl Stream {
    /// An event has come.
    pub(super) fn see(&mut self, seen: &Seen<'_>) {
        if self.shared.is_empty() {
            let response = seen.member("response").map(super::json::members);
            let all = response.as_ref().unwrap_or(&seen.top);
            for (name, value) in
                all.iter().filter(|(name, value)| SHARED.contains(&name.as_ref()) && value.len() <= LONGEST_MEMBER)
            {
                self.shared += &format!("{}:{value},", quoted(name));
            }
        }
        for (of, _) in &seen.choices {
            if self.choices.len() < MOST_CHOICES && self.choices.iter().all(|(it, _)| it != of) {
                self.choices.push((*of, false));
            }
        }
        match seen.text("type").as_deref() {
            Some("content_block_start") => self.block = seen.member("index").and_then(|it| it.parse().ok()),
            Some("content_block_stop") => self.block = None,
            _ => {}
        }
        if let Some(number) = seen.member("sequence_number").and_then(|it| it.parse().ok()) {
            self.sequence = number;
        }
        let usage = seen.member("message").map(super::json::members).unwrap_or_default();
        let usage = super::shape::member(&usage, "usage").or(seen.member("usage")).map(super::json::members);
        let tokens = usage.and_then(|it| super::shape::member(&it, "output_tokens")?.parse().ok());
        self.tokens = tokens.unwrap_or(self.tokens);
    }

    /// The event goes out, so the choices that it ends have their end.
    pub(super) fn passed(&mut self, seen: &Seen<'_>) {
        for (of, done) in &mut self.choices {
            *done |= match &seen.over {
                super::shape::Over::Of(all) => all.contains(of),
                super::shape::Over::All => true,
                super::shape::Over::Nothing => false,
            };
        }
    }

    /// The number of an event of the Responses API behind ours; `None` if it has none, or keeps it.
    pub(super) fn renumbered(&self, seen: &Seen<'_>) -> Option<u64> {
        let number: u64 = seen.member("sequence_number")?.parse().ok()?;
        (self.added > 0).then(|| number.saturating_add(self.added))
    }

    /// What the events of a text of the Responses API say besides it.
    pub(super) fn envelope(seen: &Seen<'_>) -> String {
        let kept = ["type", "item_id", "output_index", "content_index", "summary_index"];
        let kept =
            seen.top.iter().filter(|(name, value)| kept.contains(&name.as_ref()) && value.len() <= LONGEST_MEMBER);
        kept.map(|(name, value)| format!("{}:{value},", quoted(name))).collect()
    }

    /// An event with a piece of a text. In the Responses API it is `before` the event that came last, and takes its
    /// number.
    pub(super) fn piece(
        &mut self,
        endpoint: Endpoint,
        channel: Channel,
        envelope: &str,
        text: &str,
        before: bool,
    ) -> String {
        let text = quoted(text);
        let of = channel.of;
        match endpoint {
            Endpoint::Responses => {
                let number = self.sequence.saturating_add(self.added).saturating_add(u64::from(!before));
                self.added = self.added.saturating_add(1);
                let kind = super::json::members(&format!("{{{envelope}\"_\":0}}"))
                    .into_iter()
                    .find(|(name, _)| name == "type")
                    .and_then(|(_, value)| super::json::string(value).map(std::borrow::Cow::into_owned))
                    .unwrap_or_default();
                format!(
                    "event: {kind}\ndata: {{{envelope}\"sequence_number\":{number},\"delta\":{text},\"logprobs\":[]}}\n\n"
                )
            }
            Endpoint::Messages => {
                let delta = match channel.field {
                    Field::Arguments => format!(r#"{{"type":"input_json_delta","partial_json":{text}}}"#),
                    _ => format!(r#"{{"type":"text_delta","text":{text}}}"#),
                };
                let data = format!(r#"{{"type":"content_block_delta","index":{of},"delta":{delta}}}"#);
                format!("event: content_block_delta\ndata: {data}\n\n")
            }
            _ => {
                let body = match channel.field {
                    Field::Text => format!("\"text\":{text}"),
                    field => format!("\"delta\":{{{}}}", delta(field, channel.nth, &text)),
                };
                self.chunk(&format!("{{\"index\":{of},{body},\"logprobs\":null,\"finish_reason\":null}}"), "")
            }
        }
    }

    /// The end of an answer that was ended: of chat completions without `[DONE]`, for a usage may come before it.
    pub(super) fn end(&mut self, endpoint: Endpoint) -> String {
        match endpoint {
            Endpoint::Responses => {
                let number = self.sequence.saturating_add(self.added).saturating_add(1);
                // `shared` ends with its comma.
                let members = format!(
                    "{}\"status\":\"incomplete\",\"incomplete_details\":{{\"reason\":\"content_filter\"}},\"error\":null,\
                     \"instructions\":null,\"metadata\":{{}},\"output\":[],\"parallel_tool_calls\":true,\"tool_choice\":\"auto\",\
                     \"tools\":[],\"temperature\":null,\"top_p\":null,\"usage\":null",
                    self.shared
                );
                let kind = "response.incomplete";
                format!(
                    "event: {kind}\ndata: {{\"type\":\"{kind}\",\"sequence_number\":{number},\"response\":{{{members}}}}}\n\n"
                )
            }
            Endpoint::Messages => self.refused(),
            _ => {
                let open: Vec<u64> = match self.choices.as_slice() {
                    [] => vec![0],
                    all => all.iter().filter(|(_, done)| !done).map(|(of, _)| *of).collect(),
                };
                let body = if endpoint == Endpoint::Completions { "\"text\":\"\"" } else { "\"delta\":{}" };
                let choice = |of: &u64| {
                    format!("{{\"index\":{of},{body},\"logprobs\":null,\"finish_reason\":\"content_filter\"}}")
                };
                open.iter().map(|of| self.chunk(&choice(of), "")).collect()
            }
        }
    }

    /// An event of chat completions with the usage alone.
    pub(super) fn usage(&self, usage: &str) -> String {
        self.chunk("", &format!(",\"usage\":{usage}"))
    }

    fn chunk(&self, choices: &str, rest: &str) -> String {
        format!("data: {{{}\"choices\":[{choices}]{rest}}}\n\n", self.shared)
    }

    /// How Anthropic's own API ends what its classifiers ended.
    fn refused(&self) -> String {
        let event = |kind: &str, rest: &str| format!("event: {kind}\ndata: {{\"type\":\"{kind}\"{rest}}}\n\n");
        let open = self.block.map(|of| event("content_block_stop", &format!(",\"index\":{of}"))).unwrap_or_default();
        let delta = r#","delta":{"stop_reason":"refusal","stop_sequence":null}"#;
        let usage = format!(",\"usage\":{{\"output_tokens\":{}}}", self.tokens);
        open + &event("message_delta", &(delta.to_owned() + &usage)) + &event("message_stop", "")
    }
}

/// The members of a chat completion's delta that hold this text, which is a JSON string.
fn delta(field: Field, nth: u64, text: &str) -> String {
    match field {
        Field::Content | Field::Text => format!("\"content\":{text}"),
        Field::Refusal => format!("\"refusal\":{text}"),
        Field::Reasoning(Thoughts::Summary) => {
            format!(r#""content":[{{"type":"thinking","thinking":[{{"type":"text","text":{text}}}]}}]"#)
        }
        Field::Reasoning(it) => format!("\"{}\":{text}", it.name()),
        Field::Transcript => format!("\"audio\":{{\"transcript\":{text}}}"),
        Field::Arguments => format!(r#""tool_calls":[{{"index":{nth},"function":{{"arguments":{text}}}}}]"#),
        Field::Input => format!(r#""tool_calls":[{{"index":{nth},"custom":{{"input":{text}}}}}]"#),
        Field::OnlyArguments => format!(r#""function_call":{{"arguments":{text}}}"#),
    }
}
