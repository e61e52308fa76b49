//! What a token's header says about itself, and which key it asks for.

use super::signing::{b64, keys, strangers};
use super::{Group, claims, config, group, with_keys};
use auth::algorithm::Algorithm;
use serde_json::{Value, json};

fn signed(header: &Value) -> String {
    written(&header.to_string())
}

fn written(header: &str) -> String {
    keys().token(Algorithm::EdDsa, header, claims().to_string().as_bytes())
}

/// Whatever a token says about where its key is, it is not looked at (RFC 8725, 3.10): neither does it help a stranger, nor
/// is it fetched, nor does it harm a good token.
pub(crate) fn a_token_does_not_bring_its_key() -> Vec<Group> {
    let own = strangers().ed_jwk("ed");
    let mut rows = Vec::new();
    for (name, value) in [
        ("jwk", own.clone()),
        ("jwk", strangers().ed_jwk("new")),
        ("jwk", json!(own.to_string())),
        ("jwk", json!({"kty": "oct", "k": ""})),
        ("jwk", Value::Null),
        ("jwks", json!({"keys": [own]})),
        ("jku", json!("https://issuer.example/.well-known/jwks.json")),
        ("jku", json!("https://evil.example/jwks.json")),
        ("jku", json!("http://127.0.0.1:1/")),
        ("jku", json!("file:///etc/passwd")),
        ("jku", json!(7)),
        ("x5u", json!("https://evil.example/chain.pem")),
        ("x5c", json!(["MIIB"])),
        ("x5c", json!([])),
        ("x5c", json!("MIIB")),
        ("x5t", json!("AAAA")),
        ("x5t", Value::Null),
        ("x5t#S256", json!("AAAA")),
        ("ver", json!("2.0")),
        ("iss", json!("https://evil.example")),
        ("aud", json!("aud-9")),
        ("exp", json!(1)),
        ("nonce", json!("n")),
        ("CRIT", json!(["exp"])),
        ("Alg", json!("none")),
        ("ALG", json!("none")),
        ("KID", json!("other")),
    ] {
        let with = |kid: Option<&str>| {
            let mut header = json!({"alg": "EdDSA", name: value});
            if let Some(kid) = kid {
                header["kid"] = json!(kid);
            }
            header
        };
        let forged = |kid| strangers().token(Algorithm::EdDsa, &with(kid).to_string(), claims().to_string().as_bytes());
        rows.push((format!("a good token with {name} {value}"), signed(&with(Some("ed"))), "ok"));
        rows.push(("the same without a kid".to_owned(), signed(&with(None)), "ok"));
        rows.push((format!("a stranger's with {name} {value}"), forged(None), "signature"));
        rows.push(("a stranger's in our key's name".to_owned(), forged(Some("ed")), "signature"));
        rows.push(("a stranger's in its own name".to_owned(), forged(Some("new")), "signature"));
    }
    vec![group(&config(|_| ()), rows)]
}

