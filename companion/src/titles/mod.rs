//! Better titles, if the operator names a model: when the first turn of a thread is stored, the model is asked once what
//! the thread is about, behind everybody's back. Whatever goes wrong, the title stays that the thread has anyhow, the
//! beginning of what its user said.
//!
//! It never holds up a turn: what is to be asked waits in bounded queues, in memory only, and what does not fit is left
//! out. It never takes a title away that somebody chose.

mod model;

pub(crate) use model::KEY_VARIABLE;
pub use model::TitleModel;

use crate::caller::Caller;
use crate::events;
use crate::memory::{MessageRow, Page, Store, TurnRow};
use crate::metrics::{Count, Metrics};
use crate::threads::search;
use model::{Model, NoTitle};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinSet;

/// Turns that are to be looked at; a look takes a question to the database.
const LOOKS: usize = 1024;
/// Threads that wait to be asked about.
const ASKS: usize = 256;
/// Threads that are asked about at a time.
const AT_ONCE: usize = 4;
/// How often the model is asked about one thread.
const ATTEMPTS: u32 = 3;
/// The pause before the second attempt, as a part of the time that an attempt may take; doubled before the third.
const PAUSE: u32 = 10;
/// How much of a thread the model is shown, in characters: of the question, and of the answer.
const SHOWN: (usize, usize) = (2000, 1000);
/// How many messages of the first turn are read.
const READ: u32 = 16;

/// Where turns are offered that may want a title; without a model, nowhere.
#[derive(Debug, Clone, Default)]
pub(crate) struct Titles(Option<(Sender<Job>, Metrics)>);

/// The tasks that look and ask. Dropped, they stop; what waits is left out.
#[derive(Debug, Default)]
pub(crate) struct Titler {
    /// Kept because dropping them ends them.
    _tasks: JoinSet<()>,
}

/// A turn that may be the first of its thread.
#[derive(Debug)]
struct Job {
    caller: Caller,
    thread: String,
    turn: String,
    /// What the thread is called if nobody called it otherwise.
    title: String,
}

/// What both tasks need.
#[derive(Debug, Clone)]
struct Work {
    store: Store,
    model: Model,
    metrics: Metrics,
}

/// Begins to ask `model`, if there is one.
///
/// # Errors
/// In words for the operator, when the model is told wrong.
pub(crate) fn start(model: Option<TitleModel>, store: Store, metrics: Metrics) -> Result<(Titles, Titler), String> {
    let Some(model) = model else { return Ok(<(Titles, Titler)>::default()) };
    let sender = events::sender().map_err(|it| format!("title-url: {it}"))?;
    let work = Work { store, model: Model::new(model, sender)?, metrics: metrics.clone() };
    let (offers, offered) = mpsc::channel(LOOKS);
    let (asks, asked) = mpsc::channel(ASKS);
    let mut tasks = JoinSet::new();
    tasks.spawn(work.clone().look(offered, asks));
    tasks.spawn(work.ask_about(asked));
    Ok((Titles(Some((offers, metrics))), Titler { _tasks: tasks }))
}

impl Titles {
    /// Offers a turn that was stored. It waits for nothing.
    pub(crate) fn offer(&self, caller: &Caller, turn: &TurnRow) {
        let Some((offers, metrics)) = &self.0 else { return };
        let (Some(thread), Some(title)) = (&turn.thread, &turn.title) else { return };
        if !turn.complete || turn.answer_at.is_none() {
            return;
        }
        let (thread, title) = (thread.clone(), title.clone());
        if offers.try_send(Job { caller: caller.clone(), thread, turn: turn.id.clone(), title }).is_err() {
            // It need not be its thread's first, so that perhaps no title is lost.
            metrics.count(Count::TitleOverlooked);
        }
    }
}

impl Work {
    /// Passes on the turns that are the first of a thread which nobody gave another title.
    async fn look(self, mut offered: Receiver<Job>, asks: Sender<Job>) {
        while let Some(job) = offered.recv().await {
            match self.first_turn(&job).await {
                Ok(Some(_)) if asks.try_send(job).is_err() => self.metrics.count(Count::TitleDropped),
                Ok(_) => (),
                Err(error) => {
                    tracing::warn!(%error, "a thread keeps its title, because the memory database does not answer");
                    self.metrics.count(Count::TitleFailed);
                }
            }
        }
    }

