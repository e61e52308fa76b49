//! Where a filter finds the companion service, as the operator writes it.

use crate::{secret::SecretRef, time::Period};
use serde::Deserialize;
use std::time::Duration;

/// Where the companion's internal listener is, and how to speak to it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Companion {
    /// Envoy: the name of the cluster. Kong: `host:port`.
    pub cluster: String,
    /// The `host` header of the calls, default `companion`.
    #[serde(default = "authority")]
    pub authority: String,
    /// How long a call may take, 1ms to 60s, default `2500ms`. For `session`: the companion itself waits up to
    /// `TOLLGATE_TURN_WAIT_MS` (2000) for an earlier turn of the thread, so a shorter one fails early.
    #[serde(default = "timeout")]
    pub timeout: Period,
    /// The internal secret, `TOLLGATE_INTERNAL_SECRET` of the companion: `{"env": "NAME"}` or
    /// `{"value": "…"}`.
    pub secret: SecretRef,
}

impl Companion {
    /// Checks what its types do not.
    ///
    /// # Errors
    /// Which key is wrong, what was found and what is expected.
    pub fn check(&self) -> Result<(), String> {
        for (key, value) in [("cluster", &self.cluster), ("authority", &self.authority)] {
            if value.is_empty() || !value.bytes().all(|it| it.is_ascii_graphic()) {
                return Err(format!("companion.{key} is {value:?}; expected a name without spaces"));
            }
        }
        self.timeout.between("companion.timeout", Duration::from_millis(1), Duration::from_secs(60))
    }
}

fn authority() -> String {
    "companion".to_owned()
}

fn timeout() -> Period {
    Period::from_millis(2500)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rest: &str) -> Result<(), String> {
        let json = format!(r#"{{"secret":{{"value":"s"}},{rest}}}"#);
        serde_json::from_str::<Companion>(&json).map_err(|it| it.to_string())?.check()
    }

    #[test]
    fn a_mistake_is_named_by_its_key() {
        assert_eq!(check(r#""cluster":"c""#), Ok(()));
        for (rest, key) in [
            (r#""cluster":"""#, "companion.cluster"),
            (r#""cluster":"c","authority":"a b""#, "companion.authority"),
            (r#""cluster":"c","timeout":"61s""#, "companion.timeout"),
            (r#""cluster":"c","timeout":"0s""#, "zero"),
            (r#""cluster":"c","cloister":1"#, "cloister"),
        ] {
            assert!(check(rest).unwrap_err().contains(key), "{rest}");
        }
    }
}
