//! The tables of the usage database.

use crate::db::{Db, Tables};

const TABLES: Tables = Tables {
    versions: "_sqlx_migrations",
    migrations: &[
        (
            1,
            "usage",
            include_str!("../../migrations/usage/sqlite/0001_usage.sql"),
            include_str!("../../migrations/usage/postgres/0001_usage.sql"),
        ),
        (
            2,
            "events",
            include_str!("../../migrations/usage/sqlite/0002_events.sql"),
            include_str!("../../migrations/usage/postgres/0002_events.sql"),
        ),
        (
            3,
            "measures",
            include_str!("../../migrations/usage/sqlite/0003_measures.sql"),
            include_str!("../../migrations/usage/postgres/0003_measures.sql"),
        ),
    ],
    probe: "SELECT 1 FROM usage_hours LIMIT 1",
    apart: false,
};

/// Opens the usage database at `url` (`sqlite://path` or `postgres://user@host/name`) and brings it up to date.
///
/// # Errors
/// When the address is neither, or the database cannot be opened or migrated.
pub(crate) async fn open(url: &str) -> Result<Db, sqlx::Error> {
    Db::open(url, &TABLES).await
}
