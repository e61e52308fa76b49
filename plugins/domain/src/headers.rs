//! HTTP headers as bytes, duplicates visible, and the names that Tollgate gives a meaning.
//!
//! A name is compared without regard to case. An empty value counts as absent everywhere: Kong
//! cannot remove a header from a request, only empty it (HOSTS.md, rule 6).

use std::ops::Range;

/// The tenant that owns the project. Written by `auth`.
pub const TENANT: &str = "x-tenant-id";
/// The project that the token was minted for. Written by `auth`.
pub const PROJECT: &str = "x-project-id";
/// The end user. Written by `auth`.
pub const USER: &str = "x-end-user-id";
/// The end user's role. Written by `auth`.
pub const ROLE: &str = "x-role";
/// The tier that limits and prices the end user. Written by `auth`.
pub const TIER: &str = "x-tier";
/// The headers that say who calls. Only `auth` may write them; no provider may see them.
pub const IDENTITY: [&str; 5] = [TENANT, PROJECT, USER, ROLE, TIER];

/// Ephemeral memory of (project, user, session); the client's own choice.
pub const SESSION: &str = "x-session-id";
/// Lasting memory of (project, user, thread); the client's own choice.
pub const THREAD: &str = "x-thread-id";
/// Another name for [`THREAD`].
pub const CONVERSATION: &str = "x-conversation-id";
/// `off` skips memory for one request; `session` asks for a session.
pub const MEMORY: &str = "x-tollgate-memory";

/// Every header of ours begins with this, in whatever spelling.
pub const OURS: &str = "x-tollgate-";
/// Who is asked for what, in which order: `router`'s [`crate::model::Plan`], for `provider`.
pub const ROUTE: &str = "x-tollgate-route";
/// The provider of each of the plan's tries, by which the proxy finds the endpoint.
pub const TRIES: [&str; crate::model::MOST_TRIES] =
    ["x-tollgate-try-1", "x-tollgate-try-2", "x-tollgate-try-3", "x-tollgate-try-4", "x-tollgate-try-5"];
/// The canonical name of the model that `router` chose.
pub const MODEL: &str = "x-tollgate-model";
/// What `router` read in the request's body of its likely size ([`crate::estimate::Estimate`]), for `budget`.
pub const ESTIMATE: &str = "x-tollgate-estimate";
/// `ask`: `budget` wants the provider to tell in its stream what it served.
pub const USAGE: &str = "x-tollgate-usage";
/// The most that a request may cost, in US dollars; the client's own choice.
pub const MAX_COST: &str = "x-tollgate-max-cost";
/// On the answer to a request that a kill switch stopped: what is switched off.
pub const KILLED: &str = "x-tollgate-killed";
/// On an answer: the provider that gave it.
pub const PROVIDER: &str = "x-tollgate-provider";
/// On an answer of another candidate than the chain's first: the model's id there.
pub const PROVIDER_MODEL: &str = "x-tollgate-provider-model";
/// Proves to Kong's second hop that the first hop's chain ran to its end.
pub const HOP: &str = "x-tollgate-hop";

/// Whether `name` is `canonical` in any spelling: letter case aside, and with any other sign for `-`. Many servers
/// behind a gateway read `_` as the same header, for they make a variable of it, and PHP reads `.` so.
#[must_use]
pub fn same_name(name: &[u8], canonical: &str) -> bool {
    name.len() == canonical.len() && starts_with_name(name, canonical)
}

/// Whether `name` begins with `prefix`, in any spelling.
#[must_use]
pub fn starts_with_name(name: &[u8], prefix: &str) -> bool {
    let fold = |byte: &u8| match byte {
        other if other.is_ascii_alphanumeric() => other.to_ascii_lowercase(),
        _ => b'-',
    };
    name.len() >= prefix.len() && name.iter().map(fold).zip(prefix.bytes()).all(|(a, b)| a == b)
}

/// The headers of one message, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers {
    bytes: Vec<u8>,
    entries: Vec<(Range<usize>, Range<usize>)>,
}

impl Headers {
    /// Headers over `bytes`: each entry is where a name and its value lie. Entries that reach
    /// outside `bytes` read as empty.
    #[must_use]
    pub fn over(bytes: Vec<u8>, entries: Vec<(Range<usize>, Range<usize>)>) -> Self {
        Self { bytes, entries }
    }

