//! Tells the companion what this gateway measured, and learns from it what all gateways know.
//!
//! One worker at a time does it, for all: whose turn it is stands in shared memory. Without an answer nothing is lost: what was
//! not told is told at the next turn. A turn looks at all slots, so their number bounds what it takes.

use crate::{
    health::{Entry, MEASURES, SLOTS, own, place},
    names::Names,
};
use domain::{
    choice::{Kept, Measured, Snapshot},
    time::Micros,
};
use host::{Answer, CallId, NoAnswer, Root, companion::Client, metrics::Counter, slots};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    time::Duration,
};

const PATH: &str = "/internal/v1/models/measures";
/// When it was last somebody's turn.
const TURNS: &str = "measures-turn";
/// Candidates of one report; the companion takes no more.
const MOST: usize = 256;
/// Every so many turns it is asked what all gateways know: also of candidates that this one has not asked lately.
const ASKS: u32 = 6;
/// How often to look whose turn it is.
const LOOK: Duration = Duration::from_secs(1);
/// What a question takes at most beyond its own time. Then its answer is lost.
const GRACE: Duration = Duration::from_secs(5);

/// The companion, and what is under way to it.
pub(crate) struct Telling {
    client: Client,
    every: Duration,
    patience: Duration,
    way: RefCell<BTreeMap<CallId, Question>>,
    sent: Cell<Micros>,
    /// When the questions under way are answered, it is asked what all gateways know.
    asks: Cell<bool>,
    away: Cell<bool>,
    failed: Counter,
}

/// What the companion was asked.
enum Question {
    /// To take these, and say what is known of them then.
    Take(Vec<Measured>),
    /// What is known.
    Know,
}

/// What an answer says.
#[derive(Debug, PartialEq)]
enum Said {
    Known(Snapshot),
    /// It will never take that.
    Refused,
    Nothing,
}

/// Whose turn it was, as shared memory holds it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Turn {
    at: Micros,
    /// When it was last said what all gateways know.
    learned: Micros,
}

impl Telling {
    /// To be called from [`host::Plugin::configure`].
    pub(crate) fn new(client: Client, every: Duration, timeout: Duration, root: &Root) -> Self {
        root.create_slots(TURNS, 1);
        root.tick_every(every.min(LOOK));
        Self {
            client,
            every,
            patience: timeout.saturating_add(GRACE),
            way: RefCell::default(),
            sent: Cell::default(),
            asks: Cell::new(false),
            away: Cell::new(false),
            failed: Counter::define("tollgate_router_companion_failures"),
        }
    }

    pub(crate) fn tick(&self, names: &Names, root: &Root, now: Micros) {
        if !self.way.borrow().is_empty() {
            if now.since(self.sent.get()) < self.patience {
                return;
            }
            let lost = std::mem::take(&mut *self.way.borrow_mut());
            lost.into_values().for_each(Question::unanswered);
        }
        let every = self.every;
        // Without shared memory there is nothing to tell.
        let taken = slots::update(TURNS, 0, |old| match Turn::read(old).next(now, every) {
            Some(next) => (next.bytes(), Some(next)),
            None => (old.to_vec(), None),
        });
        let Ok(Some(turn)) = taken else { return };
        self.asks.set(turn.asks(now, every));
        self.sent.set(now);
        let mut told = fresh(names).into_iter().peekable();
        while told.peek().is_some() {
            let measures: Vec<Measured> = told.by_ref().take(MOST).collect();
            self.send(root, Question::Take(measures));
        }
        self.ask(root);
    }

    /// Takes note of an answer.
    pub(crate) fn answered(&self, names: &Names, root: &Root, call: CallId, answer: &Result<Answer, NoAnswer>) {
        let Some(question) = self.way.borrow_mut().remove(&call) else { return };
        let said = Said::of(answer);
        // Said once, not for each question of an outage; the metric counts those.
        let away = !matches!(said, Said::Known(_));
        if self.away.replace(away) != away {
            let status = answer.as_ref().map_or_else(|why| format!("{why:?}"), |it| format!("status {}", it.status));
            log::warn!("{PATH}: the companion {}: {status}", if away { "does not answer" } else { "answers again" });
        }
        self.failed.add(u64::from(away));
        match (question, said) {
            (question, Said::Nothing) => question.unanswered(),
            (_, Said::Refused) => log::error!("{PATH}: the companion does not take what was measured"),
            (Question::Take(_), Said::Known(known)) => known.measures.into_iter().for_each(learn),
            (Question::Know, Said::Known(known)) => {
                known.measures.into_iter().filter(|it| names.knows(&it.candidate)).for_each(learn);
                let now = host::now();
                // Where this is lost it is asked again.
                let _ = slots::update(TURNS, 0, |old| (Turn { learned: now, ..Turn::read(old) }.bytes(), ()));
            }
        }
        self.ask(root);
    }

