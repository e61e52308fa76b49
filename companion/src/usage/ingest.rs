//! The one writer of usage records: a gateway is told that a record is stored when it is on the disk.
//!
//! A commit costs a wait for the disk, whatever is in it. So the batches that come while one commit is
//! under way are the next one together, as it is with mints; no batch waits for others to come.

use super::Db;
use super::record::{Batch, Record};
use super::store::{self, Added};
use crate::clock::Clock;
use crate::failure::Failure;
use crate::metrics::{Count, Metrics};
use domain::reply::Reply;
use serde::Serialize;
use std::collections::BTreeSet;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// Batches that wait; further ones wait for room, and their requests with them.
const QUEUE: usize = 256;
/// Batches of one commit: two thousand records at most, which take some ten milliseconds.
const TOGETHER: usize = 32;

type Answer = Result<Taken, Failure>;
type Entry = (Vec<Record>, oneshot::Sender<Answer>);

/// What became of a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "RecordsTaken"))]
pub(crate) struct Taken {
    /// Records that are new.
    pub(crate) stored: usize,
    /// Records that were there already; they changed nothing.
    pub(crate) known: usize,
    /// Records that can never be stored, because they are not what they should be.
    pub(crate) refused: usize,
}

/// Where usage records are written down.
#[derive(Debug)]
pub(crate) struct Ingest {
    entries: mpsc::Sender<Entry>,
}

/// The writer, to be closed when no batch comes any more.
#[derive(Debug)]
pub(crate) struct Writer {
    close: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Ingest {
    /// Starts a writer to `db`.
    pub(crate) fn open(db: Db, clock: Clock, metrics: Metrics) -> (Self, Writer) {
        let (entries, queue) = mpsc::channel(QUEUE);
        let (close, closed) = oneshot::channel();
        let task = tokio::spawn(write(db, queue, (clock, metrics), closed));
        (Self { entries }, Writer { close, task })
    }

    /// Writes a batch down. A record that is wrong is left out, and nothing of it is told to the log.
    ///
    /// # Errors
    /// 503 when the database does not answer; then the batch is to be sent again.
    pub(crate) async fn take(&self, batch: &Batch) -> Answer {
        let (records, refused) = batch.records();
        if refused > 0 {
            tracing::error!(refused, "usage records that are not what they should be were left out");
        }
        let (answer, answered) = oneshot::channel();
        self.entries.send((records, answer)).await.map_err(|_| stopping())?;
        let taken = answered.await.map_err(|_| stopping())??;
        Ok(Taken { refused: taken.refused.saturating_add(refused), ..taken })
    }
}

impl Writer {
    /// Writes what was sent so far, and ends.
    pub(crate) async fn close(self) {
        // It fails when the writer has ended already.
        let _ = self.close.send(());
        let _ = self.task.await;
    }
}

async fn write(
    db: Db,
    mut queue: mpsc::Receiver<Entry>,
    (clock, metrics): (Clock, Metrics),
    mut closed: oneshot::Receiver<()>,
) {
    loop {
        let mut batches = Vec::new();
        tokio::select! {
            _ = &mut closed, if !queue.is_closed() => queue.close(),
            count = queue.recv_many(&mut batches, TOGETHER) => match count {
                // Closed, and nothing is left.
                0 => break,
                _ => commit(&db, batches, &clock, &metrics).await,
            },
        }
    }
}

async fn commit(db: &Db, batches: Vec<Entry>, clock: &Clock, metrics: &Metrics) {
    let mut ids = BTreeSet::new();
    let all = batches.iter().flat_map(|(records, _)| records);
    let new: Vec<_> = all.filter(|it| ids.insert(it.id.as_str())).collect();
    let added = Db::bounded(store::add(db, &new, clock.now())).await.map_err(Failure::from);
    drop(new);
    let mut told = added;
    metrics.add(Count::EventQueued, told.as_ref().map_or(0, |it| it.events));
    for (records, answer) in batches {
        let taken = told.as_mut().map(|it| taken(&records, it)).map_err(|it| it.clone());
        // Whoever sent it may have gone, and sends it again.
        let _ = answer.send(taken);
    }
}

/// What became of `records`; what is counted is taken out of `added`, so that a record which came twice
/// is known the second time.
fn taken(records: &[Record], added: &mut Added) -> Taken {
    let mut taken = Taken::default();
    for record in records {
        let count = match (added.stored.remove(&record.id), added.refused.contains(&record.id)) {
            (true, _) => &mut taken.stored,
            (false, true) => &mut taken.refused,
            (false, false) => &mut taken.known,
        };
        *count = count.saturating_add(1);
    }
    taken
}

fn stopping() -> Failure {
    let message = "The companion is stopping; try again.";
    Reply::new(503, "companion_unavailable", message).header("retry-after", "1").into()
}
