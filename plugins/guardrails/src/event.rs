//! What is told of a request or an answer in which something was found: to the companion, and by it to whoever watches.
//!
//! The same type writes it in the gateway and reads it in the companion. It says what kind of thing it was, by which rule
//! and how sure; never the thing.

use domain::{caller::Caller, mode::Mode, time::Micros};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The longest text in an event, in bytes.
const TEXT_BYTES: usize = 1024;
/// The longest name of a model that is passed on, in bytes.
const MODEL_BYTES: usize = 256;
/// The most kinds of things that one event names; there are fewer.
const MOST_TYPES: usize = 256;

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "GuardrailEventType"))]
pub enum Kind {
    /// Personal data or secrets were found, and it went on.
    PiiDetection,
    /// Because of them it did not.
    PiiBlock,
    /// An attempt to take over the model was found, and it went on.
    InjectionDetection,
    /// Because of it, it did not.
    InjectionBlock,
}

/// Which of the two guards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// Personal data and secrets.
    Pii,
    /// Prompt injection.
    Sentinel,
}

/// Which way it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "GuardrailDirection"))]
pub enum Direction {
    /// To the model.
    Input,
    /// From it.
    Output,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "GuardrailAction"))]
pub enum Taken {
    /// It was refused, or an answer ended.
    Blocked,
    /// Something else stands in the place of what was found: a placeholder, a hash, or nothing.
    Masked,
    /// It went on as it was.
    Logged,
}

/// Whether the guard's word counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "GuardrailMode"))]
pub enum Holds {
    /// It does.
    Enforce,
    /// It is only said what would have been done.
    Shadow,
}

/// What one guard found in one direction of an exchange.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen<'a> {
    /// Who found it.
    pub guard: Guard,
    /// In what.
    pub direction: Direction,
    /// Its mode.
    pub mode: Mode,
    /// What was done.
    pub taken: Taken,
    /// The kinds of things, by their keys; in any order, also several times.
    pub types: Vec<&'a str>,
    /// How many things.
    pub count: u64,
    /// The rule that found the first, or weighed the most.
    pub rule: &'a str,
    /// How sure, 0 to 1; who looks for forms is not more or less sure.
    pub score: Option<f32>,
}

/// Whose exchange it was; what nobody knows is empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct Whose<'a> {
    /// The caller, if one is known.
    pub caller: Option<&'a Caller>,
    /// The gateway's id of the request.
    pub request: &'a str,
    /// The model as the request names it.
    pub model: &'a str,
}

/// An event on its way to the companion. The companion puts a hash in the place of the user's name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "GuardrailEvent"))]
pub struct Event {
    /// `e_` and 32 hexadecimal digits; a second one with the same id changes nothing.
    pub id: String,
    /// What kind of thing happened.
    pub r#type: Kind,
    /// When, in microseconds since 1970.
    pub at: u64,
    /// Whose request it was; a user's name is hashed and forgotten.
    #[serde(default)]
    pub tenant_id: String,
    /// See `tenant_id`.
    #[serde(default)]
    pub project_id: String,
    /// See `tenant_id`.
    #[serde(default)]
    pub user_id: String,
    /// The gateway's id of the request.
    #[serde(default)]
    pub request_id: String,
    /// The model as the request names it.
    #[serde(default)]
    pub model: String,
    /// Which way it went.
    pub direction: Direction,
    /// Whether the guard's word counts.
    pub mode: Holds,
    /// What was done.
    pub action_taken: Taken,
    /// The kinds of things, each once, sorted.
    pub entity_types: Vec<String>,
    /// How many things.
    pub entity_count: u64,
    /// The rule that found the first, or weighed the most.
    #[serde(default)]
    pub rule: String,
    /// How sure, 0 to 1, of those who weigh.
    #[serde(default)]
    pub score: Option<f32>,
}

impl Event {
    /// What was `seen` at `now`, under a name of its own; `None` when the guard is off.
    #[must_use]
    pub fn of(seen: &Seen, whose: Whose, id: String, now: Micros) -> Option<Self> {
        let mode = match seen.mode {
            Mode::Off => return None,
            Mode::Shadow => Holds::Shadow,
            Mode::Enforce => Holds::Enforce,
        };
        let of_caller = |field: fn(&Caller) -> &str| whose.caller.map(field).unwrap_or_default().to_owned();
        let types: BTreeSet<&str> = seen.types.iter().copied().collect();
        Some(Self {
            id,
            r#type: Kind::of(seen.guard, seen.taken),
            at: now.0,
            tenant_id: of_caller(|it| it.tenant.as_deref().unwrap_or_default()),
            project_id: of_caller(|it| &it.project),
            user_id: of_caller(|it| &it.user),
            request_id: harmless(whose.request),
            model: harmless(whose.model),
            direction: seen.direction,
            mode,
            action_taken: seen.taken,
            entity_types: types.into_iter().map(str::to_owned).collect(),
            entity_count: seen.count,
            rule: seen.rule.to_owned(),
            score: seen.score.filter(|it| it.is_finite()),
        })
    }

