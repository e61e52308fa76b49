//! The numbers of India: Aadhaar with its Verhoeff digit, and the PAN of the tax office.
//!
//! Precision: Aadhaar 98 % grouped by four, where one number in ten has the digit; twelve digits in a row ask for the name,
//! since parcels have as many. PAN 98 %: its form is rare, and its fourth letter one of ten.

use super::super::check::verhoeff;
use super::super::page::{Gap, Look};
use super::super::signs::Sign;
use super::super::{Hit, hit};
use crate::Entity;

pub(crate) fn aadhaar(look: &mut Look<'_, '_>) -> Option<Hit> {
    let grouped = look.shaped(&[4, 4, 4], &[Gap::Space, Gap::Dash, Gap::Dot]);
    if !grouped && !look.shaped(&[12], &[]) {
        return None;
    }
    let count = if grouped { 3 } else { 1 };
    let digits = look.digits(count);
    if !matches!(digits.first(), Some(2..=9)) || !verhoeff(&digits) {
        return None;
    }
    let start = look.start();
    let named = look.context.identifies(start, Sign::Aadhaar);
    let is = named || grouped && !look.context.is_other(start) && !look.context.names(start, Sign::Phone);
    is.then(|| hit(look, count, Entity::InAadhaar, if named { "in_aadhaar.named" } else { "in_aadhaar" }))
}

pub(crate) fn pan(look: &mut Look<'_, '_>) -> Option<Hit> {
    let word = look.word().filter(|it| it.len() == 10)?;
    let letters = look.text.get(word.start..word.end)?;
    let upper = letters.iter().all(|it| !it.is_ascii_lowercase());
    let formed =
        |(at, it): (usize, &u8)| if matches!(at, 5..=8) { it.is_ascii_digit() } else { it.is_ascii_alphabetic() };
    if !letters.iter().enumerate().all(formed) || !look.alone(word.start, word.end) {
        return None;
    }
    let holder = letters.get(3).is_some_and(|it| b"ABCEFGHJKLPT".contains(it));
    let named = look.context.names(word.start, Sign::Pan);
    let is = named || upper && holder && !look.context.is_other(word.start);
    is.then(|| hit(look, 1, Entity::InPan, if named { "in_pan.named" } else { "in_pan" }))
}

#[cfg(test)]
mod tests {
    use crate::{Entity, tests::check};

    #[test]
    fn aadhaar_is_found_as_it_is_written() {
        for (text, want) in [
            ("9999 4105 7058", "9999 4105 7058"),
            ("Aadhaar: 999941057058.", "999941057058"),
            ("मेरा आधार नंबर ९९९९ ४१०५ ७०५८ है", "९९९९ ४१०५ ७०५८"),
            ("9999-4105-7058", "9999-4105-7058"),
        ] {
            check(Entity::InAadhaar, text, &[want]);
        }
        for text in
            ["9999 4105 7059", "999941057058", "Aadhaar 999941057059", "9999 4105 7058 1234", "order 9999 4105 7058"]
        {
            check(Entity::InAadhaar, text, &[]);
        }
    }

    #[test]
    fn pan_is_found_as_it_is_written() {
        for (text, want) in
            [("ABCPE1234F", "ABCPE1234F"), ("pan: abcpe1234f", "abcpe1234f"), ("PAN ABCXE1234F,", "ABCXE1234F")]
        {
            check(Entity::InPan, text, &[want]);
        }
        for text in ["ABCXE1234F", "abcpe1234f", "ABCPE12345", "ABCPE1234FG", "SKU ABCPE1234F"] {
            check(Entity::InPan, text, &[]);
        }
    }
}
