//! Which documents are key sets, and what in them is of no use.

use crate::support::{b64, jwks, keys};
use auth::jwks::KeySet;
use serde_json::{Value, json};

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
