//! One turn: what is put into its request, what is kept of it, and what is reported.

use crate::answered;
use crate::config::Limits;
use crate::memory::{self, Memory, Whose};
use crate::recognise::recognise;
use crate::room::Held;
use domain::{
    caller::Caller,
    chat::{Body, Edit},
    headers::{self, is_id},
    reply::Reply,
    turn::Answer,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What an open turn takes besides its messages, about: ids, the caller, where it is.
pub const COST: usize = 2048;

/// How many messages a request with memory may have. Three bytes are a message, and take thirty times as much to be looked
/// at.
const MOST_MESSAGES: usize = 65_536;

/// A turn that the companion opened.
#[derive(Debug)]
pub struct Turn {
    id: String,
    caller: Caller,
    memory: Memory,
    limits: Limits,
    /// The companion did not wait long enough for an earlier turn: the history may lack it.
    stale: bool,
    /// The client's new messages, as they came, without instructions.
    input: Vec<Box<RawValue>>,
    held: Held,
}

/// Whose turn is to be opened, and for what.
#[derive(Debug)]
pub struct Wanted {
    /// What the turn is to be called.
    pub id: String,
    /// Who calls.
    pub caller: Caller,
    /// What is asked for.
    pub memory: Memory,
    /// What holds for the caller's project.
    pub limits: Limits,
    /// What it may take of the worker's memory.
    pub held: Held,
}

/// What the companion says of a turn that it opened.
#[derive(Debug, Deserialize)]
struct Opened {
    turn: String,
    #[serde(default)]
    session: Option<String>,
    messages: Vec<Box<RawValue>>,
    #[serde(default)]
    stale: bool,
}

impl Opened {
    fn is_whole(&self) -> bool {
        !self.turn.is_empty() && self.messages.iter().all(|it| it.get().starts_with('{'))
    }
}

#[derive(Deserialize)]
struct Refusal {
    error: Why,
}

#[derive(Deserialize)]
struct Why {
    code: String,
    message: String,
}

#[derive(Serialize)]
struct Report<'a> {
    turn: &'a str,
    #[serde(flatten)]
    whose: Whose<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    complete: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish_reason: Option<&'a str>,
    input: &'a [Box<RawValue>],
    output: Vec<Box<RawValue>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    alternatives: Vec<Alternative>,
}

#[derive(Serialize)]
struct Alternative {
    index: u8,
    message: Box<RawValue>,
    complete: bool,
}

/// Reads the companion's answer: the turn and its history.
///
/// # Errors
/// What was wanted, when the answer opens no turn.
pub fn opened(wanted: Wanted, status: u16, body: &[u8]) -> Result<(Turn, Vec<Box<RawValue>>), Box<Wanted>> {
    let Some(answer) = serde_json::from_slice::<Opened>(body).ok().filter(|it| status == 200 && it.is_whole()) else {
        return Err(Box::new(wanted));
    };
    let made = answer.session.filter(|it| is_id(it));
    if wanted.memory.new_session && made.is_none() {
        return Err(Box::new(wanted));
    }
    let Wanted { caller, mut memory, limits, held, .. } = wanted;
    if memory.new_session {
        memory = Memory { session: made, new_session: false, ..memory };
    }
    let turn = Turn { id: answer.turn, caller, memory, limits, stale: answer.stale, input: Vec::new(), held };
    Ok((turn, answer.messages))
}

/// What the companion refuses for good, in its words: the thread, or the user, has all that it may have. `None` when it
/// says something else.
#[must_use]
pub fn refused(status: u16, body: &[u8]) -> Option<Reply> {
    let Refusal { error } = serde_json::from_slice(body).ok().filter(|_| status == 409)?;
    let code = ["thread_full", "too_many_threads"].into_iter().find(|it| *it == error.code)?;
    Some(Reply::new(409, code, error.message).about(headers::THREAD))
}

/// The body without the member that names the thread, which is nobody else's business; `None` when it has none.
///
/// # Errors
/// A 400 when the body cannot be read in only one way.
pub fn unnamed(body: &[u8]) -> Result<Option<Vec<u8>>, Reply> {
    if !memory::may_name(body) {
        return Ok(None);
    }
    let body = Body::parse(body)?;
    Ok(body.remove_member(memory::MEMBER).map(|edit| body.apply([edit])))
}

impl Wanted {
    /// The question that opens the turn, as JSON.
    #[must_use]
    pub fn question(&self, request_id: Option<&str>) -> Vec<u8> {
        self.memory.question(&self.id, &self.caller, self.limits, request_id)
    }

    /// The report that nothing comes of it, as JSON. The companion may have opened the turn or be about to, and would tell
    /// everybody that it is missing.
    #[must_use]
    pub fn withdrawal(&self) -> Vec<u8> {
        let memory = Memory::default();
        report(&Report::of(&self.id, memory.of(&self.caller, self.limits)))
    }
}

