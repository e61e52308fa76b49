//! What a key's members must be for it to be a key here, kind by kind; the set itself is in `key_sets`.

use crate::support::{b64, hmac, keys};
use auth::{
    algorithm::Algorithm,
    jwks::{Binding, KeySet, Signed},
    signature::Engine,
};
use proptest::prelude::*;
use serde_json::{Value, json};

/// The five kinds of keys, none with an `alg`, and an algorithm for each.
fn kinds() -> [(Value, Algorithm); 5] {
    let own = keys();
    [
        (own.ed_jwk("k"), Algorithm::EdDsa),
        (own.ec_jwk("k"), Algorithm::Es256),
        (own.ec384_jwk("k"), Algorithm::Es384),
        (own.rsa_jwk("k"), Algorithm::Ps256),
        (own.oct_jwk("k"), Algorithm::Hs384),
    ]
}

fn configured(key: &Value) -> Result<KeySet, String> {
    KeySet::parse_configured(json!({"keys": [key]}).to_string().as_bytes())
}

fn fetched(key: &Value) -> Result<KeySet, String> {
    KeySet::parse(json!({"keys": [key]}).to_string().as_bytes())
}

/// Whether the set has a key for the algorithm, and verifies a signature with it.
fn verifies(set: &KeySet, algorithm: Algorithm) -> bool {
    let signature = keys().sign(algorithm, b"text");
    set.verify(&Engine::MODULE, &Signed { algorithm, key: None, text: b"text", signature: &signature }).is_some()
}

fn with(mut key: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        key[name] = value.clone();
    }
    key
}

/// RFC 7517, 4.4: a key whose `alg` is not of its own kind is a mistake of whoever made it, and not used.
#[test]
fn an_alg_is_of_the_keys_own_kind() {
    for (key, _) in kinds() {
        let plain = configured(&key).unwrap();
        for algorithm in Algorithm::ALL {
            let named = configured(&with(key.clone(), &json!({"alg": algorithm.name()})));
            assert_eq!(named.is_ok(), plain.fits(algorithm), "{} {key}", algorithm.name());
            let Ok(named) = named else { continue };
            for other in Algorithm::ALL {
                assert_eq!(named.fits(other), other == algorithm, "{} {}", algorithm.name(), other.name());
                assert_eq!(verifies(&named, other), other == algorithm, "{} {}", algorithm.name(), other.name());
            }
        }
    }
}

/// RFC 7518, 3.2: a secret of at least the hash's length, and from the operator alone.
#[test]
fn a_shared_secret_is_as_long_as_the_hash_and_comes_from_the_operator() {
    for (length, expected) in [
        (0, [false; 3]),
        (1, [false; 3]),
        (12, [false; 3]),
        (31, [false; 3]),
        (32, [true, false, false]),
        (47, [true, false, false]),
        (48, [true, true, false]),
        (63, [true, true, false]),
        (64, [true; 3]),
        (65, [true; 3]),
        (200, [true; 3]),
    ] {
        let secret = vec![9; length];
        let key = json!({"kty": "oct", "k": b64(&secret)});
        assert!(fetched(&key).is_err(), "{length} bytes, fetched");
        let set = configured(&key);
        for (algorithm, expected) in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512].into_iter().zip(expected) {
            let code = hmac(algorithm, &secret, b"text");
            let good = |set: &KeySet| {
                set.verify(&Engine::MODULE, &Signed { algorithm, key: None, text: b"text", signature: &code }).is_some()
            };
            assert_eq!(set.as_ref().is_ok_and(good), expected, "{length} bytes, {}", algorithm.name());
        }
    }
    for k in [json!(null), json!(7), json!(""), json!("not base64url!"), json!(format!("{}==", b64([9; 64])))] {
        assert!(configured(&json!({"kty": "oct", "k": k})).is_err(), "{k}");
    }
}

