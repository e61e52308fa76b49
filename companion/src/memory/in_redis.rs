//! What was said in sessions outside of any thread, kept in Redis: it goes when the session ends, and is on no disk of ours.
//!
//! A session is a sorted set of the ids of its turns, by the time at which they arrived, and a hash of what was said in
//! them. How long it runs is told by the database, as everywhere; Redis only forgets it in time.

use super::history::{Running, Said};
use super::seal::Seal;
use super::{TurnRow, whose};
use crate::caller::Caller;
use crate::redis_link::{Link, NoRedis};
use ::redis::{FromRedisValue, Pipeline};
use domain::estimate;
use domain::time::Micros;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What stands before a session's name in Redis.
const PREFIX: &str = "tollgate:session:";
/// How much of a session is kept at most: as much as a turn that begins is given.
const MAX_TURNS: u32 = 1000;
const MAX_BYTES: u32 = 4 * 1024 * 1024;
/// Turns of one question: what is asked at once must be answered within a second.
const TOGETHER: usize = 8;
const ADD: &str = include_str!("in_redis_add.lua");
const REMOVE: &str = "if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 0 then return 0 end
redis.call('HINCRBY', KEYS[2], '', -redis.call('HSTRLEN', KEYS[2], ARGV[1]))
redis.call('HDEL', KEYS[2], ARGV[1])
return redis.call('ZREM', KEYS[1], ARGV[1])";
const READ: &str = include_str!("in_redis_read.lua");

/// Sessions in Redis.
#[derive(Debug, Clone)]
pub(super) struct InRedis {
    link: Link,
    seal: Seal,
}

/// A turn as it is kept.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    results_first: bool,
    messages: Vec<String>,
}

impl InRedis {
    pub(super) fn new(link: Link, seal: Seal) -> Self {
        Self { link, seal }
    }

    /// Adds turns to their sessions, but for those that are there; says of each whether it was new.
    ///
    /// # Errors
    /// When Redis does not answer as it should. What was added then is not added again.
    pub(super) async fn add(&self, turns: &[(&Caller, &TurnRow)], now: Micros) -> Result<Vec<bool>, sqlx::Error> {
        let mut new = Vec::new();
        for some in turns.chunks(TOGETHER) {
            let mut commands = Pipeline::new();
            for (caller, turn) in some {
                let Some((session, lifetime)) = &turn.session else { continue };
                let kept = Kept { results_first: turn.results_first, messages: turn.messages.clone() };
                let text = serde_json::to_string(&kept).map_err(|it| sqlx::Error::Encode(Box::new(it)))?;
                let sealed = self.seal.close(&text, &place(caller, &turn.id));
                let sealed = sealed.map_err(|_| sqlx::Error::Encode("no random bytes for a nonce".into()))?;
                let command = keys(&mut commands, ADD, &name(caller, session));
                command.arg(&turn.id).arg(sealed).arg(now.0).arg(millis(*lifetime)).arg(MAX_TURNS).arg(MAX_BYTES);
            }
            for answer in self.ask::<i64>(commands).await? {
                new.push(match answer {
                    0 => false,
                    1 => true,
                    _ => return Err(unavailable(&NoRedis::because("it answered something else than asked for"))),
                });
            }
        }
        Ok(new)
    }

    /// The turns of a session since it runs, oldest first; it lives on.
    ///
    /// # Errors
    /// When Redis does not answer as it should, or what it kept cannot be read.
    pub(super) async fn said(&self, caller: &Caller, session: &Running) -> Result<Vec<Said>, sqlx::Error> {
        let mut commands = Pipeline::new();
        let command = keys(&mut commands, READ, &name(caller, &session.id));
        command.arg(session.since.0).arg(millis(session.lifetime));
        let found = self.ask::<Vec<Vec<u8>>>(commands).await?.into_iter().next().unwrap_or_default();
        found.chunks(3).map(|it| self.read(caller, it)).collect()
    }

