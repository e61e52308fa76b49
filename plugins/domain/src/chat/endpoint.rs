//! Which requests are model calls.

use std::borrow::Cow;

/// An operation that calls a model: OpenAI's, and the one of Anthropic's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// `POST /v1/chat/completions`
    ChatCompletions,
    /// `POST /v1/completions`
    Completions,
    /// `POST /v1/embeddings`
    Embeddings,
    /// `POST /v1/responses`
    Responses,
    /// `POST /v1/messages`, Anthropic's
    Messages,
}

impl Endpoint {
    /// The operation that `method` and `path` (which may carry a query) call, if it is one of these.
    ///
    /// The path is compared as a lenient server would read it: escaped letters decoded, empty and
    /// dot segments resolved (RFC 3986, 6.2.2), so that no spelling of it slips past a filter.
    #[must_use]
    pub fn of(method: &str, path: &str) -> Option<Self> {
        if method != "POST" {
            return None;
        }
        let plain = path.split(['?', '#']).next().unwrap_or_default();
        Self::exactly(plain).or_else(|| Self::exactly(&normalised(plain)))
    }

    /// The path under which clients call it.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::ChatCompletions => "/v1/chat/completions",
            Self::Completions => "/v1/completions",
            Self::Embeddings => "/v1/embeddings",
            Self::Responses => "/v1/responses",
            Self::Messages => "/v1/messages",
        }
    }

    fn exactly(path: &str) -> Option<Self> {
        [Self::ChatCompletions, Self::Completions, Self::Embeddings, Self::Responses, Self::Messages]
            .into_iter()
            .find(|it| it.path() == path)
    }
}

/// A path, which may carry a query, as a lenient server would read it: without the query, escapes of ASCII characters decoded,
/// empty and dot segments resolved.
#[must_use]
pub fn normalised(path: &str) -> String {
    let decoded = decoded(path.split(['?', '#']).next().unwrap_or_default());
    let mut segments: Vec<&str> = Vec::new();
    for segment in decoded.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    format!("/{}", segments.join("/"))
}

/// Decodes every escape of an ASCII character; other bytes stay escaped.
pub(crate) fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut parts = text.split('%');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let byte = part
            .get(..2)
            .filter(|hex| hex.bytes().all(|it| it.is_ascii_hexdigit()))
            .and_then(|hex| u8::from_str_radix(hex, 16).ok())
            .filter(u8::is_ascii);
        match byte {
            Some(byte) => {
                out.push(char::from(byte));
                out.push_str(part.get(2..).unwrap_or_default());
            }
            None => {
                out.push('%');
                out.push_str(part);
            }
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_spelling_of_a_path_slips_past() {
        let check = |path: &str| Endpoint::of("POST", path);
        for path in [
            "/v1/chat/completions",
            "/v1/chat/completions?a=/v1/embeddings",
            "//v1/./chat//completions/",
            "/v1/x/../chat/completions",
            "/v1/ch%61t%2Fcompletions",
            "/../v1/chat/completions#x",
        ] {
            assert_eq!(check(path), Some(Endpoint::ChatCompletions), "{path}");
        }
        assert_eq!(check("/v1/completions"), Some(Endpoint::Completions));
        assert_eq!(check("/v1/embeddings"), Some(Endpoint::Embeddings));
        assert_eq!(check("/v1/responses"), Some(Endpoint::Responses));
        assert_eq!(check("/v1/messages?beta=true"), Some(Endpoint::Messages));
    }

    #[test]
    fn everything_else_is_no_model_call() {
        for path in [
            "",
            "/",
            "/v1/models",
            "/v1/chat",
            "/v1/responses/resp_1",
            "/v1/messages/count_tokens",
            "%",
            "/v1/%zz",
            "/v1/%e4%",
            "/é/%2",
        ] {
            assert_eq!(Endpoint::of("POST", path), None, "{path}");
        }
        assert_eq!(Endpoint::of("GET", "/v1/chat/completions"), None);
    }
}
