//! Whose token it is and whom it names: `iss`, `aud`, required claims, and the claims that become the caller.

use super::{Group, claims, config, group, signing::keys};
use auth::algorithm::Algorithm;
use serde_json::{Value, json};

pub(super) fn sign(claims: &Value) -> String {
    keys().token(Algorithm::EdDsa, r#"{"alg":"EdDSA"}"#, claims.to_string().as_bytes())
}

pub(super) fn with(name: &str, value: Value) -> String {
    let mut claims = claims();
    claims[name] = value;
    sign(&claims)
}

pub(super) fn without(name: &str) -> String {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    sign(&claims)
}

pub(crate) fn issuers() -> Vec<Group> {
    let written = claims().to_string().replace("https://issuer", r"\u0068ttps:\/\/issuer");
    let written = keys().token(Algorithm::EdDsa, r#"{"alg":"EdDSA"}"#, written.as_bytes());
    let mut rows = vec![("missing", without("iss"), "issuer"), ("written with escapes", written, "ok")];
    let mut named = claims();
    named.as_object_mut().unwrap().remove("iss");
    named["Iss"] = json!("https://issuer.example");
    rows.push(("in a claim of another case", sign(&named), "issuer"));
    for (what, value) in [
        ("another", json!("https://evil.example")),
        ("a slash more", json!("https://issuer.example/")),
        ("another case", json!("https://ISSUER.example")),
        ("only the beginning", json!("https://issuer.exampl")),
        ("more behind", json!("https://issuer.example.evil")),
        ("a space", json!("https://issuer.example ")),
        ("empty", json!("")),
        ("null", Value::Null),
        ("a number", json!(1)),
        ("a list", json!(["https://issuer.example"])),
        ("an object", json!({"https://issuer.example": true})),
        ("true", json!(true)),
        ("without TLS", json!("http://issuer.example")),
        ("with the port that goes without saying", json!("https://issuer.example:443")),
        ("with a user", json!("https://a@issuer.example")),
        ("with a query", json!("https://issuer.example?")),
        ("with a fragment", json!("https://issuer.example#")),
        ("with a dot behind the host", json!("https://issuer.example.")),
        ("an encoded letter", json!("https://%69ssuer.example")),
        ("a Cyrillic letter", json!("https://\u{456}ssuer.example")),
        ("a zero byte behind", json!("https://issuer.example\0")),
        ("a line break behind", json!("https://issuer.example\n")),
        ("a space before", json!(" https://issuer.example")),
        ("an invisible space within", json!("https://issuer\u{200b}.example")),
        ("the name of the provider", json!("p")),
        ("a pattern", json!("*")),
        ("two", json!("https://issuer.example https://issuer.example")),
    ] {
        rows.push((what, with("iss", value), "issuer"));
    }
    vec![group(&config(|_| ()), rows)]
}

pub(crate) fn audiences() -> Vec<Group> {
    let mut rows = vec![("missing", without("aud"), "claims")];
    for (what, value) in [
        ("the one", json!("aud-1")),
        ("the other", json!("aud-2")),
        ("in a list", json!(["x", "aud-2"])),
        ("twice in a list", json!(["aud-1", "aud-1"])),
        ("beside an empty text", json!(["", "aud-1"])),
        ("the last of many", json!((0..200).rev().map(|it| format!("aud-{it}")).collect::<Vec<_>>())),
    ] {
        rows.push((what, with("aud", value), "ok"));
    }
    for (what, value) in [
        ("another", json!("aud-3")),
        ("another case", json!("AUD-1")),
        ("only the beginning", json!("aud-")),
        ("more behind", json!("aud-10")),
        ("both in one text", json!("aud-1 aud-2")),
        ("empty", json!("")),
        ("an empty list", json!([])),
        ("a list of others", json!(["x", "y"])),
        ("a list with a number", json!(["aud-1", 1])),
        ("a list with null", json!([null, "aud-1"])),
        ("a list within a list", json!([["aud-1"]])),
        ("null", Value::Null),
        ("a number", json!(1)),
        ("true", json!(true)),
        ("an object", json!({"aud-1": true})),
        ("a space before", json!(" aud-1")),
        ("a space behind", json!("aud-1 ")),
        ("with a comma", json!("aud-1,aud-2")),
        ("a zero byte behind", json!("aud-1\0")),
        ("a slash behind", json!("aud-1/")),
        ("encoded", json!("aud%2d1")),
        ("another dash", json!("aud\u{2010}1")),
        ("a pattern", json!("aud-*")),
        ("an empty text in a list", json!([""])),
        ("another case in a list", json!(["AUD-1", "Aud-2"])),
        ("a list with true", json!([true, "aud-1"])),
        ("a list with an object", json!([{}, "aud-1"])),
        ("a list with an empty list", json!([[], "aud-1"])),
        ("a list within lists", json!([[["aud-1"]]])),
    ] {
        rows.push((what, with("aud", value), "claims"));
    }
    vec![group(&config(|_| ()), rows)]
}

pub(crate) fn required_claims() -> Vec<Group> {
    let config = config(|it| it["required_claims"] = json!({"azp": ["app-1", "app-2"], "o.rol": ["admin"]}));
    let token = |azp: Value, o: Value| {
        let mut claims = claims();
        claims["azp"] = azp;
        claims["o"] = o;
        sign(&claims)
    };
    let admin = json!({"rol": "admin"});
    vec![group(
        &config,
        [
            ("as required", token(json!("app-1"), admin.clone()), "ok"),
            ("in lists", token(json!(["app-2"]), json!({"rol": ["user", "admin"]})), "ok"),
            ("another", token(json!("app-3"), admin.clone()), "claims"),
            ("null", token(Value::Null, admin.clone()), "claims"),
            ("missing", sign(&claims()), "claims"),
            ("nested missing", token(json!("app-1"), json!({})), "claims"),
            ("nested in a text", token(json!("app-1"), json!("rol")), "claims"),
            ("a list with a number", token(json!(["app-1", 7]), admin.clone()), "claims"),
            ("an empty list", token(json!([]), admin.clone()), "claims"),
            ("an empty text", token(json!(""), admin.clone()), "claims"),
            ("a number", token(json!(1), admin.clone()), "claims"),
            ("true", token(json!(true), admin.clone()), "claims"),
            ("an object", token(json!({"app-1": true}), admin.clone()), "claims"),
            ("another case", token(json!("APP-1"), admin.clone()), "claims"),
            ("a space behind", token(json!("app-1 "), admin.clone()), "claims"),
            ("both in one text", token(json!("app-1 app-2"), admin.clone()), "claims"),
            ("only the beginning", token(json!("app-"), admin.clone()), "claims"),
            ("more behind", token(json!("app-11"), admin.clone()), "claims"),
            ("a list of others", token(json!(["x", "app-3"]), admin.clone()), "claims"),
            ("a list within a list", token(json!([["app-1"]]), admin), "claims"),
            ("nested another", token(json!("app-1"), json!({"rol": "user"})), "claims"),
            ("nested null", token(json!("app-1"), json!({"rol": null})), "claims"),
            ("nested in a list", token(json!("app-1"), json!([{"rol": "admin"}])), "claims"),
            ("nested too deep", token(json!("app-1"), json!({"rol": {"rol": "admin"}})), "claims"),
        ],
    )]
}

/// Texts that may say who calls, with what is special about each.
fn plain_texts() -> Vec<(&'static str, String)> {
    let texts = [
        ("short", "u"),
        ("a space within", "a b"),
        ("an address", "jörg@example.com"),
        ("another's separator", "auth0|5f7c"),
        ("not Latin", "日本"),
        ("beyond 16 bits", "🜂"),
        ("a comma", "a,b"),
        ("what a log or a page would escape", "\"<>&'"),
        ("a colon and a slash", "https://x/y"),
        ("digits are a text too", "7"),
        ("the word", "null"),
    ];
    let mut texts: Vec<_> = texts.map(|(what, text)| (what, text.to_owned())).to_vec();
    texts.push(("255 characters", "x".repeat(255)));
    texts.push(("255 characters of two bytes", "\u{e9}".repeat(255)));
    texts
}

/// Texts that may not.
fn other_texts() -> Vec<(&'static str, String)> {
    let texts = [
        ("empty", ""),
        ("only a space", " "),
        ("a space before", " u1"),
        ("a space behind", "u1 "),
        ("a tab before", "\tu1"),
        ("a line break behind", "u1\n"),
        ("a wide space before", "\u{3000}u1"),
        ("a line break within", "a\nb"),
        ("another header", "a\r\nx-role: admin"),
        ("zero", "a\0b"),
        ("a control character", "a\u{7f}b"),
        ("a control character of the second block", "a\u{85}b"),
        ("a space that does not break", "a\u{a0}b"),
        ("a space without width", "a\u{200b}b"),
        ("the same at the end", "ab\u{200b}"),
        ("a change of direction", "a\u{202e}b"),
        ("a line separator", "a\u{2028}b"),
        ("a byte order mark", "a\u{feff}b"),
        ("a soft hyphen", "a\u{ad}b"),
        ("a tag", "a\u{e0041}b"),
        ("a variation selector", "a\u{fe0f}b"),
        ("a filler", "a\u{3164}b"),
        ("Braille without dots", "a\u{2800}b"),
        ("a mark of shorthand", "a\u{1bca0}b"),
        ("a mark of music", "a\u{1d173}b"),
        ("no character at all", "a\u{fffe}b"),
    ];
    let mut texts: Vec<_> = texts.map(|(what, text)| (what, text.to_owned())).to_vec();
    texts.push(("256 characters", "x".repeat(256)));
    texts
}

pub(crate) fn texts_of_the_caller() -> Vec<Group> {
    let mut groups = Vec::new();
    for name in ["uid", "pid", "tid", "sid", "role", "tier"] {
        let mut rows = Vec::new();
        rows.extend(plain_texts().into_iter().map(|(what, it)| (what, with(name, json!(it)), "ok")));
        rows.extend(other_texts().into_iter().map(|(what, it)| (what, with(name, json!(it)), "claims")));
        for (what, value) in [
            ("null is not missing", Value::Null),
            ("true", json!(true)),
            ("an empty list", json!([])),
            ("a list of one", json!(["u1"])),
            ("an empty object", json!({})),
            ("an object", json!({"id": "u1"})),
            ("a fraction", json!(1.5)),
            ("a whole number written as a fraction", json!(1.0)),
            ("more than 64 bits", json!(1e20)),
        ] {
            rows.push((what, with(name, value), "claims"));
        }
        let integer = if name == "tier" { "ok" } else { "claims" };
        rows.push(("an integer", with(name, json!(7)), integer));
        rows.push(("zero", with(name, json!(0)), integer));
        rows.push(("an integer below zero", with(name, json!(-1)), integer));
        rows.push(("the largest integer", with(name, json!(u64::MAX)), integer));
        let needed = ["uid", "pid"].contains(&name);
        rows.push(("missing", without(name), if needed { "claims" } else { "ok" }));
        groups.push(group(&config(|_| ()), rows));
    }
    groups
}

pub(crate) fn nested_claims() -> Vec<Group> {
    let mut groups = Vec::new();
    for (name, missing) in [("user", "claims"), ("tenant", "ok")] {
        let config = config(|it| it["claims"] = json!({name: "o.a.id"}));
        groups.push(group(
            &config,
            [
                ("as it should be", with("o", json!({"a": {"id": "x"}})), "ok"),
                ("by its whole name", with("o.a.id", json!("x")), "ok"),
                ("the root is missing", sign(&claims()), missing),
                ("the middle is missing", with("o", json!({})), missing),
                ("the leaf is missing", with("o", json!({"a": {}})), missing),
                ("the root is null", with("o", Value::Null), "claims"),
                ("the root is a text", with("o", json!("x")), "claims"),
                ("the middle is null", with("o", json!({"a": null})), "claims"),
                ("the middle is a text", with("o", json!({"a": "id"})), "claims"),
                ("the middle is a list", with("o", json!({"a": [{"id": "x"}]})), "claims"),
                ("the leaf is null", with("o", json!({"a": {"id": null}})), "claims"),
                ("the leaf is an object", with("o", json!({"a": {"id": {"id": "x"}}})), "claims"),
                ("half of it by name", with("o.a", json!({"id": "x"})), missing),
                ("the leaf in another case", with("o", json!({"a": {"ID": "x"}})), missing),
                ("the leaf is a number", with("o", json!({"a": {"id": 7}})), "claims"),
                ("the leaf is a list of one", with("o", json!({"a": {"id": ["x"]}})), "claims"),
                ("the leaf is blank", with("o", json!({"a": {"id": " "}})), "claims"),
                ("the root is a list", with("o", json!([{"a": {"id": "x"}}])), "claims"),
                ("the middle by both names", with("o", json!({"a.id": "x"})), missing),
                ("the whole as a text", with("o", json!(r#"{"a":{"id":"x"}}"#)), "claims"),
            ],
        ));
        // The whole name goes first, also where it is no use: one of the two is not what the operator meant.
        let mut both = claims();
        both["o.a.id"] = json!(["x"]);
        both["o"] = json!({"a": {"id": "x"}});
        groups.push(group(&config, [("a list by its whole name", sign(&both), "claims")]));
    }
    groups
}

pub(crate) fn a_token_for_a_client() -> Vec<Group> {
    let config = config(|it| {
        it.as_object_mut().unwrap().remove("audiences");
        it["required_claims"] = json!({"client_id": ["app-1"]});
    });
    let token = |client: Value, audience: Option<Value>| {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove("aud");
        claims["client_id"] = client;
        if let Some(audience) = audience {
            claims["aud"] = audience;
        }
        sign(&claims)
    };
    vec![group(
        &config,
        [
            ("for our client", token(json!("app-1"), None), "ok"),
            ("for another", token(json!("app-2"), None), "claims"),
            ("for nobody", token(Value::Null, None), "claims"),
            ("and for an audience that we are not", token(json!("app-1"), Some(json!("aud-1"))), "claims"),
            ("even an empty one", token(json!("app-1"), Some(json!([]))), "claims"),
            ("even null", token(json!("app-1"), Some(Value::Null)), "claims"),
        ],
    )]
}
