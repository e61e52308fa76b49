//! The decision: what becomes of a request, given what it says, the keys that are known, and the time.

use crate::{
    cache::{Cache, Entry, Name},
    claims::Fault,
    config::{Config, Provider},
    jwks::KeySet,
    keys::{Keys, Remote},
    request::{self, NoToken},
    schedule::{Schedule, Want},
    signature::Engine,
    token::{self, Malformed, Token},
    verify::{self, Refused, Verified},
};
use domain::{headers::Headers, reply::Reply, secret::Secret, time::Micros};
use std::rc::Rc;

/// Everything that a worker knows about whom to let in. It cannot be printed, for it holds tokens.
pub struct Gate {
    config: Config,
    issuers: Vec<(Provider, Keys)>,
    engine: Engine,
    cache: Cache,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Step {
    /// The caller is known.
    Admit(Rc<Verified>),
    /// No token is needed.
    Bypass,
    /// It takes other keys to tell: ask for the provider's and come back with the question.
    Ask(Question),
    /// No.
    Deny(Denial),
}

/// A request that waits for keys.
#[derive(Debug)]
pub struct Question {
    /// The place of the provider whose keys are wanted.
    pub provider: usize,
    /// Why they are wanted.
    pub want: Want,
    token: Secret,
    first_try: bool,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Denial {
    /// It brings no bearer token, or something else in its place.
    Missing,
    /// It brings a long-lived API key.
    ApiKey,
    /// Its credential is not well formed.
    Malformed,
    /// Its token is encrypted.
    Encrypted,
    /// Nobody we know issued the token.
    Issuer,
    /// The token's algorithm, key or signature.
    Signature,
    /// Nobody knows the token's key, and newer keys are on their way.
    Fetching {
        /// Whether the client has not been told so for this request.
        first_try: bool,
    },
    /// What the token claims.
    Claims,
    /// The token is not valid yet.
    Early,
    /// The token was good, once.
    Expired {
        /// Whether the client has not been told so for this request.
        first_try: bool,
    },
    /// The keys cannot be had.
    NoKeys,
}

impl Gate {
    /// Knows the keys that stand in the configuration, and no others yet. `engine` verifies signatures.
    ///
    /// # Errors
    /// A key set of the configuration cannot be read; [`Config::parse`] said so before.
    pub fn new(config: Config, engine: Engine) -> Result<Self, String> {
        let issuer = |provider: &Provider| {
            let keys = match (&provider.local_jwks, &provider.remote_jwks) {
                (_, Some(_)) => Keys::Remote(Remote::new(provider.most_age())),
                (Some(local), None) => Keys::Fixed(KeySet::parse_configured(local.inline_string.as_bytes())?),
                (None, None) => return Err("a provider has no keys".to_owned()),
            };
            Ok((provider.clone(), keys))
        };
        let issuers = config.providers.values().map(issuer).collect::<Result<_, String>>()?;
        let cache = Cache::new(&config);
        Ok(Self { config, issuers, engine, cache })
    }

    /// The providers, in the order of their places.
    pub fn providers(&self) -> impl Iterator<Item = &Provider> {
        self.issuers.iter().map(|(provider, _)| provider)
    }

    /// Decides about a request.
    pub fn look(&mut self, method: &str, path: &str, headers: &Headers, now: Micros) -> Step {
        if request::bypasses(&self.config, method, path, headers) {
            return Step::Bypass;
        }
        let text = match request::bearer(headers, self.config.api_keys.as_ref()) {
            Ok(text) => text,
            Err(NoToken::Missing) => return Step::Deny(Denial::Missing),
            Err(NoToken::Garbled) => return Step::Deny(Denial::Malformed),
            Err(NoToken::ApiKey) => return Step::Deny(Denial::ApiKey),
        };
        let first_try = request::is_first_try(headers);
        let name = self.cache.name(text);
        self.remembered(&name, first_try, now).unwrap_or_else(|| self.judge(text, name, first_try, now))
    }

    /// Decides again about a request that asked for keys.
    pub fn answer(&mut self, question: &Question, now: Micros) -> Step {
        let text = question.token.reveal();
        self.judge(text, self.cache.name(text), question.first_try, now)
    }

    /// When the keys at hand were fetched; zero when there are none.
    #[must_use]
    pub fn known_since(&self, place: usize) -> Micros {
        self.issuers.get(place).map(|(_, keys)| keys.since()).unwrap_or_default()
    }

    /// Takes over what all workers know of the keys of the provider at `place`; whether these are others than before.
    pub fn follow(&mut self, place: usize, schedule: &Schedule) -> bool {
        let changed = self.issuers.get_mut(place).is_some_and(|(_, keys)| keys.follow(schedule));
        if changed {
            self.cache.clear();
        }
        changed
    }

    /// The reply to a refused request.
    #[must_use]
    pub fn reply(&self, denial: Denial) -> Reply {
        denial.reply(self.config.api_keys.as_ref().map_or("", |it| &it.mint_path))
    }

    fn remembered(&self, name: &Name, first_try: bool, now: Micros) -> Option<Step> {
        let entry = self.cache.get(name)?;
        // Keys that are too old vouch for nothing, and neither does what they once verified.
        self.issuers.get(entry.provider)?.1.usable(now)?;
        match entry.verified.window.check(now) {
            Ok(()) => Some(Step::Admit(Rc::clone(&entry.verified))),
            Err(fault) => Some(Step::Deny(Denial::of(Refused::Claims(fault), first_try))),
        }
    }

