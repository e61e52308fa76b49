//! `GET /v1/models`: the models that a caller may ask for, and what is known of each.
//!
//! Listed is what an operator wrote out (exact names, aliases, the candidates' own models) and, under a rule for many
//! models, what the price table knows and the chain's providers sell. A name that a rule lets pass and nobody knows is served
//! all the same, and not listed: nobody could say what it is.

use crate::{
    candidates::{self, Choice, Found},
    policy,
};
use domain::{
    caller::Caller,
    chat,
    kill::ModelSwitches,
    model::{Candidate, Canonical, Catalog, ModelName, NotFound, printable},
    price::{Capabilities, Model, Price, Prices},
    reply::Reply,
};
use serde::{Serialize, Serializer};
use std::collections::BTreeSet;

const PATH: &str = "/v1/models";

/// Providers that sell other vendors' models under names of their own: what they have is listed only where they serve it.
const HOSTS: [&str; 5] = ["azure", "bedrock", "fireworks", "groq", "together"];
/// Vendors that sell nothing but their own models.
const VENDORS: [&str; 8] = ["anthropic", "cohere", "deepseek", "google", "mistral", "openai", "perplexity", "xai"];

/// What a client wants to know.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    /// All models.
    All,
    /// The one of this name.
    One(String),
}

impl Asked {
    /// Reads a request's method and path. A name may hold slashes, escaped or not.
    #[must_use]
    pub fn of(method: &str, path: &str) -> Option<Self> {
        if method != "GET" || !path.contains("models") {
            return None;
        }
        let path = chat::normalised(path);
        match path.strip_prefix(PATH)? {
            "" => Some(Self::All),
            // The companion's.
            "/leaderboard" => None,
            rest => rest.strip_prefix('/').map(|name| Self::One(name.to_owned())),
        }
    }
}

/// All models, each with its answer, sorted by name. Made once, for none of it depends on who asks.
#[derive(Debug)]
pub struct Models(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    id: String,
    /// What the name stands for.
    model: Canonical,
    json: String,
}

impl Models {
    /// Finds all models that `catalog` leads to, but for those that are switched off.
    #[must_use]
    pub fn build(catalog: &Catalog, kill: &ModelSwitches, prices: &Prices) -> Self {
        let written: BTreeSet<&str> = catalog.names().collect();
        let own: BTreeSet<String> = catalog.chains().candidates().filter_map(own_model).collect();
        let all: BTreeSet<&str> =
            written.iter().copied().chain(own.iter().map(String::as_str)).chain(prices.names()).collect();
        let entry = |id: &str| {
            let Found { named, choices, .. } = candidates::find(catalog, kill, None, &[id.into()], &mut |_| {}).ok()?;
            let model = named.into_iter().next()?.canonical;
            let itself = model.as_str() == id;
            let listed = written.contains(id)
                || itself && (own.contains(id) || choices.iter().any(|it| sells(&it.candidate, &model)));
            listed.then(|| Entry { id: id.to_owned(), json: described(id, &model, &choices, prices), model })
        };
        Self(all.into_iter().filter_map(entry).collect())
    }

    /// The answer to `asked`, as `caller` may see it.
    ///
    /// # Errors
    /// 404 for a name that leads to no model of the list, or to one that the caller does not get.
    pub fn answer(&self, catalog: &Catalog, caller: Option<&Caller>, asked: &Asked) -> Result<String, Reply> {
        let Asked::One(name) = asked else { return Ok(self.list(|it| catalog.gives(caller, it))) };
        let found = self.named(name).or_else(|| self.named(catalog.resolve(Some(name)).ok()?.canonical.as_str()));
        let found = found.filter(|it| catalog.gives(caller, &it.model));
        found.map(|it| it.json.clone()).ok_or_else(|| policy::not_found(&NotFound::Unknown(printable(name))))
    }

    fn list(&self, gives: impl Fn(&Canonical) -> bool) -> String {
        let given = self.0.iter().filter(|it| gives(&it.model)).map(|it| it.json.as_str());
        format!(r#"{{"object":"list","data":[{}]}}"#, given.collect::<Vec<_>>().join(","))
    }

    fn named(&self, id: &str) -> Option<&Entry> {
        let at = self.0.binary_search_by(|it| it.id.as_str().cmp(id)).ok()?;
        self.0.get(at)
    }
}

/// The canonical name of the model that a candidate always serves.
fn own_model(it: &Candidate) -> Option<String> {
    let name = format!("{}/{}", it.provider.as_str(), it.model.as_ref()?.as_str());
    ModelName::parse(&name).ok().map(|it| it.canonical().to_string())
}

/// Whether a candidate is likely to have `model`, which its chain is asked for.
fn sells(it: &Candidate, model: &Canonical) -> bool {
    let kind = it.provider.as_str().split(['.', '-', '_']).next().unwrap_or_default();
    match model.provider() {
        _ if it.model.is_some() => true,
        Some(vendor) if vendor == kind => true,
        // Who is neither is a gateway or a server of the operator's own, and may have anybody's.
        Some(vendor) => !HOSTS.contains(&vendor) && !VENDORS.contains(&kind),
        None => true,
    }
}

/// An element of the list: OpenAI's members, then ours.
#[derive(Serialize)]
struct Described<'a> {
    id: &'a str,
    object: &'static str,
    /// OpenAI's clients expect a number; nobody knows it.
    created: u64,
    owned_by: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    alias_of: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context_window: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<Rates>,
    #[serde(serialize_with = "as_object")]
    capabilities: Capabilities,
    #[serde(skip_serializing_if = "Option::is_none")]
    deprecation_date: Option<&'static str>,
}

