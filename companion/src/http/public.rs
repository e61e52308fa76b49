//! For end users and their backends: mint, keys to verify with, threads, usage.

use super::{App, bearer, budget, conversations, guardrails, jwks, mint, models, reports, threads};
use crate::api_key::looks_like_a_key;
use crate::caller::{Caller, Holder};
use crate::failure::Failure;
use crate::mint::PATH;
use axum::Router;
use axum::http::HeaderMap;
use axum::routing::{get, post};
use std::sync::Arc;

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
        .merge(threads::routes())
        .merge(conversations::routes())
}

/// Who asks, with a token that is good for `scope`.
pub(super) async fn caller(app: &App, headers: &HeaderMap, scope: &str) -> Result<Caller, Failure> {
    let holder = holder(app, headers).await?;
    if holder.may(scope) {
        return Ok(holder.caller);
    }
    Err(Failure::forbidden(format!("This token is not good for `{scope}`; ask for one with that scope.")))
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
