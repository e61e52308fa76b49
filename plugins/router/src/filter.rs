//! The callbacks: read, decide, carry out.

use crate::{
    capability,
    config::Config,
    policy::{self, Route},
};
use domain::{
    caller::{Caller, Identity, Trust},
    chat::Endpoint,
    headers,
    kill::ModelSwitches,
    mode::Mode,
    model::Catalog,
    price::Prices,
    reply::Reply,
    secret::Secret,
};
use host::{Edit, Next, Plugin, RequestHead, ResponseHead, Root, Stream, Watch, metrics::Counter};
use std::{collections::BTreeMap, rc::Rc};

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
    /// Tells how much each model takes, where that is looked at.
    models: Option<Prices>,
    enforce_length: bool,
    too_long: Counter,
    not_found: Counter,
    killed: Counter,
}

impl Plugin for Router {
    type Stream = Exchange;

    fn configure(config: &[u8], _: &Root) -> Result<Self, String> {
        let config = Config::parse(config)?;
        Ok(Self {
            catalog: config.catalog()?,
            hop: config.hop(host::env)?,
            models: match config.context_length {
                Mode::Off => None,
                Mode::Shadow | Mode::Enforce => Some(Prices::built_in(&BTreeMap::new())?),
            },
            enforce_length: config.context_length == Mode::Enforce,
            too_long: Counter::define("tollgate_router_context_length_exceeded"),
            trust: config.trust,
            kill: config.kill,
            not_found: Counter::define("tollgate_router_model_not_found"),
            killed: Counter::define("tollgate_router_killed"),
        })
    }

    fn stream(self: &Rc<Self>) -> Exchange {
        Exchange { router: Rc::clone(self), caller: None, answer: Answer::NotOurs }
    }
}

impl Router {
    /// Reads the body, and finds where it leads.
    fn route(&self, caller: Option<&Caller>, endpoint: Endpoint, body: &[u8]) -> Result<Route, Reply> {
        let route = policy::route(&self.catalog, &self.kill, caller, endpoint, body)?;
        let models = self.models.as_ref();
        match models.and_then(|models| capability::too_long(models, endpoint, &route.estimate)) {
            Some(reply) => {
                self.too_long.add(1);
                if self.enforce_length { Err(reply) } else { Ok(route) }
            }
            None => Ok(route),
        }
    }
}

/// What the response will be told.
enum Answer {
    /// Nothing: the request was no model call, or was refused.
    NotOurs,
    /// Nothing yet: its body is to be read.
    Asked(Endpoint),
    /// The model that was chosen, and what it replaced.
    By { model: String, reason: &'static str, replaced: Option<String>, ignored: Option<String> },
}

/// One exchange.
pub struct Exchange {
    router: Rc<Router>,
    /// Who asks, where it matters.
    caller: Option<Caller>,
    answer: Answer,
}

impl Stream for Exchange {
    fn request_head(&mut self, head: &mut RequestHead) -> Next {
        for name in policy::foreign(head.headers()) {
            if !head.remove(&name) {
                return Next::Reply(policy::twice(&name));
            }
        }
        let Some(endpoint) = Endpoint::of(head.method(), head.path()) else {
            return Next::Pass;
        };
        if self.router.catalog.asks_who() {
            match head.identity(self.router.trust) {
                Identity::Known(caller) => self.caller = Some(caller),
                Identity::Bypassed => {}
                Identity::Missing => return Next::Reply(policy::nobody()),
            }
        }
        self.answer = Answer::Asked(endpoint);
        Next::Body
    }

    fn request_body(&mut self, head: &mut RequestHead, body: Vec<u8>) -> Edit {
        let Answer::Asked(endpoint) = self.answer else {
            return Edit::Keep;
        };
        let router = &self.router;
        let routed = router.route(self.caller.as_ref(), endpoint, &body);
        let Route { chain, model, estimate, replaced, reason, ignored, body } = match routed {
            Ok(route) => route,
            Err(reply) => {
                match reply.code {
                    "model_not_found" => router.not_found.add(1),
                    "killed" => router.killed.add(1),
                    _ => {}
                }
                return Edit::Reply(reply);
            }
        };
        head.set(headers::CHAIN, &chain);
        head.set(headers::MODEL, &model);
        head.set(headers::ESTIMATE, &estimate.encode());
        if let Some(hop) = &self.router.hop {
            head.set(headers::HOP, hop.reveal());
        }
        // `provider` takes these headers off at its first attempt, and they stay off at the next.
        host::note::write("route", &format!("{chain} {model}"));
        self.answer = Answer::By { model, reason, replaced, ignored };
        body.map_or(Edit::Keep, Edit::Replace)
    }

    fn response_head(&mut self, head: &mut ResponseHead) -> Watch {
        if let Answer::By { model, reason, replaced, ignored } = &self.answer {
            head.set(headers::MODEL, model);
            head.set(ROUTE_REASON, reason);
            if let Some(attempts) = host::ending::attempts() {
                head.set(ATTEMPTS, &attempts.to_string());
            }
            for (name, told) in [(MODEL_OVERRIDE, replaced), (PARAMETERS_IGNORED, ignored)] {
                if let Some(told) = told {
                    head.set(name, told);
                }
            }
        }
        Watch::Nothing
    }
}
