//! What follows the name of a secret: where it ends, and whether it is one.

use super::{drawn, name::Name};
use crate::scan;
use std::ops::Range;

/// No secret on one line is longer; what is has a form of its own.
const LONGEST: usize = 512;

/// How a name and a value are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Join {
    /// By a sign: `=`, `:`, `=>`, `|`.
    Sign,
    /// By a word: "is".
    Word,
    /// By a space alone.
    Space,
    /// The value is an element's text: `<password>…</password>`.
    Element,
}

/// A value as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) span: Range<usize>,
    pub(crate) quoted: bool,
}

impl Value {
    /// The value that begins at `at`, if one does.
    pub(crate) fn at(text: &[u8], at: usize, join: Join) -> Option<Self> {
        if join == Join::Element {
            let end = scan::run(limit(text, at), at, |it| it != b'<' && it != b'\n');
            return scan::stands(text, end, b"</").then_some(Self { span: at..end, quoted: false });
        }
        Self::quoted(text, at).or_else(|| Self::bare(text, at, join))
    }

    /// What a program takes as `user:password`, in quotes or up to a space.
    pub(crate) fn login(text: &[u8], at: usize) -> Option<Self> {
        Self::quoted(text, at).or_else(|| {
            let end = scan::run(limit(text, at), at, |it| it.is_ascii_graphic() && !b"\"'`<>|;&".contains(&it));
            (end > at).then_some(Self { span: at..end, quoted: false })
        })
    }

    /// `"…"`, `'…'`, `` `…` ``, `\"…\"`, also behind a letter as in `b"…"`.
    fn quoted(text: &[u8], at: usize) -> Option<Self> {
        let letter = scan::byte(text, at).is_some_and(|it| b"bBrRuUfFL@$".contains(&it));
        let at = at.saturating_add(usize::from(letter));
        let escaped = scan::byte(text, at) == Some(b'\\');
        let open = at.saturating_add(usize::from(escaped));
        let quote = scan::byte(text, open).filter(|it| b"\"'`".contains(it))?;
        let three = scan::stands(text, open, &[quote, quote, quote]);
        let start = open.saturating_add(if three { 3 } else { 1 });
        let mut end = start;
        loop {
            end = scan::run(limit(text, start), end, |it| it != quote && it != b'\n' && it != b'\\');
            match scan::byte(text, end)? {
                b'\\' if escaped && scan::byte(text, end.saturating_add(1)) == Some(quote) => break,
                b'\\' if end.saturating_sub(start) < LONGEST => end = end.saturating_add(2),
                it if it == quote && !escaped => break,
                _ => return None,
            }
        }
        Some(Self { span: start..end, quoted: true })
    }

    /// Up to a space, or a sign that ends a value wherever it is written; a call, an index or a URL is no value.
    fn bare(text: &[u8], at: usize, join: Join) -> Option<Self> {
        let member = |it: u8| it.is_ascii_graphic() && !b"\"'`<>,;|()[]{}\\:=&".contains(&it);
        let text = limit(text, at);
        let mut end = scan::run(text, at, member);
        // A sign that divides pairs elsewhere may stand in a value too, but not in a row of pairs.
        for _ in 0..2 {
            if goes_on(text, at, end, join) {
                end = scan::run(text, end.saturating_add(1), member);
            }
        }
        let padded = scan::run(window(text, end), end, |it| it == b'=');
        if padded > end && !scan::byte(text, padded).is_some_and(|it| it.is_ascii_alphanumeric()) {
            end = padded;
        }
        match scan::byte(text, end) {
            Some(b'(' | b'[' | b'{' | b'=') => return None,
            Some(b':') if scan::byte(text, end.saturating_add(1)).is_some_and(|it| it.is_ascii_graphic()) => {
                return None;
            }
            _ => {}
        }
        let value = text.get(at..end)?;
        // An exclamation mark may end the sentence, but the password too: better one sign too many than the last of it.
        let trimmed = value.iter().rev().take_while(|it| b".?*".contains(it)).count();
        let end = end.saturating_sub(trimmed);
        (end > at).then_some(Self { span: at..end, quoted: false })
    }

