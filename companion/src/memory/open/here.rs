//! The open turns of a database that is a file: in this process, with a journal beside the file, so that an opening waits for
//! no writer. They are one companion's at a time.

use super::journal::{self, Journal};
use super::{Beginning, Begun, LIFETIME, Memory, Open, key};
use crate::caller::Caller;
use crate::db::longer;
use crate::names::Name;
use domain::time::Micros;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedRwLockWriteGuard, RwLock, RwLockReadGuard};

/// How long what was added to the journal may be on its way to the disk.
const TO_DISK_WITHIN: Duration = Duration::from_secs(1);
/// Groups of callers, of which one at a time is kept from opening turns.
const GROUPS: usize = 64;
/// So many turns that were closed before they were opened are known at most.
const EARLY: usize = 65_536;
const TAKEN: &str = "another companion runs on this file, which is one companion's alone: stop that one first, or use PostgreSQL for several";

/// The open turns.
#[derive(Debug)]
pub(in crate::memory) struct Here {
    /// Held by whoever changes them, who adds the line to it: into the system's memory, which takes less than to have it done by
    /// another thread.
    journal: Arc<Mutex<Journal>>,
    /// Held for a moment, by whoever looks.
    known: Mutex<Known>,
    groups: [Arc<RwLock<()>>; GROUPS],
    /// Held until [`Here::leave`], or as long as the process lives.
    alone: File,
}

#[derive(Debug, Default)]
struct Known {
    turns: HashMap<Caller, Vec<Turn>>,
    /// The number of the next one.
    next: i64,
    early: Early,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Turn {
    seq: i64,
    id: String,
    thread: Option<String>,
    session: Option<String>,
    at: Micros,
    given_up: bool,
}

/// Turns that were closed before they were opened, as when the gateway took back what it had just asked for. The oldest are
/// forgotten first.
#[derive(Debug, Default)]
struct Early {
    known: HashSet<(Caller, String)>,
    order: VecDeque<(Caller, String)>,
}

/// What the journal says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line<'a> {
    Opened {
        project: Cow<'a, str>,
        user: Cow<'a, str>,
        turn: Cow<'a, str>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        thread: Option<Cow<'a, str>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<Cow<'a, str>>,
        /// In microseconds since 1970.
        at: u64,
    },
    GivenUp {
        project: Cow<'a, str>,
        user: Cow<'a, str>,
        turn: Cow<'a, str>,
    },
    Closed {
        project: Cow<'a, str>,
        user: Cow<'a, str>,
        turn: Cow<'a, str>,
    },
}

