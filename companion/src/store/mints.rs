//! Mints: for which project a key speaks, and the rows that say who got a token.

use super::audit::{self, Entry};
use super::{Store, to_sql};
use crate::api_key::KeyHash;
use crate::mint::{Project, Right};
use crate::refusals::{RevokedKey, Row as Refusal};
use domain::time::Micros;
use serde_json::{Value, json};
use sqlx::{Row, Sqlite, Transaction};
use std::collections::BTreeMap;
use std::time::Duration;

/// How exact `last_used_at` is: a write that mints can do without most of the time.
const TOUCHED_EVERY: Duration = Duration::from_secs(60);

/// For whom a key mints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Minter {
    /// A good key.
    Good(Right),
    /// One that was good once.
    Revoked(RevokedKey),
}

/// A mint, to be written down before its token leaves.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MintRow {
    /// When.
    pub(crate) at: Micros,
    /// The id of the API key.
    pub(crate) key: String,
    /// For which project.
    pub(crate) project: String,
    /// From which address.
    pub(crate) address: String,
    /// What the token says; not the token.
    pub(crate) details: Value,
}

impl Store {
    /// Whose key this is; `None` when it is nobody's.
    ///
    /// The time of the search depends on the digests that are stored, and that tells nothing: whoever
    /// learned a part of one still had to find a key with such a SHA-256, and a key is 128 random bits.
    /// The digest that is found is compared once more, in constant time, so that this does not hang on
    /// how a database compares.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn minter(&self, hash: KeyHash) -> Result<Option<Minter>, sqlx::Error> {
        let sql = "SELECT k.id, k.hash, k.revoked_at, p.id AS project, p.tenant FROM api_keys k JOIN projects p ON p.id = k.project
                   WHERE k.hash = ?";
        let Some(row) = sqlx::query(sql).bind(&hash.0[..]).fetch_optional(&self.pool).await? else {
            return Ok(None);
        };
        if !hash.is(row.try_get("hash")?) {
            return Ok(None);
        }
        let (key, project): (String, String) = (row.try_get("id")?, row.try_get("project")?);
        if row.try_get::<Option<i64>, _>("revoked_at")?.is_some() {
            return Ok(Some(Minter::Revoked(RevokedKey { id: key, project })));
        }
        let project = Project { id: project, tenant: row.try_get("tenant")? };
        Ok(Some(Minter::Good(Right { key, project })))
    }

    /// Writes mints down, each unless its key was revoked meanwhile, all at once; says of each whether
    /// it was. So no mint stands behind its key's revocation.
    ///
    /// # Errors
    /// When the database does not answer; then none is written.
    pub(crate) async fn add_mints(&self, mints: &[MintRow]) -> Result<Vec<bool>, sqlx::Error> {
        let mut tx = self.write().await?;
        let mut keys = BTreeMap::<&str, bool>::new();
        let mut written = Vec::with_capacity(mints.len());
        for mint in mints {
            let good = match keys.get(mint.key.as_str()) {
                Some(good) => *good,
                None => touch(&mut tx, &mint.key, mint.at).await?,
            };
            keys.insert(&mint.key, good);
            if good {
                audit::record(&mut tx, &entry(mint)).await?;
            }
            written.push(good);
        }
        tx.commit().await?;
        Ok(written)
    }

    /// Writes down how many mints were refused, all rows at once.
    ///
    /// # Errors
    /// When the database does not answer; then none is written.
    pub(crate) async fn add_refusals(&self, rows: &[Refusal]) -> Result<(), sqlx::Error> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut tx = self.write().await?;
        for (who, sum) in rows {
            let key = who.as_ref().and_then(|it| it.key.as_ref());
            let address = who.as_ref().map(|it| it.network.to_string());
            let entry = Entry {
                at: sum.first,
                action: "mint_refused",
                subject: key.map_or("unknown", |it| &it.id),
                project: key.map(|it| it.project.as_str()),
                address: address.as_deref(),
                details: json!({"count": sum.count, "last_at": sum.last.seconds()}),
            };
            audit::record(&mut tx, &entry).await?;
        }
        tx.commit().await
    }
}

/// Whether the key is still good; if so, it was used.
async fn touch(tx: &mut Transaction<'_, Sqlite>, key: &str, now: Micros) -> Result<bool, sqlx::Error> {
    let sql = "SELECT last_used_at FROM api_keys WHERE id = ? AND revoked_at IS NULL";
    let Some(row) = sqlx::query(sql).bind(key).fetch_optional(&mut **tx).await? else {
        return Ok(false);
    };
    let due = row.try_get::<Option<i64>, _>("last_used_at")?;
    if due.is_none_or(|last| super::from_sql(last).after(TOUCHED_EVERY) <= now) {
        let sql = "UPDATE api_keys SET last_used_at = ? WHERE id = ?";
        sqlx::query(sql).bind(to_sql(now)).bind(key).execute(&mut **tx).await?;
    }
    Ok(true)
}

fn entry(mint: &MintRow) -> Entry<'_> {
    Entry {
        at: mint.at,
        action: "mint",
        subject: &mint.key,
        project: Some(&mint.project),
        address: Some(&mint.address),
        details: mint.details.clone(),
    }
}
