//! The `ratelimit` and `budget` filters, each alone, next to no filter, to an empty Wasm filter and to Envoy's own
//! `local_ratelimit`.
//!
//! Who asks is in the headers, so that nobody has to verify a signature a million times. One worker; nothing is ever refused.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tests::{Companion, EnvoyConfig, Gateway, Redis, fleet};

use crate::chain::{chat, manager};
use crate::empty;
use crate::load::{Requests, load};
use crate::measure::{Round, measure, median, medians};
use crate::upstream;

const ROUNDS: usize = 9;
/// Requests of one measurement.
const REQUESTS: usize = 4000;
/// Before each measurement, so that connections are open.
const SETTLE: usize = 80;
/// V8 compiles a function well only after it has run often.
const WARM_UP: usize = 20_000;
/// Connections at once; enough to keep the worker busy, so that it seldom sleeps.
const CONNECTIONS: usize = 8;
const FEW: usize = 10;
const MANY: usize = 10_000;
const MILLION: usize = 1_000_000;
/// Events of a stream, streams of one measurement, and at once.
const EVENTS: usize = 200;
const STREAMS: usize = 80;
const STREAMS_AT_ONCE: usize = 16;
/// Between two events, so that each comes to the gateway by itself.
const PACE: Duration = Duration::from_millis(1);
const PATH: &str = "/v1/chat/completions";
/// What `router` says about the request: the budget filter then has no need to read the body.
const ROUTED: &str = "x-tollgate-estimate: input=260 output=500 model=openai/gpt-4o\r\n";
/// A limit that nobody reaches.
const HIGH: u64 = 4_000_000;

/// One line of a table.
struct Row<'a> {
    name: &'static str,
    gateway: &'a Gateway,
    requests: Requests,
}

/// Everything about limits and budgets.
pub(crate) fn run() {
    requests();
    println!();
    chunks();
}

/// Gateways of the first table. All have the same clusters, routes and upstream.
struct Gateways {
    bare: Gateway,
    empty: Gateway,
    native: Gateway,
    native_users: Gateway,
    one: Gateway,
    one_large: Gateway,
    four: Gateway,
    fleet: Gateway,
    budget: Gateway,
    budgets: Gateway,
}

fn requests() {
    let upstream = upstream::plain(&answer());
    let redis = Redis::start();
    let companion = Companion::with().redis(&redis.url()).start();
    let gateways = Gateways {
        bare: start(bare("ratelimit"), upstream),
        empty: start(with_empty("ratelimit"), upstream),
        native: start(with_native(false), upstream),
        native_users: start(with_native(true), upstream),
        one: start(ratelimit(&json!([limit("user", "user")]), 8_192), upstream),
        one_large: start(ratelimit(&json!([limit("user", "user")]), 65_536), upstream),
        four: start(ratelimit(&four(), 8_192), upstream),
        fleet: fleet(upstream, &companion),
        budget: start(budget(&json!([tokens("user-daily", "user")])), upstream),
        budgets: start(budget(&json!([tokens("user-daily", "user"), money("project-monthly", "project")])), upstream),
    };
    let rows = gateways.rows();
    for row in &rows {
        // Every user has been there once before, as far as the table holds them.
        let count = WARM_UP.max(row.requests.kinds());
        load(row.gateway.port(), &row.requests, count, CONNECTIONS);
    }
    let results = interleaved(&rows, REQUESTS, CONNECTIONS);
    print(&rows, &results);
}

impl Gateways {
    fn rows(&self) -> Vec<Row<'_>> {
        let (few, many, million) = (users(FEW), users(MANY), users(MILLION));
        let body = chat(1 << 10, false);
        let row = |name, gateway, users: &Arc<[String]>, more: &str| {
            let requests = Requests::of_users(PATH, users, more, &body);
            Row { name, gateway, requests }
        };
        vec![
            row("no filter", &self.bare, &few, ROUTED),
            row("an empty Wasm filter", &self.empty, &few, ROUTED),
            row("local_ratelimit, one bucket", &self.native, &few, ROUTED),
            row("local_ratelimit, 10 users", &self.native_users, &few, ROUTED),
            row("local_ratelimit, 10^4 users", &self.native_users, &many, ROUTED),
            row("ratelimit, 1 limit, 10 users", &self.one, &few, ROUTED),
            row("  10^4 users", &self.one, &many, ROUTED),
            row("  10^6 users, 131,072 places", &self.one, &million, ROUTED),
            row("  10^6 users, 1,048,576 places", &self.one_large, &million, ROUTED),
            row("ratelimit, 4 limits, 10 users", &self.four, &few, ROUTED),
            row("  10^4 users", &self.four, &many, ROUTED),
            row("ratelimit, fleet, warm, 10 users", &self.fleet, &few, ROUTED),
            row("budget, 1 of tokens, 10 users", &self.budget, &few, ROUTED),
            row("  10^4 users", &self.budget, &many, ROUTED),
            row("  10 users, without router", &self.budget, &few, ""),
            row("budget, 1 of tokens, 1 of money", &self.budgets, &few, ROUTED),
        ]
    }
}

