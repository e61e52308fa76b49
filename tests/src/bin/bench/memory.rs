//! What memory costs: an opening at the companion while a million messages are stored and turns arrive as fast as they are
//! opened, and the `session` filter in Envoy, with and without something to remember.
//!
//! Openings are sent at a fixed rate, whether or not the ones before were answered (an open loop): a companion that is slow
//! for a moment is asked all the same, as by real clients. What an opening waits counts from the moment at which it was to be
//! sent.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::process::scratch;
use tests::{Companion, EnvoyConfig, Gateway, Postgres};

use crate::chain::{bare, one_route};
use crate::empty;
use crate::load::{Requests, head_end, length, load};
use crate::measure::{Round, cpu_time, measure, median, medians, millis, share};
use crate::remembered::{PROJECT, THREADS, companion, user};
use crate::upstream;

/// Openings a second, and for how long.
const RATE: u64 = 500;
const WARM_UP: Duration = Duration::from_secs(5);
const MEASURED: Duration = Duration::from_secs(20);
/// Connections that openings and reports go over.
const OPENERS: usize = 24;
const REPORTERS: usize = 24;
/// How long an answer takes.
const ANSWER: Duration = Duration::from_millis(100);
/// How much of a thread is asked for, as a gateway would.
const MAX_TURNS: u32 = 20;
/// Within which an opening is to be answered (issue 7).
const TARGET_MS: f64 = 5.0;

/// Everything about memory.
pub(crate) fn run() {
    println!(
        "POST /internal/v1/turns/open, {RATE} a second, the newest {MAX_TURNS} turns of one of {THREADS} threads; each turn"
    );
    println!(
        "arrives {} ms later in a report of its own. CPU: microseconds of the companion per turn.\n",
        ANSWER.as_millis()
    );
    println!(
        "{:<12} {:>10} {:>9} {:>9} {:>9} {:>11} {:>8}",
        "", "messages", "p50 ms", "p99 ms", "max ms", "report p99", "CPU"
    );
    let file = scratch("memory").join("memory.db");
    opened("SQLite", &format!("sqlite://{}", file.display()));
    remove(&file);
    let server = Postgres::start();
    opened("PostgreSQL", &server.url());
    drop(server);
    println!();
    filter();
}

fn remove(file: &Path) {
    for end in ["", "-wal", "-shm"] {
        let mut name = file.as_os_str().to_owned();
        name.push(end);
        drop(std::fs::remove_file(name));
    }
}

/// One row: the companion on this database.
fn opened(name: &str, url: &str) {
    let (companion, messages) = companion(url);
    drive(&companion, WARM_UP);
    let (before, turns) = (cpu_time(companion.process_id()), RATE * MEASURED.as_secs());
    let (openings, reports) = drive(&companion, MEASURED);
    let cpu = (cpu_time(companion.process_id()) - before).as_secs_f64() * 1e6 / turns as f64;
    let at = |waits: &[Duration], part| millis(share(waits, part));
    let verdict = if at(&openings, 0.99) <= TARGET_MS { "met" } else { "missed" };
    println!(
        "{name:<12} {messages:>10} {:>9.2} {:>9.2} {:>9.2} {:>11.2} {cpu:>8.0}  p99 of at most {TARGET_MS} ms: {verdict}",
        at(&openings, 0.5),
        at(&openings, 0.99),
        at(&openings, 1.0),
        at(&reports, 0.99),
    );
}

