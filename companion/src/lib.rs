//! Tollgate's companion: the service behind the filters. It mints end users' tokens, publishes the
//! keys that verify them, and remembers threads and sessions.
//!
//! It refuses to be on the way of a chat: gateways verify tokens without it, and ask it only for
//! what must be remembered. It believes its own signature and the internal secret, never a header.
//!
//! A handler (`http`) extracts, calls a function of (store, caller, now, input), and answers JSON.
//! Only `store` talks SQL; only `clock` reads the clock.

mod address;
mod allowance;
mod api_key;
mod caller;
pub mod cli;
pub mod clock;
mod constant_time;
mod conversations;
mod db;
mod events;
mod failed_mints;
mod failure;
mod http;
mod ledger;
mod measures;
mod memory;
mod metrics;
mod mint;
mod names;
mod open_turns;
#[cfg(test)]
mod openapi;
mod published;
mod random;
mod redis_link;
mod refusals;
mod server;
mod settings;
mod signing;
mod store;
mod tenant_keys;
mod threads;
mod title;
mod titles;
mod tokens;
mod trial;
mod turns;
mod usage;

pub use memory::Limits;
pub use server::{Running, StartError, serve};
pub use settings::{SessionStore, Settings};
pub use titles::TitleModel;
