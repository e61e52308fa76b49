use super::*;
use crate::signing::{Algorithm, PrivateKey, RsaBits};
use domain::time::Micros;

// Public halves of keys that openssl made: genpkey, pkey -pubout. The first is that of RFC 8037, appendix A.
const ED25519: &str = "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
const P256: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEWxsowBW9a8a/6Y2LuEeudhGlps78rDF2Zt72q1OH8/YTk+EtVMcFxeUdl0kOywT6jtDn92b83xpeomaf2/nnaw==";
const P384: &str = "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEhMG5fW/tRYgPLIgO8jEnLat1Y5UePGWZCX43TQuvCEgShQY6bzcrvYjQP5BxGUMDBa0yFpz5RPHj8kH0m6CxncXHz/VjxXNkZaHhb32nWXfQszLbBGfHfG3x6wQkbz2R";
const RSA_2048: &str = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAp0ldmFxWWhiZkK7Zg3JhS5esBshpKVAOrsqWaBMRvR03ugVIZwYVWFNm1dlFvZqvxO5fSlev6wZIdmhjVcTPjP8oPbi0g3BYTJcWjnJUY2uBVLz1LoFusY8HFR89CBG0LHKaVpelDA3jZvxayWdOy3Be5tN1v6Wv34RlEluj1ceNNJofWGjXFQktdzMYuWPssOLwJk0ygKrdTo5v3gF6NlQ1iUfwzNhxeFH3bi9WH99mJPnsRUU4qsqNFJDFKCyxhC3Tcd0xszGX9fSSNh9hbOWOrKqUbIsdszrDHnVVxKbbp9TswCFXmx/DFiLb5JSpbR7Z4sLwRs3YlIr2/zjaKwIDAQAB";
const RSA_1024: &str = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDHRF8Ofrlj+CLXjwZXXgJlrFjGFYH/q/QvLtcRKesN2MuAC4vXDBxkxQ/vlxbMykf9pxZVy5JY1tWp9Utf7QdWgGY+ef6r2K/qttR43Zi6KabyZnS+CNYGa+ttO+rfBiQBTyhG2JP0RfAMQ9mQ6esRmE4oT969f8EVSHgZnX0KdQIDAQAB";
const PKCS1: &str = "MIIBCgKCAQEAn1nxL24t4tODf5ofjwkIo+fWt5cFDYR3C25SkcnkMxvGrgh/LHE6XGIHLh1HHspkvz8qlHy9ymc+Zfuj77C/FljI2fqqkUFmSL2uYjPLQyibq7imiDW5c/1gazprli3WIFRd4Ng1CwAP4Zkc9L42Il/GJWCzlC8V/JiUxTJ1ZxhFIKhnpuLj9V10cYDMVRmeY/6QOr+1nwaqpiuO3AQhaM41yfc+hW1AbY4F6GsHZEYxhBwE/2mxd7NL+1sPePasjLWF8aGobzfUC4Zl1RtnfU+4DPONianBf7tYr4FU/qzY+FiJW2JWSCAfCNNy7yiYSvss4qLElxb8qfWKfggo2QIDAQAB";

/// A PEM with lines of 64 characters, as strict readers demand.
fn pem(label: &str, base64: &str) -> String {
    let lines: Vec<&str> = base64.as_bytes().chunks(64).map(|it| std::str::from_utf8(it).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// The algorithm of the key that `text` holds and that gateways accept, or why there is none.
fn check(text: &str) -> Result<&'static str, String> {
    let key = PublicKey::read(text)?;
    let row = TenantKeyRow {
        kid: "sk_a".into(),
        project: "p1".into(),
        tenant: "acme".into(),
        algorithm: key.algorithm.into(),
        jwk: key.jwk.to_string(),
        created_at: Micros(0),
        not_before: Micros(0),
        revoked_at: None,
    };
    accepted(&row).map(|()| key.algorithm)
}

#[test]
fn a_public_key_is_read_as_pem_and_as_jwk() {
    for (base64, algorithm) in [(ED25519, "EdDSA"), (P256, "ES256"), (RSA_2048, "RS256")] {
        let text = pem("PUBLIC KEY", base64);
        assert_eq!(check(&text), Ok(algorithm));
        assert_eq!(check(&format!("\n{}", text.replace('\n', "\r\n"))), Ok(algorithm));
        let mut jwk = PublicKey::read(&text).unwrap().jwk;
        assert_eq!(check(&jwk.to_string()), Ok(algorithm));
        // What else is said of it, and by whom, is not kept.
        for (name, value) in [("kid", "x"), ("use", "sig"), ("alg", algorithm), ("tollgate_tenant", "other")] {
            jwk[name] = value.into();
        }
        assert_eq!(PublicKey::read(&jwk.to_string()), PublicKey::read(&text));
    }
    assert_eq!(check(&pem("RSA PUBLIC KEY", PKCS1)), Ok("RS256"));
}

#[test]
fn a_private_key_is_refused_and_told_so() {
    let key = PrivateKey::generate(Algorithm::Es256, RsaBits::default()).unwrap();
    let mut jwk = key.jwk.clone();
    jwk["d"] = "AAAA".into();
    for text in [key.to_pem().unwrap(), pem("RSA PRIVATE KEY", PKCS1), pem("EC PRIVATE KEY", P256), jwk.to_string()] {
        let why = check(&text).unwrap_err();
        assert!(why.contains("it is a private key") && why.contains("openssl pkey -in FILE -pubout"), "{why}");
    }
}

#[test]
fn what_gateways_would_not_accept_is_refused_with_a_reason() {
    let ed = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;
    for (text, why) in [
        (pem("PUBLIC KEY", RSA_1024), "the gateways would not accept"),
        (pem("PUBLIC KEY", P384), "expected Ed25519, P-256 or RSA"),
        (pem("CERTIFICATE", P256), "openssl x509"),
        (String::new(), "expected Ed25519, P-256 or RSA"),
        ("garbage".to_owned(), "expected Ed25519, P-256 or RSA"),
        ("{".to_owned(), "it is no JWK"),
        (r#"{"keys":[]}"#.to_owned(), "it is a key set"),
        (r#"{"kty":"oct","k":"AAAA"}"#.to_owned(), "it is a private key"),
        (r#"{"kty":"OKP","crv":"X25519","x":"AAAA"}"#.to_owned(), "expected Ed25519"),
        (r#"{"kty":"OKP","crv":"Ed25519","x":"AAAA"}"#.to_owned(), "the gateways would not accept"),
        (r#"{"kty":"EC","crv":"P-256","x":"AAAA"}"#.to_owned(), "the gateways would not accept"),
        (format!(r#"{ed},"alg":"ES256"}}"#), "its `alg` or `use`"),
        (format!(r#"{ed},"use":"enc"}}"#), "its `alg` or `use`"),
        (format!(r#"{ed},"x":"x"}}"#), "it is no JWK"),
    ] {
        let said = check(&text).unwrap_err();
        assert!(said.contains(why), "{text}: {said}");
    }
}

#[test]
fn a_name_begins_as_clients_demand() {
    let long = format!("sk_{}", "x".repeat(125));
    for good in ["sk_a", "sk_2024-01.x", &long] {
        assert_eq!(name(good), Ok(good.to_owned()));
    }
    for wrong in ["", "sk_", "a", "SK_a", "sk_a b", "sk_\"", "sk_ü", &format!("{long}x")] {
        assert!(name(wrong).is_err(), "{wrong}");
    }
    assert!(name(&new_name().unwrap()).is_ok());
}
