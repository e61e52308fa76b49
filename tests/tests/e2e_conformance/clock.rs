//! What time it is for the rows: what Envoy's clock says too.

/// By how many seconds a row stays clear of the edge that time itself moves: it takes a while to be signed and sent.
pub(crate) const SOON: u64 = 20;

pub(crate) use tests::token::now;
