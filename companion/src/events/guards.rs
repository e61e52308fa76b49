//! What gateways tell: what guards found in requests and answers.

use super::wire::{self, Taken};
use super::{Event, Kind};
use crate::failure::Failure;
use crate::usage::Db;
use domain::time::Micros;
use guardrails::event::Event as Told;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// A report.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "GuardrailReport"))]
pub(crate) struct Report {
    /// In any order. Each is looked at by itself, so that one that is wrong is the only one refused.
    #[cfg_attr(test, schemars(with = "Vec<Told>"))]
    events: Vec<Box<RawValue>>,
}

/// Writes down what a gateway tells at `now`.
///
/// # Errors
/// 400 when it is no report, 503 when the database does not answer; then nothing is written.
pub(crate) async fn take(db: &Db, now: Micros, report: Report) -> Result<Taken, Failure> {
    wire::record_all(db, &report.events, |it| event(it, now)).await
}

/// `None` when it is no event.
fn event(json: &RawValue, now: Micros) -> Option<Event> {
    let told: Told = serde_json::from_str(json.get()).ok()?;
    told.is_one().then_some(())?;
    let event = Event::known(told.id, Kind::Guard(told.r#type), Micros(told.at).min(now), now);
    let event = event.about(&told.user_id).with("tenant_id", told.tenant_id);
    let event = event.with("project_id", told.project_id).with("request_id", told.request_id);
    let event = event.with("direction", told.direction.name()).with("mode", told.mode.name());
    let event = event.with("action_taken", told.action_taken.name());
    let event = event.with("entity_types", Value::from(told.entity_types)).with("entity_count", told.entity_count);
    let score = told.score.map(|it| format!("{it:.3}")).unwrap_or_default();
    Some(event.with("model", told.model).with("rule", told.rule).with("score", score))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::store::outbox;
    use crate::usage::testing::both;
    use serde_json::json;

    const NOW: Micros = Micros(1_800_000_000_000_000);

    fn good(nth: u32) -> Value {
        json!({"id": format!("e_{nth:032x}"), "type": "pii_block", "at": NOW.0 - 1, "tenant_id": "acme", "project_id": "p1",
            "user_id": "ada", "request_id": "r1", "model": "openai/gpt-4o", "direction": "input", "mode": "enforce",
            "action_taken": "blocked", "entity_types": ["credit_card", "email"], "entity_count": 3, "rule": "credit_card.luhn", "score": null})
    }

    async fn told(db: &Db, events: &[Value]) -> (u64, u64, u64) {
        let report = serde_json::from_value(json!({"events": events})).unwrap();
        let Taken { stored, known, refused } = take(db, NOW, report).await.unwrap();
        (stored, known, refused)
    }

    #[tokio::test]
    async fn what_a_guard_found_is_written_down_once_as_a_flat_map_without_the_users_name() {
        for scratch in both().await {
            assert_eq!(told(&scratch.db, &[good(1), good(1)]).await, (1, 1, 0));
            assert_eq!(told(&scratch.db, &[good(1)]).await, (0, 1, 0));
            let [row] = outbox::list(&scratch.db, Some("pii_block"), None, 10).await.unwrap().try_into().unwrap();
            let event: Value = serde_json::from_str(&row.fields).unwrap();
            let hash = event["user_hash"].as_str().unwrap();
            assert_eq!((hash.len(), hash == "ada"), (32, false));
            assert_eq!(
                event,
                json!({"id": "e_00000000000000000000000000000001", "type": "pii_block", "schema_version": "1",
                    "timestamp": "2027-01-15T07:59:59.999Z", "tenant_id": "acme", "project_id": "p1", "user_hash": hash,
                    "request_id": "r1", "model": "openai/gpt-4o", "direction": "input", "mode": "enforce", "action_taken": "blocked",
                    "entity_types": "[\"credit_card\",\"email\"]", "entity_count": "3", "rule": "credit_card.luhn", "score": ""})
            );
        }
    }

    #[tokio::test]
    async fn a_wrong_event_alone_is_refused() {
        for scratch in both().await {
            let mut events = vec![good(1)];
            for (member, wrong) in [
                ("id", json!("e_1")),
                ("type", json!("ratelimit.rejected")),
                ("at", json!(-1)),
                ("user_id", json!("a\0")),
                ("model", json!("x".repeat(1025))),
                ("direction", json!("up")),
                ("mode", json!("off")),
                ("action_taken", json!("seen")),
                ("entity_types", json!("email")),
                ("entity_types", json!(["a\0"])),
                ("entity_count", json!(-1)),
                ("score", json!(1.5)),
            ] {
                let mut event = good(2);
                event[member] = wrong;
                events.push(event);
            }
            events.extend([json!("ada"), json!([])]);
            assert_eq!(told(&scratch.db, &events).await, (1, 0, 14));
        }
    }
}
