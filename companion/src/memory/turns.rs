//! Finished turns, as gateways report them and applications import them.

use super::{Store, before, count, message_place, open, sessions, to_sql, whose};
use crate::caller::Caller;
use domain::estimate;
use domain::time::Micros;
use sqlx::{AnyConnection, Row};
use std::sync::Arc;
use std::time::Duration;

/// How long the id of a deleted turn is kept; a gateway gives up on a turn long before.
const FORGOTTEN_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// Turns that a gateway reports together, and when.
pub(crate) type Report = (Arc<Vec<(Caller, TurnRow)>>, Micros);

/// Messages of one statement.
const TOGETHER: usize = 8;

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
    /// The place of the answer's first message among them, if there is one.
    pub(crate) answer_at: Option<usize>,
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
    /// Stores several reports together, each with its time, and says of each how many turns were new: one that is stored
    /// already or was deleted since is left out. What is stored is not open any more.
    ///
    /// # Errors
    /// When the database does not answer; then nothing of any report is stored.
    pub(crate) async fn add_reports(&self, reports: &[Report]) -> Result<Vec<u64>, sqlx::Error> {
        self.written.ready().await?;
        let added = self.add_to_sessions(reports).await?;
        let mut tx = self.db.write_and_flush().await?;
        open::lock(&self.db, &mut tx, reports.iter().flat_map(|it| it.0.iter()).map(|it| &it.0)).await?;
        let mut stored = Vec::with_capacity(reports.len());
        for ((turns, now), added) in reports.iter().zip(added) {
            stored.push(self.add_all(&mut tx, turns, *now).await?.saturating_add(added));
        }
        let unwanted = self.forgotten(&mut tx, reports).await?;
        tx.commit().await?;
        let turns = reports.iter().flat_map(|it| it.0.iter());
        self.written.closed(turns.map(|(caller, turn)| (caller, turn.id.as_str()))).await?;
        self.db.flush().await?;
        if let Some(redis) = self.in_redis.as_ref().filter(|_| !unwanted.is_empty()) {
            // They were deleted while they were being added.
            redis.remove(&unwanted).await?;
        }
        Ok(stored)
    }

    /// Adds what belongs to a session alone to it, if those are in Redis, and says of each report how many were new. It
    /// comes first: once a turn is not open any more, everybody is to find it.
    async fn add_to_sessions(&self, reports: &[Report]) -> Result<Vec<u64>, sqlx::Error> {
        let mut added = Vec::with_capacity(reports.len());
        for (turns, now) in reports {
            let mut new = 0;
            if let Some(redis) = &self.in_redis {
                let mut wanted = Vec::new();
                for (caller, turn) in turns.iter().filter(|(_, it)| self.is_in_redis(it)) {
                    if !is_known(&mut *self.db.pool().acquire().await?, caller, &turn.id).await? {
                        wanted.push((caller, turn));
                    }
                }
                new = redis.add(&wanted, *now).await?.into_iter().filter(|it| *it).count();
            }
            added.push(u64::try_from(new).unwrap_or(u64::MAX));
        }
        Ok(added)
    }

    /// Those in Redis that were deleted.
    async fn forgotten<'a>(
        &self,
        tx: &mut AnyConnection,
        reports: &'a [Report],
    ) -> Result<Vec<(&'a Caller, &'a TurnRow)>, sqlx::Error> {
        let mut forgotten = Vec::new();
        for (caller, turn) in reports.iter().flat_map(|it| it.0.iter()).filter(|it| self.is_in_redis(&it.1)) {
            if is_known(tx, caller, &turn.id).await? {
                forgotten.push((caller, turn));
            }
        }
        Ok(forgotten)
    }

    /// Whether what was said in a turn is kept in Redis.
    fn is_in_redis(&self, turn: &TurnRow) -> bool {
        self.in_redis.is_some() && turn.thread.is_none() && turn.session.is_some() && !turn.messages.is_empty()
    }

    /// In a transaction that has locked the users; says how many were new.
    pub(super) async fn add_all(
        &self,
        tx: &mut AnyConnection,
        turns: &[(Caller, TurnRow)],
        now: Micros,
    ) -> Result<u64, sqlx::Error> {
        let (said, unsaid): (Vec<_>, Vec<_>) = turns.iter().partition(|(_, it)| !it.messages.is_empty());
        self.written.close_in(tx, &ids(&said), &ids(&unsaid), now).await?;
        let mut stored: u64 = 0;
        for (caller, turn) in said {
            let elsewhere = self.is_in_redis(turn);
            let new = if elsewhere {
                !is_known(tx, caller, &turn.id).await?
            } else {
                self.add_turn(tx, caller, turn, now).await?
            };
            if !new {
                continue;
            }
            if let Some(thread) = &turn.thread {
                self.touch_thread(tx, caller, thread, turn, now).await?;
            }
            if let Some((session, lifetime)) = &turn.session {
                sessions::touch(tx, caller, session, *lifetime, now).await?;
            }
            stored = stored.saturating_add(u64::from(!elsewhere));
        }
        Ok(stored)
    }

    /// Makes the thread when it is missing, gives it a title when it has none, and counts what is new in it.
    async fn touch_thread(
        &self,
        tx: &mut AnyConnection,
        caller: &Caller,
        thread: &str,
        turn: &TurnRow,
        now: Micros,
    ) -> Result<(), sqlx::Error> {
        let title = self.closed_title(caller, thread, turn.title.as_deref())?;
        let sql = "INSERT INTO threads (project, user_id, id, title, metadata, message_count, created_at, updated_at)
                   VALUES ($1, $2, $3, $4, '{}', $5, $6, $6)
                   ON CONFLICT (project, user_id, id) DO UPDATE SET
                       title = COALESCE(threads.title, excluded.title),
                       message_count = threads.message_count + excluded.message_count,
                       updated_at = CASE WHEN threads.updated_at < excluded.updated_at
                                    THEN excluded.updated_at ELSE threads.updated_at END";
        let query = sqlx::query(sql).bind(caller.project.as_str()).bind(caller.user.as_str()).bind(thread);
        let messages = turn.messages.len().saturating_add(turn.alternatives.len());
        let query = query.bind(title).bind(count(messages)).bind(to_sql(now));
        query.execute(tx).await.map(|_| ())
    }

    /// Adds a turn and its messages, unless it is stored already or was deleted since; whether it was new.
    pub(super) async fn add_turn(
        &self,
        tx: &mut AnyConnection,
        caller: &Caller,
        turn: &TurnRow,
        now: Micros,
    ) -> Result<bool, sqlx::Error> {
        let sql = "INSERT INTO turns (project, user_id, id, thread, session, model, complete, finish_reason, answer_at,
                       results_first, bytes, tokens, created_at)
                   SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13 WHERE NOT EXISTS (
                       SELECT 1 FROM forgotten_turns WHERE project = $1 AND user_id = $2 AND id = $3)
                   ON CONFLICT (project, user_id, id) DO NOTHING RETURNING seq";
        let bytes = turn.messages.iter().map(String::len).fold(0, usize::saturating_add);
        let tokens = turn.messages.iter().map(|it| estimate::json_tokens(it)).fold(0, u64::saturating_add);
        let query = sqlx::query(sql).bind(caller.project.as_str()).bind(caller.user.as_str()).bind(&turn.id);
        let query = query.bind(turn.thread.as_deref().unwrap_or_default());
        let query = query.bind(turn.session.as_ref().map(|it| it.0.as_str()).unwrap_or_default());
        let query = query.bind(turn.model.as_deref().unwrap_or_default()).bind(i64::from(turn.complete));
        let query =
            query.bind(turn.finish_reason.as_deref().unwrap_or_default()).bind(turn.answer_at.map_or(-1, count));
        let query = query.bind(i64::from(turn.results_first)).bind(count(bytes));
        let query = query.bind(i64::try_from(tokens).unwrap_or(i64::MAX)).bind(to_sql(now));
        let Some(row) = query.fetch_optional(&mut *tx).await? else { return Ok(false) };
        let seq: i64 = row.try_get("seq")?;
        let said = turn.messages.iter().map(|raw| (0, turn.complete, raw));
        let others = turn.alternatives.iter().map(|it| (it.choice, it.complete, &it.raw));
        let messages: Vec<_> = said.chain(others).enumerate().collect();
        for some in messages.chunks(TOGETHER) {
            let values = (0..some.len()).map(|nth| {
                let [a, b, c, d] = [2, 3, 4, 5].map(|it| nth.saturating_mul(4).saturating_add(it));
                format!("($1, ${a}, ${b}, ${c}, ${d})")
            });
            let values = values.collect::<Vec<_>>().join(", ");
            let sql = format!("INSERT INTO messages (turn, position, choice, complete, raw) VALUES {values}");
            let mut query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(seq);
            for (position, (choice, complete, raw)) in some {
                let position = count(*position);
                let sealed = self.close_text(raw, &message_place(whose(caller), &turn.id, position))?;
                query = query.bind(position).bind(*choice).bind(i64::from(*complete)).bind(sealed);
            }
            query.execute(&mut *tx).await?;
        }
        Ok(true)
    }
}

