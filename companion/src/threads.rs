//! Threads, as their owner sees them.

pub(crate) mod change;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod search;

use crate::caller::Caller;
use crate::failure::Failure;
use crate::memory::{MessageRow, Page, Store, ThreadRow};
use crate::open_turns::OpenTurns;
use crate::{random, usage};
use domain::time::Micros;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// One page of a list. The rows stand there twice: `data` as in OpenAI's lists, and by their own
/// name, as other published clients look for them.
#[derive(Debug)]
pub(crate) struct List<T> {
    /// The rows' own name.
    name: &'static str,
    rows: Vec<T>,
    has_more: bool,
}

/// A thread. Times are seconds since 1970.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Thread {
    id: String,
    object: &'static str,
    title: Option<String>,
    /// Up to 16 texts by name.
    #[cfg_attr(test, schemars(with = "BTreeMap<String, String>"))]
    metadata: Box<RawValue>,
    message_count: u64,
    created_at: u64,
    updated_at: u64,
}

/// A message of a thread: the members that it was stored with, and ours, which go before.
#[derive(Debug)]
pub(crate) struct Message {
    id: String,
    created_at: u64,
    turn: String,
    choice: u64,
    complete: bool,
    finish_reason: Option<String>,
    said: BTreeMap<String, Box<RawValue>>,
}

/// Members of a message that are ours to say.
const OURS: [&str; 8] =
    ["id", "object", "created_at", "turn_id", "thread_id", "choice_index", "complete", "finish_reason"];

/// One page of the caller's threads.
///
/// # Errors
/// 400 when the page begins after an unknown thread, 503 when the database does not answer.
pub(crate) async fn list(store: &Store, caller: &Caller, page: Page) -> Result<List<Thread>, Failure> {
    let found = store.threads(caller, &page.one_more()).await?;
    let rows = found.ok_or_else(|| Failure::invalid("after", "expected the id of one of your threads"))?;
    Ok(List::new("threads", rows.into_iter().map(Thread::from).collect(), page.limit))
}

/// One of the caller's threads.
///
/// # Errors
/// 404 when they have none of this id, 503 when the database does not answer.
pub(crate) async fn get(store: &Store, caller: &Caller, id: &str) -> Result<Thread, Failure> {
    store.thread(caller, id).await?.map(Thread::from).ok_or_else(Failure::no_such_thread)
}

/// One page of the messages of one of the caller's threads.
///
/// # Errors
/// 404 when they have none of this id, 400 when the page begins after an unknown message, 503 when
/// the database does not answer.
pub(crate) async fn messages(store: &Store, caller: &Caller, id: &str, page: Page) -> Result<List<Message>, Failure> {
    get(store, caller, id).await?;
    let after = match page.after.as_deref() {
        Some(text) => Some(position(text).ok_or_else(no_such_message)?),
        None => None,
    };
    let after = after.as_ref().map(|(turn, position)| (turn.as_str(), *position));
    let found = store.messages(caller, id, after, &page).await?.ok_or_else(no_such_message)?;
    let rows = found.rows.into_iter().map(Message::from).collect();
    Ok(List { name: "messages", rows, has_more: found.more })
}

/// Deletes one of the caller's threads with its messages, for good, also while its first turn is under way; whether there
/// was one.
///
/// # Errors
/// 503 when the database does not answer.
pub(crate) async fn delete(
    store: &Store,
    turns: &OpenTurns,
    caller: &Caller,
    id: &str,
    now: Micros,
) -> Result<bool, Failure> {
    let gone = store.delete_thread(caller, id, now).await?;
    turns.wake(caller);
    Ok(gone)
}

/// Deletes one message of one of the caller's threads, for good.
///
/// # Errors
/// 404 when they have no such thread or it no such message, 503 when the database does not answer.
pub(crate) async fn delete_message(store: &Store, caller: &Caller, thread: &str, message: &str) -> Result<(), Failure> {
    get(store, caller, thread).await?;
    let (turn, position) = position(message).ok_or_else(Failure::no_such_message)?;
    let gone = store.delete_message(caller, thread, &turn, position).await?;
    gone.then_some(()).ok_or_else(Failure::no_such_message)
}