    /// Whether it is one that [`Event::of`] could have made: whoever takes events asks.
    #[must_use]
    pub fn is_one(&self) -> bool {
        let is_id = |it: &str| it.len() == 32 && it.bytes().all(|it| it.is_ascii_hexdigit());
        let texts =
            [&self.tenant_id, &self.project_id, &self.user_id, &self.request_id, &self.model, &self.rule].into_iter();
        let mut texts = texts.chain(&self.entity_types);
        self.id.strip_prefix("e_").is_some_and(is_id)
            // PostgreSQL keeps no NUL.
            && texts.all(|it| it.len() <= TEXT_BYTES && !it.contains('\0'))
            && self.entity_types.len() <= MOST_TYPES
            && self.score.is_none_or(|it| (0.0..=1.0).contains(&it))
    }
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::PiiDetection, Self::PiiBlock, Self::InjectionDetection, Self::InjectionBlock];

    const fn of(guard: Guard, taken: Taken) -> Self {
        match (guard, taken) {
            (Guard::Pii, Taken::Blocked) => Self::PiiBlock,
            (Guard::Pii, _) => Self::PiiDetection,
            (Guard::Sentinel, Taken::Blocked) => Self::InjectionBlock,
            (Guard::Sentinel, _) => Self::InjectionDetection,
        }
    }

    /// The name that readers know.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PiiDetection => "pii_detection",
            Self::PiiBlock => "pii_block",
            Self::InjectionDetection => "injection_detection",
            Self::InjectionBlock => "injection_block",
        }
    }
}

impl Direction {
    /// The name that readers know.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
        }
    }
}

impl Taken {
    /// The name that readers know.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Masked => "masked",
            Self::Logged => "logged",
        }
    }
}

impl Holds {
    /// The name that readers know.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Shadow => "shadow",
        }
    }
}

/// A text that the client chose, unless it is too long for a name or holds what must not be told.
fn harmless(text: &str) -> String {
    let is_name = text.len() <= MODEL_BYTES && !text.contains(char::is_control);
    // What proxies name requests by holds nothing, whatever its digits look like.
    let is_uuid = text.len() == 36 && text.bytes().all(|it| it.is_ascii_hexdigit() || it == b'-');
    let told = is_uuid || (is_name && pii::find(text, pii::Entities::ALL).is_empty());
    if told { text.to_owned() } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const ID: &str = "e_0123456789abcdef0123456789abcdef";

    fn ada() -> Caller {
        Caller { tenant: Some("acme".into()), project: "p1".into(), user: "ada".into(), ..Caller::default() }
    }

    fn seen(guard: Guard, mode: Mode, taken: Taken) -> Seen<'static> {
        let types = vec!["phone", "email", "phone"];
        Seen {
            guard,
            direction: Direction::Input,
            mode,
            taken,
            types,
            count: 3,
            rule: "phone.national",
            score: Some(0.5),
        }
    }

    fn check(seen: &Seen, whose: Whose) -> Option<Value> {
        let event = Event::of(seen, whose, ID.to_owned(), Micros(7))?;
        assert!(event.is_one());
        let written = serde_json::to_value(&event).unwrap();
        assert_eq!(serde_json::from_value::<Event>(written.clone()).unwrap(), event);
        Some(written)
    }

    #[test]
    fn an_event_says_what_kind_of_thing_it_was_and_whose_and_is_read_as_it_was_written() {
        let caller = ada();
        let whose = Whose { caller: Some(&caller), request: "r1", model: "openai/gpt-4o" };
        assert_eq!(
            check(&seen(Guard::Pii, Mode::Enforce, Taken::Masked), whose),
            Some(
                json!({"id": ID, "type": "pii_detection", "at": 7, "tenant_id": "acme", "project_id": "p1", "user_id": "ada",
                "request_id": "r1", "model": "openai/gpt-4o", "direction": "input", "mode": "enforce", "action_taken": "masked",
                "entity_types": ["email", "phone"], "entity_count": 3, "rule": "phone.national", "score": 0.5})
            )
        );
        assert_eq!(check(&seen(Guard::Pii, Mode::Off, Taken::Masked), whose), None);
        let nobodys = check(&seen(Guard::Pii, Mode::Shadow, Taken::Logged), Whose::default()).unwrap();
        assert_eq!((&nobodys["user_id"], &nobodys["mode"]), (&json!(""), &json!("shadow")));
    }

    #[test]
    fn its_type_is_of_the_guard_and_of_what_was_done() {
        for (guard, taken, kind) in [
            (Guard::Pii, Taken::Logged, Kind::PiiDetection),
            (Guard::Pii, Taken::Masked, Kind::PiiDetection),
            (Guard::Pii, Taken::Blocked, Kind::PiiBlock),
            (Guard::Sentinel, Taken::Logged, Kind::InjectionDetection),
            (Guard::Sentinel, Taken::Blocked, Kind::InjectionBlock),
        ] {
            let event = check(&seen(guard, Mode::Enforce, taken), Whose::default()).unwrap();
            assert_eq!((&event["type"], &event["action_taken"]), (&json!(kind.name()), &json!(taken.name())));
        }
        for kind in Kind::ALL {
            assert_eq!(json!(kind), kind.name());
        }
    }

    #[test]
    fn what_a_client_writes_in_a_models_place_is_not_passed_on_when_it_is_somebodys() {
        for (model, told) in [
            ("gpt-4o", "gpt-4o"),
            ("anthropic/claude-sonnet-4-5-20250929", "anthropic/claude-sonnet-4-5-20250929"),
            ("01942f5e-4111-7111-9111-411111111111", "01942f5e-4111-7111-9111-411111111111"),
            ("ada@example.com", ""),
            ("a\nb", ""),
            (&"x".repeat(257), ""),
        ] {
            let whose = Whose { model, request: model, ..Whose::default() };
            let event = check(&seen(Guard::Pii, Mode::Enforce, Taken::Masked), whose).unwrap();
            assert_eq!((&event["model"], &event["request_id"]), (&json!(told), &json!(told)));
        }
    }
}
