//! Leases of budgets: the state around `decide`, in one transaction for all questions of a gateway.

use super::periods::{self, Found, Write, rolling};
use super::{list, pieces, query, values};
use crate::db::to_sql;
use crate::usage::Db;
use crate::usage::leases::{Ask, LEASE, Lease, Standing, decide};
use crate::usage::record::Period;
use domain::time::Micros;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use std::collections::BTreeMap;

/// A gateway's question about one period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    /// Of which budget.
    pub(crate) period: Period,
    /// When the period ends.
    pub(crate) end: i64,
    /// How much may be used.
    pub(crate) limit: i64,
    /// What is asked.
    pub(crate) ask: Ask,
}

/// What a gateway is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Granted to it since it first asked.
    pub(crate) granted: i64,
    /// Charged to it since then.
    pub(crate) charged: i64,
    /// Used in the period, by all.
    pub(crate) used: i64,
    /// What is neither used nor granted to anybody.
    pub(crate) left: i64,
    /// Whether it can spend what it needs.
    pub(crate) enough: bool,
}

/// The leases of a period, by their nodes.
type Leases = BTreeMap<String, Lease>;

/// Answers a gateway's `questions`, in their order. A lease that ended before `alive` has expired.
///
/// # Errors
/// When the database does not answer; then nothing is granted.
pub(crate) async fn ask(
    db: &Db,
    node: &str,
    questions: &[Question],
    now: Micros,
    alive: Micros,
) -> Result<Vec<Answer>, sqlx::Error> {
    let mut tx = db.write().await?;
    let write = |it: &Question| Write { end: it.end, limit: it.limit, kind: None, add: 0 };
    let writes = questions.iter().map(|it| (&it.period, write(it))).collect();
    let found = periods::write(&mut tx, &writes, to_sql(now)).await?;
    let mut leases = all(&mut tx, node, &found.values().map(|it| it.id).collect::<Vec<_>>(), alive).await?;
    let mut answers = Vec::with_capacity(questions.len());
    for it in questions {
        let Found { id, used } = *found.get(&it.period).ok_or(sqlx::Error::RowNotFound)?;
        let used = match it.period.window_seconds {
            None => used,
            Some(window) => rolling(&mut tx, id, window, now).await?,
        };
        answers.push(answer(leases.entry(id).or_default(), node, it, used, (now, alive)));
    }
    let own = leases.iter().filter_map(|(id, it)| Some((*id, *it.get(node)?))).collect::<Vec<_>>();
    for piece in pieces(&own) {
        keep(&mut tx, node, piece).await?;
    }
    tx.commit().await?;
    Ok(answers)
}

fn answer(leases: &mut Leases, node: &str, it: &Question, used: i64, (now, alive): (Micros, Micros)) -> Answer {
    let others = leases.iter().filter(|(name, lease)| *name != node && lease.expires > alive);
    let elsewhere = others.map(|(_, it)| it.outstanding()).fold(0, i64::saturating_add);
    let standing = Standing { limit: it.limit, used, elsewhere };
    let known = leases.get(node).map(|it| (*it, it.expires <= alive));
    let lease = decide(known, it.ask, standing, now);
    leases.insert(node.to_owned(), lease);
    let (left, enough) = (standing.left(lease.outstanding()), lease.outstanding() >= it.ask.need);
    Answer { granted: lease.granted, charged: lease.charged, used, left, enough }
}

/// The leases of `periods` that count: the node's own, and those of others that are good after `alive`. A period that
/// never ends gathers leases of gateways that are long gone.
async fn all(
    tx: &mut AnyConnection,
    node: &str,
    periods: &[i64],
    alive: Micros,
) -> Result<BTreeMap<i64, Leases>, sqlx::Error> {
    let mut all = BTreeMap::<i64, Leases>::new();
    for piece in pieces(periods) {
        let sql = "SELECT period, node, turn, granted, charged, expires_at FROM budget_leases WHERE period IN";
        // The places of a list begin with the first.
        let (node_at, alive_at) = (piece.len().saturating_add(1), piece.len().saturating_add(2));
        let counts = format!("(node = ${node_at} OR expires_at > ${alive_at})");
        let mut query = query(format!("{sql} ({}) AND {counts}", list(piece.len())));
        for period in piece {
            query = query.bind(*period);
        }
        for row in query.bind(node).bind(to_sql(alive)).fetch_all(&mut *tx).await? {
            all.entry(row.try_get("period")?).or_default().insert(row.try_get("node")?, lease(&row)?);
        }
    }
    Ok(all)
}

fn lease(row: &AnyRow) -> Result<Lease, sqlx::Error> {
    let expires = u64::try_from(row.try_get::<i64, _>("expires_at")?).unwrap_or_default();
    Ok(Lease {
        turn: row.try_get("turn")?,
        granted: row.try_get("granted")?,
        charged: row.try_get("charged")?,
        expires: Micros(expires),
    })
}

async fn keep(tx: &mut AnyConnection, node: &str, leases: &[(i64, Lease)]) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO budget_leases (period, node, turn, granted, charged, expires_at) VALUES";
    let conflict = "ON CONFLICT (period, node) DO UPDATE SET turn = excluded.turn, granted = excluded.granted,
                    charged = excluded.charged, expires_at = excluded.expires_at";
    let mut query = query(format!("{sql} {} {conflict}", values(leases.len(), 6)));
    for (period, it) in leases {
        query = query.bind(*period).bind(node).bind(it.turn).bind(it.granted).bind(it.charged);
        query = query.bind(to_sql(it.expires));
    }
    query.execute(tx).await.map(|_| ())
}

/// When a gateway last asked, if one ever did.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn last_ask(db: &Db) -> Result<Option<Micros>, sqlx::Error> {
    let row = sqlx::query("SELECT MAX(expires_at) FROM budget_leases").fetch_one(db.pool()).await?;
    let expires = row.try_get::<Option<i64>, _>(0)?.and_then(|it| u64::try_from(it).ok());
    Ok(expires.map(|it| Micros(it.saturating_sub(u64::try_from(LEASE.as_micros()).unwrap_or(u64::MAX)))))
}
