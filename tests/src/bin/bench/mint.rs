//! Minting: how many user tokens the companion makes a second, and how long one takes, with each algorithm.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tests::token::Algorithm;
use tests::{Companion, wait_until};

use crate::load::{Requests, load};
use crate::measure::{cpu_time, median, millis, share};

/// Rounds; each visits every companion with every number of connections.
const ROUNDS: usize = 5;
/// Requests of one measurement.
const REQUESTS: usize = 1000;
const CONNECTIONS: [usize; 3] = [1, 4, 16];

/// A companion that signs with one algorithm.
struct Mint {
    algorithm: Algorithm,
    companion: Companion,
    requests: Requests,
}

/// Everything about minting.
pub(crate) fn run() {
    let mints = Algorithm::ALL.map(Mint::start);
    let rows: Vec<(&Mint, usize)> =
        mints.iter().flat_map(|mint| CONNECTIONS.map(|connections| (mint, connections))).collect();
    let mut measured = vec![Vec::new(); rows.len()];
    for _ in 0..ROUNDS {
        for ((mint, connections), into) in rows.iter().zip(&mut measured) {
            into.push(mint.measure(*connections));
        }
    }
    println!(
        "POST /v1/auth/mint, a companion for each algorithm: medians of {ROUNDS} interleaved rounds of {REQUESTS}."
    );
    println!("CPU: microseconds of the companion per token.\n");
    println!("{:<8} {:>12} {:>10} {:>9} {:>9} {:>8}", "", "connections", "tokens/s", "p50 ms", "p99 ms", "CPU");
    for ((mint, connections), rounds) in rows.iter().zip(&measured) {
        let [rate, p50, p99, cpu] = [0, 1, 2, 3].map(|place| median(rounds.iter().map(|it| it[place])));
        let name = mint.algorithm.name();
        println!("{name:<8} {connections:>12} {rate:>10.0} {p50:>9.2} {p99:>9.2} {cpu:>8.0}");
    }
}

impl Mint {
    fn start(algorithm: Algorithm) -> Self {
        let companion = Companion::start();
        let project = companion.project("acme", "bench");
        let _ = companion.run(&["key", "rotate", "--algorithm", algorithm.name(), "--overlap", "0s"]);
        let body = json!({"user_id": "bench", "tier": "pro"});
        wait_until(Duration::from_secs(60), "the new key signs", || {
            let token = companion.client().mint(&project.api_key, &body);
            Some(()).filter(|()| signed_with(&token).as_deref() == Some(algorithm.name()))
        });
        let requests = Requests::new("/v1/auth/mint", [project.api_key], &body.to_string());
        load(companion.public_port(), &requests, REQUESTS, CONNECTIONS[1]);
        Self { algorithm, companion, requests }
    }

    /// Tokens a second, the middle and the 99th percentile of the waits, CPU of the companion for one.
    fn measure(&self, connections: usize) -> [f64; 4] {
        let process = self.companion.process_id();
        let (start, before) = (Instant::now(), cpu_time(process));
        let waits = load(self.companion.public_port(), &self.requests, REQUESTS, connections);
        let (took, spent) = (start.elapsed(), cpu_time(process) - before);
        let count = waits.len() as f64;
        let waited = |part| millis(share(&waits, part));
        [count / took.as_secs_f64(), waited(0.5), waited(0.99), spent.as_secs_f64() * 1e6 / count]
    }
}

/// A token's `alg`.
fn signed_with(token: &str) -> Option<String> {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next()?).ok()?;
    let header: Value = serde_json::from_slice(&header).ok()?;
    header["alg"].as_str().map(str::to_owned)
}