/// Sends openings and reports for so long; how long each took, sorted.
fn drive(companion: &Companion, time: Duration) -> (Vec<Duration>, Vec<Duration>) {
    let (port, secret) = (companion.internal_port(), companion.secret());
    let (next, count, start) = (Arc::new(AtomicU64::new(0)), RATE * time.as_secs(), Instant::now());
    let (sender, receiver) = mpsc::channel::<(Instant, String)>();
    let receiver = Arc::new(Mutex::new(receiver));
    let opener = |sender: mpsc::Sender<(Instant, String)>| {
        let (next, mut line) = (next.clone(), Line::to(port, secret));
        move || {
            let mut waits = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return waits;
                }
                let at = start + Duration::from_micros(number * 1_000_000 / RATE);
                thread::sleep(at.saturating_duration_since(Instant::now()));
                // Spread over all threads, never in the same order.
                let thread = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) % THREADS;
                let whose = json!({"project": PROJECT, "user": user(thread), "thread": format!("t{thread}")});
                let mut opening = whose.clone();
                opening["max_turns"] = json!(MAX_TURNS);
                let opened = line.post("/internal/v1/turns/open", &opening);
                waits.push(at.elapsed());
                let report = report(&whose, &opened);
                sender.send((Instant::now() + ANSWER, report)).expect("somebody reports");
            }
        }
    };
    let reporter = || {
        let (receiver, mut line) = (receiver.clone(), Line::to(port, secret));
        move || {
            let mut waits = Vec::new();
            loop {
                let Ok((at, report)) = receiver.lock().expect("the queue").recv() else { return waits };
                thread::sleep(at.saturating_duration_since(Instant::now()));
                let sent = Instant::now();
                line.post_text("/internal/v1/turns", &report);
                waits.push(sent.elapsed());
            }
        }
    };
    thread::scope(|scope| {
        let reporters: Vec<_> = (0..REPORTERS).map(|_| scope.spawn(reporter())).collect();
        let openers: Vec<_> = (0..OPENERS).map(|_| scope.spawn(opener(sender.clone()))).collect();
        drop(sender);
        let mut openings: Vec<_> = openers.into_iter().flat_map(|it| it.join().expect("an opener")).collect();
        let mut reports: Vec<_> = reporters.into_iter().flat_map(|it| it.join().expect("a reporter")).collect();
        openings.sort();
        reports.sort();
        (openings, reports)
    })
}

fn report(whose: &Value, opened: &str) -> String {
    let opened: Value = serde_json::from_str(opened).expect("an opened turn");
    let mut turn = whose.clone();
    turn["turn"] = opened["turn"].clone();
    turn["complete"] = json!(true);
    turn["model"] = json!("gpt-4o");
    turn["input"] = json!([{"role": "user", "content": "The quick brown fox jumps over the lazy dog, and nobody minds. ".repeat(2)}]);
    turn["output"] =
        json!([{"role": "assistant", "content": "The quick brown fox jumps over the lazy dog. ".repeat(9)}]);
    json!({"turns": [turn]}).to_string()
}

/// A connection that stays open.
struct Line {
    stream: TcpStream,
    secret: &'static str,
}

impl Line {
    fn to(port: u16, secret: &'static str) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("the companion listens");
        stream.set_nodelay(true).expect("nodelay");
        Self { stream, secret }
    }

    fn post(&mut self, path: &str, body: &Value) -> String {
        self.post_text(path, &body.to_string())
    }

    fn post_text(&mut self, path: &str, body: &str) -> String {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: companion\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.secret,
            body.len()
        );
        self.stream.write_all(request.as_bytes()).expect("the companion reads");
        let (mut answer, mut piece) = (Vec::new(), [0; 16384]);
        loop {
            if let Some(end) = head_end(&answer)
                && length(&answer[..end]).is_some_and(|length| answer.len() >= end + length)
            {
                assert_eq!(answer.get(9..12), Some(&b"200"[..]), "{}", String::from_utf8_lossy(&answer));
                return String::from_utf8(answer.split_off(end)).expect("UTF-8");
            }
            let read = self.stream.read(&mut piece).expect("the companion answers");
            assert!(read > 0, "the companion hung up");
            answer.extend_from_slice(&piece[..read]);
        }
    }
}

const ROUNDS: usize = 9;
/// Requests of one measurement, and before the first (V8 compiles a function well only after it has run often).
const REQUESTS: usize = 4000;
const BEFORE: usize = 20_000;
const CONNECTIONS: usize = 8;
/// What the filter may add where nothing is to be remembered, in microseconds (issue 7).
const TARGET_CPU: f64 = 8.0;
const CHAT: &str = "/v1/chat/completions";
/// The filters of the chain but `session`.
const OTHERS: [&str; 6] = ["auth", "ratelimit", "guardrails", "router", "budget", "provider"];

