//! Customers who sign their users' tokens themselves.

use crate::app::{TestApp, tollgate};
use auth::jwks::KeySet;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Signer as _;
use p256::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _, LineEnding};
use serde_json::{Value, json};
use superboring::pkey::{PKey, Private};
use superboring::rsa::{Padding, Rsa};

/// Compact form of a token that `sign` signs.
fn token(alg: &str, kid: &str, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let header = json!({"alg": alg, "kid": kid, "typ": "JWT"});
    let part = |it: &Value| URL_SAFE_NO_PAD.encode(it.to_string());
    let signed = format!("{}.{}", part(&header), part(claims));
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(sign(signed.as_bytes())))
}

async fn published(app: &TestApp) -> Vec<Value> {
    let jwks = app.get("/.well-known/jwks.json", "").await;
    assert_eq!(KeySet::parse(&jwks.body).unwrap().skipped, 0);
    jwks.json()["keys"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_backend_that_signs_as_the_published_client_does_speaks_for_its_project_alone() {
    let app = TestApp::start().await;
    let dir = app.dir.path();
    let key = Rsa::<Private>::generate(2048).unwrap();
    let pem = key.public_key().unwrap().public_key_to_pem().unwrap();
    std::fs::write(dir.join("public.pem"), pem).unwrap();
    let file = dir.join("public.pem").display().to_string();
    let registered = tollgate(dir, &["tenant-key", "register", "--project", &app.project, "--public-key", &file]);
    let kid = registered["kid"].as_str().unwrap();
    assert!(kid.starts_with("sk_"));
    assert_eq!(
        registered["environment"],
        json!({"BEHEST_KID": kid, "BEHEST_TENANT_ID": "acme", "BEHEST_PROJECT_ID": app.project,
            "BEHEST_ISSUER": "tollgate", "BEHEST_AUDIENCE": "tollgate"})
    );
    let shown = published(&app).await.remove(1);
    assert_eq!(
        (&shown["kid"], &shown["alg"], &shown["use"], &shown["tollgate_tenant"], &shown["tollgate_project"]),
        (&registered["kid"], &json!("RS256"), &json!("sig"), &json!("acme"), &json!(app.project))
    );

    let key = PKey::from_rsa(key).unwrap();
    let sign = |message: &[u8]| {
        let mut signer = superboring::sign::Signer::new(superboring::hash::MessageDigest::sha256(), &key).unwrap();
        signer.set_rsa_padding(Padding::PKCS1).unwrap();
        signer.update(message).unwrap();
        signer.sign_to_vec().unwrap()
    };
    let now = app.now();
    let may = |tid: &str, pid: &str, scopes: &[&str]| {
        let claims = json!({"tid": tid, "pid": pid, "uid": "ada", "iss": "behest", "aud": "behest",
            "iat": now, "nbf": now, "exp": now + 3600, "scp": scopes});
        token("RS256", kid, &claims, sign)
    };
    let says = |tid: &str, pid: &str| may(tid, pid, &[]);
    let status = async |token: &str| app.get("/v1/threads", token).await.status;
    let good = says("acme", &app.project);
    assert_eq!(status(&good).await, 200);
    for (scopes, reads, writes) in [
        (&[][..], true, true),
        (&["threads:read"][..], true, false),
        (&["threads:write", "x"][..], false, true),
        (&["usage:read"][..], false, false),
    ] {
        let token = may("acme", &app.project, scopes);
        for path in ["/v1/threads", "/v1/conversations"] {
            let read = app.get(path, &token).await.status;
            let written = app.public("POST", path, &token, "{}").await.status;
            assert_eq!((read != 403, written != 403), (reads, writes), "{scopes:?} {path}: {read} {written}");
        }
    }
    let other = tollgate(dir, &["project", "create", "--tenant", "other", "--name", "x"]);
    let other = other["project_id"].as_str().unwrap();
    let sister = tollgate(dir, &["project", "create", "--tenant", "acme", "--name", "y"]);
    for (tid, pid) in [("other", other), ("acme", other), ("acme", sister["project_id"].as_str().unwrap())] {
        assert_eq!(status(&says(tid, pid)).await, 401, "{tid} {pid}");
    }
    assert_eq!(tollgate(dir, &["tenant-key", "revoke", kid]), json!({"kid": kid, "revoked": true}));
    assert_eq!((status(&good).await, published(&app).await.len()), (401, 1));
    let listed = tollgate(dir, &["tenant-key", "list", "--project", &app.project]);
    assert_eq!(listed["tenant_keys"][0]["state"], "revoked");
}

#[tokio::test]
async fn a_key_that_is_to_begin_later_is_not_there_before() {
    let app = TestApp::start().await;
    let dir = app.dir.path();
    let key = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
    let pem = key.verifying_key().to_public_key_pem(LineEnding::LF).unwrap();
    let file = dir.join("public.pem").display().to_string();
    std::fs::write(&file, pem).unwrap();
    let begin = (app.now() + 100).to_string();
    let register = [
        "tenant-key",
        "register",
        "--project",
        &app.project,
        "--public-key",
        &file,
        "--kid",
        "sk_a",
        "--not-before",
        &begin,
    ];
    assert_eq!(tollgate(dir, &register)["algorithm"], "ES256");
    let claims = json!({"tid": "acme", "pid": app.project, "uid": "ada", "iss": "tollgate", "aud": ["app"], "exp": app.now() + 900});
    let sign = |message: &[u8]| {
        let signature: p256::ecdsa::Signature = key.sign(message);
        signature.to_bytes().to_vec()
    };
    let token = token("ES256", "sk_a", &claims, sign);
    for (seconds, status, keys) in [(0, 401, 1), (99, 401, 1), (1, 200, 2)] {
        app.pass(std::time::Duration::from_secs(seconds));
        assert_eq!((app.get("/v1/threads", &token).await.status, published(&app).await.len()), (status, keys));
    }
    // A name belongs to one key.
    assert!(app.operator(&register).await.unwrap_err().contains("there is a key sk_a already"));
    let private = key.to_pkcs8_pem(LineEnding::LF).unwrap();
    std::fs::write(&file, private.as_bytes()).unwrap();
    assert!(app.operator(&register).await.unwrap_err().contains("it is a private key"));
    for (arguments, why) in [
        (&["tenant-key", "list", "--project", "absent"][..], "there is no project absent"),
        (&["tenant-key", "revoke", "sk_absent"], "there is no tenant key sk_absent"),
        (&["tenant-key", "register", "--project", "p", "--public-key", "absent"], "absent: No such file"),
        (&["tenant-key", "register", "--project", "p", "--public-key", "x", "--kid", "a"], "expected `sk_`"),
    ] {
        let said = app.operator(arguments).await.unwrap_err();
        assert!(said.contains(why), "{said}");
    }
}

#[tokio::test]
async fn a_key_of_the_companions_is_nobodys_own() {
    let app = TestApp::start().await;
    let file = app.dir.path().join("public.json").display().to_string();
    let ours = published(&app).await.remove(0);
    std::fs::write(&file, json!({"kty": "OKP", "crv": "Ed25519", "x": ours["x"]}).to_string()).unwrap();
    let register = ["tenant-key", "register", "--project", &app.project, "--public-key", &file];
    assert!(app.operator(&register).await.unwrap_err().contains("the companion's own public key"));
    assert_eq!(published(&app).await, [ours]);
}

#[tokio::test]
async fn no_more_keys_are_registered_than_gateways_can_read() {
    let app = TestApp::start().await;
    let key = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
    let file = app.dir.path().join("public.pem").display().to_string();
    std::fs::write(&file, key.verifying_key().to_public_key_pem(LineEnding::LF).unwrap()).unwrap();
    let register = ["tenant-key", "register", "--project", &app.project, "--public-key", &file];
    let first = app.operator(&register).await.unwrap();
    for _ in 1..100 {
        app.operator(&register).await.unwrap();
    }
    assert!(app.operator(&register).await.unwrap_err().contains("100 tenant keys are in use"));
    // Our own at their most, too.
    for _ in 1..20 {
        app.operator(&["key", "rotate", "--overlap", "0s"]).await.unwrap();
    }
    assert_eq!(published(&app).await.len(), 120);
    let kid = first["kid"].as_str().unwrap();
    app.operator(&["tenant-key", "revoke", kid]).await.unwrap();
    app.operator(&["tenant-key", "revoke", kid]).await.unwrap();
    app.operator(&register).await.unwrap();
    let entries = app.operator(&["audit", "list", "--limit", "1000"]).await.unwrap();
    let of_first: Vec<&Value> =
        entries["entries"].as_array().unwrap().iter().filter(|it| it["subject"] == kid).collect();
    let actions: Vec<&Value> = of_first.iter().map(|it| &it["action"]).collect();
    assert_eq!(actions, ["tenant_key_registered", "tenant_key_revoked"]);
    assert!(of_first.iter().all(|it| it["project"] == app.project));
}
