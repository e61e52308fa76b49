//! What the environment says: ports, and keys of real providers.

use std::env;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

use tests::tools;

use crate::Outcome;

/// A provider that the demo can use for real: name, environment variable of its key, a model to try.
const PROVIDERS: [(&str, &str, &str); 4] = [
    ("openai", "OPENAI_API_KEY", "openai/gpt-4o-mini"),
    ("anthropic", "ANTHROPIC_API_KEY", "anthropic/claude-haiku-4-5"),
    ("google", "GEMINI_API_KEY", "google/gemini-2.5-flash"),
    ("mistral", "MISTRAL_API_KEY", "mistral/mistral-small-latest"),
];

/// Where everything listens and what stands behind it.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The gateway; `GATEWAY_PORT`.
    pub(crate) gateway: u16,
    /// Envoy's admin endpoint; `ADMIN_PORT`.
    pub(crate) admin: u16,
    /// The companion; `COMPANION_PORT`.
    pub(crate) companion: u16,
    /// The companion's internal listener; `COMPANION_INTERNAL_PORT`.
    pub(crate) internal: u16,
    /// The fake provider; `FAKE_PORT`.
    pub(crate) fake: u16,
    /// The providers whose keys are in the environment; none: the fake one stands in for all.
    pub(crate) real: Vec<&'static str>,
    /// The model to try.
    pub(crate) model: &'static str,
    /// `.run/`, or the folder that `TOLLGATE_RUN` names: where the files are kept.
    pub(crate) run: PathBuf,
}

impl Settings {
    /// Reads the environment and makes `.run/`.
    pub(crate) fn from_environment() -> Result<Self, String> {
        let run = env::var_os("TOLLGATE_RUN").map_or_else(|| tools::root().join(".run"), PathBuf::from);
        fs::create_dir_all(&run).map_err(|error| format!("{}: {error}", run.display()))?;
        let has_key = |name: &str| env::var(name).is_ok_and(|key| !key.is_empty());
        let real: Vec<_> = PROVIDERS.into_iter().filter(|(_, key, _)| has_key(key)).collect();
        Ok(Self {
            gateway: port("GATEWAY_PORT", 10000)?,
            admin: port("ADMIN_PORT", 9901)?,
            companion: port("COMPANION_PORT", 8787)?,
            internal: port("COMPANION_INTERNAL_PORT", 8788)?,
            fake: port("FAKE_PORT", 8900)?,
            model: real.first().map_or("openai/gpt-4o", |(_, _, model)| model),
            real: real.into_iter().map(|(name, _, _)| name).collect(),
            run,
        })
    }

    /// The URL that clients use.
    pub(crate) fn gateway_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.gateway)
    }

    /// How many processes a running demo consists of.
    pub(crate) fn processes(&self) -> usize {
        if self.real.is_empty() { 3 } else { 2 }
    }

    /// Says which port is taken before anything is started.
    pub(crate) fn check_ports(&self) -> Outcome {
        let ports = [
            ("GATEWAY_PORT", self.gateway),
            ("ADMIN_PORT", self.admin),
            ("COMPANION_PORT", self.companion),
            ("COMPANION_INTERNAL_PORT", self.internal),
            ("FAKE_PORT", self.fake),
        ];
        for (name, port) in ports {
            if let Err(error) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
                return Err(format!("port {port} of 127.0.0.1: {error}. Choose another one: {name}=… make …"));
            }
        }
        Ok(())
    }
}

fn port(name: &str, default: u16) -> Result<u16, String> {
    let Ok(value) = env::var(name) else { return Ok(default) };
    value.parse().ok().filter(|port| *port != 0).ok_or_else(|| format!("{name}: expected a port, found {value:?}"))
}
