//! Turns that have begun and not yet arrived, so that whoever comes next waits for them or is told that they are missing:
//! in this process or another one, and after a restart.

use super::{Store, before, sessions, to_sql};
use crate::caller::Caller;
use crate::db::Db;
use domain::time::Micros;
use sha2::{Digest, Sha256};
use sqlx::any::{Any, AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{AnyConnection, Row};
use std::time::Duration;

/// How long a turn that does not arrive is told as missing. An answer may take an hour, and what was lost with its gateway
/// looks the same as what is still being said.
pub(crate) const LIFETIME: Duration = Duration::from_secs(75 * 60);

/// Turns of one statement.
const TOGETHER: usize = 8;

/// A turn that begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Beginning {
    /// Whose it is.
    pub(crate) caller: Caller,
    /// Its id.
    pub(crate) id: String,
    /// The thread that it belongs to.
    pub(crate) thread: Option<String>,
    /// The session that it belongs to, and how long that lives on without another turn.
    pub(crate) session: Option<(String, Duration)>,
    /// When.
    pub(crate) at: Micros,
}

/// A turn that has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Begun {
    /// Its place among all that have begun.
    pub(crate) seq: i64,
    /// How many turns of the same thread or session were open then.
    pub(crate) behind: u64,
    /// Since when its session runs.
    pub(crate) since: Micros,
    /// Whether it is open: not if its gateway closed it before this companion came to it.
    pub(crate) open: bool,
}

/// Which open turns are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Memory {
    /// Those of a thread.
    Thread(String),
    /// All of the caller's.
    Any,
    /// Those of a thread or of a session that were there before the one with that number.
    Before(Option<String>, Option<String>, i64),
}

/// Of some open turns: how many are waited for, and how many were, in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Open {
    /// So many may arrive any moment.
    pub(crate) awaited: u64,
    /// So many are told as missing.
    pub(crate) missing: u64,
}

impl Store {
    /// Writes down that turns begin, all or none, and prolongs their sessions.
    ///
    /// The commit does not wait for the disk. What is lost when the machine loses its power are the openings since the last
    /// turn that was recorded, some milliseconds; and such a machine is gone for longer than most answers take.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn begin_turns(&self, turns: &[Beginning]) -> Result<Vec<Begun>, sqlx::Error> {
        let mut tx = self.db.write_quick().await?;
        lock(&self.db, &mut tx, turns.iter().map(|it| &it.caller)).await?;
        let mut begun = Vec::with_capacity(turns.len());
        for turn in turns {
            begun.push(begin(&mut tx, turn).await?);
        }
        tx.commit().await?;
        Ok(begun)
    }

    /// How many of some turns are open.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn still_open(&self, caller: &Caller, memory: &Memory, now: Micros) -> Result<Open, sqlx::Error> {
        let sql = format!(
            "SELECT COUNT(*) AS every, CAST(COALESCE(SUM(given_up), 0) AS BIGINT) AS missing FROM open_turns
             WHERE {}",
            memory.filter()
        );
        let row = memory.bind(&sql, caller, now).fetch_one(self.db.pool()).await?;
        let number = |name| Ok::<_, sqlx::Error>(u64::try_from(row.try_get::<i64, _>(name)?).unwrap_or_default());
        let missing = number("missing")?;
        Ok(Open { awaited: number("every")?.saturating_sub(missing), missing })
    }

    /// Has nobody else wait for them; until they arrive they are told as missing.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn give_up(&self, caller: &Caller, memory: &Memory, now: Micros) -> Result<(), sqlx::Error> {
        let sql = format!("UPDATE open_turns SET given_up = 1 WHERE given_up = 0 AND {}", memory.filter());
        let mut tx = self.db.write_quick().await?;
        memory.bind(&sql, caller, now).execute(&mut *tx).await?;
        tx.commit().await
    }

    /// Takes a turn back whose request went away.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn withdraw(&self, caller: &Caller, id: &str) -> Result<(), sqlx::Error> {
        let mut tx = self.db.write_quick().await?;
        close(&mut tx, &[(caller, id)]).await?;
        tx.commit().await
    }

    /// How many turns of all users are open.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn count_open(&self) -> Result<u64, sqlx::Error> {
        let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM open_turns").fetch_one(self.db.pool()).await?;
        Ok(u64::try_from(count).unwrap_or_default())
    }
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

async fn begin(tx: &mut AnyConnection, turn: &Beginning) -> Result<Begun, sqlx::Error> {
    let since = match &turn.session {
        Some((session, lifetime)) => sessions::touch(tx, &turn.caller, session, *lifetime, turn.at).await?,
        None => Micros::default(),
    };
    let sql = "INSERT INTO open_turns (project, user_id, id, thread, session, opened_at, given_up, behind)
               SELECT $1, $2, $3, $4, $5, $6, 0, (SELECT COUNT(*) FROM open_turns WHERE project = $1 AND user_id = $2
                   AND opened_at > $7 AND ((thread = $4 AND thread <> '') OR (session = $5 AND session <> '')))
               WHERE NOT EXISTS (SELECT 1 FROM forgotten_turns WHERE project = $1 AND user_id = $2 AND id = $3)
               ON CONFLICT DO NOTHING RETURNING seq, behind";
    let query = sqlx::query(sql).bind(turn.caller.project.as_str()).bind(turn.caller.user.as_str()).bind(&turn.id);
    let query = query.bind(turn.thread.as_deref().unwrap_or_default());
    let query = query.bind(turn.session.as_ref().map(|it| it.0.as_str()).unwrap_or_default());
    let row: Option<AnyRow> = query.bind(to_sql(turn.at)).bind(before(turn.at, LIFETIME)).fetch_optional(tx).await?;
    let Some(row) = row else {
        return Ok(Begun { seq: 0, behind: 0, since, open: false });
    };
    let behind: i64 = row.try_get("behind")?;
    Ok(Begun { seq: row.try_get("seq")?, behind: u64::try_from(behind).unwrap_or_default(), since, open: true })
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
    let sql = "INSERT INTO forgotten_turns (project, user_id, id, forgotten_at) VALUES ($1, $2, $3, $4)
               ON CONFLICT DO NOTHING";
    let query = sqlx::query(sql).bind(caller.project.as_str()).bind(caller.user.as_str()).bind(id);
    query.bind(to_sql(now)).execute(tx).await.map(|_| ())
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

/// Keeps others from writing of the same users until the transaction ends, so that what one companion writes of a user
/// and what another does come one after the other, as numbers of turns do.
pub(super) async fn lock<'a>(
    db: &Db,
    tx: &mut AnyConnection,
    callers: impl Iterator<Item = &'a Caller>,
) -> Result<(), sqlx::Error> {
    db.lock(tx, callers.map(key).collect()).await
}

fn key(caller: &Caller) -> i64 {
    let digest = Sha256::digest(format!("{}\0{}", caller.project.as_str(), caller.user.as_str()));
    i64::from_be_bytes(digest.first_chunk().copied().unwrap_or_default())
}
