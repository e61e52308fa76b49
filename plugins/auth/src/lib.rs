//! Who is it? Verifies the caller's token, takes away what a client must not say about itself, and
//! writes down who calls for the filters behind.
//!
//! It refuses to believe anything that the token says about how to verify it, to let a request pass
//! because something is missing, and to say more about a refused token than that it is refused.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails"))]

pub mod algorithm;
pub mod cache;
pub mod claims;
pub mod config;
pub mod fetching;
pub mod filter;
mod hash;
pub mod json;
mod jwk;
pub mod jwks;
pub mod keys;
mod known_answers;
pub mod mapping;
pub mod policy;
mod public_key;
pub mod request;
mod rsa;
pub mod schedule;
pub mod signature;
pub mod token;
pub mod verify;

#[cfg(target_family = "wasm")]
host::register!(crate::filter::Auth);
