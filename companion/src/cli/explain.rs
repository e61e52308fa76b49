//! `tollgate explain`: where a model's name leads.

use super::{Said, gateway_file};
use crate::server::StartError;
use clap::Args;
use domain::caller::Caller;
use router::{config::Config, explain::explain};
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Envoy's or Kong's configuration, or the router filter's alone; YAML or JSON.
    #[arg(long)]
    config: PathBuf,
    /// The name as the client writes it; leave it out for a request that names none.
    #[arg(long, default_value = "")]
    model: String,
    /// The caller's project.
    #[arg(long)]
    project: Option<String>,
    /// The caller's tier.
    #[arg(long)]
    tier: Option<String>,
    /// The caller's role.
    #[arg(long)]
    role: Option<String>,
}

/// Reads the configuration with the filter's own code, and asks it.
pub(super) fn run(arguments: &Arguments) -> Result<Said, StartError> {
    let Arguments { config, model, project, tier, role } = arguments;
    let wrong = |why: String| StartError(format!("{}: {why}", config.display()));
    let router = gateway_file::read(config, "router", is_router)?;
    let router = Config::parse(router.as_bytes()).map_err(wrong)?;
    // Nobody in particular: then no project's, tier's or role's rules count, as on a path that `auth` bypasses.
    let somebody = [project, tier, role].into_iter().any(Option::is_some);
    let (project, tier, role) = (project.clone().unwrap_or_default(), tier.clone(), role.clone());
    let caller = somebody.then(|| Caller { project, tier, role, ..Caller::default() });
    let found = explain(&router, caller.as_ref(), model).map_err(wrong)?;
    let outcome = match &found.outcome {
        Ok(it) => json!({
            "model": it.model, "chain": it.chain, "override": it.replaced, "reason": it.reason, "ignored": it.ignored,
            "candidates": it.candidates.iter().map(|(provider, id)| json!({"provider": provider, "model": id})).collect::<Vec<_>>(),
            "parameters": it.parameters.iter().map(|(name, value)| ((*name).to_owned(), parsed(value))).collect::<serde_json::Map<_, _>>(),
        }),
        Err(reply) => json!({"status": reply.status, "error": parsed(&reply.body()).get("error")}),
    };
    Ok(Said { text: found.to_string(), json: json!({"steps": found.steps, "outcome": outcome}) })
}

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_default()
}

/// Whether it is the router filter's configuration alone.
fn is_router(value: &Value) -> bool {
    value.get("models").is_some_and(Value::is_array) && value.get("chains").is_some_and(Value::is_object)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(config: &str, model: &str) -> Result<Said, StartError> {
        let config = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(config);
        run(&Arguments { config, model: model.to_owned(), project: None, tier: None, role: None })
    }

    #[test]
    fn the_shipped_configurations_are_explained() {
        let said_of = |config: &str, model: &str| said(config, model).map_err(|it| it.to_string()).unwrap();
        let envoy = said_of("envoy/envoy.yaml", "fast");
        assert_eq!(
            envoy.text,
            "1. aliases[0] `fast` is `openai/gpt-4o-mini`\n2. `openai/gpt-4o-mini` is `openai/gpt-4o-mini`\n\
             3. models[1] leads to the chain `openai`\nx-tollgate-model-override: fast -> openai/gpt-4o-mini\n\
             x-tollgate-route-reason: alias\nx-tollgate-model: openai/gpt-4o-mini\nchain openai:\n  1. openai  gpt-4o-mini"
        );
        let kong = said_of("kong/kong.yml", "claude-sonnet-4-5");
        assert_eq!(
            kong.json["outcome"]["candidates"],
            json!([{"provider": "anthropic", "model": "claude-sonnet-4-5"}])
        );
        let refused = said_of("kong/kong.yml", "llama");
        assert_eq!(
            (&refused.json["outcome"]["status"], &refused.json["outcome"]["error"]["code"]),
            (&json!(404), &json!("model_not_found"))
        );
    }

    #[test]
    fn what_cannot_be_explained_is_named() {
        for (config, expected) in [
            ("README.md", "README.md: "),
            ("nothing.yaml", "nothing.yaml: "),
            ("envoy/examples/auth.yaml", "no filter named `router`"),
        ] {
            let refused = said(config, "gpt-4o").map(|it| it.text).unwrap_err().to_string();
            assert!(refused.contains(expected), "{refused}");
        }
    }
}
