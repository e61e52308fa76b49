//! The token's outer form: parts, base64url, JSON, header, algorithm, signature.

use super::signing::{b64, keys, strangers};
use super::{Group, claims, config, group};
use auth::algorithm::Algorithm;

const HEADER: &str = r#"{"alg":"EdDSA","kid":"ed","typ":"JWT"}"#;

fn payload() -> Vec<u8> {
    claims().to_string().into_bytes()
}

pub(crate) fn good() -> String {
    keys().token(Algorithm::EdDsa, HEADER, &payload())
}

/// A good signature over any header.
fn with_header(header: &str) -> String {
    keys().token(Algorithm::EdDsa, header, &payload())
}

/// A good signature over any payload.
fn with_payload(payload: impl AsRef<[u8]>) -> String {
    keys().token(Algorithm::EdDsa, HEADER, payload.as_ref())
}

/// A good signature over these two texts as they stand, whatever they decode to.
pub(crate) fn over(header: &str, payload: &str) -> String {
    let signed = format!("{header}.{payload}");
    format!("{signed}.{}", b64(keys().sign(Algorithm::EdDsa, signed.as_bytes())))
}

pub(crate) fn parts() -> Vec<Group> {
    let token = good();
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!() };
    vec![group(
        &config(|_| ()),
        [
            ("as it should be", token.clone(), "ok"),
            ("no dot", "x".into(), "missing"),
            ("another provider's API key", "sk-proj-0123456789".into(), "missing"),
            ("our API key", "behest_sk_live_0123".into(), "api_key"),
            ("two parts", format!("{header}.{payload}"), "missing"),
            ("four parts", format!("{token}.x"), "missing"),
            ("five parts", format!("{token}.x.y"), "encrypted"),
            ("six parts", format!("{token}.x.y.z"), "missing"),
            ("a dot before", format!(".{token}"), "missing"),
            ("a dot behind", format!("{token}."), "missing"),
            ("only dots", "..".into(), "malformed"),
            ("no header", format!(".{payload}.{signature}"), "malformed"),
            ("no payload", format!("{header}..{signature}"), "malformed"),
            ("no signature", format!("{header}.{payload}."), "signature"),
            ("too long", with_payload(format!("{{\"x\":\"{}\"}}", "x".repeat(50_000))), "malformed"),
            ("long, but not too long", long(40_000), "ok"),
        ],
    )]
}

fn long(length: usize) -> String {
    let mut claims = claims();
    claims["x"] = "x".repeat(length).into();
    with_payload(claims.to_string())
}

pub(crate) fn base64url() -> Vec<Group> {
    let (header, body) = (b64(HEADER), b64(payload()));
    let token = good();
    // Spaces at the end of a JSON text change its length modulo 3, and with it the number of bits left over.
    let spaced = |spaces: usize| b64(format!("{}{}", claims(), " ".repeat(spaces)));
    let loose = (0..3).map(spaced).find(|it| it.len() % 4 == 2).unwrap();
    assert!(loose.ends_with(['A', 'Q', 'g', 'w']));
    let changed =
        |text: &str| format!("{}{}", &text[..text.len() - 1], char::from(text.as_bytes()[text.len() - 1] + 1));
    vec![group(
        &config(|_| ()),
        [
            ("signed and canonical", over(&header, &loose), "ok"),
            ("bits left over in the payload", over(&header, &changed(&loose)), "malformed"),
            ("padding of the payload", over(&header, &format!("{loose}==")), "malformed"),
            ("padding of the header", over(&format!("{header}="), &body), "malformed"),
            ("padding of the signature", format!("{token}=="), "malformed"),
            ("bits left over in the signature", changed(&token), "malformed"),
            ("a plus sign", over(&format!("{header}+"), &body), "malformed"),
            ("a slash", over(&header, &format!("{body}/")), "malformed"),
            ("an impossible length", over(&header, &format!("{loose}AAA")), "malformed"),
            ("percent-encoded", token.replace('_', "%5F").replace('-', "%2D") + "%3D", "malformed"),
            ("not base64url at all", over("{}", "{}"), "malformed"),
            ("a null character's base64", over(&header, "AA"), "malformed"),
        ],
    )]
}

