//! Everything that is remembered of one user, gone.

use super::{Store, turns};
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
    /// Deletes the caller's threads and sessions. Turns that are `in_flight` are not stored when they arrive; the ids of
    /// deleted turns are kept for a day, for the same reason, and say nothing of what was in them.
    ///
    /// # Errors
    /// When the database does not answer; then nothing is erased.
    pub(crate) async fn erase(
        &self,
        caller: &Caller,
        in_flight: &[String],
        now: Micros,
    ) -> Result<Erased, sqlx::Error> {
        let (project, user) = (caller.project.as_str(), caller.user.as_str());
        let mut tx = self.db.write().await?;
        let forget = "INSERT INTO forgotten_turns (project, user_id, id, forgotten_at)
                      SELECT project, user_id, id, $3 FROM turns WHERE project = $1 AND user_id = $2
                      ON CONFLICT DO NOTHING";
        sqlx::query(forget).bind(project).bind(user).bind(super::to_sql(now)).execute(&mut *tx).await?;
        turns::forget(&mut tx, caller, in_flight, now).await?;
        let mut gone = [0; 3];
        for (gone, sql) in gone.iter_mut().zip([
            "DELETE FROM threads WHERE project = $1 AND user_id = $2",
            "DELETE FROM sessions WHERE project = $1 AND user_id = $2",
            "DELETE FROM turns WHERE project = $1 AND user_id = $2",
        ]) {
            *gone = sqlx::query(sql).bind(project).bind(user).execute(&mut *tx).await?.rows_affected();
        }
        tx.commit().await?;
        let [threads, sessions, turns] = gone;
        Ok(Erased { threads, sessions, turns })
    }
}
