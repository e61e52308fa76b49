//! Whether the companion is worth asking, as far as one worker knows.

use crate::lease::REST;
use domain::time::Micros;
use std::cell::Cell;

/// After a failure only one question goes out per [`REST`], whatever the number of keys, until one is answered.
#[derive(Debug, Default)]
pub struct Breaker {
    /// Nobody asks before this; zero: the companion answers.
    rests_until: Cell<Micros>,
}

impl Breaker {
    /// Whether somebody may ask at `now`.
    #[must_use]
    pub fn lets(&self, now: Micros) -> bool {
        let rests_until = self.rests_until.get();
        if rests_until == Micros(0) {
            return true;
        }
        if now < rests_until {
            return false;
        }
        // This one finds out; nobody else needs to until it has had its time.
        self.failed(now);
        true
    }

    /// Whether the companion answered when it was asked last.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.rests_until.get() == Micros(0)
    }

    /// The companion answered.
    pub fn worked(&self) {
        self.rests_until.set(Micros(0));
    }

    /// The companion did not answer.
    pub fn failed(&self, now: Micros) {
        self.rests_until.set(now.after(REST));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_failure_one_question_in_a_while_finds_out() {
        let breaker = Breaker::default();
        let check = |millis: u64| breaker.lets(Micros(1 + millis * 1_000));
        assert_eq!([check(0), check(0)], [true, true]);
        breaker.failed(Micros(1));
        assert_eq!(
            [check(0), check(999), check(1_000), check(1_001), check(1_999)],
            [false, false, true, false, false]
        );
        assert!(!breaker.is_whole());
        breaker.worked();
        assert!([check(2_000), check(2_000)] == [true, true] && breaker.is_whole());
    }
}
