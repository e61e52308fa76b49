//! What Tollgate's parts know about the world: callers, limits, model names, chats, answers.
//!
//! Nothing here does I/O, reads a clock, draws a random number or names a proxy: every function is
//! data in, data out. The filters and the companion share it, so both mean the same thing.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails"))]

pub mod budget;
pub mod caller;
pub mod calls;
pub mod chat;
pub mod choice;
pub mod companion;
pub mod estimate;
pub mod headers;
pub mod kill;
pub mod mode;
pub mod model;
pub mod money;
pub mod period;
pub mod price;
pub mod project;
pub mod provider;
pub mod quota;
pub mod reply;
pub mod secret;
pub mod slots;
pub mod sse;
pub mod time;
pub mod turn;
pub mod usage;
