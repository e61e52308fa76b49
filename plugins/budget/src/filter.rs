//! The callbacks: read, decide, carry out.

use crate::config::Config;
use host::{Plugin, Root};
use std::rc::Rc;

/// The filter, configured.
pub struct BudgetFilter {}

/// One exchange.
pub struct Stream {}

impl Plugin for BudgetFilter {
    type Stream = Stream;

    fn configure(config: &[u8], _: &Root) -> Result<Self, String> {
        Config::parse(config)?;
        Ok(Self {})
    }

    fn stream(self: &Rc<Self>) -> Stream {
        Stream {}
    }
}

impl host::Stream for Stream {}
