//! The keys to verify with, for everybody.

use super::{App, json};
use crate::failure::Failure;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use std::sync::Arc;

/// How long a cache on the way may keep the keys, in seconds.
const CACHE: &str = "public, max-age=300";

pub(super) async fn keys(State(app): State<Arc<App>>) -> Result<Response, Failure> {
    let mut response = json::answer(&app.tokens.key.jwks())?;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(CACHE));
    Ok(response)
}
