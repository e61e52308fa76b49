//! What came before? The history of the caller's session or thread goes into a chat completion,
//! and the turn is stored afterwards.
//!
//! It refuses to judge, mask or shorten anything, keeps no message beyond its own exchange, and
//! stores nothing of a request that was refused or an upstream that failed, except the question where a
//! project wants that.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails"))]

pub mod answered;
pub mod config;
pub mod filter;
pub mod ids;
pub mod memory;
pub mod policy;
pub mod recognise;
pub mod room;
pub mod turn;

#[cfg(target_family = "wasm")]
host::register!(crate::filter::Session);