impl Here {
    /// Those that the journal at `path` tells of, also those that are stored by now.
    ///
    /// # Errors
    /// When another companion has them ([`ErrorKind::ResourceBusy`]), or the journal cannot be read or written.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let alone = alone(path)?;
        let (lines, torn) = Journal::read::<Line<'static>>(path)?;
        if torn > 0 {
            tracing::warn!(torn, "the journal of open turns has lines that cannot be read, as after a power failure");
        }
        let mut known = Known::default();
        for line in lines {
            known.tell(line);
        }
        let journal = Arc::new(Mutex::new(Journal::of(path, &known.text()?)?));
        let groups = std::array::from_fn(|_| Arc::default());
        Ok(Self { journal, known: Mutex::new(known), groups, alone })
    }

    /// A turn begins. `None` when it is open already, or was closed before this companion came to it.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub(super) fn begin(&self, turn: &Beginning) -> Result<Option<Begun>> {
        let mut journal = self.journal();
        let Some((new, behind)) = self.known().place(turn) else { return Ok(None) };
        journal.add([opened(&turn.caller, &new)])?;
        let seq = new.seq;
        self.known().add(&turn.caller, new);
        if journal.is_long() {
            let text = self.known().text();
            if let Err(error) = text.and_then(|it| journal.begin_anew(&it)) {
                tracing::warn!(%error, "the journal of open turns could not be shortened");
            }
        }
        self.take_to_disk(&mut journal);
        Ok(Some(Begun { seq, behind, since: Micros::default(), open: true }))
    }

    /// How many of some turns are open.
    pub(super) fn still_open(&self, caller: &Caller, memory: &Memory, now: Micros) -> Open {
        let known = self.known();
        let turns = known.of(caller).iter().filter(|it| it.counts(memory, now));
        let (missing, awaited): (Vec<_>, Vec<_>) = turns.partition(|it| it.given_up);
        let count = |it: Vec<&Turn>| u64::try_from(it.len()).unwrap_or(u64::MAX);
        Open { awaited: count(awaited), missing: count(missing) }
    }

    /// Has nobody else wait for them.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub(super) fn give_up(&self, caller: &Caller, memory: &Memory, now: Micros) -> Result<()> {
        let mut journal = self.journal();
        let ids = self.known().ids(caller, |it| it.counts(memory, now) && !it.given_up);
        journal.add(ids.iter().map(|it| given_up(caller, it)))?;
        for turn in self.known().turns.get_mut(caller).into_iter().flatten() {
            turn.given_up |= ids.contains(&turn.id);
        }
        Ok(())
    }

    /// These are not open any more; one that is not open yet will not be.
    pub(super) fn close<'a>(&self, turns: impl Iterator<Item = (&'a Caller, &'a str)>) {
        let mut journal = self.journal();
        for (caller, id) in turns {
            if self.remove(&mut journal, caller, |it| it.id == id) == 0 {
                self.known().early.add(caller, id);
            }
        }
    }

    /// The ids of the caller's open turns, of a thread or of all.
    pub(super) fn ids(&self, caller: &Caller, thread: Option<&str>) -> Vec<String> {
        self.known().ids(caller, |it| it.is_of(thread))
    }

    /// They are not open any more.
    pub(super) fn forget(&self, caller: &Caller, thread: Option<&str>) {
        self.remove(&mut self.journal(), caller, |it| it.is_of(thread));
    }

    /// Drops those that are too old to be waited for or told as missing, and says how many.
    pub(super) fn purge(&self, now: Micros) -> u64 {
        let is_old = |it: &Turn| it.at.after(LIFETIME) <= now;
        let callers: Vec<Caller> = {
            let known = self.known();
            known.turns.iter().filter(|it| it.1.iter().any(is_old)).map(|it| it.0.clone()).collect()
        };
        callers.iter().map(|it| self.remove(&mut self.journal(), it, is_old)).fold(0, u64::saturating_add)
    }

    /// How many turns of all users are open.
    pub(super) fn count(&self) -> u64 {
        self.known().count()
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<(Caller, String)> {
        let known = self.known();
        known.turns.iter().flat_map(|(caller, turns)| turns.iter().map(|it| (caller.clone(), it.id.clone()))).collect()
    }

    /// Another companion may have them.
    pub(super) fn leave(&self) {
        // What comes later would be written into nothing, or over the journal of that one.
        self.journal().end();
        // It fails where there was no lock to be had, and then there was no companion.
        let _ = self.alone.unlock();
    }

    /// While this is kept, [`Here::quiet`] waits.
    pub(super) async fn opening(&self, caller: &Caller) -> Option<RwLockReadGuard<'_, ()>> {
        Some(self.groups.get(group(caller))?.read().await)
    }

    /// Nobody of the caller's group opens a turn while this is kept.
    pub(super) async fn quiet(&self, caller: &Caller) -> Option<OwnedRwLockWriteGuard<()>> {
        Some(self.groups.get(group(caller))?.clone().write_owned().await)
    }

    /// Says how many there were.
    fn remove(&self, journal: &mut Journal, caller: &Caller, gone: impl Fn(&Turn) -> bool) -> u64 {
        let removed = self.known().remove(caller, gone);
        // What is not written down is open again after a restart, until it is found to be stored or too old.
        if let Err(error) = journal.add(removed.iter().map(|it| closed(caller, &it.id))) {
            tracing::warn!(%error, "the journal of open turns does not say that a turn is closed");
        }
        u64::try_from(removed.len()).unwrap_or(u64::MAX)
    }

    /// Soon, also if nothing else is added, and nobody waits for it.
    fn take_to_disk(&self, journal: &mut Journal) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if !journal.is_left_alone() {
            return;
        }
        let journal = self.journal.clone();
        runtime.spawn(async move {
            tokio::time::sleep(TO_DISK_WITHIN).await;
            let synced = tokio::task::spawn_blocking(move || {
                let file = journal.lock().unwrap_or_else(PoisonError::into_inner).file_to_sync();
                if let Err(error) = file.and_then(|it| it.sync_data()) {
                    tracing::warn!(%error, "the journal of open turns was not taken to the disk");
                }
            });
            // It says itself what went wrong.
            let _ = synced.await;
        });
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// No code that holds the lock can panic half way through a change.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn of(&self, caller: &Caller) -> &[Turn] {
        self.turns.get(caller).map(Vec::as_slice).unwrap_or_default()
    }

    fn ids(&self, caller: &Caller, which: impl Fn(&Turn) -> bool) -> Vec<String> {
        self.of(caller).iter().filter(|it| which(it)).map(|it| it.id.clone()).collect()
    }

    fn count(&self) -> u64 {
        u64::try_from(self.turns.values().map(Vec::len).fold(0, usize::saturating_add)).unwrap_or(u64::MAX)
    }

    /// What a turn is that begins, and how many it is behind; `None` if it does not begin.
    fn place(&self, turn: &Beginning) -> Option<(Turn, u64)> {
        let own = self.of(&turn.caller);
        if self.early.has(&turn.caller, &turn.id) || own.iter().any(|it| it.id == turn.id) {
            return None;
        }
        let (thread, session) = (turn.thread.clone(), turn.session.as_ref().map(|it| it.0.clone()));
        let memory = Memory::Before(thread.clone(), session.clone(), self.next);
        let behind = own.iter().filter(|it| it.counts(&memory, turn.at)).count();
        let new = Turn { seq: self.next, id: turn.id.clone(), thread, session, at: turn.at, given_up: false };
        Some((new, u64::try_from(behind).unwrap_or(u64::MAX)))
    }

    fn add(&mut self, caller: &Caller, turn: Turn) {
        self.next = turn.seq.saturating_add(1);
        self.turns.entry(caller.clone()).or_default().push(turn);
    }

    fn remove(&mut self, caller: &Caller, gone: impl Fn(&Turn) -> bool) -> Vec<Turn> {
        let Some(turns) = self.turns.get_mut(caller) else { return Vec::new() };
        let removed = turns.extract_if(.., |it| gone(it)).collect();
        if turns.is_empty() {
            self.turns.remove(caller);
        }
        removed
    }

    /// What the journal says happened.
    fn tell(&mut self, line: Line<'_>) {
        let (Line::Opened { project, user, turn, .. }
        | Line::GivenUp { project, user, turn }
        | Line::Closed { project, user, turn }) = &line;
        let names = (Name::try_from(project.to_string()), Name::try_from(user.to_string()));
        let (Ok(project), Ok(user)) = names else { return };
        let (caller, id) = (Caller { project, user }, turn.to_string());
        match line {
            Line::Opened { thread, session, at, .. } => {
                let [thread, session] = [thread, session].map(|it| it.map(Cow::into_owned));
                self.add(&caller, Turn { seq: self.next, id, thread, session, at: Micros(at), given_up: false });
            }
            Line::GivenUp { .. } => {
                let own = self.turns.get_mut(&caller).into_iter().flatten();
                own.filter(|it| it.id == id).for_each(|it| it.given_up = true);
            }
            Line::Closed { .. } => drop(self.remove(&caller, |it| it.id == id)),
        }
    }

    /// A journal in which only these are open, in the order in which they were opened.
    fn text(&self) -> Result<Vec<u8>> {
        let mut all: Vec<_> =
            self.turns.iter().flat_map(|(caller, own)| own.iter().map(move |it| (caller, it))).collect();
        all.sort_unstable_by_key(|it| it.1.seq);
        journal::text(all.into_iter().flat_map(|(caller, it)| {
            std::iter::once(opened(caller, it)).chain(it.given_up.then(|| given_up(caller, &it.id)))
        }))
    }
}