/// US dollars per million tokens, for a prompt of usual length.
#[derive(Serialize)]
struct Rates {
    input: f64,
    output: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cached_input: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_write: Option<f64>,
}

fn described(id: &str, model: &Canonical, choices: &[Choice], prices: &Prices) -> String {
    // An operator's own name says nothing; the first candidate's model, which is what is asked for, may.
    let first = || prices.of(choices.first()?.serves.as_ref()?.as_str());
    let known = prices.of(model.as_str()).or_else(first);
    let seller = choices.first().map_or("", |it| it.candidate.provider.as_str());
    let element = Described {
        id,
        object: "model",
        created: 0,
        owned_by: model.provider().unwrap_or(seller),
        alias_of: Some(model.as_str()).filter(|it| *it != id),
        context_window: known.and_then(|it| it.max_input),
        max_output_tokens: known.and_then(|it| it.max_output),
        price: known.and_then(|it: Model| rates(&it.price?)),
        capabilities: known.map(|it| it.capabilities).unwrap_or_default(),
        deprecation_date: known.and_then(|it| it.deprecated),
    };
    // Texts, numbers and truths always serialise.
    serde_json::to_string(&element).unwrap_or_default()
}

/// `None` for what is dearer than any price: 4,294 dollars.
fn rates(price: &Price) -> Option<Rates> {
    let dollars = |picos: u64| Some(f64::from(u32::try_from(picos).ok()?) / 1e6);
    Some(Rates {
        input: dollars(price.input)?,
        output: dollars(price.output)?,
        cached_input: price.cached.and_then(dollars),
        cache_write: price.cache_write.and_then(dollars),
    })
}

