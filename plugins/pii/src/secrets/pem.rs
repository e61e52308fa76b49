//! Private keys in PEM (RFC 7468, and the older forms with headers), whole or cut off.

use crate::scan;
use std::ops::Range;

/// A key has at least so many characters of base64; an example with dots in its middle has fewer.
const LEAST: usize = 40;
/// Longer than any label, such as `ENCRYPTED PRIVATE KEY`.
const LABEL: usize = 40;

/// The private key whose `-----BEGIN` stands at `at`, with its end line, if it has one.
pub(crate) fn at(text: &[u8], at: usize) -> Option<Range<usize>> {
    let begin = b"-----BEGIN ";
    if !scan::stands(text, at, begin) {
        return None;
    }
    let label = at.saturating_add(begin.len());
    let label_end = line_end(text, label)?;
    let name = text.get(label..label_end)?;
    if !name.windows(11).any(|it| it == b"PRIVATE KEY") {
        return None;
    }
    let body = label_end.saturating_add(5);
    let close = b"-----END ";
    let dashes = dashes_at(text, body);
    let closed = scan::stands(text, dashes, close).then(|| line_end(text, dashes.saturating_add(close.len())));
    let (body_end, end) = match closed.flatten() {
        Some(label_end) => (dashes, label_end.saturating_add(5)),
        None => {
            let end = cut_off(text, body);
            (end, end)
        }
    };
    let base64 = text.get(body..body_end)?.iter().filter(|it| it.is_ascii_alphanumeric()).count();
    (base64 >= LEAST).then_some(at..end)
}

/// Where a private key begins, or may begin, that is not over.
pub(crate) fn open(text: &[u8]) -> Option<usize> {
    let begin = b"-----BEGIN ";
    let last = text.windows(begin.len()).rposition(|it| it == begin);
    last.filter(|at| goes_on(text, at.saturating_add(begin.len()))).or_else(|| {
        // The line itself may have begun: dashes, and a part of the word.
        let near = text.len().saturating_sub(begin.len());
        let start = (near..text.len()).find(|at| text.get(*at..).is_some_and(|it| begin.starts_with(it)));
        start.filter(|at| scan::byte(text, at.saturating_sub(1)) != Some(b'-') || *at == 0)
    })
}

/// Whether the key whose label begins at `label` may go on behind the end of the text.
fn goes_on(text: &[u8], label: usize) -> bool {
    let capital = |it: u8| it.is_ascii_uppercase() || it.is_ascii_digit() || matches!(it, b'-' | b' ');
    let Some(label_end) = line_end(text, label) else {
        return text.len() <= label.saturating_add(LABEL) && scan::run(text, label, capital) == text.len();
    };
    let dashes = dashes_at(text, label_end.saturating_add(5));
    dashes == text.len() || (scan::run(text, dashes, capital) == text.len() && at_end(text, dashes).is_none())
}

/// Where the end line stops that begins at `at`.
fn at_end(text: &[u8], at: usize) -> Option<usize> {
    let close = b"-----END ";
    scan::stands(text, at, close).then(|| line_end(text, at.saturating_add(close.len())))?
}

/// Where the `-----` stands that ends a label.
fn line_end(text: &[u8], label: usize) -> Option<usize> {
    let end = scan::run(text.get(..label.saturating_add(LABEL)).unwrap_or(text), label, |it| {
        it.is_ascii_uppercase() || it.is_ascii_digit() || it == b' '
    });
    scan::stands(text, end, b"-----").then_some(end)
}

/// The next row of dashes behind what a key may hold: base64, line breaks real and escaped (`\n`), the
/// quotes and plus signs of source code, the headers of an encrypted key.
fn dashes_at(text: &[u8], from: usize) -> usize {
    let member = |it: u8| it.is_ascii_alphanumeric() || it.is_ascii_whitespace() || b"+/=\\:,\"'".contains(&it);
    let mut at = scan::run(text, from, member);
    while scan::byte(text, at) == Some(b'-') && !scan::stands(text, at, b"---") {
        at = scan::run(text, at.saturating_add(1), member);
    }
    at
}

/// Where a key without an end line ends: with the base64, before a space or a quote.
fn cut_off(text: &[u8], from: usize) -> usize {
    let end = scan::run(text, from, |it| it.is_ascii_alphanumeric() || b"+/=\\\r\n".contains(&it));
    let body = text.get(from..end).unwrap_or_default();
    from.saturating_add(body.trim_ascii_end().len())
}

#[cfg(test)]
mod tests {
    use crate::{Entity, tests::check};

    const BASE64: &str = "MC4CAQAwBQYDK2VwBCIEIPSVCFMIzJ7EPGmNBpXaOm0pMcG2MKCgTPLGAs0bQ8Wf";

    #[test]
    fn private_keys_are_found_whole() {
        for key in [
            format!("-----BEGIN PRIVATE KEY-----\n{BASE64}\n-----END PRIVATE KEY-----"),
            format!("-----BEGIN RSA PRIVATE KEY-----\r\n{BASE64}\r\n{BASE64}==\r\n-----END RSA PRIVATE KEY-----"),
            format!("-----BEGIN OPENSSH PRIVATE KEY-----\\n{BASE64}\\n-----END OPENSSH PRIVATE KEY-----"),
            format!("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{BASE64}\n-----END PGP PRIVATE KEY BLOCK-----"),
            format!(
                "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0A\n\n{BASE64}\n\
                 -----END EC PRIVATE KEY-----"
            ),
            format!("-----BEGIN PRIVATE KEY-----\n{BASE64}"),
        ] {
            check(Entity::PrivateKey, &key, &[&key]);
            check(Entity::PrivateKey, &format!("key = \"{key}\" # mine"), &[&key]);
        }
    }

    #[test]
    fn what_is_public_or_an_example_stays() {
        for text in [
            format!("-----BEGIN PUBLIC KEY-----\n{BASE64}\n-----END PUBLIC KEY-----"),
            format!("-----BEGIN CERTIFICATE-----\n{BASE64}\n-----END CERTIFICATE-----"),
            "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----".to_owned(),
            "-----BEGIN PRIVATE KEY-----\nMIIE...\n-----END PRIVATE KEY-----".to_owned(),
            "A PEM file begins with -----BEGIN PRIVATE KEY-----.".to_owned(),
            "-----BEGIN PRIVATE KEY----- -----BEGIN PRIVATE KEY-----".to_owned(),
            "-----BEGIN ".to_owned(),
        ] {
            check(Entity::PrivateKey, &text, &[]);
        }
    }
}
