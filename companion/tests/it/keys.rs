//! Signing keys over time, in one process whose clock the test moves.

use crate::app::{TestApp, files, send};
use auth::algorithm::Algorithm;
use auth::jwks::{KeySet, Signed};
use auth::signature::Engine;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// A token's header or payload.
pub(crate) fn part(token: &str, index: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(index).unwrap()).unwrap()).unwrap()
}

pub(crate) fn kid(token: &str) -> String {
    part(token, 0)["kid"].as_str().unwrap().to_owned()
}

/// Whether a gateway that fetched `jwks` finds the signature of `token` good.
pub(crate) fn verifies(jwks: &[u8], token: &str) -> bool {
    let read = auth::token::parse(token).unwrap();
    let algorithm = Algorithm::try_from(read.algorithm.clone()).unwrap();
    let signed = &token.as_bytes()[..read.signed];
    let keys = KeySet::parse(jwks).unwrap();
    keys.verify(
        &Engine::MODULE,
        &Signed { algorithm, key: read.key.as_deref(), text: signed, signature: &read.signature },
    )
    .is_some()
}

async fn kids(app: &TestApp) -> Vec<String> {
    let jwks = app.get("/.well-known/jwks.json", "").await;
    assert_eq!((jwks.status, jwks.header("cache-control")), (200, "public, max-age=5"));
    jwks.json()["keys"].as_array().unwrap().iter().map(|it| it["kid"].as_str().unwrap().to_owned()).collect()
}

fn private_halves(app: &TestApp) -> usize {
    files(&app.dir.path().join("tollgate-signing-keys")).len()
}

#[tokio::test]
async fn a_new_key_signs_once_every_gateway_knows_it_and_the_old_one_leaves_with_its_last_token() {
    let app = TestApp::start().await;
    let old = kid(&app.token("ada").await);
    app.operator(&["key", "rotate", "--algorithm", "ES256", "--overlap", "300s"]).await.unwrap();
    let both = kids(&app).await;
    assert_eq!((both.len(), &both[0]), (2, &old));
    app.pass(Duration::from_secs(299));
    let last = app.token("ada").await;
    assert_eq!(kid(&last), old);
    app.pass(Duration::from_secs(1));
    let first = app.token("ada").await;
    assert_eq!((kid(&first), &part(&first, 0)["alg"]), (both[1].clone(), &json!("ES256")));
    assert_eq!(private_halves(&app), 1);
    // The last token's 900 s, a minute for clocks that differ, and what is written down in whole minutes.
    app.pass(Duration::from_secs(958));
    assert_eq!(app.get("/v1/threads", &last).await.status, 200);
    app.pass(Duration::from_secs(1));
    assert_eq!(
        (app.get("/v1/threads", &last).await.error().1.as_str(), kids(&app).await),
        ("token_expired", both.clone())
    );
    app.pass(Duration::from_secs(1));
    assert_eq!(kids(&app).await, both[1..]);
    assert_eq!(app.get("/v1/threads", &last).await.error().1, "invalid_token");
}

#[tokio::test]
async fn every_algorithm_signs_what_a_gateway_verifies() {
    let app = TestApp::start().await;
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        app.operator(&["key", "rotate", "--algorithm", algorithm, "--overlap", "0s"]).await.unwrap();
        let token = app.token("ada").await;
        assert_eq!(part(&token, 0)["alg"], algorithm);
        assert!(verifies(&app.get("/.well-known/jwks.json", "").await.body, &token), "{algorithm}");
        assert_eq!(app.get("/v1/threads", &token).await.status, 200, "{algorithm}");
    }
}

#[tokio::test]
async fn a_retired_key_is_published_for_its_tokens_and_a_compromised_one_not_at_all() {
    let app = TestApp::start().await;
    let token = app.token("ada").await;
    let old = kid(&token);
    app.operator(&["key", "rotate", "--overlap", "0s"]).await.unwrap();
    app.operator(&["key", "retire", &old]).await.unwrap();
    assert_eq!(kids(&app).await.len(), 2);
    assert_eq!(app.get("/v1/threads", &token).await.status, 200);
    app.operator(&["key", "retire", &old, "--compromised"]).await.unwrap();
    assert_eq!(kids(&app).await, [kid(&app.token("ada").await)]);
    assert_eq!(app.get("/v1/threads", &token).await.error().1, "invalid_token");
    assert_eq!(private_halves(&app), 1);
}

