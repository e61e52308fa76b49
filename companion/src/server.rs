//! The process: two listeners, started together and drained together.
//!
//! `axum::serve` bounds neither the number of connections, nor how long a client may take to send
//! its headers, nor how long a drain may last; so the accept loop is here.

use crate::allowance::Keeper;
use crate::clock::Clock;
use crate::db;
use crate::events::{self, Deliverer, Target, Webhook};
use crate::failed_mints::FailedMints;
use crate::http::{self, App, Peer};
use crate::ledger::{Ledger, Writer};
use crate::memory::{self, DATA_KEY_VARIABLE, NotOpened, Seal};
use crate::metrics::Metrics;
use crate::open_turns::OpenTurns;
use crate::redis_link::Link;
use crate::settings::{SessionStore, Settings, WEBHOOK_SECRET_VARIABLE};
use crate::signing::{Folder, NoKey, Ring};
use crate::store::Store;
use crate::titles::{self, Titler};
use crate::tokens::Tokens;
use crate::usage;
use axum::Router;
use domain::secret::Secret;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

/// Connections of one listener; further ones wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 4096;
/// How long a connection may be silent before or between requests. Keep a gateway's own idle
/// timeout shorter, so that it is the gateway that closes.
const HEADERS_WITHIN: Duration = Duration::from_secs(60);
/// The pause after the system had no file descriptor to give for a connection.
const AFTER_ACCEPT_ERROR: Duration = Duration::from_millis(50);

/// How often is looked for what is too old.
const PURGE_EVERY: Duration = Duration::from_secs(60);
/// The pause after a batch of it.
const BETWEEN_BATCHES: Duration = Duration::from_millis(200);

/// Why the companion cannot start, in words for the operator.
#[derive(Debug)]
pub struct StartError(pub(crate) String);

/// A companion that serves.
#[derive(Debug)]
pub struct Running {
    /// Where the public listener is bound.
    pub public: SocketAddr,
    /// Where the internal listener is bound.
    pub internal: SocketAddr,
    store: Store,
    usage: usage::Db,
    memory: memory::Store,
    purger: JoinHandle<()>,
    stop: watch::Sender<bool>,
    listeners: Vec<JoinHandle<()>>,
    writer: Writer,
    usage_writer: usage::Writer,
    deliverer: Deliverer,
    titler: Titler,
}

