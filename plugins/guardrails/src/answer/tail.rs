//! The end of a text, which may still become something.

use pii::Entity;
use std::ops::Range;

/// Up to which byte of `text` nothing can still grow that is written as one word, as groups of digits and capitals, as a date, or
/// with words for its signs (`ada at example dot com`), for finders that cannot say better.
#[must_use]
pub fn settled(text: &str) -> usize {
    let mut end = start_of_word(text);
    let last = text.get(end..).unwrap_or_default();
    // What begins behind a space may turn out to join the words on both of its sides.
    let mut joins = JOINTS.iter().any(|it| it.starts_with(&last.to_ascii_lowercase()));
    let mut groups = last.bytes().all(group) || is_month(last);
    loop {
        let before = text.get(..end).unwrap_or_default().trim_end();
        let start = start_of_word(before);
        let word = before.get(start..).unwrap_or_default();
        let is_joint = JOINTS.iter().any(|it| it.eq_ignore_ascii_case(word));
        let letters = word.bytes().rev().take_while(|it| group(*it)).count();
        let is_group = groups && (letters == word.len() && letters <= LONGEST_GROUP || is_month(word));
        if word.is_empty() || !(joins || is_joint || is_group) {
            // The first group may stand right behind something else.
            let begun = before.len().saturating_sub(letters);
            end = if groups && (1..=LONGEST_GROUP).contains(&letters) { begun } else { end };
            break;
        }
        (end, joins, groups) = (start, is_joint, is_group);
    }
    armour(text).map_or(end, |it| it.min(end))
}

/// What stands for a sign of an e-mail address.
const JOINTS: [&str; 12] = ["at", "[at]", "(at)", "{at}", "<at>", "dot", "[dot]", "(dot)", "{dot}", "<dot>", "@", "."];

/// The longest group that numbers are written in.
const LONGEST_GROUP: usize = 9;

/// How the names of months begin, in a few languages.
const MONTHS: [&str; 27] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", "mär", "mai", "okt", "dez",
    "fév", "avr", "juin", "aoû", "déc", "ene", "abr", "ago", "set", "dic", "gen",
];

/// What numbers are made of that are written in groups: cards, phones, accounts, dates.
fn group(it: u8) -> bool {
    it.is_ascii_digit() || it.is_ascii_uppercase() || b"+-.()/,".contains(&it)
}

fn is_month(word: &str) -> bool {
    let word = word.to_lowercase();
    (1..=12).contains(&word.len()) && MONTHS.iter().any(|it| word.starts_with(it) || it.starts_with(&word))
}

/// Where the last word begins. Ideographs have no spaces between words, and end one.
fn start_of_word(text: &str) -> usize {
    let ends = |it: char| it.is_whitespace() || (it >= '\u{2e80}' && !"年月日".contains(it) && !folded(it));
    let Some(at) = text.rfind(ends) else { return 0 };
    let width = text.get(at..).and_then(|it| it.chars().next()).map_or(1, char::len_utf8);
    at.saturating_add(width)
}

/// Letters, digits and signs in full width, and those beyond the first plane, which are read as plain ones.
fn folded(it: char) -> bool {
    matches!(it, '\u{ff00}'..='\u{ffef}' | '\u{fe00}'..='\u{feff}') || it >= '\u{1d400}'
}

/// Where a private key begins whose end has not come.
fn armour(text: &str) -> Option<usize> {
    let at = text.rfind(ARMOUR)?;
    (!text.get(at..)?.contains("-----END ")).then_some(at)
}

const ARMOUR: &str = "-----BEGIN ";
/// So many letters of base64 behind a private key's first line make it certain; an example has dots there.
const LEAST_KEY: usize = 16;
/// A token's first letters, which are `{"` in base64.
const TOKEN: &str = "eyJ";
/// What a token's header has in it.
const CLAIMS: [&str; 4] = ["\"alg\"", "\"typ\"", "\"kid\"", "\"enc\""];

