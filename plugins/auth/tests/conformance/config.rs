//! What an operator can get wrong, and that the answer names it.

use crate::support::{jwks, keys};
use auth::config::Config;
use serde_json::{Value, json};

fn good() -> Value {
    json!({
        "providers": {
            "local": {"issuer": "a", "audiences": ["x"], "local_jwks": {"inline_string": jwks().to_string()}},
            "fixed": {
                "issuer": "c", "required_claims": {"client_id": ["app"]}, "local_jwks": {"inline_string": jwks().to_string()},
                "claims": {"user": "sub"}, "fixed": {"tenant": "t", "project": "p", "tier": "pro", "role": "user"},
            },
            "remote": {
                "issuer": "b", "audiences": ["x", "y"], "algorithms": ["EdDSA", "RS256"], "clock_skew_seconds": 0, "require_expiration": false,
                "remote_jwks": {"http_uri": {"uri": "https://h:8/p?q", "cluster": "c", "timeout": "2s"}, "cache_duration": "300s"},
                "max_stale": "1s", "required_claims": {"azp": ["z"]}, "claims": {"user": "sub", "project": "o.id"},
                "fixed": {"tenant": "t"}, "tiers": {"price_1": "pro", "2": "max"},
            },
        },
        "bypass": [{"path_prefix": "/v1/auth/mint"}], "bypass_cors_preflight": true,
        "api_keys": {"prefixes": ["behest_sk_live_", "bh_live_"], "mint_path": "/v1/auth/mint"},
    })
}

/// What is said about the good configuration with one value changed; `null` takes it away.
fn complaint(path: &str, value: Value) -> String {
    let mut config = good();
    let (parent, name) = path.rsplit_once('/').unwrap();
    let parent = config.pointer_mut(parent).unwrap();
    match (parent, value) {
        (Value::Object(it), Value::Null) => drop(it.remove(name)),
        (Value::Array(it), value) => it[name.parse::<usize>().unwrap()] = value,
        (parent, value) => parent[name] = value,
    }
    Config::parse(config.to_string().as_bytes()).err().unwrap_or_default()
}

#[test]
fn the_whole_shape_is_read() {
    Config::parse(good().to_string().as_bytes()).unwrap();
    let least = json!({"providers": {"a": {"issuer": "a", "audiences": ["x"], "local_jwks": {"inline_string": jwks().to_string()}}}});
    Config::parse(least.to_string().as_bytes()).unwrap();
}