    /// Whether the value that begins at `at` may go on behind the end of the text.
    pub(crate) fn is_open(text: &[u8], at: usize, join: Join) -> bool {
        if at.saturating_add(LONGEST) < text.len() {
            return false;
        }
        let rest = text.get(at..).unwrap_or_default();
        let quotes = rest.iter().take(5).any(|it| b"\"'`".contains(it)) || join == Join::Element;
        let line = !rest.contains(&b'\n');
        match Self::at(text, at, join) {
            Some(value) if value.quoted => false,
            Some(value) => value.span.end.saturating_add(4) > text.len() || (quotes && line),
            None => line && (quotes || rest.iter().all(u8::is_ascii_graphic)),
        }
    }

    /// Whether it is the secret that `name` promises.
    pub(crate) fn is_secret(&self, text: &[u8], name: Name, join: Join) -> bool {
        let Some(value) = text.get(self.span.clone()) else {
            return false;
        };
        if value.len() < 5 || value.contains(&b' ') || is_place(value) || drawn::stands_for_another(value) {
            return false;
        }
        // `#[cfg]`, `# comment`, `\\x41`, and pairs of names: `user:admin`.
        let look = drawn::Look::at(value);
        let note =
            value.starts_with(b"#") && look.digits == 0 && !self.quoted || value.windows(2).any(|it| it == b"\\x");
        if note || (value.contains(&b':') && look.digits == 0) {
            return false;
        }
        match (name, join) {
            (Name::Login, _) => pair(value),
            (Name::Password, Join::Space) if !self.quoted => {
                chosen(value) && drawn::Look::at(value).kinds() >= 3 || long_key(value)
            }
            (_, Join::Space) if !self.quoted => long_key(value),
            (Name::Password, Join::Word) => spoken(value),
            (Name::Password, _) => chosen(value),
            (Name::Key | Name::AwsSecret, Join::Word) => drawn::like_a_key(value) && value.len() >= 12,
            (Name::Key | Name::AwsSecret, _) => key(value),
            (Name::Perhaps, _) => perhaps(value),
        }
    }
}

/// Whether a value that begins at `at` goes on behind the sign at `end`.
fn goes_on(text: &[u8], at: usize, end: usize, join: Join) -> bool {
    let next = scan::byte(text, end.saturating_add(1));
    let more = next.is_some_and(|it| it.is_ascii_graphic() && !b"/:=&|\"'`".contains(&it)) && end > at;
    match scan::byte(text, end) {
        Some(b'=') => more && end.saturating_sub(at) >= 8,
        Some(b':') => more,
        Some(b'&') if join == Join::Sign => {
            let name = scan::run(window(text, end), end.saturating_add(1), scan::word);
            more && scan::byte(text, name) != Some(b'=')
        }
        Some(b'&') => more,
        _ => false,
    }
}

fn window(text: &[u8], at: usize) -> &[u8] {
    text.get(..at.saturating_add(24)).unwrap_or(text)
}

fn limit(text: &[u8], at: usize) -> &[u8] {
    text.get(..at.saturating_add(LONGEST)).unwrap_or(text)
}

/// A path, a URL, an address, a name in a program: it says where something is.
fn is_place(value: &[u8]) -> bool {
    let start: &[&[u8]] = &[b"/", b"./", b"../", b"~/", b"--", b"this.", b"self."];
    let drawn = drawn::like_a_key(value);
    let slashes = value.iter().filter(|it| **it == b'/').count();
    let path = !drawn && (slashes >= 2 || start.iter().any(|it| value.starts_with(it)));
    let mail =
        value.iter().position(|it| *it == b'@').is_some_and(|at| value.get(at..).is_some_and(|it| it.contains(&b'.')));
    path || mail || value.windows(3).any(|it| it == b"://") || is_name(value)
}

