//! Turns that have begun and not yet arrived, so that the next turn of the same memory can wait for
//! them. In memory only: after a restart nobody waits, and a turn that then arrives is stored all
//! the same. With several companions, a turn is only waited for where it was opened.

use crate::caller::Caller;
use domain::time::Micros;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// How long an open turn is kept that nobody closes.
pub(crate) const LIFETIME: Duration = Duration::from_secs(15 * 60);
/// How many are kept; past it the oldest is given up.
const CAPACITY: usize = 100_000;

/// What two turns must share for one to wait for the other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Memory {
    /// A thread.
    Thread(String),
    /// A session.
    Session(String),
    /// All of the caller's.
    Any,
}

/// The open turns.
#[derive(Debug, Clone, Default)]
pub(crate) struct OpenTurns(Arc<Mutex<Table>>);

type Ticket = u64;

#[derive(Debug, Default)]
struct Table {
    last: Ticket,
    /// By ticket, which is the order of opening.
    turns: BTreeMap<Ticket, Turn>,
    by_id: HashMap<(Caller, String), Ticket>,
    by_memory: HashMap<(Caller, Memory), BTreeSet<Ticket>>,
}

#[derive(Debug)]
struct Turn {
    caller: Caller,
    id: String,
    memories: Vec<Memory>,
    opened: Micros,
    /// Somebody waited for it in vain, so nobody else does.
    given_up: bool,
    /// Dropped with the turn, which wakes those that wait.
    closed: watch::Sender<()>,
}

/// A place in the queue. Dropped before [`Place::keep`], it gives the turn up: its request is gone.
#[derive(Debug)]
pub(crate) struct Place {
    turns: OpenTurns,
    ticket: Ticket,
    kept: bool,
    before: Vec<(Ticket, bool, watch::Receiver<()>)>,
}

impl OpenTurns {
    /// Opens the turn `id` of `caller` behind those that are open in one of its `memories`.
    #[must_use]
    pub(crate) fn open(&self, caller: &Caller, id: &str, memories: Vec<Memory>, now: Micros) -> Place {
        let mut table = self.lock();
        table.make_room(now);
        let before = table.before(caller, &memories);
        let memories: Vec<Memory> = memories.into_iter().chain([Memory::Any]).collect();
        let ticket = table.last.saturating_add(1);
        table.last = ticket;
        for memory in &memories {
            table.by_memory.entry((caller.clone(), memory.clone())).or_default().insert(ticket);
        }
        table.by_id.insert((caller.clone(), id.to_owned()), ticket);
        let closed = watch::Sender::new(());
        let turn = Turn { caller: caller.clone(), id: id.to_owned(), memories, opened: now, given_up: false, closed };
        table.turns.insert(ticket, turn);
        Place { turns: self.clone(), ticket, kept: false, before }
    }

    /// The turn arrived: wakes those that wait for it.
    pub(crate) fn close(&self, caller: &Caller, id: &str) {
        let mut table = self.lock();
        if let Some(ticket) = table.by_id.get(&(caller.clone(), id.to_owned())).copied() {
            table.remove(ticket);
        }
    }

    /// Waits until the caller's open turns of one memory arrived, at most for `bound`: so that who reads a
    /// thread right after an answer finds that answer in it. Gives no turn up.
    pub(crate) async fn settle(&self, caller: &Caller, memory: Memory, bound: Duration) {
        let before = self.lock().before(caller, &[memory]);
        let all = async {
            for (_, _, mut closed) in before.into_iter().filter(|(_, given_up, _)| !given_up) {
                // Nothing is ever sent; an error says that the turn is gone.
                let _ = closed.changed().await;
            }
        };
        // Past the bound the answer is still being given, and the reader sees what is there.
        let _ = tokio::time::timeout(bound, all).await;
    }

    /// The ids of the caller's open turns of one memory.
    #[must_use]
    pub(crate) fn of(&self, caller: &Caller, memory: Memory) -> Vec<String> {
        let table = self.lock();
        let tickets = table.by_memory.get(&(caller.clone(), memory)).into_iter().flatten();
        tickets.filter_map(|it| table.turns.get(it)).map(|it| it.id.clone()).collect()
    }

    /// How many are open.
    #[must_use]
    pub(crate) fn count(&self) -> usize {
        self.lock().turns.len()
    }

    /// No code that holds the lock can panic half way through a change; if it did, a table with a
    /// stale entry is better than none.
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Waits until every earlier turn arrived, at most for `bound`. Returns whether none is missing.
    pub(crate) async fn wait(&mut self, bound: Duration) -> bool {
        let mut missing = self.before.iter().any(|(_, given_up, _)| *given_up);
        let all = async {
            for (_, _, closed) in self.before.iter_mut().filter(|(_, given_up, _)| !given_up) {
                // Nothing is ever sent; an error says that the turn is gone.
                let _ = closed.changed().await;
            }
        };
        if tokio::time::timeout(bound, all).await.is_err() {
            missing = true;
            let mut table = self.turns.lock();
            for (ticket, _, _) in &self.before {
                if let Some(turn) = table.turns.get_mut(ticket) {
                    turn.given_up = true;
                }
            }
        }
        !missing
    }

    /// The turn goes on; it stays open until it is closed or too old.
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.kept {
            self.turns.lock().remove(self.ticket);
        }
    }
}

impl Table {
    fn before(&self, caller: &Caller, memories: &[Memory]) -> Vec<(Ticket, bool, watch::Receiver<()>)> {
        let keys = memories.iter().filter_map(|it| self.by_memory.get(&(caller.clone(), it.clone())));
        let tickets: BTreeSet<Ticket> = keys.flatten().copied().collect();
        let turns = tickets.into_iter().filter_map(|it| Some((it, self.turns.get(&it)?)));
        turns.map(|(ticket, turn)| (ticket, turn.given_up, turn.closed.subscribe())).collect()
    }

    /// Drops what is too old, and the oldest when there are too many.
    fn make_room(&mut self, now: Micros) {
        while let Some((ticket, turn)) = self.turns.first_key_value() {
            if now.since(turn.opened) < LIFETIME && self.turns.len() < CAPACITY {
                return;
            }
            let ticket = *ticket;
            self.remove(ticket);
        }
    }

    fn remove(&mut self, ticket: Ticket) {
        let Some(turn) = self.turns.remove(&ticket) else {
            return;
        };
        self.by_id.remove(&(turn.caller.clone(), turn.id));
        for memory in turn.memories {
            let key = (turn.caller.clone(), memory);
            if let Some(tickets) = self.by_memory.get_mut(&key) {
                tickets.remove(&ticket);
                if tickets.is_empty() {
                    self.by_memory.remove(&key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
