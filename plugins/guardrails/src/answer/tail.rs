//! The end of a text, which may still become something.

use pii::{Entities, Entity};
use std::ops::Range;

/// Up to which byte of `text` [`pii::find`] has said all, whatever may follow, but for what it finds across that place,
/// which the scanner sees for itself: it looks for all anyway.
///
/// What stands before `from` is out already; where nothing behind it is settled the answer is `from`, or less.
///
/// What `pii` takes for one long word is not, where a language writes none: nothing that it finds has an ideograph in
/// it but dates, so what ends with one is let go.
#[must_use]
pub fn settled(text: &str, from: usize) -> usize {
    let open = text.get(from..).unwrap_or_default();
    // The last word never is; often no other is here.
    if !open.contains(|it: char| it.is_whitespace() || is_of_no_word(it)) {
        return from;
    }
    let settled = pii::settled(text, Entities::default());
    let open = text.get(settled..).unwrap_or_default();
    let letters = open.find(|it| !is_of_no_word(it)).unwrap_or(open.len());
    settled.saturating_add(letters)
}

/// Letters and signs of a language without spaces, but for those that dates and numbers are written with.
fn is_of_no_word(it: char) -> bool {
    let plain = matches!(it, '\u{e00}'..='\u{eff}' | '\u{2e80}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}');
    (plain || "，！？：；".contains(it)) && !it.is_numeric() && !"年月日号號〇零一二三四五六七八九十@．。".contains(it)
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

/// What is certain to have begun at the end of `text` though it is not whole, and what it is: a private key by its
/// first line and what follows, a token by what its header says. Both are longer than any bound on what may be held.
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
    fn what_may_still_grow_is_not_settled_and_ideographs_are() {
        for (text, want) in [
            ("", ""),
            ("Hello", ""),
            ("Hello there", "Hello "),
            ("write to ada at example dot co", "write to "),
            ("card 4111 1111 ", "card "),
            ("see -----BEGIN RSA PRIVATE KEY----- a b c", "see "),
            ("你好，请写信给", "你好，请写信给"),
            ("请写信给ada", "请写信给"),
            ("1990年5月", ""),
        ] {
            assert_eq!(text.get(..settled(text, 0)), Some(want), "{text}");
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
