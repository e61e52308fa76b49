//! What a request says before anybody is believed: its credential, its path, and the headers that
//! a client must not send.

use crate::config::{ApiKeys, Config};
use domain::headers::{self, Headers, same_name, starts_with_name};
use domain::reply::Reply;

/// The headers of ours that are the client's own choice (DESIGN.md, "Headers between filters").
const CLIENTS_OWN: [&str; 2] = [headers::MEMORY, "x-tollgate-max-cost"];
/// What Envoy lets a client steer it with: retries, timeouts, attempts.
const ENVOYS: &str = "x-envoy-";

/// The names of headers that a client must not send, as it spelt them, each once whatever its case; `None` when one is
/// no text and could not be named to the host.
#[must_use]
pub fn forbidden(headers: &Headers) -> Option<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    for (name, _) in headers.iter().filter(|(name, _)| is_forbidden(name)) {
        let name = std::str::from_utf8(name).ok()?;
        if !names.iter().any(|it| it.eq_ignore_ascii_case(name)) {
            names.push(name.to_owned());
        }
    }
    Some(names)
}

fn is_forbidden(name: &[u8]) -> bool {
    let ours = starts_with_name(name, headers::OURS)
        && !CLIENTS_OWN.iter().any(|own| name.eq_ignore_ascii_case(own.as_bytes()));
    ours || starts_with_name(name, ENVOYS) || headers::IDENTITY.iter().any(|it| same_name(name, it))
}

/// The refusal of a request that wants its connection to become another protocol's. No part of the chain speaks one,
/// and Envoy would say so only after filters had waited for the end of a body that never comes.
#[must_use]
pub fn upgrade(headers: &Headers) -> Option<Reply> {
    headers
        .get("upgrade")
        .map(|_| Reply::invalid("This gateway upgrades no connection; leave the header `upgrade` out."))
}

/// Whether the request needs no token.
#[must_use]
pub fn bypasses(config: &Config, method: &str, path: &str, headers: &Headers) -> bool {
    let preflight = method == "OPTIONS"
        && headers.get("origin").is_some()
        && headers.get("access-control-request-method").is_some();
    if preflight && config.bypass_cors_preflight {
        return true;
    }
    let path = path.split('?').next().unwrap_or_default();
    // The cheap question first: most requests are for no path of the list.
    config.bypass.iter().any(|it| covers(&it.path_prefix, path)) && plain_path(path)
}

fn covers(prefix: &str, path: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether everyone behind us reads this path as the same segments.
pub(crate) fn plain_path(path: &str) -> bool {
    path.starts_with('/')
        && path.bytes().all(|it| it.is_ascii_graphic())
        && !["..", "//", "\\", ";", "#", "/./"].iter().any(|it| path.contains(it))
        && !path.ends_with("/.")
        && (!path.contains('%') || plainly_encoded(path))
}

/// Whether what is encoded in a path is text, and none of it means anything to whoever takes paths apart. Bytes that are
/// no UTF-8 are read by old decoders as what they would be were they shorter: `%c0%ae` as a dot.
fn plainly_encoded(path: &str) -> bool {
    let mut text = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        text.push(match byte {
            b'%' => match (bytes.next().and_then(digit), bytes.next().and_then(digit)) {
                (Some(high), Some(low)) => match high << 4 | low {
                    b'.' | b'/' | b'\\' | b'%' | b';' => return false,
                    encoded if encoded.is_ascii_control() => return false,
                    encoded => encoded,
                },
                _ => return false,
            },
            plain => plain,
        });
    }
    std::str::from_utf8(&text).is_ok()
}

fn digit(hexadecimal: u8) -> Option<u8> {
    u8::try_from(char::from(hexadecimal).to_digit(16)?).ok()
}

/// Why a request brings no token to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoToken {
    /// There is no bearer credential.
    Missing,
    /// There are several credentials, or what stands there is no single token.
    Garbled,
    /// A long-lived API key.
    ApiKey,
}

