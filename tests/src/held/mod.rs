//! Very many streams at once through one gateway with `session`, each with a history, held open: what does that cost Envoy?
//!
//! The provider and the companion here are as simple as can be, so that beside them the gateway fits into a machine. It is the
//! only part of the harness that is asynchronous: ten thousand threads would cost more than what is measured.

mod wire;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use tokio::runtime::{self, Runtime};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use crate::gateway::{Builder, Gateway};
use crate::process::wait_until;

/// What an open stream may cost Envoy, in KiB: both of its connections with their buffers, and what `session` keeps of it.
pub const EACH: f64 = 64.0;
/// So many begin at once: while one does, its history is in the gateway.
const BEGINNING: usize = 16;
/// Before memory is looked at for the first time.
const WARM_UP: usize = 200;
/// Files of a process that are no stream.
const OTHERS: u64 = 400;
const LIMIT: Duration = Duration::from_secs(60);

/// What it cost, in KiB of Envoy's resident memory.
#[derive(Debug, Clone, Copy)]
pub struct Growth {
    /// Open at once.
    pub streams: usize,
    /// Bytes of each one's history; `None` where no memory was asked for.
    pub history: Option<usize>,
    /// When some had come and gone.
    pub before: u64,
    /// With all of them open.
    pub open: u64,
    /// When all of them had ended.
    pub after: u64,
}

impl Growth {
    /// KiB by which each open stream made Envoy larger.
    #[must_use]
    pub fn each(&self) -> f64 {
        self.open.saturating_sub(self.before) as f64 / self.streams as f64
    }
}

impl fmt::Display for Growth {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        let Self { streams, before, open, after, .. } = self;
        let history = self.history.map_or("no memory".to_owned(), |it| format!("a history of {it} bytes each"));
        write!(
            out,
            "{streams} streams, {history}: {before} KiB, {open} KiB open, {after} KiB after: {:.1} KiB each",
            self.each()
        )
    }
}

/// How many streams fit into the files that a process may have open, at most `wanted`: each is two of the gateway's, and two of
/// ours. Takes as many as the machine gives.
#[must_use]
pub fn fitting(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    // Where even that is refused, the present limit stands.
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let limit = if raised.is_ok() { limit.maximum } else { limit.current };
    let most = limit.unwrap_or(u64::MAX).saturating_sub(OTHERS) / 2;
    wanted.min(usize::try_from(most).unwrap_or(usize::MAX))
}

/// Opens so many streams, each on a thread of its own with so many bytes of history, looks at Envoy, and lets them end.
///
/// # Panics
/// If a stream does not begin, or does not come to its end.
#[must_use]
pub fn measure(streams: usize, history: Option<usize>) -> Growth {
    let opened: Arc<str> = opened(history.unwrap_or_default()).into();
    let scene = Scene::new(move |path, _| of_companion(path, &opened), |gateway| gateway);
    scene.run(WARM_UP.min(streams), history.is_some());
    let before = resident(scene.gateway.process_id());
    let open = scene.run(streams, history.is_some());
    Growth { streams, history, before, open, after: resident(scene.gateway.process_id()) }
}

/// Has so many streams of one worker end at once while the companion takes no turn, so that all of them are held and let go
/// together, and then so many again: the worker is still there.
///
/// # Panics
/// If a stream does not begin, or does not come to its end.
pub fn end_together(streams: usize) {
    let opened: Arc<str> = opened(0).into();
    let companion = move |path: &str, never: &watch::Receiver<()>| match path.ends_with("/open") {
        true => of_companion(path, &opened),
        false => wire::Reply::Held(never.clone()),
    };
    let soon = |config: &mut Value| {
        config["hold_end"] = json!("2s");
    };
    let scene = Scene::new(companion, |gateway| gateway.workers(1).edit_filter("session", soon));
    for _ in 0..2 {
        scene.run(streams, true);
    }
}

/// A gateway, and what is around it.
struct Scene {
    runtime: Runtime,
    gateway: Gateway,
    /// Lets the provider's streams end.
    release: watch::Sender<()>,
    /// Nothing is ever sent by it.
    _never: watch::Sender<()>,
}

impl Scene {
    fn new(
        companion: impl Fn(&str, &watch::Receiver<()>) -> wire::Reply + Send + Sync + 'static,
        change: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let ((release, held), (never, nothing)) = (watch::channel(()), watch::channel(()));
        let provider = runtime.block_on(wire::serve(move |_| wire::Reply::Held(held.clone()))).expect("a free port");
        let companion = runtime.block_on(wire::serve(move |path| companion(path, &nothing))).expect("a free port");
        Self { runtime, gateway: gateway(provider, companion, change), release, _never: never }
    }

    /// So many streams are opened and end together; Envoy's memory when all were open.
    fn run(&self, count: usize, remembered: bool) -> u64 {
        let open = self.runtime.block_on(begin(self.gateway.port(), count, remembered));
        wait_until(LIMIT, "Envoy to count them", || {
            (self.gateway.stat("http.gateway.downstream_rq_active") == count as u64).then_some(())
        });
        let memory = resident(self.gateway.process_id());
        self.release.send_replace(());
        end(&self.runtime, open);
        memory
    }
}

fn gateway(provider: u16, companion: u16, change: impl FnOnce(Builder) -> Builder) -> Gateway {
    // Envoy's own bounds on what it holds towards a cluster are not what this is about.
    let unbounded = |root: &mut Value| {
        let most = json!({"max_connections": 1_000_000, "max_pending_requests": 1_000_000, "max_requests": 1_000_000});
        for cluster in root["static_resources"]["clusters"].as_array_mut().expect("clusters") {
            cluster["circuit_breakers"] = json!({"thresholds": [most]});
        }
    };
    let gateway = Gateway::from("envoy/examples/session.yaml").ports(provider, companion).edit(unbounded);
    change(gateway).start()
}

/// The companion's answer to whoever opens a turn.
fn opened(bytes: usize) -> String {
    let message = |role: &str| json!({"role": role, "content": "x".repeat(bytes / 2)});
    json!({"turn": "turn_1", "messages": [message("user"), message("assistant")]}).to_string()
}

fn of_companion(path: &str, opened: &Arc<str>) -> wire::Reply {
    let opens = path.ends_with("/open");
    wire::Reply::Whole(if opens { Arc::clone(opened) } else { r#"{"stored":1}"#.into() })
}

/// The clients, each of which has seen the first event.
async fn begin(port: u16, count: usize, remembered: bool) -> Vec<wire::Client> {
    let turn = Arc::new(Semaphore::new(BEGINNING));
    let client = |number: usize| {
        let turn = Arc::clone(&turn);
        tokio::spawn(async move {
            let _place = turn.acquire().await;
            let client = timeout(LIMIT, wire::Client::begin(port, remembered.then_some(number)));
            client.await.expect("a stream that begins in time").expect("a stream that begins")
        })
    };
    let beginning: Vec<_> = (0..count).map(client).collect();
    let mut open = Vec::new();
    for client in beginning {
        open.push(client.await.expect("a client"));
    }
    open
}

fn end(runtime: &Runtime, open: Vec<wire::Client>) {
    for client in open {
        let rest = runtime.block_on(async { timeout(LIMIT, client.rest()).await });
        let rest = rest.expect("a stream that ends in time").expect("a stream that ends");
        assert!(rest.contains("data: [DONE]") && rest.ends_with("0\r\n\r\n"), "{rest}");
    }
}

/// A process's resident memory in KiB.
fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("the process is there");
    let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:")).expect("its memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number of KiB")
}
