//! How each provider differs from OpenAI (WIRE.md 5.2), by the name that its base path begins with: `/mistral/v1/…` is
//! answered as Mistral would. Any other name is a provider like OpenAI that takes whatever it is sent.
//!
//! The fake is stricter than the providers: what one of them may or may not refuse, it refuses, so that a test sees whether
//! the gateway took it away.

use serde_json::{Value, json};

use super::answers;
use super::behaviour::Behaviour;
use super::usage::Flavour;

/// One provider's.
#[derive(Debug)]
pub(super) struct Manner {
    name: &'static str,
    errors: Shape,
    /// Members of a chat completion that it does not take.
    refuses: &'static [&'static str],
    /// With which status it says so.
    refusal: u16,
    /// It gives one choice only.
    one_choice: bool,
    /// In what shape a stream's usage comes, and whether unasked.
    usage: (Flavour, bool),
    embeddings: bool,
    /// It knows `response_format`.
    structured: bool,
    stream: Stream,
}

/// What its errors look like.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// The four keys.
    OpenAi,
    /// Two of them.
    Azure,
    Anthropic,
    /// In an array.
    Google,
    /// FastAPI's list of faults, where a member is refused.
    Mistral,
    /// A message alone.
    Cohere,
    /// With a number for a code.
    OpenRouter,
    /// A text where others have an object.
    Xai,
    /// Not inside an `error`.
    Vllm,
    /// FastAPI's.
    Detail,
}

/// What its streams have that others have not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stream {
    Plain,
    /// The first chunk has no choice.
    Filtered,
    /// A tool's call comes as one piece, without an index.
    NoIndex,
    /// Comments before the first event.
    Comments,
}

const PLAIN: Manner = Manner {
    name: "",
    errors: Shape::OpenAi,
    refuses: &[],
    refusal: 400,
    one_choice: false,
    usage: (Flavour::OpenAi, false),
    embeddings: true,
    structured: true,
    stream: Stream::Plain,
};

const NEW_NAME: &[&str] = &["max_completion_tokens"];

const MANNERS: [Manner; 15] = [
    Manner { name: "openai", ..PLAIN },
    Manner { name: "azure", errors: Shape::Azure, stream: Stream::Filtered, ..PLAIN },
    Manner {
        name: "anthropic",
        errors: Shape::Anthropic,
        one_choice: true,
        embeddings: false,
        structured: false,
        ..PLAIN
    },
    Manner { name: "google", errors: Shape::Google, stream: Stream::NoIndex, ..PLAIN },
    Manner {
        name: "mistral",
        errors: Shape::Mistral,
        refuses: &[
            "max_completion_tokens",
            "seed",
            "user",
            "safety_identifier",
            "store",
            "stream_options",
            "logprobs",
            "top_logprobs",
            "logit_bias",
            "service_tier",
            "modalities",
            "audio",
            "prompt_cache_key",
            "verbosity",
            "web_search_options",
        ],
        refusal: 422,
        usage: (Flavour::Last, false),
        ..PLAIN
    },
    Manner { name: "cohere", errors: Shape::Cohere, refuses: NEW_NAME, refusal: 422, ..PLAIN },
    Manner {
        name: "openrouter",
        errors: Shape::OpenRouter,
        usage: (Flavour::OpenAi, true),
        stream: Stream::Comments,
        ..PLAIN
    },
    Manner {
        name: "groq",
        refuses: &["logprobs", "top_logprobs", "logit_bias"],
        one_choice: true,
        embeddings: false,
        ..PLAIN
    },
    Manner { name: "xai", errors: Shape::Xai, usage: (Flavour::Xai, false), embeddings: false, ..PLAIN },
    Manner { name: "deepseek", refuses: NEW_NAME, embeddings: false, ..PLAIN },
    Manner { name: "together", refuses: NEW_NAME, ..PLAIN },
    Manner { name: "fireworks", refuses: &["seed"], usage: (Flavour::Last, false), ..PLAIN },
    Manner { name: "ollama", refuses: &["max_completion_tokens", "logit_bias", "user", "n"], ..PLAIN },
    Manner { name: "vllm", errors: Shape::Vllm, ..PLAIN },
    Manner {
        name: "custom",
        errors: Shape::Detail,
        refuses: &["max_completion_tokens", "stream_options"],
        usage: (Flavour::None, false),
        ..PLAIN
    },
];