#[tokio::test]
async fn a_key_is_not_retired_when_nothing_could_sign_then() {
    let app = TestApp::start().await;
    let only = kid(&app.token("ada").await);
    let why = async |arguments: &[&str]| app.operator(arguments).await.unwrap_err();
    assert!(
        why(&["key", "retire", &only]).await.contains("no other key signs now; `tollgate key rotate --overlap 0s`")
    );
    assert!(why(&["key", "retire", &only, "--compromised"]).await.contains("no other key signs now"));
    assert!(why(&["key", "retire", "absent"]).await.contains("there is no signing key absent"));
    app.operator(&["key", "rotate", "--overlap", "60s"]).await.unwrap();
    assert!(why(&["key", "retire", &only]).await.contains("no other key signs now"));
    let next = kids(&app).await.remove(1);
    assert!(why(&["key", "retire", &next]).await.contains("in 60 s no other key would sign"));
    app.pass(Duration::from_secs(60));
    app.operator(&["key", "retire", &only]).await.unwrap();
    // More than gateways can read are not published.
    for _ in 2..20 {
        app.operator(&["key", "rotate", "--overlap", "0s"]).await.unwrap();
    }
    assert!(why(&["key", "rotate"]).await.contains("20 signing keys are published"));
    assert_eq!(KeySet::parse(&app.get("/.well-known/jwks.json", "").await.body).unwrap().skipped, 0);
}

#[tokio::test]
async fn a_folder_without_the_key_is_refused_by_all_who_would_sign() {
    let app = TestApp::start().await;
    let other = app.dir.path().join("other");
    let rotate = ["key", "rotate", "--overlap", "300s", "--signing-keys", other.to_str().unwrap()];
    let why = app.operator(&rotate).await.unwrap_err();
    assert!(why.contains("No such file") && why.contains("--lost"), "{why}");
    assert_eq!(kids(&app).await.len(), 1);
    // The private half is lost while the companion is down.
    let keys = app.dir.path().join("tollgate-signing-keys");
    let file = files(&keys).remove(0);
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
    assert!(app.another().await.unwrap_err().contains("chmod 600"));
    std::fs::remove_file(&file).unwrap();
    assert!(app.another().await.unwrap_err().contains("`tollgate key rotate --lost` makes another"));
    // One who runs already goes on with the key that it knows.
    assert_eq!(app.mint(json!({"user_id": "ada"})).await.status, 200);
    app.operator(&["key", "rotate", "--lost"]).await.unwrap();
    assert_eq!(kid(&app.token("ada").await), kids(&app).await[1]);
}

#[tokio::test]
async fn the_list_of_keys_says_what_each_does() {
    let app = TestApp::start().await;
    app.operator(&["key", "rotate", "--overlap", "0s", "--algorithm", "ES256"]).await.unwrap();
    app.operator(&["key", "rotate", "--overlap", "1000s"]).await.unwrap();
    let listed = app.operator(&["key", "signing"]).await.unwrap();
    let row = |index: usize, members: &[&str]| {
        members.iter().map(|it| listed["signing_keys"][index][*it].clone()).collect::<Vec<_>>()
    };
    let now = app.now();
    assert_eq!(row(0, &["state", "signs_until", "published_until"]), [json!("retired"), json!(now), json!(now + 60)]);
    assert_eq!(row(1, &["state", "algorithm", "signs_from"]), [json!("signing"), json!("ES256"), json!(now)]);
    assert_eq!(row(1, &["signs_until", "published_until"]), [now + 1000, now + 1060]);
    assert_eq!(row(2, &["state", "signs_from", "signs_until"]), [json!("waiting"), json!(now + 1000), Value::Null]);
    let dir = app.dir.path();
    // The private halves are in their folder and nowhere else.
    for file in files(dir).into_iter().filter(|it| it.extension().is_some_and(|it| it == "pem")) {
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let pem = std::fs::read_to_string(&file).unwrap();
        let secret = pem.lines().nth(1).unwrap();
        let elsewhere = files(dir).into_iter().filter(|it| *it != file);
        for other in elsewhere {
            let bytes = std::fs::read(&other).unwrap();
            assert!(!bytes.windows(secret.len()).any(|it| it == secret.as_bytes()), "{other:?}");
        }
    }
}

