//! What a provider is told of who asks: a name of its own for each end user, or none.
//!
//! Providers want to tell users apart, to stop one that misuses them without stopping all. Nobody there needs to know who it is.

use domain::{
    caller::Caller,
    chat::{Body, Edit, EndUser, Endpoint, Malformed},
    secret::SecretRef,
};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;

/// What becomes of the members that name an end user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Mode {
    /// They name a pseudonym.
    Hmac,
    /// They go.
    Remove,
    /// They stay as the client wrote them.
    Passthrough,
}

/// What providers are told of who asks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UserIdentifier {
    /// What becomes of `user`, `safety_identifier` and, in messages of Anthropic's API, `metadata.user_id`: `hmac` puts the
    /// HMAC-SHA-256 of the project and the user in their place, `remove` takes them away, `passthrough` leaves what the client
    /// wrote. Default: `hmac` where there is a `secret`, else `remove`.
    #[serde(default)]
    pub(crate) mode: Option<Mode>,
    /// The key of the HMAC, 16 characters or more: `{"env": "NAME"}` or `{"value": "…"}`. The same in all gateways, or a
    /// user has several names. Where it is not set, or empty, what names a user is removed.
    #[serde(default)]
    pub(crate) secret: Option<SecretRef>,
}

impl UserIdentifier {
    /// What is to be done.
    ///
    /// # Errors
    /// Which key is wrong, what was found and what is expected.
    pub(crate) fn resolve(&self, env: impl FnOnce(&str) -> Option<String>) -> Result<Pseudonyms, String> {
        let reference = match (self.mode, &self.secret) {
            (None | Some(Mode::Hmac), Some(secret)) => secret,
            (None | Some(Mode::Remove), None) => return Ok(Pseudonyms::Removed),
            (Some(Mode::Passthrough), None) => return Ok(Pseudonyms::Raw),
            (Some(Mode::Hmac), None) => return Err("secret is missing: expected one where mode is `hmac`".into()),
            (Some(_), Some(_)) => {
                return Err("secret stands without a use: expected one only where mode is `hmac`".into());
            }
        };
        if let SecretRef::Env(name) = reference
            && name.is_empty()
        {
            return Err("secret.env is empty: expected a variable's name".into());
        }
        match reference.resolve(env) {
            Some(secret) if secret.reveal().chars().count() < 16 => {
                Err("secret is too short: expected 16 characters or more".into())
            }
            // A key of any length will do, so this cannot fail.
            Some(secret) => Key::new_from_slice(secret.reveal().as_bytes())
                .map(Pseudonyms::Keyed)
                .map_err(|wrong| format!("secret: {wrong}")),
            None => Ok(Pseudonyms::Unset),
        }
    }
}

/// The operator's key, read in. It prints nothing of it.
type Key = Hmac<Sha256>;

/// What is done to the members that name an end user.
#[derive(Debug, Clone)]
pub enum Pseudonyms {
    /// They name a pseudonym, made with this key.
    Keyed(Key),
    /// They go.
    Removed,
    /// They go, for the key that the operator named is not there.
    Unset,
    /// They stay.
    Raw,
}

impl Pseudonyms {
    /// Whether it matters who asks.
    #[must_use]
    pub fn ask_who(&self) -> bool {
        matches!(self, Self::Keyed(_))
    }

    /// The edits by which the body names nobody whom the provider could know. Of a `caller` for whom somebody vouches the
    /// name is the token's, whomever the body names; else it is the body's own.
    ///
    /// # Errors
    /// As [`Body::end_users`].
    pub fn edits(&self, body: &Body<'_>, endpoint: Endpoint, caller: Option<&Caller>) -> Result<Vec<Edit>, Malformed> {
        let key = match self {
            Self::Keyed(key) => Some(key),
            Self::Removed | Self::Unset => None,
            Self::Raw => return Ok(Vec::new()),
        };
        let edit = |it: EndUser<'_>| match (key, caller) {
            (Some(key), Some(of)) => it.rename(&pseudonym(key, &of.project, &of.user)),
            (Some(key), None) => {
                let other = pseudonym(key, "", &it.name());
                it.rename(&other)
            }
            (None, _) => it.remove(),
        };
        Ok(body.end_users(endpoint)?.into_iter().map(edit).collect())
    }
}

