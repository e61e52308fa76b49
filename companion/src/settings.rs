//! What `tollgate serve` is told.

use crate::clock::Clock;
use crate::memory::Limits;
use crate::titles::TitleModel;
use domain::secret::Secret;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The environment variable that holds the secret which gateways prove themselves with. It has no
/// flag: a command line can be read by every user of the machine.
pub(crate) const SECRET_VARIABLE: &str = "TOLLGATE_INTERNAL_SECRET";
/// The environment variable that holds what events to webhooks are signed with; no flag either.
pub(crate) const WEBHOOK_SECRET_VARIABLE: &str = "TOLLGATE_WEBHOOK_SECRET";
/// The shortest secret.
const MIN_SECRET_CHARS: usize = 16;
/// How long a stopping companion waits for requests in flight.
pub(crate) const DRAIN: Duration = Duration::from_secs(10);

/// Where what was said in sessions outside of any thread is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum SessionStore {
    /// With the threads.
    #[default]
    Database,
    /// In Redis, and on no disk of the companion's.
    Redis,
}

/// What a companion needs to serve.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the database is: `sqlite://path`.
    pub database_url: String,
    /// Where the usage database is: `sqlite://path` or `postgres://…`; without one, a file beside the main one.
    pub usage_database_url: Option<String>,
    /// Where threads and sessions are: `sqlite://path` or `postgres://…`; without one, a file beside the main one.
    pub memory_database_url: Option<String>,
    /// What their texts are sealed with: keys of 32 bytes in base64 with commas between, the newest first.
    pub data_keys: Option<Secret>,
    /// Where what was said in sessions outside of any thread is.
    pub session_store: SessionStore,
    /// How much one user may have there.
    pub limits: Limits,
    /// The model that threads get their titles from; without one, a title is the beginning of what the user said.
    pub titles: Option<TitleModel>,
    /// Where Redis is: `redis://…`, if there is one. A password may stand in it.
    pub redis_url: Option<Secret>,
    /// Where events are sent to: `https://…`, each with what the receiver wants in it.
    pub webhook_urls: Vec<Secret>,
    /// What events are signed with; demanded when there is a webhook.
    pub webhook_secret: Option<Secret>,
    /// The public listener's address.
    pub listen: SocketAddr,
    /// The internal listener's address.
    pub internal_listen: SocketAddr,
    /// What gateways prove themselves with.
    pub internal_secret: Secret,
    /// The folder of the private keys; made if missing.
    pub signing_keys: PathBuf,
    /// `iss` of the tokens.
    pub issuer: String,
    /// `aud` of the tokens.
    pub audience: String,
    /// How many seconds a minted token may live, 60 to 86400.
    pub longest_ttl: u64,
    /// How many proxies stand before the public listener, each of which appends the address that it
    /// sees to `X-Forwarded-For`.
    pub trusted_hops: u8,
    /// How long a turn waits for earlier turns of its memory.
    pub turn_wait: Duration,
    /// How long a stopping companion waits for requests in flight.
    pub drain: Duration,
    /// Tells the time.
    pub clock: Clock,
}

/// Reads the internal secret, given the variable's value.
///
/// # Errors
/// When it is missing, too short, or cannot stand in a header.
pub(crate) fn internal_secret(value: Option<String>) -> Result<Secret, String> {
    secret(SECRET_VARIABLE, value)
}

/// Reads what events are signed with, given the variable's value, if it is set.
///
/// # Errors
/// When it is too short or has other characters than the internal secret may have.
pub(crate) fn webhook_secret(value: Option<String>) -> Result<Option<Secret>, String> {
    value.map(|it| secret(WEBHOOK_SECRET_VARIABLE, Some(it))).transpose()
}

fn secret(variable: &str, value: Option<String>) -> Result<Secret, String> {
    let expected = format!("expected at least {MIN_SECRET_CHARS} visible ASCII characters without spaces or commas");
    let wrong = |found: &str| format!("{variable}: {expected}, found {found} (openssl rand -hex 16 makes one)");
    let value = value.unwrap_or_default();
    if value.is_empty() {
        return Err(wrong("none"));
    }
    if !value.bytes().all(|it| it.is_ascii_graphic() && it != b',') {
        return Err(wrong("others"));
    }
    if value.len() < MIN_SECRET_CHARS {
        return Err(wrong(&format!("{} characters", value.len())));
    }
    Ok(Secret::new(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_long_and_fits_a_header() {
        let check = |value: &str| internal_secret(Some(value.to_owned())).map(|it| it.reveal().to_owned());
        assert_eq!(check("0123456789abcdef"), Ok("0123456789abcdef".into()));
        for wrong in ["", "short", "0123456789abcde ", "0123456789abcde,", "0123456789abcdeü"] {
            assert!(check(wrong).unwrap_err().contains("at least 16 visible"), "{wrong}");
        }
        assert!(internal_secret(None).is_err());
    }
}
