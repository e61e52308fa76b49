//! Names for what is reported, so that a receiver who is told twice counts once.

use domain::time::Micros;
use std::{
    cell::Cell,
    hash::{BuildHasher, RandomState},
};

/// Gives names that no other worker gives, from the host's random numbers.
#[derive(Debug, Default)]
pub struct Ids {
    keys: (RandomState, RandomState),
    given: Cell<u64>,
}

impl Ids {
    /// A new name, asked for at `now`: `e_` and 32 hexadecimal digits.
    #[must_use]
    pub fn next(&self, now: Micros) -> String {
        let nth = self.given.get();
        self.given.set(nth.saturating_add(1));
        format!("e_{:016x}{:016x}", self.keys.0.hash_one((now.0, nth)), self.keys.1.hash_one((nth, now.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_names_are_the_same() {
        let (one, other) = (Ids::default(), Ids::default());
        let names = [one.next(Micros(1)), one.next(Micros(1)), other.next(Micros(1)), other.next(Micros(1))];
        assert!(names.iter().all(|it| it.len() == 34 && it.starts_with("e_")), "{names:?}");
        assert_eq!(std::collections::BTreeSet::from(names).len(), 4);
    }
}
