//! The audit table: who did what, when, from where. Rows are added and read; the database itself
//! refuses to change or delete one.

use super::to_sql;
use domain::time::Micros;
use serde_json::Value;
use sqlx::SqliteConnection;

/// Something that was done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry<'a> {
    /// When.
    pub(crate) at: Micros,
    /// What: `mint`, `key_revoked`; the README lists them.
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
