//! The companion's own keys, as far as they are public, and their lives.

use super::{Store, audit, from_sql, tenant_keys, to_sql};
use crate::store::TenantKeyRow;
use domain::time::Micros;
use serde_json::json;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

/// One of the companion's own keys, without its private half.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SigningKeyRow {
    /// Its name.
    pub(crate) kid: String,
    /// What it signs with.
    pub(crate) algorithm: String,
    /// Its public half, a JSON text.
    pub(crate) jwk: String,
    /// When it was made.
    pub(crate) created_at: Micros,
    /// From when on it signs.
    pub(crate) signs_from: Micros,
    /// Until when; `None` while no end is set.
    pub(crate) signs_until: Option<Micros>,
    /// No token that it signed lives longer.
    pub(crate) last_expiry: Micros,
    /// Since when it is out of the key set by an operator's word.
    pub(crate) withdrawn_at: Option<Micros>,
}

/// What `end_signing_key` did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It ended the key, which is now so.
    Now(SigningKeyRow),
    /// There is no such key.
    Unknown,
    /// The policy refused, in its words.
    Refused(String),
}

const COLUMNS: &str = "kid, algorithm, jwk, created_at, signs_from, signs_until, last_expiry, withdrawn_at";

impl Store {
    /// Changes whenever a key changes, of ours or of a tenant.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn key_version(&self) -> Result<i64, sqlx::Error> {
        sqlx::query("SELECT version FROM key_version").fetch_one(&self.pool).await?.try_get("version")
    }

    /// Every own key, and every tenant key that is not revoked, in the order in which they were made, as
    /// they were at the version that comes with them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn all_keys(&self) -> Result<(i64, Vec<SigningKeyRow>, Vec<TenantKeyRow>), sqlx::Error> {
        // One transaction, so that the three belong together.
        let mut transaction = self.pool.begin().await?;
        let version = sqlx::query("SELECT version FROM key_version").fetch_one(&mut *transaction).await?;
        let own = all(&mut transaction).await?;
        let tenants = tenant_keys::unrevoked(&mut transaction).await?;
        Ok((version.try_get("version")?, own, tenants))
    }

    /// Every own key, in the order in which they were made.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn signing_keys(&self) -> Result<Vec<SigningKeyRow>, sqlx::Error> {
        all(&mut *self.pool.acquire().await?).await
    }

    /// Adds the first key; `false` when there is one already.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn add_first_signing_key(&self, key: &SigningKeyRow) -> Result<bool, sqlx::Error> {
        let mut transaction = self.write().await?;
        let first = all(&mut transaction).await?.is_empty();
        if first {
            add(&mut transaction, key).await?;
        }
        transaction.commit().await?;
        Ok(first)
    }

    /// Adds the key that `plan` makes of the keys as they are, and ends every other at the latest when it
    /// begins; or does nothing and gives back what `plan` has against it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn rotate_signing_key(
        &self,
        plan: impl FnOnce(&[SigningKeyRow]) -> Result<SigningKeyRow, String> + Send,
    ) -> Result<Result<SigningKeyRow, String>, sqlx::Error> {
        let mut transaction = self.write().await?;
        let key = match plan(&all(&mut transaction).await?) {
            Ok(key) => key,
            Err(why) => return Ok(Err(why)),
        };
        let sql = "UPDATE signing_keys SET signs_until = ?1 WHERE signs_until IS NULL OR signs_until > ?1";
        sqlx::query(sql).bind(to_sql(key.signs_from)).execute(&mut *transaction).await?;
        add(&mut transaction, &key).await?;
        let details = json!({"signs_from": key.signs_from.seconds()});
        record(&mut transaction, key.created_at, "signing_key_rotated", &key.kid, details).await?;
        transaction.commit().await?;
        Ok(Ok(key))
    }

    /// Ends a key at `now`, unless `allowed` has a word against it, given the key and the others. `withdrawn`
    /// takes it out of the key set, too.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn end_signing_key(
        &self,
        kid: &str,
        withdrawn: bool,
        now: Micros,
        allowed: impl FnOnce(&SigningKeyRow, &[SigningKeyRow]) -> Result<(), String> + Send,
    ) -> Result<Ended, sqlx::Error> {
        let mut transaction = self.write().await?;
        let (mut named, others): (Vec<_>, Vec<_>) =
            all(&mut transaction).await?.into_iter().partition(|it| it.kid == kid);
        let Some(mut key) = named.pop() else {
            return Ok(Ended::Unknown);
        };
        if let Err(why) = allowed(&key, &others) {
            return Ok(Ended::Refused(why));
        }
        key.signs_until = Some(key.signs_until.map_or(now, |then| then.min(now)));
        key.withdrawn_at = key.withdrawn_at.or(withdrawn.then_some(now));
        let sql = "UPDATE signing_keys SET signs_until = ?, withdrawn_at = ? WHERE kid = ?";
        let query = sqlx::query(sql).bind(key.signs_until.map(to_sql)).bind(key.withdrawn_at.map(to_sql));
        query.bind(kid).execute(&mut *transaction).await?;
        record(&mut transaction, now, "signing_key_retired", kid, json!({"compromised": withdrawn})).await?;
        transaction.commit().await?;
        Ok(Ended::Now(key))
    }

    /// Writes down that a token of the key lives until `expiry`, unless one lives longer; `None` when the key
    /// may not sign at `now`. Once this returns, a crash cannot forget it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn reserve_expiry(
        &self,
        kid: &str,
        expiry: Micros,
        now: Micros,
    ) -> Result<Option<Micros>, sqlx::Error> {
        let sql = "UPDATE signing_keys SET last_expiry = MAX(last_expiry, ?1)
                   WHERE kid = ?2 AND withdrawn_at IS NULL AND (signs_until IS NULL OR signs_until > ?3)
                   RETURNING last_expiry";
        let query = sqlx::query(sql).bind(to_sql(expiry)).bind(kid).bind(to_sql(now));
        let row = query.fetch_optional(&self.pool).await?;
        row.map(|row| row.try_get("last_expiry").map(from_sql)).transpose()
    }
}

