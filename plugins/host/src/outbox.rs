//! What a filter has to report after an exchange is over, kept until somebody has taken it.
//!
//! Envoy loses the answer to a call-out of an exchange that ended and Kong forbids the call-out, so
//! reports are queued here, in the plugin, and sent in batches from its tick. A batch leaves the
//! queue when it was answered 2xx; until then it is sent again, ever more slowly. The receiver must
//! therefore be idempotent. The queue is bounded: what does not fit is dropped, and the log says so.

use crate::{
    Root,
    metrics::Counter,
    now,
    plugin::{Answer, Call, CallId, NoAnswer},
};
use domain::{secret::Secret, time::Micros};
use std::{cell::RefCell, collections::VecDeque, time::Duration};

/// How many reports one batch holds at the most.
const MAX_BATCH: usize = 64;
/// How many bytes of reports one batch holds at the most; a larger report travels alone.
const MAX_BATCH_BYTES: usize = 1 << 20;
/// How many bytes of reports wait at the most, in each worker.
const MAX_QUEUED_BYTES: usize = 16 << 20;
/// The first wait after a failure; each further one doubles it.
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

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
        if !self.queue.borrow_mut().push(report) {
            self.dropped.add(1);
            log::error!("{}: the queue is full, a report was dropped", self.target.path);
        }
    }

    /// Sends the next batch, if one is due. To be called from [`crate::Plugin::tick`].
    pub fn tick(&self, root: &Root) {
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
        match root.call(&call) {
            Ok(id) => self.queue.borrow_mut().sent(id),
            Err(_) => self.settle(Outcome::Later, now),
        }
    }

    /// Takes note of an answer; `false` when it is not for a batch of this outbox.
    pub fn answered(&self, call: CallId, answer: &Result<Answer, NoAnswer>) -> bool {
        if !self.queue.borrow().waits_for(call) {
            return false;
        }
        let outcome = Outcome::of(answer);
        if outcome != Outcome::Taken {
            log::warn!("{}: a batch was not taken: {}", self.target.path, describe(answer));
        }
        self.settle(outcome, now());
        true
    }

    fn settle(&self, outcome: Outcome, now: Micros) {
        let dropped = self.queue.borrow_mut().settle(outcome, now);
        if dropped > 0 {
            self.dropped.add(dropped);
            log::error!("{}: refused for good, {dropped} report(s) dropped", self.target.path);
        }
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

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Taken,
    /// The same batch may be taken later.
    Later,
    /// This batch will never be taken.
    Never,
}

impl Outcome {
    fn of(answer: &Result<Answer, NoAnswer>) -> Self {
        match answer.as_ref().map(|it| it.status) {
            Ok(200..=299) => Self::Taken,
            // A wrong secret is an operator's mistake that is soon mended; what was served must not be lost by it.
            Ok(401 | 403 | 404 | 408 | 425 | 429) | Err(_) => Self::Later,
            Ok(400..=499) => Self::Never,
            Ok(_) => Self::Later,
        }
    }
}

#[derive(Debug, Default)]
enum Flight {
    /// Nothing is under way, and nothing is to be before this moment.
    #[default]
    Ready,
    Resting(Micros),
    /// The first `reports` of the queue are under way; not answered by `until`, they count as lost.
    Sending {
        reports: usize,
        call: Option<CallId>,
        until: Micros,
    },
}

/// The queue without the proxy.
#[derive(Debug, Default)]
struct Queue {
    reports: VecDeque<Vec<u8>>,
    bytes: usize,
    flight: Flight,
    failures: u32,
    /// One at a time, to find the report for which a whole batch was refused.
    singly: bool,
}

impl Queue {
    fn push(&mut self, report: Vec<u8>) -> bool {
        let bytes = self.bytes.saturating_add(report.len());
        if bytes > MAX_QUEUED_BYTES {
            return false;
        }
        self.bytes = bytes;
        self.reports.push_back(report);
        true
    }

    /// The batch to send now, if one is due.
    fn next(&mut self, now: Micros, timeout: Duration) -> Option<Vec<Vec<u8>>> {
        match self.flight {
            Flight::Ready => {}
            Flight::Resting(until) | Flight::Sending { until, .. } if now < until => return None,
            Flight::Resting(_) => {}
            Flight::Sending { .. } => self.failures = self.failures.saturating_add(1),
        }
        self.flight = Flight::Ready;
        let most = if self.singly { 1 } else { MAX_BATCH };
        let mut bytes = 0_usize;
        let fits = |report: &&Vec<u8>| {
            let first = bytes == 0;
            bytes = bytes.saturating_add(report.len());
            first || bytes <= MAX_BATCH_BYTES
        };
        let batch: Vec<_> = self.reports.iter().take(most).take_while(fits).cloned().collect();
        if batch.is_empty() {
            return None;
        }
        // The proxy answers every call-out within its timeout; the grace covers a lost answer.
        let until = now.after(timeout.saturating_mul(2));
        self.flight = Flight::Sending { reports: batch.len(), call: None, until };
        Some(batch)
    }

