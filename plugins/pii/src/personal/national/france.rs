//! The NIR of France: sex, month of birth, place, order, and a key of two digits (modulo 97).
//!
//! Precision 99.9 % with the key; without it only what is called so.

use super::super::check::{modulo, value};
use super::super::page::Look;
use super::super::signs::Sign;
use super::super::{Hit, hit_at};
use crate::Entity;
use crate::scan::steps;

pub(crate) fn find(look: &mut Look<'_, '_>) -> Option<Hit> {
    look.word().filter(|it| matches!(it.len(), 1 | 13 | 15))?;
    let start = look.start();
    let (digits, number_end, end) = read(look.text, start)?;
    let number = digits.get(..13)?;
    let month = value(&digits, 3..5);
    let formed = matches!(digits.first(), Some(1..=4 | 7 | 8)) && matches!(month, 1..=12 | 20..=42 | 50..=99);
    if !formed {
        return None;
    }
    let key = value(&digits, 13..15);
    let rest = modulo(number.iter().copied(), 97);
    let sound = digits.len() == 15 && u64::from(key).wrapping_add(rest) == 97 && look.alone(start, end);
    if sound {
        return Some(hit_at(start..end, Entity::FrNir, "fr_nir"));
    }
    let bare = look.alone(start, number_end) && digits.len() == 13 && look.context.names(start, Sign::Nir);
    bare.then(|| hit_at(start..number_end, Entity::FrNir, "fr_nir.named"))
}

/// Its digits with the key if there is one, where the number ends and where the key does. The departments of Corsica, 2A and
/// 2B, count as 19 and 18.
fn read(text: &[u8], start: usize) -> Option<(Vec<u8>, usize, usize)> {
    let mut digits: Vec<u8> = Vec::with_capacity(15);
    let (mut number_end, mut end, mut gap) = (0, start, false);
    for it in text.get(start..)?.iter().take(24) {
        steps::take(1);
        match it {
            b'0'..=b'9' => digits.push(it.wrapping_sub(b'0')),
            b'A' | b'B' | b'a' | b'b' if digits.len() == 6 && digits.last() == Some(&2) => {
                digits.pop();
                digits.extend([1, if it.eq_ignore_ascii_case(&b'a') { 9 } else { 8 }]);
            }
            b' ' | b'-' | b'.' | b'/' if !gap && !digits.is_empty() => {}
            _ => break,
        }
        gap = !it.is_ascii_alphanumeric();
        end = end.saturating_add(1);
        if digits.len() == 13 && number_end == 0 {
            number_end = end;
        }
        if digits.len() == 15 {
            break;
        }
    }
    (digits.len() >= 13).then_some((digits, number_end, end))
}

#[cfg(test)]
mod tests {
    use crate::{Entity, tests::check};

    #[test]
    fn numbers_are_found_as_they_are_written() {
        for (text, want) in [
            ("255081416802538", "255081416802538"),
            ("Numéro de sécu : 2 55 08 14 168 025 38.", "2 55 08 14 168 025 38"),
            ("NIR 2550814168025", "2550814168025"),
            ("2-55-08-14-168-025-38", "2-55-08-14-168-025-38"),
        ] {
            check(Entity::FrNir, text, &[want]);
        }
    }

    #[test]
    fn what_only_looks_like_one_stays() {
        for text in ["255081416802539", "2550814168025", "955081416802538", "255131416802538", "2550814168025381"] {
            check(Entity::FrNir, text, &[]);
        }
    }
}
