//! `tollgate project`.

use super::{Said, database, made, visible};
use crate::server::StartError;
use crate::store::{ProjectRow, Store};
use clap::Subcommand;
use domain::time::Micros;
use serde_json::json;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
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

/// Carries `command` out.
pub(super) async fn run(store: &Store, command: Command, now: Micros) -> Result<Said, StartError> {
    match command {
        Command::Create { tenant, name } => {
            let new = ProjectRow { id: made("proj_")?, tenant, name, created_at: now };
            let id = store.add_project(&new).await.map_err(database)?;
            let already = if id == new.id { "" } else { ", which it had already" };
            Ok(Said {
                text: format!("project {id} of tenant {}{already}", new.tenant),
                json: json!({"tenant_id": new.tenant, "project_id": id}),
            })
        }
        Command::List => {
            let projects = store.projects().await.map_err(database)?;
            let lines = projects.iter().map(|it| format!("{}  {}  {}", it.id, it.tenant, it.name));
            let rows = projects.iter().map(|it| {
                json!({"project_id": it.id, "tenant_id": it.tenant, "name": it.name, "created_at": it.created_at.seconds()})
            });
            Ok(Said { text: lines.collect::<Vec<_>>().join("\n"), json: json!({"projects": rows.collect::<Vec<_>>()}) })
        }
    }
}
