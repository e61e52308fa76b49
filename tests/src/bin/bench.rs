//! What the chain costs, next to bare Envoy and Envoy's own `jwt_authn`: CPU time per request and latency, all three
//! interleaved in one run, because a number of one run says nothing beside a number of another.
//!
//! CPU time is what the kernel's scheduler counted for Envoy's process alone (`/proc/<pid>/task/*/schedstat`).
#![allow(clippy::print_stdout, reason = "a bench prints its table")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    reason = "a tool of ours: a broken assumption should stop it where it broke"
)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use std::{fs, thread};

use serde_json::{Value, json};
use tests::{EnvoyConfig, FakeProvider, Gateway, Signer};

/// Requests of one measurement; a measurement is one setup's share of a round.
const REQUESTS: usize = 2000;
/// Rounds; each visits every setup once.
const ROUNDS: usize = 5;
/// Requests to each gateway before anything is measured: V8 compiles a function well only after it has run often, and
/// a gateway that has served for a minute is what an operator has.
const WARM_UP: usize = 30_000;
/// Connections at once.
const CONNECTIONS: usize = 4;
/// The chain, in its order.
const FILTERS: [&str; 6] = ["auth", "ratelimit", "guardrails", "session", "router", "provider"];

fn main() {
    let fake = FakeProvider::start();
    let signer = Signer::new();
    let token = signer.user("bench");
    let setups = [
        ("bare Envoy", start(bare(), &fake, &token)),
        ("jwt_authn", start(with_jwt_authn(&signer), &fake, &token)),
        ("the chain", start(chain(&signer), &fake, &token)),
    ];
    compare(&setups, &fake, &token);
    drop(setups);
    one_by_one(&signer, &fake, &token);
}

/// The chain next to what Envoy does without it.
fn compare(setups: &[(&str, Gateway)], fake: &FakeProvider, token: &str) {
    println!("CPU: microseconds of Envoy per request. Latency: milliseconds over {CONNECTIONS} connections.");
    println!("Medians of {ROUNDS} interleaved rounds of {REQUESTS} requests.\n");
    println!("{:<22} {:>8} {:>7} {:>9} {:>9}", "", "CPU", "ratio", "p50", "p99");
    for (name, size, stream) in [
        ("1 KB", 1 << 10, false),
        ("16 KB", 16 << 10, false),
        ("128 KB", 128 << 10, false),
        ("stream, 1 KB", 1 << 10, true),
    ] {
        let request = request(size, stream, token);
        let results = interleaved(setups, &request, fake);
        println!("{name}{}", if stream { ": latency is to the first byte of the stream" } else { "" });
        for ((setup, _), round) in setups.iter().zip(&results) {
            let ratio = round.cpu / results[0].cpu;
            println!("  {setup:<20} {:>8.1} {ratio:>7.2} {:>9.3} {:>9.3}", round.cpu, round.p50, round.p99);
        }
        if stream {
            println!("  first byte later than bare Envoy's: {:.3} ms", results[2].p50 - results[0].p50);
        }
    }
}

/// What each filter of the chain adds to the ones before it.
fn one_by_one(signer: &Signer, fake: &FakeProvider, token: &str) {
    let mut setups = vec![("bare Envoy", start(bare(), fake, token))];
    for (index, filter) in FILTERS.iter().enumerate() {
        let mut config = chain(signer);
        for later in FILTERS.iter().skip(index + 1) {
            config.without_filter(later);
        }
        one_route(&mut config);
        setups.push((filter, start(config, fake, token)));
    }
    let results = interleaved(&setups, &request(1 << 10, false, token), fake);
    println!("\nWhat each filter adds to the chain before it, at 1 KB:");
    for (pair, (filter, _)) in results.windows(2).zip(&setups[1..]) {
        println!("  {filter:<20} {:>8.1}", pair[1].cpu - pair[0].cpu);
    }
}

/// The medians of each setup; the first round warms up and does not count.
fn interleaved(setups: &[(&str, Gateway)], request: &[u8], fake: &FakeProvider) -> Vec<Round> {
    let mut measured = vec![Vec::new(); setups.len()];
    for _ in 0..=ROUNDS {
        for ((_, gateway), into) in setups.iter().zip(&mut measured) {
            into.push(measure(gateway, request));
            fake.clear();
        }
    }
    measured.iter().map(|rounds| median(&rounds[1..])).collect()
}

fn start(config: EnvoyConfig, fake: &FakeProvider, token: &str) -> Gateway {
    let gateway = Gateway::with(config).fake(fake).start();
    load(&gateway, &request(1 << 10, false, token), WARM_UP);
    gateway
}

/// The shipped configuration, its limits lifted, its keys inline.
fn chain(signer: &Signer) -> EnvoyConfig {
    let mut config = EnvoyConfig::load("envoy/envoy.yaml").expect("envoy/envoy.yaml");
    config.filter("auth", |auth| *auth = signer.auth_config());
    config.filter("ratelimit", |it| *it = json!({"default": {"requests": 4_000_000, "per": "second"}}));
    config
}

