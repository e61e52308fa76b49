//! A database that is SQLite, or PostgreSQL when several companions share it. One text of SQL serves both (`$1`, BIGINT,
//! TEXT and BYTEA, which SQLite calls BLOB); what differs is here.

mod wal;
mod writing;

use crate::clock::Clock;
use domain::time::Micros;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AnyConnection, AnyPool, ConnectOptions, Connection, Executor, SqlSafeStr};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// How long a request waits for a connection, or for another's write; past it, it fails with 503.
const BUSY: Duration = Duration::from_secs(5);
/// Connections at a time. SQLite has one writer at a time in any case.
const CONNECTIONS: u32 = 8;
/// Reports at a time: each may read for long, and gateways must find a connection all the while.
const REPORTS: usize = 3;
/// How long a question or a batch waits for a server that has become silent, such as one whose machine is gone: longer
/// than [`POSTGRES`] lets a statement wait for others.
const SILENT: Duration = Duration::from_secs(40);
/// Every SQLite connection: an answered batch survives a power failure, a writer waits for another, and what is deleted is
/// overwritten, not only unlinked.
const SQLITE: &str =
    "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
    PRAGMA secure_delete = ON";
/// Every PostgreSQL connection: nothing waits for ever, and a commit that was answered is on the disk,
/// even where the server's default is otherwise.
const POSTGRES: &str =
    "SET lock_timeout = '5s'; SET statement_timeout = '30s'; SET idle_in_transaction_session_timeout = '30s';
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";
/// Every connection whose commits need not wait for the disk, after the above.
const QUICK_SQLITE: &str = "PRAGMA synchronous = NORMAL";
const QUICK_POSTGRES: &str = "SET synchronous_commit = off";
/// Every SQLite connection that is not to make checkpoints.
const APART: &str = "PRAGMA wal_autocheckpoint = 0";

/// What is in a database: its tables, and how they came to be.
#[derive(Debug)]
pub(crate) struct Tables {
    /// Where it is written which migrations were made; its own, because two sets may be in one PostgreSQL.
    pub(crate) versions: &'static str,
    /// Number, name, and the text for SQLite and for PostgreSQL, in order. A migration that was released is never changed.
    pub(crate) migrations: &'static [(i64, &'static str, &'static str, &'static str)],
    /// A question that is answered at once when the tables are there.
    pub(crate) probe: &'static str,
    /// Whether requests are not to wait for the checkpoints of an SQLite database, which are made apart then.
    pub(crate) apart: bool,
}

/// Which database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sqlite,
    Postgres,
}

/// The database.
#[derive(Debug, Clone)]
pub(crate) struct Db {
    pool: AnyPool,
    /// Connects when it is first asked, which most databases are never.
    quick: AnyPool,
    kind: Kind,
    probe: &'static str,
    reports: Arc<Semaphore>,
    /// The turn to write, where one may at a time.
    writer: Arc<Semaphore>,
    /// SQLite's file.
    file: Option<Arc<PathBuf>>,
}

impl Db {
    /// Opens the database at `url` (`sqlite://path` or `postgres://user@host/name`) and brings its tables
    /// up to date. A missing SQLite file is made, readable by its owner alone. Companions that start at
    /// once on one PostgreSQL wait for each other (sqlx takes an advisory lock to migrate).
    ///
    /// # Errors
    /// When the address is neither, or the database cannot be opened or migrated.
    pub(crate) async fn open(url: &str, tables: &Tables) -> Result<Self, sqlx::Error> {
        let kind = Kind::of(url)?;
        sqlx::any::install_default_drivers();
        let file = file_of(url)?;
        // A slow statement would stand in the log with all its placeholders.
        let options = AnyConnectOptions::from_str(url)?.disable_statement_logging();
        let besides = if tables.apart && kind == Kind::Sqlite { APART } else { "" };
        let pool = pool_of(kind, CONNECTIONS, [besides, ""]).connect_with(options.clone()).await?;
        let (writers, told) = if kind == Kind::Sqlite { (2, QUICK_SQLITE) } else { (4, QUICK_POSTGRES) };
        let quick = pool_of(kind, writers, [besides, told]).connect_lazy_with(options);
        let migrations = tables.migrations.iter().map(|(version, name, sqlite, postgres)| {
            let sql = if kind == Kind::Sqlite { *sqlite } else { *postgres };
            Migration::new(*version, (*name).into(), MigrationType::Simple, sql.into_sql_str(), false)
        });
        let mut migrator = Migrator::with_migrations(migrations.collect());
        migrator.dangerous_set_table_name(tables.versions);
        let mut tries = 1;
        while let Err(error) = migrator.run(&pool).await {
            // On SQLite nothing keeps two that start at once apart. One of them fails at what the other has just made,
            // as a whole, and finds it made when it looks again.
            if kind == Kind::Postgres || tries > tables.migrations.len() {
                return Err(error.into());
            }
            tries = tries.saturating_add(1);
        }
        let (reports, writer) = (Arc::new(Semaphore::new(REPORTS)), Arc::new(Semaphore::new(1)));
        let file = file.map(Arc::new);
        let db = Self { pool, quick, kind, probe: tables.probe, reports, writer, file };
        if tables.apart {
            db.make_checkpoints();
        }
        Ok(db)
    }

