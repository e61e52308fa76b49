//! Every algorithm, under its own name with its own key, and under every name and key that is not its own.

use super::signing::{b64, hmac, keys};
use super::{Group, claims, config, group, with_keys};
use auth::algorithm::Algorithm;
use jwt_simple::algorithms::{ECDSAP256PublicKeyLike, ECDSAP384PublicKeyLike};
use serde_json::{Value, json};

/// A configuration that allows `algorithms`, with these keys.
fn with(algorithms: &[Algorithm], set: &Value) -> Value {
    let names: Vec<&str> = algorithms.iter().map(|it| it.name()).collect();
    config(|it| {
        it["algorithms"] = json!(names);
        it["local_jwks"] = json!({"inline_string": json!({"keys": set}).to_string()});
    })
}

/// One key of each kind, and a provider that may use them all.
fn everything() -> Value {
    let own = keys();
    let set = [own.ed_jwk("ed"), own.ec_jwk("ec"), own.ec384_jwk("ec384"), own.rsa_jwk("rsa"), own.oct_jwk("oct")];
    with(&Algorithm::ALL, &json!(set))
}

fn kid(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::EdDsa => "ed",
        Algorithm::Es256 => "ec",
        Algorithm::Es384 => "ec384",
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => "oct",
        _ => "rsa",
    }
}

/// A good token but that `made` signed it and its header says `name`.
fn called(made: Algorithm, name: &str) -> String {
    keys().token(made, &json!({"alg": name}).to_string(), claims().to_string().as_bytes())
}

fn named(made: Algorithm, name: &str, kid: &str) -> String {
    keys().token(made, &json!({"alg": name, "kid": kid}).to_string(), claims().to_string().as_bytes())
}

pub(crate) fn every_algorithm_verifies_with_its_own_key() -> Vec<Group> {
    let mut rows = Vec::new();
    for algorithm in Algorithm::ALL {
        rows.push((algorithm.name(), called(algorithm, algorithm.name()), "ok"));
        rows.push((algorithm.name(), named(algorithm, algorithm.name(), kid(algorithm)), "ok"));
        for other in ["ed", "ec", "ec384", "rsa", "oct"].into_iter().filter(|it| *it != kid(algorithm)) {
            rows.push((other, named(algorithm, algorithm.name(), other), "signature"));
        }
    }
    vec![group(&everything(), rows)]
}

pub(crate) fn no_algorithm_verifies_under_the_name_of_another() -> Vec<Group> {
    let mut rows = Vec::new();
    for made in Algorithm::ALL {
        let others = Algorithm::ALL.into_iter().filter(|it| *it != made);
        rows.extend(others.map(|name| (name.name(), called(made, name.name()), "signature")));
    }
    vec![group(&everything(), rows)]
}

pub(crate) fn a_provider_uses_only_the_algorithms_that_it_names() -> Vec<Group> {
    let mut groups = Vec::new();
    let own = keys();
    let set = json!([own.ed_jwk("a"), own.ec_jwk("b"), own.ec384_jwk("c"), own.rsa_jwk("d"), own.oct_jwk("e")]);
    for allowed in Algorithm::ALL {
        let word = |it: Algorithm| if it == allowed { "ok" } else { "signature" };
        let rows: Vec<_> = Algorithm::ALL.into_iter().map(|it| (it.name(), called(it, it.name()), word(it))).collect();
        groups.push(group(&with(&[allowed], &set), rows));
    }
    groups
}

pub(crate) fn a_provider_that_names_none_has_no_shared_secrets() -> Vec<Group> {
    let own = keys();
    let expected = |it| if it == Algorithm::Rs256 { "ok" } else { "signature" };
    vec![group(
        &with_keys(&json!([own.oct_jwk("oct"), own.rsa_jwk("rsa"), own.ec384_jwk("ec384")])),
        Algorithm::ALL.map(|it| (it.name(), called(it, it.name()), expected(it))),
    )]
}

