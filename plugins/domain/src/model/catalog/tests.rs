//! What names lead to, and which rules are refused.

use super::{
    super::{access::Project, alias::Alias},
    *,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Config {
    default_model: Option<ModelName>,
    force_model: Option<ModelName>,
    default_provider: Option<ProviderName>,
    #[serde(default)]
    aliases: Vec<Alias>,
    models: Vec<Rule>,
    chains: Chains,
    #[serde(default)]
    model_parameters: ModelParameters,
    #[serde(default)]
    projects: BTreeMap<String, Project>,
    #[serde(default)]
    tiers: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    roles: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    auto: Vec<ModelName>,
}

pub(super) fn build(json: &str) -> Result<Catalog, String> {
    let it: Config = serde_json::from_str(json).map_err(|wrong| wrong.to_string())?;
    Catalog::build(Naming {
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
    })
}

fn catalog() -> Catalog {
    build(
        r#"{"default_model":"gpt-4o",
            "aliases":[{"name":"fast","model":"gpt-4o-mini"},{"name":"gpt-4","model":"openai/gpt-4o"}],
            "models":[{"name":"gpt-4o","chain":"both"},{"name":"openai/*","chain":"openai"},
                      {"name":"gemini/*","chain":"google"},{"name":"openrouter/*","chain":"openrouter"},
                      {"name":"llama3:8b","chain":"local"}],
            "chains":{"both":[{"provider":"azure","model":"deployed"},{"provider":"openai"}],
                      "openai":[{"provider":"openai"}],"google":[{"provider":"google"}],
                      "openrouter":[{"provider":"openrouter"}],"local":[{"provider":"ollama"}]}}"#,
    )
    .unwrap()
}

/// `canonical | chain | model id | replaced`, or the refusal.
fn check(requested: Option<&str>) -> String {
    match catalog().resolve(requested) {
        Ok(it) => {
            let replaced = it.replaced.unwrap_or_default();
            format!("{} | {} | {} | {replaced}", it.canonical, it.chain, it.candidates[0].model_id(&it.canonical))
        }
        Err(refused) => refused.to_string(),
    }
}

#[test]
fn a_name_leads_to_the_first_rule_that_covers_it() {
    for (requested, expected) in [
        (Some("gpt-4o"), "openai/gpt-4o | both | deployed | "),
        (Some("openai/gpt-4o"), "openai/gpt-4o | both | deployed | "),
        (Some("gpt-4o-mini"), "openai/gpt-4o-mini | openai | gpt-4o-mini | "),
        (Some("fast"), "openai/gpt-4o-mini | openai | gpt-4o-mini | fast"),
        (Some("gpt-4"), "openai/gpt-4o | both | deployed | gpt-4"),
        (Some("openai/gpt-4"), "openai/gpt-4o | both | deployed | openai/gpt-4"),
        (Some("google/gemini-2.5-pro"), "google/gemini-2.5-pro | google | gemini-2.5-pro | "),
        (Some("openrouter/a/b"), "openrouter/a/b | openrouter | openrouter/a/b | "),
        (Some("llama3:8b"), "llama3:8b | local | llama3:8b | "),
        (None, "openai/gpt-4o | both | deployed | default"),
        (Some(""), "openai/gpt-4o | both | deployed | default"),
        (Some("default"), "openai/gpt-4o | both | deployed | default"),
    ] {
        assert_eq!(check(requested), expected, "{requested:?}");
    }
}

#[test]
fn a_name_that_no_rule_covers_is_not_found_and_shown_in_part_only() {
    for requested in ["claude-3-opus", "FAST", "fast ", "\u{7}\n", "openai/", "llama3"] {
        assert!(check(Some(requested)).starts_with("The model `"), "{requested}");
    }
    assert!(check(Some(&"x".repeat(100_000))).len() < 200);
}

