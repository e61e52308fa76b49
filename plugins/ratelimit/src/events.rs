//! Reports of refusals to the companion: for each limit at most one per second and worker, which says how many it stands for.

use crate::{policy::Full, rules::Rule};
use domain::{caller::Caller, time::Micros};
use host::{
    Answer, CallId, NoAnswer, RequestHead, Root, companion::Client, ids::Ids, metrics::Counter, outbox::Outbox,
};
use serde::Serialize;
use std::{cell::RefCell, collections::BTreeMap, time::Duration};

/// Where reports go, and as which member of a batch.
const PATH: &str = "/internal/v1/events";
const MEMBER: &str = "events";

/// The least time between two reports of one limit.
const BETWEEN: Duration = Duration::from_secs(1);

/// The reports of one worker.
pub(crate) struct Events {
    outbox: Outbox,
    samples: RefCell<Samples>,
    ids: Ids,
}

/// What is reported; what nobody knows is empty.
#[derive(Debug, Serialize)]
struct Rejected<'a> {
    id: String,
    r#type: &'static str,
    at: u64,
    tenant_id: &'a str,
    project_id: &'a str,
    user_id: &'a str,
    limit: &'a str,
    key_kind: &'a str,
    request_id: &'a str,
    sampled: u64,
}

/// When each limit was reported last, and how many refusals were left out since.
#[derive(Debug, Default)]
struct Samples(BTreeMap<(String, String), (Micros, u64)>);

impl Samples {
    /// How many refusals a report at `now` stands for; `None`: there is to be none.
    fn count(&mut self, rule: &Rule, now: Micros) -> Option<u64> {
        let (last, left_out) = self.0.entry((rule.list.clone(), rule.limit.name.clone())).or_default();
        *left_out = left_out.saturating_add(1);
        if *last != Micros(0) && now.since(*last) < BETWEEN {
            return None;
        }
        *last = now;
        Some(std::mem::take(left_out))
    }
}

impl Events {
    pub(crate) fn new(client: &Client) -> Self {
        let dropped = Counter::define("tollgate_ratelimit_events_dropped");
        let outbox = Outbox::new(client.target(PATH, MEMBER), dropped);
        Self { outbox, samples: RefCell::default(), ids: Ids::default() }
    }

    /// Reports that a request was refused.
    pub(crate) fn rejected(&self, full: &Full, caller: Option<&Caller>, head: &RequestHead, now: Micros) {
        let Some(sampled) = self.samples.borrow_mut().count(&full.rule, now) else { return };
        let report = Rejected {
            id: self.ids.next(now),
            r#type: "ratelimit.rejected",
            at: now.0,
            tenant_id: caller.and_then(|it| it.tenant.as_deref()).unwrap_or_default(),
            project_id: caller.map(|it| it.project.as_str()).unwrap_or_default(),
            user_id: caller.map(|it| it.user.as_str()).unwrap_or_default(),
            limit: &full.rule.limit.name,
            key_kind: &full.rule.kind,
            request_id: head.headers().text("x-request-id").unwrap_or_default(),
            sampled,
        };
        // Texts and numbers always serialise.
        self.outbox.push(serde_json::to_vec(&report).unwrap_or_default());
    }

    pub(crate) fn tick(&self, root: &Root) {
        self.outbox.tick(root);
    }

    pub(crate) fn answered(&self, root: &Root, call: CallId, answer: &Result<Answer, NoAnswer>) {
        self.outbox.answered(root, call, answer);
    }
}
