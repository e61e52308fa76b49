//! National insurance numbers of the United Kingdom: two letters, six digits, a letter.
//!
//! Precision 98 %: no check digit, but most pairs of letters are never given, and the last letter is one of four. In small
//! letters, with a pair that is never given or without the last letter, only what is called so.

use super::super::page::Look;
use super::super::signs::Sign;
use super::super::{Hit, hit_at};
use crate::Entity;
use crate::scan::byte;

pub(crate) fn find(look: &mut Look<'_, '_>) -> Option<Hit> {
    let word = look.word()?;
    let own = byte(look.text, word.start)?.is_ascii_alphabetic();
    let start = if own { word.start } else { word.start.checked_sub(3)? };
    let (letters, end) = read(look.text, start)?;
    let [first, second, last] = letters;
    let end = if last.is_some() && look.alone(start, end) { end } else { end_of_digits(look.text, start, end, last)? };
    let last = last.filter(|_| byte(look.text, end.saturating_sub(1)).is_some_and(|it| it.is_ascii_alphabetic()));
    if !look.alone(start, end) {
        return None;
    }
    let given = given(first?, second?) && matches!(last, Some(b'A'..=b'D'));
    let named = look.context.names(start, Sign::Nino);
    let other = look.context.names(start, Sign::Passport) || look.context.is_other(start);
    (named || given && !other)
        .then(|| hit_at(start..end, Entity::UkNino, if named { "uk_nino.named" } else { "uk_nino" }))
}

/// The letters of what stands at `start`, and where it ends: `AB123456C`, `AB 12 34 56 C`.
fn read(text: &[u8], start: usize) -> Option<([Option<u8>; 3], usize)> {
    let mut at = start;
    let mut next = |digit: bool| {
        let gap = byte(text, at).filter(|it| matches!(it, b' ' | b'-' | b'.'));
        let place = at.saturating_add(usize::from(gap.is_some()));
        let it = byte(text, place)?;
        let is = if digit { it.is_ascii_digit() } else { it.is_ascii_alphabetic() };
        is.then(|| at = place.saturating_add(1)).map(|()| it)
    };
    let (first, second) = (next(false)?, next(false)?);
    for _ in 0..6 {
        next(true)?;
    }
    let last = next(false);
    Some(([Some(first), Some(second), last], at))
}

/// Where it ends without its last letter, which belongs to the next word.
fn end_of_digits(text: &[u8], start: usize, end: usize, last: Option<u8>) -> Option<usize> {
    if last.is_none() {
        return Some(end);
    }
    let inside = text.get(start..end.saturating_sub(1))?;
    let digits = inside.iter().rposition(u8::is_ascii_digit)?;
    Some(start.saturating_add(digits).saturating_add(1))
}

fn given(first: u8, second: u8) -> bool {
    let pair = [first, second];
    let never = [b"BG", b"GB", b"NK", b"KN", b"TN", b"NT", b"ZZ"];
    let upper = first.is_ascii_uppercase() && second.is_ascii_uppercase();
    upper && !b"DFIQUV".contains(&first) && !b"DFIQUVO".contains(&second) && !never.contains(&&pair)
}

#[cfg(test)]
mod tests {
    use crate::{Entity, tests::check};

    #[test]
    fn numbers_are_found_as_they_are_written() {
        for (text, want) in [
            ("AB123456C", "AB123456C"),
            ("NI number AB 12 34 56 C, please", "AB 12 34 56 C"),
            ("JG-10-37-59-A", "JG-10-37-59-A"),
            ("(JG 103759 A)", "JG 103759 A"),
            ("nino: ab123456c", "ab123456c"),
            ("National Insurance: ZZ 12 34 56 T", "ZZ 12 34 56 T"),
            ("my NINO is AB123456", "AB123456"),
            ("my NINO is AB123456 and more", "AB123456"),
        ] {
            check(Entity::UkNino, text, &[want]);
        }
    }

    #[test]
    fn what_only_looks_like_one_stays() {
        for text in [
            "ZZ123456C",
            "ab123456c",
            "AB123456E",
            "AB1234567",
            "DAB123456C",
            "order AB123456C",
            "passport AB123456C",
            "AB123456",
        ] {
            check(Entity::UkNino, text, &[]);
        }
    }
}
