//! Threads that an application makes, names and labels.

use super::Thread;
use crate::caller::Caller;
use crate::failure::Failure;
use crate::memory::{Limits, Made, Store, ThreadRow, TurnRow};
use crate::random;
use domain::headers::is_thread;
use domain::time::Micros;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;

/// The longest title, in characters.
const TITLE_CHARS: usize = 255;
/// What metadata may be, as in `OpenAI`'s API: so many members, names and values of so many characters.
const MEMBERS: usize = 16;
const NAME_CHARS: usize = 64;
const VALUE_CHARS: usize = 512;

/// A thread that is to be made.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "ThreadRequest"))]
pub(crate) struct Making {
    /// Its id: 1 to 255 letters, digits, `.`, `_`, `:` or `-`; a new one unless told.
    #[serde(default)]
    id: Option<String>,
    /// What it is about; from its first message unless told.
    #[serde(default)]
    title: Option<String>,
    /// Up to 16 texts by name.
    #[serde(default)]
    metadata: Option<BTreeMap<String, String>>,
}

/// What is to be changed; what is not named stays.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "ThreadChange"))]
pub(crate) struct Change {
    /// What it is about; `null` takes the title away.
    #[serde(default, deserialize_with = "there")]
    title: Option<Option<String>>,
    /// All of its metadata; `null` takes them away.
    #[serde(default, deserialize_with = "there")]
    metadata: Option<Option<BTreeMap<String, String>>>,
}

/// Tells a member that is `null` from one that is not there.
fn there<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// Makes a thread of the caller's.
///
/// # Errors
/// 400 for a wrong member, 409 when there is one of this id or the caller has as many as they may have, 503 when the
/// database does not answer.
pub(crate) async fn make(
    store: &Store,
    caller: &Caller,
    making: Making,
    limits: Limits,
    now: Micros,
) -> Result<Thread, Failure> {
    let id = match making.id {
        Some(id) => chosen(id)?,
        None => random::id("thread_")?,
    };
    let title = making.title.map(title).transpose()?;
    let metadata = metadata(&making.metadata.unwrap_or_default())?;
    let row = ThreadRow { id, title, metadata, message_count: 0, created_at: now, updated_at: now };
    stored(store, caller, &row, &[], limits).await.map(Thread::from)
}

/// Stores a thread that is new, and with it the turns that it begins with.
///
/// # Errors
/// 409 when there is one of this id or the caller has as many as they may have, 503 when the database does not answer.
pub(crate) async fn stored(
    store: &Store,
    caller: &Caller,
    row: &ThreadRow,
    begins: &[TurnRow],
    limits: Limits,
) -> Result<ThreadRow, Failure> {
    match store.make_thread(caller, row, begins, limits.threads).await? {
        Made::New(row) => Ok(row),
        Made::Exists => Err(Failure::thread_exists()),
        Made::TooMany => Err(Failure::too_many_threads(limits.threads)),
    }
}

/// Changes one of the caller's threads.
///
/// # Errors
/// 400 for a wrong member, 404 when they have none of this id, 503 when the database does not answer.
pub(crate) async fn change(store: &Store, caller: &Caller, id: &str, change: Change) -> Result<Thread, Failure> {
    let named = change.title.map(|it| it.map(title).transpose()).transpose()?;
    let labelled = change.metadata.map(|it| metadata(&it.unwrap_or_default())).transpose()?;
    let row = store.change_thread(caller, id, named.as_ref().map(Option::as_deref), labelled.as_deref()).await?;
    row.map(Thread::from).ok_or_else(Failure::no_such_thread)
}

/// An id that a client chose: one that can stand in the header `x-thread-id`.
pub(crate) fn chosen(id: String) -> Result<String, Failure> {
    if is_thread(&id) {
        return Ok(id);
    }
    let what = format!(
        "expected 1 to 255 letters, digits, `.`, `_`, `:` or `-`, and none of `search`, `export`, `.` and `..`, found {} characters",
        id.chars().count()
    );
    Err(Failure::invalid("id", what))
}

fn title(text: String) -> Result<String, Failure> {
    match text.chars().count() {
        1..=TITLE_CHARS if !text.chars().any(char::is_control) => Ok(text),
        1..=TITLE_CHARS => Err(Failure::invalid("title", "expected no control characters, found one")),
        found => Err(Failure::invalid("title", format!("expected 1 to {TITLE_CHARS} characters, found {found}"))),
    }
}

/// The metadata as JSON.
pub(crate) fn metadata(members: &BTreeMap<String, String>) -> Result<String, Failure> {
    if members.len() > MEMBERS {
        let what = format!("expected at most {MEMBERS} members, found {}", members.len());
        return Err(Failure::invalid("metadata", what));
    }
    for (name, value) in members {
        let (length, most) = (name.chars().count(), value.chars().count());
        if !(1..=NAME_CHARS).contains(&length) {
            let what = format!("expected names of 1 to {NAME_CHARS} characters, found one of {length}");
            return Err(Failure::invalid("metadata", what));
        }
        if most > VALUE_CHARS {
            let what = format!("expected values of at most {VALUE_CHARS} characters, found one of {most}");
            return Err(Failure::invalid("metadata", what));
        }
    }
    // Texts always serialise.
    Ok(serde_json::to_string(members).unwrap_or_else(|_| "{}".to_owned()))
}
