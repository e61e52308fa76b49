//! Looking for words in what a user said and was answered. Texts are sealed, so they are opened and read here, newest
//! first, up to a bound.

use super::messages::COLUMNS;
use super::{MessageRow, Store, ThreadRow};
use crate::caller::Caller;
use sqlx::Row;
use std::collections::BTreeMap;

/// How many messages one search reads at most.
const MOST_MESSAGES: usize = 20_000;
/// How many are read at once.
const PAGE: i64 = 500;

/// A thread in which the words stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hit {
    /// The thread.
    pub(crate) thread: ThreadRow,
    /// The newest message with the words; `None` when only the title has them.
    pub(crate) message: Option<MessageRow>,
}

impl Store {
    /// The caller's threads in whose title or messages `holds` finds what it looks for, at most `limit`, those with the
    /// newest match first; and whether all was read.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn search(
        &self,
        caller: &Caller,
        holds: impl Fn(&str) -> bool,
        limit: usize,
    ) -> Result<(Vec<Hit>, bool), sqlx::Error> {
        let mut threads = BTreeMap::new();
        for thread in self.titled(caller).await? {
            threads.insert(thread.id.clone(), thread);
        }
        let mut hits: Vec<Hit> = Vec::new();
        let (mut end, mut place, mut read) = (i64::MAX, i64::MAX, 0_usize);
        loop {
            let sql = format!(
                "SELECT t.thread, {COLUMNS} FROM turns t JOIN messages m ON m.turn = t.seq
                 WHERE t.project = $1 AND t.user_id = $2 AND t.thread <> '' AND (t.seq, m.position) < ($3, $4)
                 ORDER BY t.seq DESC, m.position DESC LIMIT $5"
            );
            let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(caller.project.as_str()).bind(caller.user.as_str());
            let rows = query.bind(end).bind(place).bind(PAGE).fetch_all(self.db.pool()).await?;
            for row in &rows {
                (end, place) = (row.try_get("seq")?, row.try_get("position")?);
                let id: String = row.try_get("thread")?;
                if let Some(thread) = threads.get(&id) {
                    let message = self.message_row(caller, row)?;
                    if holds(&message.raw) {
                        hits.push(Hit { thread: thread.clone(), message: Some(message) });
                        threads.remove(&id);
                    }
                }
            }
            read = read.saturating_add(rows.len());
            let over = rows.is_empty();
            if over || hits.len() >= limit || read >= MOST_MESSAGES {
                let titles = threads.into_values().filter(|it| it.title.as_deref().is_some_and(&holds));
                hits.extend(titles.map(|thread| Hit { thread, message: None }));
                hits.truncate(limit);
                return Ok((hits, over));
            }
        }
    }

    async fn titled(&self, caller: &Caller) -> Result<Vec<ThreadRow>, sqlx::Error> {
        let sql = "SELECT id, title, metadata, message_count, created_at, updated_at FROM threads
                   WHERE project = $1 AND user_id = $2 ORDER BY updated_at DESC LIMIT 10000";
        let query = sqlx::query(sql).bind(caller.project.as_str()).bind(caller.user.as_str());
        query.fetch_all(self.db.pool()).await?.iter().map(|row| self.thread_row(caller, row)).collect()
    }
}
