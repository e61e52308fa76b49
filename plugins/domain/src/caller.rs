//! Who is calling, as `auth` found it in a verified token and the later filters read it.

use crate::headers::{self, Headers};
use serde::Deserialize;

/// A caller whose token was verified.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// The tenant that owns the project, if the token names one.
    pub tenant: Option<String>,
    /// The project that the token is for.
    pub project: String,
    /// The end user, unique within the project.
    pub user: String,
    /// The end user's role, if the token names one.
    pub role: Option<String>,
    /// The tier that limits the end user, if the token names one.
    pub tier: Option<String>,
    /// The session that the token was minted for; a client's `x-session-id` goes before it.
    pub session: Option<String>,
    /// The id of the API key that minted the token (`key_…`, no secret), if the token names one.
    pub key: Option<String>,
    /// The token's own id, by which it can be switched off, if it has one.
    pub token: Option<String>,
}

/// Whom a filter believes about the caller.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Trust {
    /// Only the `auth` filter of the same request, which a client cannot imitate.
    #[default]
    Auth,
    /// The identity headers as they come. Only where something before the gateway writes them and
    /// removes the client's own.
    Headers,
}

/// What is known of the caller of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// A verified caller.
    Known(Caller),
    /// `auth` ran and let the request go on without a token, because its path is on the bypass list.
    Bypassed,
    /// Nobody vouches for this request.
    Missing,
}

impl Caller {
    /// The caller as one text, for a property of the request that only filters can write. Fields
    /// stand in a fixed order, a line each.
    #[must_use]
    pub fn encode(&self) -> String {
        let field = |it: &Option<String>| it.clone().unwrap_or_default();
        [
            field(&self.tenant),
            self.project.clone(),
            self.user.clone(),
            field(&self.role),
            field(&self.tier),
            field(&self.session),
            field(&self.key),
            field(&self.token),
        ]
        .join("\n")
    }

    /// Reads what [`Caller::encode`] wrote; `None` when there is no project or no user in it.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        let mut fields = text.split('\n').map(|it| Some(it.to_owned()).filter(|it| !it.is_empty()));
        let mut next = || fields.next().flatten();
        let tenant = next();
        let (project, user) = (next()?, next()?);
        let (role, tier, session) = (next(), next(), next());
        Some(Self { tenant, project, user, role, tier, session, key: next(), token: next() })
    }

    /// Reads the identity headers; `None` when the project or the user is absent, not UTF-8, or
    /// stands there more than once, because then somebody else may have written one of them.
    #[must_use]
    pub fn from_headers(headers: &Headers) -> Option<Self> {
        if headers::IDENTITY.iter().any(|name| headers.all(name).count() > 1) {
            return None;
        }
        let text = |name| headers.text(name).map(str::to_owned);
        Some(Self {
            tenant: text(headers::TENANT),
            project: text(headers::PROJECT)?,
            user: text(headers::USER)?,
            role: text(headers::ROLE),
            tier: text(headers::TIER),
            session: None,
            key: None,
            token: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ada() -> Caller {
        Caller { project: "p1".into(), user: "ada".into(), tier: Some("pro".into()), ..Caller::default() }
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        assert_eq!(Caller::decode(&ada().encode()), Some(ada()));
        let minted = Caller { key: Some("key_1".into()), token: Some("t1".into()), ..ada() };
        assert_eq!(Caller::decode(&minted.encode()), Some(minted));
        assert_eq!(Caller::decode(""), None);
        assert_eq!(Caller::decode("t\np\n"), None);
    }

    #[test]
    fn headers_make_a_caller_only_when_none_stands_twice() {
        let plain = [("x-project-id", "p1"), ("x-end-user-id", "ada"), ("x-tier", "pro")];
        assert_eq!(Caller::from_headers(&Headers::from_iter(plain)), Some(ada()));
        let twice = Headers::from_iter(plain.into_iter().chain([("X-End-User-Id", "eve")]));
        assert_eq!(Caller::from_headers(&twice), None);
        assert_eq!(Caller::from_headers(&Headers::from_iter([("x-end-user-id", "ada")])), None);
    }
}
