//! What the filter counts about itself. Labels are the limits' names and modes, which the configuration bounds.

use crate::rules::{Rule, Rules};
use domain::mode::Mode;
use host::metrics::Counter;
use std::collections::BTreeMap;

/// The filter's metrics.
pub(crate) struct Counters {
    /// Requests that passed every limit.
    pub(crate) passed: Counter,
    /// Requests that nobody vouches for.
    pub(crate) nobody: Counter,
    /// Requests of who is switched off.
    pub(crate) killed: Counter,
    /// Requests whose tier a limit does not know.
    pub(crate) unknown_tier: Counter,
    /// Requests that were given back, because a switch stopped them later.
    pub(crate) given_back: Counter,
    limits: BTreeMap<(String, &'static str), PerLimit>,
}

/// What is counted for each limit.
#[derive(Clone, Copy)]
pub(crate) struct PerLimit {
    /// Requests that it refused or, in shadow, would have.
    pub(crate) refused: Counter,
    /// Requests that it could not count.
    pub(crate) failed: Counter,
}

impl Counters {
    pub(crate) fn define(rules: &Rules) -> Self {
        let one = |what: &str| Counter::define(&format!("tollgate_ratelimit_{what}"));
        let of = |(name, mode): (String, &'static str)| {
            let one = |what: &str| one(&format!("{what}.limit.{name}.mode.{mode}"));
            let counters = PerLimit { refused: one("refused"), failed: one("failed") };
            ((name, mode), counters)
        };
        let mut names: Vec<_> = rules.iter().map(|it| label(it)).collect();
        names.sort_unstable();
        names.dedup();
        Self {
            passed: one("passed"),
            nobody: one("nobody"),
            killed: one("killed"),
            unknown_tier: one("unknown_tier"),
            given_back: one("given_back"),
            limits: names.into_iter().map(of).collect(),
        }
    }

    /// Counts one refusal.
    pub(crate) fn refused(&self, rule: &Rule) {
        if let Some(it) = self.limits.get(&label(rule)) {
            it.refused.add(1);
        }
    }

    /// Counts one failure to count.
    pub(crate) fn failed(&self, rule: &Rule) {
        if let Some(it) = self.limits.get(&label(rule)) {
            it.failed.add(1);
        }
    }
}

fn label(rule: &Rule) -> (String, &'static str) {
    let mode = match rule.limit.mode {
        Mode::Off => "off",
        Mode::Shadow => "shadow",
        Mode::Enforce => "enforce",
    };
    (rule.limit.name.clone(), mode)
}
