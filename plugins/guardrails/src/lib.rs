//! May this go in, and may this come out? Finds personal data, secrets and attempts to take over the model in what a request
//! tells it and in what it answers; masks them, or ends the exchange.
//!
//! It refuses to pass a body that it cannot read, changes no byte but what it masks, and never names a value that it found.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails"))]

mod analyzer;
pub mod answer;
pub mod config;
pub mod event;
pub mod explain;
pub mod filter;
pub mod found;
pub mod guards;
mod json_text;
mod meters;
mod pattern;
pub mod policy;
mod replace;
pub mod report;
mod request;
mod response;
pub mod shield;
mod words;

#[cfg(target_family = "wasm")]
host::register!(crate::filter::Guardrails);
