//! Charges: what new records take from budgets, and who is told.

use super::periods::{self, Found, Write, rolling};
use super::{pieces, query, sum, values};
use crate::db::to_sql;
use crate::events::{self, Event};
use crate::random::NoRandomness;
use crate::usage::charges::{Charged, EXHAUSTED, crossed, first_slice};
use crate::usage::record::Period;
use domain::time::Micros;
use sqlx::{AnyConnection, Row};
use std::collections::{BTreeMap, BTreeSet};

/// Adds what `charged` says to each period and to the leases of the gateways, and tells of thresholds; says how many
/// events that are.
pub(super) async fn charge(
    tx: &mut AnyConnection,
    charged: &BTreeMap<&Period, Charged>,
    now: Micros,
) -> Result<u64, sqlx::Error> {
    let write = |it: &Charged| Write { end: it.end, limit: it.limit, kind: Some(it.kind), add: it.amount };
    let writes = charged.iter().map(|(period, it)| (*period, write(it))).collect();
    let found = periods::write(tx, &writes, to_sql(now)).await?;
    let both = || charged.iter().filter_map(|(period, it)| Some((*period, *found.get(period)?, it)));
    let nodes = |(_, Found { id, .. }, it): (&Period, Found, &Charged)| {
        it.nodes.iter().map(|(node, amount)| (id, node.clone(), *amount)).collect::<Vec<_>>()
    };
    let leases: Vec<_> = both().flat_map(nodes).collect();
    for piece in pieces(&leases) {
        add_to_leases(tx, piece).await?;
    }
    let mut told = 0_u64;
    for (period, found, it) in both() {
        let used = match period.window_seconds {
            None => found.used,
            Some(window) => roll(tx, found.id, window, &it.slices, now).await?,
        };
        told = told.saturating_add(tell(tx, (period, found.id), it, used, now).await?);
    }
    Ok(told)
}

async fn add_to_leases(tx: &mut AnyConnection, charges: &[(i64, String, i64)]) -> Result<(), sqlx::Error> {
    // Without a row the gateway holds no lease: its budget is its own.
    let mut sql = String::from("WITH charges (period, node, amount) AS (VALUES ");
    sql.push_str(&values(charges.len(), 3));
    sql.push_str(") UPDATE budget_leases SET charged = ");
    sql.push_str(&sum("budget_leases", "charged", "charges.amount"));
    sql.push_str(" FROM charges");
    sql.push_str(" WHERE budget_leases.period = charges.period AND budget_leases.node = charges.node");
    let mut query = query(sql);
    for (period, node, amount) in charges {
        query = query.bind(*period).bind(node).bind(*amount);
    }
    query.execute(tx).await.map(|_| ())
}

/// Adds to the slices of a rolling window, forgets the old ones, and says what the window has used.
async fn roll(
    tx: &mut AnyConnection,
    period: i64,
    window: i64,
    slices: &BTreeMap<i64, i64>,
    now: Micros,
) -> Result<i64, sqlx::Error> {
    let first = first_slice(now, window);
    let rows: Vec<_> = slices.range(first..).map(|(slice, used)| (*slice, *used)).collect();
    for piece in pieces(&rows) {
        let sql = format!("INSERT INTO budget_slices (period, slice, used) VALUES {}", values(piece.len(), 3));
        let used = sum("budget_slices", "used", "excluded.used");
        let mut query = query(format!("{sql} ON CONFLICT (period, slice) DO UPDATE SET used = {used}"));
        for (slice, used) in piece {
            query = query.bind(period).bind(*slice).bind(*used);
        }
        query.execute(&mut *tx).await?;
    }
    let sql = "DELETE FROM budget_slices WHERE period = $1 AND slice < $2";
    sqlx::query(sql).bind(period).bind(first).execute(&mut *tx).await?;
    rolling(tx, period, window, now).await
}

/// Writes an event for each threshold that is reached and was not told in this period; in a rolling
/// window, not within its length.
async fn tell(
    tx: &mut AnyConnection,
    (period, id): (&Period, i64),
    charged: &Charged,
    used: i64,
    now: Micros,
) -> Result<u64, sqlx::Error> {
    if crossed(&charged.alerts, charged.limit, used, &BTreeSet::new()).is_empty() {
        return Ok(0);
    }
    let at = to_sql(now);
    let since = period.window_seconds.map_or(i64::MIN, |it| at.saturating_sub(it.saturating_mul(1_000_000)));
    let told = sqlx::query("SELECT threshold FROM budget_alerts WHERE period = $1 AND at > $2").bind(id).bind(since);
    let told = told.fetch_all(&mut *tx).await?.iter().map(|it| it.try_get(0)).collect::<Result<_, _>>()?;
    let mut count = 0_u64;
    for threshold in crossed(&charged.alerts, charged.limit, used, &told) {
        let sql = "INSERT INTO budget_alerts (period, threshold, at) VALUES ($1, $2, $3)
                   ON CONFLICT (period, threshold) DO UPDATE SET at = excluded.at";
        sqlx::query(sql).bind(id).bind(threshold).bind(at).execute(&mut *tx).await?;
        let event = event(period, charged, (threshold, used), now);
        let event = event.map_err(|NoRandomness| sqlx::Error::Io(std::io::Error::other("no random bytes")))?;
        let new = events::record(tx, &event).await?;
        count = count.saturating_add(u64::from(new));
    }
    Ok(count)
}

fn event(
    period: &Period,
    charged: &Charged,
    (threshold, used): (i64, i64),
    now: Micros,
) -> Result<Event, NoRandomness> {
    let (kind, threshold) = match threshold {
        EXHAUSTED => (events::Kind::BudgetExhausted, 100),
        threshold => (events::Kind::BudgetThreshold, threshold),
    };
    let subject = &period.subject;
    let event = Event::new(kind, now)?.about(&subject.user);
    let event = event.with("tenant_id", &subject.tenant).with("project_id", &subject.project);
    let event = event.with("budget", &period.budget).with("threshold", threshold).with("unit", period.unit.name());
    let event = event.with("limit", charged.limit).with("used", used).with("period_start", period.start);
    Ok(event)
}
