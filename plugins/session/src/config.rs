//! What the operator writes.

use domain::{caller::Trust, companion::Companion, mode::OnFailure, time::Period};
use serde::Deserialize;
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
    /// Whether the token's own session gives memory to a request that sends neither `x-session-id`
    /// nor `x-thread-id`. Default `false`: every minted token carries a session, and an application
    /// that sends its whole history with each request would find it there twice.
    #[serde(default)]
    pub(crate) token_session: bool,
    /// What becomes of a request that asks for memory while the companion cannot be reached: `deny`
    /// answers 503 `companion_unavailable` (default); `allow` lets it go on without its history
    /// and without being stored, and says `x-tollgate-memory: skipped` on the response.
    #[serde(default)]
    pub(crate) on_failure: OnFailure,
    /// How often finished turns are sent to the companion; 1ms to 1s, default `20ms`. The next
    /// request on the same thread waits for the turn, so a longer period makes it slower.
    #[serde(default = "report_every")]
    pub(crate) report_every: Period,
    /// How long the end of an answer may be held until the companion has stored its turn, 1ms to 10s, default `1s`: an end
    /// that the client saw then stands for a turn that outlives the gateway. It is not held while the companion is away.
    /// Kong cannot hold an answer: there the turn is reported after it.
    #[serde(default = "hold_end")]
    pub(crate) hold_end: Period,
    /// How many bytes of new messages one request may bring to be remembered, 1 to 16777216,
    /// default 1048576; more are answered 413 `request_too_large`.
    #[serde(default = "one_mebibyte")]
    pub(crate) max_request_bytes: NonZeroU32,
    /// How many bytes of an answer are kept, 1 to 16777216, default 1048576. The client gets a
    /// longer one whole; it is stored as incomplete, as far as it fits.
    #[serde(default = "one_mebibyte")]
    pub(crate) max_answer_bytes: NonZeroU32,
}

impl Config {
    /// Reads a configuration.
    ///
    /// # Errors
    /// Which key is wrong, what was found and what is expected.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let config: Self = serde_json::from_slice(json).map_err(|error| format!("session: {error}"))?;
        config.companion.check().map_err(|wrong| format!("session: {wrong}"))?;
        config
            .report_every
            .between("report_every", Duration::from_millis(1), Duration::from_secs(1))
            .map_err(|wrong| format!("session: {wrong}"))?;
        config
            .hold_end
            .between("hold_end", Duration::from_millis(1), Duration::from_secs(10))
            .map_err(|wrong| format!("session: {wrong}"))?;
        for (key, bytes) in
            [("max_request_bytes", config.max_request_bytes), ("max_answer_bytes", config.max_answer_bytes)]
        {
            if bytes.get() > MOST_BYTES {
                return Err(format!("session: {key} is {bytes}; expected 1 to {MOST_BYTES}"));
            }
        }
        Ok(config)
    }
}

/// The upper bound of both limits: 16 MiB, all that a worker's queue of reports holds.
const MOST_BYTES: u32 = 16 << 20;

fn report_every() -> Period {
    Period::from_millis(20)
}

fn hold_end() -> Period {
    Period::from_millis(1000)
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
        assert_eq!(config.hold_end.get(), Duration::from_secs(1));
        assert_eq!((config.max_request_bytes.get(), config.max_answer_bytes.get()), (1_048_576, 1_048_576));
        assert_eq!((config.trust, config.on_failure, config.token_session), (Trust::Auth, OnFailure::Deny, false));
    }

    #[test]
    fn a_mistake_is_named_by_its_key() {
        for (rest, key) in [
            (r#","trusts":"auth""#, "trusts"),
            (r#","on_failure":"open""#, "open"),
            (r#","report_every":"2s""#, "report_every"),
            (r#","report_every":"0.1ms""#, "report_every"),
            (r#","hold_end":"11s""#, "hold_end"),
            (r#","max_answer_bytes":0"#, "zero"),
            (r#","max_request_bytes":16777217"#, "max_request_bytes"),
        ] {
            assert!(check(rest).unwrap_err().contains(key), "{rest}");
        }
        let empty = br#"{"companion":{"cluster":"","secret":{"value":"s"}}}"#;
        assert!(Config::parse(empty).unwrap_err().contains("companion.cluster"));
        assert!(Config::parse(b"{}").unwrap_err().contains("companion"));
        assert!(Config::parse(b"").is_err());
    }
}
