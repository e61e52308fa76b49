//! The callbacks: read, decide, carry out.

use crate::{
    config::Config,
    event::{Direction, Whose},
    found::Found,
    guards::{Guards, Table},
    meters::Meters,
    policy::{self, Deed, Outcome, Rules},
    report::{self, Reports},
};
use domain::{
    caller::{Caller, Identity},
    chat::Endpoint,
};
use host::{Answer, CallId, Edit, Next, NoAnswer, Plugin, RequestHead, ResponseHead, Root, Watch, companion::Client};
use std::rc::Rc;

/// The filter, configured.
pub struct Guardrails {
    config: Config,
    table: Table,
    meters: Meters,
    reports: Option<Reports>,
}

/// One exchange.
pub struct Stream {
    plugin: Rc<Guardrails>,
    caller: Option<Caller>,
    /// The gateway's id of the request.
    request: String,
    /// What the response is to say about the request.
    report: Option<String>,
}

impl Plugin for Guardrails {
    type Stream = Stream;

    fn configure(config: &[u8], root: &Root) -> Result<Self, String> {
        let config = Config::parse(config)?;
        let table = Table::new(&config, &host::env).map_err(|why| format!("guardrails: {why}"))?;
        let client = config.companion.as_ref().map(|it| Client::of(it, host::env)).transpose()?;
        if client.is_some() {
            root.tick_every(report::BEAT);
        }
        Ok(Self { table, meters: Meters::define(), reports: client.as_ref().map(Reports::new), config })
    }

    fn stream(self: &Rc<Self>) -> Stream {
        Stream { plugin: Rc::clone(self), caller: None, request: String::new(), report: None }
    }

    fn tick(&self, root: &Root) {
        self.reports.iter().for_each(|it| it.tick(root));
    }

    fn answered(&self, _: &Root, call: CallId, answer: Result<Answer, NoAnswer>) {
        if let Some(reports) = &self.reports {
            reports.answered(call, &answer);
        }
    }
}

impl Stream {
    fn guards(&self) -> &Guards {
        self.plugin.table.of(self.caller.as_ref())
    }

    fn project(&self) -> &str {
        self.caller.as_ref().map(|it| it.project.as_str()).unwrap_or_default()
    }

    /// Tells metrics and events what was found.
    fn tell(&self, direction: Direction, found: &Found, model: &str) {
        self.plugin.meters.count(direction, found);
        if let Some(reports) = &self.plugin.reports {
            let whose = Whose { caller: self.caller.as_ref(), request: &self.request, model };
            found.seen(direction).iter().for_each(|it| reports.tell(it, whose));
        }
    }

    fn inspect(&self, body: &[u8]) -> Outcome {
        let rules = Rules { guards: self.guards(), config: &self.plugin.config, project: self.project() };
        let outcome = policy::inspect(rules, body);
        if outcome.unseen {
            self.plugin.meters.unseen(Direction::Input);
        }
        self.tell(Direction::Input, &outcome.found, outcome.model.as_deref().unwrap_or_default());
        outcome
    }
}

impl host::Stream for Stream {
    fn request_head(&mut self, head: &mut RequestHead) -> Next {
        if Endpoint::of(head.method(), head.path()).is_none() {
            return Next::Pass;
        }
        if self.plugin.table.need_a_caller() || self.plugin.reports.is_some() {
            self.caller = match head.identity(self.plugin.config.trust) {
                Identity::Known(caller) => Some(caller),
                // Who is not known has what holds for all.
                Identity::Bypassed | Identity::Missing => None,
            };
        }
        if self.plugin.reports.is_some() {
            self.request = head.headers().text("x-request-id").unwrap_or_default().to_owned();
        }
        if self.guards().look_at_requests() { Next::Body } else { Next::Pass }
    }

    fn request_body(&mut self, _: &mut RequestHead, body: Vec<u8>) -> Edit {
        let outcome = self.inspect(&body);
        self.report = outcome.report;
        match outcome.deed {
            Deed::Pass => Edit::Keep,
            Deed::Mask(body) => Edit::Replace(body),
            Deed::Block(mut reply) => {
                reply.headers.extend(self.report.take().map(|report| (policy::REPORT, report)));
                Edit::Reply(reply)
            }
        }
    }

    fn response_head(&mut self, head: &mut ResponseHead) -> Watch {
        if let Some(report) = self.report.take() {
            head.set(policy::REPORT, &report);
        }
        Watch::Nothing
    }
}
