//! What the operator writes.

use domain::{caller::Trust, companion::Companion, mode::OnFailure, project, time::Period};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

/// Conversations that the gateway remembers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Config {
    /// The companion service that keeps the turns.
    pub(crate) companion: Companion,
    /// Whom to believe about the caller: `auth`, the filter in front (default), or `headers`, the
    /// identity headers as they come, where something before the gateway writes them.
    #[serde(default)]
    pub(crate) trust: Trust,
    /// Whether the token's own session gives memory to a request that asks for none by a header. Default `false`: every
    /// minted token carries a session, and what is remembered is stored.
    #[serde(default)]
    pub(crate) token_session: bool,
    /// Whether the body's member `conversation_id` names the thread, as `x-thread-id` does; it is taken out of the body.
    /// Default `false`: it costs a look at each chat completion's body. Envoy alone: Kong refuses it.
    #[serde(default)]
    pub(crate) conversation_id_member: bool,
    /// How many turns of what came before go into a request at most, the newest ones, 1 to 1000; default 1000.
    #[serde(default)]
    pub(crate) max_turns: Option<NonZeroU32>,
    /// How many tokens of what came before, as they are estimated. Turns go in whole or not at all. Without this key as
    /// much as 4 MiB hold.
    #[serde(default)]
    pub(crate) max_tokens: Option<NonZeroU32>,
    /// How long a session is remembered after its last turn, `60s` to `31536000s`; default `86400s`, a day.
    #[serde(default = "a_day")]
    pub(crate) session_ttl: Period,
    /// Whether the user's message is stored when nothing was answered: the upstream failed, or a later filter refused
    /// the request. It is shown, and never goes into another request. Default `false`.
    #[serde(default)]
    pub(crate) keep_unanswered: bool,
    /// Projects for which something of this holds otherwise, by the project's id.
    #[serde(default, deserialize_with = "project::by_id")]
    #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<String, Project>"))]
    pub(crate) projects: BTreeMap<String, Project>,
    /// What becomes of a request that asks for memory while the companion cannot be reached: `deny`
    /// answers 503 `companion_unavailable` (default); `allow` lets it go on without its history
    /// and without being stored, and says `x-tollgate-memory: skipped` on the response.
    #[serde(default)]
    pub(crate) on_failure: OnFailure,
    /// How often finished turns are sent to the companion; 1ms to 1s, default `20ms`. The next
    /// request on the same thread waits for the turn, so a longer period makes it slower.
    #[serde(default = "report_every")]
    pub(crate) report_every: Period,
    /// How long the end of an answer may be held until the companion has stored its turn, 1ms to 30s, default `5s`: an end
    /// that the client saw then stands for a turn that outlives the gateway. A companion that restarts meanwhile is waited
    /// for; only answers that were under way when it went can meet this bound. Kong cannot hold an answer: there the turn
    /// is reported after it.
    #[serde(default = "hold_end")]
    pub(crate) hold_end: Period,
    /// How many bytes of new messages one request may bring to be remembered, default 1048576; more are answered 413
    /// `request_too_large`. Together with `max_answer_bytes` at most 4194304, what a history takes.
    #[serde(default = "one_mebibyte")]
    pub(crate) max_request_bytes: NonZeroU32,
    /// How many bytes of an answer are kept, default 1048576. The client gets a longer one whole; it is stored as
    /// incomplete, as far as it fits.
    #[serde(default = "one_mebibyte")]
    pub(crate) max_answer_bytes: NonZeroU32,
    /// How many bytes all open turns of one worker may hold together, their new messages and their answers so far, 65536
    /// to 2147483648; default 268435456. Past it a new turn is treated as `on_failure` says, and answers are stored as
    /// incomplete, as far as they came; the clients get them whole.
    #[serde(default = "a_quarter_gibibyte")]
    pub(crate) max_open_bytes: NonZeroU32,
}

