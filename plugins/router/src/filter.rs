//! The callbacks: read, decide, carry out.

use crate::{
    capability,
    config::Config,
    glimpse::Glimpses,
    health::Shared,
    learning::Learning,
    models::{self, Models},
    names::Names,
    policy::{self, Answered, Moment, Route, Rules},
    pseudonym::Pseudonyms,
    telling::Telling,
};
use domain::{
    caller::{Caller, Identity, Trust},
    chat::Endpoint,
    choice::Rng,
    headers,
    kill::ModelSwitches,
    model::Catalog,
    price::Prices,
    reply::Reply,
    secret::Secret,
};
use host::{
    Answer as Answers, CallId, Chunk, Edit, Next, NoAnswer, Plugin, RequestHead, ResponseHead, Root, Stream, Watch,
    companion::Client, metrics::Counter,
};
use std::{
    cell::RefCell,
    hash::{BuildHasher, RandomState},
    rc::Rc,
};

/// Tells the client which model it got.
const MODEL_OVERRIDE: &str = "x-tollgate-model-override";
/// Tells the client which parameters behind the model's name did nothing.
const PARAMETERS_IGNORED: &str = "x-tollgate-model-params-ignored";
/// Tells the client which rule decided on the model.
const ROUTE_REASON: &str = "x-tollgate-route-reason";
/// Tells the client how often a provider was asked.
const ATTEMPTS: &str = "x-tollgate-attempts";

/// The router, configured.
pub struct Router {
    catalog: Catalog,
    trust: Trust,
    kill: ModelSwitches,
    hop: Option<Secret>,
    prices: Prices,
    models: Models,
    /// Of whom the companion is told, and others are.
    names: Names,
    telling: Option<Telling>,
    abilities: capability::Rules,
    pseudonyms: Pseudonyms,
    too_long: Counter,
    unable: Counter,
    not_found: Counter,
    killed: Counter,
    rng: RefCell<Rng>,
    seen: Glimpses,
}

impl Plugin for Router {
    type Stream = Exchange;

    fn configure(config: &[u8], root: &Root) -> Result<Self, String> {
        let config = Config::parse(config)?;
        Shared::prepare(root);
        let pseudonyms = config.pseudonyms(host::env)?;
        if matches!(pseudonyms, Pseudonyms::Unset) {
            log::warn!("user_identifier.secret is not set; what names an end user is removed");
        }
        let (catalog, prices) = (config.catalog()?, config.prices()?);
        let telling = config.companion.as_ref().map(|it| {
            let client = Client::of(it, host::env).map_err(|wrong| format!("router: {wrong}"))?;
            Ok::<_, String>(Telling::new(client, config.report_every.get(), it.timeout.get(), root))
        });
        Ok(Self {
            names: Names::of(&catalog, config.prices()?),
            telling: telling.transpose()?,
            models: Models::build(&catalog, &config.kill, &prices),
            catalog,
            hop: config.hop(host::env)?,
            pseudonyms,
            prices,
            abilities: capability::Rules { capabilities: config.capabilities, context_length: config.context_length },
            unable: Counter::define("tollgate_router_unsupported_parameter"),
            too_long: Counter::define("tollgate_router_context_length_exceeded"),
            trust: config.trust,
            kill: config.kill,
            not_found: Counter::define("tollgate_router_model_not_found"),
            killed: Counter::define("tollgate_router_killed"),
            // Keyed by the host's random numbers, so that workers differ.
            rng: RefCell::new(Rng::seeded(RandomState::new().hash_one(host::now().0))),
            seen: Glimpses::default(),
        })
    }

    fn stream(self: &Rc<Self>) -> Exchange {
        Exchange { router: Rc::clone(self), caller: None, answer: Answer::NotOurs, learning: None }
    }

    fn tick(&self, root: &Root) {
        if let Some(telling) = &self.telling {
            telling.tick(&self.names, root, host::now());
        }
    }

    fn answered(&self, root: &Root, call: CallId, answer: Result<Answers, NoAnswer>) {
        if let Some(telling) = &self.telling {
            telling.answered(&self.names, root, call, &answer);
        }
    }
}

impl Router {
    /// Reads the body, and finds where it leads.
    fn route(&self, caller: Option<&Caller>, endpoint: Endpoint, body: &[u8]) -> Result<Route, Reply> {
        let (catalog, kill, prices) = (&self.catalog, &self.kill, &self.prices);
        let rules = Rules { catalog, kill, prices, abilities: self.abilities, pseudonyms: &self.pseudonyms };
        let now = host::now();
        let mut moment = Moment { health: &Shared { now, seen: &self.seen }, now, rng: &mut self.rng.borrow_mut() };
        let route = policy::route(&rules, &mut moment, caller, endpoint, body);
        let counted = |code| match code {
            "context_length_exceeded" => self.too_long.add(1),
            "unsupported_parameter" => self.unable.add(1),
            "model_not_found" => self.not_found.add(1),
            "killed" => self.killed.add(1),
            _ => {}
        };
        match &route {
            Ok(route) => route.shadowed.iter().copied().for_each(counted),
            Err(reply) => counted(reply.code),
        }
        route
    }

