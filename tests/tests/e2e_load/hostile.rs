//! Requests that must not get in, by kind: what is wrong with them, the code that says so, and how the n-th one is made.

use crate::world::{PATH, PUBLISHED_SECRET, World, usual};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jwt_simple::algorithms::{HS256Key, MACLike};
use jwt_simple::claims::Claims;
use jwt_simple::prelude::Duration;
use serde_json::json;
use tests::token::Algorithm::{self, EdDsa, Es256, Rs256};
use tests::{Call, Signer};

type Make = fn(&World, usize) -> Call;
/// Name, code, maker.
pub(crate) type Kind = (&'static str, &'static str, Make);

const INVALID: &str = "invalid_token";
const MISSING: &str = "invalid_api_key";
const EXPIRED: &str = "token_expired";

/// All of them.
pub(crate) fn kinds() -> Vec<Kind> {
    [signatures(), algorithms(), keys(), headers(), times(), claims(), spellings(), lines()].concat()
}

fn signatures() -> Vec<Kind> {
    vec![
        ("another key's signature", INVALID, |w, n| w.bearer(&w.stranger.user(&n.to_string()))),
        ("a bit of an EdDSA signature", INVALID, |w, n| w.bearer(&flipped(w, EdDsa, n))),
        ("a bit of an ES256 signature", INVALID, |w, n| w.bearer(&flipped(w, Es256, n))),
        ("a bit of an RS256 signature", INVALID, |w, n| w.bearer(&flipped(w, Rs256, n))),
        ("no signature", INVALID, |w, _| w.bearer(&resigned(w, EdDsa, &[]))),
        ("an EdDSA signature of zeros", INVALID, |w, _| w.bearer(&resigned(w, EdDsa, &[0; 64]))),
        ("an ES256 signature of zeros", INVALID, |w, _| w.bearer(&resigned(w, Es256, &[0; 64]))),
        ("an RS256 signature of zeros", INVALID, |w, _| w.bearer(&resigned(w, Rs256, &[0; 256]))),
        ("a signature that lacks its end", INVALID, |w, _| w.bearer(&resigned(w, EdDsa, &signature(w, EdDsa)[..63]))),
        ("a signature with more behind it", INVALID, |w, n| {
            w.bearer(&resigned(w, EdDsa, &[signature(w, EdDsa), vec![byte(n)]].concat()))
        }),
        ("an EdDSA signature with the group's order added", INVALID, |w, _| w.bearer(&malleated(w))),
        ("an ES256 signature in DER", INVALID, |w, _| {
            let der = p256::ecdsa::Signature::from_slice(&signature(w, Es256)).unwrap().to_der();
            w.bearer(&resigned(w, Es256, der.as_bytes()))
        }),
        ("the signature of another payload", INVALID, |w, n| {
            let [header, _, signature] = w.parts(Rs256);
            w.bearer(&format!(
                "{header}.{}.{signature}",
                b64(Signer::claims(&json!({"uid": n.to_string()})).to_string())
            ))
        }),
        ("the signature of another header", INVALID, |w, n| {
            let [_, payload, signature] = w.parts(EdDsa);
            w.bearer(&format!("{}.{payload}.{signature}", b64(json!({"alg": "EdDSA", "n": n}).to_string())))
        }),
    ]
}

fn algorithms() -> Vec<Kind> {
    vec![
        ("alg none", INVALID, |w, n| {
            let name = turn(n, ["none", "None", "NONE", "nOnE"]);
            w.bearer(&format!("{}.{}.", b64(json!({"alg": name}).to_string()), b64(usual().to_string())))
        }),
        ("alg none, signed", INVALID, |w, _| w.header(&json!({"alg": "none"}))),
        ("HS256 with the public key", INVALID, |w, n| w.bearer(&hs256(public(&w.rs256, n).as_bytes(), n))),
        ("HS256 with a published secret", INVALID, |w, n| w.bearer(&hs256(&PUBLISHED_SECRET, n))),
        ("another alg than the key's", INVALID, |w, n| w.header(&json!({"alg": turn(n, ["ES256", "RS256"])}))),
        ("an alg that is not accepted", INVALID, |w, n| {
            w.header(&json!({"alg": turn(n, ["RS512", "PS256", "ES384", "ES256K", "HS512", "EdDSA25519"])}))
        }),
        ("alg in small letters", INVALID, |w, _| w.header(&json!({"alg": "eddsa"}))),
        ("no alg", INVALID, |w, _| w.header(&json!({"alg": null}))),
        ("an alg that is no text", INVALID, |w, n| {
            w.header(&json!({"alg": turn(n, [json!(["EdDSA"]), json!(8), json!({})])}))
        }),
        ("the alg of one key, the kid of another", INVALID, |w, _| {
            w.header(&json!({"kid": w.rs256.header()["kid"], "alg": "RS256"}))
        }),
    ]
}

