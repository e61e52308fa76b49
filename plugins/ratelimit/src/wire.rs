//! What is said between a gateway and the companion about leases: `POST /internal/v1/leases`.

use crate::{
    lease::{Ask, Granted},
    rules::Charge,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Where leases are asked for.
pub const PATH: &str = "/internal/v1/leases";
/// How many questions go together at the most.
pub const MAX_LEASES: usize = 256;

#[derive(Serialize)]
struct Question<'a> {
    node: &'a str,
    leases: Vec<Wanted<'a>>,
}

#[derive(Serialize)]
struct Wanted<'a> {
    limit: &'a str,
    key: &'a [String],
    requests: u32,
    per_seconds: u32,
    burst: u32,
    need: u32,
    want: u32,
    returned: Vec<Returned>,
}

#[derive(Serialize)]
struct Returned {
    slice: u64,
    count: u32,
}

#[derive(Deserialize)]
struct Leases {
    leases: Vec<Lease>,
}

#[derive(Deserialize)]
struct Lease {
    granted: u32,
    valid_ms: u64,
    slice: u64,
    wait_ms: u64,
    remaining: u32,
}

/// What became of a question.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered, each lease in turn.
    Answered(Vec<Granted>),
    /// The companion does not take such a question; others it may.
    Refused,
    /// The companion is away or out of order.
    Failed,
}

/// The question as it travels.
#[must_use]
pub fn question(node: &str, asked: &[(Charge, Ask)]) -> Vec<u8> {
    let returned = |(slice, count): &(u64, u32)| Returned { slice: *slice, count: *count };
    let leases = asked.iter().map(|(charge, ask)| Wanted {
        limit: &charge.rule.limit.name,
        key: &charge.key,
        requests: charge.quota.requests(),
        per_seconds: charge.quota.seconds(),
        burst: charge.quota.burst(),
        need: ask.need,
        want: ask.want,
        returned: ask.returned.iter().map(returned).collect(),
    });
    // Texts and numbers always serialise; the default can not be reached.
    serde_json::to_vec(&Question { node, leases: leases.collect() }).unwrap_or_default()
}

/// Reads an answer to `asked`.
#[must_use]
pub fn answer(status: u16, body: &[u8], asked: &[(Charge, Ask)]) -> Outcome {
    match status {
        200 => {}
        400 | 413 | 422 => return Outcome::Refused,
        _ => return Outcome::Failed,
    }
    let Ok(Leases { leases }) = serde_json::from_slice(body) else { return Outcome::Failed };
    // More than was asked for is no lease that the companion would have given.
    let good = |((_, ask), lease): (&(Charge, Ask), &Lease)| lease.granted <= ask.want;
    if leases.len() != asked.len() || !asked.iter().zip(&leases).all(good) {
        return Outcome::Failed;
    }
    let granted = leases.into_iter().zip(asked).map(|(it, (charge, _))| {
        // Nobody waits for longer than a window and a little.
        let longest = u64::from(charge.quota.seconds()).saturating_mul(1_000).saturating_add(10_000);
        Granted {
            count: it.granted,
            valid: Duration::from_millis(it.valid_ms),
            slice: it.slice,
            wait: Duration::from_millis(it.wait_ms.min(longest)),
            remaining: it.remaining,
        }
    });
    Outcome::Answered(granted.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::Config,
        rules::{Rules, Subject, Table},
    };
    use domain::{caller::Caller, slots::Seed, time::Micros};
    use serde_json::{Value, json};
    use std::num::NonZeroU32;

    /// A question about a user of project `p1` whose tier is `pro`.
    fn asked() -> Vec<(Charge, Ask)> {
        let config = json!({
            "limits": [{"name": "user", "key": "user", "scope": "fleet", "tiers": {"pro": {"requests": 9, "per": "minute", "burst": 3}}}],
            "companion": {"cluster": "c", "secret": {"value": "s"}}
        });
        let rules = Rules::new(&Config::parse(config.to_string().as_bytes()).unwrap());
        let ada = Caller { project: "p1".into(), user: "ada".into(), tier: Some("pro".into()), ..Caller::default() };
        let table = Table { seed: Seed::new([7; 16]), slots: NonZeroU32::MIN };
        let subject = Subject { caller: Some(&ada), address: None, model: None };
        let charge = rules.of(None)[0].charge(subject, &table).unwrap();
        vec![(charge, Ask { at: Micros(5), need: 1, want: 4, returned: vec![(7, 2)] })]
    }

    #[test]
    fn a_question_says_whose_limit_and_how_much() {
        let question: Value = serde_json::from_slice(&question("0123456789abcdef", &asked())).unwrap();
        let want = json!({"node": "0123456789abcdef", "leases": [{
            "limit": "user", "key": ["", "pro", "p1", "ada"], "requests": 9, "per_seconds": 60, "burst": 3,
            "need": 1, "want": 4, "returned": [{"slice": 7, "count": 2}]
        }]});
        assert_eq!(question, want);
    }

    #[test]
    fn an_answer_is_believed_only_when_it_fits_the_question() {
        let check = |status, body: &str| match answer(status, body.as_bytes(), &asked()) {
            Outcome::Answered(granted) => granted.iter().map(|it| it.count.to_string()).collect::<Vec<_>>().join(" "),
            other => format!("{other:?}"),
        };
        let lease = |granted: u32| {
            format!(r#"{{"granted":{granted},"valid_ms":1,"slice":1,"wait_ms":0,"remaining":0,"more":1}}"#)
        };
        let leases = |all: &[u32]| {
            format!(r#"{{"leases":[{}]}}"#, all.iter().map(|it| lease(*it)).collect::<Vec<_>>().join(","))
        };
        assert_eq!(check(200, &leases(&[4])), "4");
        assert_eq!(check(200, &leases(&[0])), "0");
        for wrong in [
            leases(&[5]),
            leases(&[]),
            leases(&[1, 1]),
            "{}".into(),
            "\u{fffd}".into(),
            String::new(),
            "[".repeat(9999),
        ] {
            assert_eq!(check(200, &wrong), "Failed");
        }
        for (status, want) in [(400, "Refused"), (401, "Failed"), (404, "Failed"), (500, "Failed"), (204, "Failed")] {
            assert_eq!(check(status, &leases(&[1])), want, "{status}");
        }
    }

    #[test]
    fn no_wait_is_longer_than_a_window_and_a_little() {
        let body = r#"{"leases":[{"granted":0,"valid_ms":18446744073709551615,"slice":0,"wait_ms":18446744073709551615,"remaining":0}]}"#;
        let Outcome::Answered(granted) = answer(200, body.as_bytes(), &asked()) else { panic!() };
        assert_eq!(granted[0].wait, Duration::from_secs(70));
    }
}
