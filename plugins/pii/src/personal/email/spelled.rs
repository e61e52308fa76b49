//! Addresses in which the signs are spelled out, so that machines pass them over: `ada [at] example [dot] com`.
//!
//! Looks only around what stands for an `@`, and no further than an address is long.

use crate::scan::{byte, run, stands, steps};
use crate::{Entity, Finding};

/// What an `@` is called.
const AT: &[&str] = &[
    "at",
    "@",
    "ät",
    "et",
    "ad",
    "arroba",
    "arobase",
    "chiocciola",
    "klammeraffe",
    "apenstaartje",
    "małpa",
    "malpa",
    "zavináč",
    "kukac",
    "snabela",
    "собака",
    "собачка",
    "на",
    "à",
    "a",
    "где",
    "圈a",
    "アット",
    "アットマーク",
    "골뱅이",
    "艾特",
];

/// What a `.` is called.
const DOT: &[&str] = &[
    "dot",
    ".",
    "punkt",
    "punto",
    "ponto",
    "point",
    "pt",
    "dt",
    "kropka",
    "tečka",
    "pont",
    "nokta",
    "точка",
    "点",
    "點",
    "ドット",
    "점",
    "닷",
];

/// How an `@` is written where it must not be one.
const CODES: &[&str] = &[
    "%40", "&#64;", "&#064;", "&#x40;", "&commat;", "\\u0040", "_at_", "-at-", ".at.", "*at*", "|at|", " -at- ",
    " *at* ", " |at| ", " _at_ ",
];

/// The same for a dot.
const DOT_CODES: &[&str] = &[
    "%2e", "%2E", "&#46;", "&#x2e;", "&period;", "\\u002e", "_dot_", "-dot-", ".dot.", "*dot*", "|dot|", " -dot- ",
    " *dot* ", " |dot| ",
];

/// Where a word for `@` is a word of prose too, the last label is one of these.
const TOPS: &[&str] = &[
    "com", "org", "net", "edu", "gov", "mil", "int", "info", "biz", "name", "pro", "museum", "io", "dev", "app", "ai",
    "me", "co", "tv", "cc", "xyz", "tech", "online", "site", "cloud", "email", "mail", "example", "test", "invalid",
    "uk", "de", "fr", "es", "it", "nl", "pl", "pt", "br", "in", "cn", "jp", "kr", "ru", "ua", "ch", "at", "be", "se",
    "no", "dk", "fi", "cz", "sk", "hu", "ro", "bg", "gr", "tr", "il", "ie", "is", "lt", "lv", "ee", "hr", "si", "rs",
    "lu", "au", "nz", "za", "mx", "ar", "cl", "pe", "us", "ca", "eu", "hk", "tw", "sg", "my", "id", "th", "vn", "ph",
    "ae", "sa", "eg", "ng", "ke", "ir", "fm", "gg", "so", "to", "asia",
];

/// Words that stand before a bare `at` in prose; an address is behind it only if it is called one.
const MAIL: &[&str] = &[
    "mail", "correo", "contact", "kontakt", "reach", "write", "addr", "adres", "send", "почт", "ping", "escr",
    "schreib",
];

/// What all of them begin with. A pattern, of which the compiler makes one look at a table.
const fn may_begin(it: u8) -> bool {
    matches!(it, b'@' | b'[' | b'(' | b'{' | b'<' | b' ' | b'%' | b'&' | b'\\' | b'_' | b'-' | b'.' | b'*' | b'|')
}

/// How long the name and the domain may be, in bytes.
const LONGEST: usize = 64;

/// What stands for an `@`.
struct Mark {
    start: usize,
    end: usize,
    kind: Kind,
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum Kind {
    /// In brackets, or in the code of a page: nothing else is written so.
    Sure,
    /// A word between spaces, or the sign between them.
    Bare,
    /// The sign itself: only what follows may be spelled.
    Sign,
}

pub(super) fn find(text: &str, found: &mut Vec<Finding>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        at = run(bytes, at, |it| !may_begin(it));
        if at >= bytes.len() {
            return;
        }
        let mark = mark(text, at);
        at = at.saturating_add(1);
        let Some(mark) = mark else { continue };
        if let Some(span) = address(text, &mark).filter(|span| found.last().is_none_or(|it| it.span.end <= span.start))
        {
            at = span.end.max(at);
            found.push(Finding { span, entity: Entity::Email, rule: "email.spelled" });
        }
    }
}

