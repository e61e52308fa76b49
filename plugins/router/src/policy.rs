//! The decisions: which headers of the client's go, and where a request leads.

use crate::{
    candidates::{self, Choice, Found},
    capability::{self, Fit, Needs},
    health::Health,
    lesson::Lessons,
    order,
    preferences::Preferences,
    pseudonym::Pseudonyms,
    retry::Retry,
};
use domain::{
    caller::Caller,
    chat::{Body, Endpoint},
    choice::{Judge, Rng},
    estimate::Estimate,
    headers::{self, Headers},
    kill::ModelSwitches,
    model::{self, Canonical, Catalog, NotFound, Parameter, Parameters, Plan, Resolved, Try},
    price::Prices,
    reply::Reply,
    time::Micros,
};

/// The headers that only this filter may write.
const WRITTEN_HERE: [&str; 4] = [headers::ROUTE, headers::MODEL, headers::ESTIMATE, headers::HOP];

/// The client's own headers, as spelled, that say what only this filter may say.
#[must_use]
pub fn foreign(headers: &Headers) -> Vec<String> {
    let ours = |name: &[u8]| WRITTEN_HERE.iter().chain(&headers::TRIES).any(|it| headers::same_name(name, it));
    let names = headers.iter().map(|(name, _)| name).filter(|name| ours(name));
    names.filter_map(|name| std::str::from_utf8(name).ok().map(str::to_owned)).collect()
}

/// The answer to a header of ours that Kong can not take away, because it stands there more than once.
#[must_use]
pub fn twice(name: &str) -> Reply {
    Reply::invalid(format!("the header `{name}` is the gateway's own and must not be sent"))
}

/// Where a request goes.
#[derive(Debug)]
pub struct Route {
    /// Who is asked, in which order.
    pub plan: Plan,
    /// Which answers of a candidate are its failure, and how long it may take.
    pub retry: Retry,
    /// How large the request is, and who may serve it.
    pub estimate: Estimate,
    /// What each of the plan's tries means to the client.
    pub answers: Vec<Answered>,
    /// What the response tells in `x-tollgate-model-params-ignored`: parameters behind the name that were left out.
    pub ignored: Option<String>,
    /// The codes of the rules by which no candidate would be left, where they only count.
    pub shadowed: Vec<&'static str>,
    /// The body with the first candidate's model id; `None` when the client's own may stay.
    pub body: Option<Vec<u8>>,
    /// What is to be learned of the plan's tries.
    pub lessons: Lessons,
}

/// What the response tells when one of the candidates has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The model's canonical name.
    pub model: String,
    /// Which rule decided on the model, for `x-tollgate-route-reason`.
    pub reason: &'static str,
    /// For `x-tollgate-model-override`: the name that was asked for, when it was an alias, none, or one that the caller
    /// does not get, and the model that came of it.
    pub replaced: Option<String>,
}

/// What the filter asks, besides the catalog.
#[derive(Debug)]
pub struct Rules<'a> {
    /// The operator's names and chains.
    pub catalog: &'a Catalog,
    /// What is switched off.
    pub kill: &'a ModelSwitches,
    /// What each model costs.
    pub prices: &'a Prices,
    /// Whether candidates that cannot do what is asked are passed over.
    pub abilities: capability::Rules,
    /// What providers are told of who asks.
    pub pseudonyms: &'a Pseudonyms,
}

/// What differs from one request to the next, without being part of it.
pub struct Moment<'a> {
    /// What earlier requests tell of the candidates.
    pub health: &'a dyn Health,
    /// Now.
    pub now: Micros,
    /// Chance.
    pub rng: &'a mut Rng,
}