pub(crate) fn json() -> Vec<Group> {
    let text = claims().to_string();
    let inner = text.trim_start_matches('{').trim_end_matches('}').to_owned();
    let mut rows = vec![("white space around members", with_payload(format!(" {{\n{inner}\t}} ")), "ok")];
    for (what, payload) in [
        ("a list", format!("[{text}]")),
        ("a text", format!("{text:?}")),
        ("nothing", String::new()),
        ("two documents", format!("{text}{text}")),
        ("something behind", format!("{text}x")),
        ("a byte order mark", format!("\u{feff}{text}")),
        ("a trailing comma", format!("{{{inner},}}")),
        ("a comment", format!("{{/**/{inner}}}")),
        ("single quotes", text.replace('"', "'")),
        ("a duplicate", format!("{{{inner},\"uid\":\"eve\"}}")),
        ("the same member twice, alike", format!("{{{inner},\"uid\":\"u1\"}}")),
        ("a duplicate behind an escape", format!("{{{inner},\"\\u0075id\":\"eve\"}}")),
        ("a duplicate within", format!("{{{inner},\"o\":{{\"a\":1,\"a\":2}}}}")),
        ("a duplicate within a list", format!("{{{inner},\"o\":[{{\"a\":1,\"a\":2}}]}}")),
        ("half of a surrogate pair", format!("{{{inner},\"o\":\"\\ud800\"}}")),
        ("NaN", format!("{{{inner},\"o\":NaN}}")),
        ("a number without end", format!("{{{inner},\"o\":1e999}}")),
        ("a leading zero", format!("{{{inner},\"o\":01}}")),
        ("a raw line feed in a text", format!("{{{inner},\"o\":\"\n\"}}")),
        ("too deep", format!("{{{inner},\"o\":{}{}}}", "[".repeat(200), "]".repeat(200))),
        ("cut short", text[..text.len() - 1].to_owned()),
    ] {
        rows.push((what, with_payload(payload), "malformed"));
    }
    rows.push(("no UTF-8", with_payload([&text.as_bytes()[..text.len() - 2], b"\xff\"}"].concat()), "malformed"));
    rows.push((
        "overlong UTF-8",
        with_payload([&text.as_bytes()[..text.len() - 2], b"\xc0\xaf\"}"].concat()),
        "malformed",
    ));
    vec![group(&config(|_| ()), rows)]
}