/// The HMAC of both, in 64 hexadecimal digits: as long as OpenAI lets a `safety_identifier` be.
///
/// No project has the end of a line in it and none is empty, so no two users share a text, and nobody without a token gets
/// the name of one who has.
fn pseudonym(key: &Key, project: &str, user: &str) -> String {
    let code = key.clone().chain_update(project).chain_update("\n").chain_update(user).finalize().into_bytes();
    code.iter().map(|it| format!("{it:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = r#"{"secret":{"value":"0123456789abcdef"}}"#;

    fn resolved(config: &str) -> Result<Pseudonyms, String> {
        let config: UserIdentifier = serde_json::from_str(config).map_err(|wrong| wrong.to_string())?;
        config.resolve(|name| (name == "SET").then(|| "0123456789abcdef".into()))
    }

    /// The body as a provider gets it; `caller` is `project/user`.
    fn check(config: &str, caller: &str, body: &str) -> String {
        let of =
            |(project, user): (&str, &str)| Caller { project: project.into(), user: user.into(), ..Caller::default() };
        let body = Body::parse(body.as_bytes()).unwrap();
        let caller = caller.split_once('/').map(of);
        let edits = resolved(config).unwrap().edits(&body, Endpoint::ChatCompletions, caller.as_ref()).unwrap();
        String::from_utf8(body.apply(edits)).unwrap()
    }

    /// `printf 'shop\nada' | openssl dgst -sha256 -hmac 0123456789abcdef`
    const ADA_OF_SHOP: &str = "c8f60a4e81181b7053a5bcadb8a719aa20bf6decc17d9f208ede7bd390161910";
    /// `printf '\nada' | openssl dgst -sha256 -hmac 0123456789abcdef`
    const SOME_ADA: &str = "ee06c1e3c62e6ab6da1962458d2209b15abf0edcbbb9a0457d4ab64d2b8629e9";

    #[test]
    fn a_user_is_named_by_a_keyed_hash_of_project_and_user() {
        let named = |name: &str| format!(r#"{{ "user":"{name}", "n":1.0}}"#);
        for (caller, body, expected) in [
            ("shop/ada", r#"{ "user":"ada", "n":1.0}"#, named(ADA_OF_SHOP)),
            ("shop/ada", r#"{ "user":"somebody else", "n":1.0}"#, named(ADA_OF_SHOP)),
            ("", r#"{ "user":"ada", "n":1.0}"#, named(SOME_ADA)),
            ("", r#"{ "user":"\u0061da", "n":1.0}"#, named(SOME_ADA)),
            ("shop/ada", r#"{ "user" : null, "n":1.0}"#, r#"{ "user" : null, "n":1.0}"#.into()),
            ("shop/ada", r#"{"messages":[]}"#, r#"{"messages":[]}"#.into()),
        ] {
            assert_eq!(check(SECRET, caller, body), expected, "{caller} {body}");
        }
        let others = ["pub/ada", "shop/eve", "shopa/da", ""].map(|caller| check(SECRET, caller, r#"{"user":"ada"}"#));
        assert!(others.iter().all(|it| !it.contains(ADA_OF_SHOP) && !it.contains("ada")), "{others:?}");
        let other_key = check(r#"{"secret":{"value":"0123456789abcdeg"}}"#, "shop/ada", r#"{"user":"ada"}"#);
        assert!(!other_key.contains(ADA_OF_SHOP));
    }

    #[test]
    fn without_a_key_nobody_is_named_unless_the_operator_says_so() {
        const BODY: &str = r#"{"user":"ada","n":1,"safety_identifier":"ada"}"#;
        for (config, expected) in [
            ("{}", r#"{"n":1}"#),
            (r#"{"mode":"remove"}"#, r#"{"n":1}"#),
            (r#"{"secret":{"env":"UNSET"}}"#, r#"{"n":1}"#),
            (r#"{"secret":{"value":""}}"#, r#"{"n":1}"#),
            (r#"{"mode":"passthrough"}"#, BODY),
        ] {
            assert_eq!(check(config, "shop/ada", BODY), expected, "{config}");
        }
    }

    #[test]
    fn a_mistake_is_named() {
        for (config, expected) in [
            (r#"{"mode":"hmac"}"#, "secret is missing"),
            (r#"{"mode":"remove","secret":{"env":"SET"}}"#, "secret stands without a use"),
            (r#"{"mode":"passthrough","secret":{"env":"SET"}}"#, "secret stands without a use"),
            (r#"{"mode":"raw"}"#, "expected one of `hmac`, `remove`, `passthrough`"),
            (r#"{"secret":{"env":""}}"#, "secret.env is empty"),
            (r#"{"secret":{"value":"0123456789abcde"}}"#, "secret is too short"),
            (r#"{"key":"x"}"#, "unknown field `key`, expected `mode` or `secret`"),
        ] {
            let refused = resolved(config).unwrap_err();
            assert!(refused.contains(expected) && !refused.contains("0123456789"), "{config}: {refused}");
        }
        let shown = format!("{:?}", resolved(SECRET).unwrap());
        assert!(!shown.contains("0123456789"), "{shown}");
        assert!(matches!(resolved(r#"{"mode":"hmac","secret":{"env":"SET"}}"#), Ok(Pseudonyms::Keyed(_))));
    }
}
