//! A user's threads as JSON Lines, a message a line, written as it is read: no thread is too long for it.

use super::Message;
use crate::caller::Caller;
use crate::memory::{Page, Store};
use axum::body::{Body, Bytes};
use http_body_util::channel::{Channel, Sender};
use serde::Serialize;

/// How many messages are read at once.
const PAGE: u32 = 200;
/// How many pages wait for a slow reader.
const AHEAD: usize = 2;

#[derive(Serialize)]
struct Line<'a> {
    thread_id: &'a str,
    #[serde(flatten)]
    message: &'a Message,
}

/// Begins to write one thread, or all of them, oldest message first.
pub(crate) fn start(store: Store, caller: Caller, thread: Option<String>) -> Body {
    let (mut sender, body) = Channel::<Bytes, std::io::Error>::new(AHEAD);
    tokio::spawn(async move {
        let written = match thread {
            Some(thread) => write_thread(&store, &caller, &thread, &mut sender).await,
            None => write_all(&store, &caller, &mut sender).await,
        };
        if let Err(Stopped::Failed(error)) = written {
            tracing::error!(%error, "an export broke off");
            // An end that looks regular would be taken for a whole export.
            sender.abort(std::io::Error::other("the database does not answer"));
        }
    });
    Body::new(body)
}

/// Why nothing more is written.
enum Stopped {
    /// The reader is gone.
    Gone,
    /// The database does not answer.
    Failed(sqlx::Error),
}

async fn write_all(store: &Store, caller: &Caller, sender: &mut Sender<Bytes, std::io::Error>) -> Result<(), Stopped> {
    let mut after = String::new();
    loop {
        let threads = store.thread_ids(caller, &after, PAGE).await?;
        let Some(last) = threads.last() else { return Ok(()) };
        after.clone_from(last);
        for thread in threads {
            write_thread(store, caller, &thread, sender).await?;
        }
    }
}

async fn write_thread(
    store: &Store,
    caller: &Caller,
    thread: &str,
    sender: &mut Sender<Bytes, std::io::Error>,
) -> Result<(), Stopped> {
    let page = Page { limit: PAGE, after: None, ascending: true };
    let mut after: Option<(String, i64)> = None;
    loop {
        let start = after.as_ref().map(|(turn, position)| (turn.as_str(), *position));
        let rows = store.messages(caller, thread, start, &page).await?.map(|it| it.rows).unwrap_or_default();
        let Some(last) = rows.last() else { return Ok(()) };
        after = Some((last.turn.clone(), i64::try_from(last.position).unwrap_or(i64::MAX)));
        let mut lines = Vec::new();
        for row in rows {
            let line = Line { thread_id: thread, message: &Message::from(row) };
            // What was read as JSON can be written as JSON.
            lines.extend(serde_json::to_vec(&line).unwrap_or_default());
            lines.push(b'\n');
        }
        sender.send_data(lines.into()).await.map_err(|_| Stopped::Gone)?;
    }
}

impl From<sqlx::Error> for Stopped {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::tests::{caller, open, second, turn};
    use http_body_util::BodyExt;
    use std::sync::Arc;

    #[tokio::test]
    async fn threads_that_go_on_or_away_meanwhile_take_no_others_along() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&format!("sqlite://{}", dir.path().join("memory.db").display()), "").await;
        let name = |nth: u32| format!("t{nth:03}");
        let ada = caller("ada");
        let turns: Vec<_> =
            (0..PAGE * 2 + 1).map(|nth| (ada.clone(), turn(&name(nth), &name(nth), "", &["q", "a"]))).collect();
        store.add_reports(&[(Arc::new(turns), second(1))]).await.unwrap();
        let mut body = start(store.clone(), ada.clone(), None);
        let mut lines = body.frame().await.unwrap().unwrap().into_data().unwrap().to_vec();
        // Nobody reads, so it waits in the first page, whose last thread goes on; and in the second one goes away.
        let more = (ada.clone(), turn("more", &name(PAGE - 1), "", &["q", "a"]));
        store.add_reports(&[(Arc::new(vec![more]), second(9))]).await.unwrap();
        store.delete_thread(&ada, &name(PAGE * 2 - 1), second(9)).await.unwrap();
        lines.extend(body.collect().await.unwrap().to_bytes());
        let lines: Vec<serde_json::Value> =
            String::from_utf8(lines).unwrap().lines().map(|it| serde_json::from_str(it).unwrap()).collect();
        let mut threads: Vec<_> = lines.iter().map(|it| it["thread_id"].as_str().unwrap().to_owned()).collect();
        threads.dedup();
        let expected: Vec<_> = (0..PAGE * 2 + 1).filter(|it| *it != PAGE * 2 - 1).map(name).collect();
        assert_eq!(threads, expected);
        store.close().await;
    }
}