    /// What is known of a candidate replaces what was; so it is asked when nothing is on its way there.
    fn ask(&self, root: &Root) {
        if self.way.borrow().is_empty() && self.asks.take() {
            self.sent.set(host::now());
            self.send(root, Question::Know);
        }
    }

    fn send(&self, root: &Root, question: Question) {
        match root.call(&question.call(&self.client)) {
            Ok(id) => drop(self.way.borrow_mut().insert(id, question)),
            Err(_) => {
                self.failed.add(1);
                question.unanswered();
            }
        }
    }
}

impl Question {
    fn call(&self, client: &Client) -> host::Call {
        match self {
            Self::Know => client.get(PATH),
            Self::Take(measures) => {
                let told = Snapshot { measures: measures.clone() };
                client.call(PATH, serde_json::to_vec(&told).unwrap_or_default())
            }
        }
    }

    fn unanswered(self) {
        let Self::Take(measures) = self else { return };
        for Measured { candidate, measures } in measures {
            change(&candidate, |kept| kept.untold(measures.clone()));
        }
    }
}

impl Said {
    fn of(answer: &Result<Answer, NoAnswer>) -> Self {
        match answer {
            Ok(it) if it.status == 200 => serde_json::from_slice(&it.body).map_or(Self::Nothing, Self::Known),
            Ok(it) if matches!(it.status, 400 | 413 | 422) => Self::Refused,
            _ => Self::Nothing,
        }
    }
}

impl Turn {
    fn read(slot: &[u8]) -> Self {
        let number = |at: usize| {
            let bytes = slot.get(at..at.saturating_add(8)).and_then(|it| it.try_into().ok());
            Micros(bytes.map(u64::from_le_bytes).unwrap_or_default())
        };
        Self { at: number(0), learned: number(8) }
    }

    fn bytes(self) -> Vec<u8> {
        [self.at.0.to_le_bytes(), self.learned.0.to_le_bytes()].concat()
    }

    /// The turn that begins now, if the last is over. A turn of a clock that was set back since is.
    fn next(self, now: Micros, every: Duration) -> Option<Self> {
        (self.at > now || now.since(self.at) >= every).then_some(Self { at: now, ..self })
    }

    fn asks(self, now: Micros, every: Duration) -> bool {
        self.learned > now || now.since(self.learned) >= every.saturating_mul(ASKS)
    }
}

/// What the companion has not heard of yet.
fn fresh(names: &Names) -> Vec<Measured> {
    let take = |slot: u32| {
        let found = slots::read(MEASURES, slot).ok()?;
        let entry = Entry::named(&found).filter(|it| !Kept::read(it.kept).is_told())?;
        // A name is in a slot because it is one of these, or was before the configuration changed.
        let candidate = Some(entry.name).filter(|it| names.knows(it))?.to_owned();
        let measures = change(&candidate, Kept::take)?;
        (!measures.is_empty()).then_some(Measured { candidate, measures })
    };
    (0..SLOTS).filter_map(take).collect()
}

/// Takes in what all gateways know of a candidate; where another one has its slot, that one keeps it.
fn learn(known: Measured) {
    let Measured { candidate, measures } = known;
    change(&candidate, |kept| kept.learn(measures.clone()));
}

/// Changes what is kept of a candidate, if its slot is its own or nobody's.
fn change<T: Default>(candidate: &str, change: impl Fn(&mut Kept) -> T) -> Option<T> {
    let (slot, tag) = place(candidate);
    slots::update(MEASURES, slot, |old| changed(old, candidate, tag, &change)).ok().flatten()
}

