//! What a provider says: the JSON of WIRE.md section 6, made from the request alone, so that a test knows it beforehand.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::behaviour::Behaviour;
use super::usage::{Count, Flavour, tokens};
use super::{Served, anthropic, schema};

const CREATED: u64 = 1_730_000_000;

/// A request to chat, completions or responses, as far as an answer depends on it.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) model: String,
    pub(super) stream: bool,
    pub(super) include_usage: bool,
    pub(super) id: String,
    letters: bool,
    choices: usize,
    flavour: Flavour,
    answer: Said,
    prompt_tokens: u64,
    heard: String,
    number: u64,
}

#[derive(Debug)]
pub(super) enum Said {
    Text(String),
    Tools(Vec<(String, String)>),
}

impl Asked {
    /// `wanted` is the schema of the answer, where it should be JSON.
    pub(super) fn new(body: &Value, behaviour: &Behaviour, wanted: Option<&Value>, number: u64) -> Self {
        let asked_for_usage = body["stream_options"]["include_usage"] == true;
        let unsaid = matches!(behaviour.flavour, Flavour::None | Flavour::Last);
        Self {
            model: body["model"].as_str().unwrap_or_default().to_owned(),
            stream: body["stream"] == true,
            include_usage: (asked_for_usage || behaviour.usage) && !unsaid,
            id: format!("fake-{number}"),
            letters: behaviour.letters,
            choices: behaviour.choices.unwrap_or(1),
            flavour: behaviour.flavour,
            answer: answer(body, behaviour, wanted),
            prompt_tokens: tokens(&said_to(body)),
            heard: last_heard(body).1,
            number,
        }
    }

