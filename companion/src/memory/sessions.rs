//! Sessions: memory that ends when nothing was said for a while.

use super::{from_sql, to_sql};
use crate::caller::Caller;
use crate::db::Db;
use domain::time::Micros;
use sqlx::{AnyConnection, Row};
use std::time::Duration;

/// Since when the session runs, and when it ends; `None` if it does not run.
pub(super) async fn running(
    connection: &mut AnyConnection,
    caller: &Caller,
    session: &str,
    now: Micros,
) -> Result<Option<(Micros, Micros)>, sqlx::Error> {
    let sql = "SELECT started_at, expires_at FROM sessions
               WHERE project = $1 AND user_id = $2 AND id = $3 AND expires_at > $4";
    let query = sqlx::query(sql).bind(caller.project.as_str()).bind(caller.user.as_str()).bind(session);
    let row = query.bind(to_sql(now)).fetch_optional(connection).await?;
    row.map(|it| Ok((from_sql(it.try_get("started_at")?), from_sql(it.try_get("expires_at")?)))).transpose()
}

/// Since when the session runs, prolonged to `lifetime` from `now`; one that ended, or was never there, begins now.
pub(super) async fn touch(
    tx: &mut AnyConnection,
    caller: &Caller,
    session: &str,
    lifetime: Duration,
    now: Micros,
) -> Result<Micros, sqlx::Error> {
    let sql =
        "INSERT INTO sessions (project, user_id, id, started_at, expires_at, renewed) VALUES ($1, $2, $3, $4, $5, 0)
               ON CONFLICT (project, user_id, id) DO UPDATE SET
                   renewed = CASE WHEN sessions.expires_at <= excluded.started_at THEN 1 ELSE sessions.renewed END,
                   started_at = CASE WHEN sessions.expires_at <= excluded.started_at
                                THEN excluded.started_at ELSE sessions.started_at END,
                   expires_at = CASE WHEN sessions.expires_at < excluded.expires_at
                                THEN excluded.expires_at ELSE sessions.expires_at END
               RETURNING started_at";
    let query = sqlx::query_scalar(sql).bind(caller.project.as_str()).bind(caller.user.as_str()).bind(session);
    let ends = to_sql(now.after(lifetime));
    query.bind(to_sql(now)).bind(ends).fetch_one(tx).await.map(from_sql)
}

/// Deletes at most `most` sessions that ended and as many of their turns, and says how many. A turn that belongs to a thread
/// too stays in it. What a session said before it began anew goes as well.
pub(super) async fn purge(db: &Db, tx: &mut AnyConnection, now: Micros, most: i64) -> Result<u64, sqlx::Error> {
    let ended =
        "SELECT project, user_id, id FROM sessions WHERE expires_at <= $1 ORDER BY expires_at, project, user_id, id
                 LIMIT $2";
    let renewed = "SELECT project, user_id, id FROM sessions WHERE renewed = 1 AND $1 > 0 LIMIT $2";
    let mut gone: u64 = 0;
    for (which, old, then) in [
        (ended, "TRUE", "DELETE FROM sessions AS s WHERE"),
        (renewed, "t.created_at < s.started_at", "UPDATE sessions AS s SET renewed = 0 WHERE"),
    ] {
        let said = format!(
            "t.project = s.project AND t.user_id = s.user_id AND t.session = s.id AND t.session <> '' AND t.thread = ''
             AND {old}"
        );
        let turns = format!(
            "DELETE FROM turns WHERE seq IN (SELECT t.seq FROM ({which}) AS k
                 JOIN sessions s ON s.project = k.project AND s.user_id = k.user_id AND s.id = k.id
                 JOIN turns t ON {said} LIMIT $2)"
        );
        let sessions = format!(
            "{then} (s.project, s.user_id, s.id) IN ({which}) AND NOT EXISTS (SELECT 1 FROM turns t WHERE {said})"
        );
        let mut done = async |sql: String| {
            let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(to_sql(now)).bind(most);
            query.execute(&mut *tx).await.map(|it| it.rows_affected())
        };
        // Nobody prolongs them meanwhile.
        done(format!("{which}{}", db.for_update())).await?;
        gone = gone.saturating_add(done(turns).await?);
        let settled = done(sessions).await?;
        gone = gone.saturating_add(if which == ended { settled } else { 0 });
    }
    Ok(gone)
}
