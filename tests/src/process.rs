//! Child processes that cannot outlive their test, and waiting for conditions.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Asks `condition` until it answers, every few milliseconds.
///
/// # Panics
/// After `limit`, naming `what` it waited for.
pub fn wait_until<T>(limit: Duration, what: &str, condition: impl FnMut() -> Option<T>) -> T {
    poll(limit, condition).unwrap_or_else(|| panic!("waited {limit:?} for {what}"))
}

/// [`wait_until`] for those who would rather hear `None` than panic.
pub fn poll<T>(limit: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = condition() {
            return Some(found);
        }
        if start.elapsed() > limit {
            return None;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// A folder under `target/` for one test's files, new at every call. It stays behind, for the reader of a failure.
#[must_use]
pub fn scratch(name: &str) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::SeqCst);
    let folder = crate::tools::root().join("target/e2e").join(format!("{name}-{}-{number}", std::process::id()));
    // A leftover of an older process with our number.
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).expect("a folder under target/");
    folder
}

/// A child with its output in a file; killed and, if its test failed, quoted when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    /// Kills the child when we are gone without having said goodbye: killed ourselves, that is.
    guard: Child,
    log: PathBuf,
    left_running: bool,
}

impl Process {
    /// Starts `command`, output appended to `log`.
    ///
    /// # Errors
    /// It could not be started.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> io::Result<Self> {
        let output = File::options().create(true).append(true).open(log)?;
        let child = command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).spawn()?;
        let guard = guard(child.id())?;
        Ok(Self { name: name.to_owned(), child, guard, log: log.to_owned(), left_running: false })
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Lets it live on when this program ends.
    pub fn leave_running(mut self) {
        self.left_running = true;
        self.dismiss_guard();
    }

    /// Everything it has printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// The last lines of its output, for an error message.
    #[must_use]
    pub fn tail(&self) -> String {
        tail(&self.log)
    }

    /// Whether it has not ended by itself.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// SIGKILL, and waits for the end.
    pub fn kill(&mut self) {
        self.dismiss_guard();
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Before the child ends: its number may then be another's.
    fn dismiss_guard(&mut self) {
        drop(self.guard.kill());
        drop(self.guard.wait());
    }

    /// SIGTERM; whether it ended with success within `limit`.
    pub fn terminate(&mut self, limit: Duration) -> bool {
        self.end(Signal::TERM, limit)
    }

    /// Any signal that ends it; whether it ended with success within `limit`.
    pub fn end(&mut self, signal: Signal, limit: Duration) -> bool {
        self.dismiss_guard();
        send(self.id(), signal);
        poll(limit, || self.child.try_wait().ok().flatten()).is_some_and(|status| status.success())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.left_running {
            return;
        }
        if thread::panicking() {
            eprintln!("---- {} ({}) ----\n{}----", self.name, self.log.display(), self.tail());
        }
        self.kill();
    }
}

/// A shell that reads a pipe of ours, which ends when we do, however that happens.
fn guard(id: u32) -> io::Result<Child> {
    let mut command = Command::new("sh");
    command.args(["-c", "read -r _; kill -9 \"$0\"", &id.to_string()]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}

/// The last lines of a log file.
#[must_use]
pub fn tail(log: &Path) -> String {
    let text = String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(60)..].iter().map(|line| format!("{line}\n")).collect()
}

/// SIGTERM to a process that we started.
pub fn terminate(id: u32) {
    send(id, Signal::TERM);
}

/// SIGKILL to a process that we started.
pub fn kill(id: u32) {
    send(id, Signal::KILL);
}

fn send(id: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(id).ok().and_then(Pid::from_raw) {
        kill_process(pid, signal).ok();
    }
}
