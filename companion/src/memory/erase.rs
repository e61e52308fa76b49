//! Everything that is remembered of one user, gone.

use super::{Store, open};
use crate::caller::Caller;
use domain::time::Micros;

/// What was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Erased {
    /// So many threads.
    pub(crate) threads: u64,
    /// So many sessions.
    pub(crate) sessions: u64,
    /// So many turns, of threads and of sessions.
    pub(crate) turns: u64,
}

impl Store {
    /// Deletes the caller's threads and sessions. Turns that are open are not stored when they arrive; the ids of
    /// deleted turns are kept for a day, for the same reason, and say nothing of what was in them.
    ///
    /// # Errors
    /// When the database does not answer; then nothing is erased.
    pub(crate) async fn erase(&self, caller: &Caller, now: Micros) -> Result<Erased, sqlx::Error> {
        let (store, caller) = (self.clone(), caller.clone());
        open::to_its_end(async move { store.erase_all(&caller, now).await }).await
    }

    async fn erase_all(&self, caller: &Caller, now: Micros) -> Result<Erased, sqlx::Error> {
        let (project, user) = (caller.project.as_str(), caller.user.as_str());
        let _quiet = self.written.quiet(caller).await?;
        if let Some(redis) = &self.in_redis {
            // First what is open, so that nothing comes back, and last the names of the sessions, without which they could
            // not be found again.
            let mut tx = self.db.write().await?;
            open::lock(&self.db, &mut tx, std::iter::once(caller)).await?;
            self.written.forget(&mut tx, caller, None, now).await?;
            tx.commit().await?;
            let sql = "SELECT id FROM sessions WHERE project = $1 AND user_id = $2";
            let sessions: Vec<String> =
                sqlx::query_scalar(sql).bind(project).bind(user).fetch_all(self.db.pool()).await?;
            redis.erase(caller, &sessions).await?;
        }
        let mut tx = self.db.write().await?;
        open::lock(&self.db, &mut tx, std::iter::once(caller)).await?;
        let forget = "INSERT INTO forgotten_turns (project, user_id, id, forgotten_at)
                      SELECT project, user_id, id, $3 FROM turns WHERE project = $1 AND user_id = $2
                      ON CONFLICT DO NOTHING";
        sqlx::query(forget).bind(project).bind(user).bind(super::to_sql(now)).execute(&mut *tx).await?;
        self.written.forget(&mut tx, caller, None, now).await?;
        let mut gone = [0; 3];
        for (gone, sql) in gone.iter_mut().zip([
            "DELETE FROM threads WHERE project = $1 AND user_id = $2",
            "DELETE FROM sessions WHERE project = $1 AND user_id = $2",
            "DELETE FROM turns WHERE project = $1 AND user_id = $2",
        ]) {
            *gone = sqlx::query(sql).bind(project).bind(user).execute(&mut *tx).await?.rows_affected();
        }
        tx.commit().await?;
        self.written.forgotten(caller, None).await?;
        let [threads, sessions, turns] = gone;
        Ok(Erased { threads, sessions, turns })
    }
}
