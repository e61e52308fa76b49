//! ECDSA where numbers begin with zeros: one in 256 does, and no library may drop them.

use super::signing::{b64, keys};
use super::{Group, claims, group, with_keys};
use auth::algorithm::Algorithm;
use jwt_simple::algorithms::{ECDSAP256KeyPairLike, ECDSAP256PublicKeyLike, ES256KeyPair};
use p256::ecdsa::signature::Signer as _;
use serde_json::json;
use std::sync::OnceLock;

/// A key whose x begins with a zero.
fn low() -> &'static (ES256KeyPair, Vec<u8>) {
    static KEY: OnceLock<(ES256KeyPair, Vec<u8>)> = OnceLock::new();
    KEY.get_or_init(|| {
        let pairs = std::iter::repeat_with(ES256KeyPair::generate);
        let points = pairs.map(|it| (it.public_key().public_key().to_bytes_uncompressed(), it));
        let found = points.map(|(point, it)| (it, point)).find(|(_, point)| point[1] == 0);
        found.unwrap()
    })
}

/// RFC 7518, 6.2.1.2: as many bytes as the curve's numbers have.
pub(crate) fn a_coordinate_keeps_its_zeros() -> Vec<Group> {
    let (pair, point) = low();
    let signed = format!("{}.{}", b64(r#"{"alg":"ES256"}"#), b64(claims().to_string()));
    let signature: p256::ecdsa::Signature = pair.key_pair().as_ref().sign(signed.as_bytes());
    let token = format!("{signed}.{}", b64(signature.to_bytes()));
    let other = || keys().token(Algorithm::EdDsa, r#"{"alg":"EdDSA"}"#, claims().to_string().as_bytes());
    [("all of x", 1, "ok"), ("x without its zero", 2, "signature")]
        .map(|(what, from, expected)| {
            let key = json!({"kty": "EC", "crv": "P-256", "x": b64(&point[from..33]), "y": b64(&point[33..])});
            let set = json!([key, keys().ed_jwk("ed")]);
            group(&with_keys(&set), [(what, token.clone(), expected), ("another key", other(), "ok")])
        })
        .into()
}

/// RFC 7518, 3.4: r and s keep their zeros, which the DER that the host is given must not have.
pub(crate) fn a_signature_keeps_its_zeros() -> Vec<Group> {
    let mut rows = Vec::new();
    for (algorithm, half) in [(Algorithm::Es256, 32), (Algorithm::Es384, 48)] {
        for (what, at, is) in [
            ("r begins with a zero", 0, |it: u8| it == 0),
            ("s begins with a zero", half, |it: u8| it == 0),
            ("r begins with a one", 0, |it: u8| it >= 128),
            ("s begins with a one", half, |it: u8| it >= 128),
        ] as [(&str, usize, fn(u8) -> bool); 4]
        {
            let found = (0..).find_map(|spaces| {
                let payload = format!("{}{}", claims(), " ".repeat(spaces % 50));
                let header = json!({"alg": algorithm.name(), "x": spaces / 50}).to_string();
                let signed = format!("{}.{}", b64(header), b64(payload));
                let signature = keys().sign(algorithm, signed.as_bytes());
                is(signature[at]).then_some((signed, signature))
            });
            let (signed, signature) = found.unwrap();
            let token = |signature: &[u8]| format!("{signed}.{}", b64(signature));
            let shorter = [&signature[..at], &signature[at + 1..]].concat();
            let longer = [&signature[..at], &[0], &signature[at..]].concat();
            rows.push((format!("{}: {what}", algorithm.name()), token(&signature), "ok"));
            rows.push((format!("{}: {what}, and is left out", algorithm.name()), token(&shorter), "signature"));
            rows.push((format!("{}: {what}, and a zero before it", algorithm.name()), token(&longer), "signature"));
        }
    }
    let mut config = with_keys(&json!([keys().ec_jwk("a"), keys().ec384_jwk("b")]));
    config["providers"]["p"]["algorithms"] = json!(["ES256", "ES384"]);
    vec![group(&config, rows)]
}
