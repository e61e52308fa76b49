//! A companion of the test's own: a database in a folder of its own, two free ports, a clock that
//! the test moves.

use clap::Parser;
use companion::cli::Cli;
use companion::clock::Clock;
use companion::{Limits, Running, Settings};
use domain::secret::Secret;
use domain::time::Micros;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpStream;

pub(crate) const SECRET: &str = "an-internal-secret-of-the-tests";
/// When a test begins.
pub(crate) const BEGIN: u64 = 1_800_000_000;

pub(crate) struct TestApp {
    pub(crate) running: Running,
    pub(crate) project: String,
    pub(crate) key_id: String,
    pub(crate) key: String,
    pub(crate) dir: TempDir,
    pub(crate) seconds: Arc<AtomicU64>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: hyper::HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|it| it.to_str().unwrap()).unwrap_or_default()
    }

    /// Status, code and param, after a look at the shape that every error has.
    pub(crate) fn error(&self) -> (u16, String, Option<String>) {
        let body = self.json();
        let error = body["error"].as_object().unwrap_or_else(|| panic!("no error: {self:?}"));
        let mut keys: Vec<_> = error.keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!((keys, body.as_object().unwrap().len()), (vec!["code", "message", "param", "type"], 1));
        assert!(!error["message"].as_str().unwrap().is_empty() && error["type"].is_string());
        assert_eq!(self.header("content-type"), "application/json");
        assert!(!self.header("x-request-id").is_empty());
        (self.status, error["code"].as_str().unwrap().to_owned(), error["param"].as_str().map(str::to_owned))
    }

    pub(crate) fn message(&self) -> String {
        self.json()["error"]["message"].as_str().unwrap().to_owned()
    }
}

impl TestApp {
    pub(crate) async fn start() -> Self {
        Self::with_turn_wait(Duration::from_secs(30)).await
    }

    pub(crate) async fn with_turn_wait(turn_wait: Duration) -> Self {
        Self::told(turn_wait, 0).await
    }

    /// Behind so many proxies.
    pub(crate) async fn behind(trusted_hops: u8) -> Self {
        Self::told(Duration::from_secs(30), trusted_hops).await
    }

    /// With its usage in this database.
    pub(crate) async fn with_usage_in(url: &str) -> Self {
        Self::with(|settings| settings.usage_database_url = Some(url.to_owned())).await
    }

    /// A second companion on the same files but for the usage, which is in this database; or why it does not start.
    pub(crate) async fn another_with_usage_in(&self, url: &str) -> Result<Running, String> {
        self.another_with(|settings| settings.usage_database_url = Some(url.to_owned())).await
    }

