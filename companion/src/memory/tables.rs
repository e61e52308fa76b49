//! The tables of the memory database.

use crate::db::Tables;

pub(super) const TABLES: Tables = Tables {
    versions: "_memory_migrations",
    migrations: &[(
        1,
        "memory",
        include_str!("../../migrations/memory/sqlite/0001_memory.sql"),
        include_str!("../../migrations/memory/postgres/0001_memory.sql"),
    )],
    probe: "SELECT 1 FROM threads LIMIT 1",
    apart: true,
};