fn keys() -> Vec<Kind> {
    vec![
        ("an unknown kid, each time another", INVALID, |w, n| {
            w.bearer(&w.signed_by(&w.stranger, &json!({"kid": format!("key-{n:x}-{:x}", w.now)})))
        }),
        ("a kid that is a path", INVALID, |w, n| w.header(&json!({"kid": format!("../../dev/null?{n}")}))),
        ("a kid that is a query", INVALID, |w, n| w.header(&json!({"kid": format!("' or {n}={n} --")}))),
        ("a kid of 4 KB", INVALID, |w, _| w.header(&json!({"kid": "k".repeat(4096)}))),
        ("a kid that is no text", INVALID, |w, n| {
            w.header(&json!({"kid": turn(n, [json!(1), json!([]), json!(true)])}))
        }),
        ("a key in the header", INVALID, |w, _| {
            w.bearer(&w.signed_by(&w.stranger, &json!({"jwk": w.stranger.jwk(), "kid": null})))
        }),
        ("a key's address in the header", INVALID, |w, n| {
            let address = format!("http://127.0.0.1:1/{n}");
            w.bearer(&w.signed_by(&w.stranger, &json!({"jku": address, "x5u": address})))
        }),
        ("a certificate in the header", INVALID, |w, _| {
            w.bearer(&w.signed_by(&w.stranger, &json!({"x5c": ["MIIB"], "x5t": "AAAA"})))
        }),
    ]
}

