//! What leaves, what comes back, and what a retry makes of what the attempt before it left behind.

use super::*;
use crate::config::Config;
use std::collections::BTreeMap;

const CONFIG: &str = r#"{
    "providers": {
        "openai": {"base_path": "/v1", "host": "api.openai.com", "credential": {"value": "sk-openai"}},
        "azure": {"base_path": "/openai/v1", "host": "a.azure.com",
                  "auth": {"header": "api-key"}, "credential": {"value": "az"}},
        "ollama": {"base_path": "/", "host": "localhost:11434"},
        "kong": {}
    }
}"#;

fn targets() -> BTreeMap<String, Target> {
    Config::parse(CONFIG.as_bytes()).unwrap().targets(|_| None).unwrap()
}

/// Makes the changes, as the host would.
fn apply(headers: &Headers, changes: Vec<Change<'_>>) -> Headers {
    let mut after = headers.clone();
    for change in changes {
        match change {
            Change::Remove(name) => after.remove(name),
            Change::Set(name, value) => after.set(name, value.as_bytes()),
        }
    }
    after
}

fn shown(headers: &Headers) -> Vec<String> {
    let text = |it: &[u8]| String::from_utf8_lossy(it).into_owned();
    let mut lines: Vec<_> = headers.iter().map(|(name, value)| format!("{}: {}", text(name), text(value))).collect();
    lines.sort();
    lines
}

fn attempt(headers: &Headers, provider: &str) -> Headers {
    let operation = served("POST", headers.text(":path").unwrap()).unwrap();
    apply(headers, request(headers, &targets()[provider], operation, &["x-app".into()]))
}

