//! What is known of models: told by gateways, and shown as a leaderboard.

use super::App;
use super::asker::Asker;
use super::{json, query};
use crate::failure::Failure;
use crate::measures::{self, Leaderboard};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use std::sync::Arc;

/// The largest report: 256 candidates with long names.
const MAX_MEASURES_BYTES: usize = 1024 * 1024;

pub(super) async fn leaderboard(State(app): State<Arc<App>>, parts: Parts) -> Result<Response, Failure> {
    // Everybody who is known sees the same.
    Asker::of(&app, &parts).await?;
    query::none(parts.uri.query())?;
    json::answer(&Leaderboard::of(measures::all(&app.usage).await?, app.clock.now()))
}

pub(super) async fn tell(State(app): State<Arc<App>>, request: Request) -> Result<Response, Failure> {
    let told = json::read(request, MAX_MEASURES_BYTES).await?;
    json::answer(&measures::take(&app.usage, app.clock.now(), told).await?)
}

pub(super) async fn known(State(app): State<Arc<App>>) -> Result<Response, Failure> {
    json::answer(&measures::all(&app.usage).await?)
}
