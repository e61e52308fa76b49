//! Questions to the companion service's internal listener.

use crate::{outbox::Target, plugin::Call};
use domain::{companion::Companion, secret::Secret};

/// How a filter speaks to the companion.
#[derive(Debug, Clone)]
pub struct Client {
    companion: Companion,
    secret: Secret,
}

impl Client {
    /// A client of the companion that the operator named.
    ///
    /// # Errors
    /// When there is no secret.
    pub fn of(companion: &Companion, env: impl FnOnce(&str) -> Option<String>) -> Result<Self, String> {
        let secret = companion.secret.resolve(env).ok_or(
            "companion.secret is empty or its environment variable is not set \
             (in Envoy, vm_config.environment_variables.host_env_keys must list it)",
        )?;
        Ok(Self { companion: companion.clone(), secret })
    }

    /// The question that `body` asks at `path`.
    #[must_use]
    pub fn call(&self, path: &str, body: Vec<u8>) -> Call {
        Call { method: "POST", body, ..self.get(path) }
    }

    /// The question what is at `path`.
    #[must_use]
    pub fn get(&self, path: &str) -> Call {
        Call {
            cluster: self.companion.cluster.clone(),
            method: "GET",
            authority: self.companion.authority.clone(),
            path: path.to_owned(),
            headers: vec![
                ("content-type", "application/json".to_owned()),
                ("authorization", format!("Bearer {}", self.secret.reveal())),
            ],
            body: Vec::new(),
            timeout: self.companion.timeout.get(),
        }
    }

    /// Where reports go that `path` takes, as the member `member` of a batch.
    #[must_use]
    pub fn target(&self, path: &str, member: &'static str) -> Target {
        Target {
            cluster: self.companion.cluster.clone(),
            authority: self.companion.authority.clone(),
            path: path.to_owned(),
            member,
            secret: Some(self.secret.clone()),
            timeout: self.companion.timeout.get(),
        }
    }
}
