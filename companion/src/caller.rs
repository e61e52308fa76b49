//! Who asks.

use crate::names::Name;

/// An end user of a project. Every question about threads and turns names one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Caller {
    /// The project.
    pub(crate) project: Name,
    /// The end user, unique within the project.
    pub(crate) user: Name,
}

/// Who holds a token. The caller is the same whichever token they come with, so what belongs to the token alone stands
/// beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    /// Whose token it is.
    pub(crate) caller: Caller,
    /// The tenant that owns the project, if the token names one.
    pub(crate) tenant: Option<Name>,
    /// The id of the API key that the token was minted with, if the companion minted it.
    pub(crate) key: Option<Name>,
    /// What the token is good for; none means everything that an end user may.
    pub(crate) scopes: Vec<String>,
}

impl Holder {
    /// Whether the token is good for what `scope` names.
    #[must_use]
    pub(crate) fn may(&self, scope: &str) -> bool {
        self.scopes.is_empty() || self.scopes.iter().any(|it| it == scope)
    }
}
