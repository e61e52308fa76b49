//! For gateways that share limits: leases of what they may spend, and what they have to tell.

use super::{App, json};
use crate::allowance;
use crate::failure::Failure;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use std::sync::Arc;

/// The largest question: 256 leases with long keys.
const MAX_QUESTION_BYTES: usize = 1024 * 1024;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/internal/v1/leases", post(lease))
}

async fn lease(State(app): State<Arc<App>>, request: Request) -> Result<Response, Failure> {
    let question = json::read(request, MAX_QUESTION_BYTES).await?;
    json::answer(&allowance::lease(&app.allowances, &app.clock, question).await?)
}
