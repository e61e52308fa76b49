//! Each example of `envoy/examples/identity` in a real Envoy, with tokens of exactly the shape that the provider makes: all
//! the claims and headers that theirs have, and keys published as they publish them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "test code"
)]

mod publisher;
mod shapes;

use jwt_simple::algorithms::{HS256Key, MACLike};
use jwt_simple::claims::Claims;
use jwt_simple::prelude::Duration;
use publisher::Publisher;
use serde_json::{Value, json};
use shapes::Shape;
use tests::client::chat;
use tests::envoy::plugin_config;
use tests::{Answer, EnvoyConfig, FakeProvider, Gateway, Received};

fn example(name: &str) -> EnvoyConfig {
    EnvoyConfig::load(&format!("envoy/examples/identity/{name}.yaml")).unwrap()
}

/// The example with the provider's host at `publisher`.
fn start(config: EnvoyConfig, shapes: &[Shape], fake: &FakeProvider, publisher: &Publisher) -> Gateway {
    let address = json!({"address": {"socket_address": {"address": "127.0.0.1", "port_value": publisher.port}}});
    let point = |root: &mut Value| {
        for cluster in root["static_resources"]["clusters"].as_array_mut().unwrap() {
            if shapes.iter().any(|shape| cluster["name"] == shape.name) {
                cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"] = address.clone();
            }
        }
    };
    Gateway::with(config).fake(fake).edit(point).start()
}

fn ask(gateway: &Gateway, token: &str) -> Answer {
    gateway.client().post("/v1/chat/completions", &chat("gpt-4o", "hi")).bearer(token).send()
}

fn refused(answer: &Answer, code: &str, what: &str) {
    assert_eq!(answer.status, 401, "{what}: {}", answer.text());
    assert_eq!(answer.json()["error"]["code"], code, "{what}");
    assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer "), "{what}");
}

/// Who calls, as the service behind the gateway reads it: tenant, project, user, role, tier; empty where there is none.
fn caller(request: &Received) -> [String; 5] {
    ["x-tenant-id", "x-project-id", "x-end-user-id", "x-role", "x-tier"]
        .map(|name| request.header(name).unwrap_or_default())
}

/// What every provider has in common, and then what is special about this one.
fn check(shape: Shape) {
    let (fake, publisher) = (FakeProvider::start(), Publisher::start(std::slice::from_ref(&shape)));
    let shapes = [shape];
    let gateway = start(example(shapes[0].name), &shapes, &fake, &publisher);
    let [shape] = &shapes;

    let mut callers = vec![("as they come", shape.token(), shape.caller)];
    callers.extend(shape.also_good.iter().map(|(what, change, caller)| (*what, shape.with(change), *caller)));
    for (count, (what, token, caller_expected)) in callers.iter().enumerate() {
        let answer = ask(&gateway, token);
        assert_eq!(answer.status, 200, "{what}: {}", answer.text());
        assert_eq!(caller(&fake.requests()[count]), *caller_expected, "{what}");
    }

    let old = ask(&gateway, &shape.with(&json!({"exp": tests::token::now() - 301})));
    refused(&old, "token_expired", "expired");
    assert_eq!(old.header("x-should-retry").as_deref(), Some("true"));

    let with = |change: Value| shape.with(&change);
    let mut bad = vec![
        ("another issuer", with(json!({"iss": "https://issuer.example.org"}))),
        ("a slash too many or too few", with(json!({"iss": toggle_slash(shape.claims["iss"].as_str().unwrap())}))),
        ("signed by another than its `kid` says", shape.signed_by_another()),
        ("a `kid` that nobody published", shape.with_header(&json!({"kid": "unheard-of"}))),
        ("another algorithm in its header", shape.with_header(&json!({"alg": "HS256"}))),
        ("the user is missing", with(json!({shape.user: null}))),
        ("the user is a list", with(json!({shape.user: ["u1"]}))),
        ("the user is empty", with(json!({shape.user: ""}))),
        ("not valid yet", with(json!({"iat": tests::token::now() + 301}))),
        ("no end", with(json!({"exp": null}))),
    ];
    bad.extend(shape.refused.iter().map(|(what, change)| (*what, shape.with(change))));
    for (what, token) in &bad {
        refused(&ask(&gateway, token), "invalid_token", what);
    }
    assert_eq!(fake.requests().len(), callers.len(), "none of the others arrived");
    assert_eq!(ask(&gateway, &shape.token()).status, 200);
}

