//! Usage whose user is not to be known any more: it still counts for the project, and says nothing of a person.

use super::Db;
use crate::caller::Caller;

/// Gives the caller's usage to `nobody`, a name that nobody has, and says how many records those were. Budgets that are
/// running keep the user's name until their period ends: erasing must not fill them up.
///
/// # Errors
/// When the database does not answer; then nothing is detached.
pub(crate) async fn detach(db: &Db, caller: &Caller, nobody: &str) -> Result<u64, sqlx::Error> {
    let mut tx = db.write().await?;
    let mut records = 0;
    for sql in [
        "UPDATE usage_hours SET user_id = $3 WHERE project = $1 AND user_id = $2",
        "UPDATE usage_records SET user_id = $3 WHERE project = $1 AND user_id = $2",
    ] {
        let query = sqlx::query(sql).bind(caller.project.as_str()).bind(caller.user.as_str()).bind(nobody);
        records = query.execute(&mut *tx).await?.rows_affected();
    }
    tx.commit().await?;
    Ok(records)
}