/// What a streamed event costs beside what it costs to pass it on.
fn chunks() {
    let upstream = upstream::stream(&events(), PACE);
    let setups = [
        ("no filter", start(bare("budget"), upstream)),
        ("an empty Wasm filter", start(with_empty("budget"), upstream)),
        ("budget", start(budget(&json!([tokens("user-daily", "user")])), upstream)),
    ];
    let (few, body) = (users(FEW), chat(1 << 10, true));
    let row = |(name, gateway)| Row { name, gateway, requests: Requests::of_users(PATH, &few, ROUTED, &body) };
    let rows: Vec<Row> = setups.iter().map(|(name, gateway)| row((*name, gateway))).collect();
    for row in &rows {
        load(row.gateway.port(), &row.requests, STREAMS * 2, STREAMS_AT_ONCE);
    }
    let results = interleaved(&rows, STREAMS, STREAMS_AT_ONCE);
    println!("Streams of {EVENTS} events of 200 bytes, one each millisecond, {STREAMS_AT_ONCE} streams at once.");
    println!("Microseconds of Envoy's CPU per event; medians of {ROUNDS} interleaved rounds of {STREAMS} streams.\n");
    println!("{:<34} {:>8} {:>10} {:>11}", "", "CPU", "no filter", "empty Wasm");
    for (index, row) in rows.iter().enumerate() {
        let each = |rounds: &Round| rounds.cpu / EVENTS as f64;
        let over =
            |other: usize| median(results[index].iter().zip(&results[other]).map(|(it, base)| each(it) - each(base)));
        let added = |other: usize| if index > other { format!("{:+.2}", over(other)) } else { String::new() };
        let own = median(results[index].iter().map(each));
        println!("  {:<32} {own:>8.2} {:>10} {:>11}", row.name, added(0), added(1));
    }
}

/// Every round of every row; the rows are warm before the first.
fn interleaved(rows: &[Row], count: usize, connections: usize) -> Vec<Vec<Round>> {
    let mut measured = vec![Vec::new(); rows.len()];
    for _ in 0..ROUNDS {
        for (row, into) in rows.iter().zip(&mut measured) {
            let (process, port) = (row.gateway.process_id(), row.gateway.port());
            load(port, &row.requests, SETTLE.min(count), connections);
            into.push(measure(process, port, &row.requests, count, connections));
        }
    }
    measured
}

fn print(rows: &[Row], results: &[Vec<Round>]) {
    println!("Limits: microseconds of Envoy's CPU per request of 1 KB; one worker, {CONNECTIONS} connections.");
    println!(
        "Medians of {ROUNDS} interleaved rounds of {REQUESTS} requests; what each adds is over another of the same round.\n"
    );
    println!(
        "{:<36} {:>8} {:>10} {:>11} {:>13} {:>8}",
        "", "CPU", "no filter", "empty Wasm", "local_ratelimit", "p50 ms"
    );
    for (index, row) in rows.iter().enumerate() {
        let own = medians(&results[index]);
        let over =
            |other: usize| median(results[index].iter().zip(&results[other]).map(|(it, base)| it.cpu - base.cpu));
        let added = |other: usize| if index > other { format!("{:+.1}", over(other)) } else { String::new() };
        let [bare, empty, native] = [added(0), added(1), added(2)];
        println!("  {:<34} {:>8.1} {bare:>10} {empty:>11} {native:>13} {:>8.3}", row.name, own.cpu, own.p50);
    }
}

fn start(mut config: EnvoyConfig, upstream: u16) -> Gateway {
    config.providers_at(upstream);
    Gateway::with(config).workers(1).start()
}

fn example(name: &str) -> EnvoyConfig {
    EnvoyConfig::load(&format!("envoy/examples/{name}.yaml")).expect("an example")
}

fn bare(name: &str) -> EnvoyConfig {
    let mut config = example(name);
    config.without_filter(name);
    config
}

