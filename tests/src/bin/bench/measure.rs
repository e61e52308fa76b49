//! Numbers: a process's CPU time, medians, shares.

use std::fs;
use std::time::Duration;

use crate::load::{Requests, load};

/// One measurement: CPU in microseconds per request, latencies in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round {
    pub(crate) cpu: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// What the process that listens at `port` needs for `count` requests.
pub(crate) fn measure(process: u32, port: u16, requests: &Requests, count: usize, connections: usize) -> Round {
    let before = cpu_time(process);
    let waits = load(port, requests, count, connections);
    let spent = cpu_time(process) - before;
    Round {
        cpu: spent.as_secs_f64() * 1e6 / waits.len() as f64,
        p50: millis(share(&waits, 0.5)),
        p99: millis(share(&waits, 0.99)),
    }
}

/// The middle of each number over the rounds.
pub(crate) fn medians(rounds: &[Round]) -> Round {
    let middle = |of: fn(&Round) -> f64| median(rounds.iter().map(of));
    Round { cpu: middle(|it| it.cpu), p50: middle(|it| it.p50), p99: middle(|it| it.p99) }
}

/// The value in the middle.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The wait that this share of all sorted `waits` does not exceed.
pub(crate) fn share(waits: &[Duration], share: f64) -> Duration {
    waits[((waits.len() - 1) as f64 * share) as usize]
}

/// In milliseconds.
pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The time that all threads of a process have run.
pub(crate) fn cpu_time(process: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).expect("the process runs");
    let nanos = tasks.filter_map(|task| {
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}
