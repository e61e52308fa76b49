//! A provider's keys over time: when to fetch them, and how long to go on with those we have.
//!
//! Nothing here fetches. It answers what is known and what should be asked, and is told what came
//! back.

use crate::jwks::KeySet;
use domain::time::Micros;
use std::time::Duration;

/// How long to wait after a first failure; it doubles with each one that follows.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest wait between failures. Short, because a worker without keys lets nobody in.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How often tokens with an unknown `kid` may cause a fetch.
const UNKNOWN_PAUSE: Duration = Duration::from_secs(30);
/// After this time a background fetch counts as lost, whatever the proxy says. Longer than any timeout.
const LOST: Duration = Duration::from_secs(60);

/// A provider's keys.
#[derive(Debug)]
pub enum Keys {
    /// From the configuration; they never change.
    Fixed(KeySet),
    /// Fetched.
    Remote(Remote),
}

/// Keys that somebody else publishes.
#[derive(Debug)]
pub struct Remote {
    fresh: Duration,
    max_stale: Duration,
    known: Option<Known>,
    fetching: Fetching,
    failures: u32,
    unknown_asked: Option<Micros>,
}

#[derive(Debug)]
struct Known {
    keys: KeySet,
    document: Vec<u8>,
    since: Micros,
}

/// The background fetch.
#[derive(Debug)]
enum Fetching {
    /// Sent then.
    Since(Micros),
    /// The next is due then.
    Due(Micros),
}

/// What an answer was good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// The keys are what they were.
    Same,
    /// There are other keys now, so many of them of no use.
    Changed {
        /// How many keys of the set are of no use here.
        skipped: usize,
    },
}

impl Keys {
    /// The keys to verify with at `now`; `None` when there are none yet, or they are too old.
    #[must_use]
    pub fn usable(&self, now: Micros) -> Option<&KeySet> {
        match self {
            Self::Fixed(keys) => Some(keys),
            Self::Remote(remote) => remote.usable(now),
        }
    }

    /// Whether a token whose `kid` nobody knows may have the keys fetched once more; says yes once
    /// in 30 s.
    pub fn ask_for_unknown(&mut self, now: Micros) -> bool {
        let Self::Remote(remote) = self else { return false };
        let allowed = remote.unknown_asked.is_none_or(|then| now.since(then) >= UNKNOWN_PAUSE);
        if allowed {
            remote.unknown_asked = Some(now);
        }
        allowed
    }

    /// Whether a request may ask for the keys that are missing: not in the pause after a failure,
    /// when the answer would be the same and the one who asks only waits for it.
    #[must_use]
    pub fn ask_for_missing(&self, now: Micros) -> bool {
        match self {
            Self::Fixed(_) => false,
            Self::Remote(remote) => match remote.fetching {
                Fetching::Due(then) => remote.failures == 0 || now >= then,
                // A background fetch is out; another one may be quicker than waiting for a tick.
                Fetching::Since(_) => true,
            },
        }
    }

    /// Whether to fetch in the background; then the fetch counts as sent.
    pub fn start_fetch(&mut self, now: Micros) -> bool {
        let Self::Remote(remote) = self else { return false };
        let due = match remote.fetching {
            Fetching::Due(then) => now >= then,
            Fetching::Since(then) => now.since(then) >= LOST,
        };
        if due {
            remote.fetching = Fetching::Since(now);
        }
        due
    }

    /// Takes the answer to a fetch, whoever asked: `None` if there was none.
    ///
    /// # Errors
    /// Why it is of no use; the keys are what they were.
    pub fn answered(&mut self, answer: Option<(u16, Vec<u8>)>, now: Micros) -> Result<News, String> {
        let Self::Remote(remote) = self else { return Ok(News::Same) };
        let news = remote.learn(answer, now);
        match remote.fetching {
            _ if news.is_ok() => {
                remote.failures = 0;
                // Early enough to try again a few times before they are old.
                remote.fetching = Fetching::Due(now.after(remote.fresh.mul_f64(0.8)));
            }
            // One of many requests that asked at once: the pause after the first failure is on already.
            Fetching::Due(then) if now < then => {}
            _ => {
                let pause = FIRST_PAUSE.saturating_mul(1 << remote.failures.min(5)).min(LONGEST_PAUSE);
                remote.failures = remote.failures.saturating_add(1);
                remote.fetching = Fetching::Due(now.after(pause));
            }
        }
        news
    }
}

