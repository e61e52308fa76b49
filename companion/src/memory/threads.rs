//! Threads, as their owner makes, reads, changes and deletes them.

use super::{Memory, Page, Store, TurnRow, before, from_sql, open, title_place, to_sql, turns, whose};
use crate::caller::Caller;
use domain::time::Micros;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use std::time::Duration;

/// A thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ThreadRow {
    /// Its id, which the client chose.
    pub(crate) id: String,
    /// What it is about.
    pub(crate) title: Option<String>,
    /// What its owner's application says of it: a JSON object of texts.
    pub(crate) metadata: String,
    /// How many messages it has.
    pub(crate) message_count: u64,
    /// When its first turn arrived.
    pub(crate) created_at: Micros,
    /// When its last turn arrived.
    pub(crate) updated_at: Micros,
}

/// What became of a thread that was to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Made {
    /// It is there.
    New(ThreadRow),
    /// There is one of this id.
    Exists,
    /// The caller has as many as they may have.
    TooMany,
}

/// How much there is of a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Filled {
    /// It has so many messages.
    Begun {
        /// So many.
        messages: u64,
    },
    /// It is not there.
    New {
        /// So many other threads its caller has.
        others: u64,
    },
}

/// Columns that tell how much there is of the thread `$3` of the caller, `$1` and `$2`.
pub(super) const FILLED: &str =
    "COALESCE((SELECT message_count FROM threads WHERE project = $1 AND user_id = $2 AND id = $3), -1) AS messages,
     CASE WHEN EXISTS (SELECT 1 FROM threads WHERE project = $1 AND user_id = $2 AND id = $3) THEN 0
         ELSE (SELECT COUNT(*) FROM threads WHERE project = $1 AND user_id = $2) END AS others";

const COLUMNS: &str = "SELECT id, title, metadata, message_count, created_at, updated_at FROM threads";

