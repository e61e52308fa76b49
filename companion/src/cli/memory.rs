//! `tollgate memory`: threads and sessions, as their operator keeps them.

use super::{MemoryDatabase, Said, database, variable, visible};
use crate::memory::{DATA_KEY_VARIABLE, Store};
use crate::server::{StartError, open_memory};
use clap::{Args, Subcommand};
use domain::secret::Secret;
use serde_json::json;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Seal everything with the first of the keys in TOLLGATE_DATA_KEY. The others are not needed afterwards; a
    /// companion may run meanwhile, if it knows all of them.
    Reseal(Where),
    /// After how many days without a new turn a project's threads are deleted; without --project: what holds for all.
    Retention(Retention),
    /// Write a copy of an SQLite database into a new file, also while a companion runs.
    Backup(Copy),
    /// Put the copy in a file back in the place of an SQLite database that no companion runs on. The one that was there
    /// is kept beside it, with `.before-restore` behind its name.
    Restore(Copy),
}

#[derive(Debug, Args)]
pub(super) struct Where {
    #[command(flatten)]
    memory: MemoryDatabase,
}

#[derive(Debug, Args)]
pub(super) struct Retention {
    #[command(flatten)]
    memory: MemoryDatabase,
    /// The project.
    #[arg(long, value_parser = visible, requires = "how_long")]
    project: Option<String>,
    #[command(flatten)]
    how_long: HowLong,
}

#[derive(Debug, Args)]
#[group(id = "how_long", multiple = false)]
struct HowLong {
    /// So many days.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=36_500), requires = "project")]
    days: Option<u32>,
    /// For ever.
    #[arg(long, requires = "project")]
    keep: bool,
}

#[derive(Debug, Args)]
pub(super) struct Copy {
    #[command(flatten)]
    memory: MemoryDatabase,
    /// The file of the copy.
    file: PathBuf,
}

pub(super) async fn run(main: &str, command: Command) -> Result<Said, StartError> {
    match command {
        Command::Reseal(place) => reseal(&open(place.memory, main).await?).await,
        Command::Retention(said) => {
            let store = open(said.memory, main).await?;
            retention(&store, said.project, said.how_long.days).await
        }
        Command::Backup(copy) => {
            crate::memory::backup(&address(copy.memory, main)?, &copy.file).await.map_err(StartError)?;
            Ok(Said { text: format!("copied to {}", copy.file.display()), json: json!({"file": copy.file}) })
        }
        Command::Restore(copy) => {
            let kept = crate::memory::restore(&address(copy.memory, main)?, &copy.file).await.map_err(StartError)?;
            let before = kept.as_ref().map(|it| format!("; what was there is in {}", it.display())).unwrap_or_default();
            Ok(Said { text: format!("restored{before}"), json: json!({"kept": kept}) })
        }
    }
}

async fn open(place: MemoryDatabase, main: &str) -> Result<Store, StartError> {
    open_memory(place.memory_database_url, variable(DATA_KEY_VARIABLE).map(Secret::new).as_ref(), main).await
}

fn address(place: MemoryDatabase, main: &str) -> Result<String, StartError> {
    let missing = || StartError("memory database: expected --memory-database-url sqlite://<path>".to_owned());
    place.memory_database_url.or_else(|| crate::db::beside(main, "memory")).ok_or_else(missing)
}

async fn reseal(store: &Store) -> Result<Said, StartError> {
    let mut resealed: u64 = 0;
    loop {
        match store.reseal().await.map_err(database)? {
            0 => break,
            more => resealed = resealed.saturating_add(more),
        }
    }
    Ok(Said { text: format!("{resealed} texts were sealed anew"), json: json!({"resealed": resealed}) })
}

async fn retention(store: &Store, project: Option<String>, days: Option<u32>) -> Result<Said, StartError> {
    if let Some(project) = &project {
        store.retain(project, days).await.map_err(database)?;
    }
    let all = store.retentions().await.map_err(database)?;
    let text: Vec<String> = all.iter().map(|(project, days)| format!("{project}  {days} days")).collect();
    let text = if text.is_empty() { "threads are kept until they are deleted".to_owned() } else { text.join("\n") };
    let json: Vec<_> = all.iter().map(|(project, days)| json!({"project": project, "days": days})).collect();
    Ok(Said { text, json: json!(json) })
}
