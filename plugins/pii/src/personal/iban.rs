//! Bank accounts (ISO 13616): a country, the length that it uses, modulo 97.
//!
//! Precision 99.9 %: one number in 97 has the digits, and few of those begin like an account. No name is asked for, and
//! none helps: with a wrong digit it is no account.

use super::page::{Look, Word};
use super::{Hit, hit_at};
use crate::Entity;
use crate::scan::{byte, steps};

/// How long an account of each country is.
#[rustfmt::skip]
const LENGTHS: &[(&[u8; 2], usize)] = &[
    (b"AD", 24), (b"AE", 23), (b"AL", 28), (b"AT", 20), (b"AZ", 28), (b"BA", 20), (b"BE", 16), (b"BG", 22), (b"BH", 22),
    (b"BI", 27), (b"BR", 29), (b"BY", 28), (b"CH", 21), (b"CR", 22), (b"CY", 28), (b"CZ", 24), (b"DE", 22), (b"DJ", 27),
    (b"DK", 18), (b"DO", 28), (b"EE", 20), (b"EG", 29), (b"ES", 24), (b"FI", 18), (b"FK", 18), (b"FO", 18), (b"FR", 27),
    (b"GB", 22), (b"GE", 22), (b"GI", 23), (b"GL", 18), (b"GR", 27), (b"GT", 28), (b"HN", 28), (b"HR", 21), (b"HU", 28),
    (b"IE", 22), (b"IL", 23), (b"IQ", 23), (b"IS", 26), (b"IT", 27), (b"JO", 30), (b"KW", 30), (b"KZ", 20), (b"LB", 28),
    (b"LC", 32), (b"LI", 21), (b"LT", 20), (b"LU", 20), (b"LV", 21), (b"LY", 25), (b"MC", 27), (b"MD", 24), (b"ME", 22),
    (b"MK", 19), (b"MN", 20), (b"MR", 27), (b"MT", 31), (b"MU", 30), (b"NI", 28), (b"NL", 18), (b"NO", 15), (b"OM", 23),
    (b"PK", 24), (b"PL", 28), (b"PS", 29), (b"PT", 25), (b"QA", 29), (b"RO", 24), (b"RS", 22), (b"RU", 33), (b"SA", 24),
    (b"SC", 31), (b"SD", 18), (b"SE", 24), (b"SI", 19), (b"SK", 24), (b"SM", 27), (b"SO", 23), (b"ST", 25), (b"SV", 28),
    (b"TL", 23), (b"TN", 24), (b"TR", 26), (b"UA", 29), (b"VA", 22), (b"VG", 24), (b"XK", 20), (b"YE", 30),
];

pub(super) fn find(look: &mut Look<'_, '_>) -> Option<Hit> {
    let start = begin(look)?;
    let country =
        [byte(look.text, start)?, byte(look.text, start.saturating_add(1))?].map(|it| it.to_ascii_uppercase());
    let (_, length) = LENGTHS.iter().find(|(name, _)| **name == country)?;
    // A length of its own is believed where nothing is between: the digits that check it are all the same.
    let word = look.word().filter(|it| it.start == start && (15..=34).contains(&it.len()));
    let lengths = [Some(*length), word.map(Word::len)].into_iter().flatten();
    let end = lengths.filter_map(|it| account(look, start, it)).next()?;
    Some(hit_at(start..end, Entity::Iban, "iban"))
}

/// Where the account of `length` letters and digits ends that begins at `start`, if it is one.
fn account(look: &Look<'_, '_>, start: usize, length: usize) -> Option<usize> {
    let (letters, end) = letters(look.text, start, length)?;
    if !look.alone(start, end) || !letters.get(2..4)?.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let (front, back) = letters.split_at_checked(4)?;
    let rest = back.iter().chain(front).fold(0_u32, |rest, it| match it {
        b'0'..=b'9' => rest.wrapping_mul(10).wrapping_add(u32::from(it.wrapping_sub(b'0'))) % 97,
        _ => rest.wrapping_mul(100).wrapping_add(u32::from(it.wrapping_sub(b'A')).wrapping_add(10)) % 97,
    });
    (rest == 1).then_some(end)
}

/// Where an account begins whose first digit stands in the first word: there, or two letters and a gap before it.
fn begin(look: &Look<'_, '_>) -> Option<usize> {
    let word = look.word()?;
    if !word.number {
        return Some(word.start);
    }
    let start = word.start.checked_sub(3)?;
    let gap = byte(look.text, word.start.checked_sub(1)?)?;
    (matches!(gap, b' ' | b'-') && look.text.get(start..)?.iter().take(2).all(u8::is_ascii_alphabetic)).then_some(start)
}

/// The next `length` letters and digits, in upper case and without the gaps, and where they end.
fn letters(text: &[u8], start: usize, length: usize) -> Option<(Vec<u8>, usize)> {
    let mut letters = Vec::with_capacity(length);
    let mut gap = false;
    for (place, it) in text.get(start..)?.iter().take(length.saturating_mul(2)).enumerate() {
        steps::take(1);
        match it {
            it if it.is_ascii_alphanumeric() => letters.push(it.to_ascii_uppercase()),
            b' ' | b'-' | b'.' if !gap => {}
            _ => return None,
        }
        gap = !it.is_ascii_alphanumeric();
        if letters.len() == length {
            return Some((letters, start.saturating_add(place).saturating_add(1)));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use crate::{Entity, tests::check};

    #[test]
    fn accounts_are_found_as_they_are_written() {
        for (text, want) in [
            ("DE89370400440532013000", "DE89370400440532013000"),
            ("IBAN: DE89 3704 0044 0532 0130 00.", "DE89 3704 0044 0532 0130 00"),
            ("gb29nwbk60161331926819", "gb29nwbk60161331926819"),
            ("GB29 NWBK 6016 1331 9268 19", "GB29 NWBK 6016 1331 9268 19"),
            ("FR14 2004 1010 0505 0001 3M02 606 Paris", "FR14 2004 1010 0505 0001 3M02 606"),
            ("NL91-ABNA-0417-1643-00", "NL91-ABNA-0417-1643-00"),
            ("NO9386011117947,", "NO9386011117947"),
            ("MT84 MALT 0110 0001 2345 MTLC AST0 01S", "MT84 MALT 0110 0001 2345 MTLC AST0 01S"),
            ("(BE68\u{a0}5390\u{a0}0754\u{a0}7034)", "BE68\u{a0}5390\u{a0}0754\u{a0}7034"),
            ("ＤＥ８９３７０４００４４０５３２０１３０００", "ＤＥ８９３７０４００４４０５３２０１３０００"),
        ] {
            check(Entity::Iban, text, &[want]);
        }
    }

    #[test]
    fn what_only_looks_like_an_account_stays() {
        for text in [
            "IBAN DE88370400440532013000",
            "DE8937040044053201300",
            "XDE89370400440532013000",
            "DE89370400440532013000A",
            "ZZ89370400440532013000",
            "DE89",
        ] {
            check(Entity::Iban, text, &[]);
        }
    }
}
