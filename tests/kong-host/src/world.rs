//! What one worker of Kong's is doing while a filter runs in it.

use crate::{
    exchange::Exchange,
    message::{CallAnswer, CallOut},
    shared::Node,
};
use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

/// What the worker is calling the filter for; much is allowed in some of these only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Before `_initialize` came back: any host call crashes the worker.
    Loading,
    Start,
    RequestHeaders,
    RequestBody,
    ResponseHeaders,
    ResponseBody,
    CallAnswered,
    Tick,
    Log,
    Done,
}

/// A call-out that waits for its answer.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) token: u32,
    pub(crate) context: u32,
    pub(crate) call: CallOut,
}

/// The running worker: what all VMs of it share.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) node: Rc<RefCell<Node>>,
    pub(crate) step: Step,
    /// The exchange that the running callback is about; none in a root context.
    pub(crate) exchange: Option<Exchange>,
    pub(crate) pending: Vec<Pending>,
    /// Counts through all contexts of the worker, from 0.
    pub(crate) next_token: u32,
    /// The answer that the running `proxy_on_http_call_response` is about.
    pub(crate) answer: Option<CallAnswer>,
    /// Root contexts that asked for ticks, with their period.
    pub(crate) ticks: BTreeMap<(String, u32), u32>,
    pub(crate) logs: Vec<String>,
    pub(crate) now_nanos: u64,
    /// A request's body beyond this is in a file, and no filter gets it.
    pub(crate) client_body_buffer: usize,
}

impl World {
    pub(crate) fn new(node: Rc<RefCell<Node>>) -> Self {
        Self {
            node,
            step: Step::Start,
            exchange: None,
            pending: Vec::new(),
            next_token: 0,
            answer: None,
            ticks: BTreeMap::new(),
            logs: Vec::new(),
            now_nanos: 1_800_000_000_000_000_000,
            client_body_buffer: 16 << 20,
        }
    }

    /// Whether the running callback is about a request, and not a root context's.
    pub(crate) fn in_exchange(&self) -> bool {
        self.exchange.is_some()
    }
}
