//! Digits that stand alone, one after another: a number that somebody spread out.

use crate::scan::{byte, steps};

/// Fewer characters are a list.
const SHORTEST: usize = 9;

/// Says of each gap in a spread number where it begins, how long it is, and what stays of it.
pub(super) fn gaps(text: &[u8], mut say: impl FnMut(usize, usize, Option<char>)) {
    let mut at = 0;
    while let Some(start) = begin(text, at) {
        at = start.saturating_add(1);
        let (count, digits, end) = follow(text, start, |_, _, _| ());
        if count >= SHORTEST && digits >= SHORTEST.saturating_sub(1) {
            follow(text, start, &mut say);
        }
        at = at.max(end);
    }
}

/// Where the next one may begin: a letter or digit, a gap, and one more, with no word before.
fn begin(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let rest = text.get(at..)?;
        let place = rest.windows(3).position(|it| matches!(it, [a, gap, b] if alone(*a) && is_gap(*gap) && alone(*b)));
        steps::take(place.unwrap_or(rest.len()).saturating_add(1));
        let start = at.saturating_add(place?);
        if !start.checked_sub(1).and_then(|it| byte(text, it)).is_some_and(|it| it.is_ascii_alphanumeric()) {
            return Some(start);
        }
        at = start.saturating_add(1);
    }
}

/// Follows the characters that stand alone from `start`: how many there are, how many digits, where the last one ends.
fn follow(text: &[u8], start: usize, mut say: impl FnMut(usize, usize, Option<char>)) -> (usize, usize, usize) {
    let (mut at, mut count, mut digits) = (start, 0_usize, 0_usize);
    while let Some(it) = byte(text, at).filter(|it| alone(*it)) {
        let end = at.saturating_add(1);
        count = count.saturating_add(1);
        digits = digits.saturating_add(usize::from(it.is_ascii_digit()));
        steps::take(2);
        let next = |place: usize| {
            byte(text, place).is_some_and(alone)
                && !byte(text, place.saturating_add(1)).is_some_and(|it| it.is_ascii_alphanumeric())
        };
        if byte(text, end).is_some_and(is_gap) && next(end.saturating_add(1)) {
            say(end, 1, None);
            at = end.saturating_add(1);
        } else if text.get(end..).is_some_and(|it| it.starts_with(b" - ")) && next(end.saturating_add(3)) {
            say(end, 3, Some('-'));
            at = end.saturating_add(3);
        } else {
            return (count, digits, end);
        }
    }
    (count, digits, at)
}

fn alone(it: u8) -> bool {
    it.is_ascii_digit() || it.is_ascii_uppercase()
}

fn is_gap(it: u8) -> bool {
    matches!(it, b' ' | b'-' | b'.' | b'_')
}
