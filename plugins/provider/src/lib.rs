//! The last step before a provider, once per attempt: path, host, credential and model id of the
//! provider that was chosen.
//!
//! It refuses to let anything leave that is not on its list: no credential, identity, cookie or
//! header of the gateway's reaches a provider, and nothing that tells of the gateway's account
//! there reaches the client. It chooses no provider and retries nothing; the proxy does.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails"))]

pub mod config;
pub mod filter;
pub mod identity;
pub mod native;
pub mod policy;
pub mod stream;

#[cfg(target_family = "wasm")]
host::register!(crate::filter::Providers);
