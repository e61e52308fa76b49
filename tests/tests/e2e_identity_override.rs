//! What providers are told of who asks, and of which application, by the gateway as it is shipped.

use serde_json::{Value, json};
use tests::gateway::Builder;
use tests::{Call, FakeProvider, Gateway, Received, Signer};

const SECRET: &str = "user-secret-0123456789";
/// Nothing else in a request looks like it.
const ADA: &str = "ada-1815";
/// `printf 'proj_test\nada-1815' | openssl dgst -sha256 -hmac user-secret-0123456789`
const PSEUDONYM: &str = "1d00307a35cd62972b0dc9b35a526d6536e0c049e91e6dc5261ac4e94238d0a2";

/// A gateway that knows its callers, in front of providers that remember.
struct World {
    fake: FakeProvider,
    gateway: Gateway,
    signer: Signer,
}

impl World {
    fn start(change: impl FnOnce(Builder) -> Builder) -> Self {
        let (fake, signer) = (FakeProvider::start(), Signer::new());
        let builder = ["ratelimit", "session", "budget"]
            .into_iter()
            .fold(Gateway::from("envoy/envoy.yaml"), |gateway, filter| gateway.without_filter(filter))
            .filter("auth", &signer.auth_config())
            .fake(&fake);
        let gateway = change(builder).start();
        Self { fake, gateway, signer }
    }

    /// Of the operator who has a secret.
    fn keyed() -> Self {
        Self::start(|builder| native(builder).env("TOLLGATE_USER_SECRET", SECRET))
    }

    fn call(&self, claims: Value, path: &str, body: &str) -> Call {
        self.fake.clear();
        let call = self.gateway.client().call("POST", path).header("content-type", "application/json");
        call.bearer(&self.signer.sign(&claims)).body(body)
    }

    /// The one request that the provider got, which says nothing of Ada.
    fn received(&self, claims: Value, path: &str, body: &str) -> Received {
        let answer = self.call(claims, path, body).send();
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let request = self.fake.only_request();
        let heads = request.headers.iter().map(|(_, value)| String::from_utf8_lossy(value).into_owned());
        let all = heads.chain([text(&request)]).find(|it| it.contains(ADA));
        assert_eq!(all, None, "{path}");
        request
    }

    /// What the provider is told for this caller as `user`.
    fn user(&self, claims: Value, said: &str) -> Value {
        let body = json!({"model": "gpt-4o-mini", "messages": [], "user": said}).to_string();
        self.received(claims, "/v1/chat/completions", &body).json()["user"].clone()
    }
}

/// With Anthropic's own API.
fn native(builder: Builder) -> Builder {
    builder.edit_filter("provider", |config| {
        let anthropic = config["providers"]["anthropic"].as_object_mut().unwrap();
        anthropic.remove("auth");
        anthropic.insert("api".to_owned(), json!("anthropic"));
    })
}

fn text(request: &Received) -> String {
    String::from_utf8_lossy(&request.body).into_owned()
}

fn ada() -> Value {
    json!({"uid": ADA})
}

