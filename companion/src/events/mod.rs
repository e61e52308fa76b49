//! What happened, to be told to whoever operates this: a budget that runs out, requests that are refused, what guards found.
//!
//! An event is written into an outbox in the transaction of what it tells of, so that neither is without
//! the other. From there it goes to Redis and to webhooks, at least once each (`deliver`). It never holds
//! a user's name: [`record`] puts a hash in its place, keyed with this installation's own key.

mod deliver;
mod guards;
pub(crate) mod store;
mod timestamp;
mod webhook;
mod wire;

pub(crate) use deliver::{Deliverer, Target};
#[cfg(test)]
pub(crate) use guards::Report as GuardReport;
pub(crate) use guards::take as take_guards;
pub(crate) use store::record;
pub(crate) use webhook::{Sender, Webhook, sender};
pub(crate) use wire::take;
#[cfg(test)]
pub(crate) use wire::{Report, Taken};

use crate::random::{self, NoRandomness};
use domain::time::Micros;
use guardrails::event::Kind as Guard;
use serde_json::{Map, Value};
use std::fmt::Display;

/// The version of the fields' names and meanings, for whoever reads them.
const SCHEMA_VERSION: &str = "1";

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A budget passed one of its thresholds: `budget`, `threshold`, `unit`, `limit`, `used`, `period_start`.
    BudgetThreshold,
    /// A budget is used up: the same fields.
    BudgetExhausted,
    /// Requests were refused by a rate limit: `limit`, `key_kind`, `sampled`.
    RatelimitRejected,
    /// A guard found something: `direction`, `mode`, `action_taken`, `entity_types`, `entity_count`, `model`, `rule`, `score`.
    Guard(Guard),
}

impl Kind {
    /// Every kind.
    pub(crate) const ALL: [Self; 7] = [
        Self::BudgetThreshold,
        Self::BudgetExhausted,
        Self::RatelimitRejected,
        Self::Guard(Guard::PiiDetection),
        Self::Guard(Guard::PiiBlock),
        Self::Guard(Guard::InjectionDetection),
        Self::Guard(Guard::InjectionBlock),
    ];

    /// The name that readers know.
    #[must_use]
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::BudgetThreshold => "budget.threshold",
            Self::BudgetExhausted => "budget.exhausted",
            Self::RatelimitRejected => "ratelimit.rejected",
            Self::Guard(guard) => guard.name(),
        }
    }

    /// The stream in Redis for events of this name: what guards find has readers of its own.
    #[must_use]
    pub(crate) fn stream(name: &str) -> &'static str {
        let guards = Guard::ALL.iter().any(|it| it.name() == name);
        if guards { "guardrails:events" } else { "tollgate:events" }
    }
}

/// Something that happened: a flat map of texts. Whose it is (`tenant_id`, `project_id`) and the request
/// (`request_id`) are always in it, empty when nobody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    id: String,
    kind: Kind,
    recorded_at: Micros,
    user: Option<String>,
    fields: Map<String, Value>,
}

impl Event {
    /// Something that happened at `now`, with a new id.
    ///
    /// # Errors
    /// When the operating system has no random bytes to give.
    pub(crate) fn new(kind: Kind, now: Micros) -> Result<Self, NoRandomness> {
        Ok(Self::known(random::id("evt_")?, kind, now, now))
    }

    /// Something that happened at `at` and is recorded at `now`; it is recorded once for its `id`.
    #[must_use]
    pub(crate) fn known(id: String, kind: Kind, at: Micros, now: Micros) -> Self {
        let event = Self { id, kind, recorded_at: now, user: None, fields: Map::new() };
        let event = event.with("type", kind.name()).with("schema_version", SCHEMA_VERSION);
        let event = event.with("timestamp", timestamp::rfc3339(at));
        ["tenant_id", "project_id", "user_hash", "request_id"].into_iter().fold(event, |it, name| it.with(name, ""))
    }

    /// The event with one more field; a field that is there is replaced.
    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: impl Display) -> Self {
        self.fields.insert(name.to_owned(), Value::String(value.to_string()));
        self
    }

    /// The event, about this user of its project. The name itself goes no further than [`record`].
    #[must_use]
    pub(crate) fn about(mut self, user: &str) -> Self {
        self.user = (!user.is_empty()).then(|| user.to_owned());
        self
    }
}
