//! Names for turns, made here: who named a turn can close it, also when it never heard whether it was opened.

use domain::time::Micros;
use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

/// Makes names that no other worker, gateway or start of this one gives to a turn of the same user. They need not be secret.
#[derive(Debug)]
pub struct Ids {
    random: RandomState,
    start: u64,
    next: Cell<u64>,
}

impl Ids {
    /// Those of this worker, from now on.
    #[must_use]
    pub fn new(now: Micros) -> Self {
        let random = RandomState::new();
        Self { start: random.hash_one(now.0), random, next: Cell::new(0) }
    }

    /// One more. In Kong two starts may have the same random numbers; they have not the same turn at the same moment.
    pub fn next(&self, now: Micros) -> String {
        let number = self.next.get();
        self.next.set(number.wrapping_add(1));
        format!("turn_{:016x}{:016x}", self.start, self.random.hash_one((now.0, number)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_turns_have_one_name() {
        let (one, other) = (Ids::new(Micros(1)), Ids::new(Micros(1)));
        let names = [one.next(Micros(1)), one.next(Micros(1)), other.next(Micros(1)), other.next(Micros(2))];
        for (place, name) in names.iter().enumerate() {
            let digits = name.strip_prefix("turn_").unwrap();
            assert!(digits.len() == 32 && digits.bytes().all(|it| it.is_ascii_hexdigit()), "{name}");
            assert!(names.iter().skip(place + 1).all(|it| it != name), "{names:?}");
        }
    }
}
