//! The HTTP surface: two routers, one for everybody and one for gateways.

mod asker;
mod budget;
mod conversations;
mod fleet;
mod frame;
mod guardrails;
mod internal;
mod json;
mod jwks;
mod metrics;
mod mint;
mod models;
mod path;
mod public;
mod query;
mod reports;
mod threads;

use crate::allowance;
use crate::clock::Clock;
use crate::failed_mints::FailedMints;
use crate::failure::Failure;
use crate::ledger::Ledger;
use crate::memory;
use crate::metrics::Metrics;
use crate::open_turns::OpenTurns;
use crate::store::Store;
use crate::titles::Titles;
use crate::tokens::Tokens;
use crate::usage;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use axum::routing::get;
use axum::{Router, middleware};
use domain::reply::Reply;
use domain::secret::Secret;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long `/readyz` waits for the database.
const READY_WITHIN: Duration = Duration::from_secs(1);

/// What the handlers share.
#[derive(Debug)]
pub(crate) struct App {
    /// The database.
    pub(crate) store: Store,
    /// The usage database.
    pub(crate) usage: usage::Db,
    /// Threads and sessions.
    pub(crate) memory: memory::Store,
    /// How much one user may have there.
    pub(crate) limits: memory::Limits,
    /// Where threads get better titles from.
    pub(crate) titles: Titles,
    /// Where usage records are written down.
    pub(crate) records: usage::Ingest,
    /// Leases budgets to gateways.
    pub(crate) budgets: usage::Budgets,
    /// Who keeps what gateways may spend of rate limits.
    pub(crate) allowances: allowance::Keeper,
    /// Signs and verifies.
    pub(crate) tokens: Tokens,
    /// Where mints are written down.
    pub(crate) ledger: Ledger,
    /// Who failed to mint.
    pub(crate) failed_mints: FailedMints,
    /// How many seconds a token may live.
    pub(crate) longest_ttl: u64,
    /// How many proxies stand before the public listener, each of which appends to `X-Forwarded-For`.
    pub(crate) trusted_hops: u8,
    /// Turns under way.
    pub(crate) turns: OpenTurns,
    /// How long a turn waits for earlier ones.
    pub(crate) turn_wait: Duration,
    /// What gateways prove themselves with.
    pub(crate) internal_secret: Secret,
    /// What the companion counts of itself.
    pub(crate) metrics: Metrics,
    /// Tells the time.
    pub(crate) clock: Clock,
}

/// Who is at the other end of the connection; every request carries it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// What end users and backends may ask.
pub(crate) fn public(app: Arc<App>) -> Router {
    let frame = framed(&app, "public");
    complete(public::routes(), app).layer(middleware::from_fn_with_state(frame, frame::frame))
}

/// What gateways may ask.
pub(crate) fn internal(app: Arc<App>) -> Router {
    let secret = middleware::from_fn_with_state(app.clone(), internal::demand_secret);
    let frame = framed(&app, "internal");
    complete(internal::routes(), app).layer(secret).layer(middleware::from_fn_with_state(frame, frame::frame))
}

fn framed(app: &App, name: &'static str) -> frame::Listener {
    frame::Listener { name, metrics: app.metrics.clone() }
}

fn complete(routes: Router<Arc<App>>, app: Arc<App>) -> Router {
    routes
        .route("/healthz", get(healthy))
        .route("/readyz", get(ready))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .with_state(app)
}

async fn healthy() -> Result<Response, Failure> {
    json::answer(&serde_json::json!({"status": "ok"}))
}

async fn ready(State(app): State<Arc<App>>) -> Result<Response, Failure> {
    let late = || Reply::new(503, "companion_unavailable", "The companion's database does not answer.");
    let open = tokio::time::timeout(READY_WITHIN, async {
        app.store.ping().await?;
        app.usage.ping().await?;
        app.turns.count().await
    });
    let open = open.await.map_err(|_| late())??;
    json::answer(&serde_json::json!({"status": "ok", "open_turns": open}))
}

async fn no_such_path(request: Request) -> Failure {
    let message = format!("There is nothing at {} {}.", request.method(), json::shortened(request.uri().path()));
    Reply::new(404, "not_found", message).into()
}

async fn no_such_method(request: Request) -> Failure {
    let message = format!("{} is not possible at this path; the Allow header says what is.", request.method());
    Reply::new(405, "method_not_allowed", message).into()
}

/// The bearer token of the one `Authorization` header; `None` when there is none, several, or
/// another scheme. The scheme has no letter case (RFC 9110, section 11.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().filter(|_| values.next().is_none())?;
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    let one = !token.is_empty() && !token.contains([' ', ',']);
    (scheme.eq_ignore_ascii_case("bearer") && one).then_some(token)
}
