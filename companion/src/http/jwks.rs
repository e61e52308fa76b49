//! The keys to verify with, for everybody.

use super::{App, json};
use crate::failure::Failure;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use std::sync::Arc;

/// For how many seconds a cache on the way may keep the keys. Short, because a key that was taken out is
/// a key that may be in the wrong hands; verifiers have longer times of their own.
const CACHE: &str = "public, max-age=5";

pub(super) async fn keys(State(app): State<Arc<App>>) -> Result<Response, Failure> {
    let mut response = json::text(app.tokens.published(app.clock.now()).await?);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(CACHE));
    Ok(response)
}
