//! kong.yml, running: the gateway with both hops, a companion and providers that answer as they are told.
#![allow(dead_code, reason = "each suite uses its own part")]
#![allow(unreachable_pub, reason = "a module of several test crates")]

use kong_host::{Answer, CallAnswer, CallOut, Failure, Gateway, Kong, Request, UpstreamRequest, UpstreamResponse};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tests::token::{Signer, now};

/// The port of kong.yml's first hop.
pub const PORT: u16 = 8000;
pub const HOP_SECRET: &str = "hop-secret-0123456789";
const PLACEHOLDERS: [(&str, &str); 7] = [
    ("TOLLGATE_HOP_SECRET", HOP_SECRET),
    ("TOLLGATE_INTERNAL_SECRET", "internal-secret-0123"),
    ("TOLLGATE_USER_SECRET", "user-secret-0123456789"),
    ("OPENAI_API_KEY", "sk-openai"),
    ("ANTHROPIC_API_KEY", "sk-anthropic"),
    ("GEMINI_API_KEY", "sk-gemini"),
    ("MISTRAL_API_KEY", "sk-mistral"),
];

pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// kong.yml with its placeholders filled in.
pub fn kong_yml() -> String {
    let text = std::fs::read_to_string(repository().join("kong/kong.yml")).unwrap();
    let text: String = text.lines().filter(|it| !it.starts_with('#')).map(|it| format!("{it}\n")).collect();
    let filled = PLACEHOLDERS.iter().fold(text, |text, (name, value)| text.replace(&format!("${{{name}}}"), value));
    assert!(!filled.contains("${"), "a placeholder of kong.yml that its head does not list");
    filled
}

/// How the companion is.
#[derive(Debug, Clone)]
pub enum Companion {
    /// It answers, and knows these earlier messages of every thread.
    Up(Vec<Value>),
    /// Every call to it fails.
    Down,
    /// It is up, but for its page of keys.
    WithoutKeys,
    /// It answers everything with this.
    Says(u16, &'static str),
}

/// The gateway and what is around it.
pub struct World {
    pub gateway: Gateway,
    pub signer: Signer,
    pub companion: Companion,
    /// What the companion was asked.
    pub asked: Vec<CallOut>,
}

impl World {
    pub fn new() -> Self {
        Self::with(&kong_yml())
    }

    pub fn with(kong_yml: &str) -> Self {
        let mut gateway = Gateway::start(kong_yml, PORT, Kong::built().filters()).unwrap();
        gateway.set_time(now());
        Self { gateway, signer: Signer::new(), companion: Companion::Up(Vec::new()), asked: Vec::new() }
    }

    /// A chat of a user with a token.
    pub fn chat(&self, user: &str, body: &Value) -> Request {
        let token = self.signer.user(user);
        Request::post("/v1/chat/completions", body.to_string()).header("Authorization", format!("Bearer {token}"))
    }

    /// Sends a request; the provider answers `response` to whatever reaches it.
    pub fn send(&mut self, request: Request, response: &UpstreamResponse) -> Result<Answer, Failure> {
        let Self { gateway, signer, companion, asked } = self;
        gateway.request(
            request,
            |_, _| response.clone(),
            |call| {
                asked.push(call.clone());
                answer(companion, signer, call)
            },
        )
    }

    /// The same where no harness failure is expected.
    pub fn get(&mut self, request: Request) -> Answer {
        self.send(request, &plain("hello")).unwrap()
    }

    /// What reached the provider.
    pub fn sent(&self) -> &UpstreamRequest {
        &self.gateway.hops.last().expect("a request that reached a provider").sent
    }

    /// Which services the last request went through.
    pub fn services(&self) -> Vec<&str> {
        self.gateway.hops.iter().map(|it| it.service.as_str()).collect()
    }

    /// Lets a filter of the first hop do its background work.
    pub fn tick(&mut self, filter: &str) {
        let Self { gateway, signer, companion, asked } = self;
        let answer = |call: &CallOut| {
            asked.push(call.clone());
            answer(companion, signer, call)
        };
        gateway.front().tick(filter, answer).unwrap();
    }

    /// The questions to one path of the companion's.
    pub fn asked(&self, path: &str) -> Vec<&CallOut> {
        self.asked.iter().filter(|it| it.path == path).collect()
    }
}

fn answer(companion: &Companion, signer: &Signer, call: &CallOut) -> CallAnswer {
    let none = Vec::new();
    let history = match companion {
        Companion::Up(history) => history,
        Companion::WithoutKeys if call.path == "/.well-known/jwks.json" => return CallAnswer::Failed,
        Companion::WithoutKeys => &none,
        Companion::Down => return CallAnswer::Failed,
        Companion::Says(status, body) => return CallAnswer::json(*status, body),
    };
    match (call.upstream.as_str(), call.path.as_str()) {
        ("127.0.0.1:8787", "/.well-known/jwks.json") => CallAnswer::json(200, signer.jwks()),
        ("127.0.0.1:8788", "/internal/v1/turns/open") => {
            CallAnswer::json(200, json!({"turn": "turn_1", "messages": history}).to_string())
        }
        ("127.0.0.1:8788", "/internal/v1/turns" | "/internal/v1/usage") => CallAnswer::json(200, r#"{"stored":1}"#),
        ("127.0.0.1:8788", "/internal/v1/budgets/lease") => CallAnswer::json(200, lent(call).to_string()),
        other => panic!("nobody should ask {other:?}"),
    }
}

/// All that a question about budgets wants.
pub fn lent(call: &CallOut) -> Value {
    let question: Value = serde_json::from_slice(&call.body).unwrap();
    let lease = |it: &Value| {
        let granted = it["granted"].as_u64().unwrap_or(0).min(1 << 40) + it["want"].as_u64().unwrap();
        json!({"granted": granted, "used": 0, "left": 1_000_000_000_u64, "charged": 0, "expires_in_ms": 60_000})
    };
    json!({"leases": question["leases"].as_array().unwrap().iter().map(lease).collect::<Vec<_>>()})
}

/// A chat's body with one message.
pub fn says(model: &str, text: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": text}]})
}

/// A provider's plain answer.
pub fn plain(text: &str) -> UpstreamResponse {
    let message = json!({"role": "assistant", "content": text});
    let choices = json!([{"index": 0, "message": message, "finish_reason": "stop"}]);
    let body =
        json!({"id": "c", "object": "chat.completion", "created": 1, "model": "gpt-4o-mini", "choices": choices});
    UpstreamResponse::json(200, body.to_string())
}

/// A provider's stream: a delta for each word, then the end.
pub fn streamed(words: &[&str]) -> UpstreamResponse {
    let event = |choice: Value| {
        let chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-mini", "choices": [choice]});
        format!("data: {chunk}\n\n")
    };
    let deltas = words.iter().map(|it| event(json!({"index": 0, "delta": {"content": it}, "finish_reason": null})));
    let stop = event(json!({"index": 0, "delta": {}, "finish_reason": "stop"}));
    UpstreamResponse::stream(deltas.chain([stop, "data: [DONE]\n\n".to_owned()]))
}
