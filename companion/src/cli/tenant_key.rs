//! `tollgate tenant-key`: public keys of customers who sign their users' tokens themselves.

use super::{Said, database, no_randomness, no_such_project, visible};
use crate::server::StartError;
use crate::store::{Added, Store, TenantKeyRow};
use crate::tenant_keys::{self, MOST_TENANT_KEYS, PublicKey};
use clap::{Args, Subcommand};
use domain::time::Micros;
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A public key of RSA with 4096 bits has about 800 bytes as PEM; a file far longer is something else.
const MAX_FILE_BYTES: u64 = 16 * 1024;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Register a project's public key, so that tokens signed with its private half are accepted for that project.
    Register(Register),
    /// List a project's keys.
    List {
        /// The project.
        #[arg(long)]
        project: String,
    },
    /// Revoke a key, for good: it leaves the key set at once.
    Revoke {
        /// The key's name (sk_…), as `tenant-key list` shows it.
        kid: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Register {
    /// The project that it may speak for.
    #[arg(long)]
    project: String,
    /// A file with the public key: PEM or JWK; Ed25519, P-256, or RSA of 2048 to 4096 bits.
    #[arg(long)]
    public_key: PathBuf,
    /// Its name, `sk_…`; a new one when absent.
    #[arg(long, value_parser = tenant_keys::name)]
    kid: Option<String>,
    /// Accept it only from then on, in seconds since 1970.
    #[arg(long)]
    not_before: Option<u64>,
    /// `iss` of the tokens, as `serve` has it.
    #[arg(long, env = "TOLLGATE_ISSUER", default_value = "tollgate", value_parser = visible)]
    issuer: String,
    /// `aud` of the tokens, as `serve` has it.
    #[arg(long, env = "TOLLGATE_AUDIENCE", default_value = "tollgate", value_parser = visible)]
    audience: String,
}

/// Carries `command` out.
pub(super) async fn run(store: &Store, command: Command, now: Micros) -> Result<Said, StartError> {
    match command {
        Command::Register(arguments) => register(store, arguments, now).await,
        Command::List { project } => {
            let keys = store.tenant_keys(&project).await.map_err(database)?.ok_or_else(|| no_such_project(&project))?;
            let lines = keys.iter().map(|it| format!("{}  {}  {}", it.kid, it.algorithm, state(it, now)));
            let rows: Vec<Value> = keys.iter().map(|it| shown(it, now)).collect();
            Ok(Said { text: lines.collect::<Vec<_>>().join("\n"), json: json!({"tenant_keys": rows}) })
        }
        Command::Revoke { kid } => {
            if !store.revoke_tenant_key(&kid, now).await.map_err(database)? {
                return Err(StartError(format!("there is no tenant key {kid}; expected a name (sk_…)")));
            }
            Ok(Said { text: format!("revoked {kid}"), json: json!({"kid": kid, "revoked": true}) })
        }
    }
}

async fn register(store: &Store, arguments: Register, now: Micros) -> Result<Said, StartError> {
    let path = &arguments.public_key;
    let wrong = |why: String| StartError(format!("{}: {why}", path.display()));
    let key = PublicKey::read(&contents(path).map_err(|it| wrong(it.to_string()))?).map_err(wrong)?;
    let tenant = store.tenant_of(&arguments.project).await.map_err(database)?;
    let row = TenantKeyRow {
        kid: arguments.kid.map_or_else(tenant_keys::new_name, Ok).map_err(|_| no_randomness())?,
        tenant: tenant.ok_or_else(|| no_such_project(&arguments.project))?,
        project: arguments.project,
        algorithm: key.algorithm.to_owned(),
        jwk: key.jwk.to_string(),
        created_at: now,
        not_before: arguments.not_before.map_or(now, Micros::from_seconds),
        revoked_at: None,
    };
    tenant_keys::accepted(&row).map_err(wrong)?;
    match store.add_tenant_key(&row, MOST_TENANT_KEYS).await.map_err(database)? {
        Added::Done => (),
        Added::NameTaken => return Err(StartError(format!("there is a key {} already", row.kid))),
        Added::OurOwn => return Err(wrong("it is the companion's own public key; expected a customer's".to_owned())),
        Added::TooMany => {
            let why = format!("{MOST_TENANT_KEYS} tenant keys are in use, as many as may be; revoke some first");
            return Err(StartError(why));
        }
    }
    Ok(registered(&row, &arguments.issuer, &arguments.audience))
}

/// The key, and what the published client is told about it.
fn registered(row: &TenantKeyRow, issuer: &str, audience: &str) -> Said {
    let environment = [
        ("BEHEST_KID", row.kid.as_str()),
        ("BEHEST_TENANT_ID", &row.tenant),
        ("BEHEST_PROJECT_ID", &row.project),
        ("BEHEST_ISSUER", issuer),
        ("BEHEST_AUDIENCE", audience),
    ];
    let lines = environment.map(|(name, value)| format!("{name}={value}"));
    let environment: Map<String, Value> =
        environment.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
    Said {
        text: format!("{}  {}\n{}", row.kid, row.algorithm, lines.join("\n")),
        json: json!({
            "kid": row.kid, "algorithm": row.algorithm, "tenant_id": row.tenant, "project_id": row.project,
            "not_before": row.not_before.seconds(), "environment": environment,
        }),
    }
}

fn contents(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_FILE_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

fn state(key: &TenantKeyRow, now: Micros) -> &'static str {
    match key {
        TenantKeyRow { revoked_at: Some(_), .. } => "revoked",
        TenantKeyRow { not_before, .. } if *not_before > now => "waiting",
        TenantKeyRow { .. } => "active",
    }
}

fn shown(key: &TenantKeyRow, now: Micros) -> Value {
    json!({
        "kid": key.kid, "algorithm": key.algorithm, "state": state(key, now), "tenant_id": key.tenant,
        "created_at": key.created_at.seconds(), "not_before": key.not_before.seconds(),
        "revoked_at": key.revoked_at.map(Micros::seconds),
    })
}
