//! The command line: everything an operator does.

mod audit;
mod events;
mod explain;
mod gateway_file;
mod guardrails;
mod key;
mod memory;
mod project;
mod serve;
mod signing;
mod tenant_key;
mod usage;

use crate::clock::Clock;
use crate::names::Name;
use crate::random;
use crate::server::{StartError, open_store};
use crate::settings::SECRET_VARIABLE;
use clap::{Args, Parser, Subcommand};
use serde_json::Value;
use std::io::Write;
use std::path::PathBuf;

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

/// Where the private keys are.
#[derive(Debug, Args)]
struct KeyFolder {
    /// The folder of the private keys that sign tokens (PKCS#8 PEM files, mode 0600); made if missing.
    #[arg(long, env = "TOLLGATE_SIGNING_KEYS", default_value = "tollgate-signing-keys")]
    signing_keys: PathBuf,
}

/// Where the usage database is.
#[derive(Debug, Args)]
struct UsageDatabase {
    /// Where usage, budgets and events are: sqlite://path or, for several companions together,
    /// postgres://user@host/name. By default beside the main database, named after it (tollgate-usage.db).
    #[arg(long, env = "TOLLGATE_USAGE_DATABASE_URL", hide_env_values = true)]
    usage_database_url: Option<String>,
}

/// Where threads and sessions are.
#[derive(Debug, Args)]
struct MemoryDatabase {
    /// Where threads and sessions are: sqlite://path or, for several companions together, postgres://user@host/name,
    /// which may be the usage database's. By default beside the main database, named after it (tollgate-memory.db).
    /// With TOLLGATE_DATA_KEY (32 bytes in base64) what users said is encrypted there.
    #[arg(long, env = "TOLLGATE_MEMORY_DATABASE_URL", hide_env_values = true)]
    memory_database_url: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until SIGTERM. The secret that gateways share is read from TOLLGATE_INTERNAL_SECRET.
    Serve(serve::Arguments),
    /// Make and list projects.
    #[command(subcommand)]
    Project(project::Command),
    /// API keys, and the keys that sign tokens. A running companion sees it at once.
    #[command(subcommand)]
    Key(key::Command),
    /// Public keys of customers who sign their users' tokens themselves. A running companion sees it at once.
    #[command(subcommand)]
    TenantKey(tenant_key::Command),
    /// Say who used what, over all projects.
    Usage(usage::Arguments),
    /// Read the outbox of events: budgets that run out, requests that limits refused.
    #[command(subcommand)]
    Events(events::Command),
    /// Say where a model's name leads in a gateway's configuration, step by step. Nothing is called.
    Explain(explain::Arguments),
    /// Try out what guards find in a text.
    #[command(subcommand)]
    Guardrails(guardrails::Command),
    /// What is remembered of conversations: how long, sealed with which key, copies of it.
    #[command(subcommand)]
    Memory(memory::Command),
    /// Read the audit table.
    #[command(subcommand)]
    Audit(audit::Command),
}

/// What a command has to say, for people and for programs.
struct Said {
    text: String,
    json: Value,
}

/// Carries `cli` out and says the outcome to `out`; `secret` is the internal secret's variable.
///
/// # Errors
/// What went wrong, in words for the operator.
pub async fn run(cli: Cli, clock: Clock, secret: Option<String>, out: &mut impl Write) -> Result<(), StartError> {
    let (url, now) = (cli.database_url, clock.now());
    let said = match cli.command {
        Command::Serve(arguments) => return serve::run(url, arguments, clock, secret, out).await,
        Command::Project(command) => project::run(&open_store(&url).await?, command, now).await?,
        Command::Usage(arguments) => return say(out, &usage::run(&url, arguments, cli.json, now).await?),
        Command::Events(command) => return say(out, &events::run(&url, command, cli.json).await?),
        Command::Explain(arguments) => explain::run(&arguments)?,
        Command::Guardrails(command) => guardrails::run(&command)?,
        Command::Memory(command) => memory::run(&url, command).await?,
        Command::Audit(command) => audit::run(&open_store(&url).await?, command).await?,
        Command::TenantKey(command) => tenant_key::run(&open_store(&url).await?, command, now).await?,
        Command::Key(command) => key::run(&open_store(&url).await?, command, now).await?,
    };
    if cli.json { say(out, &said.json.to_string()) } else { say(out, &said.text) }
}

fn say(out: &mut impl Write, line: &str) -> Result<(), StartError> {
    writeln!(out, "{line}").map_err(|it| StartError(format!("standard output: {it}")))
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
    Name::claim(text.to_owned()).map(|it| it.as_str().to_owned()).map_err(|it| it.to_string())
}

/// The internal secret's variable, taken out of the environment.
#[must_use]
pub fn secret_variable() -> Option<String> {
    variable(SECRET_VARIABLE)
}

fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|it| it.to_string_lossy().into_owned())
}
