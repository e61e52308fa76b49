//! The callbacks: read, decide, carry out.

use crate::{
    config::Config,
    policy::{self, Route},
};
use domain::{chat::Endpoint, headers, kill::ModelSwitches, model::Catalog, secret::Secret};
use host::{Edit, Next, Plugin, RequestHead, ResponseHead, Root, Stream, Watch, metrics::Counter};
use std::rc::Rc;

/// Tells the client which model it got.
const MODEL_OVERRIDE: &str = "x-tollgate-model-override";

/// The router, configured.
pub struct Router {
    catalog: Catalog,
    kill: ModelSwitches,
    hop: Option<Secret>,
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
            kill: config.kill,
            not_found: Counter::define("tollgate_router_model_not_found"),
            killed: Counter::define("tollgate_router_killed"),
        })
    }

    fn stream(self: &Rc<Self>) -> Exchange {
        Exchange { router: Rc::clone(self), answer: Answer::NotOurs }
    }
}

/// What the response will be told.
enum Answer {
    /// Nothing: the request was no model call, or was refused.
    NotOurs,
    /// Nothing yet: its body is to be read.
    Asked(Endpoint),
    /// The model that was chosen, and what it replaced.
    By { model: String, replaced: Option<String> },
}

/// One exchange.
pub struct Exchange {
    router: Rc<Router>,
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
        self.answer = Answer::Asked(endpoint);
        Next::Body
    }

    fn request_body(&mut self, head: &mut RequestHead, body: Vec<u8>) -> Edit {
        let Answer::Asked(endpoint) = self.answer else {
            return Edit::Keep;
        };
        let router = &self.router;
        let Route { chain, model, estimate, replaced, body } =
            match policy::route(&router.catalog, &router.kill, endpoint, &body) {
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
        self.answer = Answer::By { model, replaced };
        body.map_or(Edit::Keep, Edit::Replace)
    }

    fn response_head(&mut self, head: &mut ResponseHead) -> Watch {
        if let Answer::By { model, replaced } = &self.answer {
            head.set(headers::MODEL, model);
            if let Some(replaced) = replaced {
                head.set(MODEL_OVERRIDE, replaced);
            }
        }
        Watch::Nothing
    }
}
