//! The decisions: which headers of the client's go, and where a request leads.

use domain::{
    caller::Caller,
    chat::{Body, Edit, Endpoint},
    estimate::Estimate,
    headers::{self, Headers},
    kill::ModelSwitches,
    model::{Candidate, Canonical, Catalog, Chains, ModelName, NotFound, Parameter},
    reply::Reply,
};

/// The headers that only this filter may write.
const WRITTEN_HERE: [&str; 4] = [headers::CHAIN, headers::MODEL, headers::ESTIMATE, headers::HOP];

/// The client's own headers, as spelled, that say what only this filter may say.
#[must_use]
pub fn foreign(headers: &Headers) -> Vec<String> {
    let ours = |name: &[u8]| WRITTEN_HERE.iter().any(|it| headers::same_name(name, it));
    let names = headers.iter().map(|(name, _)| name).filter(|name| ours(name));
    names.filter_map(|name| std::str::from_utf8(name).ok().map(str::to_owned)).collect()
}

/// The answer to a header of ours that Kong can not take away, because it stands there more than once.
#[must_use]
pub fn twice(name: &str) -> Reply {
    Reply::invalid(format!("the header `{name}` is the gateway's own and must not be sent"))
}

/// Where a request goes.
#[derive(Debug, PartialEq, Eq)]
pub struct Route {
    /// The chain that serves it.
    pub chain: String,
    /// The model's canonical name.
    pub model: String,
    /// How large the request is, and who may serve it.
    pub estimate: Estimate,
    /// What the response tells in `x-tollgate-model-override`: the name that was asked for, when it was an alias,
    /// none, or one that the caller does not get, and the model that came of it.
    pub replaced: Option<String>,
    /// Which rule decided on the model, for `x-tollgate-route-reason`.
    pub reason: &'static str,
    /// What the response tells in `x-tollgate-model-params-ignored`: parameters behind the name that were left out.
    pub ignored: Option<String>,
    /// The body with the first candidate's model id; `None` when the client's own has it.
    pub body: Option<Vec<u8>>,
}

/// Reads the body and finds where it leads for `caller`.
///
/// # Errors
/// 400 when the body cannot be read in only one way or a parameter behind the model's name is wrong, 404 when no rule
/// covers its model or the caller may not use it, 503 when what it asks for is switched off.
pub fn route(
    catalog: &Catalog,
    kill: &ModelSwitches,
    caller: Option<&Caller>,
    endpoint: Endpoint,
    bytes: &[u8],
) -> Result<Route, Reply> {
    let body = Body::parse(bytes)?;
    if body.member("background").is_some_and(|it| !matches!(it, "false" | "null")) {
        return Err(no_background());
    }
    let found = catalog.resolve_for(caller, body.model(), &mut |_| {}).map_err(|refused| not_found(&refused))?;
    if let Some(reply) = kill.model(&found.canonical) {
        return Err(reply.about("model"));
    }
    let (chain, candidates) = alive(catalog.chains(), kill, found.chain, &found.canonical)?;
    let id = candidates.first().map(|it| it.model_id(&found.canonical)).unwrap_or_default();
    let (parameters, mut ignored) = (found.parameters, found.ignored);
    let mut edits = members(&body, endpoint, parameters, catalog.is_lenient().then_some(&mut ignored))?;
    if body.model() != Some(&id) {
        edits.push(body.set_model(&id));
    }
    let mut estimate = Estimate::of(&body, endpoint);
    estimate.models = candidates.iter().map(|it| served_as(it, &found.canonical)).collect();
    let model = found.canonical.to_string();
    Ok(Route {
        chain: chain.to_owned(),
        replaced: found.replaced.map(|asked| told(&asked, &found.canonical)),
        reason: found.reason,
        ignored: (!ignored.is_empty()).then(|| ignored.join(", ")),
        body: (!edits.is_empty()).then(|| body.apply(edits)),
        estimate,
        model,
    })
}

/// What makes `parameters` members of the body. One that requests to `endpoint` do not have is named in `ignored`.
///
/// # Errors
/// 400 for such a one where there is no `ignored`.
fn members(
    body: &Body<'_>,
    endpoint: Endpoint,
    parameters: Vec<Parameter>,
    mut ignored: Option<&mut Vec<String>>,
) -> Result<Vec<Edit>, Reply> {
    let mut edits = Vec::with_capacity(parameters.len().saturating_add(1));
    for it in parameters {
        match &mut ignored {
            _ if it.fits(endpoint) => edits.push(body.set_member(it.name, &it.json)),
            Some(ignored) => ignored.push(it.name.to_owned()),
            None => {
                let message = format!("The model's parameter `{}` is none of {}.", it.name, endpoint.path());
                return Err(Reply::new(400, "invalid_model_params", message).about("model"));
            }
        }
    }
    Ok(edits)
}