    /// A text as it comes in the events of a stream.
    pub(super) fn pieces<'a>(&self, text: &'a str) -> Vec<&'a str> {
        if self.letters { text.split_inclusive(|_: char| true).collect() } else { pieces(text).collect() }
    }

    /// What it says.
    pub(super) fn answer(&self) -> &Said {
        &self.answer
    }

    /// The tokens of the whole answer.
    pub(super) fn count(&self) -> Count {
        let visible = match &self.answer {
            Said::Text(text) => tokens(text),
            Said::Tools(calls) => calls.iter().map(|(_, arguments)| tokens(arguments)).sum(),
        };
        Count::new(self.flavour, self.prompt_tokens, visible)
    }

    /// The record of this answer while nothing of it is on the wire.
    pub(super) fn served(&self, path: &str) -> Served {
        Served {
            number: self.number,
            path: path.to_owned(),
            model: self.model.clone(),
            heard: self.heard.clone(),
            stream: self.stream,
            count: Count::new(self.flavour, self.prompt_tokens, 0),
            complete: false,
            usage_sent: false,
        }
    }

    /// Anthropic's own events end with one of their own.
    pub(super) fn ends_with_done(&self) -> bool {
        self.flavour != Flavour::Anthropic
    }

    fn usage(&self) -> Value {
        self.count().usage(self.flavour)
    }

    /// A whole chat completion.
    pub(super) fn chat(&self) -> Value {
        if self.flavour == Flavour::Anthropic {
            return anthropic::message(self);
        }
        let (message, reason) = match &self.answer {
            Said::Text(text) => (json!({"role": "assistant", "content": text, "refusal": null}), "stop"),
            Said::Tools(calls) => {
                let calls: Vec<Value> = calls.iter().enumerate().map(|(index, call)| tool_call(index, call)).collect();
                (json!({"role": "assistant", "content": null, "refusal": null, "tool_calls": calls}), "tool_calls")
            }
        };
        let mut chat = json!({"id": format!("chatcmpl-{}", self.id), "object": "chat.completion", "created": CREATED,
            "model": self.model, "service_tier": "default", "system_fingerprint": "fp_fake",
            "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": reason}]});
        for index in 1..self.choices {
            let mut choice = chat["choices"][0].clone();
            choice["index"] = json!(index);
            if let Some(text) = choice["message"]["content"].as_str() {
                choice["message"]["content"] = json!(format!("{text} {index}"));
            }
            chat["choices"].as_array_mut().unwrap().push(choice);
        }
        if self.flavour != Flavour::None {
            chat["usage"] = self.usage();
        }
        chat
    }

    /// The same event for each further choice, whose number comes with its end.
    fn of_each_choice(&self, event: Value) -> Vec<Value> {
        let of = |index: usize| {
            let mut event = event.clone();
            event["choices"][0]["index"] = json!(index);
            if index > 0 && !event["choices"][0]["finish_reason"].is_null() && matches!(self.answer, Said::Text(_)) {
                event["choices"][0]["delta"]["content"] = json!(format!(" {index}"));
            }
            event
        };
        (0..self.choices).map(of).collect()
    }

    /// The events of a streamed chat completion, without `[DONE]`.
    pub(super) fn chat_events(&self) -> Vec<Value> {
        if self.flavour == Flavour::Anthropic {
            return anthropic::message_events(self);
        }
        let mut deltas = vec![(json!({"role": "assistant", "content": "", "refusal": null}), None)];
        let reason = match &self.answer {
            Said::Text(text) => {
                deltas.extend(self.pieces(text).into_iter().map(|piece| (json!({"content": piece}), None)));
                "stop"
            }
            Said::Tools(calls) => {
                deltas[0].0["content"] = Value::Null;
                for (index, call) in calls.iter().enumerate() {
                    deltas.extend(tool_deltas(index, call).into_iter().map(|delta| (delta, None)));
                }
                "tool_calls"
            }
        };
        deltas.push((json!({}), Some(reason)));
        let mut events: Vec<Value> =
            deltas.into_iter().flat_map(|(delta, reason)| self.of_each_choice(self.chunk(&delta, reason))).collect();
        match self.flavour {
            Flavour::Every => self.count_in_each(&mut events),
            Flavour::Last => events.last_mut().into_iter().for_each(|last| last["usage"] = self.usage()),
            _ if self.include_usage => {
                let mut last = self.chunk(&Value::Null, None);
                last["choices"] = json!([]);
                last["usage"] = self.usage();
                events.push(last);
            }
            _ => {}
        }
        events
    }

    fn count_in_each(&self, events: &mut [Value]) {
        let mut visible = 0;
        for event in events {
            visible += tokens(event["choices"][0]["delta"]["content"].as_str().unwrap_or_default());
            event["usage"] = Count::new(self.flavour, self.prompt_tokens, visible).usage(self.flavour);
        }
    }

    fn chunk(&self, delta: &Value, reason: Option<&str>) -> Value {
        let mut chunk = json!({"id": format!("chatcmpl-{}", self.id), "object": "chat.completion.chunk", "created": CREATED,
            "model": self.model, "service_tier": "default", "system_fingerprint": "fp_fake",
            "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": reason}]});
        if self.include_usage {
            chunk["usage"] = Value::Null;
        }
        chunk
    }

    /// A whole legacy completion.
    pub(super) fn completion(&self) -> Value {
        json!({"id": format!("cmpl-{}", self.id), "object": "text_completion", "created": CREATED, "model": self.model,
            "choices": [{"index": 0, "text": self.text(), "logprobs": null, "finish_reason": "stop"}],
            "usage": self.usage()})
    }

    /// The events of a streamed legacy completion.
    pub(super) fn completion_events(&self) -> Vec<Value> {
        let event = |text: &str, reason: Option<&str>| {
            json!({"id": format!("cmpl-{}", self.id), "object": "text_completion", "created": CREATED, "model": self.model,
                "choices": [{"index": 0, "text": text, "logprobs": null, "finish_reason": reason}]})
        };
        let text = self.text();
        let mut events: Vec<Value> = self.pieces(&text).into_iter().map(|piece| event(piece, None)).collect();
        events.push(event("", Some("stop")));
        if self.include_usage {
            let mut last = event("", None);
            last["choices"] = json!([]);
            last["usage"] = self.usage();
            events.push(last);
        }
        events
    }

    /// A whole answer of the Responses API.
    pub(super) fn response(&self, status: &str) -> Value {
        let done = status == "completed";
        let message = json!({"type": "message", "id": "msg_fake", "status": status, "role": "assistant",
            "content": [{"type": "output_text", "text": self.text(), "annotations": []}]});
        json!({"id": format!("resp_{}", self.id), "object": "response", "created_at": CREATED, "status": status,
            "error": null, "model": self.model, "output": if done { json!([message]) } else { json!([]) },
            "usage": if done { self.count().of_response() } else { Value::Null }})
    }

    /// The events of a streamed answer of the Responses API; each names its type.
    pub(super) fn response_events(&self) -> Vec<Value> {
        let text = self.text();
        let mut events = vec![json!({"type": "response.created", "response": self.response("in_progress")})];
        events.extend(self.pieces(&text).into_iter().map(|piece| {
            json!({"type": "response.output_text.delta", "item_id": "msg_fake", "output_index": 0,
                "content_index": 0, "delta": piece})
        }));
        events.push(json!({"type": "response.completed", "response": self.response("completed")}));
        for (number, event) in events.iter_mut().enumerate() {
            event["sequence_number"] = json!(number);
        }
        events
    }

    pub(super) fn text(&self) -> String {
        match &self.answer {
            Said::Text(text) => text.clone(),
            Said::Tools(calls) => calls.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(" "),
        }
    }
}

