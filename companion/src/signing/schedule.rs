//! When a key signs and how long it is published: functions of its row and the time.

use crate::store::SigningKeyRow;
use domain::time::Micros;
use std::time::Duration;

/// How far two clocks may be apart, as the gateways have it: so much longer than its `exp` says a token
/// may be accepted.
pub(crate) const SKEW: Duration = Duration::from_secs(60);

/// How many own keys may be published at a time. Gateways read sets of 128 keys at most.
pub(crate) const MOST_OWN_KEYS: usize = 20;

/// What a key does at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It is published, so that every verifier knows it when it signs its first token.
    Waiting,
    /// It signs; when several may, the one that began last.
    Signing,
    /// It signs no more, and is published until its last token is dead.
    Retired,
    /// Its last token is dead; it is published no more.
    Gone,
    /// It was taken out of the key set although tokens of it may live.
    Compromised,
}

impl State {
    /// The word for it.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Signing => "signing",
            Self::Retired => "retired",
            Self::Gone => "gone",
            Self::Compromised => "compromised",
        }
    }
}

/// The life of one key.
pub(crate) trait Schedule {
    /// What it does at `now`.
    fn state(&self, now: Micros) -> State;
    /// When the key set is without it; `None` while no end is set.
    fn leaves_at(&self) -> Option<Micros>;
    /// Whether it is in the key set at `now`.
    fn is_published(&self, now: Micros) -> bool {
        matches!(self.state(now), State::Waiting | State::Signing | State::Retired)
    }
    /// Whether it never signs from `now` on.
    fn is_over(&self, now: Micros) -> bool {
        !matches!(self.state(now), State::Waiting | State::Signing)
    }
}

impl Schedule for SigningKeyRow {
    fn state(&self, now: Micros) -> State {
        if self.withdrawn_at.is_some() {
            State::Compromised
        } else if self.signs_until.is_none_or(|until| now < until) {
            if now < self.signs_from { State::Waiting } else { State::Signing }
        } else if self.leaves_at().is_none_or(|then| now < then) {
            State::Retired
        } else {
            State::Gone
        }
    }

    fn leaves_at(&self) -> Option<Micros> {
        // A token that was about to be signed when the key was retired is written down a moment later.
        let until = self.signs_until?;
        self.withdrawn_at.or_else(|| Some(until.max(self.last_expiry).after(SKEW)))
    }
}

/// The first moment from `now` on at which none of `keys` may sign, if there is one.
#[must_use]
pub(crate) fn gap<'a>(keys: impl Iterator<Item = &'a SigningKeyRow> + Clone, now: Micros) -> Option<Micros> {
    let mut covered = now;
    loop {
        let signing = keys.clone().filter(|it| it.state(covered) == State::Signing);
        // Without an end is the longest.
        match signing.map(|it| it.signs_until.unwrap_or(Micros(u64::MAX))).max() {
            None => return Some(covered),
            Some(Micros(u64::MAX)) => return None,
            // A key that signs at a moment signs a little longer, so this gets on.
            Some(until) => covered = until,
        }
    }
}

/// The key that signs at `now`: of those that may, the one that began last.
#[must_use]
pub(crate) fn signer(keys: &[SigningKeyRow], now: Micros) -> Option<&SigningKeyRow> {
    keys.iter().filter(|it| it.state(now) == State::Signing).max_by_key(|it| (it.signs_from, &it.kid))
}

/// The next moment after `now` at which a key begins to sign, ends, or leaves the set.
#[must_use]
pub(crate) fn next_change(keys: &[SigningKeyRow], now: Micros) -> Option<Micros> {
    let moments = keys.iter().flat_map(|it| [Some(it.signs_from), it.signs_until, it.leaves_at()]);
    moments.flatten().filter(|then| *then > now).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Micros {
        Micros::from_seconds(seconds)
    }

    fn key(kid: &str, from: u64, until: Option<u64>) -> SigningKeyRow {
        SigningKeyRow {
            kid: kid.to_owned(),
            algorithm: "EdDSA".to_owned(),
            jwk: "{}".to_owned(),
            created_at: at(0),
            signs_from: at(from),
            signs_until: until.map(at),
            last_expiry: at(0),
            withdrawn_at: None,
        }
    }

    #[test]
    fn a_key_waits_signs_is_retired_and_goes_with_its_last_token() {
        let with = |last: u64| SigningKeyRow { last_expiry: at(last), ..key("a", 100, Some(200)) };
        let states = |key: &SigningKeyRow| [99, 100, 199, 200, 259, 260, 359, 360].map(|it| key.state(at(it)));
        use State::{Compromised, Gone, Retired, Signing, Waiting};
        assert_eq!(states(&with(300)), [Waiting, Signing, Signing, Retired, Retired, Retired, Retired, Gone]);
        // Without a token, too, for as long as one may be on its way to being written down.
        assert_eq!(states(&with(0)), [Waiting, Signing, Signing, Retired, Retired, Gone, Gone, Gone]);
        let withdrawn = SigningKeyRow { withdrawn_at: Some(at(150)), ..with(300) };
        assert_eq!(states(&withdrawn), [Compromised; 8]);
        assert_eq!(key("a", 0, None).state(at(9_999_999)), Signing);
    }

    #[test]
    fn the_key_that_began_last_signs() {
        let keys = [key("a", 0, Some(100)), key("b", 100, None), key("c", 50, Some(60))];
        let check = |now| signer(&keys, at(now)).map(|it| it.kid.as_str());
        assert_eq!(
            [0, 49, 50, 59, 60, 99, 100].map(check),
            [Some("a"), Some("a"), Some("c"), Some("c"), Some("a"), Some("a"), Some("b")]
        );
        assert!(signer(&keys[..1], at(100)).is_none());
    }

    #[test]
    fn a_gap_is_found_however_the_keys_follow_each_other() {
        let check = |keys: &[SigningKeyRow]| gap(keys.iter(), at(10)).map(Micros::seconds);
        assert_eq!(check(&[]), Some(10));
        assert_eq!(check(&[key("a", 0, None)]), None);
        assert_eq!(check(&[key("a", 11, None)]), Some(10));
        assert_eq!(check(&[key("a", 0, Some(20))]), Some(20));
        assert_eq!(check(&[key("a", 0, Some(20)), key("b", 20, None)]), None);
        assert_eq!(check(&[key("a", 0, Some(20)), key("b", 21, None)]), Some(20));
        assert_eq!(check(&[key("a", 0, Some(20)), key("b", 5, Some(30)), key("c", 30, None)]), None);
        let withdrawn = SigningKeyRow { withdrawn_at: Some(at(5)), ..key("a", 0, None) };
        assert_eq!(check(&[withdrawn]), Some(10));
    }

    #[test]
    fn the_next_change_is_the_next_moment_of_any_key() {
        let keys = [key("a", 0, Some(100)), key("b", 100, None)];
        let check = |now| next_change(&keys, at(now)).map(Micros::seconds);
        assert_eq!([0, 99, 100, 159, 160].map(check), [Some(100), Some(100), Some(160), Some(160), None]);
    }
}