/// The same listener, routes and clusters without a filter of ours.
fn bare() -> EnvoyConfig {
    let mut config = EnvoyConfig::load("envoy/envoy.yaml").expect("envoy/envoy.yaml");
    for filter in FILTERS {
        config.without_filter(filter);
    }
    one_route(&mut config);
    config
}

/// Everything goes to one provider, whether or not a router has chosen it.
fn one_route(config: &mut EnvoyConfig) {
    manager(config)["route_config"]["virtual_hosts"][0]["routes"] =
        json!([{"match": {"prefix": "/"}, "route": {"cluster": "chain-openai", "timeout": "0s"}}]);
}

/// The listener's HTTP connection manager.
fn manager(config: &mut EnvoyConfig) -> &mut Value {
    &mut config.root()["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
}

fn with_jwt_authn(signer: &Signer) -> EnvoyConfig {
    let mut config = bare();
    let jwt_authn = json!({
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": {"tollgate": {
                "local_jwks": {"inline_string": signer.jwks()},
                "forward": true,
                "jwt_cache_config": {"jwt_cache_size": 100},
            }},
            "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "tollgate"}}],
        },
    });
    let filters = manager(&mut config)["http_filters"].as_array_mut().expect("http_filters");
    filters.insert(0, jwt_authn);
    config
}

/// A chat of about `size` bytes, as a client writes it on the wire.
fn request(size: usize, stream: bool, token: &str) -> Vec<u8> {
    let turn = "The quick brown fox jumps over the lazy dog, and nobody minds. ";
    let mut messages: Vec<Value> = vec![json!({"role": "system", "content": "You are brief."})];
    while messages.len() * 560 < size {
        messages.push(json!({"role": "user", "content": turn.repeat(8)}));
    }
    let body = json!({"model": "openai/fake-words-20", "messages": messages, "stream": stream}).to_string();
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// One measurement: CPU in microseconds per request, latencies in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Round {
    cpu: f64,
    p50: f64,
    p99: f64,
}

fn measure(gateway: &Gateway, request: &[u8]) -> Round {
    let before = cpu_time(gateway.process_id());
    let mut waits = load(gateway, request, REQUESTS);
    let spent = cpu_time(gateway.process_id()) - before;
    waits.sort();
    let millis = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    Round { cpu: spent.as_secs_f64() * 1e6 / waits.len() as f64, p50: millis(0.5), p99: millis(0.99) }
}

/// Sends `count` requests over all connections; how long each took.
fn load(gateway: &Gateway, request: &[u8], count: usize) -> Vec<Duration> {
    let workers: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let (port, request) = (gateway.port(), request.to_vec());
            thread::spawn(move || drive(port, &request, count / CONNECTIONS))
        })
        .collect();
    workers.into_iter().flat_map(|it| it.join().expect("a client")).collect()
}

/// Sends `count` requests over one connection; how long each took to the first byte of its body.
fn drive(port: u16, request: &[u8], count: usize) -> Vec<Duration> {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).expect("the gateway listens");
    connection.set_nodelay(true).expect("nodelay");
    let mut bytes = Vec::new();
    (0..count)
        .map(|_| {
            let sent = Instant::now();
            connection.write_all(request).expect("the gateway reads");
            bytes.clear();
            let mut first = None;
            while !whole(&bytes) {
                let mut piece = [0_u8; 16384];
                let read = connection.read(&mut piece).expect("the gateway answers");
                assert!(read > 0, "the gateway hung up: {}", String::from_utf8_lossy(&bytes));
                bytes.extend_from_slice(&piece[..read]);
                if first.is_none() && head_end(&bytes).is_some_and(|end| bytes.len() > end) {
                    first = Some(sent.elapsed());
                }
            }
            assert!(bytes.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&bytes));
            first.expect("an answer has a body")
        })
        .collect()
}

fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|it| it == b"\r\n\r\n").map(|at| at + 4)
}

fn whole(bytes: &[u8]) -> bool {
    let Some(end) = head_end(bytes) else {
        return false;
    };
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    match head.split("content-length: ").nth(1).and_then(|it| it.split("\r\n").next()) {
        Some(length) => bytes.len() - end >= length.parse::<usize>().expect("a length"),
        None => bytes.ends_with(b"0\r\n\r\n"),
    }
}

/// The time that all threads of a process have run.
fn cpu_time(process: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).expect("the process runs");
    let nanos = tasks.filter_map(|task| {
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

fn median(rounds: &[Round]) -> Round {
    let middle = |of: fn(&Round) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Round { cpu: middle(|it| it.cpu), p50: middle(|it| it.p50), p99: middle(|it| it.p99) }
}