/// The chain that serves `model`, as far as its providers, and the models that they serve, are not switched off: itself, or one that lists those of its
/// candidates that are left. The order of a chain is its cluster's, so that nobody can be left out of one.
pub(crate) fn alive<'a>(
    chains: &'a Chains,
    kill: &ModelSwitches,
    chain: &'a str,
    model: &Canonical,
) -> Result<(&'a str, &'a [Candidate]), Reply> {
    let candidates = chains.get(chain).unwrap_or_default();
    // Under `*` one provider's model has as many names as there are vendors, so what is asked of the provider counts.
    let model_off = |it: &Candidate| served_by(it, model).and_then(|it| kill.model(&it));
    let off = |it: &Candidate| kill.provider(&it.provider) || model_off(it).is_some();
    if !candidates.iter().any(off) {
        return Ok((chain, candidates));
    }
    let left: Vec<&Candidate> = candidates.iter().filter(|it| !off(it)).collect();
    let same = |(one, other): (&&Candidate, &Candidate)| {
        one.provider == other.provider && one.model_id(model) == other.model_id(model)
    };
    let is_rest = |it: &[Candidate]| it.len() == left.len() && left.iter().zip(it).all(same);
    let rest = chains.iter().find(|(_, it)| is_rest(it));
    let refused = || candidates.iter().find_map(model_off).unwrap_or_else(|| kill.no_provider());
    rest.ok_or_else(|| refused().about("model"))
}

/// The canonical name of what a candidate serves, by which its price is known.
pub(crate) fn served_as(candidate: &Candidate, model: &Canonical) -> String {
    served_by(candidate, model).unwrap_or_else(|| model.clone()).to_string()
}

fn served_by(candidate: &Candidate, model: &Canonical) -> Option<Canonical> {
    let id = candidate.model_id(model);
    ModelName::parse(&format!("{}/{id}", candidate.provider.as_str())).ok().map(|it| it.canonical())
}

/// What the response tells of a name that was not the model's own.
pub(crate) fn told(asked: &str, model: &Canonical) -> String {
    format!("{asked} -> {model}")
}

/// The answer to a request that nobody vouches for, where it matters who asks.
#[must_use]
pub fn nobody() -> Reply {
    Reply::new(
        401,
        "invalid_api_key",
        "this gateway does not know who calls: no filter before `router` has verified a token",
    )
}

/// An answer that is made later could not be fetched through the gateway, and would be counted nowhere.
fn no_background() -> Reply {
    Reply::invalid("`background` is not served here: ask for a stream, or wait for the answer").about("background")
}

