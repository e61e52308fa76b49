//! Several gateways that share one companion, and clients that push against a limit of all of them together.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Call, Client};
use crate::companion::Companion;
use crate::envoy::EnvoyConfig;
use crate::fake::FakeProvider;
use crate::gateway::{Builder, Gateway};
use crate::process::wait_until;

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
    let config = json!({"limits": [limit], "trust": "headers", "slots": 64});
    example("ratelimit", companion, config)
}

/// The example of a filter alone with another configuration, to which the companion is added.
///
/// # Panics
/// If the example can't be read.
pub fn example(name: &str, companion: &Companion, mut config: Value) -> Builder {
    let file = format!("envoy/examples/{name}.yaml");
    let example = EnvoyConfig::load(&file).unwrap_or_else(|error| panic!("{error}"));
    config["companion"] = json!({"cluster": "companion-internal", "secret": {"env": "TOLLGATE_INTERNAL_SECRET"}});
    Gateway::with(example).edit(with_companion).filter(name, &config).companion(companion)
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
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    gateways: Vec<Client>,
    pause: Duration,
    call: fn(Client) -> Call,
    start: Instant,
    stop: AtomicBool,
    asked: Mutex<Vec<Asked>>,
}

impl Pressure {
    /// So many clients, each asking one gateway after the other with a pause in between.
    #[must_use]
    pub fn start(gateways: &[Gateway], clients: usize, pause: Duration) -> Self {
        Self::of(gateways, clients, pause, |client| ask(client, "ada"))
    }

    /// The same with calls of any kind.
    #[must_use]
    pub fn of(gateways: &[Gateway], clients: usize, pause: Duration, call: fn(Client) -> Call) -> Self {
        let gateways = gateways.iter().map(Gateway::client).collect();
        let (start, stop, asked) = (Instant::now(), AtomicBool::new(false), Mutex::default());
        let shared = Arc::new(Shared { gateways, pause, call, start, stop, asked });
        let client = |number: usize| {
            let shared = Arc::clone(&shared);
            // Evenly over the pause, so that the load is a flow and not a beat.
            let first = pause.mul_f64(number as f64 / clients as f64);
            thread::spawn(move || {
                thread::sleep(first);
                shared.push(number);
            })
        };
        Self { clients: (0..clients).map(client).collect(), shared }
    }

    /// Since the pressure began.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.shared.start.elapsed()
    }

    /// Goes on until so long after the beginning.
    pub fn until(&self, moment: Duration) {
        thread::sleep(moment.saturating_sub(self.elapsed()));
    }

    /// Goes on until three times as many answers as there are clients, one after the other, had none of these statuses.
    ///
    /// # Panics
    /// If that does not happen within `limit`.
    pub fn until_none_of(&self, statuses: &[u16], limit: Duration) {
        wait_until(limit, &format!("the last answer of {statuses:?}"), || {
            // Three rounds of all clients. A gateway that is gone answers at once and says nothing, and on a busy machine
            // may be all that a round hears of.
            let asked = self.shared.asked();
            let answered: Vec<u16> = asked.iter().map(|it| it.status).filter(|it| *it != 0).collect();
            let last = answered.get(answered.len().checked_sub(self.clients.len().checked_mul(3)?)?..)?;
            (!last.iter().any(|it| statuses.contains(it))).then_some(())
        });
    }

    /// What all clients saw, by the time of the answers.
    ///
    /// # Panics
    /// If a client did.
    #[must_use]
    pub fn finish(self) -> Vec<Asked> {
        self.shared.stop.store(true, Ordering::SeqCst);
        for client in self.clients {
            client.join().expect("a client");
        }
        self.shared.asked().clone()
    }
}

impl Shared {
    fn asked(&self) -> MutexGuard<'_, Vec<Asked>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, number: usize) {
        for gateway in (0..self.gateways.len()).cycle().skip(number) {
            if self.stop.load(Ordering::SeqCst) {
                return;
            }
            let sent = self.start.elapsed();
            let answer = (self.call)(self.gateways[gateway]).try_send();
            let (answered, status) = (self.start.elapsed(), answer.map_or(0, |answer| answer.status));
            self.asked().push(Asked { sent, answered, gateway, status });
            thread::sleep(self.pause);
        }
    }
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
