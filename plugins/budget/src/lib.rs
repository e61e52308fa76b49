//! May it cost that? Tokens and money are reserved before a request, and settled by what it really used.
//!
//! It refuses to read who calls from anything that a client can write, to count a model without a price as free, and to
//! collect a stream: of an answer it holds back one unfinished event.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails"))]

mod accounts;
mod background;
pub mod config;
pub mod filter;
mod headers;
mod lease;
mod meters;
mod policy;
mod record;
mod rules;
mod settle;
mod stream;
mod tail;
mod tally;
mod tariff;
mod ticket;

#[cfg(target_family = "wasm")]
host::register!(crate::filter::BudgetFilter);
