//! What guards would say of a text.

use super::App;
use super::asker::{Asker, GUARDRAILS};
use super::{json, query};
use crate::failure::Failure;
use crate::trial;
use axum::extract::{Request, State};
use axum::response::Response;
use domain::reply::Reply;
use std::sync::Arc;

/// The largest trial. A gateway's filter takes more by default; who tries something out needs less.
const MAX_TRIAL_BYTES: usize = 256 * 1024;

pub(super) async fn test(State(app): State<Arc<App>>, request: Request) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let asker = Asker::with(&app, &parts, GUARDRAILS).await?;
    query::none(parts.uri.query())?;
    let trial = json::read(Request::from_parts(parts, body), MAX_TRIAL_BYTES).await?;
    let project = asker.scope(None)?.project.unwrap_or_default();
    // Long texts take milliseconds, which other requests do not wait for.
    let tried = tokio::task::spawn_blocking(move || trial::run(trial, project)).await;
    let broken = |_| Failure(Reply::new(500, "internal_error", "The companion could not try this out."));
    json::answer(&tried.map_err(broken)??)
}
