//! Secrets that stand behind their names, in configuration, code, headers, tables and prose: `API_KEY=…`,
//! `"password": "…"`, `<add key="Token" value="…"/>`, `--password …`, `Authorization: Bearer …`, "the password is …".
//!
//! The name decides what its value has to look like: a password may be chosen by a person, a key is drawn by lot.

use super::{
    name::{self, Name},
    value::{Join, Value},
};
use crate::{Entity, Finding, scan};

/// What a name is made of.
fn member(it: u8) -> bool {
    scan::word(it) || it == b'.'
}

pub(crate) fn find(text: &str, found: &mut Vec<Finding>) {
    each(text.as_bytes(), |name, value, join| {
        let value = Value::at(text.as_bytes(), value, join)?;
        let finding = secret(text, name, &value, join)?;
        let end = finding.span.end;
        found.push(finding);
        Some(end)
    });
}

/// Where the value begins that the text breaks off in.
pub(crate) fn open(text: &[u8]) -> Option<usize> {
    let mut open = None;
    each(text, |_, value, join| {
        let begun = Value::is_open(text, value, join) && value < text.len();
        open = open.or(begun.then_some(value));
        Value::at(text, value, join).filter(|_| !begun).map(|it| it.span.start)
    });
    open
}

/// Calls `seen` with each name, where its value begins, and how they are joined; it says where a secret ended.
fn each(bytes: &[u8], mut seen: impl FnMut(Name, usize, Join) -> Option<usize>) {
    // Names are read back to here: no byte of one is read for two.
    let (mut at, mut floor) = (0, 0);
    while at < bytes.len() {
        let begin = scan::run(bytes, at, |it| !member(it));
        let start = begin.saturating_add(scan::escape(bytes, begin));
        let end = scan::run(bytes, start, member);
        at = end;
        let last = bytes.get(start..end).unwrap_or_default();
        if !name::may_end(last) || name::of(last).is_none() {
            continue;
        }
        let Some((value, join)) = separator(bytes, start, end) else {
            continue;
        };
        let words = bytes.get(words(bytes, floor, start)..end).unwrap_or_default();
        floor = end;
        let Some(name) = name::of(words) else {
            continue;
        };
        let behind = scheme(bytes, value);
        // `'Bearer ' + token`: the string is over.
        if behind > value && scan::byte(bytes, behind).is_some_and(|it| b"\"'`".contains(&it)) {
            continue;
        }
        // "You can pass `x`": here it is no noun.
        if join == Join::Space && last.eq_ignore_ascii_case(b"pass") && !is_told(bytes, start) {
            continue;
        }
        let join = if join == Join::Space && is_told(bytes, start) { Join::Sign } else { join };
        if let Some(end) = seen(name, behind, join) {
            at = end;
            floor = at;
        }
    }
}

fn secret(text: &str, name: Name, value: &Value, join: Join) -> Option<Finding> {
    let bytes = text.as_bytes();
    let is = text.get(value.span.clone()).is_some() && value.is_secret(bytes, name, join);
    let aws = name == Name::AwsSecret && value.span.len() == 40;
    let (entity, rule) = match name {
        Name::AwsSecret if aws => (Entity::AwsSecretKey, "aws_secret_key.named"),
        Name::Password => (Entity::SecretOther, "secret.password"),
        Name::Key | Name::AwsSecret => (Entity::SecretOther, "secret.named"),
        Name::Login => (Entity::SecretOther, "secret.login"),
        Name::Perhaps => (Entity::SecretOther, "secret.perhaps"),
    };
    is.then(|| Finding { span: value.span.clone(), entity, rule })
}

/// Whether what stands before a name says that its value follows a space: `login ada password …` of a .netrc, `ENV NAME …`.
fn is_told(text: &[u8], start: usize) -> bool {
    const NAMES: &[&[u8]] = &[b"requirepass", b"masterauth"];
    const BEFORE: &[&[u8]] = &[b"ENV ", b"setenv ", b"setx ", b"SETENV "];
    let before = text.get(start.saturating_sub(40)..start).unwrap_or_default();
    scan::steps::take(before.len());
    let flag = before.ends_with(b" --") || text.get(start..).is_some_and(|it| it.starts_with(b"--"));
    let alone = NAMES.iter().any(|it| scan::stands(text, start, it));
    let user = before.windows(5).any(|it| matches!(it, b"login" | b"user " | b"name "));
    flag || alone || user || BEFORE.iter().any(|it| before.ends_with(it))
}

/// Where the words begin that the one at `start` may be the last of: "aws secret access key".
fn words(text: &[u8], floor: usize, start: usize) -> usize {
    const BACK: usize = 24;
    let from = floor.max(start.saturating_sub(BACK));
    let before = text.get(from..start).unwrap_or_default();
    let length = before.iter().rev().take_while(|it| it.is_ascii_alphanumeric() || b" _-.".contains(it)).count();
    scan::steps::take(length);
    start.saturating_sub(length)
}

