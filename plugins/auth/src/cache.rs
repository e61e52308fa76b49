//! Tokens that were verified a moment ago, so that the next request with one costs no signature.
//!
//! The key is the token's whole text, not a hash of it: comparing costs less than hashing well, and
//! no second text can have the same key. What the cache answers is checked against the clock at
//! every hit, and everything is forgotten when any key of any provider changes.

use crate::verify::Verified;
use std::{
    collections::{HashMap, VecDeque},
    rc::Rc,
};

/// How many tokens are kept, per worker.
pub const MOST: usize = 1024;
/// Longer tokens are verified every time, so that the cache stays below 4 MiB of text.
pub const LONGEST: usize = 4096;

/// What is kept of a verified token.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The place of its provider.
    pub provider: usize,
    /// What it says.
    pub verified: Rc<Verified>,
}

/// The verified tokens of one worker; the one that came in first goes first.
#[derive(Default)]
pub struct Cache {
    entries: HashMap<Rc<str>, Entry>,
    order: VecDeque<Rc<str>>,
}

impl Cache {
    /// What is known of `token`. Whether it still holds is for the caller to check.
    #[must_use]
    pub fn get(&self, token: &str) -> Option<&Entry> {
        self.entries.get(token)
    }

    /// Keeps a token that was verified just now.
    pub fn insert(&mut self, token: &str, entry: Entry) {
        if token.len() > LONGEST {
            return;
        }
        let token: Rc<str> = token.into();
        if self.entries.insert(Rc::clone(&token), entry).is_none() {
            self.order.push_back(token);
        }
        while self.order.len() > MOST {
            if let Some(oldest) = self.order.pop_front() {
                self.entries.remove(&oldest);
            }
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.order.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::caller::Caller;

    fn entry(user: &str) -> Entry {
        let caller = Caller { user: user.to_owned(), ..Caller::default() };
        Entry { provider: 0, verified: Rc::new(Verified { caller, window: crate::claims::Window::default() }) }
    }

    #[test]
    fn it_stays_bounded_and_the_first_goes_first() {
        let mut cache = Cache::default();
        for number in 0..MOST + 2 {
            cache.insert(&number.to_string(), entry("a"));
            cache.insert(&number.to_string(), entry("b"));
        }
        assert_eq!((cache.entries.len(), cache.order.len()), (MOST, MOST));
        assert!(cache.get("1").is_none());
        assert_eq!(cache.get("2").unwrap().verified.caller.user, "b");
        cache.insert(&"x".repeat(LONGEST + 1), entry("a"));
        assert_eq!(cache.entries.len(), MOST);
        cache.clear();
        assert!(cache.get("2").is_none() && cache.order.is_empty());
    }
}
