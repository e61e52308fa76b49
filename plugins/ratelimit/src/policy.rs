//! The decision and what is said about it. No proxy, no clock, no memory: all of it is an argument.

use crate::config::{Config, OnFailure};
use domain::{
    caller::Caller,
    quota::{FullAt, Left, Refused},
    reply::Reply,
    time::Micros,
};
use std::time::Duration;

/// OpenAI's headers of a request limit, which its clients read.
pub const LIMIT: &str = "x-ratelimit-limit-requests";
/// How many requests are left.
pub const REMAINING: &str = "x-ratelimit-remaining-requests";
/// In how long all are left again.
pub const RESET: &str = "x-ratelimit-reset-requests";

/// What an upstream says about the key that all callers share, which is none of a caller's business.
pub const UPSTREAMS_OWN: [&str; 6] =
    [LIMIT, REMAINING, RESET, "x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"];

/// A wait that is longer is no reason for a client to retry by itself: old SDKs would do so at once.
const WORTH_RETRYING: Duration = Duration::from_secs(60);

/// Where a counted caller stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    limit: u32,
    left: Left,
}

/// What becomes of a counted request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It passes.
    Pass(Standing),
    /// The caller's allowance is spent.
    Refuse(Reply),
}

/// Spends one of the caller's requests at `now`; the state to keep, if it changed, comes first.
#[must_use]
pub fn decide(config: &Config, caller: &Caller, state: FullAt, now: Micros) -> (Option<FullAt>, Verdict) {
    let quota = config.quota(caller.tier.as_deref());
    let limit = quota.burst();
    match quota.spend(state, now) {
        Ok((state, left)) => (Some(state), Verdict::Pass(Standing { limit, left })),
        Err(Refused { left, wait }) => {
            let message = format!("Rate limit reached: {quota}. Try again in {}.", go_duration(wait));
            (None, Verdict::Refuse(too_many(message, Standing { limit, left }, wait)))
        }
    }
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

/// What becomes of a request that could not be counted: `None` lets it pass.
#[must_use]
pub fn uncounted(on_failure: OnFailure) -> Option<Reply> {
    match on_failure {
        OnFailure::Allow => None,
        OnFailure::Deny => Some(
            Reply::new(503, "limiter_unavailable", "The gateway cannot count this request right now. Try again.")
                .header("retry-after", "1"),
        ),
    }
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

fn too_many(message: String, standing: Standing, wait: Duration) -> Reply {
    // RFC 9110, 10.2.3: whole seconds; rounded up, or the client would come too early.
    let seconds = wait.as_micros().div_ceil(1_000_000);
    let mut reply = Reply::new(429, "rate_limit_exceeded", message)
        .header("retry-after", seconds.to_string())
        .header("retry-after-ms", wait.as_micros().div_ceil(1_000).to_string());
    if wait > WORTH_RETRYING {
        reply = reply.header("x-should-retry", "false");
    }
    reply.headers.extend(standing.headers());
    reply
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
mod tests {
    use super::*;

    fn config() -> Config {
        let json = br#"{"default": {"requests": 1, "per": 10}, "tiers": {
            "pro": {"requests": 3, "per": 10}, "trial": {"requests": 1, "per": "hour"}}}"#;
        Config::parse(json).unwrap()
    }

    fn ask(tier: Option<&str>, state: FullAt) -> (Option<FullAt>, Verdict) {
        let caller =
            Caller { project: "p".into(), user: "ada".into(), tier: tier.map(Into::into), ..Caller::default() };
        decide(&config(), &caller, state, Micros(0))
    }

    /// Statuses of `n` requests of a caller of `tier`, all at once.
    fn check(tier: Option<&str>, n: usize) -> Vec<u16> {
        let mut state = FullAt::default();
        let one = |_| {
            let (next, verdict) = ask(tier, state);
            state = next.unwrap_or(state);
            match verdict {
                Verdict::Pass(_) => 200,
                Verdict::Refuse(reply) => reply.status,
            }
        };
        (0..n).map(one).collect()
    }

    fn refused(tier: Option<&str>) -> Reply {
        let (state, _) = ask(tier, FullAt::default());
        match ask(tier, state.unwrap()) {
            (None, Verdict::Refuse(reply)) => reply,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_tier_sets_the_quota() {
        assert_eq!(check(Some("pro"), 4), [200, 200, 200, 429]);
    }

    #[test]
    fn a_tier_without_a_quota_gets_the_default() {
        assert_eq!(check(Some("free"), 2), [200, 429]);
        assert_eq!(check(None, 2), [200, 429]);
    }

    #[test]
    fn a_caller_is_told_where_it_stands() {
        let (_, Verdict::Pass(standing)) = ask(Some("pro"), FullAt::default()) else { panic!() };
        let headers = standing.headers().map(|(name, value)| format!("{name}: {value}"));
        let want = [
            "x-ratelimit-limit-requests: 3",
            "x-ratelimit-remaining-requests: 2",
            "x-ratelimit-reset-requests: 3.334s",
        ];
        assert_eq!(headers, want);
    }

    #[test]
    fn a_refusal_says_when_to_come_again() {
        let reply = refused(None);
        assert_eq!((reply.status, reply.code), (429, "rate_limit_exceeded"));
        assert_eq!(reply.message, "Rate limit reached: 1 request per 10 seconds. Try again in 10s.");
        let want = [("retry-after", "10"), ("retry-after-ms", "10000"), (LIMIT, "1"), (REMAINING, "0"), (RESET, "10s")];
        assert_eq!(reply.headers, want.map(|(name, value)| (name, value.to_owned())));
    }

    #[test]
    fn a_long_wait_is_not_to_be_retried() {
        assert!(refused(Some("trial")).headers.contains(&("x-should-retry", "false".to_owned())));
    }

    #[test]
    fn without_a_count_the_operator_chose() {
        assert_eq!(uncounted(OnFailure::Allow), None);
        assert_eq!(uncounted(OnFailure::Deny).unwrap().status, 503);
        assert_eq!(nobody().status, 401);
    }

    #[test]
    fn durations_are_written_as_go_writes_them() {
        for (micros, want) in [
            (0, "0s"),
            (1, "1ms"),
            (12_000, "12ms"),
            (999_001, "1s"),
            (1_000_000, "1s"),
            (1_500_000, "1.5s"),
            (8_640_000, "8.64s"),
            (60_000_000, "1m0s"),
            (72_345_000, "1m12.345s"),
            (360_000_000, "6m0s"),
            (3_600_000_000, "1h0m0s"),
            (86_400_000_000, "24h0m0s"),
        ] {
            assert_eq!(go_duration(Duration::from_micros(micros)), want);
        }
    }
}
