//! The one error of the companion: what a caller reads when a request fails.

use crate::names::NotAName;
use crate::random::NoRandomness;
use domain::reply::Reply;

/// A request that failed, as the caller is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure(pub(crate) Reply);

impl Failure {
    /// A 400 `invalid_request` about the member `param`; `what` says what was found and what is expected.
    #[must_use]
    pub(crate) fn invalid(param: &str, what: impl std::fmt::Display) -> Self {
        Self(Reply::invalid(format!("`{param}`: {what}")).about(param))
    }

    /// A name that is none.
    #[must_use]
    pub(crate) fn name(param: &str, wrong: &NotAName) -> Self {
        Self::invalid(param, wrong)
    }

    /// A 404 for a thread that the caller does not have; whether somebody else has it is not told.
    #[must_use]
    pub(crate) fn no_such_thread() -> Self {
        Self(Reply::new(404, "thread_not_found", "You have no thread with this id.").about("thread_id"))
    }

    /// A 409: there is a thread of this id.
    #[must_use]
    pub(crate) fn thread_exists() -> Self {
        Self(Reply::new(409, "thread_exists", "You have a thread with this id.").about("id"))
    }

    /// A 404 for a message that the thread does not have.
    #[must_use]
    pub(crate) fn no_such_message() -> Self {
        Self(Reply::new(404, "message_not_found", "The thread has no message with this id.").about("message_id"))
    }

    /// A 409: the thread has as many messages as a thread may have.
    #[must_use]
    pub(crate) fn thread_full(most: u32) -> Self {
        let message = format!("The thread has {most} messages or more, which is all that it takes; begin another one.");
        Self(Reply::new(409, "thread_full", message).about("thread_id"))
    }

    /// A 409: the user has as many threads as a user may have.
    #[must_use]
    pub(crate) fn too_many_threads(most: u32) -> Self {
        let message = format!("You have {most} threads or more, which is all that you may have; delete one.");
        Self(Reply::new(409, "too_many_threads", message).about("thread_id"))
    }

    /// A 403: who asks is known, and may not.
    #[must_use]
    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self(Reply::new(403, "forbidden", message))
    }

    /// A 401. `WWW-Authenticate` as RFC 6750, section 3, demands.
    #[must_use]
    pub(crate) fn unauthorized(code: &'static str, message: impl Into<String>) -> Self {
        Self(Reply::new(401, code, message).header("www-authenticate", "Bearer realm=\"tollgate\""))
    }
}

impl From<Reply> for Failure {
    fn from(reply: Reply) -> Self {
        Self(reply)
    }
}

impl From<NoRandomness> for Failure {
    fn from(NoRandomness: NoRandomness) -> Self {
        tracing::error!("the operating system gave no random bytes");
        Self(Reply::new(500, "internal_error", "The companion could not make an id; its log says why."))
    }
}

/// The database's words go to the log, never to the caller: they may hold parts of a statement.
impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        tracing::error!(error = %error, "the database did not answer as it should");
        let message = "The companion's database does not answer; try again.";
        Self(Reply::new(503, "companion_unavailable", message).header("retry-after", "1"))
    }
}
