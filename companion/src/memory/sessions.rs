//! Sessions: memory that ends when nothing was said for a while.

use super::{before, from_sql, to_sql};
use crate::caller::Caller;
use domain::time::Micros;
use sqlx::AnyConnection;
use std::time::Duration;

/// Since when the session runs, prolonged to `lifetime` from `now`; one that ended, or was never there, begins now.
pub(super) async fn touch(
    tx: &mut AnyConnection,
    caller: &Caller,
    session: &str,
    lifetime: Duration,
    now: Micros,
) -> Result<Micros, sqlx::Error> {
    let sql = "INSERT INTO sessions (project, user_id, id, started_at, expires_at) VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT (project, user_id, id) DO UPDATE SET
                   started_at = CASE WHEN sessions.expires_at <= excluded.started_at
                                THEN excluded.started_at ELSE sessions.started_at END,
                   expires_at = CASE WHEN sessions.expires_at < excluded.expires_at
                                THEN excluded.expires_at ELSE sessions.expires_at END
               RETURNING started_at";
    let query = sqlx::query_scalar(sql).bind(caller.project.as_str()).bind(caller.user.as_str()).bind(session);
    let ends = to_sql(now.after(lifetime));
    let since: i64 = query.bind(to_sql(now)).bind(ends).fetch_one(tx).await?;
    Ok(from_sql(since))
}

/// Deletes at most `most` sessions that ended, and says how many. A turn that belongs to a thread too stays in it.
pub(super) async fn purge(tx: &mut AnyConnection, now: Micros, most: i64) -> Result<u64, sqlx::Error> {
    // What a session said before it began anew goes with it: its turns are older than any session may live.
    let turns = "DELETE FROM turns WHERE seq IN (
                     SELECT t.seq FROM turns t WHERE t.thread = '' AND t.created_at < $1 AND NOT EXISTS (
                         SELECT 1 FROM sessions s WHERE s.project = t.project AND s.user_id = t.user_id
                         AND s.id = t.session AND s.started_at <= t.created_at AND s.expires_at > $1)
                     LIMIT $2)";
    let gone = sqlx::query(turns).bind(to_sql(now)).bind(most).execute(&mut *tx).await?.rows_affected();
    let sessions = "DELETE FROM sessions WHERE (project, user_id, id) IN (
                        SELECT project, user_id, id FROM sessions WHERE expires_at < $1 LIMIT $2)";
    // A day later than needed, so that turns that come late find what they belong to.
    let late = before(now, Duration::from_secs(24 * 60 * 60));
    let ended = sqlx::query(sessions).bind(late).bind(most).execute(tx).await?.rows_affected();
    Ok(gone.saturating_add(ended))
}
