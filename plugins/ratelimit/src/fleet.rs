//! Spending what the companion leased, and asking it for more: before a request waits for it, where demand tells.

use crate::{
    breaker::Breaker,
    lease::{Ask, Granted, Lease, Refill, Take, Ticket},
    policy::{Full, Standing},
    rules::Charge,
    wire::{self, MAX_LEASES, Outcome},
};
use domain::{
    quota::Left,
    slots::{self, Place, Seed},
    time::Micros,
};
use host::{Answer, Call, CallId, NoAnswer, Root, companion::Client, slots::Contended};
use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

/// The shared memory that holds the leases.
pub(crate) const TABLE: &str = "ratelimit-lease";

/// The least that somebody waits who was refused.
const SOON: Duration = Duration::from_millis(100);

/// How many keys a worker looks after in the background; beyond that the one goes that came first.
const MOST_HOT: usize = 1024;

/// The leases of this proxy, as one worker sees them.
pub(crate) struct Fleet {
    client: Client,
    /// After this a question is taken for lost.
    patience: Duration,
    breaker: Breaker,
    hot: RefCell<Hot>,
    flights: RefCell<BTreeMap<CallId, Vec<(Charge, Ask)>>>,
}

/// What a request gets of a limit of the fleet.
pub(crate) enum Got {
    /// Its part, and where the caller stands.
    Ticket(Ticket, Standing),
    /// Nothing: the limit is reached.
    Full(Full),
    /// Nothing: the companion cannot be asked, or did not answer.
    Failing,
    /// Nothing yet: another request asks.
    Wait,
    /// Nothing yet: this one must ask.
    Ask(Ask),
}

/// The keys that a worker looks after, with the order in which they came.
#[derive(Default)]
struct Hot {
    keys: BTreeMap<Place, (u64, Charge)>,
    next: u64,
}

impl Fleet {
    pub(crate) fn new(client: Client, timeout: Duration) -> Self {
        // The proxy ends every question within its time; what is longer under way died with its worker.
        let patience = timeout.saturating_add(Duration::from_millis(500));
        let (hot, flights) = (RefCell::default(), RefCell::default());
        Self { client, patience, breaker: Breaker::default(), hot, flights }
    }

    /// Takes one request's part. Who `insists` does not wait for another request's question.
    pub(crate) fn take(&self, charge: &Charge, now: Micros, insists: bool) -> Result<Got, Contended> {
        let patience = if insists { Duration::ZERO } else { self.patience };
        let whole = self.breaker.is_whole();
        let (take, ask, left) = take_or_ask(charge, now, patience, whole)?;
        if take != Take::Ask || whole {
            return Ok(self.got(charge, take, ask, left));
        }
        if !self.breaker.lets(now) {
            return Ok(Got::Failing);
        }
        let (take, ask, left) = take_or_ask(charge, now, patience, true)?;
        Ok(self.got(charge, take, ask, left))
    }

    fn got(&self, charge: &Charge, take: Take, ask: Option<Ask>, left: Left) -> Got {
        match (take, ask) {
            (Take::Granted(ticket), _) => {
                self.hot.borrow_mut().add(charge);
                Got::Ticket(ticket, standing(charge, left))
            }
            (Take::Denied(wait), _) => Got::Full(full(charge, left, wait)),
            (Take::Ask, Some(ask)) => Got::Ask(ask),
            (Take::Wait, _) => Got::Wait,
            (Take::Failing | Take::Ask, _) => Got::Failing,
        }
    }

    /// The question that a request asks.
    pub(crate) fn question(&self, seed: &Seed, asked: &[(Charge, Ask)]) -> Call {
        self.client.call(wire::PATH, wire::question(&seed.node(), asked))
    }

    /// Takes note of an answer to a request that asked, and takes its part of each lease in the same step.
    pub(crate) fn answered(
        &self,
        asked: Vec<(Charge, Ask)>,
        answer: Result<Answer, NoAnswer>,
        now: Micros,
    ) -> Vec<(Charge, Got)> {
        let granted = self.read(&asked, answer, now);
        let got = |(nth, (charge, ask)): (usize, (Charge, Ask))| {
            let granted = granted.as_ref().and_then(|it| it.get(nth)).copied();
            let got = self.settle_and_take(&charge, &ask, granted, now);
            (charge, got)
        };
        asked.into_iter().enumerate().map(got).collect()
    }

    fn settle_and_take(&self, charge: &Charge, ask: &Ask, granted: Option<Granted>, now: Micros) -> Got {
        let settled = change(charge, now, |lease| {
            settle(lease, ask, granted, now);
            let take = lease.take(now, Duration::ZERO);
            (take, lease.left(now, charge.quota))
        });
        match (settled, granted) {
            (Ok((take @ Take::Granted(_), left)), _) => self.got(charge, take, None, left),
            (Ok((Take::Denied(wait), left)), Some(_)) => Got::Full(full(charge, left, wait)),
            // The wait was over by the time the answer came.
            (Ok((_, left)), Some(granted)) if granted.count == 0 => {
                Got::Full(full(charge, left, granted.wait.max(SOON)))
            }
            // What was granted came too late to be spent.
            (Ok(_), Some(_)) => Got::Wait,
            _ => Got::Failing,
        }
    }