/// The filter in Envoy.
fn filter() {
    let companion = Companion::with().env("TOLLGATE_LOG", "warn").start();
    let answer = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": 0,
        "finish_reason": "stop", "message": {"role": "assistant", "content": "The fox does, and nobody minds."}}]});
    let upstream = upstream::plain(&answer.to_string());
    let start = |config: EnvoyConfig| start(config, upstream, &companion);
    let users: Arc<[String]> = (0..2000).map(|it| format!("u{it}")).collect();
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "The quick brown fox. ".repeat(40)}]})
        .to_string();
    let requests = |more: &str| Requests::of_users(CHAT, &users, more, &body);
    let rows = [
        ("no filter", start(bare()), requests("")),
        ("an empty Wasm filter", start(with_empty()), requests("")),
        ("session, no ids", start(without_member()), requests("")),
        ("and a look at the body", start(with_session()), requests("")),
        ("session, off", start(with_session()), requests("x-thread-id: t1\r\nx-tollgate-memory: off\r\n")),
        ("session, a thread", start(with_session()), requests("x-thread-id: t1\r\n")),
    ];
    for (_, gateway, requests) in &rows {
        load(gateway.port(), requests, BEFORE, CONNECTIONS);
    }
    let mut measured = vec![Vec::new(); rows.len()];
    for _ in 0..ROUNDS {
        for ((_, gateway, requests), into) in rows.iter().zip(&mut measured) {
            into.push(measure(gateway.process_id(), gateway.port(), requests, REQUESTS, CONNECTIONS));
        }
    }
    let names: Vec<&str> = rows.iter().map(|it| it.0).collect();
    print(&names, &measured);
}

fn print(names: &[&str], results: &[Vec<Round>]) {
    println!(
        "The session filter: microseconds of Envoy's CPU per request of 1 KB; one worker, {CONNECTIONS} connections."
    );
    println!("Medians of {ROUNDS} interleaved rounds; what a row adds is over another of the same round.\n");
    println!(
        "{:<24} {:>8} {:>10} {:>11} {:>8} {:>8}  target",
        "", "CPU", "no filter", "empty Wasm", "p50 ms", "p99 ms"
    );
    for (index, (name, rounds)) in names.iter().zip(results).enumerate() {
        let over = |other: usize| median(rounds.iter().zip(&results[other]).map(|(it, than)| it.cpu - than.cpu));
        let added = |other: usize| if index > other { format!("{:+.1}", over(other)) } else { String::new() };
        let target = (index == 2).then(|| {
            let verdict = if over(1) <= TARGET_CPU { "met" } else { "missed" };
            format!("at most {TARGET_CPU} over the empty filter: {verdict}")
        });
        let own = medians(rounds);
        let (bare, empty) = (added(0), added(1));
        println!(
            "{name:<24} {:>8.1} {bare:>10} {empty:>11} {:>8.3} {:>8.3}  {}",
            own.cpu,
            own.p50,
            own.p99,
            target.unwrap_or_default()
        );
    }
}

fn start(mut config: EnvoyConfig, upstream: u16, companion: &Companion) -> Gateway {
    config.providers_at(upstream);
    Gateway::with(config).workers(1).companion(companion).start()
}

/// The shipped `session`, alone.
fn with_session() -> EnvoyConfig {
    let mut config = EnvoyConfig::load("envoy/envoy.yaml").expect("envoy/envoy.yaml");
    for filter in OTHERS {
        config.without_filter(filter);
    }
    // Nobody has verified a token here.
    config.filter("session", |it| it["trust"] = json!("headers"));
    one_route(&mut config);
    config
}

/// The same, which looks for the thread in no body.
fn without_member() -> EnvoyConfig {
    let mut config = with_session();
    config.filter("session", |it| it["conversation_id_member"] = json!(false));
    config
}

fn with_empty() -> EnvoyConfig {
    let mut config = with_session();
    let path = json!(empty::module());
    config.each_wasm(&mut |plugin| plugin["vm_config"]["code"]["local"]["filename"] = path.clone());
    config
}