/// What stands for an `@` and begins at `at`.
fn mark(text: &str, at: usize) -> Option<Mark> {
    let bytes = text.as_bytes();
    let made = |end: Option<usize>, kind| end.map(|end| Mark { start: at, end, kind });
    match byte(bytes, at)? {
        b'[' | b'(' | b'{' | b'<' => made(bracketed(text, at, AT), Kind::Sure),
        b' ' if !byte(bytes, at.saturating_add(1)).is_some_and(|it| b"aAc@-*|_".contains(&it)) => None,
        b' ' => between_spaces(text, at, &["at", "AT", "At", "@", "arroba", "chiocciola", "arobase"])
            .map(|end| Mark { start: at, end, kind: Kind::Bare })
            .or_else(|| made(CODES.iter().find_map(|it| code(bytes, at, it)), Kind::Sure)),
        b'@' => made(Some(at.saturating_add(1)), Kind::Sign),
        _ => made(CODES.iter().find_map(|it| code(bytes, at, it)), Kind::Sure),
    }
}

fn code(bytes: &[u8], at: usize, code: &str) -> Option<usize> {
    steps::take(1);
    // Two bytes tell almost all of them, and cost less than a comparison.
    let second = at.saturating_add(1);
    let may = byte(bytes, at) == byte(code.as_bytes(), 0) && byte(bytes, second) == byte(code.as_bytes(), 1);
    (may && stands(bytes, at, code.as_bytes())).then(|| at.saturating_add(code.len()))
}

/// Where the brackets at `at` end if one of `words` is in them.
fn bracketed(text: &str, at: usize, words: &[&str]) -> Option<usize> {
    let rest = text.get(at.saturating_add(1)..)?;
    let close = match text.as_bytes().get(at)? {
        b'[' => ']',
        b'(' => ')',
        b'{' => '}',
        _ => '>',
    };
    let length = rest.char_indices().take(16).find(|(_, it)| *it == close)?.0;
    steps::take(length.saturating_add(words.len()));
    let word = rest.get(..length)?.trim().to_lowercase();
    words.contains(&word.as_str()).then(|| at.saturating_add(length).saturating_add(2))
}

/// Where the spaces end between which one of `words` stands.
fn between_spaces(text: &str, at: usize, words: &[&str]) -> Option<usize> {
    let start = at.saturating_add(1);
    steps::take(words.len());
    let word = words.iter().find(|it| stands(text.as_bytes(), start, it.as_bytes()))?;
    let end = start.saturating_add(word.len());
    (byte(text.as_bytes(), end) == Some(b' ')).then(|| end.saturating_add(1))
}

/// The address around `mark`.
fn address(text: &str, mark: &Mark) -> Option<std::ops::Range<usize>> {
    let (end, last, spelled) = domain(text, mark)?;
    let top = text.get(last..end)?;
    let known = TOPS.iter().any(|it| it.eq_ignore_ascii_case(top));
    let start = name(text, mark)?;
    let is = match mark.kind {
        Kind::Sure => known || (2..=24).contains(&top.len()),
        // `ada@ example.com`: who is mentioned stands right behind the sign.
        Kind::Sign => known && (spelled || byte(text.as_bytes(), mark.end) == Some(b' ')),
        Kind::Bare => {
            known
                && (bytes_of_sign(text, mark)
                    || (spelled && is_called_mail(text, start, mark))
                    || has_signs(text, start, mark))
        }
    };
    is.then_some(start..end)
}

/// `ada @ example.com`, with the sign between the spaces.
fn bytes_of_sign(text: &str, mark: &Mark) -> bool {
    byte(text.as_bytes(), mark.start.saturating_add(1)) == Some(b'@')
}