/// The one bearer token of the request (RFC 6750, 2.1): one `authorization` header, the scheme in any
/// case, one token. Nothing else is looked at, the query string least of all.
///
/// # Errors
/// Why there is none.
pub fn bearer<'a>(headers: &'a Headers, api_keys: Option<&ApiKeys>) -> Result<&'a str, NoToken> {
    let value = headers.get("authorization").ok_or(NoToken::Missing)?;
    // An empty one counts, which in Kong comes to whoever is behind us; Envoy makes one of the two before that.
    if headers.copies("authorization") > 1 {
        return Err(NoToken::Garbled);
    }
    let value = std::str::from_utf8(value).map_err(|_| NoToken::Garbled)?;
    let (scheme, token) = value.trim_matches(' ').split_once(' ').ok_or(NoToken::Missing)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(NoToken::Missing);
    }
    let token = token.trim_start_matches(' ');
    // A comma is how a proxy joins two headers into one.
    if token.is_empty() || !token.bytes().all(|it| it.is_ascii_graphic() && it != b',') {
        return Err(NoToken::Garbled);
    }
    if api_keys.is_some_and(|it| it.prefixes.iter().any(|prefix| token.starts_with(prefix))) {
        return Err(NoToken::ApiKey);
    }
    Ok(token)
}

