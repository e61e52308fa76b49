//! What becomes of claims that are accepted: the caller.

use super::identity::{sign, with, without};
use super::{Group, claims, config, group};
use domain::caller::Caller;
use serde_json::{Value, json};

/// Whom the usual claims name.
pub(super) fn usual() -> Caller {
    let text = |it: &str| Some(it.to_owned());
    Caller {
        tenant: text("t1"),
        project: "p1".into(),
        user: "u1".into(),
        role: text("user"),
        tier: text("pro"),
        session: text("s1"),
        key: None,
        token: text("j1"),
    }
}

fn with_tier(tier: &str) -> Caller {
    Caller { tier: Some(tier.to_owned()), ..usual() }
}

pub(crate) fn the_caller_is_what_the_token_names() -> Vec<Group> {
    vec![group(
        &config(|_| ()),
        [
            ("all of it", sign(&claims()), usual()),
            ("a tier that is a number", with("tier", json!(3)), with_tier("3")),
            ("the largest number", with("tier", json!(u64::MAX)), with_tier("18446744073709551615")),
            ("a number below zero", with("tier", json!(-3)), with_tier("-3")),
            ("no tier", without("tier"), Caller { tier: None, ..usual() }),
            ("no tenant", without("tid"), Caller { tenant: None, ..usual() }),
            ("no role", without("role"), Caller { role: None, ..usual() }),
            ("no session", without("sid"), Caller { session: None, ..usual() }),
            ("beyond ASCII", with("uid", json!("J\u{f6}rg \u{65e5}")), Caller { user: "Jörg 日".into(), ..usual() }),
            ("a token's own id", with("jti", json!("t1")), Caller { token: Some("t1".into()), ..usual() }),
            ("an id that is no text", with("jti", json!({"a": 1})), Caller { token: None, ..usual() }),
            ("a key that nobody asked for", with("key", json!("key_1")), usual()),
            (
                "what looks like an escape",
                with("uid", json!("a%20b\\n")),
                Caller { user: "a%20b\\n".into(), ..usual() },
            ),
        ],
    )]
}

pub(crate) fn the_key_that_minted_a_token_is_named_where_the_operator_says() -> Vec<Group> {
    let config = config(|it| it["claims"] = json!({"key": "key"}));
    vec![group(
        &config,
        [
            ("by its id", with("key", json!("key_1")), Caller { key: Some("key_1".into()), ..usual() }),
            ("none", sign(&claims()), usual()),
            ("no plain text", with("key", json!("key\n1")), usual()),
        ],
    )]
}

pub(crate) fn what_is_fixed_holds_whatever_the_token_says() -> Vec<Group> {
    let fixed = json!({"tenant": "t-fixed", "project": "p-fixed", "role": "member", "tier": "max"});
    let config = config(|it| it["fixed"] = fixed);
    let (mut liar, mut bare, mut strange) = (claims(), claims(), claims());
    for name in ["tid", "pid", "role", "tier"] {
        liar[name] = json!("admin");
        bare.as_object_mut().unwrap().remove(name);
        strange[name] = json!(["a list"]);
    }
    let expected = || Caller {
        tenant: Some("t-fixed".into()),
        project: "p-fixed".into(),
        role: Some("member".into()),
        ..with_tier("max")
    };
    vec![
        group(
            &config,
            [
                ("another's", sign(&claims()), expected()),
                ("a liar's", sign(&liar), expected()),
                ("nothing of it", sign(&bare), expected()),
                ("no texts", sign(&strange), expected()),
            ],
        ),
        group(&config, [("the user is still the token's to say", without("uid"), "claims")]),
    ]
}

pub(crate) fn tiers_have_names_of_their_own_at_an_issuer() -> Vec<Group> {
    let config = config(|it| it["tiers"] = json!({"price_1Oa": "pro", "3": "max", "pro": "free"}));
    let row = |what: &'static str, said: Value, ours: &str| (what, with("tier", said), with_tier(ours));
    vec![group(
        &config,
        [
            row("by its name", json!("price_1Oa"), "pro"),
            row("by its number", json!(3), "max"),
            row("by a text of digits", json!("3"), "max"),
            row("a name is looked up once", json!("pro"), "free"),
            row("what is not in the list keeps its name", json!("team"), "team"),
            row("names are compared byte for byte", json!("PRO"), "PRO"),
        ],
    )]
}

pub(crate) fn claims_are_found_by_their_path() -> Vec<Group> {
    let config = config(|it| {
        it["claims"] = json!({"user": "sub", "project": "app_metadata.org.id", "tenant": "https://x.example/tenant", "role": "o.r"});
    });
    let mut claims = claims();
    claims["sub"] = json!("s-1");
    claims["app_metadata"] = json!({"org": {"id": "org-1"}});
    claims["https://x.example/tenant"] = json!("t-9");
    claims["o.r"] = json!("literal");
    claims["o"] = json!({"r": "nested"});
    let expected = Caller {
        tenant: Some("t-9".into()),
        project: "org-1".into(),
        user: "s-1".into(),
        role: Some("literal".into()),
        ..usual()
    };
    vec![group(&config, [("nested, and by whole names", sign(&claims), expected)])]
}
