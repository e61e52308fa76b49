//! What the operator writes.

use crate::pseudonym::{Pseudonyms, UserIdentifier};
use domain::{
    caller::Trust,
    companion::Companion,
    kill::ModelSwitches,
    mode::Mode,
    model::{Alias, Catalog, Chains, ModelName, ModelParameters, Naming, Project, ProviderName, Rule},
    price::{Info, Prices},
    secret::{self, Secret, SecretRef},
    time::Period,
};
use serde::Deserialize;
use std::{collections::BTreeMap, time::Duration};

/// Names, and the chains that they lead to.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Config {
    /// The model of a request that names none, an empty one, or `default`; an alias will do. Without it such a
    /// request is answered 400.
    #[serde(default)]
    pub(crate) default_model: Option<ModelName>,
    /// The model of every request, whatever it names; then there is no `default_model`.
    #[serde(default)]
    pub(crate) force_model: Option<ModelName>,
    /// Whose a bare name is that no table knows and no rule of `models` covers: `x` is asked for as `openrouter/x`.
    #[serde(default)]
    pub(crate) default_provider: Option<ProviderName>,
    /// Further names of models, 200 at most; the first that matches counts. The response says what became of the name in
    /// `x-tollgate-model-override`.
    #[serde(default)]
    pub(crate) aliases: Vec<Alias>,
    /// What the model `auto` chooses from, 16 at most: of those that the caller may use and that can do what the request
    /// needs, the cheapest. The same needs lead to the same model, so a conversation stays with it. Default: none, and
    /// `auto` is a name like any other.
    #[serde(default)]
    pub(crate) auto: Vec<ModelName>,
    /// What becomes of parameters behind a name, as in `gpt-4o?temperature=0.2`. Default `strict`.
    #[serde(default)]
    pub(crate) model_parameters: ModelParameters,
    /// Which chain serves which model; the first rule that covers the name counts. A model that no rule covers is
    /// answered 404.
    pub(crate) models: Vec<Rule>,
    /// The chains: candidates in the order in which they are tried. A list, or an object with `candidates` and what else
    /// holds for them. In Kong the first that can serve a request is the only one tried.
    pub(crate) chains: Chains,
    /// What holds for the requests of a project, by its id. All others get what they ask for.
    #[serde(default)]
    pub(crate) projects: BTreeMap<String, Project>,
    /// The models of a tier, by its name: names or prefixes, as in `models`. A tier without a list may use all.
    #[serde(default)]
    pub(crate) tiers: BTreeMap<String, Vec<String>>,
    /// The models of a role, by its name, in the same way. Where a project, a tier and a role have lists, all must have the model.
    #[serde(default)]
    pub(crate) roles: BTreeMap<String, Vec<String>>,
    /// What becomes of a request that needs what none of its candidates can do, as far as that is known (tools, images, a
    /// JSON Schema): `enforce` (the default) asks only those that can and answers 400 `unsupported_parameter` where none
    /// is left, `shadow` counts it, `off` does not look.
    #[serde(default)]
    pub(crate) capabilities: Mode,
    /// What becomes of a chat or response whose prompt is longer than any candidate takes, as far as their limits are known:
    /// `enforce` (the default) answers 400 `context_length_exceeded`, `shadow` counts it, `off` does not look.
    #[serde(default)]
    pub(crate) context_length: Mode,
    /// What is known of models besides what the built-in table says, by their names: of a server of one's own, or of an Azure
    /// deployment under the name `azure/<deployment>`.
    #[serde(default)]
    pub(crate) model_info: BTreeMap<String, Info>,
    /// What providers are told of who asks.
    #[serde(default)]
    pub(crate) user_identifier: UserIdentifier,
    /// Who says who calls. Read for `user_identifier`, and where `projects`, `tiers` or `roles` say something; only there a
    /// caller whom nobody vouches for is answered 401.
    #[serde(default)]
    pub(crate) trust: Trust,
    /// Models and providers that are switched off. Default none.
    #[serde(default)]
    pub(crate) kill: ModelSwitches,
    /// The companion service, which puts together what all gateways measure of candidates (for the strategies `latency`, `throughput`,
    /// `quality` and `bandit`), keeps it and shows it at `/v1/models/leaderboard`. Without it a gateway learns alone, and
    /// forgets when it stops.
    #[serde(default)]
    pub(crate) companion: Option<Companion>,
    /// How often the companion is told what was measured, 100ms to 10m, default `10s`. What other gateways know is asked for at
    /// the start and every sixth time.
    #[serde(default = "report_every")]
    pub(crate) report_every: Period,
    /// Kong only, where no `budget` follows, which has the same key: sent as `x-tollgate-hop`, which the second hop's
    /// routes demand, so that no request reaches them without having passed this filter. 16 to 256 visible ASCII
    /// characters.
    #[serde(default)]
    pub(crate) hop_secret: Option<SecretRef>,
}