/// The same address but for a slash at its end.
fn toggle_slash(issuer: &str) -> String {
    issuer.strip_suffix('/').map_or(format!("{issuer}/"), str::to_owned)
}

#[test]
fn a_user_of_supabase_calls() {
    check(shapes::supabase());
}

#[test]
fn a_user_of_clerk_calls() {
    check(shapes::clerk());
}

#[test]
fn a_user_of_auth0_calls() {
    check(shapes::auth0());
}

#[test]
fn a_user_of_firebase_calls() {
    check(shapes::firebase());
}

#[test]
fn a_user_of_entra_calls() {
    check(shapes::entra());
}

#[test]
fn a_user_of_cognito_calls() {
    check(shapes::cognito());
}

#[test]
fn a_user_of_keycloak_calls() {
    check(shapes::keycloak());
}

/// All examples in one gateway: the providers of each, and the ways to their keys.
fn all_in_one(shapes: &[Shape]) -> EnvoyConfig {
    let mut all = example(shapes[0].name);
    for shape in &shapes[1..] {
        let mut one = example(shape.name);
        let mut providers = Value::Null;
        one.filter("auth", |config| providers = config["providers"].clone());
        all.filter("auth", |config| config["providers"][shape.name] = providers[shape.name].clone());
        let cluster = one.root()["static_resources"]["clusters"][0].clone();
        assert_eq!(cluster["name"], shape.name);
        all.root()["static_resources"]["clusters"].as_array_mut().unwrap().push(cluster);
    }
    all
}

#[test]
fn one_gateway_accepts_all_of_them_at_once_and_none_in_anothers_name() {
    let shapes = shapes::all();
    let (fake, publisher) = (FakeProvider::start(), Publisher::start(&shapes));
    let gateway = start(all_in_one(&shapes), &shapes, &fake, &publisher);
    for (count, shape) in shapes.iter().enumerate() {
        let answer = ask(&gateway, &shape.token());
        assert_eq!(answer.status, 200, "{}: {}", shape.name, answer.text());
        assert_eq!(caller(&fake.requests()[count]), shape.caller, "{}", shape.name);
    }
    for shape in &shapes {
        for other in shapes.iter().filter(|other| other.name != shape.name) {
            // Another's whole token, but in our issuer's name; and ours with another's key, named by its `kid`.
            let claims = other.changed(&json!({"iss": shape.claims["iss"]}));
            refused(&ask(&gateway, &other.sign(&other.header, &claims)), "invalid_token", "in another's name");
            refused(&ask(&gateway, &other.sign(&other.header, &shape.claims)), "invalid_token", "another's key");
        }
    }
    assert_eq!(fake.requests().len(), shapes.len());
}

#[test]
fn what_is_encrypted_is_told_what_to_do() {
    let shapes = [shapes::auth0()];
    let (fake, publisher) = (FakeProvider::start(), Publisher::start(&shapes));
    let gateway = start(example("auth0"), &shapes, &fake, &publisher);
    for (whose, header) in [
        (
            "Auth.js 5",
            json!({"alg": "dir", "enc": "A256CBC-HS512", "kid": "5h3V0bYCkYBWvHYrUgAwmUpcGLXiM0ElxkmNFDWvQzM"}),
        ),
        ("NextAuth.js 4", json!({"alg": "dir", "enc": "A256GCM"})),
        ("Auth0 without an audience", json!({"alg": "dir", "enc": "A256GCM", "iss": "https://example.eu.auth0.com/"})),
    ] {
        let answer = ask(&gateway, &shapes::encrypted(&header));
        refused(&answer, "invalid_token", whose);
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("JWE") && message.contains("Auth.js") && message.contains("jwt.encode"), "{message}");
    }
    assert!(fake.requests().is_empty());
}

