//! What the ledger holds is what the provider served: complete answers to the token, broken-off ones to a stated bound, every
//! one of them once, whatever hung up, was cut or died on the way.

use std::time::Duration;

use tests::audit::storm;
use tests::traffic::Load;
use tests::{Companion, Postgres};

const LOAD: Load = Load { count: 400, clients: 16, pause: Duration::from_millis(200) };
/// For how long there is no companion, twice.
const AWAY: Duration = Duration::from_secs(3);

fn check(companion: Companion) {
    let summary = storm(companion, LOAD, AWAY);
    eprintln!("{summary}");
    assert!(summary.exact > LOAD.count / 3 && summary.bounded > LOAD.count / 5, "{summary}");
}

#[test]
fn the_ledger_in_sqlite_is_what_the_provider_served() {
    check(Companion::start());
}

#[test]
fn the_ledger_in_postgresql_is_what_the_provider_served() {
    let postgres = Postgres::start();
    check(Companion::with().usage_database(&postgres.url()).start());
}
