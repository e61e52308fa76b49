//! Tokens that were verified a moment ago, so that the next request with one costs no signature.
//!
//! What is kept is no token: the key is a SHA-256 of it, and of the configuration that it was verified under. What the
//! cache answers is checked against the clock at every hit, and everything is forgotten when any key of any provider
//! changes.

use crate::{config::Config, verify::Verified};
use sha2::{Digest, Sha256};
use std::{
    collections::{HashMap, VecDeque},
    rc::Rc,
};

/// How many tokens are kept, per worker.
pub const MOST: usize = 1024;

/// The name of a token.
pub type Name = [u8; 32];

/// What is kept of a verified token.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The place of its provider.
    pub provider: usize,
    /// What it says.
    pub verified: Rc<Verified>,
}

/// The verified tokens of one worker; the one that came in first goes first.
pub struct Cache {
    /// The hash of the configuration, to be continued with a token.
    config: Sha256,
    entries: HashMap<Name, Entry>,
    order: VecDeque<Name>,
}

impl Cache {
    /// Knows no token.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self { config: Sha256::new_with_prefix(config.digest), entries: HashMap::new(), order: VecDeque::new() }
    }

    /// The name under which `token` is kept.
    #[must_use]
    pub fn name(&self, token: &str) -> Name {
        self.config.clone().chain_update(token).finalize().into()
    }

    /// What is known of a token. Whether it still holds is for the caller to check.
    #[must_use]
    pub fn get(&self, name: &Name) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// Keeps a token that was verified just now.
    pub fn insert(&mut self, name: Name, entry: Entry) {
        if self.entries.insert(name, entry).is_none() {
            self.order.push_back(name);
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

    fn cache(audience: &str) -> Cache {
        let json = r#"{"providers": {"a": {"issuer": "a", "audiences": ["AUD"], "remote_jwks": {"http_uri": {"uri": "http://a/", "cluster": "a"}}}}}"#;
        Cache::new(&Config::parse(json.replace("AUD", audience).as_bytes()).unwrap())
    }

    fn entry(user: &str) -> Entry {
        let caller = Caller { user: user.to_owned(), ..Caller::default() };
        Entry { provider: 0, verified: Rc::new(Verified { caller, window: crate::claims::Window::default() }) }
    }

    #[test]
    fn it_stays_bounded_and_the_first_goes_first() {
        let mut cache = cache("a");
        let name = |cache: &Cache, number: usize| cache.name(&number.to_string());
        for number in 0..MOST + 2 {
            cache.insert(name(&cache, number), entry("a"));
            cache.insert(name(&cache, number), entry("b"));
        }
        assert_eq!((cache.entries.len(), cache.order.len()), (MOST, MOST));
        assert!(cache.get(&name(&cache, 1)).is_none());
        assert_eq!(cache.get(&name(&cache, 2)).unwrap().verified.caller.user, "b");
        cache.clear();
        assert!(cache.get(&name(&cache, 2)).is_none() && cache.order.is_empty());
    }

    #[test]
    fn a_name_is_the_tokens_and_the_configurations() {
        assert_eq!(cache("a").name("x"), cache("a").name("x"));
        assert_ne!(cache("a").name("x"), cache("a").name("y"));
        assert_ne!(cache("a").name("x"), cache("b").name("x"));
    }
}
