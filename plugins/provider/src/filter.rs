//! The callbacks: read, decide, carry out.

use crate::{
    config::Config,
    identity::{self, Identity},
    native::{self, Answer, Api, Question, Way},
    policy::{self, Change, Credential, Failure, Routed, Send, Target},
    stream::{Begin, Watched},
};
use domain::{headers::Headers, price::Prices, reply::Reply};
use host::{Chunk, Edit, Next, Plugin, RequestHead, ResponseHead, Root, Stream, Watch, metrics::Counter};
use std::{collections::BTreeMap, rc::Rc};

/// The providers, configured.
pub struct Providers {
    targets: BTreeMap<String, Target>,
    /// Whether any of them may want parameters otherwise.
    rules: bool,
    /// How much each model can write, where a provider must be told.
    models: Prices,
    only: Option<String>,
    identity: Identity,
    /// Whether what only OpenRouter is told may be wanted by a later attempt.
    openrouter: bool,
    forward: Vec<String>,
    returned: Vec<String>,
    not_configured: Counter,
}

impl Plugin for Providers {
    type Stream = Attempt;

    fn configure(config: &[u8], _: &Root) -> Result<Self, String> {
        let config = Config::parse(config)?;
        let targets = config.targets(host::env)?;
        for target in targets.values().filter(|it| matches!(it.credential, Credential::Missing)) {
            log::warn!("the credential of the provider {} is not set; it will not be called", target.name);
        }
        Ok(Self {
            rules: targets.values().any(|it| it.kind.is_some() || it.api == Api::Anthropic),
            openrouter: config.provider.is_none() && targets.values().any(Target::is_openrouter),
            models: Prices::built_in(&BTreeMap::new())?,
            targets,
            only: config.provider.map(|it| it.as_str().to_owned()),
            identity: config.identity.unwrap_or_default(),
            forward: config.forward_headers,
            returned: config.return_headers,
            not_configured: Counter::define("tollgate_provider_not_configured"),
        })
    }

    fn stream(self: &Rc<Self>) -> Attempt {
        Attempt { providers: Rc::clone(self), stage: Stage::Begun, operation: "", watched: None }
    }
}

impl Providers {
    /// Makes the head one that may go to `target`, and nothing of another attempt's.
    fn rewrite(&self, head: &mut RequestHead, target: &Target, way: Way, operation: &str) -> Result<(), Reply> {
        let headers = head.headers().clone();
        let mut changes = policy::request(&headers, target, way.path(operation), &self.forward);
        changes.extend(way.head(&headers, was_translated));
        if self.openrouter {
            identity::unsaid(&headers, target).for_each(|(name, value)| host::note::write(name, value));
        }
        changes.extend(self.identity.changes(&headers, target, host::note::read));
        if self.only.is_some()
            && let Some(name) = policy::twice(&headers, &changes)
        {
            return Err(Reply::invalid(format!("the header `{name}` stands there more than once")));
        }
        for change in changes {
            match change {
                Change::Remove(name) => {
                    head.remove(name);
                }
                Change::Set(name, value) => head.set(name, &value),
            }
        }
        Ok(())
    }
}

/// Whether a former attempt wrote the path of another API for a chat completion.
fn was_translated() -> bool {
    host::note::read(TRANSLATED).is_some()
}

/// The note that tells `router` what errors providers answered: `attempt status retry-after;` for each.
const ERRORS: &str = "errors";

/// Tells `router` of an error that a later attempt may hide from it.
fn note_error(status: u16, headers: &Headers) {
    let Some(attempt) = host::ending::attempts() else { return };
    let seconds = headers.text("retry-after").filter(|it| it.bytes().all(|it| it.is_ascii_digit()));
    let earlier = host::note::read(ERRORS).unwrap_or_default();
    host::note::write(ERRORS, &format!("{earlier}{attempt} {status} {};", seconds.unwrap_or_default()));
}

/// The note of an attempt that a later one may find its body's length in the headers.
const EDITED: &str = "edited";

/// The note of an attempt that wrote the path of another API for a chat completion.
const TRANSLATED: &str = "translated";

/// How far an attempt is.
enum Stage {
    /// Nothing is known of it, or it was refused.
    Begun,
    /// It goes to this provider, with this body. The client may speak the provider's `own` words.
    Sent { provider: String, body: Send, own: bool },
    /// It goes to this provider, put into the words of another API. `replaced` is the model's id, where that is another
    /// than the chain's first candidate's.
    Asked { provider: String, replaced: Option<String>, question: Question },
    /// The provider answers in the words of another API.
    Answered(Answer),
    /// The provider has answered with an error, which is put into the shape that clients know.
    Failed(Failure),
}

/// One attempt to reach a provider.
pub struct Attempt {
    providers: Rc<Providers>,
    stage: Stage,
    /// What the client asked for; empty until it is known.
    operation: &'static str,
    /// The answer, if it streams.
    watched: Option<Watched>,
}