/// What holds for one project; what it leaves out is as for all.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Project {
    /// How many turns of what came before go into a request at most, 1 to 1000.
    #[serde(default)]
    pub(crate) max_turns: Option<NonZeroU32>,
    /// How many tokens of what came before, as they are estimated.
    #[serde(default)]
    pub(crate) max_tokens: Option<NonZeroU32>,
    /// How long a session is remembered after its last turn, `60s` to `31536000s`.
    #[serde(default)]
    pub(crate) session_ttl: Option<Period>,
    /// Whether the user's message is stored when nothing was answered.
    #[serde(default)]
    pub(crate) keep_unanswered: Option<bool>,
}

/// What holds for a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// So many turns of what came before.
    pub max_turns: Option<NonZeroU32>,
    /// So many tokens of it.
    pub max_tokens: Option<NonZeroU32>,
    /// How long its session lives on.
    pub session_ttl_seconds: u64,
    /// Whether a question without an answer is stored.
    pub keep_unanswered: bool,
}

impl Config {
    /// Reads a configuration.
    ///
    /// # Errors
    /// Which key is wrong, what was found and what is expected.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let config: Self = serde_json::from_slice(json).map_err(|error| format!("session: {error}"))?;
        config.check().map_err(|wrong| format!("session: {wrong}"))?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        self.companion.check()?;
        self.report_every.between("report_every", Duration::from_millis(1), Duration::from_secs(1))?;
        self.hold_end.between("hold_end", Duration::from_millis(1), Duration::from_secs(30))?;
        let both = self.max_request_bytes.saturating_add(self.max_answer_bytes.get());
        if both.get() > MOST_BYTES {
            return Err(format!(
                "max_request_bytes and max_answer_bytes are {both} together; expected at most {MOST_BYTES}, \
                 because a larger turn fits into no history"
            ));
        }
        let open = self.max_open_bytes;
        if !(LEAST_OPEN_BYTES..=MOST_OPEN_BYTES).contains(&open.get()) {
            return Err(format!("max_open_bytes is {open}; expected {LEAST_OPEN_BYTES} to {MOST_OPEN_BYTES}"));
        }
        limits("", self.max_turns, Some(self.session_ttl))?;
        for (id, project) in &self.projects {
            project::check_id(id)?;
            limits(&format!("projects.{id}."), project.max_turns, project.session_ttl)?;
        }
        Ok(())
    }

    /// What holds for a project.
    #[must_use]
    pub(crate) fn limits(&self, project: &str) -> Limits {
        let own = self.projects.get(project);
        let session_ttl = own.and_then(|it| it.session_ttl).unwrap_or(self.session_ttl);
        Limits {
            max_turns: own.and_then(|it| it.max_turns).or(self.max_turns),
            max_tokens: own.and_then(|it| it.max_tokens).or(self.max_tokens),
            session_ttl_seconds: session_ttl.get().as_secs(),
            keep_unanswered: own.and_then(|it| it.keep_unanswered).unwrap_or(self.keep_unanswered),
        }
    }
}

/// So many turns the companion gives back at most.
const MOST_TURNS: u32 = 1000;

fn limits(at: &str, max_turns: Option<NonZeroU32>, session_ttl: Option<Period>) -> Result<(), String> {
    if let Some(turns) = max_turns.filter(|it| it.get() > MOST_TURNS) {
        return Err(format!("{at}max_turns is {turns}; expected 1 to {MOST_TURNS}"));
    }
    let (least, most) = (Duration::from_secs(60), Duration::from_secs(31_536_000));
    session_ttl.map_or(Ok(()), |it| it.between(&format!("{at}session_ttl"), least, most))
}

/// The upper bound of both limits together: what the companion gives back of a conversation, and a part of what a worker's
/// queue of reports holds.
const MOST_BYTES: u32 = 4 << 20;
/// With less there is hardly a turn.
const LEAST_OPEN_BYTES: u32 = 64 << 10;
/// Half of what a filter can have.
const MOST_OPEN_BYTES: u32 = 1 << 31;

fn a_day() -> Period {
    Period::from_millis(24 * 60 * 60 * 1000)
}

