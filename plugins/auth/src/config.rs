//! What the operator writes. Names follow Envoy's `jwt_authn`, because operators know them.

use crate::{
    algorithm::{self, Algorithm},
    json,
    jwks::KeySet,
    mapping::{ClaimPath, Claims, Fixed, Tiers},
};
use domain::time::Period;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, collections::BTreeSet, fmt, time::Duration};

/// Whose tokens are accepted, and where none is needed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Config {
    /// Who may sign tokens, by a name of your choice; at least one. A token's `iss` claim chooses
    /// the provider.
    pub(crate) providers: BTreeMap<String, Provider>,
    /// Paths that need no token, because what answers there checks its callers itself.
    #[serde(default)]
    pub(crate) bypass: Vec<Bypass>,
    /// Whether a CORS preflight (`OPTIONS` with `origin` and `access-control-request-method`) needs
    /// no token. Browsers send none with it. Default `false`.
    #[serde(default)]
    pub(crate) bypass_cors_preflight: bool,
    /// Long-lived API keys, which are refused with a word on what to do instead. Default: none is
    /// recognised, and one is answered like any other text that is no token.
    #[serde(default)]
    pub(crate) api_keys: Option<ApiKeys>,
    /// The SHA-256 of the text that all this was read from.
    #[serde(skip)]
    pub(crate) digest: [u8; 32],
}

/// One issuer of tokens.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Provider {
    /// The `iss` claim of its tokens, byte for byte. No two providers have the same.
    pub(crate) issuer: String,
    /// The token's `aud` claim must name one of these, byte for byte; at least one. May be left out where
    /// `required_claims` says by `client_id` or `azp` for whom a token must be made; then a token that
    /// has an `aud` is refused, as it is meant for somebody else.
    #[serde(default)]
    pub(crate) audiences: Option<Vec<String>>,
    /// Its public keys, given here. Either this or `remote_jwks`.
    #[serde(default)]
    pub(crate) local_jwks: Option<LocalJwks>,
    /// Its public keys, fetched. Either this or `local_jwks`.
    #[serde(default)]
    pub(crate) remote_jwks: Option<RemoteJwks>,
    /// How long fetched keys are used after `cache_duration` ran out while no new ones can be had,
    /// default `3600s`. Only with `remote_jwks`.
    #[serde(default)]
    pub(crate) max_stale: Option<Period>,
    /// The algorithms that its tokens may be signed with, default all of `EdDSA`, `ES256`, `RS256`.
    #[serde(default = "algorithm::defaults")]
    pub(crate) algorithms: Vec<Algorithm>,
    /// By how many seconds its clock and ours may differ, 0 to 300, default 60.
    #[serde(default = "skew")]
    pub(crate) clock_skew_seconds: u16,
    /// Whether a token must say when it expires, default `true`.
    #[serde(default = "yes")]
    pub(crate) require_expiration: bool,
    /// Claims that must be there, and the texts they may have: the claim, or one of its elements if
    /// it is a list, is one of them. The names are written like those in `claims`.
    #[serde(default)]
    pub(crate) required_claims: BTreeMap<ClaimPath, Vec<String>>,
    /// Which claim says what about the caller.
    #[serde(default)]
    pub(crate) claims: Claims,
    /// What holds for all its callers, whatever the token says: identity providers know nothing of
    /// tenants and projects here. What is fixed has no place in `claims`.
    #[serde(default)]
    pub(crate) fixed: Option<Fixed>,
    /// The gateway's tiers by what the token calls them, such as `{"price_1Oa…": "pro"}`; an integer is
    /// written as a text. A tier that is not in the list keeps the name that the token gives it.
    #[serde(default)]
    pub(crate) tiers: Option<Tiers>,
}

/// Keys in the configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LocalJwks {
    /// A JWK set (RFC 7517) as text: `{"keys":[…]}`.
    pub(crate) inline_string: String,
}

/// Keys to be fetched.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RemoteJwks {
    /// Where the JWK set is.
    pub(crate) http_uri: HttpUri,
    /// How long fetched keys count as new, `1s` to `86400s`, default `300s`; they are fetched again
    /// before that. A key that its owner removed is refused after at most this time.
    #[serde(default = "five_minutes")]
    pub(crate) cache_duration: Period,
}

/// An HTTP resource, and the way to it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HttpUri {
    /// `http://host/path` or `https://host/path`. The host is sent as `host` header; where the
    /// request goes is the cluster's affair, in Envoy also whether it is encrypted. Kong encrypts
    /// for `https`, and checks that the certificate is for the host.
    pub(crate) uri: Uri,
    /// Envoy: the name of the cluster. Kong: `host:port`.
    pub(crate) cluster: String,
    /// How long an answer may take, up to `30s`, default `2s`.
    #[serde(default = "two_seconds")]
    pub(crate) timeout: Period,
}