    /// Who asks, where it matters.
    fn caller(&self, head: &RequestHead) -> Result<Option<Caller>, Reply> {
        let required = self.catalog.asks_who();
        if !required && !self.pseudonyms.ask_who() {
            return Ok(None);
        }
        match head.identity(self.trust) {
            Identity::Known(caller) => Ok(Some(caller)),
            Identity::Bypassed => Ok(None),
            Identity::Missing if required => Err(policy::nobody()),
            Identity::Missing => Ok(None),
        }
    }
}

/// What the response will be told.
enum Answer {
    /// Nothing: the request was no model call, or was refused.
    NotOurs,
    /// Nothing yet: its body is to be read.
    Asked(Endpoint),
    /// Which model each of the tries gives, and what was left out behind its name.
    By { answers: Vec<Answered>, ignored: Option<String> },
}

/// One exchange.
pub struct Exchange {
    router: Rc<Router>,
    /// Who asks, where it matters.
    caller: Option<Caller>,
    answer: Answer,
    learning: Option<Learning>,
}

impl Stream for Exchange {
    fn request_head(&mut self, head: &mut RequestHead) -> Next {
        for name in policy::foreign(head.headers()) {
            if !head.remove(&name) {
                return Next::Reply(policy::twice(&name));
            }
        }
        let listed = models::Asked::of(head.method(), head.path());
        let endpoint = Endpoint::of(head.method(), head.path());
        if listed.is_none() && endpoint.is_none() {
            return Next::Pass;
        }
        self.caller = match self.router.caller(head) {
            Ok(caller) => caller,
            Err(reply) => return Next::Reply(reply),
        };
        if let Some(listed) = listed {
            let answer = self.router.models.answer(&self.router.catalog, self.caller.as_ref(), &listed);
            return answer.map_or_else(Next::Reply, Next::Answer);
        }
        self.answer = endpoint.map_or(Answer::NotOurs, Answer::Asked);
        Next::Body
    }

    fn request_body(&mut self, head: &mut RequestHead, body: Vec<u8>) -> Edit {
        let Answer::Asked(endpoint) = self.answer else {
            return Edit::Keep;
        };
        let router = &self.router;
        let routed = router.route(self.caller.as_ref(), endpoint, &body);
        let Route { plan, retry, estimate, answers, ignored, body, lessons, .. } = match routed {
            Ok(route) => route,
            Err(reply) => return Edit::Reply(reply),
        };
        let route = plan.encode();
        head.set(headers::ROUTE, &route);
        head.set(headers::ESTIMATE, &estimate.encode());
        // A candidate that is alone is asked again when the connection broke.
        let again = plan.tries.first().filter(|_| plan.tries.len() == 1);
        for (name, it) in headers::TRIES.into_iter().zip(plan.tries.iter().chain(again)) {
            head.set(name, it.provider.as_str());
        }
        for (name, value) in retry.headers() {
            head.set(name, &value);
        }
        if let Some(hop) = &self.router.hop {
            head.set(headers::HOP, hop.reveal());
        }
        // `provider` takes the header off at its first attempt, and it stays off at the next.
        host::note::write("route", &route);
        self.answer = Answer::By { answers, ignored };
        self.learning = Some(Learning::new(lessons, retry.statuses().to_vec()));
        body.map_or(Edit::Keep, Edit::Replace)
    }

    fn response_head(&mut self, head: &mut ResponseHead) -> Watch {
        let Answer::By { answers, ignored } = &self.answer else { return Watch::Nothing };
        let attempts = host::ending::attempts();
        let index = attempts.and_then(|it| usize::try_from(it).ok()?.checked_sub(1)).unwrap_or_default();
        if let Some(Answered { model, reason, replaced }) = answers.get(index).or(answers.last()) {
            head.set(headers::MODEL, model);
            head.set(ROUTE_REASON, reason);
            if let Some(replaced) = replaced {
                head.set(MODEL_OVERRIDE, replaced);
            }
        }
        if let Some(attempts) = attempts {
            head.set(ATTEMPTS, &attempts.to_string());
        }
        if let Some(ignored) = ignored {
            head.set(PARAMETERS_IGNORED, ignored);
        }
        self.learning
            .as_mut()
            .map_or(Watch::Nothing, |it| it.answered(head, attempts, &self.router.seen, &self.router.names))
    }

    fn response_chunk(&mut self, chunk: Vec<u8>, last: bool) -> Chunk {
        if let Some(learning) = &mut self.learning {
            learning.piece(&chunk, last);
        }
        Chunk::Keep
    }

    fn log(&mut self) {
        if let Some(learning) = self.learning.take() {
            learning.over(&self.router.seen, &self.router.names);
        }
    }
}
