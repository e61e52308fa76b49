//! Copies of an SQLite database, whole and at one moment.

use super::{open, tables};
use crate::db::Db;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Writes a copy into `file`, which must not be there yet; readable by its owner alone.
///
/// # Errors
/// In words for the operator.
pub(crate) async fn backup(url: &str, file: &Path) -> Result<(), String> {
    let from = sqlite(url)?;
    if file.exists() {
        return Err(format!("{}: expected a new file, found one", file.display()));
    }
    if !from.exists() {
        return Err(format!("{}: there is no database", from.display()));
    }
    let wrong = |it: sqlx::Error| format!("{}: {it}", file.display());
    let options = SqliteConnectOptions::from_str(url).map_err(wrong)?.disable_statement_logging();
    let mut connection = options.connect().await.map_err(wrong)?;
    let name = file.to_str().ok_or_else(|| format!("{}: expected a name in UTF-8", file.display()))?;
    // A copy at one moment, without the pages that are free.
    sqlx::query("VACUUM INTO ?").bind(name).execute(&mut connection).await.map_err(wrong)?;
    connection.close().await.map_err(wrong)?;
    private(file).map_err(|it| format!("{}: {it}", file.display()))
}

/// Puts the copy in `file` in the place of the database; says where the one is kept that was there.
///
/// # Errors
/// In words for the operator; then the database is what it was.
pub(crate) async fn restore(url: &str, file: &Path) -> Result<Option<PathBuf>, String> {
    let to = sqlite(url)?;
    let io = |path: &Path, it: std::io::Error| format!("{}: {it}", path.display());
    if !file.exists() {
        return Err(format!("{}: there is no such file", file.display()));
    }
    if open::is_taken(&to) {
        return Err(format!("{}: a companion runs on it; stop it first", to.display()));
    }
    let new = beside(&to, ".restoring");
    std::fs::copy(file, &new).map_err(|it| io(&new, it))?;
    private(&new).map_err(|it| io(&new, it))?;
    // It is one of ours, and brought up to date, before it takes the place of another.
    let opened = Db::open(&format!("sqlite://{}", new.display()), &tables::TABLES).await;
    let db = opened.map_err(|it| format!("{}: is no copy of a memory database: {it}", file.display()))?;
    db.close().await;
    if !to.exists() {
        std::fs::rename(&new, &to).map_err(|it| io(&to, it))?;
        return Ok(None);
    }
    let kept = beside(&to, ".before-restore");
    for end in ["", "-wal", "-shm"] {
        let (old, kept) = (beside(&to, end), beside(&kept, end));
        if old.exists() {
            std::fs::rename(&old, &kept).map_err(|it| io(&old, it))?;
        }
    }
    std::fs::rename(&new, &to).map_err(|it| io(&to, it))?;
    Ok(Some(kept))
}

fn sqlite(url: &str) -> Result<PathBuf, String> {
    let wrong = || "expected an SQLite database (sqlite://<path>); PostgreSQL has pg_dump and pg_restore".to_owned();
    if !url.starts_with("sqlite:") || url.contains(":memory:") {
        return Err(wrong());
    }
    let options = SqliteConnectOptions::from_str(url).map_err(|_| wrong())?;
    Ok(options.get_filename().to_owned())
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

fn private(file: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600))
}
