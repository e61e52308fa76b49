//! The decisions: which operation, which model id, which headers.
//!
//! Both directions have a list of what may pass, so that a header which nobody thought of stays here.

use crate::{identity::is_for_openrouter, native::Api};
use domain::{
    chat::{Body, Edit, Endpoint},
    headers::{self, Headers},
    model::{FOR_OPENROUTER, Parameters, Plan, Try},
    provider::{self, Kind, Rule},
    reply::Reply,
    secret::Secret,
};

/// A provider, ready to be sent to.
#[derive(Debug)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// Which API it speaks.
    pub api: Api,
    /// Whose rules for parameters apply, if anybody's are known.
    pub kind: Option<Kind>,
    /// What stands before the operation in its paths; `None` leaves the path alone.
    pub base_path: Option<String>,
    /// Its host; `None` leaves the host alone.
    pub host: Option<String>,
    /// What it wants to see.
    pub credential: Credential,
    /// Whether it takes `stream_options.include_usage`.
    pub stream_usage: bool,
}

/// What a provider wants to see before it works for us.
#[derive(Debug)]
pub enum Credential {
    /// Nothing.
    None,
    /// Something that the operator named and that is not there.
    Missing,
    /// A header, its name in small letters.
    Header {
        /// The name.
        name: String,
        /// The whole value.
        value: Secret,
    },
}

/// An operation that providers serve.
#[derive(Debug)]
pub struct Operation {
    /// Its method.
    pub method: &'static str,
    /// The end of its path.
    pub suffix: &'static str,
}

/// The operations; of two that end alike the longer one stands first.
pub const SERVED: [Operation; 6] = [
    Operation { method: "POST", suffix: "/chat/completions" },
    Operation { method: "POST", suffix: "/completions" },
    Operation { method: "POST", suffix: "/embeddings" },
    Operation { method: "POST", suffix: "/responses" },
    Operation { method: "POST", suffix: "/messages" },
    Operation { method: "GET", suffix: "/models" },
];

/// The end of the path that says what is asked for, of a client's path and of one that a former attempt wrote.
#[must_use]
pub fn served(method: &str, path: &str) -> Option<&'static str> {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    // A client's path may be escaped; it counts as what `router` took it for.
    let plain = Endpoint::of(method, path).map_or(path, |it| it.path());
    let found = SERVED.iter().find(|it| it.method == method && plain.ends_with(it.suffix));
    found.map(|it| it.suffix)
}

/// The answer to an operation that no provider is sent.
#[must_use]
pub fn not_served(method: &str) -> Reply {
    // The path may be long and anything; the client knows it.
    let method: String = method.chars().take(10).filter(char::is_ascii_alphabetic).collect();
    Reply::new(404, "not_found", format!("no provider is sent this {method} request"))
}

/// The answer when the endpoint that was chosen belongs to nobody whom the configuration knows.
#[must_use]
pub fn nobody() -> Reply {
    Reply::new(502, "upstream_error", "the gateway's endpoint belongs to no provider that its configuration knows")
}

impl Target {
    /// The rules for what it is sent as the body of `operation`, for this model. Without `router` the model is not known,
    /// and a body is not read to find out.
    #[must_use]
    pub fn rules(&self, operation: &str, model: Option<&Try>) -> &'static [Rule] {
        let kind = self.kind.filter(|_| operation == "/chat/completions");
        let asked = model.map(|it| it.name.split_once('/').map_or(it.name.as_str(), |(_, model)| model));
        kind.map_or(&[], |it| it.rules(model.map(|it| it.model.as_str()), asked))
    }
}

/// What `router` said about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Routed {
    /// In a header, which is still there: no attempt has touched this request.
    First(Plan),
    /// In its note; a former attempt took the header off, and left its own path, credential and length there.
    Again(Plan),
    /// Nothing.
    Never,
}

/// Reads the router's header or, when it is gone, its note.
#[must_use]
pub fn routed(headers: &Headers, note: impl FnOnce() -> Option<String>) -> Routed {
    if let Some(plan) = headers.text(headers::ROUTE).and_then(Plan::decode) {
        return Routed::First(plan);
    }
    note().as_deref().and_then(Plan::decode).map_or(Routed::Never, Routed::Again)
}

