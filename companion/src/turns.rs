//! Turns: a gateway opens one and gets what came before, and reports it when it is finished.

use crate::caller::Caller;
use crate::failure::Failure;
use crate::memory::{Alternative, Asked, Beginning, Bounds, Filled, Limits, Running, Store, TurnRow};
use crate::names::Name;
use crate::open_turns::OpenTurns;
use crate::random;
use crate::title;
use crate::titles::Titles;
use domain::time::Micros;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::Duration;

/// How long a session lives on without another turn, unless the gateway says otherwise: a day.
const SESSION_SECONDS: u64 = 24 * 60 * 60;

/// A turn that begins.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Opening {
    /// What the turn is to be called, so that its gateway can close it also when it does not hear the answer; the companion
    /// names it where this is absent.
    #[serde(default)]
    turn: Option<String>,
    /// The project.
    project: String,
    /// The end user.
    user: String,
    /// The session that the turn belongs to.
    #[serde(default)]
    session: Option<String>,
    /// Whether a session is to be made, where none is named.
    #[serde(default)]
    new_session: bool,
    /// The thread that the turn belongs to.
    #[serde(default)]
    thread: Option<String>,
    /// For how many seconds without another turn the session lives on, 60 to 31536000; 86400 unless told.
    #[serde(default)]
    session_ttl_seconds: Option<u64>,
    /// How many turns of what came before are wanted at most; 1000 unless told.
    #[serde(default)]
    max_turns: Option<u32>,
    /// How many tokens of it, as they are estimated.
    #[serde(default)]
    max_tokens: Option<u32>,
    /// The gateway's id of the request, for the log.
    #[serde(default)]
    request_id: Option<String>,
}

/// An opened turn.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Opened {
    /// The turn's id, to be reported with it.
    turn: String,
    /// The session that was made for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    /// The messages before it, oldest first, byte for byte.
    #[cfg_attr(test, schemars(with = "Vec<ChatMessage>"))]
    messages: Vec<Box<RawValue>>,
    /// An earlier turn is still under way, so that its messages are missing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stale: bool,
}

/// Finished turns.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Report {
    /// In the order in which they finished.
    turns: Vec<Finished>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Turn"))]
struct Finished {
    /// Its id, as opened.
    turn: String,
    /// The project.
    project: String,
    /// The end user.
    user: String,
    /// The session that the turn belongs to.
    #[serde(default)]
    session: Option<String>,
    /// The thread that the turn belongs to.
    #[serde(default)]
    thread: Option<String>,
    /// For how many seconds without another turn the session lives on, as it was opened.
    #[serde(default)]
    session_ttl_seconds: Option<u64>,
    /// The model that answered.
    #[serde(default)]
    model: Option<String>,
    /// Whether the answer came to its end.
    complete: bool,
    /// Why it ended, in the provider's words.
    #[serde(default)]
    finish_reason: Option<String>,
    /// What the client sent.
    #[cfg_attr(test, schemars(with = "Vec<ChatMessage>"))]
    input: Vec<Box<RawValue>>,
    /// What was answered, as far as it came.
    #[cfg_attr(test, schemars(with = "Vec<ChatMessage>"))]
    output: Vec<Box<RawValue>>,
    /// Further answers to the same question, which are kept and never in the history; at most 127.
    #[serde(default)]
    alternatives: Vec<Choice>,
}

/// One of several answers, not the first.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Alternative"))]
struct Choice {
    /// Its place among the answers, 1 to 127.
    index: u8,
    /// The answer.
    #[cfg_attr(test, schemars(with = "ChatMessage"))]
    message: Box<RawValue>,
    /// Whether it came to its end.
    complete: bool,
}

/// A chat message: an object, kept as the text that came.
#[cfg(test)]
#[derive(schemars::JsonSchema)]
#[schemars(transparent)]
#[expect(dead_code, reason = "only its schema is asked for")]
struct ChatMessage(serde_json::Map<String, serde_json::Value>);

/// What was stored.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Stored {
    /// How many turns were new.
    stored: u64,
}

