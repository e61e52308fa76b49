//! The one writer of mints: no token leaves before its row in the audit table is on the disk.
//!
//! A commit costs a wait for the disk, whether it holds one row or hundreds, and SQLite has one writer
//! at a time. So the mints that come while one commit is under way are the next commit together; no
//! mint waits for others to come. With 16 clients that is twice the mints a second and half the CPU of
//! a commit for each (`make bench ONLY=mint`).

use crate::clock::Clock;
use crate::failure::Failure;
use crate::refusals::{self, Refusals, Who};
use crate::store::{MintRow, Store};
use domain::reply::Reply;
use domain::time::Micros;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

/// Mints that wait; further ones wait for room, and their requests with them.
const QUEUE: usize = 1024;
/// Mints of one commit, which takes some milliseconds then.
const BATCH: usize = 256;
/// How often refusals are looked through.
const TICK: Duration = Duration::from_secs(1);

/// What an entry waits for: whether the key was still good.
type Answer = Result<bool, Failure>;

/// Where mints are written down.
#[derive(Debug)]
pub(crate) struct Ledger {
    entries: mpsc::Sender<(MintRow, oneshot::Sender<Answer>)>,
    refusals: Arc<Refusals>,
}

/// The writer, to be closed when nobody mints any more.
#[derive(Debug)]
pub(crate) struct Writer {
    close: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Ledger {
    /// Starts a writer to `store`.
    pub(crate) fn open(store: Store, clock: Clock) -> (Self, Writer) {
        let refusals = Arc::new(Refusals::default());
        let (entries, queue) = mpsc::channel(QUEUE);
        let (close, closed) = oneshot::channel();
        let task = tokio::spawn(write(store, queue, refusals.clone(), clock, closed));
        (Self { entries, refusals }, Writer { close, task })
    }

    /// Writes a mint down; `false` when its key was revoked meanwhile, and then the token must not be
    /// given out.
    ///
    /// # Errors
    /// 503 when the database does not answer; then it must not be given out either.
    pub(crate) async fn enter(&self, mint: MintRow) -> Answer {
        let (answer, answered) = oneshot::channel();
        self.entries.send((mint, answer)).await.map_err(|_| stopping())?;
        answered.await.map_err(|_| stopping())?
    }

    /// Writes a refused mint down, in a minute or when the companion stops.
    pub(crate) fn refuse(&self, who: Who, now: Micros) {
        self.refusals.add(who, now);
    }
}

impl Writer {
    /// Writes what was entered so far, and the refusals, and ends.
    pub(crate) async fn close(self) {
        // It fails when the writer has ended already.
        let _ = self.close.send(());
        let _ = self.task.await;
    }
}

async fn write(
    store: Store,
    mut queue: mpsc::Receiver<(MintRow, oneshot::Sender<Answer>)>,
    refusals: Arc<Refusals>,
    clock: Clock,
    mut closed: oneshot::Receiver<()>,
) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let mut batch = Vec::new();
        tokio::select! {
            _ = &mut closed, if !queue.is_closed() => queue.close(),
            count = queue.recv_many(&mut batch, BATCH) => match count {
                // Closed, and nothing is left.
                0 => break,
                _ => commit(&store, batch).await,
            },
            _ = ticks.tick() => add(&store, refusals.take_due(clock.now())).await,
        }
    }
    add(&store, refusals.take()).await;
}

async fn commit(store: &Store, batch: Vec<(MintRow, oneshot::Sender<Answer>)>) {
    let (mints, answers): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
    let written = store.add_mints(&mints).await.map_err(Failure::from);
    for (nth, answer) in answers.into_iter().enumerate() {
        let good = |it: &Vec<bool>| it.get(nth).copied().unwrap_or_default();
        // Whoever asked may have gone; the row says what was signed.
        let _ = answer.send(written.as_ref().map(good).map_err(Failure::clone));
    }
}

async fn add(store: &Store, rows: Vec<refusals::Row>) {
    let counts = rows.iter().map(|(_, sum)| sum.count).fold(0, u64::saturating_add);
    if let Err(error) = store.add_refusals(&rows).await {
        tracing::error!(%error, counts, "refused mints are not in the audit table");
    }
}

fn stopping() -> Failure {
    let message = "The companion is stopping; try again.";
    Reply::new(503, "companion_unavailable", message).header("retry-after", "1").into()
}
