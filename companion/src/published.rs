//! The key set that verifiers fetch, and what the companion itself verifies with: the same keys.

use crate::store::{SigningKeyRow, TenantKeyRow};
use auth::algorithm::Algorithm;
use auth::jwks::{Key, KeySet, Signed};
use auth::signature::Engine;
use auth::token::Token;
use serde_json::{Map, Value, json};

/// Published keys.
#[derive(Debug)]
pub(crate) struct Published {
    /// The JWK set (RFC 7517): the companion's own keys, then the tenants', each in the order in which they
    /// were made.
    pub(crate) document: String,
    keys: Option<KeySet>,
}

impl Published {
    /// The set of these keys. One whose text does not read is left out, and said so in the log.
    #[must_use]
    pub(crate) fn of<'a>(
        own: impl Iterator<Item = &'a SigningKeyRow>,
        tenants: impl Iterator<Item = &'a TenantKeyRow>,
    ) -> Self {
        let own = own.map(|it| (&it.kid, own_jwk(it)));
        let tenants = tenants.map(|it| (&it.kid, tenant_jwk(it)));
        let mut keys = Vec::new();
        for (kid, jwk) in own.chain(tenants) {
            match jwk {
                Some(jwk) => keys.push(jwk),
                None => tracing::error!(kid, "the database holds something else than a key"),
            }
        }
        let document = json!({"keys": keys}).to_string();
        let keys = KeySet::parse(document.as_bytes());
        if let Err(error) = &keys {
            tracing::error!(error, "no token can be verified");
        }
        Self { document, keys: keys.ok() }
    }

    /// The key that made the signature of `token`, whose text is `text`. The token must name it: every key here
    /// has a name.
    #[must_use]
    pub(crate) fn signer(&self, text: &str, token: &Token) -> Option<&Key> {
        let kid = token.key.as_deref()?;
        let algorithm = algorithm(&token.algorithm)?;
        let signed = text.as_bytes().get(..token.signed)?;
        self.keys
            .as_ref()?
            .verify(&Engine::MODULE, &Signed { algorithm, key: Some(kid), text: signed, signature: &token.signature })
    }
}

/// What tokens for the companion are signed with; above all, never a shared secret.
pub(crate) fn algorithm(name: &str) -> Option<Algorithm> {
    [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256].into_iter().find(|it| it.name() == name)
}

fn own_jwk(key: &SigningKeyRow) -> Option<Value> {
    serde_json::from_str(&key.jwk).ok().filter(Value::is_object)
}

/// A tenant's key as it is published.
pub(crate) fn tenant_jwk(key: &TenantKeyRow) -> Option<Value> {
    let mut jwk: Map<String, Value> = serde_json::from_str(&key.jwk).ok()?;
    let members = [
        ("kid", &key.kid),
        ("alg", &key.algorithm),
        ("use", &"sig".to_owned()),
        ("tollgate_tenant", &key.tenant),
        ("tollgate_project", &key.project),
    ];
    jwk.extend(members.map(|(name, value)| (name.to_owned(), Value::from(value.as_str()))));
    Some(Value::Object(jwk))
}