const RSA: [Algorithm; 6] =
    [Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512, Algorithm::Ps256, Algorithm::Ps384, Algorithm::Ps512];

/// RFC 7517, 4.4: the algorithm that the key is intended for. Without one the provider's list decides.
pub(crate) fn a_key_with_an_alg_is_for_that_one_alone() -> Vec<Group> {
    let mut groups = Vec::new();
    for only in RSA {
        let mut key = keys().rsa_jwk("rsa");
        key["alg"] = json!(only.name());
        let config = with(&Algorithm::ALL, &json!([key]));
        let rows: Vec<_> = RSA
            .into_iter()
            .map(|it| (it.name(), called(it, it.name()), if it == only { "ok" } else { "signature" }))
            .collect();
        groups.push(group(&config, rows));
    }
    let secrets = [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512];
    for only in secrets {
        let mut key = keys().oct_jwk("oct");
        key["alg"] = json!(only.name());
        let expected = |it| if it == only { "ok" } else { "signature" };
        let rows = secrets.map(|it| (it.name(), called(it, it.name()), expected(it)));
        groups.push(group(&with(&Algorithm::ALL, &json!([key])), rows));
    }
    groups
}

/// RFC 7518, 3.6 and RFC 8725, 3.2: whatever the spelling, and whatever stands in the place of the signature.
pub(crate) fn none_is_no_algorithm() -> Vec<Group> {
    let mut rows = Vec::new();
    let signature = |header: &str| {
        let signed = format!("{}.{}", b64(header), b64(claims().to_string()));
        (signed.clone(), b64(keys().sign(Algorithm::EdDsa, signed.as_bytes())))
    };
    for bits in 0..16u8 {
        let letter = |(place, it): (usize, char)| if bits >> place & 1 == 1 { it.to_ascii_uppercase() } else { it };
        let name: String = "none".chars().enumerate().map(letter).collect();
        for header in [json!({"alg": name}), json!({"alg": name, "kid": "ed"}), json!({"alg": name, "typ": "JWT"})] {
            let (signed, signature) = signature(&header.to_string());
            for third in ["", &signature, "AA"] {
                rows.push((name.clone(), format!("{signed}.{third}"), "signature"));
            }
        }
    }
    vec![group(&everything(), rows)]
}

/// RFC 7515, 4.1.1: the name is case-sensitive.
pub(crate) fn names_have_one_spelling() -> Vec<Group> {
    let mut rows = Vec::new();
    for algorithm in Algorithm::ALL {
        let name = algorithm.name();
        let dashed = format!("{}-{}", &name[..2], &name[2..]);
        let spellings = [
            name.to_lowercase(),
            name.to_uppercase(),
            format!(" {name}"),
            format!("{name} "),
            format!("{name}\0"),
            format!("{name}\n"),
            format!("{name}none"),
            name[..name.len() - 1].to_owned(),
            dashed,
            name.replace('S', "\u{17f}"),
        ];
        for it in spellings.iter().filter(|it| *it != name) {
            rows.push((it.clone(), called(algorithm, it), "signature"));
        }
    }
    for other in ["ES512", "ES256K", "Ed25519", "Ed448", "RS1", "HS1", "RSA-OAEP", "dir", "ML-DSA-44", "HMAC", "*", ""]
    {
        rows.push((other.to_owned(), called(Algorithm::EdDsa, other), "signature"));
    }
    vec![group(&everything(), rows)]
}

