//! The same threads in the shape of `OpenAI`'s Conversations API, so that its SDKs list and read them. A conversation's id
//! is its thread's; what it consists of is made of the messages when it is asked for, and nothing is stored for it.
//!
//! It keeps what a chat message can say. An item that would lose something is refused.

mod incoming;
pub(crate) mod item;
mod members;
#[cfg(test)]
mod tests;

use crate::caller::Caller;
use crate::failure::Failure;
use crate::memory::{Appended, Edit, Limits, MessageRow, Page, Store, ThreadRow};
use crate::random;
use crate::threads::{change, import};
use domain::reply::Reply;
use domain::time::Micros;
use incoming::Chat;
use item::Item;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// What may be asked for beside an item. All that a thread keeps of it is in the item anyhow.
pub(crate) const INCLUDABLE: [&str; 8] = [
    "code_interpreter_call.outputs",
    "computer_call_output.output.image_url",
    "file_search_call.results",
    "message.input_image.image_url",
    "message.output_text.logprobs",
    "reasoning.encrypted_content",
    "web_search_call.action.sources",
    "web_search_call.results",
];

/// A conversation. Times are seconds since 1970.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Conversation {
    id: String,
    object: &'static str,
    created_at: u64,
    /// Up to 16 texts by name.
    #[cfg_attr(test, schemars(with = "BTreeMap<String, String>"))]
    metadata: Box<RawValue>,
}

/// A conversation that is gone.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Deleted {
    id: String,
    object: &'static str,
    deleted: bool,
}

/// One page of a list, as `OpenAI` writes it; `first_id` and `last_id` are empty when the page is.
#[derive(Debug, Serialize)]
pub(crate) struct Listed<T> {
    object: &'static str,
    data: Vec<T>,
    first_id: String,
    last_id: String,
    has_more: bool,
}

/// A conversation that is to be made.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "ConversationRequest"))]
pub(crate) struct Making {
    /// Its id, which a header `x-thread-id` can name; a new one unless told. Not in `OpenAI`'s API.
    #[serde(default)]
    id: Option<String>,
    /// What it begins with, up to 20 items.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<Vec<ConversationItem>>"))]
    items: Option<Vec<Box<RawValue>>>,
    /// Up to 16 texts by name.
    #[serde(default)]
    metadata: Option<BTreeMap<String, String>>,
}

/// What is to be changed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "ConversationChange"))]
pub(crate) struct Change {
    /// All of its metadata; `null` takes them away.
    #[serde(deserialize_with = "told")]
    #[cfg_attr(test, schemars(required))]
    metadata: Option<BTreeMap<String, String>>,
}

/// A member that must be there, if only as `null`.
fn told<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    T::deserialize(from)
}

/// Items for a conversation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "ConversationItems"))]
pub(crate) struct Adding {
    /// Up to 20 items: messages, calls of tools and their results.
    #[cfg_attr(test, schemars(with = "Vec<ConversationItem>"))]
    items: Vec<Box<RawValue>>,
}

/// One page of the caller's conversations.
///
/// # Errors
/// 400 when the page begins after an unknown one, 503 when the database does not answer.
pub(crate) async fn list(store: &Store, caller: &Caller, page: &Page) -> Result<Listed<Conversation>, Failure> {
    let found = store.threads(caller, &page.one_more()).await?;
    let rows = found.ok_or_else(|| Failure::invalid("after", "expected the id of one of your conversations"))?;
    Ok(Listed::new(rows.into_iter().map(Conversation::from).collect(), page.limit, |it| &it.id))
}

/// One of the caller's conversations.
///
/// # Errors
/// 404 when they have none of this id, 503 when the database does not answer.
pub(crate) async fn get(store: &Store, caller: &Caller, id: &str) -> Result<Conversation, Failure> {
    row(store, caller, id).await.map(Conversation::from)
}

