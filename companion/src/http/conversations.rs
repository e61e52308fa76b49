//! Threads in the shape of `OpenAI`'s Conversations API, for their owners.

use super::path::{Id, Ids, both, known};
use super::public::caller;
use super::threads::{IMPORT_BYTES, READ, READ_WAIT, THREAD_BYTES, WRITE, begun};
use super::{App, json, query};
use crate::conversations::{self, no_such_conversation};
use crate::failure::Failure;
use crate::open_turns::Memory;
use crate::threads;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::get;
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/conversations", get(list).post(make))
        .route("/v1/conversations/{conversation}", get(conversation).post(change).delete(remove))
        .route("/v1/conversations/{conversation}/items", get(items).post(add))
        .route("/v1/conversations/{conversation}/items/{item}", get(item).delete(remove_item))
}

async fn list(State(app): State<Arc<App>>, parts: Parts) -> Result<Response, Failure> {
    let caller = caller(&app, &parts.headers, READ).await?;
    let page = query::conversations(parts.uri.query())?;
    app.turns.settle(&caller, Memory::Any, READ_WAIT).await;
    json::answer(&conversations::list(&app.memory, &caller, &page).await?)
}

async fn make(State(app): State<Arc<App>>, request: Request) -> Result<Response, Failure> {
    let caller = caller(&app, request.headers(), WRITE).await?;
    query::none(request.uri().query())?;
    let making = json::read(request, IMPORT_BYTES).await?;
    json::answer(&conversations::make(&app.memory, &caller, making, app.limits, app.clock.now()).await?)
}

async fn conversation(State(app): State<Arc<App>>, id: Id, parts: Parts) -> Result<Response, Failure> {
    let caller = caller(&app, &parts.headers, READ).await?;
    query::none(parts.uri.query())?;
    let id = known(id, no_such_conversation)?;
    app.turns.settle(&caller, Memory::Thread(id.clone()), READ_WAIT).await;
    json::answer(&conversations::get(&app.memory, &caller, &id).await?)
}

async fn change(State(app): State<Arc<App>>, id: Id, request: Request) -> Result<Response, Failure> {
    let caller = caller(&app, request.headers(), WRITE).await?;
    query::none(request.uri().query())?;
    let id = known(id, no_such_conversation)?;
    let change = json::read(request, THREAD_BYTES).await?;
    begun(&app, &caller, &id).await?;
    json::answer(&conversations::change(&app.memory, &caller, &id, change).await?)
}

async fn remove(State(app): State<Arc<App>>, id: Id, parts: Parts) -> Result<Response, Failure> {
    let caller = caller(&app, &parts.headers, WRITE).await?;
    query::none(parts.uri.query())?;
    let id = known(id, no_such_conversation)?;
    if !threads::delete(&app.memory, &app.turns, &caller, &id, app.clock.now()).await? {
        return Err(no_such_conversation());
    }
    json::answer(&conversations::deleted(id))
}

async fn items(State(app): State<Arc<App>>, id: Id, parts: Parts) -> Result<Response, Failure> {
    let caller = caller(&app, &parts.headers, READ).await?;
    let page = query::items(parts.uri.query())?;
    let id = known(id, no_such_conversation)?;
    app.turns.settle(&caller, Memory::Thread(id.clone()), READ_WAIT).await;
    json::answer(&conversations::items(&app.memory, &caller, &id, &page).await?)
}

async fn add(State(app): State<Arc<App>>, id: Id, request: Request) -> Result<Response, Failure> {
    let caller = caller(&app, request.headers(), WRITE).await?;
    query::include(request.uri().query())?;
    let id = known(id, no_such_conversation)?;
    let items = json::read(request, IMPORT_BYTES).await?;
    app.turns.settle(&caller, Memory::Thread(id.clone()), READ_WAIT).await;
    json::answer(&conversations::add(&app.memory, &caller, &id, items, app.limits, app.clock.now()).await?)
}

async fn item(State(app): State<Arc<App>>, ids: Ids, parts: Parts) -> Result<Response, Failure> {
    let caller = caller(&app, &parts.headers, READ).await?;
    query::include(parts.uri.query())?;
    let (id, item) = both(ids, no_such_conversation)?;
    app.turns.settle(&caller, Memory::Thread(id.clone()), READ_WAIT).await;
    json::answer(&conversations::item(&app.memory, &caller, &id, &item).await?)
}

async fn remove_item(State(app): State<Arc<App>>, ids: Ids, parts: Parts) -> Result<Response, Failure> {
    let caller = caller(&app, &parts.headers, WRITE).await?;
    query::none(parts.uri.query())?;
    let (id, item) = both(ids, no_such_conversation)?;
    json::answer(&conversations::delete_item(&app.memory, &caller, &id, &item).await?)
}