pub(crate) fn headers() -> Vec<Group> {
    let mut rows = Vec::new();
    for (what, header) in [
        ("no typ", r#"{"alg":"EdDSA","kid":"ed"}"#),
        ("no kid", r#"{"alg":"EdDSA"}"#),
        ("an access token's typ", r#"{"alg":"EdDSA","typ":"at+jwt"}"#),
        ("a jwk, which is ignored", r#"{"alg":"EdDSA","jwk":{"kty":"OKP","crv":"Ed25519","x":"AAAA"}}"#),
        ("a jku, which is ignored", r#"{"alg":"EdDSA","jku":"https://evil.example/"}"#),
        ("an x5u, which is ignored", r#"{"alg":"EdDSA","x5u":"https://evil.example/"}"#),
        ("an x5c, which is ignored", r#"{"alg":"EdDSA","x5c":["AAAA"]}"#),
        ("members that we do not know", r#"{"alg":"EdDSA","x":[1,{"y":null}]}"#),
        ("another content type", r#"{"alg":"EdDSA","cty":"json"}"#),
    ] {
        rows.push((what, with_header(header), "ok"));
    }
    for (what, header) in [
        ("no alg", "{}"),
        ("alg null", r#"{"alg":null}"#),
        ("alg a number", r#"{"alg":1}"#),
        ("alg a list", r#"{"alg":["EdDSA"]}"#),
        ("alg twice", r#"{"alg":"EdDSA","alg":"EdDSA"}"#),
        ("alg twice, none first", r#"{"alg":"none","alg":"EdDSA"}"#),
        ("kid a number", r#"{"alg":"EdDSA","kid":1}"#),
        ("kid null", r#"{"alg":"EdDSA","kid":null}"#),
        ("kid twice", r#"{"alg":"EdDSA","kid":"ed","kid":"ed"}"#),
        ("typ a number", r#"{"alg":"EdDSA","typ":1}"#),
        ("crit", r#"{"alg":"EdDSA","crit":["exp"]}"#),
        ("crit, unknown", r#"{"alg":"EdDSA","crit":["x"],"x":1}"#),
        ("crit, empty", r#"{"alg":"EdDSA","crit":[]}"#),
        ("crit, null", r#"{"alg":"EdDSA","crit":null}"#),
        ("b64 false", r#"{"alg":"EdDSA","b64":false,"crit":["b64"]}"#),
        ("b64 true", r#"{"alg":"EdDSA","b64":true}"#),
        ("zip", r#"{"alg":"EdDSA","zip":"DEF"}"#),
        ("enc", r#"{"alg":"EdDSA","enc":"A256GCM"}"#),
        ("a nested token", r#"{"alg":"EdDSA","cty":"JWT"}"#),
        ("a nested token, lower case", r#"{"alg":"EdDSA","cty":"jwt"}"#),
        ("no object", r#"["EdDSA"]"#),
        ("no JSON", "alg=EdDSA"),
    ] {
        rows.push((what, with_header(header), "malformed"));
    }
    vec![group(&config(|_| ()), rows)]
}

pub(crate) fn algorithms() -> Vec<Group> {
    let payload = payload();
    let token = |algorithm, header: &str| keys().token(algorithm, header, &payload);
    let mut rows = vec![
        ("EdDSA", token(Algorithm::EdDsa, r#"{"alg":"EdDSA","kid":"ed"}"#), "ok"),
        ("ES256", token(Algorithm::Es256, r#"{"alg":"ES256","kid":"ec"}"#), "ok"),
        ("RS256", token(Algorithm::Rs256, r#"{"alg":"RS256","kid":"rsa"}"#), "ok"),
        ("ES256 without kid", token(Algorithm::Es256, r#"{"alg":"ES256"}"#), "ok"),
        ("RS256 without kid", token(Algorithm::Rs256, r#"{"alg":"RS256"}"#), "ok"),
        ("the kid of a key of another kind", token(Algorithm::Rs256, r#"{"alg":"RS256","kid":"ec"}"#), "signature"),
        ("an unknown kid", token(Algorithm::EdDsa, r#"{"alg":"EdDSA","kid":"x"}"#), "signature"),
        ("an empty kid", token(Algorithm::EdDsa, r#"{"alg":"EdDSA","kid":""}"#), "signature"),
        ("a kid that is a path", token(Algorithm::EdDsa, r#"{"alg":"EdDSA","kid":"../../dev/null"}"#), "signature"),
        ("a kid in another case", token(Algorithm::EdDsa, r#"{"alg":"EdDSA","kid":"ED"}"#), "signature"),
        ("RSA signature called ES256", token(Algorithm::Rs256, r#"{"alg":"ES256","kid":"ec"}"#), "signature"),
        ("EdDSA signature called RS256", token(Algorithm::EdDsa, r#"{"alg":"RS256","kid":"rsa"}"#), "signature"),
    ];
    for name in [
        "none", "None", "NONE", "nOnE", "", " ", "eddsa", "EDDSA", "EdDSA ", "Ed25519", "Ed448", "HS256", "HS384",
        "HS512", "RS384", "RS512", "PS256", "ES384", "ES512", "ES256K", "rs256", "dir", "A128KW",
    ] {
        let header = format!(r#"{{"alg":"{name}"}}"#);
        rows.push(("another algorithm's name", token(Algorithm::EdDsa, &header), "signature"));
        rows.push(("and no signature", format!("{}.{}.", b64(&header), b64(&payload)), "signature"));
    }
    vec![group(&config(|_| ()), rows)]
}

pub(crate) fn an_algorithm_that_is_not_allowed_is_refused_although_there_is_a_key() -> Vec<Group> {
    let only = config(|it| it["algorithms"] = serde_json::json!(["RS256"]));
    let token = |algorithm, header: &str| keys().token(algorithm, header, &payload());
    vec![group(
        &only,
        [
            ("allowed", token(Algorithm::Rs256, r#"{"alg":"RS256"}"#), "ok"),
            ("not allowed", token(Algorithm::EdDsa, r#"{"alg":"EdDSA"}"#), "signature"),
            ("not allowed either", token(Algorithm::Es256, r#"{"alg":"ES256"}"#), "signature"),
        ],
    )]
}

pub(crate) fn signatures() -> Vec<Group> {
    let (header, body) = (b64(r#"{"alg":"ES256"}"#), b64(payload()));
    let signed = format!("{header}.{body}");
    let signature = keys().sign(Algorithm::Es256, signed.as_bytes());
    let es256 = |signature: &[u8]| format!("{signed}.{}", b64(signature));
    let der = p256::ecdsa::Signature::from_slice(&signature).unwrap().to_der().to_bytes().to_vec();
    let ed = keys().sign(Algorithm::EdDsa, format!("{}.{body}", b64(HEADER)).as_bytes());
    let eddsa = |signature: &[u8]| format!("{}.{body}.{}", b64(HEADER), b64(signature));
    let (r, s) = signature.split_at(32);
    let zero = [0; 32];
    vec![group(
        &config(|_| ()),
        [
            ("ES256", es256(&signature), "ok"),
            ("ES256 in DER", es256(&der), "signature"),
            ("ES256, r is zero", es256(&[&zero, s].concat()), "signature"),
            ("ES256, s is zero", es256(&[r, &zero].concat()), "signature"),
            ("ES256, both are zero", es256(&[0; 64]), "signature"),
            ("ES256, all ones", es256(&[255; 64]), "signature"),
            ("ES256, r and s exchanged", es256(&[s, r].concat()), "signature"),
            ("ES256, a byte more", es256(&[&signature, &[0][..]].concat()), "signature"),
            ("ES256, a zero before", es256(&[&[0], &signature[..]].concat()), "signature"),
            ("ES256, a byte less", es256(&signature[..63]), "signature"),
            ("EdDSA", eddsa(&ed), "ok"),
            ("EdDSA, a byte more", eddsa(&[&ed, &[0][..]].concat()), "signature"),
            ("EdDSA, a byte less", eddsa(&ed[..63]), "signature"),
            ("EdDSA, zeros", eddsa(&[0; 64]), "signature"),
            ("EdDSA, S plus the group's order", eddsa(&plus_order(&ed)), "signature"),
            ("a stranger's EdDSA", strangers().token(Algorithm::EdDsa, HEADER, &payload()), "signature"),
            ("a stranger's ES256", strangers().token(Algorithm::Es256, r#"{"alg":"ES256"}"#, &payload()), "signature"),
            (
                "another payload's signature",
                format!("{}.{}.{}", b64(HEADER), b64("{\"iss\":\"https://issuer.example\"}"), b64(&ed)),
                "signature",
            ),
        ],
    )]
}

/// The second spelling of an Ed25519 signature, which RFC 8032, 5.1.7 forbids.
fn plus_order(signature: &[u8]) -> Vec<u8> {
    let mut order = [0u8; 32];
    order[..16].copy_from_slice(&0x14de_f9de_a2f7_9cd6_5812_631a_5cf5_d3edu128.to_le_bytes());
    order[31] = 0x10;
    let mut out = signature.to_vec();
    let mut carry = 0;
    for (byte, add) in out[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    out
}

pub(crate) fn rsa_signatures() -> Vec<Group> {
    let signed = format!("{}.{}", b64(r#"{"alg":"RS256"}"#), b64(payload()));
    let signature = keys().sign(Algorithm::Rs256, signed.as_bytes());
    let token = |signature: &[u8]| format!("{signed}.{}", b64(signature));
    vec![group(
        &config(|_| ()),
        [
            ("RS256", token(&signature), "ok"),
            ("a zero before", token(&[&[0], &signature[..]].concat()), "signature"),
            ("a byte less", token(&signature[1..]), "signature"),
            ("empty", token(&[]), "signature"),
            ("zero", token(&[0; 256]), "signature"),
            ("one", token(&[&[0; 255][..], &[1]].concat()), "signature"),
            ("more than the modulus", token(&[255; 256]), "signature"),
            ("twice", token(&[&signature[..], &signature].concat()), "signature"),
        ],
    )]
}
