//! The accounts in memory that all workers share: all budgets of a request reserve, or none does.

use crate::{
    lease::{Account, Asked, Hot},
    meters::Meters,
    policy,
    rules::{Rule, Rules, Subject},
    tariff::{Need, Tariff},
};
use domain::{
    budget::{Lack, Question, Reservation, State, Terms, table},
    caller::Caller,
    mode::OnFailure,
    reply::Reply,
    slots::{Place, Seed},
    time::Micros,
};
use host::slots::Contended;
use std::{
    cell::{Cell, RefCell},
    num::NonZeroU32,
    rc::Rc,
    time::Duration,
};

/// The shared memory that holds them.
pub(crate) const TABLE: &str = "budget";

/// Where the accounts are, and how they are used.
pub(crate) struct Accounts {
    pub(crate) seed: Cell<Seed>,
    pub(crate) slots: NonZeroU32,
    pub(crate) ttl: Duration,
    /// How long an answer of the companion may take.
    pub(crate) patience: Duration,
    pub(crate) on_failure: OnFailure,
    pub(crate) hot: RefCell<Hot>,
    /// The companion lent nothing when it was last asked.
    pub(crate) away: Cell<bool>,
}

/// What one budget holds for a request.
pub(crate) struct Held {
    pub(crate) rule: Rc<Rule>,
    pub(crate) terms: Terms,
    place: Place,
    pub(crate) subject: Subject,
    /// `None`: nobody could say whether it fits, and the operator lets it pass.
    reservation: Option<Reservation>,
    /// What was used before.
    pub(crate) used: u64,
}

impl Held {
    /// How much is held back, of a budget that ends what passes it.
    pub(crate) fn bound(&self) -> Option<u64> {
        self.reservation.as_ref().filter(|_| self.rule.refuses()).map(Reservation::amount)
    }
}

/// What came of a request's wish.
pub(crate) enum Outcome {
    /// It may go on.
    Held(Vec<Held>),
    /// It may not.
    Refused(Reply),
    /// The companion must be asked first; nothing is held.
    Ask(Vec<Asked>),
    /// Another request asks the companion for the same account; nothing is held.
    Wait(Place),
}

/// What came of it in one account.
enum One {
    Held { reservation: Reservation, used: u64, short: bool },
    Lack(Lack),
    Unanswered,
    Ask(Question, u64),
    Wait,
}

/// Who reserves what.
pub(crate) struct Wish<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) need: &'a Need,
    /// Whether the companion may be asked, and whether others' questions are waited for.
    pub(crate) may_ask: bool,
    pub(crate) may_wait: bool,
    pub(crate) now: Micros,
}

impl Accounts {
    fn update<T>(
        &self,
        place: Place,
        terms: &Terms,
        now: Micros,
        change: impl Fn(&mut State) -> T,
    ) -> Result<T, Contended> {
        host::slots::update(TABLE, place.slot, |slot| table::update(slot, place.key(), terms, now, &change))
    }