/// Opens a turn, once the earlier turns of its memory arrived or `wait` has passed, and gives back
/// what came before.
///
/// # Errors
/// 400 for names that are none, 409 when the thread is full or one too many, 503 when the database does not answer.
pub(crate) async fn open(
    store: &Store,
    turns: &OpenTurns,
    limits: Limits,
    wait: Duration,
    now: Micros,
    input: Opening,
) -> Result<Opened, Failure> {
    let caller = caller("", input.project, input.user)?;
    let thread = optional_name("thread", input.thread)?;
    let named = optional_name("session", input.session)?;
    let made = if input.new_session && named.is_none() { Some(random::id("sess_")?) } else { None };
    let session = named.or_else(|| made.clone());
    let lifetime = lifetime("", input.session_ttl_seconds)?;
    let request = optional_name("request_id", input.request_id)?;
    if thread.is_none() && session.is_none() {
        return Err(Failure::invalid("thread", "expected a `thread`, a `session` or both, found neither"));
    }
    let turn = optional_name("turn", input.turn)?.map_or_else(|| random::id("turn_"), Ok)?;
    let session = session.map(|it| (it, lifetime));
    let id = turn.clone();
    let beginning = Beginning { caller: caller.clone(), id, thread: thread.clone(), session: session.clone(), at: now };
    let place = turns.open(beginning).await?;
    let stale = !place.wait(wait).await?;
    let whole = Bounds::default();
    let bounds = Bounds {
        turns: input.max_turns.map_or(whole.turns, i64::from),
        tokens: input.max_tokens.map_or(whole.tokens, i64::from),
    };
    let session = session.map(|(id, lifetime)| Running { id, since: place.since(), lifetime });
    let (raw, filled) = store.history(&caller, &Asked { thread, session }, bounds).await?;
    filled.map_or(Ok(()), |it| has_room(it, limits))?;
    let messages = raw.into_iter().map(RawValue::from_string).collect::<Result<Vec<_>, _>>().map_err(|_| corrupt())?;
    place.keep();
    let request = request.as_deref().unwrap_or_default();
    tracing::debug!(turn, request, stale, messages = messages.len(), "opened a turn");
    Ok(Opened { turn, session: made, messages, stale })
}

/// Stores finished turns, then lets those go on that wait for them. A turn without messages is only
/// closed.
///
/// # Errors
/// 400 for a wrong turn, and then none is stored; 503 when the database does not answer.
pub(crate) async fn record(turns: &OpenTurns, titles: &Titles, now: Micros, report: Report) -> Result<Stored, Failure> {
    let rows = report.turns.into_iter().enumerate().map(|(index, turn)| row(&format!("turns[{index}]."), turn));
    let rows = Arc::new(rows.collect::<Result<Vec<_>, _>>()?);
    let stored = if rows.is_empty() { 0 } else { turns.record(rows.clone(), now).await? };
    let said = rows.iter().filter(|(_, row)| !row.messages.is_empty());
    said.for_each(|(caller, turn)| titles.offer(caller, turn));
    Ok(Stored { stored })
}

