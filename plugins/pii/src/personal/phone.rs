//! Phone numbers: with `+` or `00` and a country's code, in the forms that countries write theirs, or behind a word for one.
//!
//! Precision: international 99 %, national forms 95 %, behind a word 96 %. What has none of the three stays: ten digits in a
//! row are an order more often than a phone.

mod country;
mod national;

use super::page::{Gap, Look};
use super::signs::Sign;
use super::{Hit, hit_at};
use crate::Entity;
use crate::scan::{byte, run, steps};
use country::Plan;

pub(super) fn find(look: &mut Look<'_, '_>) -> Option<Hit> {
    let word = look.word()?;
    if !word.number {
        return None;
    }
    let (count, start, rule) = international(look).or_else(|| national(look)).or_else(|| named(look))?;
    let end = extension(look.text, look.end(count.saturating_sub(1)));
    Some(hit_at(start..end, Entity::Phone, rule))
}

type Found = (usize, usize, &'static str);

/// `+49 30 123456`, `0049 30 123456`, `(+49) 30 123456`.
fn international(look: &mut Look<'_, '_>) -> Option<Found> {
    let start = look.start();
    let before = |back: usize| start.checked_sub(back).and_then(|it| byte(look.text, it));
    let plus = before(1) == Some(b'+');
    let digits = look.digits(look.sizes.len());
    let zeros = !plus && digits.starts_with(&[0, 0]) && look.joined.is_none();
    let number = digits.get(if zeros { 2 } else { 0 }..).filter(|_| plus || zeros)?;
    let plan = Plan::of(number)?;
    let skipped = if zeros { 2 } else { 0 };
    let count = (1..=look.sizes.len()).rev().find(|count| {
        let trunk =
            usize::from(look.sizes.iter().take(*count).skip(1).any(|it| *it == 1) && look.gaps.contains(&Gap::Bracket));
        let national = look.total(*count).saturating_sub(skipped).saturating_sub(plan.code);
        plan.fits(national) || (trunk == 1 && plan.fits(national.saturating_sub(1)))
    })?;
    let begin = match (plus, before(2)) {
        (true, Some(b'(')) => start.saturating_sub(2),
        (true, _) => start.saturating_sub(1),
        _ => start,
    };
    let end = look.end(count.saturating_sub(1));
    let known = plan.known || look.context.names(start, Sign::Phone) || look.context.names(start, Sign::Call);
    let plain = zeros && (look.context.is_other(start) || !known);
    let closed =
        look.gaps.get(count.saturating_sub(1)).is_none_or(|it| matches!(it, Gap::Space | Gap::Slash | Gap::Bracket));
    let alone = look.alone(begin, end) || is_labelled(look.text, end);
    (!plain && closed && alone).then_some((count, begin, if plus { "phone.plus" } else { "phone.zeros" }))
}

/// `(201) 555-0123`, `06 12 34 56 78`: forms that hardly anything else has.
fn national(look: &mut Look<'_, '_>) -> Option<Found> {
    let count = national::form(look)?;
    let start = opened(look, count);
    let end = look.end(count.saturating_sub(1));
    let other = look.context.is_other(look.start()) || look.context.is_called_otherwise(look.start());
    (look.alone(start, end) && !other).then_some((count, start, "phone.national"))
}

/// Whatever has seven to fifteen digits behind a word for a phone, and is no date and no address of a host.
fn named(look: &mut Look<'_, '_>) -> Option<Found> {
    let fits = |count: &usize| {
        let (total, last) = (look.total(*count), look.gaps.get(count.saturating_sub(1)));
        let free = matches!(last, None | Some(Gap::Space | Gap::Slash | Gap::Bracket));
        (6..=15).contains(&total) && free && !is_something_else(look, *count)
    };
    let count = (1..=look.sizes.len()).rev().find(fits)?;
    let total = look.total(count);
    let start = opened(look, count);
    let end = look.end(count.saturating_sub(1));
    let labelled = (count > 1 || total >= 9) && is_labelled(look.text, end);
    if look.joined.is_some_and(|it| it != Gap::Space && it != Gap::Slash) || !(labelled || look.alone(start, end)) {
        return None;
    }
    let sum = start.checked_sub(1).and_then(|it| byte(look.text, it)).is_some_and(|it| matches!(it, b'$' | b'#'));
    // A round number counts something.
    if sum || (count == 1 && look.digits(1).ends_with(&[0, 0, 0])) {
        return None;
    }
    if labelled {
        return Some((count, start, "phone.labelled"));
    }
    let short = total < 8;
    let reach = if short && count == 1 {
        12
    } else if short {
        24
    } else {
        48
    };
    if look.context.named(look.start(), Sign::Phone, reach) {
        return Some((count, start, "phone.named"));
    }
    let grouped = count > 1 && total >= 7 && look.context.named(look.start(), Sign::Call, 24);
    let near = if total == 8 { 2 } else { 12 };
    let alone = count == 1 && (8..=12).contains(&total) && look.context.named(look.start(), Sign::Call, near);
    (grouped || alone).then_some((count, start, "phone.called"))
}

/// Whether right behind `end` stands what the number is: `555 0123-Office`, `555 0123 (mobile)`.
fn is_labelled(text: &[u8], end: usize) -> bool {
    let rest = text.get(end..).unwrap_or_default();
    let marks = rest.iter().take(3).take_while(|it| b" -(/".contains(it)).count();
    let word = rest.get(marks..).unwrap_or_default();
    let length = word.iter().take(8).take_while(|it| it.is_ascii_alphabetic()).count();
    steps::take(length.saturating_add(marks));
    let word = word.get(..length).unwrap_or_default();
    let only = matches!(rest.first(), Some(b'-' | b'(')) || rest.starts_with(b" (") || rest.starts_with(b" - ");
    only && LABELS.iter().any(|it| it.eq_ignore_ascii_case(word))
}

const LABELS: [&[u8]; 13] = [
    b"office", b"fax", b"mobile", b"mob", b"cell", b"home", b"work", b"phone", b"tel", b"direct", b"main", b"mobil",
    b"handy",
];

/// A date, a time, an IPv4 address, a decimal number.
fn is_something_else(look: &Look<'_, '_>, count: usize) -> bool {
    let sizes = look.sizes.get(..count).unwrap_or_default();
    let digits = look.digits(count);
    let value = |from: usize, to: usize| super::check::value(&digits, from..to);
    match sizes {
        [4, 2, 2, ..] => matches!(value(0, 2), 19 | 20) && super::check::is_day(value(4, 6), value(6, 8)),
        [2, 2, 4] => matches!(value(4, 6), 19 | 20) && (value(0, 2) <= 12 || value(2, 4) <= 12) && value(2, 4) <= 31,
        [8] => matches!(value(0, 2), 19 | 20) && super::check::is_day(value(4, 6), value(6, 8)),
        [_, _] => look.gaps.first() == Some(&Gap::Dot),
        [a, b, c, d] => look.gaps.iter().take(3).all(|it| *it == Gap::Dot) && [a, b, c, d].iter().all(|it| **it <= 3),
        _ => false,
    }
}

/// Where it begins: with the bracket that closes inside of it, if there is one.
fn opened(look: &Look<'_, '_>, count: usize) -> usize {
    let start = look.start();
    let closes = look.gaps.iter().take(count.saturating_sub(1)).any(|it| *it == Gap::Bracket);
    let open = start.checked_sub(1).filter(|it| closes && byte(look.text, *it) == Some(b'('));
    open.unwrap_or(start)
}

/// Where it ends with its extension: `x123`, ` ext. 123`.
fn extension(text: &[u8], end: usize) -> usize {
    let rest = text.get(end..).unwrap_or_default();
    let mark = [b"x".as_slice(), b" x", b" ext. ", b" ext ", b" ext.", b" ext: ", b", ext. ", b" extension "];
    let Some(mark) = mark.iter().filter(|it| rest.starts_with(it)).map(|it| it.len()).max() else { return end };
    let start = end.saturating_add(mark);
    let last = run(text, start, |it| it.is_ascii_digit());
    if (1..=6).contains(&last.saturating_sub(start)) && byte(text, last).is_none_or(|it| !it.is_ascii_alphanumeric()) {
        last
    } else {
        end
    }
}
