//! Minting: a project's backend trades its API key for a token of one end user.

use crate::failure::Failure;
use crate::names::Name;
use crate::random;
use crate::tokens::{Claims, Tier, Tokens};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::time::Micros;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt;
use std::ops::RangeInclusive;

/// Where keys are traded for tokens.
pub(crate) const PATH: &str = "/v1/auth/mint";

/// The shortest and the longest life of a token, in seconds.
pub(crate) const TTL_SECONDS: RangeInclusive<u64> = 60..=86_400;
/// The life of a token when the request does not say, unless that is too long for the operator.
const DEFAULT_TTL_SECONDS: u64 = 900;
/// The role when the request does not say.
const DEFAULT_ROLE: &str = "user";

/// Ids that no end user may have: they name a service's own accounts, or are what a programming
/// language prints for a missing value, under which all users of a faulty backend would be one.
/// Compared without regard to case and width, with `_` as `-`.
const RESERVED: [&str; 14] = [
    "admin",
    "administrator",
    "dashboard-service",
    "internal",
    "none",
    "null",
    "root",
    "service",
    "superadmin",
    "superuser",
    "support",
    "system",
    "tollgate",
    "undefined",
];

/// What a backend asks for.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "MintRequest"))]
pub(crate) struct Request {
    /// The end user: 1 to 255 visible characters, not a reserved id.
    user_id: String,
    /// The end user's role; `user` when absent.
    #[serde(default)]
    role: Option<String>,
    /// How long the token lives, in seconds: 60 to 86400, or what the operator allows at most; 900 when absent.
    #[serde(default)]
    ttl: Option<i64>,
    /// The session that the token is for; a new UUID when absent.
    #[serde(default)]
    session_id: Option<String>,
    /// The tier that limits the end user: a number or a name.
    #[serde(default)]
    tier: Option<Tier>,
}

/// For which project a token is minted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Project {
    /// Its id.
    pub(crate) id: String,
    /// Whose it is.
    pub(crate) tenant: String,
}

/// What an API key gives its holder: to mint for one project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Right {
    /// The key's id; never the key.
    pub(crate) key: String,
    /// The project.
    pub(crate) project: Project,
}

/// A minted token, in the words of every published client at once.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Minted {
    access_token: String,
    jwt: String,
    token_type: &'static str,
    expires_in: u64,
    ttl: u64,
    /// In seconds since 1970.
    expires_at: u64,
    session_id: String,
    project_id: String,
}

/// A token that may leave once it is written down.
#[derive(Debug, Clone)]
pub(crate) struct Mint {
    /// What the backend is answered.
    pub(crate) answer: Minted,
    /// What the audit table keeps of it; not the token.
    pub(crate) details: Value,
}

/// Mints a token for an end user of the project that `right` is for, which lives for at most `longest` seconds.
///
/// # Errors
/// 400 that names the member at fault; 503 when nothing can sign.
pub(crate) async fn mint(
    tokens: &Tokens,
    right: Right,
    longest: u64,
    now: Micros,
    request: Request,
) -> Result<Mint, Failure> {
    let ttl = lifetime(request.ttl, longest)?;
    let claims = claims(tokens, right, (now, ttl), request)?;
    let token = tokens.sign(&claims, now).await?;
    let details = json!({
        "kid": kid(&token), "jti": claims.jti, "user_id": claims.uid, "role": claims.role, "tier": claims.tier,
        "ttl": claims.exp.saturating_sub(claims.iat), "exp": claims.exp,
    });
    Ok(Mint { answer: answer(token, claims), details })
}

