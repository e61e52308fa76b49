//! Which configurations are refused, and how.

use super::*;

fn check(provider: &str, rest: &str) -> Result<String, String> {
    let json = format!(r#"{{"providers":{{"openai":{{{provider}}}}}{rest}}}"#);
    let config = Config::parse(json.as_bytes())?;
    let targets = config.targets(|name| (name == "KEY").then(|| "sk-1".to_owned()))?;
    Ok(match &targets["openai"].credential {
        Credential::None => "none".into(),
        Credential::Missing => "missing".into(),
        Credential::Header { name, value } => format!("{name}: {}", value.reveal()),
    })
}

#[test]
fn a_credential_goes_into_the_header_that_the_provider_wants() {
    for (provider, expected) in [
        ("", "none"),
        (r#""credential":{"env":"KEY"}"#, "authorization: Bearer sk-1"),
        (
            r#""credential":{"value":"k"},"auth":{"header":"authorization","scheme":"Bearer"}"#,
            "authorization: Bearer k",
        ),
        (r#""credential":{"value":"k"},"auth":{"header":"X-Api-Key"}"#, "x-api-key: k"),
        (r#""api":"anthropic","base_path":"/v1","credential":{"value":"k"}"#, "x-api-key: k"),
        (
            r#""api":"anthropic","base_path":"/","credential":{"value":"k"},"auth":{"header":"authorization","scheme":"Bearer"}"#,
            "authorization: Bearer k",
        ),
        (r#""credential":{"env":"OTHER"}"#, "missing"),
        (r#""credential":{"value":""}"#, "missing"),
    ] {
        assert_eq!(check(provider, "").as_deref(), Ok(expected), "{provider}");
    }
}

#[test]
fn a_mistake_is_named() {
    let forward = |name: &str| format!(r#","forward_headers":["{name}"]"#);
    let returned = |name: &str| format!(r#","return_headers":["{name}"]"#);
    for (provider, rest, expected) in [
        (r#""bas_path":"/v1""#, "", "unknown field `bas_path`"),
        (r#""kind":"grok""#, "", "unknown variant `grok`, expected one of `openai`, `azure`"),
        (r#""api":"claude""#, "", "unknown variant `claude`, expected `openai` or `anthropic`"),
        (r#""api":"anthropic""#, "", "providers.openai.base_path is missing"),
        (r#""api":"anthropic","kind":"groq""#, "", "providers.openai.kind is about OpenAI's API"),
        (r#""api":"anthropic","stream_usage":true"#, "", "providers.openai.stream_usage is about OpenAI's API"),
        (r#""base_path":"""#, "", "providers.openai.base_path is \"\""),
        (r#""base_path":"v1""#, "", "expected a path"),
        (r#""base_path":"/v1?a=b""#, "", "expected a path without a query"),
        (r#""base_path":"/v1/""#, "", "expected no `/` at its end"),
        (r#""base_path":"/x/chat""#, "", "`/x/chat/completions` reads like another operation's path"),
        (r#""host":"""#, "", "providers.openai.host is \"\""),
        (r#""host":"https://a/b""#, "", "expected a host's name"),
        (r#""auth":{"header":"x-api-key"}"#, "", "auth stands without a credential"),
        (r#""credential":{"env":""}"#, "", "credential.env is empty"),
        (r#""credential":{"value":"a\nb"}"#, "", "credential holds a character"),
        (
            r#""credential":{"value":"a"},"auth":{"header":"content-length"}"#,
            "",
            "`content-length` carries something else",
        ),
        (r#""credential":{"value":"a"},"auth":{"header":":path"}"#, "", "is no header's name"),
        (r#""credential":{"value":"a"},"auth":{"header":"api-key","scheme":""}"#, "", "auth.scheme is \"\""),
        ("", r#","provider":"other""#, "provider is `other`, which is not in `providers`"),
        ("", &forward("Authorization"), "`Authorization` says who calls"),
        ("", &forward("x_tenant_id"), "`x_tenant_id` says who calls"),
        ("", &forward("x-tollgate-chain"), "`x-tollgate-chain` says who calls"),
        ("", &forward("content-type"), "`content-type` is forwarded or replaced in any case"),
        ("", &forward(""), "\"\" is no header's name"),
        ("", &returned("set-cookie"), "`set-cookie` is never a provider's to say"),
    ] {
        let refused = check(provider, rest).unwrap_err();
        assert!(refused.contains(expected), "{provider}{rest}: {refused}");
    }
    assert!(Config::parse(br#"{"providers":{}}"#).unwrap_err().contains("providers is empty"));
    assert!(Config::parse(br#"{"providers":{"a b":{}}}"#).unwrap_err().contains("no provider's name"));
}

#[test]
fn a_providers_rules_are_found_by_its_kind_or_its_name() {
    let json = br#"{"providers":{"groq.1":{},"fast":{"kind":"groq"},"openai":{"kind":"custom"},"acme":{}}}"#;
    let targets = Config::parse(json).unwrap().targets(|_| None).unwrap();
    let found: Vec<_> = targets.values().map(|it| (it.name.as_str(), it.kind, it.stream_usage)).collect();
    let expected = [
        ("acme", None, false),
        ("fast", Some(Kind::Groq), true),
        ("groq.1", Some(Kind::Groq), true),
        ("openai", Some(Kind::Custom), false),
    ];
    assert_eq!(found, expected);
}

/// Host, base path and credential's header of the one provider.
fn home(provider: &str, rest: &str) -> String {
    let json = format!(r#"{{"providers":{{"p":{provider}}}{rest}}}"#);
    let targets = Config::parse(json.as_bytes()).unwrap().targets(|_| None).unwrap();
    let it = &targets["p"];
    let credential = match &it.credential {
        Credential::Header { name, value } => format!("{name}: {}", value.reveal()),
        Credential::None | Credential::Missing => "-".into(),
    };
    let said = |it: &Option<String>| it.clone().unwrap_or("-".into());
    format!("{} {} {credential}", said(&it.host), said(&it.base_path))
}

#[test]
fn a_kind_says_where_a_provider_is_as_far_as_nothing_else_does() {
    for (provider, rest, expected) in [
        (r#"{"kind":"groq","credential":{"value":"k"}}"#, "", "api.groq.com /openai/v1 authorization: Bearer k"),
        (r#"{"kind":"openrouter"}"#, "", "openrouter.ai /api/v1 -"),
        (
            r#"{"kind":"azure","host":"r.openai.azure.com","credential":{"value":"k"}}"#,
            "",
            "r.openai.azure.com /openai/v1 api-key: k",
        ),
        (
            r#"{"kind":"azure","auth":{"header":"authorization","scheme":"Bearer"},"credential":{"value":"k"}}"#,
            "",
            "- /openai/v1 authorization: Bearer k",
        ),
        (r#"{"kind":"mistral","host":"h","base_path":"/"}"#, "", "h  -"),
        (r#"{"kind":"vllm"}"#, "", "- /v1 -"),
        (r#"{"kind":"custom"}"#, "", "- - -"),
        (r#"{}"#, "", "- - -"),
        // In Kong the service's URL decides.
        (r#"{"kind":"groq"}"#, r#","provider":"p""#, "- - -"),
    ] {
        assert_eq!(home(provider, rest), expected, "{provider}");
    }
}