#[tokio::test]
async fn the_keys_are_published_while_the_database_does_not_answer_and_nothing_is_signed_or_believed() {
    let app = TestApp::start().await;
    let token = app.token("ada").await;
    let before = app.get("/.well-known/jwks.json", "").await;
    let database = sqlx::SqlitePool::connect(&crate::app::database_url(app.dir.path())).await.unwrap();
    sqlx::query("DROP TABLE key_version").execute(&database).await.unwrap();
    assert_eq!(app.get("/.well-known/jwks.json", "").await.body, before.body);
    assert_eq!(app.mint(json!({"user_id": "ada"})).await.error().1, "companion_unavailable");
    assert_eq!(app.get("/v1/threads", &token).await.error().1, "companion_unavailable");
}

#[tokio::test]
async fn what_is_done_to_keys_that_sign_is_in_the_audit_table() {
    let app = TestApp::start().await;
    let old = kid(&app.token("ada").await);
    let new = app.operator(&["key", "rotate", "--overlap", "0s"]).await.unwrap();
    app.operator(&["key", "retire", &old, "--compromised"]).await.unwrap();
    let entries = app.operator(&["audit", "list"]).await.unwrap();
    let of = |subject: &Value| -> Vec<(Value, Value)> {
        let entries = entries["entries"].as_array().unwrap().iter().filter(|it| it["subject"] == *subject);
        entries.map(|it| (it["action"].clone(), it["details"].clone())).collect()
    };
    let algorithm = json!({"algorithm": "EdDSA"});
    let created = (json!("signing_key_created"), algorithm);
    assert_eq!(of(&json!(old)), [created.clone(), (json!("signing_key_retired"), json!({"compromised": true}))]);
    assert_eq!(of(&new["kid"]), [created, (json!("signing_key_rotated"), json!({"signs_from": app.now()}))]);
}

/// Mints and looks at all that it minted, until told to stop; gives back how many tokens there were.
async fn mint_and_look(to: SocketAddr, key: String, stop: Arc<AtomicBool>, now: Arc<AtomicU64>) -> usize {
    let bearer = format!("Bearer {key}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let mut tokens: Vec<(u64, String)> = Vec::new();
    for (count, ttl) in (0..).zip([60, 300, 900, 1400].into_iter().cycle()) {
        if stop.load(Ordering::SeqCst) {
            return count;
        }
        let body = json!({"user_id": "ada", "ttl": ttl}).to_string();
        let minted = send(to, "POST", "/v1/auth/mint", &headers, body).await;
        assert_eq!(minted.status, 200, "{minted:?}");
        let minted = minted.json();
        tokens.push((minted["expires_at"].as_u64().unwrap(), minted["jwt"].as_str().unwrap().to_owned()));
        let jwks = send(to, "GET", "/.well-known/jwks.json", &[], "").await;
        let keys = KeySet::parse(&jwks.body).unwrap();
        assert_eq!(keys.skipped, 0);
        // Those that lived still after the keys were fetched.
        let later = now.load(Ordering::SeqCst);
        tokens.retain(|(expires, _)| *expires > later.saturating_sub(59));
        for (expires, token) in &tokens {
            assert!(verifies(&jwks.body, token), "until {expires}, now {later}: {:?}", part(token, 0));
        }
    }
    0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_token_verifies_at_every_moment_while_keys_come_and_go() {
    let app = TestApp::start().await;
    let stop = Arc::new(AtomicBool::new(false));
    let minters: Vec<_> = (0..4)
        .map(|_| tokio::spawn(mint_and_look(app.running.public, app.key.clone(), stop.clone(), app.seconds.clone())))
        .collect();
    let mut signed = std::collections::BTreeSet::new();
    for round in 0_u64..40 {
        let before = kid(&app.token("eve").await);
        signed.insert(before.clone());
        let overlap = format!("{}s", round % 3 * 100);
        app.operator(&["key", "rotate", "--overlap", &overlap]).await.unwrap();
        app.pass(Duration::from_secs(round % 3 * 100));
        if round % 2 == 0 {
            app.operator(&["key", "retire", &before]).await.unwrap();
        }
        app.pass(Duration::from_secs(90));
    }
    stop.store(true, Ordering::SeqCst);
    let mut looked = 0;
    for minter in minters {
        looked += minter.await.unwrap();
    }
    assert!(signed.len() == 40 && looked > 40, "{} keys, {looked} tokens", signed.len());
}
