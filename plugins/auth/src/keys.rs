//! A provider's keys, as one worker holds them, and how an answer of the provider becomes keys.

use crate::{
    jwks::{self, KeySet},
    schedule::{Pace, Schedule},
};
use domain::time::Micros;
use std::time::Duration;

/// A provider's keys.
#[derive(Debug)]
pub enum Keys {
    /// From the configuration; they never change.
    Fixed(KeySet),
    /// Fetched.
    Remote(Remote),
}

/// Keys that somebody else publishes: this worker's copy of what all workers know.
#[derive(Debug)]
pub struct Remote {
    /// How long they are used after they came.
    most: Duration,
    known: Option<Known>,
}

#[derive(Debug)]
struct Known {
    keys: KeySet,
    document: String,
    since: Micros,
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

    /// When they were fetched; zero when they were not.
    #[must_use]
    pub fn since(&self) -> Micros {
        match self {
            Self::Remote(Remote { known: Some(known), .. }) => known.since,
            _ => Micros(0),
        }
    }

    /// Takes over what all workers know; whether these are other keys than before. A schedule without keys (nobody
    /// fetched any, or the host lost them) takes none away.
    pub fn follow(&mut self, schedule: &Schedule) -> bool {
        let Self::Remote(remote) = self else { return false };
        if schedule.document.is_empty() {
            return false;
        }
        if let Some(known) = remote.known.as_mut().filter(|it| it.document == schedule.document) {
            known.since = schedule.since;
            return false;
        }
        let Ok(keys) = KeySet::parse(schedule.document.as_bytes()) else { return false };
        remote.known = Some(Known { keys, document: schedule.document.clone(), since: schedule.since });
        true
    }
}

impl Remote {
    /// No keys yet. They serve for `most` after they came.
    #[must_use]
    pub fn new(most: Duration) -> Self {
        Self { most, known: None }
    }

    fn usable(&self, now: Micros) -> Option<&KeySet> {
        self.known.as_ref().filter(|known| now.since(known.since) < self.most).map(|known| &known.keys)
    }
}

/// Makes a provider's keys known to all. While one in them is broken, those that were known before stay, for the answer
/// may have lost them; but only until `most` after the last answer that was whole.
pub fn learn(schedule: &mut Schedule, keys: &KeySet, most: Duration, now: Micros, pace: Pace) {
    let trusted = now.since(schedule.whole_since) < most;
    let older = Some(&schedule.document).filter(|_| keys.torn && trusted);
    let older = older.and_then(|it| KeySet::parse(it.as_bytes()).ok());
    let both = older.map(|it| keys.clone().with_those_of(&it).distilled()).filter(|it| it.len() <= jwks::LONGEST);
    let document = both.unwrap_or_else(|| keys.distilled());
    schedule.learned(document, !keys.torn, now, pace);
}

/// Reads a provider's answer, status and body: `None` if there was none.
///
/// # Errors
/// Why it is of no use.
pub fn read(answer: Option<(u16, Vec<u8>)>) -> Result<KeySet, String> {
    let (status, document) = answer.ok_or("no answer")?;
    if status != 200 {
        return Err(format!("status {status}"));
    }
    KeySet::parse(&document)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str =
        r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    const B: &str =
        r#"{"keys":[{},{"kty":"OKP","crv":"Ed25519","kid":"b","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    const MOST: Duration = Duration::from_secs(3900);
    const PACE: Pace = Pace { fresh: Duration::from_secs(300), lost: Duration::from_secs(10) };

    fn at(seconds: u64) -> Micros {
        Micros::from_seconds(1_700_000_000 + seconds)
    }

    #[test]
    fn a_worker_follows_what_all_know() {
        let mut keys = Keys::Remote(Remote::new(MOST));
        let mut schedule = Schedule::default();
        assert!(!keys.follow(&schedule) && keys.usable(at(0)).is_none());
        schedule.learned(A.to_owned(), true, at(0), PACE);
        assert!(keys.follow(&schedule) && keys.usable(at(0)).is_some());
        schedule.learned(A.to_owned(), true, at(10), PACE);
        assert!(!keys.follow(&schedule), "the same keys, later");
        assert!(keys.usable(at(3909)).is_some() && keys.usable(at(3910)).is_none());
        assert!(
            !keys.follow(&Schedule::default()) && keys.usable(at(10)).is_some(),
            "what the host lost, a worker keeps"
        );
    }

    #[test]
    fn a_broken_key_in_an_answer_takes_none_away_for_a_while() {
        let with = |entry: &str| read(Some((200, B.replace("{}", entry).into()))).unwrap();
        let known = |entry: &str, seconds: u64| {
            let mut schedule = Schedule::default();
            learn(&mut schedule, &read(Some((200, A.into()))).unwrap(), MOST, at(0), PACE);
            learn(&mut schedule, &with(entry), MOST, at(seconds), PACE);
            schedule.document
        };
        // Broken: no object, no kind, no point of its curve, no modulus.
        for broken in ["7", "{\"x\":1}", r#"{"kty":"OKP","crv":"Ed25519","x":"AA"}"#, r#"{"kty":"RSA","use":"sig"}"#] {
            let kept = known(broken, 3899);
            assert!(kept.contains("\"a\"") && kept.contains("\"b\""), "{broken}: {kept}");
            assert!(!known(broken, 3900).contains("\"a\""), "{broken}: not for ever");
        }
        // For another purpose.
        for other in [r#"{"kty":"RSA","use":"enc"}"#, r#"{"kty":"oct","k":"AA"}"#, r#"{"kty":"OKP","crv":"X25519"}"#] {
            assert!(!known(other, 1).contains("\"a\""), "{other}");
        }
    }

    #[test]
    fn an_answer_without_a_key_for_us_is_no_answer() {
        let huge = format!("{}{A}", " ".repeat(crate::jwks::LONGEST));
        for bad in ["", "garbage", "{}", r#"{"keys":[]}"#, r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#, &huge] {
            assert!(read(Some((200, bad.into()))).is_err(), "{bad:.20}");
        }
        assert!(read(Some((200, A.into()))).is_ok());
        assert!(read(Some((503, A.into()))).is_err() && read(None).is_err());
    }
}