    /// Forgets turns.
    ///
    /// # Errors
    /// When Redis does not answer as it should.
    pub(super) async fn remove(&self, turns: &[(&Caller, &TurnRow)]) -> Result<(), sqlx::Error> {
        let mut commands = Pipeline::new();
        for (caller, turn) in turns {
            let Some((session, _)) = &turn.session else { continue };
            let name = name(caller, session);
            keys(&mut commands, REMOVE, &name).arg(&turn.id);
        }
        self.ask::<i64>(commands).await.map(|_| ())
    }

    /// Forgets sessions of a caller.
    ///
    /// # Errors
    /// When Redis does not answer as it should.
    pub(super) async fn erase(&self, caller: &Caller, sessions: &[String]) -> Result<(), sqlx::Error> {
        for some in sessions.chunks(1000) {
            let mut commands = Pipeline::new();
            for session in some {
                let name = name(caller, session);
                commands.cmd("DEL").arg(&name).arg(hash(&name));
            }
            self.ask::<i64>(commands).await?;
        }
        Ok(())
    }

    async fn ask<T: FromRedisValue>(&self, mut commands: Pipeline) -> Result<Vec<T>, sqlx::Error> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let answers = self.link.ask::<T>(&mut commands).await.map_err(|it| unavailable(&it))?;
        answers.into_iter().map(|it| it.map_err(|it| unavailable(&it.into()))).collect()
    }

    fn read(&self, caller: &Caller, found: &[Vec<u8>]) -> Result<Said, sqlx::Error> {
        let [id, at, sealed] = found else { return Err(unreadable("not as many parts as a turn has")) };
        let text = |it: &[u8]| String::from_utf8(it.to_vec()).map_err(|_| unreadable("no UTF-8"));
        let at: f64 = text(at)?.parse().map_err(|_| unreadable("no time"))?;
        let open = self.seal.open(sealed, &place(caller, &text(id)?));
        let open = open.map_err(|it| sqlx::Error::Decode(Box::new(it)))?;
        let kept: Kept = serde_json::from_str(&open).map_err(|_| unreadable("no turn"))?;
        let bytes = kept.messages.iter().map(String::len).fold(0, usize::saturating_add);
        let tokens = kept.messages.iter().map(|it| estimate::json_tokens(it)).fold(0, u64::saturating_add);
        Ok(Said {
            at: format!("{at:.0}").parse().map_err(|_| unreadable("no time"))?,
            results_first: kept.results_first,
            bytes: super::count(bytes),
            tokens: i64::try_from(tokens).unwrap_or(i64::MAX),
            messages: kept.messages,
        })
    }
}

fn keys<'a>(commands: &'a mut Pipeline, script: &str, name: &str) -> &'a mut Pipeline {
    commands.cmd("EVAL").arg(script).arg(2).arg(name).arg(hash(name))
}

/// The sorted set of a session. What separates names and what Redis Cluster reads as a part to go by is escaped in them, so
/// that no two sessions have one name.
fn name(caller: &Caller, session: &str) -> String {
    let (project, user) = whose(caller);
    format!("{PREFIX}{{{}:{}:{}}}", escaped(project), escaped(user), escaped(session))
}

fn hash(name: &str) -> String {
    format!("{name}:turns")
}

fn escaped(text: &str) -> String {
    text.replace('%', "%25").replace(':', "%3A").replace('{', "%7B").replace('}', "%7D")
}

/// Where a turn is, for its seal.
fn place(caller: &Caller, turn: &str) -> String {
    let (project, user) = whose(caller);
    format!("{project}\0{user}\0{turn}\0session")
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn unavailable(why: &NoRedis) -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::other(format!("Redis, which keeps the sessions: {why}")))
}

fn unreadable(what: &'static str) -> sqlx::Error {
    sqlx::Error::Decode(format!("what Redis kept of a session is {what}").into())
}

#[cfg(test)]
mod tests;
