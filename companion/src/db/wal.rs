//! SQLite's write-ahead log, where others must not wait for the disk.
//!
//! A commit with `synchronous = FULL` waits for the disk while it holds the one write lock, and now and then a commit carries
//! the log over into the database (a checkpoint), which takes longer still. Both are done here instead, by whom nobody
//! waits for: [`Db::flush`] takes to the disk what was committed without waiting, which is what FULL does, only after the
//! lock was given back; and a task of its own makes the checkpoints.

use super::{Db, Kind};
use sqlx::{AnyPool, Row};
use std::fs::File;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Between two checkpoints.
const EVERY: Duration = Duration::from_secs(2);
/// So many pages in the log, and writers are kept off for a checkpoint, because while they write none gets to the log's end
/// and the log grows: 128 MiB.
const LONG: i64 = 32_768;
/// So many more checkpoints before that, so that writers are kept off for a few pages only.
const AHEAD: u32 = 3;

impl Db {
    /// Returns when everything that was committed before is on the disk.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(crate) async fn flush(&self) -> Result<(), sqlx::Error> {
        let Some(log) = self.file_with("-wal") else { return Ok(()) };
        let flushed = tokio::task::spawn_blocking(move || match File::open(log) {
            Ok(log) => log.sync_data(),
            // It goes when what was in it has been taken to the database, and that to the disk.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        });
        flushed.await.map_err(|it| sqlx::Error::Io(it.into()))?.map_err(sqlx::Error::Io)
    }

    /// Makes the checkpoints of an SQLite database whose connections make none, until it is closed.
    pub(super) fn make_checkpoints(&self) {
        if self.kind == Kind::Sqlite {
            tokio::spawn(checkpoints(self.pool.clone(), self.writer.clone()));
        }
    }
}

async fn checkpoints(pool: AnyPool, writer: Arc<Semaphore>) {
    while !pool.is_closed() {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => (),
            () = pool.close_event() => return,
        }
        if checkpoint(&pool).await.is_some_and(|pages| pages > LONG) {
            // Each leaves what was written during it, which is less and less.
            for _ in 0..AHEAD {
                checkpoint(&pool).await;
            }
            let _turn = writer.acquire().await;
            checkpoint(&pool).await;
        }
    }
}

/// Takes to the database what is in the log, as far as readers allow; how many pages are in it.
async fn checkpoint(pool: &AnyPool) -> Option<i64> {
    let row = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").fetch_one(pool).await;
    match row.and_then(|it| it.try_get(1)) {
        Ok(pages) => Some(pages),
        Err(error) => {
            if !pool.is_closed() {
                tracing::warn!(%error, "a checkpoint of the database was not made");
            }
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::usage::testing::sqlite;

    #[tokio::test]
    async fn the_log_of_a_file_that_is_told_by_a_link_is_found() {
        let (scratch, links) = (sqlite().await, tempfile::tempdir().unwrap());
        let link = links.path().join("link.db");
        std::os::unix::fs::symlink(scratch.db.file_with("").unwrap(), &link).unwrap();
        let db = crate::usage::open(&format!("sqlite://{}", link.display())).await.unwrap();
        let mut tx = db.write_and_flush().await.unwrap();
        sqlx::query("INSERT INTO installation_keys (name, value) VALUES ('a', 'b')").execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        assert!(db.file_with("-wal").unwrap().exists(), "there is something to take to the disk");
        db.close().await;
    }
}
