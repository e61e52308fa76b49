//! Messages that an application brings along: from another system, or written by itself.

use super::Message;
use crate::caller::Caller;
use crate::failure::Failure;
use crate::memory::{Appended, Limits, MessageRow, Page, Store, TurnRow};
use crate::turns::answers_a_call;
use crate::{random, title};
use domain::headers::is_id;
use domain::reply::Reply;
use domain::time::Micros;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// How many messages come at once.
const MOST: usize = 1000;
/// What stands between the name of messages and the number of a turn of theirs: nothing that a client can choose has it.
const NEXT: char = '~';

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
    refusal: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tool_calls: Option<&'a RawValue>,
    #[serde(borrow, default)]
    function_call: Option<&'a RawValue>,
    #[serde(borrow, default)]
    audio: Option<&'a RawValue>,
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
    let before = store.thread(caller, thread).await?.ok_or_else(Failure::no_such_thread)?.message_count;
    let count = import.messages.len();
    if !(1..=MOST).contains(&count) {
        return Err(Failure::invalid("messages", format!("expected 1 to {MOST} messages, found {count}")));
    }
    let roles =
        import.messages.iter().enumerate().map(|(at, it)| role(at, it, limits)).collect::<Result<Vec<_>, _>>()?;
    let id = match import.turn_id {
        Some(id) => chosen(id)?,
        None => random::id("turn_")?,
    };
    let texts = import.messages.into_iter().map(|it| Box::<str>::from(it).into());
    let turns = turns(&id, thread, before, roles.into_iter().zip(texts).collect());
    match store.append(caller, thread, &turns, (limits.messages, now)).await? {
        Appended::Stored => (),
        Appended::Known => return known(store, caller, thread, &id).await,
        Appended::Full => return Err(Failure::thread_full(limits.messages)),
        Appended::Gone => return Err(Failure::no_such_thread()),
    }
    Ok(turns.into_iter().flat_map(|it| rows(it, now)).map(Message::from).collect())
}

/// A name that a client chose: one that can stand in a path, as part of the messages' ids.
fn chosen(id: String) -> Result<String, Failure> {
    let what = "expected 1 to 255 letters, digits, `.`, `_`, `:` or `-`";
    if is_id(&id) { Ok(id) } else { Err(Failure::invalid("turn_id", what)) }
}

/// What was stored under a name before.
async fn known(store: &Store, caller: &Caller, thread: &str, id: &str) -> Result<Vec<Message>, Failure> {
    let page = Page { limit: u32::try_from(MOST).unwrap_or(u32::MAX), after: None, ascending: true };
    let of_these = |it: &MessageRow| it.turn.strip_prefix(id).is_some_and(|it| it.is_empty() || it.starts_with(NEXT));
    let (mut rows, mut after) = (Vec::new(), (id.to_owned(), -1));
    while let Some(mut found) = store.messages(caller, thread, Some((&after.0, after.1)), &page).await? {
        let ours = found.rows.iter().take_while(|it| of_these(it)).count();
        let others = ours < found.rows.len();
        found.rows.truncate(ours);
        if let Some(last) = found.rows.last() {
            after = (last.turn.clone(), i64::try_from(last.position).unwrap_or(i64::MAX));
        }
        rows.extend(found.rows.into_iter().map(Message::from));
        if others || !found.more {
            break;
        }
    }
    if rows.is_empty() {
        let message =
            "`turn_id`: messages of another thread, or ones that were deleted, had this name; choose another.";
        return Err(Reply::new(409, "turn_exists", message).about("turn_id").into());
    }
    Ok(rows)
}

