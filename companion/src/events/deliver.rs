//! Takes events out of the outbox to whoever is to be told: Redis, and webhooks.
//!
//! At least once each, in no promised order. Every target has a task of its own, so that one which is dead
//! holds up no other. Companions that share a database share the work: who takes an event has it alone for
//! a minute. What cannot be told within a day is given up, which is logged and stays to be seen.

use super::Kind;
use super::store::outbox::{self, Delivery, Outcome};
use super::webhook::{Sender, Webhook};
use crate::allowance;
use crate::clock::Clock;
use crate::measures;
use crate::metrics::{Count, Level, Metrics};
use crate::random;
use crate::redis_link::{Link, NoRedis};
use crate::usage::Db;
use ::redis::{Pipeline, RedisResult};
use domain::secret::Secret;
use domain::time::Micros;
use serde_json::{Map, Value};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// About how many entries a stream in Redis keeps.
const STREAM_ENTRIES: u32 = 10_000;
/// How often it is looked whether there is something to do.
const POLL: Duration = Duration::from_millis(500);
/// The pause after the database did not answer.
const AFTER_ERROR: Duration = Duration::from_secs(5);
/// How many rounds of looking there are between two purges.
const PURGE_EVERY: u32 = 120;
/// How long an event that was taken is nobody else's; longer than any attempt takes.
const TAKEN: Duration = Duration::from_secs(60);
/// After how long an event is not tried again.
const OLD: Duration = Duration::from_secs(86_400);
/// After how long an event is deleted.
const KEPT: Duration = Duration::from_secs(30 * 86_400);
/// How long a companion that stops waits for what is under way.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// Somebody who is to be told.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// The stream in Redis.
    Redis(Link),
    /// An address, and what is signed with.
    Webhook(Webhook, Sender, Secret),
}

/// The tasks that tell.
#[derive(Debug)]
pub(crate) struct Deliverer {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

/// What every task needs.
#[derive(Debug, Clone)]
struct Work {
    db: Db,
    clock: Clock,
    metrics: Metrics,
}

impl Deliverer {
    /// Begins to tell `targets`.
    pub(crate) fn start(db: Db, clock: Clock, metrics: Metrics, targets: Vec<Target>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (mut tasks, work) = (JoinSet::new(), Work { db, clock, metrics });
        let names = targets.iter().map(Target::name).collect();
        tasks.spawn(keep_house(work.clone(), names, stopped.clone()));
        for target in targets {
            tasks.spawn(tell(work.clone(), target, stopped.clone()));
        }
        Self { stop, tasks }
    }

    /// Begins nothing new, and waits a little for what is under way.
    pub(crate) async fn close(mut self) {
        // It fails when all tasks have ended.
        let _ = self.stop.send(true);
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(STOP_WITHIN, ended).await.is_err() {
            tracing::warn!("cut off events that were being sent; they will be sent again");
        }
    }
}

/// Notes whom each new event is for, and deletes what nobody needs any more.
async fn keep_house(work: Work, targets: Vec<String>, mut stop: watch::Receiver<bool>) {
    let mut rounds = 0_u32;
    loop {
        let done = work.keep_house(&targets, rounds.checked_rem(PURGE_EVERY) == Some(0)).await;
        rounds = rounds.wrapping_add(1);
        if pause(done.map(|()| false), &mut stop).await {
            return;
        }
    }
}

async fn tell(work: Work, target: Target, mut stop: watch::Receiver<bool>) {
    loop {
        let done = work.tell(&target).await;
        if pause(done, &mut stop).await {
            return;
        }
    }
}

/// Waits until it is time for the next round, which is at once when there is `more`; `true` when there is none.
async fn pause(more: Result<bool, sqlx::Error>, stop: &mut watch::Receiver<bool>) -> bool {
    let pause = match more {
        Ok(true) => Duration::ZERO,
        Ok(false) => POLL,
        Err(error) => {
            tracing::error!(%error, "events wait, because the usage database does not answer");
            AFTER_ERROR
        }
    };
    tokio::select! {
        biased;
        _ = stop.changed() => true,
        () = sleep(pause) => *stop.borrow(),
    }
}

impl Work {
    async fn keep_house(&self, targets: &[String], purge: bool) -> Result<(), sqlx::Error> {
        while outbox::spread(&self.db, targets, self.clock.now()).await? {}
        let waiting = outbox::waiting(&self.db).await?;
        self.metrics.set(Level::EventsWaiting, u64::try_from(waiting).unwrap_or_default());
        if purge {
            let kept = u64::try_from(KEPT.as_micros()).unwrap_or(u64::MAX);
            let before = Micros(self.clock.now().0.saturating_sub(kept));
            while outbox::purge(&self.db, before).await? {}
            while allowance::store::purge(&self.db, &self.clock).await? {}
            measures::store::purge(&self.db, self.clock.now()).await?;
        }
        Ok(())
    }

    /// Tells `target` some of what it is to be told; says whether there may be more.
    async fn tell(&self, target: &Target) -> Result<bool, sqlx::Error> {
        let now = self.clock.now();
        let name = target.name();
        let most = target.at_once();
        let taken = outbox::claim(&self.db, &name, (now, now.after(TAKEN)), most).await?;
        if taken.is_empty() {
            return Ok(false);
        }
        let full = u32::try_from(taken.len()).is_ok_and(|it| it >= most);
        let told = target.send(&taken, now).await;
        let outcomes: Vec<_> = taken.iter().zip(told).map(|(it, told)| self.outcome(target, it, told)).collect();
        outbox::settle(&self.db, &name, &outcomes).await?;
        Ok(full)
    }

