//! What the companion counts, for Prometheus.

use super::App;
use crate::failure::Failure;
use crate::metrics::{CONTENT_TYPE, Level};
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use domain::reply::Reply;
use std::sync::Arc;

/// Where a scraper finds it, on the internal listener.
pub(super) const PATH: &str = "/metrics";

pub(super) async fn text(State(app): State<Arc<App>>) -> Result<Response, Failure> {
    app.metrics.set(Level::OpenTurns, u64::try_from(app.turns.count()).unwrap_or(u64::MAX));
    let text = app.metrics.text().map_err(|error| {
        tracing::error!(%error, "the metrics could not be written");
        Reply::new(500, "internal_error", "The companion could not write its metrics; its log says why.")
    })?;
    let mut response = text.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    Ok(response)
}