    /// Appends one header; an earlier one of the same name stays.
    pub fn append(&mut self, name: &[u8], value: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(name);
        let middle = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.entries.push((start..middle, middle..self.bytes.len()));
    }

    /// Replaces every copy of `name` by one with `value`.
    pub fn set(&mut self, name: &str, value: &[u8]) {
        self.remove(name);
        self.append(name.as_bytes(), value);
    }

    /// Removes every copy of `name`.
    pub fn remove(&mut self, name: &str) {
        let bytes = &self.bytes;
        self.entries
            .retain(|(at, _)| !bytes.get(at.clone()).is_some_and(|it| it.eq_ignore_ascii_case(name.as_bytes())));
    }

    /// Every header that has a value, in order: name as it came, value.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let slice = |range: &Range<usize>| self.bytes.get(range.clone()).unwrap_or_default();
        self.entries.iter().map(move |(name, value)| (slice(name), slice(value))).filter(|(_, value)| !value.is_empty())
    }

    /// Every value of `name`, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.iter().filter(move |(it, _)| it.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }

    /// How often `name` stands there, copies without a value included.
    #[must_use]
    pub fn copies(&self, name: &str) -> usize {
        let same = |at: &Range<usize>| {
            let bytes = self.bytes.get(at.clone());
            bytes.is_some_and(|it| it.eq_ignore_ascii_case(name.as_bytes()))
        };
        self.entries.iter().filter(|(at, _)| same(at)).count()
    }

    /// The first value of `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(it, _)| it.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }

    /// The first value of `name`, if it is UTF-8.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.get(name)?).ok()
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Headers {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(pairs: I) -> Self {
        let mut headers = Self::default();
        for (name, value) in pairs {
            headers.append(name.as_bytes(), value.as_bytes());
        }
        headers
    }
}

/// Whether a client may call a thread or a session so: 1 to 255 letters, digits, `.`, `_`, `:` or `-`.
#[must_use]
pub fn is_id(text: &str) -> bool {
    let safe = |it: u8| it.is_ascii_alphanumeric() || b"._:-".contains(&it);
    (1..=255).contains(&text.len()) && text.bytes().all(safe)
}

/// Ids that are paths of their own under `/v1/threads`, or that a gateway makes another path of.
const PATHS: [&str; 4] = ["search", "export", ".", ".."];

/// Whether a client may call a thread so: an id under which its owner can ask for it.
#[must_use]
pub fn is_thread(text: &str) -> bool {
    is_id(text) && !PATHS.contains(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_no_case_and_an_empty_value_is_absent() {
        let headers = Headers::from_iter([("X-Role", ""), ("x-ROLE", "admin"), ("a", "b")]);
        assert_eq!(headers.text(ROLE), Some("admin"));
        assert_eq!(headers.all(ROLE).count(), 1);
        assert_eq!(headers.copies(ROLE), 2);
        assert_eq!(headers.get("x-tier"), None);
    }

    #[test]
    fn set_leaves_one_copy_and_remove_none() {
        let mut headers = Headers::from_iter([("x-role", "a"), ("X-Role", "b")]);
        headers.set(ROLE, b"c");
        assert_eq!(headers.all(ROLE).collect::<Vec<_>>(), [b"c"]);
        headers.remove(ROLE);
        assert_eq!(headers.get(ROLE), None);
    }

    #[test]
    fn every_spelling_of_ours_is_recognised() {
        for name in ["x-tollgate-chain", "X_Tollgate_Chain", "X-TOLLGATE-x", "x_tollgate-", "x.tollgate~chain"] {
            assert!(starts_with_name(name.as_bytes(), OURS), "{name}");
        }
        for name in ["x-tollgat", "tollgate-x", ""] {
            assert!(!starts_with_name(name.as_bytes(), OURS), "{name}");
        }
        // Whatever a name may hold beside letters and digits (RFC 9110, section 5.6.2).
        for sign in "!#$%&'*+-.^_`|~".chars() {
            assert!(same_name(format!("X{sign}ROLE").as_bytes(), ROLE), "{sign}");
        }
        for other in ["x-roles", "x0role", "xrole", "x-rol"] {
            assert!(!same_name(other.as_bytes(), ROLE), "{other}");
        }
    }
}