    /// With settings of the test's own.
    pub(crate) async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::start().await.restart_with(change).await
    }

    /// The same database and key, with settings of the test's own.
    pub(crate) async fn restart_with(self, change: impl FnOnce(&mut Settings)) -> Self {
        let Self { running, project, key_id, key, dir, seconds } = self;
        running.stop().await;
        let mut settings = settings(dir.path(), Duration::from_secs(30), 0, &seconds);
        change(&mut settings);
        let running = companion::serve(settings).await.unwrap();
        Self { running, project, key_id, key, dir, seconds }
    }

    async fn told(turn_wait: Duration, trusted_hops: u8) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let project = tollgate(dir.path(), &["project", "create", "--tenant", "acme", "--name", "shop"]);
        let project = project["project_id"].as_str().unwrap().to_owned();
        let key = tollgate(dir.path(), &["key", "create", "--project", &project]);
        let seconds = Arc::new(AtomicU64::new(BEGIN));
        let running = start(dir.path(), turn_wait, trusted_hops, seconds.clone()).await;
        let text = |name: &str| key[name].as_str().unwrap().to_owned();
        Self { running, project, key_id: text("key_id"), key: text("api_key"), dir, seconds }
    }

    /// The same database and key, another process.
    pub(crate) async fn restart(self) -> Self {
        let Self { running, project, key_id, key, dir, seconds } = self;
        running.stop().await;
        let running = start(dir.path(), Duration::from_secs(30), 0, seconds.clone()).await;
        Self { running, project, key_id, key, dir, seconds }
    }

    /// Carries a command out at the time of the test, on the same database and folder of keys.
    pub(crate) async fn operator(&self, arguments: &[&str]) -> Result<Value, String> {
        let (url, keys) = (database_url(self.dir.path()), self.dir.path().join("tollgate-signing-keys"));
        let mut all = [&["tollgate", "--json", "--database-url", &url][..], arguments].concat();
        let takes_keys =
            matches!(arguments, ["key", "rotate" | "retire", ..]) && !arguments.contains(&"--signing-keys");
        all.extend(takes_keys.then_some(["--signing-keys", keys.to_str().unwrap()]).into_iter().flatten());
        let cli = Cli::try_parse_from(all).map_err(|it| it.to_string())?;
        let mut said = Vec::new();
        companion::cli::run(cli, clock(&self.seconds), None, &mut said).await.map_err(|it| it.to_string())?;
        Ok(serde_json::from_slice(&said).unwrap())
    }

    /// A second companion on the same files, or why it does not start.
    pub(crate) async fn another(&self) -> Result<Running, String> {
        self.another_with(|_| ()).await
    }

    /// The same with settings of the test's own.
    pub(crate) async fn another_with(&self, change: impl FnOnce(&mut Settings)) -> Result<Running, String> {
        let mut settings = settings(self.dir.path(), Duration::from_secs(30), 0, &self.seconds);
        change(&mut settings);
        companion::serve(settings).await.map_err(|it| it.to_string())
    }

    pub(crate) fn now(&self) -> u64 {
        self.seconds.load(Ordering::SeqCst)
    }

    /// The audit table, after the companion has stopped.
    pub(crate) async fn rows_in_the_end(self) -> Vec<Value> {
        self.running.stop().await;
        audit(self.dir.path(), &[])
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.seconds.fetch_add(time.as_secs(), Ordering::SeqCst);
    }

    pub(crate) async fn public(&self, method: &str, path: &str, bearer: &str, body: &str) -> Answer {
        let bearer = format!("Bearer {bearer}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        send(self.running.public, method, path, &headers, body.to_owned()).await
    }

    pub(crate) async fn internal(&self, path: &str, body: &str) -> Answer {
        let bearer = format!("Bearer {SECRET}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        send(self.running.internal, "POST", path, &headers, body.to_owned()).await
    }

    pub(crate) async fn mint(&self, body: Value) -> Answer {
        self.public("POST", "/v1/auth/mint", &self.key, &body.to_string()).await
    }

    pub(crate) async fn token(&self, user: &str) -> String {
        let minted = self.mint(json!({"user_id": user})).await;
        minted.json()["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        self.public("GET", path, token, "").await
    }

    /// Opens a turn: its id, the messages before it, and whether some are missing.
    pub(crate) async fn open(&self, user: &str, memory: Value) -> (String, Value, bool) {
        let mut body = json!({"project": self.project, "user": user});
        body.as_object_mut().unwrap().extend(memory.as_object().unwrap().clone());
        let answer = self.internal("/internal/v1/turns/open", &body.to_string()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let opened = answer.json();
        let stale = opened.get("stale").is_some_and(|it| *it == json!(true));
        (opened["turn"].as_str().unwrap().to_owned(), opened["messages"].clone(), stale)
    }

    /// Stores one turn and says how many were new.
    pub(crate) async fn record(&self, turn: &str, user: &str, memory: Value, said: (&str, &str)) -> u64 {
        let message = |role: &str, text: &str| match text {
            "" => json!([]),
            text => json!([{"role": role, "content": text}]),
        };
        let mut body = json!({
            "turn": turn, "project": self.project, "user": user, "complete": !said.1.is_empty(),
            "input": message("user", said.0), "output": message("assistant", said.1),
        });
        body.as_object_mut().unwrap().extend(memory.as_object().unwrap().clone());
        let answer = self.internal("/internal/v1/turns", &json!({"turns": [body]}).to_string()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["stored"].as_u64().unwrap()
    }
}

async fn start(dir: &Path, turn_wait: Duration, trusted_hops: u8, seconds: Arc<AtomicU64>) -> Running {
    companion::serve(settings(dir, turn_wait, trusted_hops, &seconds)).await.unwrap()
}

fn settings(dir: &Path, turn_wait: Duration, trusted_hops: u8, seconds: &Arc<AtomicU64>) -> Settings {
    let free = || "127.0.0.1:0".parse().unwrap();
    Settings {
        database_url: database_url(dir),
        memory_database_url: None,
        data_keys: None,
        session_store: companion::SessionStore::Database,
        limits: Limits { threads: 1000, messages: 10_000, message_bytes: 1 << 20 },
        titles: None,
        usage_database_url: None,
        redis_url: None,
        webhook_urls: Vec::new(),
        webhook_secret: None,
        listen: free(),
        internal_listen: free(),
        internal_secret: Secret::new(SECRET.to_owned()),
        signing_keys: dir.join("tollgate-signing-keys"),
        issuer: "tollgate".to_owned(),
        audience: "app".to_owned(),
        longest_ttl: 86_400,
        trusted_hops,
        turn_wait,
        drain: Duration::from_secs(5),
        clock: clock(seconds),
    }
}

fn clock(seconds: &Arc<AtomicU64>) -> Clock {
    let seconds = seconds.clone();
    Clock::from_fn(move || Micros::from_seconds(seconds.load(Ordering::SeqCst)))
}

pub(crate) fn database_url(dir: &Path) -> String {
    format!("sqlite://{}", dir.join("tollgate.db").display())
}

/// Every file in `dir` and in the folders in it.
pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|it| it.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Runs the built binary on the database in `dir` and gives back what it printed.
pub(crate) fn tollgate(dir: &Path, arguments: &[&str]) -> Value {
    let output = command(dir).args(arguments).arg("--json").output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Rows of the audit table, oldest first.
pub(crate) fn audit(dir: &Path, filter: &[&str]) -> Vec<Value> {
    let rows = tollgate(dir, &[&["audit", "list", "--limit", "10000"], filter].concat());
    rows["entries"].as_array().unwrap().clone()
}

pub(crate) fn command(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.current_dir(dir).env_clear().env("TOLLGATE_DATABASE_URL", database_url(dir));
    command
}

/// Sends one request on a connection of its own.
pub(crate) async fn send(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Answer {
    let stream = TcpStream::connect(to).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(path).header("host", "companion");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(body.into())).unwrap();
    let (parts, body) = Response::into_parts(sender.send_request(request).await.unwrap());
    let body = body.collect().await.unwrap().to_bytes();
    connection.abort();
    Answer { status: parts.status.as_u16(), headers: parts.headers, body }
}