fn ids<'a>(turns: &[&'a (Caller, TurnRow)]) -> Vec<(&'a Caller, &'a str)> {
    turns.iter().map(|(caller, turn)| (caller, turn.id.as_str())).collect()
}

pub(super) async fn is_known(tx: &mut AnyConnection, caller: &Caller, id: &str) -> Result<bool, sqlx::Error> {
    let sql = "SELECT 1 FROM turns WHERE project = $1 AND user_id = $2 AND id = $3
               UNION ALL SELECT 1 FROM forgotten_turns WHERE project = $1 AND user_id = $2 AND id = $3";
    let query = sqlx::query(sql).bind(caller.project.as_str()).bind(caller.user.as_str()).bind(id);
    Ok(query.fetch_optional(tx).await?.is_some())
}

/// Keeps the id of a turn, so that it is not stored when it arrives.
pub(super) async fn forget_one(
    tx: &mut AnyConnection,
    caller: &Caller,
    id: &str,
    now: Micros,
) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO forgotten_turns (project, user_id, id, forgotten_at) VALUES ($1, $2, $3, $4)
               ON CONFLICT DO NOTHING";
    let query = sqlx::query(sql).bind(caller.project.as_str()).bind(caller.user.as_str()).bind(id);
    query.bind(to_sql(now)).execute(tx).await.map(|_| ())
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

/// Deletes at most `most` of the ids of deleted turns that nobody reports any more, and says how many.
pub(super) async fn purge_forgotten(tx: &mut AnyConnection, now: Micros, most: i64) -> Result<u64, sqlx::Error> {
    let sql = "DELETE FROM forgotten_turns WHERE (project, user_id, id) IN (
                   SELECT project, user_id, id FROM forgotten_turns WHERE forgotten_at < $1 LIMIT $2)";
    Ok(sqlx::query(sql).bind(before(now, FORGOTTEN_FOR)).bind(most).execute(tx).await?.rows_affected())
}
