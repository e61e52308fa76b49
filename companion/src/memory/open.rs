//! Turns that have begun and not yet arrived, so that whoever comes next waits for them or is told that they are missing:
//! in this process or another one, and after a restart.

mod here;
mod journal;
mod table;

use super::{Store, sessions, turns};
use crate::caller::Caller;
use crate::db::Db;
use domain::time::Micros;
use here::Here;
use sha2::{Digest, Sha256};
use sqlx::AnyConnection;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OnceCell, OwnedRwLockWriteGuard};

/// How long a turn that does not arrive is told as missing. An answer may take an hour, and what was lost with its gateway
/// looks the same as what is still being said.
pub(crate) const LIFETIME: Duration = Duration::from_secs(75 * 60);

/// A turn that begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Beginning {
    /// Whose it is.
    pub(crate) caller: Caller,
    /// Its id.
    pub(crate) id: String,
    /// The thread that it belongs to.
    pub(crate) thread: Option<String>,
    /// The session that it belongs to, and how long that lives on without another turn.
    pub(crate) session: Option<(String, Duration)>,
    /// When.
    pub(crate) at: Micros,
}

/// A turn that has begun.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Begun {
    /// Its place among all that have begun.
    pub(crate) seq: i64,
    /// How many turns of the same thread or session were open then.
    pub(crate) behind: u64,
    /// Since when its session runs.
    pub(crate) since: Micros,
    /// Whether it is open: not if its gateway closed it before this companion came to it.
    pub(crate) open: bool,
}

/// Which open turns are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Memory {
    /// Those of a thread.
    Thread(String),
    /// All of the caller's.
    Any,
    /// Those of a thread or of a session that were there before the one with that number.
    Before(Option<String>, Option<String>, i64),
}

/// Of some open turns: how many are waited for, and how many were, in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Open {
    /// So many may arrive any moment.
    pub(crate) awaited: u64,
    /// So many are told as missing.
    pub(crate) missing: u64,
}

/// Where it is written down which turns are open.
#[derive(Debug, Clone)]
pub(super) enum Written {
    /// In a table of the database.
    Table,
    /// In a companion, of which the database's file has one at a time.
    Here(Arc<Beside>),
}

/// A journal beside a database's file, and what it tells as soon as no other companion has it.
#[derive(Debug)]
pub(super) struct Beside {
    db: Db,
    journal: PathBuf,
    here: OnceCell<Arc<Here>>,
}

/// What stands behind the name of a database's file in that of its journal.
const JOURNAL: &str = "-open-turns";

impl Beside {
    /// What is open, in this companion from now on.
    ///
    /// # Errors
    /// When another companion has them, or the journal cannot be read or written.
    async fn here(&self) -> Result<Arc<Here>, sqlx::Error> {
        self.here.get_or_try_init(|| self.taken_over()).await.cloned()
    }

    async fn taken_over(&self) -> Result<Arc<Here>, sqlx::Error> {
        let here = Here::open(&self.journal).map_err(sqlx::Error::Io)?;
        // The companion before was killed after they were stored.
        let mut connection = self.db.pool().acquire().await?;
        for (caller, id) in here.all() {
            if turns::is_known(&mut connection, &caller, &id).await? {
                here.close(std::iter::once((&caller, id.as_str())));
            }
        }
        Ok(Arc::new(here))
    }
}

impl Written {
    /// Of this database.
    pub(super) fn of(db: &Db) -> Self {
        match db.file_with(JOURNAL) {
            Some(journal) => Self::Here(Arc::new(Beside { db: db.clone(), journal, here: OnceCell::new() })),
            None => Self::Table,
        }
    }

    /// Returns when it can be written here which turns are open.
    ///
    /// # Errors
    /// When another companion runs on the database's file ([`std::io::ErrorKind::ResourceBusy`]), or the journal beside it
    /// cannot be read or written.
    pub(super) async fn ready(&self) -> Result<(), sqlx::Error> {
        match self {
            Self::Table => Ok(()),
            Self::Here(beside) => beside.here().await.map(|_| ()),
        }
    }

    /// Another companion may have them.
    pub(super) fn leave(&self) {
        if let Self::Here(beside) = self
            && let Some(here) = beside.here.get()
        {
            here.leave();
        }
    }