impl Manner {
    /// Of the provider that the path begins with; what an operator adds to the name (`openai-eu`) does not count.
    pub(super) fn of(path: &str) -> &'static Self {
        let name = path.trim_start_matches('/').split(['/', '-', '.']).next().unwrap_or_default();
        MANNERS.iter().find(|it| it.name == name).unwrap_or(&PLAIN)
    }

    /// The behaviour that was asked for, with this provider's ways where nothing was said about them.
    pub(super) fn over(&self, mut behaviour: Behaviour) -> Behaviour {
        if behaviour.flavour == Flavour::OpenAi {
            behaviour.flavour = self.usage.0;
            behaviour.usage |= self.usage.1;
        }
        behaviour
    }

    /// Why it does not take a request: the status and the error.
    pub(super) fn refusal(&self, path: &str, body: &Value) -> Option<(u16, Value)> {
        if path.ends_with("/embeddings") && !self.embeddings {
            return Some((404, self.error(404)));
        }
        if !path.ends_with("/chat/completions") {
            return None;
        }
        let model = body["model"].as_str().unwrap_or_default();
        let thinks = matches!(self.name, "openai" | "azure") && (model.starts_with("gpt-5") || model.starts_with('o'));
        let old_name = (thinks && !body["max_tokens"].is_null()).then_some("max_tokens");
        let several = (self.one_choice && body["n"].as_f64().is_some_and(|it| it != 1.0)).then_some("n");
        let member = self.refuses.iter().find(|it| body.get(**it).is_some()).copied().or(several).or(old_name)?;
        Some((self.refusal, self.refused(member)))
    }

    fn refused(&self, member: &str) -> Value {
        let message = format!("The fake provider takes no {member}.");
        match self.errors {
            Shape::Mistral => {
                let fault = json!({"type": "extra_forbidden", "loc": ["body", member], "msg": message, "input": null});
                json!({"object": "error", "message": {"detail": [fault]}, "type": "invalid_request_error",
                    "param": null, "code": null})
            }
            _ => {
                let mut own = answers::error(self.refusal)["error"].take();
                (own["message"], own["param"], own["code"]) =
                    (json!(message), json!(member), json!("unsupported_parameter"));
                self.shaped(self.refusal, own)
            }
        }
    }

    /// Its error object for a status.
    pub(super) fn error(&self, status: u16) -> Value {
        self.shaped(status, answers::error(status)["error"].take())
    }

    /// OpenAI's error as this provider would put it.
    fn shaped(&self, status: u16, own: Value) -> Value {
        let (message, kind, code) = (&own["message"], &own["type"], &own["code"]);
        match self.errors {
            Shape::OpenAi => json!({"error": own}),
            Shape::Azure => json!({"error": {"code": code, "message": message}}),
            Shape::Anthropic => json!({"type": "error", "error": {"type": kind, "message": message}}),
            Shape::Google => json!([{"error": {"code": status, "message": message, "status": "FAKE_REFUSAL"}}]),
            Shape::Mistral => {
                json!({"object": "error", "message": message, "type": kind, "param": null, "code": "3000"})
            }
            Shape::Cohere => json!({"id": "fake", "message": message}),
            Shape::OpenRouter => {
                json!({"error": {"code": status, "message": message, "metadata": {"provider_name": "Fake"}}})
            }
            Shape::Xai => json!({"code": code, "error": message}),
            Shape::Vllm => json!({"object": "error", "message": message, "type": kind, "param": null, "code": status}),
            Shape::Detail => json!({"detail": message}),
        }
    }

    /// The error inside a stream.
    pub(super) fn error_event(&self) -> Value {
        match self.errors {
            Shape::OpenRouter => {
                let mut event = self.error(502);
                event["choices"] = json!([{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}]);
                event
            }
            Shape::Vllm => json!({"error": self.error(500)}),
            _ => answers::error(500),
        }
    }

    /// What the schema of a request's `response_format` asks for; `None` where there is none, or nobody looks.
    pub(super) fn schema<'a>(&self, body: &'a Value) -> Option<&'a Value> {
        let format = self.structured.then(|| &body["response_format"])?;
        match format["type"].as_str()? {
            "json_schema" => Some(&format["json_schema"]["schema"]),
            "json_object" => Some(&Value::Null),
            _ => None,
        }
    }

    /// A whole answer as it puts it.
    pub(super) fn whole(&self, mut answer: Value) -> Value {
        if self.name == "xai" && answer["choices"][0]["message"]["tool_calls"].is_array() {
            answer["choices"][0]["finish_reason"] = json!("");
        }
        self.more_usage(&mut answer);
        answer
    }

    /// A stream's events as it puts them.
    pub(super) fn events(&self, mut events: Vec<Value>) -> Vec<Value> {
        events.iter_mut().for_each(|it| self.more_usage(it));
        match self.stream {
            Stream::Filtered if events.first().is_some_and(|it| it["choices"].is_array()) => {
                let mut first = events[0].clone();
                (first["choices"], first["model"], first["id"]) = (json!([]), json!(""), json!(""));
                first["prompt_filter_results"] = json!([{"prompt_index": 0, "content_filter_results": {}}]);
                events.insert(0, first);
            }
            Stream::NoIndex => in_one_piece(&mut events),
            _ => {}
        }
        events
    }

    /// What stands in a stream before the first event.
    pub(super) fn comments(&self) -> &'static str {
        if self.stream == Stream::Comments { ": OPENROUTER PROCESSING\n\n" } else { "" }
    }

    fn more_usage(&self, answer: &mut Value) {
        let Some(usage) = answer.get_mut("usage").filter(|it| it.is_object()) else { return };
        match self.name {
            "openrouter" => usage["cost"] = json!(0.0001),
            "deepseek" => usage["prompt_cache_hit_tokens"] = json!(0),
            _ => {}
        }
    }
}

/// The pieces of each tool's call put together, and told apart by nothing.
fn in_one_piece(events: &mut Vec<Value>) {
    let index = |event: &Value| event["choices"][0]["delta"]["tool_calls"][0]["index"].as_u64();
    let mut whole: Vec<Value> = Vec::new();
    for event in events.drain(..) {
        let last = whole.last_mut().filter(|it| index(it).is_some() && index(it) == index(&event));
        match last {
            Some(last) => {
                let arguments = "/choices/0/delta/tool_calls/0/function/arguments";
                let more = event.pointer(arguments).and_then(Value::as_str).unwrap_or_default();
                if let Some(Value::String(text)) = last.pointer_mut(arguments) {
                    text.push_str(more);
                }
            }
            None => whole.push(event),
        }
    }
    for event in &mut whole {
        if let Some(call) = event.pointer_mut("/choices/0/delta/tool_calls/0").and_then(Value::as_object_mut) {
            call.remove("index");
        }
    }
    *events = whole;
}
