//! A Redis server of a test's own, on a socket in a folder of its own.

use super::Link;
use domain::secret::Secret;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

pub(crate) struct Server {
    process: Child,
    dir: TempDir,
}

impl Server {
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { process: process(dir.path()), dir }
    }

    pub(crate) fn url(&self) -> Secret {
        Secret::new(format!("redis+unix://{}", self.dir.path().join("redis.sock").display()))
    }

    pub(crate) fn link(&self) -> Link {
        Link::open(&self.url()).unwrap()
    }

    pub(crate) fn stop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// At the same address, with nothing in it.
    pub(crate) fn start_again(&mut self) {
        self.process = process(self.dir.path());
    }
}

fn process(dir: &Path) -> Child {
    let binary = concat!(env!("CARGO_MANIFEST_DIR"), "/../.tools/redis/bin/redis-server");
    let arguments =
        ["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket", "redis.sock", "--daemonize", "no"];
    let process = Command::new(binary).args(arguments).current_dir(dir).stdout(Stdio::piped()).spawn();
    let mut process = process.unwrap_or_else(|error| panic!("{binary}: {error}; scripts/setup-redis installs it"));
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let ready =
        lines.find(|it| it.as_ref().is_ok_and(|it| it.contains("ready to accept") || it.contains("Ready to accept")));
    assert!(ready.is_some(), "redis-server ended before it was ready");
    // Whatever else it says has to go somewhere.
    std::thread::spawn(move || lines.count());
    process
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
