//! What all workers of a proxy know together of a provider's keys: the last good set, and when to ask for the next.
//!
//! It lives in a slot of shared memory as bytes, so that one worker fetches for all and no other worker's request
//! causes a second fetch. Everything here is a function of such a state and the time; bytes that are no state are
//! the state of someone who knows nothing yet, whose first fetch is due.

use domain::time::Micros;
use std::time::Duration;

/// How long to wait after a first failure; it doubles with each one that follows.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest wait between failures. Short, because a worker without keys lets nobody in.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How often tokens with an unknown `kid` may cause a fetch, over all workers.
const UNKNOWN_PAUSE: Duration = Duration::from_secs(30);

/// The state that workers share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    fetch: Fetch,
    failures: u32,
    /// When a token with an unknown `kid` last caused a fetch; zero: never.
    unknown_asked: Micros,
    /// When the last good answer came.
    pub since: Micros,
    /// When the last answer came in which no key was broken.
    pub whole_since: Micros,
    /// The last good set, as [`crate::jwks::KeySet::distilled`] writes it; empty: none yet.
    pub document: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fetch {
    /// Under way since then.
    Since(Micros),
    /// The next is due then.
    Due(Micros),
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How long keys count as new.
    pub fresh: Duration,
    /// After this time a fetch counts as lost, whatever became of who sent it. Longer than its timeout.
    pub lost: Duration,
}

/// Why a request asks for keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// There are none.
    Any,
    /// None has the `kid` of its token.
    Unknown,
}

/// What a request that asks for keys is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// To look again with newer keys, which another worker fetched.
    Newer,
    /// To fetch them, for everyone.
    Fetch,
    /// To wait for the fetch that is under way.
    Wait,
    /// To go without.
    No,
}

impl Default for Schedule {
    fn default() -> Self {
        let never = Micros(0);
        let fetch = Fetch::Due(never);
        Self { fetch, failures: 0, unknown_asked: never, since: never, whole_since: never, document: String::new() }
    }
}

impl Schedule {
    /// Whether to fetch in the background; then the fetch counts as sent.
    pub fn start(&mut self, now: Micros, pace: Pace) -> bool {
        let due = match self.fetch {
            Fetch::Due(then) => now >= then || then.since(now) > pace.fresh.max(LONGEST_PAUSE),
            Fetch::Since(then) => is_over(then, pace.lost, now),
        };
        if due {
            self.fetch = Fetch::Since(now);
        }
        due
    }

    /// Whether a fetch is under way.
    #[must_use]
    pub fn is_fetching(&self, now: Micros, pace: Pace) -> bool {
        matches!(self.fetch, Fetch::Since(then) if !is_over(then, pace.lost, now))
    }

    /// Whether a fetch is under way, or the next tick sends one.
    #[must_use]
    pub fn is_coming(&self, now: Micros, pace: Pace) -> bool {
        self.is_fetching(now, pace) || !matches!(self.fetch, Fetch::Due(then) if now < then)
    }

    /// Takes a request's wish for keys. An unknown `kid` is worth a fetch every 30 s, which the request sends. Missing keys
    /// are the tick's affair: requests that fetch and leave at once would keep anyone from ever getting them. They are not
    /// waited for in the pause after a failure, when the answer would be the same.
    /// `known` is since when the one who asks has its keys.
    pub fn ask(&mut self, want: Want, known: Micros, now: Micros, pace: Pace) -> Asked {
        if self.since > known && !self.document.is_empty() {
            return Asked::Newer;
        }
        let first = want == Want::Unknown && is_over(self.unknown_asked, UNKNOWN_PAUSE, now);
        if first && !self.is_fetching(now, pace) {
            self.unknown_asked = now;
            self.fetch = Fetch::Since(now);
            return Asked::Fetch;
        }
        if self.is_coming(now, pace) { Asked::Wait } else { Asked::No }
    }

    /// Whoever fetched is gone before the answer came; the next worker that looks fetches in its place.
    pub fn abandon(&mut self, now: Micros) {
        if matches!(self.fetch, Fetch::Since(_)) {
            self.fetch = Fetch::Due(now);
        }
    }

    /// A good answer came; `whole` if no key in it was broken.
    pub fn learned(&mut self, document: String, whole: bool, now: Micros, pace: Pace) {
        self.document = document;
        self.since = now;
        if whole {
            self.whole_since = now;
        }
        self.failures = 0;
        // Early enough to try again a few times before the keys are old.
        self.fetch = Fetch::Due(now.after(pace.fresh.mul_f64(0.8)));
    }

