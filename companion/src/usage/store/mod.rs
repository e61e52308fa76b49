//! The usage ledger's SQL. Several rows go in one statement, because on PostgreSQL every statement is a
//! round trip; and in an order that all companions share, so that two that lock the same rows wait for
//! each other instead of failing.

mod balances;
mod charges;
mod leases;
mod periods;
pub(crate) mod records;
#[cfg(test)]
mod tests;

pub(crate) use balances::balances;
pub(crate) use leases::{Answer, Question, ask, last_ask};
pub(crate) use records::{Added, add};

use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, AssertSqlSafe};

/// In how many rows a statement comes: few sizes, so that few statements are prepared.
const PIECES: [usize; 4] = [64, 16, 4, 1];

/// `rows` in pieces of the sizes that statements come in.
fn pieces<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = PIECES.into_iter().find(|it| *it <= rows.len())?;
        let (piece, rest) = rows.split_at_checked(size)?;
        rows = rest;
        Some(piece)
    })
}

/// `($1, $2), ($3, $4)`: placeholders of so many rows of so many columns.
fn values(rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let begin = row.saturating_mul(columns).saturating_add(1);
        let places = (begin..begin.saturating_add(columns)).map(|it| format!("${it}"));
        format!("({})", places.collect::<Vec<_>>().join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

/// `$1, $2`: placeholders of a list.
fn list(rows: usize) -> String {
    (1..=rows).map(|it| format!("${it}")).collect::<Vec<_>>().join(", ")
}

/// `column` of a row of `table` and `more`, neither below zero, added up: at most what a number holds. No count is ever
/// so large that what comes next could not be counted.
fn sum(table: &str, column: &str, more: &str) -> String {
    let most = i64::MAX;
    format!("CASE WHEN {table}.{column} > {most} - {more} THEN {most} ELSE {table}.{column} + {more} END")
}

/// A statement made of our own words and placeholders.
fn query<'q>(sql: String) -> Query<'q, Any, AnyArguments> {
    sqlx::query(AssertSqlSafe(sql))
}

#[cfg(test)]
mod pieces_tests {
    use super::*;

    #[test]
    fn rows_go_in_pieces_of_few_sizes() {
        let check = |rows: usize| pieces(&vec![0; rows]).map(<[_]>::len).collect::<Vec<_>>();
        assert!(check(0).is_empty());
        assert_eq!(check(7), [4, 1, 1, 1]);
        assert_eq!(check(150), [64, 64, 16, 4, 1, 1]);
        assert_eq!((values(2, 2).as_str(), list(2).as_str()), ("($1, $2), ($3, $4)", "$1, $2"));
    }
}
