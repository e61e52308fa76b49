//! Counting in this proxy's own memory: all limits of a request, or none.

use crate::{
    filter::{RateLimit, TABLE},
    policy::{self, Full, Standing, Tally},
    rules::Charge,
};
use domain::{quota::FullAt, reply::Reply, time::Micros};
use host::slots::{Contended, Seen};

/// What was spent of one request, to be given back if it comes to nothing.
pub(crate) type Spent = (Charge, FullAt);

/// What became of a request that was counted.
#[derive(Default)]
pub(crate) struct Counted {
    pub(crate) spent: Vec<Spent>,
    pub(crate) standings: Vec<Standing>,
}

/// Why a request was counted by no limit.
pub(crate) enum NotCounted {
    /// These have no room for it.
    Full(Vec<Full>),
    /// A count was not to be had.
    Failed(Reply),
}

/// The limits whose counts are in one slot, the slot, and what it says.
struct Group {
    charges: Vec<Charge>,
    seen: Seen,
    tally: Tally,
}

impl RateLimit {
    /// Looks at each slot once, and writes them when no limit refuses.
    pub(crate) fn count(&self, charges: Vec<Charge>, now: Micros) -> Result<Counted, NotCounted> {
        let mut groups = Vec::new();
        for charges in by_slot(charges) {
            match see(&charges, now) {
                Ok((seen, tally)) => groups.push(Group { charges, seen, tally }),
                Err(Contended) => self.not_counted(&charges)?,
            }
        }
        let mut full: Vec<Full> = groups.iter_mut().flat_map(|it| std::mem::take(&mut it.tally.full)).collect();
        if !full.is_empty() {
            full.sort_by_key(|it| it.rule.order);
            return Err(NotCounted::Full(full));
        }
        let mut counted = Counted::default();
        for group in groups {
            if let Err(why) = self.write(group, now, &mut counted) {
                give_back(&counted.spent, now);
                return Err(why);
            }
        }
        Ok(counted)
    }

    fn write(&self, group: Group, now: Micros, counted: &mut Counted) -> Result<(), NotCounted> {
        let Group { charges, seen, tally } = group;
        let written = tally.bytes.as_ref().map_or(Ok(true), |bytes| seen.replace(bytes));
        let tally = match written {
            Ok(true) => Ok(tally),
            // Another worker wrote first: count anew, on what it wrote.
            Ok(false) => again(&charges, now),
            Err(Contended) => Err(Contended),
        };
        let tally = match tally {
            Ok(tally) if tally.full.is_empty() => tally,
            Ok(tally) => return Err(NotCounted::Full(tally.full)),
            Err(Contended) => return self.not_counted(&charges),
        };
        for full in &tally.shadowed {
            self.counters.refused(&full.rule);
        }
        counted.standings.extend(tally.standings);
        counted.spent.extend(charges.into_iter().zip(tally.spent).filter_map(|(it, state)| Some((it, state?))));
        Ok(())
    }

    /// The proxy's memory fails: the operator chose what becomes of the request.
    fn not_counted(&self, charges: &[Charge]) -> Result<(), NotCounted> {
        for charge in charges {
            self.counters.failed(&charge.rule);
        }
        match charges.iter().find_map(|it| policy::uncounted(&it.rule)) {
            Some(reply) => Err(NotCounted::Failed(reply)),
            None => Ok(()),
        }
    }
}

/// Gives back what was spent, as far as the memory lets it.
pub(crate) fn give_back(spent: &[Spent], now: Micros) {
    for spent in by_slot_of(spent.to_vec(), |it| it.0.place.slot) {
        let Some(slot) = spent.first().map(|it| it.0.place.slot) else { continue };
        if host::slots::update(TABLE, slot, |bytes| (policy::give_back(bytes, &spent, now), ())).is_err() {
            log::warn!("a request was not given back");
        }
    }
}

fn see(charges: &[Charge], now: Micros) -> Result<(Seen, Tally), Contended> {
    let slot = charges.first().map(|it| it.place.slot).unwrap_or_default();
    let seen = host::slots::see(TABLE, slot)?;
    let tally = policy::spend(&seen.bytes, charges, now);
    Ok((seen, tally))
}

fn again(charges: &[Charge], now: Micros) -> Result<Tally, Contended> {
    let slot = charges.first().map(|it| it.place.slot).unwrap_or_default();
    host::slots::update(TABLE, slot, |bytes| {
        let mut tally = policy::spend(bytes, charges, now);
        (tally.bytes.take().unwrap_or_else(|| bytes.to_vec()), tally)
    })
}

fn by_slot(charges: Vec<Charge>) -> Vec<Vec<Charge>> {
    by_slot_of(charges, |it| it.place.slot)
}

/// What is in one slot together, in the order in which it came.
fn by_slot_of<T>(all: Vec<T>, slot: impl Fn(&T) -> u32) -> Vec<Vec<T>> {
    let mut groups: Vec<Vec<T>> = Vec::new();
    for one in all {
        match groups.iter_mut().find(|it| it.first().is_some_and(|it| slot(it) == slot(&one))) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    groups
}