/// Every form in which public bytes may be taken for a secret by a library that asks the token what its key is.
fn public_bytes() -> Vec<(&'static str, Vec<u8>)> {
    let own = keys();
    let rsa = own.rsa.public_key();
    let ec = own.ec.public_key();
    let (ec, ec384, ed) = (ec.public_key(), own.ec384.public_key(), own.ed.public_key());
    let ec384 = ec384.public_key();
    let n = rsa.to_components().n;
    let pkcs1 = [&[0x30, 0x82, 1, 10, 2, 0x82, 1, 1, 0][..], &n, &[2, 3, 1, 0, 1]].concat();
    let pem = rsa.to_pem().unwrap();
    let mut out = vec![
        ("RSA, SPKI in PEM", pem.clone().into_bytes()),
        ("RSA, SPKI in PEM without the last line break", pem.trim_end().as_bytes().to_vec()),
        ("RSA, SPKI in PEM with CRLF", pem.replace('\n', "\r\n").into_bytes()),
        ("RSA, SPKI in DER", rsa.to_der().unwrap()),
        ("RSA, PKCS#1 in DER", pkcs1),
        ("RSA, the modulus", n.clone()),
        ("RSA, the modulus with a zero before", [&[0], &n[..]].concat()),
        ("RSA, the modulus in base64url", b64(&n).into_bytes()),
        ("RSA, the exponent", vec![1, 0, 1]),
        ("RSA, the JWK", own.rsa_jwk("rsa").to_string().into_bytes()),
        ("P-256, SPKI in PEM", ec.to_pem().unwrap().into_bytes()),
        ("P-256, SPKI in DER", ec.to_der().unwrap()),
        ("P-256, the point", ec.to_bytes_uncompressed()),
        ("P-256, the point, compressed", ec.to_bytes()),
        ("P-256, x", ec.to_bytes_uncompressed()[1..33].to_vec()),
        ("P-256, x and y", ec.to_bytes_uncompressed()[1..].to_vec()),
        ("P-256, the JWK", own.ec_jwk("ec").to_string().into_bytes()),
        ("P-384, SPKI in PEM", ec384.to_pem().unwrap().into_bytes()),
        ("P-384, SPKI in DER", ec384.to_der().unwrap()),
        ("P-384, the point", ec384.to_bytes_uncompressed()),
        ("P-384, x", ec384.to_bytes_uncompressed()[1..49].to_vec()),
        ("Ed25519, the point", ed.to_bytes()),
        ("Ed25519, the point in base64url", b64(ed.to_bytes()).into_bytes()),
        ("Ed25519, SPKI in DER", ed.to_der()),
        ("Ed25519, SPKI in PEM", ed.to_pem().into_bytes()),
        ("Ed25519, the JWK", own.ed_jwk("ed").to_string().into_bytes()),
    ];
    let known: [&[u8]; 9] =
        [b"", b"\0", &[0; 32], &[0; 64], b"secret", b"ed", b"rsa", b"oct", b"https://issuer.example"];
    out.extend(known.map(|it| ("what anyone can guess", it.to_vec())));
    out.push(("the secret in base64url", b64([7; 64]).into_bytes()));
    out.push(("half of the secret", vec![7; 32]));
    out
}

/// RFC 8725, 2.1: a public key is no secret, even where the operator allows shared secrets beside it.
pub(crate) fn public_bytes_are_no_secret() -> Vec<Group> {
    let own = keys();
    let public =
        with(&Algorithm::ALL, &json!([own.ed_jwk("ed"), own.ec_jwk("ec"), own.ec384_jwk("ec384"), own.rsa_jwk("rsa")]));
    let mut rows = Vec::new();
    for (what, secret) in public_bytes() {
        for algorithm in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
            for kid in [None, Some("rsa"), Some("oct")] {
                let header = match kid {
                    None => json!({"alg": algorithm.name()}),
                    Some(kid) => json!({"alg": algorithm.name(), "kid": kid}),
                };
                let signed = format!("{}.{}", b64(header.to_string()), b64(claims().to_string()));
                let token = format!("{signed}.{}", b64(hmac(algorithm, &secret, signed.as_bytes())));
                rows.push((what, token, "signature"));
            }
        }
    }
    rows.push(("signed with a key", called(Algorithm::EdDsa, "EdDSA"), "ok"));
    vec![group(&everything(), rows.clone()), group(&public, rows)]
}
