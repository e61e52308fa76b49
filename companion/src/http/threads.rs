//! Threads, for their owners.

use super::path::{Id, Ids, both, known};
use super::public::caller;
use super::{App, json, query};
use crate::caller::Caller;
use crate::failure::Failure;
use crate::open_turns::Memory;
use crate::threads::{self, change, export, import, search};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use std::sync::Arc;
use std::time::Duration;

/// How long a read waits for turns that a gateway is about to report. A report takes some 30 ms; a
/// reader who comes while an answer is still being streamed is held up for no longer than this.
pub(super) const READ_WAIT: Duration = Duration::from_millis(500);
/// A thread's title and metadata.
pub(super) const THREAD_BYTES: usize = 64 << 10;
/// Messages that are imported at once.
pub(super) const IMPORT_BYTES: usize = 32 << 20;
/// Scopes of tokens.
pub(super) const READ: &str = "threads:read";
pub(super) const WRITE: &str = "threads:write";

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/threads", get(list).post(make))
        .route("/v1/threads/search", get(find))
        .route("/v1/threads/export", get(export_all))
        .route("/v1/threads/{thread}", get(thread).patch(change).delete(remove))
        .route("/v1/threads/{thread}/export", get(export_one))
        .route("/v1/threads/{thread}/messages", get(messages).post(import))
        .route("/v1/threads/{thread}/messages/{message}", delete(remove_message))
        .route("/v1/users/me/data", delete(erase))
}

async fn list(State(app): State<Arc<App>>, parts: Parts) -> Result<Response, Failure> {
    let caller = caller(&app, &parts.headers, READ).await?;
    let page = query::page(parts.uri.query(), false)?;
    app.turns.settle(&caller, Memory::Any, READ_WAIT).await;
    json::answer(&threads::list(&app.memory, &caller, page).await?)
}

async fn make(State(app): State<Arc<App>>, request: Request) -> Result<Response, Failure> {
    let caller = caller(&app, request.headers(), WRITE).await?;
    query::none(request.uri().query())?;
    let making = json::read(request, THREAD_BYTES).await?;
    let made = change::make(&app.memory, &caller, making, app.limits, app.clock.now()).await?;
    Ok((StatusCode::CREATED, json::answer(&made)?).into_response())
}

async fn thread(State(app): State<Arc<App>>, id: Id, parts: Parts) -> Result<Response, Failure> {
    let caller = caller(&app, &parts.headers, READ).await?;
    query::none(parts.uri.query())?;
    let id = known(id, Failure::no_such_thread)?;
    app.turns.settle(&caller, Memory::Thread(id.clone()), READ_WAIT).await;
    json::answer(&threads::get(&app.memory, &caller, &id).await?)
}

async fn change(State(app): State<Arc<App>>, id: Id, request: Request) -> Result<Response, Failure> {
    let caller = caller(&app, request.headers(), WRITE).await?;
    query::none(request.uri().query())?;
    let id = known(id, Failure::no_such_thread)?;
    let change = json::read(request, THREAD_BYTES).await?;
    begun(&app, &caller, &id).await?;
    json::answer(&change::change(&app.memory, &caller, &id, change).await?)
}

async fn messages(State(app): State<Arc<App>>, id: Id, parts: Parts) -> Result<Response, Failure> {
    let caller = caller(&app, &parts.headers, READ).await?;
    let page = query::page(parts.uri.query(), true)?;
    let id = known(id, Failure::no_such_thread)?;
    app.turns.settle(&caller, Memory::Thread(id.clone()), READ_WAIT).await;
    json::answer(&threads::messages(&app.memory, &caller, &id, page).await?)
}

async fn import(State(app): State<Arc<App>>, id: Id, request: Request) -> Result<Response, Failure> {
    let caller = caller(&app, request.headers(), WRITE).await?;
    query::none(request.uri().query())?;
    let id = known(id, Failure::no_such_thread)?;
    let messages = json::read(request, IMPORT_BYTES).await?;
    app.turns.settle(&caller, Memory::Thread(id.clone()), READ_WAIT).await;
    let stored = import::import(&app.memory, &caller, &id, messages, app.limits, app.clock.now()).await?;
    Ok((StatusCode::CREATED, json::answer(&threads::whole("messages", stored))?).into_response())
}

async fn remove(State(app): State<Arc<App>>, id: Id, parts: Parts) -> Result<Response, Failure> {
    let caller = caller(&app, &parts.headers, WRITE).await?;
    query::none(parts.uri.query())?;
    let id = known(id, Failure::no_such_thread)?;
    let gone = threads::delete(&app.memory, &app.turns, &caller, &id, app.clock.now()).await?;
    if gone { Ok(StatusCode::NO_CONTENT.into_response()) } else { Err(Failure::no_such_thread()) }
}

async fn remove_message(State(app): State<Arc<App>>, ids: Ids, parts: Parts) -> Result<Response, Failure> {
    let caller = caller(&app, &parts.headers, WRITE).await?;
    query::none(parts.uri.query())?;
    let (thread, message) = both(ids, Failure::no_such_thread)?;
    threads::delete_message(&app.memory, &caller, &thread, &message).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn find(State(app): State<Arc<App>>, parts: Parts) -> Result<Response, Failure> {
    let caller = caller(&app, &parts.headers, READ).await?;
    let (question, limit) = query::search(parts.uri.query())?;
    app.turns.settle(&caller, Memory::Any, READ_WAIT).await;
    json::answer(&search::search(&app.memory, &caller, &question, limit).await?)
}

async fn export_one(State(app): State<Arc<App>>, id: Id, parts: Parts) -> Result<Response, Failure> {
    let caller = caller(&app, &parts.headers, READ).await?;
    query::none(parts.uri.query())?;
    let id = known(id, Failure::no_such_thread)?;
    app.turns.settle(&caller, Memory::Thread(id.clone()), READ_WAIT).await;
    threads::get(&app.memory, &caller, &id).await?;
    Ok(lines(export::start(app.memory.clone(), caller, Some(id))))
}

async fn export_all(State(app): State<Arc<App>>, parts: Parts) -> Result<Response, Failure> {
    let caller = caller(&app, &parts.headers, READ).await?;
    query::none(parts.uri.query())?;
    app.turns.settle(&caller, Memory::Any, READ_WAIT).await;
    Ok(lines(export::start(app.memory.clone(), caller, None)))
}

async fn erase(State(app): State<Arc<App>>, parts: Parts) -> Result<Response, Failure> {
    let caller = caller(&app, &parts.headers, WRITE).await?;
    query::none(parts.uri.query())?;
    let erased = threads::erase(&app.memory, &app.usage, &app.turns, &caller, app.clock.now()).await?;
    json::answer(&erased)
}

/// Waits for the first turn of a thread that is not there yet.
pub(super) async fn begun(app: &App, caller: &Caller, id: &str) -> Result<(), Failure> {
    if app.memory.thread(caller, id).await?.is_none() {
        app.turns.settle(caller, Memory::Thread(id.to_owned()), READ_WAIT).await;
    }
    Ok(())
}

/// JSON Lines, one object a line.
fn lines(body: Body) -> Response {
    let mut response = body.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/jsonl"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