impl Config {
    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// Which key is wrong, what was found and what is expected.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let config: Self = serde_json::from_slice(json).map_err(|wrong| format!("router: {wrong}"))?;
        config.prices()?;
        config.check_companion().map_err(|wrong| format!("router: {wrong}"))?;
        config.check_kill(&config.catalog()?).map_err(|wrong| format!("router: kill.{wrong}"))?;
        Ok(config)
    }

    fn check_companion(&self) -> Result<(), String> {
        self.report_every.between("report_every", Duration::from_millis(100), Duration::from_secs(600))?;
        self.companion.as_ref().map_or(Ok(()), Companion::check)
    }

    /// A switch that stops nothing is a mistake, and the operator who throws it relies on it.
    fn check_kill(&self, catalog: &Catalog) -> Result<(), String> {
        for name in &self.kill.models {
            let found = catalog.resolve(Some(name.as_str())).map(|it| it.canonical);
            let name = name.as_str();
            match found {
                Err(_) => return Err(format!("models names `{name}`, which no rule of `models` covers")),
                Ok(model) if Ok(&model) != ModelName::parse(name).map(|it| it.canonical()).as_ref() => {
                    return Err(format!("models names `{name}`, which is another name of `{model}`: name that one"));
                }
                Ok(_) => {}
            }
        }
        let known = |name: &ProviderName| self.chains.candidates().any(|it| it.provider == *name);
        match self.kill.providers.iter().find(|it| !known(it)) {
            Some(name) => Err(format!("providers names `{}`, which is in no chain", name.as_str())),
            None => Ok(()),
        }
    }

    pub(crate) fn catalog(&self) -> Result<Catalog, String> {
        let it = self.clone();
        let naming = Naming {
            default_model: it.default_model,
            force_model: it.force_model,
            default_provider: it.default_provider,
            aliases: it.aliases,
            models: it.models,
            chains: it.chains,
            model_parameters: it.model_parameters,
            projects: it.projects,
            tiers: it.tiers,
            roles: it.roles,
            auto: it.auto,
        };
        Catalog::build(naming).map_err(|wrong| format!("router: {wrong}"))
    }

    /// What is known of models.
    pub(crate) fn prices(&self) -> Result<Prices, String> {
        let prices = Prices::built_in(&BTreeMap::new()).and_then(|it| it.informed(&self.model_info));
        prices.map_err(|wrong| format!("router: {wrong}"))
    }

    /// What is done to the members that name an end user.
    pub(crate) fn pseudonyms(&self, env: impl FnOnce(&str) -> Option<String>) -> Result<Pseudonyms, String> {
        self.user_identifier.resolve(env).map_err(|wrong| format!("router: user_identifier.{wrong}"))
    }

    /// The hop's secret, if there is to be one.
    pub(crate) fn hop(&self, env: impl FnOnce(&str) -> Option<String>) -> Result<Option<Secret>, String> {
        secret::hop(self.hop_secret.as_ref(), env).map_err(|wrong| format!("router: {wrong}"))
    }
}

fn report_every() -> Period {
    Period::from_millis(10_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"models":[{"name":"openai/*","chain":"a"}],"chains":{"a":[{"provider":"openai"}]}"#;

    fn check(rest: &str) -> Result<(), String> {
        let config = Config::parse(format!("{GOOD}{rest}}}").as_bytes())?;
        let env = |name: &str| (name == "SET").then(|| "0123456789abcdef".into());
        config.pseudonyms(env)?;
        config.hop(env).map(|_| ())
    }

    #[test]
    fn a_mistake_is_named() {
        for (rest, expected) in [
            (r#","alias":[]"#, "unknown field `alias`"),
            (r#","default_model":"claude-3-opus""#, "default_model `claude-3-opus` is covered by no rule"),
            (r#","default_model":7"#, "expected a string"),
            (r#","kill":{"models":["claude-3-opus"]}"#, "kill.models names `claude-3-opus`"),
            (
                r#","aliases":[{"name":"x","model":"gpt-4o"}],"kill":{"models":["x"]}"#,
                "another name of `openai/gpt-4o`",
            ),
            (r#","kill":{"providers":["azure"]}"#, "kill.providers names `azure`"),
            (r#","kill":{"tenants":["t"]}"#, "unknown field `tenants`, expected `models` or `providers`"),
            (r#","model_info":{"x":{}}"#, "router: model_info.x says nothing"),
            (r#","capabilities":"no""#, "unknown variant `no`"),
            (r#","user_identifier":{"mode":"hmac"}"#, "router: user_identifier.secret is missing"),
            (r#","report_every":"99ms""#, "router: report_every is 99ms; expected 100ms to 600s"),
            (r#","companion":{"cluster":"","secret":{"value":"s"}}"#, "router: companion.cluster is"),
            (r#","hop_secret":{"value":"short"}"#, "hop_secret must be 16 to 256"),
            (r#","hop_secret":{"env":"UNSET"}"#, "hop_secret is not set"),
            (r#","hop_secret":{"value":"0123456789abcde\n"}"#, "hop_secret must be"),
        ] {
            let refused = check(rest).unwrap_err();
            assert!(refused.contains(expected), "{rest}: {refused}");
        }
        assert!(Config::parse(b"").is_err() && Config::parse(b"{}").unwrap_err().contains("models"));
    }

    #[test]
    fn the_least_configuration_is_a_rule_and_its_chain() {
        assert_eq!(check(""), Ok(()));
        assert_eq!(check(r#","hop_secret":{"env":"SET"}"#), Ok(()));
    }
}
