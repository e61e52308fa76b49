//! What grew too old goes, a little at a time, so that no writer waits long.

use super::{Store, before, message_place, sessions, title_place, turns};
use crate::caller::Caller;
use crate::names::Name;
use domain::time::Micros;
use sqlx::Row;
use std::time::Duration;

/// Rows of one transaction.
const BATCH: i64 = 200;
/// Messages that are sealed anew in one transaction; they are in memory together.
const RESEALED: i64 = 50;

impl Store {
    /// Deletes a batch of what is too old: sessions that ended, open turns that never arrived, and threads without a new turn
    /// for as long as their project says. Says how many rows went; a full batch may have left some.
    /// Where another companion has the open turns, it is left to that one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn purge(&self, now: Micros) -> Result<u64, sqlx::Error> {
        if !self.take_open_turns().await? {
            return Ok(0);
        }
        let mut tx = self.db.write_quick().await?;
        let mut gone = sessions::purge(&self.db, &mut tx, now, BATCH).await?;
        gone = gone.saturating_add(self.written.purge(&mut tx, now, BATCH).await?);
        gone = gone.saturating_add(turns::purge_forgotten(&mut tx, now, BATCH).await?);
        tx.commit().await?;
        for (project, days) in self.retentions().await? {
            let age = Duration::from_secs(days.saturating_mul(24 * 60 * 60));
            let sql = "SELECT user_id, id FROM threads WHERE project = $1 AND updated_at < $2 LIMIT $3";
            let rows =
                sqlx::query(sql).bind(&project).bind(before(now, age)).bind(BATCH).fetch_all(self.db.pool()).await?;
            for row in rows {
                let names = (Name::try_from(project.clone()), Name::try_from(row.try_get::<String, _>("user_id")?));
                if let (Ok(project), Ok(user)) = names {
                    let caller = Caller { project, user };
                    let id: String = row.try_get("id")?;
                    // Somebody may go on with it meanwhile.
                    gone = gone.saturating_add(u64::from(self.delete_old_thread(&caller, &id, age, now).await?));
                }
            }
        }
        Ok(gone)
    }

    /// After how many days without a new turn each project's threads are deleted; a project that is not named keeps them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn retentions(&self) -> Result<Vec<(String, u64)>, sqlx::Error> {
        let rows =
            sqlx::query("SELECT project, days FROM retentions ORDER BY project").fetch_all(self.db.pool()).await?;
        let read = |row: &sqlx::any::AnyRow| {
            Ok((row.try_get("project")?, u64::try_from(row.try_get::<i64, _>("days")?).unwrap_or(u64::MAX)))
        };
        rows.iter().map(read).collect()
    }

    /// Sets after how many days a project's threads are deleted; without `days` they are kept.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn retain(&self, project: &str, days: Option<u32>) -> Result<(), sqlx::Error> {
        let Some(days) = days else {
            let sql = "DELETE FROM retentions WHERE project = $1";
            return sqlx::query(sql).bind(project).execute(self.db.pool()).await.map(|_| ());
        };
        let sql = "INSERT INTO retentions (project, days) VALUES ($1, $2)
                   ON CONFLICT (project) DO UPDATE SET days = excluded.days";
        sqlx::query(sql).bind(project).bind(i64::from(days)).execute(self.db.pool()).await.map(|_| ())
    }

    /// Seals those texts with the newest key that are sealed otherwise, and says how many. When there is none, the keys that
    /// nothing is sealed with any more are no longer demanded. All texts are looked at once, and no writer waits for that.
    ///
    /// # Errors
    /// When the database does not answer, or a text cannot be opened.
    pub(crate) async fn reseal(&self) -> Result<u64, sqlx::Error> {
        let done = self.reseal_messages().await?.saturating_add(self.reseal_titles().await?);
        if done == 0 {
            let sql = "DELETE FROM data_keys WHERE id <> $1";
            let current = self.seal.current().unwrap_or_default();
            sqlx::query(sql).bind(current).execute(self.db.pool()).await?;
        }
        Ok(done)
    }

    async fn reseal_messages(&self) -> Result<u64, sqlx::Error> {
        let prefix = self.seal.prefix();
        let length = super::count(prefix.len());
        let (mut turn, mut position, mut done) = (-1_i64, -1_i64, 0_u64);
        loop {
            let sql = "SELECT t.project, t.user_id, t.id, m.turn, m.position, m.raw FROM messages m
                       JOIN turns t ON t.seq = m.turn
                       WHERE (m.turn, m.position) > ($4, $5) AND substr(m.raw, 1, CAST($1 AS INTEGER)) <> $2
                       ORDER BY m.turn, m.position LIMIT $3";
            let query = sqlx::query(sql).bind(length).bind(prefix.as_slice()).bind(RESEALED).bind(turn).bind(position);
            let rows = query.fetch_all(self.db.pool()).await?;
            if rows.is_empty() {
                return Ok(done);
            }
            let mut tx = self.db.write().await?;
            for row in &rows {
                (turn, position) = (row.try_get("turn")?, row.try_get("position")?);
                let (project, user, id): (String, String, String) =
                    (row.try_get("project")?, row.try_get("user_id")?, row.try_get("id")?);
                let place = message_place((&project, &user), &id, position);
                let raw: Vec<u8> = row.try_get("raw")?;
                let sealed = self.close_text(&self.open_text(&raw, &place)?, &place)?;
                // Not over what somebody wrote meanwhile.
                let sql = "UPDATE messages SET raw = $3 WHERE turn = $1 AND position = $2 AND raw = $4";
                let query = sqlx::query(sql).bind(turn).bind(position).bind(sealed).bind(raw);
                done = done.saturating_add(query.execute(&mut *tx).await?.rows_affected());
            }
            tx.commit().await?;
        }
    }

    async fn reseal_titles(&self) -> Result<u64, sqlx::Error> {
        let prefix = self.seal.prefix();
        let length = super::count(prefix.len());
        let (mut project, mut user, mut id, mut done) = (String::new(), String::new(), String::new(), 0_u64);
        loop {
            let sql = "SELECT project, user_id, id, title FROM threads
                       WHERE (project, user_id, id) > ($4, $5, $6) AND title IS NOT NULL
                           AND substr(title, 1, CAST($1 AS INTEGER)) <> $2
                       ORDER BY project, user_id, id LIMIT $3";
            let query = sqlx::query(sql).bind(length).bind(prefix.as_slice()).bind(BATCH);
            let rows = query.bind(&project).bind(&user).bind(&id).fetch_all(self.db.pool()).await?;
            if rows.is_empty() {
                return Ok(done);
            }
            let mut tx = self.db.write().await?;
            for row in &rows {
                (project, user, id) = (row.try_get("project")?, row.try_get("user_id")?, row.try_get("id")?);
                let place = title_place((&project, &user), &id);
                let title: Vec<u8> = row.try_get("title")?;
                let sealed = self.close_text(&self.open_text(&title, &place)?, &place)?;
                let sql =
                    "UPDATE threads SET title = $4 WHERE project = $1 AND user_id = $2 AND id = $3 AND title = $5";
                let query = sqlx::query(sql).bind(&project).bind(&user).bind(&id).bind(sealed).bind(title);
                done = done.saturating_add(query.execute(&mut *tx).await?.rows_affected());
            }
            tx.commit().await?;
        }
    }
}
