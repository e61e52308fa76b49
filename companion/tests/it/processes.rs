//! Signing keys over processes that are killed, and over several at a time.

use crate::app::{send, tollgate};
use crate::cli::serve;
use crate::keys::{kid, verifies};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use tokio::task::JoinSet;

/// A project's API key.
fn api_key(dir: &Path) -> String {
    let project = tollgate(dir, &["project", "create", "--tenant", "acme", "--name", "shop"]);
    let key = tollgate(dir, &["key", "create", "--project", project["project_id"].as_str().unwrap()]);
    key["api_key"].as_str().unwrap().to_owned()
}

async fn mint(to: SocketAddr, key: &str, ttl: u64) -> Value {
    let bearer = format!("Bearer {key}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let body = json!({"user_id": "ada", "ttl": ttl}).to_string();
    let answer = send(to, "POST", "/v1/auth/mint", &headers, body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

async fn token(to: SocketAddr, key: &str) -> String {
    mint(to, key, 900).await["jwt"].as_str().unwrap().to_owned()
}

async fn reads(to: SocketAddr, token: &str) -> u16 {
    send(to, "GET", "/v1/threads", &[("authorization", &format!("Bearer {token}"))], "").await.status
}

async fn jwks(to: SocketAddr) -> Vec<u8> {
    send(to, "GET", "/.well-known/jwks.json", &[], "").await.body.to_vec()
}

/// Mints with ever longer lives until the companion is gone, and gives back what it was handed.
async fn mint_until_gone(to: SocketAddr, key: String, first: u64) -> Vec<(u64, String)> {
    let mut handed = Vec::new();
    for ttl in (first..86_400).step_by(61) {
        let (to, key) = (to, key.clone());
        // A request that the kill cuts off panics in `send`, in a task of its own.
        let Ok(minted) = tokio::spawn(async move { mint(to, &key, ttl).await }).await else { break };
        handed.push((minted["expires_at"].as_u64().unwrap(), minted["jwt"].as_str().unwrap().to_owned()));
    }
    handed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_token_outlives_its_key_however_often_the_companion_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let key = api_key(dir);
    let mut handed: Vec<(u64, String)> = Vec::new();
    for round in 0..4 {
        let mut served = serve(dir);
        let public = served.public;
        let mut minters = JoinSet::new();
        for minter in 0..3 {
            minters.spawn(mint_until_gone(public, key.clone(), 60 + minter * 20));
        }
        // As soon as there are some more, wherever the others are.
        let mut spy = 0;
        while spy < 5 + round {
            token(public, &key).await;
            spy += 1;
        }
        served.child.kill().unwrap();
        served.child.wait().unwrap();
        while let Some(minted) = minters.join_next().await {
            handed.extend(minted.unwrap());
        }
        tollgate(dir, &["key", "rotate", "--overlap", "0s"]);
    }
    let served = serve(dir);
    let (published, mut latest) = (jwks(served.public).await, BTreeMap::new());
    for (expires, token) in &handed {
        assert!(verifies(&published, token));
        let last = latest.entry(kid(token)).or_insert(0);
        *last = (*last).max(*expires);
    }
    assert_eq!(reads(served.public, &handed[0].1).await, 200);
    let listed = tollgate(dir, &["key", "signing"]);
    let mut retired = 0;
    for row in listed["signing_keys"].as_array().unwrap().iter().filter(|it| it["state"] == "retired") {
        let (last, until) = (latest[row["kid"].as_str().unwrap()], row["published_until"].as_u64().unwrap());
        // The minute for clocks that differ, and at most one in which lives are written down, or the spy's 900 s.
        assert!(until >= last + 60, "{until} {last}");
        retired += 1;
    }
    assert_eq!(retired, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_companions_on_one_database_agree_at_every_moment() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let key = api_key(dir);
    // Both find no key and make the first one.
    let path = dir.to_owned();
    let other = std::thread::spawn(move || serve(&path));
    let (one, other) = (serve(dir), other.join().unwrap());
    let (a, b) = (token(one.public, &key).await, token(other.public, &key).await);
    assert_eq!(kid(&a), kid(&b));
    assert_eq!((reads(one.public, &b).await, reads(other.public, &a).await), (200, 200));
    assert_eq!(std::fs::read_dir(dir.join("tollgate-signing-keys")).unwrap().count(), 1);

    let next = tollgate(dir, &["key", "rotate", "--overlap", "0s", "--algorithm", "ES256"]);
    for to in [one.public, other.public] {
        assert_eq!(kid(&token(to, &key).await), next["kid"]);
        assert!(verifies(&jwks(to).await, &a));
    }
    assert_eq!(jwks(one.public).await, jwks(other.public).await);
    tollgate(dir, &["key", "retire", &kid(&a), "--compromised"]);
    for to in [one.public, other.public] {
        assert!(!verifies(&jwks(to).await, &a));
        assert_eq!(reads(to, &a).await, 401);
    }
}