fn as_object<S: Serializer>(all: &Capabilities, to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(all.iter())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use std::collections::BTreeMap;

    const CONFIG: &str = r#"{
        "aliases":[{"name":"fast","model":"gpt-4o-mini"},{"pattern":"^best$","replacement":"gpt-4o"}],
        "models":[{"name":"house","chain":"own"},{"name":"gpt-4o","chain":"both"},{"name":"openai/*","chain":"openai"},{"name":"anthropic/*","chain":"anthropic"}],
        "chains":{"both":[{"provider":"azure","model":"deployed"},{"provider":"openai"}],"openai":[{"provider":"openai"}],
                  "anthropic":[{"provider":"anthropic"}],"own":[{"provider":"openai","model":"gpt-4.1"}]},
        "projects":{"still":{"model":"gpt-4o","model_policy":"fixed"}},"tiers":{"free":["openai/gpt-4o-mini","house"]}"#;

    fn models(more: &str) -> (Models, Catalog) {
        let config = Config::parse(format!("{CONFIG}{more}}}").as_bytes()).unwrap();
        let catalog = config.catalog().unwrap();
        (Models::build(&catalog, &config.kill, &Prices::built_in(&BTreeMap::new()).unwrap()), catalog)
    }

    fn caller(project: &str, tier: Option<&str>) -> Caller {
        Caller { project: project.into(), user: "ada".into(), tier: tier.map(Into::into), ..Caller::default() }
    }

    /// The listed ids.
    fn ids(more: &str, caller: Option<&Caller>) -> Vec<String> {
        let (models, catalog) = models(more);
        let json: serde_json::Value =
            serde_json::from_str(&models.answer(&catalog, caller, &Asked::All).unwrap()).unwrap();
        assert_eq!(json["object"], "list");
        json["data"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
    }

    /// The element of that name, or its error.
    fn one(name: &str, caller: Option<&Caller>) -> String {
        let (models, catalog) = models("");
        match models.answer(&catalog, caller, &Asked::One(name.into())) {
            Ok(json) => json,
            Err(it) => format!("{} {} {}", it.status, it.code, it.param.unwrap()),
        }
    }

    #[test]
    fn a_path_asks_for_all_models_or_for_one() {
        let one = |name: &str| Some(Asked::One(name.into()));
        for (path, expected) in [
            ("/v1/models", Some(Asked::All)),
            ("/v1/models/?limit=1", Some(Asked::All)),
            ("//v1/./models", Some(Asked::All)),
            ("/v1/models/gpt-4o", one("gpt-4o")),
            ("/v1/models/openai/gpt-4o?x", one("openai/gpt-4o")),
            ("/v1/models/openai%2Fgpt-4o", one("openai/gpt-4o")),
            ("/v1/models/llama3%3a8b", one("llama3:8b")),
            ("/v1/models/leaderboard?days=1", None),
            ("/v1/modelsx", None),
            ("/v1/chat/completions", None),
            ("/models", None),
        ] {
            assert_eq!(Asked::of("GET", path), expected, "{path}");
        }
        assert_eq!(Asked::of("POST", "/v1/models"), None);
        assert_eq!(Asked::of("DELETE", "/v1/models/ft:gpt-4o:x"), None);
    }

    #[test]
    fn what_a_rule_covers_is_listed_with_aliases_and_in_order() {
        let all = ids("", None);
        for id in ["fast", "house", "openai/gpt-4o", "openai/gpt-4o-mini", "anthropic/claude-opus-5-5"] {
            assert!(all.iter().any(|it| it == id), "{id}");
        }
        let of_no_rule = |it: &&String| ["azure/", "google/", "groq/", "best"].iter().any(|no| it.starts_with(no));
        assert_eq!(all.iter().find(of_no_rule), None);
        assert!(all.is_sorted_by(|one, next| one < next));
    }

    #[test]
    fn who_may_use_less_sees_less() {
        assert_eq!(ids("", Some(&caller("p", Some("free")))), ["fast", "house", "openai/gpt-4o-mini"]);
        assert_eq!(ids("", Some(&caller("still", None))), ["openai/gpt-4o"]);
        assert_eq!(ids("", Some(&caller("still", Some("free")))), [""; 0]);
        assert_eq!(ids("", Some(&caller("p", None))), ids("", None));
    }

    #[test]
    fn what_is_switched_off_is_not_listed() {
        let has = |more: &str, id: &str| ids(more, None).iter().any(|it| it == id);
        let model = r#","kill":{"models":["gpt-4o-mini"]}"#;
        assert!(!has(model, "openai/gpt-4o-mini") && !has(model, "fast") && has(model, "openai/gpt-4.1"));
        let provider = r#","kill":{"providers":["anthropic"]}"#;
        assert!(!has(provider, "anthropic/claude-opus-5-5") && has(provider, "openai/gpt-4o"));
    }

    #[test]
    fn a_model_tells_what_is_known_of_it() {
        let price = r#""price":{"input":2.5,"output":10.0,"cached_input":1.25}"#;
        let can = r#""capabilities":{"chat":true,"embeddings":false,"tools":true,"parallel_tools":true,"tool_choice":true,"json_schema":true,"vision":true,"audio_input":false,"prompt_cache":true,"system_role":true}"#;
        let gpt = format!(
            r#"{{"id":"openai/gpt-4o","object":"model","created":0,"owned_by":"openai","context_window":128000,"max_output_tokens":16384,{price},{can}}}"#
        );
        for name in ["openai/gpt-4o", "gpt-4o", "best", "openai:gpt-4o"] {
            assert_eq!(one(name, None), gpt, "{name}");
        }
        assert!(one("fast", None).starts_with(
            r#"{"id":"fast","object":"model","created":0,"owned_by":"openai","alias_of":"openai/gpt-4o-mini","context_window":128000"#
        ));
        assert!(one("house", None).contains(r#""owned_by":"openai","context_window":1047576"#), "by what serves it");
        assert!(one("claude-sonnet-4-5", None).ends_with(r#""deprecation_date":"2026-11-30"}"#));
    }

    #[test]
    fn a_model_that_is_not_listed_is_not_found() {
        let free = caller("p", Some("free"));
        for (name, who) in
            [("gpt-99", None), ("google/gemini-2.5-pro", None), ("gpt-4o", Some(&free)), ("", None), ("é/\n", None)]
        {
            assert_eq!(one(name, who), "404 model_not_found model", "{name}");
        }
    }

    #[test]
    fn under_a_rule_for_everything_only_what_the_chain_sells_is_listed() {
        let check = |provider: &str| {
            let json =
                format!(r#"{{"models":[{{"name":"*","chain":"c"}}],"chains":{{"c":[{{"provider":"{provider}"}}]}}}}"#);
            let config = Config::parse(json.as_bytes()).unwrap();
            let catalog = config.catalog().unwrap();
            let models = Models::build(&catalog, &config.kill, &Prices::built_in(&BTreeMap::new()).unwrap());
            let heads = models.0.iter().map(|it| it.model.provider().unwrap().to_owned());
            heads.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(check("openai-eu"), "openai");
        assert_eq!(
            check("groq"),
            format!(
                "{}",
                VENDORS
                    .iter()
                    .chain(&["groq"])
                    .copied()
                    .collect::<BTreeSet<_>>()
                    .into_iter()
                    .collect::<Vec<_>>()
                    .join(" ")
            )
        );
        assert_eq!(check("openrouter"), VENDORS.join(" "));
    }
}
