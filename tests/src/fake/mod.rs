//! A provider on loopback that behaves like those of WIRE.md, or as badly as it is told to ([`behaviour`]), and that
//! remembers byte for byte what it was sent.
//!
//! Any path that ends in `/chat/completions`, `/completions`, `/embeddings`, `/responses`, `/messages` or `/models` is answered, so
//! that every provider of a gateway can have a base path of its own and a test can see which one was called. A base path that
//! begins with a known provider's name is answered in that provider's manner.

mod answers;
mod anthropic;
pub mod behaviour;
mod connection;
mod control;
mod manner;
mod schema;
mod script;
mod served;
pub mod usage;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::http::{self, Headers};
use crate::process::wait_until;
use behaviour::Behaviour;
pub use script::Script;
pub use served::Served;

/// As many requests are remembered, unless told otherwise; a bench must not fill the memory.
const REMEMBERED: usize = 5_000;

/// A request as it was on the wire, chunked framing undone.
#[derive(Debug, Clone)]
pub struct Received {
    /// `POST`.
    pub method: String,
    /// With the query.
    pub path: String,
    /// In order, in the spelling of the wire, duplicates included.
    pub headers: Headers,
    /// All of it.
    pub body: Vec<u8>,
}

impl Received {
    /// The first value of a header, as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        http::text(&self.headers, name)
    }

    /// Whether a header is there at all, in any case.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        http::first(&self.headers, name).is_some()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the provider received JSON")
    }
}

#[derive(Debug)]
struct Rule {
    prefix: String,
    behaviour: Behaviour,
    left: Option<u64>,
}

/// What all connections share.
#[derive(Debug)]
struct State {
    remembered: usize,
    requests: Mutex<VecDeque<Received>>,
    served: Mutex<VecDeque<Served>>,
    serving: AtomicU64,
    rules: Mutex<Vec<Rule>>,
    scripts: Mutex<Vec<Script>>,
    open: Mutex<HashMap<u64, TcpStream>>,
    answered: AtomicU64,
    stopping: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn new(remembered: usize) -> Self {
        Self {
            remembered,
            requests: Mutex::default(),
            served: Mutex::default(),
            serving: AtomicU64::default(),
            rules: Mutex::default(),
            scripts: Mutex::default(),
            open: Mutex::default(),
            answered: AtomicU64::default(),
            stopping: AtomicBool::default(),
        }
    }

    /// Appends, and forgets the oldest when there are too many.
    fn remember<T>(&self, all: &Mutex<VecDeque<T>>, one: T) {
        let mut all = lock(all);
        if all.len() >= self.remembered {
            all.pop_front();
        }
        all.push_back(one);
    }

    fn requests(&self) -> Vec<Received> {
        lock(&self.requests).iter().cloned().collect()
    }

    fn served(&self) -> Vec<Served> {
        let mut served: Vec<Served> = lock(&self.served).iter().cloned().collect();
        served.sort_by_key(|served| served.number);
        served
    }

    fn clear(&self) {
        lock(&self.requests).clear();
        lock(&self.served).clear();
    }

    fn behave(&self, prefix: &str, behaviour: &str, times: Option<u64>) -> Result<(), String> {
        let behaviour = Behaviour::parse(behaviour)?;
        lock(&self.rules).push(Rule { prefix: prefix.to_owned(), behaviour, left: times });
        Ok(())
    }

    fn behave_well(&self) {
        lock(&self.rules).clear();
    }

    /// The rule for a path, one use of it spent.
    fn ruled(&self, path: &str) -> Option<Behaviour> {
        let mut rules = lock(&self.rules);
        let rule = rules.iter_mut().find(|rule| path.starts_with(&rule.prefix) && rule.left != Some(0))?;
        rule.left = rule.left.map(|left| left - 1);
        Some(rule.behaviour.clone())
    }

    fn script(&self, number: usize) -> Option<Script> {
        lock(&self.scripts).get(number).cloned()
    }
}

