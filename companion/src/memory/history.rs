//! What came before: the messages that a new turn's request begins with.

use super::threads::{self, Filled};
use super::{Store, mend, message_place, to_sql, whose};
use crate::caller::Caller;
use domain::time::Micros;
use serde::Deserialize;
use sqlx::Row;
use std::borrow::Cow;
use std::time::Duration;

/// How much is given back at most, whatever is asked: more would not fit a gateway's call-out.
const MAX_BYTES: i64 = 4 * 1024 * 1024;
const MAX_TURNS: i64 = 1000;

/// Which memory is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// A thread.
    pub(crate) thread: Option<String>,
    /// A session.
    pub(crate) session: Option<Running>,
}

/// A session that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Running {
    /// Its id.
    pub(crate) id: String,
    /// Since when.
    pub(crate) since: Micros,
    /// How long it lives on without another turn.
    pub(crate) lifetime: Duration,
}

/// A turn that was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    /// When it arrived.
    pub(super) at: i64,
    /// Whether it begins with what a tool answered to the turn before.
    pub(super) results_first: bool,
    /// Its size.
    pub(super) bytes: i64,
    /// Its tokens, as they are estimated.
    pub(super) tokens: i64,
    /// Its messages.
    pub(super) messages: Vec<String>,
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
    /// Columns that say how much there is in a thread of that name.
    filled: &'static str,
    name: &'a str,
    other: &'a str,
    since: i64,
}

/// No thread is called so.
const NO_THREAD: &str = "\u{1}";

/// Of a session.
const NO_MATTER: &str = "CAST(0 AS BIGINT) AS messages, CAST(0 AS BIGINT) AS others";

impl Store {
    /// The caller's messages as raw JSON, oldest first: those of the thread, then those of the session that are not in
    /// the thread. A turn that broke off without an answer is left out: it would put two questions in a row. So are calls
    /// and results that lack each other, for which a provider would refuse the whole; see [`mend`]. And how much there is in
    /// the thread, all told.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn history(
        &self,
        caller: &Caller,
        asked: &Asked,
        bounds: Bounds,
    ) -> Result<(Vec<String>, Option<Filled>), sqlx::Error> {
        let mut room = Room { bytes: MAX_BYTES, turns: bounds.turns.min(MAX_TURNS), tokens: bounds.tokens };
        let (mut of_thread, mut filled) = (Vec::new(), None);
        if let Some(thread) = &asked.thread {
            let filter = "t.thread = $3 AND t.thread <> $4 AND t.created_at >= $5";
            let pick = Pick { filter, filled: threads::FILLED, name: thread, other: NO_THREAD, since: 0 };
            let (turns, all) = self.newest(caller, &pick, &room).await?;
            (of_thread, filled) = (fitting(turns, &mut room), Some(all));
        }
        let mut of_session = Vec::new();
        if let Some(session) = &asked.session {
            let other = asked.thread.as_deref().unwrap_or(NO_THREAD);
            of_session = fitting(self.of_session(caller, session, other, &room).await?, &mut room);
        }
        let messages = together(of_thread, of_session).into_iter().flat_map(|it| it.messages).collect();
        Ok((mend::mended(messages), filled))
    }

    /// The newest turns of a session that are not in the thread `other`.
    async fn of_session(
        &self,
        caller: &Caller,
        session: &Running,
        other: &str,
        room: &Room,
    ) -> Result<Vec<Said>, sqlx::Error> {
        let all = "t.session = $3 AND t.session <> '' AND t.thread <> $4 AND t.created_at >= $5";
        let in_threads =
            "t.session = $3 AND t.session <> '' AND t.thread <> $4 AND t.created_at >= $5 AND t.thread <> ''";
        let filter = if self.in_redis.is_some() { in_threads } else { all };
        let since = to_sql(session.since);
        let pick = Pick { filter, filled: NO_MATTER, name: &session.id, other, since };
        let (mut turns, _) = self.newest(caller, &pick, room).await?;
        if let Some(redis) = &self.in_redis {
            turns.append(&mut redis.said(caller, session).await?);
            turns.sort_by_key(|it| it.at);
        }
        Ok(turns)
    }

    /// The newest turns that there is room for, oldest first, and how much there is in the thread of that name.
    async fn newest(&self, caller: &Caller, pick: &Pick<'_>, room: &Room) -> Result<(Vec<Said>, Filled), sqlx::Error> {
        let (answer, filled) = self.picked(caller, pick, room).await?;
        let rows: Vec<Picked<'_>> = serde_json::from_str(&answer).map_err(|it| sqlx::Error::Decode(it.into()))?;
        let mut turns: Vec<Said> = Vec::new();
        let mut last = None;
        for Picked(seq, id, results_first, bytes, tokens, at, position, sealed) in rows {
            let sealed = hex::decode(sealed).map_err(|it| sqlx::Error::Decode(it.into()))?;
            let message = self.open_text(&sealed, &message_place(whose(caller), &id, position))?;
            match turns.last_mut().filter(|_| last == Some(seq)) {
                Some(turn) => turn.messages.push(message),
                None => {
                    turns.push(Said { at, results_first: results_first != 0, bytes, tokens, messages: vec![message] });
                }
            }
            last = Some(seq);
        }
        Ok((turns, filled))
    }

    /// One question for both, which turns fit and what was said in them; the answer is one row, a list in JSON, because a
    /// row costs more than what is in it. SQLite prepares a statement anew each time whose limit is a bare `$6`.
    async fn picked(&self, caller: &Caller, pick: &Pick<'_>, room: &Room) -> Result<(String, Filled), sqlx::Error> {
        let list = self.db.json_list(
            &["seq", "id", "results_first", "bytes", "tokens", "created_at", "position"],
            "raw",
            "seq, position",
        );
        let sql = format!(
            "SELECT {list} AS said, {} FROM (SELECT n.seq, n.id, n.results_first, n.bytes, n.tokens, n.created_at, m.position, m.raw FROM (
                 SELECT c.*, SUM(c.bytes) OVER (ORDER BY c.seq DESC) AS all_bytes,
                     SUM(c.tokens) OVER (ORDER BY c.seq DESC) AS all_tokens FROM (
                     SELECT t.seq, t.id, t.results_first, t.bytes, t.tokens, t.created_at FROM turns t
                     WHERE t.project = $1 AND t.user_id = $2 AND {} AND (t.complete = 1 OR t.answer_at >= 0)
                     ORDER BY t.seq DESC LIMIT CAST($6 AS BIGINT)) AS c) AS n
             JOIN messages m ON m.turn = n.seq AND m.choice = 0 WHERE n.all_bytes <= $7 AND n.all_tokens <= $8) AS picked",
            pick.filled, pick.filter
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(sql));
        let query = query.bind(caller.project.as_str()).bind(caller.user.as_str());
        let query = query.bind(pick.name).bind(pick.other).bind(pick.since);
        let row = query.bind(room.turns).bind(room.bytes).bind(room.tokens).fetch_one(self.db.pool()).await?;
        Ok((row.try_get("said")?, Filled::of(&row)?))
    }
}

