//! The command line: everything an operator does.

use crate::api_key::ApiKey;
use crate::clock::Clock;
use crate::names::Name;
use crate::random;
use crate::server::{StartError, open_store, serve};
use crate::settings::{DRAIN, SECRET_VARIABLE, Settings, internal_secret};
use crate::store::{KeyRow, ProjectRow, Store};
use clap::{Args, Parser, Subcommand};
use domain::time::Micros;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Tollgate's companion: mints tokens, publishes keys, remembers threads.
#[derive(Debug, Parser)]
#[command(name = "tollgate", version, max_term_width = 100)]
pub struct Cli {
    /// Where the database is.
    #[arg(long, global = true, env = "TOLLGATE_DATABASE_URL", default_value = "sqlite://tollgate.db")]
    database_url: String,
    /// Print JSON, for programs.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until SIGTERM. The secret that gateways share is read from TOLLGATE_INTERNAL_SECRET.
    Serve(Serve),
    /// Make and list projects.
    #[command(subcommand)]
    Project(ProjectCommand),
    /// Make, list and revoke API keys. A running companion sees it at once.
    #[command(subcommand)]
    Key(KeyCommand),
}

#[derive(Debug, Args)]
struct Serve {
    /// The public listener.
    #[arg(long, env = "TOLLGATE_LISTEN", default_value = "127.0.0.1:8787")]
    listen: SocketAddr,
    /// The listener for gateways.
    #[arg(long, env = "TOLLGATE_INTERNAL_LISTEN", default_value = "127.0.0.1:8788")]
    internal_listen: SocketAddr,
    /// The Ed25519 private key that signs tokens (PKCS#8 PEM, mode 0600); made if missing.
    #[arg(long, env = "TOLLGATE_SIGNING_KEY_FILE", default_value = "tollgate-signing-key.pem")]
    signing_key_file: PathBuf,
    /// `iss` of the tokens.
    #[arg(long, env = "TOLLGATE_ISSUER", default_value = "tollgate", value_parser = visible)]
    issuer: String,
    /// `aud` of the tokens.
    #[arg(long, env = "TOLLGATE_AUDIENCE", default_value = "tollgate", value_parser = visible)]
    audience: String,
    /// How long a turn waits for earlier turns of its thread or session, in milliseconds.
    #[arg(long, env = "TOLLGATE_TURN_WAIT_MS", default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    turn_wait_ms: u64,
    /// What goes to the log (standard error): error, warn, info or debug.
    #[arg(long, env = "TOLLGATE_LOG", default_value = "info")]
    log: tracing::Level,
}

#[derive(Debug, Subcommand)]
enum ProjectCommand {
    /// Make a project; a tenant that has one of this name keeps it, so that a script may run twice.
    Create {
        /// Whose project it is; any name.
        #[arg(long, value_parser = visible)]
        tenant: String,
        /// The project's name, unique within the tenant.
        #[arg(long, value_parser = visible)]
        name: String,
    },
    /// List all projects.
    List,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Make an API key. It is shown once and cannot be shown again.
    Create {
        /// The project that it mints for.
        #[arg(long)]
        project: String,
    },
    /// List a project's keys.
    List {
        /// The project.
        #[arg(long)]
        project: String,
    },
    /// Revoke a key, at once and for good.
    Revoke {
        /// The key's id (key_…), as `key list` shows it.
        key_id: String,
    },
}

/// What a command has to say, for people and for programs.
struct Said {
    text: String,
    json: Value,
}

/// Carries `cli` out; `secret` is the internal secret's variable.
///
/// # Errors
/// What went wrong, in words for the operator.
pub async fn run(cli: Cli, clock: Clock, secret: Option<String>) -> Result<(), StartError> {
    let (url, now) = (cli.database_url, clock.now());
    let said = match cli.command {
        Command::Serve(arguments) => return until_signal(settings(url, arguments, clock, secret)?).await,
        Command::Project(command) => project(&open_store(&url).await?, command, now).await?,
        Command::Key(command) => key(&open_store(&url).await?, command, now).await?,
    };
    if cli.json { say(&said.json.to_string()) } else { say(&said.text) }
}

fn settings(
    database_url: String,
    arguments: Serve,
    clock: Clock,
    secret: Option<String>,
) -> Result<Settings, StartError> {
    tracing_subscriber::fmt().with_max_level(arguments.log).with_ansi(false).with_writer(io::stderr).init();
    Ok(Settings {
        database_url,
        listen: arguments.listen,
        internal_listen: arguments.internal_listen,
        internal_secret: internal_secret(secret).map_err(StartError)?,
        signing_key_file: arguments.signing_key_file,
        issuer: arguments.issuer,
        audience: arguments.audience,
        turn_wait: Duration::from_millis(arguments.turn_wait_ms),
        drain: DRAIN,
        clock,
    })
}

