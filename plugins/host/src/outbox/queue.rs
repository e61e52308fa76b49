//! The queue of an outbox, without the proxy: what is sent when, and what an answer means for it.

use crate::plugin::CallId;
use domain::time::Micros;
use std::{collections::VecDeque, time::Duration};

/// How many reports one batch holds at the most.
const MAX_BATCH: usize = 64;
/// How many bytes of reports one batch holds at the most; a larger report travels alone.
const MAX_BATCH_BYTES: usize = 1 << 20;
/// How many bytes of reports wait at the most, in each worker.
const MAX_QUEUED_BYTES: usize = 16 << 20;
/// So many when more is taken that can be left out.
const LITTLE_QUEUED_BYTES: usize = 1 << 20;
/// The first wait after a failure; each further one doubles it.
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Taken,
    /// The same batch may be taken later.
    Later,
    /// This batch will never be taken.
    Never,
}

impl Outcome {
    /// By the status of the answer, if there is one.
    pub(super) fn of(status: Option<u16>) -> Self {
        match status {
            Some(200..=299) => Self::Taken,
            // A wrong secret is an operator's mistake that is soon mended; what was served must not be lost by it.
            Some(401 | 403 | 404 | 408 | 425 | 429) | None => Self::Later,
            Some(400..=499) => Self::Never,
            Some(_) => Self::Later,
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

/// A report in the queue.
#[derive(Debug)]
struct Report {
    json: Vec<u8>,
    /// Somebody waits for it under this number, until this moment.
    awaited: Option<(u32, Micros)>,
}

/// What the end of a flight means.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Settled {
    /// So many reports were given up.
    pub(super) dropped: u64,
    /// Who waits under these numbers need not any more.
    pub(super) free: Vec<u32>,
}

/// The queue without the proxy.
#[derive(Debug, Default)]
pub(super) struct Queue {
    last: u32,
    reports: VecDeque<Report>,
    bytes: usize,
    flight: Flight,
    failures: u32,
    /// One at a time, to find the report for which a whole batch was refused.
    singly: bool,
}

impl Queue {
    /// Queues a report, if there is room.
    pub(super) fn push(&mut self, json: Vec<u8>, awaited: Option<(u32, Micros)>) -> bool {
        let bytes = self.bytes.saturating_add(json.len());
        if bytes > MAX_QUEUED_BYTES {
            return false;
        }
        self.bytes = bytes;
        self.reports.push_back(Report { json, awaited });
        true
    }

    /// Queues a report that can be left out, if little waits.
    pub(super) fn offer(&mut self, json: Vec<u8>) {
        if self.bytes.saturating_add(json.len()) <= LITTLE_QUEUED_BYTES {
            self.push(json, None);
        }
    }

    /// A number to wait under.
    pub(super) fn number(&mut self) -> u32 {
        self.last = self.last.wrapping_add(1);
        self.last
    }

    /// The numbers of those that have waited for too long; their reports stay.
    pub(super) fn late(&mut self, now: Micros) -> Vec<u32> {
        let awaited = self.reports.iter_mut().map(|it| &mut it.awaited);
        awaited.filter_map(|it| it.take_if(|(_, until)| *until <= now)).map(|(number, _)| number).collect()
    }

    /// The batch to send now, if one is due.
    pub(super) fn next(&mut self, now: Micros, timeout: Duration) -> Option<Vec<Vec<u8>>> {
        match self.flight {
            Flight::Ready => {}
            Flight::Resting(until) | Flight::Sending { until, .. } if now < until => return None,
            Flight::Resting(_) => {}
            Flight::Sending { .. } => self.failures = self.failures.saturating_add(1),
        }
        self.flight = Flight::Ready;
        let most = if self.singly { 1 } else { MAX_BATCH };
        let mut bytes = 0_usize;
        let fits = |report: &&Report| {
            let first = bytes == 0;
            bytes = bytes.saturating_add(report.json.len());
            first || bytes <= MAX_BATCH_BYTES
        };
        let batch: Vec<_> = self.reports.iter().take(most).take_while(fits).map(|it| it.json.clone()).collect();
        if batch.is_empty() {
            return None;
        }
        // The proxy answers every call-out within its timeout; the grace covers a lost answer.
        let until = now.after(timeout.saturating_mul(2));
        self.flight = Flight::Sending { reports: batch.len(), call: None, until };
        Some(batch)
    }

    pub(super) fn sent(&mut self, id: CallId) {
        if let Flight::Sending { call, .. } = &mut self.flight {
            *call = Some(id);
        }
    }

    pub(super) fn waits_for(&self, id: CallId) -> bool {
        matches!(self.flight, Flight::Sending { call: Some(call), .. } if call == id)
    }

    /// Ends the flight.
    pub(super) fn settle(&mut self, outcome: Outcome, now: Micros) -> Settled {
        let Flight::Sending { reports, .. } = self.flight else {
            return Settled::default();
        };
        self.flight = Flight::Ready;
        match outcome {
            Outcome::Taken => {
                (self.failures, self.singly) = (0, false);
                Settled { dropped: 0, free: self.forget(reports) }
            }
            Outcome::Never if reports > 1 => {
                self.singly = true;
                Settled::default()
            }
            Outcome::Never => {
                let free = self.forget(reports);
                Settled { dropped: u64::try_from(reports).unwrap_or(u64::MAX), free }
            }
            Outcome::Later => {
                let wait = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(self.failures));
                self.failures = self.failures.saturating_add(1);
                self.flight = Flight::Resting(now.after(wait.min(LONGEST_WAIT)));
                Settled::default()
            }
        }
    }

    /// Drops the first reports; who waited for them.
    fn forget(&mut self, count: usize) -> Vec<u32> {
        let mut free = Vec::new();
        for report in self.reports.drain(..count.min(self.reports.len())) {
            self.bytes = self.bytes.saturating_sub(report.json.len());
            free.extend(report.awaited.map(|(number, _)| number));
        }
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn queue(reports: &[&str]) -> Queue {
        let mut queue = Queue::default();
        for report in reports {
            assert!(queue.push(report.as_bytes().to_vec(), None));
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
        assert_eq!(waits, [50, 100, 200, 400, 800, 1000, 1000, 1000, 1000]);
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
        while queue.push(report.clone(), None) {}
        assert!(queue.bytes <= MAX_QUEUED_BYTES);
        queue.offer(b"{}".to_vec());
        assert_eq!(queue.reports.back().map(|it| it.json.len()), Some(report.len()));
        assert_eq!(queue.next(Micros(0), SECOND).unwrap().len(), 1);
    }

    #[test]
    fn a_status_says_whether_to_try_again() {
        let check = |status| Outcome::of(Some(status));
        assert_eq!([200, 204].map(check), [Outcome::Taken; 2]);
        assert_eq!([401, 429, 500, 503, 504, 302].map(check), [Outcome::Later; 6]);
        assert_eq!([400, 413, 422].map(check), [Outcome::Never; 3]);
        assert_eq!(Outcome::of(None), Outcome::Later);
    }

    #[test]
    fn who_waits_is_free_once_the_report_was_taken_or_refused_or_time_ran_out() {
        let check = |outcome, free: &[u32]| {
            let mut queue = Queue::default();
            let first = queue.number();
            assert!(queue.push(b"1".to_vec(), Some((first, Micros(1_000)))));
            assert!(queue.next(Micros(0), SECOND).is_some());
            let second = queue.number();
            assert!(queue.push(b"2".to_vec(), Some((second, Micros(2_000)))));
            assert_eq!(queue.settle(outcome, Micros(0)).free, free);
            queue
        };
        let mut taken = check(Outcome::Taken, &[1]);
        assert!(taken.late(Micros(1_999)).is_empty());
        assert_eq!((taken.late(Micros(2_000)), taken.late(Micros(2_000))), (vec![2], vec![]));
        check(Outcome::Never, &[1]);
        // A companion that is away may soon be back.
        let mut away = check(Outcome::Later, &[]);
        assert_eq!(away.late(Micros(1_000)), [1]);
        assert_eq!(away.reports.len(), 2, "they are reported all the same");
    }
}