/// What is certain to have begun at the end of `text` though it is not whole, and what it is: a private key by its first line and what
/// follows, a token by what its header says. Both are longer than any bound on what may be held.
#[must_use]
pub fn begun(text: &str) -> Option<(Range<usize>, Entity)> {
    private_key(text).map(|it| (it, Entity::PrivateKey)).or_else(|| token(text).map(|it| (it, Entity::Jwt)))
}

fn private_key(text: &str) -> Option<Range<usize>> {
    let at = armour(text)?;
    let (label, body) = text.get(at.saturating_add(ARMOUR.len())..)?.split_once("-----")?;
    let key = body.trim_start_matches("\\r").trim_start_matches("\\n").trim_start();
    let letters = key.bytes().take_while(|it| it.is_ascii_alphanumeric() || b"+/".contains(it)).count();
    let named = label.len() <= 40 && label.ends_with("PRIVATE KEY");
    (named && (letters >= LEAST_KEY || key.starts_with("Proc-Type:"))).then_some(at..text.len())
}

fn token(text: &str) -> Option<Range<usize>> {
    let member = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_' | '.');
    let at = text.rfind(|it| !member(it)).map_or(0, |at| text.ceil_char_boundary(at.saturating_add(1)));
    let word = text.get(at..)?;
    let start = at.saturating_add(word.find(TOKEN)?);
    let header = text.get(start..)?.split('.').next()?;
    let said = decoded(header);
    CLAIMS.iter().any(|it| said.contains(it)).then_some(start..text.len())
}

/// What base64url stands for, as far as it is ASCII.
fn decoded(text: &str) -> String {
    let (mut out, mut bits, mut count) = (String::new(), 0_u32, 0_u32);
    for it in text.bytes() {
        let value = match it {
            b'A'..=b'Z' => it.wrapping_sub(b'A'),
            b'a'..=b'z' => it.wrapping_sub(b'a').wrapping_add(26),
            b'0'..=b'9' => it.wrapping_sub(b'0').wrapping_add(52),
            b'-' | b'+' => 62,
            b'_' | b'/' => 63,
            _ => break,
        };
        bits = (bits << 6 | u32::from(value)) & 0xffff;
        count = count.saturating_add(6);
        if count >= 8 {
            count = count.saturating_sub(8);
            let byte = u8::try_from(bits >> count & 0xff).unwrap_or_default();
            out.push(char::from(byte));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_still_grow_is_not_settled() {
        for (text, want) in [
            ("", ""),
            ("Hello", ""),
            ("Hello!", ""),
            ("请写信给 ada", "请写信给 "),
            ("写信给ada", "写信给"),
            ("born 11 Mar", "born "),
            ("Hello there", "Hello "),
            ("Hello ", ""),
            ("write to ada a", "write to "),
            ("write to ada at example dot co", "write to "),
            ("card 4111 1111 ", "card "),
            ("is GB29 NWBK 6016 13", "is "),
            ("see -----BEGIN RSA PRIVATE KEY----- a b c", "see "),
            ("to:4111 1111 ", "to:"),
            ("naïve! é", "naïve! "),
        ] {
            assert_eq!(text.get(..settled(text)), Some(want), "{text}");
        }
    }

    #[test]
    fn a_key_and_a_token_are_certain_before_they_are_whole() {
        for (text, want) in [
            ("see -----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAx", Some("private_key")),
            ("see -----BEGIN PRIVATE KEY-----\\nMIIEowIBAAKCAQEAx", Some("private_key")),
            ("-----BEGIN PUBLIC KEY-----\nMIIEowIBAAKCAQEAx", None),
            ("-----BEGIN PRIVATE KEY-----\n...", None),
            ("Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJz", Some("jwt")),
            ("Bearer eyJjdXJzb3IiOjEyMzQ1Njc4OTAxMjM0NTY3ODkwfQ", None),
            ("plain words", None),
        ] {
            assert_eq!(begun(text).map(|(_, it)| it.key()), want, "{text}");
        }
    }
}
