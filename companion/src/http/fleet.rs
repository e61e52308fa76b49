//! For gateways that share limits: leases of what they may spend, and what they have to tell.

use super::{App, json};
use crate::allowance;
use crate::events;
use crate::failure::Failure;
use crate::metrics::Count;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use std::sync::Arc;

/// The largest question: 256 leases with long keys.
const MAX_QUESTION_BYTES: usize = 1024 * 1024;
/// The largest report of events.
const MAX_REPORT_BYTES: usize = 8 * 1024 * 1024;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/internal/v1/leases", post(lease))
        .route("/internal/v1/events", post(record))
        .route("/internal/v1/guardrails/events", post(found))
}

async fn lease(State(app): State<Arc<App>>, request: Request) -> Result<Response, Failure> {
    let question = json::read(request, MAX_QUESTION_BYTES).await?;
    json::answer(&allowance::lease(&app.allowances, &app.clock, &app.metrics, question).await?)
}

async fn record(State(app): State<Arc<App>>, request: Request) -> Result<Response, Failure> {
    let report = json::read(request, MAX_REPORT_BYTES).await?;
    let taken = events::take(&app.usage, app.clock.now(), report).await?;
    app.metrics.add(Count::EventQueued, taken.stored);
    json::answer(&taken)
}

async fn found(State(app): State<Arc<App>>, request: Request) -> Result<Response, Failure> {
    let report = json::read(request, MAX_REPORT_BYTES).await?;
    let taken = events::take_guards(&app.usage, app.clock.now(), report).await?;
    app.metrics.add(Count::EventQueued, taken.stored);
    json::answer(&taken)
}