#[test]
fn who_asks_has_a_pseudonym_and_every_other_byte_stays() {
    let world = World::keyed();
    for (path, body) in [
        (
            "chat/completions",
            r#"{ "user" : "ada-1815", "n":1.0,"model":"gpt-4o-mini","messages":[],"safety_identifier":"x" }"#,
        ),
        ("completions", r#"{"model":"gpt-4o-mini","prompt":"hi","user":"ada-1815"}"#),
        ("embeddings", r#"{"model":"text-embedding-3-small","input":"hi","user":"ada-1815"}"#),
        ("responses", r#"{"model":"gpt-4o-mini","input":"hi","safety_identifier":"\u0061da-1815"}"#),
        (
            "messages",
            r#"{"model":"claude-sonnet-4-5","max_tokens":5,"messages":[{"role":"user","content":"hi"}],"metadata":{ "user_id":"ada-1815" }}"#,
        ),
        ("chat/completions", r#"{ "n":1.0,"model":"gpt-4o-mini","messages":[],"user":null,"x":{"user":"é"} }"#),
    ] {
        let expected = body.replace("\\u0061", "a").replace(ADA, PSEUDONYM);
        let expected = expected.replace(r#""safety_identifier":"x""#, &format!(r#""safety_identifier":"{PSEUDONYM}""#));
        let received = world.received(ada(), &format!("/v1/{path}"), body);
        assert_eq!(text(&received), expected, "{path}");
        assert_eq!(received.header("content-length"), Some(expected.len().to_string()), "{path}");
    }
    let translated = r#"{"model":"claude-sonnet-4-5","messages":[{"role":"user","content":"hi"}],"user":"ada-1815"}"#;
    let received = world.received(ada(), "/v1/chat/completions", translated);
    assert_eq!(received.json()["metadata"]["user_id"], PSEUDONYM);
}

#[test]
fn a_user_keeps_the_name_and_shares_it_with_nobody() {
    let world = World::keyed();
    assert_eq!(world.user(ada(), ADA), PSEUDONYM);
    assert_eq!(world.user(ada(), "somebody else"), PSEUDONYM, "the token's user counts");
    let mut names = vec![json!(PSEUDONYM)];
    for claims in [json!({"uid": ADA, "pid": "proj_other"}), json!({"uid": "eve"})] {
        let name = world.user(claims, ADA);
        assert!(name.as_str().is_some_and(|it| it.len() == 64) && !names.contains(&name), "{name}");
        names.push(name);
    }
}

#[test]
fn a_retry_is_told_the_same() {
    let world = World::keyed();
    world.fake.behave("/openai", "503", None);
    let body = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}],"user":"ada-1815"}"#;
    assert_eq!(world.call(ada(), "/v1/chat/completions", body).send().status, 200);
    let requests = world.fake.requests();
    let [first, second] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!((&first.json()["user"], &second.json()["metadata"]["user_id"]), (&json!(PSEUDONYM), &json!(PSEUDONYM)));
    assert!(!text(first).contains(ADA) && !text(second).contains(ADA));
}

#[test]
fn without_a_secret_nobody_is_named_unless_the_operator_says_so() {
    let body = r#"{"model":"gpt-4o-mini","user":"ada-1815","messages":[],"safety_identifier":"ada-1815"}"#;
    let world = World::start(|builder| builder);
    let received = world.received(ada(), "/v1/chat/completions", body);
    assert_eq!(text(&received), r#"{"model":"gpt-4o-mini","messages":[]}"#);

    let world = World::start(|builder| {
        builder.edit_filter("router", |config| config["user_identifier"] = json!({"mode": "passthrough"}))
    });
    assert_eq!(world.call(ada(), "/v1/chat/completions", body).send().status, 200);
    assert_eq!(text(&world.fake.only_request()), body);
}

#[test]
fn what_could_name_two_users_is_refused_and_the_next_request_works() {
    let world = World::keyed();
    for (path, members) in [
        ("chat/completions", r#""user":"ada-1815","user":"eve""#),
        ("chat/completions", r#""user":"ada-1815","us\u0065r":"eve""#),
        ("messages", r#""max_tokens":5,"metadata":{"user_id":"ada-1815","User_ID":"eve"}"#),
    ] {
        let body = format!(r#"{{"model":"claude-sonnet-4-5","messages":[],{members}}}"#);
        let answer = world.call(ada(), &format!("/v1/{path}"), &body).header("x-title", b"\xff").send();
        assert_eq!(answer.error(), "400 invalid_request", "{members}");
        assert!(world.fake.requests().is_empty());
        assert_eq!(world.user(ada(), ADA), PSEUDONYM);
    }
}

/// What each provider in turn is told of the application, as `path agent|referer|title`. The first provider
/// fails; `openrouter` is the one that is OpenRouter, whatever it is called here.
fn told(openrouter: &str, identity: &Value, client: &[(&str, &str)]) -> Vec<String> {
    let world = World::start(|builder| {
        builder.edit_filter("provider", |config| {
            config["providers"][openrouter]["kind"] = json!("openrouter");
            if !identity.is_null() {
                config["identity"] = identity.clone();
            }
        })
    });
    world.fake.behave("/openai", "503", None);
    let call =
        world.call(ada(), "/v1/chat/completions", r#"{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]}"#);
    let answer = client.iter().fold(call, |call, (name, value)| call.header(name, value)).send();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let header = |it: &Received, name: &str| it.header(name).unwrap_or_else(|| "-".to_owned());
    let line = |it: &Received| {
        let provider = it.path.split('/').nth(1).unwrap_or_default().to_owned();
        format!("{provider} {}", ["user-agent", "http-referer", "x-title"].map(|name| header(it, name)).join("|"))
    };
    world.fake.requests().iter().map(line).collect()
}

#[test]
fn openrouter_alone_is_told_of_the_application_and_no_retry_leaks_it() {
    let client = [("user-agent", "u/1"), ("HTTP-Referer", "https://app.example/"), ("X-Title", "App")];
    let always = |value: &str| json!({"mode": "override", "override_value": value});
    let ours = json!({"user_agent": always("Ours/1"), "referer": always("https://ours.example"), "x_title": always("Our App")});
    let default = |value: &str| json!({"mode": "default", "override_value": value});
    let fallback = json!({"referer": default("https://ours.example"), "x_title": default("Our App")});
    let sent = "u/1|https://app.example/|App";
    for (openrouter, identity, client, expected) in [
        ("openai", &Value::Null, &client[..], vec![format!("openai {sent}"), "anthropic u/1|-|-".into()]),
        ("anthropic", &Value::Null, &client, vec!["openai u/1|-|-".into(), format!("anthropic {sent}")]),
        (
            "openai",
            &ours,
            &client,
            vec!["openai Ours/1|https://ours.example|Our App".into(), "anthropic Ours/1|-|-".into()],
        ),
        (
            "anthropic",
            &fallback,
            &client[..2],
            vec!["openai u/1|-|-".into(), "anthropic u/1|https://app.example/|Our App".into()],
        ),
    ] {
        assert_eq!(told(openrouter, identity, client), expected, "{openrouter} {identity}");
    }
}
