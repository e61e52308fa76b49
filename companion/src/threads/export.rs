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
    let mut page = Page { limit: PAGE, after: None, ascending: true };
    loop {
        // A thread that was deleted meanwhile ends the list there.
        let threads = store.threads(caller, &page).await?.unwrap_or_default();
        let Some(last) = threads.last() else { return Ok(()) };
        page.after = Some(last.id.clone());
        for thread in threads {
            write_thread(store, caller, &thread.id, sender).await?;
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
        let rows = store.messages(caller, thread, start, &page).await?.unwrap_or_default();
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
