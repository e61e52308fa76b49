//! Writes that come at once are one transaction together: a commit costs the same whether it holds one or many, and what
//! waits for it is everybody. Nobody waits for others to come.

use sqlx::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

/// What waits; further ones wait for room, and their requests with them.
const QUEUE: usize = 1024;
/// How many are one transaction at most, which takes some milliseconds then.
const BATCH: usize = 64;
/// How long the parts of a transaction that failed are tried one by one.
const ALONE_FOR: Duration = Duration::from_secs(5);

/// What is done to what waits.
pub(crate) trait Work: Send + Sync + 'static {
    /// One of those that wait.
    type In: Send + Sync + 'static;
    /// What it comes to.
    type Out: Send + 'static;

    /// Does all of `batch` or nothing; an answer for each.
    fn carry_out(&self, batch: &[Self::In]) -> impl Future<Output = Result<Vec<Self::Out>, Error>> + Send;
}

type Waiting<W> = (<W as Work>::In, oneshot::Sender<Result<<W as Work>::Out, Error>>);

/// Those that wait.
#[derive(Debug)]
pub(crate) struct Queue<W: Work>(mpsc::Sender<Waiting<W>>);

impl<W: Work> Queue<W> {
    /// Starts so many that work it off; they end when the queue is gone.
    pub(crate) fn start(work: W, workers: usize) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let (work, receiver) = (Arc::new(work), Arc::new(Mutex::new(receiver)));
        for _ in 0..workers {
            tokio::spawn(serve(work.clone(), receiver.clone()));
        }
        Self(sender)
    }

    /// What becomes of `input`. Whoever stops waiting may be too late to keep it from being done; what it came to is
    /// dropped then.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn ask(&self, input: W::In) -> Result<W::Out, Error> {
        let (answer, answered) = oneshot::channel();
        self.0.send((input, answer)).await.map_err(|_| Error::PoolClosed)?;
        answered.await.unwrap_or(Err(Error::PoolClosed))
    }
}

impl<W: Work> Clone for Queue<W> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

async fn serve<W: Work>(work: Arc<W>, queue: Arc<Mutex<mpsc::Receiver<Waiting<W>>>>) {
    loop {
        let mut batch = Vec::new();
        if queue.lock().await.recv_many(&mut batch, BATCH).await == 0 {
            return;
        }
        let (inputs, answers): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        for (answer, done) in answers.into_iter().zip(all(&*work, &inputs).await) {
            let _ = answer.send(done);
        }
    }
}

/// All at once, or, when the database refuses that, each alone, so that none fails for another's sake.
async fn all<W: Work>(work: &W, inputs: &[W::In]) -> Vec<Result<W::Out, Error>> {
    match work.carry_out(inputs).await {
        Ok(done) => done.into_iter().map(Ok).collect(),
        Err(error @ Error::Database(_)) if inputs.len() > 1 => {
            tracing::warn!(%error, count = inputs.len(), "what was to be written together is tried one by one");
            let until = Instant::now().checked_add(ALONE_FOR).unwrap_or_else(Instant::now);
            let mut done = Vec::new();
            for input in inputs {
                let alone = timeout_at(until, work.carry_out(std::slice::from_ref(input)));
                let alone = alone.await.unwrap_or(Err(Error::PoolTimedOut));
                done.push(alone.and_then(|it| it.into_iter().next().ok_or(Error::RowNotFound)));
            }
            done
        }
        Err(error) => {
            // The error itself cannot be handed to several.
            let text = error.to_string();
            inputs.iter().map(|_| Err(Error::Protocol(text.clone()))).collect()
        }
    }
}
