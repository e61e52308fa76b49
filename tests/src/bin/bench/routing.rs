//! The `router` filter, alone and with `provider`, next to no filter, to an empty Wasm filter, and to the few lines of Lua with
//! which Envoy itself would replace the model's name in a body.
//!
//! Every row has the same listener, the same one route and the same buffering for a retry, so that what is left between two
//! of them is the filters. Envoy's Lua only finds and replaces a string; the router reads the JSON, refuses what could be
//! read in two ways, estimates the tokens and resolves the name. Lua's search stops where it found the model, so it has two rows:
//! the model as the body's first member, and behind the messages, where openai-python writes it and where all other rows
//! have it.

use serde_json::{Value, json};
use tests::{EnvoyConfig, Gateway};

use crate::chain::{bare, manager, one_route};
use crate::empty;
use crate::load::{Requests, load};
use crate::measure::{Round, measure, median, medians};
use crate::upstream;

const ROUNDS: usize = 9;
/// Before each measurement, so that connections are open.
const SETTLE: usize = 80;
/// Connections at once; enough to keep the worker busy, so that it seldom sleeps.
const CONNECTIONS: usize = 8;
const PATH: &str = "/v1/chat/completions";
/// The filters of the chain but those of a row.
const OTHERS: [&str; 5] = ["auth", "ratelimit", "guardrails", "session", "budget"];
/// Find and replace, as an operator would write it.
const LUA: &str = r#"
function envoy_on_request(handle)
  local body = handle:body()
  if body == nil then return end
  local text = string.gsub(body:getBytes(0, body:length()), '"model":"openai/', '"model":"', 1)
  handle:headers():replace("content-length", body:setBytes(text))
end
"#;

/// The bodies: their size, requests of one measurement, requests before the first (V8 compiles a function well only after it
/// has run often), and what the router may add, in microseconds (issue 5).
struct Size {
    name: &'static str,
    bytes: usize,
    requests: usize,
    warm_up: usize,
    target: Option<f64>,
}

const SIZES: [Size; 3] = [
    Size { name: "1 KB", bytes: 1 << 10, requests: 4000, warm_up: 20_000, target: Some(25.0) },
    Size { name: "16 KB", bytes: 16 << 10, requests: 2000, warm_up: 4000, target: None },
    Size { name: "128 KB", bytes: 128 << 10, requests: 800, warm_up: 1600, target: Some(180.0) },
];

/// One line of the table.
struct Row<'a> {
    name: &'static str,
    gateway: &'a Gateway,
    size: &'static Size,
    requests: Requests,
}

/// Everything about routing.
pub(crate) fn run() {
    let upstream = upstream::start();
    let gateways = [
        ("no filter", start(bare(), upstream)),
        ("an empty Wasm filter", start(with_empty(), upstream)),
        (LUA_FIRST, start(with_lua(), upstream)),
        ("Lua, model last", start(with_lua(), upstream)),
        (ROUTER, start(with(&["provider"]), upstream)),
        ("router + provider", start(with(&[]), upstream)),
    ];
    let rows: Vec<Row> = SIZES
        .iter()
        .flat_map(|size| {
            gateways.iter().map(move |(name, gateway)| {
                let requests = Requests::new(PATH, ["none".to_owned()], &chat(size.bytes, *name == LUA_FIRST));
                Row { name, gateway, size, requests }
            })
        })
        .collect();
    let results = interleaved(&rows);
    print(&rows, &results, gateways.len());
}

/// The row whose bodies begin with the model.
const LUA_FIRST: &str = "Lua, model first";
/// The row that has a target.
const ROUTER: &str = "router";

/// Every round of every row; the rows are warm before the first.
fn interleaved(rows: &[Row]) -> Vec<Vec<Round>> {
    for row in rows {
        load(row.gateway.port(), &row.requests, row.size.warm_up, CONNECTIONS);
    }
    let mut measured = vec![Vec::new(); rows.len()];
    for _ in 0..ROUNDS {
        for (row, into) in rows.iter().zip(&mut measured) {
            let (process, port) = (row.gateway.process_id(), row.gateway.port());
            load(port, &row.requests, SETTLE, CONNECTIONS);
            into.push(measure(process, port, &row.requests, row.size.requests, CONNECTIONS));
        }
    }
    measured
}

