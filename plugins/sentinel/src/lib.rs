//! Tells attempts to take over a model from what people ask it: prompt injection, in a text.
//!
//! Pure: text in, verdict out, the same in the gateway (wasm), in the companion and in training (native). It judges what stands in the
//! text. It does not follow links, ask a model, or know what the application is for.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails"))]

mod automaton;
mod codes;
mod disguise;
mod features;
mod fold;
mod layer;
mod lexicon;
mod ngrams;
mod reading;
mod response;
mod rules;
mod signals;
mod steps;
mod structure;
mod verdict;
mod views;
mod windows;
mod words;

pub use features::{FEATURES, Feature, Region, features, name, units};
pub use layer::{BACKED, HEADER, Header, Layer, WeightsError};
pub use response::{LOOK_BACK, answer};
pub use verdict::{Hit, Verdict, judge, judge_all, prepare, threshold};
