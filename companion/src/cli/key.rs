//! `tollgate key`: API keys, and the keys that sign tokens.

use super::{Said, database, made, no_randomness, no_such_project, signing};
use crate::api_key::ApiKey;
use crate::server::StartError;
use crate::store::{KeyRow, Store};
use clap::Subcommand;
use domain::time::Micros;
use serde_json::json;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
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
    /// Make a new key that signs tokens; it takes the place of the present one after the overlap.
    Rotate(signing::Rotate),
    /// Stop signing tokens with a key; it is published until its last token is dead.
    Retire(signing::Retire),
    /// List the keys that sign tokens.
    Signing,
}

/// Carries `command` out.
pub(super) async fn run(store: &Store, command: Command, now: Micros) -> Result<Said, StartError> {
    match command {
        Command::Rotate(arguments) => signing::rotate(store, arguments, now).await,
        Command::Retire(arguments) => signing::retire(store, arguments, now).await,
        Command::Signing => signing::list(store, now).await,
        Command::Create { project } => {
            let key = ApiKey::generate().map_err(|_| no_randomness())?;
            let row =
                KeyRow { id: made("key_")?, hint: key.hint(), created_at: now, last_used_at: None, revoked_at: None };
            if !store.add_key(&project, &row, key.hash()).await.map_err(database)? {
                return Err(no_such_project(&project));
            }
            let text = format!("{}\nid {}; the key is shown only now, so keep it safe", key.reveal(), row.id);
            Ok(Said { text, json: json!({"key_id": row.id, "api_key": key.reveal()}) })
        }
        Command::List { project } => {
            let keys = store.keys(&project).await.map_err(database)?.ok_or_else(|| no_such_project(&project))?;
            let state = |it: &KeyRow| if it.revoked_at.is_some() { "revoked" } else { "active" };
            let used = |it: &KeyRow| {
                it.last_used_at.map_or("never used".to_owned(), |at| format!("last used {}", at.seconds()))
            };
            let lines = keys.iter().map(|it| format!("{}  {}  {}  {}", it.id, it.hint, state(it), used(it)));
            let rows = keys.iter().map(|it| {
                let (used, revoked) = (it.last_used_at.map(Micros::seconds), it.revoked_at.map(Micros::seconds));
                json!({"key_id": it.id, "hint": it.hint, "created_at": it.created_at.seconds(), "last_used_at": used, "revoked_at": revoked})
            });
            Ok(Said { text: lines.collect::<Vec<_>>().join("\n"), json: json!({"keys": rows.collect::<Vec<_>>()}) })
        }
        Command::Revoke { key_id } => {
            if !store.revoke_key(&key_id, now).await.map_err(database)? {
                return Err(StartError(format!(
                    "there is no key {key_id}; expected an id (key_…), not the key itself"
                )));
            }
            Ok(Said { text: format!("revoked {key_id}"), json: json!({"key_id": key_id, "revoked": true}) })
        }
    }
}