/// `setups` rows of each size, of which the first is without a filter, then the empty one, then Lua.
fn print(rows: &[Row], results: &[Vec<Round>], setups: usize) {
    println!("Routing: microseconds of Envoy's CPU per request; one worker, {CONNECTIONS} connections.");
    println!("Medians of {ROUNDS} interleaved rounds; what a row adds is over another of the same round.\n");
    println!("{:<26} {:>8} {:>10} {:>11} {:>8} {:>8}  target", "", "CPU", "no filter", "empty Wasm", "Lua", "p50 ms");
    for (index, row) in rows.iter().enumerate() {
        let (place, base) = (index % setups, index - index % setups);
        if place == 0 {
            println!("{}", row.size.name);
        }
        let own = medians(&results[index]);
        let over = |other: usize| {
            median(results[index].iter().zip(&results[base + other]).map(|(it, than)| it.cpu - than.cpu))
        };
        let added = |other: usize| if place > other { format!("{:+.1}", over(other)) } else { String::new() };
        let target = row.size.target.filter(|_| row.name == ROUTER).map(|most| {
            let verdict = if over(0) <= most { "met" } else { "missed" };
            format!("at most {most} over no filter: {verdict}")
        });
        let [bare, empty, lua] = [added(0), added(1), added(2)];
        println!(
            "  {:<24} {:>8.1} {bare:>10} {empty:>11} {lua:>8} {:>8.3}  {}",
            row.name,
            own.cpu,
            own.p50,
            target.unwrap_or_default()
        );
    }
}

/// A chat of so many bytes, its model before or behind its messages.
fn chat(bytes: usize, first: bool) -> String {
    let turn = "The quick brown fox jumps over the lazy dog, and nobody minds. ";
    let of = |turns: &[String]| {
        let mut messages = vec![json!({"role": "system", "content": "You are brief."})];
        messages.extend(turns.iter().map(|it| json!({"role": "user", "content": it})));
        let (messages, model) = (json!(messages), "openai/gpt-4o-mini");
        if first {
            format!(r#"{{"model":"{model}","messages":{messages},"stream":false}}"#)
        } else {
            format!(r#"{{"messages":{messages},"model":"{model}","stream":false}}"#)
        }
    };
    let mut turns = vec![turn.repeat(8); bytes / 600];
    turns.push(String::new());
    let missing = bytes.saturating_sub(of(&turns).len());
    turns.pop();
    turns.push(turn.chars().cycle().take(missing).collect());
    of(&turns)
}

fn start(mut config: EnvoyConfig, upstream: u16) -> Gateway {
    let route = &mut manager(&mut config)["route_config"]["virtual_hosts"][0]["routes"][0];
    route["request_body_buffer_limit"] = json!(16 << 20);
    route["route"]["retry_policy"] = json!({"retry_on": "connect-failure,reset", "num_retries": 1});
    config.providers_at(upstream);
    Gateway::with(config).workers(1).start()
}

/// The shipped `router` and `provider`, without these.
fn with(left_out: &[&str]) -> EnvoyConfig {
    let mut config = EnvoyConfig::load("envoy/envoy.yaml").expect("envoy/envoy.yaml");
    for filter in OTHERS.iter().chain(left_out) {
        config.without_filter(filter);
    }
    // Nobody has verified a token here.
    config.filter(ROUTER, |it| it["trust"] = json!("headers"));
    one_route(&mut config);
    config
}

fn with_empty() -> EnvoyConfig {
    let mut config = with(&["provider"]);
    let path = json!(empty::module());
    config.each_wasm(&mut |plugin| plugin["vm_config"]["code"]["local"]["filename"] = path.clone());
    config
}

fn with_lua() -> EnvoyConfig {
    let mut config = bare();
    let lua: Value = json!({
        "name": "envoy.filters.http.lua",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
            "default_source_code": {"inline_string": LUA},
        },
    });
    manager(&mut config)["http_filters"].as_array_mut().expect("http_filters").insert(0, lua);
    config
}
