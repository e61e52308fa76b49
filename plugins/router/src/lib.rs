//! Which model, where? Reads the model's name from the request, in whatever form clients write it,
//! and names the candidates that are asked for it, in which order.
//!
//! It refuses a model that no rule covers, and guesses none. It changes one member of the body and
//! leaves every other byte alone; it holds no credential and calls nobody.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails"))]

mod candidates;
pub mod capability;
pub mod config;
pub mod explain;
pub mod filter;
mod glimpse;
pub mod health;
mod learning;
pub mod lesson;
pub mod models;
mod names;
mod order;
pub mod outcome;
pub mod policy;
mod preferences;
pub mod pseudonym;
pub mod retry;
mod telling;

#[cfg(target_family = "wasm")]
host::register!(crate::filter::Router);