    /// In a transaction that stores turns: those of them that are not open any more with it, and those that come to nothing.
    pub(super) async fn close_in(
        &self,
        tx: &mut AnyConnection,
        said: &[(&Caller, &str)],
        unsaid: &[(&Caller, &str)],
        now: Micros,
    ) -> Result<(), sqlx::Error> {
        if matches!(self, Self::Here(_)) {
            return Ok(());
        }
        for (caller, id) in unsaid {
            table::close_for_good(tx, caller, id, now).await?;
        }
        table::close(tx, said).await.map(|_| ())
    }

    /// After that transaction: whoever finds a turn no longer open finds it stored.
    pub(super) async fn closed<'a>(
        &self,
        turns: impl Iterator<Item = (&'a Caller, &'a str)>,
    ) -> Result<(), sqlx::Error> {
        let Self::Here(beside) = self else { return Ok(()) };
        beside.here().await?.close(turns);
        Ok(())
    }

    /// While this is kept, none of the caller's turns begins, where no lock of the database has that effect.
    ///
    /// # Errors
    /// When another companion begins them.
    pub(super) async fn quiet(&self, caller: &Caller) -> Result<Option<OwnedRwLockWriteGuard<()>>, sqlx::Error> {
        match self {
            Self::Table => Ok(None),
            Self::Here(beside) => Ok(beside.here().await?.quiet(caller).await),
        }
    }

    /// Keeps the ids of open turns, of a thread or of all, so that they are not stored when they arrive.
    pub(super) async fn forget(
        &self,
        tx: &mut AnyConnection,
        caller: &Caller,
        thread: Option<&str>,
        now: Micros,
    ) -> Result<(), sqlx::Error> {
        match self {
            Self::Table => table::forget(tx, caller, thread, now).await,
            Self::Here(beside) => {
                for id in beside.here().await?.ids(caller, thread) {
                    turns::forget_one(tx, caller, &id, now).await?;
                }
                Ok(())
            }
        }
    }

    /// After that transaction, and before any of the caller's turns begins: nobody waits for them any more.
    pub(super) async fn forgotten(&self, caller: &Caller, thread: Option<&str>) -> Result<(), sqlx::Error> {
        let Self::Here(beside) = self else { return Ok(()) };
        beside.here().await?.forget(caller, thread);
        Ok(())
    }

    /// Deletes those that are too old to be waited for or told as missing, from a table at most `most`, and says how many.
    pub(super) async fn purge(&self, tx: &mut AnyConnection, now: Micros, most: i64) -> Result<u64, sqlx::Error> {
        match self {
            Self::Table => table::purge(tx, now, most).await,
            Self::Here(beside) => Ok(beside.here().await?.purge(now)),
        }
    }
}