/// Paths without a token.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Bypass {
    /// Whole segments: `/v1/auth` covers `/v1/auth` and `/v1/auth/mint`, not `/v1/authors`. A path with
    /// `..`, `//`, `\`, `;`, or an encoded dot or slash is never covered.
    pub(crate) path_prefix: String,
}

/// Long-lived API keys.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ApiKeys {
    /// How they begin; at least one, each of 3 characters or more.
    pub(crate) prefixes: Vec<String>,
    /// Where one is exchanged for a user's token; named in the answer.
    pub(crate) mint_path: String,
}

/// An `http` or `https` address, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "String"))]
pub struct Uri {
    /// Whether it is `https`. Kong encrypts by it; in Envoy the cluster's settings alone decide.
    encrypted: bool,
    pub(crate) authority: String,
    pub(crate) path: String,
}

impl Config {
    /// Reads a configuration.
    ///
    /// # Errors
    /// Which key is wrong, what was found and what is expected.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let read = || {
            // First for members that stand twice, of which serde would keep the last.
            json::parse(json)?;
            let config: Self = serde_json::from_slice(json).map_err(|error| error.to_string())?;
            config.check()?;
            Ok(Self { digest: Sha256::digest(json).into(), ..config })
        };
        read().map_err(|error: String| format!("auth: {error}"))
    }

    fn check(&self) -> Result<(), String> {
        if self.providers.is_empty() {
            return Err("providers is empty; expected at least one".to_owned());
        }
        let mut issuers = BTreeMap::new();
        for (name, provider) in &self.providers {
            provider.check().map_err(|error| format!("providers.{name}.{error}"))?;
            if let Some(other) = issuers.insert(provider.issuer.as_str(), name) {
                return Err(format!(
                    "providers.{name}.issuer is also that of providers.{other}; one of them would never be asked"
                ));
            }
        }
        for prefix in self.bypass.iter().map(|it| &it.path_prefix) {
            path("bypass.path_prefix", prefix)?;
            if prefix == "/" {
                return Err("bypass.path_prefix is \"/\"; that would let everybody in".to_owned());
            }
        }
        distinct("bypass.path_prefix", self.bypass.iter().map(|it| &it.path_prefix))?;
        self.api_keys.as_ref().map_or(Ok(()), ApiKeys::check)
    }
}

impl Provider {
    fn check(&self) -> Result<(), String> {
        text("issuer", &self.issuer)?;
        self.check_audiences()?;
        if self.algorithms.is_empty() {
            return Err("algorithms is empty; leave it out to accept EdDSA, ES256 and RS256".to_owned());
        }
        distinct("algorithms", &self.algorithms)?;
        if self.clock_skew_seconds > 300 {
            return Err(format!("clock_skew_seconds is {}; expected 0 to 300", self.clock_skew_seconds));
        }
        for (claim, values) in &self.required_claims {
            texts(&format!("required_claims.{claim}"), values)?;
            self.check_possible(claim.as_str(), values)?;
        }
        self.fixed.as_ref().map_or(Ok(()), |it| it.check(&self.claims))?;
        self.check_tiers()?;
        match (&self.local_jwks, &self.remote_jwks) {
            (Some(local), None) => self.check_local(local),
            (None, Some(remote)) => self.check_remote(remote),
            (None, None) => Err("local_jwks and remote_jwks are missing; expected one of them".to_owned()),
            (Some(_), Some(_)) => Err("local_jwks and remote_jwks are both there; expected one of them".to_owned()),
        }
    }

    /// Refuses a requirement that no good token can meet.
    fn check_possible(&self, claim: &str, values: &[String]) -> Result<(), String> {
        let why = match claim {
            "exp" | "nbf" | "iat" => "which is a number, and no text is one",
            "iss" if !values.contains(&self.issuer) => "which is always `issuer`",
            "aud" if self.audiences.is_none() => "which no token may have without `audiences`",
            _ => return Ok(()),
        };
        Err(format!("required_claims has {claim}, {why}; no token would be accepted"))
    }

    fn check_audiences(&self) -> Result<(), String> {
        match &self.audiences {
            Some(audiences) => texts("audiences", audiences),
            None if self.required_claims.keys().any(|it| matches!(it.as_str(), "client_id" | "azp")) => Ok(()),
            None => Err("audiences is missing; expected at least one, or `client_id` or `azp` in required_claims, \
                         so that tokens made for somebody else are refused"
                .to_owned()),
        }
    }

    fn check_tiers(&self) -> Result<(), String> {
        let fixed = self.fixed.as_ref().is_some_and(|it| it.tier.is_some());
        match &self.tiers {
            Some(tiers) if tiers.is_empty() => Err("tiers is empty; expected at least one, or no `tiers`".to_owned()),
            Some(_) if fixed => Err("tiers has no meaning with fixed.tier; expected one of them".to_owned()),
            _ => Ok(()),
        }
    }

