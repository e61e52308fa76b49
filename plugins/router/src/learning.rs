//! Carries to the shared memory what an exchange tells of its candidates.

use crate::{
    glimpse::Glimpses,
    health::{Outcome, Shared},
    lesson::Lessons,
    names::Names,
    outcome::{self, Last},
};
use domain::headers;
use host::{ResponseHead, Watch};

/// What there is to learn of an exchange, until it is over.
pub(crate) struct Learning {
    lessons: Lessons,
    /// Statuses besides 429 and 5xx that are failures here.
    failures: Vec<u16>,
    stage: Stage,
}

enum Stage {
    /// Nothing has come back.
    Asked,
    /// An answer comes, after so many attempts.
    Answered { attempts: u64, ended: bool },
}

impl Learning {
    pub(crate) fn new(lessons: Lessons, failures: Vec<u16>) -> Self {
        Self { lessons, failures, stage: Stage::Asked }
    }

    /// The head of an answer, a provider's or a filter's own, after so many attempts, where the proxy tells.
    pub(crate) fn answered(
        &mut self,
        head: &ResponseHead,
        attempts: Option<u64>,
        seen: &Glimpses,
        names: &Names,
    ) -> Watch {
        let shared = Shared { now: host::now(), seen };
        let status = head.status();
        let (attempts, upstreams) = match attempts {
            // What is no error is nobody's but a provider's, once one was asked: the host need not say so.
            Some(attempts) => (attempts, attempts > 0 && (status < 400 || host::ending::is_upstreams())),
            // Kong tells neither; there an answer that `provider` has seen is a provider's.
            None => {
                let seen = head.has(headers::PROVIDER);
                // The second hop's own words for a provider that cannot be reached.
                (u64::from(seen || matches!(status, 502 | 504)), seen)
            }
        };
        let notes = if attempts > 1 { host::note::read("errors") } else { None };
        let notes = notes.map(|it| outcome::noted(&it)).unwrap_or_default();
        // Only a 429 is asked how long.
        let seconds = || head.headers().text("retry-after")?.parse().ok();
        let last = Last { status, retry_after: if status == 429 { seconds() } else { None }, upstreams };
        for (place, outcome) in outcome::outcomes(self.lessons.tries.len(), attempts, last, &notes, &self.failures) {
            let Some(tried) = self.lessons.tries.get(place) else { continue };
            shared.tell(&tried.key, outcome, tried.probe);
            if let Some(sample) = self.lessons.failed(outcome) {
                shared.measured(&tried.key, names.knows(&tried.key), &sample);
            }
        }
        self.stage = Stage::Answered { attempts, ended: false };
        match &mut self.lessons.measured {
            Some(measured) if upstreams && (200..300).contains(&status) => {
                let place = usize::try_from(attempts).unwrap_or_default().saturating_sub(1);
                measured.begin(shared.now, place.min(self.lessons.tries.len().saturating_sub(1)));
                Watch::Read
            }
            _ => Watch::Nothing,
        }
    }

    /// A piece of the answer.
    pub(crate) fn piece(&mut self, piece: &[u8], last: bool) {
        if let Some(measured) = &mut self.lessons.measured {
            measured.piece(piece);
        }
        if let Stage::Answered { ended, .. } = &mut self.stage {
            *ended = last;
        }
    }

    /// The exchange is over.
    pub(crate) fn over(self, seen: &Glimpses, names: &Names) {
        let Lessons { tries, measured } = self.lessons;
        let shared = || Shared { now: host::now(), seen };
        let Stage::Answered { attempts, ended } = self.stage else {
            // The client went away before anybody answered: a probe is another request's to be.
            for it in tries.iter().filter(|it| it.probe) {
                shared().tell(&it.key, Outcome::Untried, true);
            }
            return;
        };
        // Who went away tells nothing of who answered.
        let Some(measured) = measured.filter(|_| ended || !host::ending::by_client()) else { return };
        let shared = shared();
        if let Some((place, sample)) = measured.end(&tries, shared.now, attempts, ended)
            && let Some(tried) = tries.get(place)
        {
            shared.measured(&tried.key, names.knows(&tried.key), &sample);
            if !ended {
                shared.tell(&tried.key, Outcome::Failure, false);
            }
        }
    }
}