/// Reads the body and finds where it leads for `caller`.
///
/// # Errors
/// 400 when the body cannot be read in only one way or a parameter behind the model's name is wrong, 404 when no rule
/// covers its model or the caller may not use it, 503 when what it asks for is switched off.
pub fn route(
    rules: &Rules<'_>,
    moment: &mut Moment<'_>,
    caller: Option<&Caller>,
    endpoint: Endpoint,
    bytes: &[u8],
) -> Result<Route, Reply> {
    let body = Body::parse(bytes)?;
    if body.member("background").is_some_and(|it| !matches!(it, "false" | "null")) {
        return Err(no_background());
    }
    let names = candidates::names(&body)?;
    let mut found = candidates::find(rules.catalog, rules.kill, caller, &names, &mut |_| {})?;
    if let Some(wanted) = Preferences::of(&body)? {
        wanted.apply(&body, rules.prices, &mut found)?;
    }
    let (mut estimate, seen) = Estimate::read(&body, endpoint);
    estimate.models = found.serves();
    let needs = Needs::of(&body, endpoint, seen);
    let Fit { left, shadowed } = capability::fit(rules.prices, rules.abilities, &needs, endpoint, &estimate);
    found.keep(&left?);
    let lenient = rules.catalog.is_lenient();
    let mut ignored = Vec::new();
    for it in &mut found.named {
        ignored.append(&mut it.ignored);
        check_parameters(endpoint, &mut it.parameters, lenient.then_some(&mut ignored))?;
    }
    let mut edits = rules.pseudonyms.edits(&body, endpoint, caller)?;
    // The last that may refuse: a probe that is taken here is this request's to give back.
    let probes = order::arrange(&mut found, rules.prices, moment)?;
    let lessons = Lessons::of(&found, probes, rules.prices, moment, || Judge::of_request(&body, endpoint));
    estimate.models = found.serves();
    let Found { named, choices, .. } = found;
    let plan = plan(&named, &choices);
    if let [only] = named.as_slice() {
        edits.extend(only.parameters.iter().map(|it| body.set_member(it.name, &it.json)));
    }
    let id = choices.first().map(|it| it.id.as_str()).unwrap_or_default();
    if body.model() != Some(id) {
        edits.push(body.set_model(id));
    }
    // The plan has what the names lead to. Raw, they would be tried past aliases, policies and kill switches.
    edits.extend(body.remove_member("models"));
    if !plan.for_openrouter {
        edits.extend(body.remove_member(model::FOR_OPENROUTER));
    }
    let answers = choices.iter().filter_map(|it| named.get(it.named)).map(Answered::of).collect();
    let first = choices.first().and_then(|it| named.get(it.named));
    let retry = first.map(|it| Retry::of(it.policy, choices.len())).unwrap_or_default();
    let body = (!edits.is_empty()).then(|| body.apply(edits));
    let ignored = (!ignored.is_empty()).then(|| ignored.join(", "));
    Ok(Route { plan, retry, estimate, answers, ignored, shadowed, body, lessons })
}

impl Answered {
    fn of(it: &Resolved<'_>) -> Self {
        Self {
            model: it.canonical.to_string(),
            reason: it.reason,
            replaced: it.replaced.as_ref().map(|asked| told(asked, &it.canonical)),
        }
    }
}

