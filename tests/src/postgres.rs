//! A PostgreSQL server of a test's own: new, empty, on a free port of loopback, gone with the test.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::companion::free_port;
use crate::process::{Process, poll, scratch};
use crate::tools;

/// Making the first database and starting take a second together on an idle machine.
const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(10);
/// The only user, who may do everything and needs no password, and the database that is there from the beginning.
const NAME: &str = "tollgate";
/// Who the server runs as when we are root, which it refuses to be: nobody, on every system that we know.
const NOBODY: u32 = 65534;

/// A running server; killed when dropped, and its files removed unless the test failed.
#[derive(Debug)]
pub struct Postgres {
    process: Option<Process>,
    folder: PathBuf,
    port: u16,
}

impl Postgres {
    /// Starts one with an empty database.
    ///
    /// # Panics
    /// If PostgreSQL is not installed, naming the command that installs it, or does not start, with what it said.
    #[must_use]
    pub fn start() -> Self {
        let mut postgres = Self { process: None, folder: scratch("postgres"), port: 0 };
        postgres.prepare().unwrap_or_else(|error| panic!("{error}"));
        let mut said = Ok(());
        // Between our look at a free port and the server's bind another process may take it.
        for _ in 0..5 {
            postgres.port = free_port();
            said = postgres.serve();
            if said.is_ok() {
                break;
            }
        }
        said.unwrap_or_else(|error| panic!("{error}"));
        postgres
    }

    /// `postgres://…`: of the database that is there from the beginning, UTF-8 and the C locale. It takes no password.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://{NAME}@127.0.0.1:{}/{NAME}", self.port)
    }

    /// As a crash of the server: what was committed stays, connections break.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // Not SIGKILL, which leaves a piece of shared memory behind until the machine restarts.
            process.end(Signal::QUIT, STOP);
        }
    }

    /// After [`Postgres::stop`]: on the same port, with the same data.
    ///
    /// # Panics
    /// If it does not start; with what it said.
    pub fn start_again(&mut self) {
        self.stop();
        self.serve().unwrap_or_else(|error| panic!("{error}"));
    }

    fn prepare(&self) -> Result<(), String> {
        let folder = fs::metadata(&self.folder).map_err(|error| error.to_string())?;
        if folder.uid() == 0 {
            chown(&self.folder, Some(NOBODY), Some(NOBODY)).map_err(|error| error.to_string())?;
        }
        let made = self
            .command("initdb")?
            .args(["--username", NAME, "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync"])
            .output();
        succeeded("initdb", made)?;
        let mut single = self.command_with("postgres", &["--single"])?;
        single.arg("-c").arg("fsync=off").arg("postgres").stdin(Stdio::piped());
        let made = single.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().and_then(|mut child| {
            child.stdin.take().map_or(Ok(()), |mut input| writeln!(input, "CREATE DATABASE {NAME}"))?;
            child.wait_with_output()
        });
        succeeded("postgres --single", made)
    }

    fn serve(&mut self) -> Result<(), String> {
        let log = self.folder.join("postgres.log");
        drop(fs::remove_file(&log));
        let mut command = self.command("postgres")?;
        let port = self.port.to_string();
        command.args(["-h", "127.0.0.1", "-p", &port]);
        for setting in ["unix_socket_directories=", "fsync=off", "jit=off", "max_connections=200"] {
            command.args(["-c", setting]);
        }
        let mut process =
            Process::start("postgres", &mut command, &log).map_err(|error| format!("postgres: {error}"))?;
        let ready = poll(START, || match process.log().contains("ready to accept connections") {
            true => Some(true),
            false => (!process.is_running()).then_some(false),
        });
        if ready != Some(true) {
            return Err(format!("PostgreSQL did not start:\n{}", process.tail()));
        }
        self.process = Some(process);
        Ok(())
    }

    fn command(&self, program: &str) -> Result<Command, String> {
        self.command_with(program, &[])
    }

    fn command_with(&self, program: &str, first: &[&str]) -> Result<Command, String> {
        let path = tools::postgres()?.join(program);
        let mut command = Command::new(&path);
        if rustix::process::geteuid().is_root() {
            command = Command::new("setpriv");
            // The files may lie in a home that nobody but root can enter. The capability to enter it must be kept for access(2)
            // too, which the kernel answers without it unless `no_setuid_fixup` is set.
            command.args(["--securebits=+no_setuid_fixup", "--inh-caps=+dac_override", "--ambient-caps=+dac_override"]);
            command.args([&format!("--reuid={NOBODY}"), &format!("--regid={NOBODY}"), "--clear-groups"]).arg(path);
        }
        command.args(first).arg("-D").arg(self.folder.join("data")).current_dir(&self.folder);
        Ok(command)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
        if !std::thread::panicking() {
            drop(fs::remove_dir_all(&self.folder));
        }
    }
}

fn succeeded(what: &str, output: std::io::Result<Output>) -> Result<(), String> {
    let output = output.map_err(|error| format!("{what}: {error}"))?;
    let said = || format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(()) } else { Err(format!("{what}: {}", said())) }
}
