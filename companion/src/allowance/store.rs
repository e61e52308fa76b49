//! Allowances in the usage database.

use super::{Answer, Ask, State, grant as rule};
use crate::clock::Clock;
use crate::db::{Db, to_sql};
use domain::time::Micros;
use sqlx::{AnyConnection, Row};

/// Rows of one purge, so that nobody waits long for it.
const PURGED: i64 = 1000;

/// Answers each question in turn, all in one transaction.
///
/// # Errors
/// When the database does not answer; then nothing is granted.
pub(super) async fn grant(db: &Db, asks: &[(String, Ask)], clock: &Clock) -> Result<Vec<Answer>, sqlx::Error> {
    let mut order: Vec<(usize, &(String, Ask))> = asks.iter().enumerate().collect();
    // All companions lock in the same order, so that none waits for one that waits for it.
    order.sort_by_key(|(_, (id, _))| id);
    let mut tx = db.write().await?;
    let mut states: Vec<(&str, State)> = Vec::new();
    for (_, (id, _)) in &order {
        if states.last().is_none_or(|(last, _)| last != id) {
            states.push((id, locked(&mut tx, id).await?));
        }
    }
    // Not before the locks: no grant is older than one that was given before it.
    let now = db.moment(&mut tx, clock).await?;
    let mut answers = Vec::new();
    let mut order = order.into_iter().peekable();
    for (id, mut state) in states {
        let mut lifetime = 0;
        while let Some((nth, (_, ask))) = order.next_if(|(_, (it, _))| it == id) {
            let (next, answer) = rule(state, now, ask);
            state = next;
            lifetime = ask.limit.lifetime_ms().max(lifetime);
            answers.push((nth, answer));
        }
        let expires_at = now.0.saturating_add(lifetime.saturating_mul(1000));
        let sql = "UPDATE allowances SET state = $2, expires_at = $3 WHERE id = $1";
        let query = sqlx::query(sql).bind(id).bind(state.encode()).bind(to_sql(Micros(expires_at)));
        query.execute(&mut *tx).await?;
    }
    tx.commit().await?;
    answers.sort_unstable_by_key(|(nth, _)| *nth);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}

/// The state of an allowance, which nobody else changes until the transaction ends.
async fn locked(connection: &mut AnyConnection, id: &str) -> Result<State, sqlx::Error> {
    let sql = "INSERT INTO allowances (id, state, expires_at) VALUES ($1, '', 0)
               ON CONFLICT (id) DO UPDATE SET expires_at = allowances.expires_at RETURNING state";
    let row = sqlx::query(sql).bind(id).fetch_one(connection).await?;
    Ok(State::decode(row.try_get("state")?).unwrap_or_default())
}

/// Deletes some of what means nothing any more; `true` when there may be more.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn purge(db: &Db, clock: &Clock) -> Result<bool, sqlx::Error> {
    let mut tx = db.write().await?;
    let now = db.moment(&mut tx, clock).await?;
    let sql = "DELETE FROM allowances WHERE expires_at < $1
               AND id IN (SELECT id FROM allowances WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)";
    let gone = sqlx::query(sql).bind(to_sql(now)).bind(PURGED).execute(&mut *tx).await?.rows_affected();
    tx.commit().await?;
    Ok(gone >= PURGED.unsigned_abs())
}
