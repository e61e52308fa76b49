//! Turns that have begun and not yet arrived, so that the next turn of the same memory waits for them, or is told that they
//! are missing. Which are open is written in the memory database: a companion that was started anew knows it, and so does
//! another one on the same database.
//!
//! Whoever waits is woken when a turn of the same user arrives at this companion, and looks from time to time what arrived
//! at another. A turn that was waited for in vain is not waited for again; until it arrives, or is as old as no answer gets,
//! every turn of its memory is told that it is missing. So a gateway that was killed in the middle of an answer is told of
//! for that long, and holds nobody up but once.

use crate::caller::Caller;
use crate::clock::Clock;
pub(crate) use crate::memory::Memory;
use crate::memory::{Beginning, Begun, Queue, Report, Store, TurnRow, Work};
use domain::time::Micros;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// The first pause between two looks at the database, and what each next one is more: nobody waits for another companion's
/// turn much longer than it takes, and who waits for long asks seldom.
const FIRST_PAUSE: Duration = Duration::from_millis(15);
const LONGEST_PAUSE: Duration = Duration::from_millis(60);

/// The open turns.
#[derive(Debug, Clone)]
pub(crate) struct OpenTurns {
    store: Store,
    clock: Clock,
    waiting: Waiting,
    /// Where openings that come at once are better written down together.
    openings: Option<Queue<Openings>>,
    reports: Queue<Reports>,
}

/// A turn that was opened. Dropped before [`Place::keep`], it takes the turn back: its request is gone.
#[derive(Debug)]
pub(crate) struct Place {
    store: Store,
    waiting: Waiting,
    turn: Option<Beginning>,
    begun: Begun,
}

impl OpenTurns {
    /// Those in `store`.
    pub(crate) fn new(store: Store, clock: Clock) -> Self {
        let (waiting, workers) = (Waiting::default(), store.writers());
        let together = Openings { store: store.clone(), waiting: waiting.clone() };
        let openings = store.opens_together().then(|| Queue::start(together, workers));
        let reports = Queue::start(Reports { store: store.clone() }, workers);
        Self { store, clock, waiting, openings, reports }
    }

    /// Opens a turn behind those that are open in its thread or session.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn open(&self, turn: Beginning) -> Result<Place, sqlx::Error> {
        if let Some(openings) = &self.openings {
            return openings.ask(turn).await;
        }
        // Whoever stops waiting takes it back.
        let unheard = Place::of(&self.store, &self.waiting, &turn, Begun { open: true, ..Begun::default() });
        let begun = self.store.begin_turns(std::slice::from_ref(&turn)).await?;
        unheard.keep();
        let begun = begun.first().copied().unwrap_or_default();
        Ok(Place::of(&self.store, &self.waiting, &turn, begun))
    }

    /// Stores turns that arrived, all or none, and wakes those that wait for them; says how many were new. A turn without
    /// messages is only closed.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn record(&self, turns: Arc<Vec<(Caller, TurnRow)>>, now: Micros) -> Result<u64, sqlx::Error> {
        let stored = self.reports.ask((turns.clone(), now)).await?;
        turns.iter().for_each(|it| self.wake(&it.0));
        Ok(stored)
    }

    /// Waits until the caller's open turns of one memory arrived, at most for `bound`: so that who reads a
    /// thread right after an answer finds that answer in it. Gives no turn up.
    pub(crate) async fn settle(&self, caller: &Caller, memory: Memory, bound: Duration) {
        let ear = self.waiting.listen(caller);
        // Past the bound the answer is still being given, and the reader sees what is there. A database that does not
        // answer says so when it is read.
        let _ = arrived(&self.store, &ear, caller, &memory, self.clock.now(), bound).await;
    }

    /// Those that wait for turns of the caller look again.
    pub(crate) fn wake(&self, caller: &Caller) {
        self.waiting.wake(caller);
    }

    /// How many are open.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn count(&self) -> Result<u64, sqlx::Error> {
        self.store.count_open().await
    }
}

impl Place {
    fn of(store: &Store, waiting: &Waiting, turn: &Beginning, begun: Begun) -> Self {
        let turn = begun.open.then(|| turn.clone());
        Self { store: store.clone(), waiting: waiting.clone(), turn, begun }
    }

    /// Since when the turn's session runs.
    pub(crate) fn since(&self) -> Micros {
        self.begun.since
    }