/// Whether this is the first time that a stock SDK sends the request: it counts its retries.
#[must_use]
pub fn is_first_try(headers: &Headers) -> bool {
    matches!(headers.get("x-stainless-retry-count"), None | Some(b"0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        let json = r#"{
            "providers": {"a": {"issuer": "a", "audiences": ["a"], "remote_jwks": {"http_uri": {"uri": "http://a/", "cluster": "a"}}}},
            "bypass": [{"path_prefix": "/v1/auth/mint"}, {"path_prefix": "/.well-known"}],
            "bypass_cors_preflight": true,
            "api_keys": {"prefixes": ["behest_sk_live_"], "mint_path": "/v1/auth/mint"}}"#;
        Config::parse(json.as_bytes()).unwrap()
    }

    #[test]
    fn a_request_to_change_protocols_is_refused() {
        assert!(upgrade(&Headers::from_iter([("Upgrade", "websocket")])).is_some_and(|it| it.status == 400));
        assert_eq!(upgrade(&Headers::from_iter([("x-upgrade", "websocket")])), None);
    }

    #[test]
    fn a_client_says_nothing_about_itself_in_any_spelling() {
        let sent = [
            "x-tenant-id",
            "X_Project_Id",
            "x-end_user-id",
            "X-ROLE",
            "x_tier",
            "x-tollgate-chain",
            "X_Tollgate_Model",
            "x-tollgate_memory",
            "x-tollgate-",
            "x-envoy-max-retries",
            "X_Envoy_Attempt_Count",
            "x.end.user~id",
            "x!tollgate|caller",
        ];
        let kept =
            ["x-session-id", "x-thread-id", "x-tollgate-memory", "x-tollgate-max-cost", "x-roles", "role", "xtier"];
        let headers = Headers::from_iter(sent.into_iter().chain(kept).map(|it| (it, "1")));
        assert_eq!(forbidden(&headers).unwrap(), sent);
        assert_eq!(
            forbidden(&Headers::from_iter([("x-role", "a"), ("X-Role", "b"), ("x_role", "c")])).unwrap(),
            ["x-role", "x_role"]
        );
    }

    #[test]
    fn a_forbidden_name_that_is_no_text_cannot_be_taken_away() {
        let mut headers = Headers::default();
        headers.append(b"x-tollgate-\xff", b"1");
        assert_eq!(forbidden(&headers), None);
    }

    #[test]
    fn a_bypass_covers_whole_segments_of_plain_paths() {
        let check = |path: &str| bypasses(&config(), "POST", path, &Headers::default());
        for path in [
            "/v1/auth/mint",
            "/v1/auth/mint/",
            "/v1/auth/mint/x",
            "/v1/auth/mint?a=/../",
            "/.well-known/jwks.json",
            "/v1/auth/mint/caf%C3%A9",
        ] {
            assert!(check(path), "{path}");
        }
        for path in [
            "",
            "/",
            "/v1/auth",
            "/v1/auth/minty",
            "/V1/auth/mint",
            "/v1/auth/mint/../../chat",
            "/v1/auth/mint/%2e%2e/x",
            "/v1/auth/mint/%2E./x",
            "/v1/auth%2fmint",
            "/v1/auth/mint%2f..",
            "/v1/auth/mint\\..",
            "/v1/auth/mint;x",
            "//v1/auth/mint",
            "/v1//auth/mint",
            "/v1/auth/mint//x",
            "/v1/auth/./mint",
            "v1/auth/mint",
            "/v1/auth/mint/%252e%252e",
            "/v1/auth/mint#x",
            "/v1/auth/mint/\u{e9}",
            "/v1/auth/mint%00",
            "http://x/v1/auth/mint",
            "/x/v1/auth/mint",
            "/v1/auth/mint/.",
            // No text in any encoding that is still in use; old decoders make dots and slashes of them.
            "/v1/auth/mint/%c0%ae%c0%ae/x",
            "/v1/auth/mint/%e0%80%af",
            "/v1/auth/mint/%u002e%u002e/x",
            "/v1/auth/mint/%",
            "/v1/auth/mint/%2",
            "/v1/auth/mint/%+f",
            "/v1/auth/mint/%0d",
        ] {
            assert!(!check(path), "{path}");
        }
    }

    #[test]
    fn only_a_preflight_of_a_browser_bypasses() {
        let asks = ("access-control-request-method", "POST");
        let check = |method, headers: &[(&'static str, &'static str)]| {
            bypasses(&config(), method, "/v1/chat/completions", &headers.iter().copied().collect())
        };
        assert!(check("OPTIONS", &[("origin", "https://a"), asks]));
        assert!(!check("OPTIONS", &[asks]));
        assert!(!check("OPTIONS", &[("origin", "https://a")]));
        assert!(!check("POST", &[("origin", "https://a"), asks]));
    }

    #[test]
    fn there_is_one_header_with_one_token() {
        let check = |values: &[&'static str]| {
            let headers = values.iter().map(|it| ("Authorization", *it)).collect();
            bearer(&headers, config().api_keys.as_ref()).map(str::to_owned)
        };
        for good in ["Bearer a.b.c", "bearer a.b.c", "BEARER   a.b.c", " Bearer a.b.c "] {
            assert_eq!(check(&[good]), Ok("a.b.c".to_owned()), "{good}");
        }
        for missing in ["", "a.b.c", "Bearer", "Bearer ", "Basic a.b.c", "Bearer\ta.b.c", "Bearer,a.b.c"] {
            assert_eq!(check(&[missing]), Err(NoToken::Missing), "{missing}");
        }
        for garbled in [
            "Bearer a,b",
            "Bearer a.b.c,",
            "Bearer a b",
            "Bearer a.b.c Bearer",
            "Bearer \u{e9}",
            "Bearer a\tb",
            "Bearer ,",
        ] {
            assert_eq!(check(&[garbled]), Err(NoToken::Garbled), "{garbled}");
        }
        assert_eq!(check(&[]), Err(NoToken::Missing));
        assert_eq!(check(&["Bearer a.b.c", "Bearer a.b.c"]), Err(NoToken::Garbled));
        assert_eq!(check(&["", "Bearer a.b.c"]), Err(NoToken::Garbled));
        assert_eq!(check(&["Bearer behest_sk_live_00"]), Err(NoToken::ApiKey));
        let mut hostile = Headers::default();
        hostile.append(b"authorization", b"Bearer \xff");
        assert_eq!(bearer(&hostile, None), Err(NoToken::Garbled));
    }
}
