//! The connection to Redis: one, shared, made when it is first needed and made anew after any failure.
//!
//! Whoever asks gets an answer or an error within a second, whether Redis is down, slow, or something
//! else. Nothing is sent twice: what was asked when a connection broke may have happened.

#[cfg(test)]
pub(crate) mod tests;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, Client, FromRedisValue, Pipeline, RedisError, RedisResult};
use domain::secret::Secret;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// How long a question may take, with all that it waits for.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// How long a connection may take to be made.
const CONNECT_WITHIN: Duration = Duration::from_millis(500);
/// After a connection could not be made, everybody is told so for such a time, and nobody tries.
const PAUSE: Duration = Duration::from_millis(250);

/// Why Redis did not answer, in words for the log; never the address, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NoRedis(String);

/// A Redis server, as it is configured.
#[derive(Clone)]
pub(crate) struct Link {
    client: Arc<Client>,
    line: Arc<Mutex<Line>>,
}

enum Line {
    /// The number tells one connection from the next.
    Open(MultiplexedConnection, u64),
    /// Not to be tried before that moment.
    Closed(Option<Instant>, u64),
}

impl Link {
    /// Knows the server at `url` (`redis://`, `rediss://` for TLS); does not connect yet.
    ///
    /// # Errors
    /// When it is no such address.
    pub(crate) fn open(url: &Secret) -> Result<Self, String> {
        let client = Client::open(url.reveal()).map_err(|_| {
            "expected redis://[[user]:password@]host[:port][/database], or rediss:// for TLS (the value is not shown)"
        })?;
        Ok(Self { client: Arc::new(client), line: Arc::new(Mutex::new(Line::Closed(None, 0))) })
    }

    /// Sends all of `commands` at once; an answer or an error of the server for each.
    ///
    /// # Errors
    /// When Redis cannot be reached, does not answer in time, or answers something else than asked for.
    pub(crate) async fn ask<T: FromRedisValue>(&self, commands: &mut Pipeline) -> Result<Vec<RedisResult<T>>, NoRedis> {
        let count = commands.len();
        let mut generation = None;
        let asked = async {
            let (mut connection, number) = self.connection().await?;
            generation = Some(number);
            commands.ignore_errors().query_async::<Vec<RedisResult<T>>>(&mut connection).await.map_err(NoRedis::from)
        };
        let answered =
            timeout(ANSWER_WITHIN, asked).await.unwrap_or_else(|_| Err(NoRedis::because("no answer in time")));
        let answered = answered.and_then(|answers| match answers.iter().find_map(|it| it.as_ref().err()) {
            _ if answers.len() != count => Err(NoRedis::because("not as many answers as questions")),
            // A server that does not write any more, or is no Redis: another may stand at the address by now.
            Some(error) if !matches!(error.code(), Some("NOSCRIPT" | "WRONGTYPE")) => Err(error.clone().into()),
            _ => Ok(answers),
        });
        if let (Err(_), Some(generation)) = (&answered, generation) {
            self.hang_up(generation).await;
        }
        answered
    }

    async fn connection(&self) -> Result<(MultiplexedConnection, u64), NoRedis> {
        let mut line = self.line.lock().await;
        let generation = match &*line {
            Line::Open(connection, generation) => return Ok((connection.clone(), *generation)),
            Line::Closed(Some(until), _) if Instant::now() < *until => {
                return Err(NoRedis::because("it could not be reached a moment ago"));
            }
            Line::Closed(_, generation) => generation.wrapping_add(1),
        };
        let pause = Instant::now().checked_add(CONNECT_WITHIN).and_then(|it| it.checked_add(PAUSE));
        // Whoever stops waiting in the middle leaves a pause behind.
        *line = Line::Closed(pause, generation);
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_WITHIN))
            .set_response_timeout(Some(ANSWER_WITHIN));
        match self.client.get_multiplexed_async_connection_with_config(&config).await {
            Ok(connection) => {
                *line = Line::Open(connection.clone(), generation);
                Ok((connection, generation))
            }
            Err(error) => {
                *line = Line::Closed(Instant::now().checked_add(PAUSE), generation);
                Err(error.into())
            }
        }
    }

    /// Gives the connection up, if it is still that one.
    async fn hang_up(&self, generation: u64) {
        let mut line = self.line.lock().await;
        if matches!(&*line, Line::Open(_, it) if *it == generation) {
            *line = Line::Closed(None, generation);
        }
    }
}

impl NoRedis {
    /// For a reason of ours.
    pub(crate) fn because(why: &str) -> Self {
        Self(why.to_owned())
    }
}

/// What the server or the system says; the address and the password are not in it.
impl From<RedisError> for NoRedis {
    fn from(error: RedisError) -> Self {
        let code = error.code().map(|it| format!(" {it}")).unwrap_or_default();
        Self(format!("{}{code}", error.category()))
    }
}

impl fmt::Display for NoRedis {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Link")
    }
}