/// The turns that messages, each with its role, are stored as in a thread that has so many `before` them. Each begins with
/// what a user said after somebody else had spoken: a history has the newest whole turns that there is room for, and of one
/// turn that is all of a conversation it would have all or nothing.
pub(crate) fn turns<R: AsRef<str>>(id: &str, thread: &str, before: u64, messages: Vec<(R, String)>) -> Vec<TurnRow> {
    let mut turns: Vec<Vec<(R, String)>> = Vec::new();
    for (role, raw) in messages {
        let asks = |it: &(R, String)| it.0.as_ref() == "user";
        match turns.last_mut().filter(|it| role.as_ref() != "user" || it.last().is_some_and(asks)) {
            Some(turn) => turn.push((role, raw)),
            None => turns.push(vec![(role, raw)]),
        }
    }
    let named = |(nth, messages): (usize, _)| match nth {
        // Where there is nothing before, nothing in them belongs to it.
        0 => turn(id.to_owned(), thread, before > 0, messages),
        _ => turn(format!("{id}{NEXT}{nth}"), thread, true, messages),
    };
    turns.into_iter().enumerate().map(named).collect()
}

/// Its messages, as they are read.
pub(crate) fn rows(turn: TurnRow, now: Micros) -> impl Iterator<Item = MessageRow> {
    turn.messages.into_iter().zip(0..).map(move |(raw, position)| MessageRow {
        turn: turn.id.clone(),
        position,
        choice: 0,
        raw,
        complete: true,
        finish_reason: None,
        created_at: now,
    })
}

fn turn<R: AsRef<str>>(id: String, thread: &str, follows: bool, messages: Vec<(R, String)>) -> TurnRow {
    let results_first = follows && messages.first().is_some_and(|(role, _)| answers_a_call(role.as_ref()));
    let answer_at = messages.iter().position(|(role, _)| role.as_ref() == "assistant");
    let messages: Vec<String> = messages.into_iter().map(|(_, raw)| raw).collect();
    TurnRow {
        id,
        thread: Some(thread.to_owned()),
        session: None,
        model: None,
        complete: true,
        finish_reason: None,
        title: title::of(messages.iter().map(String::as_str)),
        results_first,
        answer_at,
        messages,
        alternatives: Vec::new(),
    }
}

/// Whether a message, which an error calls `param`, is small enough.
///
/// # Errors
/// 413 when it is not.
pub(crate) fn fits(param: &str, message: &str, limits: Limits) -> Result<(), Failure> {
    let length = message.len();
    if length <= usize::try_from(limits.message_bytes).unwrap_or(usize::MAX) {
        return Ok(());
    }
    let text = format!("`{param}`: has {length} bytes; a message may have {}.", limits.message_bytes);
    Err(Reply::new(413, "request_too_large", text).about(param).into())
}

/// The role of a message that can be stored.
fn role(at: usize, message: &RawValue, limits: Limits) -> Result<String, Failure> {
    let param = |member: &str| format!("messages[{at}]{member}");
    fits(&param(""), message.get(), limits)?;
    let head: Head<'_> = serde_json::from_str(message.get())
        .map_err(|_| Failure::invalid(&param(""), "expected a chat message: an object with a `role`"))?;
    if !["user", "assistant", "tool", "function"].contains(&head.role.as_ref()) {
        let what = "expected user, assistant, tool or function; instructions belong to the request, not to the thread";
        return Err(Failure::invalid(&param(".role"), what));
    }
    let (content, calls) = (begins(head.content), begins(head.tool_calls));
    if !matches!(content, None | Some(b'"' | b'[')) {
        return Err(Failure::invalid(&param(".content"), "expected a string or an array"));
    }
    if !matches!(calls, None | Some(b'[')) {
        return Err(Failure::invalid(&param(".tool_calls"), "expected an array"));
    }
    // What no provider takes would be in each history from then on.
    if head.tool_calls.is_some_and(|it| it.get().trim_start_matches('[').trim_start() == "]") {
        return Err(Failure::invalid(&param(".tool_calls"), "expected at least one call, found none"));
    }
    let instead = [head.tool_calls, head.refusal, head.function_call, head.audio].into_iter().find_map(begins);
    if content.or(instead.filter(|_| head.role == "assistant")).is_none() {
        return Err(Failure::invalid(&param(".content"), "is missing"));
    }
    Ok(head.role.into_owned())
}

/// What a member begins with, which tells its type; `null` is as good as absent.
fn begins(value: Option<&RawValue>) -> Option<u8> {
    value.filter(|it| it.get() != "null").and_then(|it| it.get().bytes().next())
}
