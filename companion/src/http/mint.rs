//! Mint: the one place that takes an API key.

use super::{App, Peer, bearer, json};
use crate::address::{self, Network};
use crate::api_key::ApiKey;
use crate::failure::Failure;
use crate::metrics::Count;
use crate::mint::{self, Right};
use crate::refusals::{RevokedKey, Who};
use crate::store::{MintRow, Minter};
use axum::Extension;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use domain::reply::Reply;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// The largest body that is read; a real one has some hundred bytes.
const MAX_BYTES: usize = 16 * 1024;

/// How long a refused request may take to send the rest of it.
const DRAINED_WITHIN: Duration = Duration::from_secs(2);

/// What is said of a key that is none.
const UNKNOWN: &str = "The API key is unknown or revoked.";

/// Why a key mints nothing.
struct Refusal {
    /// The key, if it is one that was revoked.
    key: Option<RevokedKey>,
    /// What its holder is told.
    message: &'static str,
}

pub(super) async fn mint(
    State(app): State<Arc<App>>,
    Extension(Peer(peer)): Extension<Peer>,
    request: Request,
) -> Result<Response, Failure> {
    let address = client(&app, peer, request.headers());
    let right = match minter(&app, request.headers()).await? {
        Ok(good) => good,
        Err(refusal) => {
            drain(request).await;
            return Err(refused(&app, address, refusal));
        }
    };
    let input = json::read(request, MAX_BYTES).await?;
    let now = app.clock.now();
    let revoked = RevokedKey { id: right.key.clone(), project: right.project.id.clone() };
    let mint = mint::mint(&app.tokens, right, app.longest_ttl, now, input).await?;
    let row = MintRow {
        at: now,
        key: revoked.id.clone(),
        project: revoked.project.clone(),
        address: address.to_string(),
        details: mint.details,
    };
    if !app.ledger.enter(row).await? {
        return Err(refused(&app, address, unknown(Some(revoked))));
    }
    app.metrics.count(Count::Minted);
    json::answer(&mint.answer)
}

/// Who may mint by the request's key, and for which project.
async fn minter(app: &App, headers: &HeaderMap) -> Result<Result<Right, Refusal>, Failure> {
    let Some(token) = bearer(headers) else {
        return Ok(Err(Refusal { key: None, message: "Expected one header `authorization: Bearer <API key>`." }));
    };
    let Some(key) = ApiKey::parse(token) else {
        let message = "Expected an API key, found a token: only a key can mint.";
        let is_token = token.split('.').count() == 3;
        return Ok(Err(if is_token { Refusal { key: None, message } } else { unknown(None) }));
    };
    Ok(match app.store.minter(key.hash()).await? {
        Some(Minter::Good(right)) => Ok(right),
        Some(Minter::Revoked(key)) => Err(unknown(Some(key))),
        None => Err(unknown(None)),
    })
}

/// Reads what is left of a refused request. Else its connection would be closed behind the answer, and
/// behind a gateway the next request on it is somebody else's.
async fn drain(request: Request) {
    let _ = tokio::time::timeout(DRAINED_WITHIN, axum::body::to_bytes(request.into_body(), MAX_BYTES)).await;
}

/// Unknown and revoked are one answer: whoever holds a key that is none learns nothing about it.
fn unknown(key: Option<RevokedKey>) -> Refusal {
    Refusal { key, message: UNKNOWN }
}

/// The answer to a key that is none, where something else than a mint was asked for with it.
pub(super) fn wrong_key(app: &App, parts: &Parts) -> Failure {
    let Some(Peer(peer)) = parts.extensions.get::<Peer>() else {
        return Failure::unauthorized("invalid_api_key", UNKNOWN);
    };
    let network = Network::of(client(app, *peer, &parts.headers));
    match app.failed_mints.count(network, app.clock.now()) {
        Ok(()) => Failure::unauthorized("invalid_api_key", UNKNOWN),
        Err(wait) => too_many(wait),
    }
}

/// Writes a refusal down and counts it against the address that it came from.
fn refused(app: &App, address: IpAddr, refusal: Refusal) -> Failure {
    let (network, now) = (Network::of(address), app.clock.now());
    app.ledger.refuse(Who { network, key: refusal.key }, now);
    match app.failed_mints.count(network, now) {
        Ok(()) => {
            app.metrics.count(Count::MintRefused);
            Failure::unauthorized("invalid_api_key", refusal.message)
        }
        Err(wait) => {
            app.metrics.count(Count::MintLimited);
            too_many(wait)
        }
    }
}

fn too_many(wait: Duration) -> Failure {
    // RFC 9110, section 10.2.3: whole seconds; rounded up, or the client would come too early.
    let (seconds, millis) = (wait.as_micros().div_ceil(1_000_000), wait.as_micros().div_ceil(1_000));
    let message = format!(
        "Too many API keys from this address failed. Try again in {seconds} s; a valid API key is taken at any time."
    );
    let reply = Reply::new(429, "rate_limit_exceeded", message)
        .header("retry-after", seconds.to_string())
        .header("retry-after-ms", millis.to_string())
        // The same key would fail again.
        .header("x-should-retry", "false");
    Failure(reply)
}

fn client(app: &App, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let lines = headers.get_all("x-forwarded-for").into_iter().map(HeaderValue::as_bytes);
    address::client(peer, lines, app.trusted_hops)
}