    /// No good answer came.
    pub fn failed(&mut self, now: Micros) {
        match self.fetch {
            // A late answer to a fetch that was given up: the pause is on already.
            Fetch::Due(then) if now < then => {}
            _ => {
                let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(5)).min(LONGEST_PAUSE);
                self.failures = self.failures.saturating_add(1);
                self.fetch = Fetch::Due(now.after(pause));
            }
        }
    }

    /// The state in a slot.
    #[must_use]
    pub fn read(slot: &[u8]) -> Self {
        Self::decode(slot).unwrap_or_default()
    }

    fn decode(slot: &[u8]) -> Option<Self> {
        let (head, document) = slot.split_first_chunk::<HEAD>()?;
        let [LAYOUT, fetching, rest @ ..] = head else { return None };
        let (numbers, _) = rest.as_chunks::<8>();
        let [at, failures, unknown_asked, since, whole_since] =
            <[[u8; 8]; 5]>::try_from(numbers).ok()?.map(u64::from_le_bytes);
        Some(Self {
            fetch: if *fetching == 0 { Fetch::Due(Micros(at)) } else { Fetch::Since(Micros(at)) },
            failures: u32::try_from(failures).unwrap_or(u32::MAX),
            unknown_asked: Micros(unknown_asked),
            since: Micros(since),
            whole_since: Micros(whole_since),
            document: String::from_utf8(document.to_vec()).ok()?,
        })
    }

    /// The state as a slot holds it.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let (fetching, at) = match self.fetch {
            Fetch::Due(at) => (0, at),
            Fetch::Since(at) => (1, at),
        };
        let numbers = [at.0, self.failures.into(), self.unknown_asked.0, self.since.0, self.whole_since.0];
        let mut slot = vec![LAYOUT, fetching];
        slot.extend(numbers.into_iter().flat_map(u64::to_le_bytes));
        slot.extend_from_slice(self.document.as_bytes());
        slot
    }
}

/// Whether `time` has passed since `then`. It also has when `then` lies further ahead than that: the clock was put back,
/// and what waits must not wait until it is there again.
fn is_over(then: Micros, time: Duration, now: Micros) -> bool {
    now.since(then) >= time || then.since(now) > time
}

