//! Which keys of a set are used, and for what.

use super::signing::{b64, keys, strangers};
use super::{Group, claims, group, with_keys};
use auth::algorithm::Algorithm;
use serde_json::{Value, json};

fn token(algorithm: Algorithm, header: &str) -> String {
    keys().token(algorithm, header, claims().to_string().as_bytes())
}

/// The Ed25519 key with one member changed, next to one that keeps the set usable; a token of it.
fn changed(name: &str, value: Value) -> (Value, String) {
    let mut key = keys().ed_jwk("ed");
    key[name] = value;
    (with_keys(&json!([key, keys().rsa_jwk("rsa")])), token(Algorithm::EdDsa, r#"{"alg":"EdDSA","kid":"ed"}"#))
}

pub(crate) fn a_key_is_used_for_what_it_says() -> Vec<Group> {
    let mut groups = Vec::new();
    let spare = || token(Algorithm::Rs256, r#"{"alg":"RS256","kid":"rsa"}"#);
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
        groups.push(group(&config, [(what.as_str(), token, expected), ("the other key", spare(), "ok")]));
    }
    groups
}

pub(crate) fn a_kid_selects_and_without_one_a_few_keys_are_tried() -> Vec<Group> {
    let mut groups = Vec::new();
    let other = |name: &str| strangers().ed_jwk(name);
    let mut nameless = keys().ed_jwk("");
    nameless.as_object_mut().unwrap().remove("kid");
    let ed = keys().ed_jwk("ed");
    let named = || token(Algorithm::EdDsa, r#"{"alg":"EdDSA","kid":"ed"}"#);
    let plain = || token(Algorithm::EdDsa, r#"{"alg":"EdDSA"}"#);
    for (what, mut set, named, expected) in [
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
        set.as_array_mut().unwrap().push(keys().rsa_jwk("other"));
        let other = token(Algorithm::Rs256, r#"{"alg":"RS256","kid":"other"}"#);
        groups.push(group(&with_keys(&set), [(what, named, expected), ("the other key", other, "ok")]));
    }
    groups
}