/// What was erased of a user.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Erasure {
    object: &'static str,
    /// So many threads with their messages.
    threads: u64,
    /// So many sessions.
    sessions: u64,
    /// So many records of usage that do not name the user any more.
    usage_records: u64,
}

/// Erases all that is remembered of the caller, and takes their name from their usage.
///
/// # Errors
/// 503 when a database does not answer; sent again, it erases what is left.
pub(crate) async fn erase(
    store: &Store,
    usage: &usage::Db,
    turns: &OpenTurns,
    caller: &Caller,
    now: Micros,
) -> Result<Erasure, Failure> {
    let erased = store.erase(caller, now).await?;
    turns.wake(caller);
    let usage_records = usage::detach(usage, caller, &random::id("erased_")?).await?;
    Ok(Erasure { object: "user.data.erased", threads: erased.threads, sessions: erased.sessions, usage_records })
}

/// A list that is all there is.
pub(crate) fn whole<T>(name: &'static str, rows: Vec<T>) -> List<T> {
    List { name, rows, has_more: false }
}

/// A chat message: an object, kept as the text that came.
#[cfg(test)]
#[derive(schemars::JsonSchema)]
#[schemars(transparent)]
#[expect(dead_code, reason = "only its schema is asked for")]
struct ChatMessage(serde_json::Map<String, serde_json::Value>);

/// A message's id is its turn's and its place: it can be found again without being stored.
fn message_id(turn: &str, position: u64) -> String {
    format!("msg_{turn}_{position}")
}

/// The turn and the place of a message; written otherwise than we write it, it is no message's id.
fn position(id: &str) -> Option<(String, i64)> {
    let (turn, position) = id.strip_prefix("msg_")?.rsplit_once('_')?;
    let position = position.parse::<u32>().ok().filter(|it| it.to_string() == position)?;
    Some((turn.to_owned(), i64::from(position)))
}

fn no_such_message() -> Failure {
    Failure::invalid("after", "expected the id of a message of this thread")
}

impl<T> List<T> {
    fn new(name: &'static str, mut rows: Vec<T>, limit: u32) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        Self { name, rows, has_more }
    }
}

impl<T: Serialize> Serialize for List<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("object", "list")?;
        map.serialize_entry("data", &self.rows)?;
        map.serialize_entry(self.name, &self.rows)?;
        map.serialize_entry("has_more", &self.has_more)?;
        map.end()
    }
}

impl From<ThreadRow> for Thread {
    fn from(row: ThreadRow) -> Self {
        Self {
            id: row.id,
            object: "thread",
            title: row.title,
            // It was written as JSON.
            metadata: RawValue::from_string(row.metadata).unwrap_or_default(),
            message_count: row.message_count,
            created_at: row.created_at.seconds(),
            updated_at: row.updated_at.seconds(),
        }
    }
}

impl From<MessageRow> for Message {
    fn from(row: MessageRow) -> Self {
        Self {
            id: message_id(&row.turn, row.position),
            created_at: row.created_at.seconds(),
            turn: row.turn,
            choice: row.choice,
            complete: row.complete,
            finish_reason: row.finish_reason,
            // A message that no reader of JSON agrees about (a lone surrogate in a member's name)
            // is shown without its members, and is still given back to the model as it came.
            said: serde_json::from_str(&row.raw).unwrap_or_default(),
        }
    }
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("object", "thread.message")?;
        map.serialize_entry("role", &self.said.get("role"))?;
        map.serialize_entry("content", &self.said.get("content"))?;
        map.serialize_entry("created_at", &self.created_at)?;
        map.serialize_entry("turn_id", &self.turn)?;
        if self.choice > 0 {
            map.serialize_entry("choice_index", &self.choice)?;
        }
        map.serialize_entry("complete", &self.complete)?;
        if let Some(why) = &self.finish_reason {
            map.serialize_entry("finish_reason", why)?;
        }
        let others = self
            .said
            .iter()
            .filter(|(name, _)| !OURS.contains(&name.as_str()) && *name != "role" && *name != "content");
        for (name, value) in others {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