/// Whether the name before a bare `at` is no word of prose: it has a sign or a digit in it, or mail is spoken of.
fn is_called_mail(text: &str, start: usize, mark: &Mark) -> bool {
    let name = text.get(start..mark.start).unwrap_or_default();
    let mut from = start.saturating_sub(32);
    while !text.is_char_boundary(from) {
        from = from.saturating_add(1);
    }
    let before = text.get(from..start).unwrap_or_default().to_lowercase();
    steps::take(before.len().saturating_mul(2));
    let prose = [
        "us",
        "me",
        "it",
        "look",
        "found",
        "is",
        "available",
        "one",
        "team",
        "them",
        "page",
        "site",
        "here",
        "you",
        "visit",
        "and",
        "or",
    ];
    let loud = stands(text.as_bytes(), mark.start, b" AT ") && name.bytes().any(|it| it.is_ascii_lowercase());
    loud || name.bytes().any(|it| b"._-+ 0123456789".contains(&it))
        || (MAIL.iter().any(|it| before.contains(it)) && !prose.iter().any(|it| it.eq_ignore_ascii_case(name)))
}

/// Whether the name before a bare `at` can only be a name of an address: `ada.l at example.com`.
fn has_signs(text: &str, start: usize, mark: &Mark) -> bool {
    let name = text.get(start..mark.start).unwrap_or_default();
    name.contains(['.', '_']) && name.starts_with(char::is_alphabetic) && !name.contains(' ')
}

/// Where the domain behind `mark` ends, where its last label begins, and whether a dot of it is spelled out.
fn domain(text: &str, mark: &Mark) -> Option<(usize, usize, bool)> {
    let bytes = text.as_bytes();
    let spaces = usize::from(mark.kind != Kind::Bare && byte(bytes, mark.end) == Some(b' '));
    let mut at = mark.end.saturating_add(spaces);
    let limit = at.saturating_add(LONGEST);
    let (mut spelled, mut last) = (false, None);
    loop {
        let end = run(bytes, at, |it| it.is_ascii_alphanumeric() || it == b'-').min(limit);
        // A label's dash may be the beginning of a spelled dot.
        let label = text.get(at..end)?;
        let end = ["-dot-"].iter().find_map(|it| label.find(it)).map_or(end, |it| at.saturating_add(it));
        if end == at || end >= limit {
            break;
        }
        last = Some((at, end));
        match dot(text, end) {
            Some((next, words)) if byte(bytes, next).is_some_and(|it| it.is_ascii_alphanumeric()) => {
                spelled |= words;
                at = next;
            }
            _ => break,
        }
    }
    let (start, end) = last?;
    let top = text.get(start..end)?;
    (start > mark.end.saturating_add(spaces) && top.bytes().all(|it| it.is_ascii_alphabetic()))
        .then_some((end, start, spelled))
}

/// Where the dot ends that stands at `at`, and whether it is spelled out.
fn dot(text: &str, at: usize) -> Option<(usize, bool)> {
    let bytes = text.as_bytes();
    let spaces = usize::from(byte(bytes, at) == Some(b' '));
    let start = at.saturating_add(spaces);
    let after = |end: usize| end.saturating_add(usize::from(byte(bytes, end) == Some(b' ')));
    let first = byte(bytes, start)?;
    if matches!(first, b'[' | b'(' | b'{' | b'<') {
        return bracketed(text, start, DOT).map(|end| (after(end), true));
    }
    if let Some(end) = DOT_CODES.iter().find_map(|it| code(bytes, at, it)) {
        return Some((end, true));
    }
    if spaces == 1 {
        let words = ["dot", "DOT", "Dot", ".", "punto", "ponto", "punkt", "point"];
        return between_spaces(text, at, &words).map(|end| (end, true));
    }
    (first == b'.').then(|| (start.saturating_add(1), false))
}

