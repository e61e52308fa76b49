//! What is left: `/v1/budget`.

use super::App;
use super::asker::Asker;
use super::{json, query};
use crate::failure::Failure;
use crate::names::Name;
use crate::usage::Db;
use crate::usage::balance::{Budgets, Whose};
use crate::usage::question::Scope;
use crate::usage::store;
use axum::extract::State;
use axum::http::request::Parts;
use axum::response::Response;
use std::sync::Arc;

pub(super) async fn budget(State(app): State<Arc<App>>, parts: Parts) -> Result<Response, Failure> {
    let asker = Asker::of(&app, &parts).await?;
    let user = query::named(parts.uri.query(), &["user_id"])?.remove("user_id");
    let user = user.map(Name::try_from).transpose().map_err(|it| Failure::name("user_id", &it))?;
    let Scope { project, user } = asker.scope(user.map(|it| it.as_str().to_owned()))?;
    let project = project.unwrap_or_default();
    let (tenant, key) = asker.tenant_and_key();
    let whose = match user {
        Some(user) => Whose::User { project, user },
        None => Whose::ProjectAndKey { project, key: key.clone().unwrap_or_default() },
    };
    let balances = Db::bounded(store::balances(&app.usage, &whose, app.clock.now())).await?;
    json::answer(&Budgets::of(whose, tenant, key, &balances))
}
