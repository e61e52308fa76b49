//! The audit table: who did what, when, from where. Rows are added and read; the database itself
//! refuses to change or delete one.

use super::{Store, from_sql, to_sql};
use domain::time::Micros;
use serde_json::Value;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};

/// Everything that is recorded.
pub(crate) const ACTIONS: [&str; 9] = [
    MINT,
    "mint_refused",
    "key_created",
    "key_revoked",
    "signing_key_created",
    "signing_key_rotated",
    "signing_key_retired",
    "tenant_key_registered",
    "tenant_key_revoked",
];
/// Nearly all rows.
pub(super) const MINT: &str = "mint";

/// Something that was done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry<'a> {
    /// When.
    pub(crate) at: Micros,
    /// What: one of [`ACTIONS`].
    pub(crate) action: &'a str,
    /// To what or by what: the id of a key. Never a secret.
    pub(crate) subject: &'a str,
    /// In which project, if in one.
    pub(crate) project: Option<&'a str>,
    /// From which address, if over the network.
    pub(crate) address: Option<&'a str>,
    /// What else is to be known, as an object. Never a secret, never a token.
    pub(crate) details: Value,
}

/// A row, as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// Its number; later rows have higher ones, and none is given twice.
    pub(crate) id: i64,
    /// When.
    pub(crate) at: Micros,
    /// The same in words (RFC 3339).
    pub(crate) time: String,
    /// What.
    pub(crate) action: String,
    /// To what or by what.
    pub(crate) subject: String,
    /// In which project.
    pub(crate) project: Option<String>,
    /// From which address.
    pub(crate) address: Option<String>,
    /// The rest, a JSON object.
    pub(crate) details: String,
}

/// Which rows are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Only this project's.
    pub(crate) project: Option<String>,
    /// Only this action.
    pub(crate) action: Option<String>,
    /// The first ones behind this row; without it, the last ones of all.
    pub(crate) after: Option<i64>,
    /// How many at most.
    pub(crate) limit: u32,
}

/// Adds a row, in the transaction of what it records: both happen, or neither.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn record(connection: &mut SqliteConnection, entry: &Entry<'_>) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO audit (at, action, subject, project, address, details) VALUES (?, ?, ?, ?, ?, ?)";
    let query = sqlx::query(sql).bind(to_sql(entry.at)).bind(entry.action).bind(entry.subject);
    let query = query.bind(entry.project).bind(entry.address).bind(entry.details.to_string());
    query.execute(connection).await.map(|_| ())
}

impl Store {
    /// The rows that `filter` asks for, in the order in which they were written.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn audit(&self, filter: &Filter) -> Result<Vec<Row>, sqlx::Error> {
        let columns = "id, at, strftime('%Y-%m-%dT%H:%M:%SZ', at / 1000000, 'unixepoch') AS time, action, subject, project, address, details";
        let mut sql = QueryBuilder::<Sqlite>::new("SELECT ");
        sql.push(columns).push(" FROM audit WHERE id > ").push_bind(filter.after.unwrap_or_default());
        if let Some(project) = &filter.project {
            sql.push(" AND project = ").push_bind(project);
        }
        if let Some(action) = &filter.action {
            sql.push(" AND action = ").push_bind(action);
            if action != MINT {
                // So that the index without mints can be used.
                sql.push(" AND action <> 'mint'");
            }
        }
        sql.push(if filter.after.is_some() { " ORDER BY id LIMIT " } else { " ORDER BY id DESC LIMIT " });
        let found = sql.push_bind(filter.limit).build().fetch_all(&self.pool).await?;
        let mut rows = found.iter().map(row).collect::<Result<Vec<_>, _>>()?;
        rows.sort_unstable_by_key(|it| it.id);
        Ok(rows)
    }
}

