//! Finished turns, as gateways report them and applications import them.

use super::{Store, before, count, message_place, sessions, to_sql, whose};
use crate::caller::Caller;
use domain::estimate;
use domain::time::Micros;
use sqlx::{AnyConnection, Row};
use std::time::Duration;

/// How long the id of a deleted turn is kept; a gateway gives up on a turn long before.
pub(super) const FORGOTTEN_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// A finished turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TurnRow {
    /// Its id.
    pub(crate) id: String,
    /// The thread that it belongs to.
    pub(crate) thread: Option<String>,
    /// The session that it belongs to, and how long that lives on without another turn.
    pub(crate) session: Option<(String, Duration)>,
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
    /// Other answers to the same question, which are never in the history.
    pub(crate) alternatives: Vec<Alternative>,
    /// Whether an answer is among them.
    pub(crate) answered: bool,
    /// Whether the first of them is what a tool answered to the turn before.
    pub(crate) results_first: bool,
}

/// One of several answers to one question, not the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alternative {
    /// Its place among them, from 1.
    pub(crate) choice: i64,
    /// Whether it came to its end.
    pub(crate) complete: bool,
    /// The message as raw JSON.
    pub(crate) raw: String,
}

impl Store {
    /// Stores turns, all or none; one that is stored already or was deleted since is left out. Says how many were new.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn add_turns(&self, turns: &[(Caller, TurnRow)], now: Micros) -> Result<u64, sqlx::Error> {
        // In an order that all companions share, so that two that write the same threads wait for each other.
        let mut rows: Vec<&(Caller, TurnRow)> = turns.iter().collect();
        rows.sort_by(|(one, a), (other, b)| place(one, a).cmp(&place(other, b)));
        let mut tx = self.db.write().await?;
        let mut stored: u64 = 0;
        for (caller, turn) in rows {
            if let Some(thread) = &turn.thread {
                // The thread's row is the lock of its turns: they get their numbers in the order in which they are seen.
                self.touch_thread(&mut tx, caller, thread, turn, now).await?;
            }
            if is_known(&mut tx, caller, &turn.id).await? {
                continue;
            }
            if let Some((session, lifetime)) = &turn.session {
                sessions::touch(&mut tx, caller, session, *lifetime, now).await?;
            }
            self.add_turn(&mut tx, caller, turn, now).await?;
            if let Some(thread) = &turn.thread {
                count_messages(
                    &mut tx,
                    caller,
                    thread,
                    turn.messages.len().saturating_add(turn.alternatives.len()),
                    now,
                )
                .await?;
            }
            stored = stored.saturating_add(1);
        }
        tx.commit().await?;
        Ok(stored)
    }

    /// Makes the thread when it is missing, and gives it a title when it has none.
    async fn touch_thread(
        &self,
        tx: &mut AnyConnection,
        caller: &Caller,
        thread: &str,
        turn: &TurnRow,
        now: Micros,
    ) -> Result<(), sqlx::Error> {
        if is_known(tx, caller, &turn.id).await? {
            return Ok(());
        }
        let title = self.closed_title(caller, thread, turn.title.as_deref())?;
        let sql = "INSERT INTO threads (project, user_id, id, title, metadata, message_count, created_at, updated_at)
                   VALUES ($1, $2, $3, $4, '{}', 0, $5, $6)
                   ON CONFLICT (project, user_id, id) DO UPDATE SET title = COALESCE(threads.title, excluded.title)";
        let query = sqlx::query(sql).bind(caller.project.as_str()).bind(caller.user.as_str()).bind(thread);
        query.bind(title).bind(to_sql(now)).bind(to_sql(now)).execute(tx).await.map(|_| ())
    }

    pub(super) async fn add_turn(
        &self,
        tx: &mut AnyConnection,
        caller: &Caller,
        turn: &TurnRow,
        now: Micros,
    ) -> Result<(), sqlx::Error> {
        let sql = "INSERT INTO turns (project, user_id, id, thread, session, model, complete, finish_reason, answered,
                       results_first, bytes, tokens, created_at)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) RETURNING seq";
        let bytes = turn.messages.iter().map(String::len).fold(0, usize::saturating_add);
        let tokens = turn.messages.iter().map(|it| estimate::json_tokens(it)).fold(0, u64::saturating_add);
        let query = sqlx::query(sql).bind(caller.project.as_str()).bind(caller.user.as_str()).bind(&turn.id);
        let query = query.bind(turn.thread.as_deref().unwrap_or_default());
        let query = query.bind(turn.session.as_ref().map(|it| it.0.as_str()).unwrap_or_default());
        let query = query.bind(turn.model.as_deref().unwrap_or_default()).bind(i64::from(turn.complete));
        let query = query.bind(turn.finish_reason.as_deref().unwrap_or_default()).bind(i64::from(turn.answered));
        let query = query.bind(i64::from(turn.results_first)).bind(count(bytes));
        let query = query.bind(i64::try_from(tokens).unwrap_or(i64::MAX)).bind(to_sql(now));
        let seq: i64 = query.fetch_one(&mut *tx).await?.try_get("seq")?;
        let said = turn.messages.iter().map(|raw| (0, turn.complete, raw));
        let others = turn.alternatives.iter().map(|it| (it.choice, it.complete, &it.raw));
        for (position, (choice, complete, raw)) in said.chain(others).enumerate() {
            let position = count(position);
            let sealed = self.close_text(raw, &message_place(whose(caller), &turn.id, position))?;
            let sql = "INSERT INTO messages (turn, position, choice, complete, raw) VALUES ($1, $2, $3, $4, $5)";
            let query = sqlx::query(sql).bind(seq).bind(position).bind(choice).bind(i64::from(complete));
            query.bind(sealed).execute(&mut *tx).await?;
        }
        Ok(())
    }
}

