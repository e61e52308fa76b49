//! `tollgate audit`: what was done, by whom.

use super::{Said, database};
use crate::server::StartError;
use crate::store::Store;
use crate::store::audit::{ACTIONS, Filter, Row};
use clap::Subcommand;
use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List mints, refused mints, and what was done to keys: the last rows, or the first ones after a row.
    List {
        /// Only this project's.
        #[arg(long)]
        project: Option<String>,
        /// Only this action.
        #[arg(long, value_parser = PossibleValuesParser::new(ACTIONS))]
        action: Option<String>,
        /// Only rows after the one with this id; to read all, begin with 0 and go on with the last id.
        #[arg(long, value_parser = clap::value_parser!(i64).range(0..))]
        after: Option<i64>,
        /// How many rows at most.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
    },
}

/// Carries `command` out.
pub(super) async fn run(store: &Store, command: Command) -> Result<Said, StartError> {
    let Command::List { project, action, after, limit } = command;
    let rows = store.audit(&Filter { project, action, after, limit }).await.map_err(database)?;
    let text = rows.iter().map(line).collect::<Vec<_>>().join("\n");
    Ok(Said { text, json: json!({"entries": rows.iter().map(object).collect::<Vec<_>>()}) })
}

fn line(row: &Row) -> String {
    let Row { id, time, action, subject, project, address, details, .. } = row;
    let or_none = |it: &Option<String>| it.clone().unwrap_or_else(|| "-".to_owned());
    format!("{id}  {time}  {action}  {subject}  {}  {}  {details}", or_none(project), or_none(address))
}

fn object(row: &Row) -> Value {
    json!({
        "id": row.id, "at": row.at.seconds(), "action": row.action, "subject": row.subject, "project": row.project,
        "address": row.address, "details": serde_json::from_str::<Value>(&row.details).unwrap_or_default(),
    })
}
