//! Ids in paths. One that is not UTF-8 names nothing, nor does one with a NUL, which PostgreSQL takes in no text.

use crate::failure::Failure;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;

/// An id as it came.
pub(super) type Id = Result<Path<String>, PathRejection>;
/// Two of them.
pub(super) type Ids = Result<Path<(String, String)>, PathRejection>;

/// The id of something, or that this is `missing`.
pub(super) fn known(id: Id, missing: fn() -> Failure) -> Result<String, Failure> {
    id.ok().map(|Path(id)| id).filter(|it| !it.contains('\0')).ok_or_else(missing)
}

/// The same of two ids.
pub(super) fn both(ids: Ids, missing: fn() -> Failure) -> Result<(String, String), Failure> {
    let Path((one, other)) = ids.map_err(|_| missing())?;
    Ok((known(Ok(Path(one)), missing)?, known(Ok(Path(other)), missing)?))
}
