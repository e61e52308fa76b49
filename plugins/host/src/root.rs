//! What a plugin may do outside an exchange.

use crate::{
    abi,
    contexts::{self, Owner},
    kind::{Kind, kind},
    plugin::{Call, CallId, NoAnswer},
    slots,
};
use std::{cell::Cell, time::Duration};

/// The plugin's own context: background work, call-outs, shared slots.
#[derive(Debug)]
pub struct Root {
    id: u32,
    ticking: Cell<bool>,
}

impl Root {
    pub(crate) fn new(id: u32) -> Self {
        Self { id, ticking: Cell::new(false) }
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// Has [`crate::Plugin::tick`] called about every `period`. The first wish counts: a second one would
    /// trap in Kong.
    pub fn tick_every(&self, period: Duration) {
        if self.ticking.replace(true) {
            return;
        }
        let millis = u32::try_from(period.as_millis()).unwrap_or(u32::MAX).max(1);
        if let Err(status) = abi::tick_every(millis) {
            log::error!("no ticks: {status:?}");
        }
    }

    /// Asks another service.
    ///
    /// # Errors
    /// [`NoAnswer::NotSent`] when the proxy does not know the service or has no endpoint of it.
    pub fn call(&self, call: &Call) -> Result<CallId, NoAnswer> {
        contexts::call(Owner::Root(self.id), call)
    }

    /// Whether an exchange may ask another service about a body ([`crate::Edit::Call`]), which Kong forbids.
    #[must_use]
    pub fn may_ask_about_bodies(&self) -> bool {
        kind() == Kind::Envoy
    }

    /// Whether an answer comes to the filters in the reverse order of its request. In Kong it comes in the same.
    #[must_use]
    pub fn answers_come_in_reverse(&self) -> bool {
        kind() == Kind::Envoy
    }

    /// Lets every request go on that waits under [`crate::Next::Hold`] with this number, and every answer under
    /// [`crate::Chunk::Hold`].
    pub fn release(&self, number: u32) {
        contexts::release(self.id, number);
    }

    /// Whether an exchange may hold the end of an answer ([`crate::Chunk::Hold`]), and its plugin ask another service
    /// meanwhile ([`Waker::call`]), both of which Kong forbids.
    #[must_use]
    pub fn may_hold_answers(&self) -> bool {
        kind() == Kind::Envoy
    }

    /// What an exchange of this plugin may have of it.
    #[must_use]
    pub fn waker(&self) -> Waker {
        Waker { root: self.id }
    }

    /// Creates the slots `0..count` of a table, where they do not exist: in Envoy two workers that
    /// create a slot at once do not notice each other, so it is done here, before there are workers.
    pub fn create_slots(&self, table: &str, count: u32) {
        if kind() == Kind::Envoy {
            slots::create(table, count);
        }
    }
}

/// What an exchange may do for its plugin.
#[derive(Debug, Clone, Copy)]
pub struct Waker {
    root: u32,
}

impl Waker {
    /// As [`Root::call`]: the answer comes to [`crate::Plugin::answered`], whatever becomes of the exchange. Not in Kong,
    /// which allows no call-out where a response is concerned.
    ///
    /// # Errors
    /// As for [`Root::call`].
    pub fn call(self, call: &Call) -> Result<CallId, NoAnswer> {
        contexts::call_for_root(self.root, call)
    }

    /// As [`Root::release`], as soon as the answer that came is dealt with; in [`crate::Stream::call_answered`].
    pub fn wake(self, number: u32) {
        contexts::wake(self.root, number);
    }
}
