//! When a token holds: `exp`, `nbf`, `iat`, with 60 s for the clocks' difference.

use super::{Group, claims, config, group, signing::keys};
use crate::clock::{SOON, now};
use auth::algorithm::Algorithm;
use serde_json::{Value, json};

/// A token with one claim changed; `None` leaves it out.
fn with(name: &str, value: Option<Value>) -> String {
    let mut claims = claims();
    match value {
        Some(value) => claims[name] = value,
        None => drop(claims.as_object_mut().unwrap().remove(name)),
    }
    keys().token(Algorithm::EdDsa, r#"{"alg":"EdDSA"}"#, claims.to_string().as_bytes())
}

/// A token whose claim is written in exactly this way.
fn written(name: &str, number: &str) -> String {
    let mut claims = claims();
    claims[name] = json!("HERE");
    let payload = claims.to_string().replace("\"HERE\"", number);
    keys().token(Algorithm::EdDsa, r#"{"alg":"EdDSA"}"#, payload.as_bytes())
}

pub(crate) fn expiry() -> Vec<Group> {
    vec![group(
        &config(|_| ()),
        [
            ("in a second", with("exp", Some(json!(now() + SOON))), "ok"),
            ("now", with("exp", Some(json!(now()))), "ok"),
            ("59 s ago", with("exp", Some(json!(now() - 60 + SOON))), "ok"),
            ("60 s ago: on or after", with("exp", Some(json!(now() - 60))), "expired"),
            ("61 s ago", with("exp", Some(json!(now() - 61))), "expired"),
            ("jwt-simple's 900 s", with("exp", Some(json!(now() - 899))), "expired"),
            ("zero", with("exp", Some(json!(0))), "expired"),
            ("minus one", with("exp", Some(json!(-1))), "expired"),
            ("a half second late", written("exp", &format!("{}.5", now() - 61 + SOON)), "ok"),
            ("a fraction", written("exp", &format!("{}.25", now() + 9)), "ok"),
            ("an exponent", written("exp", "4e9"), "ok"),
            ("in milliseconds", with("exp", Some(json!(now() * 1000))), "ok"),
            ("the largest exact number", written("exp", "9007199254740992"), "ok"),
            ("more than that", written("exp", "9007199254740994"), "claims"),
            ("more than 64 bits", written("exp", "18446744073709551616"), "claims"),
            ("much more", written("exp", "1e300"), "claims"),
            ("much less", written("exp", "-1e300"), "expired"),
            ("more than a number can be", written("exp", "1e400"), "malformed"),
            ("less than a number can be", written("exp", "-1e400"), "malformed"),
            ("minus zero", written("exp", "-0"), "expired"),
            ("zero and a bit: the minute of skew is for clocks that go", written("exp", "0.5"), "expired"),
            ("no number at all", written("exp", "NaN"), "malformed"),
            ("with a plus", written("exp", "+2000000000"), "malformed"),
            ("with a zero before", written("exp", "02000000000"), "malformed"),
            ("hexadecimal", written("exp", "0x77359400"), "malformed"),
            ("in a day", with("exp", Some(json!(now() + 86_400))), "ok"),
            ("in 100 years", with("exp", Some(json!(now() + 3_155_760_000))), "ok"),
            ("an hour ago", with("exp", Some(json!(now() - 3600))), "expired"),
            ("in 1970", with("exp", Some(json!(1))), "expired"),
            ("a minute after 1970", with("exp", Some(json!(59))), "expired"),
            ("less than zero and a fraction", written("exp", "-0.5"), "expired"),
            ("zero with a fraction", written("exp", "0.0"), "expired"),
            ("zero with an exponent", written("exp", "0e9"), "expired"),
            ("so small that it is zero", written("exp", "1e-400"), "expired"),
            ("many digits behind the point", written("exp", &format!("{}.000000000000000001", now() + 9)), "ok"),
            ("64 bits", written("exp", "18446744073709551615"), "claims"),
            ("63 bits", written("exp", "9223372036854775807"), "claims"),
            ("63 bits below zero", written("exp", "-9223372036854775808"), "expired"),
            ("32 bits and their sign", written("exp", "-2147483648"), "expired"),
            ("a date", with("exp", Some(json!("2099-01-01T00:00:00Z"))), "claims"),
            ("false", with("exp", Some(json!(false))), "claims"),
            ("an empty list", with("exp", Some(json!([]))), "claims"),
            ("in quotes in quotes", with("exp", Some(json!("\"4000000000\""))), "claims"),
            ("with a separator", written("exp", "4_000_000_000"), "malformed"),
            ("with a letter behind", written("exp", "4000000000n"), "malformed"),
            ("octal", written("exp", "0o35632620000"), "malformed"),
            ("a point and no more", written("exp", "4000000000."), "malformed"),
            ("an exponent and no more", written("exp", "4e"), "malformed"),
            ("without end", written("exp", "Infinity"), "malformed"),
            ("missing", with("exp", None), "claims"),
            ("null", with("exp", Some(Value::Null)), "claims"),
            ("a text", with("exp", Some(json!("1700000900"))), "claims"),
            ("an empty text", with("exp", Some(json!(""))), "claims"),
            ("true", with("exp", Some(json!(true))), "claims"),
            ("a list", with("exp", Some(json!([now() + 900]))), "claims"),
            ("an object", with("exp", Some(json!({"$date": now() + 900}))), "claims"),
        ],
    )]
}

pub(crate) fn beginning() -> Vec<Group> {
    let mut groups = Vec::new();
    for name in ["nbf", "iat"] {
        groups.push(group(
            &config(|_| ()),
            [
                ("missing", with(name, None), "ok"),
                ("zero", with(name, Some(json!(0))), "ok"),
                ("before 1970", with(name, Some(json!(-5))), "ok"),
                ("now", with(name, Some(json!(now()))), "ok"),
                ("in 60 s", with(name, Some(json!(now() + 60))), "ok"),
                ("in 61 s", with(name, Some(json!(now() + 60 + SOON))), "early"),
                ("in 60.5 s", written(name, &format!("{}.5", now() + 59 + SOON)), "early"),
                ("in a year", with(name, Some(json!(now() + 31_536_000))), "early"),
                ("in 59 s", with(name, Some(json!(now() + 59))), "ok"),
                ("a fraction", written(name, &format!("{}.75", now() - 5)), "ok"),
                ("an exponent", written(name, "1e9"), "ok"),
                ("minus zero", written(name, "-0"), "ok"),
                ("in milliseconds", with(name, Some(json!(now() * 1000))), "early"),
                ("64 bits", written(name, "18446744073709551615"), "claims"),
                ("true", with(name, Some(json!(true))), "claims"),
                ("a date", with(name, Some(json!("2001-01-01"))), "claims"),
                ("a list of one", with(name, Some(json!([now()]))), "claims"),
                ("a leading zero", written(name, "01"), "malformed"),
                ("twice", written(name, &format!("1,\"{name}\":1")), "malformed"),
                ("null", with(name, Some(Value::Null)), "claims"),
                ("a text", with(name, Some(json!(now().to_string()))), "claims"),
                ("false", with(name, Some(json!(false))), "claims"),
                ("a list", with(name, Some(json!([]))), "claims"),
                ("much too large", written(name, "1e30"), "claims"),
                ("the largest exact number", written(name, "9007199254740992"), "early"),
                ("more than a number can be", written(name, "1e400"), "malformed"),
                ("much less", written(name, "-1e300"), "ok"),
                ("an empty text", with(name, Some(json!(""))), "claims"),
                ("an object", with(name, Some(json!({}))), "claims"),
            ],
        ));
    }
    groups
}

pub(crate) fn without_skew_and_without_expiry_when_configured() -> Vec<Group> {
    let mut groups = Vec::new();
    let strict = config(|it| it["clock_skew_seconds"] = json!(0));
    let lax = config(|it| it["require_expiration"] = json!(false));
    groups.push(group(
        &strict,
        [
            ("in a second", with("exp", Some(json!(now() + SOON))), "ok"),
            ("now", with("exp", Some(json!(now()))), "expired"),
            ("from the next second", with("nbf", Some(json!(now() + SOON))), "early"),
        ],
    ));
    groups.push(group(
        &lax,
        [
            ("missing", with("exp", None), "ok"),
            ("null is not missing", with("exp", Some(Value::Null)), "claims"),
            ("past", with("exp", Some(json!(now() - 60))), "expired"),
        ],
    ));
    groups
}

/// From no difference between the clocks to the largest: five minutes.
pub(crate) fn the_skew_is_what_is_configured() -> Vec<Group> {
    [0, 1, 30, 300]
        .map(|skew| {
            let config = config(|it| it["clock_skew_seconds"] = json!(skew));
            let at = |name: &str, seconds: u64| with(name, Some(json!(seconds)));
            group(
                &config,
                [
                    (format!("exp just within {skew} s"), at("exp", now() - skew + SOON), "ok"),
                    (format!("exp at {skew} s"), at("exp", now() - skew), "expired"),
                    (format!("exp a second beyond {skew} s"), at("exp", now() - skew - 1), "expired"),
                    (format!("nbf at {skew} s"), at("nbf", now() + skew), "ok"),
                    (format!("nbf beyond {skew} s"), at("nbf", now() + skew + SOON), "early"),
                    (format!("iat at {skew} s"), at("iat", now() + skew), "ok"),
                    (format!("iat beyond {skew} s"), at("iat", now() + skew + SOON), "early"),
                    (format!("zero, whatever the {skew} s"), at("exp", 0), "expired"),
                ],
            )
        })
        .into()
}

pub(crate) fn expired_is_said_only_of_a_token_that_was_good() -> Vec<Group> {
    let past = |name: &str, value: Value| {
        let mut claims = claims();
        claims["exp"] = json!(now() - 1000);
        claims[name] = value;
        keys().token(Algorithm::EdDsa, r#"{"alg":"EdDSA"}"#, claims.to_string().as_bytes())
    };
    let mut forged = past("exp", json!(now() - 1000));
    forged.truncate(forged.len() - 86);
    forged.push_str(&"A".repeat(86));
    vec![group(
        &config(|_| ()),
        [
            ("good but for its age", past("exp", json!(now() - 1000)), "expired"),
            ("for somebody else", past("aud", json!("x")), "claims"),
            ("of somebody else", past("iss", json!("x")), "issuer"),
            ("for nobody", past("uid", json!("")), "claims"),
            ("not yet valid either", past("nbf", json!(now() + 1000)), "early"),
            ("forged", forged, "signature"),
        ],
    )]
}
