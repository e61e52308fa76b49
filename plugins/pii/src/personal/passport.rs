//! Passports: a word for one, and behind it a number of the form that states give them.
//!
//! Precision 95 %. The forms are as good as any (`12AB34567`, nine digits), so nothing is found without the word.

use super::check::{is_day, value};
use super::page::{Gap, Look};
use super::signs::Sign;
use super::{Hit, hit_at};
use crate::Entity;
use crate::scan::byte;

pub(super) fn find(look: &mut Look<'_, '_>) -> Option<Hit> {
    let word = look.word()?;
    let end = look.end(count(look)?.saturating_sub(1));
    let start = series(look).unwrap_or(word.start);
    if !look.alone(start, end) || !look.context.names(start, Sign::Passport) {
        return None;
    }
    look.context.forget(Sign::Passport);
    Some(hit_at(start..end, Entity::Passport, "passport"))
}

/// How many words the number has, if they have the form of one.
fn count(look: &Look<'_, '_>) -> Option<usize> {
    if look.shaped(&[2, 2, 6], &[Gap::Space]) {
        return Some(3);
    }
    if look.shaped(&[4, 6], &[Gap::Space]) || look.shaped(&[2, 7], &[Gap::Space]) {
        return Some(2);
    }
    let word = look.word()?;
    let letters = look.text.get(word.start..word.end)?;
    let digits = letters.iter().filter(|it| it.is_ascii_digit()).count();
    let length = if series(look).is_some() { 5..=9 } else { 6..=10 };
    let small = letters.iter().any(u8::is_ascii_lowercase);
    let formed = length.contains(&letters.len()) && digits >= if small { 5 } else { 2 };
    let joined = look.sizes.len() > 1 && look.gaps.first().is_some_and(|it| *it != Gap::Space);
    (formed && !joined && !is_date(letters)).then_some(1)
}

/// Where the letters begin that stand before the digits: `A 1234567`, `K-1234567`.
fn series(look: &Look<'_, '_>) -> Option<usize> {
    let start = look.word().filter(|it| it.number)?.start;
    byte(look.text, start.checked_sub(1)?).filter(|it| matches!(it, b' ' | b'-'))?;
    let end = start.checked_sub(1)?;
    let before = look.text.get(end.saturating_sub(3)..end)?;
    let count = before.iter().rev().take_while(|it| it.is_ascii_uppercase()).count();
    let begin = end.checked_sub(count)?;
    let prior = begin.checked_sub(1).and_then(|it| byte(look.text, it));
    (matches!(count, 1 | 2) && prior.is_none_or(|it| !it.is_ascii_alphanumeric() && it != b'-')).then_some(begin)
}

/// `20310501`: the day on which it ends.
fn is_date(letters: &[u8]) -> bool {
    let digits: Vec<u8> = letters.iter().map(|it| it.wrapping_sub(b'0')).collect();
    let date = matches!(value(&digits, 0..2), 19 | 20) && is_day(value(&digits, 4..6), value(&digits, 6..8));
    digits.len() == 8 && digits.iter().all(|it| *it < 10) && date
}

#[cfg(test)]
mod tests {
    use crate::{Entity, tests::check};

    #[test]
    fn passports_are_found_in_many_languages() {
        for (text, want) in [
            ("Passport number: 123456789", "123456789"),
            ("passport no. A12345678, valid", "A12345678"),
            ("Reisepassnummer: C01X00T47", "C01X00T47"),
            ("Passeport n° 12AB34567", "12AB34567"),
            ("Pasaporte: AAA123456", "AAA123456"),
            ("passaporto YA1234567", "YA1234567"),
            ("Passaporte FK123456", "FK123456"),
            ("paspoort NXL2P4R68", "NXL2P4R68"),
            ("nr paszportu: EH1234567", "EH1234567"),
            ("パスポート番号：TK1234567", "TK1234567"),
            ("护照号码：E12345678", "E12345678"),
            ("여권번호 M12345678", "M12345678"),
            ("паспорт серия 4508 123456", "4508 123456"),
            ("паспорт 45 08 123456", "45 08 123456"),
            ("جواز السفر: A12345678", "A12345678"),
            ("पासपोर्ट नंबर K1234567", "K1234567"),
            ("passport K-1234567", "K-1234567"),
            ("{\"passportNumber\": \"X1234567\"}", "X1234567"),
            ("passport_no=ab123456", "ab123456"),
        ] {
            check(Entity::Passport, text, &[want]);
        }
    }

    #[test]
    fn what_only_looks_like_one_stays() {
        for text in [
            "A12345678",
            "passport, valid until 20310501",
            "passport renewal costs 65 EUR",
            "passport office, order no. 123456789",
            "password: C01X00T47",
            "Passport.js v0.7.123",
        ] {
            check(Entity::Passport, text, &[]);
        }
    }
}
