//! A thousand requests a second for ten seconds on two workers, every other one hostile: nothing wrong is let in, nothing
//! right is kept out, every refusal has the one shape, and memory stays flat.
//!
//! Nothing here asserts a time. The requests are sent at most a thousand a second, because that is the load; a machine that
//! cannot keep up takes longer.

mod good;
mod hostile;
mod world;

use serde_json::{Value, json};
use std::io::{self, BufReader, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tests::http::{Body, Framing, read_head};
use tests::token::Algorithm;
use tests::{Answer, EnvoyConfig, FakeProvider, Gateway, Signer};
use world::{PUBLISHED_SECRET, Publisher, World};

const REQUESTS: usize = 10_000;
const A_SECOND: f64 = 1000.0;
/// Before memory is looked at for the first time.
const WARM_UP: usize = 4000;
/// Connections at once, each kept open as long as Envoy does.
const CLIENTS: usize = 16;
/// By how much Envoy may have grown at the end, in KiB: what its allocator and V8 keep between two collections.
const GROWTH: u64 = 4 * 1024;

/// One request, and what has to come of it: nothing if it is good, else a code.
struct Shot {
    kind: &'static str,
    refused: Option<&'static str>,
    bytes: Vec<u8>,
}

#[test]
fn a_flood_half_of_it_hostile_lets_nobody_in_who_should_not() {
    let (start, fake, signers) = (Instant::now(), FakeProvider::start(), Algorithm::ALL.map(Signer::with));
    let mut keys: Vec<Value> = signers.iter().map(Signer::jwk).collect();
    keys.push(json!({"kty": "oct", "alg": "HS256", "kid": "shared", "k": secret()}));
    let publisher = Publisher::start(json!({"keys": keys}).to_string());
    let gateway = gateway(&fake, publisher.port);
    let world = World::new(gateway.port(), signers);
    let shots = shots(&world);

    fire(gateway.port(), &shots[..WARM_UP]);
    let memory = resident(gateway.process_id());
    fire(gateway.port(), &shots[WARM_UP..]);
    let memory_after = resident(gateway.process_id());

    for request in fake.requests() {
        assert_eq!(request.header("x-end-user-id"), request.header("x-truth"), "{:?}", request.headers);
        assert!(request.header("x-tier").is_some_and(|it| it != "max") && !request.has("x_tier"));
    }
    let good = shots.iter().filter(|it| it.refused.is_none()).count() as u64;
    assert_eq!(gateway.stat("cluster.service.upstream_rq_total"), good, "only good requests arrive");
    assert!(memory_after < memory + GROWTH, "{memory} KiB grew to {memory_after}");
    // One at the start and one in 30 s for whatever number of unknown keys, all workers together; and one to spare.
    let (asked, most) = (publisher.asked() as u64, 3 + start.elapsed().as_secs() / 30);
    assert!(asked <= most, "the keys were fetched {asked} times");
}

/// The example as it is, with two more algorithms.
fn gateway(fake: &FakeProvider, port: u16) -> Gateway {
    let algorithms = |config: &mut Value| {
        config["providers"]["tollgate"]["algorithms"] = json!(Algorithm::ALL.map(Algorithm::name));
    };
    let mut config = EnvoyConfig::load("envoy/examples/auth.yaml").unwrap();
    config.companion_at(port, port);
    let companion = config.root()["static_resources"]["clusters"][0].clone();
    let point = |root: &mut Value| root["static_resources"]["clusters"][0] = companion;
    Gateway::with(config).edit(point).fake(fake).edit_filter("auth", algorithms).workers(2).start()
}

/// Good and hostile ones in turn; each kind comes often, and seldom with the same bytes.
fn shots(world: &World) -> Vec<Shot> {
    let (credentials, kinds) = (good::credentials(world), hostile::kinds());
    assert!(kinds.len() >= 90, "{} kinds", kinds.len());
    let shot = |n: usize| {
        if n.is_multiple_of(2) {
            return Shot { kind: "good", refused: None, bytes: good::call(world, &credentials, n / 2).bytes() };
        }
        let (kind, code, make) = kinds[n / 2 % kinds.len()];
        Shot { kind, refused: Some(code), bytes: make(world, n / 2 / kinds.len()).bytes() }
    };
    (0..WARM_UP + REQUESTS).map(shot).collect()
}

/// Sends each once, at most a thousand a second, whether or not the ones before are answered while a client is free.
fn fire(port: u16, shots: &[Shot]) {
    let (next, start) = (AtomicUsize::new(0), Instant::now());
    let client = || {
        let mut connection = None;
        while let Some((n, shot)) = Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|n| Some((n, shots.get(n)?))) {
            let due = Duration::from_secs_f64(n as f64 / A_SECOND);
            thread::sleep(due.saturating_sub(start.elapsed()));
            check(shot, &ask(port, &mut connection, &shot.bytes));
        }
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        assert!(clients.into_iter().all(|it| it.join().is_ok()), "see above");
    });
}

fn check(shot: &Shot, answer: &Answer) {
    let (kind, said) = (shot.kind, String::from_utf8_lossy(&answer.body));
    let Some(code) = shot.refused else {
        assert_eq!(answer.status, 200, "{kind}: {said}\n{}", String::from_utf8_lossy(&shot.bytes));
        return;
    };
    assert_eq!(answer.status, 401, "{kind}: {said}\n{}", String::from_utf8_lossy(&shot.bytes));
    assert_eq!(answer.error(), format!("401 {code}"), "{kind}");
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    assert!(challenge.starts_with("Bearer realm=\"tollgate\""), "{kind}: {challenge:?}");
    assert_eq!(answer.header("x-should-retry").is_some(), code == "token_expired", "{kind}");
}

/// One request over a connection that is made anew after Envoy has closed it.
fn ask(port: u16, connection: &mut Option<BufReader<TcpStream>>, request: &[u8]) -> Answer {
    let mut reader = connection.take().unwrap_or_else(|| connect(port).expect("the gateway listens"));
    reader.get_mut().write_all(request).expect("the gateway reads");
    let head = read_head(&mut reader).expect("an answer").expect("an answer before the end");
    let status = head.first_line.split(' ').nth(1).unwrap().parse().unwrap();
    let (body, end) = Body::new(Framing::of_answer(status, &head.headers)).rest(&mut reader);
    end.expect("a whole answer");
    let answer = Answer { status, headers: head.headers, body, broken: false };
    if answer.header("connection").is_none_or(|it| it != "close") {
        *connection = Some(reader);
    }
    answer
}

fn connect(port: u16) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    Ok(BufReader::new(stream))
}

/// A process's resident memory in KiB.
fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn secret() -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(PUBLISHED_SECRET)
}
