//! Companion, fake provider and Envoy, started in that order, each ready before the next.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tests::process::{Process, poll};
use tests::{Client, EnvoyConfig, tools};

use crate::running::Running;
use crate::settings::Settings;

/// Long enough for Envoy to compile the filters on a slow machine.
const READY: Duration = Duration::from_secs(90);

/// What a person or a test needs in order to use the gateway; also in `.run/demo.env`.
#[derive(Debug)]
pub(crate) struct Access {
    pub(crate) tenant: String,
    pub(crate) project: String,
    pub(crate) api_key: String,
}

/// The running processes; dropping it ends them.
pub(crate) struct Stack {
    processes: Vec<(&'static str, Process)>,
    background: bool,
    secret: String,
    admin_token: String,
}

impl Stack {
    /// Starts everything. `background`: a Ctrl-C at the terminal does not reach them.
    pub(crate) fn start(settings: &Settings, background: bool) -> Result<Self, String> {
        let (secret, admin_token) = (random()?, random()?);
        let mut stack = Self { processes: Vec::new(), background, secret, admin_token };
        let companion = stack.companion(settings)?;
        stack.run(settings, "companion", companion, settings.companion, "/readyz")?;
        if settings.real.is_empty() {
            let mut fake = Command::new(beside("fake-provider")?);
            fake.arg(settings.fake.to_string());
            stack.run(settings, "fake-provider", fake, settings.fake, "/_control/requests")?;
        } else {
            println!("providers: {} (keys from the environment)", settings.real.join(", "));
        }
        let envoy = stack.envoy(settings)?;
        stack.run(settings, "envoy", envoy, settings.admin, "/ready")?;
        Ok(stack)
    }

    /// A project with a key: the one of last time if it still works, else a new one. Writes `.run/demo.env`.
    pub(crate) fn access(&self, settings: &Settings) -> Result<Access, String> {
        let access = match last_time(settings) {
            Some(access) => access,
            None => self.new_project(settings)?,
        };
        let lines = [
            ("GATEWAY_URL", settings.gateway_url()),
            ("COMPANION_URL", format!("http://127.0.0.1:{}", settings.companion)),
            ("API_KEY", access.api_key.clone()),
            ("ADMIN_TOKEN", self.admin_token.clone()),
            ("PROJECT_ID", access.project.clone()),
            ("TENANT_ID", access.tenant.clone()),
        ];
        let text: String = lines.iter().map(|(name, value)| format!("export {name}={value}\n")).collect();
        write_private(&settings.run.join("demo.env"), &text)?;
        Ok(access)
    }

    /// Lets the processes live on.
    pub(crate) fn leave_running(self) -> Vec<Running> {
        let running = self.processes.iter().filter_map(|(name, process)| Running::new(name, process.id())).collect();
        for (_, process) in self.processes {
            process.leave_running();
        }
        running
    }

    fn companion(&self, settings: &Settings) -> Result<Command, String> {
        let mut command = Command::new(tools::companion()?);
        command
            .arg("serve")
            .env("TOLLGATE_DATABASE_URL", database(settings))
            .env("TOLLGATE_SIGNING_KEYS", settings.run.join("signing-keys"))
            // Clients come through the gateway.
            .env("TOLLGATE_TRUSTED_HOPS", "1")
            .env("TOLLGATE_INTERNAL_SECRET", &self.secret)
            // For the admin API, once there is one.
            .env("TOLLGATE_ADMIN_TOKEN", &self.admin_token)
            .env("TOLLGATE_LISTEN", format!("127.0.0.1:{}", settings.companion))
            .env("TOLLGATE_INTERNAL_LISTEN", format!("127.0.0.1:{}", settings.internal));
        Ok(command)
    }

