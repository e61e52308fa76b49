//! Threads and sessions: what users said and were answered, kept apart by project and user. Only here is its SQL; every
//! question names the caller. It holds no policy.
//!
//! It has a database of its own, because it grows as nothing else does, and because several companions can share it
//! (PostgreSQL).

mod copy;
mod edit;
mod erase;
mod history;
mod in_redis;
mod limits;
mod mend;
mod messages;
mod open;
mod purge;
mod queue;
mod seal;
mod search;
mod sessions;
mod tables;
#[cfg(test)]
pub(crate) mod tests;
mod threads;
mod turns;

pub(crate) use copy::{backup, restore};
pub(crate) use edit::{Appended, Edit};
pub(crate) use history::{Asked, Bounds, Running};
pub use limits::Limits;
pub(crate) use messages::MessageRow;
#[cfg(test)]
pub(crate) use open::LIFETIME;
pub(crate) use open::{Beginning, Begun, Memory};
pub(crate) use queue::{Queue, Work};
pub(crate) use seal::{DATA_KEY_VARIABLE, Seal};
pub(crate) use threads::{Filled, Made, ThreadRow};
pub(crate) use turns::{Alternative, Report, TurnRow};

use crate::caller::Caller;
use crate::db::{Db, from_sql, to_sql};
use crate::redis_link::Link;
use domain::time::Micros;
use in_redis::InRedis;
use open::Written;
use std::io::ErrorKind;
use std::time::Duration;

/// The memory of all users.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    db: Db,
    seal: Seal,
    written: Written,
    /// Where sessions are that do not belong to a thread, if not in the database.
    in_redis: Option<InRedis>,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    /// How many rows at most.
    pub(crate) limit: u32,
    /// The id of the row before the page's first.
    pub(crate) after: Option<String>,
    /// Oldest first.
    pub(crate) ascending: bool,
}

impl Page {
    /// With one row more, which tells whether there is another page.
    pub(crate) fn one_more(&self) -> Self {
        Self { limit: self.limit.saturating_add(1), ..self.clone() }
    }
}

/// Why the memory cannot be opened.
#[derive(Debug)]
pub(crate) enum NotOpened {
    /// The database.
    Database(sqlx::Error),
    /// Something in it is sealed with a key of this id, which is not there.
    NoKey(String),
}

impl Store {
    /// Opens the database at `url` (`sqlite://path` or `postgres://user@host/name`) and brings it up to date.
    ///
    /// # Errors
    /// When it cannot be opened or migrated, or `seal` lacks a key that something in it is sealed with.
    pub(crate) async fn open(url: &str, seal: Seal) -> Result<Self, NotOpened> {
        let db = Db::open(url, &tables::TABLES).await?;
        let keys: Vec<String> = sqlx::query_scalar("SELECT id FROM data_keys").fetch_all(db.pool()).await?;
        if let Some(missing) = keys.iter().find(|it| !seal.has(it)) {
            return Err(NotOpened::NoKey(missing.clone()));
        }
        if let Some(current) = seal.current() {
            let sql = "INSERT INTO data_keys (id) VALUES ($1) ON CONFLICT DO NOTHING";
            sqlx::query(sql).bind(current).execute(db.pool()).await?;
        }
        let written = Written::of(&db);
        Ok(Self { db, seal, written, in_redis: None })
    }

    /// With what was said in sessions outside of any thread in this Redis.
    pub(crate) fn with_sessions_in(self, redis: Link) -> Self {
        Self { in_redis: Some(InRedis::new(redis, self.seal.clone())), ..self }
    }

    /// Takes the open turns of a database that is a file upon this companion; `false` while another has them.
    ///
    /// # Errors
    /// When what is written of them beside the file cannot be read or written.
    pub(crate) async fn take_open_turns(&self) -> Result<bool, sqlx::Error> {
        match self.written.ready().await {
            Err(sqlx::Error::Io(error)) if error.kind() == ErrorKind::ResourceBusy => Ok(false),
            ready => ready.map(|()| true),
        }
    }

    /// How many transactions can usefully write at a time.
    pub(crate) fn writers(&self) -> usize {
        self.db.writers()
    }

    /// Closes every connection.
    pub(crate) async fn close(&self) {
        self.db.close().await;
        self.written.leave();
    }

    /// Seals a text for its place in the database.
    fn close_text(&self, text: &str, place: &str) -> Result<Vec<u8>, sqlx::Error> {
        self.seal.close(text, place).map_err(|_| sqlx::Error::Encode("no random bytes for a nonce".into()))
    }

    fn open_text(&self, sealed: &[u8], place: &str) -> Result<String, sqlx::Error> {
        self.seal.open(sealed, place).map_err(|it| sqlx::Error::Decode(Box::new(it)))
    }
}

/// Whose a text is, for its seal.
fn whose(caller: &Caller) -> (&str, &str) {
    (caller.project.as_str(), caller.user.as_str())
}

/// Where a message is, for its seal.
fn message_place((project, user): (&str, &str), turn: &str, position: i64) -> String {
    format!("{project}\0{user}\0{turn}\0{position}")
}

/// Where a thread's title is, for its seal.
fn title_place((project, user): (&str, &str), thread: &str) -> String {
    format!("{project}\0{user}\0{thread}\0title")
}

/// A count as the databases keep it.
fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The moment `age` before `now`.
fn before(now: Micros, age: Duration) -> i64 {
    to_sql(Micros(now.0.saturating_sub(Micros::default().after(age).0)))
}

impl From<sqlx::Error> for NotOpened {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}
