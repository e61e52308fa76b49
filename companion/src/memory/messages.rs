//! The messages of threads.

use super::{Page, Store, count, from_sql, message_place, whose};
use crate::caller::Caller;
use domain::estimate::json_tokens;
use domain::time::Micros;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

/// How many bytes of messages are read at once, however many are asked for: so much of the companion's memory one request
/// takes.
const PAGE_BYTES: i64 = 8 << 20;

/// Messages that were read at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Messages {
    /// Those that there was room for; two at least, if there are as many.
    pub(crate) rows: Vec<MessageRow>,
    /// Whether others follow.
    pub(crate) more: bool,
}

/// A message of a thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MessageRow {
    /// The turn that it belongs to.
    pub(crate) turn: String,
    /// Its place in the turn, from 0.
    pub(crate) position: u64,
    /// 0, or which one of several answers to one question it is; those from 1 on are not in the history.
    pub(crate) choice: u64,
    /// The message's JSON, byte for byte.
    pub(crate) raw: String,
    /// Whether the answer came to its end.
    pub(crate) complete: bool,
    /// Of an answer, why it ended, in the provider's words.
    pub(crate) finish_reason: Option<String>,
    /// When the turn arrived.
    pub(crate) created_at: Micros,
}

/// What a [`MessageRow`] is made of, of turns `t` and messages `m`. Why an answer ended is told of that answer alone, which
/// can be several messages; of the others to the same question it is not known.
pub(super) const COLUMNS: &str = "t.seq, t.id, m.position, m.choice, m.raw, m.complete, t.created_at,
    CASE WHEN m.choice = 0 AND t.answer_at >= 0 AND m.position >= t.answer_at THEN t.finish_reason ELSE '' END AS finish_reason";

impl Store {
    /// The messages of one of the caller's threads, in the order of arrival, fewer than the page's where they are long;
    /// `None` when the page's `after`, a turn and a position in it, is no message of it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn messages(
        &self,
        caller: &Caller,
        thread: &str,
        after: Option<(&str, i64)>,
        page: &Page,
    ) -> Result<Option<Messages>, sqlx::Error> {
        self.messages_of(caller, thread, after, page, "m.choice >= 0").await
    }

    /// The same without those that are not in the history.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn spoken(
        &self,
        caller: &Caller,
        thread: &str,
        after: Option<(&str, i64)>,
        page: &Page,
    ) -> Result<Option<Messages>, sqlx::Error> {
        self.messages_of(caller, thread, after, page, "m.choice = 0").await
    }

    async fn messages_of(
        &self,
        caller: &Caller,
        thread: &str,
        after: Option<(&str, i64)>,
        page: &Page,
        choice: &'static str,
    ) -> Result<Option<Messages>, sqlx::Error> {
        let start = match after {
            None if page.ascending => (-1, -1),
            None => (i64::MAX, i64::MAX),
            Some((turn, position)) => match self.turn_seq(caller, thread, turn).await? {
                Some(seq) => (seq, position),
                None => return Ok(None),
            },
        };
        let order = if page.ascending {
            "(t.seq, m.position) > ($4, $5) ORDER BY t.seq, m.position"
        } else {
            "(t.seq, m.position) < ($4, $5) ORDER BY t.seq DESC, m.position DESC"
        };
        let from = format!(
            "FROM turns t JOIN messages m ON m.turn = t.seq
             WHERE t.project = $1 AND t.user_id = $2 AND t.thread = $3 AND {choice} AND {order} LIMIT $6"
        );
        // Their sizes first: what is read of a row is all of it.
        let sizes = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT {SIZE} {from}")));
        let sizes = sizes.bind(caller.project.as_str()).bind(caller.user.as_str());
        let sizes = sizes.bind(thread).bind(start.0).bind(start.1).bind(i64::from(page.limit).saturating_add(1));
        let sizes: Vec<i64> = sizes.fetch_all(self.db.pool()).await?;
        let fit = fitting(&sizes).min(usize::try_from(page.limit).unwrap_or(usize::MAX));
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} {from}")));
        let rows = rows.bind(caller.project.as_str()).bind(caller.user.as_str());
        let rows = rows.bind(thread).bind(start.0).bind(start.1).bind(count(fit)).fetch_all(self.db.pool()).await?;
        let rows = rows.iter().map(|row| self.message_row(caller, row)).collect::<Result<Vec<_>, _>>()?;
        Ok(Some(Messages { rows, more: sizes.len() > fit }))
    }

    /// Deletes a message of one of the caller's threads; `false` when there is none. The turn stays, without it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn delete_message(
        &self,
        caller: &Caller,
        thread: &str,
        turn: &str,
        position: i64,
    ) -> Result<bool, sqlx::Error> {
        let mut tx = self.db.write().await?;
        // The thread before its messages, as everybody does, or two would wait for each other.
        self.lock_thread(&mut tx, caller, thread).await?;
        let sql = "SELECT t.seq, m.choice, m.raw FROM turns t JOIN messages m ON m.turn = t.seq
                   WHERE t.project = $1 AND t.user_id = $2 AND t.thread = $3 AND t.id = $4 AND m.position = $5";
        let query = sqlx::query(sql).bind(caller.project.as_str()).bind(caller.user.as_str());
        let row = query.bind(thread).bind(turn).bind(position).fetch_optional(&mut *tx).await?;
        let Some(row) = row else { return Ok(false) };
        let (seq, choice, raw): (i64, i64, Vec<u8>) =
            (row.try_get("seq")?, row.try_get("choice")?, row.try_get("raw")?);
        let delete = "DELETE FROM messages WHERE turn = $1 AND position = $2";
        sqlx::query(delete).bind(seq).bind(position).execute(&mut *tx).await?;
        // One that nobody can read any more goes all the same.
        if let (0, Ok(raw)) = (choice, self.open_text(&raw, &message_place(whose(caller), turn, position))) {
            resize(&mut tx, seq, &raw, "").await?;
        }
        one_message_less(&mut tx, caller, thread).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn turn_seq(&self, caller: &Caller, thread: &str, turn: &str) -> Result<Option<i64>, sqlx::Error> {
        let sql = "SELECT seq FROM turns WHERE project = $1 AND user_id = $2 AND thread = $3 AND id = $4";
        let query = sqlx::query_scalar(sql).bind(caller.project.as_str()).bind(caller.user.as_str());
        query.bind(thread).bind(turn).fetch_optional(self.db.pool()).await
    }

    pub(super) fn message_row(&self, caller: &Caller, row: &AnyRow) -> Result<MessageRow, sqlx::Error> {
        let (turn, position): (String, i64) = (row.try_get("id")?, row.try_get("position")?);
        let raw: Vec<u8> = row.try_get("raw")?;
        Ok(MessageRow {
            raw: self.open_text(&raw, &message_place(whose(caller), &turn, position))?,
            turn,
            choice: u64::try_from(row.try_get::<i64, _>("choice")?).unwrap_or_default(),
            position: u64::try_from(position).unwrap_or_default(),
            complete: row.try_get::<i64, _>("complete")? != 0,
            finish_reason: Some(row.try_get::<String, _>("finish_reason")?).filter(|it| !it.is_empty()),
            created_at: from_sql(row.try_get("created_at")?),
        })
    }
}