/// What becomes of the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Send {
    /// It streams through.
    AsItIs,
    /// It is read, and changed where it must be.
    Edited(Changes),
}

/// What a body gets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// The model's id and parameters, if the body is to get them.
    pub ask: Option<Try>,
    /// Whether it is to ask for usage at the end of the stream.
    pub usage: bool,
    /// What the provider wants otherwise.
    pub rules: &'static [Rule],
    /// A member of the body that this provider must not see.
    pub without: Option<&'static str>,
    /// Whether the length of a former attempt's body stands in the headers.
    pub stale: bool,
}

impl Send {
    /// The id of the model that the body is given, if it is given one.
    #[must_use]
    pub fn model(&self) -> Option<String> {
        match self {
            Self::AsItIs => None,
            Self::Edited(changes) => changes.ask.as_ref().map(|it| it.model.clone()),
        }
    }

    /// What the body gets; nothing, if it stays.
    #[must_use]
    pub fn changes(self) -> Changes {
        match self {
            Self::AsItIs => Changes::default(),
            Self::Edited(changes) => changes,
        }
    }

    /// The same, where somebody wants usage: `asked` at the first attempt or again.
    #[must_use]
    pub fn with_usage(self, asked: Asked, taken: bool) -> Self {
        let again = match asked {
            Asked::Never => return self,
            Asked::First if !taken => return self,
            Asked::First => false,
            Asked::Again => true,
        };
        let changes = self.changes();
        Self::Edited(Changes { usage: taken, stale: changes.stale || again, ..changes })
    }

    /// The same under a provider's rules; `again` when a former attempt had rules too, and may have left a length behind.
    #[must_use]
    pub fn with_rules(self, rules: &'static [Rule], again: bool) -> Self {
        if self == Self::AsItIs && rules.is_empty() && !again {
            return self;
        }
        let changes = self.changes();
        Self::Edited(Changes { rules, stale: changes.stale || again, ..changes })
    }
}

/// Whether `budget` wants usage in the stream, and whether a former attempt has heard so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// It does not.
    Never,
    /// It does; its header is still there.
    First,
    /// It does, by its note; a former attempt took the header off, and may have made the body longer.
    Again,
}

/// Reads the header of `budget` or, when it is gone, its note.
#[must_use]
pub fn asked(headers: &Headers, note: impl FnOnce() -> Option<String>) -> Asked {
    match headers.get(headers::USAGE) {
        Some(b"ask") => Asked::First,
        Some(_) => Asked::Never,
        None if note().as_deref() == Some("ask") => Asked::Again,
        None => Asked::Never,
    }
}

/// What `provider` is sent as the body at the attempt of this number, and what it is asked for, as far as it is known.
///
/// # Errors
/// 502 when the provider is none that the router chose.
pub fn send(routed: &Routed, attempt: Option<u64>, provider: &str) -> Result<(Send, Option<Try>), Reply> {
    let (plan, stale) = match routed {
        Routed::First(plan) => (plan, false),
        Routed::Again(plan) => (plan, true),
        Routed::Never => return Ok((Send::AsItIs, None)),
    };
    let own = plan.at(attempt, provider).ok_or_else(nobody)?;
    // The router's body names the first one's model.
    let written = plan.tries.first().is_some_and(|it| it.model == own.model);
    let without = Some(FOR_OPENROUTER).filter(|_| plan.for_openrouter && !own.is_openrouter());
    let plain = own.set.0.is_empty() && own.parameters.0.is_empty() && without.is_none();
    if written && plain && !stale {
        return Ok((Send::AsItIs, Some(own.clone())));
    }
    let changes = Changes { ask: Some(own.clone()), without, stale, ..Changes::default() };
    Ok((Send::Edited(changes), Some(own.clone())))
}

