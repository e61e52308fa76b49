use super::*;
use crate::signing::Folder;
use crate::signing::{Algorithm, RsaBits};
use crate::store::{Added, ProjectRow, Store, TenantKeyRow};
use serde_json::json;
use std::sync::Arc;

const NOW: Micros = Micros(1_000_000_000);

struct Stand {
    tokens: Tokens,
    key: Arc<PrivateKey>,
    store: Store,
    _dir: tempfile::TempDir,
}

async fn stand() -> Stand {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&format!("sqlite://{}", dir.path().join("x.db").display())).await.unwrap();
    let folder = Folder::open(&dir.path().join("keys")).unwrap();
    let ring = Ring::open(store.clone(), folder, NOW).await.unwrap();
    let key = ring.signer(Micros(0), NOW).await.unwrap();
    Stand { tokens: Tokens { ring, issuer: "tollgate".into(), audience: "app".into() }, key, store, _dir: dir }
}

impl Stand {
    fn header(&self) -> String {
        format!(r#"{{"alg":"EdDSA","kid":"{}"}}"#, self.key.kid)
    }

    async fn check(&self, token: &str) -> Result<String, &'static str> {
        let Holder { caller, .. } = self.holder(token).await?;
        Ok(format!("{}/{}", caller.project.as_str(), caller.user.as_str()))
    }

    async fn holder(&self, token: &str) -> Result<Holder, &'static str> {
        self.tokens.verify(token, NOW).await.map_err(|it| it.0.code)
    }

    /// A tenant's key for the project `p1` of `acme`.
    async fn tenant(&self, kid: &str) -> PrivateKey {
        let project = ProjectRow { id: "p1".into(), tenant: "acme".into(), name: "p1".into(), created_at: Micros(0) };
        self.store.add_project(&project).await.unwrap();
        let key = PrivateKey::generate(Algorithm::Es256, RsaBits::default()).unwrap();
        let row = TenantKeyRow {
            kid: kid.into(),
            project: "p1".into(),
            tenant: "acme".into(),
            algorithm: "ES256".into(),
            jwk: key.jwk.to_string(),
            created_at: NOW,
            not_before: NOW,
            revoked_at: None,
        };
        assert_eq!(self.store.add_tenant_key(&row, 9).await.unwrap(), Added::Done);
        key
    }
}

fn claims() -> Value {
    json!({"pid": "p1", "uid": "ada", "iss": "tollgate", "aud": "app", "nbf": 1000, "exp": 1001})
}

/// A token with any header and claims.
fn forge(key: &PrivateKey, header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()).unwrap()))
}

#[tokio::test]
async fn claims_are_checked_to_the_letter() {
    let stand = stand().await;
    let with = async |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        stand.check(&forge(&stand.key, &stand.header(), &claims.to_string())).await
    };
    for (name, value) in [
        ("extra", json!(1)),
        ("exp", json!(941)),
        ("exp", json!(1001.5)),
        ("nbf", json!(1060)),
        ("iat", json!(1060)),
        ("aud", json!(["other", "app"])),
    ] {
        assert_eq!(with(name, value.clone()).await, Ok("p1/ada".into()), "{name}: {value}");
    }
    for exp in [940, 0] {
        assert_eq!(with("exp", exp.into()).await, Err("token_expired"));
    }
    for (name, value) in [
        ("nbf", json!(1061)),
        ("iat", json!(1061)),
        ("nbf", json!("1000")),
        ("exp", json!("1001")),
        ("exp", json!(-1)),
        ("exp", json!(1e300)),
        ("scp", json!(7)),
        ("scp", json!(["chat", 7])),
        ("exp", Value::Null),
        ("aud", json!("other")),
        ("aud", json!(["app", 1])),
        ("aud", json!([])),
        ("iss", json!("Tollgate")),
        ("iss", json!("behest")),
        ("uid", json!("")),
        ("uid", json!(7)),
        ("uid", json!("a\nb")),
        ("pid", json!(" p1")),
    ] {
        assert_eq!(with(name, value.clone()).await, Err("invalid_token"), "{name}: {value}");
    }
    for name in ["pid", "uid", "iss", "aud", "exp"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        let token = forge(&stand.key, &stand.header(), &claims.to_string());
        assert_eq!(stand.check(&token).await, Err("invalid_token"), "{name}");
    }
}

#[tokio::test]
async fn scopes_are_a_list_or_one_text() {
    let stand = stand().await;
    let check = async |scopes: Value| {
        let mut claims = claims();
        claims["scp"] = scopes;
        stand.holder(&forge(&stand.key, &stand.header(), &claims.to_string())).await.unwrap().scopes
    };
    for none in [json!([]), json!(""), Value::Null] {
        assert!(check(none).await.is_empty());
    }
    for two in [json!(["chat", "usage:read"]), json!("chat usage:read")] {
        assert_eq!(check(two).await, ["chat", "usage:read"]);
    }
}

