//! The companion through its own surface: HTTP on two real listeners, and the built binary.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic, reason = "a test that fails may panic")]

mod app;
mod audit;
mod cli;
mod conversations;
mod fleet;
mod guardrails;
mod hostile;
mod hostile_threads;
mod keys;
mod ledger;
mod limits;
mod memory;
mod metrics;
mod mint;
mod models;
mod processes;
mod tenants;
mod threads;
mod titles;
mod turns;
mod usage;