/// A message, with the turn that it was said in: the turn's number, its id, whether it begins with results, its size, its
/// tokens and when it arrived; then the message's position, and its sealed text in hexadecimal digits.
#[derive(Deserialize)]
struct Picked<'a>(i64, #[serde(borrow)] Cow<'a, str>, i64, i64, i64, i64, i64, &'a str);

/// What may still be given back.
struct Room {
    bytes: i64,
    turns: i64,
    tokens: i64,
}

/// The newest turns that there is room for. A turn that begins with what tools answered goes with the one before it, which
/// called them, or not at all.
fn fitting(turns: Vec<Said>, room: &mut Room) -> Vec<Said> {
    let fit = turns.iter().rev().take_while(|it| room.take(it)).count();
    let newest = turns.into_iter().rev().take(fit).collect::<Vec<_>>().into_iter().rev();
    newest.skip_while(|it| it.results_first).collect()
}

/// The thread's turns, then the session's. But where the thread's last exchange ends in a call, what answers it comes next,
/// so that it goes last.
fn together(mut thread: Vec<Said>, mut session: Vec<Said>) -> Vec<Said> {
    let waits = |turns: &[Said]| {
        let begins = turns.iter().rposition(|it| !it.results_first).unwrap_or_default();
        let exchange = turns.get(begins..).unwrap_or_default();
        let messages: Vec<String> = exchange.iter().flat_map(|it| it.messages.iter().cloned()).collect();
        mend::ends_in_a_call(&messages).then_some(begins)
    };
    let newer = thread.last().map(|it| it.at) > session.last().map(|it| it.at);
    let moved = if session.is_empty() { None } else { waits(&thread).filter(|_| newer || waits(&session).is_none()) };
    let mut exchange = moved.map(|it| thread.split_off(it)).unwrap_or_default();
    thread.append(&mut session);
    thread.append(&mut exchange);
    thread
}

impl Room {
    /// Takes room for one turn; `false` when there is none.
    fn take(&mut self, turn: &Said) -> bool {
        let left = Self {
            bytes: self.bytes.saturating_sub(turn.bytes),
            turns: self.turns.saturating_sub(1),
            tokens: self.tokens.saturating_sub(turn.tokens),
        };
        let fits = left.bytes >= 0 && left.turns >= 0 && left.tokens >= 0;
        if fits {
            *self = left;
        }
        fits
    }
}