#[tokio::test]
async fn only_a_published_key_is_accepted_and_only_under_its_name() {
    let (stand, other) = (stand().await, stand().await);
    let (kid, claims) = (stand.key.kid.as_str(), claims().to_string());
    for header in [
        r#"{"alg":"EdDSA"}"#.to_owned(),
        r#"{"alg":"EdDSA","kid":"x"}"#.to_owned(),
        format!(r#"{{"alg":"none","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"HS256","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"ES256","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"eddsa","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"EdDSA","kid":"{kid}","crit":[]}}"#),
        format!(r#"{{"alg":"none","alg":"EdDSA","kid":"{kid}"}}"#),
        "garbage".to_owned(),
    ] {
        assert_eq!(stand.check(&forge(&stand.key, &header, &claims)).await, Err("invalid_token"), "{header}");
    }
    let good = forge(&stand.key, &stand.header(), &claims);
    assert!(stand.check(&good).await.is_ok());
    assert_eq!(stand.check(&forge(&other.key, &stand.header(), &claims)).await, Err("invalid_token"));
    let unsigned = good.rsplit_once('.').unwrap().0;
    for wrong in [format!("{unsigned}."), unsigned.to_owned(), format!("{good}="), format!("{good}.x"), String::new()] {
        assert_eq!(stand.check(&wrong).await, Err("invalid_token"), "{wrong}");
    }
}

#[tokio::test]
async fn a_tenants_key_speaks_for_its_project_alone_until_it_is_revoked() {
    let stand = stand().await;
    let key = stand.tenant("sk_a").await;
    let says = |iss: &str, aud: &str, tid: &str, pid: &str| {
        let claims = json!({"tid": tid, "pid": pid, "uid": "ada", "iss": iss, "aud": aud, "exp": 2000});
        forge(&key, r#"{"alg":"ES256","kid":"sk_a","typ":"JWT"}"#, &claims.to_string())
    };
    for (iss, aud) in [("tollgate", "app"), ("behest", "behest"), ("https://api.behest.ai", "behest")] {
        assert_eq!(stand.check(&says(iss, aud, "acme", "p1")).await, Ok("p1/ada".into()), "{iss}");
        for (tid, pid) in [("other", "p1"), ("acme", "p2"), ("Acme", "p1"), ("", "p1")] {
            assert_eq!(stand.check(&says(iss, aud, tid, pid)).await, Err("invalid_token"), "{iss} {tid} {pid}");
        }
    }
    for (iss, aud) in [("tollgate", "behest"), ("behest", "app"), ("other", "app")] {
        assert_eq!(stand.check(&says(iss, aud, "acme", "p1")).await, Err("invalid_token"), "{iss} {aud}");
    }
    // Nor does it speak without its name, or under the companion's.
    for header in [r#"{"alg":"ES256"}"#.to_owned(), format!(r#"{{"alg":"ES256","kid":"{}"}}"#, stand.key.kid)] {
        assert_eq!(stand.check(&forge(&key, &header, &claims().to_string())).await, Err("invalid_token"));
    }
    // Nor may it say with whose API key its tokens were minted: who minted pays.
    let claims = json!({"tid": "acme", "pid": "p1", "uid": "ada", "iss": "behest", "aud": "behest", "exp": 2000, "key": "key_1", "scp": null});
    let holder = stand.holder(&forge(&key, r#"{"alg":"ES256","kid":"sk_a"}"#, &claims.to_string())).await.unwrap();
    assert_eq!((holder.key, holder.tenant.unwrap().as_str(), holder.scopes), (None, "acme", vec![]));
    assert!(stand.store.revoke_tenant_key("sk_a", NOW).await.unwrap());
    assert_eq!(stand.check(&says("tollgate", "app", "acme", "p1")).await, Err("invalid_token"));
}

#[tokio::test]
async fn what_is_signed_verifies() {
    let stand = stand().await;
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
        key: text("key_1"),
        tier: Some(Tier::Number(2)),
    };
    let token = stand.tokens.sign(&claims, NOW).await.unwrap();
    let holder = stand.holder(&token).await.unwrap();
    assert_eq!((holder.caller.user.as_str(), holder.key.unwrap().as_str()), ("ada", "key_1"));
    let late = stand.tokens.verify(&token, Micros::from_seconds(1960)).await;
    assert_eq!(late.unwrap_err().0.code, "token_expired");
    assert!(stand.tokens.verify(&token, Micros::from_seconds(1959)).await.is_ok());
}