/// The body with its changes made; `None` when it may stay as it is.
///
/// # Errors
/// 400 when it cannot be read in only one way, or wants what the provider does not do.
pub fn edited(bytes: &[u8], changes: &Changes) -> Result<Option<Vec<u8>>, Reply> {
    let body = Body::parse(bytes)?;
    let Changes { ask, usage, rules, without, stale } = changes;
    let set = || ask.iter().flat_map(|it| &it.set.0);
    let said = |name| body.member(name).is_some() || set().any(|it| it.name == name);
    let unsaid = ask.iter().flat_map(|it| &it.parameters.0).filter(|it| !said(it.name));
    let own: Vec<Edit> = set().chain(unsaid).map(|it| body.set_member(it.name, &it.json)).collect();
    if !own.is_empty() {
        // The rules are about what the provider would be sent, so they see these members as the client's own.
        let ask = ask.clone().map(|it| Try { set: Parameters::default(), parameters: Parameters::default(), ..it });
        return edited(&body.apply(own), &Changes { ask, stale: true, ..changes.clone() });
    }
    let mut edits = provider::edits(rules, &body)?;
    edits.extend(ask.iter().filter(|it| body.model() != Some(&it.model)).map(|it| body.set_model(&it.model)));
    edits.extend(without.and_then(|it| body.remove_member(it)));
    if *usage {
        edits.extend(body.ask_usage()?);
    }
    if !edits.is_empty() {
        return Ok(Some(body.apply(edits)));
    }
    Ok(stale.then(|| bytes.to_vec()))
}

/// The answer when the credential of `provider` is not there.
#[must_use]
pub fn not_configured(provider: &str, model: Option<&str>) -> Reply {
    let model = model.unwrap_or("it");
    let message = format!("Configure your {provider} API key in Provider Settings to use {model}");
    Reply::new(400, "provider_not_configured", message).about("model")
}

/// One change of a head. It may hold a credential, so it has no `Debug`.
pub enum Change<'a> {
    /// The header goes.
    Remove(&'a str),
    /// The header gets this value.
    Set(&'a str, String),
}

/// Request headers that go on, besides pseudo-headers and `x-stainless-*`.
const REQUEST: [&str; 18] = [
    // What the message is.
    "content-type",
    "content-length",
    "content-encoding",
    "transfer-encoding",
    "accept",
    "accept-encoding",
    "user-agent",
    // The connection's own, which the proxy rules.
    "host",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "expect",
    // What the API knows.
    "openai-beta",
    "anthropic-version",
    "anthropic-beta",
    "idempotency-key",
    // The proxy's own word for this request; Envoy reads it again when it logs and answers.
    "x-request-id",
];

/// Whether a request header goes on, or is replaced, without the operator's word.
#[must_use]
pub fn allowed_by_default(name: &[u8]) -> bool {
    let stainless = name.get(..12).is_some_and(|it| it.eq_ignore_ascii_case(b"x-stainless-"));
    stainless || name.starts_with(b":") || is_one_of(&REQUEST, name)
}

/// What must change in a request's head before it may go to `target`.
///
/// It only tells what differs, whatever a former attempt left behind. `operation` is what [`served`] found.
#[must_use]
pub fn request<'a>(headers: &'a Headers, target: &'a Target, operation: &str, forward: &[String]) -> Vec<Change<'a>> {
    let credential = match &target.credential {
        Credential::Header { name, value } => Some((name.as_str(), value.reveal())),
        Credential::None | Credential::Missing => None,
    };
    let stays = |name: &[u8]| {
        let is_credential = credential.is_some_and(|(it, _)| name.eq_ignore_ascii_case(it.as_bytes()));
        let may_pass = allowed_by_default(name) || (target.is_openrouter() && is_for_openrouter(name));
        is_credential || may_pass || is_one_of(forward, name)
    };
    let mut changes: Vec<Change<'a>> = others(headers, stays);
    if let Some((name, value)) = credential {
        set(&mut changes, headers, name, value);
    }
    // What is compressed, a guardrail cannot read.
    set(&mut changes, headers, "accept-encoding", "identity");
    if let Some(base) = &target.base_path {
        set(&mut changes, headers, ":path", &format!("{base}{operation}"));
    }
    if let Some(host) = &target.host {
        set(&mut changes, headers, ":authority", host);
    }
    changes
}

/// Response headers that go on, besides pseudo-headers.
const RESPONSE: [&str; 17] = [
    "content-type",
    "content-length",
    "content-encoding",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "trailer",
    "date",
    "cache-control",
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
    "openai-processing-ms",
    "openai-version",
    "x-generation-id",
    "x-tollgate-provider",
    "x-tollgate-provider-model",
];

/// The provider's own names of a request, under which one asks it about that request.
const UPSTREAM_ID: [&str; 2] = ["x-request-id", "request-id"];

/// What must change in a response's head before it may go to the client. `replaced` is the model's id when another
/// candidate than the chain's first has answered.
#[must_use]
pub fn response<'a>(
    headers: &'a Headers,
    provider: &str,
    replaced: Option<&str>,
    further: &[String],
) -> Vec<Change<'a>> {
    let stays = |name: &[u8]| name.starts_with(b":") || is_one_of(&RESPONSE, name) || is_one_of(further, name);
    let mut changes = others(headers, stays);
    if let Some(id) = UPSTREAM_ID.iter().find_map(|name| headers.text(name)) {
        set(&mut changes, headers, "x-tollgate-upstream-request-id", id);
    }
    set(&mut changes, headers, "x-tollgate-provider", provider);
    match replaced {
        Some(model) => set(&mut changes, headers, "x-tollgate-provider-model", model),
        None if headers.get("x-tollgate-provider-model").is_some() => {
            changes.push(Change::Remove("x-tollgate-provider-model"));
        }
        None => {}
    }
    changes
}