async fn all(connection: &mut SqliteConnection) -> Result<Vec<SigningKeyRow>, sqlx::Error> {
    let sql = format!("SELECT {COLUMNS} FROM signing_keys ORDER BY created_at, rowid");
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(connection).await?;
    rows.iter().map(read).collect()
}

fn read(row: &SqliteRow) -> Result<SigningKeyRow, sqlx::Error> {
    let moment = |name| row.try_get::<Option<i64>, _>(name).map(|it| it.map(from_sql));
    Ok(SigningKeyRow {
        kid: row.try_get("kid")?,
        algorithm: row.try_get("algorithm")?,
        jwk: row.try_get("jwk")?,
        created_at: from_sql(row.try_get("created_at")?),
        signs_from: from_sql(row.try_get("signs_from")?),
        signs_until: moment("signs_until")?,
        last_expiry: from_sql(row.try_get("last_expiry")?),
        withdrawn_at: moment("withdrawn_at")?,
    })
}

/// Adds a key that signed nothing yet.
async fn add(connection: &mut SqliteConnection, key: &SigningKeyRow) -> Result<(), sqlx::Error> {
    let sql =
        "INSERT INTO signing_keys (kid, algorithm, jwk, created_at, signs_from, signs_until) VALUES (?, ?, ?, ?, ?, ?)";
    let query = sqlx::query(sql).bind(&key.kid).bind(&key.algorithm).bind(&key.jwk).bind(to_sql(key.created_at));
    let query = query.bind(to_sql(key.signs_from)).bind(key.signs_until.map(to_sql));
    query.execute(&mut *connection).await?;
    let details = json!({"algorithm": key.algorithm});
    record(connection, key.created_at, "signing_key_created", &key.kid, details).await
}

async fn record(
    connection: &mut SqliteConnection,
    at: Micros,
    action: &str,
    subject: &str,
    details: serde_json::Value,
) -> Result<(), sqlx::Error> {
    let entry = audit::Entry { at, action, subject, project: None, address: None, details };
    audit::record(connection, &entry).await
}
