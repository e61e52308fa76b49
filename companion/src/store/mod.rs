//! The only place that talks SQL. It holds no policy: what may be asked, and what an answer means,
//! is decided by its callers.

pub(crate) mod audit;
mod keys;
mod mints;
mod signing_keys;
mod tenant_keys;

pub(crate) use keys::{KeyRow, ProjectRow};
pub(crate) use mints::{MintRow, Minter};
pub(crate) use signing_keys::{Ended, SigningKeyRow};
pub(crate) use tenant_keys::{Added, TenantKeyRow};

use crate::db::{from_sql, has_ended, to_sql};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, SqlSafeStr, SqlitePool};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::str::FromStr;
use std::time::Duration;

/// How long a statement waits for another process's write; past it the request fails with 503.
const BUSY: Duration = Duration::from_secs(5);
/// Readers at a time; SQLite has one writer at a time in any case.
const CONNECTIONS: u32 = 8;
/// In order. A migration that was released is never changed.
const MIGRATIONS: [(i64, &str, &str); 4] = [
    (1, "first", include_str!("../../migrations/0001_first.sql")),
    (2, "signing keys", include_str!("../../migrations/0002_signing_keys.sql")),
    (3, "audit", include_str!("../../migrations/0003_audit.sql")),
    (4, "memory elsewhere", include_str!("../../migrations/0004_memory_elsewhere.sql")),
];

/// The database.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pool: SqlitePool,
}

impl Store {
    /// Opens the database, makes it when it is missing (readable by its owner alone), and brings its
    /// tables up to date.
    ///
    /// # Errors
    /// When the address is no SQLite address, or the file cannot be opened or migrated.
    pub(crate) async fn open(url: &str) -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::from_str(url)?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // An answered revocation must survive a power failure.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY)
            .disable_statement_logging();
        // It holds conversations. SQLite would make it readable by everybody; its other files
        // (-wal, -shm) get the mode of this one.
        let file = options.get_filename();
        if !file.as_os_str().is_empty() && !url.contains(":memory:") {
            OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(file)
                .map_err(sqlx::Error::Io)?;
        }
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(BUSY)
            // There is no network on which a connection could have died.
            .test_before_acquire(false)
            .after_release(|connection, _| Box::pin(has_ended(connection)))
            .connect_with(options)
            .await?;
        let migrations = MIGRATIONS.map(|(version, name, sql)| {
            Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
        });
        Migrator::with_migrations(migrations.to_vec()).run(&pool).await?;
        Ok(Self { pool })
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub(crate) async fn ping(&self) -> Result<(), sqlx::Error> {
        sqlx::query("SELECT 1 FROM projects LIMIT 1").fetch_optional(&self.pool).await.map(|_| ())
    }

    /// Closes every connection, so that the write-ahead log is folded into the file.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }

    /// A transaction that takes the write lock at once: one that began as a reader would fail, not
    /// wait, when another process wrote in between.
    async fn write(&self) -> Result<sqlx::Transaction<'static, sqlx::Sqlite>, sqlx::Error> {
        self.pool.begin_with("BEGIN IMMEDIATE").await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Opens a database in which only these of the migrations were made, and says which there are then.
    async fn check(made: &[i64]) -> Vec<i64> {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", dir.path().join("test.db").display());
        let options = SqliteConnectOptions::from_str(&url).unwrap().create_if_missing(true);
        let pool = SqlitePool::connect_with(options).await.unwrap();
        let old = MIGRATIONS.iter().filter(|(version, ..)| made.contains(version)).map(|(version, name, sql)| {
            Migration::new(*version, (*name).into(), MigrationType::Simple, (*sql).into_sql_str(), false)
        });
        Migrator::with_migrations(old.collect()).run(&pool).await.unwrap();
        let rows = "INSERT INTO projects VALUES ('p1', 'acme', 'shop', 1);
                    INSERT INTO api_keys (id, project, hash, hint, created_at) VALUES ('key_1', 'p1', x'00', '', 1)";
        sqlx::raw_sql(rows).execute(&pool).await.unwrap();
        pool.close().await;
        let store = Store::open(&url).await.unwrap();
        let keys = store.keys("p1").await.unwrap().unwrap();
        assert_eq!((keys.len(), keys[0].last_used_at), (1, None));
        let versions = sqlx::query_scalar("SELECT version FROM _sqlx_migrations ORDER BY version");
        versions.fetch_all(&store.pool).await.unwrap()
    }

    #[tokio::test]
    async fn after_sqlite_rolled_back_by_itself_the_next_transaction_is_a_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite://{}", dir.path().join("test.db").display())).await.unwrap();
        // As when the disk is full.
        let full = "CREATE TRIGGER full BEFORE INSERT ON projects BEGIN SELECT RAISE(ROLLBACK, 'full'); END";
        sqlx::query(full).execute(&store.pool).await.unwrap();
        for _ in 0..50 {
            let mut tx = store.write().await.unwrap();
            let insert = sqlx::query("INSERT INTO projects VALUES ('p1', 'acme', 'shop', 1)");
            assert!(insert.execute(&mut *tx).await.is_err());
        }
    }

    #[tokio::test]
    async fn a_database_of_any_earlier_release_is_brought_up_to_date_with_what_is_in_it() {
        let all: Vec<i64> = MIGRATIONS.iter().map(|it| it.0).collect();
        // The third was there before the second for a while.
        for made in [&all[..1], &[1, 3], &all[..2], &all[..3], &all] {
            assert_eq!(check(made).await, all, "{made:?}");
        }
    }
}
