//! The form of a signature: one length, one encoding, numbers within their bounds.

use super::signing::{b64, keys};
use super::{Group, claims, config, group};
use auth::algorithm::Algorithm;
use serde_json::{Value, json};
use superboring::{
    hash::MessageDigest,
    pkey::PKey,
    rsa::{Padding, Rsa},
    sign::{RsaPssSaltlen, Signer},
};

/// The order of P-256 and of P-384 (FIPS 186-4, D.1.2), and of Ed25519's base point, which comes low byte first.
const N256: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
const N384: &str = "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973";
const L: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn everything() -> Value {
    let own = keys();
    let set =
        json!({"keys": [own.ed_jwk("a"), own.ec_jwk("b"), own.ec384_jwk("c"), own.rsa_jwk("d"), own.oct_jwk("e")]});
    config(|it| {
        it["algorithms"] = json!(Algorithm::ALL.map(Algorithm::name));
        it["local_jwks"] = json!({"inline_string": set.to_string()});
    })
}

/// What is signed for `algorithm`: header and payload of a good token.
fn text(algorithm: Algorithm) -> String {
    format!("{}.{}", b64(json!({"alg": algorithm.name()}).to_string()), b64(claims().to_string()))
}

fn rows(algorithm: Algorithm, forms: &[(&'static str, Vec<u8>, &'static str)]) -> Group {
    let token = |signature: &[u8]| format!("{}.{}", text(algorithm), b64(signature));
    group(&everything(), forms.iter().map(|(what, it, expected)| (*what, token(it), *expected)))
}

/// `a + b` or `a - b`, most significant byte first, in as many bytes as `a` has.
fn add(a: &[u8], b: &[u8], minus: bool) -> Vec<u8> {
    let mut carry = 0i16;
    let mut out: Vec<u8> = a
        .iter()
        .rev()
        .zip(b.iter().rev())
        .map(|(a, b)| {
            let sum = i16::from(*a) + carry + if minus { -i16::from(*b) } else { i16::from(*b) };
            carry = sum.div_euclid(256);
            u8::try_from(sum.rem_euclid(256)).unwrap()
        })
        .collect();
    out.reverse();
    out
}

/// What every algorithm refuses, whatever its signatures look like.
pub(crate) fn a_signature_is_whole_and_of_this_text() -> Vec<Group> {
    let mut groups = Vec::new();
    for algorithm in Algorithm::ALL {
        let good = keys().sign(algorithm, text(algorithm).as_bytes());
        let (mut first, mut last, mut middle) = (good.clone(), good.clone(), good.clone());
        first[0] ^= 1;
        *last.last_mut().unwrap() ^= 1;
        middle[good.len() / 2] ^= 0x10;
        let other = keys().sign(algorithm, text(algorithm).to_uppercase().as_bytes());
        let payload = keys().sign(algorithm, claims().to_string().as_bytes());
        let mut backwards = good.clone();
        backwards.reverse();
        groups.push(rows(
            algorithm,
            &[
                ("good", good.clone(), "ok"),
                ("none", vec![], "signature"),
                ("one byte", vec![0], "signature"),
                ("without its last byte", good[..good.len() - 1].to_vec(), "signature"),
                ("without its first byte", good[1..].to_vec(), "signature"),
                ("a zero behind", [&good[..], &[0]].concat(), "signature"),
                ("a zero before", [&[0], &good[..]].concat(), "signature"),
                ("half", good[..good.len() / 2].to_vec(), "signature"),
                ("twice", [&good[..], &good].concat(), "signature"),
                ("a bit of the first byte changed", first, "signature"),
                ("a bit of the last byte changed", last, "signature"),
                ("a bit in the middle changed", middle, "signature"),
                ("backwards", backwards, "signature"),
                ("zeros", vec![0; good.len()], "signature"),
                ("ones", vec![255; good.len()], "signature"),
                ("of another text", other, "signature"),
                ("of the payload alone", payload, "signature"),
                ("in hexadecimal", good.iter().flat_map(|it| format!("{it:02x}").into_bytes()).collect(), "signature"),
                ("in base64url once more", b64(&good).into_bytes(), "signature"),
            ],
        ));
    }
    groups
}

/// RFC 7518, 3.4: r and s, each as long as the order, one behind the other, from 1 to n - 1.
pub(crate) fn an_ecdsa_signature_is_two_numbers_of_the_curves_length() -> Vec<Group> {
    let mut groups = Vec::new();
    for (algorithm, order) in [(Algorithm::Es256, hex(N256)), (Algorithm::Es384, hex(N384))] {
        let good = keys().sign(algorithm, text(algorithm).as_bytes());
        let half = order.len();
        let (r, s) = good.split_at(half);
        let zero = vec![0; half];
        let mut one = zero.clone();
        one[half - 1] = 1;
        let less = add(&order, &one, true);
        let both = |r: &[u8], s: &[u8]| [r, s].concat();
        let der = match algorithm {
            Algorithm::Es256 => p256::ecdsa::Signature::from_slice(&good).unwrap().to_der().as_bytes().to_vec(),
            _ => p384::ecdsa::Signature::from_slice(&good).unwrap().to_der().as_bytes().to_vec(),
        };
        let mut filled = der.clone();
        filled.resize(good.len(), 0);
        groups.push(rows(
            algorithm,
            &[
                ("good", good.clone(), "ok"),
                // Both s and n - s are signatures (FIPS 186-4, 6.4), and RFC 7518 asks for neither.
                ("n - s for s", both(r, &add(&order, s, true)), "ok"),
                ("DER, as X.509 has it", der, "signature"),
                ("DER of the right length", filled, "signature"),
                ("r is 0", both(&zero, s), "signature"),
                ("s is 0", both(r, &zero), "signature"),
                ("both are 0", both(&zero, &zero), "signature"),
                ("r is n", both(&order, s), "signature"),
                ("s is n", both(r, &order), "signature"),
                ("both are n", both(&order, &order), "signature"),
                ("r is n - 1", both(&less, s), "signature"),
                ("s is n - 1", both(r, &less), "signature"),
                ("both are 1", both(&one, &one), "signature"),
                ("r is n + 1", both(&add(&order, &one, false), &one), "signature"),
                ("n - r for r", both(&add(&order, r, true), s), "signature"),
                ("r and s exchanged", both(s, r), "signature"),
                ("r twice", both(r, r), "signature"),
                ("r alone", r.to_vec(), "signature"),
                ("zeros before both", [&[0], r, &[0], s].concat(), "signature"),
                ("zeros before both, as P-521 has them", [&[0; 34], r, &[0; 34], s].concat(), "signature"),
                ("a zero before s", [r, &[0], s].concat(), "signature"),
                ("a sign byte, as SSH has it", [&[0, 0, 0, 33, 0], r, &[0, 0, 0, 33, 0], s].concat(), "signature"),
            ],
        ));
    }
    groups
}