    fn outcome(&self, target: &Target, delivery: &Delivery, told: Result<(), String>) -> (i64, Outcome) {
        let Delivery { number, id, recorded_at, attempts, .. } = delivery;
        let (good, bad) = target.counts();
        let Err(why) = told else {
            self.metrics.count(good);
            return (*number, Outcome::Told);
        };
        self.metrics.count(bad);
        let now = self.clock.now();
        if now.since(*recorded_at) >= OLD {
            self.metrics.count(if bad == Count::RedisError { Count::EventDropped } else { Count::WebhookGivenUp });
            tracing::error!(event = id, target = target.shown(), attempts, why, "an event could not be told in time");
            return (*number, Outcome::GivenUp(now));
        }
        if *attempts == 1 {
            tracing::warn!(event = id, target = target.shown(), why, "an event was not taken; it is tried again");
        }
        (*number, Outcome::Again(now.after(target.wait(*attempts, random_share()))))
    }
}

impl Target {
    fn name(&self) -> String {
        match self {
            Self::Redis(_) => "redis".to_owned(),
            Self::Webhook(webhook, ..) => webhook.target(),
        }
    }

    fn shown(&self) -> &str {
        match self {
            Self::Redis(_) => "redis",
            Self::Webhook(webhook, ..) => webhook.host(),
        }
    }

    fn counts(&self) -> (Count, Count) {
        match self {
            Self::Redis(_) => (Count::EventPublished, Count::RedisError),
            Self::Webhook(..) => (Count::WebhookDelivered, Count::WebhookFailed),
        }
    }

    /// How many are sent at once.
    fn at_once(&self) -> u32 {
        match self {
            Self::Redis(_) => 100,
            Self::Webhook(..) => 8,
        }
    }

    /// How long until the next attempt: doubled each time, up to an hour (half a minute for Redis, which is
    /// near), of which at least a half and the `share` (of 256) of the rest, so that not all come at once.
    fn wait(&self, attempts: u32, share: u8) -> Duration {
        let (first, most) = match self {
            Self::Redis(_) => (Duration::from_secs(1), Duration::from_secs(30)),
            Self::Webhook(..) => (Duration::from_secs(2), Duration::from_secs(3600)),
        };
        let doubled = 1_u32.checked_shl(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
        let half = first.saturating_mul(doubled).min(most).checked_div(2).unwrap_or_default();
        half.saturating_add(half.saturating_mul(u32::from(share)).checked_div(256).unwrap_or_default())
    }

    async fn send(&self, taken: &[Delivery], now: Micros) -> Vec<Result<(), String>> {
        match self {
            Self::Redis(link) => {
                let told = publish(link, taken).await.map_err(|it| it.to_string());
                taken.iter().map(|_| told.clone()).collect()
            }
            Self::Webhook(webhook, sender, secret) => {
                let mut sent = JoinSet::new();
                for (nth, it) in taken.iter().enumerate() {
                    let (webhook, sender, secret) = (webhook.clone(), sender.clone(), secret.clone());
                    let (id, body) = (it.id.clone(), it.fields.clone());
                    sent.spawn(async move { (nth, webhook.send(&sender, &secret, (&id, &body), now).await) });
                }
                let mut told = sent.join_all().await;
                told.sort_unstable_by_key(|(nth, _)| *nth);
                told.into_iter().map(|(_, told)| told).collect()
            }
        }
    }
}

/// Adds events to the stream, all or, when Redis does not say so, perhaps some.
async fn publish(link: &Link, taken: &[Delivery]) -> Result<(), NoRedis> {
    let mut commands = Pipeline::new();
    for it in taken {
        let fields: Map<String, Value> = serde_json::from_str(&it.fields).unwrap_or_default();
        let stream = Kind::stream(fields.get("type").and_then(Value::as_str).unwrap_or_default());
        commands.cmd("XADD").arg(stream).arg("MAXLEN").arg("~").arg(STREAM_ENTRIES).arg("*");
        for (name, value) in &fields {
            commands.arg(name).arg(value.as_str().unwrap_or_default());
        }
    }
    let answers: Vec<RedisResult<String>> = link.ask(&mut commands).await?;
    answers.into_iter().try_for_each(is_taken)
}

/// Whether it is an entry's id, `<milliseconds>-<number>`: what says OK to everything has taken nothing.
fn is_taken(answer: RedisResult<String>) -> Result<(), NoRedis> {
    match answer?.split_once('-') {
        Some((time, _)) if time.parse::<u64>().is_ok() => Ok(()),
        _ => Err(NoRedis::because("something else than an entry's id")),
    }
}

/// Without random bytes, the middle.
fn random_share() -> u8 {
    random::bytes::<1>().map_or(128, |[share]| share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_taken_by_what_gives_it_an_id() {
        assert_eq!(is_taken(Ok("1763719260123-0".to_owned())), Ok(()));
        for other in ["OK", "PONG", "", "-", "a-b"] {
            assert!(is_taken(Ok(other.to_owned())).is_err(), "{other}");
        }
    }
}