impl Attempt {
    fn prepare(&mut self, head: &mut RequestHead) -> Result<Next, Reply> {
        let providers = Rc::clone(&self.providers);
        let name = providers.only.clone().or_else(|| head.upstream_provider()).ok_or_else(policy::nobody)?;
        let target = providers.targets.get(&name).ok_or_else(policy::nobody)?;
        let operation = policy::served(head.method(), head.path()).ok_or_else(|| policy::not_served(head.method()))?;
        let operation = native::meant(operation, was_translated);
        self.operation = operation;
        let way = native::way(target.api, operation, &name)?;
        // A list of models has no body, and names no model that a chain could be about.
        let routed = match operation {
            "/models" => Routed::Never,
            _ => policy::routed(head.headers(), || host::note::read("route")),
        };
        let attempt = if providers.only.is_none() { host::ending::attempts() } else { None };
        let (body, model) = policy::send(&routed, attempt, &name)?;
        // Where the router's headers are still there, so is the budget's: the note need not be asked for.
        let first = matches!(routed, Routed::First(_)) || operation == "/models";
        let asked = policy::asked(head.headers(), || if first { None } else { host::note::read("usage") });
        let rules = target.rules(operation, model.as_ref());
        let again = providers.rules && !first && host::note::read(EDITED).is_some();
        let body = body.with_usage(asked, target.stream_usage).with_rules(rules, again);
        if matches!(target.credential, Credential::Missing) {
            providers.not_configured.add(1);
            return Err(policy::not_configured(&name, model.as_ref().map(|it| it.model.as_str())));
        }
        providers.rewrite(head, target, way, operation)?;
        if way == Way::Translated {
            host::note::write(TRANSLATED, "yes");
            let replaced = body.model();
            let question = Question::new(model.map(|it| it.model), body.changes(), asked);
            self.stage = Stage::Asked { provider: name, replaced, question };
            return Ok(Next::Body);
        }
        let next = if body == Send::AsItIs { Next::Pass } else { Next::Body };
        self.stage = Stage::Sent { provider: name, body, own: way == Way::Own };
        Ok(next)
    }
}

impl Stream for Attempt {
    fn request_head(&mut self, head: &mut RequestHead) -> Next {
        self.prepare(head).unwrap_or_else(Next::Reply)
    }

    fn request_body(&mut self, _: &mut RequestHead, body: Vec<u8>) -> Edit {
        if let Stage::Asked { question, .. } = &mut self.stage {
            let asked = question.body(&body, &self.providers.models);
            // It leaves a length behind.
            host::note::write(EDITED, "yes");
            return asked.map_or_else(Edit::Reply, Edit::Replace);
        }
        let Stage::Sent { body: Send::Edited(changes), .. } = &self.stage else {
            return Edit::Keep;
        };
        match policy::edited(&body, changes) {
            Ok(Some(body)) => {
                if !changes.rules.is_empty() && !changes.stale {
                    host::note::write(EDITED, "yes");
                }
                Edit::Replace(body)
            }
            Ok(None) => Edit::Keep,
            Err(reply) => Edit::Reply(reply),
        }
    }

    fn response_head(&mut self, head: &mut ResponseHead) -> Watch {
        let (provider, replaced) = match &self.stage {
            Stage::Sent { provider, body, .. } => (provider, body.model()),
            Stage::Asked { provider, replaced, .. } => (provider, replaced.clone()),
            Stage::Begun | Stage::Answered(_) | Stage::Failed(_) => return Watch::Nothing,
        };
        let headers = head.headers().clone();
        for change in policy::response(&headers, provider, replaced.as_deref(), &self.providers.returned) {
            match change {
                Change::Remove(name) => head.remove(name),
                Change::Set(name, value) => head.set(name, &value),
            }
        }
        let (status, now) = (head.status(), host::now().seconds());
        self.watched = Watched::of(self.operation, status, &headers, now);
        let answer = match &self.stage {
            Stage::Asked { question, .. } => question.answer(status, &headers, now),
            _ => None,
        };
        if let Some(answer) = answer {
            self.stage = Stage::Answered(answer);
            return if self.watched.is_some() { Watch::Begin } else { Watch::Edit };
        }
        if self.watched.is_some() {
            return Watch::Begin;
        }
        if matches!(self.stage, Stage::Sent { own: true, .. }) {
            return Watch::Nothing;
        }
        if status >= 400 {
            note_error(status, &headers);
        }
        if !policy::reads_error(status, &headers) {
            return Watch::Nothing;
        }
        head.set("content-type", "application/json");
        self.stage = Stage::Failed(Failure::new(status));
        Watch::Edit
    }

    fn response_begin(&mut self, head: &mut ResponseHead, begun: &[u8], last: bool) -> Option<Chunk> {
        let Some(watched) = &mut self.watched else {
            return Some(Chunk::Keep);
        };
        match (watched.begin(begun, last, host::now().seconds()), &mut self.stage) {
            (Begin::Wait, _) => None,
            // The proxy takes this head for the provider's, and asks the next one.
            (Begin::Fail(status, error), _) => {
                note_error(status, head.headers());
                head.set(":status", &status.to_string());
                head.set("content-type", "application/json");
                Some(Chunk::Replace(error))
            }
            (Begin::Pass(_), Stage::Answered(answer)) => Some(Chunk::Replace(answer.piece(begun, last))),
            (Begin::Pass(None), _) => Some(Chunk::Keep),
            (Begin::Pass(Some(ending)), _) => Some(Chunk::Replace([begun, &ending].concat())),
        }
    }

    fn response_chunk(&mut self, chunk: Vec<u8>, last: bool) -> Chunk {
        match (&mut self.stage, &mut self.watched) {
            (_, Some(watched)) if watched.has_failed() => Chunk::Replace(Vec::new()),
            (Stage::Answered(answer), _) => Chunk::Replace(answer.piece(&chunk, last)),
            (Stage::Failed(failure), _) => Chunk::Replace(failure.piece(chunk, last)),
            (_, Some(watched)) => watched.piece(&chunk, last).map_or(Chunk::Keep, Chunk::Replace),
            (_, None) => Chunk::Keep,
        }
    }
}