fn a_quarter_gibibyte() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add((256 << 20) - 1)
}

fn report_every() -> Period {
    Period::from_millis(20)
}

fn hold_end() -> Period {
    Period::from_millis(5000)
}

fn one_mebibyte() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add((1 << 20) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rest: &str) -> Result<Config, String> {
        let json = format!(r#"{{"companion":{{"cluster":"c","secret":{{"value":"s"}}}}{rest}}}"#);
        Config::parse(json.as_bytes())
    }

    #[test]
    fn the_defaults_are_those_of_the_documentation() {
        let config = check("").unwrap();
        assert_eq!(config.companion.authority, "companion");
        assert_eq!(config.companion.timeout.get(), Duration::from_millis(2500));
        assert_eq!(config.report_every.get(), Duration::from_millis(20));
        assert_eq!(config.hold_end.get(), Duration::from_secs(5));
        assert_eq!((config.max_request_bytes.get(), config.max_answer_bytes.get()), (1_048_576, 1_048_576));
        assert_eq!((config.trust, config.on_failure, config.token_session), (Trust::Auth, OnFailure::Deny, false));
        assert_eq!((config.max_open_bytes.get(), config.conversation_id_member), (268_435_456, false));
        let limits = Limits { session_ttl_seconds: 86_400, ..Limits::default() };
        assert_eq!(config.limits("p"), limits);
    }

    #[test]
    fn a_project_has_what_it_says_and_else_what_all_have() {
        let config = check(
            r#","max_turns":20,"max_tokens":4000,"keep_unanswered":true,"session_ttl":"60s",
               "projects":{"p":{"max_turns":5,"keep_unanswered":false},"q":{"session_ttl":"120.9s","max_tokens":1}}"#,
        )
        .unwrap();
        let check = |project| {
            let it = config.limits(project);
            (it.max_turns.unwrap().get(), it.max_tokens.unwrap().get(), it.session_ttl_seconds, it.keep_unanswered)
        };
        assert_eq!(check("o"), (20, 4000, 60, true));
        assert_eq!(check("p"), (5, 4000, 60, false));
        assert_eq!(check("q"), (20, 1, 120, true));
    }

    #[test]
    fn a_mistake_is_named_by_its_key() {
        for (rest, key) in [
            (r#","trusts":"auth""#, "trusts"),
            (r#","on_failure":"open""#, "open"),
            (r#","report_every":"2s""#, "report_every"),
            (r#","report_every":"0.1ms""#, "report_every"),
            (r#","hold_end":"31s""#, "hold_end"),
            (r#","max_answer_bytes":0"#, "zero"),
            (r#","max_request_bytes":3145729"#, "max_request_bytes and max_answer_bytes are 4194305"),
            (r#","max_request_bytes":4294967295"#, "expected at most 4194304"),
            (r#","max_open_bytes":65535"#, "max_open_bytes"),
            (r#","max_turns":0"#, "zero"),
            (r#","max_turns":1001"#, "max_turns"),
            (r#","max_tokens":0"#, "zero"),
            (r#","session_ttl":"59s""#, "session_ttl"),
            (r#","projects":{"":{}}"#, "`projects` has an empty name"),
            (r#","projects":{"p":{"max_turn":1}}"#, "projects.p: unknown field `max_turn`"),
            (r#","projects":{"p":{"max_turns":1001}}"#, "projects.p.max_turns"),
            (r#","projects":{"p":{"session_ttl":"1s"}}"#, "projects.p.session_ttl"),
        ] {
            assert!(check(rest).unwrap_err().contains(key), "{rest}");
        }
        let empty = br#"{"companion":{"cluster":"","secret":{"value":"s"}}}"#;
        assert!(Config::parse(empty).unwrap_err().contains("companion.cluster"));
        assert!(check(r#","max_request_bytes":3145728"#).is_ok());
        assert!(Config::parse(b"{}").unwrap_err().contains("companion"));
        assert!(Config::parse(b"").is_err());
    }
}
