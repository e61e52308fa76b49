//! What every request gets: an id, a line in the log that holds nothing private, and a count.

use crate::failure::Failure;
use crate::metrics::{Answered, Count, Metrics};
use crate::random;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::time::Instant;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const MAX_ID_BYTES: usize = 128;

/// Which listener it is, and where its requests are counted.
#[derive(Debug, Clone)]
pub(super) struct Listener {
    /// `public` or `internal`.
    pub(super) name: &'static str,
    /// The companion's counters.
    pub(super) metrics: Metrics,
}

/// Marks an answer that a database is to blame for.
#[derive(Debug, Clone, Copy)]
struct Unavailable;

/// Runs the request; the answer carries its `x-request-id`, the client's own if it is a usable one.
pub(super) async fn frame(State(listener): State<Listener>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let id = request.headers().get(REQUEST_ID).filter(|it| is_usable(it)).cloned();
    let id = id.unwrap_or_else(made);
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    response.headers_mut().insert(REQUEST_ID, id.clone());
    // The route, not the path: a path holds what a client calls its threads.
    let route = route.as_ref().map_or("-", MatchedPath::as_str);
    let (status, took) = (response.status().as_u16(), begun.elapsed());
    listener.metrics.answered(&Answered { listener: listener.name, route, method: method.as_str(), status, took });
    if response.extensions().get::<Unavailable>().is_some() {
        listener.metrics.count(Count::DatabaseError);
    }
    tracing::info!(
        route,
        %method,
        status,
        micros = took.as_micros(),
        request_id = id.to_str().unwrap_or_default(),
        "answered"
    );
    response
}

fn is_usable(id: &HeaderValue) -> bool {
    (1..=MAX_ID_BYTES).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic)
}

fn made() -> HeaderValue {
    let made = random::id("req_").ok().and_then(|it| HeaderValue::try_from(it).ok());
    made.unwrap_or(HeaderValue::from_static("req_unknown"))
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let reply = self.0;
        let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, reply.body()).into_response();
        if reply.code == "companion_unavailable" {
            response.extensions_mut().insert(Unavailable);
        }
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for (name, value) in reply.headers {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        response
    }
}
