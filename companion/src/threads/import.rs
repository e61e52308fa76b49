//! Messages that an application brings along: from another system, or written by itself.

use super::{Message, message_id};
use crate::caller::Caller;
use crate::failure::Failure;
use crate::memory::{Limits, Store, TurnRow};
use crate::names::Name;
use crate::turns::answers_a_call;
use crate::{random, title};
use domain::reply::Reply;
use domain::time::Micros;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// How many messages come at once.
const MOST: usize = 1000;

/// Messages for a thread.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "MessageImport"))]
pub(crate) struct Import {
    /// Chat messages of users, assistants and tools, oldest first; 1 to 1000.
    #[cfg_attr(test, schemars(with = "Vec<super::ChatMessage>"))]
    messages: Vec<Box<RawValue>>,
    /// A name for these messages together: sent twice under one name, they are stored once.
    #[serde(default)]
    turn_id: Option<String>,
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tool_calls: Option<&'a RawValue>,
}

/// Stores messages at the end of one of the caller's threads, all or none, and gives them back with their ids.
///
/// # Errors
/// 400 for a wrong message, 404 when the caller has no such thread, 409 when it is full, 413 when a message is too large,
/// 503 when the database does not answer.
pub(crate) async fn import(
    store: &Store,
    caller: &Caller,
    thread: &str,
    import: Import,
    limits: Limits,
    now: Micros,
) -> Result<Vec<Message>, Failure> {
    let row = store.thread(caller, thread).await?.ok_or_else(Failure::no_such_thread)?;
    let count = import.messages.len();
    if !(1..=MOST).contains(&count) {
        return Err(Failure::invalid("messages", format!("expected 1 to {MOST} messages, found {count}")));
    }
    let after = row.message_count.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
    if after > u64::from(limits.messages) {
        return Err(Failure::thread_full(limits.messages));
    }
    let roles =
        import.messages.iter().enumerate().map(|(at, it)| role(at, it, limits)).collect::<Result<Vec<_>, _>>()?;
    let id = match import.turn_id {
        Some(id) => Name::try_from(id).map_err(|it| Failure::name("turn_id", &it))?.as_str().to_owned(),
        None => random::id("turn_")?,
    };
    let messages: Vec<String> = import.messages.into_iter().map(|it| Box::<str>::from(it).into()).collect();
    let turn = TurnRow {
        id: id.clone(),
        thread: Some(thread.to_owned()),
        session: None,
        model: None,
        complete: true,
        finish_reason: None,
        title: title::of(messages.iter().map(String::as_str)),
        results_first: roles.first().is_some_and(|it| answers_a_call(it)),
        answered: roles.iter().any(|it| it == "assistant"),
        messages: messages.clone(),
    };
    store.add_turns(&[(caller.clone(), turn)], now).await?;
    let shown = messages.iter().zip(0..).map(|(raw, position)| Message {
        id: message_id(&id, position),
        created_at: now.seconds(),
        turn: id.clone(),
        complete: true,
        said: serde_json::from_str(raw).unwrap_or_default(),
    });
    Ok(shown.collect())
}

/// The role of a message that can be stored.
fn role(at: usize, message: &RawValue, limits: Limits) -> Result<String, Failure> {
    let param = |member: &str| format!("messages[{at}]{member}");
    let length = message.get().len();
    if length > usize::try_from(limits.message_bytes).unwrap_or(usize::MAX) {
        let text = format!("`{}`: has {length} bytes; a message may have {}.", param(""), limits.message_bytes);
        return Err(Reply::new(413, "request_too_large", text).about(param("")).into());
    }
    let head: Head<'_> = serde_json::from_str(message.get())
        .map_err(|_| Failure::invalid(&param(""), "expected a chat message: an object with a `role`"))?;
    if !["user", "assistant", "tool", "function"].contains(&head.role.as_ref()) {
        let what = "expected user, assistant, tool or function; instructions belong to the request, not to the thread";
        return Err(Failure::invalid(&param(".role"), what));
    }
    let said = |it: Option<&RawValue>| it.is_some_and(|it| it.get() != "null");
    if !said(head.content) && !said(head.tool_calls) {
        return Err(Failure::invalid(&param(".content"), "is missing"));
    }
    Ok(head.role.into_owned())
}