impl Turn {
    /// Whether there is room for this turn and `more` bytes; it has them from now on.
    pub fn fits(&mut self, more: usize) -> bool {
        let input = self.input.iter().map(|it| it.get().len()).fold(COST, usize::saturating_add);
        self.held.resize(input.saturating_add(more))
    }

    /// Keeps the new messages of `body` and puts `history` before the client's own, as far as those do not begin
    /// with it; the new body, unless it stays as it is. `member` says whether the body may name the thread.
    ///
    /// # Errors
    /// A 400 when the body cannot be read in only one way or names another thread, a 413 when it brings more than
    /// `limit` bytes of new messages or very many messages.
    pub fn begin(
        &mut self,
        body: &[u8],
        history: &[Box<RawValue>],
        limit: usize,
        member: bool,
    ) -> Result<Option<Vec<u8>>, Reply> {
        let body = Body::parse(body)?;
        let mut edits: Vec<Edit> = Vec::new();
        if member {
            self.memory.clone().and_thread(memory::named(&body)?)?;
            edits.extend(body.remove_member(memory::MEMBER));
        }
        if body.raw_messages().count() > MOST_MESSAGES {
            let what = format!("`messages` holds more than {MOST_MESSAGES}, as many as are looked at with memory");
            return Err(Reply::new(413, "request_too_large", what).about("messages"));
        }
        let messages = body.messages()?;
        let said: Vec<&str> = messages.iter().filter(|it| !it.instructs()).map(|it| it.raw).collect();
        let history: Vec<&RawValue> = history.iter().map(AsRef::as_ref).collect();
        let texts: Vec<&str> = history.iter().map(|it| it.get()).collect();
        let mut found = recognise(&texts, &said);
        // If nothing is known, no message of the client's is the history's last call either.
        let kept = if found.known == 0 { answered::kept(&texts, &said) } else { texts.len() };
        if kept < texts.len() {
            found = recognise(texts.get(..kept).unwrap_or_default(), &said);
        }
        let new = said.get(found.known..).unwrap_or_default();
        let bytes = new.iter().fold(0_usize, |sum, it| sum.saturating_add(it.len()));
        if bytes > limit {
            return Err(Reply::new(
                413,
                "request_too_large",
                format!("the new messages have {bytes} bytes; a thread takes {limit} at once"),
            )
            .about("messages"));
        }
        // What `Body` found is valid JSON.
        self.input = new.iter().filter_map(|it| RawValue::from_string((*it).to_owned()).ok()).collect();
        edits.extend(body.insert_after_system(history.get(..found.insert).unwrap_or_default())?);
        Ok((!edits.is_empty()).then(|| body.apply(edits)))
    }

    /// Without what was new in it: nothing of it is to be stored.
    #[must_use]
    pub fn forgotten(self) -> Self {
        Self { input: Vec::new(), ..self }
    }

    /// The headers that tell the client which memory this was.
    pub fn response_headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let stale = self.stale.then_some("stale");
        [
            (headers::SESSION, self.memory.session.as_deref()),
            (headers::THREAD, self.memory.thread.as_deref()),
            (headers::MEMORY, stale),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
    }

    /// The report of this turn, as JSON. Without a message of the assistant's it stores nothing, unless the project keeps
    /// what was not answered, and only closes the turn, so that the next request on the thread does not wait for it.
    #[must_use]
    pub fn report(&self, answer: &Answer) -> Vec<u8> {
        let raw = |it: &String| RawValue::from_string(it.clone()).ok();
        let output: Vec<Box<RawValue>> = answer.message.as_ref().and_then(raw).into_iter().collect();
        let alternatives =
            answer.alternatives.iter().filter(|_| !output.is_empty()).filter_map(|it| {
                Some(Alternative { index: it.index, message: raw(&it.message)?, complete: it.complete })
            });
        report(&Report {
            model: answer.model.as_deref(),
            complete: answer.complete,
            finish_reason: answer.finish_reason.as_deref(),
            input: if output.is_empty() && !self.limits.keep_unanswered { &[] } else { &self.input },
            alternatives: alternatives.collect(),
            output,
            ..Report::of(&self.id, self.memory.of(&self.caller, self.limits))
        })
    }
}

impl<'a> Report<'a> {
    /// That of a turn in which nothing was said.
    fn of(turn: &'a str, whose: Whose<'a>) -> Self {
        Self {
            turn,
            whose,
            model: None,
            complete: false,
            finish_reason: None,
            input: &[],
            output: Vec::new(),
            alternatives: Vec::new(),
        }
    }
}

fn report(it: &Report<'_>) -> Vec<u8> {
    // Strings and raw JSON always serialise.
    serde_json::to_vec(it).unwrap_or_default()
}

#[cfg(test)]
mod tests;
