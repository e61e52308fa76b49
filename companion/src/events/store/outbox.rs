//! What of the outbox is still to be told, and to whom. A target is `redis`, or a webhook by its digest.

use crate::db::to_sql;
use crate::usage::Db;
use domain::time::Micros;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

/// Events that are given their deliveries in one transaction, and that are purged in one.
const BATCH: i64 = 200;

/// One event that one target is still to get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivery {
    /// The event's number in the outbox.
    pub(crate) number: i64,
    /// The event's id.
    pub(crate) id: String,
    /// The event, a JSON object of texts.
    pub(crate) fields: String,
    /// When it was recorded.
    pub(crate) recorded_at: Micros,
    /// How often it was tried, this time included.
    pub(crate) attempts: u32,
}

/// A row of the outbox, as an operator reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// Its number; later rows have higher ones.
    pub(crate) number: i64,
    /// The event, a JSON object of texts.
    pub(crate) fields: String,
    /// How many targets are still to get it.
    pub(crate) waiting: i64,
    /// How many were given up.
    pub(crate) failed: i64,
}

/// Notes for each new event that each of `targets` is to get it; says whether there may be more.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn spread(db: &Db, targets: &[String], now: Micros) -> Result<bool, sqlx::Error> {
    let is_new = "SELECT number FROM events WHERE spread = 0 LIMIT 1";
    if targets.is_empty() || sqlx::query(is_new).fetch_optional(db.pool()).await?.is_none() {
        return Ok(false);
    }
    let mut tx = db.write().await?;
    let sql = match db.for_update() {
        "" => "SELECT number FROM events WHERE spread = 0 ORDER BY number LIMIT $1",
        _ => "SELECT number FROM events WHERE spread = 0 ORDER BY number LIMIT $1 FOR UPDATE",
    };
    let new: Vec<i64> = sqlx::query_scalar(sql).bind(BATCH).fetch_all(&mut *tx).await?;
    for number in &new {
        for target in targets {
            let sql =
                "INSERT INTO event_deliveries (target, event, attempts, due_at, failed_at) VALUES ($1, $2, 0, $3, 0)
                       ON CONFLICT (target, event) DO NOTHING";
            sqlx::query(sql).bind(target).bind(number).bind(to_sql(now)).execute(&mut *tx).await?;
        }
        sqlx::query("UPDATE events SET spread = 1 WHERE number = $1").bind(number).execute(&mut *tx).await?;
    }
    tx.commit().await?;
    Ok(i64::try_from(new.len()).is_ok_and(|it| it >= BATCH))
}

/// Takes up to `most` events that `target` is to get by now. Nobody else takes them before `until`.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn claim(
    db: &Db,
    target: &str,
    (now, until): (Micros, Micros),
    most: u32,
) -> Result<Vec<Delivery>, sqlx::Error> {
    let is_due = "SELECT event FROM event_deliveries WHERE target = $1 AND failed_at = 0 AND due_at <= $2 LIMIT 1";
    if sqlx::query(is_due).bind(target).bind(to_sql(now)).fetch_optional(db.pool()).await?.is_none() {
        return Ok(Vec::new());
    }
    let mut tx = db.write().await?;
    let sql = match db.for_update() {
        "" => {
            "SELECT event, attempts, id, fields, recorded_at FROM event_deliveries JOIN events ON number = event
             WHERE target = $1 AND failed_at = 0 AND due_at <= $2 ORDER BY due_at, event LIMIT $3"
        }
        // What another companion is just taking is left to it.
        _ => {
            "SELECT event, attempts, id, fields, recorded_at FROM event_deliveries JOIN events ON number = event
             WHERE target = $1 AND failed_at = 0 AND due_at <= $2 ORDER BY due_at, event LIMIT $3
             FOR UPDATE OF event_deliveries SKIP LOCKED"
        }
    };
    let rows = sqlx::query(sql).bind(target).bind(to_sql(now)).bind(i64::from(most)).fetch_all(&mut *tx).await?;
    let claimed = rows.iter().map(delivery).collect::<Result<Vec<_>, _>>()?;
    for it in &claimed {
        let sql = "UPDATE event_deliveries SET attempts = $3, due_at = $4 WHERE target = $1 AND event = $2";
        let query = sqlx::query(sql).bind(target).bind(it.number).bind(i64::from(it.attempts));
        query.bind(to_sql(until)).execute(&mut *tx).await?;
    }
    tx.commit().await?;
    Ok(claimed)
}

