//! What the chain costs, next to bare Envoy and Envoy's own `jwt_authn`: CPU time per request and latency.

use serde_json::{Value, json};
use tests::{Companion, EnvoyConfig, FakeProvider, Gateway, Signer};

use crate::load::{Requests, load};
use crate::measure::{Round, measure, medians};

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
const FILTERS: [&str; 7] = ["auth", "ratelimit", "guardrails", "session", "router", "budget", "provider"];

/// Everything about the chain.
pub(crate) fn run() {
    let fake = FakeProvider::start();
    let signer = Signer::new();
    let world = World { fake: &fake, companion: &Companion::start(), token: &signer.user("bench") };
    let setups = [
        ("bare Envoy", world.start(bare())),
        ("jwt_authn", world.start(with_jwt_authn(&signer))),
        ("the chain", world.start(chain(&signer))),
    ];
    world.compare(&setups);
    drop(setups);
    world.one_by_one(&signer);
}

/// What is around every gateway.
struct World<'a> {
    fake: &'a FakeProvider,
    /// Takes the records of usage and lends what budgets have left.
    companion: &'a Companion,
    token: &'a str,
}

impl World<'_> {
    /// The chain next to what Envoy does without it.
    fn compare(&self, setups: &[(&str, Gateway)]) {
        println!(
            "The chain. CPU: microseconds of Envoy per request. Latency: milliseconds over {CONNECTIONS} connections."
        );
        println!("Medians of {ROUNDS} interleaved rounds of {REQUESTS} requests.\n");
        println!("{:<22} {:>8} {:>7} {:>9} {:>9}", "", "CPU", "ratio", "p50", "p99");
        for (name, size, stream) in [
            ("1 KB", 1 << 10, false),
            ("16 KB", 16 << 10, false),
            ("128 KB", 128 << 10, false),
            ("stream, 1 KB", 1 << 10, true),
        ] {
            let results = self.interleaved(setups, &request(size, stream, self.token));
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
    fn one_by_one(&self, signer: &Signer) {
        let mut setups = vec![("bare Envoy", self.start(bare()))];
        for (index, filter) in FILTERS.iter().enumerate() {
            let mut config = chain(signer);
            for later in FILTERS.iter().skip(index + 1) {
                config.without_filter(later);
            }
            one_route(&mut config);
            setups.push((filter, self.start(config)));
        }
        let results = self.interleaved(&setups, &request(1 << 10, false, self.token));
        println!("\nWhat each filter adds to the chain before it, at 1 KB:");
        for (pair, (filter, _)) in results.windows(2).zip(&setups[1..]) {
            println!("  {filter:<20} {:>8.1}", pair[1].cpu - pair[0].cpu);
        }
    }

    /// The medians of each setup; the first round warms up and does not count.
    fn interleaved(&self, setups: &[(&str, Gateway)], request: &Requests) -> Vec<Round> {
        let mut measured = vec![Vec::new(); setups.len()];
        for _ in 0..=ROUNDS {
            for ((_, gateway), into) in setups.iter().zip(&mut measured) {
                into.push(measure(gateway.process_id(), gateway.port(), request, REQUESTS, CONNECTIONS));
                self.fake.clear();
            }
        }
        measured.iter().map(|rounds| medians(&rounds[1..])).collect()
    }

    fn start(&self, config: EnvoyConfig) -> Gateway {
        let gateway = Gateway::with(config).fake(self.fake).companion(self.companion).start();
        load(gateway.port(), &request(1 << 10, false, self.token), WARM_UP, CONNECTIONS);
        gateway
    }
}

/// The shipped configuration, its limits lifted, its keys inline.
fn chain(signer: &Signer) -> EnvoyConfig {
    let mut config = EnvoyConfig::load("envoy/envoy.yaml").expect("envoy/envoy.yaml");
    config.filter("auth", |auth| *auth = signer.auth_config());
    let limit = json!({"name": "user", "key": "user", "requests": 4_000_000, "per": "second"});
    config.filter("ratelimit", |it| *it = json!({"limits": [limit]}));
    config.filter("budget", |it| {
        for budget in it["budgets"].as_array_mut().expect("the shipped budgets") {
            let amount = if budget.get("usd").is_some() { "usd" } else { "tokens" };
            budget[amount] = json!(1_000_000_000);
        }
    });
    config
}

/// The same listener, routes and clusters without a filter of ours.
pub(crate) fn bare() -> EnvoyConfig {
    let mut config = EnvoyConfig::load("envoy/envoy.yaml").expect("envoy/envoy.yaml");
    for filter in FILTERS {
        config.without_filter(filter);
    }
    one_route(&mut config);
    config
}

/// Everything goes to a provider, whether or not a router has chosen it.
pub(crate) fn one_route(config: &mut EnvoyConfig) {
    let clusters = config.root()["static_resources"]["clusters"].as_array_mut().expect("clusters");
    let first = clusters.iter_mut().find(|it| it["name"] == "try-1").expect("the first try");
    first["load_balancing_policy"]["policies"][0]["typed_extension_config"]["typed_config"]["fallback_policy"] =
        json!("ANY_ENDPOINT");
    manager(config)["route_config"]["virtual_hosts"][0]["routes"] =
        json!([{"match": {"prefix": "/"}, "route": {"cluster": "providers", "timeout": "0s"}}]);
}

fn with_jwt_authn(signer: &Signer) -> EnvoyConfig {
    let mut config = bare();
    let provider = json!({
        "local_jwks": {"inline_string": signer.jwks()},
        "forward": true,
        "jwt_cache_config": {"jwt_cache_size": 100},
    });
    add_jwt_authn(&mut config, &provider);
    config
}

/// Puts Envoy's own filter, with this one provider, in front of all others.
pub(crate) fn add_jwt_authn(config: &mut EnvoyConfig, provider: &Value) {
    let jwt_authn = json!({
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": {"tollgate": provider},
            "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "tollgate"}}],
        },
    });
    manager(config)["http_filters"].as_array_mut().expect("http_filters").insert(0, jwt_authn);
}

/// The listener's HTTP connection manager.
pub(crate) fn manager(config: &mut EnvoyConfig) -> &mut Value {
    &mut config.root()["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
}

fn request(size: usize, stream: bool, token: &str) -> Requests {
    Requests::new("/v1/chat/completions", [token.to_owned()], &chat(size, stream))
}

/// A chat of about `size` bytes.
pub(crate) fn chat(size: usize, stream: bool) -> String {
    let turn = "The quick brown fox jumps over the lazy dog, and nobody minds. ";
    let mut messages: Vec<Value> = vec![json!({"role": "system", "content": "You are brief."})];
    while messages.len() * 560 < size {
        messages.push(json!({"role": "user", "content": turn.repeat(8)}));
    }
    json!({"model": "openai/fake-words-20", "messages": messages, "stream": stream}).to_string()
}
