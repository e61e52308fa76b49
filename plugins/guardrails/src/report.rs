//! The way of events to the companion: queued in the plugin, sent in batches from its tick, each once by its id.

use crate::event::{Event, Seen, Whose};
use host::{Answer, CallId, NoAnswer, Root, companion::Client, ids::Ids, metrics::Counter, outbox::Outbox};
use std::time::Duration;

/// Where events go, and as which member of a batch.
const PATH: &str = "/internal/v1/guardrails/events";
const MEMBER: &str = "events";

/// How often there is a look whether a batch is due.
pub const BEAT: Duration = Duration::from_millis(50);

/// The events of one worker.
#[derive(Debug)]
pub struct Reports {
    outbox: Outbox,
    ids: Ids,
}

impl Reports {
    /// None yet, on their way to the companion of `client`.
    #[must_use]
    pub fn new(client: &Client) -> Self {
        let dropped = Counter::define("tollgate_guardrails_events_dropped");
        Self { outbox: Outbox::new(client.target(PATH, MEMBER), dropped), ids: Ids::default() }
    }

    /// Queues what was `seen`.
    pub fn tell(&self, seen: &Seen, whose: Whose) {
        let now = host::now();
        if let Some(event) = Event::of(seen, whose, self.ids.next(now), now) {
            // Texts and numbers always serialise.
            self.outbox.push(serde_json::to_vec(&event).unwrap_or_default());
        }
    }

    /// Sends the next batch, if one is due. To be called from [`host::Plugin::tick`].
    pub fn tick(&self, root: &Root) {
        self.outbox.tick(root);
    }

    /// Whether the answer was to a batch.
    pub fn answered(&self, root: &Root, call: CallId, answer: &Result<Answer, NoAnswer>) -> bool {
        self.outbox.answered(root, call, answer)
    }
}
