//! Projects and their API keys.

use super::audit::{self, Entry};
use super::{Store, from_sql, to_sql};
use crate::api_key::KeyHash;
use domain::time::Micros;
use serde_json::{Value, json};
use sqlx::Row;

/// A project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProjectRow {
    /// Its id.
    pub(crate) id: String,
    /// Whose it is.
    pub(crate) tenant: String,
    /// Its name, unique within the tenant.
    pub(crate) name: String,
    /// When it was made.
    pub(crate) created_at: Micros,
}

/// An API key, without the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyRow {
    /// Its id.
    pub(crate) id: String,
    /// Its first digits.
    pub(crate) hint: String,
    /// When it was made.
    pub(crate) created_at: Micros,
    /// When it last minted, to about a minute.
    pub(crate) last_used_at: Option<Micros>,
    /// Since when it is refused.
    pub(crate) revoked_at: Option<Micros>,
}

impl Store {
    /// Adds a project, unless the tenant has one of this name; gives back that one's id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn add_project(&self, project: &ProjectRow) -> Result<String, sqlx::Error> {
        let sql = "INSERT INTO projects (id, tenant, name, created_at) VALUES (?, ?, ?, ?)
                   ON CONFLICT (tenant, name) DO UPDATE SET name = excluded.name RETURNING id";
        let query = sqlx::query(sql).bind(&project.id).bind(&project.tenant).bind(&project.name);
        query.bind(to_sql(project.created_at)).fetch_one(&self.pool).await?.try_get("id")
    }

    /// Every project, oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn projects(&self) -> Result<Vec<ProjectRow>, sqlx::Error> {
        let sql = "SELECT id, tenant, name, created_at FROM projects ORDER BY created_at, id";
        let rows = sqlx::query(sql).fetch_all(&self.pool).await?;
        rows.iter()
            .map(|row| {
                Ok(ProjectRow {
                    id: row.try_get("id")?,
                    tenant: row.try_get("tenant")?,
                    name: row.try_get("name")?,
                    created_at: from_sql(row.try_get("created_at")?),
                })
            })
            .collect()
    }

    /// Adds a key; `false` when there is no such project.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn add_key(&self, project: &str, key: &KeyRow, hash: KeyHash) -> Result<bool, sqlx::Error> {
        let mut tx = self.write().await?;
        let sql = "INSERT INTO api_keys (id, project, hash, hint, created_at) SELECT ?, id, ?, ?, ? FROM projects WHERE id = ?";
        let query = sqlx::query(sql).bind(&key.id).bind(hash.0.to_vec()).bind(&key.hint);
        let done = query.bind(to_sql(key.created_at)).bind(project).execute(&mut *tx).await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        let details = json!({"hint": key.hint});
        audit::record(&mut tx, &by_operator("key_created", &key.id, project, key.created_at, details)).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// The project's keys, oldest first; `None` when there is no such project.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn keys(&self, project: &str) -> Result<Option<Vec<KeyRow>>, sqlx::Error> {
        let known = sqlx::query("SELECT 1 FROM projects WHERE id = ?").bind(project).fetch_optional(&self.pool).await?;
        if known.is_none() {
            return Ok(None);
        }
        let sql = "SELECT id, hint, created_at, last_used_at, revoked_at FROM api_keys WHERE project = ? ORDER BY created_at, id";
        let rows = sqlx::query(sql).bind(project).fetch_all(&self.pool).await?;
        let keys = rows.iter().map(|row| {
            Ok(KeyRow {
                id: row.try_get("id")?,
                hint: row.try_get("hint")?,
                created_at: from_sql(row.try_get("created_at")?),
                last_used_at: row.try_get::<Option<i64>, _>("last_used_at")?.map(from_sql),
                revoked_at: row.try_get::<Option<i64>, _>("revoked_at")?.map(from_sql),
            })
        });
        keys.collect::<Result<Vec<_>, _>>().map(Some)
    }

    /// Revokes a key from now on; `false` when there is none. A key that was revoked stays so since then.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn revoke_key(&self, id: &str, now: Micros) -> Result<bool, sqlx::Error> {
        let mut tx = self.write().await?;
        let sql = "UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL RETURNING project";
        let revoked = sqlx::query(sql).bind(to_sql(now)).bind(id).fetch_optional(&mut *tx).await?;
        let Some(row) = revoked else {
            let known = sqlx::query("SELECT 1 FROM api_keys WHERE id = ?").bind(id).fetch_optional(&mut *tx).await?;
            return Ok(known.is_some());
        };
        let project: String = row.try_get("project")?;
        audit::record(&mut tx, &by_operator("key_revoked", id, &project, now, json!({}))).await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// What an operator did at the command line, so from no address.
fn by_operator<'a>(action: &'a str, key: &'a str, project: &'a str, at: Micros, details: Value) -> Entry<'a> {
    Entry { at, action, subject: key, project: Some(project), address: None, details }
}