    /// Reserves in all budgets that apply, or in none.
    pub(crate) fn reserve(&self, rules: &Rules, tariff: &Tariff, meters: &Meters, wish: &Wish<'_>) -> Outcome {
        let (mut held, mut asked, mut wait) = (Vec::new(), Vec::new(), None);
        for rule in rules.of_project(&wish.caller.project) {
            let Some(ask) = rule.ask(wish.need) else {
                meters.unpriced.add(1);
                if tariff.lets_unknown_pass() || !rule.refuses() {
                    continue;
                }
                return self.refuse(held, &asked, wish.now, policy::no_price("budget_exceeded"));
            };
            let account = self.account(rule, wish);
            let one =
                self.update(account.place, &account.terms, wish.now, |state| one(state, &account, ask, self, wish));
            if account.rule.fleet {
                self.hot.borrow_mut().used(&account, wish.now);
            }
            match one {
                Ok(One::Held { reservation, used, short }) => {
                    if short && !rule.refuses() {
                        meters.shadowed(&rule.name);
                    }
                    held.push(account.holds(Some(reservation), used));
                }
                Ok(One::Ask(question, need)) => {
                    let want = account.want().max(need.saturating_mul(4));
                    asked.push(Asked { account, question, need, want });
                }
                Ok(One::Wait) => wait = Some(account.place),
                Ok(One::Lack(lack)) => {
                    meters.refused(&rule.name);
                    let reply = policy::used_up(rule, &account.terms, wish.caller.tier.as_deref(), &lack);
                    return self.refuse(held, &asked, wish.now, reply);
                }
                Ok(One::Unanswered) => {
                    meters.no_lease.add(1);
                    if rule.on_failure == OnFailure::Deny {
                        return self.refuse(held, &asked, wish.now, policy::no_lease());
                    }
                    held.push(account.holds(None, 0));
                }
                Err(Contended) => {
                    meters.failed.add(1);
                    if self.on_failure == OnFailure::Deny {
                        return self.refuse(held, &asked, wish.now, policy::unavailable());
                    }
                    held.push(account.holds(None, 0));
                }
            }
        }
        match (asked.is_empty(), wait) {
            (true, None) => Outcome::Held(held),
            (false, _) => {
                self.release(held, wish.now);
                Outcome::Ask(asked)
            }
            (true, Some(place)) => {
                self.release(held, wish.now);
                Outcome::Wait(place)
            }
        }
    }

    /// Before more of a request is known than that it has `bytes`: what is to be asked so that leased budgets have enough at
    /// hand.
    pub(crate) fn warm(&self, rules: &Rules, bytes: u64, wish: &Wish<'_>) -> Outcome {
        let (mut asked, mut wait) = (Vec::new(), None);
        for rule in rules.of_project(&wish.caller.project).iter().filter(|it| it.fleet && it.refuses()) {
            let account = self.account(rule, wish);
            let need = account.need(bytes);
            let question = self.update(account.place, &account.terms, wish.now, |state| {
                let (free, lease) = (state.free(&account.terms), state.lease());
                if free == 0 && wish.may_wait && lease.is_asking(wish.now) {
                    return Err(());
                }
                let lacks = need.saturating_sub(free).min(lease.left(wish.now).unwrap_or(need));
                let asks = lacks > 0 && wish.may_ask && !lease.is_asking(wish.now);
                Ok(asks.then(|| (state.ask(self.patience, wish.now), lacks)))
            });
            match question {
                Ok(Ok(Some((question, need)))) => {
                    let want = account.want().max(need.saturating_mul(4));
                    asked.push(Asked { account, question, need, want });
                }
                Ok(Ok(None)) | Err(Contended) => {}
                Ok(Err(())) => wait = Some(account.place),
            }
        }
        match (asked.is_empty(), wait) {
            (false, _) => Outcome::Ask(asked),
            (true, Some(place)) => Outcome::Wait(place),
            (true, None) => Outcome::Held(Vec::new()),
        }
    }

    fn account(&self, rule: &Rc<Rule>, wish: &Wish<'_>) -> Account {
        let tier = wish.caller.tier.as_deref();
        Account {
            terms: rule.terms(tier, wish.now),
            place: rule.place(wish.caller, &self.seed.get(), self.slots),
            subject: rule.subject(wish.caller),
            tier: tier.map(str::to_owned),
            rule: Rc::clone(rule),
        }
    }

    /// Gives back what was held, and takes back what would have been asked.
    fn refuse(&self, held: Vec<Held>, asked: &[Asked], now: Micros, reply: Reply) -> Outcome {
        self.release(held, now);
        self.withdraw(asked, now);
        Outcome::Refused(reply)
    }

    /// Takes back questions that were not asked, or whose asker is gone: somebody else may ask.
    pub(crate) fn withdraw(&self, asked: &[Asked], now: Micros) {
        for it in asked {
            // A failure was logged; the mark goes by itself after a while.
            let _ = self.update(it.account.place, &it.account.terms, now, |state| state.withdraw(&it.question));
        }
    }

