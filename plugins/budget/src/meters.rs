//! What is counted for whoever runs the proxy. Labels are budgets' names, which the configuration bounds.

use crate::rules::Rules;
use host::metrics::Counter;
use std::collections::BTreeMap;

/// Counters.
pub(crate) struct Meters {
    refused: BTreeMap<String, Counter>,
    shadowed: BTreeMap<String, Counter>,
    warned: BTreeMap<String, Counter>,
    cut: Counter,
    too_dear: Counter,
    pub(crate) unpriced: Counter,
    pub(crate) nobody: Counter,
    pub(crate) failed: Counter,
    pub(crate) no_lease: Counter,
    pub(crate) estimated: Counter,
    pub(crate) settled: Counter,
}

impl Meters {
    pub(crate) fn define(rules: &Rules) -> Self {
        let define = |what: &str| Counter::define(&format!("tollgate_budget_{what}"));
        let each = |what: &str| {
            let named = |name: &str| (name.to_owned(), define(&format!("{what}.budget.{name}")));
            rules.names().into_iter().map(named).collect()
        };
        Self {
            refused: each("refused"),
            shadowed: each("shadowed"),
            warned: each("warned"),
            cut: define("cut"),
            too_dear: define("too_dear"),
            unpriced: define("unpriced"),
            nobody: define("nobody"),
            failed: define("failed"),
            no_lease: define("no_lease"),
            estimated: define("estimated"),
            settled: define("settled"),
        }
    }

    pub(crate) fn refused(&self, budget: &str) {
        count(&self.refused, budget);
    }

    pub(crate) fn shadowed(&self, budget: &str) {
        count(&self.shadowed, budget);
    }

    pub(crate) fn warned(&self, budget: &str) {
        count(&self.warned, budget);
    }

    pub(crate) fn cut(&self) {
        self.cut.add(1);
    }

    pub(crate) fn too_dear(&self) {
        self.too_dear.add(1);
    }
}

fn count(counters: &BTreeMap<String, Counter>, budget: &str) {
    if let Some(counter) = counters.get(budget) {
        counter.add(1);
    }
}