fn changed<T>(old: &[u8], name: &str, tag: [u8; 8], change: impl Fn(&mut Kept) -> T) -> (Vec<u8>, Option<T>) {
    // A slot that nobody wrote has one byte.
    if old.len() > tag.len() && own(old, tag).is_empty() {
        return (old.to_vec(), None);
    }
    let (kept, out) = Kept::update(Entry::of(old, tag).kept, change);
    (Entry { name, kept: &kept }.bytes(tag), Some(out))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::choice::{Measures, Sample, Verdict};

    const EVERY: Duration = Duration::from_secs(10);

    fn kept(count: u32) -> Kept {
        let sample = Sample { ok: true, first_byte: None, throughput: None, verdict: Verdict::default(), reward: None };
        let mut kept = Kept::default();
        (0..count).for_each(|_| kept.add(&sample, Micros(1)));
        kept
    }

    #[test]
    fn one_worker_has_its_turn_and_now_and_then_it_asks() {
        let at = Micros::from_seconds;
        let check = |slot: &[u8], now| Turn::read(slot).next(at(now), EVERY).map(|it| it.asks(at(now), EVERY));
        let slot = Turn { at: at(1000), learned: at(950) }.bytes();
        for (now, expected) in [
            (1000, None),
            (1009, None),
            (1010, Some(true)),
            (1_000_000, Some(true)),
            // The clock was set back.
            (940, Some(true)),
            (960, Some(false)),
        ] {
            assert_eq!(check(&slot, now), expected, "{now}");
        }
        assert_eq!(Turn::read(&slot).next(at(1010), EVERY), Some(Turn { at: at(1010), learned: at(950) }));
        for nothing in [&b""[..], b"\0", b"1234567"] {
            assert_eq!(check(nothing, 1000), Some(true), "nobody had one");
        }
    }

    #[test]
    fn an_answer_that_is_none_leaves_all_untold() {
        let check = |status, body: &str| Said::of(&Ok(Answer { status, body: body.as_bytes().to_vec() }));
        assert_eq!(check(200, r#"{"measures":[],"later":1}"#), Said::Known(Snapshot::default()));
        for (status, body, expected) in [
            (200, "", Said::Nothing),
            (200, "{}", Said::Nothing),
            (200, r#"{"measures":[{"candidate":"a","measures":{"success":{"sum":-1,"count":1}}}]}"#, Said::Nothing),
            (200, "\u{0}\u{ffff}[[[[", Said::Nothing),
            (401, "", Said::Nothing),
            (404, "", Said::Nothing),
            (503, "", Said::Nothing),
            (400, "", Said::Refused),
        ] {
            assert_eq!(check(status, body), expected, "{status} {body}");
        }
        assert_eq!(Said::of(&Err(NoAnswer::NotSent)), Said::Nothing);
    }

    #[test]
    fn nobody_loses_a_slot_to_what_is_learned() {
        let (ada, eve) = (place("openai/ada").1, place("openai/eve").1);
        let slot = Entry { name: "openai/ada", kept: &kept(3).bytes() }.bytes(ada);
        let learn = |old: &[u8]| changed(old, "openai/eve", eve, |it| it.learn(kept(5).measures()));
        assert_eq!(learn(&slot), (slot.clone(), None));
        for empty in [&b""[..], b"\0"] {
            let (bytes, out) = learn(empty);
            assert!(out.is_some());
            assert_eq!(Entry::named(&bytes).map(|it| it.name), Some("openai/eve"));
            assert_eq!(Kept::read(Entry::of(&bytes, eve).kept).measures().count(), 5);
        }
    }

    #[test]
    fn what_was_measured_is_told_once_and_again_where_nobody_heard_it() {
        let tag = place("openai/ada").1;
        let slot = Entry { name: "openai/ada", kept: &kept(3).bytes() }.bytes(tag);
        let read = |bytes: &[u8]| Kept::read(Entry::of(bytes, tag).kept);
        let (slot, taken) = changed(&slot, "openai/ada", tag, Kept::take);
        assert_eq!(taken.as_ref().map(Measures::count), Some(3));
        assert!(read(&slot).is_told() && read(&slot).measures().count() == 3);
        let (slot, _) = changed(&slot, "openai/ada", tag, |it| it.untold(taken.clone().unwrap()));
        assert!(!read(&slot).is_told());
        let (slot, again) = changed(&slot, "openai/ada", tag, Kept::take);
        assert_eq!(again.map(|it| it.count()), Some(3));
        let (slot, _) = changed(&slot, "openai/ada", tag, |it| it.learn(kept(40).measures()));
        assert_eq!(read(&slot).measures().count(), 40);
    }
}