/// A name in a program: `config.token1`, `Duration::ZERO`, `WIN32_ERROR`, `*const`, `X509Credential`, `sha256`.
fn is_name(value: &[u8]) -> bool {
    const ENDS: &[&[u8]] = &[
        b"sha1", b"sha224", b"sha256", b"sha384", b"sha512", b"x509", b"base64", b"utf8", b"utf-8", b"md5", b"oauth2",
        b"ed25519", b"rs256", b"hs256", b"es256", b"int64", b"int32", b"uint64", b"float64", b"u32", b"u64", b"i32",
        b"i64",
    ];
    let look = drawn::Look::at(value);
    let few = look.digits.saturating_mul(4) <= look.letters() && look.upper.saturating_mul(3) < look.letters();
    let word = value.windows(5).any(|it| it.iter().all(u8::is_ascii_lowercase));
    let dotted =
        value.contains(&b'.') && look.signs == 0 && (few || word) && look.upper.saturating_mul(3) < look.letters();
    let host = word
        && value.contains(&b'.')
        && value.iter().all(|it| scan::word(*it) || b".:".contains(it))
        && look.upper == 0;
    let path = value.windows(2).any(|it| it == b"::");
    let constant =
        look.lower == 0 && look.signs == 0 && value.contains(&b'_') && look.digits.saturating_mul(3) <= look.upper;
    let letters = |it: &[u8]| !it.is_empty() && it.iter().all(|it| it.is_ascii_alphabetic() || *it == b'_');
    let pointed = matches!(value, [b'*' | b'!' | b'&' | b'~', rest @ ..] if letters(rest));
    let lower = value.to_ascii_lowercase();
    let technical = ENDS.iter().any(|it| lower.ends_with(it)) && !look.is_jumbled();
    let starts =
        value.first().is_some_and(u8::is_ascii_alphabetic) && value.last().is_some_and(u8::is_ascii_alphabetic);
    // A number in the middle of a name: `PKCS7PrivateKey`.
    let numbered = starts
        && look.signs == 0
        && look.upper > 0
        && few
        && look.digits <= 5
        && look.letters() >= 9
        && value.iter().all(u8::is_ascii_alphanumeric)
        && value.windows(4).filter(|it| it.iter().all(u8::is_ascii_lowercase)).count() >= 3
        && !(look.length >= 20 && look.changes_often());
    dotted || host || path || constant || pointed || technical || numbered
}

/// A password somebody may have chosen: letters with digits or signs among them, or a number long enough.
fn chosen(value: &[u8]) -> bool {
    let look = drawn::Look::at(value);
    let signs = value.iter().any(|it| b"!@#$%^&*+~?".contains(it));
    let letters = look.letters() >= 2 && (look.digits > 0 || signs) && look.length >= 6;
    let shout = look.lower == 0 && look.signs == 0 && look.length < 8;
    let number = look.digits >= 6 && look.digits == look.length && look.different >= 3;
    (letters && !shout) || number || (look.kinds() >= 3 && look.length >= 5)
}

/// The same in prose, where other words may stand in its place: "the password is SHA-256 hashed".
fn spoken(value: &[u8]) -> bool {
    let look = drawn::Look::at(value);
    let number = look.digits >= 6 && look.digits == look.length && look.different >= 3;
    let ratio = value.contains(&b'/') || value.ends_with(b"%");
    number || (chosen(value) && look.lower > 0 && (look.digits > 0 || look.kinds() >= 3) && !ratio)
}

/// A key that was drawn, or a secret somebody chose, with a number in it.
fn key(value: &[u8]) -> bool {
    let look = drawn::Look::at(value);
    let drawn = look.length >= 10 && drawn::like_a_key(value) && look.digits > 0;
    let letters = look.length >= 20 && drawn::like_a_key(value);
    let written = look.length >= 10 && look.digits >= 2 && look.letters() >= 6 && look.different >= 8;
    let signs = look.length >= 10 && look.kinds() >= 3 && look.different >= 7;
    drawn || letters || written || signs
}

/// Drawn, and long enough to need no sign before it.
fn long_key(value: &[u8]) -> bool {
    value.len() >= 16 && drawn::like_a_key(value) && drawn::Look::at(value).digits > 0
}

/// So sure to be drawn that a name which says little is enough.
fn perhaps(value: &[u8]) -> bool {
    let look = drawn::Look::at(value);
    let kinds = look.lower > 0 && look.upper > 0 && look.digits > 0;
    let letters = value.iter().all(|it| scan::word(*it) || b"+/=.%".contains(it));
    value.len() >= 20 && kinds && letters && drawn::like_a_key(value)
}

/// `user:password`, or a key by itself.
fn pair(value: &[u8]) -> bool {
    let at = value.iter().position(|it| *it == b':');
    let (user, password) = at.and_then(|at| value.split_at_checked(at)).unwrap_or((b"", b""));
    let password = password.get(1..).unwrap_or_default();
    let named = !user.is_empty() && user.iter().all(|it| scan::word(*it) || b".@".contains(it));
    let number = password.iter().all(u8::is_ascii_digit);
    (named && !number && spoken(password)) || long_key(value)
}
