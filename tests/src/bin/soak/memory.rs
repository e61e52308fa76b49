//! The parts about memory.

use tests::talk::{Load, storm};
use tests::{Companion, Postgres, held};

/// As many as the issue asks for.
const STREAMS: usize = 10_000;

/// 500 users of 20 turns each on SQLite, while a companion is restarted twice and a gateway killed; and 200 on PostgreSQL with two
/// companions, which with everything else of this on two cores serves no more than that in time.
pub(super) fn talk() {
    let load = Load::or(500, 20);
    println!("{} users of {} turns each, three gateways, one companion, SQLite", load.users, load.turns);
    println!("{}", storm(vec![Companion::start()], load));
    let load = Load::or(200, 20);
    println!("{} users of {} turns each, three gateways, two companions on one PostgreSQL", load.users, load.turns);
    let postgres = Postgres::start();
    let companion = || Companion::with().memory_database(&postgres.url()).start();
    println!("{}", storm(vec![companion(), companion()], load));
}

/// Ten thousand open streams, or as many as the machine lets a process have files for: without memory, with a usual history and,
/// of a tenth of them, with a megabyte each.
pub(super) fn streams() {
    let streams = held::fitting(STREAMS);
    for (streams, history) in [(streams, None), (streams, Some(10_000)), (streams / 10, Some(1_000_000))] {
        let growth = held::measure(streams, history);
        println!("{growth}");
        assert!(growth.each() < held::EACH, "an open stream is bounded by {} KiB", held::EACH);
    }
}
