//! What a key's members say it is for, each on every kind of key.

use super::signing::{b64, keys, strangers};
use super::{Group, claims, config, group};
use auth::algorithm::Algorithm;
use serde_json::{Value, json};

/// The kinds of keys, none with an `alg`, and an algorithm for each.
fn kinds() -> [(Value, Algorithm); 5] {
    let own = keys();
    [
        (own.ed_jwk("k"), Algorithm::EdDsa),
        (own.ec_jwk("k"), Algorithm::Es256),
        (own.ec384_jwk("k"), Algorithm::Es384),
        (own.rsa_jwk("k"), Algorithm::Rs256),
        (own.oct_jwk("k"), Algorithm::Hs256),
    ]
}

/// A set with all kinds of keys, changed like this, and a plain key of somebody else; a token of each.
fn changed(changes: &Value, expected: &'static str) -> Group {
    let mut set = vec![strangers().ed_jwk("other")];
    set.extend(kinds().map(|(mut key, _)| {
        for (name, value) in changes.as_object().unwrap() {
            key[name] = value.clone();
        }
        key
    }));
    let config = config(|it| {
        it["algorithms"] = json!(Algorithm::ALL.map(Algorithm::name));
        it["local_jwks"]["inline_string"] = json!(json!({"keys": set}).to_string());
    });
    let payload = claims().to_string();
    let token = |algorithm: Algorithm| {
        keys().token(algorithm, &json!({"alg": algorithm.name()}).to_string(), payload.as_bytes())
    };
    let other = strangers().token(Algorithm::EdDsa, r#"{"alg":"EdDSA","kid":"other"}"#, payload.as_bytes());
    let mut rows = vec![(format!("a plain key beside {changes}"), other, "ok")];
    rows.extend(kinds().map(|(_, it)| (format!("{} with {changes}", it.name()), token(it), expected)));
    group(&config, rows)
}

/// RFC 7517, 4.2 to 4.5: members with a meaning must have it.
pub(crate) fn a_key_is_for_verifying_and_says_nothing_else() -> Vec<Group> {
    [
        (json!({}), "ok"),
        (json!({"use": "sig"}), "ok"),
        (json!({"key_ops": ["verify"]}), "ok"),
        (json!({"key_ops": ["verify", "sign"]}), "ok"),
        (json!({"use": "sig", "key_ops": ["verify"]}), "ok"),
        (json!({"x5t": 1, "x5c": "?", "exp": 0, "nbf": "never", "": null, "ext": true}), "ok"),
        (json!({"use": "enc"}), "signature"),
        (json!({"use": "SIG"}), "signature"),
        (json!({"use": "sig "}), "signature"),
        (json!({"use": ""}), "signature"),
        (json!({"use": null}), "signature"),
        (json!({"use": ["sig"]}), "signature"),
        (json!({"use": "enc", "key_ops": ["verify"]}), "signature"),
        (json!({"use": "sig", "key_ops": ["encrypt"]}), "signature"),
        (json!({"key_ops": []}), "signature"),
        (json!({"key_ops": "verify"}), "signature"),
        (json!({"key_ops": null}), "signature"),
        (json!({"key_ops": {"verify": true}}), "signature"),
        (json!({"key_ops": ["Verify"]}), "signature"),
        (json!({"key_ops": ["sign"]}), "signature"),
        (json!({"key_ops": ["encrypt", "wrapKey"]}), "signature"),
        (json!({"key_ops": ["verify", "verify"]}), "signature"),
        (json!({"key_ops": ["verify", "sign", "sign"]}), "signature"),
        (json!({"key_ops": ["verify", 1]}), "signature"),
        (json!({"key_ops": ["verify", null]}), "signature"),
        (json!({"kid": 7}), "signature"),
        (json!({"kid": null}), "signature"),
        (json!({"kid": ["k"]}), "signature"),
        (json!({"kid": {"k": "k"}}), "signature"),
        (json!({"alg": null}), "signature"),
        (json!({"alg": 256}), "signature"),
        (json!({"alg": ["EdDSA", "ES256", "ES384", "PS256", "HS384"]}), "signature"),
        (json!({"alg": ""}), "signature"),
        (json!({"alg": "none"}), "signature"),
        (json!({"alg": "RSA-OAEP"}), "signature"),
        (json!({"alg": "RSA-OAEP", "use": "sig"}), "signature"),
        (json!({"alg": "ES512"}), "signature"),
        (json!({"alg": "A256GCM"}), "signature"),
        (json!({"kty": "ec"}), "signature"),
        (json!({"kty": "OCT"}), "signature"),
        (json!({"kty": null}), "signature"),
        (json!({"kty": ["OKP"]}), "signature"),
        (json!({"d": b64([1; 32])}), "signature"),
        (json!({"d": null}), "signature"),
        (json!({"p": b64([1; 32]), "q": b64([1; 32])}), "signature"),
        (json!({"oth": []}), "signature"),
        (json!({"tollgate_tenant": "t"}), "signature"),
        (json!({"tollgate_project": "p"}), "signature"),
        (json!({"tollgate_tenant": "t", "tollgate_project": ""}), "signature"),
        (json!({"tollgate_tenant": 1, "tollgate_project": "p"}), "signature"),
        (json!({"tollgate_tenant": null, "tollgate_project": null}), "signature"),
    ]
    .iter()
    .map(|(changes, expected)| changed(changes, expected))
    .collect()
}
