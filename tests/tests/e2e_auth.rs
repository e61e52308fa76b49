//! The `auth` filter as its example runs it, in a real Envoy with two workers.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "test code"
)]

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jwt_simple::algorithms::{Ed25519KeyPair, EdDSAKeyPairLike};
use serde_json::{Value, json};
use std::time::Duration;
use tests::client::chat;
use tests::token::Algorithm;
use tests::{Answer, Call, EnvoyConfig, FakeProvider, Gateway, Signer, wait_until};

fn example() -> EnvoyConfig {
    EnvoyConfig::load("envoy/examples/auth.yaml").unwrap()
}

/// With the signer's keys in the configuration.
fn inline(fake: &FakeProvider, signer: &Signer) -> Gateway {
    let mut config = signer.auth_config();
    config["bypass"] = json!([{"path_prefix": "/v1/models"}]);
    config["bypass_cors_preflight"] = json!(true);
    Gateway::with(example()).fake(fake).filter("auth", &config).start()
}

fn ask(gateway: &Gateway) -> Call {
    gateway.client().post("/v1/chat/completions", &chat("gpt-4o", "hi"))
}

fn verdict(answer: &Answer) -> (u16, String) {
    let code =
        if answer.status == 200 { String::new() } else { answer.json()["error"]["code"].as_str().unwrap().to_owned() };
    (answer.status, code)
}

fn refused(answer: &Answer, code: &str) {
    assert_eq!(verdict(answer), (401, code.to_owned()));
    assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer "), "{code}");
    assert!(answer.header("x-request-id").is_some_and(|id| !id.is_empty()), "{code}");
    let error = answer.json()["error"].as_object().unwrap().clone();
    let mut keys: Vec<_> = error.keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["code", "message", "param", "type"]);
}

#[test]
fn a_good_token_passes_and_says_who_calls() {
    let (fake, signer) = (FakeProvider::start(), Signer::new());
    let gateway = inline(&fake, &signer);
    let token = signer.sign(&json!({"uid": "ada", "tier": 3}));
    for _ in 0..4 {
        assert_eq!(ask(&gateway).bearer(&token).send().status, 200);
    }
    let seen = &fake.requests()[3];
    let header = |name: &str| seen.header(name).unwrap_or_default();
    assert_eq!(["x-tenant-id", "x-project-id", "x-end-user-id"].map(header), ["tenant_test", "proj_test", "ada"]);
    assert_eq!(["x-role", "x-tier"].map(header), ["user", "3"]);
    assert_eq!(header("authorization"), format!("Bearer {token}"), "the companion verifies it again");
    assert_eq!(seen.body, chat("gpt-4o", "hi").to_string().into_bytes());
    let accepted = || Some(()).filter(|()| gateway.stat("wasmcustom.tollgate_auth_accepted") == 4);
    wait_until(Duration::from_secs(10), "four are counted", accepted);
}

#[test]
fn what_is_no_good_token_is_refused_in_the_one_shape() {
    let (fake, signer) = (FakeProvider::start(), Signer::new());
    let gateway = inline(&fake, &signer);
    refused(&ask(&gateway).send(), "invalid_api_key");
    refused(&ask(&gateway).bearer("sk-proj-0123").send(), "invalid_api_key");
    refused(&ask(&gateway).header("authorization", "Basic dTpw").send(), "invalid_api_key");
    refused(&ask(&gateway).bearer(&Signer::new().user("ada")).send(), "invalid_token");
    refused(&ask(&gateway).bearer(&signer.sign(&json!({"uid": " "}))).send(), "invalid_token");
    refused(&ask(&gateway).bearer(&signer.sign(&json!({"uid": null}))).send(), "invalid_token");
    let twice =
        ask(&gateway).bearer(&signer.user("ada")).header("Authorization", format!("Bearer {}", signer.user("ada")));
    refused(&twice.send(), "invalid_token");

    let key = ask(&gateway).bearer("behest_sk_live_0123456789abcdef").send();
    refused(&key, "api_key_not_allowed");
    assert!(key.text().contains("/v1/auth/mint"));

    assert!(fake.requests().is_empty(), "none of them arrived");
}