/// Makes a conversation with what it begins with: both or neither.
///
/// # Errors
/// 400 for a wrong member or item, 409 when there is one of this id or one too many, 413 when an item is too large, 503
/// when the database does not answer.
pub(crate) async fn make(
    store: &Store,
    caller: &Caller,
    making: Making,
    limits: Limits,
    now: Micros,
) -> Result<Conversation, Failure> {
    let id = match making.id {
        Some(id) => change::chosen(id)?,
        None => random::id("conv_")?,
    };
    let metadata = change::metadata(&making.metadata.unwrap_or_default())?;
    let items = making.items.filter(|it| !it.is_empty());
    let turns = match items.map(|it| chats(&it, limits)).transpose()? {
        Some(chats) => import::turns(&random::id("turn_")?, &id, 0, said(chats)),
        None => Vec::new(),
    };
    let title = turns.iter().find_map(|it| it.title.clone());
    let row = ThreadRow { id, title, metadata, message_count: 0, created_at: now, updated_at: now };
    change::stored(store, caller, &row, &turns, limits).await.map(Conversation::from)
}

/// Changes a conversation's metadata.
///
/// # Errors
/// 400 for a wrong member, 404 when the caller has none of this id, 503 when the database does not answer.
pub(crate) async fn change(store: &Store, caller: &Caller, id: &str, change: Change) -> Result<Conversation, Failure> {
    let metadata = change::metadata(&change.metadata.unwrap_or_default())?;
    let row = store.change_thread(caller, id, None, Some(&metadata)).await?;
    row.map(Conversation::from).ok_or_else(no_such_conversation)
}

/// What is said of a conversation that is gone.
#[must_use]
pub(crate) fn deleted(id: String) -> Deleted {
    Deleted { id, object: "conversation.deleted", deleted: true }
}

/// One page of a conversation's items.
///
/// # Errors
/// 404 when the caller has no such conversation, 400 when the page begins after an unknown item, 503 when the database
/// does not answer.
pub(crate) async fn items(store: &Store, caller: &Caller, id: &str, page: &Page) -> Result<Listed<Item>, Failure> {
    row(store, caller, id).await?;
    let unknown = || Failure::invalid("after", "expected the id of an item of this conversation");
    let place = page.after.as_deref().map(|it| item::place(it).ok_or_else(unknown)).transpose()?;
    // The message that the item is of is read again: more of it may follow.
    let step = if page.ascending { -1 } else { 1 };
    let start = place.map(|(turn, position)| (turn, position.saturating_add(step)));
    // Each message is an item at least.
    let rows = Page { limit: page.limit.saturating_add(2), ..page.clone() };
    let found = store.spoken(caller, id, start, &rows).await?.ok_or_else(unknown)?;
    let mut items = Vec::new();
    for row in &found.rows {
        let mut of_row = item::of(row);
        if !page.ascending {
            of_row.reverse();
        }
        let before = page.after.as_deref().filter(|_| place == Some((row.turn.as_str(), position(row))));
        if let Some(before) = before {
            let at = of_row.iter().position(|it| it.id() == before).ok_or_else(unknown)?;
            of_row.drain(..=at);
        }
        items.append(&mut of_row);
    }
    let mut list = Listed::new(items, page.limit, Item::id);
    list.has_more |= found.more;
    Ok(list)
}

/// One item of a conversation.
///
/// # Errors
/// 404 when the caller has no such conversation or it no such item, 503 when the database does not answer.
pub(crate) async fn item(store: &Store, caller: &Caller, id: &str, item: &str) -> Result<Item, Failure> {
    row(store, caller, id).await?;
    let (turn, place) = item::place(item).ok_or_else(no_such_item)?;
    let page = Page { limit: 1, after: None, ascending: true };
    let found = store.spoken(caller, id, Some((turn, place.saturating_sub(1))), &page).await?;
    let mut items = found.iter().flat_map(|it| &it.rows).flat_map(item::of);
    items.find(|it| it.id() == item).ok_or_else(no_such_item)
}

/// Stores items at the end of a conversation, all or none, and gives them back.
///
/// # Errors
/// 400 for an item that cannot be kept, 404 when the caller has no such conversation, 409 when it is full, 413 when an item
/// is too large, 503 when the database does not answer.
pub(crate) async fn add(
    store: &Store,
    caller: &Caller,
    id: &str,
    adding: Adding,
    limits: Limits,
    now: Micros,
) -> Result<Listed<Item>, Failure> {
    let before = row(store, caller, id).await?.message_count;
    let turns = import::turns(&random::id("turn_")?, id, before, said(chats(&adding.items, limits)?));
    match store.append(caller, id, &turns, (limits.messages, now)).await? {
        // Its id is new.
        Appended::Stored | Appended::Known => (),
        Appended::Full => return Err(Failure::thread_full(limits.messages)),
        Appended::Gone => return Err(no_such_conversation()),
    }
    let rows = turns.into_iter().flat_map(|it| import::rows(it, now));
    let items: Vec<Item> = rows.flat_map(|it| item::of(&it)).collect();
    Ok(Listed::new(items, u32::MAX, Item::id))
}

