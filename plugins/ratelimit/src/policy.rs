//! The decision and what is said about it. No proxy, no clock, no memory: all of it is an argument.

use crate::rules::{Charge, Rule};
use domain::{
    mode::{Mode, OnFailure},
    quota::{FullAt, Left, Quota, Refused},
    reply::Reply,
    slots::Slot,
    time::Micros,
};
use std::{cmp::Reverse, rc::Rc, time::Duration};

/// OpenAI's headers of a request limit, which its clients read.
pub const LIMIT: &str = "x-ratelimit-limit-requests";
/// How many requests are left.
pub const REMAINING: &str = "x-ratelimit-remaining-requests";
/// In how long all are left again.
pub const RESET: &str = "x-ratelimit-reset-requests";

/// What an upstream says about the requests of the key that all callers share, which is none of a caller's business.
pub const UPSTREAMS_REQUESTS: [&str; 3] = [LIMIT, REMAINING, RESET];
/// What it says about tokens.
pub const UPSTREAMS_TOKENS: [&str; 3] =
    ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"];

/// A wait that is longer is no reason for a client to retry by itself: old SDKs would do so at once.
const WORTH_RETRYING: Duration = Duration::from_secs(60);

/// Where a counted caller stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The whole allowance.
    pub limit: u32,
    /// What is left of it.
    pub left: Left,
}

/// A limit that has no room for a request.
#[derive(Debug, Clone)]
pub struct Full {
    /// The limit.
    pub rule: Rc<Rule>,
    /// Its numbers for this caller.
    pub quota: Quota,
    /// Where the caller stands.
    pub standing: Standing,
    /// In how long there is room again.
    pub wait: Duration,
}

/// What a slot's limits say to a request.
#[derive(Debug, Default)]
pub struct Tally {
    /// The slot with the request counted; `None` when nothing is to be written.
    pub bytes: Option<Vec<u8>>,
    /// What each limit that counted it has kept, in the order of the charges; `None` for one in shadow that is full.
    pub spent: Vec<Option<FullAt>>,
    /// Where the caller stands with those that hold.
    pub standings: Vec<Standing>,
    /// The limits in shadow that would have refused.
    pub shadowed: Vec<Full>,
    /// The limits that refuse; if there are any, nothing is to be written.
    pub full: Vec<Full>,
}

/// Counts one request by all of `charges`, whose counts are in the slot `bytes`, or by none of them.
#[must_use]
pub fn spend(bytes: &[u8], charges: &[Charge], now: Micros) -> Tally {
    let (mut slot, mut tally) = (Slot::<FullAt>::read(bytes), Tally::default());
    for charge in charges {
        let enforced = charge.rule.limit.mode == Mode::Enforce;
        let standing = |left| Standing { limit: charge.quota.burst(), left };
        match charge.quota.spend(slot.get(charge.place), now) {
            Ok((state, left)) => {
                slot.put(charge.place, state, now);
                tally.spent.push(Some(state));
                if enforced {
                    tally.standings.push(standing(left));
                }
            }
            Err(Refused { left, wait }) => {
                let (rule, quota) = (Rc::clone(&charge.rule), charge.quota);
                let full = Full { rule, quota, standing: standing(left), wait };
                tally.spent.push(None);
                if enforced { tally.full.push(full) } else { tally.shadowed.push(full) }
            }
        }
    }
    if tally.full.is_empty() && tally.spent.iter().any(Option::is_some) {
        tally.bytes = Some(slot.bytes());
    }
    tally
}

/// Gives back what a request spent: each charge, and what was kept when it was spent.
#[must_use]
pub fn give_back(bytes: &[u8], spent: &[(Charge, FullAt)], now: Micros) -> Vec<u8> {
    let mut slot = Slot::<FullAt>::read(bytes);
    for (charge, state) in spent {
        let found = slot.get(charge.place);
        // An entry that is gone owes nothing, and giving back would only put another's place at risk.
        if found != FullAt::default() {
            slot.put(charge.place, charge.quota.refund(found, *state, now), now);
        }
    }
    slot.bytes()
}

/// The standing that a client should mind: where the fewest requests are left, and for the longest time.
#[must_use]
pub fn tightest(standings: impl IntoIterator<Item = Standing>) -> Option<Standing> {
    standings.into_iter().min_by_key(|it| (it.left.remaining, Reverse(it.left.reset)))
}

/// The answer to a request that limits refuse. It names them in their order, and asks to wait until all have room.
#[must_use]
pub fn too_many(full: &[Full]) -> Reply {
    let names: Vec<String> = full.iter().map(|it| format!("{}, {}", it.rule.limit.name, it.quota)).collect();
    let wait = full.iter().map(|it| it.wait).max().unwrap_or_default();
    let message = format!("Rate limit reached: {}. Try again in {}.", names.join("; "), go_duration(wait));
    // RFC 9110, 10.2.3: whole seconds; rounded up, or the client would come too early.
    let seconds = wait.as_micros().div_ceil(1_000_000);
    let mut reply = Reply::new(429, "rate_limit_exceeded", message)
        .header("retry-after", seconds.to_string())
        .header("retry-after-ms", wait.as_micros().div_ceil(1_000).to_string());
    if wait > WORTH_RETRYING {
        reply = reply.header("x-should-retry", "false");
    }
    let standing = tightest(full.iter().map(|it| it.standing));
    reply.headers.extend(standing.iter().flat_map(Standing::headers));
    reply
}

/// The answer to a request that nobody vouches for.
#[must_use]
pub fn nobody() -> Reply {
    Reply::new(
        401,
        "invalid_api_key",
        "This request has no verified caller, so it cannot be counted. Operators: is the auth filter in front of \
         ratelimit, or should ratelimit's `trust` be \"headers\"?",
    )
}

/// Whether a request must not pass that a limit could not count.
#[must_use]
pub fn denies_uncounted(rule: &Rule) -> bool {
    rule.limit.mode == Mode::Enforce && rule.limit.on_failure == OnFailure::Deny
}

/// The answer to such a request.
#[must_use]
pub fn unavailable() -> Reply {
    Reply::new(503, "limiter_unavailable", "The gateway cannot count this request right now. Try again.")
        .header("retry-after", "1")
}

impl Standing {
    /// The headers that tell a client where it stands.
    #[must_use]
    pub fn headers(&self) -> [(&'static str, String); 3] {
        [
            (LIMIT, self.limit.to_string()),
            (REMAINING, self.left.remaining.to_string()),
            (RESET, go_duration(self.left.reset)),
        ]
    }
}

/// A length of time as Go's `time.Duration` prints it, which is what OpenAI sends and clients parse:
/// `12ms`, `1s`, `1.5s`, `6m0s`. In milliseconds, rounded up.
fn go_duration(span: Duration) -> String {
    let all_millis = span.as_micros().div_ceil(1_000);
    let (all_seconds, millis) = (all_millis / 1_000, all_millis % 1_000);
    if all_seconds == 0 && millis > 0 {
        return format!("{millis}ms");
    }
    let (all_minutes, seconds) = (all_seconds / 60, all_seconds % 60);
    let (hours, minutes) = (all_minutes / 60, all_minutes % 60);
    let fraction = format!(".{millis:03}");
    let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
    match (hours, minutes) {
        (0, 0) => format!("{seconds}{fraction}s"),
        (0, minutes) => format!("{minutes}m{seconds}{fraction}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}{fraction}s"),
    }
}

#[cfg(test)]
mod tests;
