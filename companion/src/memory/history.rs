//! What came before: the messages that a new turn's request begins with.

use super::{Store, message_place, to_sql, whose};
use crate::caller::Caller;
use domain::time::Micros;
use sqlx::Row;
use sqlx::any::AnyRow;
use std::time::Duration;

/// How much is given back at most, whatever is asked: more would not fit a gateway's call-out.
const MAX_BYTES: i64 = 4 * 1024 * 1024;
const MAX_TURNS: i64 = 1000;

/// Which memory is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// A thread.
    pub(crate) thread: Option<String>,
    /// A session, and how long it lives on without another turn.
    pub(crate) session: Option<(String, Duration)>,
}

/// How much of it is wanted: the newest whole turns that fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// So many turns.
    pub(crate) turns: i64,
    /// So many tokens, as they are estimated.
    pub(crate) tokens: i64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { turns: MAX_TURNS, tokens: i64::MAX }
    }
}

/// Some of the caller's turns: how SQL picks them, with the caller as `$1` and `$2`, and the values from `$3` on.
struct Pick<'a> {
    filter: &'static str,
    name: &'a str,
    other: &'a str,
    since: i64,
}

/// No thread is called so.
const NO_THREAD: &str = "\u{1}";

impl Store {
    /// The caller's messages as raw JSON, oldest first: those of the thread, then those of the session that are not in
    /// the thread. A turn that broke off without an answer is left out: it would put two questions in a row.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn history(
        &self,
        caller: &Caller,
        asked: &Asked,
        bounds: Bounds,
        now: Micros,
    ) -> Result<Vec<String>, sqlx::Error> {
        let mut room = Room { bytes: MAX_BYTES, turns: bounds.turns.min(MAX_TURNS), tokens: bounds.tokens };
        let mut messages = Vec::new();
        if let Some(thread) = &asked.thread {
            let filter = "t.thread = $3 AND t.thread <> $4 AND t.created_at >= $5";
            let pick = Pick { filter, name: thread, other: NO_THREAD, since: 0 };
            messages.append(&mut self.newest(caller, &pick, &mut room).await?);
        }
        if let Some((session, lifetime)) = &asked.session {
            let since = self.touch_session(caller, session, *lifetime, now).await?;
            let filter = "t.session = $3 AND t.thread <> $4 AND t.created_at >= $5";
            let other = asked.thread.as_deref().unwrap_or(NO_THREAD);
            let pick = Pick { filter, name: session, other, since: to_sql(since) };
            messages.append(&mut self.newest(caller, &pick, &mut room).await?);
        }
        Ok(messages)
    }

    /// The messages of the newest turns that there is room for; oldest first.
    async fn newest(&self, caller: &Caller, pick: &Pick<'_>, room: &mut Room) -> Result<Vec<String>, sqlx::Error> {
        let rows = self.picked(caller, pick, "t.bytes, t.tokens, t.results_first", "", i64::MIN, i64::MAX).await?;
        let Some((oldest, newest)) = fitting(&rows, room)? else {
            return Ok(Vec::new());
        };
        let join = "JOIN messages m ON m.turn = t.seq AND m.choice = 0";
        let rows = self.picked(caller, pick, "t.id, m.position, m.raw", join, oldest, newest).await?;
        let open = |row: &AnyRow| {
            let (turn, position, raw): (String, i64, Vec<u8>) =
                (row.try_get("id")?, row.try_get("position")?, row.try_get("raw")?);
            self.open_text(&raw, &message_place(whose(caller), &turn, position))
        };
        rows.iter().map(open).collect()
    }

    async fn picked(
        &self,
        caller: &Caller,
        pick: &Pick<'_>,
        columns: &str,
        join: &str,
        oldest: i64,
        newest: i64,
    ) -> Result<Vec<AnyRow>, sqlx::Error> {
        let order =
            if join.is_empty() { format!("t.seq DESC LIMIT {MAX_TURNS}") } else { "t.seq, m.position".to_owned() };
        let sql = format!(
            "SELECT t.seq, {columns} FROM turns t {join} WHERE t.project = $1 AND t.user_id = $2 AND {}
             AND (t.complete = 1 OR t.answered = 1) AND t.seq >= $6 AND t.seq <= $7 ORDER BY {order}",
            pick.filter
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(caller.project.as_str()).bind(caller.user.as_str());
        let query = query.bind(pick.name).bind(pick.other).bind(pick.since).bind(oldest).bind(newest);
        query.fetch_all(self.db.pool()).await
    }
}

/// The first and the last of those of `turns`, newest first, that there is room for. A turn that begins with what tools
/// answered goes with the one before it, which called them, or not at all.
fn fitting(turns: &[AnyRow], room: &mut Room) -> Result<Option<(i64, i64)>, sqlx::Error> {
    let mut fitting: Vec<(i64, bool)> = Vec::new();
    for row in turns {
        if !room.take(row.try_get("bytes")?, row.try_get("tokens")?) {
            break;
        }
        fitting.push((row.try_get("seq")?, row.try_get::<i64, _>("results_first")? != 0));
    }
    while fitting.pop_if(|it| it.1).is_some() {}
    Ok(fitting.last().zip(fitting.first()).map(|(oldest, newest)| (oldest.0, newest.0)))
}

/// What may still be given back.
struct Room {
    bytes: i64,
    turns: i64,
    tokens: i64,
}

impl Room {
    /// Takes room for one turn; `false` when there is none.
    fn take(&mut self, bytes: i64, tokens: i64) -> bool {
        let left = Self {
            bytes: self.bytes.saturating_sub(bytes),
            turns: self.turns.saturating_sub(1),
            tokens: self.tokens.saturating_sub(tokens),
        };
        let fits = left.bytes >= 0 && left.turns >= 0 && left.tokens >= 0;
        if fits {
            *self = left;
        }
        fits
    }
}