    /// The path of the database's file with this behind its name; `None` when it is no file.
    pub(crate) fn file_with(&self, end: &str) -> Option<PathBuf> {
        self.file.as_ref().map(|it| longer(it, end))
    }

    /// For reads.
    pub(crate) fn pool(&self) -> &AnyPool {
        &self.pool
    }

    /// Leave to read much. It is to be kept until the database has answered, whether anybody still waits for it or not.
    ///
    /// # Errors
    /// When the reports of others take too long.
    pub(crate) async fn reading(&self) -> Result<OwnedSemaphorePermit, sqlx::Error> {
        match timeout(BUSY, self.reports.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(sqlx::Error::PoolClosed),
            Err(_) => Err(sqlx::Error::PoolTimedOut),
        }
    }

    /// What `work` comes to, unless the database is silent for too long.
    ///
    /// # Errors
    /// Those of `work`, and when it does not end in time.
    pub(crate) async fn bounded<T>(work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
        timeout(SILENT, work).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    /// What ends a SELECT whose rows are to be locked until the transaction ends.
    pub(crate) fn for_update(&self) -> &'static str {
        match self.kind {
            Kind::Sqlite => "",
            Kind::Postgres => " FOR UPDATE",
        }
    }

    /// The SQL of all rows as one text, a list in JSON: of each the `columns`, then `bytes` in hexadecimal digits, in this
    /// `order`.
    pub(crate) fn json_list(&self, columns: &[&str], bytes: &str, order: &str) -> String {
        let columns = columns.join(", ");
        match self.kind {
            Kind::Sqlite => format!("json_group_array(json_array({columns}, hex({bytes})) ORDER BY {order})"),
            Kind::Postgres => format!(
                "CAST(COALESCE(json_agg(json_build_array({columns}, encode({bytes}, 'hex')) ORDER BY {order}), '[]') AS TEXT)"
            ),
        }
    }

    /// The moment, by a clock that is the same for all who share the database: PostgreSQL's own, or for a
    /// file `clock`, the machine's.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn moment(&self, connection: &mut AnyConnection, clock: &Clock) -> Result<Micros, sqlx::Error> {
        if self.kind == Kind::Sqlite {
            return Ok(clock.now());
        }
        let sql = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)";
        let micros: i64 = sqlx::query_scalar(sql).fetch_one(connection).await?;
        Ok(Micros(u64::try_from(micros).unwrap_or_default()))
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub(crate) async fn ping(&self) -> Result<(), sqlx::Error> {
        sqlx::query(self.probe).fetch_optional(&self.pool).await.map(|_| ())
    }

    /// Closes every connection, so that SQLite's write-ahead log is folded into the file.
    pub(crate) async fn close(&self) {
        self.quick.close().await;
        self.pool.close().await;
    }
}

/// Connections to a database of this kind: how many, and what each is told besides.
fn pool_of(kind: Kind, connections: u32, besides: [&'static str; 2]) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(BUSY)
        // A file has no network on which a connection could have died.
        .test_before_acquire(kind == Kind::Postgres)
        .after_connect(move |connection, _| {
            let sql = if kind == Kind::Sqlite { SQLITE } else { POSTGRES };
            Box::pin(async move {
                connection.execute(sqlx::raw_sql(sql)).await?;
                for sql in besides.into_iter().filter(|it| !it.is_empty()) {
                    connection.execute(sqlx::raw_sql(sql)).await?;
                }
                Ok(())
            })
        })
        .after_release(move |connection, _| {
            Box::pin(async move { Ok(kind == Kind::Postgres || has_ended(connection).await?) })
        })
}

impl Kind {
    fn of(url: &str) -> Result<Self, sqlx::Error> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") if !url.contains(":memory:") => Ok(Self::Sqlite),
            Some("postgres" | "postgresql") => Ok(Self::Postgres),
            _ => Err(sqlx::Error::Configuration("expected sqlite://<path> or postgres://<user>@<host>/<name>".into())),
        }
    }
}

/// Whether the last transaction of an SQLite connection is over. When a disk is full or fails, SQLite rolls back by
/// itself, which sqlx does not notice: it would take the connection to be in a transaction for ever, and begin no other.
///
/// # Errors
/// When the connection is broken.
pub(crate) async fn has_ended<C: Connection>(connection: &mut C) -> Result<bool, sqlx::Error> {
    if connection.is_in_transaction() {
        // What was sent to it before, such as a rollback, has been done then.
        connection.ping().await?;
    }
    Ok(!connection.is_in_transaction())
}

