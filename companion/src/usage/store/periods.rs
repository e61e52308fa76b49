//! Periods of budgets. Whoever changes anything that hangs on a period writes the period's row first:
//! so each has one writer at a time, and all companions take the rows in one order.

use super::{pieces, query, sum, values};
use crate::usage::charges::first_slice;
use crate::usage::record::{Kind, Period};
use domain::time::Micros;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use std::collections::BTreeMap;

const INSERT: &str =
    "INSERT INTO budget_periods (project, user_id, tenant, api_key, budget, unit, start_at, window_seconds, end_at,
    limit_amount, kind, used, updated_at) VALUES ";
const COLUMNS: usize = 13;
/// A gateway that asks does not say what kind the budget is; its records do.
const CONFLICT: &str =
    " ON CONFLICT (project, user_id, tenant, api_key, budget, unit, start_at, window_seconds) DO UPDATE SET
    end_at = excluded.end_at, limit_amount = excluded.limit_amount,
    kind = CASE excluded.kind WHEN '' THEN budget_periods.kind ELSE excluded.kind END, updated_at = excluded.updated_at,
    used = ";
const RETURNING: &str =
    " RETURNING id, used, project, user_id, tenant, api_key, budget, unit, start_at, window_seconds";

/// What is written of a period.
#[derive(Debug, Clone, Copy)]
pub(super) struct Write {
    /// When it ends.
    pub(super) end: i64,
    /// How much may be used.
    pub(super) limit: i64,
    /// Whether it is a hard one, if that is known.
    pub(super) kind: Option<Kind>,
    /// What is added to the use.
    pub(super) add: i64,
}

/// A period's row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    /// Its number.
    pub(super) id: i64,
    /// Everything that was ever used in it.
    pub(super) used: i64,
}

/// Writes the rows of `periods`, which stay locked until the transaction ends.
pub(super) async fn write<'a>(
    tx: &mut AnyConnection,
    periods: &BTreeMap<&'a Period, Write>,
    now: i64,
) -> Result<BTreeMap<&'a Period, Found>, sqlx::Error> {
    let rows: Vec<_> = periods.iter().map(|(period, write)| (*period, *write)).collect();
    let mut all = BTreeMap::new();
    for piece in pieces(&rows) {
        let written = write_piece(tx, piece, now).await?;
        let by_key = written.iter().map(found).collect::<Result<BTreeMap<_, _>, _>>()?;
        for (period, _) in piece {
            let found = by_key.get(&key(period)).ok_or(sqlx::Error::RowNotFound)?;
            all.insert(*period, *found);
        }
    }
    Ok(all)
}

async fn write_piece(tx: &mut AnyConnection, piece: &[(&Period, Write)], now: i64) -> Result<Vec<AnyRow>, sqlx::Error> {
    let used = sum("budget_periods", "used", "excluded.used");
    let mut query = query(format!("{INSERT}{}{CONFLICT}{used}{RETURNING}", values(piece.len(), COLUMNS)));
    for (period, it) in piece {
        let subject = &period.subject;
        query = query.bind(&subject.project).bind(&subject.user).bind(&subject.tenant).bind(&subject.key);
        query = query.bind(&period.budget).bind(period.unit.name()).bind(period.start);
        query = query.bind(period.window_seconds.unwrap_or_default()).bind(it.end).bind(it.limit);
        query = query.bind(it.kind.map_or("", Kind::name)).bind(it.add).bind(now);
    }
    query.fetch_all(tx).await
}

/// What was used of the rolling window of `window_seconds` that ends `now`.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn rolling(
    connection: &mut AnyConnection,
    period: i64,
    window_seconds: i64,
    now: Micros,
) -> Result<i64, sqlx::Error> {
    let sql = "SELECT used FROM budget_slices WHERE period = $1 AND slice >= $2";
    let query = sqlx::query_scalar(sql).bind(period).bind(first_slice(now, window_seconds));
    let slices: Vec<i64> = query.fetch_all(connection).await?;
    Ok(slices.into_iter().fold(0, i64::saturating_add))
}

/// What distinguishes a period's row.
type Key = ([String; 6], i64, i64);

fn key(period: &Period) -> Key {
    let subject = &period.subject;
    let texts = [&subject.project, &subject.user, &subject.tenant, &subject.key, &period.budget];
    let [project, user, tenant, key, budget] = texts.map(Clone::clone);
    let unit = period.unit.name().to_owned();
    ([project, user, tenant, key, budget, unit], period.start, period.window_seconds.unwrap_or_default())
}

fn found(row: &AnyRow) -> Result<(Key, Found), sqlx::Error> {
    let text = |name: &str| row.try_get::<String, _>(name);
    let texts = [text("project")?, text("user_id")?, text("tenant")?, text("api_key")?, text("budget")?, text("unit")?];
    let key = (texts, row.try_get("start_at")?, row.try_get("window_seconds")?);
    Ok((key, Found { id: row.try_get("id")?, used: row.try_get("used")? }))
}
