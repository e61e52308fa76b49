//! auth's conformance table as a client sees it: every row is presented to `auth.wasm` in Envoy, and what must become of
//! it is what became of it natively.
//!
//! Each configuration has a listener of its own, all in one Envoy. A row comes twice, because what a worker remembers must
//! not change the answer; a row that is let in must arrive with the caller that the native gate sees in it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "test code: a broken assumption should stop the test where it broke"
)]

mod bytes;
mod clock;
mod gateway;
mod native;
#[path = "../../../plugins/auth/tests/conformance/rows/mod.rs"]
mod rows;
mod verdict;

use gateway::Listeners;
use rows::{Group, TABLE};
use tests::FakeProvider;
use verdict::complaint;

#[test]
fn every_row_of_the_table_is_answered_in_envoy_as_it_is_natively() {
    clock::set();
    let fake = FakeProvider::start();
    let listeners = Listeners::start(&fake, &every_configuration());
    let mut wrong = Vec::new();
    for (name, groups) in TABLE {
        clock::set();
        for Group { config, rows } in groups() {
            let client = listeners.client(&config);
            let twice = rows.iter().flat_map(|row| [row, row]);
            // Whatever came, whoever is let in is let in once more.
            let again = rows.iter().rev().find(|row| row.expected == "ok");
            let complaints = twice.chain(again).filter_map(|row| {
                fake.clear();
                let caller = native::caller(&config, row);
                let (sent, answer) = verdict::send(client, &row.request);
                let complaint = complaint(row, caller, &answer, &fake.requests())?;
                Some(format!("{name}, {}: {complaint}\n{}", row.what, String::from_utf8_lossy(&sent)))
            });
            wrong.extend(complaints);
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn every_configuration() -> Vec<serde_json::Value> {
    let mut all: Vec<_> = TABLE.iter().flat_map(|(_, groups)| groups()).map(|it| it.config).collect();
    all.sort_by_key(ToString::to_string);
    all.dedup();
    all
}
