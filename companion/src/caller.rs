//! Whose memory it is.

use crate::names::Name;

/// An end user of a project. Every question about threads and turns names one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Caller {
    /// The project.
    pub(crate) project: Name,
    /// The end user, unique within the project.
    pub(crate) user: Name,
}
