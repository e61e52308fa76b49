//! What a request comes to, and its end: what was held goes back, what was used is charged and reported. Once.

use crate::{
    accounts::Held,
    filter::BudgetFilter,
    record::{Charge, Outcome, Record},
    stream::{Budget, Told},
    tail::Tail,
    tally::{self, Said},
    tariff::{cost, nanos},
    ticket::{Bill, Ticket},
};
use domain::{
    time::Micros,
    usage::{self, Usage},
};

/// What a stream that reaches its reservation holds back besides, at the least, in tokens.
const MORE: u64 = 256;

impl BudgetFilter {
    /// Gives back what is held, charges what was used, and reports it.
    pub(crate) fn settle(&self, ticket: Ticket, bill: Option<Bill>) {
        let now = host::now();
        if let Some(bill) = &bill {
            self.report(&ticket, bill, now);
            self.meters.settled.add(1);
            if bill.told.estimated {
                self.meters.estimated.add(1);
            }
        }
        let amounts: Vec<u64> =
            ticket.held.iter().map(|it| bill.map_or(0, |bill| ticket.amount(it, &bill.told.usage))).collect();
        for (held, amount) in ticket.held.into_iter().zip(amounts) {
            self.accounts.settle(held, amount, now);
        }
    }

    fn report(&self, ticket: &Ticket, bill: &Bill, now: Micros) {
        let Some(background) = &self.background else { return };
        let (seed, usage) = (self.accounts.seed.get(), bill.told.usage);
        let node = seed.node();
        let Ticket { facts, from, .. } = ticket;
        let mut record = Record::of(self.ids.next(&seed), &node, &facts.caller, facts.endpoint, ticket.model());
        record.used(&usage, from.price.as_ref());
        record.at = facts.started.0;
        record.request_id = facts.request_id.as_deref();
        record.provider_model = from.provider_model.as_deref();
        record.provider = from.provider.as_deref();
        let own_key = from.provider.as_ref().is_some_and(|it| self.config.byok.contains(it));
        record.source = if own_key { "byok" } else { "platform" };
        record.status = from.status;
        record.stream = ticket.estimate.stream;
        record.outcome = bill.outcome;
        record.estimated = bill.told.estimated;
        record.cut_by_budget = bill.outcome == Outcome::Cut;
        record.duration_ms = u64::try_from(now.since(facts.started).as_millis()).unwrap_or(u64::MAX);
        let priced = |it: &&Held| !it.rule.money || from.price.is_some();
        let charge = |it| Charge::of_held(it, ticket.amount(it, &usage));
        record.charges = ticket.held.iter().filter(priced).map(charge).collect();
        background.outbox.push(record.json());
    }
}

impl<'a> Charge<'a> {
    fn of_held(held: &'a Held, amount: u64) -> Self {
        Self::of(&held.rule, &held.subject, &held.terms, amount)
    }
}

/// What a stream asks of its budgets while it passes.
pub(crate) struct Passing<'a> {
    pub(crate) plugin: &'a BudgetFilter,
    pub(crate) ticket: &'a mut Ticket,
}

impl Budget for Passing<'_> {
    fn cap(&mut self, output: u64) -> Option<u64> {
        let (ticket, now) = (&mut *self.ticket, host::now());
        let tight: Vec<usize> = (0..ticket.held.len())
            .filter(|nth| ticket.held.get(*nth).and_then(|it| ticket.allows(it)).is_some_and(|it| it <= output))
            .collect();
        let more = MORE.max(output / 4);
        let price = ticket.from.price;
        for nth in tight {
            let Some(held) = ticket.held.get_mut(nth) else { continue };
            let amount = if held.rule.money { price.map_or(0, |it| nanos(cost(&it, 0, more)).max(1)) } else { more };
            self.plugin.accounts.extend(held, amount, now);
        }
        ticket.cap()
    }

    fn comment(&self, told: &Told) -> String {
        self.ticket.comment(told)
    }
}

/// What a whole plain answer comes to; nothing, when it is an error that used nothing.
pub(crate) fn plain(ticket: &Ticket, body: &[u8]) -> Option<Bill> {
    let outcome = Outcome::Complete;
    if let Some(usage) = usage::find(ticket.from.provider.as_deref(), body) {
        return Some(Bill { told: Told { usage, estimated: false }, outcome });
    }
    if !(200..300).contains(&ticket.from.status) {
        return None;
    }
    let output = match tally::said(body) {
        Said::Nothing => return None,
        Said::Text(tally) => tally.tokens(),
        Said::Later => ticket.need.output,
    };
    let usage = Usage { input: ticket.need.input, output, ..Usage::default() };
    Some(Bill { told: Told { usage, estimated: true }, outcome })
}

/// What a plain answer comes to that was too long to be kept, or compressed: by its bytes, where it does not say.
pub(crate) fn in_pieces(ticket: &Ticket, tail: &Tail) -> Option<Bill> {
    let outcome = Outcome::Complete;
    if let Some(usage) = tail.usage(ticket.from.provider.as_deref()) {
        return Some(Bill { told: Told { usage, estimated: false }, outcome });
    }
    if !(200..300).contains(&ticket.from.status) {
        return None;
    }
    let output = if ticket.need.output == 0 { 0 } else { tail.bytes };
    let usage = Usage { input: ticket.need.input, output, ..Usage::default() };
    Some(Bill { told: Told { usage, estimated: true }, outcome })
}

/// What a plain answer comes to that broke off: what it says at its end, if that passed; else the larger of what it `may`
/// have been and of what passed.
pub(crate) fn torn(ticket: &Ticket, tail: &Tail, may: Told) -> Told {
    match tail.usage(ticket.from.provider.as_deref()) {
        Some(usage) => Told { usage, estimated: false },
        None => {
            let output = may.usage.output.max(tail.bytes.div_ceil(4).min(ticket.need.output));
            Told { usage: Usage { output, ..may.usage }, estimated: true }
        }
    }
}