/// The first byte of a slot in this layout. Then come one byte for the kind of fetch, and five numbers, little-endian.
const LAYOUT: u8 = 1;
const HEAD: usize = 42;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PACE: Pace = Pace { fresh: Duration::from_secs(300), lost: Duration::from_secs(10) };

    const NEVER: Micros = Micros(0);

    fn at(seconds: u64) -> Micros {
        Micros::from_seconds(1_700_000_000 + seconds)
    }

    #[test]
    fn keys_are_fetched_at_once_and_again_before_they_are_old() {
        let mut keys = Schedule::default();
        assert!(keys.start(at(0), PACE));
        assert!(!keys.start(at(1), PACE), "one at a time");
        keys.learned("{}".into(), true, at(1), PACE);
        assert!(!keys.start(at(240), PACE));
        assert!(keys.start(at(241), PACE));
    }

    #[test]
    fn a_fetch_that_nobody_answers_is_sent_again() {
        let mut keys = Schedule::default();
        assert!(keys.start(at(0), PACE));
        assert!(!keys.start(at(9), PACE) && keys.is_fetching(at(9), PACE));
        assert!(!keys.is_fetching(at(10), PACE) && keys.start(at(10), PACE));
    }

    #[test]
    fn a_clock_that_was_put_back_stops_nothing() {
        let (mut keys, hour) = (Schedule::default(), 3600);
        keys.learned("{}".into(), true, at(hour), PACE);
        assert_eq!(keys.ask(Want::Unknown, at(hour), at(hour), PACE), Asked::Fetch);
        keys.learned("{}".into(), true, at(hour), PACE);
        assert_eq!(keys.ask(Want::Unknown, at(hour), at(0), PACE), Asked::Fetch, "as if nobody had asked");
        keys.learned("{}".into(), true, at(hour), PACE);
        assert!(keys.start(at(0), PACE), "the next fetch is not an hour away");
        let mut lost = Schedule::default();
        assert!(lost.start(at(hour), PACE) && !lost.is_fetching(at(0), PACE), "nobody waits for an hour");
        assert!(lost.start(at(0), PACE));
        // Another worker's moment may be a little later than ours.
        assert!(lost.is_fetching(Micros(at(0).0 - 1), PACE) && !lost.start(Micros(at(0).0 - 1), PACE));
    }

    #[test]
    fn who_leaves_before_the_answer_is_replaced_at_once() {
        let mut keys = Schedule::default();
        assert_eq!(keys.ask(Want::Unknown, NEVER, at(0), PACE), Asked::Fetch);
        keys.abandon(at(1));
        assert_eq!(keys.ask(Want::Unknown, NEVER, at(1), PACE), Asked::Wait, "for the next tick, which fetches");
        assert!(keys.is_coming(at(1), PACE) && keys.start(at(1), PACE));
        keys.learned("{}".into(), true, at(1), PACE);
        keys.abandon(at(2));
        assert!(!keys.start(at(2), PACE), "what was answered is not asked again");
    }

    #[test]
    fn a_failure_is_followed_by_a_pause_that_grows() {
        let mut keys = Schedule::default();
        let mut now = 0;
        for pause in [1, 2, 4, 5, 5] {
            assert!(keys.start(at(now), PACE));
            keys.failed(at(now));
            let just_before = at(now + pause - 1);
            assert!(
                !keys.start(just_before, PACE) && keys.ask(Want::Any, NEVER, just_before, PACE) == Asked::No,
                "{pause}"
            );
            now += pause;
        }
        assert_eq!(keys.ask(Want::Any, NEVER, at(now), PACE), Asked::Wait);
    }

    #[test]
    fn a_fetch_for_the_first_keys_is_nobodys_who_could_leave() {
        let mut keys = Schedule::default();
        assert_eq!(keys.ask(Want::Any, NEVER, at(0), PACE), Asked::Wait, "for the tick");
        assert!(keys.start(at(0), PACE));
        assert_eq!(keys.ask(Want::Any, NEVER, at(9), PACE), Asked::Wait);
        assert_eq!(keys.ask(Want::Any, NEVER, at(10), PACE), Asked::Wait, "for the tick, which sends a lost one again");
    }

    #[test]
    fn many_failures_at_once_are_one() {
        let mut keys = Schedule::default();
        for _ in 0..100 {
            keys.failed(at(0));
        }
        assert_eq!(keys.ask(Want::Any, NEVER, at(0), PACE), Asked::No);
        assert_eq!(keys.ask(Want::Any, NEVER, at(1), PACE), Asked::Wait);
    }

    #[test]
    fn an_unknown_key_is_asked_for_once_in_a_while_and_others_wait_for_the_answer() {
        let mut keys = Schedule::default();
        let asked = |keys: &mut Schedule, seconds| match keys.ask(Want::Unknown, keys.since, at(seconds), PACE) {
            Asked::Fetch => {
                assert_eq!(keys.ask(Want::Unknown, keys.since, at(seconds), PACE), Asked::Wait);
                keys.learned("{}".into(), true, at(seconds), PACE);
                true
            }
            _ => false,
        };
        let times: Vec<u64> = (0..61).filter(|it| asked(&mut keys, *it)).collect();
        assert_eq!(times, [0, 30, 60]);
    }

    #[test]
    fn who_has_older_keys_than_the_others_looks_at_theirs_first() {
        let mut keys = Schedule::default();
        keys.learned("{}".into(), true, at(5), PACE);
        assert_eq!(keys.ask(Want::Unknown, at(4), at(6), PACE), Asked::Newer);
        assert_eq!(keys.ask(Want::Unknown, at(5), at(6), PACE), Asked::Fetch);
    }

    #[test]
    fn a_state_survives_shared_memory() {
        let mut keys = Schedule::default();
        keys.failed(at(1));
        keys.learned(r#"{"keys":[]}"#.into(), false, at(2), PACE);
        assert_eq!(keys.ask(Want::Unknown, at(2), at(3), PACE), Asked::Fetch);
        assert_eq!(Schedule::read(&keys.bytes()), keys);
        keys.abandon(at(4));
        assert_eq!(Schedule::read(&keys.bytes()), keys);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_state(slot in prop::collection::vec(any::<u8>(), 0..100), layout in any::<bool>()) {
            let slot = if layout { [&[LAYOUT], slot.as_slice()].concat() } else { slot };
            let mut keys = Schedule::read(&slot);
            let _ = (keys.start(at(0), PACE), keys.ask(Want::Any, NEVER, at(1), PACE), keys.failed(at(2)));
            prop_assert_eq!(Schedule::read(&keys.bytes()), keys);
        }
    }
}
