//! For end users and their backends: mint, keys to verify with, threads, usage.

use super::{App, bearer, budget, guardrails, json, jwks, mint, models, query, reports};
use crate::api_key::looks_like_a_key;
use crate::caller::{Caller, Holder};
use crate::failure::Failure;
use crate::mint::PATH;
use crate::open_turns::Memory;
use crate::threads;
use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use std::sync::Arc;
use std::time::Duration;

/// How long a read waits for turns that a gateway is about to report. A report takes some 30 ms; a
/// reader who comes while an answer is still being streamed is held up for no longer than this.
const READ_WAIT: Duration = Duration::from_millis(500);

type Id = Result<Path<String>, PathRejection>;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route(PATH, post(mint::mint))
        .route("/auth/v1/auth/mint", post(mint::mint))
        .route("/.well-known/jwks.json", get(jwks::keys))
        .route("/v1/budget", get(budget::budget))
        .route("/v1/usage", get(reports::usage))
        .route("/v1/billing/usage", get(reports::billing))
        .route("/v1/models/leaderboard", get(models::leaderboard))
        .route("/v1/guardrails/test", post(guardrails::test))
        .route("/v1/threads", get(list))
        .route("/v1/threads/{thread}", get(thread).delete(delete))
        .route("/v1/threads/{thread}/messages", get(messages))
}

async fn list(State(app): State<Arc<App>>, parts: Parts) -> Result<Response, Failure> {
    let caller = caller(&app, &parts.headers).await?;
    let page = query::page(parts.uri.query(), false)?;
    app.turns.settle(&caller, Memory::Any, READ_WAIT).await;
    json::answer(&threads::list(&app.memory, &caller, page).await?)
}

async fn thread(State(app): State<Arc<App>>, id: Id, parts: Parts) -> Result<Response, Failure> {
    let caller = caller(&app, &parts.headers).await?;
    query::none(parts.uri.query())?;
    let id = known(id)?;
    app.turns.settle(&caller, Memory::Thread(id.clone()), READ_WAIT).await;
    json::answer(&threads::get(&app.memory, &caller, &id).await?)
}

async fn messages(State(app): State<Arc<App>>, id: Id, parts: Parts) -> Result<Response, Failure> {
    let caller = caller(&app, &parts.headers).await?;
    let page = query::page(parts.uri.query(), true)?;
    let id = known(id)?;
    app.turns.settle(&caller, Memory::Thread(id.clone()), READ_WAIT).await;
    json::answer(&threads::messages(&app.memory, &caller, &id, page).await?)
}

async fn delete(State(app): State<Arc<App>>, id: Id, parts: Parts) -> Result<Response, Failure> {
    let caller = caller(&app, &parts.headers).await?;
    query::none(parts.uri.query())?;
    threads::delete(&app.memory, &app.turns, &caller, &known(id)?, app.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// An id that is not UTF-8 names no thread.
fn known(id: Id) -> Result<String, Failure> {
    id.map(|Path(id)| id).map_err(|_| Failure::no_such_thread())
}

async fn caller(app: &App, headers: &HeaderMap) -> Result<Caller, Failure> {
    holder(app, headers).await.map(|it| it.caller)
}

/// Who asks, by the token that the companion signed; identity headers are not looked at.
pub(super) async fn holder(app: &App, headers: &HeaderMap) -> Result<Holder, Failure> {
    let missing = || Failure::unauthorized("invalid_token", "Expected one header `authorization: Bearer <token>`.");
    let token = bearer(headers).ok_or_else(missing)?;
    if looks_like_a_key(token) {
        let message = format!("An API key is not allowed here: POST it to {PATH} and send the token that you get.");
        return Err(Failure::unauthorized("api_key_not_allowed", message));
    }
    app.tokens.verify(token, app.clock.now()).await.map_err(|failure| retried(failure, headers))
}

/// Tells a stock `OpenAI` client with a callable key to mint once more and try again, but only on
/// its first try: the second would come to the same end.
fn retried(Failure(reply): Failure, headers: &HeaderMap) -> Failure {
    let first = headers.get("x-stainless-retry-count").is_none_or(|it| it == "0");
    if reply.code != "token_expired" || !first {
        return Failure(reply);
    }
    Failure(reply.header("x-should-retry", "true").header("retry-after-ms", "20"))
}