#[test]
fn without_a_default_a_model_must_be_named() {
    let catalog = build(r#"{"models":[{"name":"*","chain":"a"}],"chains":{"a":[{"provider":"a"}]}}"#).unwrap();
    assert_eq!(catalog.resolve(None), Err(NotFound::Unnamed));
    let found = catalog.resolve(Some("x/y")).unwrap();
    assert_eq!(found.candidates[0].model_id(&found.canonical), "y");
}

#[test]
fn a_rule_that_can_never_match_is_refused_and_named() {
    let check = |default: &str, aliases: &str, models: &str| {
        let json = format!(
            r#"{{{default}"aliases":[{aliases}],"models":[{models}],
                "chains":{{"a":[{{"provider":"a"}}],"b":[{{"provider":"b"}}]}}}}"#
        );
        build(&json).map(|_| ()).unwrap_err()
    };
    let both = r#"{"name":"openai/*","chain":"a"},{"name":"google/*","chain":"b"}"#;
    for (default, aliases, models, expected) in [
        (
            "",
            "",
            r#"{"name":"openai/*","chain":"a"},{"name":"gpt-4o","chain":"b"}"#,
            "models[1] `gpt-4o` can never match: models[0] `openai/*` matches first",
        ),
        (
            "",
            "",
            r#"{"name":"gpt-4o","chain":"a"},{"name":"openai/gpt-4o","chain":"b"}"#,
            "models[1] `openai/gpt-4o` can never match: models[0] `gpt-4o` matches first",
        ),
        (
            "",
            "",
            r#"{"name":"google/*","chain":"a"},{"name":"gemini/*","chain":"b"}"#,
            "models[1] `gemini/*` can never match: models[0] `google/*` matches first",
        ),
        ("", "", r#"{"name":"*","chain":"a"},{"name":"x/*","chain":"b"}"#, "models[0] `*` matches first"),
        ("", "", r#"{"name":"gpt-*","chain":"a"}"#, "models[0].name: `gpt-*` is no pattern"),
        ("", "", r#"{"name":"a/*/b","chain":"a"}"#, "models[0].name: `a/*/b` is no model's name"),
        ("", "", r#"{"name":"","chain":"a"}"#, "models[0].name: `` is no model's name"),
        ("", "", r#"{"name":"x","chain":"c"}"#, "models[0] `x` names the chain `c`, which is not in `chains`"),
        ("", "", r#"{"name":"x","chain":"a"}"#, "chains.b is used by no rule of `models`"),
        ("", "", r#"{"name":"default","chain":"a"}"#, "models[0] `default` can never match"),
        ("", r#"{"name":"default","model":"gpt-4o"}"#, both, "aliases[0] `default` can never match"),
        ("", r#"{"name":"a","model":"a"}"#, both, "aliases[0] `a` leads to itself"),
        ("", r#"{"name":"gpt-4","model":"openai/gpt-4"}"#, both, "aliases[0] `gpt-4` leads to itself"),
        (
            "",
            r#"{"name":"a","model":"b"},{"name":"b","model":"gpt-4o"}"#,
            both,
            "aliases[0] `a` leads to aliases[1], an alias itself",
        ),
        (
            "",
            r#"{"name":"a","model":"gpt-4o"},{"name":"a","model":"gpt-4"}"#,
            both,
            "aliases[1] `a` can never match: aliases[0] `a` matches first",
        ),
        ("", r#"{"name":"a","model":"claude-x"}"#, both, "aliases[0] `a` leads to `claude-x`, which no rule"),
        (
            "",
            r#"{"name":"gpt-4o","model":"gpt-4"}"#,
            r#"{"name":"openai/gpt-4o","chain":"a"},{"name":"openai/*","chain":"b"}"#,
            "models[0] `openai/gpt-4o` can never match: aliases[0] `gpt-4o` takes that name",
        ),
        (r#""default_model":"claude-x","#, "", both, "default_model `claude-x` is covered by no rule"),
        (r#""default_model":"default","#, "", both, "default_model is `default` itself"),
        (r#""default_model":"","#, "", both, "`` is no model's name"),
    ] {
        let refused = check(default, aliases, models);
        assert!(refused.contains(expected), "{models}: {refused}");
    }
}

#[test]
fn the_names_that_are_written_out_can_be_listed() {
    let catalog = catalog();
    let names: Vec<_> = catalog.names().collect();
    assert_eq!(names, ["openai/gpt-4o", "llama3:8b", "fast", "openai/gpt-4"]);
}

proptest! {
    #[test]
    fn whatever_is_asked_for_is_resolved_in_either_form_or_not_at_all(text in any::<String>()) {
        let catalog = catalog();
        if let Ok(found) = catalog.resolve(Some(&text)) {
            let again = catalog.resolve(Some(found.canonical.as_str())).unwrap();
            prop_assert_eq!(again.chain, found.chain);
            prop_assert_eq!(again.candidates, found.candidates);
        }
    }
}