/// Where the name begins before `mark`, with the dots in it that are spelled out.
fn name(text: &str, mark: &Mark) -> Option<usize> {
    let bytes = text.as_bytes();
    let word = |end: usize| {
        let letters = bytes.get(end.saturating_sub(LONGEST)..end).unwrap_or_default().iter().rev();
        let member = |it: &&u8| it.is_ascii_alphanumeric() || b"._+-".contains(it) || **it >= 0x80;
        let length = letters.take_while(member).count();
        steps::take(length);
        end.saturating_sub(length)
    };
    let end =
        mark.start.checked_sub(usize::from(mark.start.checked_sub(1).and_then(|it| byte(bytes, it)) == Some(b' ')))?;
    let mut start = word(end);
    for _ in 0..2 {
        let before = bytes.get(..start).unwrap_or_default();
        let joint = [" dot ", " [dot] ", " (dot) ", "[dot]", "(dot)", "[.]", "(.)"]
            .iter()
            .find(|it| before.ends_with(it.as_bytes()));
        let Some(joint) = joint else { break };
        start = word(start.saturating_sub(joint.len()));
    }
    while !text.is_char_boundary(start) {
        start = start.saturating_add(1);
    }
    let name = text.get(start..end)?;
    let trimmed = name.trim_start_matches(|it: char| !it.is_alphanumeric());
    let start = start.saturating_add(name.len().saturating_sub(trimmed.len()));
    (start < end).then_some(start)
}

#[cfg(test)]
mod tests {
    use crate::{Entity, tests::check};

    #[test]
    fn spelled_addresses_are_found() {
        for (text, want) in [
            ("ada [at] example [dot] com", "ada [at] example [dot] com"),
            ("write to ada.l(at)example.com!", "ada.l(at)example.com"),
            ("ada (at) mail (dot) example (dot) org, please", "ada (at) mail (dot) example (dot) org"),
            ("ada{at}example{dot}net", "ada{at}example{dot}net"),
            ("<ada[@]example[.]com>", "ada[@]example[.]com"),
            ("ada@example[.]com", "ada@example[.]com"),
            ("ada@example (dot) com", "ada@example (dot) com"),
            ("my email is ada at example dot com", "ada at example dot com"),
            ("ada dot lovelace at example dot co dot uk", "ada dot lovelace at example dot co dot uk"),
            ("ADA AT EXAMPLE DOT COM is my mail; mail eve AT example DOT com", "eve AT example DOT com"),
            ("ada @ example.com", "ada @ example.com"),
            ("ada @ example . com", "ada @ example . com"),
            ("mailto=ada%40example.com&x", "ada%40example.com"),
            ("ada&#64;example&#46;com", "ada&#64;example&#46;com"),
            ("ada_at_example_dot_com", "ada_at_example_dot_com"),
            ("ada -at- example -dot- com", "ada -at- example -dot- com"),
            ("ada *at* example *dot* com", "ada *at* example *dot* com"),
            ("ada|at|example|dot|com", "ada|at|example|dot|com"),
            ("ada AT example DOT com", "ada AT example DOT com"),
            ("write ada.l at example.com", "ada.l at example.com"),
            ("ada@ example.com", "ada@ example.com"),
            ("a d a @ e x a m p l e . c o m", "a d a @ e x a m p l e . c o m"),
            ("correo: ada arroba example punto com", "ada arroba example punto com"),
            ("ａｄａ＠ｅｘａｍｐｌｅ．ｃｏｍ", "ａｄａ＠ｅｘａｍｐｌｅ．ｃｏｍ"),
            ("a\u{200b}da@exa\u{200b}mple.com", "a\u{200b}da@exa\u{200b}mple.com"),
            ("ada\u{ad}@example.com", "ada\u{ad}@example.com"),
        ] {
            check(Entity::Email, text, &[want]);
        }
    }

    #[test]
    fn prose_stays() {
        for text in [
            "meet at noon",
            "look at example dot com",
            "visit us at example dot com for more",
            "the function (at) the top [dot] product",
            "we met (at) noon. Later we left",
            "a [dot] b",
            "price @ 3.50",
            "x[at] = y",
            "mean_at_k",
            "500 items at 3 dot 5",
        ] {
            check(Entity::Email, text, &[]);
        }
    }
}
