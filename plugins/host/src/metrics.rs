//! Counters that the proxy sums over its workers and exports.

use crate::abi;

/// A count that only grows. Define it once, when the plugin is configured: the host makes a new
/// one at every definition.
#[derive(Debug, Clone, Copy)]
pub struct Counter(Option<u32>);

impl Counter {
    /// Defines a counter. Names are `[a-z0-9_]`, begin with `tollgate_` and the filter's name, and
    /// are few: each lives as long as the proxy.
    #[must_use]
    pub fn define(name: &str) -> Self {
        let id = abi::define_counter(name);
        if let Err(status) = id {
            log::warn!("metric {name} not defined: {status:?}");
        }
        Self(id.ok())
    }

    /// Counts `n` more.
    pub fn add(&self, n: u64) {
        if let Some(id) = self.0 {
            abi::increment(id, i64::try_from(n).unwrap_or(i64::MAX));
        }
    }
}
