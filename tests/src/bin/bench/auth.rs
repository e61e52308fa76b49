//! The `auth` filter alone, next to no filter and to Envoy's own `jwt_authn` with its token cache.
//!
//! One worker, so that both caches see every token. `cached` is one token again and again; `uncached` is another token
//! with every request, none of them ever sent twice to one gateway, so that no cache of any size knows one; `forged` has
//! another token's signature, and shows what somebody costs who only guesses.
//!
//! Ours writes five identity headers, which `jwt_authn` does only with `claim_to_headers`; it stands here with and without.

use std::sync::Arc;
use std::thread;

use serde_json::{Value, json};
use tests::token::Algorithm;
use tests::{EnvoyConfig, Gateway, Signer};

use crate::chain::{add_jwt_authn, chat};
use crate::empty;
use crate::load::{Requests, load};
use crate::measure::{Round, measure, median, medians};
use crate::upstream;

/// Rounds; each visits every row once.
const ROUNDS: usize = 9;
/// Requests of one measurement with a cached token.
const CACHED: usize = 4000;
/// Requests of one measurement with tokens that nobody has seen.
const UNCACHED: usize = 800;
/// Before each measurement: connections, and the one token back in the cache.
const SETTLE: usize = 80;
/// Requests of each kind before anything is measured: V8 compiles a function well only after it has run often.
const WARM_UP: usize = 30_000;
const WARM_UP_UNCACHED: usize = 1600;
/// Connections at once; enough to keep the worker busy, so that it seldom sleeps.
const CONNECTIONS: usize = 8;
/// Tokens of one algorithm that a gateway sees once.
const TOKENS: usize = WARM_UP_UNCACHED + ROUNDS * (UNCACHED + SETTLE);
const PATH: &str = "/v1/chat/completions";
const FREE_PATH: &str = "/v1/models";

/// One line of the table.
struct Row<'a> {
    name: &'static str,
    gateway: &'a Gateway,
    requests: Requests,
    count: usize,
    /// The row without a filter, and that of `jwt_authn` to compare with.
    base: usize,
    native: Option<usize>,
}

/// Everything about the filter.
pub(crate) fn run() {
    let signers = Algorithm::ALL.map(Signer::with);
    let jwks = json!({"keys": signers.iter().map(Signer::jwk).collect::<Vec<_>>()}).to_string();
    let upstream = upstream::start();
    let gateways = Gateways {
        bare: start(bare(), upstream),
        empty: start(with_empty(), upstream),
        auth: start(with_auth(&jwks), upstream),
        native: start(with_native(&jwks, false), upstream),
        native_headers: start(with_native(&jwks, true), upstream),
    };
    let mut rows = vec![];
    for signer in &signers {
        gateways.add_rows(signer, &mut rows);
    }
    let results = interleaved(&rows);
    print(&rows, &results);
}

struct Gateways {
    bare: Gateway,
    empty: Gateway,
    auth: Gateway,
    native: Gateway,
    native_headers: Gateway,
}

impl Gateways {
    /// The rows of one algorithm.
    fn add_rows<'a>(&'a self, signer: &Signer, rows: &mut Vec<Row<'a>>) {
        let base = rows.len();
        let body = chat(1 << 10, false);
        let same: Arc<[String]> = [token(signer, 0)].into();
        let other = tokens(signer);
        let mut add = |name, gateway, path, tokens: &Arc<[String]>, native| {
            let count = if tokens.len() == 1 { CACHED } else { UNCACHED };
            let requests = Requests::new(path, Arc::clone(tokens), &body);
            rows.push(Row { name, gateway, requests, count, base, native });
        };
        add("no filter", &self.bare, PATH, &same, None);
        add("an empty Wasm filter", &self.empty, PATH, &same, None);
        add("auth, bypassed path", &self.auth, FREE_PATH, &same, None);
        add("auth, cached", &self.auth, PATH, &same, Some(base + 4));
        add("jwt_authn, cached", &self.native, PATH, &same, None);
        add("jwt_authn + headers, cached", &self.native_headers, PATH, &same, None);
        add("auth, uncached", &self.auth, PATH, &other, Some(base + 7));
        add("jwt_authn, uncached", &self.native, PATH, &other, None);
        add("jwt_authn + headers, uncached", &self.native_headers, PATH, &other, None);
        let forged = forged(&same[0], &other[0]);
        for (name, gateway, native) in
            [("auth, forged", &self.auth, Some(base + 10)), ("jwt_authn, forged", &self.native, None)]
        {
            let requests = Requests::refused(PATH, forged.clone());
            rows.push(Row { name, gateway, requests, count: UNCACHED, base, native });
        }
    }
}