/// Deletes one item of a conversation, for good, and gives the conversation back. What else its message says stays.
///
/// # Errors
/// 404 when the caller has no such conversation or it no such item, 503 when the database does not answer.
pub(crate) async fn delete_item(store: &Store, caller: &Caller, id: &str, item: &str) -> Result<Conversation, Failure> {
    let conversation = row(store, caller, id).await?;
    let (turn, place) = item::place(item).ok_or_else(no_such_item)?;
    let done = store.edit_message(caller, id, (turn, place), |row| without(row, item)).await?;
    if done { Ok(conversation.into()) } else { Err(no_such_item()) }
}

/// The message without one of its items.
fn without(row: &MessageRow, item: &str) -> Edit {
    if row.choice > 0 {
        return Edit::Keep;
    }
    let items = item::of(row);
    match items.iter().position(|it| it.id() == item) {
        None => Edit::Keep,
        Some(_) if items.len() == 1 => Edit::Delete,
        // What was read as items can be read as an object.
        Some(_) => item::without(row, item).map_or(Edit::Keep, Edit::Replace),
    }
}

/// The chat messages of items, if a thread may have so many, and each so long.
fn chats(items: &[Box<RawValue>], limits: Limits) -> Result<Vec<Chat>, Failure> {
    let chats = incoming::messages(items)?;
    if u64::try_from(chats.len()).unwrap_or(u64::MAX) > u64::from(limits.messages) {
        return Err(Failure::thread_full(limits.messages));
    }
    for chat in &chats {
        import::fits(&format!("items[{}]", chat.at), &chat.raw, limits)?;
    }
    Ok(chats)
}

fn said(chats: Vec<Chat>) -> Vec<(&'static str, String)> {
    chats.into_iter().map(|it| (it.role, it.raw)).collect()
}

fn position(row: &MessageRow) -> i64 {
    i64::try_from(row.position).unwrap_or(i64::MAX)
}

async fn row(store: &Store, caller: &Caller, id: &str) -> Result<ThreadRow, Failure> {
    store.thread(caller, id).await?.ok_or_else(no_such_conversation)
}

/// A 404 for a conversation that the caller does not have; whether somebody else has it is not told.
#[must_use]
pub(crate) fn no_such_conversation() -> Failure {
    let message = "You have no conversation with this id.";
    Failure(Reply::new(404, "conversation_not_found", message).about("conversation_id"))
}

/// A 404 for an item that the conversation does not have.
#[must_use]
pub(crate) fn no_such_item() -> Failure {
    Failure(Reply::new(404, "item_not_found", "The conversation has no item with this id.").about("item_id"))
}

/// An item, as `OpenAI` describes it.
#[cfg(test)]
#[derive(schemars::JsonSchema)]
#[schemars(transparent, inline)]
#[expect(dead_code, reason = "only its schema is asked for")]
struct ConversationItem(serde_json::Map<String, serde_json::Value>);

impl<T> Listed<T> {
    fn new(mut data: Vec<T>, limit: u32, id: impl Fn(&T) -> &str) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = data.len() > limit;
        data.truncate(limit);
        let named = |it: Option<&T>| it.map(|it| id(it).to_owned()).unwrap_or_default();
        let (first_id, last_id) = (named(data.first()), named(data.last()));
        Self { object: "list", data, first_id, last_id, has_more }
    }
}

impl From<ThreadRow> for Conversation {
    fn from(row: ThreadRow) -> Self {
        Self {
            id: row.id,
            object: "conversation",
            created_at: row.created_at.seconds(),
            // It was written as JSON.
            metadata: RawValue::from_string(row.metadata).unwrap_or_default(),
        }
    }
}
