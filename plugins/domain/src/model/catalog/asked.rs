//! What requests in all their forms lead to, for whom.

use super::{tests::build, *};

fn catalog() -> Catalog {
    build(
        r#"{"default_model":"gpt-4o-mini","default_provider":"openrouter",
            "aliases":[{"name":"fast","model":"gpt-4o-mini"},
                       {"pattern":"^router/(.*)$","replacement":"openrouter:\\1?temperature=0.5&top_k=9"}],
            "models":[{"name":"gpt-4o","chain":"both"},{"name":"openai/*","chain":"openai"},
                      {"name":"anthropic/*","chain":"anthropic"},{"name":"openrouter/*","chain":"openrouter"},
                      {"name":"llama3:8b","chain":"local"}],
            "chains":{"both":[{"provider":"openai"},{"provider":"openai.1"}],"anthropic":[{"provider":"anthropic"}],
                      "openai":[{"provider":"openai"}],"openrouter":[{"provider":"openrouter"}],"local":[{"provider":"ollama"}]},
            "projects":{"pinned":{"model":"gpt-4o","model_policy":"pin"},
                        "same":{"model":"gpt-4o"},
                        "fixed":{"model":"fast","model_policy":"fixed"},
                        "listed":{"model":"gpt-4o","model_policy":"allowlist","models":["gpt-4o","anthropic/*"]},
                        "narrow":{"models":["openai/gpt-4o-mini"]}},
            "tiers":{"free":["gpt-4o-mini"]},"roles":{"guest":["openai/*"]}}"#,
    )
    .unwrap()
}

fn caller(text: &str) -> Option<Caller> {
    let mut parts = text.split('/').map(str::to_owned);
    let project = parts.next().filter(|it| !it.is_empty())?;
    let (tier, role) = (parts.next().filter(|it| !it.is_empty()), parts.next());
    Some(Caller { project, user: "u".into(), tier, role, ..Caller::default() })
}

/// `canonical | providers | replaced | parameters`, or the refusal.
fn check(who: &str, asked: &str) -> String {
    let catalog = catalog();
    match catalog.resolve_for(caller(who).as_ref(), Some(asked), &mut |_| {}) {
        Ok(it) => {
            let parameters: Vec<_> = it.parameters.iter().map(|it| format!("{}={}", it.name, it.json)).collect();
            let replaced = it.replaced.unwrap_or_default();
            let providers: Vec<_> = it.candidates.iter().map(|it| it.provider.as_str()).collect();
            format!("{} | {} | {replaced} | {}", it.canonical, providers.join(","), parameters.join(" "))
        }
        Err(NotFound::Unknown(name)) => format!("unknown {name}"),
        Err(refused) => refused.to_string(),
    }
}

