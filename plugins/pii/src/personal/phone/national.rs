//! The forms in which countries write their numbers, as far as they are their own.

use super::super::page::{Gap, Look};

/// How many of the numbers are a phone number in a national form.
pub(super) fn form(look: &Look<'_, '_>) -> Option<usize> {
    let opened = look.start().checked_sub(1).and_then(|it| look.text.get(it)) == Some(&b'(');
    if opened && look.gaps.first() == Some(&Gap::Bracket) {
        return area(look);
    }
    let count = (2..=look.sizes.len().min(6)).rev().find(|count| fits(look, *count))?;
    let gaps = look.gaps.get(..count.saturating_sub(1)).unwrap_or_default();
    look.free(count, gaps.last().copied()).then_some(count)
}

/// `(201) 555-0123`, `(11) 96123-4384`, `(02) 1234 5678`: the area in brackets.
fn area(look: &Look<'_, '_>) -> Option<usize> {
    let inner = |count: &usize| {
        let gaps = look.gaps.get(1..count.saturating_sub(1)).unwrap_or_default();
        let even = gaps.iter().all(|it| Some(it) == gaps.first() && matches!(it, Gap::Space | Gap::Dash | Gap::Dot));
        let rest = look
            .gaps
            .get(count.saturating_sub(1))
            .is_none_or(|it| *it == Gap::Space && gaps.first() != Some(&Gap::Space) || *it == Gap::Bracket);
        (8..=12).contains(&look.total(*count)) && even && rest
    };
    let first = look.sizes.first().copied().unwrap_or_default();
    (2..=look.sizes.len().min(5)).rev().find(|count| (2..=5).contains(&first) && inner(count))
}

/// Whether the first `count` numbers have one of the forms.
fn fits(look: &Look<'_, '_>, count: usize) -> bool {
    let sizes = look.sizes.get(..count).unwrap_or_default();
    let gaps = look.gaps.get(..count.saturating_sub(1)).unwrap_or_default();
    let digits = look.digits(count);
    let digit = |at: usize| digits.get(at).copied().unwrap_or_default();
    let even = gaps.iter().all(|it| Some(it) == gaps.first());
    let dashed = even && matches!(gaps.first(), Some(Gap::Dash | Gap::Dot));
    let plain = gaps.iter().all(|it| matches!(it, Gap::Space | Gap::Dash | Gap::Dot));
    match sizes {
        // North America, also with its code: no area and no exchange begins with 0 or 1.
        [3, 3, 4] if digit(0) >= 2 => (dashed || mixed(gaps)) && digit(3) >= 2,
        [1, 3, 3, 4] => digit(0) == 1 && digit(1) >= 2 && digit(4) >= 2,
        // France, Spain, Brazil, China and Russia.
        [2, 2, 2, 2, 2] => even && plain && digit(0) == 0 && digit(1) != 0,
        [3, 2, 2, 2] if digit(0) != 0 => plain && even && matches!(digit(0), 6..=9),
        [2, 5, 4] => matches!(gaps, [Gap::Space, Gap::Dash]) && digit(2) == 9,
        [3, 4, 4] if digit(0) == 1 => even && plain && matches!(digit(1), 3..=9),
        [1, 3, 3, 2, 2] => matches!(digit(0), 7 | 8) && matches!(digit(1), 3..=9),
        [2, 10] => matches!(gaps, [Gap::Dash]) && digits.starts_with(&[9, 1]) && digit(2) >= 6,
        // Belgium and Sweden.
        [4, 2, 2, 2] => even && plain && digit(0) == 0 && digit(1) == 4,
        [2, 2, 2, 2] | [2 | 3, 3, 2, 2] if matches!(gaps, [Gap::Dash, Gap::Space, Gap::Space]) => digit(0) == 0,
        _ => trunk(look, sizes, gaps, &digits),
    }
}

/// `905 674-3793`.
fn mixed(gaps: &[Gap]) -> bool {
    matches!(gaps, [Gap::Space | Gap::Slash, Gap::Dash])
}

/// A number within a country, from Germany to Japan: a zero, an area, a number.
fn trunk(look: &Look<'_, '_>, sizes: &[usize], gaps: &[Gap], digits: &[u8]) -> bool {
    let slashed = matches!(gaps, [Gap::Slash]) && sizes.first().is_some_and(|it| *it >= 3);
    let even = gaps.iter().all(|it| matches!(it, Gap::Space | Gap::Dash | Gap::Bracket));
    let dotted = gaps.iter().all(|it| *it == Gap::Dot) && gaps.len() >= 2;
    let first = sizes.first().copied().unwrap_or_default();
    let rest = sizes.get(1..).unwrap_or_default();
    let grouped =
        (2..=6).contains(&first) && rest.iter().all(|it| (2..=9).contains(it)) && rest.iter().any(|it| *it >= 3);
    let total = look.total(sizes.len());
    let zero = digits.first() == Some(&0) && digits.get(1).is_some_and(|it| *it != 0);
    zero && grouped
        && (slashed || even || dotted)
        && (9..=11).contains(&total)
        && !matches!(sizes, [2, 2, 4] | [2, 2, 2, 4])
        && !is_zip(sizes, gaps)
}

/// `02110-1301`, where mail goes in the United States.
fn is_zip(sizes: &[usize], gaps: &[Gap]) -> bool {
    sizes == [5, 4] && gaps == [Gap::Dash]
}