/// Every round of every row; the rows are warm before the first.
fn interleaved(rows: &[Row]) -> Vec<Vec<Round>> {
    for row in rows {
        let count = if row.count == CACHED { WARM_UP / Algorithm::ALL.len() } else { WARM_UP_UNCACHED };
        load(row.gateway.port(), &row.requests, count, CONNECTIONS);
    }
    let mut measured = vec![Vec::new(); rows.len()];
    for _ in 0..ROUNDS {
        for (row, into) in rows.iter().zip(&mut measured) {
            let (process, port) = (row.gateway.process_id(), row.gateway.port());
            load(port, &row.requests, SETTLE, CONNECTIONS);
            into.push(measure(process, port, &row.requests, row.count, CONNECTIONS));
        }
    }
    measured
}

fn print(rows: &[Row], results: &[Vec<Round>]) {
    println!("auth alone: microseconds of Envoy's CPU per request of 1 KB; one worker, {CONNECTIONS} connections.");
    println!("Medians of {ROUNDS} interleaved rounds of {CACHED} requests, {UNCACHED} where no token comes twice.");
    println!("\"added\" is over no filter in the same round, \"native\" over jwt_authn in the same round.\n");
    println!("{:<32} {:>8} {:>8} {:>8} {:>7} {:>8}", "", "CPU", "added", "native", "ratio", "p50 ms");
    for (index, row) in rows.iter().enumerate() {
        if index == row.base {
            println!("{}", Algorithm::ALL[index * Algorithm::ALL.len() / rows.len()].name());
        }
        let own = medians(&results[index]);
        let over =
            |other: usize| median(results[index].iter().zip(&results[other]).map(|(it, base)| it.cpu - base.cpu));
        let times =
            |other: usize| median(results[index].iter().zip(&results[other]).map(|(it, base)| it.cpu / base.cpu));
        let added = if index == row.base { String::new() } else { format!("{:+.1}", over(row.base)) };
        let native = row.native.map(|it| format!("{:+.1}", over(it))).unwrap_or_default();
        let ratio = row.native.map(|it| format!("{:.2}", times(it))).unwrap_or_default();
        println!("  {:<30} {:>8.1} {added:>8} {native:>8} {ratio:>7} {:>8.3}", row.name, own.cpu, own.p50);
    }
}

fn start(mut config: EnvoyConfig, upstream: u16) -> Gateway {
    config.providers_at(upstream);
    Gateway::with(config).workers(1).start()
}

fn example() -> EnvoyConfig {
    EnvoyConfig::load("envoy/examples/auth.yaml").expect("envoy/examples/auth.yaml")
}

fn bare() -> EnvoyConfig {
    let mut config = example();
    config.without_filter("auth");
    config
}

fn with_empty() -> EnvoyConfig {
    let mut config = example();
    let path = json!(empty::module());
    config.each_wasm(&mut |plugin| plugin["vm_config"]["code"]["local"]["filename"] = path.clone());
    config
}

fn with_auth(jwks: &str) -> EnvoyConfig {
    let mut config = example();
    config.filter("auth", |auth| {
        let mut own = Signer::new().auth_config();
        own["providers"]["test"]["local_jwks"]["inline_string"] = json!(jwks);
        own["bypass"] = json!([{"path_prefix": FREE_PATH}]);
        *auth = own;
    });
    config
}

fn with_native(jwks: &str, headers: bool) -> EnvoyConfig {
    let mut config = bare();
    let mut provider = json!({
        "issuer": Signer::ISSUER,
        "audiences": [Signer::ISSUER],
        "local_jwks": {"inline_string": jwks},
        "forward": true,
        "jwt_cache_config": {"jwt_cache_size": 1024},
    });
    if headers {
        let pairs = [
            ("x-tenant-id", "tid"),
            ("x-project-id", "pid"),
            ("x-end-user-id", "uid"),
            ("x-role", "role"),
            ("x-tier", "tier"),
        ];
        let header = |(name, claim)| json!({"header_name": name, "claim_name": claim});
        provider["claim_to_headers"] = Value::Array(pairs.map(header).into());
    }
    add_jwt_authn(&mut config, &provider);
    config
}

/// As many tokens as one gateway sees, made on two threads, because RSA takes its time.
fn tokens(signer: &Signer) -> Arc<[String]> {
    let some = |from: usize, to: usize| (from..to).map(|it| token(signer, it)).collect::<Vec<_>>();
    thread::scope(|scope| {
        let half = scope.spawn(|| some(1, TOKENS / 2));
        let mut all = some(TOKENS / 2, TOKENS + 1);
        all.extend(half.join().expect("tokens"));
        all.into()
    })
}

/// The first token with the second's signature.
fn forged(token: &str, other: &str) -> String {
    let (signed, _) = token.rsplit_once('.').expect("a token has three parts");
    let (_, signature) = other.rsplit_once('.').expect("a token has three parts");
    format!("{signed}.{signature}")
}

fn token(signer: &Signer, number: usize) -> String {
    // As long as those of the companion: a session and a tier.
    let user = format!("user-{number:06}");
    signer.sign(&json!({"uid": user, "tier": "pro", "sid": "sess_0123456789abcdef", "jti": number.to_string()}))
}
