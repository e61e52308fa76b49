//! What is a good token, and what is not: a row for each way in which one can be wrong, with the word for what must
//! become of it (the names of `Denial`, `ok`, `ask`). Tokens are signed here, with keys made for one run.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "test code: a broken assumption should stop the test where it broke"
)]

use rows::{Row, TABLE};
use std::collections::BTreeMap;

mod any_bytes;
mod clock;
mod config;
mod gate;
mod key_documents;
mod key_members;
mod rows;
mod support;

/// A test for each function of the table.
macro_rules! tests {
    ($($module:ident { $($name:ident)* })*) => {
        $(mod $module {
            $(#[test]
            fn $name() {
                let name = concat!(stringify!($module), "::", stringify!($name));
                let (_, rows) = crate::rows::TABLE.iter().find(|(it, _)| *it == name).unwrap();
                crate::support::check(&rows());
            })*
        })*
    };
}
mod table {
    crate::rows::table!(tests);
}

#[test]
fn every_configuration_lets_somebody_in_and_there_are_many_rows() {
    let mut configurations = BTreeMap::<String, Vec<Row>>::new();
    for group in TABLE.iter().flat_map(|(_, groups)| groups()) {
        configurations.entry(group.config.to_string()).or_default().extend(group.rows);
    }
    for (config, rows) in &configurations {
        let passes = rows.iter().any(|row| row.expected == "ok");
        assert!(passes, "{}: a refusal proves nothing where nobody is let in: {config}", rows[0].what);
    }
    let rows: usize = configurations.values().map(Vec::len).sum();
    assert!(rows >= 300 && configurations.len() >= 30, "{rows} rows, {} configurations", configurations.len());
}
