//! May it cost that? Tokens and money are reserved before a request, and settled by what it really used.
//!
//! It refuses to read who calls from anything that a client can write, to count a model without a price as free, and to
//! collect a stream: of an answer it holds back one unfinished event.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails"))]

pub mod config;
pub mod filter;
mod rules;
mod stream;
mod tally;
mod tariff;

#[cfg(target_family = "wasm")]
host::register!(crate::filter::BudgetFilter);
