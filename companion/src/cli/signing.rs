//! `tollgate key rotate`, `retire` and `signing`: the companion's own keys.

use super::{KeyFolder, Said, database};
use crate::server::StartError;
use crate::signing::{self, Algorithm, Folder, MOST_OWN_KEYS, NoKey, PrivateKey, RsaBits, Schedule};
use crate::store::{Ended, SigningKeyRow, Store};
use clap::Args;
use domain::time::{Micros, Period};
use serde_json::{Value, json};
use std::time::Duration;

#[derive(Debug, Args)]
pub(super) struct Rotate {
    /// What the new key signs with: EdDSA, ES256 or RS256.
    #[arg(long, default_value = "EdDSA")]
    algorithm: Algorithm,
    /// The length of a new RSA key: 2048, 3072 or 4096.
    #[arg(long, default_value_t)]
    rsa_bits: RsaBits,
    /// How long the new key is published before it signs: the `cache_duration` of the gateways, or longer.
    #[arg(long, default_value = "300s", value_parser = overlap)]
    overlap: Duration,
    /// Rotate although the folder does not have the private half of the key that signs now.
    #[arg(long)]
    lost: bool,
    #[command(flatten)]
    keys: KeyFolder,
}

#[derive(Debug, Args)]
pub(super) struct Retire {
    /// The key, as `key signing` shows it.
    kid: String,
    /// Take it out of the key set at once, although tokens that it signed may live.
    #[arg(long)]
    compromised: bool,
    #[command(flatten)]
    keys: KeyFolder,
}

/// Makes a key that signs after the overlap, when the others end.
pub(super) async fn rotate(store: &Store, arguments: Rotate, now: Micros) -> Result<Said, StartError> {
    let folder = Folder::open(&arguments.keys.signing_keys)?;
    let rows = store.signing_keys().await.map_err(database)?;
    if let Some(signer) = signing::signer(&rows, now).filter(|_| !arguments.lost) {
        signing::read(&folder, signer).map_err(|NoKey(why)| {
            StartError(format!("{why}; expected the folder of `tollgate serve`, or --lost if the key is lost for good"))
        })?;
    }
    let key = PrivateKey::generate(arguments.algorithm, arguments.rsa_bits).ok_or_else(signing::no_random_bytes)?;
    // Before anybody may look for it.
    folder.write(&key)?;
    let from = now.after(arguments.overlap);
    let plan = |rows: &[SigningKeyRow]| plan(rows, &key, from, arguments.lost, now);
    let done = store.rotate_signing_key(plan).await;
    if !matches!(done, Ok(Ok(_))) {
        folder.remove(&key.kid);
    }
    let row = done.map_err(database)?.map_err(StartError)?;
    let when = match row.signs_from.since(now) {
        Duration::ZERO => "signs now".to_owned(),
        wait => format!("signs in {} s, when the others end", wait.as_secs()),
    };
    let json = json!({"kid": row.kid, "algorithm": row.algorithm, "signs_from": row.signs_from.seconds()});
    Ok(Said { text: format!("{}  {}  {when}", row.kid, row.algorithm), json })
}

/// Stops signing with a key.
pub(super) async fn retire(store: &Store, arguments: Retire, now: Micros) -> Result<Said, StartError> {
    let folder = Folder::open(&arguments.keys.signing_keys)?;
    let Retire { kid, compromised, .. } = arguments;
    let allowed = |key: &SigningKeyRow, others: &[SigningKeyRow]| may_end(&folder, key, others, now);
    let row = match store.end_signing_key(&kid, compromised, now, allowed).await.map_err(database)? {
        Ended::Now(row) => row,
        Ended::Unknown => {
            return Err(StartError(format!("there is no signing key {kid}; `tollgate key signing` shows all")));
        }
        Ended::Refused(why) => return Err(StartError(why)),
    };
    folder.remove(&kid);
    let text = match row.leaves_at() {
        Some(then) if then > now => {
            format!(
                "{kid} signs no more; it is published for {} s, until its last token is dead",
                then.since(now).as_secs()
            )
        }
        _ => format!("{kid} signs no more and is published no more"),
    };
    Ok(Said { text, json: shown(&row, now) })
}

/// Lists the keys.
pub(super) async fn list(store: &Store, now: Micros) -> Result<Said, StartError> {
    let rows = store.signing_keys().await.map_err(database)?;
    let lines = rows.iter().map(|it| format!("{}  {}  {}", it.kid, it.algorithm, it.state(now).name()));
    let keys: Vec<Value> = rows.iter().map(|it| shown(it, now)).collect();
    Ok(Said { text: lines.collect::<Vec<_>>().join("\n"), json: json!({"signing_keys": keys}) })
}

/// The row of the new key, unless something speaks against it.
fn plan(
    rows: &[SigningKeyRow],
    key: &PrivateKey,
    from: Micros,
    lost: bool,
    now: Micros,
) -> Result<SigningKeyRow, String> {
    if rows.iter().filter(|it| it.is_published(now)).count() >= MOST_OWN_KEYS {
        return Err(format!(
            "{MOST_OWN_KEYS} signing keys are published, as many as may be; wait until tokens of the retired ones are dead"
        ));
    }
    // Nothing is waited for when nothing can sign meanwhile.
    let gap = if lost { Some(now) } else { signing::gap(rows.iter(), now) };
    Ok(signing::row(key, now, gap.map_or(from, |gap| gap.min(from))))
}

/// Whether the others can sign from now on without a break.
fn may_end(folder: &Folder, key: &SigningKeyRow, others: &[SigningKeyRow], now: Micros) -> Result<(), String> {
    // A key that is over may be declared compromised whatever the others do.
    if key.is_over(now) {
        return Ok(());
    }
    let rotate = "`tollgate key rotate --overlap 0s` makes one that signs at once";
    match signing::gap(others.iter(), now) {
        Some(then) if then > now => {
            return Err(format!("in {} s no other key would sign; {rotate}", then.since(now).as_secs()));
        }
        Some(_) => return Err(format!("no other key signs now; {rotate}")),
        None => (),
    }
    signing::signer(others, now).map_or(Ok(()), |it| signing::read(folder, it).map(|_| ()).map_err(|NoKey(why)| why))
}

fn shown(row: &SigningKeyRow, now: Micros) -> Value {
    json!({
        "kid": row.kid, "algorithm": row.algorithm, "state": row.state(now).name(),
        "created_at": row.created_at.seconds(), "signs_from": row.signs_from.max(row.created_at).seconds(),
        "signs_until": row.signs_until.map(Micros::seconds), "published_until": row.leaves_at().map(Micros::seconds),
    })
}

fn overlap(text: &str) -> Result<Duration, String> {
    if text == "0s" { Ok(Duration::ZERO) } else { Period::try_from(text.to_owned()).map(Period::get) }
}
