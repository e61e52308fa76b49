//! The decisions: which headers of the client's go, and where a request leads.

use domain::{
    chat::Body,
    headers::{self, Headers},
    model::{Catalog, NotFound},
    reply::Reply,
};

/// The headers that only this filter may write.
const WRITTEN_HERE: [&str; 3] = [headers::CHAIN, headers::MODEL, headers::HOP];

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
    /// What the response tells in `x-tollgate-model-override`: the name that was asked for, when it was an alias or
    /// none, and the model that came of it.
    pub replaced: Option<String>,
    /// The body with the first candidate's model id; `None` when the client's own has it.
    pub body: Option<Vec<u8>>,
}

/// Reads the body and finds where it leads.
///
/// # Errors
/// 400 when the body cannot be read in only one way, 404 when no rule covers its model.
pub fn route(catalog: &Catalog, bytes: &[u8]) -> Result<Route, Reply> {
    let body = Body::parse(bytes)?;
    let found = catalog.resolve(body.model()).map_err(|refused| not_found(&refused))?;
    let changed = body.model() != Some(&found.model_id);
    let model = found.canonical.to_string();
    Ok(Route {
        chain: found.chain.to_owned(),
        replaced: found.replaced.map(|asked| format!("{asked} -> {model}")),
        body: changed.then(|| body.apply([body.set_model(&found.model_id)])),
        model,
    })
}

fn not_found(refused: &NotFound) -> Reply {
    match refused {
        NotFound::Unknown(_) => Reply::new(404, "model_not_found", refused.to_string()),
        NotFound::Unnamed => Reply::invalid(refused.to_string()),
    }
    .about("model")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

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
        match route(&catalog(r#""default_model":"fast","#), body.as_bytes()) {
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
            ("", "400 invalid_request "),
            ("[]", "400 invalid_request "),
            (r#"{"model":"fast"} {}"#, "400 invalid_request "),
        ] {
            assert_eq!(check(body), expected, "{body}");
        }
        let refused = route(&catalog(""), b"{}").unwrap_err();
        assert_eq!((refused.status, refused.param.as_deref()), (400, Some("model")));
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
