//! A real Envoy under a test's control.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::client::Client;
use crate::companion::Companion;
use crate::envoy::EnvoyConfig;
use crate::fake::FakeProvider;
use crate::process::{Process, poll, scratch};
use crate::tools;

/// A port on which nothing listens: what a test gets that names no companion.
const NOBODY: u16 = 1;

/// How long Envoy may take until it serves; compiling the filters on a busy machine is the slow part.
const START: Duration = Duration::from_secs(90);

/// What the gateway should be; made by [`Gateway::from`].
#[derive(Debug)]
#[must_use = "a gateway runs after `start`"]
pub struct Builder {
    config: EnvoyConfig,
    environment: BTreeMap<String, String>,
    workers: u32,
    log_level: String,
}

impl Builder {
    /// Puts the fake provider behind every cluster that is not the companion's.
    pub fn fake(mut self, fake: &FakeProvider) -> Self {
        self.config.providers_at(fake.port());
        self
    }

    /// Puts whatever listens on these ports behind all providers' clusters, and behind the companion's.
    pub fn ports(mut self, provider: u16, companion: u16) -> Self {
        self.config.providers_at(provider);
        self.config.companion_at(companion, companion);
        self
    }

    /// Puts this companion behind its clusters, and hands its internal secret to the filters.
    pub fn companion(mut self, companion: &Companion) -> Self {
        self.config.companion_at(companion.public_port(), companion.internal_port());
        self.env("TOLLGATE_INTERNAL_SECRET", companion.secret())
    }

    /// Replaces a filter's configuration.
    pub fn filter(self, name: &str, config: &Value) -> Self {
        self.edit_filter(name, |old| *old = config.clone())
    }

    /// Changes a filter's configuration.
    pub fn edit_filter(mut self, name: &str, change: impl FnMut(&mut Value)) -> Self {
        self.config.filter(name, change);
        self
    }

    /// Takes a filter out.
    pub fn without_filter(mut self, name: &str) -> Self {
        self.config.without_filter(name);
        self
    }

    /// Changes anything else.
    pub fn edit(mut self, change: impl FnOnce(&mut Value)) -> Self {
        change(self.config.root());
        self
    }

    /// Sets an environment variable of Envoy.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Worker threads; two unless told otherwise.
    pub fn workers(mut self, workers: u32) -> Self {
        self.workers = workers;
        self
    }

    /// Envoy's `--log-level`; `warning` unless told otherwise.
    pub fn log_level(mut self, level: &str) -> Self {
        level.clone_into(&mut self.log_level);
        self
    }

    /// Starts it and waits until it serves.
    ///
    /// # Panics
    /// If it doesn't; with what Envoy said about it.
    #[must_use]
    pub fn start(self) -> Gateway {
        self.try_start().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Starts it and waits until it serves.
    ///
    /// # Errors
    /// What Envoy said instead, such as a filter that refuses its configuration.
    pub fn try_start(mut self) -> Result<Gateway, String> {
        self.config.ports(0, 0);
        self.config.wasm_paths()?;
        let folder = scratch("gateway");
        self.config.write(&folder.join("envoy.json"))?;
        let (admin_file, log) = (folder.join("admin"), folder.join("envoy.log"));
        let mut command = Command::new(tools::envoy()?);
        command
            .arg("--config-path")
            .arg(folder.join("envoy.json"))
            .arg("--admin-address-path")
            .arg(&admin_file)
            .args(["--concurrency", &self.workers.to_string(), "--log-level", &self.log_level])
            // Several gateways run side by side and none of them is ever restarted hot.
            .arg("--disable-hot-restart")
            // A test reads the access log soon after its request.
            .args(["--file-flush-interval-msec", "100"])
            .current_dir(tools::root())
            .envs(&self.environment);
        let mut process = Process::start("envoy", &mut command, &log).map_err(|error| format!("envoy: {error}"))?;
        let (port, admin) = ready(&mut process, &admin_file)?;
        Ok(Gateway { process, port, admin, folder })
    }
}

/// Waits for the ports that Envoy chose and until all listeners serve.
fn ready(process: &mut Process, admin_file: &PathBuf) -> Result<(u16, u16), String> {
    let mut died = false;
    let found = poll(START, || {
        if !process.is_running() {
            died = true;
            return Some((0, 0));
        }
        let address = fs::read_to_string(admin_file).ok()?;
        let admin: u16 = address.rsplit(':').next()?.trim().parse().ok()?;
        let client = Client::new(admin);
        client.get("/ready").try_send().ok().filter(|answer| answer.status == 200)?;
        let listeners: Value =
            serde_json::from_slice(&client.get("/listeners?format=json").try_send().ok()?.body).ok()?;
        let port = listeners["listener_statuses"][0]["local_address"]["socket_address"]["port_value"].as_u64()?;
        Some((u16::try_from(port).ok()?, admin))
    });
    match found {
        Some(ports) if !died => Ok(ports),
        _ => Err(format!("Envoy {}:\n{}", if died { "ended" } else { "is not ready" }, process.tail())),
    }
}

/// A running Envoy; killed when dropped, its last lines printed if the test failed.
#[derive(Debug)]
pub struct Gateway {
    process: Process,
    port: u16,
    admin: u16,
    folder: PathBuf,
}

impl Gateway {
    /// From a file of the repository: `envoy/envoy.yaml`, `envoy/examples/auth.yaml`.
    ///
    /// # Panics
    /// If the file can't be read.
    pub fn from(path: &str) -> Builder {
        Self::with(EnvoyConfig::load(path).unwrap_or_else(|error| panic!("{error}")))
    }

    /// The shipped one with `router` and `provider` alone, for tests that are not about who calls or what it costs.
    ///
    /// # Panics
    /// If the file can't be read.
    pub fn routing() -> Builder {
        let others = ["auth", "ratelimit", "guardrails", "session", "budget"];
        others.into_iter().fold(Self::from("envoy/envoy.yaml"), Builder::without_filter)
    }

    /// From a configuration. Until told otherwise, nobody answers behind the companion's clusters.
    pub fn with(mut config: EnvoyConfig) -> Builder {
        config.companion_at(NOBODY, NOBODY);
        // A filter may insist on having a secret even in a test that never uses it.
        let environment =
            BTreeMap::from([("TOLLGATE_INTERNAL_SECRET".to_owned(), "0123456789abcdef-unused".to_owned())]);
        Builder { config, environment, workers: 2, log_level: "warning".to_owned() }
    }

    /// A client of the first listener.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(self.port)
    }

    /// A client of the admin endpoint.
    #[must_use]
    pub fn admin(&self) -> Client {
        Client::new(self.admin)
    }

    /// The first listener's port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Envoy's process id.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// What Envoy has printed so far, the access log included.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Where this gateway's files are.
    #[must_use]
    pub fn folder(&self) -> &PathBuf {
        &self.folder
    }

    /// A counter or gauge of Envoy or of a filter (`wasmcustom.…`); 0 while there is none.
    ///
    /// # Panics
    /// If the admin endpoint does not answer.
    #[must_use]
    pub fn stat(&self, name: &str) -> u64 {
        let text = self.admin().get(&format!("/stats?filter={name}")).send().text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
    }
}
