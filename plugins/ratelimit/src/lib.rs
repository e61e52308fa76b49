//! How often may who ask? Limits by user, project, tenant, address, tier, role and model, exact over all of a proxy's
//! workers, and over all gateways that share a companion.
//!
//! It refuses to guess who calls: a request that nobody vouches for is answered 401. It does not count tokens or money:
//! `budget` does.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails"))]

pub mod breaker;
pub mod config;
mod counters;
mod events;
pub mod filter;
mod fleet;
pub mod lease;
pub mod limit;
mod local;
pub mod policy;
pub mod rules;
pub mod wire;

#[cfg(target_family = "wasm")]
host::register!(crate::filter::RateLimit);
