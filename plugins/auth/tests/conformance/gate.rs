//! The gate over time: what it remembers, when it asks for keys, what it answers.

use crate::support::{NOW, claims, config, gate, jwks, keys, present, word};
use auth::algorithm::Algorithm;
use auth::policy::{Denial, Gate, Step};
use auth::schedule::{Pace, Schedule, Want};
use domain::{headers::Headers, time::Micros};
use serde_json::{Value, json};
use std::time::Duration;

fn token(kid: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut claims = claims();
    change(&mut claims);
    keys().token(Algorithm::EdDsa, &format!(r#"{{"alg":"EdDSA","kid":"{kid}"}}"#), claims.to_string().as_bytes())
}

fn remote() -> Gate {
    let config = config(|it| {
        it.as_object_mut().unwrap().remove("local_jwks");
        it["remote_jwks"] =
            json!({"http_uri": {"uri": "http://companion/.well-known/jwks.json", "cluster": "companion"}});
    });
    gate(&config)
}

fn at(seconds: u64) -> Micros {
    Micros::from_seconds(NOW + seconds)
}

fn learn(gate: &mut Gate, document: &Value, seconds: u64) {
    let pace = Pace { fresh: Duration::from_secs(300), lost: Duration::from_secs(10) };
    let mut schedule = Schedule::default();
    schedule.learned(document.to_string(), true, at(seconds), pace);
    gate.follow(0, &schedule);
}

#[test]
fn a_request_waits_for_the_first_keys() {
    let mut gate = remote();
    let token = token("ed", |_| ());
    let Step::Ask(question) = present(&mut gate, &token, NOW) else { panic!("it has no keys") };
    assert_eq!((question.provider, question.want), (0, Want::Any));
    learn(&mut gate, &jwks(), 0);
    assert_eq!(word(&gate.answer(&question, at(0))), "ok");
    assert_eq!(word(&present(&mut gate, &token, NOW)), "ok");
}

#[test]
fn without_keys_and_without_an_answer_it_is_not_the_clients_fault() {
    let mut gate = remote();
    let token = token("ed", |_| ());
    let Step::Ask(question) = present(&mut gate, &token, NOW) else { panic!("it has no keys") };
    assert_eq!(word(&gate.answer(&question, at(0))), "ask");
    assert_eq!((question.refused(false), question.refused(true)), (Denial::NoKeys, Denial::NoKeys));
    assert_eq!(gate.reply(Denial::NoKeys).status, 503);
    assert_eq!(gate.reply(Denial::NoKeys).code, "companion_unavailable");
    // What could never be good needs no keys to be refused.
    assert_eq!(word(&present(&mut gate, "a.b.c", NOW + 1)), "malformed");
}

#[test]
fn an_unknown_key_is_asked_for_and_known_when_it_came() {
    let mut gate = remote();
    learn(&mut gate, &jwks(), 0);
    let Step::Ask(question) = present(&mut gate, &token("new", |_| ()), NOW + 1) else { panic!("unknown key") };
    assert_eq!(question.want, Want::Unknown);
    learn(&mut gate, &json!({"keys": [keys().ed_jwk("new")]}), 1);
    assert_eq!(word(&gate.answer(&question, at(1))), "ok");
}

#[test]
fn who_names_a_key_that_nobody_has_is_refused_like_everybody_else() {
    let mut gate = remote();
    learn(&mut gate, &jwks(), 0);
    let Step::Ask(question) = present(&mut gate, &token("new", |_| ()), NOW + 1) else { panic!("unknown key") };
    assert_eq!(question.refused(false), Denial::Signature);
    // Where a request cannot wait for a fetch that is under way, the client is asked to come again, once.
    let fetching = gate.reply(question.refused(true));
    assert_eq!((fetching.status, fetching.code), (401, "invalid_token"));
    assert!(fetching.headers.contains(&("x-should-retry", "true".to_owned())));
}

#[test]
fn a_removed_key_is_refused_cache_or_no_cache() {
    let mut gate = remote();
    let token = token("ed", |_| ());
    learn(&mut gate, &jwks(), 0);
    assert_eq!(word(&present(&mut gate, &token, NOW)), "ok");
    assert_eq!(word(&present(&mut gate, &token, NOW)), "ok");
    learn(&mut gate, &json!({"keys": [keys().ec_jwk("ec")]}), 10);
    assert_eq!(word(&present(&mut gate, &token, NOW + 10)), "ask");
}

#[test]
fn known_tokens_and_new_ones_pass_while_the_keys_are_not_too_old() {
    let mut gate = remote();
    let long = |jti: &str| token("ed", |it| (it["exp"], it["jti"]) = (json!(NOW + 100_000), json!(jti)));
    learn(&mut gate, &jwks(), 0);
    assert_eq!(word(&present(&mut gate, &long("a"), NOW)), "ok");
    assert_eq!(word(&present(&mut gate, &long("a"), NOW + 3899)), "ok");
    assert_eq!(word(&present(&mut gate, &long("b"), NOW + 3899)), "ok");
    assert_eq!(word(&present(&mut gate, &long("a"), NOW + 3900)), "ask");
}

#[test]
fn a_remembered_token_still_expires() {
    let mut gate = gate(&config(|_| ()));
    let token = token("ed", |_| ());
    assert_eq!(word(&present(&mut gate, &token, NOW)), "ok");
    assert_eq!(word(&present(&mut gate, &token, NOW + 959)), "ok");
    assert_eq!(word(&present(&mut gate, &token, NOW + 960)), "expired");
    // A clock that was set back does not make it valid before its time.
    assert_eq!(word(&present(&mut gate, &token, NOW - 61)), "early");
}

#[test]
fn a_stock_sdk_is_told_once_to_get_a_new_token() {
    let mut gate = gate(&config(|_| ()));
    let old = token("ed", |it| it["exp"] = json!(NOW - 1000));
    let mut retries = |count: Option<&'static str>| {
        let bearer = format!("Bearer {old}");
        let mut headers = Headers::from_iter([("authorization", bearer.as_str())]);
        if let Some(count) = count {
            headers.append(b"x-stainless-retry-count", count.as_bytes());
        }
        let Step::Deny(denial) = gate.look("POST", "/", &headers, at(0)) else { panic!("it is old") };
        let reply = gate.reply(denial);
        assert_eq!((reply.status, reply.code), (401, "token_expired"));
        reply.headers.iter().any(|it| *it == ("x-should-retry", "true".to_owned()))
            && reply.headers.iter().any(|(name, _)| *name == "retry-after-ms")
    };
    assert!(retries(None) && retries(Some("0")));
    assert!(!retries(Some("1")) && !retries(Some("x")));
}

#[test]
fn every_refusal_is_a_challenge_and_only_age_tells_more_than_another() {
    let gate = gate(&config(|_| ()));
    let reply = |denial| gate.reply(denial);
    for denial in [Denial::Malformed, Denial::Issuer, Denial::Signature, Denial::Claims, Denial::Early] {
        assert_eq!(reply(denial), reply(Denial::Signature));
        assert_eq!(reply(denial).code, "invalid_token");
    }
    let challenge = |denial| reply(denial).headers.into_iter().find(|(name, _)| *name == "www-authenticate").unwrap().1;
    assert_eq!(challenge(Denial::Missing), r#"Bearer realm="tollgate""#);
    for denial in [Denial::ApiKey, Denial::Encrypted, Denial::Signature, Denial::Expired { first_try: true }] {
        assert_eq!(challenge(denial), r#"Bearer realm="tollgate", error="invalid_token""#);
        assert_eq!(reply(denial).status, 401);
    }
    assert_eq!(reply(Denial::Missing).code, "invalid_api_key");
    assert!(
        reply(Denial::ApiKey).code == "api_key_not_allowed" && reply(Denial::ApiKey).message.contains("/v1/auth/mint")
    );
}