/// The running provider; dropping it closes every connection.
#[derive(Debug)]
pub struct FakeProvider {
    address: SocketAddr,
    state: Arc<State>,
}

impl FakeProvider {
    /// Starts one on a free port of loopback.
    ///
    /// # Panics
    /// If there is no free port.
    #[must_use]
    pub fn start() -> Self {
        Self::listen(0).expect("a free port on 127.0.0.1")
    }

    /// Starts one that remembers so many requests.
    ///
    /// # Panics
    /// If there is no free port.
    #[must_use]
    pub fn remembering(requests: usize) -> Self {
        Self::bind(0, requests).expect("a free port on 127.0.0.1")
    }

    /// Starts one on `port` of loopback; 0 takes a free one.
    ///
    /// # Errors
    /// The port is taken.
    pub fn listen(port: u16) -> io::Result<Self> {
        Self::bind(port, REMEMBERED)
    }

    fn bind(port: u16, remembered: usize) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        let address = listener.local_addr()?;
        let state = Arc::new(State::new(remembered));
        let shared = Arc::clone(&state);
        thread::spawn(move || accept(&listener, &shared));
        Ok(Self { address, state })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What was received so far, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<Received> {
        self.state.requests()
    }

    /// The only request since the last [`FakeProvider::clear`].
    ///
    /// # Panics
    /// If there was none, or more than one.
    #[must_use]
    pub fn only_request(&self) -> Received {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "the provider should have seen one request, it saw {requests:?}");
        requests.remove(0)
    }

    /// Waits until `count` requests were received, and returns them.
    ///
    /// # Panics
    /// If they don't come within ten seconds.
    #[must_use]
    pub fn wait_for(&self, count: usize) -> Vec<Received> {
        wait_until(Duration::from_secs(10), &format!("{count} requests at the provider"), || {
            let requests = self.requests();
            (requests.len() >= count).then_some(requests)
        })
    }

    /// What was answered with content so far, as a provider would bill it, in the order of the requests. Waits for the
    /// answers that are on their way: a client that has left is noticed with the next event.
    ///
    /// # Panics
    /// If one is still on its way after 20 seconds.
    #[must_use]
    pub fn served(&self) -> Vec<Served> {
        wait_until(Duration::from_secs(20), "the provider's last answer to end", || {
            (self.state.serving.load(Ordering::SeqCst) == 0).then_some(())
        });
        self.state.served()
    }

    /// Forgets what was received and served.
    pub fn clear(&self) {
        self.state.clear();
    }

    /// From now on, requests to paths that start with `prefix` are answered so, `times` times or until
    /// [`FakeProvider::behave_well`]. The grammar is that of [`behaviour`].
    ///
    /// # Panics
    /// If `behaviour` is none.
    pub fn behave(&self, prefix: &str, behaviour: &str, times: Option<u64>) {
        self.state.behave(prefix, behaviour, times).expect("a behaviour");
    }

    /// From now on, a chat of the returned model is answered with these bytes, whatever was asked.
    #[must_use]
    pub fn says(&self, script: Script) -> String {
        let mut scripts = lock(&self.state.scripts);
        scripts.push(script);
        format!("fake-script-{}", scripts.len() - 1)
    }

    /// Removes all rules of [`FakeProvider::behave`].
    pub fn behave_well(&self) {
        self.state.behave_well();
    }
}

impl Drop for FakeProvider {
    fn drop(&mut self) {
        self.state.stopping.store(true, Ordering::SeqCst);
        // Wakes the accepting thread, which then sees that it should stop.
        drop(TcpStream::connect(self.address));
        for stream in lock(&self.state.open).values() {
            drop(stream.shutdown(Shutdown::Both));
        }
    }
}

fn accept(listener: &TcpListener, state: &Arc<State>) {
    for (number, stream) in (0..).zip(listener.incoming()) {
        if state.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let state = Arc::clone(state);
        thread::spawn(move || {
            // A client that goes away in the middle is its own affair.
            drop(connection::serve(stream, number, &state));
            lock(&state.open).remove(&number);
        });
    }
}
