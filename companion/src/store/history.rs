//! What came before: the messages that a new turn's request begins with.

use super::turns::SESSION_LIFETIME;
use super::{Store, to_sql};
use crate::caller::Caller;
use domain::time::Micros;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

/// How much history is given back at most, newest turns first; a longer one loses its oldest turns.
/// More would neither fit a model's context nor a gateway's call-out.
const MAX_BYTES: i64 = 4 * 1024 * 1024;
const MAX_TURNS: i64 = 1000;

impl Store {
    /// The caller's messages as raw JSON, oldest first: those of the thread, then those of the
    /// session that are not in the thread. A turn that broke off without an answer is left
    /// out: it would put two questions in a row.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn history(
        &self,
        caller: &Caller,
        thread: Option<&str>,
        session: Option<&str>,
        now: Micros,
    ) -> Result<Vec<String>, sqlx::Error> {
        let mut room = Room { bytes: MAX_BYTES, turns: MAX_TURNS };
        let mut messages = Vec::new();
        let (project, user) = (caller.project.as_str(), caller.user.as_str());
        if let Some(thread) = thread {
            let sql = "SELECT seq, bytes FROM turns WHERE project = ? AND user = ? AND thread = ?
                       AND (complete OR answered) ORDER BY seq DESC LIMIT ?";
            let query = sqlx::query(sql).bind(project).bind(user).bind(thread).bind(MAX_TURNS);
            messages.append(&mut self.newest(&query.fetch_all(&self.pool).await?, &mut room).await?);
        }
        if let Some(session) = session {
            let since = Micros(now.0.saturating_sub(Micros::default().after(SESSION_LIFETIME).0));
            // No thread is called "", so that without a thread nothing is left out.
            let sql = "SELECT seq, bytes FROM turns WHERE project = ? AND user = ? AND session = ?
                       AND (complete OR answered) AND created_at >= ? AND thread IS NOT ? ORDER BY seq DESC LIMIT ?";
            let query = sqlx::query(sql).bind(project).bind(user).bind(session).bind(to_sql(since));
            let query = query.bind(thread.unwrap_or_default()).bind(MAX_TURNS);
            messages.append(&mut self.newest(&query.fetch_all(&self.pool).await?, &mut room).await?);
        }
        Ok(messages)
    }

    /// The messages of those of `turns`, newest first, that there is room for; oldest first.
    async fn newest(&self, turns: &[SqliteRow], room: &mut Room) -> Result<Vec<String>, sqlx::Error> {
        let mut fitting = Vec::new();
        for row in turns {
            if !room.take(row.try_get("bytes")?) {
                break;
            }
            fitting.push(row.try_get::<i64, _>("seq")?.to_string());
        }
        // One question however many turns; their ids are integers, so this is JSON.
        let fitting = format!("[{}]", fitting.join(","));
        let sql = "SELECT raw FROM messages WHERE turn IN (SELECT value FROM json_each(?)) ORDER BY turn, position";
        let rows = sqlx::query(sql).bind(fitting).fetch_all(&self.pool).await?;
        rows.iter().map(|row| row.try_get("raw")).collect()
    }
}

/// What may still be given back.
struct Room {
    bytes: i64,
    turns: i64,
}

impl Room {
    /// Takes room for one turn; `false` when there is none.
    fn take(&mut self, bytes: i64) -> bool {
        let left = Self { bytes: self.bytes.saturating_sub(bytes), turns: self.turns.saturating_sub(1) };
        let fits = left.bytes >= 0 && left.turns >= 0;
        if fits {
            *self = left;
        }
        fits
    }
}