fn with_empty(name: &str) -> EnvoyConfig {
    let mut config = example(name);
    let path = json!(empty::module());
    config.each_wasm(&mut |plugin| plugin["vm_config"]["code"]["local"]["filename"] = path.clone());
    config
}

/// Envoy's own: one bucket for all, or one for each user, of whom it is told to remember enough.
fn with_native(each_user: bool) -> EnvoyConfig {
    let bucket = json!({"max_tokens": HIGH, "tokens_per_fill": HIGH, "fill_interval": "1s"});
    let always = json!({"runtime_key": "limits", "default_value": {"numerator": 100, "denominator": "HUNDRED"}});
    let mut own = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
        "stat_prefix": "limits", "token_bucket": bucket, "filter_enabled": always, "filter_enforced": always,
        "enable_x_ratelimit_headers": "DRAFT_VERSION_03",
    });
    if each_user {
        own["rate_limits"] =
            json!([{"actions": [{"request_headers": {"header_name": "x-end-user-id", "descriptor_key": "user"}}]}]);
        own["descriptors"] = json!([{"entries": [{"key": "user"}], "token_bucket": bucket}]);
        own["max_dynamic_descriptors"] = json!(2 * MANY);
    }
    let mut config = bare("ratelimit");
    let filters = manager(&mut config)["http_filters"].as_array_mut().expect("filters");
    filters.insert(0, json!({"name": "envoy.filters.http.local_ratelimit", "typed_config": own}));
    config
}

fn ratelimit(limits: &Value, slots: u32) -> EnvoyConfig {
    let mut config = example("ratelimit");
    config.filter("ratelimit", |it| *it = json!({"limits": limits, "trust": "headers", "slots": slots}));
    config
}

fn limit(name: &str, key: &str) -> Value {
    json!({"name": name, "key": key, "requests": HIGH, "per": "minute"})
}

/// As the built-in ones, with numbers that nobody reaches.
fn four() -> Value {
    let mut daily = limit("user-daily", "user");
    daily["per"] = json!("day");
    json!([limit("address", "address"), limit("project", "project"), limit("user", "user"), daily])
}

fn fleet(upstream: u16, companion: &Companion) -> Gateway {
    let mut limit = limit("user", "user");
    limit["scope"] = json!("fleet");
    fleet::builder(companion, &limit).edit(|root| point(root, upstream)).workers(1).start()
}

fn point(root: &mut Value, upstream: u16) {
    let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": upstream}});
    for cluster in root["static_resources"]["clusters"].as_array_mut().expect("clusters") {
        if cluster["name"] == "openai" {
            *cluster = json!({"name": "openai", "type": "STATIC", "load_assignment": {"cluster_name": "openai",
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}]}});
        }
    }
}

fn budget(budgets: &Value) -> EnvoyConfig {
    let mut config = example("budget");
    config.filter("budget", |it| *it = json!({"budgets": budgets, "trust": "headers"}));
    config
}

fn tokens(name: &str, key: &str) -> Value {
    json!({"name": name, "key": key, "tokens": 1_000_000_000_000_u64, "per": "day"})
}

fn money(name: &str, key: &str) -> Value {
    json!({"name": name, "key": key, "usd": 1_000_000, "per": "month"})
}

fn users(count: usize) -> Arc<[String]> {
    (0..count).map(|number| format!("user-{number:07}")).collect()
}

/// A chat's answer of about 1 KB.
fn answer() -> String {
    let text = "The quick brown fox jumps over the lazy dog. ".repeat(12);
    let message = json!({"role": "assistant", "content": text, "refusal": null});
    json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1_730_000_000, "model": "gpt-4o",
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 260, "completion_tokens": 120, "total_tokens": 380,
            "prompt_tokens_details": {"cached_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 0}}})
    .to_string()
}

/// A stream's events of about 200 bytes, and the usage at its end.
fn events() -> Vec<String> {
    let chunk = |delta: Value, reason: Option<&str>, usage: Value| {
        json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_730_000_000, "model": "gpt-4o",
            "choices": [{"index": 0, "delta": delta, "finish_reason": reason}], "usage": usage})
        .to_string()
    };
    let word = || chunk(json!({"content": "word "}), None, Value::Null);
    let usage = json!({"prompt_tokens": 260, "completion_tokens": 200, "total_tokens": 460});
    let mut all: Vec<String> = (3..EVENTS).map(|_| word()).collect();
    all.push(chunk(json!({}), Some("stop"), Value::Null));
    all.push(chunk(json!({}), None, usage));
    all.push("[DONE]".to_owned());
    all
}