/// Where the value begins behind a name that ends at `end`, and how the two are joined.
fn separator(text: &[u8], start: usize, end: usize) -> Option<(usize, Join)> {
    let closed = scan::run(window(text, end, 4), end, |it| b"\"'`])*\\".contains(&it));
    let quoted = closed > end;
    let at = spaces(text, closed);
    let joined = |from: usize, join: Join| Some((annotated(text, line(text, from)), join));
    match scan::byte(text, at)? {
        b'=' | b':' | b'|' | b'?' | b'-' | b'+' => {
            let signs = scan::run(window(text, at, 3), at, |it| b"=:|?->+".contains(&it));
            let fits = !matches!(text.get(at..signs)?, b"-" | b"+" | b"?" | b"--" | b"++");
            fits.then(|| joined(signs, Join::Sign))?
        }
        b',' if quoted => {
            let from = spaces(text, at.saturating_add(1));
            let pair = scan::byte(text, from).is_some_and(|it| b"\"'`\\".contains(&it));
            if pair && !stands_value(text, from) { Some((from, Join::Sign)) } else { beside(text, at) }
        }
        b'>' if before(text, start) == Some(b'<') || quoted => Some((at.saturating_add(1), Join::Element)),
        b'"' | b'\'' | b'`' if at > closed => Some((at, Join::Space)),
        _ if text.get(closed..at).is_some_and(|it| it.contains(&b'\t')) => joined(at, Join::Sign),
        _ if at > closed || quoted => spoken(text, at).or_else(|| beside(text, at)).or_else(|| {
            let word = scan::byte(text, at).is_some_and(|it| it.is_ascii_graphic());
            (word && !quoted && at > closed).then_some((at, Join::Space))
        }),
        b'\n' | b'\r' => beside(text, at),
        b'<' => {
            // The pairs of a property list stand one behind the other.
            let from = at.saturating_add(6);
            let next = scan::run(window(text, from, 24), from, |it| it.is_ascii_whitespace());
            let pair = scan::stands(text, at, b"</key>") && scan::stands(text, next, b"<string>");
            pair.then(|| (next.saturating_add(8), Join::Element))
        }
        _ => None,
    }
}

/// A little of the text from `at` on, so that a run of signs is not read over and over.
fn window(text: &[u8], at: usize, length: usize) -> &[u8] {
    text.get(..at.saturating_add(length)).unwrap_or(text)
}

fn before(text: &[u8], start: usize) -> Option<u8> {
    scan::byte(text, start.checked_sub(1)?)
}

fn spaces(text: &[u8], at: usize) -> usize {
    scan::run(window(text, at, 24), at, |it| matches!(it, b' ' | b'\t'))
}

/// Behind spaces, and behind the end of a line if the value stands on the next one.
fn line(text: &[u8], at: usize) -> usize {
    let at = scan::run(window(text, at, 4), at, |it| it == b'*');
    let at = spaces(text, at);
    let next = scan::run(window(text, at, 2), at, |it| matches!(it, b'\n' | b'\r'));
    if next > at { spaces(text, next) } else { at }
}

/// Behind the type between a name and its value, as in `password: &str = "…"`.
fn annotated(text: &[u8], at: usize) -> usize {
    const TYPES: &[&[u8]] = &[b"string", b"String", b"str", b"&str", b"&'static str", b"SecretString", b"char"];
    let behind = |it: &&[u8]| {
        let sign = spaces(text, at.saturating_add(it.len()));
        (scan::stands(text, at, it) && scan::byte(text, sign) == Some(b'='))
            .then(|| spaces(text, sign.saturating_add(1)))
    };
    TYPES.iter().find_map(behind).unwrap_or(at)
}

/// "is", "was", "to": in prose, also in a few other languages.
fn spoken(text: &[u8], at: usize) -> Option<(usize, Join)> {
    const WORDS: &[&[u8]] = &[
        b"is",
        b"was",
        b"to",
        b"as",
        b"ist",
        b"lautet",
        b"es",
        b"est",
        b"are",
        b"equals",
        "è".as_bytes(),
        "é".as_bytes(),
    ];
    let end = scan::run(window(text, at, 8), at, |it| it.is_ascii_lowercase() || !it.is_ascii());
    if !WORDS.contains(&text.get(at..end)?) {
        return None;
    }
    let colon = scan::run(window(text, end, 1), end, |it| it == b':');
    let value = spaces(text, colon);
    (value > colon).then_some((value, Join::Word))
}

/// The value of a pair whose halves have names of their own: `key="Token" value="…"`, `- name: TOKEN\n  value: …`.
fn beside(text: &[u8], at: usize) -> Option<(usize, Join)> {
    let from = scan::run(window(text, at, 24), at, |it| it.is_ascii_whitespace() || b",\"'".contains(&it));
    if !stands_value(text, from) {
        return None;
    }
    let closed = scan::run(window(text, from, 8), from.saturating_add(5), |it| b"\"'".contains(&it));
    let sign = spaces(text, closed);
    let fits = matches!(scan::byte(text, sign), Some(b'=' | b':'));
    fits.then(|| (spaces(text, sign.saturating_add(1)), Join::Sign))
}

fn stands_value(text: &[u8], at: usize) -> bool {
    let at = scan::run(window(text, at, 2), at, |it| b"\"'".contains(&it));
    scan::stands(text, at, b"value") || scan::stands(text, at, b"Value")
}

/// Behind the word that says how a value is meant: `Bearer …`.
fn scheme(text: &[u8], at: usize) -> usize {
    const SCHEMES: &[&[u8]] =
        &[b"Bearer ", b"bearer ", b"Basic ", b"basic ", b"Token ", b"token ", b"ApiKey ", b"SSWS ", b"Key ", b"token="];
    let quote = usize::from(scan::byte(text, at).is_some_and(|it| b"\"'`".contains(&it)));
    let from = at.saturating_add(quote);
    SCHEMES.iter().find(|it| scan::stands(text, from, it)).map_or(at, |it| from.saturating_add(it.len()))
}

#[cfg(test)]
mod tests;