fn answer(body: &Value, behaviour: &Behaviour, wanted: Option<&Value>) -> Said {
    let tools = body["tools"].as_array().filter(|tools| behaviour.tools && !tools.is_empty());
    if let Some(tools) = tools {
        let heard = last_heard(body).1;
        let name = |tool: &Value| {
            let name = tool["function"]["name"].as_str().or(tool["name"].as_str());
            name.unwrap_or("unnamed").to_owned()
        };
        return Said::Tools(tools.iter().map(|tool| (name(tool), json!({"heard": heard}).to_string())).collect());
    }
    if let Some(schema) = wanted {
        return Said::Text(schema::value(schema, &last_heard(body).1).to_string());
    }
    if let Some(text) = &behaviour.says {
        return Said::Text(text.clone());
    }
    match (behaviour.words, last_heard(body)) {
        (Some(count), _) => {
            let word =
                |number: usize| if behaviour.even { format!("{:03}", number % 1000) } else { format!("w{number}") };
            Said::Text((0..count).map(word).collect::<Vec<_>>().join(" "))
        }
        (None, (true, text)) => Said::Text(format!("The tool said: {text}")),
        (None, (false, text)) => Said::Text(format!("You said: {text}")),
    }
}

/// The last thing that the user, or a tool (`true`), said.
fn last_heard(body: &Value) -> (bool, String) {
    let turns = body["messages"].as_array().or_else(|| body["input"].as_array());
    if let Some(turns) = turns {
        let heard = turns.iter().rev().find(|turn| matches!(turn["role"].as_str(), Some("user" | "tool")));
        return heard.map_or_else(Default::default, |turn| {
            // Anthropic's API has the results of tools among the user's parts.
            let result =
                turn["content"].as_array().and_then(|it| it.iter().rev().find(|it| it["type"] == "tool_result"));
            match result {
                Some(result) => (true, content(&result["content"])),
                None => (turn["role"] == "tool", content(&turn["content"])),
            }
        });
    }
    let alone = if body["input"].is_string() { &body["input"] } else { &body["prompt"] };
    (false, content(alone))
}

/// Everything that was said in the request, for counting.
fn said_to(body: &Value) -> String {
    let turns = body["messages"].as_array().or_else(|| body["input"].as_array());
    turns.map_or_else(
        || last_heard(body).1,
        |turns| turns.iter().map(|turn| content(&turn["content"])).collect::<Vec<_>>().join(" "),
    )
}

fn content(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let text = |part: &Value| part["text"].as_str().or(part.as_str()).map(str::to_owned);
            parts.iter().filter_map(text).collect::<Vec<_>>().join(" ")
        }
        _ => String::new(),
    }
}

/// A word each.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(' ')
}

fn tool_call(index: usize, (name, arguments): &(String, String)) -> Value {
    json!({"id": format!("call_{index}"), "type": "function", "function": {"name": name, "arguments": arguments}})
}

/// A call in a stream: its name first, then the arguments in two pieces, told apart by `index` alone.
fn tool_deltas(index: usize, (name, arguments): &(String, String)) -> Vec<Value> {
    let (left, right) = halves(arguments);
    let piece = |text: &str| json!({"tool_calls": [{"index": index, "function": {"arguments": text}}]});
    vec![
        json!({"tool_calls": [{"index": index, "id": format!("call_{index}"), "type": "function",
            "function": {"name": name, "arguments": ""}}]}),
        piece(left),
        piece(right),
    ]
}

/// Two pieces of a text, about as long.
pub(super) fn halves(text: &str) -> (&str, &str) {
    let mut half = text.len() / 2;
    while !text.is_char_boundary(half) {
        half += 1;
    }
    text.split_at(half)
}

/// Embeddings of four numbers each, as base64 if asked so.
pub(super) fn embeddings(body: &Value) -> Value {
    let inputs: Vec<Value> = match &body["input"] {
        Value::Array(many) => many.clone(),
        one => vec![one.clone()],
    };
    let data: Vec<Value> = inputs.iter().enumerate().map(|(index, input)| embedding(index, input, body)).collect();
    let count: u64 = inputs.iter().map(|input| tokens(&content(input))).sum();
    json!({"object": "list", "data": data, "model": body["model"], "usage": {"prompt_tokens": count, "total_tokens": count}})
}

fn embedding(index: usize, input: &Value, body: &Value) -> Value {
    let length = content(input).len() as f32;
    let numbers = [length, index as f32, 0.5, -0.25];
    let vector = if body["encoding_format"] == "base64" {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        json!(STANDARD.encode(bytes))
    } else {
        json!(numbers)
    };
    json!({"object": "embedding", "index": index, "embedding": vector})
}

/// The list of models.
pub(super) fn models() -> Value {
    let model = |id: &str| json!({"id": id, "object": "model", "created": CREATED, "owned_by": "fake"});
    let ids = ["gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5", "gemini-2.5-flash", "mistral-small-latest"];
    json!({"object": "list", "data": ids.map(model)})
}

/// The provider's error object for a status.
pub(super) fn error(status: u16) -> Value {
    let (kind, code) = match status {
        400 | 404 | 413 | 422 => ("invalid_request_error", "fake_refusal"),
        401 | 403 => ("invalid_request_error", "invalid_api_key"),
        402 => ("insufficient_quota", "insufficient_quota"),
        429 => ("requests", "rate_limit_exceeded"),
        _ => ("server_error", "fake_failure"),
    };
    json!({"error": {"message": format!("The fake provider was told to answer {status}."), "type": kind, "param": null,
        "code": code}})
}
