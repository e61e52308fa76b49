//! What gateways measured of models: put together here for all of them, and shown to whoever asks which are good.
//!
//! A gateway tells what it has seen since it last told, and gets back what all have seen; so each chooses by the
//! experience of all. What is told twice counts twice: these are averages to choose by, not bills.

mod board;
pub(crate) mod store;
#[cfg(test)]
mod tests;

pub(crate) use board::Leaderboard;

use crate::failure::Failure;
use crate::usage::Db;
use domain::choice::{Measured, Measures, Snapshot};
use domain::time::Micros;
use std::collections::BTreeMap;

/// Candidates of one report.
const MOST: usize = 256;
/// Bytes of a candidate's name.
const LONGEST_NAME: usize = 512;

/// Adds what a gateway tells, all or none; the answer is what is known of the same candidates now.
///
/// # Errors
/// 400 when a candidate cannot be one; 503 when the database does not answer.
pub(crate) async fn take(db: &Db, now: Micros, told: Snapshot) -> Result<Snapshot, Failure> {
    if told.measures.len() > MOST {
        let what = format!("expected at most {MOST} candidates, found {}", told.measures.len());
        return Err(Failure::invalid("measures", what));
    }
    // In an order that all companions share: they lock rows in it.
    let mut candidates = BTreeMap::<String, Measures>::new();
    for (nth, Measured { candidate, measures }) in told.measures.into_iter().enumerate() {
        if !is_name(&candidate) {
            let what = format!("expected 1 to {LONGEST_NAME} bytes without control characters");
            return Err(Failure::invalid(&format!("measures[{nth}].candidate"), what));
        }
        let known = candidates.entry(candidate).or_default();
        *known = std::mem::take(known).then(&measures.until(now));
    }
    let measures = Db::bounded(store::merge(db, candidates, now)).await?;
    Ok(Snapshot { measures })
}

/// What is known of every candidate that was measured lately.
///
/// # Errors
/// 503 when the database does not answer.
pub(crate) async fn all(db: &Db) -> Result<Snapshot, Failure> {
    Ok(Snapshot { measures: Db::bounded(store::all(db)).await? })
}

fn is_name(text: &str) -> bool {
    (1..=LONGEST_NAME).contains(&text.len()) && !text.contains(char::is_control)
}
