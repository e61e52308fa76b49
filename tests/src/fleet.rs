//! Several gateways that share one companion, and clients that push against a limit of all of them together.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Call, Client};
use crate::companion::Companion;
use crate::envoy::EnvoyConfig;
use crate::fake::FakeProvider;
use crate::gateway::{Builder, Gateway};

/// The ratelimit example with one limit for the whole fleet; who asks is in the headers.
///
/// # Panics
/// If it does not start.
#[must_use]
pub fn gateway(companion: &Companion, fake: &FakeProvider, limit: &Value) -> Gateway {
    builder(companion, limit).fake(fake).start()
}

/// The same, still without providers.
///
/// # Panics
/// If the example can't be read.
pub fn builder(companion: &Companion, limit: &Value) -> Builder {
    let config = EnvoyConfig::load("envoy/examples/ratelimit.yaml").unwrap_or_else(|error| panic!("{error}"));
    let ratelimit = json!({"limits": [limit], "trust": "headers", "slots": 64,
        "companion": {"cluster": "companion-internal", "secret": {"env": "TOLLGATE_INTERNAL_SECRET"}}});
    Gateway::with(config).edit(with_companion).filter("ratelimit", &ratelimit).companion(companion)
}

/// Adds the companion's internal listener to an example that does without, and lets its filters know the secret.
fn with_companion(root: &mut Value) {
    let clusters = root["static_resources"]["clusters"].as_array_mut().expect("clusters");
    if !clusters.iter().any(|cluster| cluster["name"] == "companion-internal") {
        let address = json!({"address": {"socket_address": {"address": "127.0.0.1", "port_value": 8788}}});
        clusters.push(json!({"name": "companion-internal", "type": "STATIC", "connect_timeout": "1s",
            "load_assignment": {"cluster_name": "companion-internal",
                "endpoints": [{"lb_endpoints": [{"endpoint": address}]}]}}));
    }
    let filters = &mut root["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
    for filter in filters["http_filters"].as_array_mut().expect("filters") {
        if let Some(vm) = filter.pointer_mut("/typed_config/config/vm_config") {
            vm["environment_variables"] = json!({"host_env_keys": ["TOLLGATE_INTERNAL_SECRET"]});
        }
    }
}

/// A request of a user of project `p1`, for a gateway that believes the headers.
pub fn ask(client: Client, user: &str) -> Call {
    let call = client.post("/v1/chat/completions", &crate::client::chat("gpt-4o", "hi"));
    call.header("x-project-id", "p1").header("x-end-user-id", user)
}

/// One request as its client saw it. Whatever the gateway did with it, it did in between these two.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// Since the pressure began.
    pub sent: Duration,
    /// Since the pressure began.
    pub answered: Duration,
    /// Which gateway, by its place.
    pub gateway: usize,
    /// 0: no answer.
    pub status: u16,
}

/// Clients that ask again and again.
#[derive(Debug)]
pub struct Pressure {
    start: Instant,
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Vec<Asked>>>,
}

impl Pressure {
    /// So many clients, each asking one gateway after the other with a pause in between.
    #[must_use]
    pub fn start(gateways: &[&Gateway], clients: usize, pause: Duration) -> Self {
        let (start, stop) = (Instant::now(), Arc::new(AtomicBool::new(false)));
        let ports: Arc<[Client]> = gateways.iter().map(|gateway| gateway.client()).collect();
        let client = |number: usize| {
            let (ports, stop) = (Arc::clone(&ports), Arc::clone(&stop));
            // Evenly over the pause, so that the load is a flow and not a beat.
            let first = pause.mul_f64(number as f64 / clients as f64);
            thread::spawn(move || {
                thread::sleep(first);
                push(&ports, number, pause, start, &stop)
            })
        };
        Self { start, clients: (0..clients).map(client).collect(), stop }
    }

    /// Since the pressure began.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Goes on until so long after the beginning.
    pub fn until(&self, moment: Duration) {
        thread::sleep(moment.saturating_sub(self.elapsed()));
    }

    /// What all clients saw.
    ///
    /// # Panics
    /// If a client did.
    #[must_use]
    pub fn finish(self) -> Vec<Asked> {
        self.stop.store(true, Ordering::SeqCst);
        self.clients.into_iter().flat_map(|client| client.join().expect("a client")).collect()
    }
}

fn push(gateways: &[Client], number: usize, pause: Duration, start: Instant, stop: &AtomicBool) -> Vec<Asked> {
    let mut all = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        let gateway = (number + all.len()) % gateways.len();
        let sent = start.elapsed();
        let answer = ask(gateways[gateway], "ada").try_send();
        let status = answer.map_or(0, |answer| answer.status);
        all.push(Asked { sent, answered: start.elapsed(), gateway, status });
        thread::sleep(pause);
    }
    all
}

/// The admitted of these.
#[must_use]
pub fn admitted(asked: &[Asked]) -> Vec<Asked> {
    asked.iter().copied().filter(|asked| asked.status == 200).collect()
}

/// How many were certainly admitted within one window of this length, wherever it is put to hold the most.
#[must_use]
pub fn most(admitted: &[Asked], window: Duration) -> usize {
    let within =
        |from: Duration| admitted.iter().filter(|other| other.sent >= from && other.answered <= from + window).count();
    admitted.iter().map(|first| within(first.sent)).max().unwrap_or(0)
}

/// How many can have been admitted within one window of this length that lies in `from..to`, put to hold the fewest.
#[must_use]
pub fn fewest(admitted: &[Asked], window: Duration, from: Duration, to: Duration) -> usize {
    let step = window / 100;
    let starts = (0..).map(|number| from + step * number).take_while(|start| *start + window <= to);
    let within = |from: Duration| admitted.iter().filter(|it| it.answered >= from && it.sent <= from + window).count();
    starts.map(within).min().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: &[f64]) -> Vec<Asked> {
        let asked = |at: &f64| {
            let at = Duration::from_secs_f64(*at);
            Asked { sent: at, answered: at + Duration::from_millis(10), gateway: 0, status: 200 }
        };
        seconds.iter().map(asked).collect()
    }

    #[test]
    fn what_lies_across_a_window_s_edge_counts_for_the_fewest_and_not_for_the_most() {
        let (second, all) = (Duration::from_secs(1), at(&[0.0, 0.5, 0.995, 1.5, 2.2]));
        assert_eq!(most(&all, second), 2, "the third was answered 1.005 s after the first was sent");
        assert_eq!(fewest(&all, second, Duration::ZERO, Duration::from_secs(3)), 1);
    }
}