fn client() -> Headers {
    Headers::from_iter([
        (":method", "POST"),
        (":path", "/v1/chat/completions?key=secret"),
        (":authority", "gateway"),
        ("content-type", "application/json"),
        ("content-length", "100"),
        ("accept", "*/*"),
        ("accept-encoding", "gzip, br"),
        ("user-agent", "OpenAI/Python"),
        ("x-stainless-lang", "python"),
        ("X-App", "https://app"),
        ("authorization", "Bearer token"),
        ("api-key", "mine"),
        ("api-key", "mine too"),
        ("cookie", "a=b"),
        ("X_Tenant_Id", "t"),
        ("x-end-user-id", "ada"),
        ("x-session-id", "s"),
        ("x-tollgate-route", "{}"),
        ("x-tollgate-try-1", "openai"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-envoy-expected-rq-timeout-ms", "1"),
        ("x-nobody-thought-of-this", "x"),
    ])
}

const SAME: [&str; 6] = [
    "X-App: https://app",
    "accept-encoding: identity",
    "accept: */*",
    "content-length: 100",
    "content-type: application/json",
    "user-agent: OpenAI/Python",
];

/// What a provider must have got: the same for all, and these.
fn expected(own: &[&str]) -> Vec<String> {
    let every = SAME.iter().chain(own).chain(&[":method: POST", "x-stainless-lang: python"]);
    let mut lines: Vec<_> = every.map(|it| (*it).to_owned()).collect();
    lines.sort();
    lines
}

#[test]
fn only_what_is_on_the_list_leaves() {
    let sent = attempt(&client(), "openai");
    let own = [":path: /v1/chat/completions", ":authority: api.openai.com", "authorization: Bearer sk-openai"];
    assert_eq!(shown(&sent), expected(&own));
}

#[test]
fn an_attempt_leaves_nothing_to_the_next() {
    let azure = [":path: /openai/v1/chat/completions", ":authority: a.azure.com", "api-key: az"];
    let ollama = [":path: /chat/completions", ":authority: localhost:11434"];
    for first in ["openai", "azure", "ollama"] {
        let after = attempt(&client(), first);
        for (second, own) in [("azure", &azure[..]), ("ollama", &ollama[..])] {
            assert_eq!(shown(&attempt(&after, second)), expected(own), "{first}, then {second}");
        }
    }
}

#[test]
fn what_is_right_is_not_touched() {
    let once = attempt(&client(), "openai");
    assert_eq!(request(&once, &targets()["openai"], "/chat/completions", &["x-app".into()]).len(), 0);
}

#[test]
fn a_provider_without_path_and_host_keeps_the_proxys() {
    let sent = attempt(&client(), "kong");
    assert_eq!((sent.text(":path"), sent.text(":authority")), (client().text(":path"), Some("gateway")));
    assert_eq!(sent.text("authorization"), None);
}

#[test]
fn an_operation_is_told_from_a_clients_path_and_from_a_rewritten_one() {
    for (method, path, expected) in [
        ("POST", "/v1/chat/completions", Some("/chat/completions")),
        ("POST", "/v1/chat/completions?api_key=x", Some("/chat/completions")),
        ("POST", "/v1/ch%61t//completions/", Some("/chat/completions")),
        ("POST", "/v1beta/openai/chat/completions", Some("/chat/completions")),
        ("POST", "/v1/completions", Some("/completions")),
        ("POST", "/openai/v1/completions", Some("/completions")),
        ("POST", "/v1/embeddings", Some("/embeddings")),
        ("POST", "/v1/responses", Some("/responses")),
        ("GET", "/v1/models", Some("/models")),
        ("GET", "/v1/chat/completions", None),
        ("POST", "/v1/models", None),
        ("POST", "/v1/files", None),
        ("POST", "/v1/files?x=/v1/chat/completions", None),
        ("DELETE", "/v1/responses/resp_1", None),
        ("", "", None),
    ] {
        assert_eq!(served(method, path), expected, "{method} {path}");
    }
}

/// One of a plan's tries.
fn one(provider: &str, model: &str, name: &str) -> Try {
    let json = format!(r#"{{"provider":"{provider}","model":"{model}","name":"{name}"}}"#);
    serde_json::from_str(&json).unwrap()
}

/// The header or the note that tells the plan, the attempt, the provider, and what it is sent.
fn check(said: Option<&str>, note: Option<&str>, attempt: u64, provider: &str) -> String {
    let headers = Headers::from_iter(said.map(|it| (headers::ROUTE, it)));
    match send(&routed(&headers, || note.map(str::to_owned)), Some(attempt), provider) {
        Ok((Send::AsItIs, ask)) => format!("as it is, {}", ask.map(|it| it.model).unwrap_or_default()),
        Ok((Send::Edited(Changes { ask, stale, without, .. }), _)) => {
            let without = if without.is_none() { "" } else { ", alone" };
            format!("{}{}{without}", ask.unwrap().model, if stale { ", again" } else { "" })
        }
        Err(reply) => format!("{} {}", reply.status, reply.code),
    }
}

#[test]
fn a_body_is_read_only_for_another_model_or_after_another_attempt() {
    let tries = [("openai", "gpt-4o"), ("azure", "deployed"), ("ollama", "gpt-4o"), ("openai", "gpt-4o-mini")];
    let tries = tries.map(|(provider, model)| one(provider, model, "openai/gpt-4o")).to_vec();
    let plan = Plan { tries, for_openrouter: false }.encode();
    let both = r#"{"tries":[{"provider":"openai","model":"m","name":"n"},{"provider":"openrouter","model":"m","name":"n"}],
                   "for_openrouter":true}"#;
    let free = r#"{"tries":[{"provider":"openai","model":"m","name":"n","parameters":{"seed":1}}]}"#;
    for (said, note, attempt, provider, expected) in [
        (Some(plan.as_str()), None, 1, "openai", "as it is, gpt-4o"),
        (Some(&plan), None, 2, "azure", "deployed"),
        (Some(&plan), None, 3, "ollama", "as it is, gpt-4o"),
        (Some(&plan), None, 4, "openai", "gpt-4o-mini"),
        (None, Some(plan.as_str()), 2, "azure", "deployed, again"),
        (None, Some(&plan), 3, "ollama", "gpt-4o, again"),
        (None, None, 1, "openai", "as it is, "),
        (None, Some("nonsense"), 1, "openai", "as it is, "),
        (Some(&plan), None, 1, "kong", "502 upstream_error"),
        (Some(both), None, 1, "openai", "m, alone"),
        (Some(both), None, 2, "openrouter", "as it is, m"),
        (Some(free), None, 1, "openai", "m"),
    ] {
        assert_eq!(check(said, note, attempt, provider), expected, "{said:?} {note:?} {provider}");
    }
}

fn asks(model: &str) -> Changes {
    Changes { ask: Some(one("openai", model, "openai/x")), ..Changes::default() }
}

#[test]
fn a_body_changes_in_its_model_alone() {
    let check = |body: &str, stale| {
        let named = edited(body.as_bytes(), &Changes { stale, ..asks("m2") });
        named.map(|it| it.map(|it| String::from_utf8(it).unwrap())).map_err(|it| it.status)
    };
    assert_eq!(check(r#"{ "model":"m1", "n":1.0}"#, false), Ok(Some(r#"{ "model":"m2", "n":1.0}"#.into())));
    assert_eq!(check(r#"{"model":"m2"}"#, false), Ok(None));
    assert_eq!(check(r#"{"model":"m2"}"#, true), Ok(Some(r#"{"model":"m2"}"#.into())));
    assert_eq!(check("nonsense", true), Err(400));
}

#[test]
fn a_candidates_parameters_stand_where_the_client_says_nothing_and_a_names_stand_before_it() {
    let rules = targets()["ollama"].rules("/chat/completions", None);
    let members = |json: &str| serde_json::from_str(json).unwrap();
    let ask = Try {
        parameters: members(r#"{"temperature":0.5,"max_completion_tokens":9,"top_p":0.9}"#),
        set: members(r#"{"top_p":0.1}"#),
        ..one("ollama", "m", "m")
    };
    let changes = Changes { ask: Some(ask), rules, without: Some(FOR_OPENROUTER), ..Changes::default() };
    for (body, expected) in [
        (r#"{"model":"m"}"#, r#"{"top_p":0.1,"max_tokens":9,"temperature":0.5,"model":"m"}"#),
        (
            r#"{"model":"a", "temperature":1.00,"top_p":1,"max_tokens":3,"provider":{"only":[]}}"#,
            r#"{"model":"m", "temperature":1.00,"top_p":0.1,"max_tokens":3}"#,
        ),
    ] {
        let text = String::from_utf8(edited(body.as_bytes(), &changes).unwrap().unwrap()).unwrap();
        assert_eq!(text, expected);
    }
}

#[test]
fn usage_is_asked_of_those_who_take_it_whatever_a_former_attempt_left() {
    let headers = |it: Option<&str>| Headers::from_iter(it.map(|it| (headers::USAGE, it)));
    let note = |it: Option<&str>| it.map(str::to_owned);
    let named = || Send::Edited(asks("m"));
    for (header, left, taken, plain, other) in [
        (None, None, true, (false, false), (false, false)),
        (Some("no"), Some("ask"), true, (false, false), (false, false)),
        (Some("ask"), None, true, (true, false), (true, false)),
        (Some("ask"), None, false, (false, false), (false, false)),
        (None, Some("ask"), true, (true, true), (true, true)),
        (None, Some("ask"), false, (false, true), (false, true)),
    ] {
        let asked = asked(&headers(header), || note(left));
        let check = |body: Send| match body.with_usage(asked, taken) {
            Send::AsItIs => (false, false),
            Send::Edited(Changes { usage, stale, .. }) => (usage, stale),
        };
        assert_eq!((check(Send::AsItIs), check(named())), (plain, other), "{header:?} {left:?} {taken}");
    }
}

#[test]
fn a_body_that_is_edited_twice_is_written_once() {
    let usage = Changes { usage: true, ..Changes::default() };
    let body = edited(br#"{"model":"m1","stream":true}"#, &Changes { usage: true, ..asks("m2") });
    assert_eq!(
        String::from_utf8(body.unwrap().unwrap()).unwrap(),
        r#"{"stream_options":{"include_usage":true},"model":"m2","stream":true}"#
    );
    assert_eq!(edited(br#"{"stream_options":{"include_usage":true}}"#, &usage), Ok(None));
    assert_eq!(edited(br#"{"stream_options":7}"#, &usage).unwrap_err().param.as_deref(), Some("stream_options"));
}

#[test]
fn a_chat_completion_is_under_the_providers_rules_and_nothing_else_is() {
    let targets = targets();
    let (thinks, plain) = (one("openai", "gpt-5", "openai/gpt-5"), one("openai", "gpt-4o", "openai/gpt-4o"));
    let deployed = one("azure", "deployed", "openai/gpt-5");
    for (provider, operation, model, expected) in [
        ("openai", "/chat/completions", Some(&thinks), 1),
        ("openai", "/chat/completions", None, 0),
        ("openai", "/chat/completions", Some(&plain), 0),
        ("azure", "/chat/completions", Some(&deployed), 1),
        ("ollama", "/chat/completions", None, 2),
        ("ollama", "/responses", Some(&thinks), 0),
        ("kong", "/chat/completions", Some(&thinks), 0),
    ] {
        let rules = targets[provider].rules(operation, model);
        assert_eq!(rules.len(), expected, "{provider} {operation} {model:?}");
        assert_eq!(Send::AsItIs.with_rules(rules, false) == Send::AsItIs, expected == 0);
    }
    let stale = Send::AsItIs.with_rules(&[], true);
    assert_eq!(stale, Send::Edited(Changes { stale: true, ..Changes::default() }));
}

#[test]
fn a_rule_the_model_and_the_usage_change_one_body() {
    let rules = targets()["ollama"].rules("/chat/completions", None);
    let changes = Changes { usage: true, rules, ..asks("m2") };
    let body = edited(br#"{"n":2,"model":"m1" , "max_completion_tokens":5}"#, &changes);
    assert_eq!(
        String::from_utf8(body.unwrap().unwrap()).unwrap(),
        r#"{"stream_options":{"include_usage":true},"model":"m2" , "max_tokens":5}"#
    );
    assert_eq!(edited(br#"{"x":1}"#, &Changes { rules, ..Changes::default() }), Ok(None));
}

#[test]
fn a_missing_credential_is_told_in_the_products_words() {
    let reply = not_configured("openai", Some("gpt-4o"));
    assert_eq!(reply.message, "Configure your openai API key in Provider Settings to use gpt-4o");
    assert_eq!((reply.status, reply.code, reply.kind()), (400, "provider_not_configured", "invalid_request_error"));
}

#[test]
fn a_response_tells_nothing_of_the_gateways_account() {
    let headers = Headers::from_iter([
        (":status", "200"),
        ("content-type", "text/event-stream"),
        ("retry-after", "1"),
        ("x-request-id", "req_1"),
        ("x-ratelimit-remaining-requests", "99"),
        ("anthropic-ratelimit-tokens-limit", "1"),
        ("openai-organization", "acme"),
        ("set-cookie", "a=b"),
        ("set-cookie", "c=d"),
        ("server", "cloudflare"),
        ("access-control-allow-origin", "*"),
        ("x-custom", "1"),
        ("x-tollgate-provider-model", "forged"),
        ("x-tollgate-session", "forged"),
    ]);
    let check =
        |replaced: Option<&str>| shown(&apply(&headers, response(&headers, "azure", replaced, &["x-custom".into()])));
    let plain = [
        ":status: 200",
        "content-type: text/event-stream",
        "retry-after: 1",
        "x-custom: 1",
        "x-tollgate-provider: azure",
        "x-tollgate-upstream-request-id: req_1",
    ];
    assert_eq!(check(None), plain);
    let mut replaced = plain.map(str::to_owned).to_vec();
    replaced.push("x-tollgate-provider-model: deployed".into());
    replaced.sort();
    assert_eq!(check(Some("deployed")), replaced);
}

#[test]
fn an_error_is_read_where_it_is_a_short_text() {
    for (status, headers, expected) in [
        (500, [("content-type", "application/json; charset=utf-8"), ("content-length", "65536")], true),
        (404, [("content-type", "text/HTML"), ("x", "")], true),
        (422, [("content-type", "application/problem+json"), ("content-encoding", "identity")], true),
        (503, [("x", ""), ("y", "")], true),
        (200, [("content-type", "application/json"), ("x", "")], false),
        (500, [("content-type", "text/event-stream"), ("x", "")], false),
        (500, [("content-type", "image/png"), ("x", "")], false),
        (500, [("content-type", "text/plain"), ("content-encoding", "gzip")], false),
        (500, [("content-type", "text/plain"), ("content-length", "65537")], false),
    ] {
        assert_eq!(reads_error(status, &Headers::from_iter(headers)), expected, "{status} {headers:?}");
    }
}

#[test]
fn an_error_is_told_whole_at_its_end_however_it_is_cut() {
    let body = br#"{"error":"slow down"}"#;
    let expected = provider::error::normalised(429, body).unwrap();
    for at in 0..=body.len() {
        let mut failure = Failure::new(429);
        assert_eq!(failure.piece(body[..at].to_vec(), false), b"");
        assert_eq!(failure.piece(body[at..].to_vec(), true), expected.as_bytes());
    }
    let mut failure = Failure::new(500);
    failure.piece(vec![b'x'; 100_000], false);
    assert!(failure.piece(vec![b'x'; 100_000], true).starts_with(br#"{"error":{"message":"xxx"#));
}

#[test]
fn what_kong_could_not_take_away_is_found() {
    let headers = client();
    let targets = targets();
    let changes = request(&headers, &targets["openai"], "/chat/completions", &[]);
    assert_eq!(twice(&headers, &changes), Some("api-key"));
}