#[test]
fn an_old_token_is_told_so_and_a_stock_sdk_to_get_a_new_one() {
    let key = Ed25519KeyPair::generate();
    let b64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let jwks = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": b64(&key.public_key().to_bytes())}]}).to_string();
    let mut config = Signer::new().auth_config();
    config["providers"]["test"]["local_jwks"]["inline_string"] = json!(jwks);
    let (fake, token) = (FakeProvider::start(), |expires: u64| {
        let claims = json!({"iss": Signer::ISSUER, "aud": Signer::ISSUER, "pid": "p1", "uid": "ada", "exp": expires});
        let signed = format!("{}.{}", b64(br#"{"alg":"EdDSA"}"#), b64(claims.to_string().as_bytes()));
        let signature = key.key_pair().as_ref().sk.sign(&signed, None);
        format!("{signed}.{}", b64(&signature[..]))
    });
    let gateway = Gateway::with(example()).fake(&fake).filter("auth", &config).start();
    let now = tests::token::now();
    assert_eq!(ask(&gateway).bearer(&token(now + 60)).send().status, 200);
    assert_eq!(ask(&gateway).bearer(&token(now - 30)).send().status, 200, "clocks may differ by a minute");
    let old = token(now - 61);
    let first = ask(&gateway).bearer(&old).header("x-stainless-retry-count", "0").send();
    refused(&first, "token_expired");
    assert_eq!(first.header("x-should-retry").as_deref(), Some("true"));
    assert!(first.header("retry-after-ms").is_some());
    let second = ask(&gateway).bearer(&old).header("x-stainless-retry-count", "1").send();
    refused(&second, "token_expired");
    assert_eq!(second.header("x-should-retry"), None);
}

#[test]
fn a_client_says_nothing_about_itself() {
    let (fake, signer) = (FakeProvider::start(), Signer::new());
    let gateway = inline(&fake, &signer);
    let spoofed = [
        "x-end-user-id",
        "X-End-User-Id",
        "x_end_user_id",
        "x-end_user-id",
        "X_TIER",
        "x-role",
        "x-role",
        "x-tenant-id",
        "x-project-id",
        "x_project_id",
        "x-tollgate-chain",
        "X_Tollgate_Chain",
        "x-tollgate-model",
        "x-envoy-attempt-count",
        "X-Envoy-Retry-On",
        "x_envoy_max_retries",
    ];
    let spoof = |call: Call| spoofed.iter().fold(call, |call, name| call.header(name, "evil"));
    let token = signer.sign(&json!({"uid": "ada", "tier": null}));
    assert_eq!(spoof(ask(&gateway).bearer(&token)).header("x-session-id", "s").send().status, 200);
    assert_eq!(spoof(gateway.client().get("/v1/models")).send().status, 200);

    let seen = fake.requests();
    for request in &seen {
        let values: Vec<_> = request.headers.iter().filter(|(_, value)| value == b"evil").collect();
        assert!(values.is_empty(), "{values:?}");
    }
    assert_eq!(seen[0].header("x-end-user-id").as_deref(), Some("ada"));
    assert_eq!(seen[0].header("x-session-id").as_deref(), Some("s"));
    assert!(!seen[0].has("x-tier"), "the token names none");
    assert!(!seen[1].has("x-end-user-id"), "nobody is known where no token is needed");
}

#[test]
fn a_bypass_covers_what_it_says_and_no_path_beside_it() {
    let (fake, signer) = (FakeProvider::start(), Signer::new());
    let gateway = inline(&fake, &signer);
    let status = |method: &str, path: &str| gateway.client().call(method, path).send().status;
    assert_eq!(status("GET", "/v1/models"), 200);
    assert_eq!(status("GET", "/v1/models?x=1"), 200);
    for path in ["/v1/models-all/models", "/v1/chat/../chat/models", "/v1/models;x/models", "/V1/models"] {
        assert_eq!(status("GET", path), 401, "{path}");
    }
    // Envoy's own refusal of an encoded slash is as good.
    for path in ["/v1/models%2f..%2fchat", "/v1/models/%2e%2e/chat/completions"] {
        assert!([400, 401].contains(&status("GET", path)), "{path}");
    }
    let preflight = gateway.client().call("OPTIONS", "/v1/models2/models").header("origin", "https://a.example");
    assert_eq!(preflight.send().status, 401);
    let _ = preflight.header("access-control-request-method", "POST").send();
    assert_eq!(fake.requests().iter().filter(|it| it.method == "OPTIONS").count(), 1);
}

#[test]
fn hostile_bytes_are_refused_and_the_next_request_works() {
    let (fake, signer) = (FakeProvider::start(), Signer::new());
    let gateway = inline(&fake, &signer);
    let good = signer.user("ada");
    let [header, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else {
        panic!("a token has three parts")
    };
    let hostile: Vec<Vec<u8>> = vec![
        b"Bearer \xff".to_vec(),
        b"\xff\xfe".to_vec(),
        b"Bearer ".to_vec(),
        b"Bearer ..".to_vec(),
        format!("Bearer {}", "a".repeat(30_000)).into_bytes(),
        format!("Bearer {}", "a.".repeat(15_000)).into_bytes(),
        format!("Bearer {header}.{payload}.").into_bytes(),
        format!("Bearer {header}.{payload}.{signature}\u{e9}").into_bytes(),
        format!("Bearer {header}.{payload}.{signature}=").into_bytes(),
        format!("Bearer {header}.{payload}.{}", "A".repeat(86)).into_bytes(),
    ];
    for value in &hostile {
        for _ in 0..2 {
            let answer = ask(&gateway).header("authorization", value).send();
            assert!([400, 401].contains(&answer.status), "{}: {:.60?}", answer.status, String::from_utf8_lossy(value));
        }
        assert_eq!(ask(&gateway).bearer(&good).send().status, 200);
    }
    let elsewhere = ask(&gateway).bearer(&good).header("x-anything", b"\xff\xfe").header("x_tier", b"\xff");
    assert!([200, 400].contains(&elsewhere.send().status));
    assert_eq!(ask(&gateway).bearer(&good).send().status, 200);
}

#[test]
fn envoy_verifies_rsa_and_ecdsa_itself() {
    for algorithm in [Algorithm::Rs256, Algorithm::Es256] {
        let (fake, signer) = (FakeProvider::start(), Signer::with(algorithm));
        let gateway =
            Gateway::with(example()).fake(&fake).filter("auth", &signer.auth_config()).log_level("info").start();
        assert!(gateway.log().contains("signatures are verified by the host's code"), "{}", gateway.log());
        assert_eq!(ask(&gateway).bearer(&signer.user("ada")).send().status, 200);
        let (good, other) = (signer.user("ada"), signer.user("bob"));
        let (signed, _) = good.rsplit_once('.').unwrap();
        let (_, signature) = other.rsplit_once('.').unwrap();
        refused(&ask(&gateway).bearer(&format!("{signed}.{signature}")).send(), "invalid_token");
    }
}

#[test]
fn envoy_does_not_start_with_a_configuration_that_means_nothing() {
    let wrong = |config: &mut Value| config["providers"]["tollgate"]["algorithms"] = json!(["none"]);
    let error = Gateway::with(example()).edit_filter("auth", wrong).try_start().unwrap_err();
    assert!(error.contains("none") && error.contains("never accepted"), "{error}");
}