/// RFC 7518, 6.2.1 and RFC 8037, 2: coordinates of exactly the curve's length, of a point that is on it.
#[test]
fn points_are_on_their_curve() {
    let own = keys();
    let p256 = |x: &[u8], y: &[u8]| json!({"kty": "EC", "crv": "P-256", "x": b64(x), "y": b64(y)});
    let p384 = |x: &[u8], y: &[u8]| json!({"kty": "EC", "crv": "P-384", "x": b64(x), "y": b64(y)});
    let coordinate = |key: &Value, name: &str| auth::token::decode(key[name].as_str().unwrap()).unwrap();
    let (x, y) = (coordinate(&own.ec_jwk("k"), "x"), coordinate(&own.ec_jwk("k"), "y"));
    let (x384, y384) = (coordinate(&own.ec384_jwk("k"), "x"), coordinate(&own.ec384_jwk("k"), "y"));
    let zero = [&[0], &x[..]].concat();
    for (what, key, usable) in [
        ("P-256", p256(&x, &y), true),
        ("P-384", p384(&x384, &y384), true),
        ("P-256 called P-384", with(own.ec_jwk("k"), &json!({"crv": "P-384"})), false),
        ("P-384 called P-256", with(own.ec384_jwk("k"), &json!({"crv": "P-256"})), false),
        ("P-521", with(own.ec384_jwk("k"), &json!({"crv": "P-521"})), false),
        ("secp256k1", with(own.ec_jwk("k"), &json!({"crv": "secp256k1"})), false),
        ("a curve in another case", with(own.ec_jwk("k"), &json!({"crv": "p-256"})), false),
        ("no curve", with(own.ec_jwk("k"), &json!({"crv": null})), false),
        ("Ed25519 as EC", with(own.ec_jwk("k"), &json!({"crv": "Ed25519"})), false),
        ("P-256 as OKP", with(own.ec_jwk("k"), &json!({"kty": "OKP"})), false),
        ("x and y exchanged", p256(&y, &x), false),
        ("x twice", p256(&x, &x), false),
        ("the point at infinity", p256(&[], &[]), false),
        ("zeros", p256(&[0; 32], &[0; 32]), false),
        ("ones", p256(&[255; 32], &[255; 32]), false),
        ("a zero before x", p256(&zero, &y), false),
        ("x too short", p256(&x[1..], &y), false),
        ("y too short", p256(&x, &y[..31]), false),
        ("P-384 filled with zeros to fit", p384(&[&[0; 16], &x[..]].concat(), &[&[0; 16], &y[..]].concat()), false),
        ("no y, as for a compressed point", json!({"kty": "EC", "crv": "P-256", "x": b64(&x)}), false),
        ("y as a number", with(p256(&x, &y), &json!({"y": 7})), false),
        ("base64 with padding", with(p256(&x, &y), &json!({"y": format!("{}=", b64(&y))})), false),
    ] {
        assert_eq!(fetched(&key).is_ok(), usable, "{what}");
    }
}

/// Under these a signature fits many texts, or one key has two spellings (RFC 8032, 5.1.3; "Taming the many EdDSAs").
#[test]
fn an_ed25519_key_is_no_point_of_small_order_and_has_one_spelling() {
    let byte = |first: u8, rest: u8, last: u8| [vec![first], vec![rest; 30], vec![last]].concat();
    let order8 = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05";
    let order8: Vec<u8> = (0..64).step_by(2).map(|at| u8::from_str_radix(&order8[at..at + 2], 16).unwrap()).collect();
    let signed = |bytes: &[u8]| [&bytes[..31], &[bytes[31] | 0x80]].concat();
    let other8: Vec<u8> = byte(0xed, 0xff, 0x7f)
        .iter()
        .zip(&order8)
        .scan(0i16, |borrow, (a, b)| {
            let difference = i16::from(*a) - i16::from(*b) + *borrow;
            *borrow = difference.div_euclid(256);
            u8::try_from(difference.rem_euclid(256)).ok()
        })
        .collect();
    for (what, point) in [
        ("the identity", byte(1, 0, 0)),
        ("the identity with a sign", byte(1, 0, 0x80)),
        ("order 2", byte(0xec, 0xff, 0x7f)),
        ("order 2 with a sign", byte(0xec, 0xff, 0xff)),
        ("order 4", byte(0, 0, 0)),
        ("order 4 with a sign", byte(0, 0, 0x80)),
        ("order 8", order8.clone()),
        ("order 8 with a sign", signed(&order8)),
        ("the other of order 8", other8.clone()),
        ("the other of order 8 with a sign", signed(&other8)),
        ("p, which is 0", byte(0xed, 0xff, 0x7f)),
        ("p with a sign", byte(0xed, 0xff, 0xff)),
        ("p + 1, which is 1", byte(0xee, 0xff, 0x7f)),
        ("p + 1 with a sign", byte(0xee, 0xff, 0xff)),
        ("p + 3, a point in another spelling", byte(0xf0, 0xff, 0x7f)),
        ("p + 18, a point in another spelling", byte(0xff, 0xff, 0x7f)),
        ("no point at all", byte(2, 0, 0)),
    ] {
        assert!(fetched(&json!({"kty": "OKP", "crv": "Ed25519", "x": b64(point)})).is_err(), "{what}");
    }
    for spelling in [3, 4, 5, 6, 9, 10, 14, 15, 16, 18] {
        let plain = fetched(&json!({"kty": "OKP", "crv": "Ed25519", "x": b64(byte(spelling, 0, 0))})).is_ok();
        let other = fetched(&json!({"kty": "OKP", "crv": "Ed25519", "x": b64(byte(0xed + spelling, 0xff, 0x7f))}));
        assert!(plain && other.is_err(), "y = {spelling}");
    }
}

