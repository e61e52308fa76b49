//! Copies of an SQLite database, whole and at one moment.

use super::tables;
use crate::db::{Db, longer};
use sqlx::sqlite::{SqliteConnectOptions, SqliteLockingMode};
use sqlx::{ConnectOptions, Connection};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// Writes a copy into `file`, which must not be there yet; readable by its owner alone.
///
/// # Errors
/// In words for the operator.
pub(crate) async fn backup(url: &str, file: &Path) -> Result<(), String> {
    let from = sqlite(url)?;
    if !from.exists() {
        return Err(format!("{}: there is no database", from.display()));
    }
    // SQLite writes into a file that is empty, too; one that it makes itself others could read meanwhile.
    new(file)?;
    let written = write(url, file).await;
    if written.is_err() {
        remove(file)?;
    }
    written
}

async fn write(url: &str, file: &Path) -> Result<(), String> {
    let wrong = |it: sqlx::Error| format!("{}: {it}", file.display());
    let options = SqliteConnectOptions::from_str(url).map_err(wrong)?.disable_statement_logging();
    let mut connection = options.connect().await.map_err(wrong)?;
    let name = file.to_str().ok_or_else(|| format!("{}: expected a name in UTF-8", file.display()))?;
    // A copy at one moment, without the pages that are free.
    sqlx::query("VACUUM INTO ?").bind(name).execute(&mut connection).await.map_err(wrong)?;
    connection.close().await.map_err(wrong)
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
    if to.exists() && is_open(&to).await {
        // It would go on writing into the file that was put aside.
        return Err(format!("{}: somebody has it open; stop the companions that run on it", to.display()));
    }
    let new = longer(&to, ".restoring");
    // What a restore left that was killed would be read as part of this copy.
    ["", "-wal", "-shm"].iter().try_for_each(|end| remove(&longer(&new, end)))?;
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
    let kept = longer(&to, ".before-restore");
    for end in ["", "-wal", "-shm"] {
        let (old, kept) = (longer(&to, end), longer(&kept, end));
        if old.exists() {
            std::fs::rename(&old, &kept).map_err(|it| io(&old, it))?;
        } else {
            // That of an older one.
            remove(&kept)?;
        }
    }
    std::fs::rename(&new, &to).map_err(|it| io(&to, it))?;
    Ok(Some(kept))
}

/// Whether somebody has a database open. Nobody else can have it alone then.
async fn is_open(database: &Path) -> bool {
    let alone = SqliteConnectOptions::new().filename(database).locking_mode(SqliteLockingMode::Exclusive);
    let alone = alone.busy_timeout(Duration::ZERO).disable_statement_logging();
    let looked = async {
        let mut connection = alone.connect().await?;
        sqlx::query("SELECT COUNT(*) FROM sqlite_master").execute(&mut connection).await?;
        connection.close().await
    };
    const BUSY: u32 = 5;
    let Err(sqlx::Error::Database(error)) = looked.await else { return false };
    error.code().and_then(|it| it.parse::<u32>().ok()).is_some_and(|it| it & 0xff == BUSY)
}

fn sqlite(url: &str) -> Result<PathBuf, String> {
    let wrong = || "expected an SQLite database (sqlite://<path>); PostgreSQL has pg_dump and pg_restore".to_owned();
    if !url.starts_with("sqlite:") || url.contains(":memory:") {
        return Err(wrong());
    }
    let options = SqliteConnectOptions::from_str(url).map_err(|_| wrong())?;
    Ok(options.get_filename().to_owned())
}

/// Makes a file that its owner alone reads.
fn new(file: &Path) -> Result<(), String> {
    use std::os::unix::fs::OpenOptionsExt;
    let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    made.map(|_| ()).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => format!("{}: expected a new file, found one", file.display()),
        _ => format!("{}: {error}", file.display()),
    })
}

/// Removes a file that may be there.
fn remove(file: &Path) -> Result<(), String> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(format!("{}: {error}", file.display())),
        _ => Ok(()),
    }
}

fn private(file: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600))
}
