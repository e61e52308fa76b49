//! The companion's usage database read as an auditor would: what the ledger holds, not what the companion says that it holds.

use std::collections::BTreeMap;

use sqlx::any::install_default_drivers;
use sqlx::{AnyConnection, Connection, Row};

/// One record, as far as tests compare it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// `u_…`
    pub id: String,
    /// Who asked.
    pub user: String,
    /// Canonical.
    pub model: String,
    /// Of the answer.
    pub status: i64,
    /// `complete`, `client_gone`, `upstream_gone`, `cut`.
    pub outcome: String,
    /// Counted by the gateway.
    pub estimated: bool,
    /// Ended by a budget.
    pub cut: bool,
    /// All of the prompt.
    pub input: u64,
    /// Of these, read from a cache.
    pub cached: u64,
    /// All of the answer.
    pub output: u64,
    /// Of these, hidden reasoning.
    pub reasoning: u64,
    /// How long the answer took.
    pub milliseconds: u64,
}

/// The records in the database at this URL.
///
/// # Panics
/// If it cannot be read.
#[must_use]
pub fn records(url: &str) -> Vec<Record> {
    let rows = ask(
        url,
        "SELECT id, user_id, model, status, outcome, estimated, cut_by_budget, input_tokens, cached_tokens, output_tokens, \
         reasoning_tokens, duration_ms FROM usage_records",
    );
    let record = |row: &sqlx::any::AnyRow| {
        let number = |place: usize| row.get::<i64, _>(place);
        let count = |place: usize| u64::try_from(number(place)).expect("a count");
        Record {
            id: row.get(0),
            user: row.get(1),
            model: row.get(2),
            status: number(3),
            outcome: row.get(4),
            estimated: number(5) != 0,
            cut: number(6) != 0,
            input: count(7),
            cached: count(8),
            output: count(9),
            reasoning: count(10),
            milliseconds: count(11),
        }
    };
    rows.iter().map(record).collect()
}

/// How many records there are.
///
/// # Panics
/// If the database cannot be read.
#[must_use]
pub fn count(url: &str) -> usize {
    let rows = ask(url, "SELECT COUNT(*) FROM usage_records");
    usize::try_from(rows[0].get::<i64, _>(0)).expect("a count")
}

/// The sums by hour, which must be those of the records: input, output and the number of requests, by user.
///
/// # Panics
/// If the database cannot be read.
#[must_use]
pub fn hours(url: &str) -> BTreeMap<String, [u64; 3]> {
    let mut all = BTreeMap::new();
    for row in ask(url, "SELECT user_id, input_tokens, output_tokens, requests FROM usage_hours") {
        let sums: &mut [u64; 3] = all.entry(row.get(0)).or_default();
        for (place, sum) in sums.iter_mut().enumerate() {
            *sum += u64::try_from(row.get::<i64, _>(place + 1)).expect("a count");
        }
    }
    all
}

fn ask(url: &str, statement: &'static str) -> Vec<sqlx::any::AnyRow> {
    install_default_drivers();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let rows = runtime.block_on(async {
        let mut connection = AnyConnection::connect(url).await?;
        sqlx::query(statement).fetch_all(&mut connection).await
    });
    rows.unwrap_or_else(|error| panic!("{url}: {error}"))
}