/// Whether an answer is an error that must be read to be put into the shape that clients know: JSON or a text, not
/// compressed, and not known to be longer than [`provider::error::LIMIT`].
#[must_use]
pub fn reads_error(status: u16, headers: &Headers) -> bool {
    let kind = headers.text("content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let stream = kind == "text/event-stream";
    let legible = kind.is_empty() || kind.ends_with("json") || (kind.starts_with("text/") && !stream);
    let plain = headers.get("content-encoding").is_none_or(|it| it.is_empty() || it == b"identity");
    let length = headers.text("content-length").and_then(|it| it.parse().ok());
    status >= 400 && legible && plain && length.is_none_or(|it: usize| it <= provider::error::LIMIT)
}

/// An error as it is read, piece by piece.
#[derive(Debug)]
pub struct Failure {
    status: u16,
    kept: Vec<u8>,
}

impl Failure {
    /// Nothing of it has come.
    #[must_use]
    pub fn new(status: u16) -> Self {
        Self { status, kept: Vec::new() }
    }

    /// What the client gets in the place of this piece: nothing before the last. Of one that is longer than it said
    /// only the beginning counts.
    pub fn piece(&mut self, chunk: Vec<u8>, last: bool) -> Vec<u8> {
        let room = provider::error::LIMIT.saturating_sub(self.kept.len());
        self.kept.extend(chunk.into_iter().take(room));
        if !last {
            return Vec::new();
        }
        let kept = std::mem::take(&mut self.kept);
        provider::error::normalised(self.status, &kept).map_or(kept, String::into_bytes)
    }
}

/// The first header that is to go and stands there more than once: Kong could take away one copy only.
#[must_use]
pub fn twice<'a>(headers: &Headers, changes: &'a [Change<'a>]) -> Option<&'a str> {
    let names = changes.iter().map(|it| match it {
        Change::Remove(name) => *name,
        Change::Set(name, _) => name,
    });
    names.into_iter().find(|name| headers.all(name).count() > 1)
}

/// Removals of every header that does not stay, each name once.
fn others<'a>(headers: &'a Headers, stays: impl Fn(&[u8]) -> bool) -> Vec<Change<'a>> {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in headers.iter().filter(|(name, _)| !stays(name)) {
        if let Ok(name) = std::str::from_utf8(name)
            && !names.iter().any(|it| it.eq_ignore_ascii_case(name))
        {
            names.push(name);
        }
    }
    names.into_iter().map(Change::Remove).collect()
}

fn set<'a>(changes: &mut Vec<Change<'a>>, headers: &Headers, name: &'a str, value: &str) {
    let mut found = headers.all(name);
    if found.next() != Some(value.as_bytes()) || found.next().is_some() {
        changes.push(Change::Set(name, value.to_owned()));
    }
}

fn is_one_of(names: &[impl AsRef<str>], name: &[u8]) -> bool {
    names.iter().any(|it| it.as_ref().as_bytes().eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests;
