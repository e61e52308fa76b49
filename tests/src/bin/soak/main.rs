//! What the end-to-end tests show in seconds, for as long as it takes to believe it: `soak` does everything, `soak fleet`, `soak
//! ledger`, `soak talk` and `soak streams` one part. Ends with an error when something is not as it should be.
#![allow(clippy::print_stdout, reason = "a soak prints its numbers")]

mod memory;

use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;
use tests::audit::storm;
use tests::fleet::{self, Pressure, admitted, fewest, most};
use tests::traffic::Load;
use tests::{Companion, FakeProvider, Gateway, Postgres, Redis};

const LIMIT: usize = 100;
const WINDOW: Duration = Duration::from_secs(60);
/// So few at once that the flow is even, and every minute like the other.
const BURST: usize = 2;
const CLIENTS: usize = 400;
const THREE_MINUTES: Duration = Duration::from_secs(180);
const GATEWAYS: usize = 3;
/// Until every gateway has asked for its share for the first time.
const WARM: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let parts: [(&str, fn()); 4] =
        [("fleet", fleet), ("ledger", ledger), ("talk", memory::talk), ("streams", memory::streams)];
    let only = std::env::args().nth(1).filter(|it| !it.is_empty());
    let chosen = |name: &str| only.as_deref().is_none_or(|only| only == name);
    if !parts.iter().any(|(name, _)| chosen(name)) {
        eprintln!("soak: expected fleet, ledger, talk or streams, or nothing for all, found {only:?}");
        return ExitCode::FAILURE;
    }
    for (_, run) in parts.iter().filter(|(name, _)| chosen(name)) {
        run();
        println!();
    }
    ExitCode::SUCCESS
}

/// Three gateways, a fleet limit of 100 a minute, 400 clients for three minutes.
fn fleet() {
    let (fake, redis) = (FakeProvider::start(), Redis::start());
    let companion = Companion::with().redis(&redis.url()).start();
    let limit = json!({"name": "fleet", "key": "project", "scope": "fleet", "requests": LIMIT, "per": "minute",
        "burst": BURST});
    let gateways: Vec<Gateway> = (0..GATEWAYS).map(|_| fleet::gateway(&companion, &fake, &limit)).collect();
    println!(
        "{GATEWAYS} gateways, a fleet limit of {LIMIT} a minute in Redis, {CLIENTS} clients for {THREE_MINUTES:?}"
    );
    let pressure = Pressure::start(&gateways, CLIENTS, Duration::from_millis(800));
    pressure.until(THREE_MINUTES);
    let asked = pressure.finish();
    let admitted = admitted(&asked);
    let (most, fewest) = (most(&admitted, WINDOW), fewest(&admitted, WINDOW, WARM, THREE_MINUTES));
    println!("asked {} times, admitted {}", asked.len(), admitted.len());
    println!("in any sliding minute: at most {most}, at least {fewest}");
    let within = |from: u64| {
        let (from, to) = (Duration::from_secs(from), Duration::from_secs(from + 10));
        admitted.iter().filter(|it| (from..to).contains(&it.answered)).count()
    };
    println!("every ten seconds: {:?}", (0..18).map(|nth| within(nth * 10)).collect::<Vec<_>>());
    for place in 0..GATEWAYS {
        let own = admitted.iter().filter(|it| it.gateway == place).count();
        println!("gateway {place}: {own} admitted");
    }
    assert!(most <= LIMIT && fewest * 100 >= LIMIT * 95, "the limit is {LIMIT}, and 95 % of it the least");
}

/// 2,000 mixed requests, a third of the clients hang up, and twice the companion is away for 30 seconds.
fn ledger() {
    let load = Load { count: 2000, clients: 16, pause: Duration::from_millis(750) };
    let (postgres, away) = (Postgres::start(), Duration::from_secs(30));
    for (database, companion) in
        [("SQLite", Companion::with()), ("PostgreSQL", Companion::with().usage_database(&postgres.url()))]
    {
        println!("{} requests, the companion killed and stopped for {away:?} each, {database}", load.count);
        println!("{}", storm(companion.start(), load, away));
    }
}
