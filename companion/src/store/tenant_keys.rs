//! Public keys of customers who sign their users' tokens themselves.

use super::{Store, audit, from_sql, to_sql};
use crate::signing::thumbprint;
use domain::time::Micros;
use serde_json::json;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

/// A project's own key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TenantKeyRow {
    /// Its name.
    pub(crate) kid: String,
    /// For which project alone it speaks.
    pub(crate) project: String,
    /// Whose that is.
    pub(crate) tenant: String,
    /// What it signs with.
    pub(crate) algorithm: String,
    /// The members that make the key, a JSON text.
    pub(crate) jwk: String,
    /// When it was registered.
    pub(crate) created_at: Micros,
    /// From when on it is in the key set.
    pub(crate) not_before: Micros,
    /// Since when it is in it no more.
    pub(crate) revoked_at: Option<Micros>,
}

/// What `add_tenant_key` did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Added {
    /// The key is registered.
    Done,
    /// Another key has this name.
    NameTaken,
    /// It is one of the companion's own keys, which speak for every project.
    OurOwn,
    /// There are as many keys as there may be.
    TooMany,
}

impl Store {
    /// Whose project it is; `None` when there is no such project.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn tenant_of(&self, project: &str) -> Result<Option<String>, sqlx::Error> {
        let query = sqlx::query("SELECT tenant FROM projects WHERE id = ?").bind(project);
        query.fetch_optional(&self.pool).await?.map(|row| row.try_get("tenant")).transpose()
    }

    /// Registers a key of a project that there is, if fewer than `most` are in use.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn add_tenant_key(&self, key: &TenantKeyRow, most: usize) -> Result<Added, sqlx::Error> {
        let mut transaction = self.write().await?;
        let sql = "SELECT 1 FROM tenant_keys WHERE kid = ?1 UNION ALL SELECT 1 FROM signing_keys WHERE kid = ?1";
        if sqlx::query(sql).bind(&key.kid).fetch_optional(&mut *transaction).await?.is_some() {
            return Ok(Added::NameTaken);
        }
        // Our keys are named by their thumbprints.
        let ours = serde_json::from_str(&key.jwk).map(|it| thumbprint(&it)).unwrap_or_default();
        let ours = sqlx::query("SELECT 1 FROM signing_keys WHERE kid = ?").bind(ours);
        if ours.fetch_optional(&mut *transaction).await?.is_some() {
            return Ok(Added::OurOwn);
        }
        if unrevoked(&mut transaction).await?.len() >= most {
            return Ok(Added::TooMany);
        }
        let sql =
            "INSERT INTO tenant_keys (kid, project, algorithm, jwk, created_at, not_before) VALUES (?, ?, ?, ?, ?, ?)";
        let query = sqlx::query(sql).bind(&key.kid).bind(&key.project).bind(&key.algorithm).bind(&key.jwk);
        let query = query.bind(to_sql(key.created_at)).bind(to_sql(key.not_before));
        query.execute(&mut *transaction).await?;
        let details = json!({"algorithm": key.algorithm, "not_before": key.not_before.seconds()});
        record(&mut transaction, key.created_at, "tenant_key_registered", (&key.kid, &key.project), details).await?;
        transaction.commit().await?;
        Ok(Added::Done)
    }

    /// The project's keys, oldest first; `None` when there is no such project.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn tenant_keys(&self, project: &str) -> Result<Option<Vec<TenantKeyRow>>, sqlx::Error> {
        if self.tenant_of(project).await?.is_none() {
            return Ok(None);
        }
        let sql = "SELECT k.*, p.tenant FROM tenant_keys k JOIN projects p ON p.id = k.project
                   WHERE k.project = ? ORDER BY k.created_at, k.rowid";
        let rows = sqlx::query(sql).bind(project).fetch_all(&self.pool).await?;
        rows.iter().map(read).collect::<Result<Vec<_>, _>>().map(Some)
    }

    /// Revokes a key from now on; `false` when there is none. A key that was revoked stays so since then.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn revoke_tenant_key(&self, kid: &str, now: Micros) -> Result<bool, sqlx::Error> {
        let mut transaction = self.write().await?;
        let row = sqlx::query("SELECT project, revoked_at FROM tenant_keys WHERE kid = ?").bind(kid);
        let Some(row) = row.fetch_optional(&mut *transaction).await? else {
            return Ok(false);
        };
        if row.try_get::<Option<i64>, _>("revoked_at")?.is_none() {
            let sql = "UPDATE tenant_keys SET revoked_at = ? WHERE kid = ?";
            sqlx::query(sql).bind(to_sql(now)).bind(kid).execute(&mut *transaction).await?;
            let project: String = row.try_get("project")?;
            record(&mut transaction, now, "tenant_key_revoked", (kid, &project), json!({})).await?;
        }
        transaction.commit().await?;
        Ok(true)
    }
}

/// Every key that is not revoked, oldest first.
pub(super) async fn unrevoked(connection: &mut SqliteConnection) -> Result<Vec<TenantKeyRow>, sqlx::Error> {
    let sql = "SELECT k.*, p.tenant FROM tenant_keys k JOIN projects p ON p.id = k.project
               WHERE k.revoked_at IS NULL ORDER BY k.created_at, k.rowid";
    sqlx::query(sql).fetch_all(connection).await?.iter().map(read).collect()
}

fn read(row: &SqliteRow) -> Result<TenantKeyRow, sqlx::Error> {
    Ok(TenantKeyRow {
        kid: row.try_get("kid")?,
        project: row.try_get("project")?,
        tenant: row.try_get("tenant")?,
        algorithm: row.try_get("algorithm")?,
        jwk: row.try_get("jwk")?,
        created_at: from_sql(row.try_get("created_at")?),
        not_before: from_sql(row.try_get("not_before")?),
        revoked_at: row.try_get::<Option<i64>, _>("revoked_at")?.map(from_sql),
    })
}

async fn record(
    connection: &mut SqliteConnection,
    at: Micros,
    action: &str,
    (kid, project): (&str, &str),
    details: serde_json::Value,
) -> Result<(), sqlx::Error> {
    let entry = audit::Entry { at, action, subject: kid, project: Some(project), address: None, details };
    audit::record(connection, &entry).await
}
