//! What a gateway sends and gets when it asks for leases.

use super::{Answer, Ask, Keeper, Limit};
use crate::clock::Clock;
use crate::failure::Failure;
use crate::metrics::{Count, Metrics};
use crate::names::Name;
use crate::random::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::num::NonZeroU32;

/// Questions of one request.
const MAX_LEASES: usize = 256;
/// What one question may bring back.
const MAX_RETURNED: usize = 256;
/// The largest limit and the longest window (a year): all numbers of the rule stay below 2^53.
const MAX_REQUESTS: u32 = u32::MAX;
const MAX_SECONDS: u32 = 366 * 86_400;
/// Parts of a key, and the bytes of one.
const MAX_KEY_PARTS: usize = 16;
const MAX_PART_BYTES: usize = 2048;
/// Of a key's digest, what stands in its id.
const ID_BYTES: usize = 16;

/// Questions for leases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "RateLeaseQuestions"))]
pub(crate) struct Question {
    /// The gateway, 16 hexadecimal digits.
    node: String,
    /// 1 to 256.
    leases: Vec<Wanted>,
}

/// One question.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "RateLeaseQuestion"))]
struct Wanted {
    /// The limit's name.
    limit: String,
    /// Whose allowance it is.
    key: Vec<String>,
    /// How many requests a window may hold.
    requests: u32,
    /// The window, at most 366 days.
    per_seconds: u32,
    /// How many may come at once.
    burst: u32,
    /// The least that is of use.
    need: u32,
    /// The most that is of use; at least `need`.
    want: u32,
    /// What was granted before and will not be spent. To be sent once, whether an answer comes or not.
    #[serde(default)]
    returned: Vec<Returned>,
}

/// Something that was granted and not spent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "RateLeaseReturned"))]
struct Returned {
    /// The slice that came with the grant.
    slice: u64,
    /// How many of it.
    count: u32,
}

/// The answers, in the order of the questions.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "RateLeases"))]
pub(crate) struct Leases {
    leases: Vec<Lease>,
}

/// One answer.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "RateLease"))]
struct Lease {
    /// How many requests may be let by.
    granted: u32,
    /// For how long, from the moment of the question.
    valid_ms: u64,
    /// By which they are returned.
    slice: u64,
    /// When nothing is granted: before so many milliseconds asking again is in vain.
    wait_ms: u64,
    /// What is left to others.
    remaining: u32,
}

/// Answers a gateway.
///
/// # Errors
/// 400 when the question is none, 503 when whoever keeps the allowances does not answer.
pub(crate) async fn lease(
    keeper: &Keeper,
    clock: &Clock,
    metrics: &Metrics,
    question: Question,
) -> Result<Leases, Failure> {
    let asks = question.asks()?;
    let answers = keeper.grant(&asks, clock).await;
    if answers.is_err() && matches!(keeper, Keeper::Redis(..)) {
        metrics.count(Count::RedisError);
    }
    let answers = answers?;
    for answer in &answers {
        metrics.count(if answer.granted > 0 { Count::RateLeaseGranted } else { Count::RateLeaseRefused });
    }
    let leases = asks.iter().zip(answers).map(|((_, ask), answer)| Lease::new(ask, answer)).collect();
    Ok(Leases { leases })
}

impl Question {
    /// Each allowance's id, and what is asked of it.
    fn asks(self) -> Result<Vec<(String, Ask)>, Failure> {
        if self.node.len() != 16 || !self.node.bytes().all(|it| it.is_ascii_hexdigit()) {
            return Err(Failure::invalid("node", "expected 16 hexadecimal digits"));
        }
        let count = self.leases.len();
        if !(1..=MAX_LEASES).contains(&count) {
            return Err(Failure::invalid("leases", format!("expected 1 to {MAX_LEASES} questions, found {count}")));
        }
        self.leases.into_iter().enumerate().map(|(nth, wanted)| wanted.ask(&format!("leases[{nth}]"))).collect()
    }
}

impl Wanted {
    fn ask(self, path: &str) -> Result<(String, Ask), Failure> {
        let member = |name: &str| format!("{path}.{name}");
        let number = |name: &str, found: u32, most: u32| match NonZeroU32::new(found).filter(|it| it.get() <= most) {
            Some(number) => Ok(number),
            None => {
                Err(Failure::invalid(&member(name), format!("expected an integer from 1 to {most}, found {found}")))
            }
        };
        let limit = Limit {
            requests: number("requests", self.requests, MAX_REQUESTS)?,
            seconds: number("per_seconds", self.per_seconds, MAX_SECONDS)?,
            burst: number("burst", self.burst, u32::MAX)?,
        };
        let name = Name::try_from(self.limit).map_err(|it| Failure::name(&member("limit"), &it))?;
        // Who wants nothing brings something back.
        if self.want > 0 || self.returned.is_empty() {
            number("need", self.need, u32::MAX)?;
        }
        if self.want < self.need {
            let what = format!("expected at least `need`, which is {}, found {}", self.need, self.want);
            return Err(Failure::invalid(&member("want"), what));
        }
        if self.key.len() > MAX_KEY_PARTS || self.key.iter().any(|it| it.len() > MAX_PART_BYTES) {
            let what = format!("expected at most {MAX_KEY_PARTS} texts of at most {MAX_PART_BYTES} bytes");
            return Err(Failure::invalid(&member("key"), what));
        }
        if self.returned.len() > MAX_RETURNED {
            let what = format!("expected at most {MAX_RETURNED}, found {}", self.returned.len());
            return Err(Failure::invalid(&member("returned"), what));
        }
        let returned = self.returned.into_iter().map(|it| (it.slice, it.count)).collect();
        Ok((id(&name, limit, &self.key), Ask { limit, need: self.need, want: self.want, returned }))
    }
}

