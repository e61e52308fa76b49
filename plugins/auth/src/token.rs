//! A token as the client sent it: the compact JWS of RFC 7515, read so that one token has one text.
//!
//! Nothing here is verified, and nothing here decides which key or algorithm verifies it: the
//! header's `jwk`, `jku`, `x5u` and `x5c` are not even looked at.

use crate::json;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

/// The longest token that is looked at, in bytes: more than a proxy takes for all headers together.
pub const LONGEST: usize = 64 * 1024;

/// A token that is well formed, and no more than that.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// The header's `alg`, whatever it says.
    pub algorithm: String,
    /// The header's `kid`.
    pub key: Option<String>,
    /// The payload's members. Claims of whoever made the token, until the signature is verified.
    pub claims: Map<String, Value>,
    /// How many bytes of the text are signed: the first two parts with the dot between them.
    pub signed: usize,
    /// The third part, decoded.
    pub signature: Vec<u8>,
}

/// Why a text is no token for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// It does not have the form of a token at all: no three parts between dots.
    NotAToken,
    /// Five parts: encrypted (JWE), as Auth.js makes them by default.
    Encrypted,
    /// It has the form, and is not well formed within, or asks for what we do not do.
    Bad,
}

/// Reads a token.
///
/// # Errors
/// Why it is none.
pub fn parse(text: &str) -> Result<Token, Malformed> {
    let parts: Vec<&str> = text.splitn(6, '.').collect();
    let (header, payload, signature) = match parts.as_slice() {
        [header, payload, signature] => (*header, *payload, *signature),
        [_, _, _, _, _] => return Err(Malformed::Encrypted),
        _ => return Err(Malformed::NotAToken),
    };
    if text.len() > LONGEST {
        return Err(Malformed::Bad);
    }
    let signed = header.len().saturating_add(payload.len()).saturating_add(1);
    let header = object(header)?;
    let (algorithm, key) = read_header(&header)?;
    let signature = decode(signature).ok_or(Malformed::Bad)?;
    Ok(Token { algorithm, key, claims: object(payload)?, signed, signature })
}

/// Base64url as RFC 7515 has it: no padding, no other alphabet, no bits left over.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

fn object(part: &str) -> Result<Map<String, Value>, Malformed> {
    let bytes = decode(part).ok_or(Malformed::Bad)?;
    match json::parse(&bytes) {
        Ok(Value::Object(members)) => Ok(members),
        _ => Err(Malformed::Bad),
    }
}

/// Members that change what the signature covers or what the payload is. `crit` lists extensions
/// that must be understood, and we understand none; an empty list is against RFC 7515, 4.1.11.
const REFUSED: [&str; 4] = ["crit", "b64", "zip", "enc"];

fn read_header(header: &Map<String, Value>) -> Result<(String, Option<String>), Malformed> {
    if REFUSED.iter().any(|name| header.contains_key(*name)) {
        return Err(Malformed::Bad);
    }
    let text = |name: &str| match header.get(name) {
        None => Ok(None),
        Some(Value::String(it)) => Ok(Some(it.as_str())),
        Some(_) => Err(Malformed::Bad),
    };
    text("typ")?;
    // `cty: JWT` says that the payload is itself a token (RFC 7519, 5.2).
    if text("cty")?.is_some_and(|it| it.eq_ignore_ascii_case("JWT") || it.eq_ignore_ascii_case("application/jwt")) {
        return Err(Malformed::Bad);
    }
    let algorithm = text("alg")?.ok_or(Malformed::Bad)?;
    Ok((algorithm.to_owned(), text("kid")?.map(str::to_owned)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn part(text: &str) -> String {
        URL_SAFE_NO_PAD.encode(text)
    }

    #[test]
    fn a_token_has_three_parts() {
        let (header, payload) = (part(r#"{"alg":"EdDSA","kid":"a","typ":"JWT"}"#), part(r#"{"iss":"x"}"#));
        let token = parse(&format!("{header}.{payload}.AAAA")).unwrap();
        assert_eq!((token.algorithm.as_str(), token.key.as_deref()), ("EdDSA", Some("a")));
        assert_eq!(token.signed, header.len() + 1 + payload.len());
        assert_eq!(token.signature, [0, 0, 0]);
        for text in ["", "a", "a.b", "a.b.c.d", "a.b.c.d.e.f", "sk-0123456789"] {
            assert_eq!(parse(text), Err(Malformed::NotAToken), "{text}");
        }
        assert_eq!(parse("a.b.c.d.e"), Err(Malformed::Encrypted));
        assert_eq!(parse(&format!("{header}.{payload}.{}", "A".repeat(LONGEST))), Err(Malformed::Bad));
    }

    #[test]
    fn base64url_has_one_spelling() {
        assert_eq!(decode("AA"), Some(vec![0]));
        for text in ["AB", "AA==", "AA=", "A", "A A", "AA\n", "+A", "/A", "AA."] {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in ".*", payload in any::<Vec<u8>>()) {
            let _ = parse(&text);
            let _ = parse(&format!("{}.{}.{text}", part(r#"{"alg":"RS256"}"#), URL_SAFE_NO_PAD.encode(payload)));
        }
    }
}
