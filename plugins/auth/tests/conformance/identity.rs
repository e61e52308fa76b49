//! Whose token it is and whom it names: `iss`, `aud`, required claims, and the claims that become the caller.

use crate::support::{NOW, check, claims, config, gate, keys, present};
use auth::{algorithm::Algorithm, policy::Step};
use domain::caller::Caller;
use serde_json::{Value, json};

fn sign(claims: &Value) -> String {
    keys().token(Algorithm::EdDsa, r#"{"alg":"EdDSA"}"#, claims.to_string().as_bytes())
}

fn with(name: &str, value: Value) -> String {
    let mut claims = claims();
    claims[name] = value;
    sign(&claims)
}

fn without(name: &str) -> String {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    sign(&claims)
}

#[test]
fn issuers() {
    let mut rows = vec![("missing", without("iss"), "issuer")];
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
    ] {
        rows.push((what, with("iss", value), "issuer"));
    }
    check(&config(|_| ()), &rows);
}

#[test]
fn audiences() {
    let mut rows = vec![("missing", without("aud"), "claims")];
    for (what, value) in [
        ("the one", json!("aud-1")),
        ("the other", json!("aud-2")),
        ("in a list", json!(["x", "aud-2"])),
        ("twice in a list", json!(["aud-1", "aud-1"])),
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
    ] {
        rows.push((what, with("aud", value), "claims"));
    }
    check(&config(|_| ()), &rows);
}

#[test]
fn required_claims() {
    let config = config(|it| it["required_claims"] = json!({"azp": ["app-1", "app-2"], "o.rol": ["admin"]}));
    let token = |azp: Value, o: Value| {
        let mut claims = claims();
        claims["azp"] = azp;
        claims["o"] = o;
        sign(&claims)
    };
    let admin = json!({"rol": "admin"});
    check(
        &config,
        &[
            ("as required", token(json!("app-1"), admin.clone()), "ok"),
            ("in lists", token(json!(["app-2"]), json!({"rol": ["user", "admin"]})), "ok"),
            ("another", token(json!("app-3"), admin.clone()), "claims"),
            ("null", token(Value::Null, admin.clone()), "claims"),
            ("missing", sign(&claims()), "claims"),
            ("nested missing", token(json!("app-1"), json!({})), "claims"),
            ("nested in a text", token(json!("app-1"), json!("rol")), "claims"),
            ("a list with a number", token(json!(["app-1", 7]), admin), "claims"),
        ],
    );
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

#[test]
fn texts_of_the_caller() {
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
        check(&config(|_| ()), &rows);
    }
}

#[test]
fn nested_claims() {
    for (name, missing) in [("user", "claims"), ("tenant", "ok")] {
        let config = config(|it| it["claims"] = json!({name: "o.a.id"}));
        check(
            &config,
            &[
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
            ],
        );
        // The whole name goes first, also where it is no use: one of the two is not what the operator meant.
        let mut both = claims();
        both["o.a.id"] = json!(["x"]);
        both["o"] = json!({"a": {"id": "x"}});
        check(&config, &[("a list by its whole name", sign(&both), "claims")]);
    }
}

#[test]
fn a_token_for_a_client() {
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
    check(
        &config,
        &[
            ("for our client", token(json!("app-1"), None), "ok"),
            ("for another", token(json!("app-2"), None), "claims"),
            ("for nobody", token(Value::Null, None), "claims"),
            ("and for an audience that we are not", token(json!("app-1"), Some(json!("aud-1"))), "claims"),
            ("even an empty one", token(json!("app-1"), Some(json!([]))), "claims"),
            ("even null", token(json!("app-1"), Some(Value::Null)), "claims"),
        ],
    );
}

#[test]
fn what_is_fixed_holds_whatever_the_token_says() {
    let fixed = json!({"tenant": "t-fixed", "project": "p-fixed", "role": "member", "tier": "pro"});
    let config = || config(|it| it["fixed"] = fixed.clone());
    let expected = Caller {
        tenant: Some("t-fixed".into()),
        project: "p-fixed".into(),
        user: "u1".into(),
        role: Some("member".into()),
        tier: Some("pro".into()),
        session: Some("s1".into()),
    };
    let mut liar = claims();
    let mut bare = claims();
    for name in ["tid", "pid", "role", "tier"] {
        liar[name] = json!("admin");
        bare.as_object_mut().unwrap().remove(name);
    }
    let mut strange = claims();
    strange["role"] = json!(["a list"]);
    for claims in [claims(), liar, bare, strange] {
        assert_eq!(caller(config(), &sign(&claims)), expected, "{claims}");
    }
    check(&config(), &[("the user is still the token's to say", without("uid"), "claims")]);
}

#[test]
fn tiers_have_names_of_their_own_at_an_issuer() {
    let tier = |value: Value| {
        let config = config(|it| it["tiers"] = json!({"price_1Oa": "pro", "3": "max", "pro": "free"}));
        caller(config, &with("tier", value)).tier.unwrap()
    };
    assert_eq!(tier(json!("price_1Oa")), "pro");
    assert_eq!(tier(json!(3)), "max");
    assert_eq!(tier(json!("3")), "max");
    assert_eq!(tier(json!("pro")), "free", "a name is looked up once");
    assert_eq!(tier(json!("team")), "team", "what is not in the list keeps its name");
    assert_eq!(tier(json!("PRO")), "PRO", "names are compared byte for byte");
}

fn caller(config: auth::config::Config, token: &str) -> Caller {
    match present(&mut gate(config), token, NOW) {
        Step::Admit(verified) => verified.caller.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_caller_is_what_the_token_names() {
    let text = |it: &str| Some(it.to_owned());
    let expected = Caller {
        tenant: text("t1"),
        project: "p1".into(),
        user: "u1".into(),
        role: text("user"),
        tier: text("pro"),
        session: text("s1"),
    };
    assert_eq!(caller(config(|_| ()), &sign(&claims())), expected);
    assert_eq!(caller(config(|_| ()), &with("tier", json!(3))).tier, text("3"));
    assert_eq!(caller(config(|_| ()), &without("tier")), Caller { tier: None, ..expected });
}

#[test]
fn claims_are_found_by_their_path() {
    let config = config(|it| {
        it["claims"] = json!({"user": "sub", "project": "app_metadata.org.id", "tenant": "https://x.example/tenant", "role": "o.r"});
    });
    let mut claims = claims();
    claims["sub"] = json!("s-1");
    claims["app_metadata"] = json!({"org": {"id": "org-1"}});
    claims["https://x.example/tenant"] = json!("t-9");
    claims["o.r"] = json!("literal");
    claims["o"] = json!({"r": "nested"});
    let caller = caller(config, &sign(&claims));
    assert_eq!((caller.user.as_str(), caller.project.as_str()), ("s-1", "org-1"));
    assert_eq!((caller.tenant.as_deref(), caller.role.as_deref()), (Some("t-9"), Some("literal")));
}
