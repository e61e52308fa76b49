//! Who asks about usage and budgets, or tries guards out: an end user with a token, or a project's backend with its API key.

use super::public::holder;
use super::{App, bearer, mint};
use crate::api_key::{ApiKey, looks_like_a_key};
use crate::caller::Holder;
use crate::failure::Failure;
use crate::mint::Right;
use crate::names::Name;
use crate::store::Minter;
use crate::usage::question::Scope;
use axum::http::request::Parts;

/// What a token must be good for, if it says what it is good for, and in words.
pub(super) type Good = (&'static str, &'static str);
/// Usage, budgets and the leaderboard.
const USAGE: Good = ("usage:read", "usage");
/// Trying guards out.
pub(super) const GUARDRAILS: Good = ("guardrails:test", "trying guards out");

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asker {
    /// An end user: about themself.
    User(Holder),
    /// A project's backend: about the project and each of its users.
    Backend(Right),
}

impl Asker {
    /// As [`Asker::with`], about usage.
    pub(super) async fn of(app: &App, parts: &Parts) -> Result<Self, Failure> {
        Self::with(app, parts, USAGE).await
    }

    /// Whoever the one `Authorization` header names; identity headers are not looked at. A key that is none counts as
    /// one that failed to mint, or keys could be tried out here as often as one likes.
    ///
    /// # Errors
    /// 401, 403 for a token that is good for other things alone, or 429 for too many keys that were none.
    pub(super) async fn with(app: &App, parts: &Parts, (scope, what): Good) -> Result<Self, Failure> {
        let headers = &parts.headers;
        let Some(key) = bearer(headers).filter(|it| looks_like_a_key(it)) else {
            let holder = holder(app, headers).await?;
            return if holder.may(scope) {
                Ok(Self::User(holder))
            } else {
                Err(Failure::forbidden(format!("This token is not for {what}: expected the scope {scope} in `scp`.")))
            };
        };
        let known = match ApiKey::parse(key) {
            Some(key) => app.store.minter(key.hash()).await?,
            None => None,
        };
        match known {
            Some(Minter::Good(right)) => Ok(Self::Backend(right)),
            Some(Minter::Revoked(_)) | None => Err(mint::wrong_key(app, parts)),
        }
    }

    /// The tenant, and the API key that stands behind the question, if they are known.
    pub(super) fn tenant_and_key(&self) -> (Option<String>, Option<String>) {
        let text = |it: &Option<Name>| it.as_ref().map(|it| it.as_str().to_owned());
        match self {
            Self::Backend(Right { key, project }) => (Some(project.tenant.clone()), Some(key.clone())),
            Self::User(holder) => (text(&holder.tenant), text(&holder.key)),
        }
    }

    /// Whose usage is asked about, `user` being the one that the request names.
    ///
    /// # Errors
    /// 403 when that is another end user than the one who asks.
    pub(super) fn scope(&self, user: Option<String>) -> Result<Scope, Failure> {
        match self {
            Self::Backend(right) => Ok(Scope { project: Some(right.project.id.clone()), user }),
            Self::User(Holder { caller, .. }) => {
                let own = caller.user.as_str();
                if user.is_some_and(|it| it != own) {
                    let message = "`user_id`: a token sees its own end user alone; ask with the project's API key.";
                    return Err(Failure::forbidden(message));
                }
                Ok(Scope { project: Some(caller.project.as_str().to_owned()), user: Some(own.to_owned()) })
            }
        }
    }
}
