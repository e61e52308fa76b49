//! Counters that the proxy sums over its workers and exports.

use crate::{
    abi,
    kind::{Kind, kind},
};

/// A count that only grows. Define it once, when the plugin is configured: the host makes a new
/// one at every definition.
#[derive(Debug, Clone, Copy)]
pub struct Counter(Option<u32>);

impl Counter {
    /// Defines a counter. Names are `[a-z0-9_]`, begin with `tollgate_` and the filter's name, and
    /// are few: each lives as long as the proxy. Behind the name may stand labels, `.limit.user.mode.shadow`: in Envoy
    /// `stats_tags` make labels of them, in Kong, whose exporter takes no other characters, they become part of the name.
    #[must_use]
    pub fn define(name: &str) -> Self {
        let id = match kind() {
            Kind::Envoy => abi::define_counter(name),
            Kind::Kong => abi::define_counter(&plain(name)),
        };
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

fn plain(name: &str) -> String {
    name.chars().map(|it| if it.is_ascii_alphanumeric() { it.to_ascii_lowercase() } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_name_for_kong_has_its_labels_in_it() {
        assert_eq!(
            super::plain("tollgate_x_refused.limit.per-user.mode.shadow"),
            "tollgate_x_refused_limit_per_user_mode_shadow"
        );
    }
}