async fn until_signal(settings: Settings) -> Result<(), StartError> {
    let wrong = |it: io::Error| StartError(format!("signals: {it}"));
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate()).map_err(wrong)?, signal(SignalKind::interrupt()).map_err(wrong)?);
    let running = serve(settings).await?;
    say(&format!("tollgate is ready: public http://{}, internal http://{}", running.public, running.internal))?;
    tokio::select! {
        _ = terminate.recv() => (),
        _ = interrupt.recv() => (),
    }
    tracing::info!("draining");
    running.stop().await;
    tracing::info!("stopped");
    Ok(())
}

async fn project(store: &Store, command: ProjectCommand, now: Micros) -> Result<Said, StartError> {
    match command {
        ProjectCommand::Create { tenant, name } => {
            let new = ProjectRow { id: made("proj_")?, tenant, name, created_at: now };
            let id = store.add_project(&new).await.map_err(database)?;
            let already = if id == new.id { "" } else { ", which it had already" };
            Ok(Said {
                text: format!("project {id} of tenant {}{already}", new.tenant),
                json: json!({"tenant_id": new.tenant, "project_id": id}),
            })
        }
        ProjectCommand::List => {
            let projects = store.projects().await.map_err(database)?;
            let lines = projects.iter().map(|it| format!("{}  {}  {}", it.id, it.tenant, it.name));
            let rows = projects.iter().map(|it| {
                json!({"project_id": it.id, "tenant_id": it.tenant, "name": it.name, "created_at": it.created_at.seconds()})
            });
            Ok(Said { text: lines.collect::<Vec<_>>().join("\n"), json: json!({"projects": rows.collect::<Vec<_>>()}) })
        }
    }
}

async fn key(store: &Store, command: KeyCommand, now: Micros) -> Result<Said, StartError> {
    match command {
        KeyCommand::Create { project } => {
            let key = ApiKey::generate().map_err(|_| no_randomness())?;
            let row = KeyRow { id: made("key_")?, hint: key.hint(), created_at: now, revoked_at: None };
            if !store.add_key(&project, &row, key.hash()).await.map_err(database)? {
                return Err(no_such_project(&project));
            }
            let text = format!("{}\nid {}; the key is shown only now, so keep it safe", key.reveal(), row.id);
            Ok(Said { text, json: json!({"key_id": row.id, "api_key": key.reveal()}) })
        }
        KeyCommand::List { project } => {
            let keys = store.keys(&project).await.map_err(database)?.ok_or_else(|| no_such_project(&project))?;
            let state = |it: &KeyRow| if it.revoked_at.is_some() { "revoked" } else { "active" };
            let lines = keys.iter().map(|it| format!("{}  {}  {}", it.id, it.hint, state(it)));
            let rows = keys.iter().map(|it| {
                let revoked = it.revoked_at.map(Micros::seconds);
                json!({"key_id": it.id, "hint": it.hint, "created_at": it.created_at.seconds(), "revoked_at": revoked})
            });
            Ok(Said { text: lines.collect::<Vec<_>>().join("\n"), json: json!({"keys": rows.collect::<Vec<_>>()}) })
        }
        KeyCommand::Revoke { key_id } => {
            if !store.revoke_key(&key_id, now).await.map_err(database)? {
                return Err(StartError(format!(
                    "there is no key {key_id}; expected an id (key_…), not the key itself"
                )));
            }
            Ok(Said { text: format!("revoked {key_id}"), json: json!({"key_id": key_id, "revoked": true}) })
        }
    }
}

fn say(line: &str) -> Result<(), StartError> {
    writeln!(io::stdout(), "{line}").map_err(|it| StartError(format!("standard output: {it}")))
}

fn made(prefix: &str) -> Result<String, StartError> {
    random::id(prefix).map_err(|_| no_randomness())
}

fn no_randomness() -> StartError {
    StartError("the operating system gave no random bytes".to_owned())
}

fn no_such_project(id: &str) -> StartError {
    StartError(format!("there is no project {id}; `tollgate project list` shows all"))
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
fn database(error: sqlx::Error) -> StartError {
    StartError(format!("database: {error}"))
}

/// What identifies something must not be empty, nor look like something else.
fn visible(text: &str) -> Result<String, String> {
    Name::try_from(text.to_owned()).map(|it| it.as_str().to_owned()).map_err(|it| it.to_string())
}

/// The internal secret's variable, taken out of the environment.
#[must_use]
pub fn secret_variable() -> Option<String> {
    std::env::var_os(SECRET_VARIABLE).map(|it| it.to_string_lossy().into_owned())
}
