//! May this go in? Finds e-mail addresses and secrets in what a request tells the model, and masks
//! them or blocks the request.
//!
//! It refuses to pass a body that it cannot read, changes no byte but what it masks, and never
//! names a value that it found. It does not look at answers, and asks no other service.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails"))]

#[allow(dead_code, reason = "the filter asks it next")]
mod analyzer;
pub mod answer;
pub mod config;
pub mod event;
pub mod filter;
pub mod policy;
pub mod report;

#[cfg(target_family = "wasm")]
host::register!(crate::filter::Guardrails);
