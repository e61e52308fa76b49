//! How often may a caller ask? A quota by tier, kept per project and user, exact over all of a
//! proxy's workers.
//!
//! It refuses to guess who calls: a request that nobody vouches for is answered 401. It does not
//! count tokens or money, and it does not share its counts with other proxies.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails"))]

pub mod config;
pub mod filter;
pub mod policy;
pub mod seed;

#[cfg(target_family = "wasm")]
host::register!(crate::filter::RateLimit);
