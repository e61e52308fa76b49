use crate::app::{BEGIN, TestApp, send};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::time::Duration;

pub(crate) fn claims(token: &Value) -> Value {
    let payload = token.as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[tokio::test]
async fn a_minted_token_says_who_for_how_long_and_in_the_words_of_every_client() {
    let app = TestApp::start().await;
    let asked = json!({"user_id": "ada", "role": "regular", "ttl": 3600, "session_id": "s1", "tier": 2});
    let minted = app.mint(asked).await;
    assert_eq!((minted.status, minted.header("cache-control")), (200, "no-store"));
    let minted = minted.json();
    let token = minted["access_token"].clone();
    let claims = claims(&token);
    assert_eq!(
        minted,
        json!({"access_token": token, "jwt": token, "token_type": "Bearer", "expires_in": 3600, "ttl": 3600,
            "expires_at": BEGIN + 3600, "session_id": "s1", "project_id": app.project})
    );
    assert_eq!(
        claims,
        json!({"tid": "acme", "pid": app.project, "uid": "ada", "role": "regular", "scp": [], "sid": "s1",
            "iss": "tollgate", "aud": "app", "iat": BEGIN, "nbf": BEGIN, "exp": BEGIN + 3600,
            "jti": claims["jti"], "key": app.key_id, "tier": 2})
    );
}

#[tokio::test]
async fn what_is_not_asked_for_has_a_default() {
    let app = TestApp::start().await;
    let minted = app.public("POST", "/auth/v1/auth/mint", &app.key, r#"{"user_id":"ada","tier":null}"#).await.json();
    let claims = claims(&minted["jwt"]);
    assert_eq!((&minted["ttl"], &claims["role"], claims.get("tier")), (&json!(900), &json!("user"), None));
    let session = minted["session_id"].as_str().unwrap();
    assert_eq!((session.len(), &claims["sid"]), (36, &minted["session_id"]));
    let named = app.mint(json!({"user_id": "ada", "tier": "pro"})).await.json();
    assert_eq!(self::claims(&named["jwt"])["tier"], "pro");
}

#[tokio::test]
async fn a_wrong_request_is_told_which_member_is_at_fault() {
    let app = TestApp::start().await;
    let long = "x".repeat(256);
    for (body, param) in [
        (json!({}), "user_id"),
        (json!({"user_id": ""}), "user_id"),
        (json!({"user_id": 1}), "user_id"),
        (json!({"user_id": null}), "user_id"),
        (json!({"user_id": long}), "user_id"),
        (json!({"user_id": "a\nb"}), "user_id"),
        (json!({"user_id": " a"}), "user_id"),
        (json!({"user_id": "admin"}), "user_id"),
        (json!({"user_id": "System"}), "user_id"),
        (json!({"user_id": "dashboard-service"}), "user_id"),
        (json!({"user_id": "root"}), "user_id"),
        (json!({"user_id": "a", "ttl": 59}), "ttl"),
        (json!({"user_id": "a", "ttl": 86401}), "ttl"),
        (json!({"user_id": "a", "ttl": -1}), "ttl"),
        (json!({"user_id": "a", "ttl": "900"}), "ttl"),
        (json!({"user_id": "a", "ttl": 90.5}), "ttl"),
        (json!({"user_id": "a", "tier": -1}), "tier"),
        (json!({"user_id": "a", "tier": []}), "tier"),
        (json!({"user_id": "a", "tier": ""}), "tier"),
        (json!({"user_id": "a", "role": ""}), "role"),
        (json!({"user_id": "a", "session_id": ""}), "session_id"),
        (json!({"user_id": "a", "userId": "b"}), "userId"),
    ] {
        let answer = app.mint(body.clone()).await;
        assert_eq!(answer.error(), (400, "invalid_request".into(), Some(param.into())), "{body}");
        assert!(answer.message().contains(param), "{body}: {}", answer.message());
    }
    let array = app.public("POST", "/v1/auth/mint", &app.key, r#"["ada",null,null,null,null]"#).await;
    assert_eq!(array.error(), (400, "invalid_request".into(), None));
}

#[tokio::test]
async fn a_hostile_body_is_refused_without_an_echo_of_its_values() {
    let app = TestApp::start().await;
    let deep = format!(r#"{{"user_id":"a","x":{}1{}}}"#, "[".repeat(5000), "]".repeat(5000));
    for (body, param) in [
        (r#"{"user_id":"secret","user_id":"b"}"#, Some("user_id")),
        (r#"{"user_id":"a","ttl":60,"ttl":61}"#, Some("ttl")),
        (r#"{"USER_ID":"secret"}"#, Some("USER_ID")),
        (r#"{"user_id":"a","":1}"#, Some("")),
        (r#"{"user_id":"a","__proto__":{"role":"secret"}}"#, Some("__proto__")),
        (r#"{"user_id":"a","exp":9999999999}"#, Some("exp")),
        (r#"{"user_id":"a","project_id":"secret"}"#, Some("project_id")),
        (r#"{"user_id":["secret"]}"#, Some("user_id")),
        (r#"{"user_id":{"secret":1}}"#, Some("user_id")),
        (r#"{"user_id":true}"#, Some("user_id")),
        (r#"{"user_id":"\u0000secret"}"#, Some("user_id")),
        (r#"{"user_id":"\u202esecret"}"#, Some("user_id")),
        (r#"{"user_id":"secret\u00a0"}"#, Some("user_id")),
        (r#"{"user_id":"DASHBOARD_service"}"#, Some("user_id")),
        (r#"{"user_id":"a","ttl":900.0}"#, Some("ttl")),
        (r#"{"user_id":"a","ttl":9e2}"#, Some("ttl")),
        (r#"{"user_id":"a","ttl":99999999999999999999}"#, Some("ttl")),
        (r#"{"user_id":"a","ttl":true}"#, Some("ttl")),
        (r#"{"user_id":"a","tier":1.5}"#, Some("tier")),
        (r#"{"user_id":"a","tier":true}"#, Some("tier")),
        (r#"{"user_id":"a","tier":" secret"}"#, Some("tier")),
        (r#"{"user_id":"a","tier":18446744073709551616}"#, Some("tier")),
        (r#"{"user_id":"a","role":1}"#, Some("role")),
        (r#"{"user_id":"a","role":"a\nsecret"}"#, Some("role")),
        (r#"{"user_id":"a","session_id":5}"#, Some("session_id")),
        (r#"{"user_id":"a","session_id":"secret\u200b"}"#, Some("session_id")),
        (r#"{"user_id":"\ud800secret"}"#, None),
        (r#"{"user_id":"secret""#, None),
        (r#"{"user_id":"secret"}{"user_id":"b"}"#, None),
        (r#"{'user_id':'secret'}"#, None),
        (r#"{"user_id":"a",}"#, None),
        ("\u{feff}{\"user_id\":\"secret\"}", None),
        (r#""secret""#, None),
        ("null", None),
    ] {
        let answer = app.public("POST", "/v1/auth/mint", &app.key, body).await;
        assert_eq!(answer.error(), (400, "invalid_request".into(), param.map(Into::into)), "{body}");
        assert!(!answer.message().contains("secret"), "{body}: {}", answer.message());
    }
    assert_eq!(app.public("POST", "/v1/auth/mint", &app.key, &deep).await.status, 400);
    assert_eq!(app.mint(json!({"user_id": "a"})).await.status, 200);
}

#[tokio::test]
async fn what_lies_at_the_bounds_is_minted_as_it_was_asked_for() {
    let app = TestApp::start().await;
    let longest = "ü".repeat(255);
    for (asked, claim) in [
        (json!({"user_id": longest}), "uid"),
        (json!({"user_id": "auth0|5f7c8ec7c33c6c004bbafe82"}), "uid"),
        (json!({"user_id": "ada+test@example.com"}), "uid"),
        (json!({"user_id": "a", "session_id": "名前"}), "sid"),
        (json!({"user_id": "a", "role": longest}), "role"),
        (json!({"user_id": "a", "tier": 0}), "tier"),
        (json!({"user_id": "a", "tier": u64::MAX}), "tier"),
        (json!({"user_id": "a", "tier": "0"}), "tier"),
    ] {
        let minted = app.mint(asked.clone()).await.json();
        let name = match claim {
            "uid" => "user_id",
            "sid" => "session_id",
            same => same,
        };
        assert_eq!(claims(&minted["jwt"])[claim], asked[name], "{asked}");
    }
    for ttl in [60, 86_400] {
        let minted = app.mint(json!({"user_id": "a", "ttl": ttl})).await.json();
        let claims = claims(&minted["jwt"]);
        assert_eq!((&minted["ttl"], claims["exp"].as_u64()), (&json!(ttl), Some(BEGIN + ttl)));
    }
}

#[tokio::test]
async fn both_paths_answer_alike_and_every_session_and_token_has_an_id_of_its_own() {
    let app = TestApp::start().await;
    let mut ids = Vec::new();
    for path in ["/v1/auth/mint", "/auth/v1/auth/mint", "/v1/auth/mint"] {
        let minted = app.public("POST", path, &app.key, r#"{"user_id":"ada"}"#).await.json();
        let members: Vec<_> = minted.as_object().unwrap().keys().map(String::as_str).collect();
        let expected =
            ["access_token", "expires_at", "expires_in", "jwt", "project_id", "session_id", "token_type", "ttl"];
        assert!(members.len() == 8 && expected.iter().all(|it| members.contains(it)), "{members:?}");
        ids.extend([minted["session_id"].to_string(), claims(&minted["jwt"])["jti"].to_string()]);
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 6);
}

#[tokio::test]
async fn a_key_stands_in_one_header_in_one_way() {
    let app = TestApp::start().await;
    let key = app.key.as_str();
    let check = async |values: &[String]| {
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(values.iter().map(|it| ("authorization", it.as_str())));
        send(app.running.public, "POST", "/v1/auth/mint", &headers, r#"{"user_id":"ada"}"#).await.status
    };
    for good in [format!("Bearer {key}"), format!("bearer {key}"), format!("BEARER  {key} ")] {
        assert_eq!(check(&[good]).await, 200);
    }
    let bearer = format!("Bearer {key}");
    let wrong = [
        vec![],
        vec![key.to_owned()],
        vec![format!("Basic {key}")],
        vec![format!("Bearer {key},{key}")],
        vec![format!("Bearer{key}")],
        vec![bearer.clone(), bearer.clone()],
        vec![format!("Bearer {}", key.to_uppercase())],
        vec![format!("Bearer {key}0")],
        vec![format!("Bearer {}", &key[..key.len() - 1])],
    ];
    for wrong in wrong {
        assert_eq!(check(&wrong).await, 401, "{wrong:?}");
    }
}

#[tokio::test]
async fn only_a_valid_key_mints() {
    let app = TestApp::start().await;
    let token = app.token("ada").await;
    let other = format!("behest_sk_live_{}", "0".repeat(32));
    for wrong in ["", &token, &other, "behest_sk_live_short", &format!("{} {}", app.key, app.key)] {
        let answer = app.public("POST", "/v1/auth/mint", wrong, r#"{"user_id":"ada"}"#).await;
        assert_eq!(answer.error(), (401, "invalid_api_key".into(), None), "{wrong}");
        assert!(answer.header("www-authenticate").starts_with("Bearer"));
        assert!(!answer.message().contains("behest_sk_live_0"));
    }
}

#[tokio::test]
async fn the_published_key_verifies_what_is_minted_and_outlives_a_restart() {
    let app = TestApp::start().await;
    let token = app.token("ada").await;
    let before = app.get("/.well-known/jwks.json", "").await;
    assert_eq!(before.header("cache-control"), "public, max-age=5");
    let key = &before.json()["keys"][0];
    let app = app.restart().await;
    assert_eq!(app.get("/.well-known/jwks.json", "").await.body, before.body);
    assert_eq!(app.get("/v1/threads", &token).await.status, 200);

    let (signed, signature) = token.rsplit_once('.').unwrap();
    let bytes = |it: &str| URL_SAFE_NO_PAD.decode(it).unwrap();
    let public = ed25519_compact::PublicKey::from_slice(&bytes(key["x"].as_str().unwrap())).unwrap();
    let signature = ed25519_compact::Signature::from_slice(&bytes(signature)).unwrap();
    public.verify(signed, &signature).unwrap();
    let header: Value = serde_json::from_slice(&bytes(signed.split('.').next().unwrap())).unwrap();
    assert_eq!(header, json!({"alg": "EdDSA", "kid": key["kid"], "typ": "JWT"}));
    assert_eq!((&key["kty"], &key["crv"], &key["alg"]), (&json!("OKP"), &json!("Ed25519"), &json!("EdDSA")));
}

#[tokio::test]
async fn an_expired_token_says_so_and_asks_a_stock_client_to_try_again_once() {
    let app = TestApp::start().await;
    let token = app.token("ada").await;
    // A minute for clocks that differ.
    app.pass(Duration::from_secs(959));
    assert_eq!(app.get("/v1/threads", &token).await.status, 200);
    app.pass(Duration::from_secs(1));
    let first = app.get("/v1/threads", &token).await;
    assert_eq!(first.error(), (401, "token_expired".into(), None));
    assert_eq!(first.header("x-should-retry"), "true");
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("x-stainless-retry-count", "1")];
    let second = send(app.running.public, "GET", "/v1/threads", &headers, "").await;
    assert_eq!((second.error().1.as_str(), second.header("x-should-retry")), ("token_expired", ""));
}
