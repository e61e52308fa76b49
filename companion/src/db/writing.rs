//! Transactions that write, one at a time where the database takes but one.

use super::{BUSY, Db, Kind};
use sqlx::{Any, AnyConnection, AnyPool, Transaction};
use std::ops::{Deref, DerefMut};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

/// A transaction that writes. Dropped before [`Writing::commit`], it was never there.
#[derive(Debug)]
pub(crate) struct Writing {
    transaction: Transaction<'static, Any>,
    /// Dropped after the transaction, whose end lets the next writer of this process begin.
    _turn: Option<OwnedSemaphorePermit>,
}

impl Db {
    /// A transaction that writes. In SQLite it takes the one write lock at once, because one that began
    /// as a reader would fail, not wait, when another wrote in between; in PostgreSQL the rows that a
    /// decision hangs on are locked with [`Db::for_update`].
    ///
    /// Writers of one SQLite file wait in a queue, first come, first served: SQLite itself only has them sleep and try
    /// again, for longer and longer, whoever came first.
    ///
    /// # Errors
    /// When the database does not answer in time.
    pub(crate) async fn write(&self) -> Result<Writing, sqlx::Error> {
        self.begin(&self.pool).await
    }

    /// The same, but its commit does not wait for the disk: it outlives this process, killed in whatever way, and not
    /// the machine's power. In SQLite [`Db::flush`] takes it to the disk, and so does what [`Db::write`] commits afterwards.
    ///
    /// # Errors
    /// When the database does not answer in time.
    pub(crate) async fn write_quick(&self) -> Result<Writing, sqlx::Error> {
        self.begin(&self.quick).await
    }

    /// The same for writes that are not answered for before [`Db::flush`].
    ///
    /// # Errors
    /// When the database does not answer in time.
    pub(crate) async fn write_and_flush(&self) -> Result<Writing, sqlx::Error> {
        self.begin(if self.kind == Kind::Sqlite { &self.quick } else { &self.pool }).await
    }

    /// How many transactions can usefully write at a time.
    pub(crate) fn writers(&self) -> usize {
        match self.kind {
            Kind::Sqlite => 1,
            Kind::Postgres => 3,
        }
    }

    /// Keeps others that call this with one of the same `keys` waiting until the transaction ends. SQLite has one writer
    /// in any case.
    ///
    /// # Errors
    /// When another holds one of them for too long.
    pub(crate) async fn lock(&self, tx: &mut AnyConnection, mut keys: Vec<i64>) -> Result<(), sqlx::Error> {
        if self.kind == Kind::Sqlite || keys.is_empty() {
            return Ok(());
        }
        // In one order, so that no two wait for each other.
        keys.sort_unstable();
        keys.dedup();
        let keys: Vec<String> = keys.iter().map(|it| format!("(CAST({it} AS BIGINT))")).collect();
        let keys = keys.join(", ");
        let sql =
            format!("SELECT COUNT(*) FROM (VALUES {keys}) AS keys (k) WHERE pg_advisory_xact_lock(k) IS NOT NULL");
        sqlx::query(sqlx::AssertSqlSafe(sql)).persistent(false).fetch_one(tx).await.map(|_| ())
    }

    async fn begin(&self, pool: &AnyPool) -> Result<Writing, sqlx::Error> {
        if self.kind == Kind::Postgres {
            return Ok(Writing { transaction: pool.begin().await?, _turn: None });
        }
        let turn = match timeout(BUSY, self.writer.clone().acquire_owned()).await {
            Ok(Ok(turn)) => turn,
            Ok(Err(_)) => return Err(sqlx::Error::PoolClosed),
            Err(_) => return Err(sqlx::Error::PoolTimedOut),
        };
        Ok(Writing { transaction: pool.begin_with("BEGIN IMMEDIATE").await?, _turn: Some(turn) })
    }
}

impl Writing {
    /// Makes it so.
    ///
    /// # Errors
    /// When the database did not say that it is so.
    pub(crate) async fn commit(self) -> Result<(), sqlx::Error> {
        self.transaction.commit().await
    }

    /// Ends it as if it had never been.
    ///
    /// # Errors
    /// When the database does not answer.
    #[cfg(test)]
    pub(crate) async fn rollback(self) -> Result<(), sqlx::Error> {
        self.transaction.rollback().await
    }
}

impl Deref for Writing {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.transaction
    }
}

impl DerefMut for Writing {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.transaction
    }
}