#[test]
fn what_workers_share_is_the_same_keys_and_no_more() {
    let own = keys();
    let bound = json!({"tollgate_tenant": "t", "tollgate_project": "p", "alg": "RS256", "use": "sig", "x5c": ["…"]});
    let zeros = auth::token::decode(own.rsa_jwk("k")["n"].as_str().unwrap()).unwrap();
    let all = json!({"keys": [
        with(own.ed_jwk("a"), &json!({"use": "sig", "key_ops": ["verify"], "comment": "c"})),
        own.ec_jwk("b"),
        with(own.ec384_jwk("c"), &json!({"alg": "ES384"})),
        with(own.rsa_jwk("d"), &bound),
        with(own.rsa_jwk("e"), &json!({"n": b64([&[0, 0], &zeros[..]].concat()), "e": "AAEAAQ", "alg": "PS512"})),
        with(own.rsa_jwk("f"), &json!({"e": "Aw"})),
        own.oct_jwk("g"),
        {"kty": "oct"},
    ]});
    let set = KeySet::parse(all.to_string().as_bytes()).unwrap();
    let again = KeySet::parse(set.distilled().as_bytes()).unwrap();
    assert_eq!((set.skipped, again.skipped), (2, 0));
    assert_eq!(set.distilled(), again.distilled());
    let dropped = ["use", "key_ops", "comment", "x5c", "oct", "AAEAAQ"];
    assert!(dropped.iter().all(|it| !set.distilled().contains(it)), "{}", set.distilled());
    for it in [&set, &again] {
        for (algorithm, id, binding) in [
            (Algorithm::EdDsa, "a", None),
            (Algorithm::Es256, "b", None),
            (Algorithm::Es384, "c", None),
            (Algorithm::Rs256, "d", Some(Binding { tenant: "t".into(), project: "p".into() })),
            (Algorithm::Ps512, "e", None),
        ] {
            let signature = own.sign(algorithm, b"text");
            let key = it
                .verify(&Engine::MODULE, &Signed { algorithm, key: Some(id), text: b"text", signature: &signature })
                .unwrap();
            assert_eq!((key.id(), &key.binding), (Some(id), &binding));
        }
        assert!(it.knows(Algorithm::Ps256, Some("f")) && !it.knows(Algorithm::Ps256, Some("d")));
        assert!(!it.knows(Algorithm::Hs256, Some("g")));
    }
}

#[test]
fn nothing_secret_is_printed_or_shared() {
    let set = json!({"keys": [keys().oct_jwk("g"), keys().ed_jwk("a")]}).to_string();
    let set = KeySet::parse_configured(set.as_bytes()).unwrap();
    assert!(set.fits(Algorithm::Hs512) && !set.distilled().contains("oct"));
    let printed = format!("{set:?}");
    assert!(printed.contains("***") && !printed.contains("7, 7, 7"), "{printed}");
    let secret = b64([5; 20]);
    let error = configured(&json!({"kty": "oct", "kid": "mine", "k": secret})).unwrap_err();
    assert!(error.contains("at least 32 bytes") && !error.contains(&secret), "{error}");
    let error = configured(&with(keys().ed_jwk("k"), &json!({"d": secret}))).unwrap_err();
    assert!(error.contains("private key") && !error.contains(&secret), "{error}");
}

fn member() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        prop::collection::vec(any::<u8>(), 0..70).prop_map(|it| json!(b64(it))),
        prop::sample::select(vec!["OKP", "EC", "RSA", "oct", "Ed25519", "P-256", "P-384", "AQAB", "sig", "RS256"])
            .prop_map(Value::from),
        Just(json!(["verify"])),
    ]
}

proptest! {
    #[test]
    fn no_key_panics(
        members in prop::collection::hash_map(
            prop::sample::select(vec!["kty", "crv", "x", "y", "n", "e", "k", "alg", "use", "key_ops", "kid", "d"]),
            member(),
            0..8,
        ),
        kind in 0..5usize,
        signature in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        let whole = with(kinds()[kind].0.clone(), &json!(members));
        for key in [json!(members), whole] {
            let Ok(set) = configured(&key) else { continue };
            for algorithm in Algorithm::ALL {
                assert!(set.verify(&Engine::MODULE, &Signed { algorithm, key: None, text: b"text", signature: &signature }).is_none());
            }
            let again = KeySet::parse(set.distilled().as_bytes());
            assert!(again.is_ok() || key["kty"] == "oct");
        }
    }

    /// Nobody has the private half of a random number, but anybody can publish one.
    #[test]
    fn any_odd_number_is_an_rsa_key_of_its_size(
        mut modulus in prop::collection::vec(any::<u8>(), 250..520),
        exponent in prop::collection::vec(any::<u8>(), 0..6),
        mut signature in prop::collection::vec(any::<u8>(), 520),
    ) {
        *modulus.last_mut().unwrap() |= 1;
        let key = json!({"kty": "RSA", "n": b64(&modulus), "e": b64(&exponent)});
        if let Ok(set) = fetched(&key) {
            signature.truncate(modulus.len());
            for last in [0xbc, 1] {
                *signature.last_mut().unwrap() = last;
                for algorithm in [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Ps512] {
                    assert!(set.verify(&Engine::MODULE, &Signed { algorithm, key: None, text: b"text", signature: &signature }).is_none());
                }
            }
        }
    }
}