/// Starts a companion; it serves when this returns.
///
/// # Errors
/// When the signing key, the database or an address is not as it must be.
pub async fn serve(settings: Settings) -> Result<Running, StartError> {
    let folder = Folder::open(&settings.signing_keys)?;
    let store = open_store(&settings.database_url).await?;
    let usage = open_usage(settings.usage_database_url.clone(), &settings.database_url).await?;
    let url = settings.memory_database_url.clone();
    let memory = open_memory(url, settings.data_keys.as_ref(), &settings.database_url).await?;
    let redis = settings.redis_url.as_ref().map(Link::open).transpose();
    let redis = redis.map_err(|it| StartError(format!("redis-url: {it}")))?;
    let memory = with_sessions(memory, settings.session_store, redis.as_ref())?;
    if !memory.take_open_turns().await.map_err(|it| StartError(format!("memory database: open turns: {it}")))? {
        tracing::warn!(
            "another companion has the open turns of the memory database's file: turns are not taken until it ends"
        );
    }
    let targets = targets(&settings, redis.as_ref())?;
    let ring = Ring::open(store.clone(), folder, settings.clock.now()).await?;
    let failed_mints =
        FailedMints::new().map_err(|_| StartError("the operating system gave no random bytes".to_owned()))?;
    let (public, public_address) = bind("listen", settings.listen).await?;
    let (internal, internal_address) = bind("internal-listen", settings.internal_listen).await?;
    let (ledger, writer) = Ledger::open(store.clone(), settings.clock.clone());
    let metrics = Metrics::new();
    let (records, usage_writer) = usage::Ingest::open(usage.clone(), settings.clock.clone(), metrics.clone());
    let budgets = usage::Budgets::open(usage.clone(), metrics.clone(), settings.clock.now()).await;
    let budgets = budgets.map_err(|it| StartError(format!("usage database: {it}")))?;
    let (titles, titler) =
        titles::start(settings.titles.clone(), memory.clone(), metrics.clone()).map_err(StartError)?;
    let deliverer = Deliverer::start(usage.clone(), settings.clock.clone(), metrics.clone(), targets);
    let app = Arc::new(App {
        store: store.clone(),
        usage: usage.clone(),
        memory: memory.clone(),
        limits: settings.limits,
        titles,
        records,
        budgets,
        allowances: Keeper::new(redis, usage.clone()),
        ledger,
        failed_mints,
        longest_ttl: settings.longest_ttl,
        trusted_hops: settings.trusted_hops,
        tokens: Tokens { ring, issuer: settings.issuer, audience: settings.audience },
        turns: OpenTurns::new(memory.clone(), settings.clock.clone()),
        turn_wait: settings.turn_wait,
        internal_secret: settings.internal_secret,
        metrics,
        clock: settings.clock,
    });
    let purger = tokio::spawn(purge(memory.clone(), app.clock.clone()));
    let (stop, stopped) = watch::channel(false);
    let listeners = vec![
        tokio::spawn(accept(public, http::public(app.clone()), stopped.clone(), settings.drain)),
        tokio::spawn(accept(internal, http::internal(app), stopped, settings.drain)),
    ];
    Ok(Running {
        public: public_address,
        internal: internal_address,
        store,
        usage,
        memory,
        purger,
        stop,
        listeners,
        writer,
        usage_writer,
        deliverer,
        titler,
    })
}

/// The memory with its sessions where they are to be.
fn with_sessions(memory: memory::Store, to: SessionStore, redis: Option<&Link>) -> Result<memory::Store, StartError> {
    let missing = || StartError("session-store: expected --redis-url where sessions are in redis".to_owned());
    match to {
        SessionStore::Database => Ok(memory),
        SessionStore::Redis => Ok(memory.with_sessions_in(redis.cloned().ok_or_else(missing)?)),
    }
}

/// Whom events are told to.
fn targets(settings: &Settings, redis: Option<&Link>) -> Result<Vec<Target>, StartError> {
    let mut targets: Vec<_> = redis.cloned().map(Target::Redis).into_iter().collect();
    if settings.webhook_urls.is_empty() {
        return Ok(targets);
    }
    let missing = || StartError(format!("webhook-url: expected a secret to sign with in {WEBHOOK_SECRET_VARIABLE}"));
    let secret = settings.webhook_secret.as_ref().ok_or_else(missing)?;
    let sender = events::sender().map_err(|it| StartError(format!("webhook-url: {it}")))?;
    for url in &settings.webhook_urls {
        let webhook = Webhook::parse(url.reveal()).map_err(|it| StartError(format!("webhook-url: {it}")))?;
        targets.push(Target::Webhook(webhook, sender.clone(), secret.clone()));
    }
    Ok(targets)
}

/// Opens the database at `url`.
///
/// # Errors
/// When it cannot be opened or brought up to date.
pub(crate) async fn open_store(url: &str) -> Result<Store, StartError> {
    Store::open(url).await.map_err(|it| StartError(format!("database {url}: {it}")))
}

/// Opens the usage database at `url`, or the one beside the database at `main`.
///
/// # Errors
/// When it cannot be opened or brought up to date.
pub(crate) async fn open_usage(url: Option<String>, main: &str) -> Result<usage::Db, StartError> {
    let url = url.or_else(|| db::beside(main, "usage"));
    let missing =
        || StartError("usage database: expected --usage-database-url, because the main one is no file".to_owned());
    let url = url.ok_or_else(missing)?;
    let wrong = |it| StartError(format!("usage database {}: {it}", db::shown(&url)));
    usage::open(&url).await.map_err(wrong)
}

