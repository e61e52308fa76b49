//! Which keys of a set are used, and for what.

use super::signing::{b64, hmac, keys, strangers};
use super::{Group, claims, config, group, with_keys};
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

/// Each issuer's tokens by its own keys, algorithms, audiences and claims, although all keys have one name.
pub(crate) fn every_token_has_its_own_issuers_keys() -> Vec<Group> {
    let provider = |issuer: &str, audience: &str, key: Value| {
        let set = json!({"keys": [key]}).to_string();
        json!({"issuer": issuer, "audiences": [audience], "local_jwks": {"inline_string": set}})
    };
    let mut third = provider("c", "aud-c", keys().rsa_jwk("k"));
    third["algorithms"] = json!(["RS512"]);
    third["claims"] = json!({"user": "sub"});
    let mut config = config(|_| ());
    config["providers"] = json!({
        "first": provider("a", "aud-a", keys().ed_jwk("k")),
        "second": provider("b", "aud-b", keys().ec_jwk("k")),
        "third": third,
    });
    let mut rows = Vec::new();
    for (issuer, audience, own) in
        [("a", "aud-a", Algorithm::EdDsa), ("b", "aud-b", Algorithm::Es256), ("c", "aud-c", Algorithm::Rs512)]
    {
        let sign = |algorithm: Algorithm, change: &dyn Fn(&mut Value)| {
            let mut claims = claims();
            (claims["iss"], claims["aud"], claims["sub"]) = (json!(issuer), json!(audience), json!("s1"));
            change(&mut claims);
            let header = json!({"alg": algorithm.name(), "kid": "k"}).to_string();
            keys().token(algorithm, &header, claims.to_string().as_bytes())
        };
        for algorithm in Algorithm::ALL {
            let expected = if algorithm == own { "ok" } else { "signature" };
            rows.push((format!("{} from {issuer}", algorithm.name()), sign(algorithm, &|_| ()), expected));
        }
        for other in ["aud-a", "aud-b", "aud-c", "aud-1"] {
            let expected = if other == audience { "ok" } else { "claims" };
            rows.push((format!("{other} from {issuer}"), sign(own, &|it| it["aud"] = json!(other)), expected));
        }
        for other in ["a", "b", "c"].into_iter().filter(|it| *it != issuer) {
            rows.push((format!("{issuer}'s key for {other}"), sign(own, &|it| it["iss"] = json!(other)), "signature"));
        }
        for stranger in ["A", "d", "first", "https://issuer.example", ""] {
            rows.push((
                format!("{stranger:?} by {issuer}'s key"),
                sign(own, &|it| it["iss"] = json!(stranger)),
                "issuer",
            ));
        }
        let of_the_user = |name: &str| if (issuer == "c") == (name == "sub") { "claims" } else { "ok" };
        for name in ["uid", "sub"] {
            rows.push((
                format!("{name} is blank, from {issuer}"),
                sign(own, &|it| it[name] = json!("")),
                of_the_user(name),
            ));
        }
    }
    vec![group(&config, rows)]
}

/// RFC 7518, 3.2: a secret is at least as long as the hash.
pub(crate) fn a_shared_secret_is_as_long_as_the_hash() -> Vec<Group> {
    let all = [(Algorithm::Hs256, 32), (Algorithm::Hs384, 48), (Algorithm::Hs512, 64)];
    let mut groups = Vec::new();
    for length in [1, 12, 31, 32, 47, 48, 63, 64, 65, 200] {
        let secret = vec![9; length];
        let set = json!({"keys": [{"kty": "oct", "kid": "k", "k": b64(&secret)}, keys().ed_jwk("ed")]}).to_string();
        let config = config(|it| {
            it["algorithms"] = json!(["EdDSA", "HS256", "HS384", "HS512"]);
            it["local_jwks"]["inline_string"] = json!(set);
        });
        let mut rows = vec![("another key".to_owned(), token(Algorithm::EdDsa, r#"{"alg":"EdDSA"}"#), "ok")];
        for (algorithm, least) in all {
            let signed = format!("{}.{}", b64(json!({"alg": algorithm.name()}).to_string()), b64(claims().to_string()));
            let code = hmac(algorithm, &secret, signed.as_bytes());
            let what = |it: &str| format!("{} with {length} bytes{it}", algorithm.name());
            let expected = if length >= least { "ok" } else { "signature" };
            rows.push((what(""), format!("{signed}.{}", b64(&code)), expected));
            rows.push((what(", half of the code"), format!("{signed}.{}", b64(&code[..code.len() / 2])), "signature"));
            // HMAC fills a key with zeros (RFC 2104, 2): another secret, the same code.
            let filled = hmac(algorithm, &[&secret[..], &[0]].concat(), signed.as_bytes());
            let same = length < 64 || (length < 128 && algorithm != Algorithm::Hs256);
            rows.push((
                what(" and a zero"),
                format!("{signed}.{}", b64(filled)),
                if same { expected } else { "signature" },
            ));
        }
        groups.push(group(&config, rows));
    }
    groups
}