fn place<'a>(caller: &'a Caller, turn: &'a TurnRow) -> (&'a str, &'a str, &'a str) {
    (caller.project.as_str(), caller.user.as_str(), turn.thread.as_deref().unwrap_or_default())
}

async fn is_known(tx: &mut AnyConnection, caller: &Caller, id: &str) -> Result<bool, sqlx::Error> {
    let sql = "SELECT 1 FROM turns WHERE project = $1 AND user_id = $2 AND id = $3
               UNION ALL SELECT 1 FROM forgotten_turns WHERE project = $1 AND user_id = $2 AND id = $3";
    let query = sqlx::query(sql).bind(caller.project.as_str()).bind(caller.user.as_str()).bind(id);
    Ok(query.fetch_optional(tx).await?.is_some())
}

/// Counts a thread's new messages.
pub(super) async fn count_messages(
    tx: &mut AnyConnection,
    caller: &Caller,
    thread: &str,
    more: usize,
    now: Micros,
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE threads SET message_count = message_count + $4,
                   updated_at = CASE WHEN updated_at < $5 THEN $5 ELSE updated_at END
               WHERE project = $1 AND user_id = $2 AND id = $3";
    let query = sqlx::query(sql).bind(caller.project.as_str()).bind(caller.user.as_str()).bind(thread);
    query.bind(count(more)).bind(to_sql(now)).execute(tx).await.map(|_| ())
}

/// Deletes the turns of a thread and keeps their ids.
pub(super) async fn forget_thread(
    tx: &mut AnyConnection,
    caller: &Caller,
    thread: &str,
    now: Micros,
) -> Result<(), sqlx::Error> {
    let forget = "INSERT INTO forgotten_turns (project, user_id, id, forgotten_at)
                  SELECT project, user_id, id, $4 FROM turns WHERE project = $1 AND user_id = $2 AND thread = $3
                  ON CONFLICT DO NOTHING";
    let query = sqlx::query(forget).bind(caller.project.as_str()).bind(caller.user.as_str());
    query.bind(thread).bind(to_sql(now)).execute(&mut *tx).await?;
    let delete = "DELETE FROM turns WHERE project = $1 AND user_id = $2 AND thread = $3";
    let query = sqlx::query(delete).bind(caller.project.as_str()).bind(caller.user.as_str());
    query.bind(thread).execute(tx).await.map(|_| ())
}

/// Keeps the ids of turns that are not to be stored when they arrive.
pub(super) async fn forget(
    tx: &mut AnyConnection,
    caller: &Caller,
    turns: &[String],
    now: Micros,
) -> Result<(), sqlx::Error> {
    for turn in turns {
        let sql = "INSERT INTO forgotten_turns (project, user_id, id, forgotten_at) VALUES ($1, $2, $3, $4)
                   ON CONFLICT DO NOTHING";
        let query = sqlx::query(sql).bind(caller.project.as_str()).bind(caller.user.as_str()).bind(turn);
        query.bind(to_sql(now)).execute(&mut *tx).await?;
    }
    let old = "DELETE FROM forgotten_turns WHERE forgotten_at < $1";
    sqlx::query(old).bind(before(now, FORGOTTEN_FOR)).execute(tx).await.map(|_| ())
}
