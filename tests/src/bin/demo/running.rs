//! What `up` left running: kept in `.run/processes.json`, and never ended unless it is still the process that we started.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tests::process::{kill, poll, terminate};

use crate::Outcome;

const FILE: &str = "processes.json";

/// A process that we started.
#[derive(Debug)]
pub(crate) struct Running {
    name: String,
    id: u32,
    /// When it started, in the words of the system: a number that was given to another process since has another one.
    since: String,
}

impl Running {
    /// Of a child that runs now.
    pub(crate) fn new(name: &str, id: u32) -> Option<Self> {
        Some(Self { name: name.to_owned(), id, since: since(id)? })
    }

    fn is_alive(&self) -> bool {
        since(self.id).as_ref() == Some(&self.since)
    }
}

/// Those that still run.
pub(crate) fn read(run: &Path) -> Result<Vec<Running>, String> {
    let file = run.join(FILE);
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("{}: {error}", file.display())),
    };
    let all: Vec<Value> = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?;
    let running = |entry: &Value| {
        Some(Running {
            name: entry["name"].as_str()?.to_owned(),
            id: u32::try_from(entry["id"].as_u64()?).ok()?,
            since: entry["since"].as_str()?.to_owned(),
        })
    };
    Ok(all.iter().filter_map(running).filter(Running::is_alive).collect())
}

/// Remembers them for `down`.
pub(crate) fn write(run: &Path, running: &[Running]) -> Outcome {
    let entry = |one: &Running| json!({"name": one.name, "id": one.id, "since": one.since});
    let all = Value::Array(running.iter().map(entry).collect());
    fs::write(run.join(FILE), all.to_string()).map_err(|error| format!("{FILE}: {error}"))
}

/// Ends them, politely first, and forgets them.
pub(crate) fn stop(run: &Path, running: &[Running]) -> Outcome {
    for one in running.iter().rev() {
        terminate(one.id);
    }
    for one in running {
        let gone = |limit| poll(limit, || (!one.is_alive()).then_some(())).is_some();
        if !gone(Duration::from_secs(10)) {
            kill(one.id);
            if !gone(Duration::from_secs(5)) {
                return Err(format!("{} (process {}) does not end", one.name, one.id));
            }
        }
    }
    match fs::remove_file(run.join(FILE)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(format!("{FILE}: {error}")),
        _ => Ok(()),
    }
}

/// When a process started; `None` if there is none, or only its remains.
fn since(id: u32) -> Option<String> {
    if Path::new("/proc/self/stat").exists() {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The name in parentheses may hold anything, so count from behind it: state is field 3, the start is field 22.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let state = fields.next()?;
        return fields.nth(18).filter(|_| state != "Z").map(str::to_owned);
    }
    let output = Command::new("ps").args(["-o", "lstart=", "-p", &id.to_string()]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (!text.is_empty()).then_some(text)
}
