//! Keys of customers in our own set: each speaks for one project, and for no other.

use super::signing::{keys, strangers};
use super::{Group, claims, config, group};
use auth::algorithm::Algorithm;
use domain::caller::Caller;
use serde_json::{Value, json};

/// A set with the gateway's own EdDSA key, and an ES256 key that is bound.
fn with_bound(bindings: &[(&str, &str)]) -> Value {
    let mut all = vec![keys().ed_jwk("ed")];
    for (place, (tenant, project)) in bindings.iter().enumerate() {
        let mut key = keys().ec_jwk(&format!("sk_{place}"));
        (key["tollgate_tenant"], key["tollgate_project"]) = (json!(tenant), json!(project));
        all.push(key);
    }
    config(|it| it["local_jwks"]["inline_string"] = json!(json!({"keys": all}).to_string()))
}

fn signed(algorithm: Algorithm, kid: Option<&str>, change: impl FnOnce(&mut Value)) -> String {
    let mut claims = claims();
    change(&mut claims);
    let mut header = json!({"alg": algorithm.name()});
    if let Some(kid) = kid {
        header["kid"] = json!(kid);
    }
    keys().token(algorithm, &header.to_string(), claims.to_string().as_bytes())
}

fn bound(change: impl FnOnce(&mut Value)) -> String {
    signed(Algorithm::Es256, Some("sk_0"), change)
}

fn without(member: &'static str) -> impl FnOnce(&mut Value) {
    move |it| drop(it.as_object_mut().unwrap().remove(member))
}

pub(crate) fn a_bound_key_speaks_for_its_own_project() -> Vec<Group> {
    vec![group(
        &with_bound(&[("t1", "p1")]),
        [
            ("its own", bound(|_| ()), "ok"),
            ("without a kid", signed(Algorithm::Es256, None, |_| ()), "ok"),
            ("another project of its tenant", bound(|it| it["pid"] = json!("p2")), "signature"),
            ("another tenant's project of the same name", bound(|it| it["tid"] = json!("t2")), "signature"),
            ("no tenant", bound(without("tid")), "signature"),
            ("a project that begins like it", bound(|it| it["pid"] = json!("p1 ")), "claims"),
            ("a project in other letters", bound(|it| it["pid"] = json!("P1")), "signature"),
            ("expired", bound(|it| it["exp"] = json!(1)), "expired"),
            ("expired, another project", bound(|it| (it["exp"], it["pid"]) = (json!(1), json!("p2"))), "signature"),
            (
                "the gateway's own key, any project",
                signed(Algorithm::EdDsa, Some("ed"), |it| it["pid"] = json!("p9")),
                "ok",
            ),
            ("under the name of the gateway's own key", signed(Algorithm::Es256, Some("ed"), |_| ()), "signature"),
        ],
    )]
}

pub(crate) fn a_bound_key_does_not_name_an_api_key() -> Vec<Group> {
    let mut config = with_bound(&[("t1", "p1")]);
    config["providers"]["p"]["claims"] = json!({"key": "key"});
    let caller = |key: Option<&str>| Caller { key: key.map(str::to_owned), ..super::callers::usual() };
    let names = |it: &mut Value| it["key"] = json!("key_1");
    vec![group(
        &config,
        [
            ("the customer's", bound(names), caller(None)),
            ("the gateway's own", signed(Algorithm::EdDsa, Some("ed"), names), caller(Some("key_1"))),
        ],
    )]
}

pub(crate) fn a_token_whose_key_has_no_name_finds_its_projects_key_among_many() -> Vec<Group> {
    let others = [("t1", "p2"), ("t2", "p1"), ("t3", "p3"), ("t4", "p4"), ("t5", "p5"), ("t6", "p6"), ("t1", "p1")];
    vec![group(
        &with_bound(&others),
        [
            ("the last of seven", signed(Algorithm::Es256, None, |_| ()), "ok"),
            ("nobody's project", signed(Algorithm::Es256, None, |it| it["pid"] = json!("p7")), "signature"),
        ],
    )]
}

pub(crate) fn a_stranger_is_no_customer() -> Vec<Group> {
    let forged =
        strangers().token(Algorithm::Es256, r#"{"alg":"ES256","kid":"sk_0"}"#, claims().to_string().as_bytes());
    vec![group(&with_bound(&[("t1", "p1")]), [("another key in its name", forged, "signature")])]
}