#[test]
fn a_token_for_microsoft_graph_cannot_be_verified_and_is_refused_like_a_forged_one() {
    let shape = shapes::entra();
    let shapes = [shape];
    let (fake, publisher) = (FakeProvider::start(), Publisher::start(&shapes));
    let gateway = start(example("entra"), &shapes, &fake, &publisher);
    assert_eq!(ask(&gateway, &shapes[0].token()).status, 200);
    // What is signed has the hash of the nonce that is sent.
    let signed =
        shapes[0].with_header(&json!({"nonce": "cff8a6a7b2a3b9d9dbd2b0a4d3b8b0d6a0b7f2cbb7b4b2a2cbb7ad0d1c6b7f2a"}));
    let sent = shapes[0].with_header(&json!({"nonce": "T2Zn0lCyG4C6CyOdYJ2tC3kZ"}));
    let (header, rest) = (sent.split_once('.').unwrap().0, signed.split_once('.').unwrap().1);
    refused(&ask(&gateway, &format!("{header}.{rest}")), "invalid_token", "for Graph");
}

/// The first piece of YAML in the document: a Supabase project with its legacy secret.
fn legacy() -> Value {
    let document = std::fs::read_to_string(tests::tools::root().join("docs/identity-providers.md")).unwrap();
    let snippet = document.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let filters: Value = serde_yaml_ng::from_str(snippet).unwrap();
    filters[0]["config"].clone()
}

#[test]
fn a_project_of_supabase_with_its_legacy_secret_calls() {
    let shapes = [shapes::supabase()];
    let (fake, publisher) = (FakeProvider::start(), Publisher::start(&shapes));
    let mut config = example("supabase");
    config.filter("auth", |it| *it = legacy());
    let gateway = start(config, &shapes, &fake, &publisher);
    let secret = |text: &str| HS256Key::from_bytes(text.as_bytes());
    let token = |key: &HS256Key, role: &str| {
        let Value::Object(claims) = shapes[0].changed(&json!({"role": role, "iat": null, "exp": null})) else {
            panic!()
        };
        key.authenticate(Claims::with_custom_claims(claims, Duration::from_hours(1))).unwrap()
    };
    let ours = secret("the-legacy-jwt-secret-of-this-project");
    assert_eq!(ask(&gateway, &token(&ours, "authenticated")).status, 200);
    assert_eq!(caller(&fake.requests()[0])[2], shapes[0].caller[2]);
    refused(&ask(&gateway, &token(&ours, "service_role")), "invalid_token", "the role of the server");
    let other = secret("the-legacy-jwt-secret-of-that-project");
    refused(&ask(&gateway, &token(&other, "authenticated")), "invalid_token", "another secret");
    refused(&ask(&gateway, &shapes[0].token()), "invalid_token", "signed with the key that came later");
}

#[test]
fn no_example_may_speak_for_every_project() {
    for shape in shapes::all() {
        let mut example = example(shape.name);
        let mut fixed = Value::Null;
        example.filter("auth", |config| fixed = config["providers"][shape.name]["fixed"]["project"].clone());
        assert!(fixed.is_string(), "{}", shape.name);
        // And what is shipped is TLS to the provider's own host, which the key's address names too.
        let cluster = example.root()["static_resources"]["clusters"][0].clone();
        let host = &cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"];
        let tls = &cluster["transport_socket"]["typed_config"];
        assert_eq!(tls["sni"], host["socket_address"]["address"]);
        let matcher = &tls["common_tls_context"]["validation_context"]["match_typed_subject_alt_names"][0]["matcher"];
        assert_eq!(matcher["exact"], tls["sni"]);
        let plugins = example.root()["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]
            ["typed_config"]["http_filters"][0]["typed_config"]["config"]
            .clone();
        let uri = plugin_config(&plugins)["providers"][shape.name]["remote_jwks"]["http_uri"]["uri"].clone();
        assert!(uri.as_str().unwrap().starts_with(&format!("https://{}/", tls["sni"].as_str().unwrap())));
    }
}