/// The answer to a name that leads nowhere.
pub(crate) fn not_found(refused: &NotFound) -> Reply {
    match refused {
        NotFound::Unknown(_) => Reply::new(404, "model_not_found", refused.to_string()),
        NotFound::Unnamed => Reply::invalid(refused.to_string()),
        NotFound::Parameters(_) => Reply::new(400, "invalid_model_params", refused.to_string()),
    }
    .about("model")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const CHAT: Endpoint = Endpoint::ChatCompletions;

    fn catalog(default: &str) -> Catalog {
        let json = format!(
            r#"{{{default}"aliases":[{{"name":"fast","model":"gpt-4o-mini"}}],
            "models":[{{"name":"gpt-4o","chain":"both"}},{{"name":"openai/*","chain":"openai"}}],
            "chains":{{"both":[{{"provider":"azure","model":"gpt\"4"}},{{"provider":"openai"}}],"openai":[{{"provider":"openai"}}]}}}}"#
        );
        Config::parse(json.as_bytes()).unwrap().catalog().unwrap()
    }

    /// `chain | model | override | body`, or `status code param`.
    fn check(body: &str) -> String {
        let catalog = catalog(r#""default_model":"fast","#);
        match route(&catalog, &ModelSwitches::default(), None, CHAT, body.as_bytes()) {
            Ok(it) => {
                let body = it.body.map_or("-".into(), |it| String::from_utf8(it).unwrap());
                format!("{} | {} | {} | {body}", it.chain, it.model, it.replaced.unwrap_or_default())
            }
            Err(it) => format!("{} {} {}", it.status, it.code, it.param.unwrap_or_default()),
        }
    }

    #[test]
    fn only_the_models_name_changes_and_only_when_it_must() {
        for (body, expected) in [
            (r#"{"model":"gpt-4o-mini"}"#, "openai | openai/gpt-4o-mini |  | -"),
            (
                r#"{ "n": 1.0, "model" : "openai/gpt-4o-mini","x":"é" }"#,
                r#"openai | openai/gpt-4o-mini |  | { "n": 1.0, "model" : "gpt-4o-mini","x":"é" }"#,
            ),
            (
                r#"{"model":"fast"}"#,
                r#"openai | openai/gpt-4o-mini | fast -> openai/gpt-4o-mini | {"model":"gpt-4o-mini"}"#,
            ),
            (r#"{"model":"gpt-4o"}"#, r#"both | openai/gpt-4o |  | {"model":"gpt\"4"}"#),
            (
                r#"{"n":1}"#,
                r#"openai | openai/gpt-4o-mini | default -> openai/gpt-4o-mini | {"model":"gpt-4o-mini","n":1}"#,
            ),
            (
                r#"{"model":""}"#,
                r#"openai | openai/gpt-4o-mini | default -> openai/gpt-4o-mini | {"model":"gpt-4o-mini"}"#,
            ),
        ] {
            assert_eq!(check(body), expected, "{body}");
        }
    }

    #[test]
    fn what_leads_nowhere_is_refused() {
        for (body, expected) in [
            (r#"{"model":"claude-3-opus"}"#, "404 model_not_found model"),
            (r#"{"model":"\u0000"}"#, "404 model_not_found model"),
            (r#"{"model":"fast","model":"gpt-4o"}"#, "400 invalid_request model"),
            (r#"{"model":1}"#, "400 invalid_request model"),
            (r#"{"model":"fast?seed=1"}"#, "400 invalid_model_params model"),
            (r#"{"model":"fast","background":true}"#, "400 invalid_request background"),
            ("", "400 invalid_request "),
            ("[]", "400 invalid_request "),
            (r#"{"model":"fast"} {}"#, "400 invalid_request "),
        ] {
            assert_eq!(check(body), expected, "{body}");
        }
        let refused = route(&catalog(""), &ModelSwitches::default(), None, CHAT, b"{}").unwrap_err();
        assert_eq!((refused.status, refused.param.as_deref()), (400, Some("model")));
    }

    /// Chain and candidates, or status, what was switched off.
    fn killed(kill: &str, body: &str) -> String {
        let kill = serde_json::from_str(kill).unwrap();
        match route(&catalog(""), &kill, None, CHAT, body.as_bytes()) {
            Ok(it) => format!("{} {}", it.chain, it.estimate.models.join(",")),
            Err(it) => {
                let scope =
                    it.headers.iter().find(|(name, _)| *name == headers::KILLED).map(|(_, scope)| scope.as_str());
                format!("{} {}", it.status, scope.unwrap_or_default())
            }
        }
    }

    #[test]
    fn what_is_switched_off_is_not_called() {
        let (both, mini) = (r#"{"model":"gpt-4o"}"#, r#"{"model":"fast"}"#);
        for (kill, body, expected) in [
            ("{}", both, "both azure/gpt\"4,openai/gpt-4o"),
            (r#"{"providers":["azure"]}"#, both, "openai openai/gpt-4o"),
            (r#"{"providers":["openai"]}"#, both, "503 provider"),
            (r#"{"providers":["openai"]}"#, mini, "503 provider"),
            (r#"{"models":["openai/gpt-4o-mini"]}"#, mini, "503 model"),
            (r#"{"models":["gpt-4o-mini"]}"#, both, "both azure/gpt\"4,openai/gpt-4o"),
        ] {
            assert_eq!(killed(kill, body), expected, "{kill} {body}");
        }
    }

    #[test]
    fn our_headers_are_found_in_every_spelling() {
        let headers = Headers::from_iter([
            ("x-tollgate-memory", "off"),
            ("X_Tollgate_Chain", "a"),
            ("x-tollgate-model", "b"),
            ("X-TOLLGATE-HOP", "c"),
            ("x-tollgate-chains", "d"),
        ]);
        assert_eq!(foreign(&headers), ["X_Tollgate_Chain", "x-tollgate-model", "X-TOLLGATE-HOP"]);
    }
}
