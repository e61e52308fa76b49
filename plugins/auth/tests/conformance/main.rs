//! What is a good token, and what is not: a row for each way in which one can be wrong, with the word for what must
//! become of it (the names of `Denial`, `ok`, `ask`). Tokens are signed here, with keys made for one run.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "test code: a broken assumption should stop the test where it broke"
)]

mod algorithms;
mod bound_keys;
mod config;
mod form;
mod gate;
mod identity;
mod key_members;
mod key_sets;
mod signatures;
mod support;
mod times;