/// The file of the database at `url`, made if it is missing; `None` when it is no file. Its name is the one that no link
/// stands behind, by which SQLite names its other files.
///
/// # Errors
/// When the address is none, or the file cannot be made.
pub(crate) fn file_of(url: &str) -> Result<Option<PathBuf>, sqlx::Error> {
    if Kind::of(url)? == Kind::Postgres {
        return Ok(None);
    }
    let options = SqliteConnectOptions::from_str(url)?;
    // SQLite would make it readable by everybody; its other files (-wal, -shm) get the mode of this one.
    let mut open = OpenOptions::new();
    let file = open.write(true).create(true).truncate(false).mode(0o600).open(options.get_filename());
    let whole = file.and_then(|_| options.get_filename().canonicalize());
    whole.map(Some).map_err(sqlx::Error::Io)
}

/// The path of a file that stands beside another one, with this behind that one's name.
pub(crate) fn longer(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// The database of this `name` that stands beside the main one: `sqlite://tollgate.db` has `sqlite://tollgate-usage.db`.
/// `None` when the main database is no file.
pub(crate) fn beside(main: &str, name: &str) -> Option<String> {
    let (path, query) = main.split_once('?').map_or((main, None), |(path, query)| (path, Some(query)));
    let (folder, file) = path.rsplit_once('/').map_or(("", path), |(folder, file)| (folder, file));
    if !main.starts_with("sqlite:") || file.is_empty() || file.contains(":memory:") {
        return None;
    }
    let (begin, file) = file.strip_prefix("sqlite:").map_or(("", file), |file| ("sqlite:", file));
    let named =
        file.rsplit_once('.').map_or_else(|| format!("{file}-{name}"), |(stem, end)| format!("{stem}-{name}.{end}"));
    let folder = if path.contains('/') { format!("{folder}/") } else { String::new() };
    Some(format!("{folder}{begin}{named}{}", query.map(|it| format!("?{it}")).unwrap_or_default()))
}

/// A time as both databases keep it. Their integers are signed; the year 294,000 is far enough.
pub(crate) fn to_sql(time: Micros) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}

/// A time that a database kept.
pub(crate) fn from_sql(time: i64) -> Micros {
    Micros(u64::try_from(time).unwrap_or_default())
}

/// `url` without the password, fit for an error message.
pub(crate) fn shown(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.split('?').next().unwrap_or_default().to_owned();
    };
    let rest = rest.split('?').next().unwrap_or_default();
    format!("{scheme}://{}", rest.rsplit_once('@').map_or(rest, |(_, host)| host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usage_database_stands_beside_the_main_one() {
        for (main, usage) in [
            ("sqlite://tollgate.db", Some("sqlite://tollgate-usage.db")),
            ("sqlite:tollgate.db", Some("sqlite:tollgate-usage.db")),
            ("sqlite:///var/lib/tollgate.d/main?mode=rwc", Some("sqlite:///var/lib/tollgate.d/main-usage?mode=rwc")),
            ("sqlite://a/b.c.db", Some("sqlite://a/b.c-usage.db")),
            ("sqlite::memory:", None),
            ("postgres://x/y", None),
        ] {
            assert_eq!(beside(main, "usage").as_deref(), usage, "{main}");
        }
    }

    #[tokio::test]
    async fn reports_leave_connections_to_gateways_and_nobody_waits_for_ever() {
        let scratch = crate::usage::testing::sqlite().await;
        let mut reports = Vec::new();
        for _ in 0..REPORTS {
            reports.push(scratch.db.reading().await.unwrap());
        }
        tokio::time::pause();
        assert!(matches!(scratch.db.reading().await, Err(sqlx::Error::PoolTimedOut)));
        let silent = Db::bounded(std::future::pending::<Result<(), _>>()).await;
        assert!(matches!(silent, Err(sqlx::Error::PoolTimedOut)));
        tokio::time::resume();
        scratch.db.write().await.unwrap().rollback().await.unwrap();
        reports.pop();
        assert!(scratch.db.reading().await.is_ok());
    }

    #[tokio::test]
    async fn after_sqlite_rolled_back_by_itself_the_next_transaction_is_a_new_one() {
        let scratch = crate::usage::testing::sqlite().await;
        // As when the disk is full.
        let full = "CREATE TRIGGER full BEFORE INSERT ON installation_keys BEGIN SELECT RAISE(ROLLBACK, 'full'); END";
        sqlx::query(full).execute(scratch.db.pool()).await.unwrap();
        let insert = "INSERT INTO installation_keys (name, value) VALUES ('a', 'b')";
        for _ in 0..50 {
            let mut tx = scratch.db.write().await.unwrap();
            assert!(sqlx::query(insert).execute(&mut *tx).await.is_err());
        }
        sqlx::query("DROP TRIGGER full").execute(scratch.db.pool()).await.unwrap();
        let mut tx = scratch.db.write().await.unwrap();
        sqlx::query(insert).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
    }

    #[test]
    fn a_password_is_not_shown() {
        for (url, expected) in [
            ("postgres://ada:p@ss@db:5432/usage?password=x", "postgres://db:5432/usage"),
            ("postgres://db/usage", "postgres://db/usage"),
            ("sqlite://a/b.db", "sqlite://a/b.db"),
            ("sqlite:b.db?x=y", "sqlite:b.db"),
        ] {
            assert_eq!(shown(url), expected);
        }
    }
}