fn row(row: &SqliteRow) -> Result<Row, sqlx::Error> {
    Ok(Row {
        id: row.try_get("id")?,
        at: from_sql(row.try_get("at")?),
        time: row.try_get("time")?,
        action: row.try_get("action")?,
        subject: row.try_get("subject")?,
        project: row.try_get("project")?,
        address: row.try_get("address")?,
        details: row.try_get("details")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    async fn store(dir: &tempfile::TempDir) -> Store {
        Store::open(&format!("sqlite://{}", dir.path().join("test.db").display())).await.unwrap()
    }

    async fn add(store: &Store, at: u64, action: &str, project: &str) {
        let (at, details) = (Micros::from_seconds(at), json!({"x": at}));
        let entry = Entry { at, action, subject: "key_1", project: Some(project), address: None, details };
        record(&mut store.pool.acquire().await.unwrap(), &entry).await.unwrap();
    }

    #[tokio::test]
    async fn rows_are_found_by_project_action_and_number() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir).await;
        for (action, project) in [("mint", "p1"), ("mint", "p2"), ("key_revoked", "p1"), ("mint", "p1")] {
            add(&store, 1_800_000_000, action, project).await;
        }
        let check = async |project: Option<&str>, action: Option<&str>, after, limit| -> Vec<i64> {
            let filter = Filter { project: project.map(Into::into), action: action.map(Into::into), after, limit };
            store.audit(&filter).await.unwrap().iter().map(|it| it.id).collect()
        };
        assert_eq!(check(None, None, None, 9).await, [1, 2, 3, 4]);
        assert_eq!(check(None, None, None, 2).await, [3, 4]);
        assert_eq!(check(None, None, Some(0), 2).await, [1, 2]);
        assert_eq!(check(None, None, Some(3), 2).await, [4]);
        assert_eq!(check(Some("p1"), None, None, 9).await, [1, 3, 4]);
        assert_eq!(check(Some("p1"), Some("mint"), Some(1), 9).await, [4]);
        assert_eq!(check(None, Some("key_revoked"), None, 9).await, [3]);
        assert!(check(Some("p2"), Some("key_revoked"), None, 9).await.is_empty());
        let rows = store.audit(&Filter { limit: 1, ..Filter::default() }).await.unwrap();
        assert_eq!((rows[0].time.as_str(), rows[0].at.seconds()), ("2027-01-15T08:00:00Z", 1_800_000_000));
    }

    #[tokio::test]
    async fn the_database_itself_refuses_to_change_or_delete_a_row() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir).await;
        add(&store, 1, "mint", "p1").await;
        let before = store.audit(&Filter { limit: 9, ..Filter::default() }).await.unwrap();
        for sql in [
            "UPDATE audit SET subject = 'x'",
            "UPDATE audit SET id = 7",
            "UPDATE OR REPLACE audit SET at = 0 WHERE id = 1",
            "DELETE FROM audit",
            "DELETE FROM audit WHERE id = 1",
            "REPLACE INTO audit (id, at, action, subject, details) VALUES (1, 0, 'x', 'x', '{}')",
            "INSERT OR REPLACE INTO audit (id, at, action, subject, details) VALUES (1, 0, 'x', 'x', '{}')",
            "INSERT INTO audit (id, at, action, subject, details) VALUES (1, 0, 'x', 'x', '{}')
             ON CONFLICT (id) DO UPDATE SET subject = 'x'",
        ] {
            let refused = sqlx::query(sql).execute(&store.pool).await.unwrap_err().to_string();
            assert!(refused.contains("the audit table is append-only"), "{sql}: {refused}");
        }
        assert_eq!(store.audit(&Filter { limit: 9, ..Filter::default() }).await.unwrap(), before);
    }

    #[tokio::test]
    async fn a_row_that_is_rolled_back_is_none_and_its_number_is_not_missed() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir).await;
        let mut tx = store.write().await.unwrap();
        let entry =
            Entry { at: Micros(1), action: "mint", subject: "k", project: None, address: None, details: json!({}) };
        record(&mut tx, &entry).await.unwrap();
        tx.rollback().await.unwrap();
        add(&store, 1, "mint", "p1").await;
        let rows = store.audit(&Filter { limit: 9, ..Filter::default() }).await.unwrap();
        assert_eq!(rows.iter().map(|it| it.id).collect::<Vec<_>>(), [1]);
    }
}
