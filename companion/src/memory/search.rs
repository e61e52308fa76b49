//! Looking for words in what a user said and was answered. Texts are sealed, so they are opened and read here, newest
//! first, up to a bound.

use super::messages::{COLUMNS, fitting};
use super::{MessageRow, Store, ThreadRow, count};
use crate::caller::Caller;
use sqlx::Row;
use sqlx::any::AnyRow;
use std::collections::BTreeSet;

/// How many messages one search reads at most.
const MOST_MESSAGES: usize = 20_000;
/// Of how many turns they are read at once.
const PAGE: usize = 250;
/// A search that found messages of so many bytes looks for no more.
const FOUND_BYTES: usize = 4 << 20;
/// How many threads' titles are looked at.
const MOST_TITLES: usize = 10_000;

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
    /// newest match first; and whether all was read and is told.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn search(
        &self,
        caller: &Caller,
        holds: impl Fn(&str) -> bool,
        limit: usize,
    ) -> Result<(Vec<Hit>, bool), sqlx::Error> {
        let titles = self.titles(caller).await?;
        let mut unseen: BTreeSet<&str> = titles.iter().map(|it| it.0.as_str()).collect();
        let mut found = Vec::new();
        let turns = self.newest_turns(caller).await?;
        let (mut left, mut read, mut bytes) = (turns.as_slice(), 0_usize, 0_usize);
        let over = loop {
            let sizes: Vec<i64> = left.iter().take(PAGE).map(|it| it.1).collect();
            let (some, others) = left.split_at_checked(fitting(&sizes)).unwrap_or((left, &[]));
            left = others;
            let rows = self.said_in(caller, some).await?;
            for row in &rows {
                let id: String = row.try_get("thread")?;
                if unseen.contains(id.as_str()) {
                    let message = self.message_row(caller, row)?;
                    if holds(&message.raw) {
                        unseen.remove(id.as_str());
                        bytes = bytes.saturating_add(message.raw.len());
                        found.push((id, Some(message)));
                    }
                }
            }
            read = read.saturating_add(rows.len());
            if left.is_empty() || found.len() >= limit || bytes >= FOUND_BYTES || read >= MOST_MESSAGES {
                break left.is_empty() && turns.len() < MOST_MESSAGES;
            }
        };
        let titled =
            titles.iter().filter(|(id, title)| unseen.contains(id.as_str()) && title.as_deref().is_some_and(&holds));
        found.extend(titled.map(|(id, _)| (id.clone(), None)));
        let whole = over && titles.len() < MOST_TITLES && found.len() <= limit;
        found.truncate(limit);
        let mut hits = Vec::with_capacity(found.len());
        for (id, message) in found {
            // If it is still there.
            hits.extend(self.thread(caller, &id).await?.map(|thread| Hit { thread, message }));
        }
        Ok((hits, whole))
    }

    /// The newest turns of the caller's threads and the size of each: they are put in order once, and not for every page.
    async fn newest_turns(&self, caller: &Caller) -> Result<Vec<(i64, i64)>, sqlx::Error> {
        let sql = "SELECT seq, bytes FROM turns WHERE project = $1 AND user_id = $2 AND thread <> ''
                   ORDER BY seq DESC LIMIT $3";
        let query = sqlx::query_as(sql).bind(caller.project.as_str()).bind(caller.user.as_str());
        query.bind(count(MOST_MESSAGES)).fetch_all(self.db.pool()).await
    }

    /// What was said in these turns, newest first.
    async fn said_in(&self, caller: &Caller, turns: &[(i64, i64)]) -> Result<Vec<AnyRow>, sqlx::Error> {
        if turns.is_empty() {
            return Ok(Vec::new());
        }
        let numbers = turns.iter().map(|it| it.0.to_string()).collect::<Vec<_>>().join(", ");
        let sql = format!(
            "SELECT t.thread, {COLUMNS} FROM turns t JOIN messages m ON m.turn = t.seq
             WHERE t.project = $1 AND t.user_id = $2 AND t.seq IN ({numbers})
             ORDER BY t.seq DESC, m.position DESC"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).persistent(false);
        query.bind(caller.project.as_str()).bind(caller.user.as_str()).fetch_all(self.db.pool()).await
    }

    /// The caller's threads with their titles, last updated first.
    async fn titles(&self, caller: &Caller) -> Result<Vec<(String, Option<String>)>, sqlx::Error> {
        let sql = "SELECT id, title FROM threads WHERE project = $1 AND user_id = $2
                   ORDER BY updated_at DESC, id DESC LIMIT $3";
        let query = sqlx::query(sql).bind(caller.project.as_str()).bind(caller.user.as_str()).bind(count(MOST_TITLES));
        let rows = query.fetch_all(self.db.pool()).await?;
        rows.iter().map(|row| Ok((row.try_get("id")?, self.title_of(caller, row)?))).collect()
    }
}