/// RFC 7515, 4.1.11 and RFC 7797, 6: nothing that changes what is signed or how it is to be read is understood here.
pub(crate) fn nothing_is_critical_compressed_encrypted_or_nested() -> Vec<Group> {
    let mut rows = vec![("plain".to_owned(), signed(&json!({"alg": "EdDSA"})), "ok")];
    for name in ["crit", "b64", "zip", "enc"] {
        for value in [
            Value::Null,
            json!(true),
            json!(false),
            json!(0),
            json!(""),
            json!("DEF"),
            json!([]),
            json!([""]),
            json!({}),
            json!(["exp"]),
            json!(["b64"]),
            json!(["alg"]),
            json!([name]),
            json!([name, name]),
            json!([1]),
            json!("A128GCM"),
        ] {
            rows.push((format!("{name} {value}"), signed(&json!({"alg": "EdDSA", name: value})), "malformed"));
        }
        rows.push((
            format!("{name} behind an escape"),
            written(&format!(r#"{{"alg":"EdDSA","\u00{:x}{}":["x"]}}"#, name.as_bytes()[0], &name[1..])),
            "malformed",
        ));
    }
    for (cty, expected) in [
        ("JWT", "malformed"),
        ("jwt", "malformed"),
        ("Jwt", "malformed"),
        ("application/jwt", "malformed"),
        ("APPLICATION/JWT", "malformed"),
        ("json", "ok"),
        ("application/json", "ok"),
        ("", "ok"),
    ] {
        rows.push((format!("cty {cty}"), signed(&json!({"alg": "EdDSA", "cty": cty})), expected));
    }
    for typ in ["JWT", "jwt", "at+jwt", "application/at+jwt", "JOSE", ""] {
        rows.push((format!("typ {typ}"), signed(&json!({"alg": "EdDSA", "typ": typ})), "ok"));
    }
    for name in ["typ", "cty", "kid", "alg"] {
        for value in [
            Value::Null,
            json!(1),
            json!(1.5),
            json!(true),
            json!([]),
            json!(["EdDSA"]),
            json!({}),
            json!({"alg": "EdDSA"}),
        ] {
            let mut header = json!({"alg": "EdDSA"});
            header[name] = value.clone();
            rows.push((format!("{name} {value}"), signed(&header), "malformed"));
        }
        rows.push((
            format!("{name} twice"),
            written(&format!(r#"{{"alg":"EdDSA","{name}":"EdDSA","{name}":"EdDSA"}}"#)),
            "malformed",
        ));
    }
    vec![group(&config(|_| ()), rows)]
}

/// RFC 7516, 3.1: five parts, whatever is in them, and the headers of JWE in three.
pub(crate) fn an_encrypted_token_is_told_so() -> Vec<Group> {
    let part = |it: Value| b64(it.to_string());
    let mut rows = vec![("a signed one".to_owned(), signed(&json!({"alg": "EdDSA"})), "ok")];
    for alg in [
        "dir",
        "A256KW",
        "RSA-OAEP",
        "RSA-OAEP-256",
        "RSA1_5",
        "ECDH-ES",
        "ECDH-ES+A256KW",
        "PBES2-HS256+A128KW",
        "A256GCMKW",
    ] {
        for enc in ["A256GCM", "A256CBC-HS512"] {
            let header = json!({"alg": alg, "enc": enc});
            rows.push((
                format!("{header}"),
                format!(
                    "{}.{}.AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA",
                    part(header.clone()),
                    if alg == "dir" { "" } else { "AAAA" }
                ),
                "encrypted",
            ));
            rows.push((format!("{header} over three parts"), signed(&header), "malformed"));
        }
    }
    rows.push(("five empty parts".into(), "....".into(), "encrypted"));
    vec![group(&config(|_| ()), rows)]
}

pub(crate) fn a_name_is_a_text_byte_for_byte() -> Vec<Group> {
    let odd = ["ed", "a b", "\u{e9}", "e\u{301}", "../x", "' OR 1=1 --", "", "%65d", "\0", "null", "0", "x\ny"];
    let plain = |kid: &str| signed(&json!({"alg": "EdDSA", "kid": kid}));
    let mut groups = Vec::new();
    for name in odd {
        let rows = odd.map(|kid| {
            (format!("a token of {kid:?}, a key of {name:?}"), plain(kid), if kid == name { "ok" } else { "signature" })
        });
        groups.push(group(&with_keys(&json!([keys().ed_jwk(name)])), rows));
    }
    let long = "k".repeat(5000);
    let set = json!([keys().ed_jwk(&long), keys().ec_jwk("ed")]);
    groups.push(group(
        &with_keys(&set),
        [
            ("a long name", plain(&long), "ok"),
            ("a letter less", plain(&long[1..]), "signature"),
            ("the name of another kind's key", plain("ed"), "signature"),
            ("written with escapes", written(&format!(r#"{{"alg":"EdDSA","kid":"\u006b{}"}}"#, &long[1..])), "ok"),
            ("alg written with escapes", written(r#"{"\u0061lg":"Ed\u0044SA"}"#), "ok"),
        ],
    ));
    groups
}

/// Four keys are tried, of one name or of none; of those that are of another kind, purpose or algorithm there may be more.
pub(crate) fn four_keys_are_tried() -> Vec<Group> {
    let fourth = |before: usize, name: &str| {
        let mut set = vec![keys().rsa_jwk("other"), keys().ec_jwk(name)];
        set.extend((0..before).map(|_| strangers().ed_jwk(name)));
        set.push(keys().ed_jwk(name));
        json!(set)
    };
    let other = || keys().token(Algorithm::Rs256, r#"{"alg":"RS256","kid":"other"}"#, claims().to_string().as_bytes());
    let mut groups = Vec::new();
    for (before, expected) in [(0, "ok"), (1, "ok"), (3, "ok"), (4, "signature"), (9, "signature")] {
        for kid in [Some("k"), None] {
            let header = kid.map_or(json!({"alg": "EdDSA"}), |it| json!({"alg": "EdDSA", "kid": it}));
            let rows = [
                (format!("{before} before it, kid {kid:?}"), signed(&header), expected),
                ("another".into(), other(), "ok"),
            ];
            groups.push(group(&with_keys(&fourth(before, "k")), rows));
        }
    }
    // None of these is for EdDSA.
    let others = [
        json!({"use": "enc"}),
        json!({"key_ops": ["sign"]}),
        json!({"alg": "RS256"}),
        json!({"crv": "X25519"}),
        json!({"x": "AA"}),
    ];
    let mut set: Vec<Value> = others
        .iter()
        .cycle()
        .take(20)
        .map(|it| {
            let mut key = strangers().ed_jwk("k");
            key.as_object_mut().unwrap().extend(it.as_object().unwrap().clone());
            key
        })
        .collect();
    set.push(keys().ed_jwk("k"));
    let rows = [
        ("behind 20 that are for something else", signed(&json!({"alg": "EdDSA", "kid": "k"})), "ok"),
        ("the same without a kid", signed(&json!({"alg": "EdDSA"})), "ok"),
    ];
    groups.push(group(&with_keys(&json!(set)), rows));
    groups
}
