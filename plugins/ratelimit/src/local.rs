//! Counting in this proxy's own memory: all limits of a request, or none.

use crate::{
    filter::{NotCounted, RateLimit, TABLE},
    policy::{self, Full, Standing, Tally},
    rules::Charge,
};
use domain::{quota::FullAt, time::Micros};
use host::slots::{Contended, Seen};

/// What was spent of one request, to be given back if it comes to nothing.
pub(crate) type Spent = (Charge, FullAt);

/// The slots of a request as they were found, with room in all of them.
pub(crate) struct Looked {
    groups: Vec<Group>,
    now: Micros,
}

/// A request that was counted.
#[derive(Default)]
pub(crate) struct Counted {
    pub(crate) spent: Vec<Spent>,
    pub(crate) standings: Vec<Standing>,
}

/// The limits whose counts are in one slot, the slot, and what it says.
struct Group {
    charges: Vec<Charge>,
    seen: Seen,
    tally: Tally,
}

impl RateLimit {
    /// Looks at each slot once.
    pub(crate) fn look(&self, charges: Vec<Charge>, now: Micros) -> Result<Looked, NotCounted> {
        let mut groups = Vec::new();
        for charges in by_slot(charges, |it| it.place.slot) {
            match see(&charges, now) {
                Ok((seen, tally)) => groups.push(Group { charges, seen, tally }),
                Err(Contended) => self.not_counted(&charges)?,
            }
        }
        let full: Vec<Full> = groups.iter_mut().flat_map(|it| std::mem::take(&mut it.tally.full)).collect();
        if full.is_empty() { Ok(Looked { groups, now }) } else { Err(NotCounted::Full(full)) }
    }

    /// Writes what was looked at. Where another worker wrote first and left no room, nothing stays written.
    pub(crate) fn write(&self, looked: Looked) -> Result<Counted, NotCounted> {
        let mut counted = Counted::default();
        for group in looked.groups {
            if let Err(why) = self.write_group(group, looked.now, &mut counted) {
                give_back(counted.spent, looked.now);
                return Err(why);
            }
        }
        Ok(counted)
    }

    fn write_group(&self, group: Group, now: Micros, counted: &mut Counted) -> Result<(), NotCounted> {
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

    /// The counts are not to be had: the operator chose what becomes of the request.
    pub(crate) fn not_counted(&self, charges: &[Charge]) -> Result<(), NotCounted> {
        for charge in charges {
            self.counters.failed(&charge.rule);
        }
        let denied = charges.iter().any(|it| policy::denies_uncounted(&it.rule));
        if denied { Err(NotCounted::Failed) } else { Ok(()) }
    }
}

/// Gives back what was spent, as far as the memory lets it.
pub(crate) fn give_back(spent: Vec<Spent>, now: Micros) {
    for spent in by_slot(spent, |it| it.0.place.slot) {
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

/// What is in one slot together, in the order in which it came.
fn by_slot<T>(all: Vec<T>, slot: impl Fn(&T) -> u32) -> Vec<Vec<T>> {
    let mut groups: Vec<Vec<T>> = Vec::new();
    for one in all {
        match groups.iter_mut().find(|it| it.first().is_some_and(|it| slot(it) == slot(&one))) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    groups
}