    fn sent(&mut self, id: CallId) {
        if let Flight::Sending { call, .. } = &mut self.flight {
            *call = Some(id);
        }
    }

    fn waits_for(&self, id: CallId) -> bool {
        matches!(self.flight, Flight::Sending { call: Some(call), .. } if call == id)
    }

    /// Ends the flight; how many reports were given up.
    fn settle(&mut self, outcome: Outcome, now: Micros) -> u64 {
        let Flight::Sending { reports, .. } = self.flight else {
            return 0;
        };
        self.flight = Flight::Ready;
        match outcome {
            Outcome::Taken => {
                self.forget(reports);
                (self.failures, self.singly) = (0, false);
                0
            }
            Outcome::Never if reports > 1 => {
                self.singly = true;
                0
            }
            Outcome::Never => {
                self.forget(reports);
                u64::try_from(reports).unwrap_or(u64::MAX)
            }
            Outcome::Later => {
                let wait = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(self.failures));
                self.failures = self.failures.saturating_add(1);
                self.flight = Flight::Resting(now.after(wait.min(LONGEST_WAIT)));
                0
            }
        }
    }

    fn forget(&mut self, count: usize) {
        for report in self.reports.drain(..count.min(self.reports.len())) {
            self.bytes = self.bytes.saturating_sub(report.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn queue(reports: &[&str]) -> Queue {
        let mut queue = Queue::default();
        for report in reports {
            assert!(queue.push(report.as_bytes().to_vec()));
        }
        queue
    }

    /// Sends what is due at `at` milliseconds and settles it; how many reports were in it.
    fn send(queue: &mut Queue, at: u64, outcome: Outcome) -> Option<usize> {
        let now = Micros(at * 1_000);
        let batch = queue.next(now, SECOND)?;
        queue.sent(CallId(7));
        assert!(queue.waits_for(CallId(7)) && !queue.waits_for(CallId(8)));
        queue.settle(outcome, now);
        Some(batch.len())
    }

    #[test]
    fn a_batch_stays_until_it_was_taken() {
        let mut queue = queue(&["1", "2"]);
        assert_eq!(send(&mut queue, 0, Outcome::Later), Some(2));
        assert_eq!(send(&mut queue, 49, Outcome::Taken), None, "it waits first");
        assert_eq!(send(&mut queue, 50, Outcome::Taken), Some(2));
        assert_eq!(send(&mut queue, 51, Outcome::Taken), None);
        assert_eq!(queue.bytes, 0);
    }

    #[test]
    fn the_wait_doubles_up_to_a_bound() {
        let mut queue = queue(&["1"]);
        let mut at = 0;
        let mut waits = Vec::new();
        for _ in 0..9 {
            assert_eq!(send(&mut queue, at, Outcome::Later), Some(1));
            let Flight::Resting(until) = queue.flight else { panic!("it rests") };
            waits.push(until.0 / 1_000 - at);
            at = until.0 / 1_000;
        }
        assert_eq!(waits, [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    }

    #[test]
    fn one_bad_report_does_not_take_the_others_with_it() {
        let mut queue = queue(&["good", "bad", "good"]);
        assert_eq!(send(&mut queue, 0, Outcome::Never), Some(3));
        assert_eq!(send(&mut queue, 0, Outcome::Taken), Some(1));
        assert_eq!(send(&mut queue, 0, Outcome::Never), Some(2));
        assert_eq!(send(&mut queue, 0, Outcome::Never), Some(1));
        assert_eq!(send(&mut queue, 0, Outcome::Taken), Some(1));
        assert_eq!(send(&mut queue, 0, Outcome::Taken), None);
    }

    #[test]
    fn a_lost_answer_does_not_stop_the_queue() {
        let mut queue = queue(&["1"]);
        assert!(queue.next(Micros(0), SECOND).is_some());
        assert!(queue.next(Micros(1_999_999), SECOND).is_none());
        assert!(queue.next(Micros(2_000_000), SECOND).is_some());
    }

    #[test]
    fn the_queue_is_bounded_and_so_is_a_batch() {
        let mut queue = Queue::default();
        let report = vec![b'x'; MAX_BATCH_BYTES / 2 + 1];
        while queue.push(report.clone()) {}
        assert!(queue.bytes <= MAX_QUEUED_BYTES);
        assert_eq!(queue.next(Micros(0), SECOND).unwrap().len(), 1);
    }

    #[test]
    fn a_status_says_whether_to_try_again() {
        let check = |status| Outcome::of(&Ok(Answer { status, body: Vec::new() }));
        assert_eq!([200, 204].map(check), [Outcome::Taken; 2]);
        assert_eq!([401, 429, 500, 503, 504, 302].map(check), [Outcome::Later; 6]);
        assert_eq!([400, 413, 422].map(check), [Outcome::Never; 3]);
        assert_eq!(Outcome::of(&Err(NoAnswer::NotSent)), Outcome::Later);
    }

    #[test]
    fn a_batch_is_one_json_object() {
        assert_eq!(wrap("turns", &[b"{}".to_vec(), b"1".to_vec()]), br#"{"turns":[{},1]}"#);
    }
}