#[test]
fn what_is_wrong_is_named() {
    let with = |key: Value| json!(json!({"keys": [key]}).to_string());
    for (path, value, named) in [
        ("/providers", json!({}), "providers is empty"),
        ("/providers", Value::Null, "providers"),
        ("/providers/local/issuer", json!(""), "providers.local.issuer"),
        ("/providers/local/issuer", json!(" a"), "providers.local.issuer"),
        ("/providers/local/issuer", json!("b"), "issuer is also that of"),
        ("/providers/local/issuer", Value::Null, "issuer"),
        ("/providers/local/audiences", json!([]), "providers.local.audiences is empty"),
        ("/providers/local/audiences", json!([""]), "providers.local.audiences"),
        ("/providers/local/audiences", json!(["x", "x"]), "twice"),
        ("/providers/local/audiences", json!("x"), "a sequence"),
        // Nothing else would say for whom a token is.
        ("/providers/local/audiences", Value::Null, "providers.local.audiences is missing"),
        ("/providers/local/required_claims", json!({"azp": []}), "required_claims.azp is empty"),
        // No token could meet these.
        ("/providers/local/required_claims", json!({"exp": ["1700000000"]}), "exp, which is a number"),
        ("/providers/local/required_claims", json!({"iss": ["b"]}), "iss, which is always `issuer`"),
        ("/providers/fixed/required_claims", json!({"azp": ["app"], "aud": ["x"]}), "aud, which no token may have"),
        ("/providers/local/fixed", json!({}), "providers.local.fixed is empty"),
        ("/providers/local/fixed", json!({"user": "u"}), "unknown field `user`"),
        ("/providers/local/fixed", json!({"project": ""}), "\"\" is no name"),
        ("/providers/local/fixed", json!({"project": " p"}), "\" p\" is no name"),
        ("/providers/local/fixed", json!({"tier": 1}), "a string"),
        // One of them would never be read.
        ("/providers/remote/fixed", json!({"project": "p"}), "fixed.project and claims.project are both there"),
        ("/providers/local/tiers", json!({}), "providers.local.tiers is empty"),
        ("/providers/local/tiers", json!({"price_1": ""}), "\"\" is no name"),
        ("/providers/local/tiers", json!({" price_1": "pro"}), "\" price_1\" is no name"),
        ("/providers/local/tiers", json!({"price_1": 3}), "a string"),
        ("/providers/fixed/tiers", json!({"price_1": "pro"}), "tiers has no meaning with fixed.tier"),
        ("/providers/local/local_jwks", Value::Null, "local_jwks and remote_jwks are missing"),
        ("/providers/remote/local_jwks", json!({"inline_string": "{}"}), "local_jwks and remote_jwks are both there"),
        ("/providers/local/local_jwks/inline_string", json!(""), "providers.local.local_jwks.inline_string"),
        ("/providers/local/local_jwks/inline_string", json!("{\"keys\":[]}"), "none of its 0 keys"),
        ("/providers/local/local_jwks/inline_string", with(json!({"kty": "oct", "k": "AAAA"})), "none of its 1 keys"),
        ("/providers/local/local_jwks/filename", json!("jwks.json"), "filename"),
        ("/providers/local/max_stale", json!("1s"), "max_stale has no meaning"),
        ("/providers/remote/max_stale", json!("0s"), "zero"),
        ("/providers/remote/max_stale", json!(3600), "string"),
        ("/providers/local/algorithms", json!([]), "algorithms is empty"),
        ("/providers/local/algorithms", json!(["EdDSA", "EdDSA"]), "twice"),
        ("/providers/local/algorithms", json!(["HS256"]), "none of its keys fits"),
        ("/providers/local/algorithms", json!(["HS256", "ES384"]), "none of its keys fits"),
        ("/providers/remote/algorithms", json!(["HS256", "HS512"]), "only those of secrets"),
        ("/providers/local/algorithms", json!(["ES512"]), "`ES512`, which is never accepted"),
        ("/providers/local/algorithms", json!(["none"]), "`none`, which is never accepted"),
        ("/providers/local/algorithms", json!(["None"]), "`None`, which is never accepted"),
        ("/providers/local/algorithms", json!(["RS1"]), "`RS1`, which is never accepted"),
        ("/providers/local/algorithms", json!([""]), "``, which is never accepted"),
        ("/providers/local/algorithms", json!("EdDSA"), "a sequence"),
        ("/providers/local/algorithms", json!(["eddsa"]), "`eddsa`, which is never accepted"),
        ("/providers/local/clock_skew_seconds", json!(301), "clock_skew_seconds is 301"),
        ("/providers/local/clock_skew_seconds", json!(-1), "-1"),
        ("/providers/local/clock_skew", json!(1), "clock_skew"),
        ("/providers/remote/required_claims/azp", json!([]), "providers.remote.required_claims.azp is empty"),
        ("/providers/remote/required_claims/azp", json!([""]), "providers.remote.required_claims.azp"),
        ("/providers/remote/claims/user", json!(""), "names no claim"),
        ("/providers/remote/claims/user", json!("a..b"), "names no claim"),
        ("/providers/remote/claims/email", json!("email"), "email"),
        ("/providers/remote/remote_jwks/http_uri/uri", json!("h/p"), "uri is \"h/p\""),
        ("/providers/remote/remote_jwks/http_uri/uri", json!("http://"), "uri is"),
        ("/providers/remote/remote_jwks/http_uri/uri", json!("http://a@b/"), "uri is"),
        ("/providers/remote/remote_jwks/http_uri/uri", json!("http://h/a b"), "uri is"),
        ("/providers/remote/remote_jwks/http_uri/cluster", json!(""), "remote_jwks.http_uri.cluster is \"\""),
        ("/providers/remote/remote_jwks/http_uri/timeout", json!("31s"), "http_uri.timeout"),
        ("/providers/remote/remote_jwks/http_uri/timeout", json!("2"), "`2`"),
        ("/providers/remote/remote_jwks/cache_duration", json!("10ms"), "cache_duration is 10ms"),
        ("/providers/remote/remote_jwks/cache_duration", json!("90000s"), "cache_duration"),
        ("/providers/remote/remote_jwks/cache_duration", json!({"seconds": 300}), "string"),
        ("/bypass/0/path_prefix", json!("/"), "everybody"),
        ("/bypass/0/path_prefix", json!(""), "bypass.path_prefix"),
        ("/bypass/0/path_prefix", json!("v1"), "bypass.path_prefix"),
        ("/bypass/0/path_prefix", json!("/v1/"), "bypass.path_prefix"),
        ("/bypass/0/path_prefix", json!("/v1/../x"), "bypass.path_prefix"),
        ("/bypass/0/path_prefix", json!("/v1?x"), "bypass.path_prefix"),
        ("/bypass/0", json!({"path": "/v1"}), "path"),
        ("/bypass", json!([{"path_prefix": "/a"}, {"path_prefix": "/a"}]), "twice"),
        ("/api_keys/prefixes", json!([]), "api_keys.prefixes is empty"),
        ("/api_keys/prefixes", json!(["sk"]), "api_keys.prefixes has \"sk\""),
        ("/api_keys/prefixes", json!(["eyJ"]), "begin no token"),
        ("/api_keys/mint_path", json!("mint"), "api_keys.mint_path"),
        ("/api_keys/mint_path", Value::Null, "mint_path"),
        ("/bypas", json!([]), "bypas"),
    ] {
        let said = complaint(path, value.clone());
        assert!(said.starts_with("auth: ") && said.contains(named), "{path} = {value}: {said:?}");
    }
}