fn row(at: &str, turn: Finished) -> Result<(Caller, TurnRow), Failure> {
    let caller = caller(at, turn.project, turn.user)?;
    let id = name(&format!("{at}turn"), turn.turn)?.as_str().to_owned();
    let thread = optional_name(&format!("{at}thread"), turn.thread)?;
    let session = optional_name(&format!("{at}session"), turn.session)?;
    for (part, messages) in [("input", &turn.input), ("output", &turn.output)] {
        if let Some(wrong) = messages.iter().position(|it| !it.get().starts_with('{')) {
            return Err(Failure::invalid(&format!("{at}{part}[{wrong}]"), "expected a message, which is an object"));
        }
    }
    let alternatives = turn.alternatives.into_iter().enumerate().map(|(place, it)| alternative(at, place, it));
    let alternatives = alternatives.collect::<Result<Vec<_>, _>>()?;
    let lifetime = lifetime(at, turn.session_ttl_seconds)?;
    let title = title::of(turn.input.iter().map(|it| it.get()));
    let answer_at = (!turn.output.is_empty()).then_some(turn.input.len());
    let results_first = turn.input.first().is_some_and(|it| is_result(it));
    let messages: Vec<String> =
        turn.input.into_iter().chain(turn.output).map(|it| Box::<str>::from(it).into()).collect();
    if !messages.is_empty() && thread.is_none() && session.is_none() {
        let what = "expected a `thread`, a `session` or both, found neither";
        return Err(Failure::invalid(&format!("{at}thread"), what));
    }
    // PostgreSQL takes no NUL in a text, and what a provider says must not keep its turn from being stored.
    let shown = |it: Option<String>| it.map(|it| it.replace('\0', "\u{fffd}"));
    let (model, complete, finish_reason) = (shown(turn.model), turn.complete, shown(turn.finish_reason));
    let session = session.map(|it| (it, lifetime));
    let row = TurnRow {
        id,
        thread,
        session,
        model,
        complete,
        finish_reason,
        title,
        messages,
        alternatives,
        answer_at,
        results_first,
    };
    Ok((caller, row))
}

fn alternative(at: &str, place: usize, it: Choice) -> Result<Alternative, Failure> {
    let wrong = |member: &str, what| Failure::invalid(&format!("{at}alternatives[{place}].{member}"), what);
    if !it.message.get().starts_with('{') {
        return Err(wrong("message", "expected a message, which is an object"));
    }
    // It tells the answers of one turn apart, of which 0 is the history's.
    if !(1..=127).contains(&it.index) || place >= 127 {
        return Err(wrong("index", "expected 1 to 127"));
    }
    Ok(Alternative { choice: i64::from(it.index), complete: it.complete, raw: Box::<str>::from(it.message).into() })
}

/// Whether the thread takes one turn more.
fn has_room(thread: Filled, limits: Limits) -> Result<(), Failure> {
    match thread {
        Filled::Begun { messages } if messages >= u64::from(limits.messages) => {
            Err(Failure::thread_full(limits.messages))
        }
        Filled::New { others } if others >= u64::from(limits.threads) => Err(Failure::too_many_threads(limits.threads)),
        _ => Ok(()),
    }
}

/// A session's life is told by the gateway that opens it.
fn lifetime(at: &str, seconds: Option<u64>) -> Result<Duration, Failure> {
    let seconds = seconds.unwrap_or(SESSION_SECONDS);
    let param = format!("{at}session_ttl_seconds");
    let wrong = || Failure::invalid(&param, format!("expected 60 to 31536000 seconds, found {seconds}"));
    (60..=31_536_000).contains(&seconds).then(|| Duration::from_secs(seconds)).ok_or_else(wrong)
}

/// Whether a message is what a tool answered.
fn is_result(message: &RawValue) -> bool {
    #[derive(Deserialize)]
    struct Role<'a> {
        #[serde(borrow, default)]
        role: std::borrow::Cow<'a, str>,
    }
    serde_json::from_str::<Role<'_>>(message.get()).is_ok_and(|it| answers_a_call(&it.role))
}

/// Whether what this role says answers a call of the turn before.
pub(crate) fn answers_a_call(role: &str) -> bool {
    role == "tool" || role == "function"
}

fn caller(at: &str, project: String, user: String) -> Result<Caller, Failure> {
    Ok(Caller { project: name(&format!("{at}project"), project)?, user: name(&format!("{at}user"), user)? })
}

fn name(param: &str, text: String) -> Result<Name, Failure> {
    Name::try_from(text).map_err(|it| Failure::name(param, &it))
}

fn optional_name(param: &str, text: Option<String>) -> Result<Option<String>, Failure> {
    text.map(|it| name(param, it).map(|it| it.as_str().to_owned())).transpose()
}

fn corrupt() -> Failure {
    tracing::error!("a stored message is no JSON");
    domain::reply::Reply::new(
        500,
        "internal_error",
        "The stored history cannot be read; the companion's log says more.",
    )
    .into()
}
