//! Finding a thread by words.

use super::{Message, Thread};
use crate::caller::Caller;
use crate::failure::Failure;
use crate::memory::Store;
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The longest question, in characters.
const MOST_CHARS: usize = 256;

/// What was found, newest match first.
#[derive(Debug, Serialize)]
pub(crate) struct Found {
    object: &'static str,
    data: Vec<Match>,
    /// Whether all that the caller ever said was looked at; a search reads the newest 20000 messages.
    complete: bool,
}

/// A thread with the words in it.
#[derive(Debug, Serialize)]
struct Match {
    object: &'static str,
    thread: Thread,
    /// The newest message that has them; `null` when the title does.
    message: Option<Message>,
}

/// The caller's threads in whose title or messages every word of `question` stands, whatever its case.
///
/// # Errors
/// 400 when there is no word in it, 503 when the database does not answer.
pub(crate) async fn search(store: &Store, caller: &Caller, question: &str, limit: u32) -> Result<Found, Failure> {
    let words: Vec<String> = question.split_whitespace().map(str::to_lowercase).collect();
    if words.is_empty() || question.chars().count() > MOST_CHARS {
        return Err(Failure::invalid("q", format!("expected 1 to {MOST_CHARS} characters with a word among them")));
    }
    let has = |text: &str| {
        let text = text.to_lowercase();
        words.iter().all(|word| text.contains(word))
    };
    let holds = |text: &str| texts(text).iter().any(|it| has(it));
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let (hits, complete) = store.search(caller, holds, limit).await?;
    let data = hits.into_iter().map(|hit| Match {
        object: "thread.match",
        thread: hit.thread.into(),
        message: hit.message.map(Message::from),
    });
    Ok(Found { object: "list", data: data.collect(), complete })
}

/// What a message says, in words; a title, which is no JSON, says itself.
pub(crate) fn texts(text: &str) -> Vec<String> {
    #[derive(serde::Deserialize)]
    struct Part {
        #[serde(default)]
        text: Option<String>,
    }
    let Ok(message) = serde_json::from_str::<BTreeMap<String, Box<RawValue>>>(text) else {
        return vec![text.to_owned()];
    };
    let Some(content) = message.get("content") else { return Vec::new() };
    if let Ok(text) = serde_json::from_str::<String>(content.get()) {
        return vec![text];
    }
    let parts: Vec<Part> = serde_json::from_str(content.get()).unwrap_or_default();
    parts.into_iter().filter_map(|it| it.text).collect()
}

/// Whose a message is.
pub(crate) fn role(text: &str) -> Option<String> {
    let message: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text).ok()?;
    message.get("role").and_then(|it| serde_json::from_str(it.get()).ok())
}