fn claims(
    tokens: &Tokens,
    Right { key, project }: Right,
    (now, ttl): (Micros, u64),
    request: Request,
) -> Result<Claims, Failure> {
    let name = |param, text| match Name::claim(text) {
        Ok(name) => Ok(name.as_str().to_owned()),
        Err(wrong) => Err(Failure::name(param, &wrong)),
    };
    let user = name("user_id", request.user_id)?;
    if is_reserved(&user) {
        let what = "this id is reserved; expected the id of one end user";
        return Err(Failure::invalid("user_id", what));
    }
    if let Some(Tier::Name(text)) = &request.tier {
        name("tier", text.clone())?;
    }
    let issued = now.seconds();
    Ok(Claims {
        tid: project.tenant,
        pid: project.id,
        uid: user,
        role: name("role", request.role.unwrap_or_else(|| DEFAULT_ROLE.to_owned()))?,
        scp: Vec::new(),
        sid: request.session_id.map_or_else(|| Ok(random::uuid_v4()?), |it| name("session_id", it))?,
        iss: tokens.issuer.clone(),
        aud: tokens.audience.clone(),
        iat: issued,
        nbf: issued,
        exp: issued.saturating_add(ttl),
        jti: random::uuid_v4()?,
        key,
        tier: request.tier,
    })
}

fn answer(token: String, claims: Claims) -> Minted {
    let ttl = claims.exp.saturating_sub(claims.iat);
    Minted {
        access_token: token.clone(),
        jwt: token,
        token_type: "Bearer",
        expires_in: ttl,
        ttl,
        expires_at: claims.exp,
        session_id: claims.sid,
        project_id: claims.pid,
    }
}

/// The key that signed `token`, by the token's own word: that is what a verifier goes by.
fn kid(token: &str) -> Option<Value> {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next()?).ok()?;
    serde_json::from_slice::<Value>(&header).ok()?.get_mut("kid").map(Value::take)
}

fn lifetime(ttl: Option<i64>, longest: u64) -> Result<u64, Failure> {
    let Some(found) = ttl else {
        return Ok(DEFAULT_TTL_SECONDS.min(longest));
    };
    let least = *TTL_SECONDS.start();
    let right = u64::try_from(found).ok().filter(|it| (least..=longest).contains(it));
    right.ok_or_else(|| Failure::invalid("ttl", format!("expected {least} to {longest} seconds, found {found}")))
}

fn is_reserved(user: &str) -> bool {
    // The wide letters of East Asian texts are ASCII's in another block.
    let narrow = |it: char| match it {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(it).saturating_sub(0xfee0)).unwrap_or(it),
        other => other,
    };
    let plain: String = user.chars().map(narrow).collect();
    let plain = plain.to_uppercase().to_lowercase().replace('_', "-");
    RESERVED.contains(&plain.as_str())
}

/// A number or a text; written by hand because a derived untagged enum cannot say what it expects.
impl<'de> Deserialize<'de> for Tier {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Tier;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an integer from 0 or a string")
            }

            fn visit_u64<E>(self, number: u64) -> Result<Tier, E> {
                Ok(Tier::Number(number))
            }

            fn visit_str<E>(self, text: &str) -> Result<Tier, E> {
                Ok(Tier::Name(text.to_owned()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_ids_are_reserved_in_every_spelling() {
        for reserved in [
            "admin",
            "Admin",
            "ROOT",
            "dashboard_service",
            "Dashboard-Service",
            "undefined",
            // Whoever compares them in upper case, or after Unicode's compatible form, reads the same.
            "adm\u{131}n",
            "\u{17f}ystem",
            "\u{ff41}\u{ff24}min",
        ] {
            assert!(is_reserved(reserved), "{reserved}");
        }
        for free in ["default", "anonymous", "admin2", "u1", "ada"] {
            assert!(!is_reserved(free), "{free}");
        }
    }

    #[test]
    fn a_lifetime_has_bounds_and_a_default() {
        let check = |ttl| lifetime(ttl, 86_400).map_err(|it| it.0.message);
        assert_eq!((check(None), check(Some(60)), check(Some(86_400))), (Ok(900), Ok(60), Ok(86_400)));
        for wrong in [59, 0, -1, 86_401, i64::MAX] {
            assert_eq!(check(Some(wrong)), Err(format!("`ttl`: expected 60 to 86400 seconds, found {wrong}")));
        }
        assert_eq!(
            (lifetime(None, 300), lifetime(Some(300), 300), lifetime(Some(301), 300).is_err()),
            (Ok(300), Ok(300), true)
        );
    }
}