impl Remote {
    /// No keys yet; the first fetch is due at once.
    #[must_use]
    pub fn new(fresh: Duration, max_stale: Duration) -> Self {
        let fetching = Fetching::Due(Micros(0));
        Self { fresh, max_stale, known: None, fetching, failures: 0, unknown_asked: None }
    }

    fn usable(&self, now: Micros) -> Option<&KeySet> {
        let most = self.fresh.saturating_add(self.max_stale);
        self.known.as_ref().filter(|known| now.since(known.since) < most).map(|known| &known.keys)
    }

    fn learn(&mut self, answer: Option<(u16, Vec<u8>)>, now: Micros) -> Result<News, String> {
        let (status, document) = answer.ok_or("no answer")?;
        if status != 200 {
            return Err(format!("status {status}"));
        }
        match &mut self.known {
            Some(known) if known.document == document => {
                known.since = now;
                Ok(News::Same)
            }
            _ => {
                let keys = KeySet::parse(&document)?;
                let skipped = keys.skipped;
                self.known = Some(Known { keys, document, since: now });
                Ok(News::Changed { skipped })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str =
        r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    const B: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"b","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},{"kty":"oct","k":"AAAA"}]}"#;

    fn at(seconds: u64) -> Micros {
        Micros::from_seconds(1_700_000_000 + seconds)
    }

    fn remote() -> Keys {
        Keys::Remote(Remote::new(Duration::from_secs(300), Duration::from_secs(3600)))
    }

    fn answer(keys: &mut Keys, text: &str, seconds: u64) -> Result<News, String> {
        keys.answered(Some((200, text.as_bytes().to_vec())), at(seconds))
    }

    #[test]
    fn keys_are_fetched_at_once_and_again_before_they_are_old() {
        let mut keys = remote();
        assert!(keys.usable(at(0)).is_none() && keys.ask_for_missing(at(0)));
        assert!(keys.start_fetch(at(0)));
        assert!(!keys.start_fetch(at(1)), "one at a time");
        assert_eq!(answer(&mut keys, A, 1), Ok(News::Changed { skipped: 0 }));
        assert!(keys.usable(at(1)).is_some());
        assert!(!keys.start_fetch(at(240)));
        assert!(keys.start_fetch(at(241)));
        assert_eq!(answer(&mut keys, A, 242), Ok(News::Same));
        assert_eq!(answer(&mut keys, B, 243), Ok(News::Changed { skipped: 1 }));
    }

    #[test]
    fn a_fetch_that_nobody_answers_is_sent_again() {
        let mut keys = remote();
        assert!(keys.start_fetch(at(0)));
        assert!(!keys.start_fetch(at(59)));
        assert!(keys.start_fetch(at(60)));
    }

    #[test]
    fn the_last_good_keys_are_used_until_they_are_too_old() {
        let mut keys = remote();
        answer(&mut keys, A, 0).unwrap();
        let huge = format!("{}{A}", " ".repeat(crate::jwks::LONGEST));
        for bad in ["", "garbage", "{}", r#"{"keys":[]}"#, r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#, &huge] {
            assert!(answer(&mut keys, bad, 10).is_err(), "{:.20}", bad);
        }
        assert!(keys.answered(Some((503, A.into())), at(10)).is_err());
        assert!(keys.answered(None, at(10)).is_err());
        assert!(keys.usable(at(3899)).is_some());
        assert!(keys.usable(at(3900)).is_none());
    }

    #[test]
    fn a_failure_is_followed_by_a_pause_that_grows() {
        let mut keys = remote();
        let mut now = 0;
        for pause in [1, 2, 4, 5, 5] {
            assert!(keys.start_fetch(at(now)));
            assert!(keys.answered(None, at(now)).is_err());
            assert!(!keys.ask_for_missing(at(now + pause - 1)) && !keys.start_fetch(at(now + pause - 1)), "{pause}");
            now += pause;
            assert!(keys.ask_for_missing(at(now)));
        }
        answer(&mut keys, A, now).unwrap();
        assert!(keys.ask_for_missing(at(now)));
    }

    #[test]
    fn many_failures_at_once_are_one() {
        let mut keys = remote();
        for _ in 0..100 {
            assert!(keys.answered(None, at(0)).is_err());
        }
        assert!(!keys.ask_for_missing(at(0)) && keys.ask_for_missing(at(1)));
    }

    #[test]
    fn an_unknown_key_is_asked_for_once_in_a_while() {
        let mut keys = remote();
        let asked: Vec<u64> = (0..61).filter(|it| keys.ask_for_unknown(at(*it))).collect();
        assert_eq!(asked, [0, 30, 60]);
    }
}