fn delivery(row: &AnyRow) -> Result<Delivery, sqlx::Error> {
    let attempts: i64 = row.try_get("attempts")?;
    let recorded_at: i64 = row.try_get("recorded_at")?;
    Ok(Delivery {
        number: row.try_get("event")?,
        id: row.try_get("id")?,
        fields: row.try_get("fields")?,
        recorded_at: Micros(u64::try_from(recorded_at).unwrap_or_default()),
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX).saturating_add(1),
    })
}

/// What came of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The target has it.
    Told,
    /// To be tried again then.
    Again(Micros),
    /// Not to be tried again.
    GivenUp(Micros),
}

/// Notes what came of deliveries, by their events' numbers.
///
/// # Errors
/// When the database does not answer; then they are tried again.
pub(crate) async fn settle(db: &Db, target: &str, outcomes: &[(i64, Outcome)]) -> Result<(), sqlx::Error> {
    let mut tx = db.write().await?;
    for (number, outcome) in outcomes {
        settle_one(&mut tx, target, *number, *outcome).await?;
    }
    tx.commit().await
}

async fn settle_one(
    connection: &mut AnyConnection,
    target: &str,
    number: i64,
    outcome: Outcome,
) -> Result<(), sqlx::Error> {
    let (sql, at) = match outcome {
        Outcome::Told => ("DELETE FROM event_deliveries WHERE target = $1 AND event = $2", None),
        Outcome::Again(at) => ("UPDATE event_deliveries SET due_at = $3 WHERE target = $1 AND event = $2", Some(at)),
        Outcome::GivenUp(at) => {
            ("UPDATE event_deliveries SET failed_at = $3 WHERE target = $1 AND event = $2", Some(at))
        }
    };
    let query = sqlx::query(sql).bind(target).bind(number);
    match at {
        Some(at) => query.bind(to_sql(at)),
        None => query,
    }
    .execute(connection)
    .await
    .map(|_| ())
}

/// Deletes some of the events that were recorded before `before`, whoever has them; says whether there may be more.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn purge(db: &Db, before: Micros) -> Result<bool, sqlx::Error> {
    let mut tx = db.write().await?;
    let sql = "SELECT number FROM events WHERE recorded_at < $1 ORDER BY recorded_at LIMIT $2";
    let old: Vec<i64> = sqlx::query_scalar(sql).bind(to_sql(before)).bind(BATCH).fetch_all(&mut *tx).await?;
    for number in &old {
        sqlx::query("DELETE FROM event_deliveries WHERE event = $1").bind(number).execute(&mut *tx).await?;
        sqlx::query("DELETE FROM events WHERE number = $1").bind(number).execute(&mut *tx).await?;
    }
    tx.commit().await?;
    Ok(i64::try_from(old.len()).is_ok_and(|it| it >= BATCH))
}

/// How many deliveries are still to be made.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn waiting(db: &Db) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT COUNT(*) FROM event_deliveries WHERE failed_at = 0").fetch_one(db.pool()).await
}

/// Rows of the outbox, in their order: the first ones behind `after`, or without it the last ones.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn list(
    db: &Db,
    kind: Option<&str>,
    after: Option<i64>,
    most: u32,
) -> Result<Vec<Recorded>, sqlx::Error> {
    let columns = "SELECT number, fields,
        (SELECT COUNT(*) FROM event_deliveries WHERE event = number AND failed_at = 0) AS waiting,
        (SELECT COUNT(*) FROM event_deliveries WHERE event = number AND failed_at > 0) AS failed
        FROM events WHERE number > $1 AND (type = $2 OR $2 = '')";
    let order = if after.is_some() { "number" } else { "number DESC" };
    let sql = sqlx::AssertSqlSafe(format!("{columns} ORDER BY {order} LIMIT $3"));
    let query = sqlx::query(sql).bind(after.unwrap_or_default()).bind(kind.unwrap_or_default());
    let rows = query.bind(i64::from(most)).fetch_all(db.pool()).await?;
    let recorded = |row: &AnyRow| -> Result<Recorded, sqlx::Error> {
        Ok(Recorded {
            number: row.try_get("number")?,
            fields: row.try_get("fields")?,
            waiting: row.try_get("waiting")?,
            failed: row.try_get("failed")?,
        })
    };
    let mut rows = rows.iter().map(recorded).collect::<Result<Vec<_>, _>>()?;
    rows.sort_unstable_by_key(|it| it.number);
    Ok(rows)
}
