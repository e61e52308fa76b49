//! Memory under load: many users at once while things die, and many streams that are held open.

use tests::talk::{Load, storm};
use tests::{Companion, Postgres, held};

fn check(companions: Vec<Companion>, load: Load) {
    let summary = storm(companions, load);
    // How many turns were late although nothing had died depends on the machine, and each of them was told.
    eprintln!("{summary}");
}

#[test]
fn no_acknowledged_turn_is_lost_doubled_or_mixed_up_while_a_companion_restarts_and_a_gateway_dies() {
    check(vec![Companion::start()], Load::or(500, 20));
}

#[test]
fn two_companions_on_one_postgresql_keep_every_acknowledged_turn_as_well() {
    let postgres = Postgres::start();
    let companion = || Companion::with().memory_database(&postgres.url()).start();
    check(vec![companion(), companion()], Load::or(60, 8));
}

#[test]
fn an_open_stream_holds_nothing_of_its_history() {
    let growth = held::measure(300, Some(1_000_000));
    eprintln!("{growth}");
    assert!(growth.each() < held::EACH, "each of them has a megabyte of history: {growth}");
}

#[test]
fn thousands_of_ends_that_are_held_are_let_go_together_and_harm_no_worker() {
    held::end_together(held::fitting(2_500));
}
