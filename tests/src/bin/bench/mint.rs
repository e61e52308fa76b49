//! Minting: how many user tokens the companion makes a second, and how long one takes.

use std::time::Instant;

use serde_json::json;
use tests::{Companion, Project};

use crate::load::{Requests, load};
use crate::measure::{cpu_time, median, millis, share};

/// Rounds of each number of connections, interleaved.
const ROUNDS: usize = 5;
/// Requests of one measurement.
const REQUESTS: usize = 2000;
const CONNECTIONS: [usize; 3] = [1, 4, 16];

/// Everything about minting.
pub(crate) fn run() {
    println!("POST /v1/auth/mint: medians of {ROUNDS} interleaved rounds of {REQUESTS} requests to one companion.\n");
    println!("{:<10} {:>12} {:>10} {:>9} {:>9} {:>8}", "", "connections", "tokens/s", "p50 ms", "p99 ms", "CPU us");
    let companion = Companion::start();
    let project = companion.project("acme", "bench");
    table("EdDSA", &companion, &project);
}

/// A line for each number of connections.
fn table(algorithm: &str, companion: &Companion, project: &Project) {
    let body = json!({"user_id": "bench", "tier": "pro"}).to_string();
    let requests = Requests::new("/v1/auth/mint", [project.api_key.clone()], &body);
    load(companion.public_port(), &requests, REQUESTS, 4);
    let mut measured = CONNECTIONS.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        for (connections, into) in CONNECTIONS.iter().zip(&mut measured) {
            into.push(measure(companion, &requests, *connections));
        }
    }
    for (connections, rounds) in CONNECTIONS.iter().zip(&measured) {
        let [rate, p50, p99, cpu] = [0, 1, 2, 3].map(|place| median(rounds.iter().map(|it| it[place])));
        println!("{algorithm:<10} {connections:>12} {rate:>10.0} {p50:>9.2} {p99:>9.2} {cpu:>8.0}");
    }
}

/// Tokens a second, the middle and the 99th percentile of the waits, CPU of the companion for one.
fn measure(companion: &Companion, requests: &Requests, connections: usize) -> [f64; 4] {
    let process = companion.process_id();
    let (start, before) = (Instant::now(), cpu_time(process));
    let waits = load(companion.public_port(), requests, REQUESTS, connections);
    let (took, spent) = (start.elapsed(), cpu_time(process) - before);
    let count = waits.len() as f64;
    let waited = |part| millis(share(&waits, part));
    [count / took.as_secs_f64(), waited(0.5), waited(0.99), spent.as_secs_f64() * 1e6 / count]
}