impl Filled {
    /// What a row with the columns of [`FILLED`] tells.
    pub(super) fn of(row: &AnyRow) -> Result<Self, sqlx::Error> {
        let (messages, others): (i64, i64) = (row.try_get("messages")?, row.try_get("others")?);
        Ok(match u64::try_from(messages) {
            Ok(messages) => Self::Begun { messages },
            Err(_) => Self::New { others: u64::try_from(others).unwrap_or_default() },
        })
    }
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
        let order = if page.ascending {
            "(updated_at, id) > ($3, $4) ORDER BY updated_at, id"
        } else {
            "(updated_at, id) < ($3, $4) ORDER BY updated_at DESC, id DESC"
        };
        let sql = format!("{COLUMNS} WHERE project = $1 AND user_id = $2 AND {order} LIMIT $5");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(caller.project.as_str()).bind(caller.user.as_str());
        let rows = query.bind(start.0).bind(start.1).bind(i64::from(page.limit)).fetch_all(self.db.pool()).await?;
        rows.iter().map(|row| self.thread_row(caller, row)).collect::<Result<Vec<_>, _>>().map(Some)
    }

    /// Ids of the caller's threads behind `after`, at most `most`, in the order of the ids: one that goes on or away
    /// meanwhile moves no other.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn thread_ids(&self, caller: &Caller, after: &str, most: u32) -> Result<Vec<String>, sqlx::Error> {
        let sql = "SELECT id FROM threads WHERE project = $1 AND user_id = $2 AND id > $3 ORDER BY id LIMIT $4";
        let query = sqlx::query_scalar(sql).bind(caller.project.as_str()).bind(caller.user.as_str());
        query.bind(after).bind(i64::from(most)).fetch_all(self.db.pool()).await
    }

    /// One of the caller's threads.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn thread(&self, caller: &Caller, id: &str) -> Result<Option<ThreadRow>, sqlx::Error> {
        let mut connection = self.db.pool().acquire().await?;
        self.thread_in(&mut connection, caller, id).await
    }

    /// Makes a thread with the turns that it begins with, all or nothing, unless the caller has `most` already.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn make_thread(
        &self,
        caller: &Caller,
        thread: &ThreadRow,
        begins: &[TurnRow],
        most: u32,
    ) -> Result<Made, sqlx::Error> {
        let mut tx = self.db.write().await?;
        // Others make none meanwhile, so that nobody has one too many.
        open::lock(&self.db, &mut tx, std::iter::once(caller)).await?;
        if self.thread_in(&mut tx, caller, &thread.id).await?.is_some() {
            return Ok(Made::Exists);
        }
        if threads_of(&mut tx, caller).await? >= i64::from(most) {
            return Ok(Made::TooMany);
        }
        let title = self.closed_title(caller, &thread.id, thread.title.as_deref())?;
        let sql = "INSERT INTO threads (project, user_id, id, title, metadata, message_count, created_at, updated_at)
                   VALUES ($1, $2, $3, $4, $5, 0, $6, $7) ON CONFLICT DO NOTHING";
        let query = sqlx::query(sql).bind(caller.project.as_str()).bind(caller.user.as_str()).bind(&thread.id);
        let query = query.bind(title).bind(&thread.metadata);
        let done = query.bind(to_sql(thread.created_at)).bind(to_sql(thread.updated_at)).execute(&mut *tx).await?;
        if done.rows_affected() == 0 {
            return Ok(Made::Exists);
        }
        for turn in begins {
            self.add_turn(&mut tx, caller, turn, thread.created_at).await?;
            turns::count_messages(&mut tx, caller, &thread.id, turn.messages.len(), thread.created_at).await?;
        }
        tx.commit().await?;
        Ok(Made::New(thread.clone()))
    }

    /// Changes the title, the metadata or both of one of the caller's threads; what it is then, `None` when there is
    /// none. It counts as an update only for what a turn changes, so that a list keeps its order.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn change_thread(
        &self,
        caller: &Caller,
        id: &str,
        title: Option<Option<&str>>,
        metadata: Option<&str>,
    ) -> Result<Option<ThreadRow>, sqlx::Error> {
        let mut tx = self.db.write().await?;
        if let Some(title) = title {
            let sealed = self.closed_title(caller, id, title)?;
            let sql = "UPDATE threads SET title = $4 WHERE project = $1 AND user_id = $2 AND id = $3";
            let query = sqlx::query(sql).bind(caller.project.as_str()).bind(caller.user.as_str()).bind(id);
            query.bind(sealed).execute(&mut *tx).await?;
        }
        if let Some(metadata) = metadata {
            let sql = "UPDATE threads SET metadata = $4 WHERE project = $1 AND user_id = $2 AND id = $3";
            let query = sqlx::query(sql).bind(caller.project.as_str()).bind(caller.user.as_str()).bind(id);
            query.bind(metadata).execute(&mut *tx).await?;
        }
        let row = self.thread_in(&mut tx, caller, id).await?;
        tx.commit().await?;
        Ok(row)
    }

    /// Deletes one of the caller's threads with all its messages; `false` when there is none, nor one that begins with a
    /// turn that is open. Its turns, and those that are open, are not stored when a gateway reports them afterwards.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn delete_thread(&self, caller: &Caller, id: &str, now: Micros) -> Result<bool, sqlx::Error> {
        let (store, caller, id) = (self.clone(), caller.clone(), id.to_owned());
        open::to_its_end(async move { store.delete_whole_thread(&caller, &id, now).await }).await
    }

    async fn delete_whole_thread(&self, caller: &Caller, id: &str, now: Micros) -> Result<bool, sqlx::Error> {
        let _quiet = self.written.quiet(caller).await?;
        let begins = self.is_said_in(caller, id, now).await?;
        let mut tx = self.db.write().await?;
        open::lock(&self.db, &mut tx, std::iter::once(caller)).await?;
        if !delete(&mut tx, caller, id, i64::MAX).await? && !begins {
            return Ok(false);
        }
        turns::forget_thread(&mut tx, caller, id, now).await?;
        self.written.forget(&mut tx, caller, Some(id), now).await?;
        tx.commit().await?;
        self.written.forgotten(caller, Some(id)).await?;
        Ok(true)
    }

    /// The same of a thread in which nothing was said for `age`, nor is being said; `false` when there is none.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn delete_old_thread(
        &self,
        caller: &Caller,
        id: &str,
        age: Duration,
        now: Micros,
    ) -> Result<bool, sqlx::Error> {
        let _quiet = self.written.quiet(caller).await?;
        let mut tx = self.db.write().await?;
        open::lock(&self.db, &mut tx, std::iter::once(caller)).await?;
        if self.is_said_in(caller, id, now).await? || !delete(&mut tx, caller, id, before(now, age)).await? {
            return Ok(false);
        }
        turns::forget_thread(&mut tx, caller, id, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Whether a turn of the thread is open.
    async fn is_said_in(&self, caller: &Caller, thread: &str, now: Micros) -> Result<bool, sqlx::Error> {
        let open = self.still_open(caller, &Memory::Thread(thread.to_owned()), now).await?;
        Ok(open.awaited > 0 || open.missing > 0)
    }

    pub(super) async fn thread_in(
        &self,
        connection: &mut AnyConnection,
        caller: &Caller,
        id: &str,
    ) -> Result<Option<ThreadRow>, sqlx::Error> {
        let sql = format!("{COLUMNS} WHERE project = $1 AND user_id = $2 AND id = $3");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(caller.project.as_str()).bind(caller.user.as_str());
        let row = query.bind(id).fetch_optional(connection).await?;
        row.map(|row| self.thread_row(caller, &row)).transpose()
    }

    pub(super) fn closed_title(
        &self,
        caller: &Caller,
        thread: &str,
        title: Option<&str>,
    ) -> Result<Option<Vec<u8>>, sqlx::Error> {
        title.map(|it| self.close_text(it, &title_place(whose(caller), thread))).transpose()
    }

    pub(super) fn thread_row(&self, caller: &Caller, row: &AnyRow) -> Result<ThreadRow, sqlx::Error> {
        Ok(ThreadRow {
            id: row.try_get("id")?,
            title: self.title_of(caller, row)?,
            metadata: row.try_get("metadata")?,
            message_count: u64::try_from(row.try_get::<i64, _>("message_count")?).unwrap_or_default(),
            created_at: from_sql(row.try_get("created_at")?),
            updated_at: from_sql(row.try_get("updated_at")?),
        })
    }

    /// Of a row with a thread's `id` and its `title`.
    pub(super) fn title_of(&self, caller: &Caller, row: &AnyRow) -> Result<Option<String>, sqlx::Error> {
        let (id, title): (String, Option<Vec<u8>>) = (row.try_get("id")?, row.try_get("title")?);
        title.map(|it| self.open_text(&it, &title_place(whose(caller), &id))).transpose()
    }
}

/// Deletes one of the caller's threads whose last update was before `until`, without its turns; whether there is one.
async fn delete(tx: &mut AnyConnection, caller: &Caller, id: &str, until: i64) -> Result<bool, sqlx::Error> {
    let sql = "DELETE FROM threads WHERE project = $1 AND user_id = $2 AND id = $3 AND updated_at < $4";
    let query = sqlx::query(sql).bind(caller.project.as_str()).bind(caller.user.as_str()).bind(id);
    Ok(query.bind(until).execute(tx).await?.rows_affected() > 0)
}

/// How many threads the caller has.
async fn threads_of(connection: &mut AnyConnection, caller: &Caller) -> Result<i64, sqlx::Error> {
    let sql = "SELECT COUNT(*) FROM threads WHERE project = $1 AND user_id = $2";
    sqlx::query_scalar(sql).bind(caller.project.as_str()).bind(caller.user.as_str()).fetch_one(connection).await
}
