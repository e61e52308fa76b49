//! A Redis server of a test's own: empty, on a free port of loopback, without a file, gone with the test.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::companion::free_port;
use crate::process::{Process, poll, scratch};
use crate::tools;

const START: Duration = Duration::from_secs(30);
const STALL: Duration = Duration::from_secs(10);

/// A running server; killed when dropped.
#[derive(Debug)]
pub struct Redis {
    process: Option<Process>,
    folder: PathBuf,
    port: u16,
}

impl Redis {
    /// Starts one.
    ///
    /// # Panics
    /// If Redis is not installed, naming the command that installs it, or does not start, with what it said.
    #[must_use]
    pub fn start() -> Self {
        let mut redis = Self { process: None, folder: scratch("redis"), port: 0 };
        let mut said = Ok(());
        // Between our look at a free port and the server's bind another process may take it.
        for _ in 0..5 {
            redis.port = free_port();
            said = redis.serve();
            if said.is_ok() {
                break;
            }
        }
        said.unwrap_or_else(|error| panic!("{error}"));
        redis
    }

    /// `redis://…`
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// SIGKILL. What it knew is gone.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// After [`Redis::stop`]: on the same port, empty.
    ///
    /// # Panics
    /// If it does not start; with what it said.
    pub fn start_again(&mut self) {
        self.stop();
        self.serve().unwrap_or_else(|error| panic!("{error}"));
    }

    /// The answer to a command, such as `["XLEN", "tollgate:events"]`: a text, number, list or null.
    ///
    /// # Panics
    /// If the server does not answer, or answers with an error.
    #[must_use]
    pub fn ask(&self, words: &[&str]) -> Value {
        self.try_ask(words).unwrap_or_else(|error| panic!("redis {words:?}: {error}"))
    }

    fn try_ask(&self, words: &[&str]) -> io::Result<Value> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(STALL))?;
        let words = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect::<Vec<_>>();
        (&stream).write_all(format!("*{}\r\n{}", words.len(), words.concat()).as_bytes())?;
        answer(&mut BufReader::new(stream))
    }

    fn serve(&mut self) -> Result<(), String> {
        let mut command = Command::new(tools::redis()?);
        command.args(["--bind", "127.0.0.1", "--port", &self.port.to_string()]);
        command.args(["--save", "", "--appendonly", "no"]).current_dir(&self.folder);
        let log = self.folder.join("redis.log");
        let mut process = Process::start("redis", &mut command, &log).map_err(|error| format!("redis: {error}"))?;
        let id = format!("process_id:{}\r\n", process.id());
        let ready = poll(START, || {
            if !process.is_running() {
                return Some(false);
            }
            // Another's server on this port would answer too.
            let server = self.try_ask(&["INFO", "server"]).ok()?;
            server.as_str()?.contains(&id).then_some(true)
        });
        if ready != Some(true) {
            return Err(format!("Redis did not start:\n{}", process.tail()));
        }
        self.process = Some(process);
        Ok(())
    }
}

/// One answer of Redis' protocol, version 2.
fn answer(reader: &mut BufReader<TcpStream>) -> io::Result<Value> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let line = line.trim_end();
    let wrong = || io::Error::new(io::ErrorKind::InvalidData, line.to_owned());
    let (kind, rest) = line.split_at_checked(1).ok_or_else(wrong)?;
    let number = || rest.parse::<i64>().map_err(|_| wrong());
    match kind {
        "+" => Ok(json!(rest)),
        ":" => Ok(json!(number()?)),
        "$" => {
            let Ok(length) = usize::try_from(number()?) else { return Ok(Value::Null) };
            let mut text = vec![0; length + 2];
            reader.read_exact(&mut text)?;
            Ok(json!(String::from_utf8_lossy(&text[..length])))
        }
        "*" => {
            let Ok(length) = usize::try_from(number()?) else { return Ok(Value::Null) };
            (0..length).map(|_| answer(reader)).collect()
        }
        _ => Err(wrong()),
    }
}
