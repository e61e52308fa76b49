//! The check digits of numbers, each by the standard that it is of. Digits are values, not characters.

/// The last digit is right by ISO/IEC 7812 (Luhn).
pub(super) fn luhn(digits: &[u8]) -> bool {
    let doubled = |(place, digit): (usize, &u8)| {
        let digit = u32::from(*digit);
        let twice = digit.saturating_mul(2);
        if place % 2 == 0 { digit } else { twice.checked_sub(9).unwrap_or(twice) }
    };
    sum(digits.iter().rev().enumerate().map(doubled)).is_multiple_of(10)
}

/// What is left of the number when it is divided by `by`.
pub(super) fn modulo(digits: impl IntoIterator<Item = u8>, by: u64) -> u64 {
    let step =
        |rest: u64, digit: u8| rest.wrapping_mul(10).wrapping_add(u64::from(digit)).checked_rem(by).unwrap_or_default();
    digits.into_iter().fold(0, step)
}

/// The sum of the digits, each times its weight.
pub(super) fn weighted(digits: &[u8], weights: &[u32]) -> u32 {
    sum(digits.iter().zip(weights).map(|(digit, weight)| u32::from(*digit).saturating_mul(*weight)))
}

/// The last digit is right by Verhoeff's group of ten.
pub(super) fn verhoeff(digits: &[u8]) -> bool {
    const STEP: [usize; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let permuted = |place: usize, digit: u8| {
        let turns = 0..place % 8;
        turns.fold(usize::from(digit), |digit, _| STEP.get(digit).copied().unwrap_or_default())
    };
    let places = digits.iter().rev().enumerate();
    places.fold(0, |before, (place, digit)| dihedral(before, permuted(place, *digit))) == 0
}

/// The product in the symmetries of a pentagon.
fn dihedral(one: usize, two: usize) -> usize {
    let (turn, other) = (one % 5, two % 5);
    match (one < 5, two < 5) {
        (true, true) => turn.wrapping_add(other) % 5,
        (true, false) => (turn.wrapping_add(other) % 5).wrapping_add(5),
        (false, true) => (turn.wrapping_add(5).wrapping_sub(other) % 5).wrapping_add(5),
        (false, false) => turn.wrapping_add(5).wrapping_sub(other) % 5,
    }
}

/// The last digit is right by ISO 7064, modulo 11, 10.
pub(super) fn iso_7064_11_10(digits: &[u8]) -> bool {
    let Some((last, rest)) = digits.split_last() else { return false };
    let step = |product: u32, digit: &u8| {
        let sum = product.wrapping_add(u32::from(*digit)) % 10;
        (if sum == 0 { 10 } else { sum }).wrapping_mul(2) % 11
    };
    let check = 11_u32.wrapping_sub(rest.iter().fold(10, step)) % 10;
    check == u32::from(*last)
}

/// A day that may stand in a number: there are up to 31 of them in a month, and twelve months.
pub(super) fn is_day(month: u32, day: u32) -> bool {
    (1..=12).contains(&month) && (1..=31).contains(&day)
}

/// The digits at `range` as a number.
pub(super) fn value(digits: &[u8], range: std::ops::Range<usize>) -> u32 {
    let step = |value: u32, digit: &u8| value.wrapping_mul(10).wrapping_add(u32::from(*digit));
    digits.get(range).unwrap_or_default().iter().fold(0, step)
}

fn sum(values: impl Iterator<Item = u32>) -> u32 {
    values.fold(0, u32::wrapping_add)
}

#[cfg(test)]
mod tests {
    use super::{iso_7064_11_10, luhn, modulo, verhoeff};

    fn digits(text: &str) -> Vec<u8> {
        text.bytes().map(|it| it - b'0').collect()
    }

    /// `check` accepts `number`, and none that differs from it in one digit or has two neighbours swapped.
    fn check(accepts: fn(&[u8]) -> bool, number: &str, all_swaps: bool) {
        let right = digits(number);
        assert!(accepts(&right), "{number}");
        for place in 0..right.len() {
            for digit in (0..10).filter(|it| *it != right[place]) {
                let mut wrong = right.clone();
                wrong[place] = digit;
                assert!(!accepts(&wrong), "{wrong:?}");
            }
            let mut wrong = right.clone();
            if all_swaps && place > 0 && wrong[place] != wrong[place - 1] {
                wrong.swap(place, place - 1);
                assert!(!accepts(&wrong), "{wrong:?}");
            }
        }
    }

    #[test]
    fn one_wrong_digit_is_told() {
        check(luhn, "4111111111111111", false);
        check(luhn, "378282246310005", false);
        check(verhoeff, "2363", true);
        check(verhoeff, "999941057058", true);
        check(iso_7064_11_10, "86095742719", false);
        check(|it| modulo(it.iter().copied(), 97) == 1, "3214282912345698765432161182", true);
    }
}