/// RFC 8017, 8.1.2 and 8.2.2: as long as the modulus and less than it.
pub(crate) fn an_rsa_signature_is_a_number_below_the_modulus() -> Vec<Group> {
    let mut groups = Vec::new();
    let n = keys().rsa.public_key().to_components().n;
    let mut small = vec![0; n.len()];
    small[n.len() - 1] = 1;
    for algorithm in [Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512, Algorithm::Ps256, Algorithm::Ps384] {
        let good = keys().sign(algorithm, text(algorithm).as_bytes());
        groups.push(rows(
            algorithm,
            &[
                ("good", good.clone(), "ok"),
                ("1", small.clone(), "signature"),
                ("n", n.clone(), "signature"),
                ("n - 1", add(&n, &small, true), "signature"),
                ("n - s, whose square is the same", add(&n, &good, true), "signature"),
                ("n + s in a byte more", [&[1], &add(&good, &n, false)[..]].concat(), "signature"),
                ("n + s in the same length", add(&good, &n, false), "signature"),
                ("as long as for 4096 bits", [&[0; 256], &good[..]].concat(), "signature"),
            ],
        ));
    }
    groups
}

/// RFC 7518, 3.5: the salt is as long as the hash.
pub(crate) fn a_pss_salt_has_the_length_of_the_hash() -> Vec<Group> {
    let mut groups = Vec::new();
    let key = PKey::from_rsa(Rsa::private_key_from_pem(keys().rsa.to_pem().unwrap().as_bytes()).unwrap()).unwrap();
    for (algorithm, hash, own) in [
        (Algorithm::Ps256, MessageDigest::sha256 as fn() -> MessageDigest, 32),
        (Algorithm::Ps384, MessageDigest::sha384, 48),
        (Algorithm::Ps512, MessageDigest::sha512, 64),
    ] {
        let forms = [0, 8, 20, 31, 32, 33, 48, 64, 100].map(|length| {
            let mut signer = Signer::new(hash(), &key).unwrap();
            signer.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
            signer.set_rsa_pss_saltlen(RsaPssSaltlen::custom(length)).unwrap();
            signer.update(text(algorithm).as_bytes()).unwrap();
            let expected = if length == own { "ok" } else { "signature" };
            ("a salt of another length", signer.sign_to_vec().unwrap(), expected)
        });
        groups.push(rows(algorithm, &forms));
    }
    groups
}

/// RFC 8032, 5.1.7 and what it leaves open: one S, no R that is not what the verifier computes.
pub(crate) fn an_eddsa_signature_has_one_spelling() -> Vec<Group> {
    let good = keys().sign(Algorithm::EdDsa, text(Algorithm::EdDsa).as_bytes());
    let (r, s) = good.split_at(32);
    let backwards = |it: &[u8]| it.iter().rev().copied().collect::<Vec<u8>>();
    let plus = |times: usize| {
        let order = backwards(&hex(L));
        backwards(&(0..times).fold(backwards(s), |sum, _| add(&sum, &order, false)))
    };
    let mut other_sign = r.to_vec();
    other_sign[31] ^= 0x80;
    let mut identity = vec![0; 32];
    identity[0] = 1;
    let mut high = s.to_vec();
    high[31] |= 0xe0;
    let both = |r: &[u8], s: &[u8]| [r, s].concat();
    vec![rows(
        Algorithm::EdDsa,
        &[
            ("good", good.clone(), "ok"),
            ("S + L", both(r, &plus(1)), "signature"),
            ("S + 2 L", both(r, &plus(2)), "signature"),
            ("S + 7 L", both(r, &plus(7)), "signature"),
            ("S with its highest bits set", both(r, &high), "signature"),
            ("S is 0", both(r, &[0; 32]), "signature"),
            ("S is L", both(r, &hex(L)), "signature"),
            ("R with the other sign", both(&other_sign, s), "signature"),
            ("R is the identity and S is 0", both(&identity, &[0; 32]), "signature"),
            ("R is of order 4 and S is 0", both(&[0; 32], &[0; 32]), "signature"),
            ("R and S exchanged", both(s, r), "signature"),
            ("S before the text's hash, as R twice", both(r, r), "signature"),
            ("as long as Ed448's", [&good[..], &[0; 50]].concat(), "signature"),
            ("the public key behind", [&good[..], &keys().ed.public_key().to_bytes()].concat(), "signature"),
        ],
    )]
}
