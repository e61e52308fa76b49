//! `tollgate serve`.

use super::{say, visible};
use crate::clock::Clock;
use crate::memory::{DATA_KEY_VARIABLE, Limits};
use crate::mint::TTL_SECONDS;
use crate::server::{StartError, serve};
use crate::settings::{DRAIN, SessionStore, Settings, WEBHOOK_SECRET_VARIABLE, internal_secret, webhook_secret};
use crate::titles::{KEY_VARIABLE as TITLE_KEY_VARIABLE, TitleModel};
use clap::Args;
use domain::secret::Secret;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The public listener.
    #[arg(long, env = "TOLLGATE_LISTEN", default_value = "127.0.0.1:8787")]
    listen: SocketAddr,
    #[command(flatten)]
    usage: super::UsageDatabase,
    #[command(flatten)]
    memory: super::MemoryDatabase,
    /// Where sessions are: database (with the threads) or redis (the one of --redis-url).
    #[arg(long, env = "TOLLGATE_SESSION_STORE", value_enum, default_value_t)]
    session_store: SessionStore,
    /// How many threads a user may have.
    #[arg(long, env = "TOLLGATE_MAX_THREADS", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    max_threads: u32,
    /// How many messages a thread may have.
    #[arg(long, env = "TOLLGATE_MAX_THREAD_MESSAGES", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    max_thread_messages: u32,
    /// How many bytes a message may have that is imported.
    #[arg(long, env = "TOLLGATE_MAX_MESSAGE_BYTES", default_value_t = 1 << 20, value_parser = clap::value_parser!(u32).range(1..=16_777_216))]
    max_message_bytes: u32,
    /// The API of a model that gives threads their titles, as OpenAI's: https://host/v1 or http://host/v1. Its key is in
    /// TOLLGATE_TITLE_API_KEY, which has no flag. Without it a title is the beginning of what the user said.
    #[arg(long, env = "TOLLGATE_TITLE_URL", requires = "title_model")]
    title_url: Option<String>,
    /// What that model is called there.
    #[arg(long, env = "TOLLGATE_TITLE_MODEL", requires = "title_url")]
    title_model: Option<String>,
    /// How long it may take to answer, in milliseconds; it is asked three times at most.
    #[arg(long, env = "TOLLGATE_TITLE_TIMEOUT_MS", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(100..=120_000))]
    title_timeout_ms: u64,
    /// Redis for what gateways share and for events: redis://[[user]:password@]host[:port][/database], or
    /// rediss:// for TLS. Without it both are in the usage database.
    #[arg(long, env = "TOLLGATE_REDIS_URL", hide_env_values = true, value_parser = secret)]
    redis_url: Option<Secret>,
    /// Where events are sent to: https:// or http://; several with commas between, or the flag several times.
    /// They are signed with TOLLGATE_WEBHOOK_SECRET, which has no flag.
    #[arg(long, env = "TOLLGATE_WEBHOOK_URL", hide_env_values = true, value_delimiter = ',', value_parser = secret)]
    webhook_url: Vec<Secret>,
    /// The listener for gateways.
    #[arg(long, env = "TOLLGATE_INTERNAL_LISTEN", default_value = "127.0.0.1:8788")]
    internal_listen: SocketAddr,
    #[command(flatten)]
    keys: super::KeyFolder,
    /// `iss` of the tokens.
    #[arg(long, env = "TOLLGATE_ISSUER", default_value = "tollgate", value_parser = visible)]
    issuer: String,
    /// `aud` of the tokens.
    #[arg(long, env = "TOLLGATE_AUDIENCE", default_value = "tollgate", value_parser = visible)]
    audience: String,
    /// How many seconds a token may live at most, whatever a backend asks for.
    #[arg(long, env = "TOLLGATE_LONGEST_TTL", default_value_t = *TTL_SECONDS.end(), value_parser = clap::value_parser!(u64).range(60..=86_400))]
    longest_ttl: u64,
    /// How many proxies stand before the public listener and append the address that they see to
    /// X-Forwarded-For; 1 behind one gateway. With 0 the header is not looked at.
    #[arg(long, env = "TOLLGATE_TRUSTED_HOPS", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=16))]
    trusted_hops: u8,
    /// How long a turn waits for earlier turns of its thread or session, in milliseconds.
    #[arg(long, env = "TOLLGATE_TURN_WAIT_MS", default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    turn_wait_ms: u64,
    /// What goes to the log (standard error): error, warn, info or debug.
    #[arg(long, env = "TOLLGATE_LOG", default_value = "info")]
    log: tracing::Level,
}

/// Serves until a signal comes.
pub(super) async fn run(
    database_url: String,
    arguments: Arguments,
    clock: Clock,
    secret: Option<String>,
    out: &mut impl Write,
) -> Result<(), StartError> {
    until_signal(settings(database_url, arguments, clock, secret)?, out).await
}

fn settings(
    database_url: String,
    arguments: Arguments,
    clock: Clock,
    secret: Option<String>,
) -> Result<Settings, StartError> {
    tracing_subscriber::fmt().with_max_level(arguments.log).with_ansi(false).with_writer(io::stderr).init();
    Ok(Settings {
        database_url,
        usage_database_url: arguments.usage.usage_database_url,
        memory_database_url: arguments.memory.memory_database_url,
        data_keys: super::variable(DATA_KEY_VARIABLE).map(Secret::new),
        session_store: arguments.session_store,
        limits: Limits {
            threads: arguments.max_threads,
            messages: arguments.max_thread_messages,
            message_bytes: arguments.max_message_bytes,
        },
        titles: arguments.title_url.zip(arguments.title_model).map(|(url, model)| TitleModel {
            url,
            model,
            api_key: super::variable(TITLE_KEY_VARIABLE).map(Secret::new),
            within: Duration::from_millis(arguments.title_timeout_ms),
        }),
        redis_url: arguments.redis_url,
        webhook_urls: arguments.webhook_url,
        webhook_secret: webhook_secret(super::variable(WEBHOOK_SECRET_VARIABLE)).map_err(StartError)?,
        listen: arguments.listen,
        internal_listen: arguments.internal_listen,
        internal_secret: internal_secret(secret).map_err(StartError)?,
        signing_keys: arguments.keys.signing_keys,
        issuer: arguments.issuer,
        audience: arguments.audience,
        longest_ttl: arguments.longest_ttl,
        trusted_hops: arguments.trusted_hops,
        turn_wait: Duration::from_millis(arguments.turn_wait_ms),
        drain: DRAIN,
        clock,
    })
}

#[expect(clippy::unnecessary_wraps, reason = "the shape that clap takes")]
fn secret(text: &str) -> Result<Secret, String> {
    Ok(Secret::new(text.to_owned()))
}

async fn until_signal(settings: Settings, out: &mut impl Write) -> Result<(), StartError> {
    let wrong = |it: io::Error| StartError(format!("signals: {it}"));
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate()).map_err(wrong)?, signal(SignalKind::interrupt()).map_err(wrong)?);
    let running = serve(settings).await?;
    say(out, &format!("tollgate is ready: public http://{}, internal http://{}", running.public, running.internal))?;
    tokio::select! {
        _ = terminate.recv() => (),
        _ = interrupt.recv() => (),
    }
    tracing::info!("draining");
    running.stop().await;
    tracing::info!("stopped");
    Ok(())
}
