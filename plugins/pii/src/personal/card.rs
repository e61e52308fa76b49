//! Payment cards: an issuer's range, its length, the Luhn digit (ISO/IEC 7812).
//!
//! Precision 99 % without a name before it: of numbers that are as long, one in ten has the digit and one in three the
//! range. Ranges and lengths that barcodes and ids share (12 and 13 digits, Maestro) take the word for it.

use super::check::{luhn, value};
use super::page::{Gap, Look, Word};
use super::signs::Sign;
use super::{Hit, hit};
use crate::Entity;
use crate::scan::byte;

pub(super) fn find(look: &mut Look<'_, '_>) -> Option<Hit> {
    let start = look.start();
    let mut shapes = (1..=look.sizes.len().min(5)).rev().filter(|count| shaped(look, *count));
    let shape = shapes.find(|it| sound(look, *it));
    if shape.is_none() && look.sizes.iter().sum::<usize>() < 12 && odd(look).is_none() {
        return None;
    }
    let named = look.context.names(start, Sign::Card);
    let count = shape.or_else(|| odd(look).or_else(|| even(look)).filter(|it| named && sound(look, *it)))?;
    let digits = look.digits_of_words(count);
    let is = if named { may_be(&digits) } else { issued(&digits) && !look.context.is_other(start) };
    is.then(|| hit(look, count, Entity::CreditCard, if named { "credit_card.named" } else { "credit_card" }))
}

/// Whether the first `count` numbers have the digit that checks them, and are not all the same.
fn sound(look: &Look<'_, '_>, count: usize) -> bool {
    let digits = look.digits_of_words(count);
    luhn(&digits) && digits.iter().any(|it| Some(it) != digits.first())
}

/// Whether the first `count` numbers are grouped as on a card, with one kind of gap.
fn shaped(look: &Look<'_, '_>, count: usize) -> bool {
    let sizes = look.sizes.get(..count).unwrap_or_default();
    let gaps = look.gaps.get(..count.saturating_sub(1)).unwrap_or_default();
    let grouped = match sizes {
        [one] => (12..=19).contains(one),
        [first, rest @ ..] => *first == 4 && rest.iter().all(|it| (2..=7).contains(it)) && count <= 5,
        [] => false,
    };
    let total: usize = sizes.iter().sum();
    let even = gaps.iter().all(|it| Some(it) == gaps.first() && matches!(it, Gap::Space | Gap::Dash | Gap::Dot));
    // What follows may be when it ends, or the digits on its back; four more digits would make it something else.
    let back = total >= 15
        && look.sizes.get(count).is_some_and(|it| *it <= 3)
        && matches!(look.gaps.get(count.saturating_sub(1)), Some(Gap::Space | Gap::Slash));
    grouped
        && even
        && (12..=19).contains(&total)
        && (back && look.joined.is_none() || look.free(count, gaps.first().copied()))
}

/// Groups of four with a sign between that nobody writes there: only a number that is called a card is one.
fn odd(look: &Look<'_, '_>) -> Option<usize> {
    let words = look.words.get(..4)?;
    let four = words.iter().all(|it| it.number && it.len() == 4);
    let gap = |pair: &[Word]| match pair {
        [one, two] if two.start == one.end.saturating_add(1) => byte(look.text, one.end),
        _ => None,
    };
    let mut gaps = words.windows(2).map(gap);
    let first = gaps.next().flatten().filter(|it| b"/_,*|~:+\n".contains(it))?;
    (four && gaps.all(|it| it == Some(first))).then_some(4)
}

/// Groups of any length, all alike: `49 01 34 11 ...`, `49013411 76391753`.
fn even(look: &Look<'_, '_>) -> Option<usize> {
    let count = look.sizes.len();
    let gaps = look.gaps.first().is_some_and(|first| look.gaps.iter().all(|it| it == first));
    let sizes = look.sizes.iter().all(|it| Some(it) == look.sizes.first());
    (gaps && sizes && (13..=19).contains(&look.total(count)) && look.free(count, None)).then_some(count)
}

/// What a number that is called a card may be: 12 to 19 digits of any issuer, with the airlines' and others' first digit.
fn may_be(digits: &[u8]) -> bool {
    digits.len() >= 12
}

/// In a range that a network of cards gives numbers from, and as long as it makes them.
fn issued(digits: &[u8]) -> bool {
    let first = |count: usize| value(digits, 0..count);
    match digits.len() {
        14 => matches!(first(3), 300..=305 | 309 | 360..=369 | 380..=399),
        15 => matches!(first(2), 34 | 37) || matches!(first(4), 1800 | 2131),
        16 => {
            matches!(first(1), 4)
                || matches!(first(2), 51..=55 | 62 | 65 | 81 | 82)
                || matches!(first(4), 2200..=2204 | 2221..=2720 | 3528..=3589 | 5018 | 5020 | 5038 | 5067 | 5893 | 6011 | 6304 | 6759..=6763)
                || matches!(first(4), 9792 | 6440..=6499 | 6062 | 6362 | 6363 | 5041 | 3600..=3699)
        }
        19 => matches!(first(1), 4) || matches!(first(2), 62 | 65) || matches!(first(4), 6011 | 6759..=6763),
        17 | 18 => matches!(first(2), 62),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::{Entity, tests::check};

    #[test]
    fn cards_are_found_as_they_are_written() {
        for (text, want) in [
            ("4111111111111111", "4111111111111111"),
            ("pay with 4111 1111 1111 1111, please", "4111 1111 1111 1111"),
            ("5500-0055-5555-5559.", "5500-0055-5555-5559"),
            ("3782 822463 10005", "3782 822463 10005"),
            ("3056-930902-5904", "3056-930902-5904"),
            ("6221 2600 0000 0001 or 6011000990139424", "6011000990139424"),
            ("4111\u{a0}1111\u{a0}1111\u{a0}1111", "4111\u{a0}1111\u{a0}1111\u{a0}1111"),
            ("４１１１ １１１１ １１１１ １１１１", "４１１１ １１１１ １１１１ １１１１"),
            ("٤١١١١١١١١١١١١١١١", "٤١١١١١١١١١١١١١١١"),
            ("41\u{200b}11111111\u{200b}111111", "41\u{200b}11111111\u{200b}111111"),
            ("4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"),
            ("card 4222222222222, exp 08/27", "4222222222222"),
            ("Karte 6759649826438453", "6759649826438453"),
            ("{\"card\":\"2223000048400011\"}", "2223000048400011"),
            ("卡号4111111111111111，有效期", "4111111111111111"),
            ("4111.1111.1111.1111", "4111.1111.1111.1111"),
            ("4111 1111 1111 1111 08/27 123", "4111 1111 1111 1111"),
        ] {
            check(Entity::CreditCard, text, &[want]);
        }
    }

    #[test]
    fn what_only_looks_like_a_card_stays() {
        for text in [
            "4111111111111112",
            "4111 1111 1111 1112 card",
            "1604747437864",
            "978-3-16-148410-0",
            "IMEI 353918051234563",
            "order 4111111111111111",
            "0.4111111111111111",
            "a4111111111111111",
            "4222222222222",
            "0000 0000 0000 0000",
            "550e8400-e29b-41d4-a716-446655440000",
            "4111 1111 1111 1111 1111 1111",
        ] {
            check(Entity::CreditCard, text, &[]);
        }
    }
}