    async fn ask_about(self, mut asked: Receiver<Job>) {
        let mut under_way = JoinSet::new();
        while let Some(job) = asked.recv().await {
            while under_way.len() >= AT_ONCE {
                under_way.join_next().await;
            }
            let work = self.clone();
            under_way.spawn(async move {
                let outcome = match work.entitle(&job).await {
                    Ok(true) => Count::TitleMade,
                    // Its owner was faster.
                    Ok(false) => return,
                    Err(why) => {
                        tracing::warn!(why, "a thread keeps its title, because the model gave none");
                        Count::TitleFailed
                    }
                };
                work.metrics.count(outcome);
            });
        }
    }

    /// Gives a thread the model's title; `false` when there is nothing to give it to.
    async fn entitle(&self, job: &Job) -> Result<bool, String> {
        let silent = |it: sqlx::Error| format!("the memory database does not answer: {it}");
        let Some(turn) = self.first_turn(job).await.map_err(silent)? else { return Ok(false) };
        let title = self.patiently(&beginning(&turn)).await?;
        self.store.retitle(&job.caller, &job.thread, (&job.title, &title)).await.map_err(silent)
    }

    /// Asks a few times.
    async fn patiently(&self, beginning: &str) -> Result<String, String> {
        let mut pause = self.model.within().checked_div(PAUSE).unwrap_or_default();
        let mut attempt = 1_u32;
        loop {
            match self.model.ask(beginning).await {
                Ok(title) => return Ok(title),
                Err(NoTitle::Never(why)) => return Err(why),
                Err(NoTitle::Again(why)) if attempt >= ATTEMPTS => return Err(why),
                Err(NoTitle::Again(_)) => tokio::time::sleep(pause).await,
            }
            pause = pause.saturating_mul(2);
            attempt = attempt.saturating_add(1);
        }
    }

    /// The messages of the turn, if it is its thread's first and the thread has the title that it had then.
    async fn first_turn(&self, job: &Job) -> Result<Option<Vec<MessageRow>>, sqlx::Error> {
        let thread = self.store.thread(&job.caller, &job.thread).await?;
        if thread.is_none_or(|it| it.title.as_ref() != Some(&job.title)) {
            return Ok(None);
        }
        let page = Page { limit: READ, after: None, ascending: true };
        let found = self.store.messages(&job.caller, &job.thread, None, &page).await?;
        let mut rows = found.map(|it| it.rows).unwrap_or_default();
        rows.retain({
            let first = rows.first().map(|it| it.turn.clone());
            move |it| Some(&it.turn) == first.as_ref()
        });
        Ok(Some(rows).filter(|it| it.first().is_some_and(|it| it.turn == job.turn)))
    }
}

/// What the model is shown.
fn beginning(turn: &[MessageRow]) -> String {
    let said = |role: &str, most: usize| -> String {
        let of_role = turn.iter().filter(|it| it.choice == 0 && search::role(&it.raw).as_deref() == Some(role));
        let texts: Vec<String> = of_role.flat_map(|it| search::texts(&it.raw)).collect();
        texts.join("\n").chars().take(most).collect()
    };
    format!("User: {}\n\nAssistant: {}", said("user", SHOWN.0), said("assistant", SHOWN.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::time::Micros;

    #[test]
    fn the_model_is_shown_the_beginning_alone() {
        let row = |raw: String| MessageRow {
            turn: "t".into(),
            position: 0,
            choice: 0,
            raw,
            complete: true,
            finish_reason: None,
            created_at: Micros::default(),
        };
        let check = |raw: &[String]| beginning(&raw.iter().cloned().map(row).collect::<Vec<_>>());
        let text = |role: &str, text: &str| format!(r#"{{"role":"{role}","content":"{text}"}}"#);
        assert_eq!(
            check(&[text("user", "hi"), text("tool", "x"), text("assistant", "ho")]),
            "User: hi\n\nAssistant: ho"
        );
        let long = check(&[text("user", &"ü".repeat(5000)), text("assistant", &"ü".repeat(5000))]);
        assert_eq!(long.chars().filter(|it| *it == 'ü').count(), 3000);
        assert_eq!(check(&["{}".into(), "[]".into(), text("user", "a")]), "User: a\n\nAssistant: ");
    }
}
