use super::*;

const NOW: Micros = Micros(1_000_000_000);

fn tokens() -> Tokens {
    let pem = ed25519_compact::KeyPair::generate().to_pem();
    let key = SigningKey::from_pem(&pem).unwrap();
    Tokens { key, issuer: "tollgate".into(), audience: "app".into() }
}

fn claims() -> serde_json::Value {
    serde_json::json!({"pid": "p1", "uid": "ada", "iss": "tollgate", "aud": "app", "nbf": 1000, "exp": 1001})
}

/// A token with any header and claims, signed by the key.
fn forge(tokens: &Tokens, header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tokens.key.sign(signed.as_bytes())))
}

async fn check(tokens: &Tokens, token: &str) -> Result<String, &'static str> {
    let caller = tokens.verify(token, NOW).await.map_err(|it| it.0.code)?;
    Ok(format!("{}/{}", caller.project.as_str(), caller.user.as_str()))
}

#[tokio::test]
async fn claims_are_checked_to_the_letter() {
    let tokens = tokens();
    let header = format!(r#"{{"alg":"EdDSA","kid":"{}"}}"#, tokens.key.kid());
    let with = async |name: &str, value: serde_json::Value| {
        let mut claims = claims();
        claims[name] = value;
        check(&tokens, &forge(&tokens, &header, &claims.to_string())).await
    };
    assert_eq!(with("extra", 1.into()).await, Ok("p1/ada".into()));
    assert_eq!(with("exp", 1000.into()).await, Err("token_expired"));
    assert_eq!(with("exp", 0.into()).await, Err("token_expired"));
    for (name, value) in [
        ("nbf", 1001.into()),
        ("exp", "1001".into()),
        ("exp", 1001.5.into()),
        ("exp", serde_json::Value::Null),
        ("aud", "other".into()),
        ("aud", serde_json::json!(["app"])),
        ("iss", "Tollgate".into()),
        ("uid", "".into()),
        ("uid", 7.into()),
        ("uid", "a\nb".into()),
        ("pid", " p1".into()),
    ] {
        assert_eq!(with(name, value.clone()).await, Err("invalid_token"), "{name}: {value}");
    }
    for name in ["pid", "uid", "iss", "aud", "nbf", "exp"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        assert_eq!(check(&tokens, &forge(&tokens, &header, &claims.to_string())).await, Err("invalid_token"), "{name}");
    }
}

#[tokio::test]
async fn only_eddsa_by_the_own_key_is_accepted() {
    let tokens = tokens();
    let other = super::tests::tokens();
    let kid = tokens.key.kid();
    let claims = claims().to_string();
    for header in [
        r#"{"alg":"EdDSA"}"#.to_owned(),
        r#"{"alg":"EdDSA","kid":"x"}"#.to_owned(),
        format!(r#"{{"alg":"none","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"HS256","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"eddsa","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"EdDSA","kid":"{kid}","crit":[]}}"#),
        format!(r#"{{"alg":"none","alg":"EdDSA","kid":"{kid}"}}"#),
        "garbage".to_owned(),
    ] {
        assert_eq!(check(&tokens, &forge(&tokens, &header, &claims)).await, Err("invalid_token"), "{header}");
    }
    let header = format!(r#"{{"alg":"EdDSA","kid":"{kid}"}}"#);
    let good = forge(&tokens, &header, &claims);
    assert!(check(&tokens, &good).await.is_ok());
    assert_eq!(check(&tokens, &forge(&other, &header, &claims)).await, Err("invalid_token"));
    let unsigned = good.rsplit_once('.').unwrap().0;
    for wrong in [format!("{unsigned}."), unsigned.to_owned(), format!("{good}="), format!("{good}.x"), String::new()] {
        assert_eq!(check(&tokens, &wrong).await, Err("invalid_token"), "{wrong}");
    }
}

#[tokio::test]
async fn what_is_signed_verifies() {
    let tokens = tokens();
    let text = |it: &str| it.to_owned();
    let claims = Claims {
        tid: text("t"),
        pid: text("p1"),
        uid: text("ada"),
        role: text("user"),
        scp: vec![],
        sid: text("s"),
        iss: text("tollgate"),
        aud: text("app"),
        iat: 1000,
        nbf: 1000,
        exp: 1900,
        jti: text("j"),
        tier: Some(Tier::Number(2)),
    };
    let token = tokens.sign(&claims, NOW).await.unwrap();
    assert_eq!(check(&tokens, &token).await, Ok("p1/ada".into()));
    assert_eq!(tokens.verify(&token, Micros::from_seconds(1900)).await.unwrap_err().0.code, "token_expired");
}