#[test]
fn every_form_of_a_name_is_read() {
    for (asked, expected) in [
        ("openai:gpt-4o", "openai/gpt-4o | openai |  | "),
        ("openai.1:gpt-4o", "openai/gpt-4o | openai.1 |  | "),
        ("openrouter:anthropic/claude-sonnet-4-5", "anthropic/claude-sonnet-4-5 | openrouter |  | "),
        ("openrouter:auto", "openrouter/auto | openrouter |  | "),
        ("ollama:llama3:8b", "unknown ollama:llama3:8b"),
        ("llama3:8b", "llama3:8b | ollama |  | "),
        ("anthropic:gpt-4o", "openai/gpt-4o | anthropic |  | "),
        ("ollama:gpt-4o", "unknown ollama:gpt-4o"),
        ("openai:", "unknown openai:"),
        // What is checked is what leaves.
        ("anthropic:openai/claude-opus-4-5", "unknown anthropic:openai/claude-opus-4-5"),
        ("openai:anthropic/gpt-4o", "unknown openai:anthropic/gpt-4o"),
        ("nobody:gpt-4o", "openrouter/nobody:gpt-4o | openrouter |  | "),
        ("some-model", "openrouter/some-model | openrouter |  | "),
        ("gpt-4o?temperature=0.2", "openai/gpt-4o | openai,openai.1 |  | temperature=0.2"),
        ("openai:gpt-4o?verbosity=low", r#"openai/gpt-4o | openai |  | verbosity="low""#),
        ("?temperature=0", "openai/gpt-4o-mini | openai | default | temperature=0"),
        ("default?top_k=1", "openai/gpt-4o-mini | openai | default?top_k=1 | top_k=1"),
        ("fast?top_p=1", "openai/gpt-4o-mini | openai | fast?top_p=1 | top_p=1"),
        (
            "router/x-ai/grok-4?temperature=1",
            "xai/grok-4 | openrouter | router/x-ai/grok-4?temperature=1 | temperature=1 top_k=9",
        ),
        (
            "gpt-4o?seed=1",
            "The model's parameter `seed` is not known: expected one of temperature, top_p, top_k, reasoning_effort, verbosity.",
        ),
    ] {
        assert_eq!(check("", asked), expected, "{asked}");
    }
}

#[test]
fn a_project_a_tier_and_a_role_decide_on_the_model_that_came_of_it() {
    for (who, asked, expected) in [
        ("other", "gpt-4o", "openai/gpt-4o | openai,openai.1 |  | "),
        ("pinned", "claude-sonnet-4-5", "anthropic/claude-sonnet-4-5 | anthropic |  | "),
        ("pinned", "", "openai/gpt-4o | openai,openai.1 | default | "),
        ("same", "openai/gpt-4o-mini", "openai/gpt-4o-mini | openai |  | "),
        ("same", "claude-sonnet-4-5", "openai/gpt-4o | openai,openai.1 | claude-sonnet-4-5 | "),
        ("same", "openrouter:some", "openai/gpt-4o | openai,openai.1 | openrouter:some | "),
        ("fixed", "gpt-4o", "openai/gpt-4o-mini | openai | gpt-4o | "),
        ("fixed", "fast", "openai/gpt-4o-mini | openai | fast | "),
        ("fixed", "gpt-4o-mini", "openai/gpt-4o-mini | openai |  | "),
        ("listed", "claude-sonnet-4-5", "anthropic/claude-sonnet-4-5 | anthropic |  | "),
        ("listed", "fast", "openai/gpt-4o | openai,openai.1 | fast | "),
        ("narrow", "gpt-4o-mini", "openai/gpt-4o-mini | openai |  | "),
        ("narrow", "gpt-4o", "unknown gpt-4o"),
        ("other/free", "fast", "openai/gpt-4o-mini | openai | fast | "),
        ("other/free", "openai:gpt-4o", "unknown openai:gpt-4o"),
        ("fixed/free", "claude-sonnet-4-5", "openai/gpt-4o-mini | openai | claude-sonnet-4-5 | "),
        ("same/free", "gpt-4o-mini", "openai/gpt-4o-mini | openai |  | "),
        ("other//guest", "anthropic:openai/claude-opus-4-5", "unknown anthropic:openai/claude-opus-4-5"),
        ("fixed", "openai:gpt-4o-mini", "openai/gpt-4o-mini | openai |  | "),
        ("other//guest", "gpt-4o", "openai/gpt-4o | openai,openai.1 |  | "),
        ("other//guest", "claude-sonnet-4-5", "unknown claude-sonnet-4-5"),
        ("other/free/guest", "gpt-4o", "unknown gpt-4o"),
    ] {
        assert_eq!(check(who, asked), expected, "{who} {asked}");
    }
}

#[test]
fn parameters_can_be_lenient_or_part_of_the_name() {
    let with = |mode: &str| {
        let json = r#"{"model_parameters":"M","models":[{"name":"*","chain":"a"}],"chains":{"a":[{"provider":"a"}]}}"#;
        build(&json.replace('M', mode)).unwrap()
    };
    let lenient = with("lenient");
    let found = lenient.resolve(Some("gpt-4o?seed=1&temperature=1&top_p=7")).unwrap();
    assert_eq!((found.parameters.len(), found.ignored), (1, vec!["seed".to_owned(), "top_p".to_owned()]));
    assert_eq!(with("off").resolve(Some("x?seed=1")).unwrap().canonical.as_str(), "x?seed=1");
}

#[test]
fn one_model_can_be_forced_on_everybody() {
    let forced = |rest: &str| {
        build(&format!(
            r#"{{"force_model":"gpt-4o",{rest}"models":[{{"name":"openai/*","chain":"a"}}],"chains":{{"a":[{{"provider":"openai"}}]}}}}"#
        ))
    };
    let catalog = forced("").unwrap();
    for (asked, replaced) in [("claude-3-opus", Some("claude-3-opus")), ("gpt-4o", None), ("", Some("default"))] {
        let found = catalog.resolve(Some(asked)).unwrap();
        assert_eq!((found.canonical.as_str(), found.replaced.as_deref()), ("openai/gpt-4o", replaced), "{asked}");
    }
    for asked in ["a b", "/x", "claude?seed=1&&", "openai:gpt-4o"] {
        let found = catalog.resolve(Some(asked));
        let expected = if asked.contains('?') { None } else { Some("openai/gpt-4o".to_owned()) };
        assert_eq!(found.ok().map(|it| it.canonical.to_string()), expected, "{asked}");
    }
    assert!(forced(r#""default_model":"gpt-4o","#).unwrap_err().contains("never read"));
}

#[test]
fn each_step_is_told_with_the_rule_that_decided() {
    let catalog = catalog();
    let mut steps = Vec::new();
    let who = caller("same/free");
    assert!(
        catalog.resolve_for(who.as_ref(), Some("claude-sonnet-4-5"), &mut |it| steps.push(it.to_string())).is_err()
    );
    assert_eq!(
        steps,
        [
            "`claude-sonnet-4-5` is `anthropic/claude-sonnet-4-5`",
            "model_policy `same_provider` of the project makes `anthropic/claude-sonnet-4-5` `openai/gpt-4o`",
            "`openai/gpt-4o` is not among the models of the caller's tier",
        ]
    );
}

#[test]
fn a_rule_about_projects_tiers_and_roles_that_can_never_match_is_refused() {
    for (rest, expected) in [
        (r#""projects":{"p":{"model":"claude-x"}}"#, "projects.p.model is `claude-x`, which no rule"),
        (r#""projects":{"p":{"model_policy":"fixed"}}"#, "projects.p.model_policy needs the project's `model`"),
        (
            r#""projects":{"p":{"model":"gpt-4o","model_policy":"allowlist"}}"#,
            "projects.p.model_policy is `allowlist`: expected the list",
        ),
        (
            r#""projects":{"p":{"model":"gpt-4o","model_policy":"fixed","models":["gpt-4o"]}}"#,
            "projects.p.models is never read",
        ),
        (r#""projects":{"p":{"model":"gpt-4o","models":["gpt-4"]}}"#, "projects.p.model is not among"),
        (r#""projects":{"p":{"models":[]}}"#, "projects.p.models is empty"),
        (r#""tiers":{"free":["claude-x"]}"#, "tiers.free[0] `claude-x` can never match"),
        (r#""tiers":{"free":["openai/*","gpt-4o"]}"#, "tiers.free[1] `gpt-4o` can never match: [0]"),
        (r#""roles":{"r":[]}"#, "roles.r is empty"),
        (r#""default_provider":"x""#, "default_provider is `x`, which is in no chain"),
        (r#""force_model":"claude-x""#, "force_model `claude-x` is covered by no rule"),
        (
            r#""default_model":"gpt-4o?top_p=1""#,
            "default_model is `gpt-4o?top_p=1`: expected a name without parameters",
        ),
        (r#""tiers":{"free":["gpt-4o?"]}"#, "tiers.free is `gpt-4o?`: expected a name without"),
        (r#""tiers":{"":["gpt-4o"]}"#, "has an empty name"),
        (r#""model_parameters":"loose""#, "unknown variant `loose`"),
    ] {
        let json = format!(
            r#"{{{rest},"models":[{{"name":"openai/*","chain":"a"}}],"chains":{{"a":[{{"provider":"openai"}}]}}}}"#
        );
        let refused = build(&json).map(|_| ()).unwrap_err();
        assert!(refused.contains(expected), "{rest}: {refused}");
    }
}

#[test]
fn the_rule_that_decided_is_named() {
    let catalog = catalog();
    for (who, asked, reason) in [
        ("", "gpt-4o", "requested"),
        ("", "", "default_model"),
        ("same", "", "project"),
        ("", "fast", "alias"),
        ("", "openai:gpt-4o", "provider"),
        ("", "some-model", "default_provider"),
        ("fixed", "gpt-4o", "model_policy"),
    ] {
        let found = catalog.resolve_for(caller(who).as_ref(), Some(asked), &mut |_| {}).unwrap();
        assert_eq!(found.reason, reason, "{who} {asked}");
    }
}

#[test]
fn a_name_is_bounded_and_stays_so() {
    let doubling = vec![r#"{"pattern":"^(.+)$","replacement":"$1$1","continue":true}"#; 200].join(",");
    let catalog = build(&format!(
        r#"{{"model_parameters":"lenient","aliases":[{doubling}],"models":[{{"name":"*","chain":"a"}}],"chains":{{"a":[{{"provider":"a"}}]}}}}"#
    ))
    .unwrap();
    assert!(matches!(catalog.resolve(Some("x")), Err(NotFound::Unknown(_))));
    for long in ["x".repeat(16 << 20), format!("x?{}", "a&".repeat(8 << 20))] {
        assert!(matches!(catalog.resolve(Some(&long)), Err(NotFound::Unknown(_))));
    }
}

#[test]
fn names_that_no_table_knows_are_of_no_provider_in_common() {
    let catalog = build(
        r#"{"models":[{"name":"tiny","chain":"a"},{"name":"huge","chain":"b"}],
            "chains":{"a":[{"provider":"a"}],"b":[{"provider":"b"}]},"projects":{"p":{"model":"tiny"}}}"#,
    )
    .unwrap();
    let found = catalog.resolve_for(caller("p").as_ref(), Some("huge"), &mut |_| {}).unwrap();
    assert_eq!((found.canonical.as_str(), found.replaced.as_deref()), ("tiny", Some("huge")));
}
