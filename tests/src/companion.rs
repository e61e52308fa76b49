//! The companion as a process of its own, with its own database, so that it can be killed and come back.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::client::Client;
use crate::process::{Process, poll, scratch};
use crate::tools;

const START: Duration = Duration::from_secs(30);
/// How long the ports of a companion that comes back may be taken.
const PORTS: Duration = Duration::from_secs(5);

/// A project with an API key.
#[derive(Debug, Clone)]
pub struct Project {
    /// `tenant_…`
    pub tenant_id: String,
    /// `proj_…`
    pub project_id: String,
    /// Its key, as shown once.
    pub api_key: String,
    /// The key's id, for revoking it.
    pub key_id: String,
}

/// What the companion should be; made by [`Companion::with`].
#[derive(Debug, Default)]
#[must_use = "a companion runs after `start`"]
pub struct Builder {
    environment: BTreeMap<String, String>,
}

impl Builder {
    /// Keeps usage and budgets in this database instead of a file beside the others.
    pub fn usage_database(self, url: &str) -> Self {
        self.env("TOLLGATE_USAGE_DATABASE_URL", url)
    }

    /// Keeps threads and sessions in this database instead of a file beside the others.
    pub fn memory_database(self, url: &str) -> Self {
        self.env("TOLLGATE_MEMORY_DATABASE_URL", url)
    }

    /// Keeps fleet limits in this Redis, and sends events there.
    pub fn redis(self, url: &str) -> Self {
        self.env("TOLLGATE_REDIS_URL", url)
    }

    /// Sends events there too, signed with this secret.
    pub fn webhook(self, url: &str, secret: &str) -> Self {
        self.env("TOLLGATE_WEBHOOK_URL", url).env("TOLLGATE_WEBHOOK_SECRET", secret)
    }

    /// Sets any variable of `tollgate serve`.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Starts it on free ports with an empty database.
    ///
    /// # Panics
    /// If it is not built or doesn't start; with what it said.
    #[must_use]
    pub fn start(self) -> Companion {
        let folder = scratch("companion");
        let mut companion = Companion { process: None, folder, public: 0, internal: 0, environment: self.environment };
        let mut said = Ok(());
        // Between our look at a free port and the companion's bind another process may take it, hence more than one try.
        for _ in 0..5 {
            (companion.public, companion.internal) = (free_port(), free_port());
            said = companion.serve();
            if said.is_ok() {
                break;
            }
        }
        said.unwrap_or_else(|error| panic!("{error}"));
        companion
    }
}

/// A running companion; killed when dropped.
#[derive(Debug)]
pub struct Companion {
    process: Option<Process>,
    folder: PathBuf,
    public: u16,
    internal: u16,
    environment: BTreeMap<String, String>,
}

impl Companion {
    /// Starts one on free ports with an empty database.
    ///
    /// # Panics
    /// If it is not built or doesn't start; with what it said.
    #[must_use]
    pub fn start() -> Self {
        Self::with().start()
    }

    /// One that is told more than that.
    pub fn with() -> Builder {
        Builder::default()
    }

    /// Starts it again on the same ports and database, after a SIGKILL if it still runs.
    ///
    /// # Panics
    /// If it doesn't start; with what it said.
    pub fn restart(&mut self) {
        self.kill();
        // While nobody listened, a connection of somebody else may have been given one of the ports as its own.
        poll(PORTS, || self.serve().ok()).map_or_else(|| self.serve(), Ok).unwrap_or_else(|error| panic!("{error}"));
    }

    /// SIGKILL, as the test of `kill -9` wants it.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// SIGTERM; whether it drained and ended with success.
    pub fn terminate(&mut self) -> bool {
        self.process.take().is_some_and(|mut process| process.terminate(Duration::from_secs(15)))
    }

    /// What it has printed so far, a line for each request.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }

    /// Its process id.
    ///
    /// # Panics
    /// If it does not run.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.process.as_ref().expect("the companion runs").id()
    }

    /// A client of the public listener.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(self.public)
    }

    /// A client of the internal listener.
    #[must_use]
    pub fn internal(&self) -> Client {
        Client::new(self.internal)
    }

    /// The port of the public listener.
    #[must_use]
    pub fn public_port(&self) -> u16 {
        self.public
    }

    /// The port of the internal listener.
    #[must_use]
    pub fn internal_port(&self) -> u16 {
        self.internal
    }

    /// Where it keeps usage and budgets.
    #[must_use]
    pub fn usage_database(&self) -> String {
        let beside = || format!("sqlite://{}", self.folder.join("tollgate-usage.db").display());
        self.environment.get("TOLLGATE_USAGE_DATABASE_URL").cloned().unwrap_or_else(beside)
    }

    /// The secret of the internal listener.
    #[must_use]
    pub fn secret(&self) -> &'static str {
        "internal-secret-of-a-test"
    }

    /// A new project with a key.
    ///
    /// # Panics
    /// If the command line refuses.
    #[must_use]
    pub fn project(&self, tenant: &str, name: &str) -> Project {
        let project = self.run(&["project", "create", "--tenant", tenant, "--name", name]);
        let text =
            |value: &Value, key: &str| value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}")).to_owned();
        let project_id = text(&project, "project_id");
        let key = self.run(&["key", "create", "--project", &project_id]);
        Project {
            tenant_id: text(&project, "tenant_id"),
            project_id,
            api_key: text(&key, "api_key"),
            key_id: text(&key, "key_id"),
        }
    }

    /// Runs a command of the companion's command line with `--json`, on the same database.
    ///
    /// # Panics
    /// If it fails; with what it said.
    #[must_use]
    pub fn run(&self, arguments: &[&str]) -> Value {
        let mut command = self.command().unwrap_or_else(|error| panic!("{error}"));
        let output = command.args(arguments).arg("--json").output().expect("the companion's command line runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tollgate {arguments:?}: {said}");
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    }

    fn serve(&mut self) -> Result<(), String> {
        let mut command = self.command()?;
        let log = self.folder.join("companion.log");
        let mut process =
            Process::start("companion", command.arg("serve"), &log).map_err(|error| format!("companion: {error}"))?;
        let client = self.client();
        let ready = poll(START, || {
            if !process.is_running() {
                return Some(false);
            }
            client.get("/readyz").try_send().ok().filter(|answer| answer.status == 200).map(|_| true)
        });
        if ready != Some(true) {
            return Err(format!("the companion did not start:\n{}", process.tail()));
        }
        self.process = Some(process);
        Ok(())
    }

    fn command(&self) -> Result<Command, String> {
        let mut command = Command::new(tools::companion()?);
        command
            .env("TOLLGATE_DATABASE_URL", format!("sqlite://{}", self.folder.join("tollgate.db").display()))
            .env("TOLLGATE_SIGNING_KEYS", self.folder.join("signing-keys"))
            .env("TOLLGATE_INTERNAL_SECRET", self.secret())
            .env("TOLLGATE_LISTEN", format!("127.0.0.1:{}", self.public))
            .env("TOLLGATE_INTERNAL_LISTEN", format!("127.0.0.1:{}", self.internal))
            .envs(&self.environment)
            .current_dir(&self.folder);
        Ok(command)
    }
}

/// A port that is free now, and may be taken by the time it is used.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port on 127.0.0.1");
    listener.local_addr().expect("a bound socket has an address").port()
}