    fn envoy(&self, settings: &Settings) -> Result<Command, String> {
        let mut config = EnvoyConfig::load("envoy/envoy.yaml")?;
        config.ports(settings.gateway, settings.admin);
        config.wasm_paths()?;
        config.companion_at(settings.companion, settings.internal);
        if settings.real.is_empty() {
            config.providers_at(settings.fake);
        } else {
            config.keep_providers(&settings.real);
        }
        let file = settings.run.join("envoy.json");
        config.write(&file)?;
        let mut command = Command::new(tools::envoy()?);
        command
            .arg("--config-path")
            .arg(file)
            .args(["--concurrency", "2", "--log-level", "warning", "--disable-hot-restart"])
            .current_dir(tools::root())
            .env("TOLLGATE_INTERNAL_SECRET", &self.secret);
        Ok(command)
    }

    /// Starts one process and waits until it answers 200 at `path`.
    fn run(
        &mut self,
        settings: &Settings,
        name: &'static str,
        mut command: Command,
        port: u16,
        path: &str,
    ) -> Result<(), String> {
        if self.background {
            command.process_group(0);
        }
        let log = settings.run.join(format!("{name}.log"));
        drop(fs::remove_file(&log));
        let mut process = Process::start(name, &mut command, &log).map_err(|error| format!("{name}: {error}"))?;
        let client = Client::new(port);
        let ready = poll(READY, || {
            if !process.is_running() {
                return Some(false);
            }
            client.get(path).try_send().ok().filter(|answer| answer.status == 200).map(|_| true)
        });
        if ready != Some(true) {
            return Err(format!("{name} did not start, see {}:\n{}", log.display(), process.tail()));
        }
        println!("{name}: ready");
        self.processes.push((name, process));
        Ok(())
    }

    fn new_project(&self, settings: &Settings) -> Result<Access, String> {
        let project = self.tollgate(settings, &["project", "create", "--tenant", "demo", "--name", "demo"])?;
        let text = |value: &Value, key: &str| {
            value[key].as_str().map(str::to_owned).ok_or_else(|| format!("tollgate answered without {key}"))
        };
        let id = text(&project, "project_id")?;
        let key = self.tollgate(settings, &["key", "create", "--project", &id])?;
        Ok(Access { tenant: text(&project, "tenant_id")?, project: id, api_key: text(&key, "api_key")? })
    }

    fn tollgate(&self, settings: &Settings, arguments: &[&str]) -> Result<Value, String> {
        let output = Command::new(tools::companion()?)
            .args(arguments)
            .arg("--json")
            .env("TOLLGATE_DATABASE_URL", database(settings))
            .env("TOLLGATE_INTERNAL_SECRET", &self.secret)
            .output()
            .map_err(|error| format!("tollgate: {error}"))?;
        if !output.status.success() {
            return Err(format!("tollgate {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr)));
        }
        serde_json::from_slice(&output.stdout).map_err(|error| format!("tollgate {}: {error}", arguments.join(" ")))
    }
}

fn database(settings: &Settings) -> String {
    format!("sqlite://{}", settings.run.join("tollgate.db").display())
}

/// The project of an earlier run, if its key still mints.
fn last_time(settings: &Settings) -> Option<Access> {
    let text = fs::read_to_string(settings.run.join("demo.env")).ok()?;
    let value = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix("export ")?.strip_prefix(name)?.strip_prefix('='))
            .map(str::to_owned)
    };
    let access = Access { tenant: value("TENANT_ID")?, project: value("PROJECT_ID")?, api_key: value("API_KEY")? };
    let mint = Client::new(settings.companion).post("/v1/auth/mint", &json!({"user_id": "demo"}));
    mint.bearer(&access.api_key).try_send().ok().filter(|answer| answer.status == 200).map(|_| access)
}

fn beside(name: &str) -> Result<std::path::PathBuf, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let path = this.with_file_name(name);
    if path.is_file() { Ok(path) } else { Err(format!("{name} is not built: run `cargo build -p tests --bin {name}`")) }
}

/// 32 characters that nobody can guess.
fn random() -> Result<String, String> {
    let mut bytes = [0; 16];
    let read = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    read.map_err(|error| format!("/dev/urandom: {error}"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Writes a file that only its owner can read.
fn write_private(path: &Path, text: &str) -> Result<(), String> {
    // A new file each time: the mode counts only when the file is made.
    drop(fs::remove_file(path));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| format!("{}: {error}", path.display()))
}
