//! Usage databases of a test's own, of both kinds.

use super::Db;
use tempfile::TempDir;
use tests::Postgres;

/// An empty database, gone with the value.
pub(crate) struct Scratch {
    /// The database.
    pub(crate) db: Db,
    /// Its address, for a second companion.
    pub(crate) url: String,
    // Kept for their ends.
    _dir: Option<TempDir>,
    _server: Option<Postgres>,
}

/// An SQLite file.
pub(crate) async fn sqlite() -> Scratch {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", dir.path().join("usage.db").display());
    Scratch { db: super::open(&url).await.unwrap(), url, _dir: Some(dir), _server: None }
}

/// One of each kind. PostgreSQL is a real server; without its programs this fails and names the command
/// that installs them.
pub(crate) async fn both() -> [Scratch; 2] {
    let server = Postgres::start();
    let url = server.url();
    let postgres = Scratch { db: super::open(&url).await.unwrap(), url, _dir: None, _server: Some(server) };
    [sqlite().await, postgres]
}
