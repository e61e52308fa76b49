//! RSA keys of other sizes, and signatures over other encodings: what the host's own code is asked about in Envoy.

use super::signing::{b64, keys};
use super::{Group, claims, config, group};
use auth::algorithm::Algorithm;
use crypto_bigint::{
    BoxedUint, Odd,
    modular::{BoxedMontyForm, BoxedMontyParams},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::OnceLock;
use superboring::{pkey::Private, rsa::Rsa};

const HEADER: &str = r#"{"alg":"RS256"}"#;
/// DigestInfo of SHA-256 (RFC 8017, 9.2, note 1).
const SHA256: &[u8] = b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20";

fn with_key(n: &[u8], e: &[u8]) -> Value {
    let set = json!({"keys": [{"kty": "RSA", "n": b64(n), "e": b64(e)}, keys().ed_jwk("ed")]});
    config(|it| {
        it["algorithms"] = json!(["EdDSA", "RS256", "PS256"]);
        it["local_jwks"]["inline_string"] = json!(set.to_string());
    })
}

/// What is signed by a token with this many spaces in it.
fn text(spaces: usize) -> String {
    format!("{}.{}", b64(HEADER), b64(format!("{}{}", claims(), " ".repeat(spaces))))
}

fn token(signature: &[u8]) -> String {
    format!("{}.{}", text(0), b64(signature))
}

/// A token of a key that is in every set here.
fn other() -> String {
    keys().token(Algorithm::EdDsa, r#"{"alg":"EdDSA"}"#, claims().to_string().as_bytes())
}

/// Made once, for it takes a second.
fn larger() -> &'static Rsa<Private> {
    static KEY: OnceLock<Rsa<Private>> = OnceLock::new();
    KEY.get_or_init(|| Rsa::generate(3072).unwrap())
}

fn own() -> Rsa<Private> {
    Rsa::private_key_from_pem(keys().rsa.to_pem().unwrap().as_bytes()).unwrap()
}

/// `encoded` to the power of `exponent`: the private key's own operation, on whatever bytes.
fn power(encoded: &[u8], exponent: &[u8], modulus: &[u8]) -> Vec<u8> {
    let bits = u32::try_from(modulus.len() * 8).unwrap();
    let number = |bytes: &[u8], bits: u32| BoxedUint::from_be_slice(bytes, bits).unwrap();
    let parameters = BoxedMontyParams::new_vartime(Odd::new(number(modulus, bits)).unwrap());
    let base = BoxedMontyForm::new(number(encoded, bits), &parameters);
    let exponent = number(exponent, u32::try_from(exponent.len() * 8).unwrap());
    base.pow(&exponent).retrieve().to_be_bytes().to_vec()
}

/// EMSA-PKCS1-v1_5 around what should be a DigestInfo.
fn padded(info: &[u8], length: usize) -> Vec<u8> {
    [&[0, 1], vec![0xff; length - 3 - info.len()].as_slice(), &[0], info].concat()
}

fn info() -> Vec<u8> {
    [SHA256, &Sha256::digest(text(0).as_bytes())].concat()
}

/// RFC 7518, 3.3: 2048 bits or more. A prime alone is a key of half the size, and a good one but for that.
pub(crate) fn a_key_has_2048_bits_or_more() -> Vec<Group> {
    let (own, large) = (own(), larger());
    [
        ("1024 bits", own.p().to_vec(), own.d().to_vec(), "signature"),
        ("2048 bits", own.n().to_vec(), own.d().to_vec(), "ok"),
        ("3072 bits", large.n().to_vec(), large.d().to_vec(), "ok"),
    ]
    .map(|(what, n, d, expected)| {
        let good = token(&power(&padded(&info(), n.len()), &d, &n));
        group(&with_key(&n, &[1, 0, 1]), [(what, good, expected), ("another key", other(), "ok")])
    })
    .into()
}

/// RFC 8017, 8.2.2: the whole encoding is compared, so that nothing in it is read (Bleichenbacher's forgery of 2006, and
/// its children).
pub(crate) fn what_was_signed_has_one_encoding() -> Vec<Group> {
    let (info, own) = (info(), own());
    let digest = info[SHA256.len()..].to_vec();
    let padded = |info: &[u8]| padded(info, 256);
    let raw = |encoded: &[u8]| power(encoded, &own.d().to_vec(), &own.n().to_vec());
    let filled = |start: &[u8], info: &[u8]| {
        let mut all = [start, info].concat();
        all.resize(256, 0);
        all
    };
    let mut forms = vec![("as it should be", padded(&info), "ok")];
    let without_null = [&b"\x30\x2f\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x04\x20"[..], &digest].concat();
    let long_form =
        [&b"\x30\x81\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"[..], &digest].concat();
    let other_hash =
        [&b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x20"[..], &digest].concat();
    let inner =
        [&b"\x30\x33\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"[..], &digest, &[5, 0]]
            .concat();
    let mut other_type = padded(&info);
    other_type[1] = 2;
    let mut zero_type = padded(&info);
    zero_type[1] = 0;
    let mut first = padded(&info);
    first[0] = 1;
    first[1] = 0;
    let mut damaged = padded(&info);
    damaged[100] = 0xfe;
    let mut last = padded(&info);
    last[2] = 0x7f;
    let mut separated = padded(&info);
    separated[256 - info.len() - 1] = 1;
    let mut flipped = info.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for (what, encoded) in [
        ("without the NULL", padded(&without_null)),
        ("a length in the long form", padded(&long_form)),
        ("SHA-384 by name", padded(&other_hash)),
        ("the hash alone", padded(&digest)),
        ("something behind the hash, counted", padded(&inner)),
        ("something behind the hash, not counted", padded(&[&info[..], &[0]].concat())),
        ("eight bytes of padding and zeros behind", filled(&[0, 1, 255, 255, 255, 255, 255, 255, 255, 255, 0], &info)),
        ("no padding", filled(&[0, 1, 0], &info)),
        ("block type 2", other_type),
        ("block type 0", zero_type),
        ("no zero before", first),
        ("a hole in the padding", damaged),
        ("a bit less of padding", last),
        ("another separator", separated),
        ("another hash", padded(&flipped)),
        ("zeros", vec![0; 256]),
    ] {
        forms.push((what, encoded, "signature"));
    }
    let key = keys().rsa.public_key().to_components();
    let rows: Vec<_> = forms.into_iter().map(|(what, it, expected)| (what, token(&raw(&it)), expected)).collect();
    vec![group(&with_key(&key.n, &key.e), rows)]
}

/// RFC 8017, 8.2.1: as long as the modulus, zeros before it included. One in 256 has some.
pub(crate) fn a_signature_may_begin_with_zeros_and_keeps_them() -> Vec<Group> {
    let found = (0..).find_map(|spaces| {
        let signature = keys().sign(Algorithm::Rs256, text(spaces).as_bytes());
        (signature[0] == 0).then(|| (text(spaces), signature))
    });
    let (text, signature) = found.unwrap();
    let token = |signature: &[u8]| format!("{text}.{}", b64(signature));
    let key = keys().rsa.public_key().to_components();
    vec![group(
        &with_key(&key.n, &key.e),
        [
            ("a zero before", token(&signature), "ok"),
            ("the zero left out", token(&signature[1..]), "signature"),
            ("another zero", token(&[&[0], &signature[..]].concat()), "signature"),
            ("the zero at the end", token(&[&signature[1..], &[0]].concat()), "signature"),
        ],
    )]
}