#[test]
fn audiences_may_be_left_out_where_a_client_is_required() {
    for (claim, enough) in [("client_id", true), ("azp", true), ("scope", false), ("o.azp", false)] {
        let mut config = good();
        let provider = &mut config["providers"]["fixed"];
        provider["required_claims"] = json!({claim: ["app"]});
        assert_eq!(Config::parse(config.to_string().as_bytes()).is_ok(), enough, "{claim}");
    }
}

#[test]
fn secrets_among_other_algorithms_are_no_error_and_find_no_key_in_a_remote_set() {
    let mut config = good();
    config["providers"]["remote"]["algorithms"] = json!(["HS256", "RS256"]);
    Config::parse(config.to_string().as_bytes()).unwrap();
}

#[test]
fn no_key_that_fits_an_algorithm_is_an_error() {
    let mut config = good();
    config["providers"]["local"]["algorithms"] = json!(["ES256"]);
    config["providers"]["local"]["local_jwks"]["inline_string"] =
        json!(json!({"keys": [keys().ed_jwk("a")]}).to_string());
    assert!(Config::parse(config.to_string().as_bytes()).unwrap_err().contains("fits one of `algorithms`"));
}

#[test]
fn a_member_that_stands_twice_and_no_json_are_errors() {
    let text = good().to_string();
    let twice = text.replacen('{', r#"{"bypass":[],"#, 1);
    assert!(Config::parse(twice.as_bytes()).unwrap_err().contains("`bypass` stands twice"));
    for bad in ["", "null", "[]", "providers: {}"] {
        assert!(Config::parse(bad.as_bytes()).is_err(), "{bad}");
    }
}
