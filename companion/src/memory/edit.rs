//! What a stored thread may be changed in afterwards: one message, the title that was made for it, and what an application
//! adds to its end.

use super::messages::{COLUMNS, one_message_less, resize};
use super::{MessageRow, Store, TurnRow, message_place, open, turns, whose};
use crate::caller::Caller;
use domain::time::Micros;
use sqlx::{AnyConnection, Row};

/// What becomes of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Edit {
    /// It stays.
    Keep,
    /// It is gone.
    Delete,
    /// It says this.
    Replace(String),
}

/// What became of messages that were to be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Appended {
    /// They are there.
    Stored,
    /// A turn of this id was there before, or is deleted.
    Known,
    /// The thread has no room for them.
    Full,
    /// There is no such thread.
    Gone,
}

impl Store {
    /// Adds turns to the end of one of the caller's threads, all of them or none, if it is there and has at most `most`
    /// messages then, whoever else adds to it meanwhile. The first one's id stands for all.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn append(
        &self,
        caller: &Caller,
        thread: &str,
        added: &[TurnRow],
        (most, now): (u32, Micros),
    ) -> Result<Appended, sqlx::Error> {
        let mut tx = self.db.write().await?;
        open::lock(&self.db, &mut tx, std::iter::once(caller)).await?;
        let thread = self.thread_in(&mut tx, caller, thread).await?;
        let Some(thread) = thread else { return Ok(Appended::Gone) };
        let id = added.first().map(|it| it.id.as_str()).unwrap_or_default();
        if turns::is_known(&mut tx, caller, id).await? {
            return Ok(Appended::Known);
        }
        let more = added.iter().map(|it| it.messages.len()).fold(0, usize::saturating_add);
        let more = u64::try_from(more).unwrap_or(u64::MAX);
        if thread.message_count.saturating_add(more) > u64::from(most) {
            return Ok(Appended::Full);
        }
        let added: Vec<_> = added.iter().map(|it| (caller.clone(), it.clone())).collect();
        self.add_all(&mut tx, &added, now).await?;
        tx.commit().await?;
        Ok(Appended::Stored)
    }

    /// Changes a message of one of the caller's threads as `edit` says, which sees it as it is while nobody else changes it;
    /// `false` when there is none or it stays.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn edit_message(
        &self,
        caller: &Caller,
        thread: &str,
        (turn, position): (&str, i64),
        edit: impl FnOnce(&MessageRow) -> Edit,
    ) -> Result<bool, sqlx::Error> {
        let mut tx = self.db.write().await?;
        self.lock_thread(&mut tx, caller, thread).await?;
        let sql = format!(
            "SELECT {COLUMNS} FROM turns t JOIN messages m ON m.turn = t.seq
             WHERE t.project = $1 AND t.user_id = $2 AND t.thread = $3 AND t.id = $4 AND m.position = $5"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(caller.project.as_str()).bind(caller.user.as_str());
        let row = query.bind(thread).bind(turn).bind(position).fetch_optional(&mut *tx).await?;
        let Some(row) = row else { return Ok(false) };
        let seq: i64 = row.try_get("seq")?;
        let row = self.message_row(caller, &row)?;
        match edit(&row) {
            Edit::Keep => return Ok(false),
            Edit::Replace(raw) => {
                let sealed = self.close_text(&raw, &message_place(whose(caller), turn, position))?;
                let sql = "UPDATE messages SET raw = $3 WHERE turn = $1 AND position = $2";
                sqlx::query(sql).bind(seq).bind(position).bind(sealed).execute(&mut *tx).await?;
                resize(&mut tx, seq, &row.raw, &raw).await?;
            }
            Edit::Delete => {
                let sql = "DELETE FROM messages WHERE turn = $1 AND position = $2";
                sqlx::query(sql).bind(seq).bind(position).execute(&mut *tx).await?;
                resize(&mut tx, seq, &row.raw, "").await?;
                one_message_less(&mut tx, caller, thread).await?;
            }
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Gives one of the caller's threads the title `to`, if it is still called `from`; whether it was.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn retitle(
        &self,
        caller: &Caller,
        thread: &str,
        (from, to): (&str, &str),
    ) -> Result<bool, sqlx::Error> {
        let mut tx = self.db.write().await?;
        self.lock_thread(&mut tx, caller, thread).await?;
        let row = self.thread_in(&mut tx, caller, thread).await?;
        if row.is_none_or(|it| it.title.as_deref() != Some(from)) {
            return Ok(false);
        }
        let sealed = self.closed_title(caller, thread, Some(to))?;
        let sql = "UPDATE threads SET title = $4 WHERE project = $1 AND user_id = $2 AND id = $3";
        let query = sqlx::query(sql).bind(caller.project.as_str()).bind(caller.user.as_str()).bind(thread);
        query.bind(sealed).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Nobody else changes the thread until the transaction ends.
    pub(super) async fn lock_thread(
        &self,
        tx: &mut AnyConnection,
        caller: &Caller,
        thread: &str,
    ) -> Result<(), sqlx::Error> {
        let sql =
            format!("SELECT 1 FROM threads WHERE project = $1 AND user_id = $2 AND id = $3{}", self.db.for_update());
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(caller.project.as_str()).bind(caller.user.as_str());
        query.bind(thread).fetch_optional(tx).await.map(|_| ())
    }
}
