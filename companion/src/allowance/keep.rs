//! Where allowances are kept: in Redis, or in the usage database.

use super::{Answer, Ask, Grid, store};
use crate::clock::Clock;
use crate::failure::Failure;
use crate::redis_link::{Link, NoRedis};
use crate::usage::Db;
use ::redis::{Pipeline, RedisResult, Script};
use domain::reply::Reply;
use domain::time::Micros;
use std::sync::Arc;

/// The rule, as Redis runs it.
const TEXT: &str = include_str!("grant.lua");
/// What stands before an allowance's id in Redis.
const PREFIX: &str = "tollgate:allowance:";

/// Who keeps allowances.
#[derive(Debug, Clone)]
pub(crate) enum Keeper {
    /// Redis, by its own clock: one for all companions.
    Redis(Link, Rule),
    /// The usage database. Companions that share one go by its clock too.
    Database(Db),
}

/// The rule in Redis' own language.
#[derive(Debug, Clone)]
pub(crate) struct Rule(Arc<Script>);

impl Keeper {
    /// Redis if there is one, else the usage database.
    #[must_use]
    pub(crate) fn new(redis: Option<Link>, db: Db) -> Self {
        match redis {
            Some(link) => Self::Redis(link, Rule::new()),
            None => Self::Database(db),
        }
    }

    /// Answers each question in turn: its allowance's id, and what is asked for.
    ///
    /// # Errors
    /// 503 when the keeper does not answer; then something may have been granted to nobody, until it expires.
    pub(crate) async fn grant(&self, asks: &[(String, Ask)], clock: &Clock) -> Result<Vec<Answer>, Failure> {
        match self {
            Self::Redis(link, rule) => rule.grant(link, asks, None).await.map_err(|error| {
                tracing::error!(%error, "Redis did not answer a question for leases");
                let message = "The companion's Redis does not answer; try again.";
                Reply::new(503, "redis_unavailable", message).header("retry-after", "1").into()
            }),
            Self::Database(db) => Ok(Db::bounded(store::grant(db, asks, clock)).await?),
        }
    }
}

impl Rule {
    pub(super) fn new() -> Self {
        Self(Arc::new(Script::new(TEXT)))
    }

    /// Asks Redis, by its own clock when there is no `now`.
    pub(super) async fn grant(
        &self,
        link: &Link,
        asks: &[(String, Ask)],
        now: Option<Micros>,
    ) -> Result<Vec<Answer>, NoRedis> {
        let mut by_hash = Pipeline::new();
        for ask in asks {
            self.add(&mut by_hash, ("EVALSHA", self.0.get_hash()), ask, now);
        }
        let mut answers = link.ask::<(u32, u64, u64, u32)>(&mut by_hash).await?;
        // Redis was started anew, or never knew the script. What it did not know it did not do.
        let mut by_text = Pipeline::new();
        for (ask, answer) in asks.iter().zip(&answers) {
            if is_unknown(answer) {
                self.add(&mut by_text, ("EVAL", TEXT), ask, now);
            }
        }
        if !by_text.is_empty() {
            let mut second = link.ask(&mut by_text).await?.into_iter();
            for answer in answers.iter_mut().filter(|it| is_unknown(it)) {
                *answer = second.next().ok_or_else(|| NoRedis::because("an answer is missing"))?;
            }
        }
        let answer = |(granted, slice, wait_ms, remaining)| Answer { granted, slice, wait_ms, remaining };
        answers.into_iter().map(|it| it.map(answer).map_err(NoRedis::from)).collect()
    }

    fn add(
        &self,
        commands: &mut Pipeline,
        (name, script): (&str, &str),
        (id, ask): &(String, Ask),
        now: Option<Micros>,
    ) {
        let Grid { slice, valid, behind, unit, capacity } = ask.limit.grid();
        let now = now.map(|it| it.0.to_string()).unwrap_or_default();
        let command = commands.cmd(name).arg(script).arg(1).arg(format!("{PREFIX}{id}")).arg(now);
        for number in [slice, valid, behind, unit, capacity] {
            command.arg(number);
        }
        command.arg(ask.limit.requests.get()).arg(ask.needed()).arg(ask.want).arg(ask.limit.lifetime_ms());
        for (slice, count) in &ask.returned {
            command.arg(*slice).arg(*count);
        }
    }
}

fn is_unknown<T>(answer: &RedisResult<T>) -> bool {
    answer.as_ref().is_err_and(|it| it.code() == Some("NOSCRIPT"))
}
