//! Which candidate to try first: what is known of each, how answers are judged, and the orders that follow from it.
//!
//! Everything here is a function of its arguments: the time is a [`Micros`](crate::time::Micros), chance is an [`Rng`]
//! that the caller seeds. What is kept of a candidate, its [`Breaker`] and what was [`Kept`] of its measures, is a slot
//! of bytes in shared memory that several workers write with compare-and-swap. Reading such a slot is total: what is none is
//! an empty one. The only floating-point numbers of the crate's state are here: they order candidates, and never bill.

mod bandit;
mod breaker;
mod bytes;
mod measure;
mod reward;
mod rng;
mod shape;
mod strategy;
mod validity;
mod wire;

pub use breaker::{Admit, Breaker};
pub use measure::{Kept, Measures, Rewards, Sample};
pub use reward::{Compared, reward};
pub use rng::Rng;
pub use strategy::{Known, Strategy, order};
pub use validity::{Judge, Verdict};
pub use wire::{Measured, Snapshot};

#[cfg(test)]
mod simulation;