/// What of a message's row tells its size.
const SIZE: &str = "CAST(LENGTH(m.raw) AS BIGINT)";

/// How many of messages of these sizes are read at once: two at least, so that who leaves one of them out comes further.
pub(super) fn fitting(sizes: &[i64]) -> usize {
    let mut bytes: i64 = 0;
    let fits = |size: &&i64| {
        bytes = bytes.saturating_add(**size);
        bytes <= PAGE_BYTES
    };
    sizes.iter().take_while(fits).count().max(2).min(sizes.len())
}

/// A message of a turn's was `before` and is `after`, or gone: the turn takes that much less room in the history, and one of
/// which nothing is left has no place in it.
pub(super) async fn resize(tx: &mut AnyConnection, seq: i64, before: &str, after: &str) -> Result<(), sqlx::Error> {
    let bytes = count(before.len()).saturating_sub(count(after.len()));
    let tokens = |it: &str| if it.is_empty() { 0 } else { i64::try_from(json_tokens(it)).unwrap_or(i64::MAX) };
    let left = "EXISTS (SELECT 1 FROM messages m WHERE m.turn = turns.seq AND m.choice = 0)";
    let sql = format!(
        "UPDATE turns SET bytes = bytes - $2, tokens = tokens - $3, complete = CASE WHEN {left} THEN complete ELSE 0 END,
             answer_at = CASE WHEN {left} THEN answer_at ELSE -1 END WHERE seq = $1"
    );
    let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(seq).bind(bytes);
    query.bind(tokens(before).saturating_sub(tokens(after))).execute(tx).await.map(|_| ())
}

/// A thread has one message less.
pub(super) async fn one_message_less(tx: &mut AnyConnection, caller: &Caller, thread: &str) -> Result<(), sqlx::Error> {
    let sql = "UPDATE threads SET message_count = message_count - 1
               WHERE project = $1 AND user_id = $2 AND id = $3 AND message_count > 0";
    let query = sqlx::query(sql).bind(caller.project.as_str()).bind(caller.user.as_str()).bind(thread);
    query.execute(tx).await.map(|_| ())
}
