//! What the metrics say: how many findings, by guard, by what was done and by direction.

use crate::{
    config::Action,
    event::Direction,
    found::{Found, Pii, Sentinel},
};
use domain::mode::Mode;
use host::metrics::Counter;
use std::collections::BTreeMap;

/// The counters of one direction.
struct Way {
    pii: BTreeMap<Action, Counter>,
    pii_shadow: Counter,
    sentinel_block: Counter,
    sentinel_shadow: Counter,
    unseen: Counter,
}

/// All counters.
pub(crate) struct Meters {
    request: Way,
    response: Way,
    restored: Counter,
    unanswered: Counter,
}

impl Meters {
    pub(crate) fn define() -> Self {
        Self {
            request: Way::define("request"),
            response: Way::define("response"),
            restored: Counter::define("tollgate_guardrails_restored"),
            unanswered: Counter::define("tollgate_guardrails_analyzer_failures"),
        }
    }

    /// Counts a request about which the analyzer did not answer.
    pub(crate) fn unanswered(&self) {
        self.unanswered.add(1);
    }

    /// Counts what was found, each thing that something was done with.
    pub(crate) fn count(&self, direction: Direction, found: &Found) {
        let way = self.way(direction);
        if let Some(pii) = &found.pii {
            way.count_pii(pii);
        }
        match &found.sentinel {
            Some(Sentinel { attack: true, mode: Mode::Shadow, .. }) => way.sentinel_shadow.add(1),
            Some(Sentinel { attack: true, .. }) => way.sentinel_block.add(1),
            _ => {}
        }
    }

    /// Counts a body that was not looked at, or not at all of it.
    pub(crate) fn unseen(&self, direction: Direction) {
        self.way(direction).unseen.add(1);
    }

    /// Counts placeholders that became values again.
    pub(crate) fn restored(&self, count: u64) {
        if count > 0 {
            self.restored.add(count);
        }
    }

    fn way(&self, direction: Direction) -> &Way {
        match direction {
            Direction::Input => &self.request,
            Direction::Output => &self.response,
        }
    }
}

impl Way {
    fn define(direction: &str) -> Self {
        let found = |guard: &str, action: &str| {
            Counter::define(&format!("tollgate_guardrails_found.guard.{guard}.action.{action}.direction.{direction}"))
        };
        Self {
            pii: Action::ALL.into_iter().map(|it| (it, found("pii", it.key()))).collect(),
            pii_shadow: found("pii", "shadow"),
            sentinel_block: found("sentinel", "block"),
            sentinel_shadow: found("sentinel", "shadow"),
            unseen: Counter::define(&format!("tollgate_guardrails_unseen.direction.{direction}")),
        }
    }

    fn count_pii(&self, pii: &Pii) {
        for (action, count) in pii.actions() {
            match pii.mode {
                Mode::Shadow => self.pii_shadow.add(count),
                _ => self.pii.get(&action).into_iter().for_each(|it| it.add(count)),
            }
        }
    }
}
