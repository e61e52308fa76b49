//! What time it is for the rows: what Envoy's clock says too, looked at once for all rows of a function, so that they can
//! sign a text and write it down again.

use std::sync::atomic::{AtomicU64, Ordering};

/// By how many seconds a row stays clear of the edge that time itself moves: it takes a while to be signed and sent.
pub(crate) const SOON: u64 = 20;

static NOW: AtomicU64 = AtomicU64::new(0);

pub(crate) fn now() -> u64 {
    NOW.load(Ordering::SeqCst)
}

/// Looks at the clock.
pub(crate) fn set() {
    NOW.store(tests::token::now(), Ordering::SeqCst);
}
