//! The open turns of a database that several companions share: a table in it.

use super::{Beginning, Begun, LIFETIME, Memory, Open};
use crate::caller::Caller;
use crate::memory::{before, to_sql, turns};
use domain::time::Micros;
use sqlx::any::{Any, AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{AnyConnection, AnyPool, Row};

/// Turns of one statement.
const TOGETHER: usize = 8;

/// A turn begins. `None` when it is open already, or was closed before this companion came to it.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn begin(tx: &mut AnyConnection, turn: &Beginning) -> Result<Option<Begun>, sqlx::Error> {
    let sql = "INSERT INTO open_turns (project, user_id, id, thread, session, opened_at, given_up, behind)
               SELECT $1, $2, $3, $4, $5, $6, 0, (SELECT COUNT(*) FROM open_turns WHERE project = $1 AND user_id = $2
                   AND opened_at > $7 AND ((thread = $4 AND thread <> '') OR (session = $5 AND session <> '')))
               WHERE NOT EXISTS (SELECT 1 FROM forgotten_turns WHERE project = $1 AND user_id = $2 AND id = $3)
               ON CONFLICT DO NOTHING RETURNING seq, behind";
    let query = sqlx::query(sql).bind(turn.caller.project.as_str()).bind(turn.caller.user.as_str()).bind(&turn.id);
    let query = query.bind(turn.thread.as_deref().unwrap_or_default());
    let query = query.bind(turn.session.as_ref().map(|it| it.0.as_str()).unwrap_or_default());
    let row: Option<AnyRow> = query.bind(to_sql(turn.at)).bind(before(turn.at, LIFETIME)).fetch_optional(tx).await?;
    let Some(row) = row else { return Ok(None) };
    let behind: i64 = row.try_get("behind")?;
    let (seq, behind) = (row.try_get("seq")?, u64::try_from(behind).unwrap_or_default());
    Ok(Some(Begun { seq, behind, since: Micros::default(), open: true }))
}

/// How many of some turns are open.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn still_open(
    pool: &AnyPool,
    caller: &Caller,
    memory: &Memory,
    now: Micros,
) -> Result<Open, sqlx::Error> {
    let sql = format!(
        "SELECT COUNT(*) AS every, CAST(COALESCE(SUM(given_up), 0) AS BIGINT) AS missing FROM open_turns
         WHERE {}",
        memory.filter()
    );
    let row = memory.bind(&sql, caller, now).fetch_one(pool).await?;
    let number = |name| Ok::<_, sqlx::Error>(u64::try_from(row.try_get::<i64, _>(name)?).unwrap_or_default());
    let missing = number("missing")?;
    Ok(Open { awaited: number("every")?.saturating_sub(missing), missing })
}

/// Has nobody else wait for them.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn give_up(
    tx: &mut AnyConnection,
    caller: &Caller,
    memory: &Memory,
    now: Micros,
) -> Result<(), sqlx::Error> {
    let sql = format!("UPDATE open_turns SET given_up = 1 WHERE given_up = 0 AND {}", memory.filter());
    memory.bind(&sql, caller, now).execute(tx).await.map(|_| ())
}

/// How many turns of all users are open.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn count(pool: &AnyPool) -> Result<u64, sqlx::Error> {
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM open_turns").fetch_one(pool).await?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// These turns are not open any more. Returns how many were.
pub(super) async fn close(tx: &mut AnyConnection, turns: &[(&Caller, &str)]) -> Result<u64, sqlx::Error> {
    let mut closed: u64 = 0;
    for some in turns.chunks(TOGETHER) {
        // Alternatives are looked up in an index, which a list of rows is not.
        let each = (0..some.len()).map(|nth| {
            let [a, b, c] = [1, 2, 3].map(|it| nth.saturating_mul(3).saturating_add(it));
            format!("(project = ${a} AND user_id = ${b} AND id = ${c})")
        });
        let each = each.collect::<Vec<_>>().join(" OR ");
        let sql = format!("DELETE FROM open_turns WHERE {each}");
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
        for (caller, id) in some {
            query = query.bind(caller.project.as_str()).bind(caller.user.as_str()).bind(*id);
        }
        closed = closed.saturating_add(query.execute(&mut *tx).await?.rows_affected());
    }
    Ok(closed)
}

/// A turn that comes to nothing is closed; if it is not open yet, it will not be.
pub(super) async fn close_for_good(
    tx: &mut AnyConnection,
    caller: &Caller,
    id: &str,
    now: Micros,
) -> Result<(), sqlx::Error> {
    if close(tx, &[(caller, id)]).await? > 0 {
        return Ok(());
    }
    turns::forget_one(tx, caller, id, now).await
}

/// Keeps the ids of open turns, of a thread or of all, so that they are not stored when they arrive.
pub(super) async fn forget(
    tx: &mut AnyConnection,
    caller: &Caller,
    thread: Option<&str>,
    now: Micros,
) -> Result<(), sqlx::Error> {
    let which = "project = $1 AND user_id = $2 AND (thread = $3 OR $4 = 1)";
    let keep = format!(
        "INSERT INTO forgotten_turns (project, user_id, id, forgotten_at)
         SELECT project, user_id, id, $5 FROM open_turns WHERE {which} ON CONFLICT DO NOTHING"
    );
    let bound = |sql: String| {
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(caller.project.as_str()).bind(caller.user.as_str());
        query.bind(thread.unwrap_or_default()).bind(i64::from(thread.is_none()))
    };
    bound(keep).bind(to_sql(now)).execute(&mut *tx).await?;
    bound(format!("DELETE FROM open_turns WHERE {which}")).execute(tx).await.map(|_| ())
}

/// Deletes at most `most` of those that are too old to be waited for or told as missing, and says how many.
pub(super) async fn purge(tx: &mut AnyConnection, now: Micros, most: i64) -> Result<u64, sqlx::Error> {
    // The oldest come first, so that no index is needed, which each opening would have to write.
    let sql = "DELETE FROM open_turns WHERE seq IN (
                   SELECT seq FROM (SELECT seq, opened_at FROM open_turns ORDER BY seq LIMIT $2) AS oldest
                   WHERE opened_at <= $1)";
    Ok(sqlx::query(sql).bind(before(now, LIFETIME)).bind(most).execute(tx).await?.rows_affected())
}

impl Memory {
    /// In SQL, with the values of [`Memory::bind`].
    fn filter(&self) -> String {
        let which = match self {
            Self::Thread(_) => " AND thread = $4 AND $5 = '' AND $6 <> 0",
            Self::Any => " AND $4 = '' AND $5 = '' AND $6 <> 0",
            Self::Before(..) => {
                " AND ((thread = $4 AND thread <> '') OR (session = $5 AND session <> '')) AND seq < $6"
            }
        };
        format!("project = $1 AND user_id = $2 AND opened_at > $3{which}")
    }

    fn bind<'a>(&'a self, sql: &str, caller: &'a Caller, now: Micros) -> Query<'a, Any, AnyArguments> {
        let query = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned()));
        let query = query.bind(caller.project.as_str()).bind(caller.user.as_str()).bind(before(now, LIFETIME));
        let (thread, session, seq) = match self {
            Self::Thread(thread) => (thread.as_str(), "", i64::MAX),
            Self::Any => ("", "", i64::MAX),
            Self::Before(thread, session, seq) => {
                (thread.as_deref().unwrap_or_default(), session.as_deref().unwrap_or_default(), *seq)
            }
        };
        query.bind(thread).bind(session).bind(seq)
    }
}
