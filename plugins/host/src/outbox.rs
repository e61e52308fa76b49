//! What a filter has to report after an exchange is over, kept until somebody has taken it.
//!
//! Envoy loses the answer to a call-out of an exchange that ended and Kong forbids the call-out, so
//! reports are queued here, in the plugin, and sent in batches from its tick, or in Envoy at once. A batch leaves the
//! queue when it was answered 2xx; until then it is sent again, ever more slowly. The receiver must
//! therefore be idempotent. The queue is bounded: what does not fit is dropped, and the log says so.
//!
//! A report can be delivered ([`Outbox::deliver`]): who pushed it then waits until it was taken, for a while.

mod queue;

use crate::{
    Root,
    metrics::Counter,
    now,
    plugin::{Answer, Call, CallId, NoAnswer},
    root::Waker,
};
use domain::{secret::Secret, time::Micros};
use queue::{Outcome, Queue};
use std::{cell::RefCell, time::Duration};

/// Where reports go.
#[derive(Debug, Clone)]
pub struct Target {
    /// The cluster to call; in Kong `host:port`.
    pub cluster: String,
    /// The `host` header.
    pub authority: String,
    /// The path that takes a batch: `{"<member>": [report, …]}`.
    pub path: String,
    /// The member of the batch that holds the reports.
    pub member: &'static str,
    /// Sent as `authorization: Bearer …`.
    pub secret: Option<Secret>,
    /// How long a batch may take.
    pub timeout: Duration,
}

/// A bounded queue of reports on their way to a [`Target`].
#[derive(Debug)]
pub struct Outbox {
    target: Target,
    queue: RefCell<Queue>,
    dropped: Counter,
}

impl Outbox {
    /// An empty outbox that counts what it drops in `dropped`.
    #[must_use]
    pub fn new(target: Target, dropped: Counter) -> Self {
        Self { target, queue: RefCell::default(), dropped }
    }

    /// Queues one report, a JSON value.
    pub fn push(&self, report: Vec<u8>) {
        if !self.queue.borrow_mut().push(report, None) {
            self.dropped();
        }
    }

    /// Queues one report that there can be very many of while nobody takes any: it is left out, and not counted as dropped,
    /// unless what waits before it is little.
    pub fn offer(&self, report: Vec<u8>) {
        self.queue.borrow_mut().offer(report);
    }

    /// Queues one report and sends it at once, unless another batch is on its way, which it then follows. The number that
    /// [`Root::release`] is called with when it was taken or refused for good, or after `patience`; `None` when there was no
    /// room for it.
    pub fn deliver(&self, report: Vec<u8>, waker: Waker, patience: Duration) -> Option<u32> {
        let number = self.queue.borrow_mut().number();
        if !self.queue.borrow_mut().push(report, Some((number, now().after(patience)))) {
            self.dropped();
            return None;
        }
        self.send(|call| waker.call(call));
        Some(number)
    }

    /// Sends the next batch, if one is due. To be called from [`crate::Plugin::tick`].
    pub fn tick(&self, root: &Root) {
        let late = self.queue.borrow_mut().late(now());
        self.send(|call| root.call(call));
        for number in late {
            root.release(number);
        }
    }

    /// Takes note of an answer; `false` when it is not for a batch of this outbox.
    pub fn answered(&self, root: &Root, call: CallId, answer: &Result<Answer, NoAnswer>) -> bool {
        if !self.queue.borrow().waits_for(call) {
            return false;
        }
        let outcome = Outcome::of(answer.as_ref().ok().map(|it| it.status));
        if outcome != Outcome::Taken {
            log::warn!("{}: a batch was not taken: {}", self.target.path, describe(answer));
        }
        // The next batch is on its way before the exchanges of this one go on.
        let free = self.settle(outcome, now());
        self.send(|call| root.call(call));
        for number in free {
            root.release(number);
        }
        true
    }

    /// Sends the next batch, if one is due.
    fn send(&self, ask: impl FnOnce(&Call) -> Result<CallId, NoAnswer>) {
        let now = now();
        let Some(batch) = self.queue.borrow_mut().next(now, self.target.timeout) else {
            return;
        };
        let mut headers = vec![("content-type", "application/json".to_owned())];
        if let Some(secret) = &self.target.secret {
            headers.push(("authorization", format!("Bearer {}", secret.reveal())));
        }
        let call = Call {
            cluster: self.target.cluster.clone(),
            method: "POST",
            authority: self.target.authority.clone(),
            path: self.target.path.clone(),
            headers,
            body: wrap(self.target.member, &batch),
            timeout: self.target.timeout,
        };
        match ask(&call) {
            Ok(id) => self.queue.borrow_mut().sent(id),
            Err(_) => drop(self.settle(Outcome::Later, now)),
        }
    }

    /// Ends the flight; the numbers of those that need not wait any more.
    fn settle(&self, outcome: Outcome, now: Micros) -> Vec<u32> {
        let settled = self.queue.borrow_mut().settle(outcome, now);
        if settled.dropped > 0 {
            self.dropped.add(settled.dropped);
            log::error!("{}: refused for good, {} report(s) dropped", self.target.path, settled.dropped);
        }
        settled.free
    }

    fn dropped(&self) {
        self.dropped.add(1);
        log::error!("{}: the queue is full, a report was dropped", self.target.path);
    }
}

fn describe(answer: &Result<Answer, NoAnswer>) -> String {
    match answer {
        Ok(answer) => format!("status {}", answer.status),
        Err(why) => format!("{why:?}"),
    }
}

fn wrap(member: &str, reports: &[Vec<u8>]) -> Vec<u8> {
    let mut body = format!("{{\"{member}\":[").into_bytes();
    body.extend(reports.join(&b','));
    body.extend(b"]}");
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_one_json_object() {
        assert_eq!(wrap("turns", &[b"{}".to_vec(), b"1".to_vec()]), br#"{"turns":[{},1]}"#);
    }
}
