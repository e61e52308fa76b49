//! The decision: what becomes of a request, given what it says, the keys that are known, and the time.

use crate::{
    cache::{Cache, Entry},
    claims::Fault,
    config::{Config, Provider},
    jwks::KeySet,
    keys::{Keys, News, Remote},
    request::{self, NoToken},
    token::{self, Malformed, Token},
    verify::{self, Refused, Verified},
};
use domain::{headers::Headers, reply::Reply, secret::Secret, time::Micros};
use std::rc::Rc;

/// Everything that a worker knows about whom to let in. It cannot be printed, for it holds tokens.
pub struct Gate {
    config: Config,
    issuers: Vec<(Provider, Keys)>,
    cache: Cache,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Step {
    /// The caller is known.
    Admit(Rc<Verified>),
    /// No token is needed.
    Bypass,
    /// It takes keys to tell: fetch those of the provider and come back with the question.
    Ask(Question),
    /// No.
    Deny(Denial),
}

/// A request that waits for keys.
#[derive(Debug)]
pub struct Question {
    /// The place of the provider whose keys are to be fetched.
    pub provider: usize,
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
    /// Knows the keys that stand in the configuration, and no others yet.
    ///
    /// # Errors
    /// A key set of the configuration cannot be read; [`Config::parse`] said so before.
    pub fn new(config: Config) -> Result<Self, String> {
        let issuer = |provider: &Provider| {
            let keys = match (&provider.local_jwks, &provider.remote_jwks) {
                (_, Some(remote)) => Keys::Remote(Remote::new(remote.cache_duration.get(), provider.max_stale())),
                (Some(local), None) => Keys::Fixed(KeySet::parse(local.inline_string.as_bytes())?),
                (None, None) => return Err("a provider has no keys".to_owned()),
            };
            Ok((provider.clone(), keys))
        };
        let issuers = config.providers.values().map(issuer).collect::<Result<_, String>>()?;
        Ok(Self { config, issuers, cache: Cache::default() })
    }

    /// The provider at `place`, in the order of [`Gate::due`].
    #[must_use]
    pub fn provider(&self, place: usize) -> Option<&Provider> {
        self.issuers.get(place).map(|(provider, _)| provider)
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
        self.remembered(text, first_try, now).unwrap_or_else(|| self.judge(text, first_try, true, now))
    }

    /// Decides about a request that waited for keys. Asks no second question.
    pub fn answer(&mut self, question: &Question, now: Micros) -> Step {
        self.judge(question.token.reveal(), question.first_try, false, now)
    }

    /// The places of the providers whose keys are to be fetched in the background now.
    pub fn due(&mut self, now: Micros) -> Vec<usize> {
        let due = |(place, (_, keys)): (usize, &mut (Provider, Keys))| keys.start_fetch(now).then_some(place);
        self.issuers.iter_mut().enumerate().filter_map(due).collect()
    }

    /// Takes the answer to a fetch of the provider's keys; `None` if there was none.
    ///
    /// # Errors
    /// Why it is of no use; the keys are what they were.
    pub fn fetched(&mut self, place: usize, answer: Option<(u16, Vec<u8>)>, now: Micros) -> Result<News, String> {
        let Some((_, keys)) = self.issuers.get_mut(place) else { return Ok(News::Same) };
        let news = keys.answered(answer, now);
        if matches!(news, Ok(News::Changed { .. })) {
            self.cache.clear();
        }
        news
    }

    /// The reply to a refused request.
    #[must_use]
    pub fn reply(&self, denial: Denial) -> Reply {
        denial.reply(self.config.api_keys.as_ref().map_or("", |it| &it.mint_path))
    }

    fn remembered(&self, text: &str, first_try: bool, now: Micros) -> Option<Step> {
        let entry = self.cache.get(text)?;
        // Keys that are too old vouch for nothing, and neither does what they once verified.
        self.issuers.get(entry.provider)?.1.usable(now)?;
        match entry.verified.window.check(now) {
            Ok(()) => Some(Step::Admit(Rc::clone(&entry.verified))),
            Err(fault) => Some(Step::Deny(Denial::of(Refused::Claims(fault), first_try))),
        }
    }

    fn judge(&mut self, text: &str, first_try: bool, may_ask: bool, now: Micros) -> Step {
        let token = match token::parse(text) {
            Ok(token) => token,
            Err(Malformed::NotAToken) => return Step::Deny(Denial::Missing),
            Err(Malformed::Encrypted) => return Step::Deny(Denial::Encrypted),
            Err(Malformed::Bad) => return Step::Deny(Denial::Malformed),
        };
        let Some(place) = self.issued_by(&token) else { return Step::Deny(Denial::Issuer) };
        let Some((provider, keys)) = self.issuers.get_mut(place) else { return Step::Deny(Denial::Issuer) };
        if let Err(refused) = verify::algorithm(provider, &token) {
            return Step::Deny(Denial::of(refused, first_try));
        }
        let ask = || Step::Ask(Question { provider: place, token: Secret::new(text.to_owned()), first_try });
        let Some(known) = keys.usable(now) else {
            return if may_ask && keys.ask_for_missing(now) { ask() } else { Step::Deny(Denial::NoKeys) };
        };
        match verify::verify(provider, known, text, &token, now) {
            Ok(verified) => {
                let verified = Rc::new(verified);
                self.cache.insert(text, Entry { provider: place, verified: Rc::clone(&verified) });
                Step::Admit(verified)
            }
            Err(Refused::UnknownKey) if may_ask && keys.ask_for_unknown(now) => ask(),
            Err(refused) => Step::Deny(Denial::of(refused, first_try)),
        }
    }

    fn issued_by(&self, token: &Token) -> Option<usize> {
        let issuer = token.claims.get("iss")?.as_str()?;
        self.issuers.iter().position(|(provider, _)| provider.issuer == issuer)
    }
}

impl Denial {
    /// Every kind of denial has a name in the metrics.
    pub const NAMES: [&str; 10] = [
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
                "The token is encrypted (JWE). Send a signed one (JWS); Auth.js makes one when its jwt.encode is replaced.".to_owned(),
            ),
            Self::Malformed | Self::Issuer | Self::Signature | Self::Claims | Self::Early => {
                invalid("invalid_token", "The token is not valid here.".to_owned())
            }
            Self::Expired { first_try } => {
                let reply = invalid("token_expired", "The token has expired. Get a new one.".to_owned());
                if first_try { reply.header("x-should-retry", "true").header("retry-after-ms", "20") } else { reply }
            }
            Self::NoKeys => {
                Reply::new(503, "companion_unavailable", "The keys that verify tokens cannot be had at the moment.")
                    .header("retry-after", "1")
            }
        }
    }
}

fn missing(mint_path: &str) -> String {
    let ask = "There is no user's token: send it as `Authorization: Bearer <token>`.";
    if mint_path.is_empty() { ask.to_owned() } else { format!("{ask} Your server gets one at {mint_path}.") }
}
