//! A share of a fleet's budget, lent to this gateway by the companion.
//!
//! What was granted is counted from the period's start, so an answer that is read twice grants once. A question claims
//! what this gateway knows to have; claiming less than before gives the rest back. `turn` numbers the questions of a
//! key, so that neither side takes an old message for a new one: it is the clock, so it grows even after an eviction.

use super::{State, Terms};
use crate::time::Micros;
use std::time::Duration;

/// How long a lease may be used after the question that was last answered. The companion counts it for twice as long.
const VALID: Duration = Duration::from_secs(30);
/// A lease that is older than this is asked for again while it is in use.
const RENEW: Duration = Duration::from_secs(10);
/// What nobody used for so long is given back.
const IDLE: Duration = Duration::from_secs(10);
/// For how long what the companion said to be left, or that it said nothing, is taken for true.
const FRESH: Duration = Duration::from_secs(1);
/// "All that you gave me": claimed while another question is under way, whose answer is not known.
const ALL: u64 = i64::MAX.unsigned_abs();

/// What this gateway knows of its lease.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lease {
    /// Since the period's start.
    pub(super) granted: u64,
    /// The question that was answered last.
    pub(super) turn: u64,
    /// The question that was asked last.
    pub(super) newest: u64,
    /// Answers to questions before this one count for nothing: since then something may have been given back.
    pub(super) floor: u64,
    /// Until when somebody waits for an answer.
    pub(super) asking: Micros,
    /// Until when what was granted may be used.
    pub(super) until: Micros,
    /// What was left for anybody when last heard; nothing, when the companion did not answer.
    pub(super) left: u64,
    /// Until when that is taken for true.
    pub(super) fresh: Micros,
    /// The companion did not answer last time.
    pub(super) failed: bool,
    /// How much more the whole fleet used than this gateway, when last heard.
    pub(super) ahead: u64,
    /// The last use.
    pub(super) last: Micros,
}

/// A question to the companion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// Its number.
    pub turn: u64,
    /// What this gateway claims to have been granted.
    pub granted: u64,
    /// This gateway remembers nothing of the period.
    pub fresh: bool,
    /// When it was asked.
    pub at: Micros,
}

/// What the companion says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Answer {
    /// Granted to this gateway since the period's start.
    pub granted: u64,
    /// Used by the whole fleet.
    pub used: u64,
    /// Left for anybody.
    pub left: u64,
    /// Used by this gateway, as far as the companion knows.
    pub charged: u64,
}

/// What is to be done about a lease in the background.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Nothing now.
    Nothing,
    /// Ask for more, or for longer.
    More,
    /// Give back what is not in use.
    GiveBack,
    /// Nothing is left to look after.
    Forget,
}

impl Lease {
    pub(super) fn holds(&self, now: Micros) -> bool {
        self.until > now
    }

    /// Whether somebody waits for an answer.
    #[must_use]
    pub fn is_asking(&self, now: Micros) -> bool {
        self.asking > now
    }

    /// What the companion just said to be left for anybody: more than that has no sense to ask for, and where it is
    /// nothing, no question has. `None` when it is long since it was heard.
    #[must_use]
    pub fn left(&self, now: Micros) -> Option<u64> {
        (self.fresh > now).then_some(self.left)
    }

    fn is_quiet(&self, now: Micros) -> bool {
        self.left(now) == Some(0)
    }

    /// Whether the last question was not answered.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.failed
    }
}

impl State {
    /// What is known of the lease.
    #[must_use]
    pub fn lease(&self) -> &Lease {
        &self.lease
    }

    /// Begins a question that is answered within `patience` or not at all. It may be asked while another is under way.
    #[must_use]
    pub fn ask(&mut self, patience: Duration, now: Micros) -> Question {
        let alone = !self.lease.is_asking(now);
        // Until an answer came: the first may be lost.
        let fresh = self.lease.turn == 0;
        let lease = &mut self.lease;
        let turn = now.0.max(lease.newest.saturating_add(1));
        (lease.newest, lease.asking) = (turn, now.after(patience));
        if alone {
            lease.floor = turn;
        }
        Question { turn, granted: if alone { lease.granted } else { ALL }, fresh, at: now }
    }

    /// Lowers what is claimed to what is in use. It is to be said with the next question.
    pub fn give_back(&mut self) {
        self.lease.granted = self.lease.granted.min(self.bound());
    }

    /// Takes in the answer to a question.
    pub fn answered(&mut self, question: &Question, answer: &Answer, now: Micros) {
        let lease = &mut self.lease;
        let known = (lease.floor.max(lease.turn.saturating_add(1))..=lease.newest).contains(&question.turn);
        if !known {
            return;
        }
        if question.turn == lease.newest {
            lease.asking = Micros(0);
        }
        if question.fresh && lease.turn == 0 {
            // It was evicted, or is of a worker that died: what it used before is in what it was granted.
            self.used = self.used.saturating_add(answer.charged);
        }
        lease.turn = question.turn;
        lease.granted = answer.granted;
        lease.ahead = answer.used.saturating_sub(self.used);
        lease.until = question.at.after(VALID);
        lease.failed = false;
        (lease.left, lease.fresh) = (answer.left, now.after(FRESH));
    }

    /// The question was not asked after all.
    pub fn withdraw(&mut self, question: &Question) {
        if question.turn == self.lease.newest {
            self.lease.asking = Micros(0);
        }
    }

    /// The question was not answered.
    pub fn unanswered(&mut self, question: &Question, now: Micros) {
        let lease = &mut self.lease;
        if question.turn == lease.newest {
            lease.asking = Micros(0);
        }
        lease.failed = true;
        (lease.left, lease.fresh) = (0, now.after(FRESH));
    }

    /// What is to be done in the background, for a key whose requests want about `want` at a time.
    #[must_use]
    pub fn wish(&self, terms: &Terms, want: u64, now: Micros) -> Wish {
        let lease = &self.lease;
        if lease.is_asking(now) || lease.is_quiet(now) {
            return Wish::Nothing;
        }
        let idle = now.since(lease.last) > IDLE;
        if idle && self.reserved.is_empty() {
            return if terms.leased && lease.holds(now) && self.free(terms) > 0 {
                Wish::GiveBack
            } else {
                Wish::Forget
            };
        }
        let old = now.after(VALID).since(lease.until) > RENEW;
        if old || (terms.leased && self.free(terms) < want) { Wish::More } else { Wish::Nothing }
    }
}
