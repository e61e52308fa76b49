//! What the filter would do with a name, step by step, for whoever wrote its configuration.

use crate::{
    candidates::{self, Found},
    config::Config,
    health::Unknown,
    order,
    policy::{self, Moment},
};
use domain::{
    caller::Caller,
    choice::{Rng, Strategy},
    reply::Reply,
    time::Micros,
};
use std::fmt;

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Each step with the rule that decided, in order.
    pub steps: Vec<String>,
    /// Where it leads.
    pub outcome: Result<Outcome, Reply>,
}

/// Where a request leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The model's canonical name, as in `x-tollgate-model`.
    pub model: String,
    /// The chain.
    pub chain: String,
    /// Provider and model id of each candidate, the first to try in front.
    pub candidates: Vec<(String, String)>,
    /// As in `x-tollgate-model-override`.
    pub replaced: Option<String>,
    /// As in `x-tollgate-route-reason`.
    pub reason: &'static str,
    /// Members that the body gets, and their values as JSON.
    pub parameters: Vec<(&'static str, String)>,
    /// Parameters behind the name that are left out.
    pub ignored: Vec<String>,
}

/// What a request of `caller` for `model` gets; an empty name is none.
///
/// # Errors
/// As [`Config::parse`].
pub fn explain(config: &Config, caller: Option<&Caller>, model: &str) -> Result<Explanation, String> {
    let (catalog, prices) = (config.catalog()?, config.prices()?);
    let mut steps = Vec::new();
    let found = candidates::find(&catalog, &config.kill, caller, &candidates::alternatives(model), &mut |step| {
        steps.push(step.to_string());
    });
    let outcome = found.and_then(|mut found| {
        let measures = (0..found.named.len()).any(|it| found.strategy(it).measures());
        let mut moment = Moment { health: &Unknown, now: Micros(1), rng: &mut Rng::seeded(1) };
        order::arrange(&mut found, &prices, &mut moment)?;
        for (at, it) in found.named.iter().enumerate() {
            match found.strategy(at) {
                Strategy::Priority => {}
                strategy => steps.push(format!("the candidates of `{}` are in order of {}", it.chain, strategy.name())),
            }
        }
        if measures {
            steps.push("what the gateway measures is not known here: who is first there may be another".to_owned());
        }
        let Found { named, choices, .. } = found;
        // Whose candidate is the first; of several names the first may be switched off.
        let first = choices.first().and_then(|it| named.get(it.named)).ok_or_else(|| config.kill.no_provider())?;
        let one = named.len() == 1;
        Ok(Outcome {
            model: first.canonical.to_string(),
            chain: first.chain.to_owned(),
            candidates: choices.iter().map(|it| (it.candidate.provider.as_str().to_owned(), it.id.clone())).collect(),
            replaced: first.replaced.as_ref().map(|asked| policy::told(asked, &first.canonical)),
            reason: first.reason,
            parameters: first.parameters.iter().filter(|_| one).map(|it| (it.name, it.json.clone())).collect(),
            ignored: named.iter().flat_map(|it| it.ignored.clone()).collect(),
        })
    });
    Ok(Explanation { steps, outcome })
}

impl fmt::Display for Explanation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in (1_usize..).zip(&self.steps) {
            writeln!(out, "{number}. {step}")?;
        }
        let it = match &self.outcome {
            Ok(it) => it,
            Err(reply) => return write!(out, "{} {}: {}", reply.status, reply.code, reply.message),
        };
        for (name, value) in &it.parameters {
            writeln!(out, "body: \"{name}\":{value}")?;
        }
        if let Some(replaced) = &it.replaced {
            writeln!(out, "x-tollgate-model-override: {replaced}")?;
        }
        if !it.ignored.is_empty() {
            writeln!(out, "x-tollgate-model-params-ignored: {}", it.ignored.join(", "))?;
        }
        writeln!(out, "x-tollgate-route-reason: {}", it.reason)?;
        write!(out, "x-tollgate-model: {}\nchain {}:", it.model, it.chain)?;
        for (number, (provider, id)) in (1_usize..).zip(&it.candidates) {
            write!(out, "\n  {number}. {provider}  {id}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(model: &str, tier: Option<&str>) -> String {
        let config = Config::parse(
            br#"{"default_model":"gpt-4o","aliases":[{"pattern":"^best$","replacement":"gpt-4o?temperature=0"}],
                "models":[{"name":"gpt-4o","chain":"both"},{"name":"openai/*","chain":"openai"}],
                "chains":{"both":[{"provider":"openai"},{"provider":"azure","model":"deployed"}],"openai":[{"provider":"openai"}]},
                "tiers":{"free":["gpt-4o-mini"]},"kill":{"models":["o1"],"providers":["azure"]}}"#,
        )
        .unwrap();
        let caller = Caller { tier: tier.map(str::to_owned), ..Caller::default() };
        explain(&config, Some(&caller), model).unwrap().to_string()
    }

    #[test]
    fn each_step_is_shown_and_then_what_came_of_it() {
        assert_eq!(
            check("best", None),
            "1. aliases[0] pattern `^best$` makes it `gpt-4o?temperature=0`\n\
             2. `gpt-4o` is `openai/gpt-4o`\n\
             3. models[0] leads to the chain `both`\n\
             4. kill switches off `azure` with `deployed`\n\
             body: \"temperature\":0\n\
             x-tollgate-model-override: best -> openai/gpt-4o\n\
             x-tollgate-route-reason: alias\n\
             x-tollgate-model: openai/gpt-4o\n\
             chain both:\n  1. openai  gpt-4o"
        );
        assert_eq!(
            check("best", Some("free")),
            "1. aliases[0] pattern `^best$` makes it `gpt-4o?temperature=0`\n\
             2. `gpt-4o` is `openai/gpt-4o`\n\
             3. `openai/gpt-4o` is not among the models of the caller's tier\n\
             404 model_not_found: The model `best` does not exist or you do not have access to it."
        );
        assert!(check("o1", None).contains("kill.models has `openai/o1`\n503 killed: "));
        assert!(check("", None).starts_with("1. no model is named: default_model says `openai/gpt-4o`\n"));
    }
}