/// Opens the database of threads and sessions at `url`, or the one beside the database at `main`.
///
/// # Errors
/// When it cannot be opened or brought up to date, or a key is none or missing.
pub(crate) async fn open_memory(
    url: Option<String>,
    keys: Option<&Secret>,
    main: &str,
) -> Result<memory::Store, StartError> {
    let missing =
        || StartError("memory database: expected --memory-database-url, because the main one is no file".to_owned());
    let url = url.or_else(|| db::beside(main, "memory")).ok_or_else(missing)?;
    let seal = Seal::parse(keys).map_err(StartError)?;
    memory::Store::open(&url, seal).await.map_err(|it| match it {
        NotOpened::Database(error) => StartError(format!("memory database {}: {error}", db::shown(&url))),
        NotOpened::NoKey(id) => StartError(format!(
            "{DATA_KEY_VARIABLE}: texts in the memory database are sealed with the key {id}, which is not among the keys"
        )),
    })
}

impl Running {
    /// Accepts nothing more, lets requests in flight end, within the settings' bound, and closes the
    /// database.
    pub async fn stop(self) {
        // It fails when both listeners are gone already.
        let _ = self.stop.send(true);
        for listener in self.listeners {
            let _ = listener.await;
        }
        self.writer.close().await;
        self.usage_writer.close().await;
        self.deliverer.close().await;
        self.usage.close().await;
        self.purger.abort();
        drop(self.titler);
        self.memory.close().await;
        self.store.close().await;
    }
}

/// Lets what is too old go, a batch at a time with a pause after each, so that a turn never waits for more than one.
async fn purge(memory: memory::Store, clock: Clock) {
    loop {
        let gone = memory.purge(clock.now()).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "what is too old could not be purged");
            0
        });
        tokio::time::sleep(if gone == 0 { PURGE_EVERY } else { BETWEEN_BATCHES }).await;
    }
}

async fn bind(name: &str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let wrong = |it: std::io::Error| StartError(format!("{name} {address}: {it}"));
    let listener = TcpListener::bind(address).await.map_err(wrong)?;
    let bound = listener.local_addr().map_err(wrong)?;
    Ok((listener, bound))
}

async fn accept(listener: TcpListener, router: Router, mut stop: watch::Receiver<bool>, drain: Duration) {
    let graceful = GracefulShutdown::new();
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let Ok(permit) = permits.clone().acquire_owned().await else {
            break;
        };
        let accepted = tokio::select! {
            _ = stop.changed() => break,
            accepted = listener.accept() => accepted,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, peer)) => {
                let router = Known { peer: Peer(peer.ip()), router: TowerToHyperService::new(router.clone()) };
                let connection = graceful.watch(connection(stream, router));
                connections.spawn(async move {
                    // A client that broke off is its own business.
                    let _ = connection.await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(AFTER_ACCEPT_ERROR).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(drain, graceful.shutdown()).await.is_err() {
        tracing::warn!(connections = connections.len(), "cut off what did not end in time");
    }
    // What still runs is aborted with the set.
}

/// A router that learns of every request who sent it.
struct Known {
    peer: Peer,
    router: TowerToHyperService<Router>,
}

impl Service<Request<Incoming>> for Known {
    type Response = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Response;
    type Error = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Error;
    type Future = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Future;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.peer);
        self.router.call(request)
    }
}

fn connection(stream: TcpStream, router: Known) -> http1::Connection<TokioIo<TcpStream>, Known> {
    // Without it, a small answer may wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN);
    http.serve_connection(TokioIo::new(stream), router)
}

impl fmt::Display for StartError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for StartError {}

impl From<NoKey> for StartError {
    fn from(NoKey(why): NoKey) -> Self {
        Self(why)
    }
}
