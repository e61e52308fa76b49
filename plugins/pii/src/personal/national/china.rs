//! Resident identity numbers of China (GB 11643): a place, a day, a serial, and a check digit that may be X.
//!
//! Precision 99.9 %: of numbers as long, one in 11 has the digit, and hardly any of those a day.

use super::super::check::{is_day, value, weighted};
use super::super::page::Look;
use super::super::{Hit, hit_at};
use crate::Entity;
use crate::scan::byte;

pub(crate) fn find(look: &mut Look<'_, '_>) -> Option<Hit> {
    look.word().filter(|it| matches!(it.len(), 6 | 10 | 17 | 18))?;
    let start = look.start();
    let (digits, end) = read(look.text, start)?;
    let (last, number) = digits.split_last()?;
    let (year, month, day) = (value(&digits, 6..10), value(&digits, 10..12), value(&digits, 12..14));
    let born = (1900..=2030).contains(&year) && is_day(month, day);
    // From the north (11) to the islands (82), as provinces are numbered.
    let place = (11..=82).contains(&value(&digits, 0..2));
    let sum = weighted(number, &[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]);
    let check = 12_u32.wrapping_sub(sum % 11) % 11;
    (place && born && check == u32::from(*last) && look.alone(start, end))
        .then(|| hit_at(start..end, Entity::CnResidentId, "cn_resident_id"))
}

/// Its 18 digits, X being ten, and where they end.
fn read(text: &[u8], start: usize) -> Option<(Vec<u8>, usize)> {
    let mut digits = Vec::with_capacity(18);
    for (place, it) in text.get(start..)?.iter().take(24).enumerate() {
        match it {
            b'0'..=b'9' => digits.push(it.wrapping_sub(b'0')),
            b'X' | b'x' if digits.len() == 17 => digits.push(10),
            b' ' | b'-'
                if matches!(digits.len(), 6 | 14 | 10 | 12)
                    && byte(text, start.saturating_add(place).saturating_sub(1)) != Some(*it) => {}
            _ => return None,
        }
        if digits.len() == 18 {
            return Some((digits, start.saturating_add(place).saturating_add(1)));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use crate::{Entity, tests::check};

    #[test]
    fn numbers_are_found_as_they_are_written() {
        for (text, want) in [
            ("11010519491231002X", "11010519491231002X"),
            ("身份证号码是440524199001010018吗", "440524199001010018"),
            ("身份证：11010519491231002x。", "11010519491231002x"),
            ("110105 19491231 002x", "110105 19491231 002x"),
        ] {
            check(Entity::CnResidentId, text, &[want]);
        }
    }

    #[test]
    fn what_only_looks_like_one_stays() {
        for text in
            ["110105194912310021", "11010519491331002X", "01010519491231002X", "111010519491231002X", "110105194912310"]
        {
            check(Entity::CnResidentId, text, &[]);
        }
    }
}