    fn judge(&mut self, text: &str, name: Name, first_try: bool, now: Micros) -> Step {
        let token = match token::parse(text) {
            Ok(token) => token,
            Err(Malformed::NotAToken) => return Step::Deny(Denial::Missing),
            Err(Malformed::Encrypted) => return Step::Deny(Denial::Encrypted),
            Err(Malformed::Bad) => return Step::Deny(Denial::Malformed),
        };
        let issued = self.issued_by(&token).and_then(|place| Some((place, self.issuers.get(place)?)));
        let Some((place, (provider, keys))) = issued else { return Step::Deny(Denial::Issuer) };
        if let Err(refused) = verify::algorithm(provider, &token) {
            return Step::Deny(Denial::of(refused, first_try));
        }
        let ask = |want| Step::Ask(Question { provider: place, want, token: Secret::new(text.to_owned()), first_try });
        let Some(known) = keys.usable(now) else { return ask(Want::Any) };
        match verify::verify(provider, known, &self.engine, text, &token, now) {
            Ok(verified) => {
                let verified = Rc::new(verified);
                self.cache.insert(name, Entry { provider: place, verified: Rc::clone(&verified) });
                Step::Admit(verified)
            }
            Err(Refused::UnknownKey) if matches!(keys, Keys::Remote(_)) => ask(Want::Unknown),
            Err(refused) => Step::Deny(Denial::of(refused, first_try)),
        }
    }

    fn issued_by(&self, token: &Token) -> Option<usize> {
        let issuer = token.claims.get("iss")?.as_str()?;
        self.issuers.iter().position(|(provider, _)| provider.issuer == issuer)
    }
}

impl Question {
    /// The refusal of a request that gets no other keys; `fetching` if they are on their way for somebody else.
    #[must_use]
    pub fn refused(&self, fetching: bool) -> Denial {
        match self.want {
            Want::Any => Denial::NoKeys,
            Want::Unknown if fetching => Denial::Fetching { first_try: self.first_try },
            Want::Unknown => Denial::Signature,
        }
    }
}

impl Denial {
    /// Every kind of denial has a name in the metrics.
    pub const NAMES: [&str; 11] = [
        "missing",
        "api_key",
        "malformed",
        "encrypted",
        "issuer",
        "signature",
        "claims",
        "early",
        "expired",
        "no_keys",
        "fetching",
    ];

    /// The place of its name in [`Denial::NAMES`].
    #[must_use]
    pub fn place(self) -> usize {
        match self {
            Self::Missing => 0,
            Self::ApiKey => 1,
            Self::Malformed => 2,
            Self::Encrypted => 3,
            Self::Issuer => 4,
            Self::Signature => 5,
            Self::Claims => 6,
            Self::Early => 7,
            Self::Expired { .. } => 8,
            Self::NoKeys => 9,
            Self::Fetching { .. } => 10,
        }
    }

    fn of(refused: Refused, first_try: bool) -> Self {
        match refused {
            Refused::Algorithm | Refused::UnknownKey | Refused::Signature => Self::Signature,
            Refused::Claims(Fault::Expired) => Self::Expired { first_try },
            Refused::Claims(Fault::Early) => Self::Early,
            Refused::Claims(_) => Self::Claims,
        }
    }

    /// What the client is told. `invalid_token` has one text whatever the reason, so that nobody
    /// learns from it which of his guesses was the better one.
    fn reply(self, mint_path: &str) -> Reply {
        let invalid = |code, message: String| {
            let challenge = r#"Bearer realm="tollgate", error="invalid_token""#;
            Reply::new(401, code, message).header("www-authenticate", challenge)
        };
        let invalid_token = || invalid("invalid_token", "The token is not valid here.".to_owned());
        match self {
            // RFC 6750, 3.1: no error code where the request brings no token.
            Self::Missing => Reply::new(401, "invalid_api_key", missing(mint_path))
                .header("www-authenticate", r#"Bearer realm="tollgate""#),
            Self::ApiKey => invalid(
                "api_key_not_allowed",
                format!("A long-lived API key is not accepted here. Exchange it for a user's token at {mint_path}."),
            ),
            Self::Encrypted => invalid(
                "invalid_token",
                "The token is encrypted (JWE). Send a signed one (JWS): Auth.js makes one when its jwt.encode is replaced, Auth0 when it is asked for a token with an audience.".to_owned(),
            ),
            Self::Malformed | Self::Issuer | Self::Signature | Self::Claims | Self::Early => invalid_token(),
            Self::Fetching { first_try } => retried(invalid_token(), first_try, "500"),
            Self::Expired { first_try } => {
                let reply = invalid("token_expired", "The token has expired. Get a new one.".to_owned());
                retried(reply, first_try, "20")
            }
            Self::NoKeys => {
                Reply::new(503, "companion_unavailable", "The keys that verify tokens cannot be had at the moment.")
                    .header("retry-after", "1")
            }
        }
    }
}

/// Has a stock SDK send the request again, if it has not done so.
fn retried(reply: Reply, first_try: bool, milliseconds: &'static str) -> Reply {
    if first_try { reply.header("x-should-retry", "true").header("retry-after-ms", milliseconds) } else { reply }
}

fn missing(mint_path: &str) -> String {
    let ask = "There is no user's token: send it as `Authorization: Bearer <token>`.";
    if mint_path.is_empty() { ask.to_owned() } else { format!("{ask} Your server gets one at {mint_path}.") }
}