fn headers() -> Vec<Kind> {
    vec![
        ("crit", INVALID, |w, n| {
            w.header(&json!({"crit": turn(n, [json!(["exp"]), json!([]), json!("exp"), json!(["b64"])])}))
        }),
        ("b64", INVALID, |w, n| w.header(&json!({"b64": n % 2 == 0}))),
        ("zip", INVALID, |w, _| w.header(&json!({"zip": "DEF"}))),
        ("a nested token", INVALID, |w, _| w.header(&json!({"cty": "JWT"}))),
        ("a header with alg twice", INVALID, |w, _| {
            w.bearer(&w.eddsa.sign_text(r#"{"alg":"none","alg":"EdDSA"}"#, usual().to_string()))
        }),
        ("a header that is no object", INVALID, |w, n| {
            w.bearer(&w.eddsa.sign_text(turn(n, [r#"["EdDSA"]"#, "", "\"EdDSA\"", "null"]), usual().to_string()))
        }),
        ("a header with a byte order mark", INVALID, |w, _| {
            w.bearer(&w.eddsa.sign_text("\u{feff}{\"alg\":\"EdDSA\"}", usual().to_string()))
        }),
    ]
}

fn times() -> Vec<Kind> {
    vec![
        ("expired", EXPIRED, |w, n| w.claims(&json!({"exp": w.now - 120 - n as u64}))),
        ("expired in 1970", EXPIRED, |w, n| w.claims(&json!({"exp": n % 2}))),
        ("expires at a text", INVALID, |w, _| w.claims(&json!({"exp": (w.now + 60).to_string()}))),
        ("expires at null", INVALID, |w, _| w.payload(with_member("\"exp\":null", "exp"))),
        ("never expires", INVALID, |w, _| w.claims(&json!({"exp": null}))),
        ("expires at a huge number", INVALID, |w, n| {
            w.payload(with_member(turn(n, ["\"exp\":1e300", "\"exp\":9e99999"]), "exp"))
        }),
        ("not yet", INVALID, |w, n| w.claims(&json!({"nbf": w.now + 3600 + n as u64}))),
        ("of the future", INVALID, |w, n| w.claims(&json!({"iat": w.now + 3600 + n as u64}))),
    ]
}

fn claims() -> Vec<Kind> {
    vec![
        ("for somebody else", INVALID, |w, n| {
            w.claims(&json!({"aud": turn(n, ["Tollgate", "tollgate ", "toll", "*"])}))
        }),
        ("for nobody", INVALID, |w, n| {
            w.claims(&json!({"aud": turn(n, [json!([]), json!([["tollgate"]]), json!({}), json!(1)])}))
        }),
        ("without an audience", INVALID, |w, _| w.claims(&json!({"aud": null}))),
        ("of another issuer", INVALID, |w, n| {
            w.claims(&json!({"iss": turn(n, ["Tollgate", "tollgate/", "", "\u{442}ollgate"])}))
        }),
        ("of no issuer", INVALID, |w, _| w.claims(&json!({"iss": null}))),
        ("of several issuers", INVALID, |w, _| w.claims(&json!({"iss": ["tollgate"]}))),
        ("a claim twice", INVALID, |w, n| w.payload(twice(turn(n, ["uid", "exp", "pid", "aud"])))),
        ("a claim twice, once escaped", INVALID, |w, _| {
            w.payload(usual().to_string().replacen('{', "{\"\\u0075id\":\"ada\",", 1))
        }),
        ("a member twice, deep inside", INVALID, |w, _| w.claims_with(r#"{"a":[{"b":1,"b":2}]}"#)),
        ("no user", INVALID, |w, _| w.claims(&json!({"uid": null}))),
        ("a user that is no text", INVALID, |w, n| {
            w.claims(&json!({"uid": turn(n, [json!(7), json!([]), json!({"id": "a"}), json!(true)])}))
        }),
        ("a user that nobody can see", INVALID, |w, n| {
            w.claims(&json!({"uid": turn(n, ["", " ", "\u{200b}", "\u{202e}x"])}))
        }),
        ("a user with a line break", INVALID, |w, n| {
            w.claims(&json!({"uid": turn(n, ["a\r\nx-role: admin", "a\n", "a\u{0}b", "a\u{7f}"])}))
        }),
        ("a user of 256 characters", INVALID, |w, _| w.claims(&json!({"uid": "u".repeat(256)}))),
        ("a project that is no text", INVALID, |w, n| {
            w.claims(&json!({"pid": turn(n, [json!(null), json!(1), json!(["p"])])}))
        }),
        ("JSON of many levels", INVALID, |w, n| w.claims_with(&("[".repeat(300 + n) + &"]".repeat(300 + n)))),
        ("JSON that goes on", INVALID, |w, n| w.payload(usual().to_string() + turn(n, ["{}", " x", ",", "]"]))),
        ("JSON that stops", INVALID, |w, n| w.payload(usual().to_string().get(..n % 60).unwrap())),
        ("half a surrogate", INVALID, |w, _| w.claims_with(r#""\ud800""#)),
        ("a payload that is no text", INVALID, |w, n| {
            w.payload([usual().to_string().as_bytes(), &[byte(n) | 0x80]].concat())
        }),
    ]
}

fn spellings() -> Vec<Kind> {
    vec![
        ("base64 with padding", INVALID, |w, n| w.bearer(&format!("{}{}", w.good[0], "=".repeat(1 + n % 2)))),
        ("bits left over in the last character", INVALID, |w, _| w.bearer(&respelt(&w.good[0]))),
        ("base64's other alphabet", INVALID, |w, n| {
            let [header, payload, signature] = w.parts(EdDsa);
            w.bearer(&format!("{header}.{payload}.{}{}", &signature[..85], turn(n, ["+", "/", "%", "~"])))
        }),
        ("an empty part", INVALID, |w, n| {
            let [header, payload, signature] = w.parts(EdDsa);
            w.bearer(&turn(n, [format!(".{payload}.{signature}"), format!("{header}..{signature}"), "..".to_owned()]))
        }),
        ("two parts", MISSING, |w, _| w.bearer(w.good[0].rsplit_once('.').unwrap().0)),
        ("four parts", MISSING, |w, _| w.bearer(&format!("{}.AAAA", w.good[0]))),
        ("encrypted", INVALID, |w, n| {
            let header = json!({"alg": "dir", "enc": "A256GCM", "n": n});
            w.bearer(&format!("{}..AAAA.AAAA.AAAA", b64(header.to_string())))
        }),
        ("garbage", MISSING, |w, n| w.bearer(&format!("{n:x}!$&'()*+-^_`|~"))),
        ("20 KB of another key's token", INVALID, |w, n| {
            w.bearer(&w.stranger.sign(&json!({"pad": "p".repeat(20_000 + n)})))
        }),
        ("30 KB of dots", MISSING, |w, n| w.bearer(&"a.".repeat(15_000 - n))),
        ("an API key", "api_key_not_allowed", |w, n| w.bearer(&format!("behest_sk_live_{n:032}"))),
        ("no token at all", MISSING, |w, n| w.bearer(turn(n, ["sk-proj-0123", "null", "undefined", "0"]))),
    ]
}

fn lines() -> Vec<Kind> {
    vec![
        ("two headers", INVALID, |w, _| w.bearer(&w.good[0]).bearer(&w.good[0])),
        ("two headers, the second one Basic", INVALID, |w, _| {
            w.bearer(&w.good[0]).header("Authorization", "Basic dTpw")
        }),
        ("two tokens with a comma", INVALID, |w, n| {
            w.bearer(&format!("{}{}{}", w.good[0], turn(n, [",", ", "]), w.good[1]))
        }),
        ("two tokens with a space", INVALID, |w, _| w.bearer(&format!("{} {}", w.good[0], w.good[0]))),
        ("a tab in it", INVALID, |w, _| w.bearer(&w.good[0].replacen('.', ".\t", 1))),
        ("not UTF-8", INVALID, |w, n| {
            w.get().header("authorization", [b"Bearer ".as_slice(), &[byte(n) | 0x80]].concat())
        }),
        ("not UTF-8 behind a good token", INVALID, |w, n| {
            w.get().header("authorization", [b"Bearer ", w.good[0].as_bytes(), &[byte(n) | 0x80]].concat())
        }),
        ("no header", MISSING, |w, _| w.get()),
        ("another scheme", MISSING, |w, n| {
            w.get().header("authorization", format!("{} {}", turn(n, ["Basic", "Token", "JWT", "Bearer:"]), w.good[0]))
        }),
        ("a scheme alone", MISSING, |w, n| w.get().header("authorization", turn(n, ["Bearer", "bearer", ""]))),
        ("a token without a scheme", MISSING, |w, _| w.get().header("authorization", &w.good[0])),
        ("a token in the query", MISSING, |w, _| {
            w.client.get(&format!("{PATH}?access_token={0}&token={0}&jwt={0}", w.good[0]))
        }),
        ("a token elsewhere", MISSING, |w, n| {
            let name = turn(n, ["x-api-key", "cookie", "proxy-authorization", "x-authorization"]);
            w.get().header(name, format!("Bearer {}", w.good[0]))
        }),
        ("identity by header", MISSING, |w, n| {
            let name = turn(n, ["x-end-user-id", "x_end_user_id", "X-Tenant-Id", "x-tollgate-verified"]);
            w.get().header(name, "mallory").header("x-project-id", "proj_test")
        }),
    ]
}

impl World {
    /// With a claim whose value is this text.
    fn claims_with(&self, value: &str) -> Call {
        self.payload(usual().to_string().replacen('{', &format!("{{\"x\":{value},"), 1))
    }
}

/// The usual payload with one member written by hand.
fn with_member(member: &str, name: &str) -> String {
    Signer::claims(&json!({"uid": "mallory", name: null})).to_string().replacen('{', &format!("{{{member},"), 1)
}

fn twice(name: &str) -> String {
    let claims = usual();
    claims.to_string().replacen('{', &format!("{{\"{name}\":{},", claims[name]), 1)
}

fn signature(world: &World, algorithm: Algorithm) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(world.parts(algorithm)[2]).unwrap()
}

fn resigned(world: &World, algorithm: Algorithm, signature: &[u8]) -> String {
    let [header, payload, _] = world.parts(algorithm);
    format!("{header}.{payload}.{}", b64(signature))
}

fn flipped(world: &World, algorithm: Algorithm, bit: usize) -> String {
    let mut signature = signature(world, algorithm);
    let bit = bit * 61 % (signature.len() * 8);
    signature[bit / 8] ^= 1 << (bit % 8);
    resigned(world, algorithm, &signature)
}

/// A signature whose second half is larger by the order of the group: equal for whoever forgets RFC 8032, 5.1.7.
fn malleated(world: &World) -> String {
    let order = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
    let mut signature = signature(world, EdDsa);
    let mut carry = 0;
    for (place, byte) in signature[32..].iter_mut().enumerate() {
        let sum = u16::from(*byte) + u16::from_str_radix(&order[place * 2..place * 2 + 2], 16).unwrap() + carry;
        (*byte, carry) = (sum.to_le_bytes()[0], sum >> 8);
    }
    resigned(world, EdDsa, &signature)
}

/// The same bytes to a reader that does not look at the last character's unused bits.
fn respelt(token: &str) -> String {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (rest, last) = token.split_at(token.len() - 1);
    let place = alphabet.find(last).unwrap();
    format!("{rest}{}", &alphabet[place + 1..place + 2])
}

fn hs256(secret: &[u8], n: usize) -> String {
    let claims = Claims::with_custom_claims(json!({"uid": n.to_string(), "pid": "proj_test"}), Duration::from_hours(1));
    let claims = claims.with_issuer(Signer::ISSUER).with_audience(Signer::ISSUER);
    let key = HS256Key::from_bytes(secret);
    // With the name of a real key, and without one.
    if n.is_multiple_of(2) { key.with_key_id("test-rs256").authenticate(claims) } else { key.authenticate(claims) }
        .unwrap()
}

/// A public key in the spellings that careless verifiers take for a secret.
fn public(signer: &Signer, n: usize) -> String {
    let jwk = signer.jwk();
    match n % 3 {
        0 => jwk.to_string(),
        1 => jwk["n"].as_str().unwrap().to_owned(),
        _ => json!({"keys": [jwk]}).to_string(),
    }
}

/// Each of these in turn.
pub(crate) fn turn<T, const LENGTH: usize>(n: usize, all: [T; LENGTH]) -> T {
    all.into_iter().nth(n % LENGTH).unwrap()
}

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn byte(n: usize) -> u8 {
    n.to_le_bytes()[0]
}
