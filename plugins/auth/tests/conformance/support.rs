//! The rows' own gate: how a request is presented to it, and what it says.

use crate::rows::{Group, Request, Row};
use auth::policy::{Denial, Gate, Step};
use auth::{config::Config, signature::Engine};
use domain::{headers::Headers, time::Micros};
use serde_json::Value;

pub(crate) use crate::clock::NOW;
pub(crate) use crate::rows::signing::{b64, hmac, keys};
pub(crate) use crate::rows::{claims, config, jwks};

fn parse(config: &Value) -> Config {
    Config::parse(config.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}: {config}"))
}

/// A gate that verifies signatures itself.
pub(crate) fn gate(config: &Value) -> Gate {
    Gate::new(parse(config), Engine::MODULE).unwrap()
}

/// How the gate takes a token that comes as bearer.
pub(crate) fn present(gate: &mut Gate, token: &str, seconds: u64) -> Step {
    ask(gate, &Request::bearer(token), seconds)
}

fn ask(gate: &mut Gate, request: &Request, seconds: u64) -> Step {
    let mut headers = Headers::default();
    for (name, value) in &request.headers {
        headers.append(name.as_bytes(), value);
    }
    gate.look(request.method, &request.path, &headers, Micros::from_seconds(seconds))
}

/// What a step came to, in one word.
pub(crate) fn word(step: &Step) -> &'static str {
    match step {
        Step::Admit(_) => "ok",
        Step::Bypass => "bypass",
        Step::Ask(_) => "ask",
        Step::Deny(Denial::Expired { .. }) => "expired",
        Step::Deny(denial) => Denial::NAMES[denial.place()],
    }
}

/// Presents each row to a gate of its own and compares what becomes of it.
pub(crate) fn check(groups: &[Group]) {
    let wrong: Vec<String> = groups.iter().flat_map(complaints).collect();
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}

fn complaints(Group { config, rows }: &Group) -> impl Iterator<Item = String> {
    let config = parse(config);
    rows.iter().filter_map(move |Row { what, request, expected, caller }| {
        let mut gate = Gate::new(config.clone(), Engine::MODULE).unwrap();
        let got = ask(&mut gate, request, NOW);
        if word(&got) != *expected {
            return Some(format!("{what}: expected {expected}, got {}", word(&got)));
        }
        match (&got, caller) {
            (Step::Admit(it), Some(caller)) if it.caller != *caller => Some(format!("{what}: {:?}", it.caller)),
            _ => None,
        }
    })
}
