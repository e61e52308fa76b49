//! What one key may still spend of one budget: reserve before the request, settle after it.
//!
//! A reservation is an upper estimate. It is taken out of what is free, and given back when the request settles with what
//! it really used, or when it expires, because a worker died. So **used + reserved is never more than the limit** (of a
//! lease: than what was granted), but for what a request uses beyond its reservation: a plain answer that is longer than
//! what was left, or one that settles after its reservation expired.
//!
//! A request belongs to the period in which it began: what settles after the period's end changes nothing here.
//! State is a value; every function gets the clock. [`table`] keeps it in a fixed number of slots, [`Lease`] is how a
//! gateway gets a share of a budget that a whole fleet spends from.

mod lease;
mod slices;
mod state;
pub mod table;

pub use lease::{Answer, Lease, Question, Wish};
pub use state::{Lack, Reservation, State};

use crate::time::Micros;
use std::time::Duration;

/// What holds for one key of one budget at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How much may be used in the period: tokens, or nano-dollars.
    pub limit: u64,
    /// When the period began; zero for a rolling window.
    pub start: Micros,
    /// When it ends.
    pub end: Micros,
    /// The length of a rolling window.
    pub window: Option<Duration>,
    /// Only what the companion granted may be used, not the limit.
    pub leased: bool,
}

/// How much is to be reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// With less than this the request has no sense.
    pub least: u64,
    /// What it may use at the most.
    pub most: u64,
    /// All of it is reserved, whether it fits or not: the budget only warns.
    pub anyway: bool,
}

#[cfg(test)]
mod tests;
