//! Which keys of a set are used, and for what.

use crate::support::{b64, check, claims, config, jwks, keys, strangers};
use auth::{algorithm::Algorithm, config::Config, jwks::KeySet};
use serde_json::{Value, json};

fn token(algorithm: Algorithm, header: &str) -> String {
    keys().token(algorithm, header, claims().to_string().as_bytes())
}

fn with_keys(keys: &Value) -> Config {
    config(|it| it["local_jwks"] = json!({"inline_string": json!({"keys": keys}).to_string()}))
}

/// The Ed25519 key with one member changed, next to one that keeps the set usable; a token of it.
fn changed(name: &str, value: Value) -> (Config, String) {
    let mut key = keys().ed_jwk("ed");
    key[name] = value;
    (with_keys(&json!([key, keys().rsa_jwk("rsa")])), token(Algorithm::EdDsa, r#"{"alg":"EdDSA","kid":"ed"}"#))
}

#[test]
fn a_key_is_used_for_what_it_says() {
    let cases = [
        ("alg", json!("EdDSA"), "ok"),
        ("alg", json!("RS256"), "signature"),
        ("alg", json!("HS256"), "signature"),
        ("alg", Value::Null, "signature"),
        ("use", json!("sig"), "ok"),
        ("use", json!("enc"), "signature"),
        ("use", json!(1), "signature"),
        ("key_ops", json!(["verify"]), "ok"),
        ("key_ops", json!(["sign", "verify"]), "ok"),
        ("key_ops", json!(["sign"]), "signature"),
        ("key_ops", json!([]), "signature"),
        ("key_ops", json!("verify"), "signature"),
        ("kty", json!("EC"), "signature"),
        ("kty", json!("okp"), "signature"),
        ("kty", json!("oct"), "signature"),
        ("crv", json!("X25519"), "signature"),
        ("crv", json!("Ed448"), "signature"),
        ("crv", json!("P-256"), "signature"),
        ("x", json!(""), "signature"),
        ("x", json!(b64([0; 32])), "signature"),
        ("x", json!(b64([1; 31])), "signature"),
        ("x", json!(b64([1; 33])), "signature"),
        ("x", json!("="), "signature"),
        ("x", json!(7), "signature"),
        ("kid", json!(7), "signature"),
        ("kid", json!("other"), "signature"),
        ("x5t", json!("ignored"), "ok"),
    ];
    for (name, value, expected) in cases {
        let what = format!("{name} {value}");
        let (config, token) = changed(name, value);
        check(&config, &[(&what, token, expected)]);
    }
}

#[test]
fn a_kid_selects_and_without_one_a_few_keys_are_tried() {
    let other = |name: &str| strangers().ed_jwk(name);
    let mut nameless = keys().ed_jwk("");
    nameless.as_object_mut().unwrap().remove("kid");
    let ed = keys().ed_jwk("ed");
    let named = || token(Algorithm::EdDsa, r#"{"alg":"EdDSA","kid":"ed"}"#);
    let plain = || token(Algorithm::EdDsa, r#"{"alg":"EdDSA"}"#);
    for (what, set, token, expected) in [
        ("selected among others", json!([other("a"), other("b"), ed]), named(), "ok"),
        ("two of that name", json!([other("ed"), ed]), named(), "ok"),
        ("a stranger's key of that name", json!([other("ed"), nameless]), named(), "signature"),
        ("no name in the set", json!([other("a"), nameless]), named(), "ok"),
        ("no name in the token", json!([other("a"), ed]), plain(), "ok"),
        ("the fourth", json!([other("a"), other("b"), other("c"), ed]), plain(), "ok"),
        ("the fifth", json!([other("a"), other("b"), other("c"), other("d"), ed]), plain(), "signature"),
        (
            "keys of other kinds do not count",
            json!([keys().ec_jwk("a"), keys().rsa_jwk("b"), other("c"), other("d"), other("e"), ed]),
            plain(),
            "ok",
        ),
    ] {
        check(&with_keys(&set), &[(what, token, expected)]);
    }
}

#[test]
fn keys_that_are_of_no_use_are_counted() {
    let rsa = |n: &[u8], e: &[u8]| json!({"kty": "RSA", "n": b64(n), "e": b64(e)});
    let mut ec = keys().ec_jwk("ec");
    ec["y"] = json!(b64([1; 32]));
    let modulus = keys().rsa.public_key().to_components().n;
    for (what, key) in [
        ("a shared secret", json!({"kty": "oct", "k": b64([7; 32])})),
        ("a point that is not on the curve", ec),
        ("RSA of 1024 bits", rsa(&[255; 128], &[1, 0, 1])),
        ("RSA of 8192 bits", rsa(&[255; 1024], &[1, 0, 1])),
        ("RSA with an even modulus", rsa(&[&modulus[..255], &[2]].concat(), &[1, 0, 1])),
        ("RSA with exponent 1", rsa(&modulus, &[1])),
        ("RSA with an even exponent", rsa(&modulus, &[1, 0, 0])),
        ("RSA with an exponent of 34 bits", rsa(&modulus, &[2, 0, 0, 0, 1])),
        ("RSA with exponent 0", rsa(&modulus, &[0])),
        ("RSA without a modulus", json!({"kty": "RSA", "e": "AQAB"})),
        ("no point of P-384", json!({"kty": "EC", "crv": "P-384", "x": b64([1; 48]), "y": b64([1; 48])})),
        ("no kty", json!({})),
        ("no object", json!("key")),
        ("null", Value::Null),
    ] {
        let set = json!({"keys": [key, keys().ed_jwk("ed")]});
        assert_eq!(KeySet::parse(set.to_string().as_bytes()).unwrap().skipped, 1, "{what}");
        let alone = json!({"keys": [key]});
        assert!(KeySet::parse(alone.to_string().as_bytes()).is_err(), "{what}");
    }
}

#[test]
fn a_document_that_is_no_key_set_is_refused() {
    let good = jwks().to_string();
    assert!(KeySet::parse(good.as_bytes()).is_ok());
    let many: Vec<Value> = (0..200).map(|_| keys().ed_jwk("ed")).collect();
    for text in [
        "",
        "null",
        "[]",
        "{}",
        r#"{"keys":null}"#,
        r#"{"keys":{}}"#,
        r#"{"keys":[]}"#,
        "<html>",
        &good[1..],
        &format!("{good}{good}"),
        &good.replacen("{", r#"{"keys":[],"#, 1),
        &json!({"keys": many}).to_string(),
        &format!("{good}{}", " ".repeat(300_000)),
    ] {
        assert!(KeySet::parse(text.as_bytes()).is_err(), "{text:.40}");
    }
}
