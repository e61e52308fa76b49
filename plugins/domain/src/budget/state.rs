//! One key's account.

use super::{Ask, Lease, Terms, slices::Slices};
use crate::time::Micros;
use std::time::Duration;

/// Into how many slices a reservation's lifetime is cut: one lives up to an eighth longer than it must.
const TTL_SLICES: u64 = 8;
/// Into how many slices a rolling window is cut: what was used counts up to a 48th longer than it must, never shorter.
const WINDOW_SLICES: u64 = 48;
/// No reservation lives longer than this many seconds, whatever a slot says.
const LONGEST_TTL: u64 = 2 * 86_400;

/// What is known of one key in one period.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// When this account was opened. A reservation of an earlier one, which was evicted or is of another period, is not
    /// in it.
    pub(super) born: Micros,
    /// When its period began.
    pub(super) start: Micros,
    /// Used since then; of a rolling window without a lease, `window` instead.
    pub(super) used: u64,
    /// By the second at which it has left the rolling window.
    pub(super) window: Slices,
    /// By the second at which they expire.
    pub(super) reserved: Slices,
    pub(super) lease: Lease,
}

/// Something that is held back until its request is over. It is settled by value, so once.
#[derive(Debug, PartialEq, Eq)]
pub struct Reservation {
    born: Micros,
    start: Micros,
    expires: u64,
    amount: u64,
}

impl Reservation {
    /// How much is held back.
    #[must_use]
    pub fn amount(&self) -> u64 {
        self.amount
    }
}

/// There is not enough left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lack {
    /// Used in this period, by the whole fleet as far as this gateway knows.
    pub used: u64,
    /// It would fit if the requests under way used nothing.
    pub in_flight: bool,
}

impl State {
    /// The account as it is at `now`: a new one in a new period, without what expired.
    #[must_use]
    pub fn at(mut self, terms: &Terms, now: Micros) -> Self {
        // A worker that looked at the clock just before midnight does not bring yesterday back.
        if self.born == Micros(0) || self.start < terms.start {
            self = Self { born: Micros(now.0.max(1)), start: terms.start, ..Self::default() };
        }
        let second = now.seconds();
        self.reserved.keep(second, second.saturating_add(LONGEST_TTL));
        let window = terms.window.unwrap_or_default().as_secs();
        let latest = second.saturating_add(window).saturating_add(slice(window, WINDOW_SLICES).saturating_mul(2));
        self.window.keep(second, latest);
        if terms.leased && !self.lease.holds(now) {
            self.lease.granted = self.lease.granted.min(self.bound());
        }
        self
    }

    /// Used and reserved together.
    pub(super) fn bound(&self) -> u64 {
        self.used.saturating_add(self.window.sum()).saturating_add(self.reserved.sum())
    }

    /// What may still be reserved.
    #[must_use]
    pub fn free(&self, terms: &Terms) -> u64 {
        let whole = match (terms.leased, terms.window) {
            (true, Some(_)) => self.lease.granted,
            // Nobody can lend more than all there is. (In a rolling window it adds up to more, as what was used does.)
            (true, None) => self.lease.granted.min(terms.limit),
            (false, _) => terms.limit,
        };
        whole.saturating_sub(self.bound())
    }

    /// Used in this period, by the whole fleet as far as this gateway knows.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.used.saturating_add(self.window.sum()).saturating_add(self.lease.ahead)
    }

    /// Nothing is known that a new account would not know.
    pub(super) fn is_vacant(&self) -> bool {
        self.used == 0 && self.window.is_empty() && self.reserved.is_empty() && self.lease == Lease::default()
    }

    /// Holds back what `ask` says, for at least `ttl`.
    ///
    /// # Errors
    /// When not even the least of it is free.
    pub fn reserve(&mut self, terms: &Terms, ask: Ask, ttl: Duration, now: Micros) -> Result<Reservation, Lack> {
        let free = self.free(terms);
        if free < ask.least && !ask.anyway {
            let in_flight = free.saturating_add(self.reserved.sum()) >= ask.least;
            return Err(Lack { used: self.used(), in_flight });
        }
        let amount = if ask.anyway { ask.most } else { ask.most.min(free) };
        let expires = expiry(ttl, now);
        self.reserved.add(expires, amount);
        self.lease.last = now;
        Ok(Reservation { born: self.born, start: self.start, expires, amount })
    }

    /// Whether the reservation is still held back here.
    fn holds(&self, reservation: &Reservation) -> bool {
        self.born == reservation.born && (reservation.amount == 0 || self.reserved.has(reservation.expires))
    }

    /// Holds back up to `more` besides, and all of it again if it expired meanwhile; the reservation to go on with.
    /// `None` when there is nothing more to be had.
    #[must_use]
    pub fn extend(
        &mut self,
        terms: &Terms,
        reservation: &Reservation,
        more: u64,
        ttl: Duration,
        now: Micros,
    ) -> Option<Reservation> {
        let again = if self.holds(reservation) { 0 } else { reservation.amount };
        let free = self.free(terms);
        let added = free.min(more.saturating_add(again)).checked_sub(again).filter(|it| *it > 0)?;
        let expires = if again == 0 && reservation.amount > 0 { reservation.expires } else { expiry(ttl, now) };
        self.reserved.add(expires, added.saturating_add(again));
        self.lease.last = now;
        let amount = reservation.amount.saturating_add(added);
        Some(Reservation { born: self.born, start: self.start, expires, amount })
    }

    /// Gives the reservation back and counts what was `spent`, unless its period is over. To be called once for a
    /// reservation.
    pub fn settle(&mut self, terms: &Terms, reservation: &Reservation, spent: u64, now: Micros) {
        if self.start != reservation.start {
            return;
        }
        if self.born == reservation.born {
            self.reserved.take(reservation.expires, reservation.amount);
        }
        self.spend(terms, spent, now);
    }

    /// Counts what was `spent` without a reservation.
    pub fn spend(&mut self, terms: &Terms, spent: u64, now: Micros) {
        match terms.window.filter(|_| !terms.leased) {
            None => self.used = self.used.saturating_add(spent),
            Some(window) => {
                let (window, second) = (window.as_secs(), now.seconds());
                let slice = slice(window, WINDOW_SLICES);
                self.window.add(round_up(second.saturating_add(1), slice).saturating_add(window), spent);
            }
        }
        self.lease.last = now;
    }
}

/// When something that is reserved now falls away.
fn expiry(ttl: Duration, now: Micros) -> u64 {
    let ttl = ttl.as_secs().clamp(1, LONGEST_TTL / 2);
    round_up(now.seconds().saturating_add(1).saturating_add(ttl), slice(ttl, TTL_SLICES))
}

/// The length of one of `count` slices of `whole` seconds.
fn slice(whole: u64, count: u64) -> u64 {
    whole.checked_div(count).unwrap_or_default().max(1)
}

fn round_up(second: u64, slice: u64) -> u64 {
    second.checked_next_multiple_of(slice).unwrap_or(second)
}
