//! What gateways tell: requests that a rate limit refused.

use super::{Event, Kind, record};
use crate::failure::Failure;
use crate::usage::Db;
use domain::time::Micros;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Events of one report.
const MAX_EVENTS: usize = 1024;
/// The longest text in an event, in bytes.
const TEXT_BYTES: usize = 1024;

/// A report.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "EventReport"))]
pub(crate) struct Report {
    /// In any order. Each is looked at by itself, so that one that is wrong is the only one refused.
    #[cfg_attr(test, schemars(with = "Vec<Rejected>"))]
    events: Vec<Box<RawValue>>,
}

/// Requests that a limit refused, told of by one of them.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "RejectedEvent"))]
pub(crate) struct Rejected {
    /// `e_` and 32 hexadecimal digits; a second one with the same id changes nothing.
    id: String,
    /// `ratelimit.rejected`.
    r#type: String,
    /// When, in microseconds since 1970.
    at: u64,
    /// Whose request it was; a user's name is hashed and forgotten.
    #[serde(default)]
    tenant_id: Option<String>,
    #[serde(default)]
    project_id: Option<String>,
    #[serde(default)]
    user_id: Option<String>,
    /// The limit that refused.
    limit: String,
    /// What the limit counts by, such as `user`.
    #[serde(default)]
    key_kind: Option<String>,
    /// The gateway's id of the request.
    #[serde(default)]
    request_id: Option<String>,
    /// How many refusals this one stands for.
    #[serde(default = "one")]
    sampled: u64,
}

fn one() -> u64 {
    1
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "EventsTaken"))]
pub(crate) struct Taken {
    /// New events.
    pub(crate) stored: u64,
    /// Events that were there already.
    pub(crate) known: u64,
    /// Events that are not what they should be; they were left out.
    pub(crate) refused: u64,
}

/// Writes down what a gateway tells at `now`.
///
/// # Errors
/// 400 when it is no report, 503 when the database does not answer; then nothing is written.
pub(crate) async fn take(db: &Db, now: Micros, report: Report) -> Result<Taken, Failure> {
    record_all(db, &report.events, |it| event(it, now)).await
}

/// Writes down those of `told` that `read` makes an event of.
///
/// # Errors
/// 400 when there are too many, 503 when the database does not answer; then nothing is written.
pub(super) async fn record_all(
    db: &Db,
    told: &[Box<RawValue>],
    read: impl Fn(&RawValue) -> Option<Event>,
) -> Result<Taken, Failure> {
    let count = told.len();
    if count > MAX_EVENTS {
        return Err(Failure::invalid("events", format!("expected at most {MAX_EVENTS}, found {count}")));
    }
    let events: Vec<Event> = told.iter().filter_map(|it| read(it)).collect();
    let refused = u64::try_from(count.saturating_sub(events.len())).unwrap_or(u64::MAX);
    if refused > 0 {
        tracing::error!(refused, "events that are not what they should be were left out");
    }
    let (mut stored, mut known) = (0_u64, 0_u64);
    Db::bounded(async {
        let mut tx = db.write().await?;
        for event in &events {
            let new = record(&mut tx, event).await?;
            let count = if new { &mut stored } else { &mut known };
            *count = count.saturating_add(1);
        }
        tx.commit().await
    })
    .await?;
    Ok(Taken { stored, known, refused })
}

/// `None` when it is no event.
fn event(json: &RawValue, now: Micros) -> Option<Event> {
    let told: Rejected = serde_json::from_str(json.get()).ok()?;
    told.is_one().then_some(())?;
    let text = Option::unwrap_or_default;
    let event = Event::known(told.id, Kind::RatelimitRejected, Micros(told.at).min(now), now);
    let event = event.about(&text(told.user_id)).with("tenant_id", text(told.tenant_id));
    let event = event.with("project_id", text(told.project_id)).with("request_id", text(told.request_id));
    let event = event.with("limit", told.limit).with("key_kind", text(told.key_kind));
    Some(event.with("sampled", told.sampled))
}

impl Rejected {
    fn is_one(&self) -> bool {
        let is_id = |it: &str| it.len() == 32 && it.bytes().all(|it| it.is_ascii_hexdigit());
        let texts = [&self.tenant_id, &self.project_id, &self.user_id, &self.key_kind, &self.request_id];
        let mut texts = texts.into_iter().flatten().chain([&self.limit]);
        self.id.strip_prefix("e_").is_some_and(is_id)
            && self.r#type == Kind::RatelimitRejected.name()
            // PostgreSQL keeps no NUL.
            && texts.all(|it| it.len() <= TEXT_BYTES && !it.contains('\0'))
            && !self.limit.is_empty()
            && self.sampled > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::store::outbox;
    use crate::usage::testing::both;
    use serde_json::{Value, json};

    const NOW: Micros = Micros(1_800_000_000_000_000);

    fn good(nth: u32) -> Value {
        json!({"id": format!("e_{nth:032x}"), "type": "ratelimit.rejected", "at": NOW.0 - 1, "tenant_id": null, "project_id": "p1",
            "user_id": "ada", "limit": "user", "key_kind": "user", "request_id": "r1", "sampled": 10})
    }

    async fn told(db: &Db, events: &[Value]) -> (u64, u64, u64) {
        let report = serde_json::from_value(json!({"events": events})).unwrap();
        let Taken { stored, known, refused } = take(db, NOW, report).await.unwrap();
        (stored, known, refused)
    }

    #[tokio::test]
    async fn a_report_is_written_down_once_without_names_and_a_wrong_event_alone_is_refused() {
        for scratch in both().await {
            let mut events = vec![good(1), good(2)];
            assert_eq!(told(&scratch.db, &events).await, (2, 0, 0));
            for (member, wrong) in [
                ("id", json!("e_1")),
                ("id", json!(1)),
                ("type", json!("budget.threshold")),
                ("at", json!(-1)),
                ("at", json!("now")),
                ("user_id", json!("x".repeat(1025))),
                ("user_id", json!("a\0")),
                ("limit", json!("")),
                ("limit", Value::Null),
                ("sampled", json!(0)),
                ("sampled", json!(1.5)),
            ] {
                let mut event = good(3);
                event[member] = wrong;
                events.push(event);
            }
            events.extend([json!("ada"), json!([]), good(4)]);
            assert_eq!(told(&scratch.db, &events).await, (1, 2, 13));
            let rows = outbox::list(&scratch.db, None, None, 10).await.unwrap();
            assert_eq!(rows.len(), 3);
            for row in rows {
                // With its quotes: a hash may well have these three letters in it.
                assert!(!row.fields.contains("\"ada\""), "{}", row.fields);
                let event: Value = serde_json::from_str(&row.fields).unwrap();
                assert_eq!((event["project_id"].as_str(), event["tenant_id"].as_str()), (Some("p1"), Some("")));
                assert_eq!((event["sampled"].as_str(), event["user_hash"].as_str().unwrap().len()), (Some("10"), 32));
                assert_eq!(event["timestamp"], "2027-01-15T07:59:59.999Z");
            }
        }
    }
}