impl Turn {
    /// Whether it is one of those that are meant.
    fn counts(&self, memory: &Memory, now: Micros) -> bool {
        let same = |own: &Option<String>, other: &Option<String>| own.is_some() && own == other;
        let meant = match memory {
            Memory::Thread(thread) => self.is_of(Some(thread)),
            Memory::Any => true,
            Memory::Before(thread, session, seq) => {
                self.seq < *seq && (same(&self.thread, thread) || same(&self.session, session))
            }
        };
        meant && self.at.after(LIFETIME) > now
    }

    fn is_of(&self, thread: Option<&str>) -> bool {
        thread.is_none_or(|it| self.thread.as_deref() == Some(it))
    }
}

impl Early {
    fn has(&self, caller: &Caller, id: &str) -> bool {
        !self.known.is_empty() && self.known.contains(&(caller.clone(), id.to_owned()))
    }

    fn add(&mut self, caller: &Caller, id: &str) {
        let turn = (caller.clone(), id.to_owned());
        if self.known.insert(turn.clone()) {
            self.order.push_back(turn);
        }
        if self.order.len() > EARLY
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

fn opened<'a>(caller: &'a Caller, turn: &'a Turn) -> Line<'a> {
    Line::Opened {
        project: caller.project.as_str().into(),
        user: caller.user.as_str().into(),
        turn: turn.id.as_str().into(),
        thread: turn.thread.as_deref().map(Cow::from),
        session: turn.session.as_deref().map(Cow::from),
        at: turn.at.0,
    }
}

fn given_up<'a>(caller: &'a Caller, turn: &'a str) -> Line<'a> {
    Line::GivenUp { project: caller.project.as_str().into(), user: caller.user.as_str().into(), turn: turn.into() }
}

fn closed<'a>(caller: &'a Caller, turn: &'a str) -> Line<'a> {
    Line::Closed { project: caller.project.as_str().into(), user: caller.user.as_str().into(), turn: turn.into() }
}

/// A lock that goes with the process, however it ends.
fn alone(path: &Path) -> Result<File> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(longer(path, ".lock"))?;
    file.try_lock().map_err(|it| match it {
        TryLockError::WouldBlock => Error::new(ErrorKind::ResourceBusy, TAKEN),
        TryLockError::Error(error) => error,
    })?;
    Ok(file)
}

fn group(caller: &Caller) -> usize {
    usize::try_from(key(caller).unsigned_abs()).unwrap_or_default().checked_rem(GROUPS).unwrap_or_default()
}

#[cfg(test)]
mod tests;
