//! Whose token it is and whom it names: `iss`, `aud`, required claims, and the claims that become the caller.

use crate::support::{NOW, check, claims, config, keys, present};
use auth::{
    algorithm::Algorithm,
    policy::{Gate, Step},
};
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

#[test]
fn texts_of_the_caller() {
    let (long, longer) = ("x".repeat(255), "x".repeat(256));
    let wide = "\u{e9}".repeat(255);
    let good = ["u1", "a b", "jörg@example.com", "auth0|5f7c", "日本", "a,b", "\"<>&'", long.as_str(), wide.as_str()];
    let bad = [
        "",
        " ",
        " u1",
        "u1 ",
        "\tu1",
        "u1\n",
        "a\nb",
        "a\r\nx-role: admin",
        "a\0b",
        "a\u{7f}b",
        "a\u{85}b",
        "a\u{a0}b",
        "a\u{200b}b",
        "a\u{202e}b",
        "a\u{2028}b",
        "a\u{feff}b",
        "a\u{ad}b",
        "a\u{e0041}b",
        longer.as_str(),
    ];
    for name in ["uid", "pid", "tid", "sid", "role", "tier"] {
        let mut rows = Vec::new();
        rows.extend(good.iter().map(|it| (*it, with(name, json!(it)), "ok")));
        rows.extend(bad.iter().map(|it| (*it, with(name, json!(it)), "claims")));
        for value in [Value::Null, json!(true), json!([]), json!(["u1"]), json!({}), json!({"id": "u1"}), json!(1.5)] {
            rows.push(("no text", with(name, value), "claims"));
        }
        rows.push(("an integer", with(name, json!(7)), if name == "tier" { "ok" } else { "claims" }));
        let needed = ["uid", "pid"].contains(&name);
        rows.push(("missing", without(name), if needed { "claims" } else { "ok" }));
        check(&config(|_| ()), &rows);
    }
}

fn caller(config: auth::config::Config, token: &str) -> Caller {
    match present(&mut Gate::new(config).unwrap(), token, NOW) {
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
