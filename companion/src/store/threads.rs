//! Threads and their messages, as their owner reads and deletes them.

use super::{Page, Store, from_sql, to_sql};
use crate::caller::Caller;
use domain::time::Micros;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use std::time::Duration;

/// How long the id of a deleted turn is kept; a gateway gives up on a turn long before.
const FORGOTTEN_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// A thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ThreadRow {
    /// Its id, which the client chose.
    pub(crate) id: String,
    /// What it is about.
    pub(crate) title: Option<String>,
    /// How many messages it has.
    pub(crate) message_count: u64,
    /// When its first turn arrived.
    pub(crate) created_at: Micros,
    /// When its last turn arrived.
    pub(crate) updated_at: Micros,
}

/// A message of a thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MessageRow {
    /// The turn that it belongs to.
    pub(crate) turn: String,
    /// Its place in the turn, from 0.
    pub(crate) position: u64,
    /// The message's JSON, byte for byte.
    pub(crate) raw: String,
    /// Whether the turn's answer came to its end.
    pub(crate) complete: bool,
    /// When the turn arrived.
    pub(crate) created_at: Micros,
}

impl Store {
    /// The caller's threads, by their last update; `None` when the page's `after` is no thread of theirs.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn threads(&self, caller: &Caller, page: &Page) -> Result<Option<Vec<ThreadRow>>, sqlx::Error> {
        let start = match &page.after {
            None if page.ascending => (-1, String::new()),
            None => (i64::MAX, String::new()),
            Some(id) => match self.thread(caller, id).await? {
                Some(thread) => (to_sql(thread.updated_at), thread.id),
                None => return Ok(None),
            },
        };
        let sql = if page.ascending {
            "SELECT id, title, message_count, created_at, updated_at FROM threads
             WHERE project = ? AND user = ? AND (updated_at, id) > (?, ?) ORDER BY updated_at, id LIMIT ?"
        } else {
            "SELECT id, title, message_count, created_at, updated_at FROM threads
             WHERE project = ? AND user = ? AND (updated_at, id) < (?, ?) ORDER BY updated_at DESC, id DESC LIMIT ?"
        };
        let query = sqlx::query(sql).bind(caller.project.as_str()).bind(caller.user.as_str());
        let rows = query.bind(start.0).bind(start.1).bind(page.limit).fetch_all(&self.pool).await?;
        rows.iter().map(thread).collect::<Result<Vec<_>, _>>().map(Some)
    }

    /// One of the caller's threads.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn thread(&self, caller: &Caller, id: &str) -> Result<Option<ThreadRow>, sqlx::Error> {
        let sql = "SELECT id, title, message_count, created_at, updated_at FROM threads
                   WHERE project = ? AND user = ? AND id = ?";
        let query = sqlx::query(sql).bind(caller.project.as_str()).bind(caller.user.as_str()).bind(id);
        query.fetch_optional(&self.pool).await?.as_ref().map(thread).transpose()
    }

    /// The messages of one of the caller's threads, in the order of arrival; `None` when the page's
    /// `after` is no message of it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn messages(
        &self,
        caller: &Caller,
        thread: &str,
        after: Option<(&str, i64)>,
        page: &Page,
    ) -> Result<Option<Vec<MessageRow>>, sqlx::Error> {
        let start = match after {
            None if page.ascending => (-1, -1),
            None => (i64::MAX, i64::MAX),
            Some((turn, position)) => match self.turn_seq(caller, thread, turn).await? {
                Some(seq) => (seq, position),
                None => return Ok(None),
            },
        };
        let sql = if page.ascending {
            "SELECT t.id, m.position, m.raw, t.complete, t.created_at FROM turns t JOIN messages m ON m.turn = t.seq
             WHERE t.project = ? AND t.user = ? AND t.thread = ? AND (t.seq, m.position) > (?, ?)
             ORDER BY t.seq, m.position LIMIT ?"
        } else {
            "SELECT t.id, m.position, m.raw, t.complete, t.created_at FROM turns t JOIN messages m ON m.turn = t.seq
             WHERE t.project = ? AND t.user = ? AND t.thread = ? AND (t.seq, m.position) < (?, ?)
             ORDER BY t.seq DESC, m.position DESC LIMIT ?"
        };
        let query = sqlx::query(sql).bind(caller.project.as_str()).bind(caller.user.as_str()).bind(thread);
        let rows = query.bind(start.0).bind(start.1).bind(page.limit).fetch_all(&self.pool).await?;
        rows.iter().map(message).collect::<Result<Vec<_>, _>>().map(Some)
    }

    /// Deletes one of the caller's threads with all its messages; `false` when there is none. Its
    /// turns, and those that are `in_flight`, are not stored when a gateway reports them afterwards.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn delete_thread(
        &self,
        caller: &Caller,
        id: &str,
        in_flight: &[String],
        now: Micros,
    ) -> Result<bool, sqlx::Error> {
        let (project, user) = (caller.project.as_str(), caller.user.as_str());
        let mut tx = self.write().await?;
        let forget = "INSERT OR IGNORE INTO forgotten_turns (project, user, id, forgotten_at)
                      SELECT project, user, id, ? FROM turns WHERE project = ? AND user = ? AND thread = ?";
        sqlx::query(forget).bind(to_sql(now)).bind(project).bind(user).bind(id).execute(&mut *tx).await?;
        let delete = "DELETE FROM threads WHERE project = ? AND user = ? AND id = ?";
        let done = sqlx::query(delete).bind(project).bind(user).bind(id).execute(&mut *tx).await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        for turn in in_flight {
            let sql = "INSERT OR IGNORE INTO forgotten_turns (project, user, id, forgotten_at) VALUES (?, ?, ?, ?)";
            sqlx::query(sql).bind(project).bind(user).bind(turn).bind(to_sql(now)).execute(&mut *tx).await?;
        }
        let old = Micros(now.0.saturating_sub(Micros::default().after(FORGOTTEN_FOR).0));
        sqlx::query("DELETE FROM forgotten_turns WHERE forgotten_at < ?").bind(to_sql(old)).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn turn_seq(&self, caller: &Caller, thread: &str, turn: &str) -> Result<Option<i64>, sqlx::Error> {
        let sql = "SELECT seq FROM turns WHERE project = ? AND user = ? AND thread = ? AND id = ?";
        let query = sqlx::query(sql).bind(caller.project.as_str()).bind(caller.user.as_str());
        let row = query.bind(thread).bind(turn).fetch_optional(&self.pool).await?;
        row.map(|row| row.try_get("seq")).transpose()
    }
}

fn thread(row: &SqliteRow) -> Result<ThreadRow, sqlx::Error> {
    Ok(ThreadRow {
        id: row.try_get("id")?,
        title: row.try_get("title")?,
        message_count: u64::try_from(row.try_get::<i64, _>("message_count")?).unwrap_or_default(),
        created_at: from_sql(row.try_get("created_at")?),
        updated_at: from_sql(row.try_get("updated_at")?),
    })
}

fn message(row: &SqliteRow) -> Result<MessageRow, sqlx::Error> {
    Ok(MessageRow {
        turn: row.try_get("id")?,
        position: u64::try_from(row.try_get::<i64, _>("position")?).unwrap_or_default(),
        raw: row.try_get("raw")?,
        complete: row.try_get("complete")?,
        created_at: from_sql(row.try_get("created_at")?),
    })
}