    fn release(&self, held: Vec<Held>, now: Micros) {
        held.into_iter().for_each(|it| self.settle(it, 0, now));
    }

    /// Gives a reservation back, and counts what was spent. By value: it can be done once.
    pub(crate) fn settle(&self, held: Held, spent: u64, now: Micros) {
        let Held { terms, place, reservation, .. } = held;
        let settled = self.update(place, &terms, now, |state| match &reservation {
            Some(reservation) => state.settle(&terms, reservation, spent, now),
            None => state.spend(&terms, spent, now),
        });
        if settled.is_err() {
            log::error!("a request was not settled: its reservation expires, and what it used is not counted here");
        }
    }

    /// Holds back up to `more`; whether it got any.
    pub(crate) fn extend(&self, held: &mut Held, more: u64, now: Micros) -> bool {
        let Some(reservation) = &held.reservation else { return false };
        let terms = &held.terms;
        let grown = self.update(held.place, terms, now, |state| state.extend(terms, reservation, more, self.ttl, now));
        match grown {
            Ok(Some(grown)) => {
                held.reservation = Some(grown);
                true
            }
            Ok(None) | Err(Contended) => false,
        }
    }

    /// Takes in what the companion said, or that it said nothing.
    pub(crate) fn answered(&self, asked: &[Asked], answers: Option<&[domain::budget::Answer]>, now: Micros) {
        for (nth, it) in asked.iter().enumerate() {
            let answer = answers.and_then(|all| all.get(nth));
            let Account { place, terms, .. } = &it.account;
            let taken = self.update(*place, terms, now, |state| match answer {
                Some(answer) => state.answered(&it.question, answer, now),
                None => state.unanswered(&it.question, now),
            });
            if taken.is_err() {
                log::error!("what the companion lent could not be kept");
            }
        }
    }

    /// Begins a question in the background, if nobody else asks; with `give_back` for nothing but to give back.
    pub(crate) fn ask(&self, account: &Account, give_back: bool, now: Micros) -> Option<Asked> {
        let question = self.update(account.place, &account.terms, now, |state| {
            if state.lease().is_asking(now) {
                return None;
            }
            if give_back {
                state.give_back();
            }
            Some(state.ask(self.patience, now))
        });
        let want = if give_back || !account.terms.leased { 0 } else { account.want() };
        Some(Asked { account: account.clone(), question: question.ok()??, need: 0, want })
    }

    /// An account as it is; `None` when nothing is known of it.
    pub(crate) fn read(&self, place: Place) -> Option<State> {
        table::read(&host::slots::read(TABLE, place.slot).ok()?, place.key())
    }
}

impl Account {
    fn holds(self, reservation: Option<Reservation>, used: u64) -> Held {
        let Self { rule, terms, place, subject, .. } = self;
        Held { rule, terms, place, subject, reservation, used }
    }
}

/// What becomes of a wish in one account.
fn one(state: &mut State, account: &Account, ask: domain::budget::Ask, accounts: &Accounts, wish: &Wish<'_>) -> One {
    let (terms, now) = (&account.terms, wish.now);
    let free = state.free(terms);
    if terms.leased && free < ask.most {
        let lease = state.lease();
        if wish.may_wait && lease.is_asking(now) {
            return One::Wait;
        }
        let need = ask.most.saturating_sub(free).min(lease.left(now).unwrap_or(terms.limit));
        if wish.may_ask && need > 0 && free.saturating_add(need) >= ask.least {
            return One::Ask(state.ask(accounts.patience, now), need);
        }
        if free < ask.least && lease.failed() {
            return One::Unanswered;
        }
    }
    let used = state.used();
    match state.reserve(terms, ask, accounts.ttl, now) {
        Ok(reservation) => One::Held { reservation, used, short: free < ask.least },
        // The companion may have more: who tries again is asked for in the headers phase, where it can be lent.
        Err(lack) => {
            One::Lack(Lack { in_flight: lack.in_flight || (terms.leased && state.lease().left(now).is_none()), ..lack })
        }
    }
}