    /// A request that was about to ask does not.
    pub(crate) fn not_asked(&self, asked: &[(Charge, Ask)], now: Micros) {
        for (charge, ask) in asked {
            if change(charge, now, |lease| lease.answered(ask.at)).is_err() {
                log::warn!("a question's mark was not taken away");
            }
        }
    }

    /// Gives back a request's part.
    pub(crate) fn give_back(charge: &Charge, ticket: Ticket, now: Micros) {
        if change(charge, now, |lease| lease.give_back(ticket)).is_err() {
            log::warn!("a request was not given back to its lease");
        }
    }

    /// Asks for what will be needed soon, and returns what is not.
    pub(crate) fn tick(&self, root: &Root, seed: &Seed, now: Micros) {
        if !self.breaker.is_whole() {
            return;
        }
        let keys: Vec<Charge> = self.hot.borrow().keys.values().map(|(_, charge)| charge.clone()).collect();
        let mut asked = Vec::new();
        for charge in keys {
            match change(&charge, now, |lease| lease.refill(now, self.patience, charge.quota)) {
                Ok(Refill::Ask(ask)) => asked.push((charge, ask)),
                Ok(Refill::Forget) => drop(self.hot.borrow_mut().keys.remove(&charge.place)),
                Ok(Refill::Nothing) | Err(Contended) => {}
            }
        }
        for asked in asked.chunks(MAX_LEASES) {
            match root.call(&self.question(seed, asked)) {
                Ok(call) => drop(self.flights.borrow_mut().insert(call, asked.to_vec())),
                Err(why) => self.arrived(asked, Err(why), now),
            }
        }
    }

    /// Takes note of an answer to [`Fleet::tick`]; `false` when it is to something else.
    pub(crate) fn landed(&self, call: CallId, answer: &Result<Answer, NoAnswer>, now: Micros) -> bool {
        let Some(asked) = self.flights.borrow_mut().remove(&call) else {
            return false;
        };
        self.arrived(&asked, answer.clone(), now);
        true
    }

    fn arrived(&self, asked: &[(Charge, Ask)], answer: Result<Answer, NoAnswer>, now: Micros) {
        let granted = self.read(asked, answer, now);
        for (nth, (charge, ask)) in asked.iter().enumerate() {
            let granted = granted.as_ref().and_then(|it| it.get(nth)).copied();
            if change(charge, now, |lease| settle(lease, ask, granted, now)).is_err() {
                log::warn!("a lease was lost");
            }
        }
    }

    /// What was granted; `None` when nothing was answered.
    fn read(&self, asked: &[(Charge, Ask)], answer: Result<Answer, NoAnswer>, now: Micros) -> Option<Vec<Granted>> {
        let outcome = answer.map_or(Outcome::Failed, |it| wire::answer(it.status, &it.body, asked));
        match outcome {
            Outcome::Answered(granted) => {
                self.breaker.worked();
                Some(granted)
            }
            Outcome::Refused => {
                self.breaker.worked();
                log::error!("{}: the companion does not take this question", wire::PATH);
                None
            }
            Outcome::Failed => {
                if self.breaker.is_whole() {
                    log::warn!("{}: the companion does not answer", wire::PATH);
                }
                self.breaker.failed(now);
                None
            }
        }
    }
}

impl Hot {
    fn add(&mut self, charge: &Charge) {
        if self.keys.contains_key(&charge.place) {
            return;
        }
        if self.keys.len() >= MOST_HOT {
            let oldest = self.keys.iter().min_by_key(|(_, (nth, _))| *nth).map(|(place, _)| *place);
            oldest.and_then(|it| self.keys.remove(&it));
        }
        self.keys.insert(charge.place, (self.next, charge.clone()));
        self.next = self.next.saturating_add(1);
    }
}

/// Takes a request's part, or marks that it asks, in one step.
fn take_or_ask(
    charge: &Charge,
    now: Micros,
    patience: Duration,
    may_ask: bool,
) -> Result<(Take, Option<Ask>, Left), Contended> {
    change(charge, now, |lease| {
        let take = lease.take(now, patience);
        let ask = (take == Take::Ask && may_ask).then(|| lease.ask(now, charge.quota));
        (take, ask, lease.left(now, charge.quota))
    })
}

fn settle(lease: &mut Lease, ask: &Ask, granted: Option<Granted>, now: Micros) {
    match granted {
        Some(_) if ask.want == 0 => lease.answered(ask.at),
        Some(granted) => lease.settle(ask.at, granted),
        None => lease.fail(ask.at, now),
    }
}

/// Changes the lease of a charge as one step that no other worker can divide.
fn change<T>(charge: &Charge, now: Micros, by: impl Fn(&mut Lease) -> T) -> Result<T, Contended> {
    host::slots::update(TABLE, charge.place.slot, |bytes| {
        slots::update(bytes, charge.place, now, |before: Lease| {
            let mut lease = before;
            let out = by(&mut lease);
            ((lease != before).then_some(lease), out)
        })
    })
}

fn standing(charge: &Charge, left: Left) -> Standing {
    Standing { limit: charge.quota.requests(), left }
}

fn full(charge: &Charge, left: Left, wait: Duration) -> Full {
    let left = Left { remaining: 0, reset: left.reset.max(wait) };
    Full { rule: Rc::clone(&charge.rule), quota: charge.quota, standing: standing(charge, left), wait }
}
