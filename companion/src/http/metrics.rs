//! What the companion counts, for Prometheus.

use super::App;
use crate::failure::Failure;
use crate::metrics::{CONTENT_TYPE, Level};
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use domain::reply::Reply;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Where a scraper finds it, on the internal listener.
pub(super) const PATH: &str = "/metrics";

/// How long the database may take to count what is in it.
const COUNTED_WITHIN: Duration = Duration::from_secs(1);

pub(super) async fn text(State(app): State<Arc<App>>) -> Result<Response, Failure> {
    // When the database does not answer, the other numbers are wanted most.
    if let Ok(Ok(open)) = timeout(COUNTED_WITHIN, app.turns.count()).await {
        app.metrics.set(Level::OpenTurns, open);
    }
    let text = app.metrics.text().map_err(|error| {
        tracing::error!(%error, "the metrics could not be written");
        Reply::new(500, "internal_error", "The companion could not write its metrics; its log says why.")
    })?;
    let mut response = text.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    Ok(response)
}
