//! What is left of budgets: only reads.

use super::periods::rolling;
use super::{list, query};
use crate::db::to_sql;
use crate::usage::Db;
use crate::usage::balance::{Balance, Whose};
use domain::time::Micros;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use std::collections::BTreeMap;

const COLUMNS: &str =
    "id, budget, project, user_id, api_key, unit, start_at, window_seconds, end_at, limit_amount, kind, used";
/// The most that one answer tells of.
const MOST: usize = 256;
/// A period that is over says nothing about what is left; nor does a window in which nothing happened.
const CURRENT: &str =
    "start_at <= $1 AND end_at > $1 AND (window_seconds = 0 OR updated_at > $1 - window_seconds * 1000000)";

/// The balances of `whose` budgets at `now`, by name.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn balances(db: &Db, whose: &Whose, now: Micros) -> Result<Vec<Balance>, sqlx::Error> {
    let mut connection = db.pool().acquire().await?;
    let (condition, names) = match whose {
        Whose::User { project, user } => ("project = $2 AND user_id = $3", [project, user]),
        Whose::ProjectAndKey { project, key } => {
            ("user_id = '' AND (project = $2 AND api_key = '' OR project = '' AND api_key = $3)", [project, key])
        }
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM budget_periods WHERE {condition} AND {CURRENT}
         ORDER BY budget, unit, window_seconds, start_at LIMIT {MOST}"
    );
    let mut asked = query(sql).bind(to_sql(now));
    for name in names {
        asked = asked.bind(name);
    }
    let rows = asked.fetch_all(&mut *connection).await?;
    let ids = rows.iter().map(|row| row.try_get("id")).collect::<Result<Vec<i64>, _>>()?;
    let reserved = outstanding(&mut connection, &ids, now).await?;
    let mut balances = Vec::with_capacity(rows.len());
    for (row, id) in rows.iter().zip(ids) {
        let mut balance = balance(row, reserved.get(&id).copied().unwrap_or_default())?;
        if let Some(window) = balance.window_seconds {
            balance.used = rolling(&mut connection, id, window, now).await?;
        }
        balances.push(balance);
    }
    Ok(balances)
}

/// What gateways were lent and may still spend, by the number of the period.
async fn outstanding(
    connection: &mut AnyConnection,
    periods: &[i64],
    now: Micros,
) -> Result<BTreeMap<i64, i64>, sqlx::Error> {
    if periods.is_empty() {
        return Ok(BTreeMap::new());
    }
    // The moment comes last: the places of a list begin with the first.
    let last = periods.len().saturating_add(1);
    let mut query = query(format!(
        "SELECT period, CAST(SUM(granted - charged) AS BIGINT) AS lent FROM budget_leases
         WHERE period IN ({}) AND granted > charged AND expires_at > ${last} GROUP BY period",
        list(periods.len())
    ));
    for period in periods {
        query = query.bind(*period);
    }
    let rows = query.bind(to_sql(now)).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get("period")?, row.try_get("lent")?))).collect()
}

fn balance(row: &AnyRow, reserved: i64) -> Result<Balance, sqlx::Error> {
    let moment = |name: &str| row.try_get::<i64, _>(name).map(|it| Micros(u64::try_from(it).unwrap_or_default()));
    let text = |name: &str| row.try_get::<String, _>(name);
    let window: i64 = row.try_get("window_seconds")?;
    let (user, key) = (text("user_id")?, text("api_key")?);
    Ok(Balance {
        budget: text("budget")?,
        of: if !user.is_empty() {
            "user"
        } else if !key.is_empty() {
            "key"
        } else {
            "project"
        },
        is_money: text("unit")? == "nanos",
        limit: row.try_get("limit_amount")?,
        used: row.try_get("used")?,
        reserved,
        is_hard: text("kind")? != "soft",
        start: moment("start_at")?,
        end: moment("end_at")?,
        window_seconds: (window > 0).then_some(window),
    })
}