impl Lease {
    fn new(ask: &Ask, answer: Answer) -> Self {
        let Answer { granted, slice, wait_ms, remaining } = answer;
        Self { granted, valid_ms: ask.limit.valid_ms(), slice, wait_ms, remaining }
    }
}

/// What an allowance is kept under. The window is in it, as slices of another length mean nothing to this
/// one; how many requests it holds is not, so a limit that is raised goes on from where it was. Whose it
/// is cannot be read.
fn id(name: &Name, limit: Limit, key: &[String]) -> String {
    let mut digest = Sha256::new_with_prefix(limit.seconds.get().to_be_bytes());
    for part in key {
        // With its length, so that no two keys are the same bytes.
        digest.update(part.len().to_be_bytes());
        digest.update(part);
    }
    format!("{}:{}", name.as_str(), hex(digest.finalize().get(..ID_BYTES).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn good() -> Value {
        json!({"limit": "user", "key": ["p1", "ada"], "requests": 100, "per_seconds": 60, "burst": 100, "need": 1, "want": 8,
            "returned": [{"slice": 7, "count": 3}]})
    }

    fn check(changes: Value) -> Result<(String, Ask), String> {
        let mut wanted = good();
        wanted.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let question = json!({"node": "0123456789abcdef", "leases": [good(), wanted]});
        let question: Question = serde_json::from_value(question).map_err(|it| it.to_string())?;
        question.asks().map(|mut it| it.pop().unwrap()).map_err(|it| it.0.message)
    }

    #[test]
    fn a_question_names_what_is_wrong_with_it() {
        for (changes, message) in [
            (json!({"requests": 0}), "`leases[1].requests`: expected an integer from 1 to 4294967295, found 0"),
            (
                json!({"per_seconds": 31_622_401}),
                "`leases[1].per_seconds`: expected an integer from 1 to 31622400, found 31622401",
            ),
            (json!({"burst": 0}), "`leases[1].burst`: expected an integer from 1 to 4294967295, found 0"),
            (json!({"need": 0}), "`leases[1].need`: expected an integer from 1 to 4294967295, found 0"),
            (
                json!({"need": 0, "want": 0, "returned": []}),
                "`leases[1].need`: expected an integer from 1 to 4294967295, found 0",
            ),
            (json!({"need": 9}), "`leases[1].want`: expected at least `need`, which is 9, found 8"),
            (json!({"limit": ""}), "`leases[1].limit`: expected 1 to 255 visible characters, found an empty text"),
            (json!({"key": vec![""; 17]}), "`leases[1].key`: expected at most 16 texts of at most 2048 bytes"),
            (json!({"key": ["x".repeat(2049)]}), "`leases[1].key`: expected at most 16 texts of at most 2048 bytes"),
        ] {
            assert_eq!(check(changes.clone()), Err(message.to_owned()), "{changes}");
        }
        for changes in [
            json!({"requests": "1"}),
            json!({"requests": -1}),
            json!({"want": 1.5}),
            json!({"more": 1}),
            json!({"key": "ada"}),
        ] {
            assert!(check(changes.clone()).is_err(), "{changes}");
        }
        let (_, ask) = check(json!({"need": 0, "want": 0})).unwrap();
        assert_eq!((ask.needed(), ask.returned), (0, vec![(7, 3)]));
        let (_, ask) = check(json!({})).unwrap();
        assert_eq!((ask.need, ask.want, ask.returned), (1, 8, vec![(7, 3)]));
    }

    #[test]
    fn a_key_is_one_allowance_and_cannot_be_read_from_its_id() {
        let id = |changes: Value| check(changes).unwrap().0;
        let plain = id(json!({}));
        assert!(plain.starts_with("user:") && plain.len() == 37 && !plain.contains("ada"), "{plain}");
        // Raised, it is the same one.
        assert_eq!(id(json!({"requests": 200, "burst": 7})), plain);
        for other in [
            json!({"limit": "project"}),
            json!({"per_seconds": 61}),
            json!({"key": ["p1ada"]}),
            json!({"key": ["p1a", "da"]}),
            json!({"key": ["p1", "ada", ""]}),
            json!({"key": []}),
        ] {
            assert_ne!(id(other.clone()), plain, "{other}");
        }
    }
}
