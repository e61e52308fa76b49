//! Finished turns, as gateways report them.

use super::{Store, count, to_sql};
use crate::caller::Caller;
use domain::time::Micros;
use sqlx::{Row, Sqlite, Transaction};
use std::time::Duration;

/// How long a turn of a session outside any thread is kept; a session is ephemeral.
pub(super) const SESSION_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// A finished turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TurnRow {
    /// Its id.
    pub(crate) id: String,
    /// The thread that it belongs to.
    pub(crate) thread: Option<String>,
    /// The session that it belongs to.
    pub(crate) session: Option<String>,
    /// The model that answered.
    pub(crate) model: Option<String>,
    /// Whether the answer came to its end.
    pub(crate) complete: bool,
    /// Why it ended, in the provider's words.
    pub(crate) finish_reason: Option<String>,
    /// What its thread is to be called if it has no title yet.
    pub(crate) title: Option<String>,
    /// Its messages as raw JSON, the question before the answer.
    pub(crate) messages: Vec<String>,
    /// Whether an answer is among them.
    pub(crate) answered: bool,
}

impl Store {
    /// Stores turns, all or none; one that is stored already or whose thread was deleted since is
    /// left out. Says how many were new.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn add_turns(&self, turns: &[(Caller, TurnRow)], now: Micros) -> Result<u64, sqlx::Error> {
        let mut tx = self.write().await?;
        let mut stored: u64 = 0;
        for (caller, turn) in turns {
            if is_known(&mut tx, caller, &turn.id).await? {
                continue;
            }
            if let Some(thread) = &turn.thread {
                touch_thread(&mut tx, caller, thread, turn, now).await?;
            }
            add_turn(&mut tx, caller, turn, now).await?;
            stored = stored.saturating_add(1);
        }
        let old = Micros(now.0.saturating_sub(Micros::default().after(SESSION_LIFETIME).0));
        let purge = "DELETE FROM turns WHERE thread IS NULL AND created_at < ?";
        sqlx::query(purge).bind(to_sql(old)).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(stored)
    }
}

async fn is_known(tx: &mut Transaction<'_, Sqlite>, caller: &Caller, id: &str) -> Result<bool, sqlx::Error> {
    let sql = "SELECT 1 FROM turns WHERE project = ?1 AND user = ?2 AND id = ?3
               UNION ALL SELECT 1 FROM forgotten_turns WHERE project = ?1 AND user = ?2 AND id = ?3";
    let query = sqlx::query(sql).bind(caller.project.as_str()).bind(caller.user.as_str()).bind(id);
    Ok(query.fetch_optional(&mut **tx).await?.is_some())
}

async fn touch_thread(
    tx: &mut Transaction<'_, Sqlite>,
    caller: &Caller,
    thread: &str,
    turn: &TurnRow,
    now: Micros,
) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO threads (project, user, id, title, message_count, created_at, updated_at)
               VALUES (?, ?, ?, ?, ?, ?6, ?6)
               ON CONFLICT (project, user, id) DO UPDATE SET
                   title = COALESCE(title, excluded.title),
                   message_count = message_count + excluded.message_count,
                   updated_at = MAX(updated_at, excluded.updated_at)";
    let query = sqlx::query(sql).bind(caller.project.as_str()).bind(caller.user.as_str()).bind(thread);
    let query = query.bind(&turn.title).bind(count(turn.messages.len())).bind(to_sql(now));
    query.execute(&mut **tx).await.map(|_| ())
}

async fn add_turn(
    tx: &mut Transaction<'_, Sqlite>,
    caller: &Caller,
    turn: &TurnRow,
    now: Micros,
) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO turns (project, user, id, thread, session, model, complete, finish_reason, bytes, answered, created_at)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING seq";
    let bytes = turn.messages.iter().map(String::len).fold(0, usize::saturating_add);
    let query = sqlx::query(sql).bind(caller.project.as_str()).bind(caller.user.as_str()).bind(&turn.id);
    let query = query.bind(&turn.thread).bind(&turn.session).bind(&turn.model).bind(turn.complete);
    let query = query.bind(&turn.finish_reason).bind(count(bytes)).bind(turn.answered).bind(to_sql(now));
    let seq: i64 = query.fetch_one(&mut **tx).await?.try_get("seq")?;
    for (position, raw) in turn.messages.iter().enumerate() {
        let sql = "INSERT INTO messages (turn, position, raw) VALUES (?, ?, ?)";
        sqlx::query(sql).bind(seq).bind(count(position)).bind(raw).execute(&mut **tx).await?;
    }
    Ok(())
}
