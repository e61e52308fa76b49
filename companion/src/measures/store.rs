//! Measures in the usage database.

use crate::db::{Db, to_sql};
use domain::choice::{Measured, Measures};
use domain::time::Micros;
use sqlx::Row;
use std::collections::BTreeMap;
use std::time::Duration;

/// The most candidates that one answer tells of: those that were measured last.
const MOST: i64 = 1000;
/// A candidate that was not measured for so long is forgotten.
const KEPT: Duration = Duration::from_secs(30 * 86_400);

/// Adds what was told of each candidate; gives back what is known of them then.
///
/// # Errors
/// When the database does not answer; then nothing is added.
pub(super) async fn merge(
    db: &Db,
    told: BTreeMap<String, Measures>,
    now: Micros,
) -> Result<Vec<Measured>, sqlx::Error> {
    let mut tx = db.write().await?;
    let mut merged = Vec::with_capacity(told.len());
    for (candidate, later) in told {
        // Nobody else changes the row until the transaction ends.
        let sql = "INSERT INTO model_measures (candidate, measures, updated_at) VALUES ($1, '{}', $2)
                   ON CONFLICT (candidate) DO UPDATE SET updated_at = excluded.updated_at RETURNING measures";
        let row = sqlx::query(sql).bind(&candidate).bind(to_sql(now)).fetch_one(&mut *tx).await?;
        let measures = read(row.try_get("measures")?).then(&later);
        let text = serde_json::to_string(&measures).map_err(|error| sqlx::Error::Encode(error.into()))?;
        let sql = "UPDATE model_measures SET measures = $2 WHERE candidate = $1";
        sqlx::query(sql).bind(&candidate).bind(text).execute(&mut *tx).await?;
        merged.push(Measured { candidate, measures });
    }
    tx.commit().await?;
    Ok(merged)
}

/// The candidates that were measured last, by name.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn all(db: &Db) -> Result<Vec<Measured>, sqlx::Error> {
    let sql = "SELECT candidate, measures FROM model_measures ORDER BY updated_at DESC, candidate LIMIT $1";
    let rows = sqlx::query(sql).bind(MOST).fetch_all(db.pool()).await?;
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        all.push(Measured { candidate: row.try_get("candidate")?, measures: read(row.try_get("measures")?) });
    }
    all.sort_by(|one, other| one.candidate.cmp(&other.candidate));
    Ok(all)
}

/// Deletes what was not measured for a month.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn purge(db: &Db, now: Micros) -> Result<(), sqlx::Error> {
    let before = to_sql(now).saturating_sub(i64::try_from(KEPT.as_micros()).unwrap_or(i64::MAX));
    let sql = "DELETE FROM model_measures WHERE updated_at < $1";
    sqlx::query(sql).bind(before).execute(db.pool()).await.map(|_| ())
}

/// Measures that somebody wrote by hand and that cannot be are none.
fn read(text: &str) -> Measures {
    serde_json::from_str(text).unwrap_or_default()
}