    /// Waits until every earlier turn arrived, at most for `bound`. Returns whether none is missing.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn wait(&self, bound: Duration) -> Result<bool, sqlx::Error> {
        let Some(turn) = self.turn.as_ref().filter(|_| self.begun.behind > 0) else {
            return Ok(true);
        };
        let session = turn.session.as_ref().map(|it| it.0.clone());
        let memory = Memory::Before(turn.thread.clone(), session, self.begun.seq);
        let ear = self.waiting.listen(&turn.caller);
        let found = arrived(&self.store, &ear, &turn.caller, &memory, turn.at, bound).await?;
        if found == Found::Waiting {
            self.store.give_up(&turn.caller, &memory, turn.at).await?;
        }
        Ok(found == Found::All)
    }

    /// The turn goes on; it stays open until it is closed or too old.
    pub(crate) fn keep(mut self) {
        self.turn = None;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let (Some(turn), Ok(runtime)) = (self.turn.take(), tokio::runtime::Handle::try_current()) else {
            return;
        };
        let (store, waiting) = (self.store.clone(), self.waiting.clone());
        runtime.spawn(async move {
            match store.withdraw(&turn.caller, &turn.id).await {
                Ok(()) => waiting.wake(&turn.caller),
                Err(error) => tracing::warn!(%error, "a turn whose request is gone stays open"),
            }
        });
    }
}

/// What became of the turns that somebody waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// They arrived.
    All,
    /// Those that did not were waited for before.
    Missing,
    /// Some may still arrive.
    Waiting,
}

async fn arrived(
    store: &Store,
    ear: &Ear,
    caller: &Caller,
    memory: &Memory,
    now: Micros,
    bound: Duration,
) -> Result<Found, sqlx::Error> {
    let until = Instant::now().checked_add(bound).unwrap_or_else(Instant::now);
    let mut pause = FIRST_PAUSE;
    loop {
        // From now on nothing is missed: what arrives after the look below wakes.
        let mut woken = std::pin::pin!(ear.0.notified());
        woken.as_mut().enable();
        let open = store.still_open(caller, memory, now).await?;
        if open.awaited == 0 {
            return Ok(if open.missing == 0 { Found::All } else { Found::Missing });
        }
        if Instant::now() >= until {
            return Ok(Found::Waiting);
        }
        let next = Instant::now().checked_add(pause).map_or(until, |it| it.min(until));
        let _ = timeout_at(next, woken).await;
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
    }
}

/// Writes openings down.
#[derive(Debug)]
struct Openings {
    store: Store,
    waiting: Waiting,
}

impl Work for Openings {
    type In = Beginning;
    type Out = Place;

    async fn carry_out(&self, batch: &[Beginning]) -> Result<Vec<Place>, sqlx::Error> {
        let begun = self.store.begin_turns(batch).await?;
        let place = |(turn, begun): (&Beginning, Begun)| Place::of(&self.store, &self.waiting, turn, begun);
        Ok(batch.iter().zip(begun).map(place).collect())
    }
}

/// Writes down what arrived.
#[derive(Debug)]
struct Reports {
    store: Store,
}

impl Work for Reports {
    type In = Report;
    type Out = u64;

    async fn carry_out(&self, batch: &[Report]) -> Result<Vec<u64>, sqlx::Error> {
        self.store.add_reports(batch).await
    }
}

/// Who waits for turns of whom.
#[derive(Debug, Clone, Default)]
struct Waiting(Arc<Mutex<Ears>>);

/// How many listen for turns of a caller, and how they are woken.
type Ears = HashMap<Caller, (usize, Arc<Notify>)>;

/// One that listens for turns of a caller.
#[derive(Debug)]
struct Ear(Arc<Notify>, Waiting, Caller);

impl Waiting {
    fn listen(&self, caller: &Caller) -> Ear {
        let mut table = self.lock();
        let (count, notify) = table.entry(caller.clone()).or_default();
        *count = count.saturating_add(1);
        Ear(notify.clone(), self.clone(), caller.clone())
    }

    fn wake(&self, caller: &Caller) {
        if let Some((_, notify)) = self.lock().get(caller) {
            notify.notify_waiters();
        }
    }

    /// No code that holds the lock can panic half way through a change; and who is not woken looks from time to time.
    fn lock(&self) -> MutexGuard<'_, Ears> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        let mut table = self.1.lock();
        if let Some((count, _)) = table.get_mut(&self.2) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                table.remove(&self.2);
            }
        }
    }
}

#[cfg(test)]
mod tests;
