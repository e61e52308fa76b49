//! For gateways, on a listener of their own: turns; and for who watches, the metrics.

use super::{App, bearer, fleet, json, metrics, models};
use crate::constant_time;
use crate::failure::Failure;
use crate::metrics::Count;
use crate::turns;
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::{get, post};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// The largest opening; a real one has some hundred bytes.
const MAX_OPENING_BYTES: usize = 16 * 1024;
/// The largest report: a batch of long turns with pictures in them.
const MAX_REPORT_BYTES: usize = 32 * 1024 * 1024;

/// The largest batch of usage records; a gateway sends a megabyte, or one record that is larger.
const MAX_USAGE_BYTES: usize = 8 * 1024 * 1024;
/// The largest set of questions about budgets: 256 of them with the longest names.
const MAX_LEASE_BYTES: usize = 1024 * 1024;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/internal/v1/turns/open", post(open))
        .route("/internal/v1/turns", post(record))
        .route("/internal/v1/usage", post(usage))
        .route("/internal/v1/budgets/lease", post(lease))
        .route("/internal/v1/models/measures", post(models::tell).get(models::known))
        .route(metrics::PATH, get(metrics::text))
        .merge(fleet::routes())
}

/// Lets nobody by who does not know the secret; whether the process lives is no secret, nor what it
/// counts: a scraper that had to know the secret could lease budgets with it.
pub(super) async fn demand_secret(
    State(app): State<Arc<App>>,
    request: Request,
    next: Next,
) -> Result<Response, Failure> {
    let open = matches!(request.uri().path(), "/healthz" | "/readyz" | metrics::PATH);
    let known = bearer(request.headers()).is_some_and(|it| is_same(it, app.internal_secret.reveal()));
    if !open && !known {
        let message = "Expected one header `authorization: Bearer <internal secret>` with this companion's secret.";
        return Err(Failure::unauthorized("invalid_internal_secret", message));
    }
    Ok(next.run(request).await)
}

async fn open(State(app): State<Arc<App>>, request: Request) -> Result<Response, Failure> {
    let input = json::read(request, MAX_OPENING_BYTES).await?;
    json::answer(&turns::open(&app.memory, &app.turns, app.limits, app.turn_wait, app.clock.now(), input).await?)
}

async fn record(State(app): State<Arc<App>>, request: Request) -> Result<Response, Failure> {
    let report = json::read(request, MAX_REPORT_BYTES).await?;
    json::answer(&turns::record(&app.turns, &app.titles, app.clock.now(), report).await?)
}

async fn usage(State(app): State<Arc<App>>, request: Request) -> Result<Response, Failure> {
    let batch = json::read(request, MAX_USAGE_BYTES).await?;
    let taken = app.records.take(&batch).await?;
    let counts = [(Count::RecordStored, taken.stored), (Count::RecordKnown, taken.known)];
    for (what, count) in counts.into_iter().chain([(Count::RecordRefused, taken.refused)]) {
        app.metrics.add(what, u64::try_from(count).unwrap_or(u64::MAX));
    }
    json::answer(&taken)
}

async fn lease(State(app): State<Arc<App>>, request: Request) -> Result<Response, Failure> {
    let questions = json::read(request, MAX_LEASE_BYTES).await?;
    json::answer(&app.budgets.ask(questions, app.clock.now()).await?)
}

/// Compares digests, whose length tells nothing, in constant time.
fn is_same(one: &str, other: &str) -> bool {
    constant_time::is_same(&Sha256::digest(one).into(), &Sha256::digest(other).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_the_same_only_as_itself() {
        assert!(is_same("0123456789abcdef", "0123456789abcdef"));
        for wrong in ["", "0123456789abcdeF", "0123456789abcde", "0123456789abcdef0"] {
            assert!(!is_same(wrong, "0123456789abcdef"), "{wrong}");
        }
    }
}