    fn check_remote(&self, remote: &RemoteJwks) -> Result<(), String> {
        // Among others they do no harm, for no key that fits them is ever taken from a remote set.
        if self.algorithms.iter().all(|it| it.name().starts_with("HS")) {
            return Err(
                "algorithms has only those of secrets that both sides know, and such keys in a remote set are \
                        ignored; expected local_jwks with the secret"
                    .to_owned(),
            );
        }
        remote.check()
    }

    fn check_local(&self, local: &LocalJwks) -> Result<(), String> {
        let wrong = |error: String| format!("local_jwks.inline_string: {error}");
        let keys = KeySet::parse_configured(local.inline_string.as_bytes()).map_err(wrong)?;
        if !self.algorithms.iter().any(|it| keys.fits(*it)) {
            return Err(wrong("none of its keys fits one of `algorithms`".to_owned()));
        }
        if self.max_stale.is_some() {
            return Err("max_stale has no meaning with local_jwks; leave it out".to_owned());
        }
        Ok(())
    }

    /// How long fetched keys are used after they came.
    pub(crate) fn most_age(&self) -> Duration {
        let fresh = self.remote_jwks.as_ref().map(|it| it.cache_duration.get()).unwrap_or_default();
        fresh.saturating_add(self.max_stale.map_or(Duration::from_secs(3600), Period::get))
    }
}

impl RemoteJwks {
    fn check(&self) -> Result<(), String> {
        let HttpUri { cluster, timeout, .. } = &self.http_uri;
        if cluster.is_empty() || !cluster.bytes().all(|it| it.is_ascii_graphic()) {
            return Err(format!("remote_jwks.http_uri.cluster is {cluster:?}; expected a name without spaces"));
        }
        if timeout.get() > Duration::from_secs(30) {
            return Err(format!("remote_jwks.http_uri.timeout is {:?}; expected at most 30s", timeout.get()));
        }
        let fresh = self.cache_duration.get();
        if fresh < Duration::from_secs(1) || fresh > Duration::from_secs(86_400) {
            return Err(format!("remote_jwks.cache_duration is {fresh:?}; expected 1s to 86400s"));
        }
        Ok(())
    }
}

impl ApiKeys {
    fn check(&self) -> Result<(), String> {
        texts("api_keys.prefixes", &self.prefixes)?;
        for prefix in &self.prefixes {
            // Every token begins with `ey`, which is `{"` in base64url.
            if prefix.len() < 3
                || prefix.starts_with("ey")
                || !prefix.bytes().all(|it| it.is_ascii_graphic() && it != b',')
            {
                return Err(format!(
                    "api_keys.prefixes has {prefix:?}; expected 3 or more characters that begin no token"
                ));
            }
        }
        path("api_keys.mint_path", &self.mint_path)
    }
}

impl Uri {
    /// `http` or `https`.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.encrypted { "https" } else { "http" }
    }
}

impl TryFrom<String> for Uri {
    type Error = String;

    fn try_from(uri: String) -> Result<Self, String> {
        let wrong = || format!("uri is {uri:?}; expected http://host/path or https://host/path");
        let plain = uri.strip_prefix("http://");
        let encrypted = plain.is_none();
        let rest = plain.or_else(|| uri.strip_prefix("https://")).ok_or_else(wrong)?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).ok_or_else(wrong)?;
        let plain = uri.bytes().all(|it| it.is_ascii_graphic()) && !uri.contains('#') && !authority.contains('@');
        if authority.is_empty() || !plain || path.starts_with('?') {
            return Err(wrong());
        }
        let path = if path.is_empty() { "/" } else { path };
        Ok(Self { encrypted, authority: authority.to_owned(), path: path.to_owned() })
    }
}

fn text(key: &str, value: &str) -> Result<(), String> {
    let blank = value.is_empty() || value.trim() != value;
    if blank { Err(format!("{key} is {value:?}; expected a text without spaces around it")) } else { Ok(()) }
}

fn texts(key: &str, values: &[String]) -> Result<(), String> {
    if values.is_empty() {
        return Err(format!("{key} is empty; expected at least one"));
    }
    distinct(key, values)?;
    values.iter().try_for_each(|it| text(key, it))
}

fn distinct<T: Ord + fmt::Debug>(key: &str, values: impl IntoIterator<Item = T>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for it in values {
        if seen.contains(&it) {
            return Err(format!("{key} has {it:?} twice"));
        }
        seen.insert(it);
    }
    Ok(())
}

fn path(key: &str, value: &str) -> Result<(), String> {
    let plain = crate::request::plain_path(value) && !value.contains('?') && (value == "/" || !value.ends_with('/'));
    if plain { Ok(()) } else { Err(format!("{key} is {value:?}; expected a plain path as in \"/v1/auth/mint\"")) }
}

fn skew() -> u16 {
    60
}

fn yes() -> bool {
    true
}

fn five_minutes() -> Period {
    Period::from_millis(300_000)
}

fn two_seconds() -> Period {
    Period::from_millis(2000)
}