/// The plan for these candidates. Where the request gives several names, the parameters behind each are its tries' own.
fn plan(named: &[Resolved<'_>], choices: &[Choice]) -> Plan {
    let one = |it: &Choice| {
        let of = named.get(it.named)?;
        let own = if named.len() > 1 { of.parameters.clone() } else { Vec::new() };
        Some(Try {
            provider: it.candidate.provider.clone(),
            model: it.id.clone(),
            name: of.canonical.to_string(),
            set: Parameters(own),
            parameters: it.candidate.parameters.clone(),
        })
    };
    let tries: Vec<Try> = choices.iter().filter_map(one).collect();
    Plan { for_openrouter: tries.iter().any(Try::is_openrouter), tries }
}

/// Takes away the parameters that requests to `endpoint` do not have, and names them in `ignored`.
///
/// # Errors
/// 400 for such a one where there is no `ignored`.
fn check_parameters(
    endpoint: Endpoint,
    parameters: &mut Vec<Parameter>,
    ignored: Option<&mut Vec<String>>,
) -> Result<(), Reply> {
    let Some(ignored) = ignored else {
        return match parameters.iter().find(|it| !it.fits(endpoint)) {
            Some(it) => {
                let message = format!("The model's parameter `{}` is none of {}.", it.name, endpoint.path());
                Err(Reply::new(400, "invalid_model_params", message).about("model"))
            }
            None => Ok(()),
        };
    };
    ignored.extend(parameters.iter().filter(|it| !it.fits(endpoint)).map(|it| it.name.to_owned()));
    parameters.retain(|it| it.fits(endpoint));
    Ok(())
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
    use crate::{config::Config, health::Unknown};
    use domain::choice::{Admit, Measures};
    use std::collections::BTreeMap;

    const CHAT: Endpoint = Endpoint::ChatCompletions;

    fn catalog(default: &str) -> Catalog {
        let json = format!(
            r#"{{{default}"aliases":[{{"name":"fast","model":"gpt-4o-mini"}}],
            "models":[{{"name":"gpt-4o","chain":"both"}},{{"name":"openai/*","chain":"openai"}}],
            "chains":{{"both":[{{"provider":"azure","model":"gpt\"4"}},{{"provider":"openai"}}],"openai":[{{"provider":"openai"}}]}}}}"#
        );
        Config::parse(json.as_bytes()).unwrap().catalog().unwrap()
    }

    fn routed(catalog: &Catalog, kill: &str, body: &str) -> Result<Route, Reply> {
        let kill = serde_json::from_str(kill).unwrap();
        let prices = Prices::built_in(&BTreeMap::new()).unwrap();
        let (abilities, pseudonyms) = (capability::Rules::default(), &Pseudonyms::Removed);
        let rules = Rules { catalog, kill: &kill, prices: &prices, abilities, pseudonyms };
        let mut moment = Moment { health: &Unknown, now: Micros(1), rng: &mut Rng::seeded(1) };
        route(&rules, &mut moment, None, CHAT, body.as_bytes())
    }

    /// `provider=id,… | model | override | body`, or `status code param`.
    fn check(body: &str) -> String {
        match routed(&catalog(r#""default_model":"fast","#), "{}", body) {
            Ok(it) => {
                let body = it.body.map_or("-".into(), |it| String::from_utf8(it).unwrap());
                let first = &it.answers[0];
                let replaced = first.replaced.clone().unwrap_or_default();
                format!("{} | {} | {replaced} | {body}", shown(&it.plan), first.model)
            }
            Err(it) => format!("{} {} {}", it.status, it.code, it.param.unwrap_or_default()),
        }
    }

    fn shown(plan: &Plan) -> String {
        let one = |it: &Try| format!("{}={}", it.provider.as_str(), it.model);
        plan.tries.iter().map(one).collect::<Vec<_>>().join(",")
    }

    #[test]
    fn only_the_models_name_changes_and_only_when_it_must() {
        for (body, expected) in [
            (r#"{"model":"gpt-4o-mini"}"#, "openai=gpt-4o-mini | openai/gpt-4o-mini |  | -"),
            (
                r#"{ "n": 1.0, "model" : "openai/gpt-4o-mini","x":"é" }"#,
                r#"openai=gpt-4o-mini | openai/gpt-4o-mini |  | { "n": 1.0, "model" : "gpt-4o-mini","x":"é" }"#,
            ),
            (
                r#"{"model":"fast"}"#,
                r#"openai=gpt-4o-mini | openai/gpt-4o-mini | fast -> openai/gpt-4o-mini | {"model":"gpt-4o-mini"}"#,
            ),
            (r#"{"model":"gpt-4o"}"#, r#"azure=gpt"4,openai=gpt-4o | openai/gpt-4o |  | {"model":"gpt\"4"}"#),
            (
                r#"{"n":1}"#,
                r#"openai=gpt-4o-mini | openai/gpt-4o-mini | default -> openai/gpt-4o-mini | {"model":"gpt-4o-mini","n":1}"#,
            ),
            (
                r#"{"model":""}"#,
                r#"openai=gpt-4o-mini | openai/gpt-4o-mini | default -> openai/gpt-4o-mini | {"model":"gpt-4o-mini"}"#,
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
        let refused = routed(&catalog(""), "{}", "{}").unwrap_err();
        assert_eq!((refused.status, refused.param.as_deref()), (400, Some("model")));
    }

    /// The candidates, or status, what was switched off.
    fn killed(kill: &str, body: &str) -> String {
        match routed(&catalog(""), kill, body) {
            Ok(it) => shown(&it.plan),
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
            ("{}", both, "azure=gpt\"4,openai=gpt-4o"),
            (r#"{"providers":["azure"]}"#, both, "openai=gpt-4o"),
            (r#"{"providers":["openai"]}"#, both, "azure=gpt\"4"),
            (r#"{"providers":["openai","azure"]}"#, both, "503 provider"),
            (r#"{"providers":["openai"]}"#, mini, "503 provider"),
            (r#"{"models":["openai/gpt-4o-mini"]}"#, mini, "503 model"),
            (r#"{"models":["gpt-4o-mini"]}"#, both, "azure=gpt\"4,openai=gpt-4o"),
        ] {
            assert_eq!(killed(kill, body), expected, "{kill} {body}");
        }
    }

    #[test]
    fn a_model_that_is_switched_off_is_so_at_whoever_hosts_it() {
        let catalog = Config::parse(
            br#"{"models":[{"name":"o1","chain":"o1"},{"name":"*","chain":"c"}],
                "chains":{"c":[{"provider":"openrouter"}],
                          "o1":[{"provider":"openai"},{"provider":"azure","model":"gpt-4o"},{"provider":"openrouter","model":"openai/gpt-4o"}]}}"#,
        );
        let catalog = catalog.unwrap().catalog().unwrap();
        let check = |model: &str| {
            let body = format!(r#"{{"model":"{model}"}}"#);
            routed(&catalog, r#"{"models":["gpt-4o"]}"#, &body).map(|it| shown(&it.plan)).map_err(|it| it.code)
        };
        for name in ["gpt-4o", "gpt-4o:online", "openai/gpt-4o:free?temperature=1", "openrouter:openai/gpt-4o:online"] {
            assert_eq!(check(name), Err("killed"), "{name}");
        }
        assert_eq!(check("o1"), Ok("openai=o1".into()));
        assert_eq!(check("gpt-4o-mini:free"), Ok("openrouter=openai/gpt-4o-mini:free".into()));
    }

    #[test]
    fn several_names_are_tried_in_turn_each_with_its_own_parameters() {
        let (azure, both) = (r#"azure=gpt"4"#, "azure=gpt\"4,openai=gpt-4o");
        for (body, expected) in [
            (r#"{"model":"fast|gpt-4o"}"#, format!("openai=gpt-4o-mini,{both}")),
            (r#"{"model":"gpt-4o","models":["gpt-4o","fast"]}"#, format!("{both},openai=gpt-4o-mini")),
            (r#"{"models":["fast"]}"#, "openai=gpt-4o-mini".into()),
            (r#"{"model":"gpt-4o","models":null}"#, both.into()),
            (r#"{"model":"gpt-4o|openai/gpt-4o"}"#, both.into()),
            (r#"{"model":"gpt-4o|o1|o3|gpt-4|gpt-5"}"#, format!("{both},openai=o1,openai=o3,openai=gpt-4")),
        ] {
            assert_eq!(shown(&routed(&catalog(""), "{}", body).unwrap().plan), expected, "{body}");
        }
        for (body, expected) in [
            (r#"{"model":"fast|claude-opus-4-5"}"#, "404 model_not_found model"),
            (r#"{"model":"fast|"}"#, "400 invalid_request model"),
            (r#"{"model":"a|b|c|d|e|f|g|h|i|j|k|l|m|n|o|p|q"}"#, "400 invalid_request model"),
            (r#"{"model":"fast","models":"gpt-4o"}"#, "400 invalid_request models"),
            (r#"{"model":"fast","models":[7]}"#, "400 invalid_request models"),
        ] {
            assert_eq!(check(body), expected, "{body}");
        }
        // Any number of them costs no more than seventeen.
        let many: Vec<String> = (0..200_000).map(|it| format!("\"{it}\"")).collect();
        assert_eq!(check(&format!(r#"{{"models":[{}]}}"#, many.join(","))), "400 invalid_request models");
        assert_eq!(check(&format!(r#"{{"models":[{}]}}"#, many[..17].join(","))), "400 invalid_request model");
        assert_eq!(check(&format!(r#"{{"model":"{}"}}"#, "|".repeat(1 << 20))), "400 invalid_request model");
        let body =
            r#"{"n":1, "model":"gpt-4o?temperature=0|fast?top_p=1","models":[], "provider":{"ignore":["nobody"]}}"#;
        let found = routed(&catalog(""), "{}", body).unwrap();
        let set: Vec<_> = found.plan.tries.iter().flat_map(|it| &it.set.0).map(|it| it.name).collect();
        assert_eq!(set, ["temperature", "temperature", "top_p"]);
        assert_eq!(found.body.unwrap(), br#"{"n":1, "model":"gpt\"4"}"#);
        assert_eq!(shown(&found.plan).split(',').next(), Some(azure));
    }

    #[test]
    fn a_refused_request_takes_no_probe() {
        struct HalfOpen;
        impl Health for HalfOpen {
            fn peek(&self, _: &str) -> Admit {
                Admit::Probe
            }

            fn admit(&self, key: &str) -> Admit {
                panic!("{key} is probed")
            }

            fn measures(&self, _: &str) -> Measures {
                Measures::default()
            }
        }
        let (catalog, kill) = (catalog(""), ModelSwitches::default());
        let prices = Prices::built_in(&BTreeMap::new()).unwrap();
        let (abilities, pseudonyms) = (capability::Rules::default(), &Pseudonyms::Removed);
        let rules = Rules { catalog: &catalog, kill: &kill, prices: &prices, abilities, pseudonyms };
        let mut moment = Moment { health: &HalfOpen, now: Micros(1), rng: &mut Rng::seeded(1) };
        let body = br#"{"model":"gpt-4o?temperature=1","input":"a"}"#;
        let refused = route(&rules, &mut moment, None, Endpoint::Embeddings, body).unwrap_err();
        assert_eq!(refused.code, "invalid_model_params");
    }

    #[test]
    fn openrouter_does_not_get_names_that_lead_elsewhere() {
        let catalog = Config::parse(
            br#"{"aliases":[{"name":"openai/gpt-5","model":"openai/gpt-4o-mini"}],
                "models":[{"name":"openai/*","chain":"c"}],"chains":{"c":[{"provider":"openrouter"}]}}"#,
        );
        let catalog = catalog.unwrap().catalog().unwrap();
        let body = r#"{"model":"gpt-4o","models":["openai/gpt-5","o3"],"provider":{"zdr":true}}"#;
        for (kill, expected) in [("{}", 3), (r#"{"models":["o3"]}"#, 2)] {
            let found = routed(&catalog, kill, body).unwrap();
            assert_eq!(found.body.unwrap(), br#"{"model":"openai/gpt-4o","provider":{"zdr":true}}"#);
            assert_eq!(found.plan.tries.len(), expected, "{}", shown(&found.plan));
        }
    }

    #[test]
    fn our_headers_are_found_in_every_spelling() {
        let headers = Headers::from_iter([
            ("x-tollgate-memory", "off"),
            ("X_Tollgate_Route", "a"),
            ("x-tollgate-try-5", "a"),
            ("x-tollgate-model", "b"),
            ("X-TOLLGATE-HOP", "c"),
            ("x-tollgate-try-6", "d"),
        ]);
        assert_eq!(foreign(&headers), ["X_Tollgate_Route", "x-tollgate-try-5", "x-tollgate-model", "X-TOLLGATE-HOP"]);
    }
}
