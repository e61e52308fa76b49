//! `tollgate events`: the outbox.

use super::{UsageDatabase, database};
use crate::events::Kind;
use crate::events::store::outbox::{self, Recorded};
use crate::server::{StartError, open_usage};
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List events as JSON, one a line: the last ones, or the first ones after one.
    List(List),
}

#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    database: UsageDatabase,
    /// Only this type.
    #[arg(long, value_parser = PossibleValuesParser::new(Kind::ALL.map(Kind::name)))]
    r#type: Option<String>,
    /// Only events after the one with this number; to read all, begin with 0 and go on with the last number.
    #[arg(long, value_parser = clap::value_parser!(i64).range(0..))]
    after: Option<i64>,
    /// How many events at most.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

/// Carries `command` out on the usage database beside the one at `main`.
pub(super) async fn run(main: &str, command: Command, as_json: bool) -> Result<String, StartError> {
    let Command::List(List { database: UsageDatabase { usage_database_url }, r#type, after, limit }) = command;
    let usage = open_usage(usage_database_url, main).await?;
    let rows = outbox::list(&usage, r#type.as_deref(), after, limit).await.map_err(database)?;
    usage.close().await;
    let objects: Vec<Value> = rows.iter().map(object).collect();
    if as_json {
        return Ok(json!({"events": objects}).to_string());
    }
    Ok(objects.iter().map(Value::to_string).collect::<Vec<_>>().join("\n"))
}

/// `waiting` and `failed` count targets: who is still to get it, and who was given up.
fn object(row: &Recorded) -> Value {
    let event: Value = serde_json::from_str(&row.fields).unwrap_or_default();
    json!({"number": row.number, "waiting": row.waiting, "failed": row.failed, "event": event})
}