impl Store {
    /// Writes down that turns begin, all or none, and prolongs their sessions if those might end before the turns arrive.
    ///
    /// Nothing waits for the disk. What is lost when the machine loses its power are the openings of the last second; and such a
    /// machine is gone for longer than most answers take.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn begin_turns(&self, turns: &[Beginning]) -> Result<Vec<Begun>, sqlx::Error> {
        match &self.written {
            Written::Table => self.begin_in_table(turns).await,
            Written::Here(beside) => {
                let here = beside.here().await?;
                let mut begun = Vec::with_capacity(turns.len());
                for turn in turns {
                    let since = self.since(turn).await?;
                    let _opening = here.opening(&turn.caller).await;
                    let place = here.begin(turn).map_err(sqlx::Error::Io)?;
                    begun.push(Begun { since, ..place.unwrap_or_default() });
                }
                Ok(begun)
            }
        }
    }

    async fn begin_in_table(&self, turns: &[Beginning]) -> Result<Vec<Begun>, sqlx::Error> {
        let mut tx = self.db.write_quick().await?;
        lock(&self.db, &mut tx, turns.iter().map(|it| &it.caller)).await?;
        let mut begun = Vec::with_capacity(turns.len());
        for turn in turns {
            let since = match lasting(&mut tx, turn).await? {
                Some(since) => since,
                None => prolong(&mut tx, turn).await?,
            };
            begun.push(Begun { since, ..table::begin(&mut tx, turn).await?.unwrap_or_default() });
        }
        tx.commit().await?;
        Ok(begun)
    }

    /// Since when the turn's session runs, which begins with it or is prolonged if it might end before the turn arrives.
    async fn since(&self, turn: &Beginning) -> Result<Micros, sqlx::Error> {
        if turn.session.is_none() {
            return Ok(Micros::default());
        }
        if let Some(since) = lasting(&mut *self.db.pool().acquire().await?, turn).await? {
            return Ok(since);
        }
        let mut tx = self.db.write_quick().await?;
        let since = prolong(&mut tx, turn).await?;
        tx.commit().await?;
        Ok(since)
    }

    /// How many of some turns are open.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn still_open(&self, caller: &Caller, memory: &Memory, now: Micros) -> Result<Open, sqlx::Error> {
        match &self.written {
            Written::Table => table::still_open(self.db.pool(), caller, memory, now).await,
            Written::Here(beside) => Ok(beside.here().await?.still_open(caller, memory, now)),
        }
    }

    /// Has nobody else wait for them; until they arrive they are told as missing.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn give_up(&self, caller: &Caller, memory: &Memory, now: Micros) -> Result<(), sqlx::Error> {
        match &self.written {
            Written::Table => {
                let mut tx = self.db.write_quick().await?;
                table::give_up(&mut tx, caller, memory, now).await?;
                tx.commit().await
            }
            Written::Here(beside) => beside.here().await?.give_up(caller, memory, now).map_err(sqlx::Error::Io),
        }
    }

    /// Takes a turn back whose request went away.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn withdraw(&self, caller: &Caller, id: &str) -> Result<(), sqlx::Error> {
        match &self.written {
            Written::Table => {
                let mut tx = self.db.write_quick().await?;
                table::close(&mut tx, &[(caller, id)]).await?;
                tx.commit().await
            }
            Written::Here(_) => self.written.closed(std::iter::once((caller, id))).await,
        }
    }

    /// How many turns of all users are open, as far as this companion knows.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn count_open(&self) -> Result<u64, sqlx::Error> {
        match &self.written {
            Written::Table => table::count(self.db.pool()).await,
            Written::Here(beside) => Ok(beside.here.get().map(|it| it.count()).unwrap_or_default()),
        }
    }

    /// While what this gives back is kept, nothing of the caller is deleted, and what was being deleted is.
    #[cfg(test)]
    pub(crate) async fn settled(&self, caller: &Caller) -> impl Sized + use<> {
        let quiet = self.written.quiet(caller).await.unwrap();
        let mut tx = self.db.write().await.unwrap();
        lock(&self.db, &mut tx, std::iter::once(caller)).await.unwrap();
        // A lock of PostgreSQL goes with its transaction.
        (tx, quiet)
    }

    /// Whether openings that come at once are better written down together.
    pub(crate) fn opens_together(&self) -> bool {
        matches!(self.written, Written::Table)
    }
}

/// Since when the session of a turn runs; `None` if it does not, or might end before the turn arrives.
async fn lasting(connection: &mut AnyConnection, turn: &Beginning) -> Result<Option<Micros>, sqlx::Error> {
    let Some((session, _)) = &turn.session else { return Ok(Some(Micros::default())) };
    let running = sessions::running(connection, &turn.caller, session, turn.at).await?;
    Ok(running.filter(|(_, end)| *end > turn.at.after(LIFETIME)).map(|(since, _)| since))
}

/// Since when it runs then. One that does not run begins here and not when the turn arrives: whoever is next must find that
/// turn in it, though it may arrive under an earlier moment than the next one's, or after another of its session.
async fn prolong(tx: &mut AnyConnection, turn: &Beginning) -> Result<Micros, sqlx::Error> {
    let Some((session, lifetime)) = &turn.session else { return Ok(Micros::default()) };
    sessions::touch(tx, &turn.caller, session, *lifetime, turn.at).await
}

/// What leaves things half done when it is dropped goes on to its end, whether anybody still waits for it or not. A commit that
/// nobody waits for is made all the same, and what is to follow it must be done under the same lock.
pub(super) async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, sqlx::Error>> + Send + 'static,
) -> Result<T, sqlx::Error> {
    tokio::spawn(work).await.map_err(|it| sqlx::Error::Io(it.into()))?
}

/// Keeps others from writing of the same users until the transaction ends, so that what one companion writes of a user
/// and what another does come one after the other, as numbers of turns do.
pub(super) async fn lock<'a>(
    db: &Db,
    tx: &mut AnyConnection,
    callers: impl Iterator<Item = &'a Caller>,
) -> Result<(), sqlx::Error> {
    db.lock(tx, callers.map(key).collect()).await
}

fn key(caller: &Caller) -> i64 {
    let digest = Sha256::digest(format!("{}\0{}", caller.project.as_str(), caller.user.as_str()));
    i64::from_be_bytes(digest.first_chunk().copied().unwrap_or_default())
}
