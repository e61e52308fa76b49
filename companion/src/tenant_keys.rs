//! A customer's own public key: read from what an operator has, a PEM or a JWK, and tried as the gateways
//! will read it.

use crate::published::{algorithm, tenant_jwk};
use crate::random;
use crate::store::TenantKeyRow;
use auth::jwks::KeySet;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use p256::pkcs8::DecodePublicKey as _;
use serde_json::{Value, json};
use superboring::pkey::Public;
use superboring::rsa::Rsa;

/// How many keys of tenants may be in use. Gateways read sets of 128 keys at most, and some are our own.
pub(crate) const MOST_TENANT_KEYS: usize = 100;
/// How a name begins. Published clients demand it.
pub(crate) const PREFIX: &str = "sk_";
/// The longest name.
const MAX_NAME_BYTES: usize = 128;

/// A public key and the one algorithm that it is used with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicKey {
    /// What it verifies.
    pub(crate) algorithm: &'static str,
    /// The members that make it (RFC 7518, section 6; RFC 8037), and no other.
    pub(crate) jwk: Value,
}

impl PublicKey {
    /// Reads a PEM (SPKI, or PKCS#1 for RSA) or a JWK.
    ///
    /// # Errors
    /// What it is instead, and what is expected, in words for the operator.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let jwk = if text.starts_with('{') { from_jwk(text)? } else { from_pem(text)? };
        let algorithm = algorithm_of(&jwk);
        Ok(Self { algorithm, jwk })
    }
}

/// Whether gateways will accept `key`.
///
/// # Errors
/// Why not.
pub(crate) fn accepted(key: &TenantKeyRow) -> Result<(), String> {
    let wrong = |why: &str| format!("the gateways would not accept the key: {why}");
    let jwk = tenant_jwk(key).ok_or_else(|| wrong("it does not read"))?;
    let set = KeySet::parse(json!({"keys": [jwk]}).to_string().as_bytes()).map_err(|it| wrong(&it))?;
    let fits = algorithm(&key.algorithm).is_some_and(|it| set.knows(it, Some(&key.kid)));
    if fits { Ok(()) } else { Err(wrong("it does not fit its algorithm")) }
}

/// The name of a new key.
///
/// # Errors
/// When the operating system has no random bytes to give.
pub(crate) fn new_name() -> Result<String, random::NoRandomness> {
    random::id(PREFIX)
}

/// Whether `name` may name a key.
///
/// # Errors
/// What is expected.
pub(crate) fn name(name: &str) -> Result<String, String> {
    let plain = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'.');
    let rest = name.strip_prefix(PREFIX).filter(|it| !it.is_empty());
    let right = rest.is_some_and(|it| it.bytes().all(plain)) && name.len() <= MAX_NAME_BYTES;
    let expected = || format!("expected `{PREFIX}` and letters, digits, `-`, `_` or `.`, {MAX_NAME_BYTES} at most");
    if right { Ok(name.to_owned()) } else { Err(expected()) }
}

fn from_jwk(text: &str) -> Result<Value, String> {
    // Strict: a member that is there twice is read by others as something else.
    let jwk = auth::json::parse(text.as_bytes()).map_err(|it| format!("it is no JWK: {it}"))?;
    let jwk = jwk.as_object().ok_or("it is no JWK: expected an object")?;
    if jwk.contains_key("keys") {
        return Err("it is a key set; expected one key out of it".to_owned());
    }
    if ["d", "p", "q", "dp", "dq", "qi", "k", "priv"].iter().any(|it| jwk.contains_key(*it)) {
        return Err(private());
    }
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let names: &[&str] = match (text("kty"), text("crv")) {
        (Some("OKP"), Some("Ed25519")) => &["kty", "crv", "x"],
        (Some("EC"), Some("P-256")) => &["kty", "crv", "x", "y"],
        (Some("RSA"), _) => &["kty", "n", "e"],
        _ => return Err(other_kind()),
    };
    let member = |name: &&str| Some(((*name).to_owned(), jwk.get(*name)?.clone()));
    let key = Value::Object(names.iter().filter_map(member).collect());
    let fitting = algorithm_of(&key);
    if jwk.get("alg").is_some_and(|it| it != fitting) || jwk.get("use").is_some_and(|it| it != "sig") {
        return Err(format!("its `alg` or `use` is another one; expected {fitting} and sig"));
    }
    Ok(key)
}

/// The one algorithm that a key of this kind is used with here.
fn algorithm_of(jwk: &Value) -> &'static str {
    match jwk.get("kty").and_then(Value::as_str) {
        Some("OKP") => "EdDSA",
        Some("EC") => "ES256",
        _ => "RS256",
    }
}

fn from_pem(text: &str) -> Result<Value, String> {
    if text.contains("PRIVATE KEY-----") {
        return Err(private());
    }
    if text.contains("BEGIN CERTIFICATE") {
        return Err("it is a certificate; `openssl x509 -in FILE -noout -pubkey` prints its public key".to_owned());
    }
    if let Ok(key) = ed25519_compact::PublicKey::from_pem(text) {
        return Ok(json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(&key[..])}));
    }
    if let Ok(key) = p256::PublicKey::from_public_key_pem(text) {
        let point = key.to_sec1_point(false);
        if let (Some(x), Some(y)) = (point.x(), point.y()) {
            return Ok(json!({"kty": "EC", "crv": "P-256", "x": base64url(x), "y": base64url(y)}));
        }
    }
    let rsa = Rsa::<Public>::public_key_from_pem(text.as_bytes());
    match rsa.or_else(|_| Rsa::<Public>::public_key_from_pem_pkcs1(text.as_bytes())) {
        Ok(key) => Ok(json!({"kty": "RSA", "n": base64url(&key.n().to_vec()), "e": base64url(&key.e().to_vec())})),
        Err(_) => Err(other_kind()),
    }
}

fn private() -> String {
    "it is a private key, which must stay with who signs, and was not stored; `openssl pkey -in FILE -pubout` prints its public half"
        .to_owned()
}

fn other_kind() -> String {
    "it holds no key of a kind that is used here; expected Ed25519, P-256 or RSA (2048 to 4096 bits), as PEM or JWK"
        .to_owned()
}

fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests;
